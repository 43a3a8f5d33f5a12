"""What a customer writes goes to their one open case, and a person's word wins."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import timeline
from crm_bridge.case import CaseReference
from crm_bridge.match import claim, claim_by
from crm_bridge.timeline import NewInteraction, Recorded, record, record_call
from tests.crm_bridge.calls import CALL_ID, snapshot
from tests.crm_bridge.conftest import Api

DAY_S = 86_400.0
ZALO = [{"kind": "zalo", "value": "z1"}]


async def wrote(session: AsyncSession, day: float, case: str = "", **more: Any) -> Recorded:
    """Somebody writes on Zalo; `case` is the subject of one that this opens."""
    reference = CaseReference(subject=case) if case else None
    claims = more.pop("claims", (claim_by("zalo", "zalo", "z1"),))
    event = NewInteraction(
        "zalo", "inbound", day * DAY_S, claims, case=reference, attach_within_s=14 * DAY_S, **({"public": True} | more)
    )
    return await record(session, event, day * DAY_S)


async def test_what_is_written_goes_to_the_one_open_case(session: AsyncSession) -> None:
    opened = await wrote(session, 1.0, "Order 7")
    next_day = await wrote(session, 2.0)
    assert next_day.interaction.case_id == opened.interaction.case_id
    assert next_day.interaction.outcome["case_by"] == timeline.ONLY_OPEN
    assert (await wrote(session, 15.0)).interaction.case_id == opened.interaction.case_id  # 13 days after the last word
    late = await wrote(session, 29.1)
    assert (late.interaction.case_id, "case_by" in late.interaction.outcome) == (None, False)


async def test_of_two_open_cases_none_is_guessed(session: AsyncSession) -> None:
    await wrote(session, 1.0, "Order 7")
    await wrote(session, 1.5, "Order 8")
    assert (await wrote(session, 2.0)).interaction.case_id is None


async def test_a_closed_case_takes_nothing(session: AsyncSession) -> None:
    await wrote(session, 1.0, "Order 7")
    claims = (claim_by("zalo", "zalo", "z1"),)
    closed = NewInteraction("zalo", "outbound", 1.5 * DAY_S, claims, case=CaseReference(subject="x", state="closed"))
    done = await record(session, closed, 1.5 * DAY_S)
    assert done.interaction.case_id
    assert (await wrote(session, 2.0)).interaction.case_id != done.interaction.case_id


async def test_what_somebody_only_claims_to_have_written_goes_nowhere(session: AsyncSession) -> None:
    await wrote(
        session, 1.0, "Order 7", claims=(claim_by("zalo", "zalo", "z1"), claim_by(None, "phone", "+84912345678"))
    )
    form = await wrote(session, 2.0, claims=(claim_by(None, "phone", "+84912345678"),))
    assert form.interaction.case_id is None


async def test_a_persons_word_stays(session: AsyncSession) -> None:
    opened = await wrote(session, 1.0, "Order 7", claims=(claim("call", "phone", "+84912345678"),), public=False)
    case, customer = opened.interaction.case_id, opened.interaction.customer_id
    assert case
    await record_call(session, snapshot(customer, case=case, started_at=2 * DAY_S), 2 * DAY_S)
    (entry,) = await timeline.page(session, (customer,), channel="call", limit=1)
    assert (entry.external_id, entry.case_id) == (CALL_ID, case)
    corrected = await timeline.correct_case(session, entry.id, None)
    assert corrected.case_id is None
    await record_call(session, snapshot(customer, case=case, state="ended", started_at=2 * DAY_S), 3 * DAY_S)
    (entry,) = await timeline.page(session, (customer,), channel="call", limit=1)
    assert (entry.case_id, entry.attributes["state"]) == (None, "ended")


async def test_over_http(api: Api) -> None:
    api.app.state.attach_within_s = 14 * DAY_S
    opened = await api.post(identities=ZALO, case={"subject": "Order 7"})
    again = await api.post(identities=ZALO, text="any news?")
    assert (again["case"], again["case_by"]) == (opened["case"], "only_open")
    other = await api.post(identities=[{"kind": "zalo", "value": "z2"}], case={"subject": "Another's"})

    async def says(case: object, status: int, interaction: str = again["id"]) -> Any:
        answer = await api.client.post(f"/interactions/{interaction}/case", json={"case": case})
        assert answer.status_code == status, answer.text
        return answer.json()

    assert (await says(None, 200))["case"] is None
    assert (await says(opened["case"], 200))["case"] == opened["case"]
    assert [type_ for type_, _ in api.published].count("interaction.updated") == 2
    await says(other["case"], 409)
    await says("0" * 32, 422)
    await says(None, 404, "0" * 32)
    await says(7, 422)


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
async def test_what_we_write_is_attached_by_us(session: AsyncSession, direction: Any) -> None:
    await wrote(session, 1.0, "Order 7")
    event = NewInteraction("zalo", direction, 2 * DAY_S, (claim_by("zalo", "zalo", "z1"),), attach_within_s=14 * DAY_S)
    assert bool((await record(session, event, 2 * DAY_S)).interaction.case_id) == (direction == "inbound")
