"""What the detector finds in speech, and what it does not find in anything else. Figures are in docs/media.md."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.media.g711 import LAWS
from telephony.media.tones import dtmf, progress
from telephony.media.voice_activity import ENDED_TICKS, FAINTEST, NoiseFloor, Spurts, VoiceActivity, voice_power
from tests.telephony.media.signals import sine
from tests.telephony.media.speech import (
    CAR,
    PINK,
    WHITE,
    after_a_quiet_line,
    after_s,
    at_level,
    beginning,
    bursts,
    echoes,
    hum,
    listen,
    noise,
    over_a_line,
    sentences,
    speech,
    steps,
    within,
)


@pytest.mark.parametrize("payload_type", LAWS)
@pytest.mark.parametrize("level", [-12.0, -22.0, -34.0])
def test_speech_on_a_quiet_line_is_found_within_200_ms(level: float, payload_type: int) -> None:
    lines, begins = speech(PINK, 35.0, level, payload_type)
    delays = after_s(listen(lines), begins)
    assert within(delays, 0.2) >= 0.9
    assert within(delays, 0.4) == 1
    assert np.median(delays) <= 0.15


@pytest.mark.parametrize(
    ("slope", "snr", "soon", "later"),
    [(WHITE, 20, 0.9, 1), (WHITE, 10, 0.6, 0.9), (PINK, 20, 0.9, 1), (PINK, 10, 0.6, 0.9), (CAR, 5, 0.8, 0.95)],
)
def test_speech_in_noise_is_found(slope: float, snr: float, soon: float, later: float) -> None:
    lines, begins = speech(slope, snr)
    delays = after_s(listen(lines), begins)
    assert within(delays, 0.2) >= soon
    assert within(delays, 0.8) >= later


def test_a_voice_ends_when_it_has_been_silent_for_a_moment() -> None:
    sound = np.concatenate((noise(2, -60), at_level(sentences()[0], -20), noise(2, -60)))
    line = over_a_line(sound)
    activity, row = VoiceActivity(1, 6), np.array([0])
    heard = [activity.listen(row, tick[None], number) for number, tick in enumerate(line)]
    began = [tick for tick, (_, began, _) in enumerate(heard) if began[0]]
    ended = [tick for tick, (_, _, ended) in enumerate(heard) if ended[0]]
    assert len(began) == len(ended) == 1
    last = (len(sound) - 16000) // 160
    assert last <= ended[0] <= last + ENDED_TICKS


@pytest.mark.parametrize("slope", [WHITE, PINK, CAR])
def test_noise_is_no_voice_however_loud(slope: float) -> None:
    lines = [over_a_line(noise(20, dbfs, slope, seed)) for dbfs in (-60, -40, -25, -12) for seed in range(4)]
    assert not listen(lines).any()


@pytest.mark.parametrize("slope", [WHITE, PINK, CAR])
@pytest.mark.parametrize("db", [6, 12, 20])
def test_noise_that_grows_is_no_voice(slope: float, db: float) -> None:
    assert not listen(steps(slope, db)).any()


def test_bursts_of_noise_are_no_voice() -> None:
    assert listen([bursts(seed) for seed in range(12)]).any(axis=1).sum() == 0


def test_silence_is_no_voice() -> None:
    assert not listen([over_a_line(np.zeros(80_000)), np.zeros((500, 160), np.int16)]).any()


def test_keys_and_tones_are_no_voice() -> None:
    keys = [dtmf("123A456B789C*0#D", tone, 60, level) for tone in (60, 150, 800) for level in (-6.0, -15.0, -28.0)]
    tones = [
        progress("vn", "busy"),
        progress("vn", "ringback"),
        *(sine(hertz, 1.5) for hertz in (300, 425, 1000, 2100)),
    ]
    assert not listen([after_a_quiet_line(sound) for sound in (*keys, *tones)]).any()


@pytest.mark.parametrize("hertz", [50.0, 60.0])
def test_hum_is_no_voice_whether_it_was_there_or_begins(hertz: float) -> None:
    levels = (-45.0, -32.0, -20.0)
    there = [over_a_line(hum(12, dbfs, hertz) + noise(12, -62.0)) for dbfs in levels]
    begins = [after_a_quiet_line(hum(8, dbfs, hertz)) for dbfs in levels]
    assert not listen([*there, *begins]).any()


@pytest.mark.parametrize("db", [-12, -18, -30, -45])
def test_the_echo_of_a_prompt_is_no_voice(db: float) -> None:
    back, sent = echoes(db)
    assert not listen(back, sent).any()
    if db > -40:
        assert listen(back).any(axis=1).all(), "without knowing the prompt it would be one"


@pytest.mark.parametrize(
    ("level", "echo", "soon"),
    [(-20.0, -60.0, 0.9), (-28.0, -60.0, 0.8), (-20.0, -30.0, 0.7), (-15.0, -20.0, 0.6), (-10.0, -12.0, 0.8)],
)
def test_a_voice_over_a_prompt_and_its_echo_is_found(level: float, echo: float, soon: float) -> None:
    back, sent = echoes(echo)
    lines, begins = [], []
    for number, sentence in enumerate(sentences()):
        said, at = at_level(sentence, level), 16_000 + 777 * number
        sound = back[number % len(back)].reshape(-1).astype(np.float64)
        sound = np.concatenate((sound, np.zeros(max(0, at + len(said) - len(sound)))))
        sound[at : at + len(said)] += said
        lines.append(over_a_line(sound))
        begins.append(at + beginning(said))
    delays = after_s(listen(lines, [sent[number % len(sent)] for number in range(len(lines))]), begins)
    assert within(delays, 0.2) >= soon
    assert within(delays, 0.8) >= 0.95


def test_all_rows_are_judged_as_each_would_be_alone() -> None:
    lines, _ = speech(PINK, 12.0)
    together = listen(lines)
    for row in (0, 5, 9):
        alone = listen([lines[row]])[0]
        assert (together[row, : len(alone)] == alone).all()


def test_rows_that_come_and_go_are_their_own_and_reset_forgets() -> None:
    lines, begins = speech(PINK, 30.0)
    whole = listen(lines[:1])[0]
    activity = VoiceActivity(8, 6)
    for tick, said in enumerate(lines[1]):
        activity.listen(np.array([5]), said[None], tick)
    activity.reset(5)
    found = []
    for tick, said in enumerate(lines[0]):
        rows = np.array([2, 5] if tick % 3 else [5])
        heard = np.stack([said] * len(rows))
        found.append(activity.listen(rows, heard, 5_000_000 + tick).voice[-1])
    assert (np.array(found) == whole).all()
    assert whole[: begins[0] // 160].sum() == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80), st.integers(1, 20))
def test_a_spurt_is_voice_only_after_its_shortest(ticks: list[tuple[bool, bool]], shortest: int) -> None:
    spurts, row = Spurts(1), np.array([0])
    loud: list[bool] = []
    for is_loud, is_voiced in ticks:
        loud.append(is_loud)
        found = spurts.follow(row, np.array([is_loud]), np.array([is_loud and is_voiced]), np.array([shortest]))
        if found[0]:
            assert sum(loud) >= shortest
            assert any(loud[-5:]), "a spurt ends with its gap"
    spurts.reset(0)
    assert not spurts.follow(row, np.array([True]), np.array([True]), np.array([2]))[0]


def test_the_floor_follows_noise_down_at_once_and_up_within_two_seconds() -> None:
    floor, row = NoiseFloor(1), np.array([0])

    def at(tick: int, power: float) -> float:
        return float(floor.follow(row, np.array([power], np.float32), tick)[0])

    assert [at(tick, 1000.0) for tick in range(100)][-1] == pytest.approx(1000)
    assert at(100, 500.0) < 1000
    assert at(105, 500.0) == pytest.approx(500, rel=0.5)
    assert max(at(tick, 9000.0) for tick in range(106, 160)) < 1000
    assert [at(tick, 9000.0) for tick in range(160, 211)][-1] == pytest.approx(9000, rel=0.1)
    floor.reset(0)
    assert at(300, 20_000.0) == pytest.approx(20_000)
    assert at(100_000, 4_000.0) < 4_100, "what is not heard for long is measured anew"


def test_power_is_that_between_250_and_3400_hertz() -> None:
    for hertz, heard in ((50, 0.0), (150, 0.0), (400, 1.0), (1000, 1.0), (3300, 1.0), (3700, 0.0)):
        ticks = sine(hertz, 0.2, level=10_000).reshape(-1, 160)
        assert voice_power(ticks)[3] / 5e7 == pytest.approx(heard, abs=0.02)
    assert voice_power(np.full((1, 160), 9_000, np.int16))[0] < FAINTEST
