"""Going round for as long as the program runs: here is the clock that the couriers do without."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

LOOK_EVERY_S: Final = 1.0
AWAY_S: Final = 5.0
FORGET_EVERY_S: Final = 3600.0

Forget = Callable[[Any, float], Awaitable[None]]
"""Takes a session and the instant, and commits nothing."""

log = structlog.get_logger("hotline.outgoing")


class Alarms(Protocol):
    """Whom to tell of what somebody has to mend."""

    def tell(self, kind: str, text: str, mend: str, /) -> None:
        """Tell of something that happened."""

    def stand(self, kind: str, text: str, mend: str, /) -> None:
        """Tell of something that lasts."""

    def over(self, kind: str) -> None:
        """It is over."""


class Round(Protocol):
    """Whoever carries what is for one endpoint. `rests_s` is how long that is left alone after the last round."""

    rests_s: float

    async def round(self, now: float) -> int:
        """Send what is due at `now`, and write what became of it; return how much it was."""
        ...


@dataclass(slots=True)
class Tasks:
    """The couriers of an outbox at work, each in a task of its own, and the broom. `name` is what tasks are called."""

    name: str
    sessions: Any
    now: Callable[[], float]
    _running: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, couriers: Mapping[str, Round], forget: Forget) -> None:
        """Begin; `couriers` are by the names of their endpoints. Where there are none, nothing has to be forgotten."""
        for endpoint, courier in couriers.items():
            self._begin(endpoint, carry(courier, self.now, endpoint))
        if couriers:
            self._begin("broom", sweep(forget, self.sessions, self.now))

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        self._running.append(asyncio.create_task(work, name=f"{self.name} {what}"))

    async def stop(self) -> None:
        """Stop in the middle of whatever is sent: it is sent again by the next start."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def carry(courier: Round, now: Callable[[], float], endpoint: str) -> None:
    """Let a courier go round until cancelled, whatever happens to it."""
    while True:
        try:
            carried = await courier.round(now())
        except (SQLAlchemyError, OSError) as error:
            log.error("the outbox is out of reach; it waits", endpoint=endpoint, cause=str(error))
            await asyncio.sleep(AWAY_S)
            continue
        except Exception:
            log.exception("nothing was carried to an endpoint; it is tried again", endpoint=endpoint)
            await asyncio.sleep(AWAY_S)
            continue
        if courier.rests_s or not carried:
            await asyncio.sleep(max(courier.rests_s, LOOK_EVERY_S))


async def sweep(forget: Forget, sessions: Any, now: Callable[[], float]) -> None:
    """Delete what is old, once an hour, until cancelled."""
    while True:
        try:
            async with sessions() as session:
                await forget(session, now())
                await session.commit()
        except (SQLAlchemyError, OSError) as error:
            log.error("what is old is not deleted yet", cause=str(error))
        await asyncio.sleep(FORGET_EVERY_S)
