"""The flow's walker beside a call that is followed. Pure."""

from dataclasses import dataclass

from msgspec.structs import replace

from ivr_flows.state import Ask, EnterQueue, FlowAction, PlayPrompts, StopPrompts, TakeCall
from ivr_flows.trials.walked import Walked
from telephony.requests import kind_of


@dataclass(slots=True)
class Shadow(Walked):
    """The flow's walker beside the real one: it is told what happened, and does nothing. `asked` is the number of what
    it asked last."""

    asked: int = 0

    def hear_no_more(self) -> None:
        """Somebody is there: the flow for waiting is over, wherever it was (`telephony.switchboard.waiting`)."""
        self.state = replace(self.state, waiting=None)
        self.look()

    def perform(self, action: FlowAction) -> None:
        match action:
            case PlayPrompts() | StopPrompts() | TakeCall():
                pass  # what is heard is in the journal
            case EnterQueue():
                self.waits_in(action.queue)
            case Ask():
                self.asked = action.number
                self.note("asks", kind_of(action.request))
            case _:
                Walked.perform(self, action)
