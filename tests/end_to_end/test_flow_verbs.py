"""Flows that call somebody, let callers talk with each other, and take messages: with phones that are not ours."""

import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.desks import share_of, speech, tone
from tests.end_to_end.pbx import finish, sipp
from tests.end_to_end.running import HOST, Server, free_port, wait_for

pytestmark = pytest.mark.timeout(180)

FIRST_HZ, SECOND_HZ = 500.0, 800.0
FLOWS = {
    "dialling": """
start: call
steps:
  call:
    dial: {number: "0987654321", timeout: 10s}
    answered: back
    busy: sorry
    no_answer: sorry
    failed: sorry
  back: {note: "The other has left.", next: sorry}
  sorry: {hangup: {en: Goodbye.}}
""",
    "meeting": """
start: room
steps:
  room:
    conference: {room: team}
    next: over
    full: over
    failed: over
  over: {hangup: {en: Goodbye.}}
""",
    "mailbox": """
start: leave
steps:
  leave:
    voicemail: {to: care, limit: 20s}
    next: kept
    no_message: lost
    failed: lost
  kept: {hangup: {en: Goodbye.}}
  lost: {hangup: {en: Goodbye.}}
""",
}
HEAD = "flow: {name}\ntitle: {{en: Test}}\nlanguages: [en]\n"


class House:
    """A hotline with these flows behind 7001 and so on, and a trunk to whoever is at `outside`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.outside = folder, free_port()
        flows = folder / "flows"
        flows.mkdir()
        for name, text in FLOWS.items():
            (flows / f"{name}.yaml").write_text(HEAD.format(name=name) + text, encoding="utf-8")
        numbers = ", ".join(f'"700{n}": {name}' for n, name in enumerate(FLOWS, 1))
        self.server = Server(folder, f"flows: {flows}\nnumbers: {{{numbers}}}\n")
        self.server.write_config()
        trunk = f"{{name: out, targets: 'sip:{HOST}:{self.outside}', probe: 0s, caller_number: '+842873001000'}}"
        config = self.server.config.read_text("utf-8")
        config = config.replace("domain: hotline.test", f"domain: hotline.test, trunks: [{trunk}]")
        self.server.config.write_text(config, encoding="utf-8")
        self.server.furnish()

    def phone(self, number: str, name: str, seconds: float, plays: Path | None = None) -> "subprocess.Popen[bytes]":
        """Let a phone of another make call; it records what it hears."""
        play = ["--play", str(plays)] if plays else []
        return subprocess.Popen(
            [
                sys.executable, "-m", "hotline.phone", "call", number, "--server", f"{HOST}:{self.server.sip_port}",
                "--from", "0912345678", "--seconds", str(seconds), "--record", str(self.heard(name)), *play,
            ]
        )  # fmt: skip

    def heard(self, name: str) -> Path:
        """What a phone has heard."""
        return self.folder / f"{name}.wav"

    def ended(self, count: int = 1) -> list[dict[str, Any]]:
        """The calls, once so many have ended."""

        def look() -> list[dict[str, Any]] | None:
            calls = self.server.get("/calls")["items"]
            return calls if len([each for each in calls if each["state"] == "ended"]) == count else None

        return wait_for("the calls have ended", look, 30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.server.start()
    try:
        yield made
    finally:
        made.server.stop()


def hears(path: Path, hertz: float) -> bool:
    """Whether some second of a recording is that tone."""
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    seconds = [samples[at : at + rate] for at in range(0, len(samples) - rate, rate // 2)]
    return any(share_of(hertz, second) > 0.5 and np.abs(second).max() > 1000 for second in seconds)


def test_a_flow_calls_a_number_and_goes_on_after_it(house: House) -> None:
    folder = house.folder / "outside"
    called = sipp(folder, "uas-answers-and-hangs-up.xml", None, port=house.outside)
    try:
        caller = house.phone("7001", "caller", 30.0, tone(house.folder / "tone.wav", FIRST_HZ))
        messages = finish(called, folder)
        assert caller.wait(30) == 0
    finally:
        if called.poll() is None:
            called.kill()
            called.communicate()
    assert "INVITE sip:+84987654321@" in messages
    (call,) = house.ended()
    assert call["flow_path"] == ["call", "back", "sorry"]
    assert 1.0 < call["talk_s"] < 4.0
    recording = wait_for(
        "the talk has a file",
        lambda: next((each for each in house.server.get("/recordings")["items"] if each["state"] == "closed"), None),
    )
    assert (recording["id"], recording["kind"]) == (call["recording"], "talk")


def test_callers_in_one_room_hear_each_other(house: House) -> None:
    first = house.phone("7002", "first", 12.0, tone(house.folder / "a.wav", FIRST_HZ))
    wait_for("the first is there", lambda: house.server.get("/calls?state=conferring")["items"])
    second = house.phone("7002", "second", 5.0, tone(house.folder / "b.wav", SECOND_HZ))
    assert (second.wait(30), first.wait(30)) == (0, 0)
    assert hears(house.heard("first"), SECOND_HZ)
    assert hears(house.heard("second"), FIRST_HZ)
    calls = house.ended(2)
    assert {call["recording"] for call in calls} == {None}


def test_a_message_is_left_heard_and_dealt_with(house: House) -> None:
    words = speech(house.folder, words="This is Lan. Please call me back about my order, it has not arrived yet.")
    caller = house.phone("7003", "caller", 40.0, words["words"])
    assert caller.wait(60) == 0
    (call,) = house.ended()
    assert call["flow_path"] == ["leave", "kept"]  # by the silence after the last word
    (message,) = house.server.get("/voicemails?queue=care&done=false")["items"]
    assert (message["call"], message["ani"], message["done_at"]) == (call["id"], "+84912345678", None)
    assert 8.0 < message["seconds"] < 20.0

    def audio() -> bytes | None:
        status, body = house.server.request("GET", f"/api/v1/voicemails/{message['id']}/audio")
        return body if status == 200 else None

    file = house.folder / "message.wav"
    file.write_bytes(wait_for("the message has a file", audio))
    with wave.open(str(file), "rb") as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(samples[:, 0]).max() > 1000  # the caller
    assert np.abs(samples[:, 1]).max() == 0  # and nobody else
    assert house.server.post(f"/voicemails/{message['id']}/done", {})["done_by"] == "tests"
    assert house.server.get("/voicemails?done=false")["items"] == []
    timeline = house.server.get(f"/customers/{call['customer']}/timeline")["items"]
    assert [each["channel"] for each in timeline] == ["voicemail", "call"]
    assert call["recording"] is None
