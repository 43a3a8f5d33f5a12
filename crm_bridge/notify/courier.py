"""Who carries messages to people: a task for each route.

Rule 1: what is sent is only what is written; what was sent is written after it. A process that ends in between sends
again: of an e-mail, the same letter with the same Message-ID; Zalo has nothing by which it could know one again.
Rule 2: a round takes its instant as an argument; only `crm_bridge.outgoing.rounds` has a clock.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
import structlog

from crm_bridge.notify.outbox import Notifier
from crm_bridge.notify.parcel import Parcel, Route
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.outgoing import queue
from crm_bridge.outgoing.rounds import Alarms, Tasks
from crm_bridge.outgoing.schedule import Answer, Verdict, judge_all, rest_s

REPORTED_S: Final = 7 * 86_400.0
"""So long a message that was sent is kept as it was: a mail server that waits for another one gives up after days (RFC
5321 section 4.5.4.1), and what comes back can be replayed."""
STRANGER: Final = "the settings name no such channel that sends"

log = structlog.get_logger("hotline.notify")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about our own account that somebody has to mend: until then nobody gets anything."""

    text: str
    mend: str


class Sender(Protocol):
    """Whoever speaks a protocol. `fault` is what the last attempt met that concerns all of them, None where it is
    well."""

    fault: Fault | None

    async def send(self, parcel: Parcel, written_at: float, now: float) -> Answer:
        """Make an attempt; raises nothing. `written_at` is when the message was queued, seconds since the epoch."""
        ...

    async def close(self) -> None:
        """Close what is open."""


@dataclass(slots=True)
class Courier:
    """Carries the messages of one route. `chance` gives 0 to 1, for the jitter."""

    route: Route
    sender: Sender
    notifier: Notifier
    alarms: Alarms
    chance: Callable[[], float] = random.random
    rests_s: float = 0.0

    async def round(self, now: float) -> int:
        """Send what is due at `now`, at most as much as the route takes at once, and write what became of it; return
        how much it was."""
        async with self.notifier.sessions() as session:
            await session.connection(execution_options={"read_only": True})
            waiting = await queue.due(session, OutgoingMessage, self.route.name, now, self.route.at_once)
        if not waiting:
            return 0
        answers = await asyncio.gather(*(self._send(each, now) for each in waiting))
        self.rests_s = rest_s(self.rests_s, answers)
        await self._settle(waiting, answers, now)
        self._say_fault()
        return len(waiting)

    async def _send(self, row: OutgoingMessage, now: float) -> Answer:
        try:
            return await self.sender.send(msgspec.json.decode(row.body, type=Parcel), row.created_at, now)
        except Exception as error:  # a message that breaks its sender must not hold up everybody's
            log.exception(
                "a message breaks what should send it", channel=self.route.name, interaction=row.interaction_id
            )
            return Answer(0, f"our own fault: {type(error).__name__}; the log knows more")

    async def _settle(self, sent: Sequence[OutgoingMessage], answers: Sequence[Answer], now: float) -> None:
        tried = [row.attempts for row in sent]
        verdicts = judge_all(self.route.retries_s, tried, answers, now, self.chance)
        told: list[dict[str, Any] | None] = []
        async with self.notifier.sessions() as session:
            for row, verdict, answer in zip(sent, verdicts, answers, strict=True):
                told.append(await self.notifier.settle(session, row, verdict, answer.reference, now))
            await session.commit()
        for row, verdict, item in zip(sent, verdicts, told, strict=True):
            self._tell(row, verdict)
            if item is not None:
                self.notifier.publish("interaction.updated", item)

    def _tell(self, row: OutgoingMessage, verdict: Verdict) -> None:
        name = self.route.name
        outcome = {"delivered": "sent", "pending": "failed", "dead": "dead"}[verdict.state]
        self.notifier.attempts[name, outcome] += 1
        if verdict.state == "delivered":
            return
        log.warning(
            "a message was not sent",
            channel=name,
            interaction=row.interaction_id,
            attempt=verdict.attempts,
            state=verdict.state,
            cause=verdict.error,
        )
        if verdict.state == "dead":
            text = f"a message by `{name}` was not sent after {verdict.attempts} attempts: {verdict.error}"
            mend = f"GET /api/v1/messages?channel={name}&state=failed; then POST /api/v1/messages/replay"
            self.alarms.tell("message_dead", text, mend)

    def _say_fault(self) -> None:
        kind, fault = f"notify_{self.route.name}", self.sender.fault
        if fault is None:
            self.alarms.over(kind)
        else:
            self.alarms.stand(kind, fault.text, fault.mend)


@dataclass(slots=True)
class Couriers:
    """All of them, and the broom. `senders` are by the names of the routes."""

    notifier: Notifier
    senders: dict[str, Sender]
    alarms: Alarms
    now: Callable[[], float]
    _tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        self._tasks = Tasks("messages", self.notifier.sessions, self.now)

    async def start(self) -> None:
        """Put away what the settings do not name any more, and begin."""
        names = [each.name for each in self.notifier.routes]
        async with self.notifier.sessions() as session:
            await self.notifier.bury_strangers(session, names, STRANGER, self.now())
            await session.commit()
        couriers = {
            each.name: Courier(each, self.senders[each.name], self.notifier, self.alarms)
            for each in self.notifier.routes
        }
        self._tasks.start(couriers, _forget)

    async def stop(self) -> None:
        """Stop in the middle of whatever is sent, and close what is open."""
        await self._tasks.stop()
        for sender in self.senders.values():
            await sender.close()


async def _forget(session: Any, now: float) -> None:
    await queue.forget(session, OutgoingMessage, now, REPORTED_S)
