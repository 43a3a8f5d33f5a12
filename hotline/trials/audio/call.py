"""A scenario played with real sound: what the caller says is spoken, what they press is sent, and the recogniser hears.

A caller who speaks waits until that is understood, or for a moment: people do not hear a question and go on talking.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hotline.trials.audio.exchange import Exchange
from hotline.trials.audio.sound import Sound
from hotline.trials.audio.spoken import Spoken, Unspoken
from hotline.trials.course import Course, disappointment_of
from hotline.trials.following import Follower
from ivr_flows.step import hearing_language
from ivr_flows.trials.conduct import Act
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Disappointment, Played
from ivr_flows.trials.scenario import Scenario
from recordings.transcribe.recogniser import base_language
from telephony.clock import SAMPLE_RATE_HZ, TICKS_PER_S
from telephony.events import Command, Event, UtteranceDismissed, UtteranceRecognised
from telephony.media.g711 import Samples

KEYS_S: Final = 5.0
"""How long a key may take, and what is said after its end."""
KEY_S: Final = 0.3
GRACE_S: Final = 60.0
"""A call may last so much longer than its logic: speech at its own pace, and what is not understood once."""
PACE: Final = 2.0
"""And so many times as long: nobody knows how long words are before they are spoken."""
MESSAGES: Final = {"vi": "Xin chào, tôi cần được gọi lại. Xin cảm ơn.", "en": "Hello, please call me back. Thank you."}
DIGITS: Final = "1 2 3 4 5"
"""The message in a language that has none here."""
THINKS_S: Final = 0.4
"""Between a question and the words that answer it."""


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


@dataclass(slots=True)
class Heard:
    """A call that was played: as any, and what of its sound went wrong, and what was said and heard."""

    played: Played
    wrong: tuple[Disappointment, ...] = ()
    utterances: tuple[Utterance, ...] = ()


Make = Callable[[Callable[[Event], None]], Sound]


class Playing:
    """One call. `missing` says why nobody recognises a language, nothing where somebody does."""

    def __init__(
        self, prepared: Marked, scenario: Scenario, spoken: Spoken, missing: Callable[[str], str], make: Make
    ) -> None:
        self._course = Course(scenario, Follower(prepared, scenario, scenario.world.facts))
        self._spoken = spoken
        self._missing = missing
        self._utterances: list[Utterance] = []
        self._misses = 0
        self._exchange = Exchange(prepared.flow, scenario, make, self._read)

    def play(self, logic_s: float) -> Heard:
        """Play the call, which lasts so long by its logic. Raises `NotForEars`."""
        begun, longest_s = self._exchange.now, PACE * logic_s + GRACE_S
        disappointment = self._play(begun + longest_s, longest_s)
        played = self._course.follower.played(disappointment)
        wrong = [Disappointment(self._course.scenario.line, text) for text in self._wrong()]
        return Heard(played, tuple(wrong), tuple(self._utterances))

    def _wrong(self) -> list[str]:
        audible = self._exchange.sound.audible.get(self._exchange.leg)
        return [] if audible is None else list(dict.fromkeys(audible.wrong))

    def _play(self, ends_at: float, longest_s: float) -> Disappointment | None:
        course, exchange = self._course, self._exchange
        exchange.ring()
        while exchange.now < ends_at:
            if exchange.unanswered:
                return Disappointment(course.scenario.line, exchange.unanswered)
            if not exchange.step():
                continue
            self._leave_message()
            act = course.act(exchange.now)
            if act.kind == "fails":
                return disappointment_of(act)
            if act.kind == "done":
                self._end()
                return course.afterwards()
            unheard = self._do(act)
            if unheard is not None:
                return unheard
        return course.endless(longest_s)

    def _do(self, act: Act) -> Disappointment | None:
        match act.kind:
            case "keys":
                return self._press(act.keys)
            case "says":
                self._say(act.text)
            case "hangs_up":
                self._exchange.hang_up()
        return None

    def _press(self, keys: str) -> Disappointment | None:
        follower, caller = self._course.follower, self._exchange.caller
        follower.pressed += keys
        if caller is not None:
            caller.press(keys)
        if self._wait(lambda: follower.seen >= len(follower.pressed), KEYS_S + KEY_S * len(keys)):
            return None
        text = f"of the keys {keys} only {follower.seen} in all were heard within {KEYS_S:g} s"
        return Disappointment(self._course.scenario.line, text)

    def _say(self, text: str) -> None:
        shadow, caller = self._course.follower.shadow, self._exchange.caller
        if shadow is None or caller is None:
            return
        language = hearing_language(shadow.marked.flow, shadow.state)
        missing = self._missing(language)
        if missing:
            raise NotForEars(f"the caller speaks. {missing}")
        shadow.note("says", text)
        self._utterances.append(Utterance(text))
        samples = self._words(text, language)
        misses = self._misses
        self._wait(lambda: False, THINKS_S)
        caller.say(samples)
        understood = self._utterances[-1].heard
        seconds = len(samples) / SAMPLE_RATE_HZ
        self._wait(lambda: not caller.speaks and bool(understood or self._misses > misses), seconds + KEYS_S)

    def _leave_message(self) -> None:
        """Say something after the beep."""
        shadow, caller = self._course.follower.shadow, self._exchange.caller
        if self._exchange.leaves_message and shadow is not None and caller is not None:
            self._exchange.leaves_message = False
            language = shadow.state.language
            caller.say(self._words(MESSAGES.get(base_language(language), DIGITS), language))

    def _words(self, text: str, language: str) -> Samples:
        try:
            return self._spoken.caller(text, language)
        except Unspoken as error:
            raise NotForEars(f"the caller cannot say “{text}”: {error}") from error

    def _wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let time pass, until something has come about and is done with, the call is over, or for so long; false where
        that was too short."""
        for _ in range(round(seconds * TICKS_PER_S)):
            if self._exchange.step() and (until() or self._course.has_ended):
                return True
        return False

    def _end(self) -> None:
        """Let what follows the end of the flow come about."""
        for _ in range(TICKS_PER_S):
            self._exchange.step()

    # ------------------------------------------------------------------------------------------------ what happens

    def _read(self, message: Event | Command, now: float) -> None:
        if isinstance(message, UtteranceDismissed):
            self._misses += 1
        elif isinstance(message, UtteranceRecognised):
            self._understood(message)
        self._course.follower.read(message, now)

    def _understood(self, event: UtteranceRecognised) -> None:
        shadow = self._course.follower.shadow
        if shadow is not None:
            shadow.note("heard", f"“{event.text}” ({event.confidence:.2f})")
        if self._utterances:
            self._utterances[-1].heard.append((event.text, event.confidence))


def with_heard(wrong: Disappointment, utterances: tuple[Utterance, ...]) -> Disappointment:
    """Return a disappointment that tells what was said and what of it was heard: that may be why."""
    return replace(wrong, instead=(*wrong.instead, *(each.told() for each in utterances)))
