"""Opening hours in the switchboard: how they stand, and switches that are turned."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ivr_flows.calendar import Calendar
from telephony import acd
from telephony.events import Command, DigitPressed, HoursChanged, Note, Play, PromptFinished, Publish
from telephony.switchboard import Switchboard, SwitchboardSettings, opening
from tests.telephony.switchboard.room import Room

MONDAY_10 = datetime(2026, 3, 2, 10, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp()
OFFICE = Calendar(week=(((480, 1050),),) * 7)
FLOW = """
flow: main
languages: [en]
start: greeting
steps:
  greeting: {say: {en: Hello.}, next: there}
  there: {hours: office, open: talk, closed: bye, holiday: bye, emergency: flooded}
  talk: {say: {en: "We are {{ hours('office') }}."}, next: bye}
  flooded: {hangup: {en: "The office is under water."}}
  bye: {hangup: {en: Goodbye.}}
"""


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


def test_running_calls_learn_of_an_emergency_with_their_next_step(tmp_path: Path) -> None:
    room = Room(tmp_path, flow=FLOW, hours={"office": Calendar(week=(((0, 1440),),) * 7)})
    for emergency, path in ((False, ["greeting", "there", "talk"]), (True, ["greeting", "there", "flooded"])):
        call = room.in_menu(f"d{emergency:d}")
        room.happened(HoursChanged("office", emergency, 1 + emergency))
        room.happened(PromptFinished(f"{call}.caller", "flow.1", "finished", 0))
        steps = [note.text for note in room.said(Note) if note.call == call and note.about == "step"]
        assert steps == path


def test_a_queue_is_open_in_its_hours_and_keeps_who_waits_already(tmp_path: Path) -> None:
    always = Calendar(week=(((0, 1440),),) * 7)
    room = Room(tmp_path, hours={"office": always}, queue_hours={"care": "office"})
    waiting, late = room.in_menu("d1"), room.in_menu("d2")
    room.happened(DigitPressed(f"{waiting}.caller", "1", "rfc4733", 0))
    assert room.switchboard.queue_facts("care", room.now).open
    room.happened(HoursChanged("office", True, 1))
    assert not room.switchboard.queue_facts("care", room.now).open
    room.happened(DigitPressed(f"{late}.caller", "1", "rfc4733", 0))
    assert [prompt.value for prompt in room.last(Play).prompts] == ["Nobody is free."]
    assert {call.id: call.state for call in room.switchboard.calls()} == {waiting: "queued", late: "in_flow"}
    room.happened(HoursChanged("office", False, 2))
    assert room.switchboard.queue_facts("care", room.now).open
