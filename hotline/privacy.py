"""Privacy, wired: what erasing and exporting a person takes, from the settings."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import DBAPIError

from crm_bridge.privacy import certificate, request, retention
from crm_bridge.privacy.erasure import Eraser, ScrubDelayed, Unfinished
from crm_bridge.privacy.request import KINDS, Deadlines, Kind
from crm_bridge.privacy.retention import Purger
from crm_bridge.webhooks.outbox import Webhooks
from hotline import database, person_files
from hotline.config import Settings
from hotline.database import Sessions, reading
from telephony.edge.alarms import Alarms

KEY_FOLDER: Final = "privacy"
LOOK_EVERY_S: Final = 60.0
PURGE_EVERY_S: Final = 3600.0

log = structlog.get_logger("hotline.privacy")


def eraser(settings: Settings, sessions: Sessions) -> Eraser:
    """Return who erases people, from everything that the settings name."""
    return Eraser(
        sessions=sessions,
        tables=database.tables(),
        files=person_files.of(settings),
        key=partial(key, settings),
        scrub=partial(_scrub, settings.database_url),
        webhooks=Webhooks([each.endpoint for each in settings.webhooks]),
    )


def purger(settings: Settings, sessions: Sessions) -> Purger:
    """Return who deletes what is out of its time."""
    kept = settings.privacy.retention
    given: dict[retention.Kind, float | None] = {kind: getattr(kept, kind) for kind in retention.KINDS}
    keep_s = {kind: seconds for kind, seconds in given.items() if seconds is not None}
    return Purger(sessions, database.tables(), person_files.of(settings), keep_s)


class Watch:
    """Again and again: finishes erasures that a crash or a disk held up, deletes what is out of its time, and counts
    the requests that are overdue (`overdue`, by kind)."""

    def __init__(self, settings: Settings, sessions: Sessions, alarms: Alarms, now: Callable[[], float]) -> None:
        self._sessions, self._alarms, self._now = sessions, alarms, now
        self._eraser, self._purger = eraser(settings, sessions), purger(settings, sessions)
        self._purged_at = 0.0
        self.overdue: dict[str, int] = dict.fromkeys(KINDS, 0)

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Look once. What fails keeps nothing else from being done, and is tried again the next time."""
        for step in (self._count, self._finish, self._purge):
            try:
                await step()
            except (Unfinished, certificate.KeyUnusable, OSError, DBAPIError) as error:
                log.warning("privacy waits", cause=str(getattr(error, "orig", None) or error))

    async def _count(self) -> None:
        async with reading(self._sessions)() as session:
            self.overdue = dict.fromkeys(KINDS, 0) | await request.overdue(session, self._now())
        self._tell(sum(self.overdue.values()))

    async def _finish(self) -> None:
        await self._eraser.finish_all(self._now)

    async def _purge(self) -> None:
        now = self._now()
        if now - self._purged_at >= PURGE_EVERY_S:
            gone = await self._purger.purge(now)
            self._purged_at = now
            if any(gone.values()):
                log.info("deleted what was out of its time", **gone)

    def _tell(self, late: int) -> None:
        if late:
            text = f"{late} privacy requests are overdue"
            self._alarms.stand(
                "requests_overdue", text, "GET /api/v1/privacy/requests lists them, the most urgent first"
            )
        else:
            self._alarms.over("requests_overdue")


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
