"""Running recordings heard while they are spoken: spools are read as they grow, phrases told as they are understood.

Rule 1: no clock. Time is the rows of the spools: how far behind recognition is, is how many rows came after a phrase.

Rule 2: work is bounded. Each turn reads what is new and does one piece of recognition: the oldest phrase that is over,
else another look at the unfinished one that has waited longest. So looks are what is skipped first when there is too
much to hear; then a phrase that has waited 10 s is given up, and told as final with `…` in place of what is missing.

Rule 3: what goes wrong with one recording ends the following of that one, with one line in the log.
"""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from recordings.spool import SpoolDamaged, SpoolNotBegun, SpoolReader
from recordings.transcribe.engine import (
    EngineFailed,
    ModelMissing,
    PhraseStream,
    Recogniser,
    RecogniserSettings,
    Samples,
)
from recordings.transcribe.phrases import Phrase, PhraseCutter
from recordings.transcribe.recogniser import RecogniserCache, base_language, settings_for
from telephony.clock import SAMPLE_RATE_HZ, TICK_S, TICKS_PER_S
from telephony.events import FollowRecording, PhraseRecognised

MOST_FOLLOWED: Final = 6
"""Talks that one core hears with Whisper's smallest model: a final phrase every 2 s each, at 0.35 s of the core."""
ROWS_A_TURN: Final = 5 * TICKS_PER_S
TOO_OLD_ROWS: Final = 10 * TICKS_PER_S
CATCH_UP_ROWS: Final = 4 * TICKS_PER_S
MISSING: Final = "…"

log = logging.getLogger("hotline.speech")


@dataclass(slots=True)
class _Told:
    """A phrase with its number and what was said of it last."""

    phrase: Phrase
    number: int
    text: str = ""
    heard_until: int = 0
    new_rows: int = 0


@dataclass(slots=True)
class _Speaker:
    """One channel: its phrases in order. Only the first one is listened to, the others wait."""

    cutter: PhraseCutter
    stream: PhraseStream
    phrases: deque[_Told] = field(default_factory=deque)


class _Followed:
    """A recording that is being followed."""

    def __init__(self, command: FollowRecording, recogniser: Recogniser) -> None:
        self.recording = command.recording
        self.path = Path(command.path)
        self.ending = False
        self.speakers: list[_Speaker] = []
        self._next_number = command.first_phrase
        self._recogniser = recogniser
        self._reader: SpoolReader | None = None

    @property
    def rows(self) -> int:
        """Rows read."""
        return self._reader.position if self._reader is not None else 0

    @property
    def done(self) -> bool:
        """Whether it has ended, and everything of it was told."""
        return self.ending and not any(speaker.phrases for speaker in self.speakers) and self._unread() == 0

    def close(self) -> None:
        """Let the file go."""
        if self._reader is not None:
            self._reader.close()

    def read(self) -> Iterator[PhraseRecognised]:
        """Read what is new. Raises `OSError` and `SpoolDamaged`."""
        reader = self._reader or self._opened()
        if reader is None:
            return
        unread = self._unread()
        if unread > TOO_OLD_ROWS:
            yield from self._skip(reader, unread - TICKS_PER_S)
        self._take(reader.read(ROWS_A_TURN))
        if self.ending and self._unread() == 0:
            for speaker in self.speakers:
                speaker.cutter.close()

    def work(self) -> Iterator[tuple[float, _Speaker]]:
        """Return what could be done, with how urgent it is: 1 and more for a phrase that is over."""
        for speaker in self.speakers:
            if not speaker.phrases:
                continue
            first = speaker.phrases[0]
            if first.phrase.closed:
                yield 1.0 + self.rows - first.phrase.end_row, speaker
            elif first.phrase.is_speech and first.phrase.end_row > first.heard_until:
                due = first.new_rows * TICK_S / speaker.stream.interim_every_s
                if due >= 1.0:
                    yield 1.0 - 1.0 / due, speaker

    def hear(self, speaker: _Speaker) -> PhraseRecognised | None:
        """Do the work of a speaker; return what is new. Raises `EngineFailed`."""
        first = speaker.phrases[0]
        if not first.phrase.closed:
            speaker.stream.accept(first.phrase.take())
            first.heard_until, first.new_rows = first.phrase.end_row, 0
            return self._told(first, speaker.stream.heard(), final=False)
        speaker.phrases.popleft()
        if not first.phrase.is_speech:
            speaker.stream.drop()
            return self._told(first, "", final=True)
        if self.rows - first.phrase.end_row > TOO_OLD_ROWS:
            speaker.stream.drop()
            return self._told(first, f"{first.text} {MISSING}".strip(), final=True)
        speaker.stream.accept(first.phrase.take())
        return self._told(first, speaker.stream.finish(), final=True)

    def give_up(self) -> Iterator[PhraseRecognised]:
        """Say of every phrase that was begun that no more will come."""
        for speaker in self.speakers:
            for each in speaker.phrases:
                if each.text:
                    yield self._recognised(each, f"{each.text} {MISSING}", final=True)

    def _opened(self) -> SpoolReader | None:
        try:
            reader = self._reader = SpoolReader(self.path)
        except (FileNotFoundError, SpoolNotBegun):
            return None  # its writer has not come to it yet
        # A recogniser that was restarted goes on where the talk is; one that comes a little late hears the beginning.
        first_row = reader.rows if self._next_number else max(0, reader.rows - CATCH_UP_ROWS)
        reader.position = first_row
        self.speakers = [
            _Speaker(PhraseCutter(channel, first_row), self._recogniser.phrases(SAMPLE_RATE_HZ))
            for channel in range(reader.channels)
        ]
        return reader

    def _unread(self) -> int:
        return self._reader.rows - self._reader.position if self._reader is not None else 0

    def _take(self, rows: Samples) -> None:
        begun: list[tuple[Phrase, _Speaker]] = []
        for channel, speaker in enumerate(self.speakers):
            begun += [(phrase, speaker) for phrase in speaker.cutter.take(np.ascontiguousarray(rows[:, :, channel]))]
            if speaker.phrases:
                speaker.phrases[-1].new_rows += len(rows)
        for phrase, speaker in sorted(begun, key=lambda each: each[0].start_row):
            speaker.phrases.append(_Told(phrase, self._next_number, new_rows=self.rows - phrase.start_row))
            self._next_number += 1

    def _skip(self, reader: SpoolReader, rows: int) -> Iterator[PhraseRecognised]:
        log.warning("live_words_behind recording=%s skipped_s=%.1f", self.recording, rows * TICK_S)
        yield from self.give_up()
        reader.position += rows
        for speaker in self.speakers:
            speaker.phrases.clear()
            speaker.stream.drop()
            speaker.cutter.skip_to(reader.position)

    def _told(self, told: _Told, text: str, *, final: bool) -> PhraseRecognised | None:
        """Return what is to be told: nothing when it is no news, an empty text when what was told was a mistake."""
        news = text != told.text or (final and bool(text))
        told.text = text
        return self._recognised(told, text, final=final) if news else None

    def _recognised(self, told: _Told, text: str, *, final: bool) -> PhraseRecognised:
        phrase = told.phrase
        return PhraseRecognised(self.recording, told.number, phrase.channel, text, phrase.start, phrase.end, final)


class Follower:
    """Follows at most `most` recordings. `follow` and `stop` begin and end it, `turn` does the work."""

    def __init__(
        self, recognisers: Mapping[str, RecogniserSettings], cache: RecogniserCache, most: int = MOST_FOLLOWED
    ) -> None:
        self._recognisers = recognisers
        self._cache = cache
        self._most = most
        self._followed: dict[str, _Followed] = {}
        self._unheard: set[str] = set()

    def __len__(self) -> int:
        return len(self._followed)

    def follow(self, command: FollowRecording) -> None:
        """Begin to follow a recording; its model is loaded, which may take seconds. Said again, it changes nothing."""
        if command.recording in self._followed:
            return
        if len(self._followed) >= self._most:
            log.warning("live_words_full recording=%s followed=%d", command.recording, self._most)
            return
        try:
            recogniser = self._cache.get(command.language, settings_for(self._recognisers, command.language))
        except (ModelMissing, EngineFailed) as error:
            language = base_language(command.language)
            if language not in self._unheard:
                self._unheard.add(language)
                log.warning("no_live_words language=%s cause=%s", language, error)
            return
        self._followed[command.recording] = _Followed(command, recogniser)

    def stop(self, recording: str) -> None:
        """Say that a recording is complete: the next turns tell what is left of it."""
        followed = self._followed.get(recording)
        if followed is not None:
            followed.ending = True

    def close(self) -> None:
        """Let every file go."""
        while self._followed:
            self._followed.popitem()[1].close()

    def turn(self) -> tuple[list[PhraseRecognised], bool]:
        """Read what is new and do one piece of recognition; return what is understood, and whether there is more to do
        at once."""
        told: list[PhraseRecognised] = []
        for followed in list(self._followed.values()):
            try:
                told += followed.read()
            except (OSError, SpoolDamaged) as error:
                told += self._forget(followed, error)
        worked = self._work(told)
        for followed in [each for each in self._followed.values() if each.done]:
            followed.close()
            del self._followed[followed.recording]
        return told, worked

    def _work(self, told: list[PhraseRecognised]) -> bool:
        waiting = [
            (urgency, followed, speaker) for followed in self._followed.values() for urgency, speaker in followed.work()
        ]
        if not waiting:
            return False
        _, followed, speaker = max(waiting, key=lambda each: (each[0], -each[2].phrases[0].number))
        try:
            phrase = followed.hear(speaker)
        except EngineFailed as error:
            told += self._forget(followed, error)
        else:
            told += [phrase] if phrase is not None else []
        return True

    def _forget(self, followed: _Followed, cause: Exception) -> list[PhraseRecognised]:
        log.error("live_words_failed recording=%s cause=%s", followed.recording, cause)
        del self._followed[followed.recording]
        followed.close()
        return list(followed.give_up())
