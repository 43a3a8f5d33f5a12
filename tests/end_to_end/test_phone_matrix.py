"""Phones of other makes, by every transport that they speak.

| phone        | transports    | registers, calls, is called | holds                 | blind | attended            |
|--------------|---------------|-----------------------------|-----------------------|-------|---------------------|
| baresip 1.0  | UDP, TCP, TLS | yes                         | yes                   | yes   | by a typed Replaces |
| linphone 5.1 | UDP, TCP, TLS | yes                         | yes                   | yes   | yes                 |
| rfcvoip 2.10 | UDP, TCP, TLS | yes                         | sends no re-INVITE    | no    | no                  |
| pyVoIP 1.6.8 | UDP           | yes                         | sends no re-INVITE    | no    | no                  |
| JsSIP 3.13   | WebSocket     | yes (`test_jssip.py`)       | yes                   | yes   | yes                 |
| SIPp 3.6     | UDP, TCP      | yes (`test_sipp.py`)        | yes                   | no    | no                  |

Where there is a no, the phone has no such deed: nothing is skipped.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.desks import last_seconds, share_of, tone
from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Transport
from tests.end_to_end.phones.rfc_voip import RfcVoip
from tests.end_to_end.phones.switchboard import (
    CALLER,
    CALLER_HZ,
    FIRST_HZ,
    SECOND_HZ,
    Agents,
    MakePhone,
    Three,
    three,
)
from tests.end_to_end.running import HOST, wait_for

pytestmark = pytest.mark.timeout(120)

TRANSPORTS: Final[tuple[Transport, ...]] = ("udp", "tcp", "tls")
MAKES: Final[dict[str, MakePhone]] = {"baresip": Baresip, "linphone": Linphone, "rfcvoip": RfcVoip}
CALLS_FROM: Final = {"rfcvoip": "chi"}
"""Who calls from a phone that is always one of ours; others call from elsewhere, without a password."""
WITH_HOLD: Final = [(make, transport) for make in ("baresip", "linphone") for transport in TRANSPORTS]
ASKING: Final[list[tuple[str, Transport]]] = [("baresip", "udp"), ("linphone", "udp")]
WITHOUT_HOLD: Final = [("rfcvoip", transport) for transport in TRANSPORTS]


@pytest.fixture(scope="module")
def phones(
    switchboard: Agents, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Three]:
    """A caller's and two agents' phones of one make by one transport."""
    make, transport = request.param
    folder = tmp_path_factory.mktemp(f"{make}-{transport}")
    with three(switchboard, MAKES[make], folder, transport, CALLS_FROM.get(make, CALLER)) as started:
        yield started


def names(case: tuple[str, Transport]) -> str:
    return "-".join(case)


@pytest.mark.parametrize("phones", WITH_HOLD, indirect=True, ids=names)
def test_a_talk_is_held_taken_back_and_given_on_blind(phones: Three) -> None:
    caller, anna, bao = phones.phones
    phones.talk_begins()
    anna.hold()
    phones.agents.wait_until("held")
    caller.hears_music()
    anna.resume()
    phones.agents.wait_until("talking", "anna")
    anna.hears(CALLER_HZ)
    caller.hears(FIRST_HZ)
    # The caller's own hold is no hold of the talk; afterwards voice flows as before.
    caller.hold()
    caller.resume()
    anna.hears(CALLER_HZ)
    caller.hears(FIRST_HZ)
    anna.transfer("bao")
    wait_for("bao's phone rings", bao.rings)
    wait_for("anna's phone is free", anna.is_free)
    bao.answer()
    phones.agents.wait_until("talking", "bao")
    bao.hears(CALLER_HZ)
    caller.hears(SECOND_HZ)
    caller.hang_up()
    phones.is_over()


@pytest.mark.parametrize("phones", WITH_HOLD, indirect=True, ids=names)
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


@pytest.mark.parametrize("phones", ASKING, indirect=True, ids=names)
def test_a_colleague_who_does_not_want_the_caller(phones: Three) -> None:
    caller, anna, bao = phones.phones
    phones.talk_begins()
    for answers in (False, True):
        anna.hold()
        phones.agents.wait_until("held")
        anna.dial("bao")
        wait_for("bao's phone rings", bao.rings)
        if answers:
            bao.answer()
            anna.hears(SECOND_HZ)
        bao.hang_up()
        wait_for("bao's phone is free", bao.is_free)
        wait_for("anna's phone has the caller's call alone", anna.has_one)
        anna.resume()
        phones.agents.wait_until("talking", "anna")
        anna.hears(CALLER_HZ)
        caller.hears(FIRST_HZ)
    # The caller gives up while the two talk, who go on.
    anna.hold()
    phones.agents.wait_until("held")
    anna.dial("bao")
    wait_for("bao's phone rings", bao.rings)
    bao.answer()
    anna.hears(SECOND_HZ)
    caller.hang_up()
    phones.agents.wait_until_over()
    anna.hears(SECOND_HZ)
    bao.hears(FIRST_HZ)
    bao.hang_up()
    phones.is_over()


@pytest.mark.parametrize("phones", WITHOUT_HOLD, indirect=True, ids=names)
def test_a_phone_without_hold_calls_and_is_called_and_presses_a_key(phones: Three) -> None:
    phones.talk_begins()
    phones.anna.hang_up()
    phones.is_over()
    # A menu leads to anna by the key 1 alone, which the phone sends by RFC 4733.
    phones.agents.wait_until_ready("anna")
    assert isinstance(phones.caller, RfcVoip)
    phones.caller.dial("7003")
    phones.agents.wait_until("in_flow")
    wait_for("the caller's phone knows that it is answered", phones.caller.talks)
    phones.caller.press("1")
    wait_for("anna's phone rings", phones.anna.rings)
    phones.anna.answer()
    phones.anna.hears(CALLER_HZ)
    phones.caller.hang_up()
    phones.is_over()


def test_pyvoip_calls_and_is_called(switchboard: Agents, tmp_path: Path) -> None:
    server = f"{HOST}:{switchboard.server.sip_port}"

    def phone(name: str, hertz: float, *arguments: str) -> subprocess.Popen[bytes]:
        play = ["--play", str(tone(tmp_path / f"{name}.wav", hertz)), "--record", str(tmp_path / f"{name}-heard.wav")]
        return subprocess.Popen([sys.executable, "-m", "hotline.phone", *arguments, "--server", server, *play])

    password = switchboard.people["anna"].sip_password
    anna = phone("anna", FIRST_HZ, "agent", "--user", "anna", "--password", password, "--answer-after", "0.2")
    switchboard.wait_until_ready("anna")
    caller = phone("caller", CALLER_HZ, "call", "7001", "--from", CALLER, "--seconds", "5")
    switchboard.wait_until("talking", "anna")
    switchboard.wait_until_over()
    assert (caller.wait(20), anna.wait(20)) == (0, 0)
    assert share_of(CALLER_HZ, last_seconds(tmp_path / "anna-heard.wav", 1.0)) > 0.6
    assert share_of(FIRST_HZ, last_seconds(tmp_path / "caller-heard.wav", 1.0)) > 0.6
