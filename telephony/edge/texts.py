"""A caller's text becomes an interaction on the customer's timeline."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from crm_bridge import identity, timeline
from crm_bridge.keep import KeepContended, keep_event
from crm_bridge.match import claim
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from telephony.events import SaveText

CHANNEL: Final = "sip"
SUBJECT: Final = "Text message"

Kept = tuple[int, dict[str, object] | None]
"""What the sender of a text is to be answered, and what listeners are to be told of it, None for nothing."""


async def keep(
    sessions: async_sessionmaker[AsyncSession], text: SaveText, region: str, now: float, webhooks: Webhooks = NOBODY
) -> Kept:
    """Write a text and commit, anew where another writer was first. A number that identifies nobody has no timeline:
    403; where others were first again and again: 503."""
    event = _event(text, region, now)
    if event is None:
        return 403, None
    try:
        kept = await keep_event(sessions, lambda session: timeline.record(session, event, now), webhooks, now)
    except KeepContended:
        return 503, None
    return 202, kept.told


def _event(text: SaveText, region: str, now: float) -> timeline.NewInteraction | None:
    number = identity.phone(text.number, region)
    if not number:
        return None
    # What a call carries is worth what the call's number is; what a text says of itself is a claim.
    carried_by = CHANNEL if text.claimed else timeline.CALL
    return timeline.NewInteraction(
        channel=CHANNEL,
        direction="inbound",
        occurred_at=now,
        claims=(claim(carried_by, "phone", number),),
        subject=SUBJECT,
        text=text.text,
        external_id=text.external_id,
        attributes={"dnis": text.dnis, "content_type": text.kind} | ({"call": text.call} if text.call else {}),
    )
