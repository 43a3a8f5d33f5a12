"""Somebody who is made up for one run: a number in the spellings of many systems, an address, ids of two networks."""

import random
from dataclasses import dataclass
from typing import Final

from crm_bridge.identity import VIETNAM_2018, phone

NAME: Final = "Omnitest"
MAIL_DOMAIN: Final = "omnitest.example"
"""RFC 2606: nobody's, so that no answer to it reaches anybody."""
_OLD_PREFIXES: Final = {new: old for old, new in VIETNAM_2018.items()}
_PREFIX: Final = "38"


@dataclass(frozen=True, slots=True)
class Persona:
    """A person of one run. `number` is E.164, `tag` makes every id of the run its own."""

    number: str
    tag: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """The number as five systems write it: with spaces, with `+`, bare, with `00`, and as of before 2018 if it had
        another prefix then."""
        digits = self.number.removeprefix("+")
        if not self.number.startswith("+84"):
            return (self.number, f"+{digits[:2]} {digits[2:]}", f"00{digits}")
        written, rest = (f"+{digits[:2]} {digits[2:]}", digits, f"00{digits}"), digits[2:]
        national = f"0{rest[:2]} {rest[2:5]} {rest[5:]}"
        old = _OLD_PREFIXES.get(rest[:2])
        return (national, *written, f"0{old}{rest[2:]}") if old else (national, *written)

    def spelling(self, number: int) -> str:
        """Return one of the spellings, another for each number as far as they reach."""
        return self.spellings[number % len(self.spellings)]

    @property
    def email(self) -> str:
        return f"omnitest-{self.tag}@{MAIL_DOMAIN}"

    @property
    def accounts(self) -> dict[str, str]:
        """The ids on both networks, by the kind of identity that they are."""
        return {network: f"omnitest-{network}-{self.tag}" for network in ("zalo", "facebook")}


def made_up(dice: random.Random, number: str = "", region: str = "VN") -> Persona:
    """Return a new person, with `number` if there is one. Raises `ValueError` for a number that identifies nobody."""
    tag = f"{dice.getrandbits(48):012x}"
    if not number:
        return Persona(f"+84{_PREFIX}{dice.randrange(10_000_000):07d}", tag)
    normal = phone(number, region)
    if not normal:
        raise ValueError(f"`{number}` identifies nobody; give a number of one person, such as 0912345678")
    return Persona(normal, tag)
