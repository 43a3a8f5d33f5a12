"""Who carries events out of the outbox: a task for each endpoint, so that nobody waits for another's endpoint.

Rule 1: what is sent is only what is written; what was sent is written after it. A process that ends in between sends
again, with the same `webhook-id`: at least once, never not at all.
Rule 2: a round takes its instant as an argument; only `crm_bridge.outgoing.rounds` has a clock.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.outgoing.rounds import Alarms, Tasks
from crm_bridge.outgoing.schedule import Answer, Verdict, judge_all, rest_s
from crm_bridge.webhooks import outbox
from crm_bridge.webhooks.endpoint import Endpoint
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.sending import Sender
from crm_bridge.webhooks.tables import WebhookEvent

log = structlog.get_logger("hotline.webhooks")

Sessions = async_sessionmaker[AsyncSession]
Send = Callable[[str, str, float], Awaitable[Answer]]
"""Takes the id, the body and the instant of an attempt."""


@dataclass(slots=True)
class Courier:
    """Carries one endpoint's events. `chance` gives 0 to 1, for the jitter; `rests_s` is how long the endpoint is left
    alone after the last round."""

    endpoint: Endpoint
    webhooks: Webhooks
    sessions: Sessions
    alarms: Alarms
    send: Send
    chance: Callable[[], float] = random.random
    rests_s: float = 0.0

    async def round(self, now: float) -> int:
        """Send what is due at `now`, at most as much as the endpoint takes at once, and write what became of it; return
        how much it was."""
        async with self.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            disabled = await outbox.disabled(session, self.endpoint)
            events = await outbox.due(session, self.endpoint.name, now, self.endpoint.at_once)
        if disabled is not None:
            self._is_disabled(disabled.cause)
            if events:
                await self._bury(disabled.cause, now)
            return 0
        self.alarms.over(self._disabled_kind)
        if events:
            answers = await asyncio.gather(*(self.send(each.event_id, each.body, now) for each in events))
            self.rests_s = rest_s(self.rests_s, answers)
            await self._settle(events, answers, now)
        return len(events)

    async def _settle(self, events: Sequence[WebhookEvent], answers: Sequence[Answer], now: float) -> None:
        tried = [event.attempts for event in events]
        verdicts = judge_all(self.endpoint.retries_s, tried, answers, now, self.chance)
        gone = next((verdict for verdict in verdicts if verdict.gone), None)
        async with self.sessions() as session:
            for event, verdict in zip(events, verdicts, strict=True):
                await outbox.settle(session, event, verdict, now)
            if gone is not None:
                await outbox.disable(session, self.endpoint, gone.error, now)
            await session.commit()
        if gone is not None:
            self._is_disabled(gone.error)
        for event, verdict in zip(events, verdicts, strict=True):
            self._tell(event, verdict)

    async def _bury(self, cause: str, now: float) -> None:
        async with self.sessions() as session:
            buried = await outbox.bury(session, self.endpoint.name, f"the endpoint is disabled: {cause}", now)
            await session.commit()
        self.webhooks.attempts["dead"] += buried

    def _tell(self, event: WebhookEvent, verdict: Verdict) -> None:
        self.webhooks.attempts["failed" if verdict.state == "pending" else verdict.state] += 1
        if verdict.state == "delivered":
            return
        name = self.endpoint.name
        log.warning(
            "a webhook was not delivered",
            endpoint=name,
            webhook=event.event_id,
            type=event.type,
            attempt=verdict.attempts,
            state=verdict.state,
            cause=verdict.error,
        )
        if verdict.state == "dead" and not verdict.gone:
            text = (
                f"the webhook endpoint `{name}` took an event in none of {verdict.attempts} attempts: {verdict.error}"
            )
            self.alarms.tell("webhook_dead", text, f"mend the endpoint, then POST /api/v1/webhooks/{name}/replay")

    @property
    def _disabled_kind(self) -> str:
        return f"webhook_disabled_{self.endpoint.name}"

    def _is_disabled(self, cause: str) -> None:
        name = self.endpoint.name
        mend = f"take it out of `webhooks`, or correct its `url`, or POST /api/v1/webhooks/{name}/replay"
        text = f"the webhook endpoint `{name}` is told nothing any more: it answered {cause}"
        self.alarms.stand(self._disabled_kind, text, mend)


@dataclass(slots=True)
class Couriers:
    """All of them, and the broom. `sends` are those of endpoints that no webhook goes to, by their names."""

    webhooks: Webhooks
    sessions: Sessions
    alarms: Alarms
    now: Callable[[], float]
    sends: Mapping[str, Send] = field(default_factory=dict)
    _senders: list[Sender] = field(default_factory=list)
    _tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        self._tasks = Tasks("webhooks", self.sessions, self.now)

    async def start(self) -> None:
        """Put away what the settings do not name any more, and begin."""
        async with self.sessions() as session:
            await outbox.bury_strangers(session, [each.name for each in self.webhooks.endpoints], self.now())
            await session.commit()
        self._tasks.start({each.name: self._courier(each) for each in self.webhooks.endpoints}, outbox.forget)

    def _courier(self, endpoint: Endpoint) -> Courier:
        send = self.sends.get(endpoint.name) or self._sender(endpoint).send
        return Courier(endpoint, self.webhooks, self.sessions, self.alarms, send)

    def _sender(self, endpoint: Endpoint) -> Sender:
        self._senders.append(Sender(endpoint))
        return self._senders[-1]

    async def stop(self) -> None:
        """Stop in the middle of whatever is sent, and close what is open."""
        await self._tasks.stop()
        for sender in self._senders:
            await sender.close()
