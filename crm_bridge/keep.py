"""An event of any channel is kept: recorded, put into the outbox of the webhooks, committed; all or nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge.match import MatchContended
from crm_bridge.present import interaction_out
from crm_bridge.timeline import InteractionOvertaken, Recorded
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.people import tell_linked

ATTEMPTS: Final = 5


class KeepContended(RuntimeError):
    """Other writers were first again and again; nothing is written, and the event may be sent again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an event went. `told` is what listeners are to be told of it as `interaction.created`, None if it was
    recorded before; `merged` what of it as `customer.merged`, None unless its claim put two profiles together."""

    recorded: Recorded
    told: dict[str, Any] | None
    merged: dict[str, Any] | None = None


async def keep_event(
    sessions: async_sessionmaker[AsyncSession],
    record: Callable[[AsyncSession], Awaitable[Recorded]],
    webhooks: Webhooks,
    now: float,
) -> Kept:
    """Do what `record` does with a session, tell the webhooks and commit; anew where another writer was first.

    Raises `KeepContended`, and whatever else `record` raises.
    """
    for left in reversed(range(ATTEMPTS)):
        async with sessions() as session:
            try:
                kept = await _kept(session, await record(session), webhooks, now)
                await session.commit()
            except (InteractionOvertaken, MatchContended):
                continue
            except IntegrityError:  # on PostgreSQL: the person that was found is erased by now
                if not left:
                    raise
                continue
            return kept
    raise KeepContended("other events of the same person keep coming first: send this one again")


async def _kept(session: AsyncSession, recorded: Recorded, webhooks: Webhooks, now: float) -> Kept:
    if recorded.repeated:
        return Kept(recorded, None)
    if recorded.linked is not None:
        await tell_linked(webhooks, session, recorded.linked, now)
    told = {"customer": recorded.person} | interaction_out(recorded.interaction).model_dump(mode="json")
    await webhooks.tell(session, "interaction.created", told, customer=recorded.person, now=now)
    return Kept(recorded, told, recorded.linked.told if recorded.linked else None)
