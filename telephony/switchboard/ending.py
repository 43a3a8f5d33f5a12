"""The end of a call, from whichever side and in whatever state it comes."""

from typing import Final

from telephony.acd import AgentDisengaged, CallLeft, TalkEnded
from telephony.events import (
    CloseLeg,
    DialogEnded,
    FinishRecording,
    Hangup,
    RecordingStopped,
    Reject,
    StopRecording,
)
from telephony.switchboard import voicemail
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS, Call

OUTSIDER: Final = "the party outside"
REFERRED: Final = "transferred by its flow"


def caller_gone(board: Board, call: Call, event: DialogEnded, now: float) -> None:
    """The caller's dialog is over."""
    if call.direction == "outbound" and event.ending == "bye":
        end(board, call, OUTSIDER, now, dialog_open=False)
        return
    if call.referring is not None and event.ending == "bye":
        end(board, call, REFERRED, now, dialog_open=False)
        return
    by = {"bye": "caller", "cancelled": "caller", "timed_out": "caller lost"}.get(event.ending, "failure")
    end(board, call, by, now, dialog_open=False)


def end(
    board: Board, call: Call, by: str, now: float, *, status: int = 0, warning: int = 0, dialog_open: bool = True
) -> None:
    """End a call: every leg is closed, the queues are told, the row says who ended it.

    `status` is the SIP status for a call not answered yet, with the code of a Warning; `dialog_open` is false when the
    caller's dialog is gone.
    """
    if call.state == "ended":
        return
    was = call.state
    if call.agent_leg is not None:
        if was in TALKS:
            board.tell_queues(TalkEnded(call.id, call.agent_leg.agent), now)
        elif call.agent_leg.engaged:
            board.tell_queues(AgentDisengaged(call.agent_leg.agent, call.id), now)
        drop_agent_leg(board, call)
    drop_outsider(board, call, now)
    voicemail.close(board, call, now)
    if was in {"queued", "ringing"}:
        board.tell_queues(CallLeft(call.id), now)
    stop_recording(board, call)
    if dialog_open:
        if was == "arriving" and status:
            board.emit(Reject(call.dialog, status, by, warning))
        else:
            board.emit(Hangup(call.dialog))
    board.emit(CloseLeg(call.leg))
    call.move("ended")
    if call.room:
        board.rooms_due.add(call.room)
    call.ended_at = now
    if was in {"queued", "ringing"}:
        call.queue_left_at = now
    elif was in TALKS or was == "outside":
        call.talk_ended_at = now
    call.ended_by = by
    board.save(call)
    board.publish("call.ended", call, ended_by=by, asked_again=list(call.asked_again))
    _forget(board, call)


def drop_agent_leg(board: Board, call: Call, *, dialog_open: bool = True) -> None:
    """Let go of the agent's leg, ringing or talking. How long the caller waits for the agent goes on: the leg may be
    that of a page which tries to come back."""
    agent_leg = call.agent_leg
    if agent_leg is None:
        return
    call.agent_leg = None
    board.lamps_due.add(agent_leg.agent)
    board.deadlines.cancel(call.id, "whisper")
    if not agent_leg.leg:
        return
    if dialog_open:
        board.emit(Hangup(agent_leg.dialog))
    board.emit(CloseLeg(agent_leg.leg))
    board.call_of_dialog.pop(agent_leg.dialog, None)
    board.call_of_leg.pop(agent_leg.leg, None)


def drop_outsider(board: Board, call: Call, now: float, *, dialog_open: bool = True) -> None:
    """Let go of the party outside, ringing or talking."""
    side = call.outsider
    if side is None:
        return
    call.outsider = None
    board.deadlines.cancel(call.id, "forward")
    if side.agent:
        board.lamps_due.add(side.agent)
        board.tell_queues(AgentDisengaged(side.agent, call.id), now)
    if dialog_open:
        board.emit(Hangup(side.dialog))
    board.emit(CloseLeg(side.leg))
    board.call_of_dialog.pop(side.dialog, None)
    board.call_of_leg.pop(side.leg, None)


def hand_over(board: Board, call: Call, by: str, now: float) -> None:
    """End a call whose far end goes on in another one: its dialog and leg are not touched."""
    if call.agent_leg is not None:
        board.tell_queues(TalkEnded(call.id, call.agent_leg.agent), now)
        drop_agent_leg(board, call)
    stop_recording(board, call)
    call.move("ended")
    call.ended_at = call.talk_ended_at = now
    call.ended_by = by
    board.save(call)
    board.publish("call.ended", call, ended_by=by, asked_again=list(call.asked_again))
    _forget(board, call)


def stop_recording(board: Board, call: Call) -> None:
    """End the call's recording; `recording_stopped` goes on from there."""
    if call.recording in board.open_recordings and call.recording not in board.stopping:
        board.stopping.add(call.recording)
        call.paused_at = 0.0
        board.open_recordings[call.recording] = (call.id, call.language)
        board.emit(StopRecording(call.recording))


def recording_stopped(board: Board, event: RecordingStopped) -> None:
    """The spool is complete, perhaps after its call is gone: have it made a file and transcribed."""
    known = board.open_recordings.pop(event.recording, None)
    board.stopping.discard(event.recording)
    if known is not None:
        call, language = known
        board.emit(FinishRecording(event.recording, call, language, event.cause))


def _forget(board: Board, call: Call) -> None:
    del board.calls[call.id]
    board.call_of_dialog.pop(call.dialog, None)
    board.call_of_leg.pop(call.leg, None)
    board.deadlines.cancel_all(call.id)
