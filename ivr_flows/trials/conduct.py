"""The caller of a scenario: given what is heard and asked, what they do next. Pure, and the same whatever plays the
flow, a virtual clock or a telephone.

A caller is patient: they hear a question to its end before they answer, unless the scenario says `interrupts`.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import msgspec

from ivr_flows.trials.scenario import (
    AnyDeed,
    HangsUp,
    Hears,
    HearsNot,
    Interrupts,
    Presses,
    Says,
    Silent,
    Waits,
)

MAX_INSTEAD: Final = 6


@dataclass(slots=True)
class Scene:
    """What the caller can tell of the call: everything heard, as it was said; whether a question waits for an answer,
    and `listening` whether one may be said, perhaps over the question; how many questions have given up waiting; where
    the call is, in words; why it is over, empty while it is not."""

    heard: list[str] = field(default_factory=list)
    asking: bool = False
    listening: bool = False
    silences: int = 0
    where: str = ""
    ended: str = ""


class Act(msgspec.Struct, frozen=True):
    """What the caller does now: keys; words (`text`); hangs up; waits for something to happen, until an instant at
    most; is disappointed at a line; or has nothing more to do."""

    kind: Literal["keys", "says", "hangs_up", "waits", "fails", "done"]
    keys: str = ""
    confidence: float = 0.0
    until: float | None = None
    line: int = 0
    text: str = ""
    instead: tuple[str, ...] = ()


WAIT: Final = Act("waits")
DONE: Final = Act("done")
HANG_UP: Final = Act("hangs_up")


@lru_cache(maxsize=8192)
def normalised(text: str) -> str:
    """Return words as they are compared: small letters, single spaces, no punctuation."""
    kept = "".join(
        sign if unicodedata.category(sign)[0] in "LNM" else " "
        for sign in unicodedata.normalize("NFC", text).casefold()
    )
    return " ".join(kept.split())


class Conduct:
    """One caller's way through the deeds of a scenario."""

    def __init__(self, deeds: Sequence[AnyDeed]) -> None:
        self._deeds = deeds
        self._next = 0
        self._until: float | None = None
        self._silences: int | None = None
        self._place = (0, 0)
        self._banned: list[HearsNot] = []
        self._banned_from = (0, 0)

    def act(self, scene: Scene, now: float) -> Act:
        """Return what the caller does now. Deeds that are done at once are gone through."""
        while self._next < len(self._deeds):
            deed = self._deeds[self._next]
            done = self._do(deed, scene, now)
            if done is not None and done.kind in ("waits", "fails"):
                return done
            self._next += 1
            if done is not None:
                return done
        return DONE

    def _do(self, deed: AnyDeed, scene: Scene, now: float) -> Act | None:
        """Return what a deed comes to; None where it is done and nothing is to be seen of it."""
        match deed:
            case Hears():
                return self._hears(deed, scene)
            case HearsNot():
                if not self._banned:
                    self._banned_from = self._place
                self._banned.append(deed)
                return None
            case Waits():
                return self._waits(deed, scene, now)
            case Silent():
                return self._silent(deed, scene)
        if scene.ended:
            return _failed(deed, f"{_words(deed)}: the call is over ({scene.ended})", self._instead(scene))
        if isinstance(deed, HangsUp):
            return HANG_UP
        if isinstance(deed, Says):
            return self._says(deed, scene)
        if isinstance(deed, Interrupts) or scene.asking:
            return Act("keys", deed.keys)
        return WAIT

    def _says(self, deed: Says, scene: Scene) -> Act:
        if not scene.asking and not (deed.interrupts and scene.listening):
            return WAIT
        if not scene.listening:
            return _failed(deed, f"{_words(deed)}: {scene.where} takes keys only", self._instead(scene))
        return Act("says", text=deed.text, confidence=deed.confidence)

    def _hears(self, deed: Hears, scene: Scene) -> Act | None:
        found = _find(scene.heard, normalised(deed.text), self._place)
        if found is not None:
            unwelcome = self.banned(scene, found)
            self._banned = []
            self._place = (found[0], found[1] + len(normalised(deed.text)))
            return unwelcome
        if scene.ended:
            return _failed(deed, f"hears: {deed.text}: the call is over ({scene.ended})", self._instead(scene))
        if scene.asking:
            return _failed(deed, f"hears: {deed.text}: {scene.where} waits for an answer", self._instead(scene))
        return WAIT

    def banned(self, scene: Scene, before: tuple[int, int] | None = None) -> Act | None:
        """Return the disappointment of a `hears_not` that stands and whose words were heard before a place, or ever."""
        for deed in self._banned:
            found = _find(scene.heard, normalised(deed.text), self._banned_from)
            if found is not None and (before is None or found < before):
                return _failed(deed, f"hears_not: {deed.text}", (scene.heard[found[0]],))
        return None

    def _waits(self, deed: Waits, scene: Scene, now: float) -> Act | None:
        if self._until is None:
            self._until = now + deed.seconds
        if now < self._until:
            if scene.ended:
                return _failed(deed, f"waits: the call is over before ({scene.ended})", self._instead(scene))
            return Act("waits", until=self._until)
        self._until = None
        return None

    def _silent(self, deed: Silent, scene: Scene) -> Act | None:
        if self._silences is None:
            self._silences = scene.silences
        if scene.silences < self._silences + deed.times:
            if scene.ended:
                return _failed(deed, f"silent: nothing is asked, the call is over ({scene.ended})", ())
            return WAIT
        self._silences = None
        return None

    def _instead(self, scene: Scene) -> tuple[str, ...]:
        """Return what was heard after what was last looked for, the newest."""
        index, offset = self._place
        return tuple(scene.heard[index + (1 if offset else 0) :][-MAX_INSTEAD:])


def _failed(deed: AnyDeed, text: str, instead: tuple[str, ...]) -> Act:
    return Act("fails", line=deed.line, text=text, instead=instead)


def _words(deed: AnyDeed) -> str:
    match deed:
        case Presses(keys=keys):
            return f"press: {keys}"
        case Interrupts(keys=keys):
            return f"interrupts: {keys}"
        case Says(text=text):
            return f"interrupts: says: {text}" if deed.interrupts else f"says: {text}"
    return "hangs_up"


def _find(heard: Sequence[str], wanted: str, place: tuple[int, int]) -> tuple[int, int] | None:
    """Return where words are first heard at or after a place: the index of what was said, the offset in it."""
    first, offset = place
    for index in range(first, len(heard)):
        found = normalised(heard[index]).find(wanted, offset if index == first else 0)
        if found >= 0:
            return index, found
    return None
