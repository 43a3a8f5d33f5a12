"""Whoever is told: a real HTTP server that answers as a test says, and the verification that the docs show."""

import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from crm_bridge.webhooks.endpoint import TYPES, Endpoint
from crm_bridge.webhooks.signature import key_of
from tests.crm_bridge.serving import Quiet, serving

DOCS = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text("utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def documented_verify() -> Callable[..., bool]:
    """Return `verify` as docs/webhooks.md has it."""
    found = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert found is not None
    scope: dict[str, Any] = {}
    exec(found[1], scope)  # noqa: S102 - our own documentation
    verify: Callable[..., bool] = scope["verify"]
    return verify


def endpoint(url: str = "https://crm.example.com/h", **fields: Any) -> Endpoint:
    """Return an endpoint that wants everything, or what `fields` make of it."""
    whole: dict[str, Any] = {
        "name": "crm",
        "keys": (key_of(SECRET),),
        "events": frozenset(TYPES),
        "retries_s": (5.0, 300.0),
        "timeout_s": 5.0,
        "at_once": 4,
        "private": True,
    }
    return Endpoint(url=url, **(whole | fields))


@dataclass
class Request:
    """What came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are (status, headers), in order, 200 once they are used up; a status of 0 hangs until the end."""

    port: int = 0
    answers: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/h?key=1"

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Take one request."""
        length = int(request.headers.get("content-length", "0"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Request(headers | {":path": request.path}, request.rfile.read(length)))
        status, answer_headers = self.answers.popleft() if self.answers else (200, {})
        self.arrived.release()
        if not status:
            self.over.wait()
            return
        request.send_response(status)
        for name, value in ({"content-length": "0"} | answer_headers).items():
            request.send_header(name, value)
        request.end_headers()


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver, in the clear or over TLS."""
    receiver = Receiver()

    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            receiver.take(self)

        do_GET = do_POST  # noqa: N815 - the library's name

    with serving(Handler, tls) as port:
        receiver.port = port
        try:
            yield receiver
        finally:
            receiver.over.set()
