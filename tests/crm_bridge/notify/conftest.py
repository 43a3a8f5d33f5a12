"""A database with the timeline and the outbox of messages, and people in it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from crm_bridge import timeline
from crm_bridge.case import CaseReference
from crm_bridge.match import claim, claim_by
from crm_bridge.notify.outbox import Notifier, Wanted
from crm_bridge.notify.parcel import Route
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.tables import Interaction
from hotline.database import Sessions

NOW = 1_800_000_000.0
ZALO, EMAIL = Route("zalo", "zalo", retries_s=(5.0, 300.0)), Route("email", "email", "shop.vn", retries_s=(5.0, 300.0))
HOUR_S, DAY_S = 3600.0, 86_400.0


@dataclass
class House:
    """A notifier, and what it told."""

    sessions: Sessions
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        tell = lambda type_, body: self.told.append((type_, body))  # noqa: E731
        self.notifier = Notifier(self.sessions, "VN", [ZALO, EMAIL], publish=tell)

    async def wrote(self, kind: Any, value: str, *, at: float = NOW - HOUR_S, **more: Any) -> timeline.Recorded:
        """Somebody writes by Zalo, or by an e-mail that a trusted server vouches for unless it is `claimed`."""
        claimed = more.pop("claimed", False)
        channel = "zalo" if kind == "zalo" else "email"
        proof = claim_by(None, kind, value) if claimed else claim(channel, kind, value)
        event = timeline.NewInteraction(channel, "inbound", at, (proof,), **more)
        async with self.sessions() as session:
            recorded = await timeline.record(session, event, NOW)
            await session.commit()
        return recorded

    async def send(self, customer: str, text: Any = "Xin chào", *, now: float = NOW, **more: Any) -> Interaction:
        """Queue a message."""
        texts = {"": text} if isinstance(text, str) else text
        subject = more.pop("subject", "Đơn 7")
        subjects = {"": subject} if isinstance(subject, str) and subject else subject or {}
        kept = await self.notifier.send(Wanted(customer, texts, subjects, **more), now)
        return kept.recorded.interaction

    async def rows(self) -> list[OutgoingMessage]:
        async with self.sessions() as session:
            return list(await session.scalars(select(OutgoingMessage).order_by(OutgoingMessage.id)))

    async def entry(self, id_: str) -> Interaction:
        async with self.sessions() as session:
            return await session.get_one(Interaction, id_)


@pytest.fixture
def house(sessions: Sessions) -> House:
    return House(sessions)


ABOUT_7 = CaseReference(external_id="mail:<1@example.vn>", subject="Đơn hàng 7")
