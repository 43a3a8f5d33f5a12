"""SIP over TCP by SIPp and over TLS by a client of our own, with a running server that listens for all of it."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from telephony.sip.digest import authorize
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.stream import StreamParser
from tests.end_to_end.running import HOST, Server, running_server, sipp, wait_for
from tests.telephony.sip.messages import OFFER

pytestmark = pytest.mark.timeout(120)
SETTINGS = "queues: {care: {title: Care, wrap_up: 100ms}}\n"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that listens for UDP, TCP and TLS."""
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS, streams=True) as started:
        yield started


def is_over(server: Server, calls: int) -> bool:
    """Whether so many calls are known, and every one of them ended."""
    known = server.get("/calls")["items"]
    return len(known) >= calls and all(call["state"] == "ended" for call in known)


class TlsPhone:
    """A phone over TLS, as simple as can be."""

    def __init__(self, server: Server, *, trusts: bool = True) -> None:
        self.server = server
        made = server.data / "sip-tls" / "certificate.pem"
        context = ssl.create_default_context(cafile=made if trusts else None)
        plain = socket.create_connection((HOST, server.tls_port), timeout=10)
        try:
            self.socket = context.wrap_socket(plain, server_hostname=HOST)
        except BaseException:
            plain.close()
            raise
        self.port: int = self.socket.getsockname()[1]
        self._parser = StreamParser()
        self._messages: list[bytes] = []

    def close(self) -> None:
        """Hang up the line."""
        self.socket.close()

    def send(self, method: str, call_id: str, cseq: int, fields: tuple[str, ...], body: str = "", to: str = "") -> None:
        """Send a request."""
        lines = [
            f"{method} sip:19001234@{HOST}:{self.server.tls_port};transport=tls SIP/2.0",
            f"Via: SIP/2.0/TLS {HOST}:{self.port};branch=z9hG4bK{method}{cseq}{call_id};rport",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:0912345678@{HOST}:{self.port};transport=tls>",
            f"To: {to or f'<sip:19001234@{HOST}>'}",
            *fields,
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def next(self) -> Request | Response:
        """Return the next message."""
        while not self._messages:
            data = self.socket.recv(65536)
            assert data, "the server closed the connection"
            self._messages += self._parser.feed(data)
        return parse_datagram(self._messages.pop(0))

    def response(self) -> Response:
        """Return the next final response."""
        while True:
            message = self.next()
            if isinstance(message, Response) and message.status >= 200:
                return message

    def register(self, user: str, password: str) -> Response:
        """Register, with the second REGISTER answering the challenge."""
        call_id = f"register-{next(NUMBERS)}"
        address = f"<sip:{user}@hotline.test>"
        fields: tuple[str, ...] = (f"From: {address};tag=r", "Expires: 600")
        self.send("REGISTER", call_id, 1, fields, to=address)
        challenged = self.response()
        assert challenged.status == 401
        challenge = challenged.headers.lines("www-authenticate")[0]
        line = authorize(challenge, user, password, "REGISTER", f"sip:{HOST}", "c0ffee")
        self.send("REGISTER", call_id, 2, (*fields, f"Authorization: {line}"), to=address)
        return self.response()


@contextlib.contextmanager
def phone(server: Server) -> Iterator[TlsPhone]:
    """A phone over TLS that trusts the server's own certificate."""
    made = TlsPhone(server)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("mode", ["t1", "tn"])
def test_sipp_calls_over_tcp(server: Server, tmp_path: Path, mode: str) -> None:
    scenario = "uac-calls-and-hangs-up-expect-200.xml"
    calls = len(server.get("/calls")["items"])
    arguments = ("-s", "19001234", "-t", mode, "-m", "10", "-r", "5", "-max_socket", "100")
    sipp(server, tmp_path, scenario, *arguments, transport="tcp")
    wait_for("ten calls have ended", lambda: is_over(server, calls + 10))


def test_sipp_presses_a_key_over_tcp(server: Server, tmp_path: Path) -> None:
    calls = len(server.get("/calls")["items"])
    scenario = "uac-presses-a-key-and-hangs-up-expect-200.xml"
    sipp(server, tmp_path, scenario, "-s", "19001234", transport="tcp")
    wait_for("the call has ended", lambda: is_over(server, calls + 1))
    call = server.get("/calls")["items"][0]
    assert (call["ended_by"], "to_english" in call["flow_path"]) == ("caller", True)


def test_a_call_over_tls(server: Server) -> None:
    calls = len(server.get("/calls")["items"])
    sender = f'From: "Lan" <sip:0912345678@{HOST}:1>;tag=f'
    with phone(server) as caller, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind((HOST, 0))
        media.settimeout(10)
        offer = OFFER.replace("192.0.2.2", HOST).replace("4000", str(media.getsockname()[1]))
        caller.send("INVITE", "tls-call", 1, (sender,), offer)
        ok = caller.response()
        assert ok.status == 200
        assert ok.headers.get("contact") == f"<sip:{HOST}:{server.tls_port};transport=tls>"
        caller.send("ACK", "tls-call", 1, (sender,), to=ok.headers.get("to"))
        assert media.recv(2048)[0] == 0x80  # the greeting
        caller.send("BYE", "tls-call", 2, (sender,), to=ok.headers.get("to"))
        assert caller.response().status == 200
    wait_for("the call has ended", lambda: is_over(server, calls + 1))
    assert server.get("/calls")["items"][0]["ani"] == "+84912345678"


def test_who_does_not_trust_the_certificate_hears_nothing(server: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        TlsPhone(server, trusts=False)


def test_a_phone_registers_over_tls_and_again_after_its_connection_is_lost(server: Server) -> None:
    server.hotline("users", "add", "tlsphone", "--role", "agent", "--password", "p" * 16, "--sip-password", "s" * 16)
    # Until it does, each try is a wrong password.
    wait_for("the server knows the user", lambda: "tlsphone" in {agent["name"] for agent in server.get("/agents")})
    with phone(server) as first:
        assert first.register("tlsphone", "s" * 16).status == 200
        contact = f"<sip:0912345678@{HOST}:{first.port};transport=tls>"
    with phone(server) as second:

        def is_alone() -> bool:
            contacts = second.register("tlsphone", "s" * 16).headers.lines("contact")
            return len(contacts) == 1 and not contacts[0].startswith(contact)

        wait_for("the lost connection's binding is gone", is_alone)


def test_a_stranger_in_the_handshake_and_garbage_disturb_nobody(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for port in (server.tcp_port, server.tls_port):
            for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 5000):
                stranger = stack.enter_context(socket.create_connection((HOST, port), timeout=10))
                with contextlib.suppress(ConnectionError):
                    stranger.sendall(data)
        with phone(server) as caller:
            caller.send("OPTIONS", "options", 1, (f"From: <sip:a@{HOST}:1>;tag=f",))
            assert caller.response().status == 200


def test_a_server_without_udp_and_its_orderly_end(tmp_path: Path) -> None:
    started = Server(tmp_path, SETTINGS)
    started.tcp_port = started.sip_port
    started.write_config()
    text = started.config.read_text("utf-8").replace("'udp:", "'tcp:")
    started.config.write_text(text, "utf-8")
    started.start()
    try:
        sipp(started, tmp_path, "uac-calls-and-hangs-up-expect-200.xml", "-s", "19001234", transport="tcp")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, started.sip_port))  # nobody listens there
        with socket.create_connection((HOST, started.sip_port), timeout=20) as client:
            client.sendall(b"\r\n\r\n")
            assert client.recv(10) == b"\r\n"
            assert started.process is not None
            started.process.terminate()
            assert started.process.wait(30) == 0
            assert client.recv(10) == b""
    finally:
        started.stop()
    assert not [line for line in started.errors if "Traceback" in line], started.errors
