"""A call that an agent makes to the world outside, as the customer's timeline has it.

While it rings it is a call between phones (`direct`) with a row of its own. Once it is answered it is a call like any
that came in: it is held, transferred, recorded and taken up by another phone by the very same code. Where a call that
came in would go on in its flow, it ends.
"""

from dataclasses import dataclass, field
from typing import Final

from ivr_flows.flow import QUEUE_LIMIT_S, Flow
from telephony.events import CallerContext, CallerFound, CallSnapshot, FindCaller, SaveCall
from telephony.switchboard import party, recording
from telephony.switchboard.board import Board
from telephony.switchboard.call import AgentLeg, Call
from telephony.switchboard.side import Side

OFFERED: Final = "ringing"
"""The state of a call back that an agent is offered."""


@dataclass(slots=True)
class Outgoing:
    """What the row, and the customer's timeline, say of a call that an agent makes to `far`, until it is answered."""

    id: str
    agent: str
    far: Side
    language: str
    started_at: float
    state: str = "calling"
    context: CallerContext = field(default_factory=CallerContext)
    found: bool = False
    queue: str = ""
    """The queue for which somebody is called back."""
    note: str = ""
    """What the agent is to know of that."""
    ended_at: float = 0.0
    ended_by: str = ""

    def snapshot(self) -> CallSnapshot:
        """Return the call as its row shows it."""
        return CallSnapshot(
            id=self.id,
            state=self.state,
            number=self.far.number,
            ani=self.far.shown,
            dnis=self.far.number,
            customer=self.context.customer,
            context=self.context,
            language=self.language,
            flow="",
            flow_path=(),
            queue=self.queue,
            agent=self.agent,
            recording="",
            case="",
            started_at=self.started_at,
            ended_at=self.ended_at,
            ended_by=self.ended_by,
            direction="outbound",
            trunk=self.far.trunk,
        )


def begin(board: Board, side: Side, identity: str, agent: str, now: float) -> Outgoing:
    """Keep what there is to say of a call that an agent makes, and find out whose number it is."""
    outgoing = Outgoing(identity, agent, side, board.settings.language, now)
    board.emit(FindCaller(identity, side.number, False, "", dialled=True))
    board.publish("call.dialled", _saved(board, outgoing))
    return outgoing


def caller_found(board: Board, event: CallerFound) -> None:
    """Know whom an agent calls."""
    between = board.directs.get(event.call)
    if between is None or between.outgoing is None:
        return
    outgoing = between.outgoing
    outgoing.context, outgoing.found = event.context, True
    board.publish("call.caller_found", outgoing.snapshot() if outgoing.state == OFFERED else _saved(board, outgoing))


def dialled(board: Board, outgoing: Outgoing, now: float) -> None:
    """Somebody who is called back is called now: until here there was no call, and no row."""
    outgoing.state, outgoing.started_at = "calling", now
    board.publish("call.dialled", _saved(board, outgoing))


def ended(board: Board, outgoing: Outgoing, by: str, now: float) -> None:
    """Nobody was reached."""
    outgoing.state, outgoing.ended_at, outgoing.ended_by = "ended", now, by
    board.publish("call.ended", _saved(board, outgoing), ended_by=by, asked_again=[])


def answered(board: Board, outgoing: Outgoing, near: Side, far: Side, now: float) -> Call:
    """Agent and customer hear each other: from here on it is a call, under the name that it had."""
    call = Call(
        id=outgoing.id,
        dialog=far.dialog,
        leg=far.leg,
        offer="",
        number=far.number,
        dnis=far.number,
        flow=flow_in(outgoing.context.language or outgoing.language),
        started_at=outgoing.started_at,
        direction="outbound",
        trunk=far.trunk,
        state="talking",
        ani=far.shown,
        context=outgoing.context,
        found=outgoing.found,
        queue=outgoing.queue,
        queue_limit_s=QUEUE_LIMIT_S,
        callback_note=outgoing.note,
    )
    call.agent, call.answered_at, call.talk_started_at = outgoing.agent, now, now
    call.agent_leg = AgentLeg(near.leg, near.agent, near.session_id, near.dialog, answered=True)
    party.succeed(call, far)
    party.succeed(call.agent_leg, near)
    board.calls[call.id] = call
    recording.begin(board, call, now)
    board.save(call)
    board.publish("call.talking", call)
    return call


def flow_in(language: str) -> Flow:
    """Return the flow of a call that has none: it says in which language the call is."""
    return Flow("", (language,), "", {})


def _saved(board: Board, outgoing: Outgoing) -> CallSnapshot:
    """Write the row, and return what it says: nobody is told before."""
    snapshot = outgoing.snapshot()
    board.emit(SaveCall(snapshot))
    return snapshot
