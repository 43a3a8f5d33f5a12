"""What callers of scenarios say: spoken in the voices of the settings, and heard by their recognisers.

A caller who speaks waits until that is understood, or for a moment: people do not hear a question and go on talking.
"""

import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hotline import models
from hotline.config import Settings
from hotline.trials.course import Course
from hotline.trials.spoken import Spoken, Unspoken
from ivr_flows.step import hearing_language
from ivr_flows.trials.played import Disappointment
from ivr_flows.trials.scenario import Says, Scenario
from recordings.transcribe.recogniser import base_language, missing
from telephony.clock import SAMPLE_RATE_HZ
from telephony.media.g711 import Samples

UNDERSTOOD_S: Final = 5.0
"""How long what was said may take to be understood, from its end."""
THINKS_S: Final = 0.4
"""Between a question and the words that answer it."""
MESSAGES: Final = {"vi": "Xin chào, tôi cần được gọi lại. Xin cảm ơn.", "en": "Hello, please call me back. Thank you."}
DIGITS: Final = "1 2 3 4 5"
"""The message in a language that has none here."""


class NotForEars(Exception):
    """A scenario that cannot be played with sound as things are; the text says why."""


@dataclass(slots=True)
class Utterance:
    """What the caller said, and what of it was understood."""

    said: str
    heard: list[tuple[str, float]] = field(default_factory=list)

    def told(self) -> str:
        """Return it in words."""
        heard = ", then ".join(f"“{text}” ({confidence:.2f})" for text, confidence in self.heard)
        return f"said “{self.said}”, heard {heard or 'nothing'}"


class Speech:
    """The voices and recognisers of the settings. A context: what was rendered is thrown away at its end."""

    def __init__(self, settings: Settings) -> None:
        self.recognisers = models.recognisers(settings)
        self._settings = settings
        self._stack = ExitStack()

    def __enter__(self) -> "Speech":
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hotline-trial-")))
        spoken = Spoken(self.folder, models.voices(self._settings), self._settings.media.tones)
        self.spoken = self._stack.enter_context(spoken)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def missing(self, language: str) -> str:
        """Return why nobody recognises a language, nothing where somebody does."""
        return " ".join(missing(self.recognisers, [language]))

    def unheard(self, scenario: Scenario, languages: Collection[str]) -> str:
        """Return why nobody can understand what the caller says, whichever of the languages it is in."""
        causes = [self.missing(language) for language in languages]
        return f"the caller speaks. {causes[0]}" if scenario.speaks and all(causes) else ""


class Voice:
    """What the caller of one call says."""

    def __init__(self, course: Course, speech: Speech) -> None:
        self.utterances: list[Utterance] = []
        self._course = course
        self._speech = speech
        self._misses = 0

    @property
    def is_answered(self) -> bool:
        """Whether what was said last was understood, or is given up."""
        return bool(self.utterances[-1].heard) or self._course.follower.misses > self._misses

    def says(self, text: str) -> Samples:
        """Return what is said now, int16[n] at 8 kHz, in the language that is listened for. Raises `NotForEars`."""
        shadow, follower = self._course.follower.shadow, self._course.follower
        language = "" if shadow is None else hearing_language(shadow.marked.flow, shadow.state)
        missing = self._speech.missing(language)
        if missing:
            raise NotForEars(f"the caller speaks. {missing}")
        samples = self._words(text, language)
        utterance = Utterance(text)
        self.utterances.append(utterance)
        follower.heard, self._misses = utterance.heard, follower.misses
        if shadow is not None:
            shadow.note("says", text)
        return samples

    def message(self) -> Samples:
        """Return what is left as a message, in the call's language. Raises `NotForEars`."""
        shadow = self._course.follower.shadow
        language = "" if shadow is None else shadow.state.language
        return self._words(MESSAGES.get(base_language(language), DIGITS), language)

    def prepare(self, *, message: bool) -> None:
        """Have rendered what may be said, with the message where one may be left: in a call there is no time for that.
        What cannot be is told when it is due."""
        flow, scenario = self._course.follower.marked.flow, self._course.scenario
        for language in flow.languages:
            texts = [deed.text for deed in scenario.deeds if isinstance(deed, Says)]
            for text in [] if self._speech.missing(language) else texts:
                self._rendered(text, language)
            if message:
                self._rendered(MESSAGES.get(base_language(language), DIGITS), language)

    def _rendered(self, text: str, language: str) -> None:
        try:
            self._speech.spoken.caller(text, language)
        except Unspoken:
            return

    def _words(self, text: str, language: str) -> Samples:
        try:
            return self._speech.spoken.caller(text, language)
        except Unspoken as error:
            raise NotForEars(f"the caller cannot say “{text}”: {error}") from error


def with_heard(wrong: Disappointment, utterances: tuple[Utterance, ...]) -> Disappointment:
    """Return a disappointment that tells what was said and what of it was heard: that may be why."""
    return replace(wrong, instead=(*wrong.instead, *(each.told() for each in utterances)))


def seconds_of(samples: Samples) -> float:
    """Return how long sound lasts."""
    return len(samples) / SAMPLE_RATE_HZ
