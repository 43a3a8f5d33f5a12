"""A flow's message in the outbox, once, or the reason in the log."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from crm_bridge.notify.letter import compose
from crm_bridge.notify.parcel import Parcel
from crm_bridge.notify.tables import OutgoingMessage
from hotline.database import Sessions
from telephony.edge.messages import MessageRequests
from telephony.events import FlowRequest
from telephony.requests import SendMessage
from tests.crm_bridge.conftest import engine, sessions
from tests.crm_bridge.notify.conftest import ABOUT_7, NOW, House

__all__ = ["engine", "sessions"]


@pytest.fixture
def house(sessions: Sessions) -> House:
    return House(sessions)


def asked(customer: str, /, *, number: int = 2, case: str = "", **more: str) -> FlowRequest:
    message = SendMessage(**({"channel": "auto", "text": "Order 7", "subject": "Order"} | more))
    return FlowRequest(
        call="c1", number=number, request=message, flow="main", language="en", customer=customer, case=case
    )


async def outcome(house: House, request: FlowRequest) -> str:
    """Have it sent, and return what came of it."""
    messages = MessageRequests(house.notifier, asyncio.Lock(), lambda: NOW)
    return (await messages.perform(request)).name


async def test_it_is_queued_once_and_says_that_a_machine_wrote_it(house: House) -> None:
    wrote = await house.wrote("email", "an@example.vn")
    for _ in range(2):
        assert await outcome(house, asked(wrote.person)) == "next"
    (row,) = await house.rows()
    assert isinstance(row, OutgoingMessage)
    assert '"automatic":true' in row.body
    assert '"language":"en"' in row.body
    entry = await house.entry(row.interaction_id)
    delivery = {"state": "queued", "attempts": 0}
    assert entry.attributes | {"key": ""} == {
        "delivery": delivery,
        "by": "flow main",
        "automatic": True,
        "call": "c1",
        "key": "",
    }


async def test_without_a_subject_a_letter_is_about_its_first_line(house: House) -> None:
    wrote = await house.wrote("email", "an@example.vn")
    await outcome(house, asked(wrote.person, subject=""))
    (row,) = await house.rows()
    assert (await house.entry(row.interaction_id)).subject == "Order 7"


@pytest.mark.parametrize(
    ("subject", "text", "about"),
    [
        ("Order\r\nBcc: all@example.vn", "x", "Order Bcc: all@example.vn"),
        ("Order\u20287\x00\ud800!", "x", "Order 7 !"),
        ("x" * 499 + " yz", "x", "x" * 499),
        ("\n", " Order 7\u2028is here", "Order 7"),
    ],
)
async def test_a_subject_is_one_line_as_long_as_the_timeline_holds(
    house: House, subject: str, text: str, about: str
) -> None:
    wrote = await house.wrote("email", "an@example.vn")
    await outcome(house, asked(wrote.person, subject=subject, text=text))
    (row,) = await house.rows()
    assert (await house.entry(row.interaction_id)).subject == about
    assert compose(msgspec.json.decode(row.body, type=Parcel), "care@shop.vn", "", NOW)


async def test_what_no_database_holds_is_left_out(house: House) -> None:
    wrote = await house.wrote("email", "an@example.vn")
    await outcome(house, asked(wrote.person, text="Or\0der\ud800 7\n\tis here"))
    (row,) = await house.rows()
    assert (await house.entry(row.interaction_id)).text == "Order 7\n\tis here"


async def test_a_case_of_somebody_else_is_said_and_a_key_too(house: House) -> None:
    wrote, other = await house.wrote("email", "an@example.vn"), await house.wrote("email", "b@example.vn", case=ABOUT_7)
    await house.send(other.person, key="call c1 9")
    with capture_logs() as logs:
        await outcome(house, asked(wrote.person, case=other.interaction.case_id or ""))
        await outcome(house, asked(wrote.person, number=9))
    assert ["another" in logs[0]["cause"], "somebody else" in logs[1]["cause"]] == [True, True]
    assert len(await house.rows()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"channel": "zalo"}, "has no Zalo user id"),
        ({"case": "0" * 32}, "case"),
    ],
)
async def test_what_cannot_be_sent_is_said_without_what_it_says(
    house: House, tmp_path: Path, more: dict[str, object], said: str
) -> None:
    wrote = await house.wrote("email", "an@example.vn")
    with capture_logs() as logs:
        assert await outcome(house, asked(wrote.person, **more)) == "failed"  # type: ignore[arg-type]
    (line,) = logs
    assert said in line["cause"]
    assert "Order 7" not in str(line)
    assert await house.rows() == []


async def test_somebody_who_is_gone_is_said(house: House) -> None:
    with capture_logs() as logs:
        assert await outcome(house, asked("0" * 32)) == "failed"
    assert logs[0]["cause"] == "the profile is gone"


async def test_whom_nobody_knows_nothing_is_sent(house: House) -> None:
    with capture_logs() as logs:
        assert await outcome(house, asked("")) == "failed"
    assert logs[0]["cause"] == "nobody is known whom it could go to"
