"""JsSIP in Chromium over WebSocket, by SIP alone: called, holding, asking a colleague, transferring blind and attended.

Its pages' own buttons are tried in `test_desk.py`. The caller and the colleague are at phones of another make, which
have no part of WebRTC: keys, codecs and transports change between them and the browser.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from tests.end_to_end.browser import chromium
from tests.end_to_end.desks import tone
from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.jssip import JsSip, bundle
from tests.end_to_end.phones.switchboard import CALLER, CALLER_HZ, FIRST_HZ, SECOND_HZ, Agents, Three
from tests.end_to_end.running import wait_for

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def phones(switchboard: Agents, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """The caller and bao at baresip, anna at JsSIP."""
    folder = tmp_path_factory.mktemp("jssip")
    microphone = tone(folder / "microphone.wav", FIRST_HZ)
    with chromium(playwright, switchboard.server, folder / "browser", microphone) as tab:
        caller = Baresip(folder / "caller", switchboard.account(CALLER, "udp"), CALLER_HZ)
        anna = JsSip(folder / "anna", switchboard.account("anna", "udp"), FIRST_HZ, tab=tab, library=bundle(folder))
        bao = Baresip(folder / "bao", switchboard.account("bao", "udp"), SECOND_HZ)
        three = Three(switchboard, caller, anna, bao)
        for phone in three.phones:
            phone.start()
        yield three
        for phone in three.phones:
            phone.stop()


def test_a_talk_is_held_taken_back_and_given_on_blind(phones: Three) -> None:
    caller, anna, bao = phones.phones
    phones.talk_begins()
    anna.hold()
    phones.agents.wait_until("held")
    anna.resume()
    phones.agents.wait_until("talking", "anna")
    anna.hears(CALLER_HZ)
    caller.hears(FIRST_HZ)
    anna.transfer("bao")
    wait_for("bao's phone rings", bao.rings)
    bao.answer()
    phones.agents.wait_until("talking", "bao")
    wait_for("anna's phone is free", anna.is_free)
    bao.hears(CALLER_HZ)
    caller.hears(SECOND_HZ)
    caller.hang_up()
    phones.is_over()


def test_a_talk_is_given_on_after_asking(phones: Three) -> None:
    caller, anna, bao = phones.phones
    phones.talk_begins()
    anna.hold()
    phones.agents.wait_until("held")
    anna.dial("bao")
    wait_for("bao's phone rings", bao.rings)
    bao.answer()
    anna.hears(SECOND_HZ)
    bao.hears(FIRST_HZ)
    anna.attended_transfer()
    phones.agents.wait_until("talking", "bao")
    wait_for("anna's phone is free", anna.is_free)
    bao.hears(CALLER_HZ)
    caller.hears(SECOND_HZ)
    bao.hang_up()
    phones.is_over()
