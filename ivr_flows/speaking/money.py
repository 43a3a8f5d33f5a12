"""Amounts of money in words."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from ivr_flows.speaking.numbers import MINUS, cardinal, number
from ivr_flows.speaking.reading import Spoken, Unreadable


class Currency(NamedTuple):
    """A currency's name for one and for more of it, and of its hundredth, where it has one."""

    one: str
    more: str
    one_part: str = ""
    more_parts: str = ""


CURRENCIES: Final[Mapping[str, Mapping[Spoken, Currency]]] = {
    "VND": {"vi": Currency("đồng", "đồng"), "en": Currency("đồng", "đồng")},
    "USD": {
        "vi": Currency("đô la", "đô la", "xu", "xu"),
        "en": Currency("dollar", "dollars", "cent", "cents"),
    },
}


def money(value: Decimal, currency: str, language: Spoken) -> str:
    """Say an amount, to the smallest coin. Raises `Unreadable` for a currency that is not known."""
    if currency not in CURRENCIES:
        raise Unreadable(f"money knows {' and '.join(CURRENCIES)} alone")
    names = CURRENCIES[currency][language]
    coins = 100 if names.one_part else 1
    whole, part = divmod(int((abs(value) * coins).to_integral_value(ROUND_HALF_UP)), coins)
    said = []
    if whole or not part:
        said.append(f"{number(Decimal(whole), language)} {names.one if whole == 1 else names.more}")
    if part:
        said.append(f"{cardinal(part, language)} {names.one_part if part == 1 else names.more_parts}")
    words = (" and " if language == "en" else " ").join(said)
    return f"{MINUS[language]} {words}" if value < 0 and (whole or part) else words
