"""A call's row and its entry on the customer's timeline, written together."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import context, timeline
from crm_bridge.privacy import erasure
from crm_bridge.webhooks.events import call_ended
from crm_bridge.webhooks.outbox import NOBODY, Webhooks
from recordings import store
from telephony.edge import rows
from telephony.events import CallerContext, CallSnapshot


async def save(session: AsyncSession, call: CallSnapshot, region: str, now: float, webhooks: Webhooks = NOBODY) -> None:
    """Write a call as it stands. Of one that is over, and whose caller could not be looked up in time (the database
    was away, or the server stopped), the caller is looked up now: it belongs on somebody's timeline.
    Its end is told once, however often it is written."""
    is_ours = call.direction == "outbound"
    if call.customer and await erasure.is_erased(session, call.customer):
        # Erased between the look-up and this: whoever it is now is somebody new.
        ani = call.ani if is_ours else ""
        call = msgspec.structs.replace(call, ani=ani, context=CallerContext(), customer="")
    if call.ended_at and call.number and not (call.customer if is_ours else call.ani):
        ani, found = await context.find_caller(session, call.number, False, "", region, now, dialled=is_ours)
        ani = call.ani if is_ours else ani
        call = msgspec.structs.replace(call, ani=ani, context=found, customer=found.customer)
    if call.ended_at:
        # The recording may have begun before the caller was found; it may be a message, which a call does not name.
        await store.set_customer(session, call.id, call.customer)
    if call.ended_at or call.recording:
        await store.describe(session, call)
    await rows.save_call(session, call)
    if call.customer:
        await timeline.record_call(session, call, now)
    if call.ended_at:
        await webhooks.tell(session, "call.ended", call_ended(call), customer=call.customer, now=now, key=call.id)
