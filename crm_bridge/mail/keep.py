"""A message that has come, by whatever door, on the timeline and told to whoever listens. Here it is committed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.keep import keep_event
from crm_bridge.mail.message import Mail, parse
from crm_bridge.mail.place import Place, write_place
from crm_bridge.mail.record import record
from crm_bridge.mail.report import Returned, returned
from crm_bridge.notify.outbox import give_back
from crm_bridge.timeline import Recorded
from crm_bridge.webhooks.outbox import Webhooks


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps messages. `now` is the time in seconds since the epoch, `publish` (type, body) tells the listeners and
    `webhooks` everybody else, `own` are our own normalised addresses."""

    sessions: async_sessionmaker[AsyncSession]
    now: Callable[[], float]
    publish: Callable[[str, Mapping[str, Any]], None]
    webhooks: Webhooks
    own: frozenset[str] = frozenset()

    async def keep(
        self,
        raw: bytes,
        received_at: float | None,
        *,
        trusted: tuple[str, ...] = (),
        envelope_sender: str | None = None,
        place: Place | None = None,
    ) -> Mail:
        """Record a message that concerns a customer, and with it how far its folder has been read (`place`).

        Raises `crm_bridge.keep.KeepContended` and the database's errors; then nothing is written.
        """
        now = self.now()
        at = now if received_at is None else min(max(received_at, 0.0), now)
        # A large message takes a thread some milliseconds; calls go on meanwhile.
        mail = await asyncio.to_thread(
            parse, raw, received_at=at, trusted=trusted, own=self.own, envelope_sender=envelope_sender
        )
        report = await asyncio.to_thread(returned, raw) if mail.kind == "bounce" else None
        if mail.concerns_a_customer:
            await self._record(mail, place)
        elif report is not None:
            await self._give_back(report, place)
        elif place is not None:
            await self.keep_place(place)
        return mail

    async def _give_back(self, report: Returned, place: Place | None) -> None:
        now = self.now()
        async with self.sessions() as session:
            told = await give_back(session, report.message_id, report.cause, now)
            if told is not None:
                await self.webhooks.tell(session, "interaction.updated", told, customer=told["customer"], now=now)
            if place is not None:
                await write_place(session, place)
            await session.commit()
        if told is not None:
            self.publish("interaction.updated", told)

    async def keep_place(self, place: Place) -> None:
        """Write how far a folder has been read."""
        async with self.sessions() as session:
            await write_place(session, place)
            await session.commit()

    async def _record(self, mail: Mail, place: Place | None) -> None:
        now = self.now()

        async def write(session: AsyncSession) -> Recorded:
            recorded = await record(session, mail, now)
            if place is not None:
                await write_place(session, place)
            return recorded

        kept = await keep_event(self.sessions, write, self.webhooks, now)
        if kept.told is not None:
            self.publish("interaction.created", kept.told)
