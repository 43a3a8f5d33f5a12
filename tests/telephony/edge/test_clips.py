from pathlib import Path

import numpy as np
import pytest

from telephony.edge import clips as clips_module
from telephony.edge.clips import Clips
from telephony.media.tones import UnknownTone, progress


def write(path: Path, *samples: int) -> str:
    np.array(samples, np.int16).tofile(path)
    return str(path)


def test_a_file_is_mapped_once(tmp_path: Path) -> None:
    clips = Clips()
    path = write(tmp_path / "a.raw", 1, -2, 3)
    assert clips.open(path).tolist() == [1, -2, 3]
    assert clips.open(path) is clips.open(path)


def test_a_replaced_file_is_another_clip(tmp_path: Path) -> None:
    clips = Clips()
    path = write(tmp_path / "a.raw", 1, 2)
    old = clips.open(path)
    Path(write(tmp_path / "b.raw", 5, 6)).replace(path)
    assert clips.open(path).tolist() == [5, 6]
    assert old.tolist() == [1, 2]


def test_empty_and_odd_files(tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"\x01\x00\x02")
    assert len(Clips().open(write(tmp_path / "empty"))) == 0
    assert Clips().open(str(tmp_path / "odd")).tolist() == [1]
    with pytest.raises(FileNotFoundError):
        Clips().open(str(tmp_path / "missing"))


def test_the_oldest_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips_module, "MAX_CLIPS", 2)
    clips = Clips()
    paths = [write(tmp_path / name, 7) for name in "abc"]
    first = clips.open(paths[0])
    second = clips.open(paths[1])
    clips.open(paths[0])
    clips.open(paths[2])
    assert clips.open(paths[0]) is first
    assert clips.open(paths[1]) is not second


def test_tones_are_those_of_the_country_and_shared_by_all() -> None:
    assert Clips().open("tone:busy") is Clips().open("tone:busy") is progress("vn", "busy")
    assert Clips("us").open("tone:ringback") is progress("us", "ringback")
    with pytest.raises(UnknownTone, match="'engaged'"):
        Clips().open("tone:engaged")
