"""Overload control: how many new calls are let in, and the cheapest way to turn the others away.

Rule 1: the measure is how long messages wait for us, not how many there are. Whatever eats the processor (calls,
pages, a neighbour), callers notice the wait. As in CoDel (RFC 8289) the *least* wait of an interval counts:
a burst is a queue that drains, an overload is one that stands. While the processor is ours a short wait says it; while
others have it too (the share of time that we worked tells) a short wait is theirs, and only a long one counts.

Rule 2: the means is a rate of new INVITEs, which falls by a tenth in each interval with a standing queue and grows
by a twentieth in each without (a local control in the words of RFC 6357; RFC 7415 asks senders
for the same rate, but needs senders that know it). Of this rate the wait of the moment takes its share off, so that
the queue is short again before the rate has found its place. Everything else goes on: what ends or goes on with calls
takes load away, and the phones have to find their registrar (RFC 5390 wants as much).

Rule 3: turning away costs a small part of a call and no memory (RFC 3261 section 8.2.7): of the INVITE no more is read
than a response repeats, the To tag is one for all, and by it the ACK is known and dropped unread. Retry-After differs
from one to the next, so that they do not come back together.
"""

import re
from collections.abc import Callable
from typing import Final

from telephony.sip.address import Address, Flow
from telephony.sip.errors import RemoteError
from telephony.sip.headers import Headers, canonical
from telephony.sip.message import BRANCH_COOKIE, Request, parse_datagram, reply_address, respond_to_headers, stamp_via
from telephony.sip.outbox import Outbox
from telephony.sip.settings import OverloadSettings
from telephony.sip.transaction_layer import TAG_OCTETS, TransactionLayer

CAUSE: Final = "Overload"
_DECREASE: Final = 0.9
_INCREASE: Final = 1.05
_REPEATED: Final = re.compile(
    r"^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[ \t]*([^\r\n]*)\r?$", re.IGNORECASE | re.MULTILINE
)


class Overload:
    """The rate at which new calls are let in: `rate` a second, None for all of them.

    `measured` is told how long the oldest message had waited, by each way in on its own, and for how many seconds we
    have worked since the beginning; `admits` is asked for each new call. Ways are connections, `""` for all of UDP, and
    are forgotten with each interval.
    """

    def __init__(self, settings: OverloadSettings) -> None:
        self._settings = settings
        self.rate: float | None = None
        self._began = self._worked_s = 0.0
        self._least: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._is_standing = False
        self._target_s = settings.target_s
        self._admitted = 0
        self._turned_away_at = 0.0
        self._tokens = 0.0
        self._filled_at = 0.0

    def measured(self, waited_s: float, worked_s: float, now: float, way: str = "") -> None:
        """The oldest message that came in by this way had waited so long."""
        settings = self._settings
        self._least[way] = min(waited_s, self._least.get(way, waited_s))
        elapsed = now - self._began
        if elapsed >= settings.interval_s:
            is_busy = worked_s - self._worked_s >= settings.busy * elapsed
            self._target_s = settings.target_s if is_busy else settings.starved_target_s
            self._judge(max(self._least.values()) > self._target_s, elapsed, now)
            self._began, self._worked_s = now, worked_s
            self._admitted = 0
            self._least.clear()
            self._last.clear()
        self._last[way] = waited_s

    def admits(self, now: float, way: str = "") -> bool:
        """Whether one more call may come in by this way."""
        if self.rate is None:
            self._admitted += 1
            return True
        least = self._settings.least_per_s
        excess = self._last.get(way, 0.0) / self._target_s - 1.0
        share = min(1.0, max(0.0, 1.0 - excess / (self._settings.stop_at - 1.0)))
        rate = max(share * self.rate, least)
        # What an interval brings may come at once.
        room = max(1.0, rate * self._settings.interval_s)
        self._tokens = min(room, self._tokens + rate * max(0.0, now - self._filled_at))
        self._filled_at = now
        if self._tokens < 1.0:
            self._turned_away_at = now
            return False
        self._tokens -= 1.0
        self._admitted += 1
        return True

    def _judge(self, is_standing: bool, elapsed: float, now: float) -> None:
        """An interval is over."""
        before, self._is_standing = self._is_standing, is_standing
        least = self._settings.least_per_s
        if self.rate is None:
            if is_standing and before:
                self.rate = max(least, _DECREASE * self._admitted / elapsed)
                self._tokens, self._filled_at, self._turned_away_at = 1.0, now, now
        elif is_standing:
            self.rate = max(least, _DECREASE * self.rate)
        elif now - self._turned_away_at >= self._settings.calm_s:
            self.rate = None
        else:
            self.rate = max(_INCREASE * self.rate, self.rate + least)


class OverloadControl:
    """What stands before the parser: it lets a message pass, or answers it 503 for next to nothing."""

    def __init__(
        self,
        settings: OverloadSettings,
        outbox: Outbox,
        transactions: TransactionLayer,
        token: Callable[[int], str],
        report: Callable[[Address, int, str, float], None],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._transactions = transactions
        self._token = token
        self._report = report
        self._overload = Overload(settings)
        self._tag = ""
        self._mark = b""
        self.turned_away = 0
        """How many INVITEs have been answered 503 so far."""

    @property
    def rate(self) -> float | None:
        """How many new calls a second are let in, None for all of them."""
        return self._overload.rate

    def measured(self, waited_s: float, worked_s: float, now: float, way: str = "") -> None:
        """The oldest message that came in by this way had waited so long; so long have we worked in all."""
        self._overload.measured(waited_s, worked_s, now, way)

    def stops(self, data: bytes, source: Address, now: float) -> bool:
        """Whether a message goes no further: an INVITE too many, answered here, or the ACK to such an answer."""
        if data.startswith(b"ACK "):
            return self._mark != b"" and self._mark in data
        if not data.startswith(b"INVITE "):
            return False
        if self._overload.rate is None:
            return not self._overload.admits(now)
        request = read_early(data)
        way = source.connection if isinstance(source, Flow) else ""
        if request is None or self._is_known(request) or self._overload.admits(now, way):
            return False
        self._turn_away(request, source, now)
        return True

    def _is_known(self, request: Request) -> bool:
        """Whether it belongs to a call that was let in: inside its dialog, or a retransmission of its INVITE."""
        if ";tag=" in request.headers.get("to").lower():
            return True
        return self._transactions.find_server(request, request.via) is not None

    def _turn_away(self, request: Request, source: Address, now: float) -> None:
        if not self._tag:
            self._tag = self._token(TAG_OCTETS)
            self._mark = f";tag={self._tag}".encode()
        soonest, latest = self._settings.retry_after_s
        via = stamp_via(request.headers, request.via, source)
        response = respond_to_headers(request.headers, 503, "", self._tag)
        response.headers.set("retry-after", str(soonest + self.turned_away % (latest - soonest + 1)))
        self._outbox.datagrams.append((response.write(), reply_address(via, source)))
        self.turned_away += 1
        self._report(source, 503, CAUSE, now)


def read_early(data: bytes) -> Request | None:
    """Read of an INVITE what a response repeats, no more; None for what is broken, which the parser answers."""
    head, empty_line, _ = data.partition(b"\r\n\r\n")
    if not empty_line or b"\n " in head or b"\n\t" in head:
        return _read_whole(data)
    text = head.decode("utf-8", "surrogateescape")
    headers = Headers()
    for name, value in _REPEATED.findall(text):
        headers.add(canonical(name), value.rstrip(" \t"))
    request = Request("INVITE", "", headers)
    try:
        is_whole = request.cseq.method == "INVITE" and all(headers.get(name) for name in ("from", "to", "call-id"))
        if request.via.branch.startswith(BRANCH_COOKIE):  # else it is known by more than we have read
            return request if is_whole else None
    except ValueError:
        return None
    return _read_whole(data)


def _read_whole(data: bytes) -> Request | None:
    """The same, with lines that are folded or end otherwise."""
    try:
        message = parse_datagram(data)
    except RemoteError:
        return None
    return message if isinstance(message, Request) else None
