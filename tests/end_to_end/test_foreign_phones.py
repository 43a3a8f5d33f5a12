"""Calls from and to phones that are not ours: SIPp dials, baresip is the agent's desk phone."""

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.end_to_end.running import Baresip, Server, finish_sipp, go_on, sipp, start_sipp, wait_for

pytestmark = [pytest.mark.timeout(120), pytest.mark.alone]

TONE_HZ = 1000.0


def tone(path: Path, seconds: float = 60.0) -> Path:
    """Write a steady tone for the desk phone to play: G.711 carries it, and a spectrum shows it."""
    t = np.arange(int(8000 * seconds)) / 8000
    samples = (8000 * np.sin(2 * np.pi * TONE_HZ * t)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def read(path: Path) -> NDArray[np.float64]:
    """Return a WAV file's samples, float64[n, channels]."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        return samples.reshape(-1, file.getnchannels())


def share_of_tone(samples: NDArray[np.float64]) -> float:
    """Return which part of the energy lies within 20 Hz of the tone."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / 8000)
    return float(power[np.abs(hz - TONE_HZ) < 20].sum() / (power.sum() + 1e-9))


@pytest.fixture
def agent(server: Server, tmp_path: Path) -> Iterator[Baresip]:
    """An agent whose desk phone is registered and answers by itself."""
    name = f"agent{server.sip_port}"
    known = {user["name"] for user in server.get("/agents")}
    added = server.hotline("users", "add", name, "--role", "agent") if name not in known else ""
    secrets = dict(line.split(": ", 1) for line in added.splitlines() if ": " in line)
    phone = Baresip(tmp_path / "desk", server, name, secrets["sip_password"], tone(tmp_path / "tone.wav"))
    wait_for("the server knows the new agent", lambda: name in {user["name"] for user in server.get("/agents")})
    phone.start()
    wait_for(
        "the desk phone is registered and its agent ready",
        lambda: any(a["name"] == name and a["state"] == "ready" for a in server.get("/agents")),
    )
    yield phone
    phone.stop()


def last_call(server: Server) -> dict[str, Any]:
    """Return the newest call once its row says that it ended: the BYE is answered before the row is written."""

    def ended() -> dict[str, Any] | None:
        calls: list[dict[str, Any]] = server.get("/calls")["items"]
        return calls[0] if calls and calls[0]["state"] == "ended" else None

    return wait_for("the call's row says that it ended", ended)


def journal(server: Server, call: str, type_: str) -> list[dict[str, Any]]:
    """Return the fields of a call's journal entries of one type."""
    return [entry["fields"] for entry in server.get(f"/calls/{call}/journal") if entry["type"] == type_]


def test_sipp_dials_presses_a_key_by_rfc_4733_and_hangs_up(server: Server, tmp_path: Path) -> None:
    def has_led_on() -> bool:
        calls = server.get("/calls")["items"]
        return bool(calls) and "to_english" in calls[0]["flow_path"]

    scenario = "uac-presses-a-key-and-hangs-up-when-told-expect-200.xml"
    with start_sipp(server, tmp_path, scenario, "-s", "19001234") as caller:
        try:
            wait_for("the key has led on", has_led_on, 60)
            go_on(caller)
            messages = finish_sipp(caller, tmp_path)
        finally:
            caller.kill()
    assert "SIP/2.0 200 OK" in messages
    call = last_call(server)
    assert call["state"] == "ended"
    assert call["ended_by"] == "caller"
    assert call["ani"] == "+84912345678"
    assert [(key["digit"], key["source"]) for key in journal(server, call["id"], "DigitPressed")] == [("2", "rfc4733")]
    assert "to_english" in call["flow_path"]
    answered = journal(server, call["id"], "ConnectLeg")[0]
    assert (answered["payload_type"], answered["telephone_event"]) == (8, 101)
    timeline = server.get(f"/customers/{call['customer']}/timeline")["items"]
    assert [item["channel"] for item in timeline][:1] == ["call"]


def test_a_desk_phone_takes_the_call_and_both_are_recorded_apart(
    server: Server, agent: Baresip, tmp_path: Path
) -> None:
    sipp(server, tmp_path, "uac-talks-to-an-agent-and-hangs-up-expect-200.xml", "-s", "19001234", timeout_s=60)
    call = last_call(server)
    assert (call["ended_by"], call["agent"]) == ("caller", agent.user), agent.log()
    assert call["queue_wait_s"] > 0
    recording = wait_for(
        "the recording is closed",
        lambda: next(
            (r for r in server.get(f"/recordings?call={call['id']}")["items"] if r["state"] == "closed"), None
        ),
    )
    status, audio = server.request("GET", f"/api/v1/recordings/{recording['id']}/audio")
    assert status == 200
    (tmp_path / "recording.wav").write_bytes(audio)
    talk = read(tmp_path / "recording.wav")
    seconds = len(talk) / 8000
    assert seconds == pytest.approx(call["talk_s"], abs=0.5)
    caller, desk = talk[8000:, 0], talk[8000:, 1]
    assert share_of_tone(desk) > 0.9, "the agent's tone is on the right"
    assert share_of_tone(caller) < 0.05, "and not on the left"
    assert np.abs(caller).max() > 1000, "the caller's speech is on the left"
    # No Vietnamese model is installed: the recording is kept and says so, never an empty transcript.
    transcript = wait_for(
        "the transcript's state",
        lambda: next(
            (t for t in [server.get(f"/recordings/{recording['id']}/transcript")] if t["state"] != "pending"), None
        ),
    )
    assert transcript["state"] == "awaiting_model"
    assert "text" not in transcript or transcript["text"] is None
    states = [saved["state"] for saved in journal(server, call["id"], "SaveAgent")]
    assert states[:2] == ["ringing", "talking"]
    heard = read(agent.heard())
    assert np.abs(heard).max() > 1000, "the agent heard the caller"
