"""The model that faster-whisper brings along, for many legs at once."""

from pathlib import Path

import numpy as np
import pytest

from telephony.edge import silero
from telephony.edge.silero import CONTEXT, MEMORY, WINDOW, NoModel, Silero, edited_by, for_many, installed
from telephony.edge.trained_voice import TrainedVoice
from telephony.media.tones import dtmf, progress
from tests.telephony.media.speech import (
    CAR,
    PINK,
    WHITE,
    after_a_quiet_line,
    after_s,
    bursts,
    echoes,
    hum,
    listen,
    noise,
    over_a_line,
    speech,
    steps,
    within,
)

pytest.importorskip("onnxruntime")
vad = pytest.importorskip("faster_whisper.vad")


def alone(sound: np.ndarray[tuple[int], np.dtype[np.float32]]) -> list[float]:
    """What faster-whisper's own use of the model says of one voice, window by window."""
    return [float(likely) for likely in np.ravel(vad.get_vad_model()(sound))]


def test_many_legs_at_once_are_judged_as_each_alone() -> None:
    random = np.random.default_rng(1)
    windows = 13
    sounds = random.normal(0, 0.1, (3, windows * WINDOW)).astype(np.float32)
    sounds[1] *= np.sin(np.arange(windows * WINDOW) / 2000) ** 2
    sounds[2] = 0
    model, memory = Silero(), np.zeros((2, 3, MEMORY), np.float32)
    padded = np.pad(sounds, ((0, 0), (CONTEXT, 0)))
    found = []
    for begin in range(0, windows * WINDOW, WINDOW):
        likely, memory = model.run(padded[:, begin : begin + CONTEXT + WINDOW], memory)
        found.append(likely)
    for leg, sound in enumerate(sounds):
        # The last window of faster-whisper's is another: it takes the end of the sound to be silent.
        assert np.array(found)[:-1, leg] == pytest.approx(alone(sound)[:-1], abs=1e-4)


def test_only_what_has_to_is_changed_in_the_file() -> None:
    model = installed().read_bytes()
    changed = for_many(model)
    assert changed != model
    assert 0 <= len(model) - len(changed) < 32
    assert edited_by({})(model) == model
    again = for_many(changed)
    assert again == changed, "legs are where they have to be already"


@pytest.mark.parametrize("broken", [b"\x08", b"\x3a\xff", b"\x0f\x01", b""])
def test_a_broken_file_is_told_of(broken: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "silero_vad_v9.onnx"
    path.write_bytes(broken)
    monkeypatch.setattr(silero, "installed", lambda: path)
    with pytest.raises(NoModel, match=r"silero_vad_v9\.onnx"):
        Silero()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "PACKAGE", "no_such_package")
    with pytest.raises(NoModel, match=r"pip install 'hotline\[whisper\]'"):
        Silero()
    monkeypatch.setattr(silero, "RUNTIME", "no_such_package")
    with pytest.raises(NoModel, match="onnxruntime is not installed"):
        Silero()


@pytest.mark.parametrize(
    ("slope", "snr", "soon"), [(PINK, 35, 0.8), (WHITE, 10, 0.85), (WHITE, 0, 0.55), (PINK, 5, 0.7), (CAR, 0, 0.7)]
)
def test_speech_is_found_in_noise_as_loud_as_itself(slope: float, snr: float, soon: float) -> None:
    lines, begins = speech(slope, snr)
    delays = after_s(listen(lines, trained=TrainedVoice(Silero(), len(lines))), begins)
    assert within(delays, 0.2) >= soon
    assert within(delays, 0.45) >= 0.95


def test_nothing_else_is_a_voice_to_it() -> None:
    lines = [over_a_line(noise(15, dbfs, slope, 1)) for dbfs in (-60, -35, -12) for slope in (WHITE, PINK, CAR)]
    lines += [line for slope in (WHITE, PINK, CAR) for line in steps(slope, 20)]
    lines += [bursts(seed) for seed in range(6)]
    lines += [
        after_a_quiet_line(sound)
        for sound in (dtmf("123A456B789C*0#D", 150, 60), progress("vn", "busy"), progress("vn", "ringback"))
    ]
    lines += [after_a_quiet_line(hum(8, dbfs, hertz)) for dbfs in (-32.0, -20.0) for hertz in (50.0, 60.0)]
    lines += [over_a_line(hum(8, dbfs, hertz)) for dbfs in (-32.0, -20.0) for hertz in (50.0, 60.0)]
    assert not listen(lines, trained=TrainedVoice(Silero(), len(lines))).any()


def test_the_echo_of_a_prompt_is_one_but_not_believed() -> None:
    back, sent = echoes(-12)
    assert not listen(back, sent, TrainedVoice(Silero(), len(back))).any()
    assert listen(back, trained=TrainedVoice(Silero(), len(back))).any(axis=1).all()
