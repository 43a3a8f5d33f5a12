"""The model that faster-whisper brings along, for many legs at once."""

import sys
from pathlib import Path

import numpy as np
import pytest

from telephony.edge import silero
from telephony.edge.silero import CONTEXT, MEMORY, WINDOW, NoModel, Silero, edited_by, for_many, model_path

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
    model = model_path().read_bytes()
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
    monkeypatch.setattr(silero, "model_path", lambda: path)
    with pytest.raises(NoModel, match=r"silero_vad_v9\.onnx"):
        Silero()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "PACKAGE", "no_such_package")
    with pytest.raises(NoModel, match=r"pip install 'hotline\[whisper\]'"):
        Silero()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NoModel, match="onnxruntime is not installed"):
        Silero()
