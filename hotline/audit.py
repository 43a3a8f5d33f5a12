"""Who did what that somebody may have to answer for: signing in, hearing a recording, reading what was said in one.

An entry is written before the answer is given. Some deeds repeat by themselves, as a player asks for a recording in
many pieces: of these (`REPEATED`), the same one of the same person is written once in `SAME_S`.
"""

import asyncio
from collections import OrderedDict
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from hotline.database import Sessions, reading
from hotline.tables import AuditEntry
from telephony.clock import iso

SAME_S: Final = 60.0
REMEMBERED: Final = 4096
REPEATED: Final = frozenset({"heard", "read", "listened", "refused"})
"""The last word of what repeats by itself."""

router = APIRouter(tags=["audit"])


class AuditOut(BaseModel):
    """One entry: at an instant somebody did something; `about` is the id of what it was done to."""

    model_config = ConfigDict(extra="forbid")

    id: str
    at: str
    who: str
    what: str
    about: str
    source: str


class AuditPage(BaseModel):
    """Entries, newest first; `next` is `before` for the next page."""

    items: list[AuditOut]
    next: float | None


class Audit:
    """Writes entries; deeds that repeat by themselves, once in `SAME_S`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._written: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._one_by_one = asyncio.Lock()

    async def note(self, now: float, who: str, what: str, about: str, source: str) -> None:
        """Write an entry, unless the deed repeats by itself and stands there already. Who does the same at once waits
        until it does."""
        async with self._one_by_one:
            await self._note(now, (who, what, about), source)

    async def _note(self, now: float, deed: tuple[str, str, str], source: str) -> None:
        who, what, about = deed
        repeats = what.rpartition(".")[2] in REPEATED
        if repeats and now - self._written.get(deed, -SAME_S) < SAME_S:
            return
        async with self._sessions.begin() as session:
            session.add(
                AuditEntry(id=uuid4().hex, at=now, who=who[:64], what=what[:64], about=about[:64], source=source[:64])
            )
        if not repeats:
            return
        self._written[deed] = now
        self._written.move_to_end(deed)
        while len(self._written) > REMEMBERED:
            self._written.popitem(last=False)

    async def __call__(self, request: Request, what: str, about: str) -> None:
        """Write what the request's principal does."""
        principal = getattr(request.state, "principal", None)
        who = str(getattr(principal, "name", "") or "?")
        source = request.client.host if request.client else ""
        await self.note(request.app.state.clock.now(), who, what, about, source)


@router.get("/audit")
async def list_audit(
    request: Request,
    about: Annotated[str, Query(max_length=64)] = "",
    who: Annotated[str, Query(max_length=64)] = "",
    what: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[float | None, Query(description="Only entries before this (from `next`).")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """List the audit log, newest first."""
    query = select(AuditEntry).order_by(AuditEntry.at.desc(), AuditEntry.id).limit(limit + 1)
    for column, wanted in ((AuditEntry.about, about), (AuditEntry.who, who), (AuditEntry.what, what)):
        if wanted:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(AuditEntry.at < before)
    async with reading(request.app.state.sessions)() as session:
        rows = (await session.scalars(query)).all()
    items = [
        AuditOut(id=row.id, at=iso(row.at), who=row.who, what=row.what, about=row.about, source=row.source)
        for row in rows[:limit]
    ]
    return AuditPage(items=items, next=rows[limit - 1].at if len(rows) > limit else None)
