"""A media plane on a virtual clock, with far ends that say what a test gives them and keep what they hear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from telephony.events import ConnectLeg, GainMode, MediaEvent, PlaneCommand
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.media.legs import Origin
from telephony.media.plane import MediaPlane, TickResult
from telephony.media.tap import Tap
from telephony.media.voices import ListeningSettings, TrainedDetector
from telephony.rtp.packet import HEADER_OCTETS
from tests.telephony.rtp.packets import lay, packet

TELEPHONE_EVENT = 101
FIRST_TICK = 88_000_000_000
MAX_LEGS = 16
SILENCE = np.zeros(160, np.int16)


@dataclass
class Phone:
    """The far end of one leg."""

    leg: str
    row: int
    address: Address
    payload_type: int
    sequence: int = 65_500
    timestamp: int = 2**32 - 3200
    heard: list[Samples] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)

    def speech(self, samples: Samples) -> bytes:
        """The packet of 20 ms."""
        law = np.array([self.payload_type], np.uint8)
        return self.packet(g711.encode(samples[None], law).tobytes(), self.payload_type)

    def packet(self, payload: bytes, payload_type: int, step: int = 160) -> bytes:
        made = packet(self.sequence, self.timestamp, payload, payload_type, ssrc=self.row + 1)
        self.sequence += 1
        self.timestamp += step
        return made

    def key(self, event: int, duration: int, began: int, end: bool = False) -> bytes:
        """A telephone-event packet of the press that began at a timestamp."""
        payload = bytes([event, 0x8A if end else 0x0A]) + duration.to_bytes(2, "big")
        made = packet(self.sequence, began, payload, TELEPHONE_EVENT, ssrc=self.row + 1)
        self.sequence += 1
        return made


class Room:
    """A plane, its phones and everything that happened."""

    def __init__(
        self,
        media_timeout_s: float = 30.0,
        automatic_gain: GainMode = "off",
        listening: ListeningSettings | None = None,
        trained: TrainedDetector | None = None,
    ) -> None:
        self.plane = MediaPlane(
            MAX_LEGS, media_timeout_s, automatic_gain=automatic_gain, listening=listening, trained=trained
        )
        self.next_tick = FIRST_TICK
        self.phones: dict[str, Phone] = {}
        self.events: list[MediaEvent] = []
        self.taps: list[Tap] = []

    def add(self, leg: str, payload_type: int = 0, telephone_event: int = TELEPHONE_EVENT) -> Phone:
        row = self.plane.open(leg, Origin(row_ssrc := len(self.phones) + 1000, 65_534, 2**32 - row_ssrc))
        phone = self.phones[leg] = Phone(leg, row, ("198.51.100.1", 4000 + 2 * len(self.phones)), payload_type)
        self.do(ConnectLeg(leg, *phone.address, payload_type, telephone_event))
        return phone

    def do(self, command: PlaneCommand, clips: Sequence[Samples] = ()) -> list[MediaEvent]:
        events = self.plane.perform(command, self.next_tick, clips)
        self.events += events
        return events

    def step(self, arrivals: Mapping[str, Sequence[bytes]], source: Address | None = None) -> TickResult:
        """Run a tick in which these datagrams arrive (from each phone's own address, unless said otherwise)."""
        datagrams = [(self.phones[leg], one) for leg, sent in arrivals.items() for one in sent]
        rows, lengths = lay([one for _, one in datagrams])
        legs = np.array([phone.row for phone, _ in datagrams], np.int64)
        sources = [source or phone.address for phone, _ in datagrams]
        result = self.plane.tick(rows, lengths, legs, sources, self.next_tick)
        self.next_tick += 1
        self.events += result.events
        self.taps.append(result.tap)
        by_row = {phone.row: phone for phone in self.phones.values()}
        for row, datagram in zip(result.senders, result.datagrams, strict=True):
            phone = by_row[row]
            phone.headers.append(datagram[:HEADER_OCTETS].tobytes())
            law = np.array([phone.payload_type], np.uint8)
            phone.heard.append(g711.decode(datagram[None, HEADER_OCTETS:], law)[0])
        return result

    def talk(self, says: Mapping[str, Samples]) -> None:
        """Let phones speak, in whole ticks; those that are not named are silent, and all go on for the same time."""
        ticks = max(len(samples) for samples in says.values()) // 160
        for tick in range(ticks):
            parts = {leg: samples[160 * tick : 160 * (tick + 1)] for leg, samples in says.items()}
            self.step(
                {
                    leg: [phone.speech(parts[leg] if len(parts.get(leg, ())) else SILENCE)]
                    for leg, phone in self.phones.items()
                }
            )

    def idle(self, ticks: int) -> None:
        """Let time pass without any packet."""
        for _ in range(ticks):
            self.step({})


def noise(ticks: int, seed: int, payload_type: int = 0, peak: int = 8000) -> Samples:
    """Samples that pass through a law unchanged."""
    samples = np.random.default_rng(seed).integers(-peak, peak, (ticks, 160)).astype(np.int16)
    law = np.full(ticks, payload_type, np.uint8)
    return g711.decode(g711.encode(samples, law), law).reshape(-1)


def joined(parts: Sequence[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)
