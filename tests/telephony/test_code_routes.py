"""Codes that an agent has sent to a caller, and checks. The tests share a program; each has a talk of its own."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from crm_bridge.match import claim, claim_by
from crm_bridge.notify.parcel import Route
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.timeline import NewInteraction, record
from hotline.app import Hotline
from hotline.tables import AuditEntry
from telephony.switchboard.call import Call
from tests.crm_bridge.codes.office import FarEnd
from tests.telephony.test_key_routes import client, talk
from tests.telephony.test_routes import started

__all__ = ["client", "talk"]

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    async for made in started(tmp_path_factory.mktemp("codes")):
        made.notifier.routes = [Route("email", "email", "shop.vn")]
        yield made


@pytest.fixture
def far(hotline: Hotline) -> FarEnd:
    """Where e-mail goes."""
    far = FarEnd()
    hotline.codes.codes.senders = {"email": far}
    return far


async def customer(hotline: Hotline, name: str, *, signed: bool) -> str:
    """Somebody who wrote an e-mail, which a trusted server vouches for or not."""
    address = f"{name}@example.vn"
    proof = claim_by("email", "email", address) if signed else claim("email", "email", address)
    now = hotline.clock.now()
    async with hotline.sessions.begin() as session:
        return (await record(session, NewInteraction("email", "inbound", now, (proof,)), now)).person


async def noted(hotline: Hotline, about: str) -> list[str]:
    async with hotline.sessions() as session:
        return list(await session.scalars(select(AuditEntry.what).where(AuditEntry.about == about)))


async def test_an_agent_sends_a_code_and_what_the_caller_says_is_checked(
    hotline: Hotline, client: httpx.AsyncClient, talk: Call, far: FarEnd
) -> None:
    lan = await customer(hotline, "lan", signed=True)
    sent = await client.post(f"/customers/{lan}/codes", json={"call": talk.id, "by": ["zalo", "email"]})
    assert (sent.status_code, sent.json()["channel"]) == (201, "email"), sent.text
    (parcel,) = far.parcels
    assert "nhân viên" in parcel.text
    code = next(word.strip(",.") for word in parcel.text.split() if word.strip(",.").isdigit() and len(word) > 5)
    timeline = (await client.get(f"/customers/{lan}/timeline")).text
    assert "••••••" in timeline
    assert code not in timeline + sent.text
    wrong = await client.post(f"/customers/{lan}/codes/check", json={"call": talk.id, "code": "000000"})
    assert wrong.json() == {"verified": False, "again": True}
    right = await client.post(f"/customers/{lan}/codes/check", json={"call": talk.id, "code": f" {code} "})
    assert right.json() == {"verified": True, "again": False}
    assert (talk.context.customer, talk.context.assurance, talk.context.verified_by) == (lan, 3, "code")
    again = await client.post(f"/customers/{lan}/codes/check", json={"call": talk.id, "code": code})
    assert again.json() == {"verified": False, "again": False}
    assert sorted(await noted(hotline, lan)) == [
        f"customer.code.{each}" for each in ("asked", "right", "sent", "spent", "wrong")
    ]


async def test_what_cannot_be_sent_is_refused_with_its_cause(
    hotline: Hotline, client: httpx.AsyncClient, talk: Call, far: FarEnd
) -> None:
    eve = await customer(hotline, "eve", signed=False)
    refused = await client.post(f"/customers/{eve}/codes", json={"call": talk.id})
    assert refused.status_code == 409
    assert "nobody vouches for the e-mail address" in refused.json()["detail"]
    assert not far.parcels
    assert (await client.post("/customers/nobody/codes", json={"call": talk.id})).status_code == 404
    assert (await client.post(f"/customers/{eve}/codes", json={"call": "gone"})).status_code == 404
    talk.state = "in_flow"
    waits = await client.post(f"/customers/{eve}/codes", json={"call": talk.id})
    assert (waits.status_code, "in a talk alone" in waits.json()["detail"]) == (409, True)


async def test_a_code_is_sent_three_times_in_a_call_and_a_far_end_that_is_down_is_told(
    hotline: Hotline, client: httpx.AsyncClient, talk: Call, far: FarEnd
) -> None:
    minh = await customer(hotline, "minh", signed=True)
    far.answer = Answer(0, "no connection")
    answers = [await client.post(f"/customers/{minh}/codes", json={"call": talk.id}) for _ in range(4)]
    assert [each.status_code for each in answers] == [502, 502, 502, 429]
    assert "no connection" in answers[0].json()["detail"]
