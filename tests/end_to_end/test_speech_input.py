"""A caller answers a menu by voice: through G.711, the media worker and the real recogniser."""

import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.running import HOST, Server, running_server, wait_for
from tests.end_to_end.test_foreign_phones import journal, last_call
from tests.recordings.transcribe.conftest import KOREAN, korean
from tests.recordings.transcribe.voices import RATE_HZ, Samples, silence

# A recogniser hears what comes through in time: voice that is starved is another word.
pytestmark = [pytest.mark.timeout(120), pytest.mark.alone]

FLOW = """
flow: main
title: {ko: 안내}
languages: [ko]
start: wish
steps:
  wish:
    menu:
      prompt: 말씀해 주세요.
      first_key: 20s
      choices:
        1: {phrases: [예약], next: booked}
        2: {phrases: [번호], next: told}
    no_input: silent
    no_match: {retries: 3, next: silent}
  booked:
    hangup: {reason: booked}
  told:
    hangup: {reason: told}
  silent:
    hangup: {reason: silent}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("speech")
    (folder / "flows").mkdir()
    (folder / "flows" / "main.yaml").write_text(FLOW, encoding="utf-8")
    settings = (
        f"flows: {folder / 'flows'}\n"
        "languages: [ko]\n"
        "numbers: {'*': main}\n"
        "speech:\n"
        f"  recognisers: {{ko: {{engine: vosk, model: {KOREAN.model}}}}}\n"
        "  voices: {ko: {engine: espeak, voice: ko}}\n"
    )
    with running_server(folder, settings) as started:
        wait_for("the recogniser has its model", lambda: hears(started), 60)
        yield started


def hears(server: Server) -> bool:
    _, metrics = server.request("GET", "/metrics")
    return 'hotline_worker_up{worker="hear"} 1.0' in metrics.decode()


def cough() -> Samples:
    """A burst of noise that dies away."""
    noise = np.convolve(np.random.default_rng(1).standard_normal(2800), np.ones(6) / 6, "same")
    return np.clip(noise * np.exp(-np.arange(2800) / 640) * 20000, -32000, 32000).astype(np.int16)


def call(server: Server, folder: Path, *parts: Samples) -> None:
    """Say something three seconds after the answer, and stay until the flow has ended the call."""
    path = folder / "said.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.concatenate([*parts, silence(1)]).astype("<i2").tobytes())
    command = [sys.executable, "-m", "hotline.phone", "call", "19001234", "--server", f"{HOST}:{server.sip_port}"]
    said = ["--from", "0912345678", "--play", str(path), "--play-after", "3", "--seconds", "30"]
    subprocess.run([*command, *said], capture_output=True, timeout=60, check=False)


def test_a_menu_is_answered_by_voice(server: Server, tmp_path: Path) -> None:
    call(server, tmp_path, korean().say("예약"))
    told = last_call(server)
    heard = journal(server, told["id"], "UtteranceRecognised")
    assert [each["text"] for each in heard] == ["예약"]
    assert heard[0]["confidence"] >= 0.6
    assert (told["flow_path"], told["ended_by"]) == (["wish", "booked"], "flow: booked")
    assert "예약" not in "".join(server.errors)


def test_a_cough_is_no_answer(server: Server, tmp_path: Path) -> None:
    call(server, tmp_path, cough(), silence(2.5), korean().say("번호"))
    told = last_call(server)
    assert (told["flow_path"], told["ended_by"]) == (["wish", "told"], "flow: told")
