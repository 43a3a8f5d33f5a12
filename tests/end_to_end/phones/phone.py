"""What every driver of a phone has in common: an account, a tone to play, and a file that grows with what is heard."""

import contextlib
import os
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tests.end_to_end.desks import share_of, tone
from tests.end_to_end.running import HOST, free_quiet_port, wait_for

Transport = Literal["udp", "tcp", "tls"]

HEADER_OCTETS: Final = 44
ELSEWHERE: Final = "elsewhere.test"
TONES_HZ: Final = (700.0, 1100.0, 1500.0)
"""What the caller's, the first agent's and the second agent's phone play."""
CHUNK_S: Final = 0.5
"""What is looked at to say what a phone hears."""


@dataclass(frozen=True)
class Account:
    """Where a phone registers, or only calls from, and as whom. Without a password it does not register."""

    user: str
    password: str
    port: int
    transport: Transport = "udp"
    host: str = HOST

    @property
    def domain(self) -> str:
        """Host and port of the server."""
        return f"{self.host}:{self.port}"

    @property
    def own(self) -> str:
        """The address that it calls from: one of ours is asked for a password, anybody else's is a caller's."""
        return f"sip:{self.user}@{self.domain if self.password else ELSEWHERE}"

    def uri(self, user: str) -> str:
        """Return the address of somebody at our server, by our transport."""
        return f"sip:{user}@{self.domain};transport={self.transport}"


@dataclass
class Phone(ABC):
    """A phone: a process that is told what to do by its own commands, plays a tone, and records what it hears."""

    folder: Path
    account: Account
    hertz: float
    port: int = field(default_factory=free_quiet_port)
    address: str = HOST
    process: subprocess.Popen[bytes] | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def heard_hz(self) -> int:
        """The rate of what it records."""
        return 8000

    # ------------------------------------------------------------------------------------------- what it can do

    @abstractmethod
    def start(self) -> None:
        """Start it; with a password it registers."""

    @abstractmethod
    def dial(self, number: str) -> None:
        """Call a number of the server."""

    @abstractmethod
    def rings(self) -> bool:
        """Whether a call comes in."""

    @abstractmethod
    def answer(self) -> None:
        """Take the call that rings."""

    @abstractmethod
    def talks(self) -> bool:
        """Whether its newest call is answered."""

    @abstractmethod
    def calls_there_are(self) -> int:
        """Return how many calls it has, those that ring and those on hold included."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the current call."""

    @abstractmethod
    def recordings(self) -> list[Path]:
        """Return the 16-bit WAV files of what it heard, at a multiple of 8 kHz, the oldest first; the newest may still
        grow."""

    def is_free(self) -> bool:
        """Whether it has no call at all."""
        return self.calls_there_are() == 0

    def has_one(self) -> bool:
        """Whether it has one call."""
        return self.calls_there_are() == 1

    def hold(self) -> None:
        """Put the current call on hold."""
        raise NotImplementedError(f"{type(self).__name__} cannot hold")

    def resume(self) -> None:
        """Take the current call back."""
        raise NotImplementedError(f"{type(self).__name__} cannot resume")

    def transfer(self, number: str) -> None:
        """Give the current call to a number."""
        raise NotImplementedError(f"{type(self).__name__} cannot transfer")

    def attended_transfer(self) -> None:
        """Put the two calls that there are together: the first is given to the other end of the second."""
        raise NotImplementedError(f"{type(self).__name__} cannot transfer attended")

    # ------------------------------------------------------------------------------------------------- in common

    def stop(self) -> None:
        """End the process; a phone that runs its course unregisters."""
        if self.process is None:
            return
        self.leave(self.process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def leave(self, process: subprocess.Popen[bytes]) -> None:
        """Ask the process to end."""
        process.terminate()

    def launch(self, command: list[str], on_line: Callable[[str], None] | None = None) -> None:
        """Start the process, and keep what it prints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder)},
        )
        threading.Thread(target=self._read, args=(self.process, on_line), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes], on_line: Callable[[str], None] | None) -> None:
        assert process.stdout is not None
        with process.stdout:
            for octets in process.stdout:
                line = octets.decode("utf-8", "replace").rstrip()
                self.lines.append(line)
                if on_line is not None:
                    on_line(line)

    def log(self) -> str:
        """What it printed."""
        return "\n".join(self.lines)

    def plays(self) -> Path:
        """Return the file with its tone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "plays.wav"
        return path if path.exists() else tone(path, self.hertz, 120.0)

    def hears(self, hertz: float, timeout_s: float = 8.0) -> None:
        """Wait until it hears a tone: for `CHUNK_S`, from now on."""
        listening = _Listening(self.recordings, self.heard_hz)
        wait_for(
            f"{type(self).__name__} of {self.account.user} hears {hertz:g} Hz",
            lambda: _is_tone(hertz, listening.newest()),
            timeout_s,
        )

    def hears_as_loud(self, hertz: float, level: float, timeout_s: float = 8.0) -> None:
        """Wait until it hears a tone, for `CHUNK_S`, whose peaks are within 3 dB of `level`."""
        listening = _Listening(self.recordings, self.heard_hz)

        def right() -> bool:
            samples = listening.newest()
            peak = float(np.percentile(np.abs(samples), 97)) if len(samples) else 0.0
            return _is_tone(hertz, samples) and 0.7 * level < peak < 1.4 * level

        wait_for(f"{type(self).__name__} of {self.account.user} hears {hertz:g} Hz as loud", right, timeout_s)

    def hears_music(self, timeout_s: float = 8.0) -> None:
        """Wait until it hears something that is none of the phones' tones: for `CHUNK_S`, from now on."""
        listening = _Listening(self.recordings, self.heard_hz)
        wait_for(
            f"{type(self).__name__} of {self.account.user} hears music",
            lambda: _is_music(listening.newest()),
            timeout_s,
        )


class _Listening:
    """What is added to the recordings from now on."""

    def __init__(self, recordings: Callable[[], list[Path]], rate_hz: int = 8000) -> None:
        """`rate_hz` is the rate of files whose head is written at their end."""
        self._recordings = recordings
        self._rate_hz = rate_hz
        self._path, self._begin = self._look()

    def _look(self) -> tuple[Path | None, int]:
        files = self._recordings()
        return (files[-1], files[-1].stat().st_size) if files else (None, HEADER_OCTETS)

    def newest(self) -> NDArray[np.float64]:
        """Return the last `CHUNK_S` of what was added, fewer samples where there is not so much."""
        path, size = self._look()
        if path != self._path or size < self._begin:
            self._path, self._begin = path, HEADER_OCTETS
        if path is None:
            return np.zeros(0)
        head = path.read_bytes()[:HEADER_OCTETS]
        width, rate = int.from_bytes(head[22:24], "little") or 1, int.from_bytes(head[24:28], "little")
        frame = 2 * width
        octets = path.read_bytes()[HEADER_OCTETS + (self._begin - HEADER_OCTETS) // frame * frame :]
        samples = np.frombuffer(octets[: len(octets) // frame * frame], "<i2").astype(np.float64)
        rate = rate or self._rate_hz
        # Tones lie far below 4 kHz: every second sample, or sixth, of the first channel tells all there is.
        return samples[::width][:: max(1, rate // 8000)][-int(CHUNK_S * 8000) :]


def _is_tone(hertz: float, samples: NDArray[np.float64]) -> bool:
    return _is_loud(samples) and share_of(hertz, samples) > 0.6


def _is_music(samples: NDArray[np.float64]) -> bool:
    return _is_loud(samples) and all(share_of(hertz, samples) < 0.1 for hertz in TONES_HZ)


def _is_loud(samples: NDArray[np.float64]) -> bool:
    return len(samples) >= CHUNK_S * 8000 and float(np.abs(samples).max()) > 500
