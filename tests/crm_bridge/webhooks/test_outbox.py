"""Events into the outbox, and what is forgotten."""

from sqlalchemy import func, select

from crm_bridge.outgoing.queue import DEAD_KEPT_S, DELIVERED_KEPT_S
from crm_bridge.outgoing.schedule import Verdict
from crm_bridge.webhooks import outbox
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from hotline.database import Sessions
from tests.crm_bridge.webhooks.receiver import endpoint

BOTH = Webhooks([endpoint(name="crm"), endpoint(name="erp", events=frozenset({"call.ended"}))])


async def count(sessions: Sessions) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(WebhookEvent)) or 0


async def test_an_event_is_written_with_what_it_tells_or_not_at_all(sessions: Sessions) -> None:
    async with sessions() as session:
        await BOTH.tell(session, "call.ended", {}, customer="an", now=0.0)
    assert await count(sessions) == 0  # nobody committed


async def test_everyone_who_wants_it_is_told_by_one_id_and_once_a_key(sessions: Sessions) -> None:
    for _ in range(2):
        async with sessions() as session:
            await BOTH.tell(session, "call.ended", {}, customer="an", now=0.0, key="call 1")
            await session.commit()
    async with sessions() as session:
        await BOTH.tell(session, "recording.transcribed", {}, customer="an", now=0.0)
        await session.commit()
        rows = (await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))).all()
    assert [(row.endpoint, row.type) for row in rows] == [
        ("crm", "call.ended"),
        ("erp", "call.ended"),
        ("crm", "recording.transcribed"),
    ]
    assert rows[0].event_id == rows[1].event_id != rows[2].event_id


async def test_where_nobody_is_told_nothing_is_written(sessions: Sessions) -> None:
    async with sessions() as session:
        await outbox.NOBODY.tell(session, "call.ended", {}, customer="an", now=0.0)
        assert not session.in_transaction()


async def test_what_is_delivered_or_dead_is_forgotten_in_time_and_what_is_pending_never(sessions: Sessions) -> None:
    async with sessions() as session:
        for state in ("delivered", "dead", "pending"):
            await BOTH.tell(session, "interaction.created", {}, customer=state, now=0.0)
        for row in (await session.scalars(select(WebhookEvent))).all():
            if row.customer_id != "pending":
                await outbox.settle(session, row, Verdict(row.customer_id, 1, 0.0), 0.0)  # type: ignore[arg-type]
        await session.commit()
    left = []
    for now in (DELIVERED_KEPT_S, DELIVERED_KEPT_S + 1, DEAD_KEPT_S + 1):
        async with sessions() as session:
            await outbox.forget(session, now)
            await session.commit()
            left.append(sorted(await session.scalars(select(WebhookEvent.state))))
    assert left == [["dead", "delivered", "pending"], ["dead", "pending"], ["pending"]]
