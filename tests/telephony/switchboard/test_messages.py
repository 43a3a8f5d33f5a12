"""What a flow sends a caller."""

from pathlib import Path

import pytest

from telephony.events import DigitPressed, FlowAnswered, FlowRequest, Play
from telephony.requests import SendMessage
from tests.telephony.switchboard.room import FLOW, Room

SENDING = FLOW.replace(
    '    set: {case: "caller.open_cases[0].id"}\n    next: agent',
    '    set: {case: "caller.open_cases[0].id"}\n    next: send',
)
SENDING += """
  send:
    notify: {channel: email, text: {en: "Hello {{ caller.name }}"}, subject: {en: Order}}
    next: bye
    failed: unsent
  unsent:
    hangup: {en: It could not be sent.}
"""


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, flow=SENDING)


def test_it_goes_to_whoever_calls_with_the_case_of_the_call(room: Room) -> None:
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "2", "rfc4733", 0))
    asked = room.last(FlowRequest)
    known = room.switchboard.calls()[0].context
    assert (asked.call, asked.customer, asked.case) == (call, known.customer, known.open_cases[0].id)
    assert (asked.flow, asked.language) == ("main", "en")
    assert asked.request == SendMessage("email", f"Hello {known.name}", "Order")


def test_a_caller_hears_whether_it_went_out(room: Room) -> None:
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "2", "rfc4733", 0))
    room.happened(FlowAnswered(call, room.last(FlowRequest).number, "failed"))
    assert [prompt.value for prompt in room.last(Play).prompts] == ["It could not be sent."]
