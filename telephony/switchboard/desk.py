"""What an agent's page shows of the calls that there are."""

from telephony.events import CallSnapshot
from telephony.switchboard.board import Board


def call_of(board: Board, agent: str) -> tuple[CallSnapshot, dict[str, object]] | None:
    """Return the call that an agent is offered, talks in or makes, with what the caller chose and said in the flow.

    Of several, one that is on hold comes last of those where somebody is there. None for none.
    """
    legs = ((call, call.agent_leg) for call in board.calls.values())
    own = [call for call, leg in legs if leg is not None and leg.agent == agent]
    if own:
        call = min(own, key=lambda each: each.state == "held")
        variables = call.flow_state.variables if call.flow_state is not None else {}
        plain: dict[str, object] = {
            name: value
            for name, value in variables.items()
            if isinstance(value, str | int | float) and name not in call.secrecy.variables
        }
        return call.snapshot(), plain | _noted(call.callback_note)
    for between in board.directs.values():
        if between.outgoing is not None and between.near.agent == agent:
            return between.outgoing.snapshot(), _noted(between.outgoing.note)
    return None


def _noted(note: str) -> dict[str, object]:
    return {"callback": note} if note else {}
