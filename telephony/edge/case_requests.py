"""What a flow does with cases: opens one for its caller, goes on with one, closes one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import case, person
from crm_bridge.case import CaseOfAnother, CaseReference, CaseState, CaseUnknown
from telephony.edge.flow_requests import Outcome
from telephony.events import FlowRequest
from telephony.requests import ChangeCase

CHANNEL: Final = "call"
MAX_SUBJECT: Final = 500
MAX_TOPIC: Final = 200


@dataclass(frozen=True, slots=True)
class CaseRequests:
    """Changes cases for flows, each deed in a transaction of its own."""

    sessions: async_sessionmaker[AsyncSession]
    now: Callable[[], float]

    async def perform(self, asked: FlowRequest) -> Outcome:
        """Open, go on with or close a case. Nobody has cases who is not known; another's case is nobody's to change."""
        request = asked.request
        if not isinstance(request, ChangeCase):
            raise TypeError(f"{type(request).__name__} is no request about a case")
        named = request.case or asked.case
        if not asked.customer or (request.deed != "open" and not named):
            return Outcome("failed")
        reference = self._reference(asked, request, named)
        async with self.sessions() as session:
            try:
                profiles = (await person.whole(session, asked.customer)).ids
                case_id = await case.attach(
                    session,
                    reference,
                    customer_id=asked.customer,
                    channel=CHANNEL,
                    occurred_at=self.now(),
                    profiles=profiles,
                )
                await session.commit()
            except (CaseUnknown, CaseOfAnother, person.NoProfile):
                return Outcome("failed")
        return Outcome("next", {"id": case_id})

    def _reference(self, asked: FlowRequest, request: ChangeCase, named: str) -> CaseReference:
        if request.deed == "open":
            # The same request again, after a restart of the database, opens no second case.
            return CaseReference(
                external_id=f"call {asked.call} {asked.number}",
                subject=request.subject[:MAX_SUBJECT] or asked.flow,
                topic=request.topic[:MAX_TOPIC],
                state="open",
            )
        state: CaseState | None = "closed" if request.deed == "close" else None
        return CaseReference(id=named, topic=request.topic[:MAX_TOPIC], state=state)
