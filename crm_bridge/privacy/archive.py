"""Everything that is kept of a person, as one ZIP: `data.json` for programs, `index.html` for people, and the files.

The archive is made while it is sent: nothing of it is written to a disk of ours, and however long the recordings are,
only a piece of one is in memory.
"""

import asyncio
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.privacy import reach
from crm_bridge.privacy.erasure import Eraser, recording_paths
from crm_bridge.privacy.files import Files, KeptFile
from crm_bridge.privacy.page import page
from crm_bridge.privacy.places import Place
from crm_bridge.privacy.reach import Reach, Tables
from telephony.clock import iso

COPY_OCTETS: Final = 1 << 16
FOLDERS: Final[Mapping[str, str]] = {
    "recording_files": "recordings",
    "spools": "spools",
    "journals": "journals",
}
"""Where in the archive files are; prompts are made of what stands in `data.json` and are left out."""

Data = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Export:
    """What goes into the archive: rows by table as JSON, and files."""

    profiles: tuple[str, ...]
    made_at: float
    data: Data
    files: tuple[KeptFile, ...] = field(default=())


async def read(eraser: Eraser, customer_id: str, made_at: float) -> Export | None:
    """Read what goes into the archive of the person of a profile, None if there is no such profile."""
    async with eraser.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        found = await reach.of_person(session, eraser.tables, customer_id)
        if found is None:
            return None
        data = await data_of(session, eraser.tables, found)
        paths = await recording_paths(session, eraser.tables, found)
    files = await asyncio.to_thread(eraser.files.find, found, paths)
    return Export(found.profiles, made_at, data, tuple(files))


async def data_of(session: AsyncSession, tables: Tables, found: Reach) -> Data:
    """Return a person's rows by table, as JSON takes them; instants are ISO 8601."""
    return {
        place.table: [_row(place, row._mapping) for row in rows]
        async for place, rows in reach.rows(session, tables, found)
        if rows
    }


def _row(place: Place, row: Mapping[Any, Any]) -> dict[str, Any]:
    told = [name for name, use in place.columns.items() if use in ("told", "kept")]
    return {name: _as_json(name, row[name]) for name in told}


def _as_json(name: str, value: Any) -> Any:
    is_instant = name in ("at", "until", "as_of") or name.endswith("_at")
    return iso(value) if is_instant and isinstance(value, float) else value


def archive(export: Export, files: Files) -> Iterator[bytes]:
    """Yield the ZIP, piece by piece. A file that goes away meanwhile is left out, and `missing.txt` says so."""
    sink = _Sink()
    at = datetime.fromtimestamp(export.made_at, UTC).timetuple()[:6]
    missing: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as whole:
        yield from _text(whole, sink, "data.json", at, _json(export))
        yield from _text(whole, sink, "index.html", at, page(export.data, export.made_at, _names(export.files)))
        for row in export.data.get("transcripts", ()):
            yield from _text(whole, sink, f"transcripts/{row['recording_id']}.txt", at, row["text"])
        for each in export.files:
            if each.kind in FOLDERS:
                yield from _file(whole, sink, name_of(each), at, files.open_path(each), missing)
        if missing:
            yield from _text(whole, sink, "missing.txt", at, "\n".join(missing))
    yield sink.taken()


def name_of(file: KeptFile) -> str:
    """Return what a file is called in the archive."""
    return f"{FOLDERS[file.kind]}/{Path(file.path).name}"


def _names(files: Sequence[KeptFile]) -> frozenset[str]:
    return frozenset(name_of(each) for each in files if each.kind in FOLDERS)


def _json(export: Export) -> str:
    whole = {"made_at": iso(export.made_at), "profiles": list(export.profiles), "tables": export.data}
    return json.dumps(whole, ensure_ascii=False, indent=1)


def _text(whole: zipfile.ZipFile, sink: "_Sink", name: str, at: Any, text: str) -> Iterator[bytes]:
    entry = zipfile.ZipInfo(name, at)
    entry.compress_type = zipfile.ZIP_DEFLATED
    whole.writestr(entry, text.encode())
    yield sink.taken()


def _file(whole: zipfile.ZipFile, sink: "_Sink", name: str, at: Any, path: Path, missing: list[str]) -> Iterator[bytes]:
    entry = zipfile.ZipInfo(name, at)
    entry.compress_type = zipfile.ZIP_DEFLATED
    try:
        source = path.open("rb")
    except OSError as error:
        missing.append(f"{name}: {error.strerror}")
        return
    with source, whole.open(entry, "w", force_zip64=True) as target:
        while piece := source.read(COPY_OCTETS):
            target.write(piece)
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """What a ZIP is written into and taken out of at once; it cannot be gone back in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        """Take a piece."""
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        """Nothing is held open here."""

    def taken(self) -> bytes:
        """Return what has come since the last time."""
        whole, self._pieces = b"".join(self._pieces), []
        return whole
