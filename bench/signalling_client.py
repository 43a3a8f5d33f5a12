"""SIP callers over TLS, which Debian's SIPp does not speak: load for `hotline bench signalling`.

`python signalling_client.py HOST PORT RATE CALLS` makes CALLS calls of INVITE, ACK and BYE at RATE a second, whether
those before are answered or not, over a few connections, and prints one line of JSON: what became of them, and the
milliseconds from each INVITE to its 200.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from typing import Final

import uvloop

CONNECTIONS: Final = 8
PATIENCE_S: Final = 32.0
_STATUS: Final = re.compile(rb"SIP/2\.0 (\d{3}) [^\r]*\r\n(?:[^\r]+\r\n)*?Call-ID: (\d+)@bench\r\n", re.IGNORECASE)
_FIELD: Final = re.compile(rb"\r\n(CSeq|To|Content-Length): ([^\r]*)", re.IGNORECASE)

_SDP: Final = (
    "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)
_COMMON: Final = (
    "{method} sip:1900@{host}:{port};transport=tls SIP/2.0\r\n"
    "Via: SIP/2.0/TLS {own}:{own_port};branch=z9hG4bK-{call}-{step}\r\n"
    'From: "Bench" <sip:09{call}@{own}:{own_port}>;tag=f{call}\r\n'
    "To: {to}\r\n"
    "Call-ID: {call}@bench\r\n"
    "CSeq: {cseq} {method}\r\n"
    "Max-Forwards: 70\r\n"
    "User-Agent: bench\r\n"
)
_OFFER: Final = (
    "Contact: <sip:09{call}@{own}:{own_port};transport=tls>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
    "Content-Type: application/sdp\r\n"
)


class Callers(asyncio.Protocol):
    """The calls of one connection."""

    def __init__(self, host: str, port: int) -> None:
        self._where = {"host": host, "port": port}
        self._to = f"<sip:1900@{host}:{port}>"
        self._buffer = b""
        self._begun: dict[int, float] = {}
        self._answered: set[int] = set()
        self.answers_ms: list[float] = []
        self.ended = self.refused = self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where we are."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        own = transport.get_extra_info("sockname")
        self._where |= {"own": own[0], "own_port": own[1]}

    @property
    def running(self) -> int:
        """How many calls are not over."""
        return len(self._begun) - self.ended - self.refused - self.failed

    def invite(self, call: int) -> None:
        """Begin a call."""
        self._begun[call] = time.perf_counter()
        self._request("INVITE", call, 0, 1, self._to, _OFFER.format(call=call, **self._where), _SDP)

    def _request(self, method: str, call: int, step: int, cseq: int, to: str, fields: str = "", body: str = "") -> None:
        head = _COMMON.format(method=method, call=call, step=step, cseq=cseq, to=to, **self._where)
        self._transport.write(f"{head}{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def data_received(self, data: bytes) -> None:
        """Cut the stream into responses."""
        self._buffer += data
        while True:
            head, empty_line, rest = self._buffer.partition(b"\r\n\r\n")
            if not empty_line:
                return
            fields = {name.lower(): value for name, value in _FIELD.findall(head)}
            length = int(fields[b"content-length"])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            found = _STATUS.match(head + b"\r\n")
            if found is not None:
                self._responded(int(found[2]), int(found[1]), fields[b"cseq"], fields[b"to"].decode())

    def _responded(self, call: int, status: int, cseq: bytes, to: str) -> None:
        if status < 200:
            return
        if cseq.endswith(b"BYE"):
            self.ended += status == 200
            self.failed += status != 200
        elif status == 200:
            self._request("ACK", call, 1, 1, to)
            if call not in self._answered:  # else it is sent again, since our ACK has not come in yet
                self._answered.add(call)
                self.answers_ms.append(1000 * (time.perf_counter() - self._begun[call]))
                self._request("BYE", call, 2, 2, to)
        else:
            self.refused += status == 503
            self.failed += status != 503
            self._request("ACK", call, 0, 1, to)


async def call(host: str, port: int, rate: float, calls: int) -> dict[str, object]:
    """Make the calls; return what became of them."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is ours, made a moment ago
    callers = [
        (await loop.create_connection(lambda: Callers(host, port), host, port, ssl=context))[1]
        for _ in range(CONNECTIONS)
    ]
    begin = time.perf_counter()
    made = 0
    while made < calls:
        due = min(calls, int((time.perf_counter() - begin) * rate) + 1)
        for number in range(made, due):
            callers[number % CONNECTIONS].invite(number)
        made = due
        await asyncio.sleep(0.002)
    lasted = time.perf_counter() - begin
    until = time.perf_counter() + PATIENCE_S
    while any(each.running for each in callers) and time.perf_counter() < until:  # noqa: ASYNC110 - no event: 8 of them
        await asyncio.sleep(0.01)
    ended = sum(each.ended for each in callers)
    refused = sum(each.refused for each in callers)
    return {
        "calls": calls,
        "lasted_s": lasted,
        "answered": ended,
        "refused": refused,
        "failed": calls - ended - refused,
        "retransmissions": 0,
        "answers_ms": [round(each, 3) for one in callers for each in one.answers_ms],
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        done = runner.run(call(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
    print(json.dumps(done))  # noqa: T201
