"""A finished call is in the CRM, once, whatever happened on the way."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from crm_bridge import timeline
from crm_bridge.connectors.call_log import CallLog, values_of
from crm_bridge.connectors.place import Unknown
from crm_bridge.context import find_caller
from crm_bridge.match import claim, find_or_create
from crm_bridge.webhooks import outbox
from crm_bridge.webhooks.courier import Courier
from crm_bridge.webhooks.outbox import Webhooks
from hotline.database import Sessions
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.playing import CALL, NOW, Crm, Trouble, asking
from tests.crm_bridge.webhooks.test_courier import Heard

AN = "+84912345678"


def event(**fields: Any) -> dict[str, Any]:
    """Return the data of `call.ended`."""
    return {
        "id": CALL,
        "customer": None,
        "ani": AN,
        "dnis": "19001234",
        "direction": "inbound",
        "recording": "r7",
        "started_at": "2027-01-15T08:00:00.000Z",
        "ended_at": "2027-01-15T08:01:15.000Z",
        "duration_s": 75.0,
        "summary": "Call to 19001234: main; talked 45 s with an; ended by caller",
        "agent": "an",
    } | fields


@asynccontextmanager
async def logging(crm: Crm, kind: str, sessions: Sessions, **fields: Any) -> AsyncIterator[CallLog]:
    async with asking(crm, kind, retries_s=(5.0, 60.0), **fields) as client:
        yield CallLog(client, sessions, Heard(), lambda id_: f"https://hotline.example.com/supervise/recordings/{id_}")


def body_of(data: dict[str, Any]) -> str:
    return json.dumps({"type": "call.ended", "timestamp": "2027-01-15T08:01:15.000Z", "data": data})


async def test_a_call_goes_through_the_outbox_while_the_crm_is_away(sessions: Sessions) -> None:
    crm = crms.Salesforce()
    crm.people = [{"id": "003A", "name": "An", "phone": AN}]
    async with logging(crm, "salesforce", sessions) as log:
        webhooks = Webhooks([log.endpoint])
        async with sessions() as session:
            await webhooks.tell(session, "call.ended", event(), customer="c", now=NOW, key=CALL)
            await webhooks.tell(session, "call.ended", event(), customer="c", now=NOW, key=CALL)
            await session.commit()
        courier = Courier(log.endpoint, webhooks, sessions, Heard(), log.send, chance=lambda: 0.0)
        crm.trouble.append((503, "", {"Retry-After": "40"}))
        assert await courier.round(NOW) == 1
        assert crm.logged == []
        assert await courier.round(NOW + 5) == 0, "it asked for peace"
        await log.client.sleep(400)
        assert await courier.round(NOW + 400) == 1
        assert [(each["WhoId"], each["CallObject"]) for each in crm.logged] == [("003A", CALL)]
        assert "https://hotline.example.com/supervise/recordings/r7" in crm.logged[0]["Description"]
        async with sessions() as session:
            assert await outbox.counts(session) == {("crm:salesforce", "delivered"): 1}


@pytest.mark.parametrize("kind", ["salesforce", "zendesk", "hubspot", "zoho", "dynamics", "rest"])
async def test_a_call_that_is_told_again_is_logged_once(kind: str, sessions: Sessions) -> None:
    crm: Crm = PLAYED[kind]()
    async with logging(crm, kind, sessions) as log:
        for _ in range(2):
            assert (await log.send("", body_of(event()), NOW)).status == 200
    assert len(crm.logged) == 1


PLAYED: dict[str, Callable[[], Crm]] = {
    "salesforce": crms.Salesforce,
    "zendesk": crms.Zendesk,
    "hubspot": crms.HubSpot,
    "zoho": crms.Zoho,
    "dynamics": crms.Dynamics,
    "rest": crms.Rest,
}


@pytest.mark.parametrize(("unknown", "people", "calls"), [("log", 0, 1), ("create", 1, 1), ("skip", 0, 0)])
async def test_somebody_unknown(unknown: Unknown, people: int, calls: int, sessions: Sessions) -> None:
    crm = crms.Rest()
    async with sessions() as session:
        _, found = await find_caller(session, AN, False, "", "VN", NOW)
        await session.commit()
    async with logging(crm, "rest", sessions, unknown=unknown) as log:
        assert (await log.send("", body_of(event(customer=found.customer)), NOW)).status == 200
    assert (len(crm.people), len(crm.logged)) == (people, calls)
    if unknown == "create":
        assert crm.people[0]["phone"] == AN
        assert crm.logged[0]["contact"] == crm.people[0]["id"]


async def test_a_linked_id_and_a_proved_address_find_the_person(sessions: Sessions) -> None:
    crm = crms.Rest()
    crm.people = [{"id": "7", "name": "An", "phone": "", "email": "an@example.vn"}]
    async with sessions() as session:
        mailed = await find_or_create(
            session, [claim("email", "email", "an@example.vn")], source="email", evidence="", now=NOW
        )
        claimed = await find_or_create(
            session, [claim("zalo", "email", "boss@example.vn")], source="zalo", evidence="", now=NOW
        )
        linked = await find_or_create(
            session, [claim("external", "external", "rest:42")], source="external", evidence="", now=NOW
        )
        await session.commit()
    crm.people.append({"id": "8", "name": "Boss", "phone": "", "email": "boss@example.vn"})
    async with logging(crm, "rest", sessions) as log:
        for number, found in enumerate((mailed, claimed, linked)):
            await log.send("", body_of(event(id=f"c{number}", customer=found.customer)), NOW)
    assert [each.get("contact") for each in crm.logged] == ["7", None, "42"]


async def test_a_withheld_number_is_nobodys(sessions: Sessions) -> None:
    crm = crms.Rest()
    async with logging(crm, "rest", sessions) as log:
        assert (await log.send("", body_of(event(ani=None)), NOW)).status == 200
    assert crm.seen == []


async def test_what_the_crm_refuses_is_dead_at_once_and_others_go_on(sessions: Sessions) -> None:
    crm = crms.Rest()
    async with logging(crm, "rest", sessions) as log:
        crm.trouble.extend([(404, {}, {}), (422, {"code": "invalid"}, {})])
        answer = await log.send("", body_of(event()), NOW)
        assert (answer.is_final, answer.cause) == (True, "HTTP 422 invalid")


async def test_wrong_credentials_raise_an_alarm_that_ends(sessions: Sessions) -> None:
    crm = crms.Rest()
    async with logging(crm, "rest", sessions) as log:
        told = log.alarms
        assert isinstance(told, Heard)
        crm.trouble.append((401, {"code": "unauthorized"}, {}))
        answer = await log.send("", body_of(event()), NOW)
        assert answer.retry_after_s == 60
        assert "connector_rest" in told.standing
        await log.send("", body_of(event()), NOW)
        assert "connector_rest" not in told.standing


async def test_an_alarm_ends_only_once_the_crm_lets_us_in(sessions: Sessions) -> None:
    crm = crms.Rest()
    refused: Trouble = (401, {"code": "unauthorized"}, {})
    async with logging(crm, "rest", sessions, unknown="skip") as log:
        told = log.alarms
        assert isinstance(told, Heard)
        for body in (body_of(event()), body_of(event(id="..", ani="0000"))):
            crm.trouble.append(refused)
            await log.send("", body_of(event()), NOW)
            assert (await log.send("", body_of(event(ani=None)), NOW)).status == 200
            assert "connector_rest" in told.standing, "nobody was asked"
            await log.send("", body, NOW)
            assert ("connector_rest" in told.standing) == (".." in body), "what is not sent is not answered"
        crm.trouble.extend([(404, {}, {}), (422, {"code": "invalid"}, {})])
        crm.people = [{"id": "7", "name": "An", "phone": AN}]
        await log.send("", body_of(event()), NOW)
        crm.trouble.clear()
        assert (await log.send("", body_of(event()), NOW)).status == 200
        assert told.standing == {}
        crm.trouble.append(refused)
        await log.send("", body_of(event()), NOW)
        assert "connector_rest" in told.standing
        crm.trouble.append((422, {"code": "invalid"}, {}))
        assert (await log.send("", body_of(event()), NOW)).is_final
        assert told.standing == {}, "whoever is refused a call is let in"


async def test_a_call_whose_event_was_too_large_is_logged(sessions: Sessions) -> None:
    crm = crms.Rest()
    crm.people = [{"id": "7", "name": "An", "phone": "", "email": "an@example.vn"}]
    async with sessions() as session:
        mailed = await find_or_create(
            session, [claim("email", "email", "an@example.vn")], source="email", evidence="", now=NOW
        )
        await session.commit()
    async with logging(crm, "rest", sessions) as log:
        short = {"id": CALL, "customer": mailed.customer, "truncated": True}
        assert (await log.send("", body_of(short), NOW)).status == 200
    assert [(each["call"], each["contact"]) for each in crm.logged] == [(CALL, "7")]


def test_what_was_too_large_is_logged_by_its_id() -> None:
    values = values_of({"id": CALL, "truncated": True}, "2027-01-15T08:00:00.000Z", str)
    assert values["call"] == CALL
    assert values["started_at"] == NOW
    outbound = values_of(event(direction="outbound", ani="19001234", dnis=AN), "2027-01-15T08:00:00.000Z", str)
    assert (outbound["number"], outbound["direction"]) == (AN, "outbound")
    assert timeline.CALL == "call"
