"""What the phone sends: keys, pauses, speech, laid out as samples."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.phone.script import Mark, ScriptError, parse_press, write_script
from tests.hotline.phone.world import keys_in

KEY = 300 * 8  # a key and its pause, in samples
keys = st.text("0123456789*#ABCD", max_size=6)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        ("1 # 2", ["1", "#", "2"]),
        ("1#2", ["1", "#", "2"]),
        ("2s 1", [2.0, "1"]),
        (" ,,9 ", [1.0, 1.0, "9"]),
        ("ad", ["A", "D"]),
    ],
)
def test_keys_and_pauses_are_read(text: str, steps: list[float | str]) -> None:
    assert parse_press(text) == steps


@pytest.mark.parametrize("text", ["x", "0.25s,1", "1s2", "s", "-1s", "1 ２", ".5s"])
def test_what_is_no_key_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ScriptError, match="is no key; write # "):
        parse_press(text)


def test_the_first_key_comes_after_a_second_unless_a_pause_says_otherwise() -> None:
    assert write_script("5", None).marks == (Mark(8000, "pressed", "5"),)
    assert write_script("0.5s 5", None).marks == (Mark(4000, "pressed", "5"),)
    assert write_script(", ,5", None).marks == (Mark(16000, "pressed", "5"),)


def test_speech_comes_after_the_keys() -> None:
    speech = np.full(800, 1000, np.int16)
    script = write_script("0s 12", speech, 0.25)
    begin = 2 * KEY + 2000
    assert script.marks[2:] == (Mark(begin, "speech_begins"), Mark(begin + 800, "speech_ends"))
    assert np.array_equal(script.samples[begin:], speech)
    assert write_script("", speech).marks[0] == Mark(4000, "speech_begins")


def test_nothing_to_say_is_silence_for_ever() -> None:
    assert list(islice(write_script("", None).ticks(), 3)) == [(bytes(320), [])] * 3


@settings(max_examples=40, deadline=None)
@given(keys, st.integers(0, 1000), st.integers(0, 30))
def test_every_key_is_heard_once_and_every_mark_is_told_in_its_tick(pressed: str, speech: int, after: int) -> None:
    script = write_script(f"{after / 10}s {pressed}", np.zeros(speech, np.int16), 0.0)
    ticks = list(islice(script.ticks(), len(script.samples) // 160 + 3))
    assert all(len(pcm) == 320 for pcm, _ in ticks)
    told = [(tick, mark) for tick, (_, marks) in enumerate(ticks) for mark in marks]
    assert [mark for _, mark in told] == list(script.marks)
    for tick, mark in told:
        assert mark.at < (tick + 1) * 160 or tick >= len(script.samples) // 160
    samples = np.frombuffer(b"".join(pcm for pcm, _ in ticks), np.int16)
    assert np.array_equal(samples[: len(script.samples)], script.samples)
    assert not samples[len(script.samples) :].any()
    assert keys_in(samples) == pressed
