"""Taking an import back: what it brought and nothing has used since is gone, as if it had never been.

Rule 1: an identity is used once an entry of the timeline was matched by it, another import leaned on it, or somebody
merged or split its profile. Rule 2: a field is emptied if it still says what the import wrote. Rule 3: a profile that
the import made goes once nothing is left in it and nobody points to it. Rule 4: of a person whom a legal hold keeps
nothing goes. What stays is in the report.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute

from crm_bridge.fact_rows import make
from crm_bridge.importing.plan import seal
from crm_bridge.importing.report import Counts, Note, Report
from crm_bridge.importing.report_rows import read_report
from crm_bridge.importing.tables import Import, ImportIdentity, ImportNote, ImportProfile
from crm_bridge.importing.write import origin, source_of_users, write_notes
from crm_bridge.privacy.hold import held_profiles
from crm_bridge.privacy.tables import Consent, LegalHold, PrivacyRequest
from crm_bridge.tables import (
    Case,
    Customer,
    CustomerFact,
    CustomerField,
    CustomerLink,
    FactStatement,
    Identity,
    IdentityUser,
    Interaction,
)

BATCH_PROFILES: Final = 500
ATTEMPTS: Final = 5
HELD: Final = "a legal hold keeps it"


class NoImport(LookupError):
    """There is no import of this id."""


class UndoRefused(ValueError):
    """The import cannot be taken back; the text says why."""


async def undo(
    sessions: async_sessionmaker[AsyncSession],
    import_id: str,
    now: Callable[[], float],
    watch: Callable[[int], None] = lambda _profiles: None,
) -> Report:
    """Take an import back; one that died in the middle, as far as it came; an undo that died goes on.

    `watch` is told how many profiles have been looked at. Raises `NoImport` and `UndoRefused`.
    """
    async with sessions.begin() as session:
        await _begin(session, import_id)
    looked_at = 0
    while found := await _batch(sessions, import_id, now()):
        looked_at += found
        watch(looked_at)
    async with sessions.begin() as session:
        values = {"state": "undone", "undone_at": now()}
        await session.execute(update(Import).where(Import.id == import_id).values(**values))
        # What contradicted a row of an import that never was contradicts nothing any more.
        gone = ("contradiction", "similar")
        await session.execute(delete(ImportNote).where(ImportNote.import_id == import_id, ImportNote.kind.in_(gone)))
        return await read_report(session, import_id)


async def _begin(session: AsyncSession, import_id: str) -> None:
    row = await session.get(Import, import_id, populate_existing=True)
    if row is None:
        raise NoImport("there is no such import; `hotline customers imports` and GET /api/v1/imports list them")
    if row.state == "undone":
        raise UndoRefused("this import is undone already: import the file again to have it back")
    # Whoever still imports it is stopped by this, between two batches.
    row.state = "undoing"


async def _batch(sessions: async_sessionmaker[AsyncSession], import_id: str, now: float) -> int:
    for _ in range(ATTEMPTS):
        try:
            async with sessions.begin() as session:
                return await _take_back(session, import_id, now)
        except IntegrityError:
            continue  # somebody used one of the profiles a moment ago: look again
    raise UndoRefused("other writers keep coming first: undo it again, and it goes on from here")


async def _take_back(session: AsyncSession, import_id: str, now: float) -> int:
    """Take back what the import wrote to some profiles, and forget that it did; return how many they were."""
    query = select(ImportProfile).where(ImportProfile.import_id == import_id).order_by(ImportProfile.customer_id)
    met = (await session.scalars(query.limit(BATCH_PROFILES))).all()
    if not met:
        return 0
    ids = [each.customer_id for each in met]
    locked = select(Customer).where(Customer.id.in_(ids)).order_by(Customer.id).with_for_update()
    profiles = {row.id: row for row in await session.scalars(locked)}
    counts, notes = Counts(), []
    held = set(
        await session.scalars(select(Customer.id).where(Customer.id.in_(ids), Customer.id.in_(held_profiles(now))))
    )
    kept = held | await _take_identities(session, import_id, ids, held)
    for each in met:
        if each.customer_id in profiles and each.customer_id not in held:
            _empty(profiles[each.customer_id], each)
    brought = (IdentityUser.source == source_of_users(import_id), IdentityUser.customer_id.in_(set(ids) - held))
    await session.execute(delete(IdentityUser).where(*brought))
    await session.flush()
    await _unsay(session, import_id, set(profiles) - held)
    made = {each.customer_id for each in met if each.created and each.customer_id in profiles}
    stay = held | await _in_use(session, made) | {id_ for id_ in made if _says_something(profiles[id_])}
    if gone := made - stay:
        await session.execute(delete(Customer).where(Customer.id.in_(gone)))
    counts.removed += len(gone)
    for each in met:
        if each.customer_id in stay or each.customer_id in kept:
            in_use = "the profile is in use" if each.customer_id in stay else "an identity is in use"
            cause = HELD if each.customer_id in held else in_use
            notes.append(Note("kept", each.row, "", cause, "look at it", each.customer_id, each.customer_id))
    counts.kept += len(notes)
    await _forget(session, import_id, ids)
    await _count(session, import_id, counts, notes)
    return len(met)


async def _take_identities(
    session: AsyncSession, import_id: str, ids: Sequence[str], held: Collection[str]
) -> set[str]:
    """Delete the identities that nothing has used and no hold keeps; return the profiles of the others."""
    brought = select(ImportIdentity.identity_id).where(
        ImportIdentity.import_id == import_id, ImportIdentity.customer_id.in_(ids)
    )
    rows = (await session.scalars(select(Identity).where(Identity.id.in_(brought)))).all()
    matched = await _matched(session, import_id, {row.customer_id for row in rows})
    linked = await _pointing(session, (CustomerLink.customer_id, CustomerLink.other_id), ids)
    leaned_on = await _leaned_on(session, import_id, [row.id for row in rows])
    used = {
        row.id
        for row in rows
        if row.customer_id in held
        or row.customer_id in linked
        or row.id in leaned_on
        or (row.customer_id, row.kind, row.value) in matched
    }
    gone = [row.id for row in rows if row.id not in used]
    if gone:
        await session.execute(delete(Identity).where(Identity.id.in_(gone)))
    return {row.customer_id for row in rows if row.id in used}


async def _unsay(session: AsyncSession, import_id: str, ids: Collection[str]) -> None:
    """Take back what the import said of some profiles, and make their facts of what is left."""
    row = FactStatement
    its = (row.customer_id.in_(ids), row.origin == origin(import_id))
    gone = await session.execute(delete(row).where(*its).returning(row.customer_id, row.kind, row.key))
    for customer_id, kind, key in sorted({tuple(each) for each in gone}):
        await make(session, customer_id, kind, key)


async def _matched(session: AsyncSession, import_id: str, ids: Collection[str]) -> set[tuple[str, str, str]]:
    """Return (profile, kind, value) of what entries were matched by since the import began."""
    began = select(Import.started_at).where(Import.id == import_id).scalar_subquery()
    since = select(Interaction.customer_id, Interaction.outcome).where(
        Interaction.customer_id.in_(ids), Interaction.created_at >= began
    )
    found: list[tuple[str, Mapping[str, Any]]] = [(id_, outcome) for id_, outcome in await session.execute(since)]
    return {(id_, by["kind"], by["value"]) for id_, outcome in found if (by := outcome.get("matched_by")) is not None}


async def _leaned_on(session: AsyncSession, import_id: str, identities: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for table in (ImportIdentity, ImportProfile):
        query = select(table.through).where(table.through.in_(identities), table.import_id != import_id)
        found |= {id_ for id_ in await session.scalars(query) if id_ is not None}
    return found


def _empty(profile: Customer, met: ImportProfile) -> None:
    """Empty the fields that still say what the import wrote, and set the clock of a profile back that nobody else has
    written to since."""
    if met.name and seal(profile.id, profile.name) == met.name:
        profile.name = profile.name_folded = ""
    if met.language and seal(profile.id, profile.language) == met.language:
        profile.language = ""
    if met.tags:
        profile.tags = [tag for tag in profile.tags if seal(profile.id, tag) not in met.tags]
    if met.updated_was is not None and profile.updated_at == met.updated_to:
        profile.updated_at = met.updated_was


def _says_something(profile: Customer) -> bool:
    return bool(profile.name or profile.language or profile.tags or profile.person_id)


async def _in_use(session: AsyncSession, ids: Collection[str]) -> set[str]:
    """Return the profiles that have anything, or that an event of merging or splitting names."""
    owned = (Identity, IdentityUser, Interaction, Case, CustomerField, CustomerFact, Consent, LegalHold, PrivacyRequest)
    return await _pointing(
        session, (*(each.customer_id for each in owned), CustomerLink.customer_id, CustomerLink.other_id), ids
    )


async def _pointing(
    session: AsyncSession,
    columns: "Sequence[InstrumentedAttribute[str] | InstrumentedAttribute[str | None]]",
    ids: Collection[str],
) -> set[str]:
    found: set[str] = set()
    for column in columns:
        found |= {id_ for id_ in await session.scalars(select(column).where(column.in_(ids)).distinct()) if id_}
    return found


async def _forget(session: AsyncSession, import_id: str, ids: Sequence[str]) -> None:
    for table in (ImportIdentity, ImportProfile):
        await session.execute(delete(table).where(table.import_id == import_id, table.customer_id.in_(ids)))


async def _count(session: AsyncSession, import_id: str, more: Counts, notes: Sequence[Note]) -> None:
    row = await session.get_one(Import, import_id, populate_existing=True)
    counts = Counts(**row.counts)
    await write_notes(session, import_id, notes, counts)
    counts.add(more)
    row.counts = counts.as_json()
