"""The flow's walker beside a call that is followed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from ivr_flows.state import Ask, EnterQueue, FlowAction, KeyPressed, PlayPrompts, StopPrompts, TakeCall
from ivr_flows.trials.played import AWAY
from ivr_flows.trials.walked import Walked
from telephony.requests import kind_of

AT_FIRST: Final[Mapping[str, str]] = {
    "dial": "failed", "transfer": "failed", "conference": "full", "voicemail": "failed",
}  # fmt: skip
"""What comes of a request of which the journal tells nothing more; these it does not answer in so many words."""

NOT_REACHED: Final[Mapping[str, frozenset[str]]] = {
    "dial": frozenset({"busy", "no_answer", "failed"}), "transfer": frozenset({"no_answer", "failed"}),
}  # fmt: skip
"""What may come of a call to a phone that rings nowhere."""
MET: Final[Mapping[str, str]] = {"dial": "answered", "transfer": AWAY, "conference": "next"}
"""What comes of it once somebody is there."""

PARTY: Final[Mapping[str, str]] = {
    "dial": "whom the flow called", "transfer": "whom the flow gave the call to", "conference": "who is in the room",
}  # fmt: skip


@dataclass(slots=True)
class Shadow(Walked):
    """The flow's walker beside the real one: it is told what happened, and does nothing. `asked` is the number of what
    it asked last, of this `kind`, and `came` what would come of it as far as the journal tells; empty where the journal
    has the answer, and once it is answered. `known` are the steps that the journal has; `met` is how the caller came to
    talk with others, and while `talking` it is with an agent; `done` are the kinds that were answered unwritten."""

    asked: int = 0
    kind: str = ""
    came: str = ""
    known: list[str] = field(default_factory=list)
    met: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    talking: bool = False
    queued_at: float = 0.0

    @property
    def talks(self) -> bool:
        return self.talking

    def meet(self) -> None:
        """Somebody is there: whom the flow has asked for, or an agent. Then the flow for waiting is over, wherever it
        was (`telephony.switchboard.waiting`)."""
        self.met.append(self.kind if self.came else "agent")
        self.note(*(("meets", PARTY.get(self.kind, "")) if self.came else ("talks", "")))
        if self.came:
            self.came = MET.get(self.kind, self.came)
        elif self.state.phase == "queued":
            self.talking = True
            self.state = replace(self.state, waiting=None)
        self.look()

    def press(self, key: str) -> None:
        """The caller presses a key, which no flow hears that has given the caller to others."""
        self.note("press", key)
        if not (self.came and self.kind in MET):
            self.give(KeyPressed(key))

    def perform(self, action: FlowAction) -> None:
        match action:
            case PlayPrompts() | StopPrompts() | TakeCall():
                pass  # what is heard is in the journal
            case EnterQueue():
                self.queued_at = self.now
                self.waits_in(action.queue)
            case Ask():
                self.asked, self.kind = action.number, kind_of(action.request)
                self.came = self._at_first()
                self.note("asks", self.kind)
            case _:
                Walked.perform(self, action)

    def _at_first(self) -> str:
        """Return what comes of what is asked where nothing more is written: what the scenario has, if that may be."""
        replies = self.scenario.world.replies.get(self.kind, ())
        likely = replies[min(self.done.count(self.kind), len(replies) - 1)].outcome if replies else ""
        return likely if likely in NOT_REACHED.get(self.kind, ()) else AT_FIRST.get(self.kind, "")
