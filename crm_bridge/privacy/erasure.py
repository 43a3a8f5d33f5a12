"""Erasing a person: rows in one transaction, then files, then the certificate.

Rule 1: a crash loses nothing. The transaction that empties the rows also writes which files go; as long as the erasure
is `running` they are deleted again by whoever comes next (`finish`), and only then it is `done`.
Rule 2: whoever is erased is forgotten: no row can be told to be theirs, and when they come again they are new. What
stays are figures without a person, ids that lead nowhere, and the certificate.
Rule 3: a legal hold wins, and a call of theirs that is under way has to end first. Both are said, never waited for.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    CursorResult,
    Table,
    Text,
    and_,
    case,
    cast,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import link, person
from crm_bridge.person import NoProfile
from crm_bridge.privacy import certificate, hold, reach
from crm_bridge.privacy.files import Files, KeptFile
from crm_bridge.privacy.places import FILE_KINDS, PLACES, Place
from crm_bridge.privacy.reach import Reach, Tables
from crm_bridge.privacy.tables import ErasedProfile, Erasure, LegalHold
from crm_bridge.rows import new_id
from crm_bridge.tables import Customer, CustomerLink, Interaction
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.people import tell_erased
from telephony.clock import iso

ATTEMPTS: Final = 5
_ID: Final = re.compile(r"[0-9a-f]{32}")

Sessions = async_sessionmaker[AsyncSession]
Scrub = Callable[[], Awaitable[str]]
"""Overwrites what deleted rows left in the database's files, and says in a sentence what was done."""


class Held(Exception):
    """A legal hold keeps the person's data."""

    def __init__(self, holds: Sequence[LegalHold]) -> None:
        self.holds = holds
        told = "; ".join(f"by {each.by or '?'} since {iso(each.placed_at)}: {each.reason}" for each in holds)
        super().__init__(
            f"A legal hold keeps this person's data ({told}). Whoever may do so releases it first: "
            "POST /api/v1/customers/{id}/release, or `hotline customers release ID`."
        )


class StillRunning(Exception):
    """Something of the person is being written at this moment."""


class Unfinished(Exception):
    """The rows are gone, and something that is left could not be deleted yet; it is tried again by itself. `is_new`:
    they went just now."""

    def __init__(self, erasure: Erasure, cause: str, *, is_new: bool = False) -> None:
        self.erasure, self.is_new = erasure, is_new
        super().__init__(cause)


class ScrubDelayed(Exception):
    """The database's files are in use: what deleted rows left in them cannot be overwritten at this moment."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """What an erasure needs besides its person."""

    sessions: Sessions
    tables: Tables
    files: Files
    key: Callable[[], Ed25519PrivateKey]
    scrub: Scrub
    webhooks: Webhooks = field(default_factory=Webhooks)

    async def erase(self, customer_id: str, by: str, now: Callable[[], float]) -> tuple[Erasure, bool]:
        """Erase the person of a profile and return the erasure, done; say whether it is a new one.

        The same again finishes what was begun, or returns what was done. Raises `NoProfile`, `Held`, `StillRunning`,
        `Unfinished` and `certificate.KeyUnusable`.
        """
        await asyncio.to_thread(self.key)  # who cannot sign does not begin
        erasure, is_new = await self._begun(customer_id, by, now())
        try:
            return await self.finish(erasure.id, now), is_new
        except Unfinished as error:
            raise Unfinished(error.erasure, str(error), is_new=is_new) from error

    async def finish(self, erasure_id: str, now: Callable[[], float]) -> Erasure:
        """Delete the files of an erasure whose rows are gone, and write its certificate; done again, change nothing.

        Raises `Unfinished` and `certificate.KeyUnusable`.
        """
        async with self.sessions() as session:
            erasure = await session.get_one(Erasure, erasure_id)
            await session.commit()
        if erasure.state == "done":
            return erasure
        try:
            await asyncio.to_thread(self.files.remove, [KeptFile(*_file(each)) for each in erasure.files])
            key = await asyncio.to_thread(self.key)  # before the database is rewritten, which takes long
            storage = await self.scrub()
        except (OSError, ScrubDelayed) as error:
            raise Unfinished(erasure, str(error)) from error
        async with self.sessions.begin() as session:
            erasure = await session.get_one(Erasure, erasure_id, populate_existing=True, with_for_update=True)
            if erasure.state != "done":
                erasure.state, erasure.done_at = "done", now()
                erasure.certificate = certificate.sign(_statement(erasure, erasure.done_at, storage), key)
        return erasure

    async def finish_all(self, now: Callable[[], float]) -> int:
        """Finish what a crash left; return how many. One that cannot be finished keeps none from being.

        Raises `Unfinished` and `certificate.KeyUnusable`.
        """
        async with self.sessions() as session:
            left = (await session.scalars(select(Erasure.id).where(Erasure.state == "running"))).all()
            await session.commit()
        failed: Unfinished | None = None
        for each in left:
            try:
                await self.finish(each, now)
            except Unfinished as error:
                failed = error
        if failed is not None:
            raise failed
        return len(left)

    async def _begun(self, customer_id: str, by: str, now: float) -> tuple[Erasure, bool]:
        """Empty the rows. Files are looked for before the writer's lock is taken, which no disk may hold up; if the
        person has become more by then, it is done anew."""
        for _ in range(ATTEMPTS):
            async with self.sessions() as session:
                await session.connection(execution_options={"read_only": True})
                before = await _erasure_of(session, customer_id)
                if before is not None:
                    return before, False
                found = await reach.of_person(session, self.tables, customer_id)
                if found is None:
                    raise NoProfile(customer_id)
                paths = await recording_paths(session, self.tables, found)
            files = await asyncio.to_thread(self.files.find, found, paths)
            async with self.sessions() as session:
                erasure = await _emptied(session, self.tables, customer_id, found, files, by, now)
                if erasure is not None:
                    await tell_erased(self.webhooks, session, erasure.id, found.profiles, now)
                    await session.commit()
                    return erasure, True
        raise StillRunning("More of this person keeps coming in: erase again in a moment.")


def _file(each: Sequence[str]) -> tuple[Any, str]:
    kind, path = each
    return kind, path


async def is_erased(session: AsyncSession, profile: str) -> bool:
    """Tell whether a profile's id is one of somebody who was erased."""
    return await session.get(ErasedProfile, profile) is not None


async def recording_paths(session: AsyncSession, tables: Tables, found: Reach) -> dict[str, str]:
    """Return the paths of a person's recordings by their ids."""
    recordings = tables["recordings"]
    paths: dict[str, str] = {}
    for condition in reach.conditions(place_of("recordings"), recordings, found):
        found_here = await session.execute(select(recordings.c.id, recordings.c.path).where(condition))
        paths |= {row.id: row.path for row in found_here}
    return paths


async def _erasure_of(session: AsyncSession, profile: str) -> Erasure | None:
    row = await session.get(ErasedProfile, profile)
    return None if row is None else await session.get_one(Erasure, row.erasure_id)


async def _emptied(
    session: AsyncSession,
    tables: Tables,
    customer_id: str,
    expected: Reach,
    files: Sequence[KeptFile],
    by: str,
    now: float,
) -> Erasure | None:
    """Empty the rows without committing; None if the person is not the one that was `expected` any more.

    Raises `Held` and `StillRunning`.
    """
    # PostgreSQL: whoever adds to the person waits, and then finds nobody. SQLite has one writer anyhow.
    await session.execute(select(Customer.id).where(Customer.id.in_(expected.profiles)).with_for_update())
    found = await reach.of_person(session, tables, customer_id)
    if found is None:  # another eraser was first
        return None
    holds = await hold.of(session, found.profiles, now)
    if holds:
        raise Held(holds)
    await _look_for_what_runs(session, tables, found)
    if found != expected:
        return None
    erasure = Erasure(
        id=new_id(),
        profiles=list(found.profiles),
        state="running",
        by=by,
        requested_at=now,
        counts=await empty(session, tables, found, now) | _counts_of(files),
        files=[[each.kind, each.path] for each in files],
        certificate={},
    )
    session.add(erasure)
    session.add_all(ErasedProfile(profile=each, erasure_id=erasure.id) for each in found.profiles)
    await session.flush()
    return erasure


async def _look_for_what_runs(session: AsyncSession, tables: Tables, found: Reach) -> None:
    calls, recordings = tables["calls"], tables["recordings"]
    for condition in reach.conditions(place_of("calls"), calls, found):
        if await session.scalar(select(calls.c.id).where(condition, calls.c.ended_at.is_(None)).limit(1)):
            raise StillRunning("A call of this person is under way: erase again when it has ended.")
    for condition in reach.conditions(place_of("recordings"), recordings, found):
        if await session.scalar(select(recordings.c.id).where(condition, recordings.c.state == "spooling").limit(1)):
            raise StillRunning("A recording of this person is being closed: erase again in a moment.")


async def empty(session: AsyncSession, tables: Tables, found: Reach, now: float) -> dict[str, int]:
    """Delete or empty a person's rows in every place, without committing; return how many rows of each."""
    counts: dict[str, int] = {}
    await _loosen(session, tables, found)
    counts["customer_links"] = await _empty_links(session, found.profiles)
    counts["webhook_events"] = await _drop_what_names(session, tables, found)
    await _close_requests(session, tables, found, now)
    for place in PLACES:
        if place.table == "customer_links":
            continue
        table = tables[place.table]
        changed = 0
        for condition in reach.conditions(place, table, found):
            changed += await _changed(session, emptied(place, table, condition))
        counts[place.table] = counts.get(place.table, 0) + changed
    return counts


def emptied(place: Place, table: Table, condition: ColumnElement[bool]) -> Any:
    """Return the statement that deletes or empties rows of a place."""
    if place.rows == "go":
        return delete(table).where(condition)
    values = {
        name: _emptied_value(place, table, name) for name, use in place.columns.items() if use in ("told", "hidden")
    }
    return update(table).where(condition).values(values)


def _emptied_value(place: Place, table: Table, name: str) -> Any:
    nothing = _nothing(table.c[name])
    if name in place.outbound_only:
        return case((table.c.direction == "outbound", nothing), else_=table.c[name])
    return nothing


def _nothing(column: Column[Any]) -> Any:
    """Return what stands in a column of which nothing is known."""
    if column.nullable:
        return None
    if isinstance(column.type, JSON):
        default: Any = column.default
        return default.arg(None)
    return ""


async def _loosen(session: AsyncSession, tables: Tables, found: Reach) -> None:
    """Take the person out of what belongs to others: a case of theirs that an entry names, an identity of theirs that
    an event contradicted, or that somebody else uses."""
    interactions, cases = tables["interactions"], tables["cases"]
    theirs = select(cases.c.id).where(cases.c.customer_id.in_(found.profiles))
    of_others = interactions.c.customer_id.not_in(found.profiles)
    await session.execute(
        update(interactions).where(interactions.c.case_id.in_(theirs), of_others).values(case_id=None)
    )
    users = tables["identity_users"]
    for kind, value in found.identities:
        await session.execute(delete(users).where(users.c.kind == kind, users.c.value == value))
    contradicted = or_(*(cast(Interaction.outcome, Text).contains(profile) for profile in found.profiles))
    query = select(Interaction).where(contradicted, Interaction.customer_id.not_in(found.profiles))
    for row in await session.scalars(query):
        kept = [each for each in row.outcome.get("conflicts", ()) if each.get("customer") not in found.profiles]
        row.outcome = row.outcome | {"conflicts": kept}
    await session.flush()


async def _empty_links(session: AsyncSession, profiles: Sequence[str]) -> int:
    """Delete the links of the person, where nobody else hangs on them; where others do, only the words go."""
    rows = await person.history(session, profiles)
    aside = link.judgements([person.as_link(row) for row in rows])  # nobody else's person hangs on these
    gone = await _changed(session, delete(CustomerLink).where(CustomerLink.id.in_(aside)))
    rows = [row for row in rows if row.id not in aside]
    involved = {profile for row in rows for profile in person.as_link(row).profiles} - set(profiles)
    others = await session.scalar(select(Customer.id).where(Customer.id.in_(involved)).limit(1)) if involved else None
    theirs = [row.id for row in rows if person.as_link(row).profiles & set(profiles)]
    if others is None:
        return gone + await _changed(session, delete(CustomerLink).where(CustomerLink.id.in_([row.id for row in rows])))
    return gone + await _changed(session, update(CustomerLink).where(CustomerLink.id.in_(theirs)).values(evidence=""))


async def _drop_what_names(session: AsyncSession, tables: Tables, found: Reach) -> int:
    """Delete events to others that are nobody's by their row, and name the person or a call of theirs."""
    events = tables["webhook_events"]
    ids = {*found.profiles, *found.calls, *found.recordings}
    of_nobody = await session.execute(select(events.c.id, events.c.body).where(events.c.customer_id == ""))
    known = [_in_json(kind, value) for kind, value in found.identities]
    named = [
        row.id
        for row in of_nobody
        if not ids.isdisjoint(_ID.findall(row.body)) or any(each.search(row.body) for each in known)
    ]
    dropped = 0
    for some in reach.batched(named):
        dropped += await _changed(session, delete(events).where(events.c.id.in_(some)))
    return dropped


def _in_json(kind: str, value: str) -> re.Pattern[str]:
    """Return what an identity looks like in the body of an event: a value of its own; a number stands in a call's
    summary, too."""
    if kind == "phone":
        return re.compile(re.escape(value) + r"(?!\d)")
    return re.compile(re.escape(json.dumps(value, ensure_ascii=False)))


async def _close_requests(session: AsyncSession, tables: Tables, found: Reach, now: float) -> None:
    requests = tables["privacy_requests"]
    is_open = and_(requests.c.customer_id.in_(found.profiles), requests.c.outcome == "")
    outcome = case((requests.c.kind == "erase", "done"), else_="void")
    await session.execute(update(requests).where(is_open).values(outcome=outcome, done_at=now))


async def _changed(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)  # noqa: S101 - an UPDATE gives no other
    return result.rowcount


def _counts_of(files: Sequence[KeptFile]) -> dict[str, int]:
    return {kind: sum(each.kind == kind for each in files) for kind in FILE_KINDS}


def _statement(erasure: Erasure, done_at: float, storage: str) -> Mapping[str, Any]:
    return {
        "version": certificate.VERSION,
        "erasure": erasure.id,
        "requested_at": iso(erasure.requested_at),
        "done_at": iso(done_at),
        "by": erasure.by,
        "profiles": certificate.marks(erasure.profiles),
        "erased": {kind: count for kind, count in sorted(erasure.counts.items()) if count},
        "storage": storage,
    }


def place_of(table: str) -> Place:
    """Return a table's place."""
    return next(place for place in PLACES if place.table == table)
