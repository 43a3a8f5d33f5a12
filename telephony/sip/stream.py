"""A byte stream cut into SIP messages (RFC 3261 sections 7.5 and 18.3), with the keep-alives of RFC 5626 between them.

Rule 1: where one message ends and the next begins is all that is decided here; what a message says is read by
`message.parse_datagram` alone, which each message goes to as a datagram would.

Rule 2: how the stream was split on its way makes no difference, and no octet is looked at more than a fixed number of
times, however slowly the stream comes.

Rule 3: once an end cannot be told, nothing after it can be read. `fault` then says why, with what could be read of the
last message, and the connection is of no more use.
"""

import re
from typing import Final

from telephony.sip.errors import RemoteError
from telephony.sip.headers import TOKEN
from telephony.sip.message import MessageLimits, find_body, parse_datagram

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"
_LINE_ENDS: Final = re.compile(rb"[\r\n]*")
_TAILS: Final = (b"\r\n\r", b"\r\n", b"\r")  # how a ping may begin
# A Content-Length line with what is folded into it (sections 7.3.1, 7.3.3 and 20.14).
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:((?:[^\n]|\n[ \t])*)", re.IGNORECASE)
_NUMBER: Final = re.compile(rb"[0-9]{1,10}")
_TOKEN_SIGNS: Final = frozenset(sign for sign in range(256) if TOKEN.fullmatch(chr(sign)))
_LONGEST_END: Final = 3


class StreamParser:
    """Takes in octets as they come, and hands out whole messages. It holds no more than one message and one read."""

    def __init__(self, limits: MessageLimits | None = None) -> None:
        self._limits = limits or MessageLimits()
        self._held = bytearray()
        self._pings = 0
        self._begin()
        self.fault: RemoteError | None = None

    def _begin(self) -> None:
        self._scanned = 0  # no line end is before this
        self._has_line = False  # the first line is whole, and SIP
        self._size = 0  # of the message in all, once its head is whole

    @property
    def is_inside(self) -> bool:
        """Whether a message has begun that is not whole."""
        return bool(self._held) and self._held[0] not in PONG  # what is held between messages may begin a ping

    def pings(self) -> int:
        """Return and forget how many keep-alives came: each is answered by a `PONG` (RFC 5626 section 4.4.1)."""
        pings, self._pings = self._pings, 0
        return pings

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what came next; return the messages that are whole now, each as one datagram. Never raises."""
        messages: list[bytes] = []
        if self.fault is not None:
            return messages
        self._held += data
        try:
            while self._skip_line_ends() and self._is_whole():
                messages.append(bytes(self._held[: self._size]))
                del self._held[: self._size]
                self._begin()
        except RemoteError as fault:
            self.fault = fault
            self._held.clear()
        return messages

    def _skip_line_ends(self) -> bool:
        """Throw away what stands between messages, and count the pings in it. False: no message has begun."""
        if self._scanned or self._has_line or not self._held:
            return bool(self._held)
        found = _LINE_ENDS.match(self._held)
        run = found.group() if found is not None else b""
        if not run:
            return True
        *pings, rest = run.split(PING)
        self._pings += len(pings)
        if len(run) < len(self._held):
            del self._held[: len(run)]
            return True
        # The run may go on: what can be the beginning of a ping is kept, and nothing else.
        self._held[:] = next((tail for tail in _TAILS if rest.endswith(tail)), b"")
        return False

    def _is_whole(self) -> bool:
        """Whether the message at the beginning is whole. Raises `RemoteError` where its end will never be known."""
        if not self._size:
            if not self._has_line:
                self._check_line()
            if not self._has_line:
                return False
            end, begin = find_body(self._held, max(0, self._scanned - _LONGEST_END))
            if (begin or len(self._held)) > self._limits.octets:
                raise self._broken(self._limits.octets, 513, "Message Too Large")
            self._scanned = len(self._held)
            if not begin:
                return False
            self._size = begin + self._body_octets(end, begin)
        return len(self._held) >= self._size

    def _check_line(self) -> None:
        """Find out early what is no SIP at all: nobody waits for the end of its head."""
        if self._held[0] not in _TOKEN_SIGNS:
            raise self._broken(1, 400, "Not SIP")
        end = self._held.find(b"\n", self._scanned)
        if (len(self._held) if end < 0 else end) > self._limits.line_octets:
            raise self._broken(self._limits.line_octets, 400, "First Line Too Long")
        if end < 0:
            self._scanned = len(self._held)
            return
        line = bytes(self._held[:end]).upper()
        if not line.startswith(b"SIP/") and not line.rstrip().rpartition(b" ")[2].startswith(b"SIP/"):
            raise self._broken(end, 400, "Not SIP")
        self._has_line = True
        self._scanned = end

    def _body_octets(self, head_octets: int, octets: int) -> int:
        """Read Content-Length; without one there is no body (section 18.3 asks for it over streams)."""
        lengths = _LENGTH.findall(bytes(self._held[:head_octets]))
        if not lengths:
            return 0
        if len(lengths) > 1:
            raise self._broken(octets, 400, "More Than One Content-Length")
        length = lengths[0].strip()
        if not _NUMBER.fullmatch(length):
            raise self._broken(octets, 400, "Malformed Content-Length")
        if octets + int(length) > self._limits.octets:
            raise self._broken(octets, 513, "Message Too Large")
        return int(length)

    def _broken(self, octets: int, status: int, reason: str) -> RemoteError:
        """Return the fault with what can be read of the message's first octets."""
        try:
            parse_datagram(bytes(self._held[:octets]), self._limits, RemoteError(status, reason))
        except RemoteError as error:
            return error
        raise AssertionError("a message with a known fault was taken for whole")
