from collections.abc import AsyncIterator

import numpy as np
import pytest

from telephony.edge.audio_streams import BACKLOG_ROWS, MOST_STREAMS, AudioStream, AudioStreams, Shaper, TooManyStreams
from telephony.edge.live_audio import LiveAudio, LiveRow
from telephony.events import StartStream, StopStream, StreamStopped
from tests.telephony.media.signals import loudest, sine

Commands = list[StartStream | StopStream]


@pytest.fixture
async def streams() -> AsyncIterator[tuple[AudioStreams, Commands]]:
    commands: Commands = []
    made = AudioStreams(commands.append)
    await made.start()
    yield made, commands
    await made.stop()


def row(tick: int, level: int = 0, dropped: int = 0) -> LiveRow:
    return LiveRow("s", tick, dropped, np.full((160, 2), level, np.int16))


async def test_what_a_worker_sends_comes_in_blocks_until_the_call_ends(streams: tuple[AudioStreams, Commands]) -> None:
    made, commands = streams
    stream = made.listen("c1.caller")
    (start,) = commands
    assert isinstance(start, StartStream)
    worker = LiveAudio()
    worker.begin(start.stream, start.path)
    for tick in range(7):
        worker.put(tick, [(start.stream, np.full((160, 2), tick, np.int16))])
    first = await stream.block(5)
    assert [(each.tick, int(each.samples[0, 1])) for each in first] == [(tick, tick) for tick in range(5)]
    assert [each.tick for each in await stream.block(2)] == [5, 6]
    made.stopped(StreamStopped(start.stream, 7))
    assert await stream.block(5) == []
    worker.close()
    made.leave(stream)
    assert len(commands) == 1


async def test_who_leaves_first_stops_it_and_there_is_a_most(streams: tuple[AudioStreams, Commands]) -> None:
    made, commands = streams
    listening = [made.listen("leg") for _ in range(MOST_STREAMS)]
    with pytest.raises(TooManyStreams):
        made.listen("leg")
    made.leave(listening[0])
    made.leave(listening[0])
    assert commands[MOST_STREAMS:] == [StopStream(listening[0].name)]
    made.stopped(StreamStopped(listening[1].name, 0, "the media worker died"))
    assert (listening[1].ended, listening[1].cause) == (True, "the media worker died")


async def test_ticks_that_nobody_sent_are_missing_too() -> None:
    stream = AudioStream("s")
    for tick, dropped in ((10, 0), (11, 0), (15, 3), (16, 0), (30, 0)):
        stream.put(row(tick, dropped=dropped))
    assert stream.dropped == 3 + 13


async def test_a_slow_listener_loses_the_oldest_and_is_told() -> None:
    stream = AudioStream("s")
    for tick in range(BACKLOG_ROWS + 30):
        stream.put(row(tick, dropped=2 if tick == 10 else 0))
    assert stream.dropped == 32
    rows = await stream.block(5)
    assert [each.tick for each in rows] == [30, 31, 32, 33, 34]


def test_at_16_khz_a_tone_is_the_same_tone_without_its_image() -> None:
    said = np.stack([sine(1000, 1), sine(3000, 1)], axis=-1).reshape(-1, 160, 2)
    rows = [LiveRow("s", tick, 0, part) for tick, part in enumerate(said)]
    for rate in (8000, 16000):
        shaper = Shaper(rate)
        octets = b"".join(shaper.octets(rows[begin : begin + 5]) for begin in range(0, 50, 5))
        heard = np.frombuffer(octets, "<i2").reshape(-1, 2)
        assert len(heard) == rate
        assert [round(loudest(heard[:, i], rate)) for i in range(2)] == [1000, 3000]
    spectrum = np.abs(np.fft.rfft(heard[:, 1] * np.hanning(len(heard))))
    assert spectrum[5000] < spectrum[3000] / 300
