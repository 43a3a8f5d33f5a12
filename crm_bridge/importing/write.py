"""What a batch of rows needs of the database, and what is written of it: a few statements, however many rows.

The first of `sessions` is the database. A rehearsal has a second one, whose rows stand over those of the first, and
that is the one that is written to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from crm_bridge.candidates import add_user
from crm_bridge.fact_rows import as_fact, make, write_fact
from crm_bridge.facts import Fact
from crm_bridge.identity import fold
from crm_bridge.importing.plan import Known, Plan, Profile
from crm_bridge.importing.report import MAX_NOTES, Counts, Note, noted
from crm_bridge.importing.tables import ImportIdentity, ImportNote, ImportProfile
from crm_bridge.match import Claim
from crm_bridge.rows import new_id
from crm_bridge.suggestion import MIN_WORDS, are_similar
from crm_bridge.tables import Customer, CustomerFact, FactStatement, Identity

Sessions = Sequence[AsyncSession]

MAX_NAMESAKES: Final = 2000
"""Of all the names of a batch; more are looked at by nobody."""
UNBOUNDED: Final = frozenset({"contradiction"})
"""Notes that are kept however many there are: suggestions are made of them."""


class Overtaken(RuntimeError):
    """Another writer was first: roll back, and plan the batch anew."""


async def owners(sessions: Sessions, claims: Iterable[Claim]) -> dict[tuple[str, str], Known]:
    """Return those identities that are known, by (kind, value)."""
    wanted: dict[str, set[str]] = {}
    for each in claims:
        wanted.setdefault(each.kind, set()).add(each.value)
    row = Identity
    columns = (row.id, row.customer_id, row.kind, row.value, row.assurance, row.confidence)
    shared = row.shared_at.is_not(None)
    found: dict[tuple[str, str], Known] = {}
    for session in sessions:
        for kind, values in wanted.items():
            rows = await session.execute(select(*columns, shared).where(row.kind == kind, row.value.in_(values)))
            for row_id, owner, _, value, assurance, confidence, is_shared in rows:
                known = Known(row_id, owner, kind, value, assurance, confidence, is_shared=bool(is_shared))
                found[kind, value] = known
    return found


async def profiles(sessions: Sessions, import_id: str, ids: Iterable[str]) -> dict[str, Profile]:
    """Return profiles as they are, with what this import has written to them so far. Raises `Overtaken`."""
    wanted = set(ids)
    found: dict[str, Profile] = {}
    row = Customer
    columns = (row.id, row.person_id, row.name, row.language, row.tags, row.created_at, row.updated_at)
    for session in sessions:
        for id_, person, name, language, tags, created_at, updated_at in await session.execute(
            select(*columns).where(row.id.in_(wanted))
        ):
            found[id_] = Profile(id_, person or id_, name, language, list(tags), created_at, updated_at)
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
    """Write what a plan makes of its people. Raises `Overtaken`, and `IntegrityError` where another writer took an
    identity."""
    session = sessions[-1]
    changed = plan.changed_profiles()
    await _insert(session, Customer, [_customer(each) for each in plan.new_profiles()])
    # In an order that all writers share: two that insert the same keys crosswise would wait for each other.
    identities = sorted(plan.identities, key=lambda each: (each.kind, each.value))
    await _insert(session, Identity, [_identity(plan, each) for each in identities])
    if changed:
        await (_shadow(sessions, changed) if len(sessions) > 1 else _change(session, changed))
    met = [each for each in plan.profiles.values() if each.is_met_now]
    await _insert(session, ImportProfile, [_met_row(plan.import_id, each) for each in met])
    if again := [each for each in changed if not each.is_met_now]:
        await session.execute(update(ImportProfile), [_met_row(plan.import_id, each) for each in again])
    await _insert(session, ImportIdentity, [_brought(plan.import_id, each) for each in identities])
    for kind, value, profile, row in sorted(plan.users) if len(sessions) == 1 else ():
        evidence = f"import {plan.import_id} row {row}"
        source = source_of_users(plan.import_id)
        await add_user(session, kind, value, profile, source=source, evidence=evidence, at=plan.now)
    await _write_facts(sessions, plan)


def source_of_users(import_id: str) -> str:
    """Return by what way an import says that somebody uses what is another's: it is taken back by that."""
    return f"import {import_id}"


async def facts(
    sessions: Sessions, ids: Iterable[str], keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str, str], Fact]:
    """Return what is known of some (kind, key) of some profiles, by (profile, kind, key)."""
    whose, wanted = set(ids), set(keys)
    found: dict[tuple[str, str, str], Fact] = {}
    if not wanted:
        return found
    row = CustomerFact
    query = select(row).where(row.customer_id.in_(whose), row.key.in_({key for _, key in wanted}))
    for session in sessions:
        for each in await session.scalars(query.execution_options(populate_existing=True)):
            found[each.customer_id, each.kind, each.key] = as_fact(each)
    return found


async def _write_facts(sessions: Sessions, plan: Plan) -> None:
    """Write what is said, and make the facts anew of all that was; a rehearsal lays its own over them."""
    session = sessions[-1]
    rows = [
        {
            "id": new_id(),
            "customer_id": each.customer_id,
            "kind": each.saying.kind,
            "key": each.saying.key,
            "said": dict(each.saying.said),
            "at": each.at,
            "channel": plan.source,
            "by": "",
            "origin": origin(plan.import_id),
            "created_at": plan.now,
        }
        for each in plan.statements
    ]
    await _insert(session, FactStatement, rows)
    for key in sorted({(each.customer_id, each.saying.kind, each.saying.key) for each in plan.statements}):
        if len(sessions) == 1:
            await make(session, *key)
        else:
            await write_fact(session, key[0], plan.facts[key])


def origin(import_id: str) -> str:
    """Return what statements of an import are known by."""
    return f"import:{import_id}"


async def _insert(session: AsyncSession, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await (await session.connection()).execute(insert(table.__table__), rows)  # type: ignore[arg-type]


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


async def _shadow(sessions: Sessions, changed: Sequence[Profile]) -> None:
    """Lay profiles as they would be over those of the database, with the addresses that they are compared by."""
    below, above = sessions
    for each in changed:
        await above.merge(Customer(**_customer(each), person_id=None if each.person == each.id else each.person))
    await above.flush()
    columns = Identity.__table__.columns
    query = select(*columns).where(Identity.customer_id.in_([each.id for each in changed]), Identity.kind == "email")
    rows = [dict(row) for row in (await below.execute(query)).mappings()]
    if rows:
        await (await above.connection()).execute(sqlite.insert(Identity).on_conflict_do_nothing(), rows)


def _identity(plan: Plan, each: Known) -> dict[str, Any]:
    return {
        "id": each.id,
        "customer_id": each.customer_id,
        "kind": each.kind,
        "value": each.value,
        "assurance": each.assurance,
        "source": plan.source,
        "evidence": each.evidence,
        "confidence": each.confidence,
        "created_at": plan.now,
    }


def _brought(import_id: str, each: Known) -> dict[str, Any]:
    return {
        "identity_id": each.id,
        "import_id": import_id,
        "customer_id": each.customer_id,
        "through": each.leans_on,
    }


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
    emails: dict[str, set[str]] = {}
    for each in namesakes:
        emails.setdefault(each.id, set()).add(each.email)
    by_name = _by_name(namesakes)
    pairs = {
        (each.id, other.id)
        for each in fresh.values()
        for other in by_name.get(fold(each.name), ())
        # Of two of one batch, the later one tells.
        if other.person != each.person and not (other.id in fresh and fresh[other.id].row >= each.row)
        if any(are_similar(mine, other.email) for mine in emails.get(each.id, ()))
    }
    made = {
        row.customer_id: row.row for row in await _met(sessions, plan.import_id, {b for _, b in pairs}) if row.created
    }
    notes = [
        Note("similar", fresh[a].row, "email", customer_id=a, other_id=b, other_row=made.get(b, 0)) for a, b in pairs
    ]
    return sorted(notes, key=lambda each: (each.row, each.other_row, each.other_id or ""))


def _is_named(each: Profile) -> bool:
    return len(fold(each.name).split()) >= MIN_WORDS


@dataclass(frozen=True, slots=True)
class _Namesake:
    id: str
    person: str
    name: str
    email: str


async def _namesakes(sessions: Sessions, names: Iterable[str]) -> list[_Namesake]:
    """Return who bears one of these (folded) names and has an e-mail address; once for each address."""
    found: dict[tuple[str, str], _Namesake] = {}
    for session in sessions:
        rows = await session.execute(
            select(Customer.id, Customer.person_id, Customer.name_folded, Identity.value)
            .join(Identity, Identity.customer_id == Customer.id)
            .where(Customer.name_folded.in_(names), Identity.kind == "email")
            .order_by(Customer.name_folded, Customer.id)
            .limit(MAX_NAMESAKES)
        )
        found |= {(id_, email): _Namesake(id_, person or id_, name, email) for id_, person, name, email in rows}
    return list(found.values())


def _by_name(namesakes: Iterable[_Namesake]) -> dict[str, list[_Namesake]]:
    found: dict[str, list[_Namesake]] = {}
    for each in namesakes:
        found.setdefault(each.name, []).append(each)
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
    await _insert(session, ImportNote, rows)


def printable(heading: str) -> str:
    """Return a heading as every database and every terminal can take it."""
    return "".join(sign if sign.isprintable() else "?" for sign in heading)[:255]
