"""Privacy, wired: what erasing and exporting a person takes, from the settings."""

from functools import partial
from typing import Final

from crm_bridge.privacy import certificate
from crm_bridge.privacy.erasure import Eraser
from hotline import database, person_files
from hotline.config import Settings
from hotline.database import Sessions

KEY_FOLDER: Final = "privacy"


def eraser(settings: Settings, sessions: Sessions) -> Eraser:
    """Return who erases people, from everything that the settings name."""
    return Eraser(
        sessions=sessions,
        tables=database.tables(),
        files=person_files.of(settings),
        key=partial(certificate.signing_key, settings.data / KEY_FOLDER),
        scrub=partial(database.scrub, settings.database_url),
    )
