"""A small server for the command-line phone: our SIP endpoint and one RTP socket; and the phone as a process."""

import asyncio
import json
import secrets
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np

from telephony import sdp
from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK, TICK_S
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.events import Answer, InviteReceived, SipCommand, SipEvent
from telephony.media.dtmf import ToneListener
from telephony.media.g711 import DECODE, ENCODE, Samples
from telephony.sip.digest import hash_password
from telephony.sip.endpoint import Endpoint, EndpointSettings

LOOPBACK = "127.0.0.1"
DOMAIN = "hotline.test"
USER, PASSWORD = "thanh", "secret"


class Rtp(asyncio.DatagramProtocol):
    """An RTP socket that keeps what it hears, and says what it is told to."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.came_at: list[float] = []
        self.far_end: tuple[str, int] | None = None
        self.port = 0
        self.law = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._talking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, 0))
        self.port = self._transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        self.packets.append(data)
        self.came_at.append(asyncio.get_running_loop().time())

    def talk(self, samples: Samples, lost: frozenset[int] = frozenset(), swapped: int = -1) -> None:
        """Send samples, 20 ms every 20 ms; `lost` packets stay at home, packet `swapped` goes after its successor."""
        self._talking = asyncio.create_task(self._talk(samples, lost, swapped))

    async def talked(self) -> None:
        assert self._talking is not None
        await self._talking

    async def _talk(self, samples: Samples, lost: frozenset[int], swapped: int) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        begun = loop.time()
        order = list(range(len(samples) // SAMPLES_PER_TICK))
        if swapped >= 0:
            order[swapped : swapped + 2] = [swapped + 1, swapped]
        for tick, number in enumerate(order):
            await asyncio.sleep(max(0.0, begun + tick * TICK_S - loop.time()))
            rows = samples[number * SAMPLES_PER_TICK : (number + 1) * SAMPLES_PER_TICK]
            # Sequence and timestamp wrap within the first second.
            sequence, timestamp = (65530 + number) & 0xFFFF, (2**32 - 800 + number * SAMPLES_PER_TICK) & 0xFFFFFFFF
            header = bytes((0x80, self.law)) + sequence.to_bytes(2, "big") + timestamp.to_bytes(4, "big") + b"ssrc"
            payload = ENCODE[self.law // 8][rows.view(np.uint16)].tobytes()
            if number not in lost and self.far_end is not None:
                self._transport.sendto(header + payload, self.far_end)

    def heard(self) -> Samples:
        """Return what came, in the order in which it came."""
        payload = np.frombuffer(b"".join(packet[12:] for packet in self.packets), np.uint8)
        samples: Samples = DECODE[self.law // 8].take(payload)
        return samples

    def close(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
        if self._transport is not None:
            self._transport.close()


class Server:
    """A SIP server for one call. `reacts` says what it does with an INVITE: answer, or a command made of its dialog."""

    def __init__(self) -> None:
        self.clock = ProcessClock()
        self.rtp = Rtp()
        self.seen: asyncio.Queue[SipEvent] = asyncio.Queue()
        self.address = ""
        self.answers = True
        self.codecs: tuple[int, ...] = (0, 8)
        self.negotiated: sdp.Negotiated | None = None
        stored = hash_password(USER, DOMAIN, PASSWORD)
        endpoint = Endpoint(
            EndpointSettings((LOOPBACK, 0), DOMAIN),
            lambda user: (stored,) if user == USER else (),
            secrets.token_hex,
            lambda: secrets.token_hex(16),
        )
        self.edge = SipEdge(endpoint, self.clock, self._on_events)

    async def start(self) -> None:
        host, port = await self.edge.start(LOOPBACK, 0)
        self.address = f"{host}:{port}"
        await self.rtp.start()

    def close(self) -> None:
        self.edge.close()
        self.rtp.close()

    def perform(self, command: SipCommand) -> None:
        self.edge.perform(command)

    def _on_events(self, events: list[SipEvent]) -> None:
        for event in events:
            self.seen.put_nowait(event)
            if isinstance(event, InviteReceived) and self.answers:
                self.answer(event)

    def answer(self, invited: InviteReceived) -> None:
        self.connect(sdp.answer(invited.sdp, self.capabilities()))
        assert self.negotiated is not None
        self.perform(Answer(invited.dialog, self.negotiated.sdp))

    def capabilities(self) -> sdp.Capabilities:
        return sdp.Capabilities(LOOPBACK, self.rtp.port, 1, self.codecs)

    def connect(self, negotiated: sdp.Negotiated) -> None:
        self.negotiated = negotiated
        self.rtp.far_end, self.rtp.law = (negotiated.address, negotiated.port), negotiated.payload_type

    async def until(self, kind: type[SipEvent]) -> Any:
        """Return the next event of a kind; the ones before it are dropped."""
        async with asyncio.timeout(15):
            while True:
                event = await self.seen.get()
                if isinstance(event, kind):
                    return event


class PhoneProcess:
    """`python -m hotline.phone …` with its JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        assert process.stderr is not None
        self._errors = asyncio.create_task(process.stderr.read())

    @classmethod
    async def start(cls, *arguments: str) -> "PhoneProcess":
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hotline.phone", *arguments, "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def until(self, event: str) -> dict[str, Any]:
        """Return the next line of an event."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        errors = (await self._errors).decode()
        raise AssertionError(f"no `{event}`: {self.lines} {errors}")

    async def end(self) -> int:
        """Wait for the end, reading on; return the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
            code = await self.process.wait()
        errors = (await self._errors).decode()
        assert not errors, errors
        return code

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()


def keys_in(samples: Samples) -> str:
    """Return the keys that the media plane's own listener hears."""
    listener, leg = ToneListener(1), np.zeros(1, np.int64)
    rows = samples[: len(samples) // SAMPLES_PER_TICK * SAMPLES_PER_TICK].reshape(-1, 1, SAMPLES_PER_TICK)
    return "".join(key for row in rows for _, key in listener.listen(leg, row))


def voice_like(seconds: float, seed: int = 7) -> Samples:
    """Return sound with the spectrum and the ups and downs of a voice, the same for the same seed."""
    count = round(seconds * SAMPLE_RATE_HZ) // SAMPLES_PER_TICK * SAMPLES_PER_TICK
    noise = np.random.default_rng(seed).standard_normal(count)
    smooth = np.convolve(noise, np.ones(6) / 6, mode="same")
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(count) / SAMPLE_RATE_HZ)
    return (8000 * smooth * swell).clip(-32000, 32000).astype(np.int16)


def write_wav(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


def place_of(needle: Samples, haystack: Samples) -> int:
    """Return where in `haystack` a sound lies, by the peak of their correlation."""
    size = 1 << (len(haystack) + len(needle)).bit_length()
    spectrum = np.fft.rfft(haystack, size) * np.conj(np.fft.rfft(needle, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: max(1, len(haystack) - len(needle) + 1)]))


def through_g711(samples: Samples, law: int) -> Samples:
    """Return what G.711 makes of samples."""
    coded = ENCODE[law // 8].take(np.ascontiguousarray(samples).view(np.uint16))
    decoded: Samples = DECODE[law // 8].take(coded)
    return decoded


def is_as_good_as_g711(heard: Samples, spoken: Samples) -> bool:
    """Say whether every sample lies within one step of G.711: coders differ in where a step begins, no more."""
    spoken_wide = spoken.astype(np.int64)
    return len(heard) == len(spoken) and bool((abs(heard - spoken_wide) <= 8 + abs(spoken_wide) / 16).all())
