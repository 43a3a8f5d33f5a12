"""Whoever grants access tokens (RFC 6749) and says which are good (RFC 7662), over real HTTP on loopback."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.crm_bridge.mail.dovecot import USER


@dataclass
class Authority:
    """`good` are the access tokens that hold; `asked` the forms of those who wanted one."""

    url: str = ""
    good: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def introspection(self) -> str:
        """What a token is put behind."""
        return f"{self.url}/introspect?token="

    def grant(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.asked.append(form)
        if form.get("refresh_token") not in (None, "first"):
            return 400, {"error": "invalid_grant", "error_description": "The token is revoked."}
        token = f"access-{len(self.asked)}"
        self.good = {token}
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}


@contextlib.contextmanager
def granting() -> Iterator[Authority]:
    """Run one."""
    authority = Authority()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, document: dict[str, object]) -> None:
            octets = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self.answer(*authority.grant({name: values[0] for name, values in parse_qs(body).items()}))

        def do_GET(self) -> None:
            token = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
            active = token in authority.good
            self.answer(200, {"active": active, "username": USER} if active else {"active": False})

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    authority.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
