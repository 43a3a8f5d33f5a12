"""What an answer means: keys to values of a type, and the world's values to those of a record. Pure.

Every function returns None for what cannot be: the caller is asked again, and a web service's answer has failed.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat

from ivr_flows.flow import MAX_VALUE_CHARS, MOST_DIGITS, MOST_NUMBER, Check, Plain
from ivr_flows.speaking.phones import is_dialled
from telephony.events import HIDDEN_DIGIT
from telephony.requests import Values

_DAY, _SHORT_YEAR, _YEAR = 4, 6, 8
"""How many digits a date has: DDMM, DDMMYY, DDMMYYYY."""
CENTURY: Final = 100
LEAP_YEAR: Final = 2000
"""Whoever says no year may be born on 29 February."""


def understand(check: Check, kind: str, keys: str, today: date, region: str, *, proves: bool = False) -> Plain:
    """Return what keys say: E.164 for a phone, ISO for dates and times, a number for amounts and numbers.

    Digits that are hidden (a journal that is replayed) pass every check that they can. A date that `proves` who
    somebody is is one that they know by heart: said as DDMM it has no year (`--05-17`, ISO 8601), not this one.
    """
    if HIDDEN_DIGIT in keys:
        return keys
    if not keys or not (_is_date(keys, today, proves) if check == "date" else passes(check, keys, today, region)):
        return None
    match kind:
        case "number" | "amount":
            return _number(int(keys))
        case "phone":
            return _phone(keys, region)
        case "date":
            return _date(keys, today, proves)
        case "time":
            return _time(keys)
        case _:
            return keys


def passes(check: Check, keys: str, today: date, region: str) -> bool:
    """Whether keys are what is asked for."""
    match check:
        case "phone":
            return _phone(keys, region) is not None
        case "date":
            return _is_date(keys, today)
        case "time":
            return _time(keys) is not None
        case "luhn":
            return luhn(keys)
        case "csat":
            return keys in "12345"
        case "nps":
            return keys.isdigit() and str(int(keys)) == keys and int(keys) <= 10
        case _:
            return True


def luhn(digits: str) -> bool:
    """Whether digits end in their check digit (ISO/IEC 7812-1 annex B)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return len(digits) > 1 and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _phone(keys: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(f"+{keys[2:]}" if keys.startswith("00") else keys, region)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if phonenumbers.is_valid_number(number) else None


def _is_date(keys: str, today: date, proves: bool = False) -> bool:
    return _date(keys, today, proves) is not None


def _date(keys: str, today: date, proves: bool = False) -> str | None:
    if len(keys) not in (_DAY, _SHORT_YEAR, _YEAR):
        return None
    if proves and len(keys) == _DAY:
        found = _date(f"{keys}{LEAP_YEAR}", today)
        return found and found.replace(f"{LEAP_YEAR}", "-")
    day, month, year = int(keys[:2]), int(keys[2:4]), int(keys[4:] or today.year)
    if len(keys) == _SHORT_YEAR:
        # 85 is 1985 and 20 is 2020: a year that is still to come is of the century before.
        year += today.year - today.year % CENTURY
        year -= CENTURY if year > today.year else 0
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _time(keys: str) -> str | None:
    hour, minute = int(keys[:-2] or 0), int(keys[-2:])
    try:
        return time(hour, minute).isoformat("minutes") if len(keys) in (3, 4) else None
    except ValueError:
        return None


# --------------------------------------------------------------------------------------------- the world's answers


def record_of(fields: Mapping[str, str], values: Values) -> dict[str, Plain] | None:
    """Return a record of these fields (name -> type); None where one is missing or of another type."""
    found: dict[str, Plain] = {}
    for name, kind in fields.items():
        value = coerce(kind, values.get(name))
        if value is None:
            return None
        found[name] = value
    return found


def wrong_field(fields: Mapping[str, str], values: Values) -> str:
    """Return the first field that is missing or of another type."""
    return next((name for name, kind in fields.items() if coerce(kind, values.get(name)) is None), "")


def coerce(kind: str, value: Plain) -> Plain:
    """Return a value as one of a type; None where it is none of that."""
    if value is None:
        return None
    return COERCIONS.get(kind, _text)(value)


def _text(value: Plain) -> Plain:
    if isinstance(value, bool):
        return None
    return str(value)[:MAX_VALUE_CHARS]


def _digits(value: Plain) -> Plain:
    word = str(value)
    fits = word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS and not isinstance(value, bool)
    return word if fits else None


def _number(value: Plain) -> Plain:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not -MOST_NUMBER <= number <= MOST_NUMBER:  # nor is what is not a number at all
        return None
    return int(number) if isinstance(value, str) and number == int(number) else number


def _dialled(value: Plain) -> Plain:
    return value if isinstance(value, str) and is_dialled(value) else None


def _flag(value: Plain) -> Plain:
    return value if isinstance(value, bool) else None


def _iso(read: Callable[[str], date | time], cut: int) -> Callable[[Plain], Plain]:
    def coerced(value: Plain) -> Plain:
        try:
            return read(str(value)).isoformat()[:cut]
        except ValueError:
            return None

    return coerced


COERCIONS: Final[Mapping[str, Callable[[Plain], Plain]]] = {
    "text": _text,
    "digits": _digits,
    "phone": _dialled,
    "number": _number,
    "amount": _number,
    "flag": _flag,
    "date": _iso(datetime.fromisoformat, 10),
    "time": _iso(time.fromisoformat, 5),
}
