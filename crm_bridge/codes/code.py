"""A one-time code: what is kept of it, and what keys are to it. Pure.

Rule 1: a code is good for one call, for one person, once, and for a while. What the next input makes of it is the table
`CODE`; an input that is not in it is refused, and changes nothing.
Rule 2: of the digits there is only a digest, under a key that no disk has. Six digits are guessed in an instant by
whoever has a digest and its key, whatever the digest; so the key lives in the process, and its end is every code's.
Rule 3: keys are compared first, in constant time, whatever the code's state is: how long an answer takes tells nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

State = Literal["waiting", "used", "spent", "expired"]
Input = Literal["right", "wrong", "wrong_again", "late"]
"""What is keyed: in time and right, or wrong, or wrong for the last time; or too late."""
Verdict = Literal["verified", "wrong", "refused"]
"""`wrong` may be tried again, `refused` may not."""

DIGITS: Final = 6
VALID_S: Final = 300.0
PER_CALL: Final = 3
"""So many wrong codes end it for a call."""

CODE: Final[Mapping[tuple[State, Input], tuple[State, Verdict]]] = {
    ("waiting", "right"): ("used", "verified"),
    ("waiting", "wrong"): ("waiting", "wrong"),
    ("waiting", "wrong_again"): ("spent", "refused"),
    ("waiting", "late"): ("expired", "refused"),
}


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was sent in a call to a customer (a profile). `expires_at` is in seconds since the epoch."""

    call: str
    customer: str
    digest: bytes
    expires_at: float
    state: State = "waiting"


def made(key: bytes, call: str, customer: str, digits: str, expires_at: float) -> Code:
    """Return what is kept of a code that is sent."""
    return Code(call, customer, _digest(key, call, customer, digits), expires_at)


def tried(code: Code, key: bytes, digits: str, now: float, *, last: bool) -> tuple[Code, Verdict]:
    """Return what keys make of a code, and what they are. `last`: another wrong code is not taken after this."""
    is_right = hmac.compare_digest(code.digest, _digest(key, code.call, code.customer, digits))
    wrong: Input = "wrong_again" if last else "wrong"
    keyed: Input = "late" if now >= code.expires_at else "right" if is_right else wrong
    state, verdict = CODE.get((code.state, keyed), (code.state, "refused"))
    return replace(code, state=state), verdict


def _digest(key: bytes, call: str, customer: str, digits: str) -> bytes:
    return hmac.digest(key, "\0".join((call, customer, digits)).encode(), "sha256")
