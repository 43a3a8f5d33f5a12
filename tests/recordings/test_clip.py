"""Pieces of recordings."""

import io
import wave
from pathlib import Path

import pytest

from recordings.clip import NoClip, cut

RATE = 8000


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A second in which every sample says where it stands."""
    path = tmp_path / "whole.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(b"".join(number.to_bytes(2, "little") * 2 for number in range(RATE)))
    return path


@pytest.mark.parametrize(("since", "until", "first", "frames"), [(0.25, 0.5, 2000, 2000), (0.9, 7.0, 7200, 800)])
def test_a_clip_is_what_was_said_then(whole: Path, since: float, until: float, first: int, frames: int) -> None:
    with wave.open(io.BytesIO(cut(whole, since, until)), "rb") as piece:
        assert (piece.getnchannels(), piece.getframerate(), piece.getnframes()) == (2, RATE, frames)
        assert int.from_bytes(piece.readframes(1)[:2], "little") == first


def test_where_there_is_nothing_nothing_is_cut(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(NoClip, match=r"1\.00 s long"):
        cut(whole, 2.0, 3.0)
    (tmp_path / "none.wav").write_bytes(b"none")
    with pytest.raises(NoClip, match="no WAV"):
        cut(tmp_path / "none.wav", 0.0, 1.0)
