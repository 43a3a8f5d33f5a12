"""What a batch of rows needs of the database, and what is written of it: a few statements, however many rows.

The first of `sessions` is the database. A rehearsal has a second one, whose rows stand over those of the first, and
that is the one that is written to.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.identity import fold
from crm_bridge.importing.plan import Plan, Profile
from crm_bridge.importing.report import MAX_NOTES, Counts, Note, noted
from crm_bridge.importing.tables import ImportIdentity, ImportNote, ImportProfile
from crm_bridge.match import Claim
from crm_bridge.suggestion import MIN_WORDS, are_similar
from crm_bridge.tables import Customer, Identity

Sessions = Sequence[AsyncSession]

MAX_NAMESAKES: Final = 5000
"""Of all the names of a batch; more are looked at by nobody."""
UNBOUNDED: Final = frozenset({"contradiction"})
"""Notes that are kept however many there are: suggestions are made of them."""


class Overtaken(RuntimeError):
    """Another writer was first: roll back, and plan the batch anew."""


async def owners(sessions: Sessions, claims: Iterable[Claim]) -> dict[tuple[str, str], Identity]:
    """Return the rows of those identities that are known, by (kind, value)."""
    wanted: dict[str, set[str]] = {}
    for each in claims:
        wanted.setdefault(each.kind, set()).add(each.value)
    found: dict[tuple[str, str], Identity] = {}
    for session in sessions:
        for kind, values in wanted.items():
            query = select(Identity).where(Identity.kind == kind, Identity.value.in_(values))
            rows = await session.scalars(query.execution_options(populate_existing=True))
            found |= {(row.kind, row.value): row for row in rows}
    return found


async def profiles(sessions: Sessions, import_id: str, ids: Iterable[str]) -> dict[str, Profile]:
    """Return profiles as they are, with what this import has written to them so far. Raises `Overtaken`."""
    wanted = set(ids)
    found: dict[str, Profile] = {}
    for session in sessions:
        query = select(Customer).where(Customer.id.in_(wanted)).execution_options(populate_existing=True)
        for row in await session.scalars(query):
            found[row.id] = Profile(
                row.id,
                row.person_id or row.id,
                row.name,
                row.language,
                list(row.tags),
                row.created_at,
                row.updated_at,
            )
    if found.keys() != wanted:
        raise Overtaken("a profile of this batch was removed a moment ago")
    for met in await _met(sessions, import_id, wanted):
        profile = found[met.customer_id]
        profile.row, profile.created = met.row, met.created
        profile.name_seal, profile.language_seal, profile.tag_seals = met.name, met.language, list(met.tags)
        profile.through, profile.updated_was, profile.updated_to = met.through, met.updated_was, met.updated_to
    return found


async def _met(sessions: Sessions, import_id: str, ids: Iterable[str]) -> list[ImportProfile]:
    query = select(ImportProfile).where(ImportProfile.import_id == import_id, ImportProfile.customer_id.in_(ids))
    return list(await sessions[-1].scalars(query.execution_options(populate_existing=True)))


async def write(sessions: Sessions, plan: Plan) -> None:
    """Write what a plan makes of its people. Raises `Overtaken`."""
    session = sessions[-1]
    if new := plan.new_profiles():
        await session.execute(insert(Customer), [_customer(each) for each in new])
    await _write_identities(session, plan)
    if changed := plan.changed_profiles():
        await (_shadow if len(sessions) > 1 else _change)(session, changed)
    if met := [each for each in plan.profiles.values() if each.is_met_now]:
        await session.execute(insert(ImportProfile), [_met_row(plan.import_id, each) for each in met])
    if again := [each for each in plan.changed_profiles() if not each.is_met_now]:
        await session.execute(update(ImportProfile), [_met_row(plan.import_id, each) for each in again])
    await session.flush()


async def _write_identities(session: AsyncSession, plan: Plan) -> None:
    if not plan.identities:
        return
    # In an order that all writers share: two that insert the same keys crosswise would wait for each other.
    ordered = sorted(plan.identities, key=lambda each: (each.row.kind, each.row.value))
    columns = [column.name for column in Identity.__table__.columns]
    rows = [{name: getattr(each.row, name) for name in columns} for each in ordered]
    written = (await session.execute(_insert_if_free(session), rows)).all()
    if len(written) < len(rows):
        raise Overtaken("another writer took an identity of this batch")
    await session.execute(
        insert(ImportIdentity),
        [
            {
                "identity_id": each.row.id,
                "import_id": plan.import_id,
                "customer_id": each.row.customer_id,
                "through": each.through,
            }
            for each in ordered
        ],
    )


def _insert_if_free(session: AsyncSession) -> Any:
    table = Identity.__table__
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing().returning(table.c.id)


async def _change(session: AsyncSession, changed: Sequence[Profile]) -> None:
    """Write to profiles that were there, unless somebody else has written to them since they were read."""
    locked = await session.execute(
        select(Customer.id, Customer.updated_at)
        .where(Customer.id.in_([each.id for each in changed]))
        .order_by(Customer.id)
        .with_for_update()
    )
    if {(id_, at) for id_, at in locked} != {(each.id, each.read_at) for each in changed}:
        raise Overtaken("another writer wrote to a profile of this batch")
    table = Customer.__table__
    values: dict[str, Any] = {
        name: bindparam(f"new_{name}") for name in ("name", "name_folded", "language", "tags", "updated_at")
    }
    rows = [{f"new_{name}": value for name, value in _customer(each).items()} for each in changed]
    await (await session.connection()).execute(
        update(table).where(table.c.id == bindparam("new_id")).values(values),  # type: ignore[arg-type]
        rows,
    )


async def _shadow(session: AsyncSession, changed: Sequence[Profile]) -> None:
    """Lay profiles as they would be over those of the database."""
    for each in changed:
        await session.merge(Customer(**_customer(each), person_id=None if each.person == each.id else each.person))
    await session.flush()


def _customer(each: Profile) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "name_folded": fold(each.name),
        "language": each.language,
        "tags": each.tags,
        "created_at": each.created_at,
        "updated_at": each.updated_at,
    }


def _met_row(import_id: str, each: Profile) -> dict[str, Any]:
    return {
        "import_id": import_id,
        "customer_id": each.id,
        "row": each.row,
        "created": each.created,
        "name": each.name_seal,
        "language": each.language_seal,
        "tags": each.tag_seals,
        "through": each.through,
        "updated_was": each.updated_was,
        "updated_to": each.updated_to,
    }


# -------------------------------------------------------------------------------------------------------- similar


async def similar(sessions: Sessions, plan: Plan) -> list[Note]:
    """Return which profiles of a batch bear the name of another and have an e-mail address much like its own. What
    was there before this import and has nothing new is not looked at."""
    fresh = {each.id: each for each in plan.profiles.values() if (each.is_new or each.is_changed) and _is_named(each)}
    names = {fold(each.name) for each in fresh.values()}
    if not names:
        return []
    namesakes = await _namesakes(sessions, names)
    emails = await _emails(sessions, namesakes)
    made = {each.customer_id: each.row for each in await _met(sessions, plan.import_id, namesakes) if each.created}
    by_name: dict[str, list[str]] = {}
    for id_, (name, _) in namesakes.items():
        by_name.setdefault(name, []).append(id_)
    notes = []
    for each in fresh.values():
        for other in by_name.get(fold(each.name), ()):
            # Of two of one batch, the later one tells.
            if namesakes[other][1] == each.person or (other in fresh and fresh[other].row >= each.row):
                continue
            if any(are_similar(mine, theirs) for mine in emails.get(each.id, ()) for theirs in emails.get(other, ())):
                row = made.get(other, 0)
                notes.append(Note("similar", each.row, "email", customer_id=each.id, other_id=other, other_row=row))
    return sorted(notes, key=lambda each: (each.row, each.other_row, each.other_id or ""))


def _is_named(each: Profile) -> bool:
    return len(fold(each.name).split()) >= MIN_WORDS


async def _namesakes(sessions: Sessions, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return (folded name, person) by id."""
    found: dict[str, tuple[str, str]] = {}
    for session in sessions:
        rows = await session.execute(
            select(Customer.id, Customer.name_folded, Customer.person_id)
            .where(Customer.name_folded.in_(names))
            .order_by(Customer.name_folded, Customer.id)
            .limit(MAX_NAMESAKES)
        )
        found |= {id_: (name, person or id_) for id_, name, person in rows}
    return found


async def _emails(sessions: Sessions, ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for session in sessions:
        query = select(Identity.customer_id, Identity.value).where(Identity.customer_id.in_(ids))
        for id_, value in await session.execute(query.where(Identity.kind == "email")):
            found.setdefault(id_, []).append(value)
    return found


# ----------------------------------------------------------------------------------------------------------- notes


async def write_notes(session: AsyncSession, import_id: str, notes: Sequence[Note], before: Counts) -> None:
    """Write the notes of a batch, of each kind as many as a report shows; `before` counts those of earlier batches."""
    room = {kind: MAX_NOTES - count for kind, count in noted(before).items()}
    rows = []
    for each in notes:
        room[each.kind] -= 1
        if room[each.kind] >= 0 or each.kind in UNBOUNDED:
            rows.append(
                {
                    "import_id": import_id,
                    "kind": each.kind,
                    "row": each.row,
                    "column": printable(each.column),
                    "cause": each.cause,
                    "mend": each.mend,
                    "customer_id": each.customer_id,
                    "other_id": each.other_id,
                    "other_row": each.other_row,
                    "identity_id": each.identity_id,
                }
            )
    if rows:
        await session.execute(insert(ImportNote), rows)


def printable(heading: str) -> str:
    """Return a heading as every database and every terminal can take it."""
    return "".join(sign if sign.isprintable() else "?" for sign in heading)[:255]
