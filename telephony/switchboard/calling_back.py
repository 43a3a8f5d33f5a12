"""An attempt to call somebody back: the agent's phone first, and once it is answered the customer, by the trunks.

Until the customer answers it is a call between two sides (`direct`), of which we called both; then it is a call like
any that an agent makes (`outbound`). The agent hears the customer's phone ring, or what the network says.
"""

from typing import Any, Final

from telephony import sdp
from telephony.acd import CallLeft, OfferAnswered, OfferCall, OfferDeclined, TalkEnded, WithdrawOffer
from telephony.acd.messages import DeclineCause
from telephony.clock import iso
from telephony.events import (
    CloseLeg,
    DialogAnswered,
    DialogEnded,
    DialogRinging,
    FindCaller,
    Hangup,
    Invite,
    Join,
    LegOpened,
    OpenLeg,
    Play,
    Prompt,
)
from telephony.switchboard import callbacks, declining, direct, early, encryption, outbound, outside, party
from telephony.switchboard.board import Board, context_body
from telephony.switchboard.callbacks import Booking
from telephony.switchboard.direct import RING_S, Direct
from telephony.switchboard.outbound import Outgoing
from telephony.switchboard.side import Side

RINGBACK: Final = (Prompt("tone", "ringback"),)
CALLED_BACK: Final = {"vi": "Gọi lại", "en": "Callback"}
"""What the agent's phone shows before the customer's name."""


def offer(board: Board, output: OfferCall, now: float) -> bool:
    """Ring the agent's phone for somebody who is to be called back; false where it is no such call."""
    booking = callbacks.of_call(board, output.call)
    if booking is None:
        return False
    callbacks.look(board, now)
    if not booking.queued or not _has_room(board, booking, now):
        board.tell_queues(CallLeft(output.call), now)
        return True
    asked = board.acd.agent(output.agent)
    if asked is None or (asked.state, asked.call) != ("ringing", output.call) or output.call in board.directs:
        return True  # the queues have decided otherwise by now, and what they say comes next
    kept, agent = booking.kept, output.agent
    booking.offers += 1
    name = f"{booking.call}.near{booking.offers}"
    near = Side(agent, name, name, int(now))
    far = outside.outsider(board, kept.number, agent, f"{booking.call}.far{booking.offers}", int(now))
    between = Direct(booking.call, near, far, booking=kept.id)
    language = booking.context.language or board.settings.language
    outgoing = Outgoing(booking.call, agent, far, language, now, outbound.OFFERED)
    outgoing.context, outgoing.queue, outgoing.note = booking.context, kept.queue, kept.note
    between.outgoing = outgoing
    board.directs[between.id] = between
    direct.index(board, between)
    board.call_of_dialog.pop(far.dialog)  # it has none before it is called
    board.lamps_due.add(agent)
    board.emit(
        FindCaller(between.id, far.number, False, "", dialled=True),
        OpenLeg(near.leg, board.kind_of(agent), offers=True),
        OpenLeg(far.leg, offers=True, beside=near.leg),
    )
    told = {"id": kept.id, "note": kept.note, "since": iso(kept.since), "attempts": kept.attempts}
    board.publish(
        "call.offered", outgoing.snapshot(), agent=agent, context=context_body(outgoing.context), callback=told
    )
    return True


def _has_room(board: Board, booking: Booking, now: float) -> bool:
    """Whether the customer may be called at this moment. Where not, the booking knows what follows."""
    refused = outside.why_not(board, booking.kept.number)
    if refused is not None and refused[0] != outside.UNAVAILABLE:
        callbacks.given_up(board, booking, refused[1], now)
        return False
    if refused is not None or len(board.calls) + len(board.directs) >= board.settings.max_calls:
        callbacks.paused(board, booking, now)
        return False
    return True


def leg_opened(board: Board, between: Direct, event: LegOpened) -> None:
    """Ring the agent's phone, and later the customer's, as soon as there is a socket for it."""
    side = between.near if event.leg == between.near.leg else between.far
    side.media = event
    if side is between.near and between.state == "opening":
        between.move("offered")
        _invite(board, between)
    elif side is between.far and between.state == "ringing":
        outside.call(board, side, between.id, party.spoken(between.near))


def _invite(board: Board, between: Direct) -> None:
    near, made = between.near, between.outgoing
    called = CALLED_BACK.get(board.settings.language, CALLED_BACK["en"])
    name = made.context.name if made is not None else ""
    text = party.offer(board, near, secure=encryption.offered_to(board, near.agent))
    shown = f"{called}: {name}" if name else called
    board.emit(Invite(near.dialog, near.agent, between.far.number, shown, text, between.id))


def ringing(board: Board, between: Direct, event: DialogRinging) -> None:
    """The agent's phone rings; or the customer's, and what is sent before it is answered is heard."""
    near, far = between.sides
    if event.dialog == near.dialog:
        between.rang = True
        board.lamps_due.add(near.agent)
        if between.outgoing is not None and between.state == "offering":
            board.publish("call.ringing", between.outgoing.snapshot())
        return
    if between.state == "ringing" and early.begins(board, far, event.sdp):
        between.is_early = True
        direct.stop_sound(board, near)
        board.emit(Join(near.leg, between.id), Join(far.leg, between.id))


def answered(board: Board, between: Direct, event: DialogAnswered, now: float) -> None:
    """The agent picked up: the customer is called. The customer did: the two are together."""
    if event.dialog == between.near.dialog and between.state == "offering":
        _agent_answered(board, between, event, now)
    elif event.dialog == between.far.dialog and between.state == "ringing":
        _customer_answered(board, between, event, now)


def _agent_answered(board: Board, between: Direct, event: DialogAnswered, now: float) -> None:
    near, far = between.sides
    booking = board.bookings[between.booking]
    try:
        party.accept(near, event.sdp)
    except sdp.SdpError:
        decline(board, between, "failed", now)
        return
    between.move("accepted")
    board.tell_queues(OfferAnswered(between.id, near.agent), now)
    board.lamps_due.add(near.agent)
    callbacks.dialled(board, booking)
    if between.outgoing is not None:
        outbound.dialled(board, between.outgoing, now)
    board.deadlines.set(between.id, "ring", now + RING_S)
    between.playbacks += 1
    near.sound = f"direct.{between.playbacks}"
    board.emit(party.connection(near), Play(near.leg, near.sound, RINGBACK, barge_in=False, loop=True))
    if far.media is not None:
        outside.call(board, far, between.id, party.spoken(near))


def _customer_answered(board: Board, between: Direct, event: DialogAnswered, now: float) -> None:
    near, far = between.sides
    try:
        party.accept(far, event.sdp)
    except sdp.SdpError:
        end(board, between, now, status=488)
        return
    between.move("reached")
    direct.stop_sound(board, near)
    board.emit(party.connection(far))
    if not far.heard:
        board.emit(Join(near.leg, between.id), Join(far.leg, between.id))
    direct.forget(board, between)
    direct.index(board, between)
    board.deadlines.set(between.id, "max_call", now + board.settings.max_call_s)
    callbacks.reached(board, board.bookings[between.booking], now)
    if between.outgoing is not None:
        outbound.answered(board, between.outgoing, near, far, now)


def dialog_ended(board: Board, between: Direct, event: DialogEnded, now: float) -> None:
    """The agent does not take it, or hangs up; or the customer cannot be reached."""
    near, far = between.sides
    if event.dialog == near.dialog and between.state == "offering":
        if encryption.is_to_be_offered_again(board, near, near.agent, event):
            _invite(board, between)
        else:
            decline(board, between, declining.cause_of(event), now, gone=near.dialog)
        return
    if event.dialog == far.dialog and outside.call_again(board, far, between.id, event, party.spoken(near)):
        return
    status, by = direct.why_over(between, event)
    end(board, between, now, status=status, gone=event.dialog, by=by)


def decline(board: Board, between: Direct, cause: DeclineCause, now: float, *, gone: str = "") -> None:
    """This agent does not take it: it waits on, in its place."""
    _drop(board, between, gone)
    _offer_ended(board, between, cause)
    board.tell_queues(OfferDeclined(between.id, between.near.agent, cause), now)


def withdrawn(board: Board, output: WithdrawOffer) -> None:
    """The agent's phone is to ring no more."""
    between = board.directs.get(output.call)
    if between is not None and between.near.agent == output.agent and between.state in ("opening", "offering"):
        _drop(board, between)
        _offer_ended(board, between, output.cause)


def _offer_ended(board: Board, between: Direct, cause: str) -> None:
    if between.outgoing is not None:
        board.publish("call.offer_ended", between.outgoing.snapshot(), agent=between.near.agent, cause=cause)


def end(board: Board, between: Direct, now: float, *, status: int = 480, gone: str = "", by: str = "") -> None:
    """End an attempt, whatever it has come to; as `direct.end`."""
    if between.state in ("opening", "offering"):
        decline(board, between, "rejected" if by else "failed", now, gone=gone)
        return
    if between.state != "ringing":
        return
    _drop(board, between, gone)
    board.tell_queues(TalkEnded(between.id, between.near.agent), now)
    cause = by or f"not reached: {status}"
    if between.outgoing is not None:
        outbound.ended(board, between.outgoing, cause, now)
    callbacks.unreached(board, board.bookings[between.booking], cause, now)


def _drop(board: Board, between: Direct, gone: str = "") -> None:
    """Let go of both sides."""
    for side in between.sides:
        if side.dialog != gone and board.call_of_dialog.get(side.dialog) == between.id:
            board.emit(Hangup(side.dialog))
        board.emit(CloseLeg(side.leg))
    between.move("ended")
    direct.forget(board, between)


def end_direct(board: Board, between: Direct, now: float, **more: Any) -> None:
    """End a call between two sides, of whichever kind it is."""
    (end if between.booking else direct.end)(board, between, now, **more)
