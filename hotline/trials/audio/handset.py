"""A phone without signalling: what it says and presses goes out as RTP, what comes in it hears. Pure."""

from typing import Final

import numpy as np

from hotline.phone.keypad import Keypad
from hotline.phone.mouth import Mouth
from telephony.clock import SAMPLES_PER_TICK
from telephony.events import ConnectLeg
from telephony.media import g711
from telephony.media.g711 import Samples
from telephony.media.latch import Address
from telephony.rtp.packet import HEADER_OCTETS, VERSION, Octets

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 40_000
MARKER: Final = 0x80
SILENCE: Final[Samples] = np.zeros(SAMPLES_PER_TICK, np.int16)


class Handset:
    """The far end of one leg. `row` is the leg's in the plane's table; `heard` has a row of int16[160] for each tick
    since the leg was opened."""

    def __init__(self, row: int) -> None:
        self.row = row
        self.address: Address = (HOST, FIRST_PORT + 2 * row)
        self.heard: list[Samples] = []
        self._keypad = Keypad()
        self._presses = self._keypad.ticks()
        self._mouth = Mouth()
        self._law, self._event = g711.PCMA, -1
        self._sent = self._pressed_at = 0

    def connect(self, command: ConnectLeg) -> None:
        """Send what was agreed on: the numbers of G.711 and of telephone-event."""
        self._law, self._event = command.payload_type, command.telephone_event

    @property
    def speaks(self) -> bool:
        """Whether something is still to be said."""
        return self._mouth.speaks

    def say(self, samples: Samples) -> None:
        """Say something, int16[n] at 8 kHz, after what is being said."""
        self._mouth.say(samples)

    def press(self, keys: str) -> None:
        """Press keys, one after another."""
        self._keypad.press(keys)

    def packet(self) -> bytes:
        """Return the packet of the next tick (RFC 3550 section 5.1): a key that is down (RFC 4733), or sound."""
        tick, press = self._sent, next(self._presses)
        self._sent += 1
        if press is not None and self._event >= 0:
            if press.begins:
                self._pressed_at = tick
            marker = MARKER if press.begins else 0
            return self._header(tick, self._pressed_at, self._event | marker) + press.payload
        said = self._mouth.tick()
        coded = g711.encode((SILENCE if said is None else said)[np.newaxis], np.array([self._law], np.uint8))
        return self._header(tick, tick, self._law) + coded.tobytes()

    def hear(self, datagram: Octets | None) -> None:
        """Take the packet of a tick; None for none, which is silence."""
        if datagram is None:
            self.heard.append(SILENCE)
            return
        law = np.array([self._law], np.uint8)
        self.heard.append(g711.decode(datagram[np.newaxis, HEADER_OCTETS : HEADER_OCTETS + SAMPLES_PER_TICK], law)[0])

    def _header(self, tick: int, began: int, kind: int) -> bytes:
        head = bytes((VERSION << 6, kind)) + (tick & 0xFFFF).to_bytes(2, "big")
        return head + (began * SAMPLES_PER_TICK & 0xFFFFFFFF).to_bytes(4, "big") + (self.row + 1).to_bytes(4, "big")
