"""Messages to people over HTTP, and those that did not get out. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.routes` reads, `notifier` (`outbox.Notifier`) and `audit`. What a message says is
not shown here: it is on the person's timeline.
"""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select

from crm_bridge.asker import audited, name_of
from crm_bridge.case import CaseOfAnother, CaseSubjectMissing, CaseUnknown
from crm_bridge.keep import KeepContended
from crm_bridge.lines import Channel, ExternalId, Language, Line, Shape, Text
from crm_bridge.notify.choice import AUTO, NotReachable
from crm_bridge.notify.outbox import STATES, KeyOfAnother, Notifier, SubjectMissing, Wanted
from crm_bridge.notify.parcel import MAX_TEXT
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.person import NoProfile
from crm_bridge.routes import NO_CUSTOMER, Reading, case_of, invalid
from crm_bridge.shapes import CaseIn
from telephony.clock import iso

router = APIRouter(tags=["messages"])

MAX_ID: Final = 2**63 - 1
MAX_LANGUAGES: Final = 20
NO_MESSAGE: Final = "There is no such failed message; GET /api/v1/messages?state=failed lists them."

State = Literal["queued", "failed"]


def _with_words(words: "Words") -> "Words":
    texts = [words] if isinstance(words, str) else list(words.values())
    if not texts or not all(each.strip() for each in texts):
        raise ValueError("says nothing: write what the person is to read")
    return words


Words = (
    Annotated[Text, Field(max_length=max(MAX_TEXT.values()))]
    | Annotated[
        dict[Language, Annotated[Text, Field(max_length=max(MAX_TEXT.values()))]], Field(max_length=MAX_LANGUAGES)
    ]
)
Subject = Annotated[Line, Field(max_length=500)]


class MessageIn(Shape):
    """A message to a person. `text` and `subject` are one text, or one for each language (`{"vi": …, "en": …}`): the
    person's own is sent, else the first.

    `case` is an existing case's id, or one as `POST /interactions` takes it.
    """

    channel: Annotated[Channel, Field(description="One that sends, or `auto`: by which they wrote last.")] = AUTO
    text: Annotated[Words, AfterValidator(_with_words)]
    subject: Subject | Annotated[dict[Language, Subject], Field(max_length=MAX_LANGUAGES)] = ""
    case: Annotated[Line, Field(min_length=1, max_length=32)] | CaseIn | None = None
    external_id: Annotated[
        ExternalId | None, Field(description="Your id of the message. The same one again sends nothing and gets 200.")
    ] = None
    to: Annotated[Text, Field(max_length=255, description="Which of the person's identities; the best if empty.")] = ""
    claimed: Annotated[
        bool, Field(description="Send even to an identity that somebody only claimed to have: a stranger may read it.")
    ] = False


class MessageQueued(Shape):
    """A message that is on its way. `id` is its entry on the timeline, whose `attributes.delivery` says what becomes of
    it; `state` is that of now."""

    id: str
    customer: str
    channel: str
    case: str | None
    state: str


class WaitingOut(Shape):
    """A message that is not out. `id` is its entry on the timeline."""

    id: str
    channel: str
    customer: str
    state: State
    attempts: int
    error: str
    created_at: str
    next_at: Annotated[str | None, Field(description="When it is tried again; null for one that is not.")]


class WaitingPage(Shape):
    """Messages in the order in which they were written. `next` is `after` of the next page, null on the last."""

    items: list[WaitingOut]
    next: int | None


class WaitingQuery(Shape):
    """Which messages that are not out."""

    channel: Annotated[Channel | None, Field(description="Those of one channel.")] = None
    state: State = "failed"
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[int, Field(ge=0, le=MAX_ID, description="`next` of the page before.")] = 0


class ReplayIn(Shape):
    """Of which channel everything that failed is to be sent again."""

    channel: Channel


class MessagesReplayed(Shape):
    """How many messages wait to be sent again."""

    replayed: int


@router.post(
    "/customers/{customer_id}/messages",
    status_code=202,
    responses={
        200: {"model": MessageQueued, "description": "Sent before under this `external_id`; nothing was sent now."},
        404: {"description": "There is no such customer."},
        409: {"description": "The person cannot be written to in this way, or the case or the id is another's."},
        503: {"description": "Other events of the same person keep coming first; send it again."},
    },
)
async def send_message(request: Request, response: Response, customer_id: str, body: MessageIn) -> MessageQueued:
    """Send a message to a person by Zalo or e-mail. It is on the timeline at once, and sent in a moment."""
    notifier: Notifier = request.app.state.notifier
    wanted = _wanted(request, customer_id, body)
    try:
        if not customer_id.isalnum():
            raise NoProfile(customer_id)
        kept = await notifier.send(wanted, request.app.state.clock.now())
    except NoProfile as error:
        raise HTTPException(404, NO_CUSTOMER) from error
    except (NotReachable, KeyOfAnother, CaseOfAnother) as error:
        raise HTTPException(409, f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    except CaseUnknown as error:
        raise invalid(("body", "case"), str(error)) from error
    except CaseSubjectMissing as error:
        raise invalid(("body", "case", "subject"), str(error)) from error
    except SubjectMissing as error:
        raise invalid(("body", "subject"), str(error)) from error
    except KeepContended as error:
        raise HTTPException(503, "Other events of the same person keep coming first: send this one again.") from error
    entry = kept.recorded.interaction
    if kept.told is None:
        response.status_code = 200
    else:
        await audited(request, "message.sent", entry.id)
    return MessageQueued(
        id=entry.id,
        customer=kept.recorded.person,
        channel=entry.channel,
        case=entry.case_id,
        state=entry.attributes["delivery"]["state"],
    )


@router.get("/messages")
async def list_messages(session: Reading, wanted: Annotated[WaitingQuery, Query()]) -> WaitingPage:
    """List messages that wait, or that could not be sent."""
    states = {said: state for state, said in STATES.items()}
    query = select(OutgoingMessage).where(
        OutgoingMessage.state == states[wanted.state], OutgoingMessage.id > wanted.after
    )
    if wanted.channel is not None:
        query = query.where(OutgoingMessage.endpoint == wanted.channel)
    found = (await session.scalars(query.order_by(OutgoingMessage.id).limit(wanted.limit + 1))).all()
    page = found[: wanted.limit]
    return WaitingPage(
        items=[_waiting_out(row, wanted.state) for row in page],
        next=page[-1].id if len(found) > wanted.limit else None,
    )


@router.post("/messages/replay", status_code=202, responses={404: {"description": "No such channel sends."}})
async def replay_messages(request: Request, body: ReplayIn) -> MessagesReplayed:
    """Send everything again that a channel could not send."""
    if _notifier(request).find(body.channel) is None:
        raise HTTPException(404, f"No messages are sent by `{body.channel}`: see the settings.")
    return MessagesReplayed(replayed=await _replay(request, body.channel, None, body.channel))


@router.post(
    "/messages/{interaction_id}/replay",
    status_code=202,
    responses={404: {"description": "There is no such failed message."}},
)
async def replay_message(request: Request, interaction_id: str) -> MessagesReplayed:
    """Send a message again that could not be sent, by the id of its entry on the timeline."""
    async with request.app.state.sessions() as session:
        await session.connection(execution_options={"read_only": True})
        named = OutgoingMessage.interaction_id == interaction_id
        row = await session.scalar(select(OutgoingMessage).where(named)) if interaction_id.isalnum() else None
    known = row is not None and _notifier(request).find(row.endpoint) is not None
    replayed = await _replay(request, row.endpoint, row.id, interaction_id) if row is not None and known else 0
    if not replayed:
        raise HTTPException(404, NO_MESSAGE)
    return MessagesReplayed(replayed=replayed)


def _notifier(request: Request) -> Notifier:
    notifier: Notifier = request.app.state.notifier
    return notifier


async def _replay(request: Request, channel: str, id_: int | None, about: str) -> int:
    await audited(request, "messages.replayed", about)
    async with request.app.state.sessions() as session:
        replayed = await _notifier(request).replay(session, channel, request.app.state.clock.now(), id_)
        await session.commit()
    return replayed


def _wanted(request: Request, customer_id: str, body: MessageIn) -> Wanted:
    return Wanted(
        customer=customer_id,
        text=_by_language(body.text),
        subject=_by_language(body.subject),
        channel=body.channel,
        case=case_of(body.case),
        key=body.external_id or "",
        to=body.to.strip(),
        claimed=body.claimed,
        by=name_of(request),
    )


def _by_language(words: str | dict[str, str]) -> dict[str, str]:
    return {"": words} if isinstance(words, str) else words


def _waiting_out(row: OutgoingMessage, state: State) -> WaitingOut:
    return WaitingOut(
        id=row.interaction_id,
        channel=row.endpoint,
        customer=row.customer_id,
        state=state,
        attempts=row.attempts,
        error=row.error,
        created_at=iso(row.created_at),
        next_at=iso(row.next_at) if state == "queued" else None,
    )
