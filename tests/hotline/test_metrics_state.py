"""What is read of the running hotline, where it is more than a call: phones among themselves, queues, dead workers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from hotline.database import Sessions
from hotline.metrics_state import StateCollector
from telephony.events import BindingChanged, InviteReceived
from tests.telephony.edge.test_funnel import House
from tests.telephony.switchboard.room import CALLER_OFFER

GONE = 2**22 + 1
"""More than a process id can be (proc(5), pid_max)."""


class Dead:
    """A worker that died a moment ago, unnoticed."""

    kind, process_id, ready = "media", GONE, True


@pytest.fixture
async def house(tmp_path: Path, sessions: Sessions) -> AsyncIterator[House]:
    made = House(tmp_path, sessions)
    yield made
    await made.funnel.close()


def registry_of(house: House) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(StateCollector(house.funnel, dict, (Dead(),)))
    return registry


async def test_a_call_between_phones_of_ours_is_internal(house: House) -> None:
    house.funnel.switchboard.know("binh")
    for user in ("an", "binh"):
        house.funnel.happened(BindingChanged(user, 1))
    house.funnel.happened(InviteReceived("d1", "an", "", False, "binh", CALLER_OFFER, "192.0.2.1:5060", user="an"))
    registry = registry_of(house)
    assert registry.get_sample_value("hotline_calls", {"state": "internal"}) == 1
    assert registry.get_sample_value("hotline_calls", {"state": "calling"}) == 0
    assert registry.get_sample_value("hotline_legs") == 2


async def test_a_process_that_is_gone_has_used_nothing(house: House) -> None:
    registry = registry_of(house)
    assert registry.get_sample_value("hotline_worker_cpu_seconds_total", {"worker": "media"}) == 0
    assert registry.get_sample_value("hotline_worker_resident_memory_bytes", {"worker": "media"}) == 0


async def test_a_queue_says_who_waits_and_how_long(house: House) -> None:
    registry = registry_of(house)
    assert registry.get_sample_value("hotline_queue_calls_waiting", {"queue": "care"}) == 0
    assert registry.get_sample_value("hotline_queue_longest_wait_seconds", {"queue": "care"}) == 0
    assert registry.get_sample_value("hotline_queue_agents_staffed", {"queue": "care"}) == 0
    house.funnel.happened(BindingChanged("an", 1))
    assert registry.get_sample_value("hotline_queue_agents_ready", {"queue": "care"}) == 1
