"""Codes of a real database, far ends that take them, and people who wrote."""

import asyncio
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from crm_bridge import person
from crm_bridge.codes.book import Asked, Codes, Sent
from crm_bridge.match import Claim, claim, claim_by
from crm_bridge.notify.courier import Fault
from crm_bridge.notify.outbox import Notifier
from crm_bridge.notify.parcel import Parcel
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.timeline import NewInteraction, record
from crm_bridge.webhooks.outbox import Webhooks
from hotline.database import Sessions
from tests.crm_bridge.notify.conftest import EMAIL, NOW, ZALO
from tests.crm_bridge.webhooks.receiver import endpoint

PHONE = "+84912345678"
ON_PHONE = claim("call", "phone", PHONE)
ON_ZALO, BY_MAIL = claim_by("zalo", "zalo", "lan"), claim_by("email", "email", "lan@example.vn")


@dataclass
class FarEnd:
    """Takes messages, unless it is told to say something else."""

    answer: Answer = field(default_factory=lambda: Answer(200, reference="m1"))
    parcels: list[Parcel] = field(default_factory=list)
    fault: Fault | None = None

    async def send(self, parcel: Parcel, _written_at: float, _now: float) -> Answer:
        self.parcels.append(parcel)
        return self.answer

    async def close(self) -> None:
        """Nothing is open."""


class Office:
    """Codes, their far ends, and people who wrote."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.now = NOW
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.zalo, self.email = FarEnd(), FarEnd()
        drawn = (f"{number:06}" for number in itertools.count(100_001))
        notifier = Notifier(sessions, "VN", [ZALO, EMAIL], Webhooks([endpoint()]), self.publish)
        self.codes = Codes(
            notifier, asyncio.Lock(), lambda: self.now, b"k" * 32, lambda: next(drawn),
            {"zalo": self.zalo, "email": self.email},
        )  # fmt: skip

    def publish(self, type_: str, body: dict[str, Any]) -> None:
        """Tell whoever listens."""
        self.told.append((type_, body))

    async def wrote(self, channel: str, *claims: Claim, at: float = NOW - 60.0) -> str:
        async with self.sessions() as session:
            recorded = await record(session, NewInteraction(channel, "inbound", at, claims), at)
            await session.commit()
        return recorded.person

    async def lan(self) -> str:
        """A customer who calls, and has shown that this Zalo account and this address are hers."""
        lan = await self.wrote("call", ON_PHONE)
        await self.links(lan, ON_ZALO, "zalo")
        await self.links(lan, BY_MAIL, "email")
        return lan

    async def links(self, customer: str, proof: Claim, channel: str) -> None:
        """Somebody looks at the account, and says that it is this customer's."""
        other = await self.wrote(channel, proof)
        async with self.sessions() as session:
            await person.merge(session, customer, other, person.Grounds("seen", "page", "huong"), NOW)
            await session.commit()

    async def send(self, customer: str, call: str = "call", by: Sequence[str] = (), **more: Any) -> Sent:
        return await self.codes.send(Asked(call, customer, by, **more))

    @property
    def code(self) -> str:
        """The code in the newest message."""
        (found,) = re.findall(r"\b\d{6}\b", (self.zalo.parcels or self.email.parcels)[-1].text)
        return str(found)

    async def check(self, digits: str, call: str = "call", customer: str = "") -> str:
        return (await self.codes.check(call, digits, customer)).verdict

    async def everything(self) -> str:
        """All that the database holds, as text."""
        async with self.sessions() as session:
            tables = (await session.execute(text("select name from sqlite_master where type='table'"))).scalars().all()
            rows = [(await session.execute(text(f'select * from "{name}"'))).all() for name in tables]  # noqa: S608
        return repr(rows)
