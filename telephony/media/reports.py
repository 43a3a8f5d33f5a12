"""What legs report of their streams, and what their far ends report of ours (RTCP), as quality every few seconds.

Rule 1: pure. Reports that are due come out of the tick, the far end's go in by `take`, with the time of their arrival.

Rule 2: the reports of a worker's legs are spread over `EVERY_TICKS` by their table rows, so no tick has them all. That
is what RFC 3550 section 6.3 wants its random intervals for, and costs no random numbers.

Rule 3: a report is believed if it comes from the host that the leg sends its media to, and is about our own stream.
"""

from dataclasses import dataclass, field
from typing import Final

from telephony.clock import TICKS_PER_S, time_of
from telephony.events import LegQuality
from telephony.media.impairment import mos, rating
from telephony.media.latch import AUTHENTICATED, Address
from telephony.media.legs import Leg, LegTable
from telephony.media.reception import Reception
from telephony.rtp import rtcp
from telephony.rtp.rtcp import Goodbye, Packet, ReceiverReport, ReportBlock, RtcpError, SenderReport

EVERY_TICKS: Final = 5 * TICKS_PER_S
PACKET_MS: Final = 20.0
UNKNOWN: Final = -1.0
DELAY_UNITS: Final = rtcp.DELAY_UNITS_PER_S

Report = tuple[int, bytes]
"""A table row, and the RTCP packet that its far end is to get."""


@dataclass(slots=True)
class _Far:
    """What was reported, and what it is compared with in the next report."""

    expected: int = 0
    received: int = 0
    late: int = 0
    ssrc: int = -1
    sender: int = -1
    """Whose report came last; its time by its own clock and by ours follow."""
    last_sr: int = 0
    last_sr_at: float = 0.0
    address: Address | None = None
    """Where reports came from: a NAT may have another port for them than the next one."""
    loss: float = UNKNOWN
    jitter_ms: float = UNKNOWN
    round_trip_ms: float = UNKNOWN
    heard_at: float = 0.0


@dataclass(slots=True)
class Reports:
    """The RTCP of every leg. `cname` is one name for all of them (RFC 7022: random, drawn by the edge)."""

    table: LegTable
    reception: Reception
    cname: str
    _far: dict[int, _Far] = field(default_factory=dict)

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._far.pop(row, None)

    def due(self, tick: int) -> tuple[list[Report], list[LegQuality]]:
        """Return the reports that go out in this tick, and how the legs do whose they are."""
        rows = self.table.open_rows
        sent, told = [], []
        for row in rows[(rows + tick) % EVERY_TICKS == 0].tolist():
            leg = self.table.at(row)
            if not self.table.connected[row]:
                continue
            far = self._far.setdefault(row, _Far())
            block, loss = self._block(row, far, tick)
            if block is not None:
                told.append(self._quality(leg, far, loss, tick))
            if self.table.sends[row] and leg.latch.destination is not None:
                sent.append((row, rtcp.write([self._report(row, block, tick)], self.cname)))
        return sent, told

    def address(self, row: int) -> Address | None:
        """Return where a leg's RTCP goes (RFC 3550 section 11: the port after that of the media), None for nowhere."""
        destination = self.table.at(row).latch.destination
        far = self._far.get(row)
        if destination is None:
            return None
        if far is not None and far.address is not None and far.address[0] == destination[0]:
            return far.address
        return destination[0], destination[1] + 1

    def goodbye(self, leg: Leg, tick: int) -> list[Report]:
        """Return the last report of a leg that closes (section 6.3.7)."""
        row = leg.row
        if not self.table.sent[row] or leg.latch.destination is None:
            return []
        ssrc = int(self.table.ssrc[row])
        return [(row, rtcp.write([self._report(row, None, tick), Goodbye((ssrc,))], self.cname))]

    def take(self, row: int, datagram: bytes, source: Address, now: float) -> None:
        """Take what a leg's far end reports at `now`. Raises `RtcpError`."""
        leg = self.table.at(row)
        destination = leg.latch.destination
        if source != AUTHENTICATED and (destination is None or destination[0] != source[0]):
            raise RtcpError("it comes from elsewhere than the media")
        packets = rtcp.parse(datagram)
        far = self._far.setdefault(row, _Far())
        if source != AUTHENTICATED:
            far.address = source
        for packet in packets:
            self._take(row, far, packet, now)

    def _take(self, row: int, far: _Far, packet: Packet, now: float) -> None:
        if isinstance(packet, Goodbye):
            return
        if isinstance(packet, SenderReport):
            far.sender, far.last_sr, far.last_sr_at = packet.ssrc, rtcp.middle_of(packet.ntp), now
        for block in packet.blocks:
            if block.ssrc != self.table.ssrc[row]:
                continue
            far.loss, far.jitter_ms, far.heard_at = block.fraction_lost, self._ms(row, block.jitter), now
            trip = rtcp.round_trip_s(block, rtcp.ntp_of(now))
            if trip is not None:
                far.round_trip_ms = 1000 * trip

    def _ms(self, row: int, units: float) -> float:
        """Return so many units of a leg's RTP clock in milliseconds."""
        return units * PACKET_MS / float(self.table.clock[row])

    def _report(self, row: int, block: ReportBlock | None, tick: int) -> SenderReport | ReceiverReport:
        table = self.table
        ssrc, blocks = int(table.ssrc[row]), (block,) if block is not None else ()
        if not table.sent[row]:
            return ReceiverReport(ssrc, blocks)
        timestamp = int(table.timestamp[row] + tick * table.clock[row])
        packets, octets = int(table.sent[row]), int(table.octets[row])
        return SenderReport(ssrc, rtcp.ntp_of(time_of(tick)), timestamp, packets, octets, blocks)

    def _block(self, row: int, far: _Far, tick: int) -> tuple[ReportBlock | None, float]:
        """Return what is told the far end of its stream, and the share of it that was not there to be played."""
        heard = self.reception.heard(row)
        if heard is None:
            return None, 0.0
        if heard.ssrc != far.ssrc:
            far.ssrc, far.expected, far.received = heard.ssrc, 0, 0
        late = self.reception.late(row)
        due, came, too_late = heard.expected - far.expected, heard.received - far.received, late - far.late
        far.expected, far.received, far.late = heard.expected, heard.received, late
        fraction = max(0.0, min(1.0, (due - came) / due)) if due > 0 else 0.0
        unplayed = max(0.0, min(1.0, (due - came + too_late) / due)) if due > 0 else 0.0
        known = far.sender == heard.ssrc and far.last_sr
        since = int((time_of(tick) - far.last_sr_at) * DELAY_UNITS) if known else 0
        block = ReportBlock(
            heard.ssrc,
            fraction,
            heard.expected - heard.received,
            heard.highest,
            int(self.reception.jitter(row)),
            far.last_sr if known else 0,
            max(0, since),
        )
        return block, unplayed

    def _quality(self, leg: Leg, far: _Far, loss: float, tick: int) -> LegQuality:
        row = leg.row
        if time_of(tick) - far.heard_at > 3 * EVERY_TICKS / TICKS_PER_S:  # it tells nothing any more
            far.loss = far.jitter_ms = far.round_trip_ms = UNKNOWN
        delay_ms = max(0.0, far.round_trip_ms) / 2 + PACKET_MS * (1 + self.reception.delay(row))
        return LegQuality(
            leg=leg.name,
            tick=tick,
            received=int(self.table.received[row]),
            lost=self.reception.lost(row),
            loss=round(loss, 4),
            jitter_ms=round(self._ms(row, self.reception.jitter(row)), 1),
            round_trip_ms=round(far.round_trip_ms, 1),
            mos=round(mos(rating(delay_ms, loss, leg.codec)), 2),
            far_loss=round(far.loss, 4),
            far_jitter_ms=round(far.jitter_ms, 1),
            far_mos=round(mos(rating(delay_ms, far.loss, leg.codec)), 2) if far.loss >= 0 else UNKNOWN,
        )
