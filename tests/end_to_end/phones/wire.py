"""What comes to a phone's RTP port, taken from the wire: for a phone that stops recording in the middle of a call."""

import socket
import struct
import threading
from pathlib import Path
from typing import Final

import numpy as np

from telephony.media import g711
from tests.end_to_end.phones.phone import HEADER_OCTETS

IPV4: Final = 0x0800
OUTGOING: Final = 4
UDP: Final = 17
RTP_HEADER_OCTETS: Final = 12


class Wire:
    """Writes the G.711 that comes to one UDP port of loopback into a file, as a phone's recording. Needs root."""

    def __init__(self, port: int, path: Path) -> None:
        self.path = path
        self._port = port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
        self._socket.bind(("lo", IPV4))
        self._socket.settimeout(0.2)
        self._over = threading.Event()
        path.write_bytes(bytes(HEADER_OCTETS))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._socket, self.path.open("ab", buffering=0) as file:
            while not self._over.is_set():
                try:
                    packet, address = self._socket.recvfrom(65535)
                except TimeoutError:
                    continue
                if address[2] != OUTGOING:
                    file.write(self._speech(packet))

    def _speech(self, packet: bytes) -> bytes:
        header = 4 * (packet[0] & 15)
        if packet[9] != UDP or struct.unpack_from("!H", packet, header + 2)[0] != self._port:
            return b""
        rtp = packet[header + 8 :]
        law = rtp[1] & 127
        if law not in g711.LAWS or len(rtp) <= RTP_HEADER_OCTETS:
            return b""
        payload = np.frombuffer(rtp[RTP_HEADER_OCTETS:], np.uint8)[None, :]
        return g711.decode(payload, np.array([law], np.uint8)).tobytes()

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        self._thread.join(2)
