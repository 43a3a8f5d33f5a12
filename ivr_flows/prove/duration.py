"""The longest time until a caller comes to a person: to a queue, a number that is dialled, a transfer, a call back, a
voicemail.

What is counted: words at a pace of 3.3 syllables a second in Vietnamese and 14 characters a second in other languages,
a second for each `{{ }}`, files as long as they are; questions once and as late as can be where they are answered, and
as often as they are put where somebody is silent, or wrong, until the end; what is waited for as long as it may take.
Each loop is gone through once. Ways on which nobody is there (`closed`) are not gone.
"""

import heapq
import re
import wave
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ivr_flows.flow import (
    ANSWER_LIMIT_S,
    Case,
    Flow,
    Gather,
    Hold,
    Http,
    Lookup,
    Menu,
    Music,
    Notify,
    Play,
    PromptParts,
    Recorded,
    Ring,
    Say,
    Step,
    Subflow,
    Survey,
    Verify,
    VerifyByCode,
    Wait,
    Words,
    verb_of,
)
from ivr_flows.prompts import base_language
from ivr_flows.prove.dataflow import Known, order_of
from ivr_flows.prove.loops import NOBODY_THERE
from ivr_flows.prove.transfer import Transfer, Way
from ivr_flows.prove.witness import Place

SYLLABLES_PER_S: Final = 3.3
CHARACTERS_PER_S: Final = 14.0
FILLED_S: Final = 1.0
"""How long what stands in `{{ }}` is taken to be."""
WAITING_MUSIC_S: Final = 25.0
MOST: Final = 2000
"""So many places of calls are looked at for a way that is possible."""
NEVER: Final = float("-inf")
_FILLED = re.compile(r"\{\{.*?\}\}", re.DOTALL)

Beyond = Callable[[Step], float]
"""How long it takes from a step on within another flow, where that is sought there; `NEVER` for not at all."""
Within = Callable[[Subflow, str], float]
"""How long a subflow may take until it comes back by an exit, seconds."""


def spoken_s(text: str, language: str) -> float:
    """Return how long a text takes to be spoken."""
    words = _FILLED.sub(" ", text)
    filled = FILLED_S * len(_FILLED.findall(text))
    if base_language(language) == "vi":
        return filled + sum(any(sign.isalnum() for sign in word) for word in words.split()) / SYLLABLES_PER_S
    return filled + len(" ".join(words.split())) / CHARACTERS_PER_S


def prompt_s(parts: PromptParts, languages: Iterable[str]) -> float:
    """Return how long a prompt takes in the language in which it takes longest."""
    return max((sum(_part_s(part, language) for part in parts) for language in languages), default=0.0)


def _part_s(part: object, language: str) -> float:
    match part:
        case Words():
            return spoken_s(part.text.get(language, ""), part.voices.get(language, language))
        case Recorded():
            return file_s(part.file.get(language, ""))
        case Music():
            return WAITING_MUSIC_S
    return 0.0


def file_s(path: str) -> float:
    """Return how long a `.wav` file is; 0 for one that cannot be read."""
    try:
        with wave.open(path) as sound:
            return float(sound.getnframes()) / float(sound.getframerate())
    except (OSError, EOFError, ValueError, ZeroDivisionError, wave.Error):
        return 0.0


def step_s(step: Step, exit_name: str, languages: Iterable[str], within: Within) -> float:
    """Return the longest that a step may take until it is left by an exit."""
    match step:
        case Play() if step.for_s:
            return step.for_s
        case Say() | Play():
            return prompt_s(step.prompt, languages)
        case Menu() | Gather():
            return _question_s(step, exit_name, languages)
        case Survey():
            return _question_s(step.question, exit_name, languages)
        case Wait() | Ring():
            return step.seconds
        case Http():
            return max(step.timeout_s * (step.retries + 1), prompt_s(step.filler, languages))
        case Lookup() | Verify() | Case():
            return step.timeout_s
        case Notify():
            return ANSWER_LIMIT_S
        case VerifyByCode():
            return step.timeout_s + (0.0 if exit_name == "not_sent" else _code_s(step.question, exit_name, languages))
        case Subflow():
            return within(step, exit_name)
        case Hold():
            return 0.0
    return 0.0


def _code_s(asked: Gather, exit_name: str, languages: Iterable[str]) -> float:
    """A code that was sent is asked for, and each that is keyed is compared."""
    put = _question_s(asked, {"wrong": "no_match"}.get(exit_name, exit_name), languages)
    keyed = {"no_input": 0, "wrong": asked.no_match.retries + 1}.get(exit_name, 1)
    return put + keyed * ANSWER_LIMIT_S


def _question_s(step: Menu | Gather, exit_name: str, languages: Iterable[str]) -> float:
    """A question put again and again: to who is silent, and to who presses the wrong keys at the last moment."""
    asked = prompt_s(step.prompt, languages) + step.first_key_s
    typed = asked + (step.between_keys_s * (step.length[1] - 1) if isinstance(step, Gather) else 0.0)
    silent = asked + step.no_input.retries * (asked + prompt_s(step.no_input.prompt, languages))
    wrong = typed + step.no_match.retries * (typed + prompt_s(step.no_match.prompt, languages))
    if exit_name == "no_input":
        return silent
    if exit_name == "no_match":
        return wrong
    return typed


class Longest:
    """The longest ways of one flow to those steps that `is_there`."""

    def __init__(
        self,
        flow: Flow,
        known: Known,
        is_there: Callable[[Step], bool],
        within: Within,
        beyond: Beyond = lambda _: NEVER,
    ) -> None:
        self.flow, self.known, self.is_there, self.within, self.beyond = flow, known, is_there, within, beyond
        self.order = order_of(flow, [flow.start])
        self.taken: dict[tuple[str, str], float] = {}
        self.left = self._left()

    def seconds(self, name: str, way: Way) -> float:
        """Return the longest that a step may take until it is left by a way."""
        key = name, way.exit
        if key not in self.taken:
            self.taken[key] = step_s(self.flow.steps[name], way.exit, self.flow.languages, self.within)
        return self.taken[key]

    def is_gone(self, name: str, way: Way) -> bool:
        """Whether a way counts: not back into a loop, and not where it is known that nobody is there."""
        if way.exit in NOBODY_THERE.get(verb_of(self.flow.steps[name]), ()):
            return False
        return way.world is not None and self.order.get(way.to, -1) > self.order[name]

    def _left(self) -> Mapping[str, float]:
        """Return, for each step, the longest that is left from there; ways back into a loop are not gone."""
        left: dict[str, float] = {}
        for name in sorted(self.order, key=self.order.__getitem__, reverse=True):
            if self.is_there(self.flow.steps[name]):
                left[name] = 0.0
                continue
            left[name] = max(
                (
                    self.seconds(name, way) + left.get(way.to, NEVER)
                    for way in self.known.ways.get(name, ())
                    if self.is_gone(name, way)
                ),
                default=NEVER,
            )
            left[name] = max(left[name], self.beyond(self.flow.steps[name]))
        return left

    @property
    def bound(self) -> float:
        """No way takes longer than this."""
        return self.left.get(self.flow.start, NEVER)

    def way(self, transfer: Transfer, beginning: Place) -> tuple[float, Place] | None:
        """Return the longest way that is possible, and how long it takes; None where none was found."""
        waiting = [(-self.bound, 0, 0.0, beginning)]
        count = 0
        while waiting and count < MOST:
            bound, _, passed, place = heapq.heappop(waiting)
            step = self.flow.steps[place.step]
            if self.is_there(step) or passed + self.beyond(step) >= -bound:
                return -bound, place
            for way in transfer.ways(place.step, place.world):
                if way.world is None or not self.is_gone(place.step, way) or self.left.get(way.to, NEVER) == NEVER:
                    continue
                count += 1
                so_far = passed + self.seconds(place.step, way)
                heapq.heappush(
                    waiting, (-(so_far + self.left[way.to]), count, so_far, Place(way.to, way.world, place, way))
                )
        return None
