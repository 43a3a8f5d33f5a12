"""A call in one line, and in figures."""

import pytest

from crm_bridge.call_summary import MAX_SUMMARY_LENGTH, attributes, queue_wait_s, summary, talk_s
from telephony.events import CallSnapshot
from tests.crm_bridge.calls import ended, snapshot


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (snapshot(flow_path=()), "Call to 19001234"),
        (snapshot(), "Call to 19001234: greeting"),
        (
            ended(direction="outbound", dnis="+84912345678", flow_path=(), queue="", queued_at=0.0, ended_by="agent"),
            "Call from an to +84912345678: talked 45 s with an; ended by agent",
        ),
        (
            ended(direction="outbound", dnis="+84912345678", flow_path=(), queue="", agent="", transferred_by="an"),
            "Call from an to +84912345678: talked 45 s; transferred by an; ended by caller",
        ),
        (
            ended(agent="", transferred_by="an", ended_by="the party outside"),
            "Call to 19001234: greeting > menu > agent; waited 12 s in care; talked 45 s; transferred by an;"
            " ended: the party outside",
        ),
        (
            ended(agent="binh", transferred_by="an"),
            "Call to 19001234: greeting > menu > agent; waited 12 s in care; talked 45 s with binh; transferred by an;"
            " ended by caller",
        ),
        (snapshot(queue="care", queued_at=1010.0), "Call to 19001234: greeting; waits in care"),
        (
            ended(ended_at=0.0, ended_by=""),
            "Call to 19001234: greeting > menu > agent; waited 12 s in care; talks with an",
        ),
        (
            ended(),
            "Call to 19001234: greeting > menu > agent; waited 12 s in care; talked 45 s with an; ended by caller",
        ),
        (
            ended(
                queue_left_at=0.0, talk_started_at=0.0, agent="", ended_at=1040.0, ended_by="no audio from the caller"
            ),
            "Call to 19001234: greeting > menu > agent; waited 30 s in care; ended: no audio from the caller",
        ),
    ],
)
def test_summaries(call: CallSnapshot, line: str) -> None:
    assert summary(call) == line


def test_a_long_path_is_cut_visibly_and_kept_whole_in_the_figures() -> None:
    path = tuple(f"step_{index}" for index in range(200))
    line = summary(snapshot(flow_path=path))
    assert len(line) == MAX_SUMMARY_LENGTH
    assert line.endswith("…")
    assert attributes(snapshot(flow_path=path))["flow_path"] == list(path)


def test_figures_are_none_until_they_are_known() -> None:
    running = snapshot(queue="care", queued_at=1010.0)
    assert queue_wait_s(running) is None
    assert talk_s(running) is None
    assert attributes(running)["duration_s"] is None
    assert attributes(ended()) == {
        "state": "ended",
        "direction": "inbound",
        "dnis": "19001234",
        "language": "en",
        "flow": "welcome",
        "flow_path": ["greeting", "menu", "agent"],
        "queue": "care",
        "queue_wait_s": 12.0,
        "agent": "an",
        "talk_s": 45.0,
        "duration_s": 67.0,
        "ended_by": "caller",
        "asked_again": [],
    }
