"""Codes that are sent to people, and what is keyed against them.

Rule 1: a code goes to an identity that somebody vouches for (assurance 2), and to no other, whatever the person is
worth otherwise: who is known by a number alone must not gain anything by typing an address of their own somewhere. Nor
does it go to one that several people use.
Rule 2: it is sent at once or not at all, past the outbox: what waits there lies on the disk with all its words. The
entry on the timeline, which is written before, has dots for the digits.
Rule 3: codes are for calls, and calls end with the process. So they are kept in its memory, as `code.Code`; how often
somebody was sent one, or was wrong, is counted in the database (`crm_bridge.attempts`).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import attempts, candidates, person, timeline
from crm_bridge.attempts import WINDOW_S, mark
from crm_bridge.codes import code, words
from crm_bridge.codes.code import PER_CALL, Code
from crm_bridge.keep import keep_event
from crm_bridge.match import SIGNED_ASSURANCE
from crm_bridge.notify import outbox
from crm_bridge.notify.choice import Choice, Known, NotReachable, choose
from crm_bridge.notify.courier import Sender
from crm_bridge.notify.outbox import Notifier, Wanted
from crm_bridge.notify.parcel import Parcel, Route, in_language
from crm_bridge.outgoing.schedule import Answer, Verdict
from crm_bridge.person import NoProfile, Person
from crm_bridge.rows import new_id
from crm_bridge.timeline import Recorded

SENT_PER_CALL: Final = 3
SENT_PER_PERSON: Final = 6
WRONG_PER_PERSON: Final = 6


log = structlog.get_logger("hotline.codes")


class TooManyCodes(NotReachable):
    """So many codes were sent, or so many wrong ones keyed, that no more are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A code that is to be sent to a customer (a profile) in a call. `by` are names of channels, or their kinds; none
    is any. `language` is the call's, "" for the person's own; `spoken`: an agent asks for it, whose name is `who`."""

    call: str
    customer: str
    by: Sequence[str] = ()
    valid_s: float = code.VALID_S
    language: str = ""
    spoken: bool = False
    who: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A code that the far end took, or (`cause`) did not."""

    channel: str
    expires_at: float
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What keys were. `customer` is whose code it was that was right. `why` is for the audit log."""

    verdict: code.Verdict
    customer: str = ""
    why: Literal["right", "wrong", "spent", "none", "exhausted"] = "none"


@dataclass(slots=True)
class Codes:
    """All codes that may still be keyed. `turn` is that of whoever writes; `key` is of this process alone, `draw` gives
    six digits that nobody can guess. `senders` are by the names of routes."""

    notifier: Notifier
    turn: asyncio.Lock
    now: Callable[[], float]
    key: bytes = field(repr=False)
    draw: Callable[[], str]
    senders: Mapping[str, Sender] = field(default_factory=dict)
    _codes: dict[str, Code] = field(default_factory=dict)

    # -------------------------------------------------------------------------------------------------- sending

    async def send(self, asked: Asked) -> Sent:
        """Send a code; once it is sent, the one before it in that call is good no more.

        Raises `NotReachable` (`TooManyCodes`), `NoProfile`, and what `keep_event` raises.
        """
        now, digits = self.now(), self.draw()
        self._codes = {call: each for call, each in self._codes.items() if each.expires_at > now - WINDOW_S}
        letters: list[tuple[Route, Parcel]] = []

        async def record(session: AsyncSession) -> Recorded:
            recorded, route, parcel = await self._record(session, asked, digits, now)
            letters[:] = [(route, parcel)]
            return recorded

        async with self.turn:
            kept = await keep_event(self.notifier.sessions, record, self.notifier.webhooks, now)
        if kept.told is not None:
            self.notifier.publish("interaction.created", kept.told)
        route, parcel = letters[0]
        answer = await self._deliver(route, parcel, now)
        cause = "" if 200 <= answer.status <= 299 else (answer.cause or f"HTTP {answer.status}")
        cause = cause.replace(digits, words.HIDDEN)
        expires_at = self.now() + asked.valid_s
        if not cause:
            self._codes[asked.call] = code.made(self.key, asked.call, asked.customer, digits, expires_at)
        await self._settle(kept.recorded.interaction.id, route, answer, cause)
        return Sent(route.name, expires_at, cause)

    async def _record(
        self, session: AsyncSession, asked: Asked, digits: str, now: float
    ) -> tuple[Recorded, Route, Parcel]:
        whom = await person.read(session, asked.customer)
        if whom is None:
            raise NoProfile(asked.customer)
        most = _marks("sent", asked.call, whom, SENT_PER_CALL, SENT_PER_PERSON)
        if await attempts.left(session, most | _wrong(asked.call, whom), now) <= 0:
            raise TooManyCodes("too many codes were sent, or wrong ones keyed; an hour later there may be more")
        spoken = words.text_of(digits, asked.valid_s, spoken=asked.spoken)
        language, text = in_language(spoken, asked.language or whom.language)
        _, subject = in_language(words.SUBJECT, language)
        known, heard = await self.notifier.reach(session, whom)
        own = [await _of_one(session, each) if each.assurance >= SIGNED_ASSURANCE else each for each in known]
        choice = self._choose(own, heard, asked.by, len(text), now)
        await attempts.count(session, most, now)
        wanted = Wanted(asked.customer, {}, automatic=not asked.spoken, by=asked.who, call=asked.call)
        told = text.replace(digits, words.HIDDEN)
        event = outbox.event_of(wanted, choice, new_id(), told, subject, now)
        recorded = await timeline.record(session, event, now)
        message_id = recorded.interaction.external_id or ""
        parcel = Parcel(choice.identity.value, text, subject, message_id, automatic=True, language=language)
        return recorded, choice.route, parcel

    def _choose(
        self, known: Sequence[Known], heard: Mapping[str, float], by: Sequence[str], length: int, now: float
    ) -> Choice:
        """Choose the first way that there is, in the order of `by`."""
        routes = list(routes_by(self.notifier.routes, by))
        if not routes:
            raise NotReachable(f"no codes are sent by {' or '.join(by) or 'anything'}: see `notify` in the settings")
        refused = []
        for route in routes:
            try:
                return choose(
                    (route,), known, heard, channel=route.name, least=SIGNED_ASSURANCE, length=length, now=now
                )
            except NotReachable as cause:
                refused.append(str(cause))
        raise NotReachable("; ".join(refused))

    async def _deliver(self, route: Route, parcel: Parcel, now: float) -> Answer:
        sender = self.senders.get(route.name)
        if sender is None:
            return Answer(0, "nothing sends by this channel yet")
        try:
            return await sender.send(parcel, now, now)
        except Exception as error:  # its words may be those of the message: they stand in no log
            log.error("a code breaks what should send it", channel=route.name, error=type(error).__name__)
            return Answer(0, f"our own fault: {type(error).__name__}")

    async def _settle(self, entry: str, route: Route, answer: Answer, cause: str) -> None:
        now = self.now()
        verdict = Verdict("dead" if cause else "delivered", 1, now, cause)
        async with self.turn, self.notifier.sessions() as session:
            item = await self.notifier.tell(session, entry, verdict, answer.reference, now)
            await session.commit()
        self.notifier.attempts[route.name, "dead" if cause else "sent"] += 1
        if item is not None:
            self.notifier.publish("interaction.updated", item)

    # ------------------------------------------------------------------------------------------------- checking

    async def check(self, call: str, digits: str, customer: str = "") -> Checked:
        """Compare keys with the code of a call; of this `customer`, where it is said."""
        now = self.now()
        async with self.turn, self.notifier.sessions() as session:
            known = self._codes.get(call)
            whom = None if known is None else await person.read(session, known.customer)
            if known is None or whom is None or (customer and customer not in whom.ids):
                return Checked("refused")
            most = _wrong(call, whom)
            left = await attempts.left(session, most, now)
            if left <= 0:
                self._codes.pop(call)
                await session.commit()
                return Checked("refused", why="exhausted")
            self._codes[call], verdict = code.tried(known, self.key, digits, now, last=left == 1)
            if verdict != "verified":
                await attempts.count(session, most, now)
            await session.commit()
        if verdict == "verified":
            return Checked(verdict, known.customer, "right")
        return Checked(verdict, why="wrong" if verdict == "wrong" else "spent")


async def _of_one(session: AsyncSession, known: Known) -> Known:
    """Return an identity; one that several people use is worth nothing here, whoever vouched for it."""
    whose = await candidates.of_identity(session, known.kind, known.value)
    return known if len(whose.profiles) == 1 and not whose.is_shared else replace(known, assurance=0)


def routes_by(routes: Sequence[Route], by: Sequence[str]) -> Iterator[Route]:
    """Yield the ways that are named, in that order; all, where none is."""
    seen = set()
    for wanted in by or [each.name for each in routes]:
        for each in routes:
            if wanted in (each.name, each.kind) and each.name not in seen:
                seen.add(each.name)
                yield each


def _wrong(call: str, whom: Person) -> dict[str, int]:
    return _marks("wrong", call, whom, PER_CALL, WRONG_PER_PERSON)


def _marks(what: str, call: str, whom: Person, per_call: int, per_person: int) -> dict[str, int]:
    """Return the marks of a call and of each profile of a person: a guest of theirs must not be the one that counts."""
    own = [each for each in whom.ids if each not in whom.guests]
    people = {mark(f"code {what} customer {each}"): per_person for each in own}
    return {mark(f"code {what} call {call}"): per_call} | people
