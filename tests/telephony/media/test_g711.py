import numpy as np
import pytest

from telephony.media.g711 import DECODE, ENCODE, PCMA, PCMU, decode, encode

SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16)


def mulaw(sample: int) -> int:
    """ITU-T G.191, ulaw_compress, one sample at a time."""
    magnitude = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment = 1 + (magnitude >> 6).bit_length()
    return (8 - segment) << 4 | 0x0F - (magnitude >> segment & 0x0F) | (0x80 if sample >= 0 else 0)


def alaw(sample: int) -> int:
    """ITU-T G.191, alaw_compress, one sample at a time."""
    magnitude = (~sample if sample < 0 else sample) >> 4
    if magnitude > 15:
        exponent = 1
        while magnitude > 31:
            magnitude >>= 1
            exponent += 1
        magnitude += (exponent << 4) - 16
    return (magnitude | (0x80 if sample >= 0 else 0)) ^ 0x55


def test_every_sample_is_encoded_as_the_reference_does() -> None:
    assert ENCODE[0].tolist() == [mulaw(sample) for sample in SAMPLES.tolist()]
    assert ENCODE[1].tolist() == [alaw(sample) for sample in SAMPLES.tolist()]


@pytest.mark.parametrize(
    ("law", "code", "sample"),
    [
        (0, 0x00, -32124), (0, 0x80, 32124), (0, 0x7F, 0), (0, 0xFF, 0), (0, 0xFE, 8), (0, 0x7E, -8), (0, 0xEF, 132),
        (1, 0x2A, -32256), (1, 0xAA, 32256), (1, 0x55, -8), (1, 0xD5, 8), (1, 0xD4, 24), (1, 0xC5, 264),
    ],
)  # fmt: skip
def test_known_codes(law: int, code: int, sample: int) -> None:
    assert DECODE[law][code] == sample


@pytest.mark.parametrize("law", [0, 1])
def test_every_code_comes_back(law: int) -> None:
    codes = ENCODE[law][DECODE[law].view(np.uint16)]
    expected = np.arange(256)
    if law == 0:
        expected[0x7F] = 0xFF  # µ-law has two zeros; the positive one is sent
    assert codes.tolist() == expected.tolist()


@pytest.mark.parametrize("law", [0, 1])
def test_every_sample_comes_back_nearly(law: int) -> None:
    ascending = np.arange(-32768, 32768)
    decoded = DECODE[law][ENCODE[law][ascending.astype(np.int16).view(np.uint16)]].astype(np.int64)
    assert (np.diff(decoded) >= 0).all()
    error = np.abs(decoded - ascending)
    assert (error <= (np.abs(ascending) + 240) / 30).all()  # half a step of the segment


def test_each_row_has_its_own_law() -> None:
    rng = np.random.default_rng(1)
    payload = rng.integers(0, 256, (3, 160)).astype(np.uint8)
    types = np.array([PCMU, PCMA, PCMU], np.uint8)
    samples = decode(payload, types)
    for row, law in enumerate((0, 1, 0)):
        assert (samples[row] == DECODE[law][payload[row]]).all()
        assert (encode(samples, types)[row] == ENCODE[law][samples[row].view(np.uint16)]).all()
    assert decode(payload[:0], types[:0]).shape == (0, 160)
