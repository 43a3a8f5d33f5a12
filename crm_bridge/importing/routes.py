"""Importing other systems' customers over HTTP, and taking it back. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.link_routes` reads, and `importing` (an `asyncio.Lock`): one file at a time.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, BinaryIO, Final, cast

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import Field
from sqlalchemy.exc import NoResultFound

from crm_bridge.asker import audited, name_of
from crm_bridge.importing import run
from crm_bridge.importing.headings import MapWrong, chosen, source_name
from crm_bridge.importing.report import Report, State
from crm_bridge.importing.report_rows import newest, read_report
from crm_bridge.importing.run import ImportContended, Job
from crm_bridge.importing.source_file import Unreadable, look
from crm_bridge.importing.undo import NoImport, UndoRefused, undo
from crm_bridge.importing.words import as_json
from crm_bridge.lines import Line, Shape
from crm_bridge.routes import Reading
from telephony.clock import iso

router = APIRouter(tags=["customers"])

BATCH_ROWS: Final = 100
"""Fewer than on the command line: calls are answered by the same process."""
BUSY: Final = "Another file is being imported or taken back: try again when it is done; GET /api/v1/imports shows it."
NO_IMPORT: Final = "There is no such import; GET /api/v1/imports lists them."
NOT_THERE: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There is no such import."}}
FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is: CSV, an array of objects, or an object a line.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class CountsOut(Shape):
    """Rows `read`: `blank`, `refused`, the first of a profile that was made (`created`) or was there (`matched`), or
    `repeated`. Written: `identities`, and fields `filled`. Values `ignored`, identities that are `contradictions`,
    profiles `similar` to others. Of an undo: profiles `removed`, and those of which something was `kept`."""

    read: int
    blank: int
    refused: int
    created: int
    matched: int
    repeated: int
    identities: int
    filled: int
    ignored: int
    contradictions: int
    similar: int
    removed: int
    kept: int


class NoteOut(Shape):
    """A row to be looked at. `customer` is whom it is, contradicts or resembles; or it is the profile that the same
    import made of `other_row` (`same_as_row`, where the row itself is of that profile)."""

    row: int
    column: str | None = None
    cause: str | None = None
    mend: str | None = None
    customer: str | None = None
    same_as_row: int | None = None
    other_row: int | None = None


class NotesOut(Shape):
    """The rows to be looked at, of each kind the first thousand."""

    refused: list[NoteOut]
    ignored: list[NoteOut]
    repeated: list[NoteOut]
    matched: list[NoteOut]
    contradiction: list[NoteOut]
    similar: list[NoteOut]
    kept: list[NoteOut]


class ImportOut(Shape):
    """What an import did, or would do: then `id` is null. `more` counts the notes that are not shown."""

    id: str | None
    state: State
    source: str
    file: str
    by: str
    started_at: str | None
    finished_at: str | None
    undone_at: str | None
    counts: CountsOut
    remarks: list[str]
    notes: NotesOut
    more: dict[str, int]


class ImportLine(Shape):
    """An import in one line."""

    id: str
    state: str
    source: str
    file: str
    by: str
    started_at: str
    rows: int
    created: int
    refused: int


class ImportList(Shape):
    """Imports, the newest first."""

    items: list[ImportLine]


class ImportQuery(Shape):
    """How a file is to be read."""

    source: Annotated[str, Field(max_length=32, description="The other system; its ids are prefixed by it.")] = ""
    file: Annotated[Line, Field(max_length=255, description="What the report calls the file.")] = "file"
    map: list[Annotated[str, Field(max_length=300)]] = Field(
        default_factory=list, max_length=100, description="What a column is, as `Column=field`; may be repeated."
    )
    dry_run: Annotated[bool, Field(description="Give the report, and write nothing.")] = False


@router.post(
    "/imports",
    status_code=201,
    responses={
        200: {"model": ImportOut, "description": "What the import would do; nothing was written."},
        409: {"description": "Another file is being imported, or others write to the same people."},
        413: {"description": "The file is larger than `limits.import_size`."},
    },
    openapi_extra=FILE,
)
async def import_customers(request: Request, response: Response, wanted: Annotated[ImportQuery, Query()]) -> ImportOut:
    """Import other systems' customers. The same file again goes on where an import of it stopped."""
    async with _one_at_a_time(request):
        with TemporaryDirectory(prefix="hotline-import-") as folder:
            path = Path(folder) / "file"
            await _receive(request, path)
            report = await _run(request, wanted, path)
    if wanted.dry_run:
        response.status_code = 200
    else:
        await audited(request, "customer.import", report.id)
    return ImportOut.model_validate(as_json(report))


@router.get("/imports")
async def list_imports(session: Reading, limit: Annotated[int, Query(ge=1, le=100)] = 50) -> ImportList:
    """List imports, the newest first."""
    return ImportList(
        items=[
            ImportLine(
                id=row.id,
                state=row.state,
                source=row.source,
                file=row.file,
                by=row.by,
                started_at=iso(row.started_at),
                rows=row.counts["read"],
                created=row.counts["created"],
                refused=row.counts["refused"],
            )
            for row in await newest(session, limit)
        ]
    )


@router.get("/imports/{import_id}", responses=NOT_THERE)
async def get_import(session: Reading, import_id: str) -> ImportOut:
    """Show what an import did, and what somebody should look at."""
    try:
        report = await read_report(session, import_id if import_id.isalnum() else "")
    except NoResultFound:
        raise HTTPException(404, NO_IMPORT) from None
    return ImportOut.model_validate(as_json(report))


@router.post(
    "/imports/{import_id}/undo",
    responses=NOT_THERE | {409: {"description": "It cannot be taken back now, or no more."}},
)
async def undo_import(request: Request, import_id: str) -> ImportOut:
    """Take an import back: what it brought and nothing has used since is gone."""
    state = request.app.state
    async with _one_at_a_time(request):
        try:
            report = await undo(state.sessions, import_id if import_id.isalnum() else "", state.clock.now)
        except NoImport:
            raise HTTPException(404, NO_IMPORT) from None
        except UndoRefused as error:
            raise HTTPException(409, str(error)) from error
    await audited(request, "customer.import.undo", report.id)
    return ImportOut.model_validate(as_json(report))


def _one_at_a_time(request: Request) -> asyncio.Lock:
    lock: asyncio.Lock = request.app.state.importing
    if lock.locked():
        raise HTTPException(409, BUSY)
    return lock


async def _receive(request: Request, path: Path) -> None:
    """Write the body to a file as it comes."""
    file = cast("BinaryIO", await asyncio.to_thread(path.open, "wb"))
    try:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)


async def _run(request: Request, wanted: ImportQuery, path: Path) -> Report:
    state = request.app.state
    by = name_of(request)
    try:
        source, mapping = source_name(wanted.source), chosen(wanted.map)
        found = await asyncio.to_thread(look, path, wanted.file)
        job = Job(found, source, state.settings.region, by=by, mapping=mapping, rows=BATCH_ROWS)
        if wanted.dry_run:
            return await run.rehearse(state.sessions, job, state.clock.now)
        return await run.run(state.sessions, job, state.clock.now)
    except (Unreadable, MapWrong) as error:
        raise HTTPException(422, str(error)) from error
    except ImportContended as error:
        raise HTTPException(409, str(error)) from error
