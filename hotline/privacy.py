"""Privacy, wired: what erasing and exporting a person takes, from the settings."""

from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crm_bridge.privacy import certificate
from crm_bridge.privacy.erasure import Eraser, ScrubDelayed
from crm_bridge.privacy.request import KINDS, Deadlines, Kind
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
        key=partial(key, settings),
        scrub=partial(_scrub, settings.database_url),
    )


def key(settings: Settings) -> Ed25519PrivateKey:
    """Return the key that signs certificates, made when there is none. Raises `certificate.KeyUnusable`."""
    return certificate.signing_key(settings.data / KEY_FOLDER)


def deadlines(settings: Settings) -> Deadlines:
    """Return until when requests have to be answered and done."""
    given = settings.privacy.deadlines
    done_s: dict[Kind, float] = {kind: getattr(given, kind) for kind in KINDS}
    return Deadlines(given.answer, done_s, ZoneInfo(settings.privacy.time_zone))


async def _scrub(url: str) -> str:
    try:
        return await database.scrub(url)
    except database.DatabaseError as error:
        raise ScrubDelayed(str(error)) from error
