"""`ivr_flows.prompts`: one path for one content, another for another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ivr_flows import prompts
from ivr_flows.prompts import VoiceSettings, cache_path, key, missing, prompt_path, voice_for
from telephony.events import Prompt

VI = VoiceSettings("espeak", voice="vi")


def test_key_is_of_the_content() -> None:
    keys = [
        key("Chào", "vi", VI),
        key("Chào ", "vi", VI),
        key("Chào", "en", VI),
        key("Chào", "vi", VoiceSettings("espeak", voice="vi-vn-x-south")),
        key("Chào", "vi", VoiceSettings("espeak", voice="vi", speed=1.1)),
        key("Chào", "vi", VoiceSettings("piper", model="vi.onnx")),
    ]
    assert len(set(keys)) == len(keys)
    assert key("Chào", "vi", VI) == keys[0]
    assert all(len(found) == 64 for found in keys)


def test_another_engine_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key("Chào", "vi", VI)
    monkeypatch.setattr(prompts, "_version", lambda _engine: "99")
    assert key("Chào", "vi", VI) != before


def test_paths(tmp_path: Path) -> None:
    name = key("Chào", "vi", VI)
    assert cache_path(tmp_path, name) == tmp_path / name[:2] / f"{name}.s16"
    assert prompt_path(tmp_path, Prompt("text", "Chào", "vi"), {"vi": VI}) == cache_path(tmp_path, name)
    music = prompt_path(tmp_path, Prompt("music", "waiting"), {})
    assert music == prompt_path(tmp_path, Prompt("music", "waiting", "en"), {"en": VI})
    assert music != prompt_path(tmp_path, Prompt("text", "waiting"), {})


def test_a_changed_file_gets_another_path(tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    prompt = Prompt("file", str(file))
    absent = prompt_path(tmp_path, prompt, {})
    file.write_bytes(b"1")
    present = prompt_path(tmp_path, prompt, {})
    os.utime(file, ns=(1, 1))
    assert len({absent, present, prompt_path(tmp_path, prompt, {})}) == 3


def test_voice_of_a_language() -> None:
    voices = {"en": VoiceSettings("espeak", voice="en"), "en-GB": VoiceSettings("espeak", voice="en-gb")}
    assert voice_for("en-GB", voices).voice == "en-gb"
    assert voice_for("en-US", voices).voice == "en"
    assert voice_for("vi", voices) == VoiceSettings()


def test_missing_names_the_mend() -> None:
    voices = {"vi": VI, "en": VoiceSettings("piper", model="/nowhere.onnx")}
    (cause,) = missing(voices)
    assert "speech.voices.en.model" in cause
    assert "/nowhere.onnx" in cause


def test_asking_for_a_path_imports_no_engine() -> None:
    code = (
        "import sys; from pathlib import Path; from ivr_flows import prompts; from telephony.events import Prompt;"
        "import telephony.edge.speech_worker;"
        "prompts.prompt_path(Path('x'), Prompt('text', 'a', 'vi'), {});"
        "print(sorted({'espeakng_loader', 'piper', 'pydub', 'vosk', 'faster_whisper'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
