"""Reliable provisional responses, the server's side (RFC 3262 section 3): one at a time is out, repeated until its
PRACK.

A response that carries our answer must be acknowledged before the 2xx goes out; until then the 2xx waits in `answer`.
"""

from collections import deque
from typing import Final

from telephony.sip.address import Address
from telephony.sip.message import Request, Response

RELIABLE: Final = "100rel"
FIRST_RSEQ: Final = 1
MAX_WAITING: Final = 8


class Provisionals:
    """Those of one INVITE. `message` is the one that is out, empty for none; `rseq` is its number and `interval` how
    long until it is sent again; `carries_session` says whether it has a body. `waiting` are those that follow."""

    __slots__ = ("answer", "carries_session", "cseq", "interval", "message", "peer", "rseq", "waiting")

    def __init__(self, cseq: int, peer: Address) -> None:
        self.cseq = cseq
        self.peer = peer
        self.rseq = FIRST_RSEQ - 1
        self.message = b""
        self.interval = 0.0
        self.carries_session = False
        self.answer = ""
        self.waiting: deque[Response] = deque(maxlen=MAX_WAITING)

    def number(self, response: Response) -> None:
        """Make a response the reliable one that is out."""
        self.rseq += 1
        response.headers.set("require", RELIABLE)
        response.headers.set("rseq", str(self.rseq))
        self.message = response.write()
        self.carries_session = bool(response.body)

    def is_acknowledged_by(self, prack: Request) -> bool:
        """Whether a PRACK is for the response that is out (section 7.2: RAck is RSeq, CSeq number and method)."""
        return bool(self.message) and prack.headers.get("rack").split() == [str(self.rseq), str(self.cseq), "INVITE"]
