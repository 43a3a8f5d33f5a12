"""Opening hours in the switchboard: how they stand, and switches that are turned."""

from datetime import datetime
from zoneinfo import ZoneInfo

from ivr_flows.calendar import Calendar
from telephony import acd
from telephony.events import Command, HoursChanged, Publish
from telephony.switchboard import Switchboard, SwitchboardSettings, opening

MONDAY_10 = datetime(2026, 3, 2, 10, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp()
OFFICE = Calendar(week=(((480, 1050),),) * 7)


def switchboard() -> Switchboard:
    hours = {"office": OFFICE, "warehouse": Calendar()}
    return Switchboard(SwitchboardSettings({}, hours=hours), {}, acd.Acd({}, {}), lambda: "id")


def told(hours: str, emergency: bool) -> list[Command]:
    return [Publish("hours.changed", {"hours": hours, "emergency": emergency})]


def test_a_switch_is_turned_and_turned_back() -> None:
    board = switchboard()
    assert opening.states(board.board, MONDAY_10) == {"office": "open", "warehouse": "closed"}
    assert board.handle(HoursChanged("office", True, 1), MONDAY_10) == told("office", True)
    assert opening.states(board.board, MONDAY_10) == {"office": "emergency", "warehouse": "closed"}
    assert board.handle(HoursChanged("office", False, 2), MONDAY_10) == told("office", False)
    assert opening.states(board.board, MONDAY_10)["office"] == "open"


def test_what_was_read_before_the_last_turn_does_not_undo_it() -> None:
    board = switchboard()
    board.handle(HoursChanged("office", True, 4), MONDAY_10)
    for version in (3, 4):
        assert board.handle(HoursChanged("office", False, version), MONDAY_10) == []
    assert opening.emergencies(board.board) == {"office"}


def test_a_switch_that_stands_as_it_stood_is_told_to_nobody() -> None:
    board = switchboard()
    assert board.handle(HoursChanged("office", False, 2), MONDAY_10) == []
    assert board.handle(HoursChanged("office", False, 4), MONDAY_10) == []


def test_hours_that_are_in_no_settings_have_no_switch() -> None:
    board = switchboard()
    assert board.handle(HoursChanged("shop", True, 1), MONDAY_10) == []
    assert opening.emergencies(board.board) == frozenset()
