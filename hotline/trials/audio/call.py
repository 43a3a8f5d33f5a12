"""A scenario played with real sound: the caller's words are spoken, their keys are sent, and the recogniser hears."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hotline.trials.audio.exchange import Exchange
from hotline.trials.audio.sound import Sound
from hotline.trials.course import Course, disappointment_of
from hotline.trials.following import Follower
from hotline.trials.speech import THINKS_S, UNDERSTOOD_S, Speech, Utterance, Voice, seconds_of
from ivr_flows.trials.conduct import Act
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Disappointment, Played
from ivr_flows.trials.scenario import Scenario
from telephony.clock import TICKS_PER_S
from telephony.events import Event

GRACE_S: Final = 60.0
"""A call may last so much longer than its logic: speech at its own pace, and what is not understood once."""
PACE: Final = 2.0
"""And so many times as long: nobody knows how long words are before they are spoken."""


@dataclass(slots=True)
class Heard:
    """A call that was played: as any, and what of its sound went wrong, and what was said and heard."""

    played: Played
    wrong: tuple[Disappointment, ...] = ()
    utterances: tuple[Utterance, ...] = ()


Make = Callable[[Callable[[Event], None]], Sound]


class Playing:
    """One call that goes on."""

    def __init__(self, prepared: Marked, scenario: Scenario, speech: Speech, make: Make) -> None:
        self._course = Course(scenario, Follower(prepared, scenario, scenario.world.facts))
        self._voice = Voice(self._course, speech)
        self._exchange = Exchange(prepared.flow, scenario, make, self._course.follower.read)

    def play(self, logic_s: float) -> Heard:
        """Play the call, which lasts so long by its logic. Raises `NotForEars`."""
        begun, longest_s = self._exchange.now, PACE * logic_s + GRACE_S
        disappointment = self._play(begun + longest_s, longest_s)
        played = self._course.follower.played(disappointment)
        wrong = [Disappointment(self._course.scenario.line, text) for text in self._wrong()]
        return Heard(played, tuple(wrong), tuple(self._voice.utterances))

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
        course, caller = self._course, self._exchange.caller
        seconds = course.press(keys)
        if caller is not None:
            caller.press(keys)
        return None if self._wait(lambda: course.are_heard, seconds) else course.unheard(keys)

    def _say(self, text: str) -> None:
        caller = self._exchange.caller
        if caller is None:
            return
        samples = self._voice.says(text)
        self._wait(lambda: False, THINKS_S)
        caller.say(samples)
        self._wait(lambda: not caller.speaks and self._voice.is_answered, seconds_of(samples) + UNDERSTOOD_S)

    def _leave_message(self) -> None:
        caller = self._exchange.caller
        if caller is not None and self._course.leaves_message():
            caller.say(self._voice.message())

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
