"""One-time codes by which an agent has a caller prove who they are: sent by Zalo or e-mail, told in the talk, checked.

Reads of `app.state` what `telephony.routes` reads, `codes` (`telephony.edge.code_requests.CodeRequests`) and `audit`.
"""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field, StringConstraints

from crm_bridge.asker import audited, name_of
from crm_bridge.codes.book import Asked, TooManyCodes
from crm_bridge.codes.code import DIGITS
from crm_bridge.keep import KeepContended
from crm_bridge.lines import Channel
from crm_bridge.notify.choice import NotReachable
from crm_bridge.person import NoProfile
from crm_bridge.routes import NO_CUSTOMER
from telephony.clock import iso
from telephony.desk_routes import own_talk
from telephony.edge.code_requests import CodeRequests
from telephony.events import CallerVerified
from telephony.routes import TALKS, Body, running_funnel

router = APIRouter(tags=["desk"])

MAX_WAYS: Final = 10
IN_A_TALK: Final = "Codes are sent and checked in a talk alone: the caller has to be there."
REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such customer, or no such call of whoever asks."},
    409: {"description": "The call is no talk, or nothing is known by which a code would surely reach that person."},
    429: {"description": "Too many codes were sent to that person or in that call, or too many were wrong."},
    502: {"description": "The far end did not take the message."},
    503: {"description": "Other events of the same person keep coming first; send it again."},
}


class CodeIn(Body):
    """A code for the customer of the address, in a talk with whoever says to be them."""

    call: str = Field(max_length=64, description="The call in which the code is asked for, and for which it is good.")
    by: list[Channel] = Field(
        [], max_length=MAX_WAYS, description="By which channels, the first that will do; any if empty."
    )


class CodeSent(Body):
    """A code that is on its way."""

    channel: str
    expires_at: str


class CodeTold(Body):
    """What the caller says the code is."""

    call: str = Field(max_length=64)
    code: Annotated[str, StringConstraints(strip_whitespace=True, pattern=rf"^[0-9]{{{DIGITS}}}$")]


class CodeChecked(Body):
    """Whether that was the code: the caller is this customer then, at assurance 3. `again`: another try is taken."""

    verified: bool
    again: bool


@router.post("/customers/{customer_id}/codes", status_code=201, responses=REFUSED)
async def send_code(request: Request, customer_id: str, body: CodeIn) -> CodeSent:
    """Send a customer a one-time code by Zalo or e-mail, to an identity that is surely theirs."""
    codes: CodeRequests = request.app.state.codes
    await own_talk(request, body.call, TALKS, IN_A_TALK)
    await audited(request, "customer.code.asked", customer_id)
    try:
        if not customer_id.isalnum():
            raise NoProfile(customer_id)
        # Whoever asked may be gone before the far end has answered; what goes out is written down all the same.
        asked = Asked(body.call, customer_id, body.by, spoken=True, who=name_of(request))
        sent = await asyncio.shield(codes.codes.send(asked))
    except NoProfile as error:
        raise HTTPException(404, NO_CUSTOMER) from error
    except TooManyCodes as error:
        raise HTTPException(429, "Too many codes were sent, or were wrong: ask the caller something else.") from error
    except NotReachable as error:
        raise HTTPException(409, f"No code is sent: {error}.") from error
    except KeepContended as error:
        raise HTTPException(503, "Other events of the same person keep coming first: send this one again.") from error
    if sent.cause:
        raise HTTPException(502, f"The code was not sent by {sent.channel}: {sent.cause}.")
    await audited(request, "customer.code.sent", customer_id)
    return CodeSent(channel=sent.channel, expires_at=iso(sent.expires_at))


@router.post("/customers/{customer_id}/codes/check", responses={each: REFUSED[each] for each in (404, 409)})
async def check_code(request: Request, customer_id: str, body: CodeTold) -> CodeChecked:
    """Compare what a caller says with the code that was sent to that customer in this call."""
    codes: CodeRequests = request.app.state.codes
    await own_talk(request, body.call, TALKS, IN_A_TALK)
    checked = await codes.codes.check(body.call, body.code, customer_id)
    await audited(request, f"customer.code.{checked.why}", customer_id)
    if checked.verdict == "verified":
        funnel = running_funnel(request)
        funnel.happened(CallerVerified(body.call, await codes.verified(checked), proven=True))
        await funnel.lane.drained()
    return CodeChecked(verified=checked.verdict == "verified", again=checked.verdict == "wrong")
