"""Callers who are called back: bookings, from the promise to the talk.

Rule 1: a booking's state changes through `BOOKING` alone, and each change is a row and told.
Rule 2: it waits in the queues as a call does, in the place that its caller had (`since`), while it may be offered: its
person is in no other call, its hours are open, the pause after an attempt is over, and calls are taken at all. Else it
rests outside of the queues, and its place is kept.
Rule 3: an attempt is a call of its own, named from the moment at which it may be offered. It begins when an agent has
taken it (`telephony.switchboard.calling_back`); an agent who does not take it is no attempt.
Rule 4: who talks with an agent of the queue meanwhile, having called in or been called, has been called back.
"""

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec.structs import replace

from ivr_flows import calendar
from telephony.acd import CallLeft, CallQueued
from telephony.clock import iso, iso_or_none
from telephony.events import (
    CallbackBooked,
    CallbackCancelled,
    CallbackSnapshot,
    CallbackState,
    CallerContext,
    CallSnapshot,
    Event,
    HoursChanged,
    Note,
    Publish,
    SaveCall,
    SaveCallback,
)
from telephony.switchboard import opening, outbound
from telephony.switchboard.board import Board
from telephony.switchboard.call import TALKS

BookingInput = Literal["dialled", "reached", "unreached", "given_up", "talked", "cancelled"]

BOOKING: Final[dict[tuple[CallbackState, BookingInput], CallbackState]] = {
    ("booked", "dialled"): "calling",
    ("calling", "reached"): "done",
    ("calling", "unreached"): "booked",
    ("calling", "given_up"): "failed",
    ("calling", "talked"): "done",
    ("booked", "talked"): "done",
    ("booked", "given_up"): "failed",
    ("booked", "cancelled"): "cancelled",
}
OPEN: Final[frozenset[CallbackState]] = frozenset({"booked", "calling"})

BUSY_PAUSE_S: Final = 30.0
"""So long nobody is offered a call back for which there is no room now, on the trunks or at all."""
EXPIRED: Final = "nobody was reached in time"
INTERRUPTED: Final = "the server stopped"
TALKED: Final = "the customer talked with an agent meanwhile"


@dataclass(slots=True)
class Booking:
    """A promise: `kept` is its row. `call` is the name of its next attempt, under which it waits while `queued`."""

    kept: CallbackSnapshot
    call: str
    queued: bool = False
    offers: int = 0
    paused_until: float = 0.0
    talked: bool = False
    """Whether its person talked with an agent of the queue while being called."""
    context: CallerContext = field(default_factory=CallerContext)

    def take(self, occurrence: BookingInput, cause: str = "", now: float = 0.0) -> None:
        """Go where the table says. Raises `KeyError` for an input that the state does not know."""
        state = BOOKING[self.kept.state, occurrence]
        self.kept = replace(self.kept, state=state, cause=cause, ended_at=0.0 if state in OPEN else now)


def body(callback: CallbackSnapshot) -> dict[str, object]:
    """Return a callback as listeners are told of it, and the API shows it."""
    return {
        "id": callback.id,
        "state": callback.state,
        "queue": callback.queue,
        "number": callback.number,
        "customer": callback.customer or None,
        "note": callback.note,
        "since": iso(callback.since),
        "attempts": callback.attempts,
        "next_at": iso_or_none(callback.next_at or None),
        "created_at": iso(callback.created_at),
        "ended_at": iso_or_none(callback.ended_at or None),
        "call": callback.call or None,
        "last_call": callback.last_call or None,
        "cause": callback.cause,
    }


def of_call(board: Board, call: str) -> Booking | None:
    """Return the booking whose next attempt has this name."""
    return next((each for each in board.bookings.values() if each.call == call), None)


# ------------------------------------------------------------------------------------------------ events


def booked(board: Board, event: CallbackBooked, now: float) -> None:
    """Keep a promise. An attempt that a stop of the server cut was one: the customer's phone may have rung."""
    kept = event.callback
    if kept.id in board.bookings or kept.state not in OPEN:
        return
    booking = Booking(kept, kept.id if not kept.attempts else board.new_id())
    board.bookings[kept.id] = booking
    call = board.calls.get(kept.call)
    if call is not None:
        booking.context = call.context
        call.notes.append(noted := f"to be called back, from the place in the queue {kept.queue}")
        board.emit(Note(call.id, "note", noted))
    if kept.state == "calling":
        booking.take("unreached", INTERRUPTED)
        _save(board, booking)
    elif not event.restored:
        board.emit(_told(booking))
    if call is not None and call.state in TALKS and call.queue == kept.queue:
        _has_talked(board, booking, now)  # an agent was there before the row was
    look(board, now)


def cancelled(board: Board, event: CallbackCancelled, now: float) -> None:
    """Take a promise back, unless the customer is being called."""
    booking = board.bookings.get(event.callback)
    if booking is not None and booking.kept.state == "booked":
        _rest(board, booking, now)
        _finish(board, booking, "cancelled", f"by {event.by}", now)


def is_concerned(board: Board, event: Event, now: float) -> bool:
    """Whether an event may have changed what is to be done about bookings: a call came, talks or ended; time passed."""
    if not board.bookings:
        return False
    return now >= board.look_at or isinstance(event, HoursChanged) or any(_saved_calls(board))


def look(board: Board, now: float) -> None:
    """Have every booking wait in the queues that may, and those rest that may not."""
    talks = [call for call in _saved_calls(board) if call.state == "talking"]
    opens_at, in_calls, look_at = _opens_at(board, now), _in_calls(board), math.inf
    for booking in list(board.bookings.values()):
        if any(_is_talk_of(board, booking, call) for call in talks):
            _has_talked(board, booking, now)
        if booking.kept.id in board.bookings:
            free_from = math.inf if in_calls & _names(booking) else opens_at
            look_at = min(look_at, _place(board, booking, free_from, now))
    board.look_at = look_at


def _saved_calls(board: Board) -> list[CallSnapshot]:
    """The calls that the event in hand has changed."""
    return [each.call for each in board.commands if isinstance(each, SaveCall)]


def _place(board: Board, booking: Booking, free_from: float, now: float) -> float:
    """Put a booking where it belongs, its customer being free from some instant on; return when to look at it again."""
    kept = booking.kept
    if kept.state == "calling":
        return math.inf
    expires_at = kept.created_at + board.settings.callbacks.expire_s
    if now >= expires_at:
        _rest(board, booking, now)
        _finish(board, booking, "given_up", EXPIRED, now)
        return math.inf
    rests_until = max(kept.next_at, booking.paused_until, free_from)
    if rests_until > now:
        _rest(board, booking, now)
        return min(rests_until, expires_at)
    if not booking.queued:
        booking.queued = True
        waits = CallQueued(booking.call, kept.queue, math.inf, waiting_since=kept.since, promised=True)
        board.tell_queues(waits, now)
    return expires_at


def _opens_at(board: Board, now: float) -> float:
    """When customers may be called, as far as anybody knows: now, later, or when something happens (infinity)."""
    if board.draining:
        return math.inf
    hours = board.settings.callbacks.hours
    if not hours or (state := opening.state(board, hours, now)) == "open":
        return now
    opens = None if state == "emergency" else calendar.opens_next(board.settings.hours[hours], now)
    return math.inf if opens is None else opens


def _rest(board: Board, booking: Booking, now: float) -> None:
    if booking.queued:
        booking.queued = False
        board.tell_queues(CallLeft(booking.call), now)


# ------------------------------------------------------------------------------------ of whom a call is


def _names(booking: Booking) -> set[str]:
    """By what the person is known: the number, and the ids of its profile."""
    return {booking.kept.number, booking.kept.customer, booking.context.customer} - {""}


def _in_calls(board: Board) -> set[str]:
    """Who is in a call with us, or is being called: numbers, and ids of profiles. Who is only offered is not yet."""
    made = [between.outgoing for between in board.directs.values() if between.outgoing is not None]
    called = [each for each in made if each.state != outbound.OFFERED]
    numbers = {call.customer_number for call in board.calls.values()} | {each.far.number for each in called}
    profiles = {call.context.customer for call in board.calls.values()} | {each.context.customer for each in called}
    return (numbers | profiles) - {""}


def _is_talk_of(board: Board, booking: Booking, call: CallSnapshot) -> bool:
    """Whether a call of the person's is one with an agent of the queue."""
    if not {call.customer_number, call.customer} & _names(booking):
        return False
    queue = booking.kept.queue
    return call.queue == queue or (call.direction == "outbound" and board.acd.serves(call.agent, queue))


def _has_talked(board: Board, booking: Booking, now: float) -> None:
    if booking.kept.state == "calling":
        booking.talked = True
        return
    _rest(board, booking, now)
    _finish(board, booking, "talked", TALKED, now)


# ------------------------------------------------------------------------------------ what becomes of an attempt


def paused(board: Board, booking: Booking, now: float) -> None:
    """There is no room for a call now: another moment."""
    booking.paused_until = now + BUSY_PAUSE_S
    look(board, now)


def given_up(board: Board, booking: Booking, cause: str, now: float) -> None:
    """The customer cannot be called: the number may not be dialled any more, there is no such queue."""
    _rest(board, booking, now)
    _finish(board, booking, "given_up", cause, now)


def dialled(board: Board, booking: Booking) -> None:
    """An agent has taken it, and the customer is being called."""
    booking.queued = False
    booking.take("dialled")
    booking.kept = replace(booking.kept, attempts=booking.kept.attempts + 1, last_call=booking.call, next_at=0.0)
    _save(board, booking)


def reached(board: Board, booking: Booking, now: float) -> None:
    """Customer and agent talk."""
    _finish(board, booking, "reached", "", now)


def unreached(board: Board, booking: Booking, cause: str, now: float) -> None:
    """Nobody answered: again after a pause, as often as the settings say."""
    rules = board.settings.callbacks
    if booking.talked:
        _finish(board, booking, "talked", TALKED, now)
    elif booking.kept.attempts > rules.retries:
        _finish(board, booking, "given_up", cause, now)
    else:
        booking.take("unreached", cause)
        booking.kept = replace(booking.kept, next_at=now + rules.retry_after_s)
        booking.call = board.new_id()
        _save(board, booking)
    look(board, now)


def _finish(board: Board, booking: Booking, occurrence: BookingInput, cause: str, now: float) -> None:
    booking.take(occurrence, cause, now)
    del board.bookings[booking.kept.id]
    _save(board, booking)


def _save(board: Board, booking: Booking) -> None:
    board.emit(SaveCallback(booking.kept), _told(booking))


def _told(booking: Booking) -> Publish:
    return Publish("callback.changed", {"callback": body(booking.kept)})
