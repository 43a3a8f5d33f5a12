"""What may be dialled by which trunk, and which number is shown there. Pure.

Rule: whoever has a phone of ours, stolen or not, must not be able to run up a bill. Allowed is what people of the
trunk's countries call each other by; premium numbers, everything abroad, and codes that a PBX takes for commands are
refused unless the settings name them. Emergency numbers go through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers.shortnumberinfo import connects_to_emergency_number, is_emergency_number

from telephony.sip.numbering import read, write

_DIALLED: Final = re.compile(r"\+?[0-9*#]{1,24}")
_SEPARATORS: Final = re.compile(r"[\s\-.()/]")
_COSTLY: Final = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PAGER,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class TrunkRules:
    """What the switchboard knows of a trunk.

    `countries` are regions as two letters. `allow` and `deny` are beginnings of numbers: of one in E.164 with its plus
    (`+8419`), of others as they are dialled; `deny` takes both, and stands above everything. `caller_number` is what
    calls show, `caller_numbers` what those of single agents do. With `passes_on` a caller who is given away to a number
    shows the caller's own. `withholds`: nothing is shown. `refers`: it can put its
    callers through to a number by itself (REFER).
    """

    name: str
    countries: frozenset[str] = frozenset({"VN"})
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_calls: int = 30
    caller_number: str = ""
    caller_numbers: Mapping[str, str] = field(default_factory=dict)
    passes_on: bool = False
    withholds: bool = False
    refers: bool = False

    def shown(self, agent: str) -> str:
        """Return the number that a call of an agent shows."""
        return self.caller_numbers.get(agent, self.caller_number)


def dialled(number: str, region: str) -> str:
    """Return what was dialled in E.164, or as it is where that is no telephone number; "" for what nobody can dial."""
    written = _SEPARATORS.sub("", number)
    return (read(written, region) or written) if _DIALLED.fullmatch(written) else ""


def is_emergency(number: str, region: str) -> bool:
    """Whether a number (as `dialled` returns it) may lead to an emergency service."""
    return number.isdecimal() and connects_to_emergency_number(number, region)


def refusal(rules: TrunkRules, number: str, region: str) -> str:
    """Return why a number (as `dialled` returns it) may not be dialled by a trunk, "" where it may."""
    forms = {number, write(number, region, "national"), write(number, region, "00")}
    if any(form.startswith(beginning) for form in forms for beginning in rules.deny):
        return "denied by the trunk's `deny`"
    if any(number.startswith(beginning) for beginning in rules.allow):
        return ""
    if not read(number, region):
        is_emergency = number.isdecimal() and is_emergency_number(number, region)
        return "" if is_emergency else "no telephone number, and no beginning that `allow` names"
    parsed = phonenumbers.parse(number)
    country = phonenumbers.region_code_for_number(parsed) or "nowhere"
    if country not in rules.countries:
        return f"abroad ({country}), which `countries` does not name"
    if phonenumbers.number_type(parsed) in _COSTLY:
        return "a number that costs more, which `allow` does not name"
    return ""
