"""Opening hours: how they stand, and their emergency switches."""

from collections.abc import Mapping

from ivr_flows import calendar
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


def emergencies(board: Board) -> frozenset[str]:
    """Return those whose emergency switch is on."""
    return frozenset(name for name, last in board.emergencies.items() if last.emergency)
