"""Every coder keeps the one contract: what goes in comes out, and whatever comes, ticks go out."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.edge import g722_library, opus_library
from telephony.events import Codec
from telephony.media.codec import CLOCK_PER_TICK, PAYLOAD_OCTETS, Coder, Libraries, NoCodec
from tests.telephony.media.signals import gain_db, loudest, sine

LIBRARIES = Libraries(opus_library.find(), g722_library.find())
OBJECTS: list[Codec] = [codec for codec in get_args(Codec) if codec not in ("PCMU", "PCMA")]


def coder(codec: Codec) -> Coder:
    made = LIBRARIES.make(codec)
    assert made is not None
    return made


@pytest.mark.parametrize("codec", OBJECTS)
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_tone_comes_back_at_its_pitch_and_level(codec: Codec, hertz: int) -> None:
    said = sine(hertz, 2)
    near, far = coder(codec), coder(codec)
    payloads = [near.encode(tick) for tick in said.reshape(-1, 160)]
    heard = np.concatenate([far.decode(payload) for payload in payloads])
    assert heard.dtype == np.int16
    assert len(heard) == len(said)
    assert max(map(len, payloads)) <= PAYLOAD_OCTETS[codec]
    assert loudest(heard[4000:]) == pytest.approx(hertz, abs=2)
    assert gain_db(heard, said) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("codec", OBJECTS)
def test_the_clock_is_the_one_of_the_payload_format(codec: Codec) -> None:
    assert coder(codec).clock_per_tick == CLOCK_PER_TICK[codec]


@pytest.mark.parametrize("codec", OBJECTS)
def test_a_lost_tick_is_made_good_and_a_long_loss_fades(codec: Codec) -> None:
    """By level: Opus rebuilds a tone with a phase of its own."""
    said = sine(500, 2)
    near, far = coder(codec), coder(codec)
    payloads = [near.encode(tick) for tick in said.reshape(-1, 160)]
    heard = [far.decode(payload) for payload in payloads[:50]]
    heard.append(far.conceal(payloads[51]))
    heard += [far.decode(payload) for payload in payloads[51:]]
    assert heard[50].std() > 0.5 * said[50 * 160 : 51 * 160].std()
    assert np.concatenate(heard)[54 * 160 :].std() == pytest.approx(said[54 * 160 :].std(), rel=0.1)
    gone = [far.conceal(None) for _ in range(50)]
    assert all(tick.shape == (160,) and tick.dtype == np.int16 for tick in gone)
    assert gone[-1].std() < 0.1 * said.std()


@pytest.mark.parametrize("codec", OBJECTS)
@settings(max_examples=60, deadline=None)
@given(payloads=st.lists(st.one_of(st.none(), st.binary(max_size=700)), max_size=20))
def test_whatever_comes_samples_go_out(codec: Codec, payloads: list[bytes | None]) -> None:
    far = coder(codec)
    for payload in payloads:
        heard = far.conceal(payload) if payload is None else far.decode(payload)
        assert heard.dtype == np.int16
        assert heard.ndim == 1
        assert len(heard) == 160 if not payload else len(heard) > 0
        assert far.conceal(payload).shape == (160,)
    far.close()


@pytest.mark.parametrize("codec", OBJECTS)
def test_closing_may_be_repeated_and_comes_at_any_time(codec: Codec) -> None:
    coder(codec).close()
    used = coder(codec)
    used.decode(used.encode(sine(400, 0.02)))
    used.close()
    used.close()


def test_packets_of_30_ms_have_30_ms_of_samples() -> None:
    said = sine(1000, 1.2)
    near, far = coder("G722"), coder("G722")
    octets = b"".join(near.encode(tick) for tick in said.reshape(-1, 160))
    heard = np.concatenate([far.decode(octets[at : at + 240]) for at in range(0, len(octets), 240)])
    assert len(heard) == len(said)
    assert loudest(heard[2000:]) == pytest.approx(1000, abs=2)


def test_a_wide_tone_is_heard_in_wide_band_and_not_in_the_plane() -> None:
    """6 kHz in G.722 and L16/16000: gone at 8 kHz, and not folded to 2 kHz."""
    library = LIBRARIES.g722
    assert library is not None
    said = sine(6000, 1, 16_000)
    encoder, far = library.encoder(), coder("G722")
    heard = np.concatenate([far.decode(encoder.encode(tick)) for tick in said.reshape(-1, 320)])
    assert gain_db(heard, said) < -40
    wide = coder("L16/16000").decode(said.astype(">i2").tobytes())
    assert gain_db(wide, said) < -58


def test_l16_is_in_network_byte_order() -> None:
    assert coder("L16/8000").encode(np.full(160, 0x0102, np.int16))[:4] == b"\x01\x02\x01\x02"
    assert coder("L16/8000").decode(b"\x01\x02\xff\xfe\x00").tolist() == [0x0102, -2]


def test_what_is_not_installed_is_said_with_the_mend() -> None:
    for codec in ("opus", "G722"):
        with pytest.raises(NoCodec, match=r"media\.codecs"):
            Libraries().make(codec)
    assert Libraries().make("PCMU") is None
    assert Libraries().make("PCMA") is None


def test_reference_octets_of_g722() -> None:
    """Silence, by the Recommendation: the encoder's first octets from the reset state, as every implementation has
    them; and a decoder that is given them says (nearly) nothing."""
    near = coder("G722")
    octets = near.encode(np.zeros(160, np.int16))
    assert len(octets) == 160
    assert np.abs(coder("G722").decode(octets).astype(int)).max() < 16
