"""What the phone's signalling keeps of calls, and how it repeats itself. No pyVoIP here, and no socket."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

T1_S: Final = 0.5
T2_S: Final = 4.0
GIVE_UP_S: Final = 8.0
_URI: Final = re.compile(r"<([^>]+)>")

Header = dict[str, str]
"""A From or To as pyVoIP parses it: `raw` and `tag`."""
Key = tuple[str, str]
"""The Call-ID, and what is waited for: `1 INVITE` is an answer to that request, `ACK` an acknowledgement."""

What = Literal[
    "registered",
    "unregistered",
    "not_registered",
    "ringing",
    "answered",
    "refused",
    "incoming",
    "moved",
    "cancelled",
    "hung_up",
    "closed",
    "unreachable",
]


class LineError(RuntimeError):
    """The line cannot be had, or the far end not be talked to; the text says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened on the line; `reason` is for people, `message` what came (a `pyVoIP.SIP.SIPMessage`)."""

    what: What
    reason: str = ""
    status: int = 0
    message: Any = None


@dataclass(slots=True)
class Waiting:
    """A message whose answer is waited for; instants are monotonic seconds."""

    octets: bytes
    due: float
    gives_up_at: float
    interval: float = T1_S


class Repeater:
    """Sends messages again until they are answered (RFC 3261 section 17): after 0.5 s, 1 s, 2 s, 4 s.

    Eight seconds without an answer are the end, not the standard's 32: a person waits. Any thread may call.
    """

    def __init__(self, send: Callable[[bytes], None], gave_up: Callable[[str], None]) -> None:
        self._send = send
        self._gave_up = gave_up
        self._waiting: dict[Key, Waiting] = {}
        self._lock = threading.Lock()

    def send(self, octets: bytes, key: Key, now: float) -> None:
        """Send, and again until `settle`."""
        with self._lock:
            self._waiting[key] = Waiting(octets, now + T1_S, now + GIVE_UP_S)
        self._send(octets)

    def settle(self, key: Key) -> None:
        """The answer is there."""
        with self._lock:
            self._waiting.pop(key, None)

    def clear(self) -> bool:
        """Wait for nothing any more; return whether anything was waited for."""
        with self._lock:
            waited = bool(self._waiting)
            self._waiting.clear()
        return waited

    def repeat(self, now: float) -> None:
        """Send what is due."""
        with self._lock:
            over = [key for key, waiting in self._waiting.items() if waiting.gives_up_at <= now]
            for key in over:
                del self._waiting[key]
            due = [waiting for waiting in self._waiting.values() if waiting.due <= now]
            for waiting in due:
                waiting.interval = min(2 * waiting.interval, T2_S)
                waiting.due = now + waiting.interval
        for waiting in due:
            self._send(waiting.octets)
        for _, what in over:
            self._gave_up(what.split()[-1])


@dataclass(slots=True)
class Dialog:
    """What every request inside a dialog needs: both ends with their tags, where the far end is, our last CSeq."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 0

    def request(self, method: str, sent_by: str, branch: str) -> str:
        """Return a request without a body, with the present CSeq."""
        return (
            f"{method} {self.target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {sent_by};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {self.cseq} {method}\r\nUser-Agent: pyVoIP\r\nContent-Length: 0\r\n\r\n"
        )


def end_of(header: Header, tag: str = "") -> str:
    """Return a From or To as it came, with `tag` where it has none."""
    tag = header["tag"] or tag
    return f"{header['raw']};tag={tag}" if tag else header["raw"]


def uri_of(contact: str) -> str:
    """Return the URI of a Contact."""
    found = _URI.search(contact)
    return found.group(1) if found else contact.partition(";")[0].strip()


def key_of(message: str) -> Key:
    """Return what an answer to a message of ours will carry: its Call-ID and CSeq."""
    call_id, cseq = (re.search(rf"(?m)^{name}: ([^\r\n]+)", message) for name in ("Call-ID", "CSeq"))
    if call_id is None or cseq is None:
        raise ValueError("a message of ours without Call-ID or CSeq")
    return call_id.group(1), cseq.group(1)
