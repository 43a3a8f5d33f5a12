"""The verdict: every point can fail, and says what is not so."""

from collections.abc import Callable
from typing import Any

import pytest

from hotline.omnitest.channels import Way
from hotline.omnitest.verdict import Evidence, verdict

ME = "c1"
CHANNELS = ["zalo", "zalo", "facebook", "facebook", "form", "email", "call"]


def item(number: int, channel: str) -> dict[str, Any]:
    case = "k1" if channel in ("email", "call") else None
    at = f"2026-11-26T10:00:0{number}.000Z"
    return {"id": f"i{number}", "channel": channel, "occurred_at": at, "case": case, "call": {"asked_again": []}}


def good() -> Evidence:
    timeline = [item(number, channel) for number, channel in enumerate(CHANNELS)]
    names = {"Zalo": "zalo", "Facebook": "facebook", "form": "form", "e-mail": "email", "call": "call"}
    return Evidence(
        ways={name: Way(channel, "so") for name, channel in names.items()},
        found={"phone 1": [ME], "zalo 2": [ME]},
        customer={
            "id": ME,
            "identities": [{"value": str(each)} for each in range(4)],
            "cases": [{"id": "k1", "state": "open"}],
        },
        timeline=timeline,
        call={
            "customer": ME,
            "context": {"known": True, "open_cases": [{"id": "k1"}], "last_interactions": timeline[:6]},
        },
        was_cleaned=True,
    )


def failed(evidence: Evidence) -> list[str]:
    return [check.name for check in verdict(evidence) if not check.passed]


def test_a_good_run_passes_every_point() -> None:
    assert failed(good()) == []
    assert len(verdict(good())) == 11


def test_a_run_that_brought_nothing_passes_none() -> None:
    assert len(failed(Evidence())) == 11


SPOILT: list[tuple[str, Callable[[Evidence], object]]] = [
    ("Zalo", lambda it: it.failures.update(Zalo="403")),
    ("one profile", lambda it: it.found.update({"zalo 2": ["c2"]})),
    ("one profile", lambda it: it.found.update({"zalo 2": []})),
    ("one profile", lambda it: it.customer["identities"].append({"value": "another spelling"})),
    ("one timeline", lambda it: it.timeline.reverse()),
    ("one timeline", lambda it: it.timeline.insert(0, it.timeline[0])),
    ("the case goes on", lambda it: it.timeline[6].update(case="k2")),
    ("the case goes on", lambda it: it.customer["cases"].append({"id": "k2", "state": "open"})),
    ("the agent's view", lambda it: it.call["context"].update(known=False)),
    ("the agent's view", lambda it: it.call["context"].update(last_interactions=it.timeline[1:6])),
    ("nothing asked twice", lambda it: it.timeline[6]["call"].update(asked_again=["order"])),
    ("cleaned up", lambda it: it.left_behind.append("a letter")),
]


@pytest.mark.parametrize(("name", "spoil"), SPOILT)
def test_each_point_can_fail(name: str, spoil: Callable[[Evidence], object]) -> None:
    evidence = good()
    spoil(evidence)
    assert failed(evidence) == [name]
