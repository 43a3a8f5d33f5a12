"""Opening hours: how they stand, and their emergency switches."""

from collections.abc import Mapping

from msgspec.structs import replace

from ivr_flows import calendar
from telephony.acd import QueueFacts
from telephony.events import HoursChanged, Publish
from telephony.switchboard.board import Board


def changed(board: Board, event: HoursChanged, _now: float) -> None:
    """A switch was turned. One of hours that are not in the settings, and what is older than what is known, is nothing.

    Running calls learn of it with the next step of their flow that asks.
    """
    known = board.emergencies.get(event.hours)
    if event.hours not in board.settings.hours or (known is not None and known.version >= event.version):
        return
    board.emergencies[event.hours] = event
    if event.emergency != (known is not None and known.emergency):
        board.emit(Publish("hours.changed", {"hours": event.hours, "emergency": event.emergency}))


def states(board: Board, now: float) -> Mapping[str, calendar.State]:
    """Return how each of the opening hours stands."""
    return calendar.states(board.settings.hours, emergencies(board), now)


def state(board: Board, hours: str, now: float) -> calendar.State:
    """Return how opening hours of the settings stand. Raises `KeyError` for others."""
    return calendar.state(board.settings.hours[hours], now, hours in emergencies(board))


def is_shut(board: Board, queue: str, now: float) -> bool:
    """Return whether nobody is there for a queue at this hour, by the opening hours that it keeps."""
    hours = board.settings.queue_hours.get(queue)
    return hours is not None and state(board, hours, now) != "open"


def queue_facts(board: Board, queue: str, now: float) -> QueueFacts:
    """Return a queue's facts; it is open in its hours alone."""
    facts = board.acd.queue_facts(queue, now)
    return replace(facts, open=False) if is_shut(board, queue, now) else facts


def emergencies(board: Board) -> frozenset[str]:
    """Return those whose emergency switch is on."""
    return frozenset(name for name, last in board.emergencies.items() if last.emergency)
