"""A recording that is paused for as long as something is said that must not be kept: the number of a card.

Rule 1: the agent of the talk pauses and resumes, and so does the flow (`telephony.switchboard.recording`). Audio of a
pause is written nowhere, and goes to no live listener.

Rule 2: a pause ends with its agent's talk at the latest. Whoever takes the caller over does not have to know of it.
"""

from telephony.events import PauseRecording, RecordingPauseRequested, RecordingResumeRequested, ResumeRecording
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS, Call


def pause(board: Board, event: RecordingPauseRequested, now: float) -> None:
    """Record silence from now on."""
    call = _recorded_talk(board, event.call, event.agent)
    if call is not None:
        begin(board, call, now)


def begin(board: Board, call: Call, now: float) -> None:
    """Pause a recording that runs, unless it is paused."""
    if not call.paused_at:
        call.paused_at = now
        board.emit(PauseRecording(call.recording))
        board.publish("call.recording_paused", call)


def resume(board: Board, event: RecordingResumeRequested, _now: float) -> None:
    """Record again what is said."""
    call = _recorded_talk(board, event.call, event.agent)
    if call is not None:
        call.hushed = False
        over(board, call)


def over(board: Board, call: Call) -> None:
    """End a pause, if there is one. One of the flow's goes on: it ends by the flow, or by the agent of a talk."""
    if call.hushed:
        return
    if call.paused_at:
        call.paused_at = 0.0
        board.emit(ResumeRecording(call.recording))
        board.publish("call.recording_resumed", call)


def _recorded_talk(board: Board, call_id: str, agent: str) -> Call | None:
    call = board.calls.get(call_id)
    if call is None or call.state not in TALKS or call.agent_leg is None or call.agent_leg.agent != agent:
        return None
    is_recorded = call.recording in board.open_recordings and call.recording not in board.stopping
    return call if is_recorded else None
