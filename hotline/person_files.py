"""A person's files: recordings, spools that were kept, journals, and rendered prompts that say something of them."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from crm_bridge.privacy.files import KeptFile
from crm_bridge.privacy.places import FileKind
from crm_bridge.privacy.reach import Reach
from hotline import models
from hotline.config import Settings
from ivr_flows import prompts
from recordings.journal import DAY
from recordings.spool import parts_of, sync_folder
from recordings.store import SPOOL_FOLDER, spool_path
from telephony.events import Prompt

JOURNALS: Final = "journals"
PROMPTS: Final = "prompts"


class _Said(msgspec.Struct):
    """Of a line of a journal, the prompts that it has played."""

    prompts: tuple[Prompt, ...] = ()


class _Line(msgspec.Struct):
    message: _Said


@dataclass(frozen=True, slots=True)
class PersonFiles:
    """The folders, each of its kind, and where a prompt's samples are."""

    folders: Mapping[FileKind, Path]
    prompt_path: Callable[[Prompt], Path]

    def find(self, reach: Reach, paths: Mapping[str, str]) -> Sequence[KeptFile]:
        """Return the files of a person that are there; `paths` are those of the recordings, by id."""
        journals = list(self._journals(reach.calls))
        return [
            *(KeptFile("recording_files", path) for path in paths.values() if self._is_file("recording_files", path)),
            *self._spools(paths),
            *journals,
            *self._prompts(reach, journals),
        ]

    def open_path(self, file: KeptFile) -> Path:
        """Return where a file is."""
        return self.folders[file.kind] / file.path

    def remove(self, files: Iterable[KeptFile]) -> None:
        """Delete files, and have it on the disk that they are gone. Those that are gone already are no error."""
        folders = set()
        for each in files:
            path = self.open_path(each)
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                sync_folder(folder)

    def journals_before(self, day: str) -> Sequence[KeptFile]:
        """Return the journals of the days before a day (`YYYY-MM-DD`); a file is called as its call."""
        folder = self.folders["journals"]
        days = sorted(each for each in _days(folder) if each < day)
        return [
            KeptFile("journals", f"{each}/{name}")
            for each in days
            for name in sorted(os.listdir(folder / each))
            if name.endswith(".jsonl")
        ]

    def _is_file(self, kind: FileKind, path: str) -> bool:
        return (self.folders[kind] / path).is_file()

    def _spools(self, recordings: Iterable[str]) -> Iterator[KeptFile]:
        """Of a recording that could not be closed, and of one whose server was killed."""
        folder = self.folders["spools"]
        for recording in recordings:
            for part in parts_of(spool_path(folder.parent, recording)):
                yield KeptFile("spools", part.name)

    def _journals(self, calls: Iterable[str]) -> Iterator[KeptFile]:
        folder, wanted = self.folders["journals"], {f"{call}.jsonl" for call in calls}
        for day in sorted(_days(folder)) if wanted else ():
            for name in sorted(wanted.intersection(os.listdir(folder / day))):
                yield KeptFile("journals", f"{day}/{name}")

    def _prompts(self, reach: Reach, journals: Sequence[KeptFile]) -> list[KeptFile]:
        """What was said to them alone: words that hold a name of theirs, a topic, or a figure. The words are in their
        journals; a prompt that somebody else hears too is rendered again."""
        folder = self.folders["prompts"]
        said = {prompt for each in journals for prompt in _prompts_in(self.open_path(each))}
        names = {word.casefold() for name in (*reach.names, *reach.topics) for word in name.split() if len(word) > 1}
        of_them = {self.prompt_path(prompt) for prompt in said if _is_personal(prompt, names)}
        return [KeptFile("prompts", str(path.relative_to(folder))) for path in sorted(of_them) if path.is_file()]


def of(settings: Settings) -> PersonFiles:
    """Return where the settings keep people's files."""
    voices = models.voices(settings)
    recordings, prompt_folder = settings.recordings_folder, settings.data / PROMPTS
    return PersonFiles(
        {
            "recording_files": recordings,
            "spools": recordings / SPOOL_FOLDER,
            "journals": settings.data / JOURNALS,
            "prompts": prompt_folder,
        },
        lambda prompt: prompts.prompt_path(prompt_folder, prompt, voices),
    )


def _days(folder: Path) -> list[str]:
    return [day for day in os.listdir(folder) if DAY.fullmatch(day)] if folder.is_dir() else []


def _is_personal(prompt: Prompt, names: set[str]) -> bool:
    if prompt.kind != "text":
        return False
    spoken = prompt.value.casefold()
    return any(sign.isdigit() for sign in spoken) or any(name in spoken for name in names)


def _prompts_in(journal: Path) -> Iterator[Prompt]:
    """Yield the prompts that a journal has. A line that cannot be read says nothing of any."""
    with contextlib.suppress(FileNotFoundError), journal.open("rb") as lines:
        for line in lines:
            if b'"prompts"' in line:
                with contextlib.suppress(msgspec.DecodeError):
                    yield from msgspec.json.decode(line, type=_Line).message.prompts
