"""A person's files, whoever knows where they lie."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from crm_bridge.privacy.places import FileKind
from crm_bridge.privacy.reach import Reach


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file: of what kind, and where below that kind's folder (no part of it says who it is about)."""

    kind: FileKind
    path: str


class Files(Protocol):
    """Where files of people are. Everything here waits for a disk: call it in a thread."""

    def find(self, reach: Reach, paths: Mapping[str, str]) -> Sequence[KeptFile]:
        """Return the files of a person that are there; `paths` are those of the recordings, by id."""
        ...

    def open_path(self, file: KeptFile) -> Path:
        """Return where a file is."""
        ...

    def remove(self, files: Iterable[KeptFile]) -> None:
        """Delete files; those that are gone already are no error. Raises `OSError`."""
        ...

    def journals_before(self, day: str) -> Sequence[KeptFile]:
        """Return the journals of the days before a day (`YYYY-MM-DD`); a file is called as its call."""
        ...
