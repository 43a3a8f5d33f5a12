"""Calls, queues, agents and live events over HTTP, from a whole program without its phones."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import websockets

from crm_bridge import person
from crm_bridge.tables import Customer
from hotline import auth, sessions
from hotline.app import Hotline
from hotline.config import load
from telephony import sdp
from telephony.clock import iso
from telephony.desk_routes import TELEPHONE_KEYS
from telephony.events import BindingChanged, InviteReceived, TargetState, TrunkChanged
from telephony.rtp.telephone_event import DIGITS
from telephony.tables import Call
from tests.databases import migrate
from tests.end_to_end.running import free_media_ports, free_port

pytestmark = pytest.mark.timeout(60)

# Nobody is there: the probe finds that out later than any test.
TRUNKS = "trunks: [{name: provider, targets: ['sip:127.0.0.9:5099', 'sip:127.0.0.9:5098'], max_calls: 7}]"


async def started(folder: Path, sip: str = "") -> AsyncIterator[Hotline]:
    """A whole program; `sip` are further settings of that section."""
    config, media = folder / "hotline.yaml", free_media_ports()
    config.write_text(
        f"data: {folder / 'data'}\n"
        f"sip: {{listen: ['udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}'], {sip}}}\n"
        f"web: {{listen: '127.0.0.1:{free_port(socket.SOCK_STREAM)}'}}\n"
        f"media: {{ports: {media}-{media + 99}}}\n",
        encoding="utf-8",
    )
    settings = load(config, {})
    migrate(settings.database_url)
    made = Hotline(settings)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def hotline(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Hotline]:
    async for made in started(tmp_path, getattr(request, "param", "")):
        yield made


@pytest.fixture
async def token(hotline: Hotline) -> str:
    async with hotline.sessions() as session:
        made = await auth.add_token(session, "test", ["admin"], hotline.clock.now())
        await session.commit()
    return made


@pytest.fixture
async def client(hotline: Hotline, token: str) -> AsyncIterator[httpx.AsyncClient]:
    address = f"{hotline.settings.web.url}/api/v1"
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}) as made:
        yield made


async def add_calls(hotline: Hotline) -> float:
    """Two calls that ended and one that a crash left open, a second apart; return when the first began."""
    began = hotline.clock.now() - 100
    ended = {"state": "ended", "ended_by": "caller", "dnis": "19001234"}
    async with hotline.sessions() as session:
        session.add(
            Call(id="a" * 32, started_at=began, ended_at=began + 9, ani="+84912345678", agent="agent1", **ended)
        )
        session.add(Call(id="b" * 32, started_at=began + 1, ended_at=began + 9, customer_id="c1", **ended))
        session.add(Call(id="c" * 32, started_at=began + 2, state="queued", dnis="19001234"))
        await session.commit()
    return began


async def merge_customers(hotline: Hotline, one: str, other: str) -> None:
    async with hotline.sessions() as session:
        for each in (one, other):
            session.add(Customer(id=each, created_at=1.0, updated_at=1.0))
        await session.flush()
        await person.merge(session, one, other, person.Grounds("one card", "page", "huong"), hotline.clock.now())
        await session.commit()


async def test_calls_are_listed_newest_first_narrowed_and_in_pages(hotline: Hotline, client: httpx.AsyncClient) -> None:
    began = await add_calls(hotline)

    async def ids(**query: str) -> str:
        answer = await client.get("/calls", params=query)
        assert answer.status_code == 200, answer.text
        return "".join(call["id"][0] for call in answer.json()["items"])

    assert await ids() == "cba"
    assert await ids(state="ended") == "ba"
    assert await ids(state="running") == "c"
    assert await ids(customer="c1") == "b"
    await merge_customers(hotline, "c1", "c2")
    assert await ids(customer="c2") == "b"
    assert await ids(agent="agent1") == "a"
    first = (await client.get("/calls", params={"limit": "2"})).json()
    assert await ids(before=first["next"]) == "a"
    one = (await client.get(f"/calls/{'a' * 32}")).json()
    assert (one["ani"], one["customer"], one["started_at"]) == ("+84912345678", None, iso(began))
    assert {"context", "queue", "answered_at", "ended_at", "ended_by"} <= set(one)


async def test_what_is_not_there_says_where_to_look(hotline: Hotline, client: httpx.AsyncClient) -> None:
    await add_calls(hotline)
    wrong = await client.get("/calls", params={"state": "waiting"})
    (fault,) = wrong.json()["errors"]
    assert (wrong.status_code, fault["parameter"]) == (422, "state")
    assert "'queued'" in fault["detail"]
    for method, path in (("GET", "/calls/x"), ("GET", "/calls/x/journal"), ("POST", "/calls/x/hangup")):
        answer = await client.request(method, path)
        assert (answer.status_code, "GET /api/v1/calls" in answer.json()["detail"]) == (404, True)
    over = await client.post(f"/calls/{'a' * 32}/hangup")
    assert (over.status_code, over.json()["detail"]) == (409, "The call has ended already.")
    nobody = await client.post("/agents/nobody/state", json={"state": "ready"})
    assert (nobody.status_code, "GET /api/v1/agents" in nobody.json()["detail"]) == (404, True)
    lunch = await client.post("/agents/agent1/state", json={"state": "lunch"})
    assert lunch.json()["errors"][0]["pointer"] == "#/state"


async def test_agents_say_what_they_are_and_what_they_asked_for(hotline: Hotline, client: httpx.AsyncClient) -> None:
    async def care() -> tuple[str, int, int]:
        (queue,) = (await client.get("/queues")).json()
        return queue["name"], queue["staffed"], queue["ready"]

    before = (await client.get("/agents")).json()[0]
    assert before == {
        "name": "agent1", "state": "offline", "reason": "", "since": None, "until": None,
        "call": None, "reachable": False,
    }  # fmt: skip
    hotline.funnel.happened(BindingChanged("agent1", 1))
    asked = await client.post("/agents/agent1/state", json={"state": "not_ready", "reason": "lunch"})
    assert (asked.status_code, asked.json()["state"], asked.json()["reason"]) == (202, "not_ready", "lunch")
    assert await care() == ("care", 0, 0)
    asked = await client.post("/agents/agent1/state", json={"state": "ready"})
    assert asked.json()["since"] is not None
    assert await care() == ("care", 1, 1)


async def test_live_events_come_after_hello_and_what_was_missed_on_request(
    hotline: Hotline, client: httpx.AsyncClient, token: str
) -> None:
    # A wish of an agent whose phone was never there: its state has no beginning, and none is made up.
    await client.post("/agents/agent1/state", json={"state": "not_ready", "reason": "lunch"})
    address = hotline.settings.web.url.replace("http", "ws") + "/api/v1/events?since=0"
    async with websockets.connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket_:
        hello = told(await socket_.recv())
        assert (hello["type"], hello["seq"]) == ("hello", 1)
        changed = told(await socket_.recv())
        assert (changed["type"], changed["reason"], changed["since"]) == ("agent.changed", "lunch", None)


def told(text: str | bytes) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(text)
    return parsed


@pytest.mark.parametrize("hotline", [TRUNKS], indirect=True)
async def test_trunks_say_how_they_stand(hotline: Hotline, client: httpx.AsyncClient) -> None:
    (trunk,) = (await client.get("/trunks")).json()
    assert {key: trunk[key] for key in ("name", "state", "up", "calls", "max_calls")} == {
        "name": "provider", "state": "idle", "up": True, "calls": 0, "max_calls": 7,
    }  # fmt: skip
    assert [target["address"] for target in trunk["targets"]] == ["127.0.0.9:5099", "127.0.0.9:5098"]
    targets = (TargetState("sip:127.0.0.9:5099", "127.0.0.9:5099", "down"),)
    hotline.funnel.sip_events([TrunkChanged("provider", "idle", False, "127.0.0.9:5099 does not answer", targets)])
    (trunk,) = (await client.get("/trunks")).json()
    assert (trunk["up"], trunk["reason"]) == (False, "127.0.0.9:5099 does not answer")
    assert trunk["targets"] == [{"target": "sip:127.0.0.9:5099", "address": "127.0.0.9:5099", "state": "down"}]


@pytest.mark.parametrize("hotline", [TRUNKS], indirect=True)
async def test_an_agent_ends_its_own_call_while_it_rings(hotline: Hotline) -> None:
    async with hotline.sessions.begin() as session:
        begun = await sessions.begin(session, "agent1", hotline.clock.now())
    own = hotline.settings.web.url
    page = {"Cookie": f"hotline={begun.cookie}", "X-CSRF-Token": begun.csrf, "Origin": own}
    offer = sdp.offer(sdp.Capabilities("127.0.0.1", 4000, 1))
    hotline.funnel.happened(BindingChanged("agent1", 1))
    hotline.funnel.happened(
        InviteReceived("d1", "agent1", "", False, "0912345678", offer, "127.0.0.1:5061", user="agent1")
    )
    async with httpx.AsyncClient(base_url=f"{own}/api/v1", headers=page) as desk:
        call = (await desk.get("/desk")).json()["call"]
        assert (call["state"], call["direction"], call["dnis"]) == ("calling", "outbound", "+84912345678")
        ended = await desk.post(f"/calls/{call['id']}/hangup")
        assert (ended.status_code, ended.json()["state"], ended.json()["ended_by"]) == (202, "ended", "agent")
        assert (await desk.get("/desk")).json()["call"] is None
        again = await desk.post(f"/calls/{call['id']}/hangup")
        assert again.status_code == 409


def test_the_keys_of_the_route_are_those_of_the_telephone() -> None:
    assert set(DIGITS) == TELEPHONE_KEYS


@pytest.mark.parametrize("hotline", [TRUNKS], indirect=True)
async def test_a_trunk_that_goes_down_is_told_to_listeners(hotline: Hotline, token: str) -> None:
    address = f"{hotline.settings.web.url.replace('http', 'ws')}/api/v1/events"
    async with websockets.connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as listener:
        assert json.loads(await listener.recv())["type"] == "hello"
        hotline.funnel.sip_events([TrunkChanged("provider", "failed", False, "no answer")])
        told = json.loads(await listener.recv())
    assert (told["type"], told["trunk"], told["state"], told["up"]) == ("trunk.changed", "provider", "failed", False)


async def test_prometheus_reads_the_whole_program(hotline: Hotline, client: httpx.AsyncClient) -> None:
    hotline.funnel.happened(BindingChanged("agent1", 1))
    text = (await client.get(f"{hotline.settings.web.url}/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert {lines[f'hotline_worker_up{{worker="{kind}"}}'] for kind in ("media-1", "render")} == {"1.0"}
    assert lines['hotline_agents{state="ready"}'] == "1.0"
    assert lines['hotline_registrations{transport="UDP"}'] == "0.0"
    assert float(lines["process_resident_memory_bytes"]) > 10e6
