"""Opus for browsers: what goes in comes out, and what is lost is made good."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.edge import opus_library
from telephony.events import ConnectLeg, WebRtc
from telephony.media.codec import Libraries
from telephony.media.g711 import Samples
from telephony.media.legs import Origin
from telephony.media.opus import CLOCK_PER_TICK, MAX_PAYLOAD, Encoder, Library, OpusCoder
from telephony.media.plane import MediaPlane, Refused
from telephony.media.waiting import Waiting


def _library() -> Library:
    found = opus_library.find()
    assert found is not None, "PyAV brings libopus along"
    return found


LIBRARY = _library()
TYPE = 111
WEB = WebRtc("u", "p", (), "sha-256 AB")


def sine(hertz: float, seconds: float) -> Samples:
    t = np.arange(int(8000 * seconds)) / 8000
    return (8000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def payloads(samples: Samples) -> list[bytes]:
    encoder = Encoder(LIBRARY)
    return [encoder.encode(tick).tobytes() for tick in samples.reshape(-1, 160)]


def loudest(samples: Samples) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / 8000)[int(power.argmax())])


def test_a_sine_comes_back_at_its_pitch_and_level() -> None:
    said = sine(700, 3)
    decoder = Waiting(OpusCoder(LIBRARY))
    heard = []
    for number, payload in enumerate(payloads(said)):
        decoder.put(1, (2**32 - 4000 + CLOCK_PER_TICK * number) % 2**32, payload)
        heard.append(decoder.play())
    whole = np.concatenate(heard)[4000:]
    assert loudest(whole) == pytest.approx(700, abs=3)
    assert whole.std() == pytest.approx(said.std(), rel=0.1)
    assert (decoder.late, decoder.concealed) == (0, 0)


def test_payloads_fit_into_a_datagram_of_the_tick() -> None:
    noise = np.random.default_rng(1).integers(-20000, 20000, 8000).astype(np.int16)
    assert max(map(len, payloads(noise))) <= MAX_PAYLOAD


def _with_loss(lost: set[int]) -> tuple[Samples, int]:
    said = sine(500, 2)
    decoder = Waiting(OpusCoder(LIBRARY))
    heard = []
    for number, payload in enumerate(payloads(said)):
        if number not in lost:
            decoder.put(1, CLOCK_PER_TICK * number, payload)
        heard.append(decoder.play())
    return np.concatenate(heard), decoder.concealed


def test_a_lost_packet_is_made_good_better_than_by_silence() -> None:
    whole, _ = _with_loss(set())
    mended, concealed = _with_loss({50})
    assert concealed == 1
    place = slice(50 * 160, 54 * 160)
    error = np.abs(mended[place].astype(float) - whole[place]).mean()
    assert error < 0.8 * np.abs(whole[place].astype(float)).mean()


def test_other_lengths_of_packets_are_played_as_they_are() -> None:
    """Two packets of 20 ms in one (code 1 of RFC 6716 section 3.2.3: two frames of equal size)."""
    one = payloads(sine(600, 2))
    encoder_pairs = [
        (bytes([(first[0] & 0xFC) | 2]) + _size(len(first) - 1) + first[1:] + second[1:])
        for first, second in zip(one[::2], one[1::2], strict=True)
    ]
    decoder = Waiting(OpusCoder(LIBRARY))
    heard = []
    for number, payload in enumerate(encoder_pairs):
        decoder.put(1, 2 * CLOCK_PER_TICK * number, payload)
        heard += [decoder.play(), decoder.play()]
    assert loudest(np.concatenate(heard)[6000:]) == pytest.approx(600, abs=4)
    assert decoder.concealed == 0


def _size(octets: int) -> bytes:
    return bytes([octets]) if octets < 252 else bytes([252 + (octets & 3), (octets - 252 - (octets & 3)) >> 2])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.booleans(), st.one_of(st.none(), st.binary(max_size=60)), st.integers(1, 2)),
        max_size=60,
    )
)
def test_whatever_comes_a_tick_is_160_samples(packets: list[tuple[int, bool, bytes | None, int]]) -> None:
    good = PAYLOADS
    decoder = Waiting(OpusCoder(LIBRARY))
    for number, plays, garbage, ssrc in packets:
        decoder.put(
            ssrc, (2**32 - 20000 + CLOCK_PER_TICK * number) % 2**32, good[number] if garbage is None else garbage
        )
        if plays:
            tick = decoder.play()
            assert tick.shape == (160,)
            assert tick.dtype == np.int16
    for _ in range(5):
        assert len(decoder.play()) == 160


PAYLOADS = payloads(sine(440, 2))


def rtp(number: int, payload: bytes, payload_type: int = TYPE) -> bytes:
    head = bytes([0x80, payload_type]) + number.to_bytes(2, "big")
    return head + (CLOCK_PER_TICK * number).to_bytes(4, "big") + (7).to_bytes(4, "big") + payload


def test_the_plane_hears_and_speaks_opus() -> None:
    plane = MediaPlane(4, 30.0, Libraries(LIBRARY))
    row = plane.open("a", Origin(1, 2, 3))
    plane.perform(ConnectLeg("a", "", 0, TYPE, -1, "opus", WEB), 1)
    other = plane.open("b", Origin(4, 5, 6))
    plane.perform(ConnectLeg("b", "", 0, 0, -1, "PCMU", WEB), 1)
    from telephony.events import Join  # noqa: PLC0415

    plane.perform(Join("a", "talk"), 1)
    plane.perform(Join("b", "talk"), 1)
    matrix = np.zeros((1, 2048), np.uint8)
    sizes, timestamps = [], []
    for tick in range(1, 60):
        packet = rtp(tick, PAYLOADS[tick])
        matrix[0, : len(packet)] = np.frombuffer(packet, np.uint8)
        result = plane.tick(matrix, np.array([len(packet)]), np.array([row]), [("", 0)], tick)
        out = dict(zip(result.senders, zip(result.datagrams, result.lengths, strict=True), strict=True))
        sizes.append(out[row][1])
        timestamps.append(int.from_bytes(out[row][0][4:8].tobytes(), "big"))
        assert out[row][0][1] & 0x7F == TYPE
        assert (out[other][0][1] & 0x7F, out[other][1]) == (0, 172)
    assert all(13 <= size <= 172 for size in sizes)
    assert set(np.diff(timestamps)) == {CLOCK_PER_TICK}
    assert plane.faults("a") == {"late": 0, "stretched": 0}


def test_without_libopus_it_is_refused_in_words() -> None:
    plane = MediaPlane(4, 30.0)
    plane.open("a", Origin(1, 2, 3))
    with pytest.raises(Refused, match="libopus"):
        plane.perform(ConnectLeg("a", "", 0, TYPE, -1, "opus", WEB), 1)
