"""The call in its flow: the flow's actions become commands for the caller's leg."""

from typing import Final

from ivr_flows import step as flow_step
from ivr_flows.step import (
    Answered,
    CallTaken,
    Facts,
    FlowAction,
    FlowInput,
    FlowState,
    KeyPressed,
    QueueFacts,
    WaitingFacts,
)
from telephony.events import FlowAnswered, Note, Play, Prompt
from telephony.switchboard import acts, ending, listening, opening, secret_keys
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

CONGESTION: Final = (Prompt("tone", "congestion"),)
PARTING_S: Final = 4.0
"""So long it is heard by somebody who is about to be hung up on."""
EARLY_KEYS: Final = 20
"""So many keys are kept for a flow that has not begun: a dialler sends no more in that moment."""


def begin(board: Board, call: Call, now: float) -> None:
    """Start the flow, with the keys that the caller pressed before; one that had its call answered goes on."""
    if call.flow_state is not None:
        board.tell_flow(call, CallTaken())
        return
    board.emit(Note(call.id, "flow", f"{call.flow.name} {call.flow.version}"))
    _walk(board, call, flow_step.start(call.flow, _facts(board, call, now), now), now)
    for key in call.early_keys:
        board.tell_flow(call, key)
    call.early_keys.clear()


def proceed(board: Board, call: Call, message: FlowInput, now: float) -> None:
    """Give the flow an input. A call that ended meanwhile, or never reached its flow, has none to give it to; a key
    that comes in the moment before the flow begins is kept for it."""
    if not call.is_in_flow:
        return
    if call.direction == "outbound" or call.given_away:
        if call.state == "in_flow":
            _part(board, call, now)
        return
    if call.flow_state is None:
        if isinstance(message, KeyPressed) and len(call.early_keys) < EARLY_KEYS:
            call.early_keys.append(message)
        return
    walked = flow_step.step(call.flow, call.flow_state, _facts(board, call, now), message, now)
    _walk(board, call, walked, now, message)


def _part(board: Board, call: Call, now: float) -> None:
    """A call that an agent made has no flow to go on in, nor has one that its flow gave away. Where nobody took it
    over, the other side is told so."""
    if call.talk_ended_by:
        ending.end(board, call, call.talk_ended_by, now)
    elif not call.parting:
        call.parting = True
        call.playbacks += 1
        board.emit(Play(call.leg, f"parting.{call.playbacks}", CONGESTION, barge_in=False, loop=True))
        board.deadlines.set(call.id, "part", now + PARTING_S)


def part(board: Board, call: Call, now: float) -> None:
    """The tone has been heard."""
    ending.end(board, call, "nobody took it over", now)


def _walk(
    board: Board,
    call: Call,
    walked: tuple[FlowState, tuple[FlowAction, ...]],
    now: float,
    message: FlowInput | None = None,
) -> None:
    steps, failures = (len(call.flow_state.path), len(call.flow_state.failures)) if call.flow_state else (0, 0)
    before = call.step
    call.flow_state, actions = walked
    if message is not None:
        secret_keys.note_surplus(call, before, message, now)
    board.emit(*(Note(call.id, "step", step) for step in call.flow_state.path[steps:]))
    for failure in call.flow_state.failures[failures:]:
        board.emit(Note(call.id, "failure", f"{failure.step}: {failure.cause}"))
    secret_keys.guard(board, call, now)  # before the question is heard
    acts.perform(board, call, actions, now)
    listening.follow(board, call)


def guard_due(board: Board, call: Call, now: float) -> None:
    """No secret key can come any more: the keys are heard again, and so is the caller."""
    secret_keys.guard(board, call, now)
    listening.follow(board, call)


def _facts(board: Board, call: Call, now: float) -> Facts:
    queues = {}
    for name in board.acd.queue_names():
        facts = opening.queue_facts(board, name, now)
        queues[name] = QueueFacts(facts.open, facts.waiting, facts.estimated_wait_s or 0.0)
    return Facts(
        caller=call.context,
        ani=call.ani,
        dnis=call.dnis,
        started_at=call.started_at,
        timezone=board.settings.timezone,
        queues=queues,
        hours=opening.states(board, now),
        waiting=_waiting(board, call, now),
        settings=board.settings.flow_settings,
        region=board.settings.region,
        call=call.id,
    )


def _waiting(board: Board, call: Call, now: float) -> WaitingFacts | None:
    """How a caller stands in the queue."""
    if call.state not in {"queued", "ringing"}:
        return None
    place = board.acd.place(call.id, now)
    if place is None:
        return WaitingFacts(call.queue, 1, call.queued_at)
    return WaitingFacts(call.queue, place.position, call.queued_at, place.estimated_wait_s or 0.0)


def answered(board: Board, event: FlowAnswered, _now: float) -> None:
    """What the flow asked of the world is answered."""
    call = board.calls.get(event.call)
    if call is not None:
        board.tell_flow(call, Answered(event.number, event.outcome, event.values))


def flow_playback(playback: str) -> int | None:
    """Return the flow's number of a playback that it asked for."""
    prefix, _, number = playback.partition(".")
    return int(number) if prefix == "flow" and number.isdecimal() else None
