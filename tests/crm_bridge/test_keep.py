"""An event is kept as one, anew where another writer was first."""

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import timeline
from crm_bridge.keep import ATTEMPTS, keep_event
from crm_bridge.match import claim
from crm_bridge.timeline import Recorded
from crm_bridge.webhooks.outbox import NOBODY
from tests.crm_bridge.conftest import Sessions

EVENT = timeline.NewInteraction(
    channel="zalo", direction="inbound", occurred_at=1.0, claims=(claim("zalo", "zalo", "z1"),)
)


@pytest.mark.parametrize("times", [1, ATTEMPTS])
async def test_whoever_is_erased_meanwhile_is_somebody_new(sessions: Sessions, times: int) -> None:
    """As on PostgreSQL, where an entry of a customer who is being deleted waits, and then has nobody to belong to."""
    tries = 0

    async def record(session: AsyncSession) -> Recorded:
        nonlocal tries
        tries += 1
        if tries <= times:
            raise IntegrityError("INSERT", None, Exception("the customer is gone"))
        return await timeline.record(session, EVENT, 2.0)

    if times == ATTEMPTS:
        with pytest.raises(IntegrityError):
            await keep_event(sessions, record, NOBODY, 2.0)
    else:
        assert (await keep_event(sessions, record, NOBODY, 2.0)).told
    assert tries == min(times + 1, ATTEMPTS)
