"""WebRTC legs in the media worker: `hotline bench webrtc`.

Two real worker processes on loopback, each on a core of its own where there are two: the measured one, and one that
plays the browsers. Both set up by ICE and DTLS with each other and send SRTP at 50 packets a second each way. CPU is
that of the measured process alone; delivery is what the far end counted of what was due.

Cases: `prompt` (n legs hear a looped prompt), `bridge` (n legs in pairs that hear each other), both in PCMU, and `opus`
(the bridge in Opus, decoded and encoded for every leg). `setup` sets up n legs one after another and closes each before
the next, so that its CPU is that of set-ups alone, and of the ticks that pass meanwhile. A set-up is timed from its
command to the moment at which a key sounded by the far end is recognised: ICE, DTLS, the jitter ring and the tone.
"""

import contextlib
import itertools
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from bench.media import verdict
from telephony.edge.media_settings import MediaSettings
from telephony.edge.wire import Decoder, FromMedia, encode
from telephony.events import (
    CloseLeg,
    Codec,
    Command,
    ConnectLeg,
    DigitPressed,
    Join,
    LegClosed,
    LegOpened,
    LegRefused,
    OpenLeg,
    PlaySamples,
    WebRtc,
)

CASES: Final = ("prompt", "bridge", "opus", "setup")
LEGS: Final = (20, 50, 100, 150)
SECONDS: Final = 10.0
WARM_UP_S: Final = 2.0
SET_UP_S: Final = 20.0
TICKS_PER_S: Final = 50
PAYLOAD_TYPES: Final[dict[Codec, int]] = {"PCMU": 0, "PCMA": 8, "opus": 111}


def run(case: str | None = None, n: int | None = None, seconds: float | None = None) -> list[dict[str, object]]:
    """Measure every case, or one; with every number of legs, or one. Raises `ValueError` for an unknown case."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    rows = itertools.product([case] if case else CASES, [n] if n else LEGS)
    return [_measure(one, legs + legs % 2, seconds or SECONDS) for one, legs in rows]


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which targets are met."""
    return [
        verdict(f"setup {row['n']}: at most 20 ms of CPU each", row["setup_cpu_ms"], 20)
        if row["case"] == "setup"
        else verdict(f"{row['case']} {row['n']}: at most 5 ms of CPU per leg and second", row["cpu_ms_per_leg_s"], 5)
        for row in rows
    ]


@dataclass
class _Worker:
    process: int
    control: socket.socket
    decoder: Decoder[FromMedia] = field(default_factory=lambda: Decoder(FromMedia))
    keys: dict[str, float] = field(default_factory=dict)
    opened: dict[str, LegOpened] = field(default_factory=dict)
    closed: dict[str, LegClosed] = field(default_factory=dict)

    def send(self, *commands: Command) -> None:
        self.control.sendall(b"".join(encode(command) for command in commands))

    def read(self, wait_s: float = 0.0) -> None:
        """Take in what it says."""
        while select.select([self.control], [], [], wait_s)[0]:
            octets = self.control.recv(65536)
            if not octets:
                raise RuntimeError("a media worker is gone")
            for event in self.decoder.feed(octets):
                match event:
                    case LegOpened():
                        self.opened[event.leg] = event
                    case LegRefused():
                        raise RuntimeError(f"leg {event.leg}: {event.cause}")
                    case DigitPressed():
                        self.keys.setdefault(event.leg, time.monotonic())
                    case LegClosed():
                        self.closed[event.leg] = event
            wait_s = 0.0

    def open(self, leg: str, *, offers: bool) -> WebRtc:
        """Return what a new leg says of itself."""
        self.send(OpenLeg(leg, "webrtc", offers))
        while leg not in self.opened:
            self.read(1.0)
        described = self.opened[leg].webrtc
        if described is None:
            raise RuntimeError("a WebRTC leg without its description")
        return described

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kb(self) -> int:
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextlib.contextmanager
def _worker(legs: int, core: int, ports: tuple[int, int]) -> Iterator[_Worker]:
    ours, theirs = socket.socketpair()
    settings = MediaSettings("127.0.0.1", ports, time.time() - time.monotonic(), max_legs=legs)
    text = msgspec.json.encode(settings).decode()
    command = [sys.executable, "-m", "telephony.edge.media_worker", "--fd", str(theirs.fileno()), "--settings", text]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL) as process:  # noqa: S603
        theirs.close()
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
        try:
            yield _Worker(process.pid, ours)
        finally:
            ours.close()
            process.wait(10)


def _measure(case: str, n: int, seconds: float) -> dict[str, object]:
    if case == "setup":
        return _measure_set_ups(n)
    codec: Codec = "opus" if case == "opus" else "PCMU"
    with (
        tempfile.TemporaryDirectory() as folder,
        _worker(n, 0, (20_000, 23_999)) as measured,
        _worker(n, 1, (24_000, 27_999)) as browsers,
    ):
        key, prompt = _key(Path(folder)), _prompt(Path(folder))
        memory = 0
        for leg in range(n):
            _set_up(measured, browsers, str(leg), codec, key)
            memory = memory or measured.memory_kb()  # after the first, which loads what all share
        for leg in range(n):
            name = str(leg)
            if case == "prompt":
                measured.send(PlaySamples(name, "p", (prompt,), barge_in=False, loop=True))
            else:
                measured.send(Join(name, str(leg // 2)))
                browsers.send(PlaySamples(name, "p", (prompt,), barge_in=False, loop=True))
        _rest(WARM_UP_S, measured, browsers)
        cpu, begin = measured.cpu_s(), time.monotonic()
        _rest(seconds, measured, browsers)
        lasted = time.monotonic() - begin
        cpu = measured.cpu_s() - cpu
        memory = measured.memory_kb() - memory
        delivered = _delivered(measured, browsers, n)
    return {
        "case": case,
        "n": n,
        "cpu_ms_per_leg_s": round(1000 * cpu / n / lasted, 3),
        "delivery": round(delivered, 5),
        "memory_kb_per_leg": round(memory / (n - 1), 1),
    }


def _measure_set_ups(n: int) -> dict[str, object]:
    with (
        tempfile.TemporaryDirectory() as folder,
        _worker(8, 0, (20_000, 23_999)) as measured,
        _worker(8, 1, (24_000, 27_999)) as browsers,
    ):
        key = _key(Path(folder))
        walls = []
        for leg in range(n + 1):
            if leg == 1:  # the first one loads what all share
                memory, cpu = measured.memory_kb(), measured.cpu_s()
            walls.append(_set_up(measured, browsers, str(leg), "PCMU", key))
            for worker in (browsers, measured):
                worker.send(CloseLeg(str(leg)))
            _until(lambda leg=leg: str(leg) in measured.closed, measured, browsers)  # type: ignore[misc]
        cpu, memory = measured.cpu_s() - cpu, measured.memory_kb() - memory
    return {
        "case": "setup",
        "n": n,
        "setup_cpu_ms": round(1000 * cpu / n, 2),
        "setup_wall_p50_ms": round(1000 * float(np.percentile(walls[1:], 50)), 1),
        "setup_wall_p99_ms": round(1000 * float(np.percentile(walls[1:], 99)), 1),
        "memory_kb_per_leg": round(memory / n, 1),
    }


def _set_up(measured: _Worker, browsers: _Worker, leg: str, codec: Codec, key: str) -> float:
    """Set up one leg, the measured side offering; return the seconds until it hears."""
    ours, theirs = measured.open(leg, offers=True), browsers.open(leg, offers=False)
    number = PAYLOAD_TYPES[codec]
    begin = time.monotonic()
    answer = msgspec.structs.replace(theirs, setup="active")
    measured.send(ConnectLeg(leg, "", 0, number, -1, codec, answer))
    browsers.send(ConnectLeg(leg, "", 0, number, -1, codec, ours), PlaySamples(leg, "k", (key,), loop=True))
    _until(lambda: leg in measured.keys, measured, browsers)
    browsers.send(PlaySamples(leg, "s", (key + ".silence",), loop=True))
    return measured.keys[leg] - begin


def _until(done: Callable[[], bool], measured: _Worker, browsers: _Worker) -> None:
    deadline = time.monotonic() + SET_UP_S
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("a leg was not set up in time")
        measured.read(0.002)
        browsers.read()


def _rest(seconds: float, *workers: _Worker) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
        for worker in workers:
            worker.read()


def _delivered(measured: _Worker, browsers: _Worker, n: int) -> float:
    """Close both ends, and return the share of what the measured side sent that the far ends received."""
    for worker in (browsers, measured):
        worker.send(*(CloseLeg(str(leg)) for leg in range(n)))
        deadline = time.monotonic() + 10
        while len(worker.closed) < n and time.monotonic() < deadline:
            worker.read(0.2)
    sent = sum(browsers.closed[str(leg)].received + browsers.closed[str(leg)].lost for leg in range(n))
    received = sum(browsers.closed[str(leg)].received for leg in range(n))
    return received / sent if sent else 0.0


def _key(folder: Path) -> str:
    """Write key 5 as it sounds (ITU-T Q.23), 100 ms long with as much silence, and a file of silence beside it."""
    t = np.arange(800) / 8000
    tone = 6000 * (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t))
    path = folder / "key.raw"
    np.concatenate((tone, np.zeros(800))).astype("<i2").tofile(path)
    np.zeros(1600, "<i2").tofile(f"{path}.silence")
    return str(path)


def _prompt(folder: Path) -> str:
    path = folder / "prompt.raw"
    t = np.arange(80_000) / 8000
    (5000 * np.sin(2 * np.pi * 300 * t)).astype("<i2").tofile(path)
    return str(path)
