"""What the phone hears, by its timestamps, and what it is given to say."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.phone.audio import SILENCE_DBFS, Ear, language_of, level_of, speech
from ivr_flows.prompts import PromptError
from telephony.media.g711 import Samples
from tests.hotline.phone.world import read_wav, voice_like, write_wav


def rows(count: int) -> list[Samples]:
    return [np.full(160, number + 1, np.int16) for number in range(count)]


def saved(ear: Ear, tmp_path: Path) -> Samples:
    ear.save(tmp_path / "heard.wav")
    return read_wav(tmp_path / "heard.wav")


@settings(deadline=None)
@given(
    st.permutations(range(12)), st.sets(st.integers(0, 11), max_size=4), st.sampled_from([0, 2**32 - 900, 2**31 - 500])
)
def test_whatever_the_order_and_the_loss_every_packet_finds_its_place(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], lost: set[int], begin: int
) -> None:
    ear = Ear(answered_at=100.0)
    arrived = [0, *(number for number in order if number and number not in lost)]
    sent = rows(12)
    for number in arrived:
        ear.hear((begin + 160 * number) % 2**32, sent[number].tobytes(), 100.0)
    heard = saved(ear, tmp_path_factory.mktemp("ear"))
    for number in range(max(arrived) + 1):
        row = heard[160 * number : 160 * (number + 1)]
        assert np.array_equal(row, sent[number] if number in arrived else np.zeros(160))
    assert ear.packets == len(arrived)


def test_the_first_packet_lies_where_it_came(tmp_path: Path) -> None:
    ear = Ear(answered_at=100.0)
    ear.hear(77, rows(1)[0].tobytes(), 100.5)
    heard = saved(ear, tmp_path)
    assert len(heard) == 4000 + 160
    assert not heard[:4000].any()
    assert ear.seconds == pytest.approx(0.52)


def test_a_sender_that_counts_anew_is_placed_by_when_it_comes(tmp_path: Path) -> None:
    ear = Ear(answered_at=100.0)
    first, second = rows(2)
    ear.hear(0, first.tobytes(), 100.0)
    ear.hear(2_000_000_000, second.tobytes(), 100.1)
    heard = saved(ear, tmp_path)
    assert np.array_equal(heard[800:960], second)
    assert not heard[160:800].any()


def test_nothing_heard_is_an_empty_file(tmp_path: Path) -> None:
    assert len(saved(Ear(0.0), tmp_path)) == 0


def test_levels_are_in_decibels_of_full_scale() -> None:
    assert level_of(bytes(320)) == level_of(b"") == SILENCE_DBFS
    square = struct.pack("<2h", 32767, -32768) * 80
    assert level_of(square) == pytest.approx(0.0, abs=0.01)
    assert level_of(np.full(160, 3277, np.int16).tobytes()) == pytest.approx(-20.0, abs=0.01)


def test_a_file_is_said_as_it_is(tmp_path: Path) -> None:
    spoken = voice_like(0.2)
    said = speech("ignored", write_wav(tmp_path / "s.wav", spoken))
    assert said is not None
    assert np.abs(said.astype(int) - spoken).max() <= 1
    with pytest.raises(PromptError, match="cannot be read"):
        speech("", tmp_path / "nowhere.wav")


def test_a_text_is_spoken_and_no_text_is_nothing() -> None:
    pytest.importorskip("espeakng_loader")
    said = speech("Good morning", None)
    assert said is not None
    assert 0.3 < len(said) / 8000 < 3.0
    assert speech("", None) is None


@pytest.mark.parametrize(
    ("text", "language"), [("Good morning", "en"), ("Xin chào", "vi"), ("24 giờ", "vi"), ("“Yes” – 5 €", "en")]
)
def test_the_language_is_guessed_by_the_letters(text: str, language: str) -> None:
    assert language_of(text) == language
