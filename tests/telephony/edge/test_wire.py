"""Frames between processes."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.edge.wire import MAX_FRAME_OCTETS, Decoder, FrameTooLong, ToMedia, encode, read_messages
from telephony.events import ConnectLeg, Join, MediaCommand, OpenLeg, PlaySamples, SeekPlaying, TimePassed

text = st.text(max_size=40)
commands: st.SearchStrategy[MediaCommand] = st.one_of(
    st.builds(OpenLeg, text),
    st.builds(Join, text, text),
    st.builds(ConnectLeg, text, text, st.integers(0, 65535), st.integers(0, 127), st.integers(-1, 127)),
    st.builds(
        PlaySamples,
        text,
        text,
        st.lists(text).map(tuple),
        st.booleans(),
        st.booleans(),
        st.floats(-60, 12),
        st.integers(0, 10**6),
    ),
    st.builds(SeekPlaying, text, text, st.integers(-(10**6), 10**6), st.booleans()),
)


@given(st.lists(commands, max_size=8), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_however_the_octets_are_cut(sent: list[MediaCommand], step: int) -> None:
    octets = b"".join(encode(message) for message in sent)
    decoder: Decoder[MediaCommand] = Decoder(ToMedia)
    received = [
        message for start in range(0, len(octets), step) for message in decoder.feed(octets[start : start + step])
    ]
    assert received == sent


def test_a_frame_beyond_the_limit_ends_the_trust() -> None:
    decoder: Decoder[MediaCommand] = Decoder(ToMedia)
    with pytest.raises(FrameTooLong, match="the limit is"):
        decoder.feed((MAX_FRAME_OCTETS + 1).to_bytes(4, "big"))


def test_a_frame_that_cannot_be_read_is_not_read_again() -> None:
    decoder: Decoder[MediaCommand] = Decoder(ToMedia)
    with pytest.raises(msgspec.ValidationError):
        decoder.feed(encode(TimePassed()) + encode(OpenLeg("a")))
    assert decoder.feed(b"") == [OpenLeg("a")]


async def test_reading_waits_for_a_whole_message_and_ends_with_the_stream() -> None:
    reader = asyncio.StreamReader()
    frame = encode(OpenLeg("a"))
    decoder: Decoder[MediaCommand] = Decoder(ToMedia)
    reader.feed_data(frame[:3])
    waiting = asyncio.create_task(read_messages(reader, decoder))
    await asyncio.sleep(0)
    assert not waiting.done()
    reader.feed_data(frame[3:])
    assert await waiting == [OpenLeg("a")]
    reader.feed_eof()
    assert await read_messages(reader, decoder) == []
