"""One attempt: an HTTP POST, and what came of it. Redirects are not followed, cookies not kept, proxies of the
environment not used; of the answer nothing is read but its head."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import Final

import httpx

from crm_bridge.outgoing.schedule import Answer, retry_after_s
from crm_bridge.webhooks.addresses import AddressRefused, locate
from crm_bridge.webhooks.endpoint import Endpoint
from crm_bridge.webhooks.signature import headers

USER_AGENT: Final = "hotline-webhooks/1"


@dataclass(slots=True)
class Sender:
    """Sends to one endpoint. Its connections are its own. `tls` says whom we believe: the system's authorities."""

    endpoint: Endpoint
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    _transport: httpx.AsyncHTTPTransport = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=self.endpoint.at_once, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(verify=self.tls, trust_env=False, limits=limits)

    async def send(self, id_: str, body: str, now: float) -> Answer:
        """Make an attempt, within the endpoint's time-out from the look-up of its name to the head of the answer."""
        octets = body.encode()
        try:
            async with asyncio.timeout(self.endpoint.timeout_s):
                return await self._post(octets, headers(self.endpoint.keys, id_, now, octets))
        except TimeoutError:
            return Answer(0, f"no answer within {self.endpoint.timeout_s:g} s")
        except AddressRefused as error:
            return Answer(0, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(0, f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def _post(self, body: bytes, signed: dict[str, str]) -> Answer:
        url = httpx.URL(self.endpoint.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        *others, last = await locate(url.host, port, private=self.endpoint.private)
        for address in others:
            with contextlib.suppress(httpx.ConnectError):  # nothing was sent: the next one may be reached
                return await self._post_to(address, url, body, signed)
        return await self._post_to(last, url, body, signed)

    async def _post_to(self, address: str, url: httpx.URL, body: bytes, signed: dict[str, str]) -> Answer:
        request = httpx.Request(
            "POST",
            url.copy_with(host=address),
            headers={
                "Host": url.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "User-Agent": USER_AGENT,
                **signed,
            },
            content=body,
            # The certificate must name the host, not the address that it led to.
            extensions={"sni_hostname": url.host} if url.scheme == "https" else {},
        )
        response = await self._transport.handle_async_request(request)
        try:
            return Answer(response.status_code, retry_after_s=retry_after_s(response.headers.get("retry-after", "")))
        finally:
            await response.aclose()
