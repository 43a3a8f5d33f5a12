"""What the CRMs say of a customer, over HTTP, and a profile sent to one of them. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.routes` reads, `connectors` (`lookup.Connectors`) and `audit`.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from crm_bridge.asker import audited
from crm_bridge.connectors import call_log
from crm_bridge.connectors.errors import CrmError, NotOffered, Rejected
from crm_bridge.connectors.lookup import WAYS, Connectors, Known, find_id
from crm_bridge.customer import Profile
from crm_bridge.lines import Shape
from crm_bridge.routes import Reading, profile_of
from telephony.clock import iso

if TYPE_CHECKING:
    from crm_bridge.connectors.client import Client  # brings an HTTP client along

router = APIRouter(tags=["connectors"])

WITHIN_S: Final = 3.0
"""So long a page waits for a CRM; then it is shown what the CRM said last."""
MAX_IDENTITIES: Final = 4
NO_CONNECTOR: Final = "There is no such connector; GET /api/v1/connectors lists those of the settings."


class ConnectorOut(Shape):
    """A CRM of the settings. `state` is `closed` while it answers, `open` while it is left alone since it did not, and
    `half_open` while it is tried again."""

    name: str
    title: str
    state: str
    offers: list[str]


class ConnectorList(Shape):
    """Every CRM of the settings."""

    items: list[ConnectorOut]


class CrmPersonOut(Shape):
    """Who it is in the CRM, as the CRM has it."""

    id: str
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    link: str | None = None


class CrmCaseOut(Shape):
    """A case as the CRM has it; `state` is `open` or `closed` where its connector says so."""

    id: str | None = None
    number: str | None = None
    subject: str | None = None
    state: str | None = None
    opened_at: str | None = None
    link: str | None = None


class CrmOrderOut(Shape):
    """An order as the CRM has it."""

    id: str | None = None
    number: str | None = None
    state: str | None = None
    total: str | None = None
    currency: str | None = None
    placed_at: str | None = None
    link: str | None = None


class CrmOut(Shape):
    """What one CRM says. `person` is null where it knows nobody, `cases` and `orders` where it has none to tell of."""

    connector: str
    title: str
    as_of: Annotated[str | None, Field(description="When the CRM said so; null for never.")]
    stale: Annotated[bool, Field(description="There should be a newer answer; `cause` says why there is none.")]
    cause: str | None
    person: CrmPersonOut | None
    cases: list[CrmCaseOut] | None
    orders: list[CrmOrderOut] | None


class CrmList(Shape):
    """What every CRM says of a customer."""

    items: list[CrmOut]


class SentOut(Shape):
    """Who the customer is in the CRM now; `created`: the CRM did not know them before."""

    person: str
    created: bool


@router.get("/connectors")
async def list_connectors(request: Request) -> ConnectorList:
    """List the CRMs of the settings, and how they stand."""
    connectors: Connectors = request.app.state.connectors
    return ConnectorList(
        items=[
            ConnectorOut(
                name=each.place.name,
                title=each.place.connector.title,
                state=each.breaker.state,
                offers=list(each.place.connector.operations),
            )
            for each in connectors.clients
        ]
    )


@router.get("/customers/{customer_id}/crm", responses={404: {"description": "There is no such customer."}})
async def get_crm(request: Request, session: Reading, customer_id: str) -> CrmList:
    """Show what the CRMs say of a customer: who it is there, cases and orders. A CRM that does not answer in time is
    not waited for: its last answer is shown, and how old that is."""
    connectors: Connectors = request.app.state.connectors
    profile = await profile_of(session, customer_id)
    await session.close()  # nobody keeps the database waiting for a CRM
    answers = await asyncio.gather(*(connectors.lookup(each, WITHIN_S) for each in _ways(profile)))
    return CrmList(items=[_crm_out(each) for each in _best_of_each([known for some in answers for known in some])])


@router.post(
    "/customers/{customer_id}/crm/{connector}",
    responses={
        404: {"description": "There is no such customer, or no such connector."},
        409: {"description": "There is nothing to send, or the CRM refuses it; the answer says why."},
        503: {"description": "The CRM does not answer, or asks for peace; the answer says which."},
    },
)
async def send_to_crm(request: Request, customer_id: str, connector: str) -> SentOut:
    """Send a profile's name, number and address to a CRM: whoever it knows is changed, whoever it does not is made."""
    connectors: Connectors = request.app.state.connectors
    client = connectors.find(connector)
    if client is None:
        raise HTTPException(404, NO_CONNECTOR)
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        profile = await profile_of(session, customer_id)
    await audited(request, "customer.sent_to_crm", customer_id)
    try:
        return await _send(client, profile, connectors.region)
    except (Rejected, NotOffered) as error:
        raise HTTPException(409, f"{client.place.connector.title} does not take it: {error}") from error
    except CrmError as error:
        raise HTTPException(503, f"{client.place.connector.title} does not take it now: {error}") from error


async def _send(client: "Client", profile: Profile, region: str) -> SentOut:
    phone, email = (next(iter(call_log.believed(profile, way)), "") for way in WAYS)
    if not (phone or email):
        raise HTTPException(409, "The profile has neither a number nor an address that is believed.")
    values = call_log.person_values(profile.person.name, phone, email, region)
    ways = [(way, value) for way, value in zip(WAYS, (phone, email), strict=True) if value]
    known = call_log.linked_id(profile, client.place.name) or await find_id(client, ways, region)
    if known:
        given = values if profile.person.name else values | {"name": ""}
        await client.ask("update_person", given | {"person": known})
        return SentOut(person=known, created=False)
    made = await client.ask("create_person", values)
    return SentOut(person=made[0].get("id", "") if made else "", created=True)


def _ways(profile: Profile) -> list[str]:
    """The identities that CRMs find by, the best proved first, numbers before addresses."""
    able = [each for each in profile.identities if each.kind in WAYS]
    able.sort(key=lambda each: (-each.assurance, each.kind != "phone"))
    return [each.value for each in able[:MAX_IDENTITIES]]


def _best_of_each(known: list[Known]) -> list[Known]:
    """Of each CRM the first answer that knows somebody, else the first."""
    chosen: dict[str, Known] = {}
    for each in known:
        name = each.client.place.name
        before = chosen.get(name)
        knows = each.found is not None and each.found.person is not None
        if before is None or (knows and (before.found is None or before.found.person is None)):
            chosen[name] = each
    return list(chosen.values())


def _crm_out(known: Known) -> CrmOut:
    found = known.found
    person = None if found is None or found.person is None else CrmPersonOut(**found.person)
    cases = None if found is None or found.cases is None else [CrmCaseOut(**each) for each in found.cases]
    orders = None if found is None or found.orders is None else [CrmOrderOut(**each) for each in found.orders]
    return CrmOut(
        connector=known.client.place.name,
        title=known.client.place.connector.title,
        as_of=None if found is None else iso(found.as_of),
        stale=known.stale,
        cause=known.cause or None,
        person=person,
        cases=cases,
        orders=orders,
    )
