"""An answer by which a caller proves to be one of several people, or the one whose number it is.

Rule 1: exactly one candidate must fit. Whom the answer fits otherwise, or how many, is told to nobody.
Rule 2: attempts that fail are counted in the database, for each caller and for each of whom the caller may be, so that
neither more calls, nor other numbers, nor a restart give more of them.
Rule 3: what is asked is kept, and what is answered is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import attempts, candidates, telling_apart
from crm_bridge.attempts import WINDOW_S, mark

__all__ = ["PER_CALLER", "PER_CUSTOMER", "WINDOW_S", "Asked", "Verdict", "Verified", "proves", "verify"]

PER_CALLER: Final = 5
PER_CUSTOMER: Final = 10

Verdict = Literal["verified", "refused", "exhausted", "unknown"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer. `caller` is the number in E.164, empty for a withheld one; `profiles` are those whom
    the caller may be."""

    call: str
    caller: str
    profiles: tuple[str, ...]
    field: str
    answer: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it: `verified` (as `customer`), `refused`, `exhausted` (there were too many attempts, and this one
    is not looked at), `unknown` (nothing is known that it could be compared with)."""

    verdict: Verdict
    customer: str = ""


async def verify(session: AsyncSession, asked: Asked, now: float) -> Verified:
    """Compare an answer with what is known of the candidates. Writes without committing."""
    most = _most_of(asked)
    if await attempts.left(session, most, now) <= 0:
        return Verified("exhausted")
    people = await candidates.read(session, asked.profiles, asked.caller)
    if not any(asked.field in each.fields for each in people):
        return Verified("unknown")
    fitting = telling_apart.verify(people, asked.field, asked.answer)
    if len(fitting) == 1:
        return Verified("verified", fitting[0])
    await attempts.count(session, most, now)
    return Verified("refused")


def proves(field: str) -> bool:
    """Tell whether the answer to a question proves more than which of several people somebody is."""
    return field not in telling_apart.PROVES_NOTHING


def _most_of(asked: Asked) -> Mapping[str, int]:
    """Return the marks by which attempts are counted, and how many each may have."""
    caller = f"caller {asked.caller}" if asked.caller else f"call {asked.call}"
    return {mark(caller): PER_CALLER} | {mark(f"customer {each}"): PER_CUSTOMER for each in asked.profiles}
