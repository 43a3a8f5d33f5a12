"""From INVITE to the flow's first step: the caller is found and a leg opened at once, then the call is answered."""

from typing import Final

from telephony import sdp
from telephony.events import (
    Answer,
    CallerFound,
    ConnectLeg,
    DialogConfirmed,
    FindCaller,
    InviteReceived,
    LegOpened,
    LegRefused,
    OpenLeg,
    Reject,
    Ring,
)
from telephony.switchboard import ending
from telephony.switchboard.board import ANY_NUMBER, Board
from telephony.switchboard.call import Call

ARRIVALS_S: Final = 10.0
ARRIVALS_PER_CALL: Final = 2
ARRIVALS_SPARE: Final = 20
"""In `ARRIVALS_S` so many calls are taken: twice those that may be there at once, and these."""


def invited(board: Board, event: InviteReceived, now: float) -> None:
    """Take the call, or refuse it with the status that is due."""
    flow_name = board.settings.numbers.get(event.dnis) or board.settings.numbers.get(ANY_NUMBER)
    if board.draining or len(board.calls) >= board.settings.max_calls or not _admitted(board, now):
        board.emit(Reject(event.dialog, 503, "Service Unavailable"))
    elif flow_name is None or flow_name not in board.flows:
        board.emit(Reject(event.dialog, 404, "Not Found"))
    elif not event.sdp:
        board.emit(Reject(event.dialog, 488, "Not Acceptable Here"))
    else:
        _take(board, event, flow_name, now)


def _admitted(board: Board, now: float) -> bool:
    """Whether one more call may be taken now: each leaves rows, a journal and perhaps a profile, and whoever cancels at
    once could make thousands a second, from forged addresses, without ever reaching `max_calls`."""
    most = ARRIVALS_SPARE + ARRIVALS_PER_CALL * board.settings.max_calls
    level = max(0.0, board.arrivals - (now - board.arrived_at) * most / ARRIVALS_S)
    if level + 1 > most:
        return False
    board.arrivals, board.arrived_at = level + 1, now
    return True


def _take(board: Board, event: InviteReceived, flow_name: str, now: float) -> None:
    identity = board.new_id()
    call = Call(
        id=identity,
        dialog=event.dialog,
        leg=f"{identity}.caller",
        offer=event.sdp,
        number="" if event.withheld else event.number,
        dnis=event.dnis,
        flow=board.flows[flow_name],
        started_at=now,
        claimed=event.claimed,
    )
    board.calls[call.id] = call
    board.call_of_dialog[call.dialog] = call.id
    board.call_of_leg[call.leg] = call.id
    board.deadlines.put((call.id, "find_caller"), now + board.settings.find_caller_s)
    board.deadlines.put((call.id, "answer"), now + board.settings.answer_s)
    board.deadlines.put((call.id, "max_call"), now + board.settings.max_call_s)
    board.emit(
        Ring(call.dialog),
        OpenLeg(call.leg, "webrtc" if sdp.is_webrtc(event.sdp) else "rtp"),
        FindCaller(call.id, call.number, event.withheld, "" if event.withheld else event.display_name, event.claimed),
    )
    board.save(call)
    board.publish("call.arrived", call)


def leg_opened(board: Board, call: Call, event: LegOpened, now: float) -> None:
    """Keep the caller's media address and answer if the rest is there."""
    call.media = event
    answer_when_ready(board, call, now)


def leg_refused(board: Board, call: Call, event: LegRefused, now: float) -> None:
    """No media, no call."""
    ending.end(board, call, f"no media: {event.cause}", now, status=503)


def caller_found(board: Board, event: CallerFound, now: float) -> None:
    """Know who calls. An answer that comes too late for the greeting still puts the call on the right timeline."""
    call = board.calls.get(event.call)
    if call is None:
        return
    call.found = True
    call.ani, call.context = event.ani, event.context
    board.deadlines.put((call.id, "find_caller"), None)
    if call.state == "arriving":
        answer_when_ready(board, call, now)
    else:
        board.save(call)
        board.publish("call.caller_found", call)


def answer_when_ready(board: Board, call: Call, now: float) -> None:
    """Answer once the leg is open and the caller is known, or has been waited for long enough.

    A slow customer profile never keeps a caller ringing: then the greeting is a general one.
    """
    waited = now >= call.started_at + board.settings.find_caller_s
    if call.state != "arriving" or call.media is None or not (call.found or waited):
        return
    try:
        agreed = sdp.answer(call.offer, board.capabilities(call, call.media))
    except sdp.SdpError as error:
        ending.end(board, call, f"no common media: {error}", now, status=488)
        return
    call.agreed = agreed
    call.answered_at = now
    call.move("answered")
    board.deadlines.put((call.id, "answer"), None)
    # Heard from now on, spoken to from the ACK on: an INVITE alone, its source forged, must not aim a stream at anyone.
    # A browser has to prove itself by ICE before that.
    board.emit(connection(call.leg, agreed, nowhere=True), Answer(call.dialog, agreed.sdp))
    board.save(call)
    board.publish("call.answered", call)


def connection(leg: str, agreed: sdp.Negotiated, *, nowhere: bool = False) -> ConnectLeg:
    """Return the command that connects a leg as agreed; `nowhere`: it is heard, and not spoken to yet."""
    return ConnectLeg(
        leg,
        sdp.NOWHERE if nowhere else agreed.address,
        0 if nowhere else agreed.port,
        agreed.payload_type,
        agreed.telephone_event,
        agreed.codec,
        agreed.webrtc,
    )


def unanswered(board: Board, call: Call, now: float) -> None:
    """The media worker has not said a word: the caller shall not ring for ever, but try elsewhere."""
    if call.state == "arriving":
        ending.end(board, call, "no media: the media worker does not answer", now, status=503)


def confirmed(board: Board, event: DialogConfirmed, now: float) -> None:
    """The caller hears us: the flow begins, a moment later, since phones swallow the first of what they hear."""
    call = board.by_dialog(event.dialog)
    if call is not None and call.state == "answering" and call.agreed is not None:
        board.emit(connection(call.leg, call.agreed))
        call.move("confirmed")
        board.deadlines.put((call.id, "greet"), now + board.settings.greet_after_s)
