"""The media worker under load: `hotline bench media`.

A real worker process on one core, a load generator process on another (when there is one), RTP on loopback. Every
packet that comes back is checked: each 20 ms block carries the number of the leg that said it and its own number, in
codes of µ-law that decoding, mixing and encoding leave alone. A block that is missing, doubled or of the wrong leg
counts as not delivered. Spacing is what the generator sees, its own delays included.

Cases: `prompt` (n legs hear a looped prompt and send silence), `bridge_recorded` (n legs in pairs, both talking, each
pair recorded in stereo).
"""

import contextlib
import itertools
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec
import numpy as np

from telephony.edge.media_settings import MediaSettings
from telephony.edge.wire import Decoder, FromMedia, encode
from telephony.events import Command, ConnectLeg, Join, LegOpened, LegRefused, OpenLeg, PlaySamples, StartRecording
from telephony.media import g711

CASES: Final = ("prompt", "bridge_recorded")
LEGS: Final = (100, 250, 500)
SECONDS: Final = 10.0
WARM_UP_S: Final = 2.0
PORTS: Final = (20_000, 28_000)
TICKS_PER_S: Final = 50
PHASES: Final = 10
"""Senders are spread over the tick, as callers are."""
BASE: Final = 100
COUNTED: Final = BASE * BASE
NOBODY: Final = BASE * BASE - 1
"""The number of the leg that "says" the prompt."""


def run(case: str | None = None, n: int | None = None, seconds: float | None = None) -> list[dict[str, object]]:
    """Measure every case, or one; with every number of legs, or one. Raises `ValueError` for an unknown case."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    rows = itertools.product([case] if case else CASES, [n] if n else LEGS)
    return [_measure(one, legs, seconds or SECONDS) for one, legs in rows]


# ------------------------------------------------------------------------------------------------ the measured side


@dataclass
class _Worker:
    process: int
    control: socket.socket
    decoder: Decoder[FromMedia] = field(default_factory=lambda: Decoder(FromMedia))
    seen: list[FromMedia] = field(default_factory=list)

    def send(self, *commands: Command) -> None:
        self.control.sendall(b"".join(encode(command) for command in commands))

    def open(self, leg: str) -> int:
        """Return the port of a new leg."""
        self.send(OpenLeg(leg))
        while True:
            for event in self.seen:
                if isinstance(event, LegRefused):
                    raise RuntimeError(f"leg {leg}: {event.cause}")
                if isinstance(event, LegOpened):
                    self.seen.clear()
                    return event.port
            octets = self.control.recv(65536)
            if not octets:
                raise RuntimeError("the media worker is gone; its messages are above")
            self.seen += self.decoder.feed(octets)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kb(self) -> int:
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextlib.contextmanager
def _worker(legs: int) -> Iterator[_Worker]:
    ours, theirs = socket.socketpair()
    settings = MediaSettings("127.0.0.1", PORTS, time.time() - time.monotonic(), max_legs=legs)
    text = msgspec.json.encode(settings).decode()
    command = [sys.executable, "-m", "telephony.edge.media_worker", "--fd", str(theirs.fileno()), "--settings", text]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL) as process:  # noqa: S603
        theirs.close()
        _pin(process.pid, 0)
        try:
            yield _Worker(process.pid, ours)
        finally:
            ours.close()
            process.wait(10)


def _measure(case: str, n: int, seconds: float) -> dict[str, object]:
    n += n % 2 if case == "bridge_recorded" else 0
    with tempfile.TemporaryDirectory() as folder, _worker(n) as worker, _load(case, n, seconds) as (told, heard):
        far_ports: list[int] = json.loads(heard.readline())
        memory = worker.memory_kb()
        ports = [worker.open(str(leg)) for leg in range(n)]
        _set_up(worker, case, far_ports, Path(folder))
        begin = time.monotonic() + WARM_UP_S
        told.write(json.dumps({"ports": ports, "begin": begin}) + "\n")
        told.flush()
        time.sleep(begin - time.monotonic())
        cpu = worker.cpu_s()
        time.sleep(begin + seconds - time.monotonic())
        cpu = worker.cpu_s() - cpu
        memory = worker.memory_kb() - memory
        found: dict[str, object] = json.loads(heard.readline())
    cost = {"cpu_ms_per_leg_s": round(1000 * cpu / n / seconds, 3)}
    return {"case": case, "n": n, **cost, **found, "memory_kb_per_leg": round(memory / n, 1)}


@contextlib.contextmanager
def _load(case: str, n: int, seconds: float) -> Iterator[tuple[IO[str], IO[str]]]:
    """Start this very file as the load generator; yield its standard input and output."""
    command = [sys.executable, __file__, case, str(n), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:  # noqa: S603
        _pin(load.pid, 1)
        if load.stdin is None or load.stdout is None:
            raise RuntimeError("the load generator has no pipes")
        yield load.stdin, load.stdout


def _set_up(worker: _Worker, case: str, far_ports: list[int], folder: Path) -> None:
    for leg, port in enumerate(far_ports):
        worker.send(ConnectLeg(str(leg), "127.0.0.1", port, g711.PCMU))
    if case == "prompt":
        path = folder / "prompt.raw"
        blocks = np.stack([np.frombuffer(_block(NOBODY, number), np.uint8) for number in range(COUNTED)])
        g711.decode(blocks, np.zeros(COUNTED, np.uint8)).tofile(path)
        for leg in range(len(far_ports)):
            worker.send(PlaySamples(str(leg), str(leg), (str(path),), loop=True))
        return
    for leg in range(len(far_ports)):
        worker.send(Join(str(leg), str(leg // 2)))
    for pair in range(len(far_ports) // 2):
        worker.send(StartRecording(str(pair), str(pair), str(2 * pair), str(folder / f"{pair}.spool")))


def _pin(process: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > core:
        os.sched_setaffinity(process, {cores[core]})


# ----------------------------------------------------------------------------------------------- the load generator


def _block(leg: int, number: int) -> bytes:
    """20 ms of µ-law that tell who says them and which they are; all codes from 0x80 on come back unchanged."""
    head = bytes(0x80 + digit for digit in (*divmod(leg, BASE), *divmod(number % COUNTED, BASE)))
    return head + bytes([0xF0]) * (160 - len(head))


def _read_block(payload: bytes) -> tuple[int, int]:
    """Return (leg, number); nonsense for what is no block."""
    one, two, three, four = (octet - 0x80 for octet in payload[:4])
    return one * BASE + two, three * BASE + four


@dataclass
class _Far:
    """The far end of a leg: what it says, and what it has heard since the measurement began."""

    leg: int
    udp: socket.socket
    expects: int
    target: tuple[str, int] = ("127.0.0.1", 0)
    sent: int = 0
    right: int = 0
    missed: int = 0
    last: int = -1
    last_at: float = 0.0
    gaps: list[float] = field(default_factory=list)

    def say(self, silent: bool) -> None:
        header = b"\x80\x00" + (self.sent % 2**16).to_bytes(2, "big") + (160 * self.sent).to_bytes(4, "big")
        payload = bytes([0xFF]) * 160 if silent else _block(self.leg, self.sent)
        self.udp.sendto(header + self.leg.to_bytes(4, "big") + payload, self.target)
        self.sent += 1

    def hear(self, now: float, measured: bool) -> None:
        try:
            datagram = self.udp.recv(2048)
        except BlockingIOError:
            return
        leg, number = _read_block(datagram[12:])
        # While the stream starts up there is silence; from the measurement's beginning on that counts as missed.
        follows = leg == self.expects and (self.last < 0 or number == (self.last + 1) % COUNTED)
        if measured:
            self.right += follows
            self.missed += not follows
            if self.last_at:
                self.gaps.append(now - self.last_at)
            self.last_at = now
        if leg == self.expects:
            self.last = number


def _generate(case: str, n: int, seconds: float) -> None:
    """Talk and listen; the plan comes on standard input, the figures go to standard output."""
    far_ends: list[_Far] = []
    for leg in range(n):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.bind(("127.0.0.1", 0))
        far_ends.append(_Far(leg, udp, NOBODY if case == "prompt" else leg ^ 1))
    _say([far.udp.getsockname()[1] for far in far_ends])
    plan = json.loads(sys.stdin.readline())
    for far, port in zip(far_ends, plan["ports"], strict=True):
        far.target = ("127.0.0.1", port)
    _talk(far_ends, case == "prompt", plan["begin"], plan["begin"] + seconds)
    gaps = sorted(itertools.chain.from_iterable(far.gaps for far in far_ends)) or [0.0]
    due = int(seconds * TICKS_PER_S) - 1  # where in a tick the measurement begins is chance
    delivery = sum(min(1.0, far.right / max(due, far.right + far.missed)) for far in far_ends) / n
    _say(
        {
            "delivery": round(delivery, 5),
            "spacing_p50_ms": round(1000 * gaps[len(gaps) // 2], 2),
            "spacing_p99_ms": round(1000 * gaps[len(gaps) * 99 // 100], 2),
        }
    )


def _talk(far_ends: list[_Far], silent: bool, begin: float, end: float) -> None:
    by_descriptor = {far.udp.fileno(): far for far in far_ends}
    epoll = select.epoll()
    for descriptor in by_descriptor:
        epoll.register(descriptor, select.EPOLLIN)
    phase, phase_s = 0, 1 / TICKS_PER_S / PHASES
    first = time.monotonic()
    while (now := time.monotonic()) < end:
        wait_s = first + phase * phase_s - now
        for descriptor, _ in epoll.poll(max(0.0, wait_s), len(far_ends)):
            now = time.monotonic()
            by_descriptor[descriptor].hear(now, now >= begin)
        while first + phase * phase_s <= time.monotonic():
            for far in far_ends[phase % PHASES :: PHASES]:
                far.say(silent)
            phase += 1
    epoll.close()


def _say(message: object) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 (the pipe to the measuring side)


if __name__ == "__main__":
    _generate(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
