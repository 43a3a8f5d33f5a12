"""`hours` in the settings."""

from datetime import date
from pathlib import Path

import pytest

from hotline.config import ConfigErrors, Settings, load
from ivr_flows.calendar import Calendar

EXAMPLE = """\
hours:
  office:
    timezone: Asia/Bangkok
    open: {mon-fri: [08:00-12:00, 13:00-17:30], sat: 08:00-12:00}
    holidays: [vn, 2026-12-24, {date: 2026-12-31, open: 08:00-12:00}, 2027-07-01..2027-07-02, {tet: 2027-02-04}]
"""


def loaded(text: str, folder: Path) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(text)
    return load(path, {})


def test_an_office(tmp_path: Path) -> None:
    weekday, saturday = ((480, 720), (780, 1050)), ((480, 720),)
    assert loaded(EXAMPLE, tmp_path).hours["office"].calendar == Calendar(
        timezone="Asia/Bangkok",
        week=(weekday,) * 5 + (saturday, ()),
        special={
            date(2026, 12, 24): (),
            date(2026, 12, 31): saturday,
            date(2027, 7, 1): (),
            date(2027, 7, 2): (),
        },
        vietnam=True,
        tet={2027: date(2027, 2, 4)},
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("00:00-24:00", ((0, 1440),)),
        ("22:00-06:00", ((1320, 1800),)),
        ("8:00-9:30, 10:00 - 11:00", ((480, 570), (600, 660))),
        ("[13:00-14:00, 08:00-12:00]", ((480, 720), (780, 840))),
    ],
)
def test_hours_of_a_day(tmp_path: Path, written: str, read: object) -> None:
    text = f"hours:\n  shop:\n    open:\n      sat-mon: {written}\n    holidays: vn, 2026-12-24\n"
    calendar = loaded(text, tmp_path).hours["shop"].calendar
    assert [index for index, day in enumerate(calendar.week) if day == read] == [0, 5, 6]
    assert (calendar.vietnam, list(calendar.special)) == (True, [date(2026, 12, 24)])


def test_the_office_is_open_by_default_and_ones_own_hours_stand_alone(tmp_path: Path) -> None:
    assert list(loaded("region: VN\n", tmp_path).hours) == ["office"]
    assert loaded("hours: {}\n", tmp_path).hours == {}


SHOP = "{open: {mon: 08:00-12:00}, "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "hours.shop.open: is missing"),
        ("{open: {}}", "hours.shop.open: needs at least one entry"),
        ("{open: {monday: 08:00-12:00}}", "`monday` is no day of the week; write mon, mon-fri, or mon, wed"),
        ("{open: {mon: 8-12}}", "hours.shop.open.mon: `8-12` is not from when until when"),
        ("{open: {mon: 08:00-25:00}}", "is not from when until when"),
        ("{open: {mon: 24:00-08:00}}", "is not from when until when"),
        ("{open: {mon: 08:00-08:00}}", "ends when it begins; write 00:00-24:00"),
        ("{open: {mon: []}}", "hours are due here"),
        ("{open: {mon: {}}}", "hours are due here"),
        ("{open: {mon: [08:00-12:00, 11:00-13:00]}}", "two of these hours are the same"),
        ("{open: {mon-fri: 08:00-12:00, fri: 13:00-14:00}}", "open: `fri` is here twice"),
        (SHOP + "timezone: Mars/Base}", "hours.shop.timezone: `Mars/Base` is no time zone"),
        (SHOP + "closed: yes}", "hours.shop.closed: is not a setting"),
        (SHOP + "holidays: [us]}", "hours.shop.holidays[0]: `us` is no date"),
        (SHOP + "holidays: [vn, 2026-02-30]}", "hours.shop.holidays[1]: `2026-02-30` is no date"),
        (SHOP + "holidays: [2026-12-24, 2026-12-20..2026-12-25]}", "holidays: 2026-12-24 is here twice"),
        (SHOP + "holidays: [2026-12-24..2026-12-20]}", "the first day comes first"),
        (SHOP + "holidays: [2026-12-24..2028-12-20]}", "within a year"),
        (SHOP + "holidays: [{day: 2026-12-24}]}", "`day` is nothing here; write {date:"),
        (SHOP + "holidays: [{open: 08:00-12:00}]}", "write {date:"),
        (SHOP + "holidays: [{date: 2026-12-24, open: never}]}", "`never` is not from when until when"),
        (SHOP + "holidays: [vn, {tet: 2027-05-01}]}", "is not the first of the five days of Tết"),
        (SHOP + "holidays: [{tet: 2027-02-04}]}", "write vn, too"),
        (SHOP + "holidays: [vn, {tet: 2027-02-04}, {tet: 2027-02-05}]}", "the Tết of 2027 is here twice"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors, match=r"hotline\.yaml:1: hours\.shop") as errors:
        loaded(f"hours: {{shop: {text}}}\n", tmp_path)
    assert said in str(errors.value)


def test_a_queue_keeps_hours_that_there_are(tmp_path: Path) -> None:
    assert loaded("queues: {care: {hours: office}}\n", tmp_path).queues["care"].hours == "office"
    with pytest.raises(ConfigErrors) as errors:
        loaded("queues: {care: {hours: ofice}}\n", tmp_path)
    assert "queues: care.hours: `hours` has no `ofice`; there are office" in str(errors.value)
