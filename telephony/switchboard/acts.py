"""What a flow wants done becomes commands for the caller's leg, the queues and the edge: the table `ACTS`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ivr_flows.step import (
    Ask,
    ChangeLanguage,
    ControlRecording,
    EndCall,
    EnterQueue,
    FinishMessage,
    FlowAction,
    KeepScore,
    LeaveQueue,
    PlayPrompts,
    RejectCall,
    RingCaller,
    SetHold,
    SetWhisper,
    StopPrompts,
    TakeCall,
    WriteNote,
)
from telephony import requests
from telephony.events import FlowRequest, Note, Play, SaveScore, StopPlaying
from telephony.switchboard import asking, conference, dial, ending, recording, taking, voicemail, waiting
from telephony.switchboard.board import Board
from telephony.switchboard.call import Asked, Call

REJECTIONS: Final = {"busy": 486, "declined": 603, "unavailable": 480, "not_found": 404}
"""SIP's words for why a call is refused (RFC 3261 section 21)."""
WITH_THE_CALL: Final[Mapping[type[requests.Request], Callable[[Board, Call, Any, float], None]]] = {
    requests.DialOut: dial.dial,
    requests.TransferCall: dial.transfer,
    requests.JoinConference: conference.join,
    requests.TakeMessage: voicemail.take,
}
"""What is done with the call itself; the rest is asked of the world outside."""


def perform(board: Board, call: Call, actions: tuple[FlowAction, ...], now: float) -> None:
    """Do what a flow wants, in its order."""
    for action in actions:
        ACTS[type(action)](board, call, action, now)
    if call.state == "ended":
        return
    due = call.flow_state.due if call.flow_state is not None and call.is_in_flow else None
    if due is None:
        board.deadlines.cancel(call.id, "flow")
    else:
        board.deadlines.set(call.id, "flow", due)


def _play(board: Board, call: Call, action: PlayPrompts, _now: float) -> None:
    call.talk_ended_by = ""
    call.words = " ".join(prompt.value for prompt in action.prompts if prompt.kind in ("text", "file")) or call.words
    by_voice = action.by_voice
    playback = f"flow.{action.playback}"
    board.emit(Play(call.leg, playback, action.prompts, action.interruptible, action.loop, barge_in_by_voice=by_voice))


def _stop(board: Board, call: Call, action: StopPrompts, _now: float) -> None:
    board.emit(StopPlaying(call.leg, f"flow.{action.playback}"))


def _queue(board: Board, call: Call, action: EnterQueue, now: float) -> None:
    waiting.enter_queue(board, call, action, now)


def _leave_queue(board: Board, call: Call, _: LeaveQueue, now: float) -> None:
    waiting.leave_queue(board, call, now)


def _language(board: Board, call: Call, action: ChangeLanguage, _now: float) -> None:
    board.publish("call.language", call, language=action.language)


def _end(board: Board, call: Call, action: EndCall, now: float) -> None:
    # Where the flow has nothing to say after the talk, it was the agent who ended the call.
    ending.end(board, call, call.talk_ended_by or f"flow: {action.reason}", now)


def _take_call(board: Board, call: Call, _: TakeCall, now: float) -> None:
    taking.answer(board, call, now)


def _ring(_board: Board, _call: Call, _action: RingCaller, _now: float) -> None:
    """It rings already, since the INVITE came."""


def _reject(board: Board, call: Call, action: RejectCall, now: float) -> None:
    ending.end(board, call, f"flow: {action.reason}", now, status=REJECTIONS[action.reason])


def _note(board: Board, call: Call, action: WriteNote, _now: float) -> None:
    call.notes.append(action.text)
    board.emit(Note(call.id, "note", action.text))
    board.publish("call.noted", call, text=action.text)


def _record(board: Board, call: Call, action: ControlRecording, now: float) -> None:
    recording.control(board, call, action, now)


def _whisper(_board: Board, call: Call, action: SetWhisper, _now: float) -> None:
    call.whisper = action.prompts


def _hold(_board: Board, call: Call, action: SetHold, _now: float) -> None:
    call.hold = action.prompts


def _finish_message(board: Board, call: Call, _: FinishMessage, now: float) -> None:
    voicemail.finish(board, call, now)


def _keep_score(board: Board, call: Call, action: KeepScore, now: float) -> None:
    """An answer belongs to somebody; without them it is in the call's journal, and told to whoever listens."""
    if call.context.customer:
        score = SaveScore(
            call=call.id,
            number=action.number,
            customer=call.context.customer,
            survey=action.survey,
            score=action.score,
            language=call.language,
            flow=call.flow.name,
            case=call.case,
            at=now,
        )
        board.emit(score)
    else:
        board.emit(Note(call.id, "note", f"{action.survey} {action.score}, of nobody known"))
    board.publish("survey.answered", call, survey=action.survey, score=action.score)


def _ask(board: Board, call: Call, action: Ask, now: float) -> None:
    begin = WITH_THE_CALL.get(type(action.request))
    if begin is not None:
        call.asked = Asked(action.number, action.request)
        if call.state == "in_flow":
            begin(board, call, action.request, now)
        else:
            board.emit(Note(call.id, "failure", f"{requests.kind_of(action.request)} is not for a call that waits"))
            asking.answer(board, call, "failed")
    else:
        request = FlowRequest(
            call=call.id,
            number=action.number,
            request=action.request,
            timeout_s=action.timeout_s,
            flow=call.flow.name,
            language=call.language,
            ani=call.ani,
            dnis=call.dnis,
            customer=call.context.customer,
            case=call.case,
            candidates=call.may_be,
            queue=board.queue_of(call),
            since=call.queued_at if call.state in {"queued", "ringing"} else now,
        )
        board.emit(request)


ACTS: Final[Mapping[type[FlowAction], Callable[[Board, Call, Any, float], None]]] = {
    PlayPrompts: _play,
    StopPrompts: _stop,
    EnterQueue: _queue,
    LeaveQueue: _leave_queue,
    ChangeLanguage: _language,
    EndCall: _end,
    TakeCall: _take_call,
    RingCaller: _ring,
    RejectCall: _reject,
    WriteNote: _note,
    ControlRecording: _record,
    SetWhisper: _whisper,
    SetHold: _hold,
    KeepScore: _keep_score,
    FinishMessage: _finish_message,
    Ask: _ask,
}
