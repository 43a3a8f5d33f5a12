"""What an agent's page shows of the calls that there are."""

from telephony.events import CallSnapshot
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call


def call_of(board: Board, agent: str) -> tuple[CallSnapshot, dict[str, object]] | None:
    """Return the call that an agent is offered, talks in or makes, with what the caller chose and said in the flow.

    Of several, one that is on hold comes last of those where somebody is there. None for none.
    """
    legs = ((call, call.agent_leg) for call in board.calls.values())
    own = [call for call, leg in legs if leg is not None and leg.agent == agent]
    if own:
        call = min(own, key=lambda each: each.state == "held")
        return call.snapshot(), _told(call) | _noted(call.callback_note)
    for between in board.directs.values():
        if between.outgoing is not None and between.near.agent == agent:
            return between.outgoing.snapshot(), _noted(between.outgoing.note)
    return None


def _told(call: Call) -> dict[str, object]:
    """What the flow knows, but for what is secret, or private: for nobody but the caller."""
    state = call.flow_state
    if state is None:
        return {}
    declared = call.flow.part(state.flow).variables
    hidden = call.secrecy.variables | {name for name, variable in declared.items() if variable.private}
    return {
        name: value
        for name, value in state.variables.items()
        if isinstance(value, str | int | float) and name not in hidden
    }


def _noted(note: str) -> dict[str, object]:
    return {"callback": note} if note else {}
