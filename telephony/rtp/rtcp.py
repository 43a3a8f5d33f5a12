"""RTCP, read and written (RFC 3550 section 6): sender and receiver reports, CNAME, BYE.

Rule 1: any octets at all are legal input. What is not RTCP raises `RtcpError`, and nothing else.

Rule 2: of what is well formed and of no use here (XR, feedback, applications' own) the length is believed and the rest
is skipped. A single packet without a report before it is taken as well (RFC 5506).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

VERSION: Final = 2
SR, RR, SDES, BYE = 200, 201, 202, 203
TYPES: Final = range(64, 96)
"""Where RTP has the payload type, without the marker: what is RTCP on a port that both share (RFC 5761 section 4)."""
CNAME: Final = 1
MOST_BLOCKS: Final = 31
NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900, where NTP counts from, to 1970 (RFC 3550 section 4)."""
DELAY_UNITS_PER_S: Final = 65_536
"""Of LSR and DLSR: the middle 32 bits of an NTP timestamp."""
_NTP_SHIFT: Final = 32

_HEADER: Final = struct.Struct("!BBH")
_SENDER: Final = struct.Struct("!IIIII")
_BLOCK: Final = struct.Struct("!IB3sIIII")


class RtcpError(ValueError):
    """Octets that are no RTCP, and why."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What somebody received of one source (section 6.4.1). `fraction_lost` is a share (0 to 1) of what was due since
    the report before, `lost` the sum since the beginning, negative where packets came twice. `jitter` is in units of
    the RTP clock, `last_sr` in 1/65,536 s of NTP's time (0: none came), `delay_since` in the same units."""

    ssrc: int
    fraction_lost: float
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay_since: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a source sent, and when: `ntp` in seconds / 2**32 since 1900."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """The report of whoever sends nothing."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that are gone."""

    ssrcs: tuple[int, ...]
    reason: str = ""


Packet = SenderReport | ReceiverReport | Goodbye


def ntp_of(now: float) -> int:
    """Return seconds since 1970 as an NTP timestamp of 64 bits."""
    return int((now + NTP_EPOCH_S) * (1 << _NTP_SHIFT)) & 0xFFFF_FFFF_FFFF_FFFF


def middle_of(ntp: int) -> int:
    """Return the middle 32 bits of an NTP timestamp."""
    return ntp >> 16 & 0xFFFF_FFFF


def round_trip_s(block: ReportBlock, ntp: int) -> float | None:
    """Return the round trip time that a block about us tells at its arrival (section 6.4.1, figure 2), None where it
    tells none: no report of ours had come, or the sum is no time at all."""
    if not block.last_sr:
        return None
    units = (middle_of(ntp) - block.last_sr - block.delay_since) & 0xFFFF_FFFF
    return units / DELAY_UNITS_PER_S if units < 1 << 31 else None


# ------------------------------------------------------------------------------------------------------- reading


def parse(datagram: bytes) -> list[Packet]:
    """Return the packets of a datagram that are known here. Raises `RtcpError`."""
    packets: list[Packet] = []
    at = 0
    if not datagram:
        raise RtcpError("nothing at all")
    while at < len(datagram):
        if len(datagram) - at < _HEADER.size:
            raise RtcpError(f"{len(datagram) - at} octets are left over")
        flags, kind, words = _HEADER.unpack_from(datagram, at)
        end = at + 4 + 4 * words
        if flags >> 6 != VERSION:
            raise RtcpError(f"version {flags >> 6}")
        if end > len(datagram):
            raise RtcpError(f"a packet of {4 + 4 * words} octets where {len(datagram) - at} are left")
        body = datagram[at + _HEADER.size : _unpadded(datagram, at, end, flags)]
        packet = _read(kind, flags & 0x1F, body)
        if packet is not None:
            packets.append(packet)
        at = end
    return packets


def _unpadded(datagram: bytes, begin: int, end: int, flags: int) -> int:
    if not flags & 0x20:
        return end
    padding = datagram[end - 1]
    if end != len(datagram) or not 0 < padding <= end - begin - _HEADER.size:
        raise RtcpError(f"{padding} octets of padding")
    return end - padding


def _read(kind: int, count: int, body: bytes) -> Packet | None:
    match kind:
        case 200:
            if len(body) < 4 + _SENDER.size:
                raise RtcpError(f"a sender report of {len(body)} octets")
            high, low, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
            blocks = _read_blocks(body[4 + _SENDER.size :], count)
            return SenderReport(_integer(body), high << _NTP_SHIFT | low, timestamp, packets, octets, blocks)
        case 201:
            if len(body) < 4:
                raise RtcpError(f"a receiver report of {len(body)} octets")
            return ReceiverReport(_integer(body), _read_blocks(body[4:], count))
        case 203:
            return _read_goodbye(body, count)
        case _:
            return None


def _read_blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    if len(body) < count * _BLOCK.size:
        raise RtcpError(f"{count} report blocks in {len(body)} octets")
    blocks = []
    for at in range(0, count * _BLOCK.size, _BLOCK.size):
        ssrc, fraction, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, at)
        total = int.from_bytes(lost, "big", signed=True)
        blocks.append(ReportBlock(ssrc, fraction / 256, total, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _read_goodbye(body: bytes, count: int) -> Goodbye:
    if len(body) < 4 * count:
        raise RtcpError(f"a goodbye of {count} sources in {len(body)} octets")
    ssrcs = tuple(_integer(body, at) for at in range(0, 4 * count, 4))
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]].decode(errors="replace") if rest else ""
    return Goodbye(ssrcs, reason)


def _integer(octets: bytes, at: int = 0) -> int:
    return int.from_bytes(octets[at : at + 4], "big")


# ------------------------------------------------------------------------------------------------------- writing


def write(packets: Iterable[Packet], cname: str) -> bytes:
    """Return a compound packet: reports first, then the CNAME of their source, then goodbyes (section 6.1)."""
    listed = list(packets)
    reports = [each for each in listed if not isinstance(each, Goodbye)]
    written = [_write_report(each) for each in reports]
    written += [_write_cname(each.ssrc, cname) for each in reports[:1]]
    written += [_write_goodbye(each) for each in listed if isinstance(each, Goodbye)]
    return b"".join(written)


def _write_report(report: SenderReport | ReceiverReport) -> bytes:
    blocks = b"".join(_write_block(block) for block in report.blocks[:MOST_BLOCKS])
    count = min(len(report.blocks), MOST_BLOCKS)
    if isinstance(report, ReceiverReport):
        return _packet(RR, count, report.ssrc.to_bytes(4, "big") + blocks)
    sent = _SENDER.pack(
        report.ntp >> _NTP_SHIFT & 0xFFFF_FFFF,
        report.ntp & 0xFFFF_FFFF,
        report.rtp_timestamp & 0xFFFF_FFFF,
        report.packets & 0xFFFF_FFFF,
        report.octets & 0xFFFF_FFFF,
    )
    return _packet(SR, count, report.ssrc.to_bytes(4, "big") + sent + blocks)


def _write_block(block: ReportBlock) -> bytes:
    lost = max(-(1 << 23), min((1 << 23) - 1, block.lost)).to_bytes(3, "big", signed=True)
    return _BLOCK.pack(
        block.ssrc,
        max(0, min(255, int(block.fraction_lost * 256))),
        lost,
        block.highest & 0xFFFF_FFFF,
        max(0, min(0xFFFF_FFFF, block.jitter)),
        block.last_sr & 0xFFFF_FFFF,
        max(0, min(0xFFFF_FFFF, block.delay_since)),
    )


def _write_cname(ssrc: int, cname: str) -> bytes:
    text = cname.encode()[:255]
    item = bytes((CNAME, len(text))) + text
    # Section 6.5: items end with a null octet, and the chunk with as many as make it whole words.
    return _packet(SDES, 1, ssrc.to_bytes(4, "big") + item + bytes(4 - len(item) % 4))


def _write_goodbye(goodbye: Goodbye) -> bytes:
    body = b"".join(ssrc.to_bytes(4, "big") for ssrc in goodbye.ssrcs[:MOST_BLOCKS])
    text = goodbye.reason.encode()[:255]
    if text:
        body += bytes((len(text),)) + text
        body += bytes(-len(body) % 4)
    return _packet(BYE, min(len(goodbye.ssrcs), MOST_BLOCKS), body)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(VERSION << 6 | count, kind, len(body) // 4) + body
