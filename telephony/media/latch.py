"""Symmetric RTP: where a leg sends to, and whom it listens to.

The address in the SDP is wrong behind most NATs, so a leg answers to where its media comes from. That invites hijack
by anyone who can guess a port; hence the lock: after `LOCK_AFTER` packets from one source no other is heard until
that source has been silent for `SILENT_TICKS`. Once `ESTABLISHED` packets came from it, silence opens the leg to that
same host and to the SDP's alone: whoever truly moves elsewhere in mid-call says so by re-INVITE.
"""

from typing import Final

from telephony.clock import TICKS_PER_S

LOCK_AFTER: Final = 3
ESTABLISHED: Final = 50
SILENT_TICKS: Final = TICKS_PER_S
NOWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 (compared with, never bound)

Address = tuple[str, int]
AUTHENTICATED: Final[Address] = ("", 0)
"""The source of packets that an encrypted transport hands in: it has proved whose they are, and knows where to send."""


class Latch:
    """One leg's far end."""

    __slots__ = ("_heard_at", "_packets", "_sdp", "_source", "destination", "locked")

    def __init__(self) -> None:
        self._sdp: Address | None = None
        self._source: Address | None = None
        self._packets = 0
        self._heard_at = 0
        self.locked: Address | None = None
        """The source that needs no asking: compare with it before calling `admits`."""
        self.destination: Address | None = None
        """Where to send; None while nothing is known."""

    def connect(self, address: str, port: int) -> None:
        """Take the address of an SDP. One without a port or with the null address (RFC 3264 section 8.4: old style
        hold) names no place to send to. A changed address unlocks; the same one again does not."""
        sdp = (address, port) if port and address not in NOWHERE else None
        if sdp != self._sdp:
            self._source = self.locked = None
            self._packets = 0
        self._sdp = sdp
        self.destination = self._source or sdp

    def trust(self) -> None:
        """Listen to `AUTHENTICATED`, and to nobody else."""
        self._sdp = None
        self._source = self.locked = self.destination = AUTHENTICATED

    def admits(self, source: Address, tick: int) -> bool:
        """Whether a packet of media from `source` is to be heard; notes that it came."""
        if source != self._source and not self._may_change_to(source, tick):
            return False
        if source != self._source:
            self._source, self._packets, self.locked = source, 0, None
            self.destination = source
        self._packets += 1
        self._heard_at = tick
        if self._packets >= LOCK_AFTER:
            self.locked = source
        return True

    def heard(self, packets: int, tick: int) -> None:
        """Note packets from the locked source, the last of them in `tick`."""
        self._packets += packets
        self._heard_at = tick

    def _may_change_to(self, source: Address, tick: int) -> bool:
        if self._source is None:
            return True
        if tick - self._heard_at > SILENT_TICKS:
            known = {self._source[0], self._sdp[0] if self._sdp else ""}
            return self._packets < ESTABLISHED or source[0] in known
        return self.locked is None and source == self._sdp
