"""Zalo as its documentation shows it, over real HTTP, and a mail server that is not ours (aiosmtpd)."""

import asyncio
import base64
import contextlib
import json
import secrets
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.crm_bridge.serving import Quiet, serving

APP_ID, APP_SECRET, FIRST_TOKEN = "360846524940903967", "app-secret", "first-refresh-token"
USER, PASSWORD = "care@shop.vn", "sésame"


@dataclass
class ZaloServer:
    """`answers` come before what Zalo would say by itself: a code of `error`, or a body. Refresh tokens are
    good once."""

    url: str = ""
    answers: deque[int | bytes] = field(default_factory=deque)
    refresh_token: str = FIRST_TOKEN
    access_token: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    renewals: list[dict[str, str]] = field(default_factory=list)
    life_s: str = "90000"

    def message(self, headers: Any, body: bytes) -> object:
        """POST /v3.0/oa/message/cs."""
        if self.answers:
            answer = self.answers.popleft()
            return answer if isinstance(answer, bytes) else {"error": answer, "message": f"says {answer}"}
        if headers["access_token"] != self.access_token:
            return {"error": -216, "message": "Access token is invalid"}
        self.sent.append(json.loads(body))
        data = {"message_id": f"id-{len(self.sent)}", "user_id": "1", "quota": {"quota_type": "reply"}}
        return {"data": data, "error": 0, "message": "Success"}

    def token(self, headers: Any, body: bytes) -> object:
        """POST /v4/oa/access_token."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.renewals.append(form)
        due = {"app_id": APP_ID, "grant_type": "refresh_token", "refresh_token": self.refresh_token}
        if form != due or headers["secret_key"] != APP_SECRET:
            return {
                "error": -14014,
                "error_name": "Invalid refresh token",
                "error_description": "Invalid refresh token.",
            }
        self.refresh_token, self.access_token = secrets.token_hex(8), secrets.token_hex(8)
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_in": self.life_s,
        }


@contextlib.contextmanager
def zalo() -> Iterator[ZaloServer]:
    """Run Zalo on loopback."""
    far_end = ZaloServer()

    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            served = {"/v3.0/oa/message/cs": far_end.message, "/v4/oa/access_token": far_end.token}[self.path]
            answer = served(self.headers, self.body())
            self.answer(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    with serving(Handler) as port:
        far_end.url = f"http://127.0.0.1:{port}"
        yield far_end


@dataclass
class MailServer:
    """`says` are what the next messages are answered, at `RCPT` or at `DATA`; `hangs` leaves them without an answer."""

    port: int = 0
    says: deque[tuple[str, str]] = field(default_factory=deque)
    letters: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, to: str, _options: Any) -> str:  # noqa: N802
        if self.says and self.says[0][0] == "RCPT":
            return self.says.popleft()[1]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.says and self.says[0][0] == "DATA":
            return self.says.popleft()[1]
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        self.letters.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 OK"

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        """Take a token of `tokens`; say why not to another one, and that it is refused once that was heard."""
        said = base64.b64decode(args[1]).decode()
        self.users.append(said.partition("\x01")[0])
        if any(said == f"user={USER}\x01auth=Bearer {token}\x01\x01" for token in self.tokens):
            return AuthResult(success=True)
        assert await server.challenge_auth('{"status": "401"}') == b""
        return AuthResult(success=False, handled=False)

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data == LoginPassword(USER.encode(), PASSWORD.encode()), handled=False)


@contextlib.asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, *, starttls: bool = False, auth: bool = True
) -> AsyncIterator[MailServer]:
    """Run a mail server on loopback: with TLS from the first byte, after STARTTLS, or in the clear."""
    far_end = MailServer()
    options: dict[str, Any] = {"hostname": "mail.shop.vn"}
    if auth:
        # Of TLS from the first byte the library knows nothing.
        options |= {"authenticator": far_end.authenticate, "auth_required": starttls, "auth_require_tls": starttls}
    if starttls:
        options |= {"tls_context": tls, "require_starttls": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(far_end, loop=loop, **options), "127.0.0.1", 0, ssl=None if starttls else tls
    )
    far_end.port = server.sockets[0].getsockname()[1]
    try:
        yield far_end
    finally:
        server.close()
        await server.wait_closed()
