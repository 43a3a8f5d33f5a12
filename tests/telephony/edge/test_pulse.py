"""Who hangs, and who is only short of time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from telephony.edge.pulse import EVERY_S, FIRST_BEAT_S, HUNG_S, STARVED_S, Pulse, Pulses, activity


@pytest.fixture
def stopped() -> Iterator[int]:
    """A process that does nothing, for certain."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        yield process.pid
        process.kill()


def watching(process: int) -> tuple[Pulses, list[tuple[int, float]]]:
    hung: list[tuple[int, float]] = []
    pulses = Pulses(lambda number, silent_s: hung.append((number, silent_s)))
    pulses.watched[3] = Pulse(process)
    return pulses, hung


def look(pulses: Pulses, since: float, seconds: float, late_s: float = 0.0) -> None:
    """Look ten times a second for so long."""
    for step in range(1, round(seconds / EVERY_S) + 1):
        pulses.look(since + step * EVERY_S, late_s)


def test_one_that_does_nothing_hangs_and_is_told_once(stopped: int) -> None:
    pulses, hung = watching(stopped)
    pulses.beat(3)
    at = pulses.watched[3].beat_at
    look(pulses, at, HUNG_S - EVERY_S)
    assert hung == []
    look(pulses, at + HUNG_S - EVERY_S, 1.0)
    assert [number for number, _ in hung] == [3]
    assert HUNG_S < hung[0][1] < HUNG_S + 2 * EVERY_S
    pulses.beat(3)  # it is watched no more


def test_one_that_has_not_begun_is_waited_for(stopped: int) -> None:
    pulses, hung = watching(stopped)
    look(pulses, time.monotonic(), FIRST_BEAT_S)
    assert hung == []
    look(pulses, time.monotonic() + FIRST_BEAT_S, HUNG_S + 1.0)
    assert len(hung) == 1


def test_what_we_slept_through_is_nobody_s_silence(stopped: int) -> None:
    pulses, hung = watching(stopped)
    pulses.beat(3)
    at = pulses.watched[3].beat_at
    pulses.look(at + 5.0, 5.0 - EVERY_S)
    assert hung == []


def test_one_that_is_busy_is_given_longer() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1)
    assert busy.stdout is not None
    busy.stdout.readline()
    with busy:
        pulses, hung = watching(busy.pid)
        pulses.beat(3)
        at = pulses.watched[3].beat_at
        look(pulses, at, STARVED_S - EVERY_S)
        assert hung == []
        look(pulses, at + STARVED_S - EVERY_S, 1.0)
        assert len(hung) == 1
        busy.kill()


def test_a_process_is_seen_as_it_is(stopped: int) -> None:
    assert activity(stopped)[0] == "T"
    assert activity(2**22 + 1) == ("", 0)
    assert activity(os.getpid())[1] > 0
