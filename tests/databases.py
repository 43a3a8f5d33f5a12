"""A migrated SQLite database, made once: to go through every migration costs each test that wants one a second."""

import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url

from hotline import database

_made: list[bytes] = []


async def migrate(url: str) -> None:
    """Put a migrated database where a URL of SQLite says, unless there is one already."""
    if not _made:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "hotline.db"
            await database.upgrade(f"sqlite:///{path}")
            _made.append(path.read_bytes())
    path = Path(make_url(url).database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(_made[0])
