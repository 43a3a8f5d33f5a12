from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.telephone_event import DIGITS, Press, TelephoneEvents, write

Packet = tuple[int, bytes]


def payload(key: int, duration: int, end: bool = False) -> bytes:
    return bytes([key, 0x8A if end else 0x0A]) + duration.to_bytes(2, "big")


def packets(key: int, timestamp: int, length: int = 5) -> list[Packet]:
    """An event as phones send it: a packet each 20 ms, the end three times."""
    begun = [(timestamp, payload(key, 160 * (i + 1))) for i in range(length)]
    return begun + [(timestamp, payload(key, 160 * length, end=True))] * 3


def presses(arrived: list[Packet], events: TelephoneEvents | None = None, ssrc: int = 7) -> str:
    events = events or TelephoneEvents()
    found = (events.receive(ssrc, timestamp % 2**32, body) for timestamp, body in arrived)
    return "".join(press.digit for press in found if press is not None)


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(1, 12)), min_size=1, max_size=6),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_one_press_whatever_is_lost_or_doubled(keys: list[tuple[int, int]], start: int, data: st.DataObject) -> None:
    """Loss as boolean patterns; at least one packet of each press arrives, duplicates arrive next to each other."""
    arrived: list[Packet] = []
    for number, (key, length) in enumerate(keys):
        sent = packets(key, start + number * 4000, length)
        copies = data.draw(st.lists(st.integers(0, 2), min_size=len(sent), max_size=len(sent)).filter(any))
        arrived += chain.from_iterable([one] * count for one, count in zip(sent, copies, strict=True))
    assert presses(arrived) == "".join(DIGITS[key] for key, _ in keys)


def test_a_straggler_of_the_press_before_is_no_press() -> None:
    first, second = packets(1, 1000), packets(1, 9000)
    assert presses([*first[:-1], second[0], first[-1], *second[1:]]) == "11"


def test_a_long_press_goes_on_in_further_events() -> None:
    # RFC 4733 section 2.5.1.3: the second segment begins where the first stopped, which had no end.
    segments = [
        (1000, payload(3, 0xFFFF)),
        (1000 + 0xFFFF, payload(3, 160)),
        (1000 + 0xFFFF, payload(3, 800, end=True)),
    ]
    assert presses(segments) == "3"


def test_the_same_key_at_once_again_is_a_second_press() -> None:
    assert presses([(1000, payload(3, 800, end=True)), (1800, payload(3, 160))]) == "33"


@pytest.mark.parametrize("key", [16, 32, 255])
def test_other_events_are_no_keys(key: int) -> None:
    assert presses([(1, payload(key, 160))]) == ""


@given(st.binary(max_size=8))
def test_any_payload_is_legal(body: bytes) -> None:
    press = TelephoneEvents().receive(1, 1, body)
    assert press is None or press.digit in DIGITS


def test_a_new_source_counts_anew() -> None:
    events = TelephoneEvents()
    assert presses(packets(1, 5000), events, ssrc=1) == "1"
    assert presses(packets(2, 4000), events, ssrc=2) == "2"


def test_a_source_may_begin_its_clock_again() -> None:
    assert presses([*packets(1, 900_000), *packets(2, 100)]) == "12"


def test_how_long_a_key_was_down_is_told() -> None:
    assert TelephoneEvents().receive(1, 1, payload(11, 800, end=True)) == Press("#", 800)


@given(st.sampled_from(DIGITS), st.integers(0, 0xFFFF), st.booleans())
def test_what_is_written_is_read(digit: str, duration: int, ended: bool) -> None:
    body = write(digit, duration, ended=ended)
    assert body == payload(DIGITS.index(digit), duration, ended)
    assert TelephoneEvents().receive(1, 1, body) == Press(digit, duration)
