"""Days and times of day in words."""

from datetime import date, time, timedelta
from typing import Final

from ivr_flows.speaking.numbers import cardinal, english_year, ordinal
from ivr_flows.speaking.reading import Spoken

WEEKDAYS: Final[dict[Spoken, tuple[str, ...]]] = {
    "vi": ("thứ hai", "thứ ba", "thứ tư", "thứ năm", "thứ sáu", "thứ bảy", "chủ nhật"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
NEAR: Final[dict[Spoken, dict[int, str]]] = {
    "vi": {-1: "hôm qua", 0: "hôm nay", 1: "ngày mai"},
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
}
APRIL: Final = 4
PARTS_OF_DAY: Final = ((1, "đêm"), (11, "sáng"), (13, "trưa"), (18, "chiều"), (23, "tối"), (24, "đêm"))
"""Up to which hour a time belongs to which part of the day."""


def day(value: date, today: date, language: Spoken) -> str:
    """Say a day: one next to today by its nearness, others by weekday and date, with the year where it is another."""
    near = NEAR[language].get((value - today) // timedelta(days=1))
    if near:
        return near
    weekday = WEEKDAYS[language][value.weekday()]
    if language == "en":
        words = f"{weekday}, {of_the_year(value, language)}"
        return words if value.year == today.year else f"{words}, {english_year(value.year)}"
    words = f"{weekday} {of_the_year(value, language)}"
    return words if value.year == today.year else f"{words} năm {cardinal(value.year, 'vi')}"


def of_the_year(value: date, language: Spoken) -> str:
    """Say a day and month: "ngày mười bảy tháng năm", "May seventeenth"."""
    if language == "en":
        return f"{MONTHS[value.month - 1]} {ordinal(value.day)}"
    month = "tư" if value.month == APRIL else cardinal(value.month, "vi")
    return f"ngày {cardinal(value.day, 'vi')} tháng {month}"


def time_of_day(value: time, language: Spoken) -> str:
    """Say a time: "tám giờ rưỡi sáng", "eight thirty AM"."""
    hour = value.hour % 12 or 12
    if language == "en":
        return _english_time(hour, value)
    part = next(name for before, name in PARTS_OF_DAY if value.hour < before)
    minutes = {0: "", 30: " rưỡi"}.get(value.minute, f" {cardinal(value.minute, 'vi')} phút")
    return f"{cardinal(hour, 'vi')} giờ{minutes} {part}"


def _english_time(hour: int, value: time) -> str:
    if hour == 12 and not value.minute:
        return "twelve noon" if value.hour else "twelve midnight"
    minutes = f" {'oh ' if value.minute < 10 else ''}{cardinal(value.minute, 'en')}" if value.minute else ""
    return f"{cardinal(hour, 'en')}{minutes} {'AM' if value.hour < 12 else 'PM'}"


def moment(at: date, clock: time, today: date, language: Spoken) -> str:
    """Say a day and a time of it."""
    between = "lúc" if language == "vi" else "at"
    return f"{day(at, today, language)} {between} {time_of_day(clock, language)}"
