"""What an import did, or would do: the figures, and what somebody should look at.

Rule: a dry run and the real one give the same report. So a profile that the import makes is known by its first row, and
one that was there before by its id.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

State = Literal["dry run", "running", "done", "undoing", "undone"]
NoteKind = Literal["refused", "ignored", "repeated", "matched", "contradiction", "similar", "kept"]

NOTE_KINDS: Final[tuple[NoteKind, ...]] = get_args(NoteKind)
MAX_NOTES: Final = 1000
"""Of one kind in a report; the figures count all of them."""


@dataclass(slots=True)
class Counts:
    """Rows: those `read` are `blank`, `refused`, or made a profile (`created`), met one (`matched`), or were the same
    person as an earlier row (`repeated`). Written: `identities` linked, fields `filled`. To be looked at: values
    `ignored`, identities that are `contradictions`, profiles `similar` to others. Of an undo: what was `removed`, and
    what was `kept`."""

    read: int = 0
    blank: int = 0
    refused: int = 0
    created: int = 0
    matched: int = 0
    repeated: int = 0
    identities: int = 0
    filled: int = 0
    ignored: int = 0
    contradictions: int = 0
    similar: int = 0
    removed: int = 0
    kept: int = 0

    def add(self, more: "Counts") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(more, each.name))

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the report. `column` is a heading of the file, or the kind of the identity that it is about.

    `customer_id` is the profile that the row went to, `other_id` the one that it is `matched` with, contradicts or
    resembles; `other_row` is that one's first row in the file if the import made it, else 0.
    """

    kind: NoteKind
    row: int
    column: str = ""
    cause: str = ""
    mend: str = ""
    customer_id: str | None = None
    other_id: str | None = None
    other_row: int = 0
    identity_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as the report shows it: only what it has to say."""
        shown: dict[str, Any] = {"row": self.row}
        if self.column:
            shown["column"] = self.column
        if self.cause:
            shown |= {"cause": self.cause, "mend": self.mend}
        if self.other_row:
            shown["same_as_row" if self.kind == "repeated" else "other_row"] = self.other_row
        elif self.other_id:
            shown["customer"] = self.other_id
        return shown


@dataclass(frozen=True, slots=True)
class Report:
    """An import as it is told. `id` is empty for a dry run; instants are seconds since the epoch."""

    id: str
    source: str
    file: str
    state: State
    counts: Counts
    remarks: tuple[str, ...]
    notes: tuple[Note, ...]
    by: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    undone_at: float | None = None

    def of(self, kind: NoteKind) -> list[Note]:
        return [each for each in self.notes if each.kind == kind]


def noted(counts: Counts) -> dict[NoteKind, int]:
    """Return how many notes of each kind there are in all."""
    return {
        "refused": counts.refused,
        "ignored": counts.ignored,
        "repeated": counts.repeated,
        "matched": counts.matched,
        "contradiction": counts.contradictions,
        "similar": counts.similar,
        "kept": counts.kept,
    }
