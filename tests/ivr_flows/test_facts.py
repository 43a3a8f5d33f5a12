"""`ivr_flows.facts`: what is shown of a caller, by assurance and policy."""

from collections.abc import Mapping
from zoneinfo import ZoneInfoNotFoundError

import msgspec
import pytest

from ivr_flows.facts import CallerView, CallView, views
from tests.ivr_flows.flows import NOW, facts, lan


def _caller(assurance: int, speak: Mapping[str, int]) -> CallerView:
    view = views(facts(lan(assurance)), speak, "vi", NOW)["caller"]
    assert isinstance(view, CallerView)
    return view


@pytest.mark.parametrize(
    ("assurance", "speak", "name", "cases", "last"),
    [
        (0, {}, "", 0, False),
        (1, {}, "Nguyễn Thị Lan", 1, False),
        (2, {}, "Nguyễn Thị Lan", 1, True),
        (1, {"name": 2}, "", 1, False),
        (1, {"case_topic": 2}, "Nguyễn Thị Lan", 0, False),
        (0, {"name": 0, "order": 2}, "Nguyễn Thị Lan", 0, False),
    ],
)
def test_facts_below_their_assurance_are_not_known(
    assurance: int, speak: Mapping[str, int], name: str, cases: int, last: bool
) -> None:
    view = _caller(assurance, speak)
    assert (view.name, len(view.open_cases), view.last_interaction is not None) == (name, cases, last)
    assert view.assurance == assurance


def test_times_are_local() -> None:
    known = views(facts(), {}, "vi", NOW)
    call = known["call"]
    assert isinstance(call, CallView)
    assert (call.started.hour, str(call.started.tzinfo)) == (10, "Asia/Ho_Chi_Minh")


def test_unknown_zone() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        views(msgspec.structs.replace(facts(), timezone="Asia/Hanoi_"), {}, "vi", NOW)
