"""The course of a call that is played, whatever carries it: what its caller does next, and what did not come true."""

import math
from dataclasses import dataclass, field
from typing import Final

from hotline.trials.following import Follower
from ivr_flows.trials.conduct import WAIT, Act, Conduct, Scene
from ivr_flows.trials.played import Disappointment
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.world import Answers
from telephony.requests import TakeMessage

KEYS_S: Final = 5.0
"""How long a key may take to be heard."""
KEY_S: Final = 0.3


@dataclass(slots=True)
class Course:
    """One call. The follower knows where it is, the conduct what its caller wants; `messages` have been thought of."""

    scenario: Scenario
    follower: Follower
    conduct: Conduct = field(init=False)
    answers: Answers = field(init=False)
    messages: int = 0

    def __post_init__(self) -> None:
        self.conduct = Conduct(self.scenario.deeds)
        self.answers = Answers(self.scenario.world)

    @property
    def scene(self) -> Scene | None:
        """What the caller can tell of the call; None before its flow begins."""
        return None if self.follower.shadow is None else self.follower.shadow.scene

    @property
    def has_ended(self) -> bool:
        """Whether the flow, or the call, is over."""
        return self.follower.is_over or (self.scene is not None and bool(self.scene.ended))

    def act(self, now: float) -> Act:
        """Return what the caller does now. Who has nothing to do is done when the call is."""
        if self.scene is None:
            return WAIT if not self.follower.is_over else self._failed("the call ends before its flow begins")
        if self.follower.lost:
            return Act("done")
        act = self.conduct.act(self.scene, now)
        return WAIT if act.kind == "done" and not self.has_ended else act

    def press(self, keys: str) -> float:
        """The caller presses keys; return how long they may take to be heard (`are_heard`)."""
        self.follower.pressed += keys
        return KEYS_S + KEY_S * len(keys)

    @property
    def are_heard(self) -> bool:
        """Whether all the keys were heard."""
        return self.follower.seen >= len(self.follower.pressed)

    def unheard(self, keys: str) -> Disappointment:
        """Return what is wrong with keys that were not."""
        text = f"of the keys {keys} only {self.follower.seen} in all were heard within {KEYS_S:g} s"
        return Disappointment(self.scenario.line, text)

    def leaves_message(self) -> bool:
        """Whether the caller is to leave a message now: there was another beep."""
        if self.messages == self.follower.messages:
            return False
        self.messages = self.follower.messages
        reply = self.answers.reply(TakeMessage("", math.inf), self.follower.facts)
        return reply is None or reply.outcome == "next"

    def endless(self, seconds: float) -> Disappointment:
        """Return what is wrong with a call that goes on for longer."""
        heard = () if self.scene is None else tuple(self.scene.heard[-3:])
        return Disappointment(self.scenario.line, f"the call does not end within {seconds:.0f} s", heard)

    def afterwards(self) -> Disappointment | None:
        """Return what can be said only when the call is over."""
        if self.follower.lost:
            return Disappointment(self.scenario.line, self.follower.lost)
        if not self.follower.is_over:
            return Disappointment(self.scenario.line, "the server does not say that the call is over")
        banned = None if self.scene is None else self.conduct.banned(self.scene)
        return None if banned is None else disappointment_of(banned)

    def _failed(self, text: str) -> Act:
        return Act("fails", line=self.scenario.line, text=text)


def disappointment_of(act: Act) -> Disappointment:
    """Return what an act that fails says."""
    return Disappointment(act.line, act.text, act.instead)
