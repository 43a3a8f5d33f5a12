"""Delay that is not needed goes away where it is not heard, and clocks that drift apart stay together."""

import numpy as np
import pytest

from telephony.events import CloseLeg, Join, LegClosed
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.stretch import PATIENCE_TICKS, TOO_MUCH_TICKS, Stretching, blended
from tests.telephony.media.room import Room, joined

ROWS = np.array([1, 3])
TONE = np.round(8000 * np.sin(2 * np.pi * 400 * np.arange(8000) / 8000)).astype(np.int16)
"""A second; whole periods in every tick."""


def tick_of(samples: Samples, number: int) -> Samples:
    begin = 160 * number % len(samples)
    return samples[begin : begin + 160]


def test_a_blend_begins_as_the_one_and_ends_as_the_other() -> None:
    first, second = np.full((2, 160), 1000, np.int16), np.full((2, 160), -3000, np.int16)
    both = blended(first, second)
    assert abs(int(both[0, 0]) - 1000) < 5
    assert abs(int(both[1, -1]) + 3000) < 5
    assert (np.diff(both) <= 0).all()


def test_silence_is_waited_for_but_not_for_ever() -> None:
    stretching = Stretching(4)
    quiet, loud = np.zeros(160, np.int16), TONE[:160]
    few = np.array([1, 1])
    assert stretching.due(ROWS, few, np.stack([quiet, loud])).tolist() == [True, False]
    for _ in range(PATIENCE_TICKS - 1):
        assert stretching.due(ROWS, few, np.stack([quiet, loud])).tolist() == [True, False]
    assert stretching.due(ROWS, few, np.stack([quiet, loud])).tolist() == [True, True]
    assert stretching.due(ROWS, few + TOO_MUCH_TICKS, np.stack([loud, loud])).all()


def drift(parts_per_million: float, ticks: int, says: Samples) -> tuple[Room, list[int]]:
    """Let a phone talk by a clock that runs fast (or slow, below 0) for so many of our ticks; return how much waits in
    the ring, once a second."""
    room, sent, waiting = Room(), 0, []
    phone, ear = room.add("a"), room.add("b")
    for tick in range(ticks):
        due = int((tick + 0.5) * (1 + parts_per_million / 1e6)) + 1
        packets = [phone.speech(tick_of(says, number)) for number in range(sent, due)]
        sent = due
        room.step({"a": packets})
        if tick % 50 == 0:
            waiting.append(room.plane._reception.delay(phone.row))
    assert ear.row != phone.row
    return room, waiting


@pytest.mark.parametrize("parts_per_million", [-2000, 2000])
def test_a_clock_that_drifts_neither_grows_the_delay_nor_runs_dry(parts_per_million: float) -> None:
    """Four times what the worst phones do, for two minutes; every other half second is silent."""
    says = TONE.copy()
    says[4000:] = 0
    room, waiting = drift(parts_per_million, 6_000, says)
    assert max(waiting) <= 4
    closed = room.do(CloseLeg("a"))[-1]
    assert isinstance(closed, LegClosed)
    assert closed.lost == 0
    # 12 ticks too many, or too few, came in that time.
    assert closed.concealed <= (0 if parts_per_million > 0 else 16)


def test_a_burst_is_caught_up_without_a_click() -> None:
    """A stall of half a second: what was held up comes at once, and the delay it made goes away again."""
    room = Room()
    phone, ear = room.add("a"), room.add("b")
    for leg in "ab":
        room.do(Join(leg, "talk"))
    held: list[bytes] = []
    for tick in range(2500):
        held.append(phone.speech(tick_of(TONE, tick)))
        if not 100 <= tick < 108:
            room.step({"a": held})
            held = []
        else:
            room.step({})
    assert room.plane._reception.delay(phone.row) <= 3
    assert room.plane.faults("a")["stretched"] >= 5
    heard = joined(ear.heard)[120 * 160 :].astype(np.int32)
    laws = np.zeros(50, np.uint8)
    steps = np.diff(g711.decode(g711.encode(TONE.reshape(50, 160), laws), laws).reshape(-1).astype(np.int32))
    assert np.abs(np.diff(heard)).max() <= 1.2 * np.abs(steps).max()


@pytest.mark.parametrize("name", ["gamma", "spikes"])
def test_jitter_loses_little_once_it_is_known(name: str) -> None:
    """Packets that take 28 ms more on average (gamma, k = 2), or one in twenty that takes 60: under 1 % is too late."""
    random, ticks = np.random.default_rng(3), 3000
    extra = random.gamma(2.0, 0.7, ticks) if name == "gamma" else 3.0 * (random.random(ticks) < 0.05)
    arrivals = np.arange(ticks) + 0.5 + extra
    room = Room()
    phone = room.add("a")
    packets = [phone.speech(tick_of(TONE, number)) for number in range(ticks)]
    order, late = np.argsort(arrivals, kind="stable"), 0
    due = np.searchsorted(np.sort(arrivals), np.arange(ticks), side="right").tolist()
    for tick in range(1, ticks):
        room.step({"a": [packets[number] for number in order[due[tick - 1] : due[tick]].tolist()]})
        if tick == 1000:
            late = room.plane.faults("a")["late"]
    assert late > 0
    assert room.plane.faults("a")["late"] - late < 0.01 * 2000
