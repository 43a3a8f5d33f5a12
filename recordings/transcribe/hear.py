"""Callers heard while they answer a question: rows of 20 ms in, utterances out.

Rule 1: no clock. Time is rows: how far behind recognition is, is how much audio waits.

Rule 2: work is bounded. A turn gives an engine at most a fifth of a second of each utterance; so one long answer keeps
no other waiting. An utterance with more than 3 s waiting is given up, and its caller has the keys.

Rule 3: what goes wrong with one stream ends the hearing of that one, with one line in the log, which has nothing of
what was said.
"""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from recordings.transcribe.engine import (
    EngineFailed,
    ModelMissing,
    RecogniserSettings,
    Samples,
    UtteranceStream,
)
from recordings.transcribe.phrases import Phrase, PhraseCutter
from recordings.transcribe.recogniser import RecogniserCache, base_language, settings_for
from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, TICKS_PER_S
from telephony.events import HearStream, StreamHeard

MOST_HEARD: Final = 32
"""Callers at a time. Most are silent, which costs next to nothing."""
SAMPLES_A_TURN: Final = SAMPLE_RATE_HZ // 5
MOST_WAITING: Final = 3 * SAMPLE_RATE_HZ
LONGEST_GAP: Final = TICKS_PER_S
"""Rows that are missing are silence, up to here; after more the utterance is another."""

log = logging.getLogger("hotline.speech")


@dataclass(slots=True)
class _Utterance:
    """What is being said, or waits to be heard. `waiting` has samples that the engine was not given."""

    phrase: Phrase
    waiting: deque[Samples] = field(default_factory=deque)
    told: bool = False

    def take(self, most: int) -> Samples:
        """Return at most so many samples, and a little more."""
        taken: list[Samples] = []
        while self.waiting and sum(map(len, taken)) < most:
            taken.append(self.waiting.popleft())
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)


@dataclass(slots=True)
class _Caller:
    """One stream."""

    command: HearStream
    stream: UtteranceStream
    cutter: PhraseCutter | None = None
    """Its rows are ticks."""
    utterances: deque[_Utterance] = field(default_factory=deque)
    next_tick: int = 0


class Hearer:
    """Hears at most `most` streams. `hear` and `stop` begin and end it, `take` brings rows, `turn` does the work."""

    def __init__(
        self, recognisers: Mapping[str, RecogniserSettings], cache: RecogniserCache, most: int = MOST_HEARD
    ) -> None:
        self._recognisers = recognisers
        self._cache = cache
        self._most = most
        self._callers: dict[str, _Caller] = {}
        self._unheard: set[str] = set()

    def __len__(self) -> int:
        return len(self._callers)

    def hear(self, command: HearStream) -> None:
        """Begin to hear a stream; its model is loaded, which may take seconds. Said again, it changes nothing."""
        if command.stream in self._callers:
            return
        if len(self._callers) >= self._most:
            log.warning("speech_input_full heard=%d", self._most)
            return
        try:
            recogniser = self._cache.get(command.language, settings_for(self._recognisers, command.language))
            stream = recogniser.utterances(SAMPLE_RATE_HZ, command.phrases)
        except (ModelMissing, EngineFailed) as error:
            language = base_language(command.language)
            if language not in self._unheard:
                self._unheard.add(language)
                log.warning("no_speech_input language=%s cause=%s", language, error)
            return
        self._callers[command.stream] = _Caller(command, stream)

    def load(self, language: str) -> None:
        """Load a language's model before anybody speaks. What is wrong with it is said when somebody does."""
        try:
            self._cache.get(language, settings_for(self._recognisers, language))
        except (ModelMissing, EngineFailed):
            return

    def stop(self, stream: str) -> None:
        """Hear a stream no more."""
        self._callers.pop(stream, None)

    def take(self, stream: str, tick: int, samples: Samples) -> None:
        """Take a row, int16[160]. One that is missing is silence."""
        caller = self._callers.get(stream)
        if caller is None or tick < caller.next_tick:
            return
        if caller.cutter is None:
            caller.cutter, caller.next_tick = PhraseCutter(0, tick), tick
        missing = tick - caller.next_tick
        caller.next_tick = tick + 1
        if missing > LONGEST_GAP:
            caller.cutter.skip_to(tick)
            missing = 0
        rows = np.zeros((missing + 1, SAMPLES_PER_TICK), np.int16)
        rows[-1] = samples
        for row in rows:  # one at a time: a phrase that begins takes no row that is another's
            caller.utterances.extend(_Utterance(phrase) for phrase in caller.cutter.take(row[np.newaxis]))
            if caller.utterances:
                last = caller.utterances[-1]
                last.waiting.append(last.phrase.take())

    def turn(self) -> tuple[list[StreamHeard], bool]:
        """Recognise a little of each utterance; return what is understood, and whether there is more to do at once."""
        told: list[StreamHeard] = []
        for stream, caller in list(self._callers.items()):
            if not caller.utterances:
                continue
            try:
                told += self._listen(stream, caller)
            except EngineFailed as error:
                log.error("speech_input_failed language=%s cause=%s", caller.command.language, error)
                del self._callers[stream]
                told += [StreamHeard(stream, "nothing")] if caller.utterances and caller.utterances[0].told else []
        return told, any(each.waiting for caller in self._callers.values() for each in caller.utterances)

    def _listen(self, stream: str, caller: _Caller) -> list[StreamHeard]:
        first, told = caller.utterances[0], []
        if not first.told and first.phrase.is_speech:
            first.told = True
            told.append(StreamHeard(stream, "began", first.phrase.start_row))
        if sum(map(len, first.waiting)) > MOST_WAITING:
            log.warning("speech_input_behind language=%s", caller.command.language)
            self._next(caller)
            return [*told, StreamHeard(stream, "nothing")] if first.told else []
        if first.waiting:
            caller.stream.accept(first.take(SAMPLES_A_TURN))
        if not first.phrase.closed or first.waiting:
            return told
        heard = caller.stream.finish() if first.phrase.is_speech else None
        self._next(caller)
        if not first.told:
            return []
        if heard is None:
            return [*told, StreamHeard(stream, "nothing")]
        start, end = first.phrase.start_row, first.phrase.end_row
        return [*told, StreamHeard(stream, "words", start, end, heard.text, round(heard.confidence, 3))]

    def _next(self, caller: _Caller) -> None:
        caller.utterances.popleft()
        caller.stream.drop()
