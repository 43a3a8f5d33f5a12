"""Messages as a phone at large would write them, for tests that need octets rather than endpoints."""

from telephony.sip.digest import authorize
from telephony.sip.message import Response, parse_datagram
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, Address, FakeWire, make_endpoint

OFFER = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n"


def write_request(
    method: str = "INVITE",
    *,
    target: str = "sip:1900@192.0.2.1",
    via: str = "SIP/2.0/UDP 192.0.2.2:5060;rport",
    branch: str = "z9hG4bK1",
    sender: str = '"Lan" <sip:0912345678@192.0.2.2>;tag=f1',
    to: str = "<sip:1900@192.0.2.1>",
    call_id: str = "c1",
    cseq: int = 1,
    fields: tuple[str, ...] = (),
    body: str = "",
) -> bytes:
    """Return a request; `fields` are whole header lines put before the body's own."""
    lines = [
        f"{method} {target} SIP/2.0",
        f"Via: {via};branch={branch}" if branch else f"Via: {via}",
        f"From: {sender}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:0912345678@192.0.2.2:5060>",
        *fields,
    ]
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


def write_register(
    user: str = "desk",
    *,
    contact: str = "<sip:desk@192.0.2.2:5060>",
    cseq: int = 1,
    call_id: str = "r1",
    fields: tuple[str, ...] = (),
    branch: str = "",
) -> bytes:
    """Return a REGISTER with a branch of its own for every CSeq number."""
    lines = [
        "REGISTER sip:192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.2:5060;rport;branch={branch or f'z9hG4bKreg-{call_id}-{cseq}'}",
        f"From: <sip:{user}@hotline>;tag=r",
        f"To: <sip:{user}@hotline>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} REGISTER",
        *((f"Contact: {contact}",) if contact else ()),
        *fields,
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class Bench:
    """One endpoint, and a bare phone that speaks octets with it."""

    def __init__(self, wire: FakeWire | None = None) -> None:
        self.wire = wire or FakeWire()
        if HOTLINE not in self.wire.endpoints:
            self.wire.attach(HOTLINE, make_endpoint(HOTLINE))
        self.endpoint = self.wire.endpoints[HOTLINE]
        self._read = 0

    def send(self, data: bytes, source: Address = DESK) -> list[Response]:
        """Let the phone send octets; returns the responses that went out since the last call."""
        self.wire.inject(data, source, HOTLINE)
        return self.responses()

    def responses(self) -> list[Response]:
        """Return the responses that went out since the last call; all of them have to be well formed."""
        new, self._read = self.wire.sent[self._read :], len(self.wire.sent)
        messages = [parse_datagram(sent.data) for sent in new]
        return [message for message in messages if isinstance(message, Response)]

    def register(
        self, user: str, password: str, *, algorithm: str = "MD5", cseq: int = 1, contact: str | None = None
    ) -> Response:
        """Let the phone register as phones do: without credentials, then with the answer to the challenge."""
        contact = f"<sip:{user}@192.0.2.2:5060>" if contact is None else contact
        (challenged,) = self.send(write_register(user, cseq=cseq, contact=contact))
        line = credentials(challenged, user, password, algorithm)
        (response,) = self.send(write_register(user, cseq=cseq + 1, contact=contact, fields=(line,)))
        return response


def prove(bench: Bench, data: bytes, user: str, source: Address = DESK) -> list[Response]:
    """Let a phone send a request of its user as phones do: it is challenged, and sends it again with the answer."""
    (challenged,) = bench.send(data, source)
    assert challenged.status == 401
    method = data.partition(b" ")[0].decode()
    line = credentials(challenged, user, USERS[user], method=method)
    number = challenged.cseq.number
    again = data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKproven")
    again = again.replace(b"CSeq: %d " % number, b"CSeq: %d " % (number + 1))
    return bench.send(again.replace(b"\r\nCSeq", f"\r\n{line}\r\nCSeq".encode(), 1), source)


def credentials(
    challenged: Response, user: str, password: str, algorithm: str = "MD5", count: int = 1, method: str = "REGISTER"
) -> str:
    """Return the Authorization line that answers a 401."""
    challenge = next(
        value for value in challenged.headers.lines("www-authenticate") if f"algorithm={algorithm}," in value
    )
    return "Authorization: " + authorize(challenge, user, password, method, "sip:192.0.2.1", "0a4f113b", count)
