"""The ring against a picture of what should be heard: streams are made of octets that tell where they belong."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.rtp.jitter import ADAPT_TICKS, LEAST_TARGET_TICKS, RESTART_AFTER, SLOTS, TARGET_TICKS, JitterRing
from telephony.rtp.packet import Integers
from tests.telephony.rtp.packets import packet, parsed

LEG = np.array([1], np.int64)
START = 2**32 - 1000
"""Every stream runs over the wrap of the timestamp."""


def octets(begin: int, count: int) -> bytes:
    """What a stream carries from sample `begin` on: never the same for two neighbouring slots."""
    at = np.arange(begin, begin + count)
    return ((at * 7 + at // 160 * 13) % 251).astype(np.uint8).tobytes()


def sent(number: int, samples: int = 160, ssrc: int = 1, start: int = START) -> bytes:
    """Packet `number` of a stream with so many samples in each."""
    return packet(number, start + number * samples, octets(number * samples, samples), 0, ssrc)


def insert(ring: JitterRing, datagrams: Iterable[bytes], leg: Integers = LEG) -> None:
    for datagram in datagrams:
        headers, rows = parsed([datagram])
        ring.insert(leg, headers, rows)


def play(ring: JitterRing, ticks: int, arrivals: Mapping[int, Sequence[bytes]]) -> list[bytes | None]:
    """Return what is heard in each tick: the payload, or None."""
    heard: list[bytes | None] = []
    for tick in range(ticks):
        insert(ring, arrivals.get(tick, ()))
        playout = ring.play(LEG)
        if ring.surplus[1] > 0:
            playout = ring.skip(LEG)
        heard.append(playout.payload[0].tobytes() if playout.present[0] else None)
    return heard


def in_time(count: int, samples: int = 160) -> dict[int, list[bytes]]:
    arrivals: dict[int, list[bytes]] = {}
    for number in range(count):
        arrivals.setdefault(number * samples // 160, []).append(sent(number, samples))
    return arrivals


def expected(count: int) -> list[bytes | None]:
    return [None] * TARGET_TICKS + [octets(160 * slot, 160) for slot in range(count)]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(3, 60))
def test_any_reordering_and_duplication_within_the_window_plays_as_sorted(data: st.DataObject, count: int) -> None:
    delays = [0, *data.draw(st.lists(st.integers(0, TARGET_TICKS), min_size=count - 1, max_size=count - 1))]
    again = data.draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, 12)), max_size=20))
    arrivals: dict[int, list[bytes]] = {}
    for number, delay in enumerate(delays):
        arrivals.setdefault(number + delay, []).append(sent(number))
    for number, later in again:
        arrivals.setdefault(number + delays[number] + later, []).append(sent(number))
    for tick, datagrams in arrivals.items():
        first = datagrams[:1] if tick == 0 else []  # the first packet says where the stream begins
        arrivals[tick] = first + data.draw(st.permutations(datagrams[len(first) :]))
    heard = play(JitterRing(2), count + TARGET_TICKS, arrivals)
    assert heard == expected(count)


@pytest.mark.parametrize("samples", [80, 160, 240, 320, 480, 1280])
def test_packets_of_any_length(samples: int) -> None:
    count = 24
    heard = play(JitterRing(2), 12, in_time(count, samples))
    assert heard == expected(12 - TARGET_TICKS)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_lost_packet_is_its_own_slot_alone(lost: list[bool]) -> None:
    arrivals = {number: [sent(number)] for number in range(40) if number == 0 or not lost[number]}
    heard = play(JitterRing(2), 40 + TARGET_TICKS, arrivals)
    assert heard == [
        None if slot > 0 and slot < 40 and lost[slot] else one
        for slot, one in zip(range(-TARGET_TICKS, 40), expected(40), strict=True)
    ]


def test_a_stream_that_is_late_as_a_whole_is_waited_for() -> None:
    arrivals = {number + (4 if number >= 10 else 0): [sent(number)] for number in range(20)}
    heard = [one for one in play(JitterRing(2), 30, arrivals) if one is not None]
    assert heard == expected(20)[TARGET_TICKS:]


def test_delay_that_is_not_needed_goes_away() -> None:
    ring = JitterRing(2)
    arrivals = {number + (8 if 10 <= number < 18 else 0): [sent(number)] for number in range(ADAPT_TICKS * 24)}
    arrivals[18] = [sent(number) for number in range(10, 19)]
    heard = play(ring, ADAPT_TICKS * 24, arrivals)
    latest = heard[-1]
    assert latest == octets(160 * (ADAPT_TICKS * 24 - 1 - LEAST_TARGET_TICKS), 160)


def test_a_packet_that_was_overtaken_and_comes_too_late_is_counted() -> None:
    ring = JitterRing(2)
    arrivals = {number: [sent(number)] for number in range(20) if number != 5}
    arrivals[9] = [sent(9), sent(5), sent(9)]
    heard = play(ring, 20, arrivals)
    assert heard[5 + TARGET_TICKS] is None
    assert heard[6 + TARGET_TICKS :] == expected(20)[6 + TARGET_TICKS : 20]
    assert ring.late[1] == 1


def test_silence_that_is_not_sent_keeps_its_length() -> None:
    arrivals = {number: [sent(number)] for number in (*range(5), *range(200, 205))}
    heard = play(JitterRing(2), 210, arrivals)
    begin, end = 200 + TARGET_TICKS, 205 + TARGET_TICKS
    assert heard[begin:end] == expected(205)[begin:end]
    assert not any(heard[5 + TARGET_TICKS : begin])


def test_a_clock_that_stood_still_in_a_pause_plays_on() -> None:
    arrivals = {number + (100 if number >= 5 else 0): [sent(number)] for number in range(10)}
    heard = [one for one in play(JitterRing(2), 120, arrivals) if one is not None]
    assert heard == expected(10)[TARGET_TICKS:]


def test_a_new_ssrc_begins_anew() -> None:
    arrivals = in_time(5) | {5 + number: [sent(number, ssrc=2, start=77)] for number in range(5)}
    heard = play(JitterRing(2), 10 + TARGET_TICKS, arrivals)
    assert heard[5 + TARGET_TICKS :] == expected(5)[TARGET_TICKS:]


@pytest.mark.parametrize("start", [START + 10_000_000, START - 10_000_000])
def test_a_jump_begins_anew_but_a_stray_does_not(start: int) -> None:
    arrivals = in_time(30)
    arrivals[3] = [sent(99, start=start), sent(3)]
    assert play(JitterRing(2), 30, arrivals)[TARGET_TICKS:] == expected(30 - TARGET_TICKS)[TARGET_TICKS:]
    arrivals = in_time(5) | {5 + number: [sent(number, start=start)] for number in range(RESTART_AFTER + 5)}
    heard = play(JitterRing(2), 5 + RESTART_AFTER + 5 + TARGET_TICKS, arrivals)
    assert heard[-5:] == expected(RESTART_AFTER + 5)[-5:]


def test_nothing_is_missing_before_the_first_packet_and_after_reset() -> None:
    ring = JitterRing(2)
    playout = ring.play(np.array([0, 1]))
    assert not (playout.present | playout.missing).any()
    insert(ring, [sent(0)])
    assert ring.play(LEG).missing[0]
    ring.reset(1)
    assert not ring.play(LEG).missing[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2000), st.integers(0, 2)), min_size=1, max_size=40))
def test_any_timestamps_and_lengths_are_legal(stream: list[tuple[int, int, int]]) -> None:
    ring = JitterRing(2)
    for number, (timestamp, length, ssrc) in enumerate(stream):
        insert(ring, [packet(number, timestamp, bytes(length), 0, ssrc)])
        ring.play(LEG)
    # And a sane stream is heard afterwards.
    heard = play(ring, SLOTS, {tick: [sent(tick, ssrc=9)] for tick in range(SLOTS)})
    assert heard[TARGET_TICKS:] == expected(SLOTS)[TARGET_TICKS:SLOTS]
