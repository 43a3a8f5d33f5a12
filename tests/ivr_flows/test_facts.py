"""`ivr_flows.facts`: what is shown of a caller, by assurance and policy."""

from collections.abc import Mapping
from zoneinfo import ZoneInfoNotFoundError

import msgspec
import pytest

from ivr_flows.facts import CallerView, CallView, views
from telephony.events import Need, Offer, Order, PastInteraction, Reason, Survey
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


def test_what_a_customer_ordered_and_wants_is_told_to_who_is_more_than_a_number() -> None:
    at = NOW - 3600.0
    caller = msgspec.structs.replace(
        lan(2),
        last_by_channel=(PastInteraction("i", "zalo", "inbound", at, "", ""),),
        last_agent="an",
        orders=(Order("7", "shipped", "5", "VND", 1, ("tea",), at, "shop", at),),
        needs=(Need("kettle", "open", at, "store", at),),
        survey=Survey("csat", 2, 5, "bad", "call", at),
        birthday="1990-05-17",
        preferred_channel="zalo",
        reason=Reason("order", "7", "7", "order shipped", at),
        offer=Offer("tea", {"vi": "Trà", "en": "Tea"}, "tagged vip"),
    )
    view = views(facts(caller), {}, "en", NOW)["caller"]
    assert isinstance(view, CallerView)
    assert (view.orders[0].number, view.orders[0].placed.hour, view.needs[0].what) == ("7", 9, "kettle")
    assert view.survey is not None
    assert view.reason is not None
    assert view.offer is not None
    assert (view.survey.sentiment, view.reason.kind, view.offer.text) == ("bad", "order", "Tea")
    assert [each.channel for each in view.last_by_channel] == ["zalo"]
    caller = msgspec.structs.replace(caller, assurance=1)
    less = views(facts(caller), {"offer": 1}, "ko", NOW)["caller"]
    assert isinstance(less, CallerView)
    assert (less.last_agent, less.preferred_channel, less.birthday) == ("an", "zalo", "")
    assert (less.orders, less.needs, less.survey, less.reason, less.last_by_channel) == ((), (), None, None, ())
    assert less.offer is not None
    assert less.offer.text == "Trà"  # the first that it has


def test_times_are_local() -> None:
    known = views(facts(), {}, "vi", NOW)
    call = known["call"]
    assert isinstance(call, CallView)
    assert (call.started.hour, str(call.started.tzinfo)) == (10, "Asia/Ho_Chi_Minh")


def test_unknown_zone() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        views(msgspec.structs.replace(facts(), timezone="Asia/Hanoi_"), {}, "vi", NOW)
