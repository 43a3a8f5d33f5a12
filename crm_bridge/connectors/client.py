"""Asks one CRM, within limits of time and pace. What comes of it is rows, or one of three errors (`errors`).

Rule 1: nobody waits longer than they said, whatever the CRM does.
Rule 2: what reads may be asked again; what writes is sent once, and whoever wants it sent asks again by himself.
Redirects are not followed, cookies not kept, proxies of the environment not used.
"""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from crm_bridge.connectors import exchange, sign_in
from crm_bridge.connectors.breaker import Breaker
from crm_bridge.connectors.errors import NotLetIn, NotOffered, Rejected, Unavailable
from crm_bridge.connectors.exchange import Answer, Request, Row
from crm_bridge.connectors.language import READING, Operation, OperationName
from crm_bridge.connectors.pace import Pace, again_in_s
from crm_bridge.connectors.place import Place
from crm_bridge.connectors.sign_in import NoToken, Token
from crm_bridge.connectors.template import Unfit, Values

USER_AGENT: Final = "hotline-connector/1"
MAX_ANSWER_OCTETS: Final = 4 << 20
MAX_ROWS: Final = 200
AT_ONCE: Final = 8
NOT_LET_IN_S: Final = 60.0
"""So long it is not worth trying again once a CRM has said that it does not know us."""


@dataclass(slots=True)
class Client:
    """Asks one CRM. `outcomes` counts what came of requests: `answered`, `busy`, `refused`, `failed`, `left_alone`."""

    place: Place
    now: Callable[[], float]
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    outcomes: Counter[str] = field(default_factory=Counter)
    breaker: Breaker = field(default_factory=Breaker)
    _transport: httpx.AsyncBaseTransport = field(init=False)
    _pace: Pace = field(init=False)
    _token: Token | None = field(default=None, repr=False)
    _signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        limits = self.place.connector.limits
        self._pace = Pace.full(limits.per_s, limits.burst)
        pool = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=2, keepalive_expiry=30)
        tls = ssl.create_default_context()
        self._transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=pool)

    def offers(self, name: OperationName) -> bool:
        """Whether its connector has an operation."""
        return name in self.place.connector.operations

    async def ask(self, name: OperationName, values: Values) -> list[Row]:
        """Do an operation, all of its pages, within the time-out of the settings. Raises `CrmError`."""
        operation = self.place.connector.operations.get(name)
        if operation is None:
            raise NotOffered(f"{self.place.connector.title} has no `{name}`")
        try:
            asked: Request | None = exchange.request_of(
                self.place.connector, operation, {**self.place.options, **values}
            )
        except Unfit as error:
            raise Rejected(f"`{name}`: {error}") from None
        until = self.now() + self.place.timeout_s
        rows: list[Row] = []
        for _ in range(self.place.connector.limits.pages):
            if asked is None or len(rows) >= MAX_ROWS:
                break
            answer = await self._answer(operation, asked, until)
            rows += exchange.rows_of(operation, answer)
            asked = exchange.next_request(operation, asked, answer, self.place.base)
        return rows[:MAX_ROWS]

    async def close(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    # ------------------------------------------------------------------------------------------------- one request

    async def _answer(self, operation: Operation, asked: Request, until: float) -> Answer:
        retries = 0
        while True:
            try:
                return await self._let_in(operation, asked, until)
            except NotLetIn:
                raise
            except Unavailable as error:
                left_s = until - self.now()
                wait_s = again_in_s(retries, error.wait_s, left_s, self.chance())
                if wait_s is None or operation.name not in READING:
                    raise
            await self.sleep(wait_s)
            retries += 1

    async def _let_in(self, operation: Operation, asked: Request, until: float) -> Answer:
        """Ask, and once more with a new token where the old one is good no more."""
        token = await self._signed_in(until)
        answer, verdict = await self._once(operation, asked, token, until)
        if isinstance(verdict, exchange.SignedOut) and token is not None:
            if self._token is token:
                self._token = None
            answer, verdict = await self._once(operation, asked, await self._signed_in(until), until)
        match verdict:
            case exchange.Good(nothing):
                return Answer(answer.status) if nothing else answer
            case exchange.SignedOut(cause):
                raise NotLetIn(cause, NOT_LET_IN_S)
            case exchange.AskedTooMuch(wait_s, cause):
                raise Unavailable(f"it asks for peace: {cause}", wait_s)
            case exchange.Broken(cause):
                raise Unavailable(cause)
            case exchange.Refused(cause, 403):
                raise NotLetIn(cause, NOT_LET_IN_S)  # it knows us, and we may not: that is mended there
            case exchange.Refused(cause):
                raise Rejected(cause, is_answer=True)

    async def _once(
        self, operation: Operation, asked: Request, token: Token | None, until: float
    ) -> tuple[Answer, exchange.Verdict]:
        try:
            known_by = sign_in.header_of(self.place, token)
            url = httpx.URL(self.place.base + asked.address)
        except Unfit as error:
            raise Rejected(str(error)) from None
        except httpx.InvalidURL:
            raise Rejected("what it is asked makes no address") from None
        headers = {"Accept": "application/json", **asked.headers, **known_by}
        # An empty `json` is a body, too.
        request = httpx.Request(asked.method, url, headers=headers, json=asked.body)
        answer = await self._sent(request, until)
        return answer, self._judged(operation, answer)

    async def _signed_in(self, until: float) -> Token | None:
        if self.place.connector.sign_in.kind != "oauth2":
            return None
        async with self._signing_in:
            if self._token is not None and self.now() < self._token.until:
                return self._token
            try:
                wanted = sign_in.token_request(self.place)
                answer = await self._sent(
                    httpx.Request("POST", wanted.url, headers=wanted.headers, content=wanted.body), until
                )
                verdict = self._judged(None, answer)
                if isinstance(verdict, exchange.AskedTooMuch):
                    raise Unavailable(f"it asks for peace: {verdict.cause}", verdict.wait_s)
                if isinstance(verdict, exchange.Broken):
                    raise Unavailable(f"no token: {verdict.cause}")
                self._token = sign_in.token_of(self.place, answer, self.now())
            except (NoToken, Unfit) as error:
                raise NotLetIn(str(error), NOT_LET_IN_S) from None
            except httpx.InvalidURL:
                raise NotLetIn("no token: there is no such address", NOT_LET_IN_S) from None
            return self._token

    def _judged(self, operation: Operation | None, answer: Answer) -> exchange.Verdict:
        verdict = exchange.judge(self.place.connector, operation, answer)
        match verdict:
            case exchange.Good():
                self.outcomes["answered"] += 1
            case exchange.AskedTooMuch(wait_s, _):
                self.outcomes["busy"] += 1
                self._pace = self._pace.paused(self.now(), wait_s)
            case exchange.Broken():
                self.outcomes["failed"] += 1
                self.breaker = self.breaker.failed(self.now())
                return verdict
            case _:
                self.outcomes["refused"] += 1
        self.breaker = self.breaker.succeeded()
        return verdict

    async def _sent(self, request: httpx.Request, until: float) -> Answer:
        """Send one request when it is its turn. Raises `Unavailable`."""
        now = self.now()
        if not self.breaker.admits(now):
            raise self._left_alone("it did not answer before, and is left alone", self.breaker.until - now)
        wait_s, paused_until = self._pace.wait_s(now), self._pace.paused_until
        if now + wait_s >= until:
            raise self._left_alone("it is asked as much as it may be", wait_s)
        self._pace = self._pace.took(now)
        if wait_s:
            await self.sleep(wait_s)
            now = self.now()
            # What others were answered meanwhile holds for whoever waited, too.
            if not self.breaker.admits(now):
                raise self._left_alone("it did not answer others, and is left alone", self.breaker.until - now)
            if self._pace.paused_until > max(paused_until, now):
                raise self._left_alone("it asks for peace", self._pace.paused_until - now)
        self.breaker = self.breaker.asked(now)
        try:
            async with asyncio.timeout(max(0.0, until - self.now())):
                return await self._exchanged(request)
        except TimeoutError:
            cause = "no answer in time"
        except (httpx.HTTPError, OSError, ValueError) as error:
            cause = f"no answer: {type(error).__name__}"
        self.outcomes["failed"] += 1
        self.breaker = self.breaker.failed(self.now())
        raise Unavailable(cause)

    def _left_alone(self, cause: str, wait_s: float) -> Unavailable:
        self.outcomes["left_alone"] += 1
        return Unavailable(cause, wait_s)

    async def _exchanged(self, request: httpx.Request) -> Answer:
        request.headers["User-Agent"] = USER_AGENT
        request.headers["Accept-Encoding"] = "identity"
        response = await self._transport.handle_async_request(request)
        try:
            body = bytearray()
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER_OCTETS:
                    raise ValueError("more than we take")
            return Answer(response.status_code, dict(response.headers), bytes(body))
        finally:
            await response.aclose()
