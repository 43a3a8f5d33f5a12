import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from telephony.edge.live_audio import FRAME_OCTETS, WAITING_FRAMES, LiveAudio, LiveRow, LiveRows


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "audio"))
        listening.listen()
        listening.settimeout(10)
        yield listening


def rows_of(connection: socket.socket) -> list[LiveRow]:
    rows, found = LiveRows(), list[LiveRow]()
    with connection:
        while octets := connection.recv(777):
            found += rows.feed(octets)
    return found


def row(level: int) -> np.ndarray:
    return np.full((160, 2), level, np.int16)


def test_rows_of_several_streams_go_by_one_connection(listener: socket.socket, tmp_path: Path) -> None:
    audio = LiveAudio()
    for stream in ("s1", "s2"):
        audio.begin(stream, str(tmp_path / "audio"))
    connection, _ = listener.accept()
    assert audio.put(7, [("s1", row(1)), ("s2", row(-2))]) == []
    audio.end("s1")
    audio.put(8, [("s2", row(3)), ("unknown", row(4))])
    audio.end("s2")
    found = [(each.stream, each.tick, each.dropped, int(each.samples[159, 1])) for each in rows_of(connection)]
    assert found == [("s1", 7, 0, 1), ("s2", 7, 0, -2), ("s2", 8, 0, 3)]


def test_a_listener_that_does_not_read_costs_rows_and_no_time(listener: socket.socket, tmp_path: Path) -> None:
    audio = LiveAudio()
    audio.begin("s", str(tmp_path / "audio"))
    connection, _ = listener.accept()
    for tick in range(2000):
        assert audio.put(tick, [("s", row(tick))]) == []
    waiting = sum(len(each) for each in audio._waiting.values())
    assert waiting <= WAITING_FRAMES * FRAME_OCTETS
    connection.setblocking(False)
    rows, found = LiveRows(), list[LiveRow]()
    for tick in range(2000, 2100):
        while True:
            try:
                found += rows.feed(connection.recv(65536))
            except BlockingIOError:
                break
        audio.put(tick, [("s", row(tick))])
    connection.close()
    audio.close()
    assert [each.tick for each in found] == sorted({each.tick for each in found})
    assert sum(each.dropped for each in found) == found[-1].tick + 1 - len(found) > 500
    assert all((each.samples == each.tick).all() for each in found)


def test_a_listener_that_is_gone_is_told(listener: socket.socket, tmp_path: Path) -> None:
    audio = LiveAudio()
    audio.begin("s", str(tmp_path / "audio"))
    listener.accept()[0].close()
    told = [lost for tick in range(2) for lost in audio.put(tick, [("s", row(1))])]
    assert [stream for stream, _ in told] == ["s"]
    audio.end("s")
    audio.close()
    with pytest.raises(OSError, match="No such file"):
        audio.begin("s", str(tmp_path / "nobody"))
    with pytest.raises(OSError, match="32 octets"):
        audio.begin("s" * 33, str(tmp_path / "audio"))
