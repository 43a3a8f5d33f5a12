"""A code in a call: from the flow to the far end and back, and what is left of it afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotline.database import Sessions
from telephony.edge.code_requests import CodeRequests
from telephony.edge.redaction import without_keys
from telephony.events import CallerVerified, DialogEnded, FlowRequest, GuardKeys
from telephony.requests import CheckCode, SendCode
from telephony.tables import Call
from tests.crm_bridge.codes.office import PHONE, Office
from tests.telephony.edge.test_funnel import House, sessions

__all__ = ["sessions"]

FLOW = """
flow: main
title: {en: Test}
languages: [en]
start: prove
steps:
  prove:
    verify: {code: {by: [zalo]}, prompt: {en: Your code?}}
    verified: sure
    wrong: {retries: 2, prompt: {en: Wrong.}, next: bye}
    no_input: bye
    not_sent: unsent
    failed: bye
  sure:
    say: {en: "Level {{ caller.assurance }}."}
    next: agent
  unsent:
    say: {en: Not sent.}
    next: agent
  agent:
    queue: {to: care}
    answered: end
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup: {en: Goodbye.}
"""


class Home(House):
    """A house whose flow sends codes, by the far ends of an office."""

    def __init__(self, folder: Path, sessions: Sessions) -> None:
        super().__init__(folder, sessions, FLOW)
        self.office = Office(sessions)
        self.audit: list[str] = []
        self.codes = CodeRequests(self.office.codes, self.note)
        self.codes.register(self.funnel.requests)

    async def note(self, _now: float, who: str, what: str, about: str, source: str) -> None:
        self.audit.append(f"{who} {what} {source}")
        assert about == self.funnel.switchboard.calls()[0].id


@pytest.fixture
async def home(tmp_path: Path, sessions: Sessions) -> AsyncIterator[Home]:
    made = Home(tmp_path, sessions)
    yield made
    await made.funnel.close()


async def test_the_right_code_makes_the_caller_sure_and_is_nowhere_afterwards(home: Home) -> None:
    lan = await home.office.lan()
    call = await home.call(PHONE)
    await home.until(lambda: "Your code?" in home.heard())
    assert home.media.said(GuardKeys)[-1].on
    home.types(call, "000000")
    await home.until(lambda: "Wrong." in str(home.heard()))
    code = home.office.code
    home.types(call, code)
    await home.until(lambda: "Level 3." in home.heard())
    home.funnel.sip_events([DialogEnded("d1", "bye")])
    await home.funnel.lane.drained()
    async with home.sessions() as session:
        row = await session.get_one(Call, call)
    assert (row.customer_id, row.context["assurance"], row.context["verified_by"]) == (lan, 3, "code")
    journal = str([each.message for each in home.journal.read(call)])
    assert "CheckCode(code='••••••')" in journal
    assert all(code not in text for text in (journal, await home.office.everything(), str(home.audit)))
    assert home.audit == [
        "caller caller.code.sent.zalo phone",
        "caller caller.code.checked.wrong phone",
        "caller caller.code.checked.right phone",
    ]


async def test_whose_number_nothing_sure_is_known_of_gets_no_code(home: Home) -> None:
    await home.call("0987 000 111")
    await home.until(lambda: "Not sent." in home.heard())
    assert home.audit == ["caller caller.code.not_sent.no_channel phone"]


@pytest.mark.parametrize("candidates", [(), ("lan", "minh")])
async def test_a_number_of_several_people_gets_no_code(sessions: Sessions, candidates: tuple[str, ...]) -> None:
    codes = CodeRequests(Office(sessions).codes)
    asked = FlowRequest(call="c", number=1, request=SendCode((), 300.0), candidates=candidates)
    assert (await codes.send(asked)).name == "not_sent"


async def test_a_message_that_goes_out_too_late_is_written_down_all_the_same(sessions: Sessions) -> None:
    office = Office(sessions)
    lan, gate, took = await office.lan(), asyncio.Event(), office.zalo.send

    async def slowly(*parcel: object) -> object:
        await gate.wait()
        return await took(*parcel)  # type: ignore[arg-type]

    office.codes.senders = {"zalo": SimpleNamespace(send=slowly, fault=None)}
    asked = FlowRequest(call="c", number=1, request=SendCode(("zalo",), 300.0), candidates=(lan,))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await CodeRequests(office.codes).send(asked)
    gate.set()
    async with asyncio.timeout(5):
        while len(office.told) < 2:  # noqa: ASYNC110 - it is written by a task that nobody waits for any more
            await asyncio.sleep(0.005)
    assert office.told[1][1]["attributes"]["delivery"]["state"] == "sent"


async def test_who_gave_the_code_is_told_with_what_is_known_of_them(sessions: Sessions) -> None:
    office = Office(sessions)
    lan, codes = await office.lan(), CodeRequests(office.codes)
    await codes.send(FlowRequest(call="c", number=1, request=SendCode(("zalo",), 300.0), candidates=(lan,)))
    request = CheckCode(office.code)
    outcome = await codes.check(FlowRequest(call="c", number=2, request=request))
    (event,) = outcome.events
    assert isinstance(event, CallerVerified)
    assert (outcome.name, event.context.customer, event.context.assurance, event.proven) == ("verified", lan, 3, True)
    assert without_keys(FlowRequest(call="c", number=2, request=request)).request == CheckCode("••••••")
