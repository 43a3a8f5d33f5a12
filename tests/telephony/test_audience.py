"""What an agent's page is told of the live events, and what not."""

from typing import Any

import pytest

from telephony.audience import seen_by


def event(type_: str, agent: str = "", queue: str = "", **more: Any) -> dict[str, Any]:
    call = {"id": "c1", "ani": "+84912345678", "customer": "p1", "agent": agent or None, "queue": queue or None}
    return {"seq": 7, "at": "2026-11-24T08:00:00Z", "type": type_, "call": call, **more}


def passing(told: dict[str, Any]) -> dict[str, Any]:
    """What is not kept has no number."""
    del told["seq"]
    return told


@pytest.mark.parametrize(
    "told",
    [
        passing(event("call.quality", agent="lan", queue="care", side="agent", mos=4.2)),
        event("call.offered", agent="lan", queue="care"),
        event("call.talking", agent="lan"),
        event("call.offer_ended", queue="care", agent="", cause="rejected") | {"agent": "lan"},
        event("call.transferred", agent="", queue="care", by="lan", to="queue:care"),
        {"seq": 7, "at": "", "type": "transcript.phrase", "agent": "lan", "text": "vâng"},
        {"seq": 7, "at": "", "type": "agent.changed", "agent": "minh", "state": "ready"},
        {"seq": 7, "at": "", "type": "hello"},
    ],
)
def test_an_agent_is_told_all_of_its_own_calls_and_of_who_is_ready(told: dict[str, Any]) -> None:
    assert seen_by("lan", told) == told


def test_of_the_calls_of_others_an_agent_learns_that_their_queue_changed_and_nothing_else() -> None:
    seen = seen_by("lan", event("call.talking", agent="minh", queue="care"))

    assert seen == {"seq": 7, "at": "2026-11-24T08:00:00Z", "type": "queue.changed", "queue": "care"}


@pytest.mark.parametrize(
    "other",
    [
        event("call.arrived"),
        event("call.answered", agent="minh"),
        {"seq": 7, "at": "", "type": "transcript.phrase", "agent": "minh", "text": "vâng"},
        {"seq": 7, "at": "", "type": "recording.finished", "recording": "r1", "call_id": "c1"},
        passing(event("call.quality", agent="minh", queue="care", side="caller", mos=4.2)),
    ],
)
def test_what_is_of_no_concern_to_an_agent_is_kept_from_it(other: dict[str, Any]) -> None:
    assert seen_by("lan", other) is None


def test_of_customers_an_agent_learns_that_something_happened_and_with_whom() -> None:
    told = {"seq": 7, "at": "", "type": "interaction.created", "customer": "p1", "text": "Xin chào", "channel": "zalo"}
    merged = {
        "seq": 8,
        "at": "",
        "type": "customer.merged",
        "link": "l1",
        "persons": [{"id": "p1", "profiles": ["p1"]}],
    }

    assert seen_by("lan", told) == {"seq": 7, "at": "", "type": "interaction.created", "customer": "p1"}
    assert seen_by("lan", merged) == {"seq": 8, "at": "", "type": "customer.merged"}


def test_of_a_callback_an_agent_learns_that_its_queue_changed() -> None:
    told = {"seq": 7, "at": "", "type": "callback.changed", "callback": {"queue": "care", "number": "+84912345678"}}
    assert seen_by("lan", told) == {"seq": 7, "at": "", "type": "queue.changed", "queue": "care"}
