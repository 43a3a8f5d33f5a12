"""A web service that a flow asks: one address, JSON there and back, and what the flow wants of the answer.

Rule 1: whoever writes flows says which services there are; what a caller says only fills parts of an address. So
private addresses are asked like any other. Redirects are not followed, cookies not kept, proxies of the environment not
used.
Rule 2: what only reads, or says the same twice, is asked again after a failure; what may do something twice only where
nothing was sent.
Rule 3: the log says which host and why, never an address or a value: those are a caller's.
"""

import asyncio
import json
import math
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
import structlog

from crm_bridge.connectors.found import sound
from ivr_flows.flow import MAX_VALUE_CHARS
from telephony.edge.flow_requests import Outcome
from telephony.events import FlowRequest
from telephony.requests import RETRY_PAUSE_S, CallHttp, Scalar

USER_AGENT: Final = "hotline-flow/1"
MAX_ANSWER_OCTETS: Final = 1 << 20
AT_ONCE: Final = 100
SAFE_TWICE: Final = ("get", "put", "delete")
"""Methods that do no more when they are done again (RFC 9110 section 9.2.2)."""
SETTING: Final = re.compile(r"\{settings\.(\w+)\}")
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
GONE: Final = (404, 410)
BUSY: Final = (429, 500, 502, 503, 504)
"""Answers after which it is worth asking again."""
SUCCESS: Final = range(200, 300)

log = structlog.get_logger("hotline.flow_requests")


class Failed(Exception):
    """One try came to nothing; `again` says whether another may do better. The text names the cause."""

    def __init__(self, cause: str, *, again: bool, outcome: str = "failed") -> None:
        super().__init__(cause)
        self.again, self.outcome = again, outcome


@dataclass(slots=True)
class WebServices:
    """Asks web services for flows. `settings` are the values that requests may name; `tls` says whom we believe: the
    system's authorities."""

    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: Callable[[str, int, str], Scalar] = field(default=lambda _call, _number, _name: None, repr=False)
    """What a request of a call's (by its number) is to send of a secret variable, None for nothing (any more)."""
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _transport: httpx.AsyncHTTPTransport = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=10, keepalive_expiry=30)
        self._transport = httpx.AsyncHTTPTransport(verify=self.tls, trust_env=False, limits=limits)

    async def close(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def perform(self, asked: FlowRequest) -> Outcome:
        """Ask, as often as the request allows."""
        request = asked.request
        if not isinstance(request, CallHttp):
            raise TypeError(f"{type(request).__name__} is no request of a web service")
        for tried in range(request.retries + 1):
            try:
                return Outcome("next", await self._try(request, self._body(asked, request)))
            except Failed as error:
                about = {"call": asked.call, "number": asked.number, "host": _host(request.url), "cause": str(error)}
                if error.outcome != "not_found":
                    log.warning("a web service that a flow asked did not answer as it should", **about)
                if not error.again or tried == request.retries:
                    return Outcome(error.outcome)
            await self.sleep(RETRY_PAUSE_S)
        return Outcome("failed")

    def _body(self, asked: FlowRequest, request: CallHttp) -> bytes:
        """Return the JSON to be sent. What is secret goes by TLS alone, or to this very machine."""
        secrets = {name: self.secret(asked.call, asked.number, variable) for name, variable in request.secrets.items()}
        if secrets and not (request.url.startswith("https://") or _host(request.url) in LOOPBACK):
            raise Failed("something secret goes to https:// addresses alone", again=False)
        if None in secrets.values():
            raise Failed("a secret is not there any more", again=False)
        body = {
            name: self._filled(request, value) if isinstance(value, str) else value
            for name, value in request.body.items()
        }
        return json.dumps({**body, **secrets}).encode() if body or secrets else b""

    async def _try(self, request: CallHttp, content: bytes) -> dict[str, Scalar]:
        again = request.method in SAFE_TWICE
        try:
            async with asyncio.timeout(request.timeout_s):
                status, body = await self._send(request, content)
        except TimeoutError:
            raise Failed(f"no answer within {request.timeout_s:g} s", again=again, outcome="timed_out") from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Failed(f"not reached: {type(error).__name__}", again=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Failed(type(error).__name__, again=again) from None
        if status in GONE:
            raise Failed(f"it answers {status}", again=False, outcome="not_found")
        if status not in SUCCESS:
            raise Failed(f"it answers {status}", again=again and status in BUSY)
        return fields_of(body, request.fields) if request.fields else {}

    def _filled(self, request: CallHttp, text: str, told: Callable[[str], str] = str) -> str:
        """Put in the settings that a request names, each as it is `told`."""

        def value(found: re.Match[str]) -> str:
            return told(self.settings.get(found[1], "")) if found[1] in request.settings else found[0]

        return SETTING.sub(value, text)

    async def _send(self, request: CallHttp, content: bytes) -> tuple[int, bytes]:
        start, mark, query = request.url.partition("?")
        url = httpx.URL(start + mark + self._filled(request, query, quote_plus))
        if url.scheme not in ("http", "https") or not url.host:
            raise httpx.InvalidURL("an address begins with http:// or https://")
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        headers |= {name: self._filled(request, value) for name, value in request.headers.items()}
        if content:
            headers = {"Content-Type": "application/json", **headers}
        asked = httpx.Request(request.method.upper(), url, headers=headers, content=content)
        response = await self._transport.handle_async_request(asked)
        try:
            octets = b""
            async for chunk in response.aiter_bytes():
                octets += chunk
                if len(octets) > MAX_ANSWER_OCTETS:
                    raise ValueError("a longer answer than is read")
            return response.status_code, octets
        finally:
            await response.aclose()


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, ValueError):
        return "?"


def fields_of(body: bytes, fields: Mapping[str, str]) -> dict[str, Scalar]:
    """Return the wanted values of a JSON answer: name -> path (`order.items.0.day`). What is not there, or is no plain
    value, is left out. Raises `Failed` for an answer that is no JSON."""
    try:
        answer = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Failed("its answer is no JSON", again=False) from None
    found = {name: _at(answer, path) for name, path in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _at(value: Any, path: str) -> Scalar:
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    if isinstance(value, str):
        return sound(value)[:MAX_VALUE_CHARS]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, int | float | bool) else None


def _no_constant(name: str) -> None:
    """Refuse what Python alone takes for JSON."""
    raise ValueError(name)
