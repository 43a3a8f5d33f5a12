"""From the settings of connectors to what asks the CRMs, and logs calls there."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.connectors.call_log import CallLog, endpoint_of
from crm_bridge.connectors.client import Client
from crm_bridge.connectors.lookup import Connectors
from crm_bridge.connectors.place import Place
from crm_bridge.outgoing.rounds import Alarms
from crm_bridge.webhooks.courier import Send
from crm_bridge.webhooks.endpoint import Endpoint
from hotline.config import Settings

NOBODY: Final = "nobody@hotline.invalid"
"""An address that nobody can have (RFC 6761 section 6.4)."""


def connectors_of(
    settings: Settings, sessions: async_sessionmaker[AsyncSession], now: Callable[[], float]
) -> Connectors:
    """Return the CRMs of the settings. Nothing is asked yet."""
    places = [source.place(name, source.connector()) for name, source in settings.connectors.items()]
    return Connectors([Client(place, now) for place in places], sessions, now, settings.region)


async def try_out(place: Place, now: Callable[[], float]) -> str:
    """Sign in to a CRM and look for somebody who is nobody's customer; say what it did. Raises `CrmError`."""
    client = Client(place, now)
    try:
        await client.ask("check", {})
        if not client.offers("find_by_email"):
            return f"{place.connector.title} lets us in"
        found = await client.ask("find_by_email", {"email": NOBODY})
        return f"{place.connector.title} lets us in, and finds {len(found) or 'nobody'} where it should find nobody"
    finally:
        await client.close()


def endpoints(connectors: Connectors) -> list[Endpoint]:
    """Return the CRMs that are to have finished calls, as endpoints of the outbox."""
    return [endpoint_of(each) for each in connectors.clients if _has_calls(each)]


def sends(settings: Settings, connectors: Connectors, alarms: Alarms) -> dict[str, Send]:
    """Return how each of them is told of a call, by the endpoint's name."""

    def link_of(recording: str) -> str:
        return f"{settings.web.url}/supervise/recordings/{recording}"

    return {
        endpoint_of(each).name: CallLog(each, connectors.sessions, alarms, link_of, settings.region).send
        for each in connectors.clients
        if _has_calls(each)
    }


def _has_calls(client: Client) -> bool:
    return client.place.log_calls and client.offers("log_call")
