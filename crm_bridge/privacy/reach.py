"""Whose data it is: by which ids and numbers a person's rows are found, and the rows themselves.

`Tables` are the tables of every room by name, as whoever wires the rooms hands them over.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, Row, Select, Table, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import person
from crm_bridge.person import Person
from crm_bridge.privacy.places import PLACES, Key, Place
from crm_bridge.tables import Customer

Tables = Mapping[str, Table]
T = TypeVar("T")

AT_ONCE: Final = 500
"""Ids in one statement; a database takes a bounded number of parameters."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What leads to a person's rows. `calls` and `recordings` are ids; `names` and `identities` ((kind, value)) are
    what the person is called and known by, `topics` what was said aloud of their cases."""

    profiles: tuple[str, ...]
    names: tuple[str, ...]
    topics: tuple[str, ...]
    identities: tuple[tuple[str, str], ...]
    calls: tuple[str, ...]
    recordings: tuple[str, ...]

    def ids(self, key: Key) -> tuple[str, ...]:
        """Return the ids of one kind."""
        match key:
            case "profile":
                return self.profiles
            case "call":
                return self.calls
            case "recording":
                return self.recordings
            case "identity":
                return tuple(f"{kind}:{value}" for kind, value in self.identities)


async def of_person(session: AsyncSession, tables: Tables, customer_id: str) -> Reach | None:
    """Return what leads to the rows of the person of a profile, None if there is no such profile."""
    found = await person.read(session, customer_id)
    if found is None:
        return None
    identities = tables["identities"]
    known = await session.execute(
        select(identities.c.kind, identities.c.value)
        .where(identities.c.customer_id.in_(found.ids))
        .order_by(identities.c.kind, identities.c.value)
    )
    claims = tuple((kind, value) for kind, value in known)
    calls = await _calls(session, tables, found.ids, [value for kind, value in claims if kind == "phone"])
    recordings = tables["recordings"]
    of_recordings = set(await _ids(session, recordings, recordings.c.customer_id, found.ids))
    of_recordings |= set(await _ids(session, recordings, recordings.c.call_id, calls))
    names = tuple(dict.fromkeys(each.name for each in found.profiles if each.name))
    cases = tables["cases"]
    topics = await session.scalars(
        select(cases.c.topic).where(cases.c.customer_id.in_(found.ids), cases.c.topic != "").distinct()
    )
    return Reach(found.ids, names, tuple(sorted(topics)), claims, tuple(calls), tuple(sorted(of_recordings)))


async def pinned(session: AsyncSession, customer_id: str) -> Person | None:
    """Return the person of a profile, who cannot be erased before the transaction ends; None if there is no such
    profile."""
    profile = await session.scalar(select(Customer).where(Customer.id == customer_id).with_for_update(read=True))
    return None if profile is None else await person.of(session, profile)


async def _calls(session: AsyncSession, tables: Tables, profiles: Sequence[str], numbers: Sequence[str]) -> list[str]:
    """Their calls, and those of their numbers that belong to nobody: the look-up of the caller may have failed."""
    calls = tables["calls"]
    is_nobodys = calls.c.customer_id.is_(None)
    of_nobody = await session.scalars(select(calls.c.id).where(is_nobodys, has_number(calls, numbers)))
    return sorted({*await _ids(session, calls, calls.c.customer_id, profiles), *of_nobody})


def has_number(calls: Table, numbers: "Sequence[str] | Select[tuple[str]]") -> ColumnElement[bool]:
    """Return the condition that the other side of a call has one of some numbers."""
    return or_(
        and_(calls.c.direction != "outbound", calls.c.ani.in_(numbers)),
        and_(calls.c.direction == "outbound", calls.c.dnis.in_(numbers)),
    )


async def _ids(session: AsyncSession, table: Table, column: ColumnElement[Any], values: Sequence[str]) -> list[str]:
    found: list[str] = []
    for some in batched(values):
        found += await session.scalars(select(table.c.id).where(column.in_(some)))
    return found


def batched(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield values, so many at once."""
    for first in range(0, len(values), AT_ONCE):
        yield values[first : first + AT_ONCE]


def conditions(place: Place, table: Table, reach: Reach) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together choose the person's rows in a place; a row may fit more than one."""
    for column, key in place.by.items():
        for some in batched(reach.ids(key)):
            yield table.c[column].in_(some)


async def rows(session: AsyncSession, tables: Tables, reach: Reach) -> AsyncIterator[tuple[Place, list[Row[Any]]]]:
    """Yield each place with the person's rows in it, each once, in the order of the list backwards: people first."""
    for place in reversed(PLACES):
        table = tables[place.table]
        found: dict[tuple[Any, ...], Row[Any]] = {}
        key = [column.key for column in table.primary_key]
        for condition in conditions(place, table, reach):
            for row in await session.execute(select(table).where(condition)):
                found[tuple(row._mapping[name] for name in key)] = row
        yield place, list(found.values())
