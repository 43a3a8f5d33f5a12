"""Whom the hotline listens to, and for what: a caller whose flow has put a question that may be answered by voice.

Rule 1: what is listened for belongs to one question (`Listening.place`). Where that changes, it begins anew, and what
was said to the question before answers nothing.

Rule 2: nobody listens where keys are secret, or may be for a moment yet (`telephony.switchboard.secret_keys`): who is
asked for a PIN may say it. A menu before such a question is listened to, though its keys are guarded already.

Rule 3: words count only while the media plane hears a voice. It knows what is played to the caller, so the echo of a
menu does not choose from it.
"""

from ivr_flows import step as flow_step
from ivr_flows.step import SpeechHeard, VoiceHeard
from telephony.events import (
    Listen,
    StopListening,
    UtteranceBegan,
    UtteranceDismissed,
    UtteranceRecognised,
    VoiceEnded,
    VoiceStarted,
)
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call, Listening


def follow(board: Board, call: Call) -> None:
    """Listen for what the call's flow waits for now; nothing where it is so already."""
    wanted = _wanted(call)
    if wanted == (None if call.listening is None else call.listening.command_and_place):
        return
    if wanted is None:
        stop(board, call)
        return
    command, place = wanted
    call.listening = Listening(command, place)
    board.listening.add(call.id)
    board.emit(command)


def stop(board: Board, call: Call) -> None:
    """Listen to a caller no more."""
    if call.listening is not None:
        call.listening = None
        board.listening.discard(call.id)
        board.emit(StopListening(call.id))


def tidy(board: Board) -> None:
    """Stop listening to callers whom no flow hears any more: their call is over, or somebody talks with them."""
    for name in list(board.listening):
        call = board.calls.get(name)
        if call is None:
            board.listening.discard(name)
            board.emit(StopListening(name))
        elif not call.takes_keys:
            stop(board, call)


def _wanted(call: Call) -> tuple[Listen, str] | None:
    state = call.flow_state
    if state is None or not call.takes_keys or call.step in call.secrecy.steps:
        return None
    if call.guarded and call.step not in call.secrecy.guarded:
        return None
    phrases = flow_step.expected_speech(call.flow, state)
    if phrases is None:
        return None
    language = flow_step.hearing_language(call.flow, state)
    # The same step again is another question.
    return Listen(call.id, call.leg, language, phrases), f"{call.step} {len(state.path)}"


def voice_started(board: Board, event: VoiceStarted, _now: float) -> None:
    """Somebody speaks, as the media plane hears it."""
    call = board.by_leg(event.leg)
    if call is not None and call.listening is not None and event.leg == call.leg:
        call.listening.voice_began(event.tick)
        _tell(board, call, call.listening)


def voice_ended(board: Board, event: VoiceEnded, _now: float) -> None:
    """Nobody speaks."""
    call = board.by_leg(event.leg)
    if call is not None and call.listening is not None and event.leg == call.leg:
        call.listening.voice_ended(event.tick)


def began(board: Board, event: UtteranceBegan, _now: float) -> None:
    """Something is said, as the recogniser hears it."""
    call = board.calls.get(event.call)
    if call is not None and call.listening is not None:
        call.listening.uttering = event.start
        _tell(board, call, call.listening)


def recognised(board: Board, event: UtteranceRecognised, _now: float) -> None:
    """It is understood. What was no voice answers nothing."""
    call = board.calls.get(event.call)
    if call is None or call.listening is None:
        return
    if call.listening.is_voice(event.start, event.end):
        board.tell_flow(call, SpeechHeard(event.text, event.confidence))
        call.listening.uttering, call.listening.told = None, False
    else:
        _dismiss(board, call, call.listening)


def dismissed(board: Board, event: UtteranceDismissed, _now: float) -> None:
    """It was nothing."""
    call = board.calls.get(event.call)
    if call is not None and call.listening is not None:
        _dismiss(board, call, call.listening)


def _tell(board: Board, call: Call, listening: Listening) -> None:
    """Tell the flow of somebody who speaks, once both know of it."""
    start = listening.uttering
    if start is not None and not listening.told and listening.is_voice(start):
        listening.told = True
        board.tell_flow(call, VoiceHeard(began=True))


def _dismiss(board: Board, call: Call, listening: Listening) -> None:
    if listening.told:
        board.tell_flow(call, VoiceHeard(began=False))
    listening.uttering, listening.told = None, False
