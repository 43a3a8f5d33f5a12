"""Every page as people see it: without a fault that axe finds, by keyboard alone, and in pictures.

The pictures are made in both languages, light and dark, wide and narrow; `make screenshots` puts them into docs/pages.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Playwright, expect

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
    running_call,
    sign_in,
    speech,
    state_of,
    tell_of_lan,
)
from tests.end_to_end.looking import faults, look
from tests.end_to_end.running import Server, running_server, wait_for

pytestmark = pytest.mark.timeout(240)

CALLER_SAYS: Final = "Good morning. I would like to know when my refund will arrive. I sent you an email about it."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS) as started:
        tell_of_lan(started)
        yield started


@pytest.fixture(scope="module")
def people(server: Server) -> dict[str, Person]:
    roles: dict[str, Role] = {"thanh": "agent", "mai": "agent", "huong": "supervisor"}
    return {name: add_person(server, name, role) for name, role in roles.items()}


def test_pages_before_signing_in(playwright: Playwright, server: Server, tmp_path: Path, pictures: Path) -> None:
    with chromium(playwright, server, tmp_path / "profile") as tab:
        tab.go("/sign-in")
        expect(tab.page.get_by_label("Name")).to_be_visible()
        look(tab, "sign-in", pictures)
        tab.go("/call")
        expect(tab.page.get_by_role("button", name="Call", exact=True)).to_be_enabled()
        look(tab, "call", pictures)
        tab.page.get_by_role("button", name="Call", exact=True).click()
        expect(tab.page.locator(".badge.talking")).to_be_visible()
        tab.page.get_by_role("button", name="Keypad").click()
        look(tab, "call-talking", pictures)
        tab.page.get_by_role("button", name="Hang up").click()
        wait_for("the call is over", lambda: running_call(server) is None)


@pytest.mark.alone  # a phone of a browser rings only so long
def test_the_desk_in_all_its_states_and_the_supervisors_pages(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path: Path, pictures: Path
) -> None:
    spoken = speech(tmp_path, caller=CALLER_SAYS)
    caller = Caller(server, tmp_path, spoken["caller"], play_after_s=22.0, seconds=170.0)
    with (
        desk(playwright, server, tmp_path / "desk", people["thanh"]) as tab,
        chromium(playwright, server, tmp_path / "supervisor") as other,
    ):
        look(tab, "desk-ready", pictures)
        with calling(caller):
            expect(tab.page.get_by_role("button", name="Answer")).to_be_visible(timeout=30_000)
            look(tab, "desk-ringing", pictures)
            answer(tab)
            expect(tab.page.locator("ul.words li").first).to_be_visible(timeout=60_000)
            tab.page.get_by_role("button", name="Transfer", exact=True).first.click()
            expect(tab.page.get_by_role("button", name="Transfer: mai")).to_be_visible()
            open_quality(tab)
            look(tab, "desk-talking", pictures)
            sign_in(other, people["huong"], "/supervise")
            expect(other.page.get_by_role("cell", name="thanh").first).to_be_visible()
            open_quality(other)
            look(other, "supervise-live", pictures)
            tab.page.get_by_role("button", name="Hang up").click()
        expect(tab.page.get_by_role("heading", name="After-call work")).to_be_visible()
        look(tab, "desk-wrap-up", pictures)
        recording = wait_for("a transcript", lambda: transcribed(server), 60)
        other.go("/supervise/recordings?q=morning")
        expect(other.page.locator("mark").first).to_be_visible()
        look(other, "supervise-recordings", pictures)
        other.go(f"/supervise/recordings/{recording}")
        expect(other.page.locator("button.word").first).to_be_visible()
        expect(other.page.get_by_test_id("wave").locator("div").first).to_be_attached()
        look(other, "supervise-replay", pictures)
        other.go("/supervise/log")
        expect(other.page.get_by_role("cell", name="huong").first).to_be_visible()
        look(other, "supervise-log", pictures)


def open_quality(tab: Tab) -> None:
    """Look at how the call sounds, and at the figures of it."""
    mark = tab.page.locator("details.quality summary")
    expect(mark).to_have_text(re.compile(r"^Call quality (Good|Fair|Poor)$"), timeout=30_000)
    mark.click()
    expect(tab.page.get_by_role("term").filter(has_text="From the caller")).to_be_visible()
    expect(tab.page.get_by_text(re.compile(r"^MOS [1-4]\.\d · lost \d+\.\d % · jitter \d+ ms")).first).to_be_visible()


def transcribed(server: Server) -> str | None:
    items = server.get("/recordings")["items"]
    return next((item["id"] for item in items if item["transcript_state"] == "done"), None)


def test_from_sign_in_to_after_call_work_by_keyboard_alone(
    playwright: Playwright, server: Server, people: dict[str, Person], tmp_path: Path
) -> None:
    caller = Caller(server, tmp_path, seconds=80.0)
    with chromium(playwright, server, tmp_path / "profile") as tab:
        keys = tab.page.keyboard
        tab.go("/desk")
        expect(tab.page.get_by_label("Name")).to_be_focused()
        keys.type("mai")
        keys.press("Tab")
        keys.type(people["mai"].password)
        keys.press("Enter")
        wait_for("mai is ready", lambda: state_of(server, "mai") == "ready")
        keys.press("r")
        wait_for("mai has a break", lambda: state_of(server, "mai") == "not_ready")
        expect(tab.page.locator(".badge.not_ready")).to_be_visible()
        keys.press("r")
        wait_for("mai is ready again", lambda: state_of(server, "mai") == "ready")
        keys.press("?")
        expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        keys.press("Escape")
        expect(tab.page.get_by_role("dialog")).to_be_hidden()
        with calling(caller):
            expect(tab.page.get_by_role("button", name="Answer")).to_be_enabled(timeout=30_000)
            keys.press("a")
            call_in_state(server, "talking")
            wait_for("the phone talks", lambda: tab.page.get_by_role("button", name="Mute").count() == 1)
            keys.press("m")
            expect(tab.page.get_by_text("You are muted")).to_be_visible()
            keys.press("m")
            keys.press("h")
            call_in_state(server, "held")
            wait_for("the desk knows", lambda: tab.page.get_by_role("button", name="Take back").count() == 1)
            keys.press("h")
            call_in_state(server, "talking")
            wait_for("the desk knows", lambda: tab.page.get_by_role("button", name="Hold").count() == 1)
            keys.press("e")
        expect(tab.page.get_by_role("heading", name="After-call work")).to_be_visible()
        press_until(tab, "What did it come to?")
        keys.press("Enter")
        expect(tab.page.get_by_role("option", name="Resolved")).to_be_visible()
        keys.press("Enter")
        # The list closes, and the focus is given back, a moment after the choice.
        choice = tab.page.get_by_role("button", name="What did it come to?")
        expect(choice).to_be_focused()
        expect(choice).to_contain_text("Resolved")
        keys.press("Tab")
        expect(tab.page.get_by_label("Note")).to_be_focused()
        keys.type("Nothing more to do")
        keys.press("Tab")
        expect(tab.page.get_by_role("button", name="Save and go ready")).to_be_focused()
        keys.press("Enter")
        expect(tab.page.get_by_text("Ready since")).to_be_visible()
        assert state_of(server, "mai") == "ready"


def press_until(tab: Tab, name: str) -> None:
    """Go on by Tab until a button of this name has the focus."""
    for _ in range(40):
        focused = tab.page.evaluate("document.activeElement?.getAttribute('aria-labelledby') || ''")
        words = tab.page.evaluate(
            "ids => ids.split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ')", focused
        )
        if name in words:
            return
        tab.page.keyboard.press("Tab")
    raise AssertionError(f"no way to {name!r} by Tab")


def test_axe_finds_a_fault_where_there_is_one(playwright: Playwright, server: Server, tmp_path: Path) -> None:
    with chromium(playwright, server, tmp_path / "profile") as tab:
        tab.go("/sign-in")
        expect(tab.page.get_by_label("Name")).to_be_visible()
        tab.page.evaluate("document.querySelector('main').append(document.createElement('img'))")
        assert any(fault.startswith("image-alt") for fault in faults(tab.page))
