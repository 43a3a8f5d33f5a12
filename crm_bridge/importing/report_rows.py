"""Reports as they stand in the database."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.importing.report import MAX_NOTES, NOTE_KINDS, Counts, Note, NoteKind, Report, State
from crm_bridge.importing.tables import Import, ImportNote

_STATES: dict[str, State] = {"running": "running", "done": "done", "undoing": "undoing", "undone": "undone"}


async def read_report(session: AsyncSession, import_id: str, *, rehearsal: bool = False) -> Report:
    """Return what is known of an import. Raises `NoResultFound` if there is none."""
    row = await session.get_one(Import, import_id, populate_existing=True)
    notes = [note for kind in NOTE_KINDS for note in await _notes(session, import_id, kind)]
    return Report(
        id="" if rehearsal else row.id,
        source=row.source,
        file=row.file,
        state="dry run" if rehearsal else _STATES[row.state],
        counts=Counts(**row.counts),
        remarks=tuple(row.remarks),
        notes=tuple(notes),
        by=row.by,
        started_at=None if rehearsal else row.started_at,
        finished_at=None if rehearsal else row.finished_at,
        undone_at=row.undone_at,
    )


async def newest(session: AsyncSession, limit: int) -> Sequence[Import]:
    """Return the newest imports, the newest first."""
    found = await session.scalars(select(Import).order_by(Import.started_at.desc(), Import.id).limit(limit))
    return found.all()


async def _notes(session: AsyncSession, import_id: str, kind: NoteKind) -> list[Note]:
    query = select(ImportNote).where(ImportNote.import_id == import_id, ImportNote.kind == kind)
    found = await session.scalars(query.order_by(ImportNote.id).limit(MAX_NOTES))
    return [
        Note(
            kind=kind,
            row=row.row,
            column=row.column,
            cause=row.cause,
            mend=row.mend,
            customer_id=row.customer_id,
            other_id=row.other_id,
            other_row=row.other_row,
            identity_id=row.identity_id,
        )
        for row in found
    ]
