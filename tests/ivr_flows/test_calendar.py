"""`ivr_flows.calendar`: open, closed, holiday, emergency; over midnight, over the change of clocks, over Tết."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr_flows.calendar import DAY_MINUTES, Calendar, Day, opens_next, state, states

MORNING, AFTERNOON = (8 * 60, 12 * 60), (13 * 60, 17 * 60 + 30)
ALL_DAY = (0, DAY_MINUTES)
NIGHT = (22 * 60, 30 * 60)
OFFICE = Calendar(week=(*((MORNING, AFTERNOON),) * 5, (MORNING,), ()), vietnam=True)
NIGHTS = Calendar(week=((NIGHT,),) * 7)


def at(text: str, zone: str = "Asia/Ho_Chi_Minh", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def shown(instant: float | None, zone: str = "Asia/Ho_Chi_Minh") -> str:
    return "" if instant is None else datetime.fromtimestamp(instant, ZoneInfo(zone)).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-02T07:59:59", "closed"),
        ("2026-03-02T08:00", "open"),
        ("2026-03-02T11:59:59", "open"),
        ("2026-03-02T12:00", "closed"),
        ("2026-03-02T13:00", "open"),
        ("2026-03-02T17:30", "closed"),
        ("2026-03-07T11:00", "open"),
        ("2026-03-07T14:00", "closed"),
        ("2026-03-08T11:00", "closed"),
        ("2026-02-17T10:00", "holiday"),
        ("2026-02-17T03:00", "holiday"),
        ("2026-04-27T10:00", "holiday"),  # Hung Kings' Day is a Sunday: given back on Monday
        ("2026-09-02T10:00", "holiday"),
    ],
)
def test_an_office(when: str, expected: str) -> None:
    assert state(OFFICE, at(when)) == expected


def test_an_emergency_is_before_everything() -> None:
    for when in ("2026-03-02T08:00", "2026-03-02T20:00", "2026-02-17T10:00"):
        assert state(OFFICE, at(when), emergency=True) == "emergency"
    found = states({"office": OFFICE, "nights": NIGHTS}, {"office"}, at("2026-03-02T23:00"))
    assert found == {"office": "emergency", "nights": "open"}


@pytest.mark.parametrize(
    ("special", "when", "expected"),
    [
        ((MORNING,), "2026-12-31T10:00", "open"),
        ((MORNING,), "2026-12-31T14:00", "closed"),
        ((), "2026-12-31T10:00", "holiday"),
        ((), "2027-01-01T02:00", "holiday"),  # New Year's Day
        ((NIGHT,), "2027-01-01T02:00", "holiday"),
    ],
)
def test_days_with_hours_of_their_own(special: Day, when: str, expected: str) -> None:
    calendar = msgspec.structs.replace(OFFICE, special={date(2026, 12, 31): special})
    assert state(calendar, at(when)) == expected


def test_hours_of_its_own_open_a_holiday() -> None:
    calendar = msgspec.structs.replace(OFFICE, special={date(2026, 2, 17): (MORNING,)})
    assert state(calendar, at("2026-02-17T09:00")) == "open"


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    calendar = msgspec.structs.replace(NIGHTS, special={date(2026, 3, 4): ()})
    whens = ("03T21:59", "03T22:00", "03T23:59", "04T00:00", "04T05:00", "04T23:00", "05T01:00", "05T22:00", "06T05:59")
    found = [state(calendar, at(f"2026-03-{when}")) for when in whens]
    assert found == ["closed", "open", "open", "holiday", "holiday", "holiday", "closed", "open", "open"]


def test_the_whole_day_has_no_seam() -> None:
    always = Calendar(week=((ALL_DAY,),) * 7)
    assert {state(always, at("2026-03-02T00:00") + minute * 60) for minute in range(3 * DAY_MINUTES)} == {"open"}


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        ("2026-03-02T09:00:30", "2026-03-02T09:00+07:00"),
        ("2026-03-02T12:30", "2026-03-02T13:00+07:00"),
        ("2026-03-06T18:00", "2026-03-07T08:00+07:00"),
        ("2026-03-07T12:00", "2026-03-09T08:00+07:00"),
        ("2026-02-13T18:00", "2026-02-14T08:00+07:00"),
        ("2026-02-14T12:00", "2026-02-21T08:00+07:00"),  # Tết
    ],
)
def test_opens_next(when: str, opens: str) -> None:
    assert shown(opens_next(OFFICE, at(when))) == opens


def test_who_never_opens_is_told() -> None:
    assert opens_next(Calendar(), at("2026-03-02T12:00")) is None


def test_tet_is_where_the_settings_say() -> None:
    calendar = msgspec.structs.replace(OFFICE, tet={2026: date(2026, 2, 14)})
    assert state(calendar, at("2026-02-14T09:00")) == "holiday"
    assert state(calendar, at("2026-02-20T09:00")) == "open"


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("span", "when", "fold", "opens"),
    [
        # 29 March 2026: 02:00 to 03:00 is left out.
        ((150, 240), "2026-03-29T01:59", 0, "2026-03-29T03:00+02:00"),
        ((120, 240), "2026-03-29T01:59", 0, "2026-03-29T03:00+02:00"),
        ((130, 170), "2026-03-29T01:59", 0, "2026-03-30T02:10+02:00"),
        # 25 October 2026: 02:00 to 03:00 comes twice.
        ((150, 240), "2026-10-25T02:00", 0, "2026-10-25T02:30+02:00"),
        ((150, 240), "2026-10-25T02:10", 1, "2026-10-25T02:30+01:00"),
        ((60, 150), "2026-10-25T02:40", 0, "2026-10-25T02:00+01:00"),
    ],
)
def test_clocks_that_change(span: tuple[int, int], when: str, fold: int, opens: str) -> None:
    calendar = Calendar(timezone=BERLIN, week=((span,),) * 7)
    assert shown(opens_next(calendar, at(when, BERLIN, fold)), BERLIN) == opens


SPANS = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda span: (span[0], span[0] + span[1]))
CALENDARS = st.builds(
    Calendar,
    timezone=st.sampled_from(["Asia/Ho_Chi_Minh", BERLIN, "America/Sao_Paulo", "Australia/Lord_Howe"]),
    week=st.tuples(*[st.lists(SPANS, max_size=2).map(tuple)] * 7),
    special=st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.lists(SPANS, max_size=1).map(tuple)),
    vietnam=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(CALENDARS, st.floats(at("2026-01-01T00:00"), at("2026-12-31T00:00"), allow_nan=False).map(round))
def test_it_is_closed_until_it_opens_next(calendar: Calendar, now: int) -> None:
    opens = opens_next(calendar, now)
    if opens is None:
        return
    assert state(calendar, opens) == "open"
    if opens > now:
        assert state(calendar, opens - 1) != "open"
        step = max(60, int(opens - now) // 500)
        assert all(state(calendar, each) != "open" for each in range(now, int(opens), step))


@settings(deadline=None)
@given(st.integers(0, 10 * DAY_MINUTES))
def test_a_minute_is_like_the_wall_says(minute: int) -> None:
    local = datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(minutes=minute)
    of_day = local.hour * 60 + local.minute
    is_open = any(first <= of_day < last for first, last in OFFICE.week[local.weekday()])
    assert state(OFFICE, local.timestamp()) == ("open" if is_open else "closed")
