"""The media worker of a talk is killed, or hangs: phones and pages hear each other again within two seconds."""

import os
import signal
import wave
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Playwright

from telephony.clock import TICK_S
from tests.end_to_end.desks import answer, call_in_state, desk, hears_tone, running_call, tone
from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Transport
from tests.end_to_end.phones.switchboard import CALLER, CALLER_HZ, FIRST_HZ, Agents, MakePhone, Three, agents, three
from tests.end_to_end.running import Server, wait_for

pytestmark = [pytest.mark.timeout(90), pytest.mark.alone]

MAKES: Final[dict[str, tuple[MakePhone, Transport]]] = {
    "baresip": (Baresip, "udp"),
    "baresip, encrypted": (partial(Baresip, encryption="srtp-mand"), "tls"),
    "linphone": (Linphone, "tcp"),
}
GAP_S: Final = 2.0
FINGERPRINT: Final = "() => /a=fingerprint:(.*)/.exec(window.__connections.at(-1).currentRemoteDescription.sdp)[1]"


@pytest.fixture(scope="module")
def switchboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    with agents(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def phones(
    switchboard: Agents, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Three]:
    make, transport = MAKES[request.param]
    with three(switchboard, make, tmp_path_factory.mktemp("phones"), transport) as started:
        yield started


def media_workers(server: Server) -> list[int]:
    """Return the media workers that run, the one that serves first: each new one is the spare, and comes last."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(child) for child in children if b"media_worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_for_the_spare(server: Server) -> int:
    """Return the worker that serves, once there is another that is ready to take its calls."""

    def both() -> int | None:
        workers = media_workers(server)
        said = [line for line in server.errors if "media worker ready" in line and "spare" in line]
        is_there = len(workers) == 2 and any(f"process={workers[1]} " in line for line in said)
        return workers[0] if is_there else None

    return wait_for("a spare media worker is ready", both, 30)


def longest_silence_s(samples: NDArray[np.int16]) -> float:
    """Return how long one channel is silent at most between two sounds."""
    loud = np.abs(samples[: len(samples) // 160 * 160].reshape(-1, 160)).max(axis=1) > 500
    return float(np.diff(np.flatnonzero(loud)).max()) * TICK_S


def recorded(server: Server, call: str, path: Path) -> tuple[dict[str, Any], NDArray[np.int16]]:
    """Return the row and the samples of a call's recording."""
    row: dict[str, Any] = wait_for(
        "the recording is closed",
        lambda: next((r for r in server.get(f"/recordings?call={call}")["items"] if r["state"] == "closed"), None),
    )
    path.write_bytes(server.request("GET", f"/api/v1/recordings/{row['id']}/audio")[1])
    with wave.open(str(path), "rb") as file:
        return row, np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())


@pytest.mark.parametrize(
    ("phones", "how"),
    [
        ("baresip", signal.SIGKILL),
        ("baresip", signal.SIGSTOP),
        ("baresip, encrypted", signal.SIGKILL),
        ("linphone", signal.SIGKILL),
    ],
    indirect=["phones"],
)
def test_a_talk_goes_on_and_its_recording_says_what_is_missing(
    phones: Three, how: signal.Signals, tmp_path: Path
) -> None:
    server = phones.agents.server
    call = phones.talk_begins()
    try:
        serving = wait_for_the_spare(server)
        before = len(server.errors)
        os.kill(serving, how)
        wait_for("the calls are in the spare", lambda: any("calls go on" in line for line in server.errors[before:]), 5)
        phones.anna.hears(CALLER_HZ)
        phones.caller.hears(FIRST_HZ)
        phones.caller.hang_up()
        phones.is_over()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{phones.logs()}") from error
    after = server.get(f"/calls/{call['id']}")
    assert after["ended_by"] == "caller"
    row, samples = recorded(server, call["id"], tmp_path / "talk.wav")
    missing = [(gap["since"], gap["until"]) for gap in row["gaps"]]
    # Of a worker that is killed what was not written yet is missing: up to 0.2 s, or nothing.
    assert len(missing) in ({1} if how is signal.SIGSTOP else {0, 1})
    assert len(samples) / 8000 == pytest.approx(after["talk_s"], abs=0.5)
    for since, until in missing:
        assert until - since < GAP_S
        assert not samples[round(8000 * since) : round(8000 * until)].any()
    for channel in samples.T:
        assert longest_silence_s(channel) < GAP_S
    assert any(alarm["kind"] == "media_worker_died" for alarm in server.get("/alarms"))


def test_a_page_goes_on_with_another_certificate(playwright: Playwright, switchboard: Agents, tmp_path: Path) -> None:
    server, anna = switchboard.server, switchboard.people["anna"]
    caller = Baresip(tmp_path / "caller", switchboard.account(CALLER, "udp"), CALLER_HZ)
    with desk(playwright, server, tmp_path / "profile", anna, tone(tmp_path / "anna.wav", FIRST_HZ)) as tab:
        caller.start()
        try:
            caller.dial("7001")
            answer(tab)
            call = call_in_state(server, "talking")
            hears_tone(tab, CALLER_HZ)
            before = tab.page.evaluate(FINGERPRINT)
            os.kill(wait_for_the_spare(server), signal.SIGKILL)
            wait_for("the page has taken the new certificate", lambda: tab.page.evaluate(FINGERPRINT) != before, 5)
            tab.wait_for_sound()
            hears_tone(tab, CALLER_HZ)
            caller.hears(FIRST_HZ)
            assert call_in_state(server, "talking")["id"] == call["id"]
            tab.page.get_by_role("button", name="Hang up").click()
            wait_for("the call has ended", lambda: running_call(server) is None)
        finally:
            caller.stop()
    _, samples = recorded(server, call["id"], tmp_path / "talk.wav")
    for channel in samples.T:
        assert longest_silence_s(channel) < GAP_S
