"""Messages to people: onto the timeline and into the outbox, and what became of them.

Rule 1: a message, its entry on the timeline and what the webhooks are told of it are written in one transaction, or not
at all. It is sent after that.
Rule 2: the same key gives the same message, whoever sends it again and by whatever way: nobody is written to twice.
Rule 3: what became of a message stands in `delivery` of its entry's attributes. Only what is here writes there.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import joining, person, timeline
from crm_bridge.case import CaseReference
from crm_bridge.identity import Kind, normalise
from crm_bridge.keep import Kept, keep_event
from crm_bridge.mail.record import first_line
from crm_bridge.match import Claim
from crm_bridge.notify import thread
from crm_bridge.notify.choice import AUTO, KNOWN, Choice, Known, choose
from crm_bridge.notify.parcel import EMAIL, Parcel, Route, digits_of, in_language
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.outgoing import queue
from crm_bridge.outgoing.schedule import Verdict
from crm_bridge.outgoing.table import MAX_ERROR_LENGTH
from crm_bridge.person import NoProfile, Person
from crm_bridge.present import interaction_out
from crm_bridge.rows import new_id
from crm_bridge.tables import Customer, Identity, Interaction
from crm_bridge.timeline import NewInteraction, Recorded
from crm_bridge.webhooks.outbox import Webhooks
from telephony.clock import iso

STATES: Final[Mapping[str, str]] = {"pending": "queued", "delivered": "sent", "dead": "failed"}
"""What the states of an outbox are called of a message: that the far end took it is all that we know."""

Sessions = async_sessionmaker[AsyncSession]


class KeyOfAnother(ValueError):
    """The key is that of a message to somebody else."""


class SubjectMissing(ValueError):
    """An e-mail that answers nothing needs a subject."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that somebody wants to be sent. `text` and `subject` are by language, or have the one key "".

    `channel` is a route's name, or `auto`; `to` one of the person's identities, in any spelling, "" for the best;
    `language` what is spoken already, "" for the person's own; `by` who sends it; `call` the call in
    which it was sent, if any.
    """

    customer: str
    text: Mapping[str, str]
    subject: Mapping[str, str] = field(default_factory=dict)
    channel: str = AUTO
    case: CaseReference | None = None
    key: str = ""
    to: str = ""
    claimed: bool = False
    automatic: bool = False
    language: str = ""
    by: str = ""
    call: str = ""


@dataclass(slots=True)
class Notifier:
    """Writes messages. `routes` are the ways there are, in the order of the settings; `attempts` counts how they ended
    since the start, by route and outcome (`sent`, `failed`, `dead`)."""

    sessions: Sessions
    region: str
    routes: Sequence[Route] = ()
    webhooks: Webhooks = field(default_factory=Webhooks)
    publish: Callable[[str, dict[str, Any]], None] = lambda _type, _body: None
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def find(self, name: str) -> Route | None:
        """Return a route by its name."""
        return next((each for each in self.routes if each.name == name), None)

    async def send(self, wanted: Wanted, now: float) -> Kept:
        """Queue a message, commit, and tell whoever listens; a key that is known changes nothing.

        Raises `NoProfile`, `NotReachable`, `KeyOfAnother`, `SubjectMissing`, what `crm_bridge.case.attach` raises, and
        `KeepContended`.
        """
        kept = await keep_event(self.sessions, lambda session: self._record(session, wanted, now), self.webhooks, now)
        if kept.told is not None:
            self.publish("interaction.created", kept.told)
        return kept

    async def _record(self, session: AsyncSession, wanted: Wanted, now: float) -> Recorded:
        whom = await person.read(session, wanted.customer)
        if whom is None:
            raise NoProfile(wanted.customer)
        digits = digits_of(wanted.key) if wanted.key else new_id()
        before = await self._sent_before(session, digits, whom) if wanted.key else None
        if before is not None:
            return Recorded(before, whom.id, repeated=True)
        language, text = in_language(wanted.text, wanted.language or whom.language)
        choice = await self._choose(session, whom, wanted, len(text), now)
        _, subject = in_language(wanted.subject, language or wanted.language or whom.language)
        recorded = await timeline.record(session, event_of(wanted, choice, digits, text, subject, now), now)
        if not recorded.repeated:
            entry = recorded.interaction
            references: tuple[str, ...] = ()
            if choice.route.kind == "email":
                letters = await thread.of_case(session, entry.case_id, but=entry.id)
                references = letters.references
                entry.subject = entry.subject or letters.answer or (first_line(text) if wanted.automatic else "")
                if not entry.subject:
                    raise SubjectMissing("an e-mail that answers none needs a `subject`")
            parcel = Parcel(
                to=choice.identity.value,
                text=text,
                subject=entry.subject,
                message_id=entry.external_id or "",
                references=references,
                automatic=wanted.automatic,
                language=language,
            )
            session.add(_row(choice.route, recorded, parcel, now))
            await session.flush()
        return recorded

    async def _sent_before(self, session: AsyncSession, digits: str, whom: Person) -> Interaction | None:
        """Return the message of a key. Raises `KeyOfAnother`."""
        for route in self.routes:
            same = (Interaction.channel == route.name, Interaction.external_id == route.external_id(digits))
            found = await session.scalar(select(Interaction).where(*same))
            if found is not None and found.customer_id not in whom.ids:
                raise KeyOfAnother("a message to somebody else has this `external_id`: send one of its own")
            if found is not None:
                return found
        return None

    async def reach(self, session: AsyncSession, whom: Person) -> tuple[list[Known], dict[str, float]]:
        """Return the identities of a person, and when they last wrote by each of the ways there are."""
        rows = await session.scalars(select(Identity).where(Identity.customer_id.in_(whom.ids)))
        known = [Known(row.kind, row.value, *joining.worth(row, whom), row.source, row.created_at) for row in rows]
        heard = await session.execute(
            select(Interaction.channel, func.max(Interaction.occurred_at))
            .where(
                Interaction.customer_id.in_(whom.ids),
                Interaction.direction == "inbound",
                Interaction.channel.in_([route.name for route in self.routes]),
            )
            .group_by(Interaction.channel)
        )
        return known, {channel: at for channel, at in heard}  # noqa: C416 - mypy does not take rows for pairs

    async def _choose(self, session: AsyncSession, whom: Person, wanted: Wanted, length: int, now: float) -> Choice:
        known, heard = await self.reach(session, whom)
        return choose(
            self.routes,
            known,
            heard,
            channel=wanted.channel,
            to=self._normalised(wanted.to),
            least=0 if wanted.claimed else KNOWN,
            length=length,
            now=now,
        )

    def _normalised(self, written: str) -> str:
        kind: Kind = "email" if "@" in written else "zalo"
        return normalise(kind, written, self.region) or written if written else ""

    # ------------------------------------------------------------------------------------------- what became of it

    async def settle(
        self, session: AsyncSession, sent: OutgoingMessage, verdict: Verdict, reference: str, now: float
    ) -> dict[str, Any] | None:
        """Write what became of an attempt, there and on the timeline; return what listeners are to be told of it.
        `reference` is the far end's name for the message. Commits nothing."""
        await queue.settle(session, OutgoingMessage, sent, verdict, now)
        return await self.tell(session, sent.interaction_id, verdict, reference, now)

    async def tell(
        self, session: AsyncSession, interaction_id: str, verdict: Verdict, reference: str, now: float
    ) -> dict[str, Any] | None:
        """Write what became of an attempt on the timeline, and for the webhooks; return what listeners are to be told
        of it. Commits nothing."""
        delivery: dict[str, Any] = {"state": STATES[verdict.state], "attempts": verdict.attempts}
        if verdict.state == "delivered":
            delivery |= {"at": iso(now)} | ({"reference": reference} if reference else {})
        else:
            delivery["error"] = verdict.error
        told = await say(session, interaction_id, delivery)
        if told is not None and verdict.state != "pending":
            await self.webhooks.tell(session, "interaction.updated", told, customer=told["customer"], now=now)
        return told

    async def bury_strangers(self, session: AsyncSession, names: Sequence[str], cause: str, now: float) -> None:
        """Fail what waits for routes that are none of `names` any more. Commits nothing."""
        waiting = select(OutgoingMessage).where(
            OutgoingMessage.state == "pending", OutgoingMessage.endpoint.not_in(names)
        )
        for row in (await session.scalars(waiting)).all():
            await self.settle(session, row, Verdict("dead", row.attempts, now, cause), "", now)

    async def replay(self, session: AsyncSession, route: str, now: float, id_: int | None = None) -> int:
        """Make one failed message wait again, or all of a route; return how many. Commits nothing."""
        ids = await queue.replay(session, OutgoingMessage, route, now, id_)
        for row in await session.scalars(select(OutgoingMessage).where(OutgoingMessage.id.in_(ids))):
            await say(session, row.interaction_id, {"state": "queued", "attempts": 0})
        return len(ids)


async def give_back(session: AsyncSession, message_id: str, cause: str, now: float) -> dict[str, Any] | None:
    """Write that an e-mail of ours came back, so that it can be replayed like any that failed; return what listeners
    are to be told, None where there is nothing new. Commits nothing."""
    ours = (Interaction.channel == EMAIL, Interaction.external_id == message_id, Interaction.direction == "outbound")
    entry = await session.scalar(select(Interaction).where(*ours))
    delivery = entry.attributes.get("delivery") if entry is not None else None
    # Of an entry that another system posted, anything may stand there.
    if entry is None or not isinstance(delivery, dict) or delivery.get("state") != STATES["delivered"]:
        return None
    error = f"returned: {cause}"
    of_entry = (OutgoingMessage.interaction_id == entry.id, OutgoingMessage.state == "delivered")
    dead = {"state": "dead", "error": error[:MAX_ERROR_LENGTH], "finished_at": now}
    await session.execute(update(OutgoingMessage).where(*of_entry).values(dead))
    return await say(session, entry.id, delivery | {"state": STATES["dead"], "error": error})


async def say(session: AsyncSession, interaction_id: str, delivery: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write what became of a message into its entry; return what listeners are to be told, None where it is gone.
    Commits nothing."""
    entry = await session.get(Interaction, interaction_id, populate_existing=True)
    if entry is None:
        return None
    entry.attributes = entry.attributes | {"delivery": dict(delivery)}
    await session.flush()
    home = await session.get_one(Customer, entry.customer_id)
    return {"customer": home.person_id or home.id} | interaction_out(entry).model_dump(mode="json")


def event_of(wanted: Wanted, choice: Choice, digits: str, text: str, subject: str, now: float) -> NewInteraction:
    """Return the entry of a message on the timeline; `digits` are what it is known by (`parcel.digits_of`)."""
    identity = choice.identity
    attributes: dict[str, Any] = {"delivery": {"state": "queued", "attempts": 0}}
    if wanted.by:
        attributes["by"] = wanted.by
    if wanted.automatic:
        attributes["automatic"] = True
    if wanted.call:
        attributes["call"] = wanted.call
    if wanted.key:
        attributes["key"] = wanted.key
    return NewInteraction(
        channel=choice.route.name,
        direction="outbound",
        occurred_at=now,
        # What is known already: nothing is linked, made or raised by writing to somebody.
        claims=(Claim(choice.route.kind, identity.value, identity.assurance, identity.confidence),),
        subject=subject if choice.route.kind == "email" else "",
        text=text,
        case=wanted.case,
        external_id=choice.route.external_id(digits),
        attributes=attributes,
    )


def _row(route: Route, recorded: Recorded, parcel: Parcel, now: float) -> OutgoingMessage:
    return OutgoingMessage(
        interaction_id=recorded.interaction.id,
        endpoint=route.name,
        customer_id=recorded.person,
        body=msgspec.json.encode(parcel).decode(),
        state="pending",
        attempts=0,
        next_at=now,
        error="",
        created_at=now,
        finished_at=None,
    )
