"""From INVITE to the flow's first step: the caller is found and a leg opened at once, then the call is answered."""

from typing import Final

from ivr_flows.step import answers_itself
from telephony import sdp
from telephony.events import (
    CallerFound,
    DialogConfirmed,
    FindCaller,
    InviteReceived,
    LegOpened,
    LegRefused,
    OpenLeg,
    Reject,
    Ring,
)
from telephony.switchboard import direct, ending, outbound, outside, party, pickup, self_service, taking, talk, transfer
from telephony.switchboard.board import ANY_NUMBER, Board
from telephony.switchboard.call import Call

ARRIVALS_S: Final = 10.0
ARRIVALS_PER_CALL: Final = 2
ARRIVALS_SPARE: Final = 20
"""In `ARRIVALS_S` so many calls are taken: twice those that may be there at once, and these. So many are of our users
and trunks, and as many of strangers, however many addresses they have: a flood of theirs holds up nobody we know."""


def invited(board: Board, event: InviteReceived, now: float) -> None:
    """Take the call, or refuse it with the status that is due."""
    if event.replaces:
        transfer.pulled(board, event, now)
        return
    flow_name = board.settings.numbers.get(event.dnis) or board.settings.numbers.get(ANY_NUMBER)
    is_wanted = bool(event.user) or flow_name in board.flows  # else nothing is taken
    if not _has_room(board, event) or (is_wanted and not _admitted(board, event, now)):
        board.emit(Reject(event.dialog, 503, "Service Unavailable"))
    elif event.user and transfer.is_agent(board, event.dnis):
        direct.invited(board, event, now)
    elif event.user and board.settings.trunks and event.dnis not in board.settings.numbers:
        direct.dialled(board, event, now)
    elif flow_name is None or flow_name not in board.flows:
        board.emit(Reject(event.dialog, 404, "Not Found"))
    else:
        _take(board, event, flow_name, now)


def _has_room(board: Board, event: InviteReceived) -> bool:
    """Whether one more call may be had, of this trunk and in all."""
    if board.draining or len(board.calls) + len(board.directs) >= board.settings.max_calls:
        return False
    return not (event.trunk and outside.is_full(board, event.trunk))


def _admitted(board: Board, event: InviteReceived, now: float) -> bool:
    """Whether one more call may be taken now: each leaves rows, a journal and perhaps a profile, and whoever cancels at
    once could make thousands a second, from forged addresses, without ever reaching `max_calls`."""
    most = ARRIVALS_SPARE + ARRIVALS_PER_CALL * board.settings.max_calls
    is_ours = bool(event.user or event.trunk)
    level, at = board.arrivals.get(is_ours, (0.0, now))
    level = max(0.0, level - (now - at) * most / ARRIVALS_S)
    if level + 1 > most:
        return False
    board.arrivals[is_ours] = level + 1, now
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
        trunk=event.trunk,
    )
    board.calls[call.id] = call
    board.call_of_dialog[call.dialog] = call.id
    board.call_of_leg[call.leg] = call.id
    board.deadlines.set(call.id, "find_caller", now + board.settings.find_caller_s)
    board.deadlines.set(call.id, "answer", now + board.settings.answer_s)
    board.deadlines.set(call.id, "max_call", now + board.settings.max_call_s)
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
        outbound.caller_found(board, event)
        return
    call.found = True
    call.context = event.context
    if call.direction == "outbound":
        call.flow = outbound.flow_in(event.context.language or call.language)
    else:
        call.ani = event.ani
    board.deadlines.cancel(call.id, "find_caller")
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
    if answers_itself(call.flow):
        if call.flow_state is None:
            board.deadlines.cancel(call.id, "answer")
            self_service.begin(board, call, now)
        return
    taking.answer(board, call, now)


def unanswered(board: Board, call: Call, now: float) -> None:
    """The media worker has not said a word: the caller shall not ring for ever, but try elsewhere."""
    if call.state == "arriving":
        ending.end(board, call, "no media: the media worker does not answer", now, status=503)


def confirmed(board: Board, event: DialogConfirmed, now: float) -> None:
    """The caller hears us: the flow begins, a moment later, since phones swallow the first of what they hear."""
    between, call = board.direct_by_dialog(event.dialog), board.by_dialog(event.dialog)
    if between is not None:
        direct.confirmed(board, between, event, now)
    if call is not None and event.dialog != call.dialog:
        if pickup.is_taken(call):
            pickup.connected(board, call, now)
        else:
            talk.taken_over(board, call)
    elif call is not None and call.state == "answering":
        _begin(board, call, event, now)


def _begin(board: Board, call: Call, event: DialogConfirmed, now: float) -> None:
    if call.agreed is None:
        try:
            party.accept(call, event.sdp)
        except sdp.SdpError as error:
            ending.end(board, call, f"no common media: {error}", now)
            return
    board.emit(party.connection(call))
    call.move("confirmed")
    board.deadlines.set(call.id, "greet", now + board.settings.greet_after_s)
