"""Where channels deliver, `/hooks/NAME`: webhooks of those that sign, and forms of websites.

Reads `app.state.channels` (`crm_bridge.channels.door.Door`) and what `crm_bridge.routes` reads. Nobody has a token
here: a webhook proves itself by its signature, a form proves nothing.

Rule 1: nothing is looked at before the signature is good, and it is of the octets as they came.
Rule 2: 200 means that all of it is kept. Whatever is sent again changes nothing; what cannot be understood gets 200,
too, because its sender would send the same for hours and then give up on us.
Rule 3: an address without a channel answers as one whose signature is wrong.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from crm_bridge.channels.door import Door, Reason
from crm_bridge.channels.form import Form, FormFault, FormUnreadable, fields_of
from crm_bridge.channels.message import parsed
from crm_bridge.keep import KeepContended
from crm_bridge.mail.hook import BODY_S, MailHook
from crm_bridge.match import claim_by
from crm_bridge.routes import event_of, record_event

router = APIRouter(prefix="/hooks", tags=["channels"])

MAX_WEBHOOK_OCTETS: Final = 256 << 10
MAX_FORM_OCTETS: Final = 64 << 10
PREFLIGHT_S: Final = 600
REFUSED: Final = "The signature is missing or wrong, or there is no such channel."
NOT_HERE: Final = "There is no such form, or this page may not send it: see `channels.NAME.origins`."

BUSY: Final = "Too much comes at once: send this again in a moment."

_NO_TOKEN: Final[dict[str, Any]] = {"security": []}
_OBJECT: Final = {"schema": {"type": "object"}}
_DELIVERY: Final = _NO_TOKEN | {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": _OBJECT,
            "application/x-www-form-urlencoded": _OBJECT,
            "message/rfc822": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class WebhookTaken(BaseModel):
    """How many events of a body are kept now; receipts and the like are not kept."""

    events: int


class FormTaken(BaseModel):
    """The same for everybody: whether a person is known is nobody's business."""

    received: bool = True


@router.get("/{name}", openapi_extra=_NO_TOKEN, response_class=PlainTextResponse)
async def verify_webhook(request: Request, name: str) -> PlainTextResponse:
    """Answer Meta's question whether this address is ours (`hub.challenge`)."""
    channel = _door(request).signed.get(name)
    answer = channel and channel.challenge(request.query_params)
    if not answer:
        raise _refused(request, name, "token" if channel else "channel")
    return PlainTextResponse(answer)


async def _take_webhook(request: Request, name: str) -> WebhookTaken:
    """Take what a channel that signs has to tell."""
    channel = _door(request).signed.get(name)
    if channel is None:
        raise _refused(request, name, "channel")
    body = await _body(request, MAX_WEBHOOK_OCTETS)
    headers = _sent_once(request)
    if not channel.is_signed(body, headers):
        if channel.is_probe(body):
            return WebhookTaken(events=0)
        raise _refused(request, name, "signature")
    events = channel.events(parsed(body), name, request.app.state.clock.now())
    region = request.app.state.settings.region
    for each in events:
        await record_event(request, event_of(each, region, partial(claim_by, channel.own), public=True))
    return WebhookTaken(events=len(events))


@router.options("/{name}", include_in_schema=False, status_code=204)
async def ask_before_form(request: Request, name: str) -> Response:
    """Tell a browser whether a page may send the form (Fetch standard, CORS preflight)."""
    _, allowed = _form(request, name)
    more = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": str(PREFLIGHT_S),
    }
    return Response(status_code=204, headers={**allowed, **more})


@router.post(
    "/{name}",
    openapi_extra=_DELIVERY,
    responses={
        403: {"description": f"{REFUSED} Of a form: {NOT_HERE}"},
        408: {"description": "The body of an e-mail came too slowly."},
        413: {"description": "The body is too long."},
        415: {"description": "The body of a form is neither JSON nor form-encoded."},
        422: {"description": "A field is wrong, or no phone number and no e-mail address can be used."},
        429: {"description": "Too many forms came from this address."},
        503: {"description": "Too much comes at once; send it again."},
    },
)
async def take(request: Request, response: Response, name: str) -> WebhookTaken | FormTaken:
    """Take what a channel that signs has to tell, an e-mail as it is (signed like our own webhooks), or a form that
    somebody filled in: `phone` or `email`, and `name`, `subject`, `text`, `id`, whatever else."""
    if name in _door(request).forms:
        return await _take_form(request, response, name)
    if name in _door(request).letters:
        return await _take_letter(request, name, _door(request).letters[name])
    return await _take_webhook(request, name)


async def _take_letter(request: Request, name: str, hook: MailHook) -> WebhookTaken:
    """Take an e-mail."""
    headers = _sent_once(request)
    if not hook.is_fresh(headers, _now(request)):
        raise _refused(request, name, "signature")
    if hook.turn.locked():
        raise HTTPException(503, BUSY, {"Retry-After": "5"})
    async with hook.turn:
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(request, hook.max_octets)
        except TimeoutError:
            raise HTTPException(408, f"The body did not come within {BODY_S:g} s.") from None
        if not hook.is_signed(body, headers, _now(request)):
            raise _refused(request, name, "signature")
        try:
            mail = await hook.keep(body)
        except KeepContended:
            raise HTTPException(503, BUSY, {"Retry-After": "5"}) from None
    return WebhookTaken(events=int(mail.concerns_a_customer))


async def _take_form(request: Request, response: Response, name: str) -> FormTaken:
    """Take a form."""
    form, allowed = _form(request, name)
    response.headers.update(allowed)
    _wait_your_turn(request, name, allowed)
    body = await _body(request, MAX_FORM_OCTETS, allowed)
    try:
        fields = fields_of(body, request.headers.get("content-type", ""))
        if form.is_of_a_program(fields):
            _door(request).refuse(name, "program", _source(request), request.app.state.clock.now())
            return FormTaken()
        region = request.app.state.settings.region
        told = form.submission(fields, name, request.app.state.clock.now(), region)
    except FormUnreadable as error:
        raise HTTPException(415, f"The form cannot be read: {error}.", allowed) from None
    except FormFault as fault:
        raise HTTPException(422, _faults(fault), allowed) from None
    await record_event(request, event_of(told, region, partial(claim_by, None), public=True))
    return FormTaken()


def _door(request: Request) -> Door:
    door: Door = request.app.state.channels
    return door


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _refused(request: Request, name: str, reason: Reason) -> HTTPException:
    _door(request).refuse(name, reason, _source(request), request.app.state.clock.now())
    return HTTPException(403, REFUSED)


def _sent_once(request: Request) -> dict[str, str]:
    """Return the headers that came once: of two signatures, two readers could believe two."""
    return {key: values[0] for key in request.headers if len(values := request.headers.getlist(key)) == 1}


async def _body(request: Request, most: int, headers: Mapping[str, str] | None = None) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise HTTPException(413, f"The body is longer than {most} octets.", dict(headers or {}))
    return bytes(body)


def _form(request: Request, name: str) -> tuple[Form, dict[str, str]]:
    """Return the form, and the headers that let the page which asks read the answer.

    What is no page (a program of the website's own server) sends no Origin, and is let in: whoever can leave it out can
    also make one up.
    """
    form = _door(request).forms.get(name)
    origins = request.headers.getlist("origin")
    if form is None or len(origins) > 1 or (origins and origins[0].lower() not in form.origins):
        _door(request).refuse(name, "channel" if form is None else "origin", _source(request), _now(request))
        raise HTTPException(403, NOT_HERE)
    return form, {"Vary": "Origin"} | ({"Access-Control-Allow-Origin": origins[0]} if origins else {})


def _now(request: Request) -> float:
    now: float = request.app.state.clock.now()
    return now


def _wait_your_turn(request: Request, name: str, headers: Mapping[str, str]) -> None:
    door, source, now = _door(request), _source(request), _now(request)
    wait_s = door.throttles[name].wait_s(source, now)
    if wait_s:
        door.refuse(name, "rate", source, now)
        retry = {"Retry-After": str(int(wait_s) + 1)}
        raise HTTPException(429, "Too many forms came from your address: try again later.", {**headers, **retry})
    door.throttles[name].failed(source, now)


def _faults(fault: FormFault) -> dict[str, Any]:
    return {
        "detail": "What was sent is not what is due here; see `errors`.",
        "errors": [{"pointer": fault.pointer or "#", "detail": str(fault)}],
    }
