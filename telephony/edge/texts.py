"""A caller's text becomes an interaction on the customer's timeline."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import identity, timeline
from crm_bridge.match import MatchContended, claim
from crm_bridge.present import interaction_out
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from telephony.events import SaveText

CHANNEL: Final = "sip"
SUBJECT: Final = "Text message"
ATTEMPTS: Final = 5

Kept = tuple[int, dict[str, object] | None]
"""What the sender of a text is to be answered, and what listeners are to be told of it, None for nothing."""


async def keep(
    sessions: async_sessionmaker[AsyncSession], text: SaveText, region: str, now: float, webhooks: Webhooks = NOBODY
) -> Kept:
    """Write a text and commit, anew where another writer was first. A number that identifies nobody has no timeline:
    403; where others were first again and again: 503."""
    for _ in range(ATTEMPTS):
        async with sessions() as session:
            try:
                kept = await _record(session, text, region, now, webhooks)
                await session.commit()
            except (timeline.InteractionOvertaken, MatchContended):
                continue
            return kept
    return 503, None


async def _record(session: AsyncSession, text: SaveText, region: str, now: float, webhooks: Webhooks) -> Kept:
    number = identity.phone(text.number, region)
    if not number:
        return 403, None
    # What a call carries is worth what the call's number is; what a text says of itself is a claim.
    carried_by = CHANNEL if text.claimed else timeline.CALL
    event = timeline.NewInteraction(
        channel=CHANNEL,
        direction="inbound",
        occurred_at=now,
        claims=(claim(carried_by, "phone", number),),
        subject=SUBJECT,
        text=text.text,
        external_id=text.external_id,
        attributes={"dnis": text.dnis, "content_type": text.kind} | ({"call": text.call} if text.call else {}),
    )
    recorded = await timeline.record(session, event, now)
    if recorded.repeated:
        return 202, None
    told = {"customer": recorded.person} | interaction_out(recorded.interaction).model_dump(mode="json")
    await webhooks.tell(session, "interaction.created", told, customer=recorded.person, now=now)
    return 202, told
