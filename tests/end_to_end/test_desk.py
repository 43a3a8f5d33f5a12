"""What befalls a talk at the desk: reloads, a closed tab, hold, transfers, a second desk; and who is kept out."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets.exceptions
import websockets.sync.client
from playwright.sync_api import Playwright, expect
from websockets.typing import Origin, Subprotocol

from hotline.auth import Role
from tests.end_to_end.browser import Tab, chromium
from tests.end_to_end.desks import (
    SETTINGS,
    Caller,
    Person,
    add_person,
    answer,
    call_in_state,
    calling,
    desk,
    desk_phone,
    hears_tone,
    last_seconds,
    running_call,
    share_of,
    sign_in,
    state_of,
    tell_of_lan,
    tone,
)
from tests.end_to_end.running import HOST, Server, running_server, wait_for

pytestmark = pytest.mark.timeout(180)

CALLER_HZ, AGENT_HZ, OTHER_HZ = 700.0, 1100.0, 1500.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short after-call work, and Lan's history."""
    settings = SETTINGS.replace("wrap_up: 60s", "wrap_up: 2s")
    with running_server(tmp_path_factory.mktemp("server"), settings) as started:
        tell_of_lan(started)
        yield started


@pytest.fixture(scope="module")
def people(server: Server) -> dict[str, Person]:
    """Two agents and a supervisor."""
    roles: dict[str, Role] = {"thanh": "agent", "mai": "agent", "huong": "supervisor"}
    return {name: add_person(server, name, role) for name, role in roles.items()}


@pytest.fixture
def caller(server: Server, tmp_path: Path) -> Caller:
    return Caller(server, tmp_path, tone(tmp_path / "caller.wav", CALLER_HZ, 85.0), play_after_s=0.5)


def assert_goes_on(server: Server, call: dict[str, Any]) -> None:
    """The same call is talked in, with the agent whom it was with, into the same recording."""
    again = call_in_state(server, "talking")
    assert (again["id"], again["recording"], again["agent"]) == (call["id"], call["recording"], "thanh")


def end_of_call(server: Server) -> None:
    wait_for("the call has ended", lambda: running_call(server) is None)


@pytest.mark.alone
def test_a_reload_and_a_closed_tab_lead_back_into_the_same_talk(
    playwright: Playwright, server: Server, people: dict[str, Person], caller: Caller, tmp_path: Path
) -> None:
    microphone = tone(tmp_path / "agent.wav", AGENT_HZ)
    with desk(playwright, server, tmp_path / "profile", people["thanh"], microphone) as tab, calling(caller):
        answer(tab)
        hears_tone(tab, CALLER_HZ)
        call = call_in_state(server, "talking")

        begun = time.monotonic()
        tab.page.reload()
        expect(tab.page.get_by_role("button", name="Hang up")).to_be_visible()
        tab.wait_for_sound()
        assert time.monotonic() - begun < 2.0
        hears_tone(tab, CALLER_HZ)

        tab.page.close()
        wait_for("the caller is told to wait", lambda: told_away(server, call["id"]))
        tab.open_page()
        begun = time.monotonic()
        tab.go("/desk")
        expect(tab.page.get_by_role("button", name="Hang up")).to_be_visible()
        tab.wait_for_sound()
        assert time.monotonic() - begun < 2.0
        hears_tone(tab, CALLER_HZ)
        assert_goes_on(server, call)
        expect(tab.page.get_by_text("The caller cannot hear you")).to_be_hidden()
        tab.page.get_by_role("button", name="Hang up").click()
        end_of_call(server)
    commands = [entry["type"] for entry in server.get(f"/calls/{call['id']}/journal")]
    assert commands.count("Record") == 1
    assert share_of(AGENT_HZ, last_seconds(caller.heard, 4.0)) > 0.3


BREAK = """
() => {
  const connection = window.__connections[window.__connections.length - 1];
  window.__tracks = [];
  connection.getSenders().forEach((sender) => sender.replaceTrack(null));
  Object.defineProperty(connection, 'iceConnectionState', { get: () => 'disconnected' });
  connection.dispatchEvent(new Event('iceconnectionstatechange'));
}
"""


def test_a_page_whose_network_breaks_comes_back_by_itself(
    playwright: Playwright, server: Server, people: dict[str, Person], caller: Caller, tmp_path: Path
) -> None:
    microphone = tone(tmp_path / "agent.wav", AGENT_HZ)
    with desk(playwright, server, tmp_path / "profile", people["thanh"], microphone) as tab, calling(caller):
        answer(tab)
        hears_tone(tab, CALLER_HZ)
        call = call_in_state(server, "talking")
        # What a browser says when its network is another one; no network can be taken away on loopback.
        tab.page.evaluate(BREAK)
        tab.wait_for_sound()
        hears_tone(tab, CALLER_HZ)
        assert_goes_on(server, call)
        time.sleep(3.0)  # of talk, to be heard in what the caller recorded
        tab.page.get_by_role("button", name="Hang up").click()
        end_of_call(server)
    assert share_of(AGENT_HZ, last_seconds(caller.heard, 2.0)) > 0.3


SESSION = "() => /a=ice-ufrag:(\\S+)/.exec(window.__connections.at(-1).currentRemoteDescription.sdp)[1]"


def test_a_page_on_another_network_looks_for_another_way_in_the_same_talk(
    playwright: Playwright, server: Server, people: dict[str, Person], caller: Caller, tmp_path: Path
) -> None:
    microphone = tone(tmp_path / "agent.wav", AGENT_HZ)
    with desk(playwright, server, tmp_path / "profile", people["thanh"], microphone) as tab, calling(caller):
        answer(tab)
        hears_tone(tab, CALLER_HZ)
        phones, before = tab.page.evaluate("() => window.__connections.length"), tab.page.evaluate(SESSION)
        tab.page.evaluate("() => window.dispatchEvent(new Event('online'))")
        wait_for("the server has restarted ICE", lambda: tab.page.evaluate(SESSION) != before)
        time.sleep(3.0)  # the old way is shut by now, and there is talk in what the caller recorded
        hears_tone(tab, CALLER_HZ)
        assert tab.page.evaluate("() => window.__connections.length") == phones
        tab.page.get_by_role("button", name="Hang up").click()
        end_of_call(server)
    assert share_of(AGENT_HZ, last_seconds(caller.heard, 2.0)) > 0.3


def told_away(server: Server, call: str) -> bool:
    plays = [e["fields"] for e in server.get(f"/calls/{call}/journal") if e["type"] == "Play"]
    return any(prompt["value"] == "comfort" for play in plays[-1:] for prompt in play["prompts"])


def test_hold_plays_music_and_a_blind_transfer_goes_to_a_desk_phone(
    playwright: Playwright, server: Server, people: dict[str, Person], caller: Caller, tmp_path: Path
) -> None:
    phone_tone = tone(tmp_path / "phone.wav", OTHER_HZ)
    with desk(playwright, server, tmp_path / "profile", people["thanh"]) as tab, calling(caller):
        answer(tab)
        hears_tone(tab, CALLER_HZ)
        tab.page.get_by_role("button", name="Hold").click()
        call_in_state(server, "held")
        expect(tab.page.locator(".badge.held").first).to_be_visible()
        wait_for("the agent hears nothing", lambda: abs(tab.hears(0.4)).max() < 200)
        tab.page.get_by_role("button", name="Take back").click()
        hears_tone(tab, CALLER_HZ)
        with desk_phone(server, tmp_path / "phone", people["mai"], phone_tone):
            tab.page.get_by_role("button", name="Transfer", exact=True).first.click()
            tab.page.get_by_role("button", name="Transfer: mai").click()
            wait_for("mai talks", lambda: state_of(server, "mai") == "talking")
            call = call_in_state(server, "talking")
            assert call["agent"] == "mai"
            expect(tab.page.get_by_role("heading", name="After-call work")).to_be_visible()
            time.sleep(2.0)  # of talk, to be heard in what the caller recorded
            caller.stop()
            end_of_call(server)
    assert share_of(OTHER_HZ, last_seconds(caller.heard, 0.8)) > 0.5


@pytest.mark.alone  # three real parties, two of them browsers
def test_two_desks_take_turns(
    playwright: Playwright, server: Server, people: dict[str, Person], caller: Caller, tmp_path: Path
) -> None:
    with (
        desk(playwright, server, tmp_path / "one", people["thanh"]) as one,
        desk(playwright, server, tmp_path / "two", people["mai"]) as two,
        calling(caller),
    ):
        call = call_in_state(server, "ringing")
        first, second, name = (one, two, "mai") if call["agent"] == "thanh" else (two, one, "thanh")
        first.page.get_by_role("button", name="Reject").click()
        wait_for("the other desk rings", lambda: (running_call(server) or {}).get("agent") == name)
        answer(second)
        hears_tone(second, CALLER_HZ)
        expect(first.page.get_by_text("No call.")).to_be_visible()
        caller.stop()
        end_of_call(server)


@pytest.mark.parametrize("codec", ["opus", "pcmu"])
def test_the_callers_page_reaches_the_desk(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path: Path, codec: str
) -> None:
    with (
        desk(playwright, server, tmp_path / "desk", people["thanh"], tone(tmp_path / "a.wav", AGENT_HZ)) as agent,
        chromium(playwright, server, tmp_path / "caller", tone(tmp_path / "c.wav", CALLER_HZ)) as tab,
    ):
        tab.go(f"/call?codec={codec}")
        tab.page.get_by_label("Your number").fill("0912 345 678")
        tab.page.get_by_role("button", name="Call", exact=True).click()
        expect(tab.page.locator(".badge.talking")).to_be_visible()
        call_in_state(server, "in_flow")
        tab.page.get_by_role("button", name="Keypad").click()
        wait_for("the key is heard", lambda: pressed_zero(tab, server))
        # The number was typed: her history is shown, and nothing of it was said aloud.
        expect(agent.page.get_by_text("Not verified: the number is only claimed")).to_be_visible()
        call = running_call(server)
        assert call is not None
        assert "about_case" not in call["flow_path"]
        assert call["context"]["assurance"] == 0
        answer(agent)
        hears_tone(agent, CALLER_HZ)
        hears_tone(tab, AGENT_HZ)
        # What the caller speaks, the agent's phone speaks too.
        agent.page.get_by_text("Call quality").click()  # there once something is known: five seconds
        expect(agent.page.get_by_text(f"{codec} ·").or_(agent.page.get_by_text(f"{codec.upper()} ·"))).to_be_visible()
        tab.page.get_by_role("button", name="Hang up").click()
        expect(tab.page.get_by_text("The call is over.")).to_be_visible()
        end_of_call(server)
        assert not tab.console


def pressed_zero(tab: Tab, server: Server) -> bool:
    tab.page.get_by_role("button", name="0", exact=True).click()
    tab.page.wait_for_timeout(600)
    call = running_call(server)
    return call is not None and call["state"] in ("queued", "ringing")


# --------------------------------------------------------------------------------------------------- kept out


def test_a_wrong_password_is_refused_in_words(playwright: Playwright, server: Server, tmp_path: Path) -> None:
    with chromium(playwright, server, tmp_path / "profile") as tab:
        sign_in_fails = Person("thanh", "not the password", "")
        tab.go("/desk")
        tab.page.get_by_label("Name").fill(sign_in_fails.name)
        tab.page.get_by_label("Password").fill(sign_in_fails.password)
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        assert not tab.context.cookies()


def test_a_stolen_cookie_is_worth_nothing_after_sign_out(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path: Path
) -> None:
    with chromium(playwright, server, tmp_path / "profile") as tab:
        sign_in(tab, people["huong"], "/supervise")
        (cookie,) = tab.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        origin = f"http://{HOST}:{server.web_port}"
        address = f"ws://{HOST}:{server.web_port}/api/v1/events"
        with websockets.sync.client.connect(address, additional_headers=headers, origin=Origin(origin)) as stolen:
            assert "hello" in str(stolen.recv(5))
            tab.page.get_by_role("button", name="Sign out").click()
            tab.page.wait_for_url("**/sign-in")
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                stolen.recv(5)
        status = tab.context.request.get(f"{origin}/api/v1/session", headers=headers).status
        assert status == 401


@pytest.mark.parametrize("path", ["/api/v1/events", "/sip"])
def test_a_page_of_another_origin_gets_no_websocket(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path: Path, path: str
) -> None:
    with chromium(playwright, server, tmp_path / "profile") as tab:
        sign_in(tab, people["huong"], "/supervise")
        (cookie,) = tab.context.cookies()
        headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        address = f"ws://{HOST}:{server.web_port}{path}"
        with (
            pytest.raises(websockets.exceptions.InvalidStatus, match="403"),
            websockets.sync.client.connect(
                address,
                additional_headers=headers,
                origin=Origin("http://evil.example"),
                subprotocols=[Subprotocol("sip")],
            ),
        ):
            pass
