"""`ivr_flows.speaking.reading`: whatever a value came as."""

import contextlib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.speaking.reading import Unreadable, date_of, datetime_of, number_of, seconds_of, time_of

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, "7"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.3"),
        ("0012", "12"),
        (" +3.50 ", "3.5"),
        (".5", "0.5"),
        (Decimal("1250000.00"), "1250000"),
        (1e14, "100000000000000"),
    ],
)
def test_numbers(value: object, number: str) -> None:
    assert number_of(value) == Decimal(number)


NO_NUMBERS = (None, True, "", "-", ".", "1,5", "1.250.000", "1e3", "٣", "nan", float("nan"), 10**15, "9" * 31, [1])


@pytest.mark.parametrize("value", [*NO_NUMBERS, float("inf")])
def test_no_numbers(value: object) -> None:
    with pytest.raises(Unreadable):
        number_of(value)


@pytest.mark.parametrize(
    "value",
    [
        MONDAY,
        datetime(2026, 3, 1, 17, tzinfo=UTC),
        datetime(2026, 3, 2, 23, 59),  # noqa: DTZ001 - one without a zone is what is meant
        "2026-03-02",
        "20260302",
        "02032026",
        "2026-03-02T08:30",
        "2026-03-01T20:00:00Z",
        datetime(2026, 3, 2, 1, tzinfo=HANOI).timestamp(),
        1772413200,
    ],
)
def test_a_day(value: object) -> None:
    assert date_of(value, HANOI) == MONDAY


@pytest.mark.parametrize("value", [None, "", "tomorrow", "31022026", "99999999", "2026-02-30", 1e30, True, time(8)])
def test_no_day(value: object) -> None:
    with pytest.raises(Unreadable):
        date_of(value, HANOI)


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_eight_digits_are_read_from_either_end(value: date) -> None:
    assert date_of(value.strftime("%d%m%Y"), HANOI) == value
    assert date_of(value.strftime("%Y%m%d"), HANOI) == value


@pytest.mark.parametrize("value", [time(8, 30, 59), "08:30", "0830", "08:30:15", "2026-03-02T01:30Z", 1_772_415_000])
def test_a_time(value: object) -> None:
    assert time_of(value, HANOI) == time(8, 30)


@pytest.mark.parametrize("value", [None, "", "24:00", "8", "08:60", "2026-03-02", MONDAY, "9999-12-31T23:59-12:00"])
def test_no_time(value: object) -> None:
    with pytest.raises(Unreadable):
        time_of(value, HANOI)


def test_a_date_alone_is_no_instant() -> None:
    for value in ("2026-03-02", MONDAY, "0001-01-01T00:00+14:00"):
        with pytest.raises(Unreadable):
            datetime_of(value, HANOI)


def test_seconds() -> None:
    assert [seconds_of(value) for value in (125, "90", 59.6, timedelta(minutes=2))] == [125, 90, 60, 120]
    with pytest.raises(Unreadable):
        seconds_of(-1)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (number_of, lambda value: date_of(value, HANOI), lambda value: time_of(value, HANOI), seconds_of):
        with contextlib.suppress(Unreadable):
            read(text)
