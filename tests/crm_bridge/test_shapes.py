"""What comes in is checked to the last field; what goes out has one form."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crm_bridge.lines import MAX_ATTRIBUTES_LENGTH
from crm_bridge.shapes import InteractionIn, TimelineQuery
from telephony.clock import iso


def event(**fields: Any) -> dict[str, Any]:
    whole = {
        "channel": "zalo",
        "occurred_at": "2026-11-16T10:00:00+07:00",
        "identities": [{"kind": "zalo", "value": "z1"}],
    }
    return whole | fields


def test_an_instant_goes_out_in_utc_with_milliseconds() -> None:
    assert iso(1_795_344_060.12) == "2026-11-22T10:41:00.120Z"
    assert iso(-1.0) == "1969-12-31T23:59:59.000Z"


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones).filter(lambda at: 1901 <= at.year <= 2199))
def test_an_instant_comes_back_as_it_went_out(at: datetime) -> None:
    read = InteractionIn.model_validate(event(occurred_at=at.isoformat()))
    again = InteractionIn.model_validate(event(occurred_at=iso(read.occurred_at.timestamp())))
    assert abs((again.occurred_at - read.occurred_at).total_seconds()) <= 0.001


def test_a_channel_may_have_any_name_in_one_spelling() -> None:
    assert InteractionIn.model_validate(event(channel=" Cửa Hàng ")).channel == "cửa hàng"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channel", " "),
        ("channel", "x" * 65),
        ("channel", "za\nlo"),
        ("direction", "sideways"),
        ("occurred_at", "2026-11-16T10:00:00"),
        ("occurred_at", "1700000000"),
        ("occurred_at", 1_700_000_000),
        ("occurred_at", "2026-11-16"),
        ("occurred_at", "0001-01-01T00:00:00+14:00"),
        ("occurred_at", "9999-12-31T23:59:59-12:00"),
        ("identities", []),
        ("identities", [{"kind": "zalo", "value": "z1"}] * 21),
        ("identities", [{"kind": "pigeon", "value": "1"}]),
        ("identities", [{"kind": "zalo", "value": ""}]),
        ("identities", [{"kind": "zalo", "value": "z1", "assurance": 3}]),
        ("subject", "x" * 501),
        ("subject", "two\nlines"),
        ("text", "x" * 20_001),
        ("text", "a\x00b"),
        ("text", "\ud800"),
        ("case", ""),
        ("case", 7),
        ("case", {"id": "1", "external_id": "2"}),
        ("case", {"subject": "x", "state": "half"}),
        ("external_id", ""),
        ("external_id", "x" * 256),
        ("attributes", {"name": 7}),
        ("attributes", {"name": "x" * 201}),
        ("attributes", {"language": "Vietnamese!"}),
        ("attributes", {"tags": "vip"}),
        ("attributes", {"tags": [""]}),
        ("attributes", {"x": float("nan")}),
        ("attributes", {"x": [{"y": float("inf")}]}),
        ("attributes", {"x": {"y": ["a\x00"]}}),
        ("attributes", {"\ud800": 1}),
        ("attributes", {"x": "x" * MAX_ATTRIBUTES_LENGTH}),
        ("customer", "1"),
    ],
)
def test_what_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        InteractionIn.model_validate(event(**{field: value}))
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_attributes_are_stored_as_they_came() -> None:
    attributes = {"name": "An", "order": {"total": 125_000.5, "items": [1, None, True]}}
    assert InteractionIn.model_validate(event(attributes=attributes)).attributes.stored() == attributes
    assert InteractionIn.model_validate(event()).attributes.stored() == {}


def test_a_timeline_is_asked_for_by_from_and_to() -> None:
    query = TimelineQuery.model_validate({"from": "2026-11-16T10:00:00Z", "to": "2026-11-17T10:00:00Z"})
    assert query.since is not None
    assert query.until is not None
    with pytest.raises(ValidationError):
        TimelineQuery.model_validate({"since": "2026-11-16T10:00:00Z"})
