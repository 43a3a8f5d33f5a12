"""Counters and histograms, moved by live events as the switchboard publishes them."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hotline.metrics_events import ENDED_BY, FIGURES, OTHER, SIDES, EventCounts, ended_by
from tests.hotline.conftest import StandingClock

SWITCHBOARD = Path(__file__).parents[2] / "telephony" / "switchboard"
FIGURE_NAMES = ("mos", "loss", "jitter_ms", "round_trip_ms", "far_mos", "far_loss", "far_jitter_ms")
UNKNOWN: dict[str, Any] = dict.fromkeys(FIGURE_NAMES, -1.0)


class Counted:
    """Events go in; samples come out."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.registry = CollectorRegistry()
        self.events = EventCounts(self.registry, self.clock.now, ("care", "sales"))

    def take(self, type_: str, call: str = "c1", /, **more: Any) -> None:
        self.events.take(type_, {"call": {"id": call, "queue": more.pop("queue", None)}, **more})

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"hotline_{name}", labels)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_every_series_of_known_labels_is_there_from_the_beginning(counted: Counted) -> None:
    assert counted.value("calls_started_total", direction="inbound") == 0
    assert counted.value("calls_ended_total", ended_by=OTHER) == 0
    assert counted.value("queue_wait_seconds_count", queue="sales") == 0
    for side in SIDES:
        assert counted.value("leg_round_trip_seconds_count", side=side) == 0
        for direction in FIGURES:
            assert counted.value("leg_mos_count", side=side, direction=direction) == 0


def test_calls_are_counted_as_they_come_and_go(counted: Counted) -> None:
    counted.take("call.arrived")
    counted.take("call.dialled", "c2")
    counted.take("call.arrived", "c3")
    counted.take("call.ended", ended_by="caller")
    counted.take("call.ended", "c2", ended_by="not reached: 486")
    assert counted.value("calls_started_total", direction="inbound") == 2
    assert counted.value("calls_started_total", direction="outbound") == 1
    assert counted.value("calls_ended_total", ended_by="caller") == 1
    assert counted.value("calls_ended_total", ended_by="not_reached") == 1
    counted.take("call.ended", "c3", ended_by="caller", asked_again=["order", "shop"])
    assert counted.value("asked_again_total") == 2


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("caller", "caller"),
        ("caller lost", "lost"),
        ("agent", "agent"),
        ("the agent's connection was lost", "lost"),
        ("no audio from the agent", "lost"),
        ("the party outside", "outside"),
        ("flow: no_input", "flow"),
        ("api: nguyen.van.a", "api"),
        ("transferred by lan", "transfer"),
        ("no common media: no codec of ours", "failure"),
        ("failure: the media worker died", "failure"),
        ("the longest call allowed", "limit"),
        ("the server stops", "stop"),
        ("something new", OTHER),
        ("", OTHER),
    ],
)
def test_who_ended_a_call_is_one_of_a_few(words: str, end: str) -> None:
    assert ended_by(words) == end


@given(st.text())
def test_no_words_make_a_label_of_their_own(words: str) -> None:
    assert ended_by(words) in {OTHER, *(end for _, end in ENDED_BY)}


def test_whatever_the_switchboard_says_of_an_end_has_a_name_here() -> None:
    text = "".join(path.read_text("utf-8") for path in SWITCHBOARD.glob("*.py"))
    said = set(re.findall(r'\bend\(\s*board, \w+, f?"([^"{]+)', text))
    assert len(said) > 5
    assert {words for words in said if ended_by(words) == OTHER} == set()


def test_the_wait_of_a_call_is_that_in_the_queue_from_which_it_was_taken(counted: Counted) -> None:
    counted.take("call.queued", queue="sales")
    counted.clock.at += 40
    counted.take("call.queued", queue="care")  # transferred: it waits anew
    counted.clock.at += 12
    counted.take("call.talking", queue="care")
    counted.take("call.talking", queue="care")  # put together with a colleague: nobody waited for that
    assert counted.value("queue_wait_seconds_sum", queue="care") == 12
    assert counted.value("queue_wait_seconds_bucket", queue="care", le="10.0") == 0
    assert counted.value("queue_wait_seconds_bucket", queue="care", le="20.0") == 1
    assert counted.value("queue_wait_seconds_count", queue="sales") == 0


def test_whoever_hangs_up_in_the_queue_has_not_been_taken_and_is_forgotten(counted: Counted) -> None:
    counted.take("call.queued", queue="care")
    counted.take("call.ended", ended_by="caller")
    counted.take("call.talking", queue="care")
    assert counted.value("queue_wait_seconds_count", queue="care") == 0
    assert counted.events._queued == {}


def test_a_call_that_talks_without_a_queue_has_not_waited(counted: Counted) -> None:
    counted.take("call.queued")
    counted.take("call.talking")
    assert [counted.value("queue_wait_seconds_count", queue=queue) for queue in ("care", "sales", "")] == [0, 0, None]


def test_quality_is_measured_for_each_side_and_way_in_base_units(counted: Counted) -> None:
    counted.take(
        "call.quality", side="caller", mos=4.21, loss=0.008, jitter_ms=3.5, round_trip_ms=42.0,
        far_mos=3.2, far_loss=0.25, far_jitter_ms=60.0,
    )  # fmt: skip
    received, sent = {"side": "caller", "direction": "received"}, {"side": "caller", "direction": "sent"}
    assert counted.value("leg_mos_sum", **received) == 4.21
    assert counted.value("leg_mos_bucket", le="3.6", **received) == 0
    assert counted.value("leg_mos_bucket", le="3.6", **sent) == 1
    assert counted.value("leg_loss_ratio_sum", **received) == 0.008
    assert counted.value("leg_loss_ratio_sum", **sent) == 0.25
    assert counted.value("leg_jitter_seconds_sum", **received) == pytest.approx(0.0035)
    assert counted.value("leg_jitter_seconds_sum", **sent) == pytest.approx(0.06)
    assert counted.value("leg_round_trip_seconds_sum", side="caller") == pytest.approx(0.042)
    assert counted.value("leg_mos_count", side="agent", direction="received") == 0


def test_what_is_not_known_is_not_measured_and_nothing_is(counted: Counted) -> None:
    counted.take("call.quality", side="agent", **UNKNOWN)
    counted.take("call.quality", side="agent", **UNKNOWN | {"loss": 0.0})
    received = {"side": "agent", "direction": "received"}
    assert counted.value("leg_mos_count", **received) == 0
    assert counted.value("leg_round_trip_seconds_count", side="agent") == 0
    assert counted.value("leg_loss_ratio_count", **received) == 1
    assert counted.value("leg_loss_ratio_bucket", le="0.0", **received) == 1


def test_alarms_and_recordings_are_counted(counted: Counted) -> None:
    counted.events.take("alarm.raised", {"kind": "disk_low", "text": "1 MiB", "mend": "make room"})
    counted.events.take("recording.finished", {"recording": "r1", "call_id": "c1"})
    counted.events.take("recording.transcribed", {"recording": "r1", "outcome": "failed"})
    counted.events.take("agent.changed", {"agent": "lan", "state": "ready"})
    assert counted.value("alarms_raised_total", kind="disk_low") == 1
    assert counted.value("recordings_finished_total") == 1
    assert counted.value("recordings_transcribed_total", outcome="failed") == 1
