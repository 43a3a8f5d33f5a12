"""RTP packets made by hand, and laid into rows as the edge lays them."""

from collections.abc import Sequence

import numpy as np

from telephony.rtp.packet import ROW_OCTETS, Headers, Integers, Octets, parse

SSRC = 0x1234ABCD


def packet(sequence: int, timestamp: int, payload: bytes, payload_type: int = 0, ssrc: int = SSRC) -> bytes:
    """One plain packet; the numbers are wrapped here."""
    head = bytes([0x80, payload_type]) + (sequence % 2**16).to_bytes(2, "big") + (timestamp % 2**32).to_bytes(4, "big")
    return head + ssrc.to_bytes(4, "big") + payload


def event(sequence: int, timestamp: int, key: int, duration: int, end: bool = False, ssrc: int = SSRC) -> bytes:
    """One telephone-event packet of payload type 101."""
    payload = bytes([key, 0x8A if end else 0x0A]) + duration.to_bytes(2, "big")
    return packet(sequence, timestamp, payload, 101, ssrc)


def lay(datagrams: Sequence[bytes]) -> tuple[Octets, Integers]:
    """Return rows, filled with rubbish beyond the datagrams as in real life, and lengths."""
    rows = np.full((len(datagrams), ROW_OCTETS), 0xA5, np.uint8)
    for row, datagram in zip(rows, datagrams, strict=True):
        row[: len(datagram)] = np.frombuffer(datagram, np.uint8)
    return rows, np.array([len(datagram) for datagram in datagrams], np.int64)


def parsed(datagrams: Sequence[bytes]) -> tuple[Headers, Octets]:
    """Return headers and rows."""
    rows, lengths = lay(datagrams)
    return parse(rows, lengths), rows
