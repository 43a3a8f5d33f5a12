"""Keys that are sent: what one plane presses another hears once and in order, whatever is lost; in virtual time."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.edge import g722_library, opus_library
from telephony.events import CloseLeg, Codec, ConnectLeg, DigitPressed, Join, PlaySamples, SendKeys, StartRecording
from telephony.media.codec import CLOCK_PER_TICK, Libraries
from telephony.media.dtmf import ToneListener
from telephony.media.keys import MAX_WAITING, REPEATED_ENDS
from telephony.media.legs import Origin, UnknownLeg
from telephony.media.plane import MediaPlane, Refused
from telephony.rtp.packet import parse
from telephony.rtp.telephone_event import DIGITS
from tests.telephony.media.room import FIRST_TICK, SILENCE, Room, noise
from tests.telephony.rtp.packets import lay, packet

LIBRARIES = Libraries(opus_library.find(), g722_library.find())
TYPES: dict[Codec, int] = {"PCMU": 0, "PCMA": 8, "G722": 9, "L16/8000": 96, "L16/16000": 97, "opus": 111}
EVENT = 101
NONE = -1
FAR = ("198.51.100.7", 4000)
TICKS_PER_KEY = 8

Loses = Callable[[bytes], bool]


def loses_nothing(_datagram: bytes) -> bool:
    return False


class Line:
    """A leg of one plane, and a leg of another that hears what the first is sent, but for what is lost."""

    def __init__(self, codec: Codec = "PCMU", event: int = EVENT, clock: int = 8000) -> None:
        self.ours, self.theirs = MediaPlane(4, 30.0, LIBRARIES), MediaPlane(4, 30.0, LIBRARIES)
        self.ours.open("a", Origin(7, 65_530, 2**32 - 999))
        self.theirs.open("b", Origin(8, 1, 1))
        self.tick = FIRST_TICK
        self.sent: list[bytes] = []
        self.heard: list[tuple[str, str]] = []
        self.speak(codec, event, clock)

    def speak(self, codec: Codec, event: int, clock: int) -> None:
        for plane, leg in ((self.ours, "a"), (self.theirs, "b")):
            plane.perform(ConnectLeg(leg, *FAR, TYPES[codec], event, codec, event_clock=clock), self.tick)

    def press(self, keys: str, tone_ms: int = 100, pause_ms: int = 60) -> None:
        self.ours.perform(SendKeys("a", keys, tone_ms, pause_ms), self.tick)

    def go(self, ticks: int, loses: Loses = loses_nothing) -> None:
        for _ in range(ticks):
            result = self.ours.tick(*lay([]), np.zeros(0, np.int64), [], self.tick)
            (datagram,) = [
                row[:length].tobytes() for row, length in zip(result.datagrams, result.lengths, strict=True)
            ] or [b""]
            self.sent += [datagram] if datagram else []
            arrives = [datagram] if datagram and not loses(datagram) else []
            taken = self.theirs.tick(*lay(arrives), np.zeros(len(arrives), np.int64), [FAR] * len(arrives), self.tick)
            self.heard += [(each.digit, each.source) for each in taken.events if isinstance(each, DigitPressed)]
            self.tick += 1

    @property
    def digits(self) -> str:
        return "".join(digit for digit, _ in self.heard)


class Loss:
    """Loses packets of events by boolean patterns, one for each event; True is lost."""

    def __init__(self, patterns: Sequence[Sequence[bool]]) -> None:
        self._patterns = patterns
        self._seen: Counter[bytes] = Counter()

    def __call__(self, datagram: bytes) -> bool:
        if datagram[1] & 0x7F != EVENT:
            return False
        began = datagram[4:8]
        place = self._seen[began]
        self._seen[began] += 1
        pattern = self._patterns[len(self._seen) - 1]
        return pattern[place % len(pattern)]


STREAMS: list[tuple[Codec, int]] = [
    ("PCMU", 8000),
    ("G722", 8000),
    ("L16/16000", 16_000),
    ("opus", 48_000),
    ("opus", 8000),
]


# ------------------------------------------------------------------------------------------------- as events


@pytest.mark.parametrize(("codec", "clock"), STREAMS)
def test_a_key_on_the_wire(codec: Codec, clock: int) -> None:
    line = Line(codec, clock=clock)
    line.go(2)
    line.press("5")
    line.go(10)
    headers = parse(*lay(line.sent))
    per_tick = CLOCK_PER_TICK[codec]
    # RFC 4733 section 2.1: "the same sequence number and timestamp base as the regular audio channel".
    assert set(np.diff(headers.sequence) % 2**16) == {1}
    assert set(headers.ssrc.tolist()) == {7}
    assert headers.payload_type.tolist() == [TYPES[codec]] * 2 + [EVENT] * 7 + [TYPES[codec]] * 3
    assert headers.marker.tolist() == [True, False, True] + [False] * 9
    stamps = (headers.timestamp - headers.timestamp[0]) % 2**32 // per_tick
    assert stamps.tolist() == [0, 1] + [2] * 7 + [9, 10, 11]
    events = [each[12:] for each in line.sent[2:9]]
    assert {len(each) for each in events} == {4}
    assert {each[0] for each in events} == {5}
    assert [each[1] for each in events] == [10] * 4 + [0x8A] * 3
    durations = [int.from_bytes(each[2:], "big") * 1000 // clock for each in events]
    assert durations == [20, 40, 60, 80, 100, 100, 100]


Keys = st.text(st.sampled_from(DIGITS), min_size=1, max_size=12)


@pytest.mark.parametrize(("codec", "clock"), STREAMS)
@settings(max_examples=12, deadline=None)
@given(keys=Keys, lost=st.integers(0, 12 * TICKS_PER_KEY))
def test_any_keys_come_once_and_in_order_whichever_packet_is_lost(
    codec: Codec, clock: int, keys: str, lost: int
) -> None:
    line = Line(codec, clock=clock)
    line.press(keys)
    line.go(len(keys) * TICKS_PER_KEY, lambda _: len(line.sent) - 1 == lost)
    assert line.heard == [(key, "rfc4733") for key in keys]


Pattern = st.lists(st.booleans(), min_size=2 + REPEATED_ENDS, max_size=2 + REPEATED_ENDS).filter(
    lambda lost: not all(lost)
)


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.tuples(st.sampled_from(DIGITS), Pattern), min_size=1, max_size=12),
    tone_ms=st.integers(40, 200),
    pause_ms=st.integers(40, 200),
)
def test_of_each_key_one_packet_is_enough(keys: list[tuple[str, list[bool]]], tone_ms: int, pause_ms: int) -> None:
    line = Line()
    line.press("".join(key for key, _ in keys), tone_ms, pause_ms)
    line.go(20 * len(keys), Loss([pattern for _, pattern in keys]))
    assert line.digits == "".join(key for key, _ in keys)


def test_keys_that_come_meanwhile_wait_for_their_turn() -> None:
    line = Line()
    line.press("1")
    line.go(3)
    line.press("1a")
    line.press("*")
    line.go(60)
    assert line.digits == "11A*"


def test_voice_goes_on_between_keys_and_not_beneath_them() -> None:
    line = Line()
    line.ours.perform(PlaySamples("a", "p", (), False, True), line.tick, [noise(50, 1)])
    line.press("12", 100, 100)
    line.go(25)
    kinds = parse(*lay(line.sent)).payload_type.tolist()
    assert kinds == [*[EVENT] * 7, *[0] * 3] * 2 + [0] * 5
    assert len({each[12:] for each in line.sent if each[1] & 0x7F == 0}) == 11


def test_a_bridge_is_passed_through_again_after_a_key() -> None:
    room = Room()
    near, far = room.add("near"), room.add("far")
    for leg in ("near", "far"):
        room.do(Join(leg, "talk"))
    room.do(StartRecording("r", "call", "far", "/nowhere"))
    said: list[bytes] = []
    heard: list[bytes] = []
    for tick in range(40):
        if tick == 10:
            room.do(SendKeys("far", "9"))
        # All octets there are, among them µ-law's negative nought, which no encoder makes.
        said.append(np.random.default_rng(tick).permutation(256).astype(np.uint8)[:160].tobytes())
        result = room.step({"near": [near.packet(said[-1], 0)], "far": [far.speech(SILENCE)]})
        (place,) = [i for i, row in enumerate(result.senders) if row == far.row]
        heard.append(result.datagrams[place, 12 : result.lengths[place]].tobytes())
    began = heard.index(said[0])
    late = [each for each in heard if len(each) == 4]
    assert heard[10:17] == late
    assert heard[17:] == said[17 - began : 40 - began]
    # What was pressed is in no recording, and takes nothing of it away.
    right = np.stack([tap.samples[0, :, 1] for tap in room.taps])
    assert (np.abs(right[began:]).max(axis=1) > 1000).all()


def test_keys_are_sent_while_the_other_side_of_a_bridge_sends_nothing() -> None:
    """A browser that presses a key leaves its audio out meanwhile, and of Opus a gap is passed on as one."""
    line = Line("opus", clock=48_000)
    near = line.ours.open("near", Origin(9, 1, 1))
    line.ours.perform(ConnectLeg("near", "198.51.100.8", 4002, TYPES["opus"], EVENT, "opus"), line.tick)
    for leg in ("a", "near"):
        line.ours.perform(Join(leg, "talk"), line.tick)
    coder = LIBRARIES.make("opus")
    assert coder is not None
    said = coder.encode(SILENCE)
    sizes = []
    for tick in range(40):
        if tick == 22:
            line.ours.perform(SendKeys("a", "8"), line.tick)
        speaks = [packet(tick, 960 * tick, said, TYPES["opus"])] if tick < 20 else []
        at = np.full(len(speaks), near, np.int64)
        result = line.ours.tick(*lay(speaks), at, [("198.51.100.8", 4002)] * len(speaks), line.tick)
        line.tick += 1
        sizes.append([length for row, length in zip(result.senders, result.lengths, strict=True) if row != near])
    assert [] in sizes[20:26]  # the gap
    assert [size for size in sizes if size == [16]] == [[16]] * 7


@pytest.mark.parametrize("other", [("opus", EVENT, 48_000), ("PCMU", 96, 8000)])
def test_a_key_that_falls_into_a_change_of_the_stream_is_one_press(other: tuple[Codec, int, int]) -> None:
    line = Line()
    line.press("77")
    line.go(3)
    line.speak(*other)
    line.go(30)
    assert line.digits == "77"


def test_keys_that_fall_into_a_hold_are_not_pressed_later_on() -> None:
    line = Line()
    line.press("1234")
    line.go(TICKS_PER_KEY)
    line.ours.perform(ConnectLeg("a", *FAR, 0, EVENT, direction="inactive"), line.tick)
    line.go(2 * TICKS_PER_KEY)
    line.ours.perform(ConnectLeg("a", *FAR, 0, EVENT), line.tick)
    line.go(5 * TICKS_PER_KEY)
    assert line.digits == "14"


# -------------------------------------------------------------------------------------------------- as tones


@pytest.mark.parametrize("codec", list(TYPES))
@settings(max_examples=8, deadline=None)
@given(keys=Keys)
def test_who_knows_no_events_hears_tones(codec: Codec, keys: str) -> None:
    line = Line(codec, NONE)
    line.ours.perform(PlaySamples("a", "p", (), False, True), line.tick, [noise(50, 1, peak=4000)])
    line.go(5)
    line.press(keys)
    line.go((len(keys) + 2) * TICKS_PER_KEY)
    assert line.heard == [(key, "inband") for key in keys]
    assert {each[1] & 0x7F for each in line.sent} == {TYPES[codec]}


def test_tones_take_the_place_of_what_is_passed_through() -> None:
    room = Room()
    room.add("near", telephone_event=NONE)
    far = room.add("far", telephone_event=NONE)
    for leg in ("near", "far"):
        room.do(Join(leg, "talk"))
    room.talk({"near": noise(10, 1)})
    room.do(SendKeys("far", "3"))
    room.talk({"near": noise(20, 2)})
    listener = ToneListener(1)
    assert [key for each in far.heard for key in listener.listen(np.zeros(1, np.int64), each[None])] == [(0, "3")]


def test_tones_as_short_as_they_may_be_are_heard() -> None:
    line = Line("PCMA", NONE)
    line.press("0123456789*#ABCD", 40, 40)
    line.go(80)
    assert line.digits == "0123456789*#ABCD"


# --------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("keys", "tone_ms", "pause_ms", "cause"),
    [
        ("12x", 100, 60, r"'X' is no key of a telephone"),
        ("1 2", 100, 60, r"' ' is no key"),
        ("", 100, 60, "no key"),
        ("1", 39, 60, "tone_ms is 39, and has to be from 40 to 1000"),
        ("1", 100, 1001, "pause_ms is 1001"),
        ("1" * (MAX_WAITING + 1), 100, 60, "64 may"),
    ],
)
def test_what_cannot_be_pressed_is_refused_whole(keys: str, tone_ms: int, pause_ms: int, cause: str) -> None:
    line = Line()
    with pytest.raises(Refused, match=cause):
        line.press(keys, tone_ms, pause_ms)
    line.go(10)
    assert {each[1] & 0x7F for each in line.sent} == {0}


def test_so_many_keys_wait_and_no_more() -> None:
    line = Line()
    line.press("1" * MAX_WAITING)
    with pytest.raises(Refused, match="64 keys wait already"):
        line.press("2")
    line.go(TICKS_PER_KEY)
    line.press("3")
    line.go(MAX_WAITING * TICKS_PER_KEY)
    assert line.digits == "1" * MAX_WAITING + "3"


def test_who_is_not_sent_to_gets_no_keys() -> None:
    line = Line()
    line.ours.open("new", Origin(1, 1, 1))
    with pytest.raises(Refused, match="not connected yet"):
        line.ours.perform(SendKeys("new", "1"), line.tick)
    line.ours.perform(ConnectLeg("a", *FAR, 0, EVENT, direction="recvonly"), line.tick)
    with pytest.raises(Refused, match="on hold"):
        line.press("1")
    with pytest.raises(UnknownLeg):
        line.ours.perform(SendKeys("none", "1"), line.tick)


def test_keys_end_with_their_leg() -> None:
    line = Line()
    line.press("123")
    line.go(2)
    line.ours.perform(CloseLeg("a"), line.tick)
    line.go(2)
    line.ours.open("a", Origin(9, 1, 1))
    line.speak("PCMU", EVENT, 8000)
    line.go(20)
    assert line.digits == "1"
