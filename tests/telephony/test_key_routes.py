"""Keys that are pressed in a talk from outside the phone. The tests share a program; each has a talk of its own."""

import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from hotline import auth, sessions
from hotline.app import Hotline
from telephony.events import Command, Event, SendKeys
from telephony.switchboard import Switchboard
from telephony.switchboard.call import Call, CallState
from telephony.switchboard.outbound import flow_in
from tests.telephony.test_routes import started

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    async for made in started(tmp_path_factory.mktemp("keys")):
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(hotline: Hotline) -> AsyncIterator[httpx.AsyncClient]:
    async with hotline.sessions.begin() as session:
        token = await auth.add_token(session, "test", ["admin"], hotline.clock.now())
    address = f"{hotline.settings.web.url}/api/v1"
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}) as made:
        yield made


@pytest.fixture
def talk(hotline: Hotline) -> Iterator[Call]:
    """A talk of `agent1`, without its media."""
    board = hotline.funnel.switchboard.board
    call = Call(uuid.uuid4().hex, "far", "far", "", "0912345678", "0912345678", flow_in("en"), 1.0, state="talking")
    call.agent = "agent1"
    board.calls[call.id], board.call_of_leg[call.leg] = call, call.id
    yield call
    del board.calls[call.id], board.call_of_leg[call.leg]


async def test_keys_are_pressed_in_a_talk_and_stand_in_no_journal(
    hotline: Hotline, client: httpx.AsyncClient, talk: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, commands = Switchboard.handle, list[Command]()

    def handled(switchboard: Switchboard, event: Event, now: float) -> list[Command]:
        commands.extend(led_to := handle(switchboard, event, now))
        return led_to

    monkeypatch.setattr(Switchboard, "handle", handled)
    pressed = await client.post(f"/calls/{talk.id}/keys", json={"keys": "12#a"})
    assert (pressed.status_code, pressed.json()["id"]) == (202, talk.id)
    assert [command.keys for command in commands if isinstance(command, SendKeys)] == ["12#A"]
    journal = (await client.get(f"/calls/{talk.id}/journal")).json()
    assert [(entry["type"], entry["fields"]["keys"]) for entry in journal] == [
        ("KeysRequested", "••#•"), ("SendKeys", "••#•"),
    ]  # fmt: skip


@pytest.mark.parametrize("keys", ["", "1" * 33, "12x", "1 2", "１"])
async def test_what_is_no_key_is_refused(client: httpx.AsyncClient, talk: Call, keys: str) -> None:
    refused = await client.post(f"/calls/{talk.id}/keys", json={"keys": keys})
    (fault,) = refused.json()["errors"]
    assert (refused.status_code, fault["pointer"]) == (422, "#/keys")
    if keys == "12x":
        assert "no key 'X': its keys are 0 to 9, *, # and A to D" in fault["detail"]


@pytest.mark.parametrize(
    ("state", "cause"), [("held", "take the call off hold"), ("in_flow", "in a talk alone"), ("talking", "")]
)
async def test_keys_that_nobody_would_hear_are_refused(
    client: httpx.AsyncClient, talk: Call, state: CallState, cause: str
) -> None:
    talk.state = state
    asked = await client.post(f"/calls/{talk.id}/keys", json={"keys": "1"})
    assert (asked.status_code, cause in asked.json().get("detail", "")) == (409 if cause else 202, True)


async def test_another_agents_talk_is_not_there(hotline: Hotline, talk: Call) -> None:
    async with hotline.sessions.begin() as session:
        begun = await sessions.begin(session, "agent2", hotline.clock.now())
    own = hotline.settings.web.url
    page = {"Cookie": f"hotline={begun.cookie}", "X-CSRF-Token": begun.csrf, "Origin": own}
    async with httpx.AsyncClient(base_url=f"{own}/api/v1", headers=page) as desk:
        refused = await desk.post(f"/calls/{talk.id}/keys", json={"keys": "1"})
    assert refused.status_code == 404
