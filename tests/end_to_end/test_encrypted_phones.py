"""Phones that encrypt their voice (SRTP with keys in the SDP), and what is on the wire then."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Transport, _is_tone, _Listening
from tests.end_to_end.phones.switchboard import CALLER, CALLER_HZ, FIRST_HZ, Agents, MakePhone, Three, agents, three
from tests.end_to_end.phones.wire import Wire
from tests.end_to_end.running import wait_for

pytestmark = pytest.mark.timeout(90)

MAKES: Final[dict[str, tuple[MakePhone, Transport]]] = {
    "baresip, where it can": (partial(Baresip, encryption="srtp"), "tls"),
    "baresip, always": (partial(Baresip, encryption="srtp-mand"), "tls"),
    # Without the must it takes no keys beside RTP/AVP, and goes without.
    "linphone": (partial(Linphone, encryption="srtp", must=True), "tls"),
}


@pytest.fixture(scope="module")
def switchboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    with agents(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """A server that has no voice in the clear."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HOTLINE__MEDIA__SRTP", "required")
        with agents(tmp_path_factory.mktemp("strict")) as started:
            yield started


@pytest.fixture
def phones(
    switchboard: Agents, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Three]:
    make, transport = MAKES[request.param]
    with three(switchboard, make, tmp_path_factory.mktemp("phones"), transport) as started:
        yield started


def connections(server: Agents, call: str) -> list[dict[str, object]]:
    """Return the ConnectLegs of a call, as its journal has them."""
    (path,) = server.server.data.rglob(f"{call}.jsonl")
    messages = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    return [message for message in messages if message["what"] == "ConnectLeg"]


def are_encrypted(server: Agents, call: str) -> None:
    """Both legs were, and no key is in the journal."""
    last = {str(each["leg"]): each for each in connections(server, call)}
    assert len(last) == 2
    for each in last.values():
        srtp = each["srtp"]
        assert isinstance(srtp, dict)
        assert set(srtp["ours"]) <= {"A", "="}
        assert set(srtp["theirs"]) <= {"A", "="}


@pytest.mark.parametrize("phones", MAKES, indirect=True)
def test_both_legs_are_encrypted_and_both_hear(phones: Three, tmp_path: Path) -> None:
    call = phones.talk_begins()
    are_encrypted(phones.agents, str(call["id"]))
    (connected, *_) = [each for each in connections(phones.agents, str(call["id"])) if each["port"]]
    port = connected["port"]
    assert isinstance(port, int)
    wire = Wire(port, tmp_path / "wire.wav")
    listening = _Listening(lambda: [wire.path])
    phones.caller.hears(FIRST_HZ)
    phones.anna.hears(CALLER_HZ)
    wait_for("half a second is on the wire", lambda: len(listening.newest()) >= 4000)
    assert not _is_tone(FIRST_HZ, listening.newest())
    wire.close()
    phones.caller.hang_up()
    phones.is_over()


@pytest.mark.parametrize("phones", ["linphone"], indirect=True)
def test_hold_and_resume_keep_it_so(phones: Three) -> None:
    call = phones.talk_begins()
    phones.anna.hold()
    phones.agents.wait_until("held")
    phones.anna.resume()
    phones.agents.wait_until("talking", "anna")
    phones.anna.hears(CALLER_HZ)
    phones.caller.hears(FIRST_HZ)
    are_encrypted(phones.agents, str(call["id"]))
    phones.anna.hang_up()
    phones.is_over()


def test_where_it_is_a_must_a_phone_without_is_refused_and_one_with_it_served(strict: Agents, tmp_path: Path) -> None:
    plain = Baresip(tmp_path / "plain", strict.account(CALLER, "udp"), CALLER_HZ)
    plain.start()
    try:
        plain.dial("7001")
        wait_for("the call is refused", lambda: any(each["type"] == "CALL_CLOSED" for each in plain.events))
        (closed,) = [each for each in plain.events if each["type"] == "CALL_CLOSED"]
        assert "488" in str(closed)
        assert "Warning: 302 hotline.test" in plain.log()
    finally:
        plain.stop()
    with three(strict, partial(Baresip, encryption="srtp-mand"), tmp_path, "udp") as phones:
        call = phones.talk_begins()
        are_encrypted(strict, str(call["id"]))
        phones.caller.hang_up()
        phones.is_over()
