"""The supervisors' page turns the emergency switch of opening hours, and shows what the command line did to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from tests.end_to_end.browser import chromium
from tests.end_to_end.desks import SETTINGS, add_person, sign_in
from tests.end_to_end.looking import faults
from tests.end_to_end.running import Server, running_server

pytestmark = pytest.mark.timeout(120)

HOURS = "hours: {office: {open: {mon-sun: 00:00-24:00}, holidays: [2020-01-01]}, shop: {open: {mon: 08:00-12:00}}}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS + HOURS) as started:
        yield started


def test_an_emergency_is_declared_and_ended(playwright: Playwright, server: Server, tmp_path: Path) -> None:
    huong = add_person(server, "huong", "supervisor")
    with chromium(playwright, server, tmp_path / "supervisor") as tab:
        sign_in(tab, huong, "/supervise")
        page = tab.page
        office = page.get_by_role("row", name="office")
        expect(office).to_contain_text("Open")
        office.get_by_role("button", name="Declare an emergency").click()
        dialog = page.get_by_role("dialog", name="An emergency at office?")
        assert faults(page) == []
        dialog.get_by_role("button", name="Declare an emergency").click()
        expect(dialog).to_have_count(0)
        expect(office).to_contain_text("huong")
        page.screenshot(path=tmp_path / "hours.png")
        assert faults(page) == []
        server.hotline("hours", "emergency", "office", "off")
        expect(office.get_by_role("button", name="Declare an emergency")).to_be_visible(timeout=20_000)
