"""Going round for as long as the program runs: here is the clock that the couriers do without."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

LOOK_EVERY_S: Final = 1.0
AWAY_S: Final = 5.0
FORGET_EVERY_S: Final = 3600.0

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


async def sweep(forget: Callable[[Any, float], Awaitable[None]], sessions: Any, now: Callable[[], float]) -> None:
    """Delete what is old, once an hour, until cancelled. `forget` takes a session and the instant."""
    while True:
        try:
            async with sessions() as session:
                await forget(session, now())
                await session.commit()
        except (SQLAlchemyError, OSError) as error:
            log.error("what is old is not deleted yet", cause=str(error))
        await asyncio.sleep(FORGET_EVERY_S)
