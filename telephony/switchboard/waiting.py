"""A call that waits: in a queue, or while a phone is rung for it; what it hears meanwhile."""

from typing import Final

from msgspec.structs import replace

from ivr_flows.step import EnterQueue, QueueEntered, QueueLeft
from telephony.acd import CallLeft, CallQueued
from telephony.events import Play, Prompt, PromptFinished, StopPlaying
from telephony.switchboard import ending, opening, secret_keys
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

RINGBACK: Final = (Prompt("tone", "ringback"),)


def enter_queue(board: Board, call: Call, action: EnterQueue, now: float) -> None:
    call.move("queued")
    call.queue = action.queue
    call.queue_limit_s = action.limit_s
    call.music_playing = False
    call.queued_at = now
    call.queue_left_at = 0.0
    announcements = tuple(prompt for prompt in action.wait if prompt.kind != "music")
    call.waiting_music = tuple(prompt for prompt in action.wait if prompt.kind == "music")
    board.save(call)
    board.publish("call.queued", call)
    if announcements:
        _play_waiting(board, call, announcements, loop=False)
    elif not call.waits_in_a_flow:  # which begins once the queue has a place
        play_music(board, call)
    shut = opening.is_shut(board, action.queue, now)
    board.tell_queues(CallQueued(call.id, action.queue, action.limit_s, action.priority, closed=shut), now)
    if board.acd.place(call.id, now) is not None:
        board.tell_flow(call, QueueEntered())


def leave_queue(board: Board, call: Call, now: float) -> None:
    """What the caller heard in the queue led out of it; an agent's phone that rings for the call stops."""
    if call.state not in {"queued", "ringing"}:
        return
    board.tell_queues(CallLeft(call.id), now)
    ending.drop_agent_leg(board, call)
    stop_waiting_music(board, call)
    call.move("returned")
    call.agent = call.directed_to = ""
    call.queue_left_at = now
    board.save(call)


def _play_waiting(board: Board, call: Call, prompts: tuple[Prompt, ...], *, loop: bool) -> None:
    call.playbacks += 1
    call.waiting_playback = f"wait.{call.playbacks}"
    board.emit(Play(call.leg, call.waiting_playback, prompts, barge_in=False, loop=loop))


def play_music(board: Board, call: Call) -> None:
    """Music until there is something better, whatever the announcement before it came to; who waits in a queue with a
    flow of its own hears that again."""
    if call.waits_in_a_flow and call.state in {"queued", "ringing"}:
        board.tell_flow(call, QueueEntered())
    elif call.waiting_music:
        call.music_playing = True
        _play_waiting(board, call, call.waiting_music, loop=True)


def ring_out(board: Board, call: Call) -> None:
    """A phone is rung for a caller who hears nothing, there being no music, or none that could be played: the caller
    hears it ring."""
    called_outside = call.state == "forwarding" and call.outsider is not None and not call.outsider.heard
    hears_nothing = not call.waiting_playback and not call.hears_a_flow
    if (call.state == "ringing" or called_outside) and hears_nothing:
        call.hears_ringing = True
        _play_waiting(board, call, RINGBACK, loop=True)


def stop_ringing(board: Board, call: Call) -> None:
    """Nothing rings for the caller any more."""
    if call.hears_ringing:
        stop_waiting_music(board, call)


def waiting_prompt_finished(board: Board, call: Call, event: PromptFinished) -> None:
    """The announcement is over: music follows. Music that failed is not tried again: silence, but the place is kept."""
    call.waiting_playback = ""
    was_ringing, call.hears_ringing = call.hears_ringing, False
    if was_ringing or event.ending not in {"finished", "failed"}:
        return
    if not call.music_playing and call.state in {"queued", "ringing"}:
        play_music(board, call)
    ring_out(board, call)


def over(board: Board, call: Call, now: float) -> None:
    """An agent is there: the wait is over, and so is the flow that was heard in it, in whatever question it is."""
    stop_waiting_music(board, call)
    if call.flow_state is None or call.flow_state.waiting is None:
        return
    before, heard = call.step, call.flow_state.waiting
    call.flow_state = replace(call.flow_state, waiting=None)
    board.deadlines.cancel(call.id, "flow")
    if heard.playing is not None:
        board.emit(StopPlaying(call.leg, f"flow.{heard.playing}"))
    secret_keys.note_surplus(call, before, QueueLeft("answered"), now)
    secret_keys.guard(board, call, now)


def stop_waiting_music(board: Board, call: Call) -> None:
    """Somebody is there, or the wait is over."""
    if call.waiting_playback:
        board.emit(StopPlaying(call.leg, call.waiting_playback))
        call.waiting_playback = ""
        call.hears_ringing = False
