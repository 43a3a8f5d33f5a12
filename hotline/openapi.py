"""`python -m hotline.openapi`: the API's description as JSON, from which the pages' types are made."""

import json
import sys

from hotline import database
from hotline.config import load
from hotline.web import create_app
from telephony.edge.process_clock import ProcessClock


def main() -> None:
    """Print the OpenAPI document; no server runs, no database is opened."""
    engine = database.open_engine("sqlite+aiosqlite://")
    app = create_app(load(None, {}), database.session_factory(engine), ProcessClock())
    json.dump(app.openapi(), sys.stdout, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
