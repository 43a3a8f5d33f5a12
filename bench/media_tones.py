"""The case of G.711 to Opus: no octet survives that, so every leg says a tone and has to hear its partner's."""

from typing import Final

import numpy as np

from bench.batch_udp import Integers, Octets
from bench.media_blocks import OCTETS
from telephony.edge import opus_library
from telephony.media import g711
from telephony.media.opus import OpusCoder

LOOP: Final = 50
HEADER: Final = 12
JUDGED_TICKS: Final = 20
TONES: Final = 20
"""The partner's must be the strongest of them. Opus at telephone rates makes a rough thing of a pure tone."""


def _hz(leg: int) -> int:
    """A whole number of periods fits a tick, so that any tick follows any other."""
    return 400 + 50 * (leg % TONES)


class ToneCheck:
    """What every leg says, and the last second of what it hears."""

    def __init__(self, n: int, clock: int) -> None:
        library = opus_library.find()
        if library is None:
            raise RuntimeError("there is no libopus here")
        self._library = library
        self.clock = clock
        at = np.arange(OCTETS) / 8000
        hz = np.array([_hz(leg) for leg in range(n)])
        self._samples = (8000 * np.sin(2 * np.pi * np.outer(hz, at))).astype(np.int16)
        self.pcmu = g711.encode(self._samples, np.zeros(n, np.uint8))
        self._loops: dict[int, list[bytes]] = {}
        self._kept: dict[int, list[bytes]] = {leg: [] for leg in range(n)}

    def opus_payload(self, leg: int, tick: int) -> bytes:
        """Return a tick of a leg's tone."""
        loop = self._loops.get(_hz(leg))
        if loop is None:
            coder = OpusCoder(self._library)
            loop = self._loops[_hz(leg)] = [coder.encode(self._samples[leg]) for _ in range(2 * LOOP)][LOOP:]
            coder.close()
        return loop[tick % LOOP]

    def keep(self, rows: Octets, lengths: Integers, legs: Integers) -> None:
        """Keep what came for `wrong`."""
        for row, length, leg in zip(rows, lengths.tolist(), legs.tolist(), strict=True):
            self._kept[leg].append(row[HEADER:length].tobytes())

    def wrong(self, expects: Integers) -> int:
        """Return how many legs did not hear their partner's tone."""
        return sum(not self._hears(leg, _hz(int(partner))) for leg, partner in enumerate(expects))

    def _hears(self, leg: int, hz: int) -> bool:
        payloads = self._kept[leg][-JUDGED_TICKS:]
        if len(payloads) < JUDGED_TICKS:
            return False
        if leg % 2:
            coder = OpusCoder(self._library)
            samples = np.concatenate([coder.decode(payload) for payload in payloads])[OCTETS * JUDGED_TICKS // 2 :]
            coder.close()
        else:
            coded = np.frombuffer(b"".join(payloads), np.uint8).reshape(-1, OCTETS)
            samples = g711.decode(coded, np.zeros(len(coded), np.uint8)).reshape(-1)
        audio = samples.astype(np.float64)
        turns = np.exp(-2j * np.pi * np.outer([_hz(other) for other in range(TONES)], np.arange(len(audio))) / 8000)
        return _hz(int(np.argmax(abs(turns @ audio)))) == hz and float(audio @ audio) > 1.0
