"""Saying over HTTP which identities several people use. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.link_routes` reads.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from crm_bridge import sharing
from crm_bridge.asker import audited, source_of
from crm_bridge.identity import Kind, normalise
from crm_bridge.link_routes import Evidence, ProfileId
from crm_bridge.person import NoProfile
from crm_bridge.routes import HOW_TO_MEND, NO_CUSTOMER, invalid, profile_of, shown
from crm_bridge.shapes import CustomerOut, IdentityIn
from crm_bridge.sharing import NoIdentity

router = APIRouter(tags=["customers"])

NOT_THERE: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such customer, or nobody is known by the identity."}
}


class ShareIn(IdentityIn):
    """An identity, in any spelling, and how it is known that several people use it."""

    evidence: Annotated[Evidence, Field(min_length=1)]


@router.post("/customers/{customer_id}/identities/share", responses=NOT_THERE)
async def share_identity(request: Request, customer_id: ProfileId, body: ShareIn) -> CustomerOut:
    """Say that several people use an identity, this customer among them: it identifies none of them any more. Who calls
    by it is asked who they are. The same again changes nothing."""
    return await _write(request, customer_id, body, body.evidence)


@router.post("/customers/{customer_id}/identities/unshare", responses=NOT_THERE)
async def unshare_identity(request: Request, customer_id: ProfileId, body: IdentityIn) -> CustomerOut:
    """Say that an identity is this customer's alone again or, where it is somebody else's, that this customer does not
    use it."""
    return await _write(request, customer_id, body, None)


async def _write(request: Request, customer_id: str, body: IdentityIn, evidence: str | None) -> CustomerOut:
    state = request.app.state
    kind, value = body.kind, _value(body, state.settings.region)
    now = state.clock.now()
    async with state.sessions() as session:
        try:
            if evidence is None:
                is_new = await sharing.unshare(session, customer_id, kind, value)
            else:
                source = source_of(request)
                is_new = await sharing.share(
                    session, customer_id, kind, value, source=source, evidence=evidence, now=now
                )
        except NoProfile as error:
            raise HTTPException(404, NO_CUSTOMER) from error
        except NoIdentity as error:
            raise HTTPException(404, str(error)) from error
        await session.commit()
        answer = (await shown(session, [await profile_of(session, customer_id)], now))[0]
    if is_new:
        await audited(request, "customer.unshare" if evidence is None else "customer.share", customer_id)
    return answer


def _value(body: IdentityIn, region: str) -> str:
    kind: Kind = body.kind
    value = normalise(kind, body.value, region)
    if not value:
        raise invalid(("body", "value"), HOW_TO_MEND[kind].format(region=region))
    return value
