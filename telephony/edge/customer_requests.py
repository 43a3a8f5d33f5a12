"""What flows ask about customers: who has an identity, and whether an answer is the caller's.

Rule 1: a look-up proves nothing and releases nothing personal: whoever knows somebody's address is not that somebody.
Whom it finds is asked about by the next question.
Rule 2: an attempt to prove who one is stands in the audit log, by the call, the field and what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, get_args

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import candidates, context, verification
from crm_bridge.advice import Advice
from crm_bridge.identity import Kind, normalise
from telephony.edge.flow_requests import FlowRequests, Outcome
from telephony.events import ANSWERED, CallerVerified, CandidatesFound, FlowRequest
from telephony.requests import FindCustomer, Values, VerifyCaller

KINDS: Final[dict[str, Kind]] = {kind: kind for kind in get_args(Kind)}
OUTCOMES: Final = {"refused": "refused", "exhausted": "refused", "unknown": "failed"}
WHO: Final = "caller"
SOURCE: Final = "phone"

Note = Callable[[float, str, str, str, str], Awaitable[None]]
"""Writes into the audit log: instant, who, what, about what, source."""


@dataclass(slots=True)
class CustomerRequests:
    """Performs them. `turn` is that of whoever writes, `note` writes into the audit log where there is one,
    `advice` says why whoever is verified probably calls, and what they may be offered."""

    sessions: async_sessionmaker[AsyncSession]
    turn: asyncio.Lock
    region: str
    now: Callable[[], float]
    note: Note | None = None
    advice: Advice = context.NO_OFFERS

    def register(self, requests: FlowRequests) -> None:
        """Have requests about customers performed here."""
        requests.register(FindCustomer, self.find)
        requests.register(VerifyCaller, self.verify)

    async def find(self, asked: FlowRequest) -> Outcome:
        """Look up whose an identity is: `found`, `not_found` or `several`."""
        request = asked.request
        assert isinstance(request, FindCustomer)  # noqa: S101 - it is registered for nothing else
        kind = KINDS.get(request.by)
        value = normalise(kind, request.value, self.region) if kind is not None else ""
        if not value:
            return Outcome("not_found")
        async with self.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            whose = await candidates.of_identity(session, str(kind), value)
            if not whose.profiles:
                return Outcome("not_found")
            told = CandidatesFound(asked.call, whose.profiles)
            if len(whose.profiles) > 1 or whose.is_shared:
                return Outcome("several", {"count": len(whose.profiles)}, (told,))
            found = await context.read(session, whose.profiles[0], 0, self.now())
        values: Values = {
            "id": found.customer,
            "language": found.language,
            "open_cases": len(found.open_cases),
        }
        return Outcome("found", values, (told,))

    async def verify(self, asked: FlowRequest) -> Outcome:
        """Compare an answer with what is known of those whom the caller may be: `verified`, `refused`, or `failed`
        where nothing is known of them that it could be compared with."""
        request = asked.request
        assert isinstance(request, VerifyCaller)  # noqa: S101 - likewise
        question = verification.Asked(asked.call, asked.ani, asked.candidates, request.field, request.value)
        async with self.turn, self.sessions() as session:
            result = await verification.verify(session, question, self.now())
            found = None
            if result.verdict == "verified":
                found = await context.read(session, result.customer, ANSWERED, self.now(), self.advice)
            await session.commit()
        await self._audit(asked, request.field, result.verdict)
        if found is None:
            return Outcome(OUTCOMES[result.verdict])
        proven = verification.proves(request.field)
        who = msgspec.structs.replace(found, verified_by=request.field)
        return Outcome("verified", events=(CallerVerified(asked.call, who, proven),))

    async def _audit(self, asked: FlowRequest, field: str, verdict: str) -> None:
        if self.note is not None:
            what = f"caller.verify.{field[:24]}.{verdict}"
            # Not by `refused`, which is written once a minute: here each attempt counts.
            await self.note(self.now(), WHO, what.replace(".refused", ".not_verified"), asked.call, SOURCE)
