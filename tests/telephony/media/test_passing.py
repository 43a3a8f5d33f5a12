"""What one far end sends the other gets, bit for bit, while nothing is mixed; and one stream it stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.edge import g722_library, opus_library
from telephony.events import (
    CloseLeg,
    Codec,
    ConnectLeg,
    Direction,
    Join,
    Leave,
    PlaySamples,
    StartRecording,
    StopPlaying,
    StopRecording,
)
from telephony.media import g711
from telephony.media.codec import CLOCK_PER_TICK, PAYLOAD_OCTETS, Libraries
from telephony.media.legs import NO_PARTNER, LegTable, Origin
from telephony.media.passing import GAP_TICKS
from telephony.media.plane import MediaPlane
from telephony.rtp.packet import ROW_OCTETS, parse
from tests.telephony.media.room import TELEPHONE_EVENT, Room, noise
from tests.telephony.rtp.packets import lay, packet

LIBRARIES = Libraries(opus_library.find(), g722_library.find())
EVERY_OCTET = np.arange(256).astype(np.uint8)


def payload(seed: int) -> bytes:
    """160 octets, any; among them µ-law's negative nought (0x7F), which no encoder makes."""
    return np.random.default_rng(seed).permutation(EVERY_OCTET)[:160].tobytes()


class Pair:
    """Two phones in a bridge, one of which says something else in every tick."""

    def __init__(self, said: int, heard: int) -> None:
        self.room = Room()
        self.near = self.room.add("near", said)
        self.far = self.room.add("far", heard)
        for leg in ("near", "far"):
            self.room.do(Join(leg, "talk"))
        self.said: list[bytes] = []
        self.heard: list[bytes] = []

    def tick(self, comes: bool = True) -> bytes:
        """One tick; the payload that the far one is sent."""
        self.said.append(payload(len(self.said)))
        packet = self.near.packet(self.said[-1], self.near.payload_type)
        result = self.room.step({"near": [packet] if comes else [], "far": [self.far.speech(noise(1, 7))]})
        (place,) = [i for i, row in enumerate(result.senders) if row == self.far.row]
        self.heard.append(result.datagrams[place, 12:172].tobytes())
        return self.heard[-1]


@pytest.mark.parametrize("law", [0, 8])
def test_payloads_of_one_law_pass_bit_for_bit(law: int) -> None:
    pair = Pair(law, law)
    for _ in range(300):
        pair.tick()
    began = pair.heard.index(pair.said[0])
    assert pair.heard[began:] == pair.said[: len(pair.heard) - began]


def test_an_echo_is_what_was_said_bit_for_bit() -> None:
    room = Room()
    phone = room.add("a")
    room.do(Join("a", "a", "echo"))
    said = [payload(n) for n in range(100)]
    heard = [room.step({"a": [phone.packet(each, phone.payload_type)]}).datagrams[0, 12:172].tobytes() for each in said]
    began = heard.index(said[0])
    assert heard[began:] == said[: len(heard) - began]


def test_a_full_table_whose_last_leg_is_closed_goes_on() -> None:
    """A leg without a partner looks nobody up, least of all in a place that is none any more."""
    plane = MediaPlane(2, 30.0, LIBRARIES)
    for leg in ("a", "b"):
        plane.open(leg, Origin(0, 0, 0))
        plane.perform(ConnectLeg(leg, "192.0.2.1", 4000, 96, codec="L16/8000"), 0)
    rows, none = np.zeros((0, ROW_OCTETS), np.uint8), np.zeros(0, np.int64)
    plane.tick(rows, none, none, [], 1)
    plane.perform(CloseLeg("b"), 2)
    assert plane.tick(rows, none, none, [], 2).senders == [0]


def test_two_laws_are_translated() -> None:
    pair = Pair(0, 8)
    for _ in range(20):
        pair.tick()
    (began,) = {i for i, each in enumerate(pair.heard) if each == _in_a_law(pair.said[0])}
    assert pair.heard[began:] == [_in_a_law(each) for each in pair.said[: 20 - began]]


def _in_a_law(octets: bytes) -> bytes:
    row = np.frombuffer(octets, np.uint8)[np.newaxis]
    return g711.encode(g711.decode(row, np.array([0], np.uint8)), np.array([8], np.uint8)).tobytes()


def test_what_comes_in_another_law_than_was_agreed_on_is_translated() -> None:
    pair = Pair(0, 0)
    pair.near.payload_type = 8
    for _ in range(20):
        pair.tick()
    assert not set(pair.heard) & set(pair.said)


Move = st.sampled_from(["tick", "tick", "tick", "lose", "prompt", "stop", "third", "third leaves", "hold", "resume"])


@settings(max_examples=60, deadline=None)
@given(st.lists(Move, max_size=60))
def test_one_stream_it_stays_whatever_is_mixed_in(moves: list[str]) -> None:
    """After whatever came between, passing goes on bit for bit; numbers and timestamps go on without a gap."""
    pair = Pair(0, 0)
    room = pair.room
    prompt = noise(3, 5)
    room.add("third")
    playing = ""
    for number, move in enumerate([*["tick"] * 5, *moves]):
        match move:
            case "prompt":
                playing = f"p{number}"
                room.do(PlaySamples("far", playing, (), False, True), [prompt])
            case "stop":
                room.do(StopPlaying("far", playing))
            case "third":
                room.do(Join("third", "talk"))
            case "third leaves":
                room.do(Leave("third"))
            case "hold" | "resume":
                direction: Direction = "inactive" if move == "hold" else "sendrecv"
                room.do(ConnectLeg("near", *pair.near.address, 0, TELEPHONE_EVENT, direction=direction))
        pair.tick(comes=move != "lose")
    room.do(Leave("third"))
    room.do(PlaySamples("far", "last", (), False, False), [noise(1, 3)])
    for _ in range(40):
        pair.tick()
    headers = parse(*lay(pair.far.headers))
    assert set(np.diff(headers.sequence) % 2**16) == {1}
    assert set(np.diff(headers.timestamp) % 2**32) == {160}
    assert set(headers.ssrc.tolist()) == {headers.ssrc[0]}
    last = pair.said.index(pair.heard[-1])
    assert pair.heard[-30:] == pair.said[last - 29 : last + 1]


def test_whoever_is_alone_with_another_is_its_partner() -> None:
    table = LegTable(8)
    a, b, c = (table.open(name, Origin(1, 2, 3)) for name in "abc")

    def partners() -> list[int]:
        return [int(table.partner[leg.row]) for leg in (a, b, c)]

    table.join(a, "x")
    assert partners() == [NO_PARTNER] * 3
    table.join(b, "x")
    assert partners() == [b.row, a.row, NO_PARTNER]
    table.join(c, "x")
    assert partners() == [NO_PARTNER] * 3
    table.join(a, "y")
    assert partners() == [NO_PARTNER, c.row, b.row]
    table.join(c, "y")
    assert partners() == [c.row, NO_PARTNER, a.row]
    table.close(c)
    assert partners()[:2] == [NO_PARTNER] * 2


def test_whose_samples_are_altered_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mask, gain or stretching says so for the tick; then what is heard is what was made of it."""
    pair = Pair(0, 0)
    for _ in range(5):
        pair.tick()
    reception = pair.room.plane._reception
    table = pair.room.plane._legs
    play_out = reception.play_out

    def masked(tick: int) -> g711.Samples:
        heard = play_out(tick)
        table.altered[pair.near.row] = True
        heard[table.place[pair.near.row]] = 0
        return heard

    monkeypatch.setattr(reception, "play_out", masked)
    assert set(pair.tick()) == {0xFF}
    monkeypatch.undo()
    assert pair.tick() in pair.said


# ------------------------------------------------------------------------------------------- codecs with a coder


class CodedPair:
    """Two legs in a bridge that speak the same codec; what the near one sends, and what the far one is sent."""

    def __init__(self, codec: Codec) -> None:
        self.plane = MediaPlane(4, 30.0, LIBRARIES)
        self.step = CLOCK_PER_TICK[codec]
        self.rows = {}
        for leg in ("near", "far"):
            self.rows[leg] = self.plane.open(leg, Origin(len(leg), 65_500, 2**32 - 5000))
            self.plane.perform(ConnectLeg(leg, "198.51.100.1", 4000, 96, TELEPHONE_EVENT, codec), 1)
            self.plane.perform(Join(leg, "talk"), 1)
        self.now = 1
        self.said: list[bytes] = []
        self.heard: list[bytes | None] = []
        self.datagrams: list[bytes] = []

    def tick(self, payload: bytes | None, payload_type: int = 96) -> bytes | None:
        """One tick in which the near one sends a packet, or loses it; return what the far one is sent."""
        self.said.append(payload or b"")
        sent = [packet(self.now, self.now * self.step, payload, payload_type, ssrc=9)] if payload is not None else []
        rows, lengths = lay(sent)
        legs = np.full(len(sent), self.rows["near"])
        result = self.plane.tick(rows, lengths, legs, [("198.51.100.1", 4000)] * len(sent), self.now)
        self.now += 1
        for place, row in enumerate(result.senders):
            if row == self.rows["far"]:
                self.datagrams.append(result.datagrams[place, : result.lengths[place]].tobytes())
                self.heard.append(self.datagrams[-1][12:])
                return self.heard[-1]
        self.heard.append(None)
        return None


def packets_of(codec: Codec, count: int) -> list[bytes]:
    """Packets that a far end might send; Opus in wide band and at a bit rate that is not ours."""
    random = np.random.default_rng(3)
    if codec != "opus":
        return [random.bytes(PAYLOAD_OCTETS[codec]) for _ in range(count)]
    library = LIBRARIES.opus
    assert library is not None
    encoder = library.encoder_create(48_000, 2, 2049, None)
    library.encoder_ctl(encoder, 4002, 96_000)
    room = np.zeros(1500, np.uint8)
    made = []
    for _ in range(count):
        samples = random.integers(-9000, 9000, 2 * 960).astype(np.int16)
        size = library.encode(encoder, samples.ctypes.data, 960, room.ctypes.data, len(room))
        made.append(room[:size].tobytes())
    library.encoder_destroy(encoder)
    return made


CODED: list[Codec] = ["G722", "opus", "L16/8000", "L16/16000"]


@pytest.mark.parametrize("codec", CODED)
def test_wide_band_passes_bit_for_bit(codec: Codec) -> None:
    pair = CodedPair(codec)
    for each in packets_of(codec, 60):
        pair.tick(each)
    began = pair.heard.index(pair.said[0])
    assert began <= 3
    assert pair.heard[began:] == pair.said[: 60 - began]
    headers = parse(*lay(pair.datagrams))
    assert set(np.diff(headers.sequence) % 2**16) == {1}
    assert set(np.diff(headers.timestamp) % 2**32) == {pair.step}


@pytest.mark.parametrize("codec", CODED)
def test_a_lost_packet_is_passed_as_a_gap_that_the_far_end_conceals(codec: Codec) -> None:
    pair = CodedPair(codec)
    made = packets_of(codec, 40)
    for number, each in enumerate(made):
        pair.tick(None if number == 20 else each)
    assert pair.heard.count(None) == 1
    headers = parse(*lay(pair.datagrams))
    steps = np.diff(headers.sequence) % 2**16
    assert sorted(set(steps.tolist())) == [1, 2]
    assert ((np.diff(headers.timestamp) % 2**32) == pair.step * steps).all()


@pytest.mark.parametrize("codec", CODED)
def test_whoever_falls_silent_leaves_no_gap_for_ever(codec: Codec) -> None:
    pair = CodedPair(codec)
    for each in packets_of(codec, 20):
        pair.tick(each)
    for _ in range(30):
        pair.tick(None)
    assert pair.heard.count(None) == GAP_TICKS
    assert None not in pair.heard[-20:]


def test_opus_packets_of_40_ms_are_translated_into_ours() -> None:
    """Their length is not a tick's; both are heard."""
    pair = CodedPair("opus")
    one = packets_of("opus", 2)
    twice = bytes([one[0][0] & 0xFC | 2]) + one[0][1:]
    for number in range(40):
        pair.tick(twice if number % 2 == 0 else None)
    assert twice not in pair.heard


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(CODED), st.lists(st.sampled_from(["tick", "tick", "tick", "lose", "prompt", "stop"]), max_size=40)
)
def test_passed_or_mixed_it_is_one_stream(codec: Codec, moves: list[str]) -> None:
    """However often it changes: timestamps count ticks, and numbers have a gap where a tick has, and nowhere else."""
    pair = CodedPair(codec)
    made = iter(packets_of(codec, len(moves) + 50))
    for _ in range(5):
        pair.tick(next(made))
    for move in moves:
        if move == "prompt":
            pair.plane.perform(PlaySamples("far", "p", (), False, True), pair.now, [noise(3, 5)])
        elif move == "stop":
            pair.plane.perform(StopPlaying("far", "p"), pair.now)
        each = next(made)
        pair.tick(None if move == "lose" else each)
    pair.plane.perform(StopPlaying("far", "p"), pair.now)
    for _ in range(40):
        pair.tick(next(made))
    headers = parse(*lay(pair.datagrams))
    steps = np.diff(headers.sequence) % 2**16
    assert ((np.diff(headers.timestamp) % 2**32) == pair.step * steps).all()
    assert pair.heard[-1] in pair.said


class _Counting:
    """A coder that says how often it was asked to decode."""

    def __init__(self, pair: CodedPair, monkeypatch: pytest.MonkeyPatch) -> None:
        coder = pair.plane._legs.named("near").coder
        assert coder is not None
        self.decoded = 0
        decode = coder.decode

        def counted(payload: bytes) -> g711.Samples:
            self.decoded += 1
            return decode(payload)

        monkeypatch.setattr(coder, "decode", counted)


@pytest.mark.parametrize("codec", CODED)
def test_nobody_decodes_what_nobody_needs(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = CodedPair(codec)
    counting = _Counting(pair, monkeypatch)
    made = iter(packets_of(codec, 100))

    def decoded_in(ticks: int) -> int:
        before = counting.decoded
        for _ in range(ticks):
            pair.tick(next(made))
        return counting.decoded - before

    decoded_in(10)
    assert decoded_in(10) == 0
    pair.plane.perform(StartRecording("r", "call", "far", "nowhere"), pair.now)
    assert decoded_in(10) == 10
    pair.plane.perform(StopRecording("r"), pair.now)
    assert decoded_in(10) == 0
    pair.plane.perform(PlaySamples("far", "p", (), False, True), pair.now, [noise(3, 5)])
    assert decoded_in(10) == 10
    pair.plane.perform(StopPlaying("far", "p"), pair.now)
    assert decoded_in(10) == 0
    # Without telephone-event a key is heard in the voice.
    pair.plane.perform(ConnectLeg("near", "198.51.100.1", 4000, 96, -1, codec), pair.now)
    assert decoded_in(10) == 10
