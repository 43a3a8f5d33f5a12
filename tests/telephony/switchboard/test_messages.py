"""What a flow sends a caller."""

from pathlib import Path

import pytest

from telephony.events import CallerContext, CallerFound, DialogConfirmed, DigitPressed, Note, SendMessage
from tests.telephony.switchboard.room import FLOW, Room

SENDING = FLOW.replace(
    '    set: {case: "caller.open_cases[0].id"}\n    next: agent',
    '    set: {case: "caller.open_cases[0].id"}\n    next: send',
).replace(
    "        9: {next: bye}",
    "        7: {next: send}\n        9: {next: bye}",
)
SENDING += """
  send:
    notify: {channel: email, text: {en: "Hello {{ caller.name }}"}, subject: {en: Order}}
    next: bye
"""


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, flow=SENDING)


def test_it_goes_to_whoever_calls_with_the_case_of_the_call(room: Room) -> None:
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "2", "rfc4733", 0))
    (sent,) = room.said(SendMessage)
    known = room.switchboard.calls()[0].context
    assert (sent.call, sent.customer, sent.case) == (call, known.customer, known.open_cases[0].id)
    assert (sent.flow, sent.channel, sent.language, sent.subject) == ("main", "email", "en", "Order")
    assert sent.text == f"Hello {known.name}"
    assert sent.number == 3


def test_of_somebody_whom_nobody_knows_the_journal_says_that_nothing_was_sent(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.happened(CallerFound(call, "", CallerContext()))
    room.happened(DialogConfirmed("d1"))
    room.wait(0.3)
    room.happened(DigitPressed(f"{call}.caller", "7", "rfc4733", 0))
    assert room.said(SendMessage) == []
    assert Note(call, "failure", "a message is not sent: nobody is known whom it could go to") in room.said(Note)
