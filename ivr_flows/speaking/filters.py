"""The filters that speak, for `ivr_flows.expression`. Each says its value in the language of the call, and leaves it as
it is in a language that is not known here.

What comes out is of our own making, and so whole: cutting it would say another number.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from jinja2 import Undefined, nodes, pass_context
from jinja2.runtime import Context

from ivr_flows.speaking import dates, durations, phones
from ivr_flows.speaking import money as amounts
from ivr_flows.speaking import numbers as cardinals
from ivr_flows.speaking.reading import (
    ANY_NUMBER,
    Spoken,
    Unreadable,
    date_of,
    datetime_of,
    number_of,
    seconds_of,
    time_of,
    yearless,
)

LANGUAGES: Final = ("vi", "en")
EXACTLY: Final = "exactly"
CHOICES: Final[Mapping[str, Sequence[str]]] = {
    "money": tuple(amounts.CURRENCIES),
    "duration": (EXACTLY, "about"),
}
"""What may stand in a filter's brackets; the first where nothing does."""


class Said(str):
    """Words that a filter made."""

    __slots__ = ()


Says = Callable[[Any, Spoken, datetime, str], str]


def _number(value: object, language: Spoken, _now: datetime, _choice: str) -> str:
    return cardinals.number(number_of(value, ANY_NUMBER), language)


def _money(value: object, language: Spoken, _now: datetime, currency: str) -> str:
    return amounts.money(number_of(value, ANY_NUMBER), currency, language)


def _day(value: object, language: Spoken, now: datetime, _choice: str) -> str:
    without_year = yearless(value)
    if without_year is not None:
        return dates.of_the_year(without_year, language)
    return dates.day(date_of(value, _zone(now)), now.date(), language)


def _time(value: object, language: Spoken, now: datetime, _choice: str) -> str:
    return dates.time_of_day(time_of(value, _zone(now)), language)


def _moment(value: object, language: Spoken, now: datetime, _choice: str) -> str:
    at = datetime_of(value, _zone(now))
    return dates.moment(at.date(), at.time(), now.date(), language)


def _phone(value: object, language: Spoken, _now: datetime, _choice: str) -> str:
    return phones.phone(value, language)


def _duration(value: object, language: Spoken, _now: datetime, choice: str) -> str:
    say = durations.duration if choice == EXACTLY else durations.about
    return say(seconds_of(value), language)


def _zone(now: datetime) -> Any:
    return now.tzinfo


SAYS: Final[Mapping[str, Says]] = {
    "number": _number,
    "money": _money,
    "day": _day,
    "time": _time,
    "moment": _moment,
    "phone": _phone,
    "duration": _duration,
}


def _filter(name: str, says: Says) -> Callable[..., object]:
    default = CHOICES.get(name, ("",))[0]

    @pass_context
    def speaks(context: Context, value: object, choice: str = default) -> object:
        if isinstance(value, Undefined):
            str(value)  # raises, and names what is not defined
        language = str(context["call"].language).partition("-")[0]
        if language not in LANGUAGES:
            return value
        try:
            return Said(says(value, cast("Spoken", language), context["now"], choice))
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from None

    return speaks


FILTERS: Final[Mapping[str, Callable[..., object]]] = {name: _filter(name, says) for name, says in SAYS.items()}


def wrong_argument(node: nodes.Filter) -> str:
    """Return what is wrong with the arguments of a filter of ours, empty for nothing. They are constants: a fault of
    theirs is found before any call."""
    if node.name not in SAYS:
        return ""
    known = CHOICES.get(node.name, ())
    given = [each.value if isinstance(each, nodes.Const) else None for each in node.args]
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(given) > 1 or any(each not in known for each in given):
        return f"{node.name} takes {' or '.join(known)}{', in quotes, or ' if known else ''}nothing"
    return ""
