"""Who calls, and for whom (RFC 3261 From; RFC 3323 Privacy; RFC 3325 P-Asserted-Identity; RFC 5806 Diversion; RFC 7044
History-Info).

Rule 1: what a trunk asserts counts; what anybody else writes into the same fields does not.
"""

from itertools import pairwise
from typing import Final
from urllib.parse import unquote

import msgspec

from telephony.sip.headers import one_line, param
from telephony.sip.message import Request
from telephony.sip.uri import NameAddr, UriError, parse_name_addr

MAX_LENGTH: Final = 128
"""Of numbers and names that strangers write and that rows, journals and listeners are given: no real one is longer."""
_HIDDEN: Final = frozenset({"id", "user"})
_FORWARDED: Final = "302"


class Identity(msgspec.Struct, frozen=True):
    """The caller of an INVITE. `number` and `display_name` are empty for one who is `withheld`. `diverted` is the
    number that was dialled first, where the call was forwarded to us."""

    number: str
    display_name: str
    withheld: bool
    diverted: str = ""


def identify(request: Request, *, trusted: bool) -> Identity:
    """Return who calls. `trusted`: the INVITE came by a trunk, whose word counts."""
    party = (_asserted(request) if trusted else None) or request.from_
    # A trunk asserts whom to bill even where the caller asks not to be shown.
    withheld = is_withheld(request)
    return Identity(
        number="" if withheld else _short(party.uri.number),
        display_name="" if withheld else _short(party.display_name or request.from_.display_name),
        withheld=withheld,
        diverted=_diverted(request) if trusted else "",
    )


def is_withheld(request: Request) -> bool:
    """Whether the caller asks not to be known (RFC 3323 section 4.1, RFC 3325 section 9.3)."""
    uri = request.from_.uri
    wishes = {wish.strip().lower() for line in request.headers.lines("privacy") for wish in line.split(";")}
    return bool(wishes & _HIDDEN) or uri.user.lower() == "anonymous" or uri.host == "anonymous.invalid" or not uri.user


def _asserted(request: Request) -> NameAddr | None:
    """The asserted identity: there may be two, a sip: and a tel: one, of the same person (RFC 3325 section 9.1)."""
    for name in ("p-asserted-identity", "p-preferred-identity", "remote-party-id"):
        for value in request.headers.values(name):
            party = _party(value)
            if party is not None and party.uri.user:
                return party
    return None


def _diverted(request: Request) -> str:
    """The number that was dialled first: the last Diversion value is the oldest (RFC 5806 section 4), the first
    History-Info entry that was forwarded is (RFC 7044 section 10.1)."""
    parties = [party for value in request.headers.values("diversion") if (party := _party(value)) is not None]
    if parties:
        return _short(parties[-1].uri.number)
    entries = [party for value in request.headers.values("history-info") if (party := _party(value)) is not None]
    for before, after in pairwise(entries):
        if _is_forwarded(before) or _is_forwarded(after):
            return _short(before.uri.number)
    return ""


def _is_forwarded(entry: NameAddr) -> bool:
    """Whether an entry says that the call was retargeted: `rc` or `mp` (RFC 7044), or the cause that RFC 4244 hid in
    the URI."""
    if any(param(entry.params, name) is not None for name in ("mp", "rc")):
        return True
    cause = param(entry.uri.params, "cause") or ""
    return cause == _FORWARDED or "cause=" in unquote(entry.uri.headers).lower()


def _party(value: str) -> NameAddr | None:
    try:
        return parse_name_addr(value)
    except UriError:
        return None


def _short(text: str) -> str:
    return one_line(text)[:MAX_LENGTH]
