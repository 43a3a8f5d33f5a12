"""What goes out: by each leg's codec, and in order when the codec changes in mid-call."""

import itertools

import numpy as np
import pytest

from telephony.edge import g722_library, opus_library
from telephony.events import Codec, ConnectLeg, Join, PlaySamples, WebRtc
from telephony.media.codec import CLOCK_PER_TICK, PAYLOAD_OCTETS, Coder, Libraries
from telephony.media.g711 import Samples
from telephony.media.g722 import G722Coder
from telephony.media.legs import Origin
from telephony.media.plane import MediaPlane, Refused
from telephony.rtp.packet import parse
from tests.telephony.media.signals import gain_db, loudest, sine
from tests.telephony.rtp.packets import lay

LIBRARIES = Libraries(opus_library.find(), g722_library.find())
TYPES: dict[Codec, int] = {"PCMU": 0, "PCMA": 8, "G722": 9, "L16/8000": 96, "L16/16000": 97, "opus": 111}
FAR = ("198.51.100.7", 4000)
NOTHING = lay([])


class _Listener:
    """A leg that says nothing, and what it is sent of a bridge in which somebody plays."""

    def __init__(self) -> None:
        self.plane = MediaPlane(4, 30.0, LIBRARIES)
        self.plane.open("listener", Origin(7, 65_530, 2**32 - 999))
        self.plane.perform(Join("listener", "talk"), 0)
        self.tick = 88_000_000_000

    @property
    def coder(self) -> Coder | None:
        return self.plane._legs.named("listener").coder

    def speaks(self, codec: Codec) -> None:
        self.plane.perform(ConnectLeg("listener", *FAR, TYPES[codec], 101, codec), self.tick)

    def hears(self, said: Samples) -> list[bytes]:
        self.plane.perform(PlaySamples("listener", "p", (), False, False), self.tick, [said])
        return [self._step() for _ in range(len(said) // 160)]

    def _step(self) -> bytes:
        rows, lengths = NOTHING
        result = self.plane.tick(rows, lengths, np.zeros(0, np.int64), [], self.tick)
        self.tick += 1
        return result.datagrams[0, : result.lengths[0]].tobytes()


@pytest.mark.parametrize("codec", list(TYPES))
def test_a_prompt_is_sent_in_the_codec_of_the_leg(codec: Codec) -> None:
    listener = _Listener()
    listener.speaks(codec)
    said = sine(800, 1)
    sent = listener.hears(said)
    headers = parse(*lay(sent))
    assert set(np.diff(headers.timestamp) % 2**32) == {CLOCK_PER_TICK[codec]}
    assert set(np.diff(headers.sequence) % 2**16) == {1}
    assert set(headers.payload_type.tolist()) == {TYPES[codec]}
    assert headers.marker.tolist() == [True] + [False] * 49
    assert headers.octets.max() <= PAYLOAD_OCTETS[codec]
    far = LIBRARIES.make(codec)
    if far is not None:
        heard = np.concatenate([far.decode(each[12:]) for each in sent])
        assert loudest(heard[2000:]) == pytest.approx(800, abs=3)
        assert gain_db(heard, said) == pytest.approx(0, abs=1)


def test_a_codec_that_changes_in_mid_call_goes_on_in_order_and_a_new_clock_has_a_new_ssrc() -> None:
    listener = _Listener()
    order: list[Codec] = ["PCMU", "G722", "opus", "opus", "PCMA", "L16/16000", "PCMU"]
    sent: list[bytes] = []
    for codec in order:
        listener.speaks(codec)
        sent += listener.hears(sine(500, 0.1))
    headers = parse(*lay(sent))
    assert set(np.diff(headers.sequence) % 2**16) == {1}
    ssrc = headers.ssrc.reshape(len(order), 5)
    assert (ssrc == ssrc[:, :1]).all()
    new = (np.diff(ssrc[:, 0]) != 0).tolist()
    assert new == [CLOCK_PER_TICK[a] != CLOCK_PER_TICK[b] for a, b in itertools.pairwise(order)]
    assert len(set(ssrc[:, 0].tolist())) == 1 + sum(new)


def test_the_coder_that_is_left_is_closed_and_the_same_one_again_goes_on() -> None:
    listener = _Listener()
    listener.speaks("opus")
    first = listener.coder
    assert first is not None
    closed: list[str] = []
    listener.speaks("opus")
    assert listener.coder is first
    first.close = lambda: closed.append("opus")  # type: ignore[method-assign]  # what is freed cannot be seen from outside
    listener.speaks("G722")
    assert closed == ["opus"]
    assert isinstance(listener.coder, G722Coder)
    listener.speaks("PCMU")
    assert listener.coder is None


@pytest.mark.parametrize("codec", ["opus", "G722"])
def test_what_is_not_installed_is_refused_in_words_and_leaves_all_as_it_was(codec: Codec) -> None:
    plane = MediaPlane(4, 30.0)
    plane.open("a", Origin(1, 2, 3))
    plane.perform(ConnectLeg("a", *FAR, 8, -1, "PCMA"), 1)
    with pytest.raises(Refused, match=r"media\.codecs"):
        plane.perform(ConnectLeg("a", *FAR, TYPES[codec], -1, codec, WebRtc("u", "p", (), "sha-256 AB")), 1)
    rows, lengths = NOTHING
    result = plane.tick(rows, lengths, np.zeros(0, np.int64), [], 2)
    assert result.datagrams[0, 1] & 0x7F == 8
