"""A message that a caller leaves: a beep, then what the caller says, for whoever serves a queue.

Rule 1: it is a recording of its own, beside the one of the call where that runs; of the caller's voice alone, whatever
the flow says of other recordings. It ends by the flow's finishing key, by its time, when the caller has said nothing
for a while, or by hanging up.

Rule 2: whose caller spoke is kept and told, however it ended. Where nobody spoke there is no message; the recording is
kept as any is, since a voice may have been too low to be taken for one.

Rule 3: a recording that cannot be written ends its message: nobody shall speak to a full disk.
"""

from typing import Final

from telephony.events import (
    ListenForVoice,
    Note,
    Play,
    Prompt,
    PromptFinished,
    Record,
    SaveVoicemail,
    StopRecording,
    VoiceEnded,
    VoiceStarted,
)
from telephony.requests import TakeMessage
from telephony.switchboard import asking, recording_pause
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call, Message

BEEP: Final = (Prompt("tone", "beep"),)
PLAYBACK: Final = "message"
BEEP_S: Final = 5.0
"""So long the beep's end is waited for."""
SILENCE_S: Final = 6.0
"""Who has spoken, and says nothing for so long, is done."""
NOTHING_S: Final = 15.0
"""Who says nothing at all for so long leaves no message."""


def take(board: Board, call: Call, request: TakeMessage, now: float) -> None:
    """Let the caller hear the beep, and then speak."""
    if request.queue not in board.acd.queue_names():
        board.emit(Note(call.id, "failure", "no message is taken: there is no such queue"))
        asking.answer(board, call, "failed")
        return
    call.playbacks += 1
    call.message = Message(request.queue, request.limit_s, f"{PLAYBACK}.{call.playbacks}")
    board.emit(Play(call.leg, call.message.playback, BEEP, barge_in=False))
    board.deadlines.set(call.id, "message", now + BEEP_S)


def beeped(board: Board, call: Call, event: PromptFinished, now: float) -> None:
    """The beep is over, whatever came of it."""
    if call.message is not None and call.message.playback == event.playback and not call.message.recording:
        _begin(board, call, call.message, now)


def _begin(board: Board, call: Call, message: Message, now: float) -> None:
    call.hushed = False
    recording_pause.over(board, call)  # nothing of a leg is recorded in a pause
    message.recording, message.began_at = board.new_id(), now
    board.open_recordings[message.recording] = (call.id, call.language)
    customer = call.context.customer
    record = Record(
        message.recording, call.id, call.leg, customer, call.language, kind="voicemail", queue=message.queue
    )
    board.emit(record, ListenForVoice(call.leg))
    _wait(board, call, message, now + NOTHING_S)


def _wait(board: Board, call: Call, message: Message, until: float) -> None:
    board.deadlines.set(call.id, "message", min(until, message.began_at + message.limit_s))


def voice(board: Board, event: VoiceStarted | VoiceEnded, now: float) -> None:
    """The caller speaks, or has fallen silent."""
    call = board.by_leg(event.leg)
    if call is None or event.leg != call.leg or call.message is None or not call.message.recording:
        return
    if isinstance(event, VoiceStarted):
        call.message.spoken = True
        _wait(board, call, call.message, call.message.began_at + call.message.limit_s)
    elif call.message.spoken:
        _wait(board, call, call.message, now + SILENCE_S)


def due(board: Board, call: Call, now: float) -> None:
    """The beep should be over, or the message is."""
    if call.message is not None and not call.message.recording:
        _begin(board, call, call.message, now)
    else:
        finish(board, call, now)


def finish(board: Board, call: Call, now: float) -> None:
    """The message is complete: the flow goes on."""
    outcome = close(board, call, now)
    if outcome:
        asking.answer(board, call, outcome)


def broken(board: Board, call: Call, recording: str, now: float) -> None:
    """A recording has ended by itself: where it is that of a message which is being left, no more of it is kept."""
    if call.message is not None and call.message.recording == recording:
        close(board, call, now)
        asking.answer(board, call, "failed")


def close(board: Board, call: Call, now: float) -> str:
    """End the message that is being left, if any, and keep it; return what became of it, empty where there was none."""
    message, call.message = call.message, None
    if message is None:
        return ""
    board.deadlines.cancel(call.id, "message")
    if not message.recording:
        return "no_message"
    board.emit(ListenForVoice(call.leg, on=False))
    if message.recording in board.open_recordings and message.recording not in board.stopping:
        board.stopping.add(message.recording)
        board.emit(StopRecording(message.recording))
    if not message.spoken:
        return "no_message"
    voicemail = SaveVoicemail(
        call=call.id,
        recording=message.recording,
        queue=message.queue,
        customer=call.context.customer,
        ani=call.ani,
        language=call.language,
        flow=call.flow.name,
        case=call.case,
        at=message.began_at,
        seconds=round(now - message.began_at, 3),
    )
    board.emit(voicemail)
    return "next"
