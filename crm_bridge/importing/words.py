"""A report as JSON, and as lines for people."""

from collections.abc import Iterator
from typing import Any, Final

from crm_bridge.importing.report import NOTE_KINDS, Note, Report, noted
from telephony.clock import iso_or_none

MAX_SAID: Final = 20
"""Of each kind, in lines for people."""


def as_json(report: Report) -> dict[str, Any]:
    """Return a report: `counts` has every figure, `notes` of each kind the first thousand, `more` how many lack."""
    every = noted(report.counts)
    notes = {kind: [each.as_json() for each in report.of(kind)] for kind in NOTE_KINDS}
    return {
        "id": report.id or None,
        "state": report.state,
        "source": report.source,
        "file": report.file,
        "by": report.by,
        "started_at": iso_or_none(report.started_at),
        "finished_at": iso_or_none(report.finished_at),
        "undone_at": iso_or_none(report.undone_at),
        "counts": report.counts.as_json(),
        "remarks": list(report.remarks),
        "notes": notes,
        "more": {kind: every[kind] - len(found) for kind, found in notes.items() if every[kind] > len(found)},
    }


def lines(report: Report) -> Iterator[str]:
    """Say a report; what was refused or ignored while the file was read was said then."""
    counts = report.counts
    yield f"{report.file}: {report.state}" + (f", import {report.id}" if report.id else "")
    yield f"rows: {counts.read} read, {counts.refused} refused, {counts.blank} empty"
    yield f"people: {counts.created} new, {counts.matched} known before, {counts.repeated} rows of one of these"
    yield f"written: {counts.identities} identities, {counts.filled} fields"
    if counts.ignored:
        yield f"values that were left out: {counts.ignored}"
    yield from (f"note: {each}" for each in report.remarks)
    for kind, count in noted(counts).items():
        said = [f"{report.file}:{note.row}: {_said(note)}" for note in report.of(kind) if _said(note)][:MAX_SAID]
        yield from said
        if said and count > len(said):
            yield f"… and {count - len(said)} more that are {kind}: --json has a thousand of each"
    if report.state == "undone":
        yield f"undone: {counts.removed} profiles removed, {counts.kept} kept"
    elif report.id:
        yield f"`hotline customers undo {report.id}` takes it back"
    else:
        yield "nothing was written"


def _said(note: Note) -> str:
    other = f"row {note.other_row}" if note.other_row else f"customer {note.other_id}"
    match note.kind:
        case "repeated":
            return f"is the same person as row {note.other_row}, by {note.column}"
        case "matched":
            return f"is {other}, by {note.column}"
        case "contradiction":
            return f"{note.column}: is of {other}; nobody was merged: look whether they are one person"
        case "similar":
            return f"may be {other}: the same name, and much the same e-mail address"
        case "kept":
            return f"{other} stays: {note.cause}"
        case "ignored" if note.customer_id:
            return f"{note.column}: {note.cause}; {note.mend}"
        case "refused" | "ignored":
            return ""
