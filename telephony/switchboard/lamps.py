"""What colleagues' desk phones show of an agent: the state, and each call with how far it has got.

Whoever changes something of that lays the agent's name into `Board.lamps_due`; what has come of it is told once, when
the event in hand is done with.
"""

from typing import Literal

from telephony.acd import AgentSnapshot
from telephony.events import LampCall, TellLamp
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call
from telephony.switchboard.direct import Direct


def tell(board: Board) -> None:
    """Tell the lamps that are due and show something else than before."""
    for name in sorted(board.lamps_due):
        agent = board.acd.agent(name)
        lamp = lamp_of(board, agent) if agent is not None else None
        if lamp is not None and board.lamps.get(name) != lamp:
            board.lamps[name] = lamp
            board.emit(lamp)
    board.lamps_due.clear()


def lamp_of(board: Board, agent: AgentSnapshot) -> TellLamp:
    """Return the lamp of an agent as it stands: the calls with somebody outside, and those between phones."""
    calls = [
        _of_caller(call, call.agent_leg.dialog, rang=call.agent_leg.rang)
        for call in board.calls.values()
        if call.agent_leg is not None and call.agent_leg.agent == agent.agent
    ]
    calls += [
        _for_a_flow(call)
        for call in board.calls.values()
        if call.outsider is not None and call.outsider.agent == agent.agent
    ]
    calls += [
        _between_phones(between, agent.agent)
        for between in board.directs.values()
        if agent.agent in (between.near.agent, between.far.agent)
    ]
    return TellLamp(agent.agent, agent.state, agent.reason, agent.since, tuple(calls))


def _of_caller(call: Call, dialog: str, *, rang: bool) -> LampCall:
    name, number, incoming = call.context.name, call.customer_number, call.direction == "inbound"
    if call.state != "ringing":
        return LampCall(call.id, "confirmed", incoming, number, name)
    if not rang:
        return LampCall(call.id, "trying", incoming, number, name)
    return LampCall(call.id, "early", incoming, number, name, dialog=dialog)


def _for_a_flow(call: Call) -> LampCall:
    """A call that its flow has put through to a user's phone, without a queue: nobody can pick it up."""
    state: Literal["trying", "confirmed"] = "confirmed" if call.state == "outside" else "trying"
    return LampCall(call.id, state, True, call.customer_number, call.context.name)


def _between_phones(between: Direct, agent: str) -> LampCall:
    called = between.far.agent == agent
    other = between.near if called else between.far
    number, colleague = other.agent or other.number, bool(other.agent)
    if between.state in {"answering", "talking"}:
        return LampCall(between.id, "confirmed", called, number, colleague=colleague)
    return LampCall(between.id, "early" if between.rang else "trying", called, number, colleague=colleague)
