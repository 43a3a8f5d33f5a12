"""What of a call is recorded: its talks, unless its flow says otherwise.

Rule 1: from a flow's `start` on everything is recorded, what the caller says to the flow as well as the talks that
follow, in one recording that ends with the call. From its `stop` on nothing is, no talk either, until the next `start`.

Rule 2: a flow's `pause` holds until its `resume`, through queues and whatever it dials (a payment line); what begins
to be recorded meanwhile begins silent. An agent who talks to the caller may end it, as any pause.

Rule 3: who agreed to be recorded is on record with the words that were said last, and, where the recording was running
already, with the piece of it in which the answer can be heard.
"""

from typing import Final

from ivr_flows.state import ControlRecording
from telephony.events import Note, Record, SaveConsent
from telephony.switchboard import ending, recording_pause
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

PROOF_S: Final = 15.0
"""So much before a consent is its proof: the question, and the answer."""
AUDIBLE_S: Final = 1.0
"""A recording that is shorter proves nothing."""


def is_running(board: Board, call: Call) -> bool:
    """Whether the call is being recorded, if only in silence."""
    return call.recording in board.open_recordings and call.recording not in board.stopping


def begin(board: Board, call: Call, now: float) -> None:
    """Record from now on, in the recording that runs already where one does; nothing where the flow wants none."""
    if call.recorded == "nothing" or is_running(board, call):
        return
    call.recording, call.recording_at = board.new_id(), now
    board.open_recordings[call.recording] = (call.id, call.language)
    channels = board.settings.record_channels
    board.emit(Record(call.recording, call.id, call.leg, call.context.customer, call.language, channels))
    if call.hushed:
        recording_pause.begin(board, call, now)


def talk_over(board: Board, call: Call) -> None:
    """A talk is over, and the call goes on in its flow."""
    if call.recorded != "all":
        ending.stop_recording(board, call)
    else:
        recording_pause.over(board, call)


def control(board: Board, call: Call, action: ControlRecording, now: float) -> None:
    """Do what a flow says of the recording."""
    if action.consent:
        _note_consent(board, call, now)
    match action.deed:
        case "start":
            call.recorded = "all"
            begin(board, call, now)
        case "stop":
            call.recorded, call.hushed = "nothing", False
            ending.stop_recording(board, call)
        case "pause":
            call.hushed = True
            if is_running(board, call):
                recording_pause.begin(board, call, now)
        case "resume":
            call.hushed = False
            recording_pause.over(board, call)
    board.save(call)


def _note_consent(board: Board, call: Call, now: float) -> None:
    """Keep that the caller agreed. Whose number is only claimed, or not known, agrees for nobody."""
    if not call.context.customer or call.context.assurance < 1:
        board.emit(Note(call.id, "failure", "a consent is not kept: nobody is known whose it could be"))
        return
    since, until = _proof(board, call, now)
    consent = SaveConsent(
        call=call.id,
        customer=call.context.customer,
        purpose="recording",
        at=now,
        notice=call.words,
        notice_version=call.flow.version[:64],
        flow=call.flow.name,
        recording=call.recording if until else "",
        since=since,
        until=until,
    )
    board.emit(consent)


def _proof(board: Board, call: Call, now: float) -> tuple[float, float]:
    """Return from when to when the consent can be heard, in seconds from the recording's start; (0, 0) for nowhere."""
    until = now - call.recording_at
    if not is_running(board, call) or call.paused_at or until < AUDIBLE_S:
        return 0.0, 0.0
    return max(0.0, until - PROOF_S), until
