"""One person on five channels, as the agent sees it who has the person on the line: one name, one timeline, in order,
and what comes in meanwhile within two seconds, without a reload."""

import asyncio
import random
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Locator, Page, Playwright, expect

from hotline.config import load
from hotline.omnitest.channels import AGAIN, LETTER, QUESTION, SUBJECT, Channels
from hotline.omnitest.persona import made_up
from telephony.clock import iso
from tests.crm_bridge.notify import far_ends
from tests.end_to_end import desks
from tests.end_to_end.desks import LAN, Caller, add_person, answer, call_in_state, calling, desk
from tests.end_to_end.people import tell
from tests.end_to_end.running import HOST, Server, running_server, wait_for

pytestmark = [pytest.mark.timeout(180), pytest.mark.alone]

SETTINGS: Final = (
    desks.SETTINGS
    + """
channels:
  zalo: {kind: zalo, app_id: "ZALO_APP", oa_secret: oa-secret, app_secret: ZALO_SECRET, refresh_token: ZALO_TOKEN,
         api_url: "ZALO_URL", oauth_url: "ZALO_URL"}
  facebook: {kind: messenger, app_secret: app-secret, verify_token: made-up}
  form: {kind: form, origins: ["https://www.example.com"]}
mail: {support: {kind: http, secret: whsec_bm90IGEgc2VjcmV0LCBidXQgbG9uZyBlbm91Z2g=}}
"""
)
SOON_MS: Final = 2_000


def settings(zalo: far_ends.ZaloServer) -> str:
    """Return the settings with the Zalo that messages go out by."""
    of_zalo = {"APP": far_ends.APP_ID, "SECRET": far_ends.APP_SECRET, "TOKEN": far_ends.FIRST_TOKEN, "URL": zalo.url}
    return re.sub("ZALO_(APP|SECRET|TOKEN|URL)", lambda found: of_zalo[found[1]], SETTINGS)


def write(server: Server, what: Callable[[Channels], Coroutine[Any, Any, object]]) -> None:
    """Let somebody write as the far end of a channel delivers it; in a thread, since Playwright's loop is in this."""

    async def written() -> None:
        address, token = f"http://{HOST}:{server.web_port}", {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(base_url=address, headers=token) as http:
            await what(Channels(http, load(server.config, {})))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(written())).result()


def proves_who_she_is(page: Page, zalo: far_ends.ZaloServer) -> None:
    """The agent has a code sent by Zalo, is told another one first, and then the right one."""
    customer = page.get_by_role("region", name="Customer", exact=True)
    expect(customer.get_by_text("Number only, can be forged")).to_be_visible()
    customer.get_by_role("button", name="Send a one-time code").click()
    expect(customer.get_by_text("A code of six digits went out by Zalo")).to_be_visible()
    (code,) = re.findall(r"\b[0-9]{6}\b", zalo.sent[-1]["message"]["text"])
    told = customer.get_by_role("textbox", name="The code that the caller tells")
    expect(told).to_be_focused()
    page.keyboard.type(f"{(int(code) + 1) % 10**6:06}")
    page.keyboard.press("Enter")
    expect(customer.get_by_text("That is not the code. Ask once more.")).to_be_visible()
    told.fill(f" {code[:3]} {code[3:]}")
    customer.get_by_role("button", name="Check").click()
    expect(customer.get_by_text("Verified", exact=True)).to_be_focused()
    expect(customer.get_by_role("button", name="Send another code")).to_be_hidden()
    assert code not in page.content()


def channels_of(timeline: Locator) -> list[str]:
    """Return the channels of the entries, from the top."""
    return [" ".join(text.split()) for text in timeline.locator("li .channel").all_inner_texts()]


def test_the_agent_sees_five_channels_as_one_person_in_order(playwright: Playwright, tmp_path: Path) -> None:
    lan = made_up(random.Random(1), LAN)  # noqa: S311 - nobody is to be protected from it
    with far_ends.zalo() as zalo, running_server(tmp_path, settings(zalo)) as server:
        thanh = add_person(server, "thanh")
        write(server, lambda channels: channels.write_on_zalo(lan, LAN))
        caller = Caller(server, tmp_path, seconds=90.0)
        with desk(playwright, server, tmp_path / "thanh", thanh) as tab, calling(caller):
            page, timeline = tab.page, tab.page.get_by_role("region", name="Timeline")
            answer(tab)
            expect(timeline.get_by_text(QUESTION)).to_be_visible()
            assert channels_of(timeline) == ["Call", "Zalo", "Zalo"]
            # She is on the line, and writes: a stranger on Facebook until she gives her number; a form, a letter.
            write(server, lambda channels: channels.write_on_facebook(lan, LAN))
            expect(timeline.get_by_text(AGAIN)).to_be_visible(timeout=SOON_MS)
            write(server, lambda channels: channels.fill_in_the_form(lan, LAN))
            expect(timeline.get_by_text("Please call me back.")).to_be_visible(timeout=SOON_MS)
            next_second = int(time.time()) + 1  # a letter's date has whole seconds
            wait_for("a second that is later than the form's", lambda: time.time() >= next_second)
            write(server, lambda channels: channels.write_an_email(lan))
            expect(timeline.get_by_text(LETTER)).to_be_visible(timeout=SOON_MS)
            expect(page.get_by_text(SUBJECT).first).to_be_visible(timeout=SOON_MS)
            assert channels_of(timeline) == ["E-mail", "Form", "Facebook", "Facebook", "Call", "Zalo", "Zalo"]
            customer = page.get_by_role("region", name="Customer", exact=True)
            for known in ("0912 345 678", lan.accounts["zalo"], lan.accounts["facebook"], lan.email):
                expect(customer.get_by_text(known).first).to_be_visible()

            proves_who_she_is(page, zalo)

            # The whole customer, beside the phone: the talk goes on, and so does what comes in.
            call = call_in_state(server, "talking")
            customer.get_by_role("heading").first.get_by_role("link").click()
            expect(page.get_by_role("region", name="Known by")).to_contain_text(lan.email)
            expect(page.get_by_role("button", name="Hang up")).to_be_visible()
            tell(server, "zalo", iso(time.time()), {"zalo": lan.accounts["zalo"]}, "Cảm ơn shop!")
            expect(timeline.get_by_text("Cảm ơn shop!")).to_be_visible(timeout=SOON_MS)
            assert channels_of(timeline)[:3] == ["Zalo", "Zalo by us", "E-mail"]
            page.get_by_role("link", name="Desk").click()
            expect(customer).to_be_visible()
            assert call_in_state(server, "talking")["id"] == call["id"]
            assert not [line for line in tab.console if "401" not in line]
        assert len(server.get("/customers")["items"]) == 1
