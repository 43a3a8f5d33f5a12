"""The media worker under load: `hotline bench media`.

A real worker process on one core, a load generator (`bench.media_load`) on another when there is one, RTP on loopback.
Every packet that comes back is checked, octet by octet: each 20 ms block carries the number of the leg that said it and
its own number. A block that is missing, doubled or of the wrong leg counts as not delivered.

Cases are in `CASES`. `cpu_share` is how much of a core the worker took, its writer thread included.
"""

import contextlib
import json
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
from typing import IO, Any, Final

import msgspec
import numpy as np

from bench import media_blocks as said
from bench.media_figures import UNNUMBERED
from bench.media_load import EVENT_TYPE, OPUS_TYPE, Plan
from telephony.edge.media_settings import MediaSettings
from telephony.edge.secure_rtp import fresh_keys
from telephony.edge.wire import Decoder, FromMedia, encode
from telephony.events import (
    CloseLeg,
    Command,
    ConnectLeg,
    DigitPressed,
    Join,
    LegClosed,
    LegOpened,
    LegRefused,
    OpenLeg,
    PlaySamples,
    Srtp,
    SrtpSuite,
    StartRecording,
)
from telephony.media import g711
from telephony.media.dtmf import KEYS

SUITE: Final[SrtpSuite] = "AES_CM_128_HMAC_SHA1_80"
SECONDS: Final = 5.0
WARM_UP_S: Final = 3.0
SETTLE_S: Final = 10.0
"""Playout begins two ticks behind, and goes to one where three windows of 2 s were calm and 3 s more had no silence.
Until then a tick may be faded into the next one, and is not what was said."""
PORTS: Final = (20_000, 28_000)
ROOT: Final = Path(__file__).parent.parent
LEGS: Final = (100, 250, 500, 1000, 1500)
FEW: Final = (100, 250, 500)
WHOLE: Final = 0.999
LOAD_LATE_MS: Final = 4.0
"""If the generator itself is later than that, a row says little about the worker."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the legs of a case do: `group` of them are in a bridge, each hears a `prompt`, or says blocks (`talks`)."""

    counts: tuple[int, ...]
    group: int = 1
    prompt: bool = False
    talks: bool = False
    recorded: bool = False
    encrypted: bool = False
    presses: bool = False
    tones: bool = False
    opus: bool = False
    echo: bool = False


CASES: Final[dict[str, Case]] = {
    "prompt": Case(LEGS, prompt=True),
    "echo": Case(LEGS, talks=True, echo=True),
    "bridge": Case(LEGS, 2, talks=True),
    "bridge_recorded": Case((100, 250, 500, 800, 1000, 1500), 2, talks=True, recorded=True),
    "conference": Case((100, 250, 500, 1000), 10, talks=True),
    "srtp": Case(FEW, 2, talks=True, encrypted=True),
    "inband_keys": Case((100, 500, 1000), prompt=True, talks=True, tones=True),
    "g711_opus": Case((20, 50, 100), 2, opus=True),
    "delay": Case((100,), 2, talks=True),
    "keys": Case((500,), prompt=True, presses=True),
}


def run(
    case: str | None = None, n: int | None = None, seconds: float | None = None, warm_up_s: float = 0.0
) -> list[dict[str, object]]:
    """Measure every case, or one; with every number of legs, or one. Raises `ValueError` for an unknown case."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    return [
        _measure(name, legs, seconds or SECONDS, warm_up_s)
        for name in ([case] if case else CASES)
        for legs in ([n] if n else CASES[name].counts)
    ]


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which targets are met, and which rows are not to be trusted."""
    told = []
    for row in rows:
        name, n = row["case"], row["n"]
        if row["load_late_ms"] > LOAD_LATE_MS:
            told.append(f"{name} {n}: the load generator was late itself ({row['load_late_ms']} ms): measure again")
        if (name, n) in (("prompt", 1000), ("bridge_recorded", 800)):
            spread = row.get("spacing_p99_ms", float("inf"))
            # Ticks that were left out cost nothing: without the delivery the cost says nothing.
            cost = row["cpu_ms_per_leg_s"] if row["delivery"] >= WHOLE else None
            told.append(verdict(f"{name} {n}: at most 0.7 ms of CPU per leg and second", cost, 0.7))
            told.append(verdict(f"{name} {n}: at most 25 ms between packets (p99)", spread, 25))
            told.append(verdict(f"{name} {n}: at most 0.1 % not delivered", round(1 - row["delivery"], 5), 0.001))
        if name == "delay":
            told.append(verdict(f"{name} {n}: at most 40 ms through a bridge (median)", row.get("delay_p50_ms"), 40))
        if name == "keys" and n >= 500:
            told.append(
                verdict(f"{name} {n}: at most 100 ms from key to prompt (p99)", row["key_to_prompt_p99_ms"], 100)
            )
        if n >= 100 and row["memory_kb_per_leg"] > 200:
            told.append(verdict(f"{name} {n}: at most 200 kB a leg", row["memory_kb_per_leg"], 200))
    return told


def verdict(target: str, figure: float | None, limit: float) -> str:
    """Say whether a figure is within its limit; none is not."""
    met = figure is not None and figure <= limit
    return f"{'met   ' if met else 'MISSED'}  {target}: {figure}"


# ------------------------------------------------------------------------------------------------ the measured side


@dataclass
class Worker:
    """A media worker of our own."""

    process: int
    control: socket.socket
    decoder: Decoder[FromMedia] = field(default_factory=lambda: Decoder(FromMedia))

    def send(self, *commands: Command) -> None:
        """Send commands."""
        self.control.sendall(b"".join(encode(command) for command in commands))

    def events(self, timeout_s: float) -> list[FromMedia]:
        """Return what the worker says within that time. Raises `RuntimeError` when it is gone."""
        if not select.select([self.control], [], [], max(0.0, timeout_s))[0]:
            return []
        octets = self.control.recv(65536)
        if not octets:
            raise RuntimeError("the media worker is gone; its messages are above")
        return list(self.decoder.feed(octets))

    def attend(self, until: float, heed: Callable[[FromMedia], None]) -> None:
        """Take events until that time of the monotonic clock."""
        while (left := until - time.monotonic()) > 0:
            for event in self.events(left):
                heed(event)

    def open(self, legs: Sequence[str]) -> list[int]:
        """Return the ports of new legs."""
        ports: dict[str, int] = {}
        for leg in legs:
            self.send(OpenLeg(leg))
            while leg not in ports:
                for event in self.events(5.0):
                    if isinstance(event, LegRefused):
                        raise RuntimeError(f"leg {event.leg}: {event.cause}")
                    if isinstance(event, LegOpened):
                        ports[event.leg] = event.port
        return [ports[leg] for leg in legs]

    def close(self, legs: Sequence[str]) -> None:
        """Close legs and wait until they are."""
        self.send(*map(CloseLeg, legs))
        left = set(legs)
        until = time.monotonic() + 10.0
        while left and time.monotonic() < until:
            left -= {event.leg for event in self.events(0.5) if isinstance(event, LegClosed)}
        if left:
            raise RuntimeError(f"{len(left)} legs were never closed")

    def cpu_s(self) -> float:
        """Return the CPU time of the process, finely."""
        return (
            sum(int(text.read_text().split()[0]) for text in Path(f"/proc/{self.process}/task").glob("*/schedstat"))
            / 1e9
        )

    def memory_kb(self) -> int:
        """Return its resident memory."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def descriptors(self) -> int:
        """Return how many files it has open."""
        return len(os.listdir(f"/proc/{self.process}/fd"))


@contextlib.contextmanager
def worker(legs: int) -> Iterator[Worker]:
    """Start a worker for so many legs, on the first core."""
    ours, theirs = socket.socketpair()
    settings = MediaSettings("127.0.0.1", PORTS, time.time() - time.monotonic(), max_legs=legs)
    text = msgspec.json.encode(settings).decode()
    command = [sys.executable, "-m", "telephony.edge.media_worker", "--fd", str(theirs.fileno()), "--settings", text]
    pipe = subprocess.DEVNULL
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=pipe, env=_path()) as process:  # noqa: S603
        theirs.close()
        _pin(process.pid, 0)
        try:
            yield Worker(process.pid, ours)
        finally:
            ours.close()
            process.wait(10)


@dataclass
class Run:
    """One case on a worker: its legs are set up, talk, and are closed again."""

    name: str
    case: Case
    n: int
    folder: Path
    prefix: str = ""
    keys_right: int = 0
    memory_kb: int = 0
    _prompts: list[str] = field(default_factory=list)

    @property
    def legs(self) -> list[str]:
        """The legs' names."""
        return [f"{self.prefix}{leg}" for leg in range(self.n)]

    def measure(self, on: Worker, seconds: float, warm_up_s: float = WARM_UP_S) -> dict[str, object]:
        """Return the row, without memory. Raises `RuntimeError`."""
        with self._load() as (told, heard):
            far_port: int = json.loads(heard.readline())["port"]
            ports = on.open(self.legs)
            keys = [_srtp_pair() for _ in self.legs] if self.case.encrypted else []
            self._set_up(on, far_port, keys)
            begin = time.monotonic() + warm_up_s
            far_keys = [Srtp(each.suite, each.theirs, each.ours) for each in keys]
            plan = Plan(
                ports,
                begin,
                seconds,
                self._expected(),
                talks=self.case.talks,
                group=max(1, self.case.group) if self.case.group > 2 else 1,
                presses=self.case.presses,
                tones=self.case.tones,
                keys=far_keys,
                opus=self.case.opus,
            )
            told.write(msgspec.json.encode(plan).decode() + "\n")
            told.flush()
            on.attend(begin, lambda event: self._heed(on, event))
            cpu, at = on.cpu_s(), time.monotonic()
            on.attend(begin + seconds, lambda event: self._heed(on, event))
            cpu, took_s = on.cpu_s() - cpu, time.monotonic() - at
            self.memory_kb = on.memory_kb()
            line = heard.readline()
            if not line:
                raise RuntimeError("the load generator is gone; its messages are above")
            found: dict[str, object] = json.loads(line)
        cost = {"cpu_ms_per_leg_s": round(1000 * cpu / self.n / took_s, 3), "cpu_share": round(cpu / took_s, 3)}
        if self.case.tones:
            on.attend(time.monotonic() + 0.3, lambda event: self._heed(on, event))
            found["keys_right"] = self.keys_right
        return {"case": self.name, "n": self.n, **cost, **found}

    def _expected(self) -> list[int]:
        if self.case.prompt:
            return [said.PROMPT] * self.n
        if self.case.group == 2:
            return [leg ^ 1 for leg in range(self.n)]
        if self.case.echo:
            return list(range(self.n))
        first = [leg - leg % self.case.group for leg in range(self.n)]
        return [UNNUMBERED if leg == head else head for leg, head in enumerate(first)]

    def _set_up(self, on: Worker, port: int, keys: list[Srtp]) -> None:
        case = self.case
        for place, leg in enumerate(self.legs):
            event = EVENT_TYPE if case.presses else -1
            connect = ConnectLeg(leg, "127.0.0.1", port, g711.PCMU, event, srtp=keys[place] if keys else None)
            if case.opus and place % 2:
                connect = ConnectLeg(leg, "127.0.0.1", port, OPUS_TYPE, codec="opus")
            on.send(connect)
        if case.prompt:
            self._prompts = [str(_prompt(self.folder, which)) for which in range(3 if case.presses else 1)]
            on.send(*(self._play(leg, 0) for leg in self.legs))
            return
        for place, leg in enumerate(self.legs):
            on.send(Join(leg, f"{self.prefix}{place // case.group}", "echo" if case.echo else "party"))
        if case.recorded:
            for pair in range(self.n // 2):
                name = f"{self.prefix}{pair}"
                on.send(StartRecording(name, name, self.legs[2 * pair], str(self.folder / f"{name}.spool")))

    def _play(self, leg: str, which: int) -> PlaySamples:
        return PlaySamples(leg, f"{leg}:{which}", (self._prompts[which],), barge_in=self.case.presses, loop=True)

    def _heed(self, on: Worker, event: FromMedia) -> None:
        """A flow in small: another key, another prompt."""
        if not isinstance(event, DigitPressed):
            return
        if self.case.presses:
            on.send(self._play(event.leg, int(event.digit)))
        else:
            self.keys_right += event.digit == KEYS[int(event.leg.removeprefix(self.prefix)) % len(KEYS)]

    @contextlib.contextmanager
    def _load(self) -> Iterator[tuple[IO[str], IO[str]]]:
        """Start the load generator on the second core; yield its standard input and output."""
        command = [sys.executable, "-m", "bench.media_load"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_path()) as load:  # noqa: S603
            _pin(load.pid, 1)
            if load.stdin is None or load.stdout is None:
                raise RuntimeError("the load generator has no pipes")
            try:
                yield load.stdin, load.stdout
            finally:
                load.stdin.close()
                if sys.exc_info()[0] is not None:
                    load.terminate()


def _measure(name: str, n: int, seconds: float, warm_up_s: float) -> dict[str, object]:
    case = CASES[name]
    n += -n % case.group
    with tempfile.TemporaryDirectory() as folder, worker(n) as on:
        on.events(10.0)  # it has started
        memory = on.memory_kb()
        one = Run(name, case, n, Path(folder))
        row = one.measure(on, seconds, warm_up_s or (SETTLE_S if case.talks else WARM_UP_S))
        return row | {"memory_kb_per_leg": round((one.memory_kb - memory) / n, 1)}


def _srtp_pair() -> Srtp:
    ours, theirs = (next(key.key for key in fresh_keys() if key.suite == SUITE) for _ in range(2))
    return Srtp(SUITE, ours, theirs)


def _prompt(folder: Path, which: int) -> Path:
    path = folder / f"prompt-{which}.raw"
    if not path.exists():
        g711.decode(said.blocks(said.PROMPT - which), np.zeros(said.COUNTED, np.uint8)).tofile(path)
    return path


def _path() -> dict[str, str]:
    """The environment in which this source tree is what is imported."""
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def _pin(process: int, core: int) -> None:
    """Give a process a core of its own, and precedence over others' work where that is permitted."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > core:
        os.sched_setaffinity(process, {cores[core]})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, process, -15)
