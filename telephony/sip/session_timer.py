"""Session timers (RFC 4028): a call whose far end is gone without a BYE is found out, whoever of the two refreshes
it."""

import re
from typing import Final, Literal

import msgspec

from telephony.sip.errors import RemoteError
from telephony.sip.headers import Headers, param, parse_params
from telephony.sip.message import Message, Request

OPTION: Final = "timer"
LEAST_S: Final = 90  # section 4: "the absolute minimum"
_MOST_S: Final = 24 * 3600
_MARGIN_S: Final = 32.0
_SECONDS: Final = re.compile(r"[0-9]{1,9}")

Refresher = Literal["uac", "uas"]


class SessionExpires(msgspec.Struct, frozen=True):
    """A Session-Expires value: seconds, and who refreshes; None where it is left open."""

    seconds: int
    refresher: Refresher | None = None

    def write(self) -> str:
        """Return the value as text."""
        return f"{self.seconds}" + (f";refresher={self.refresher}" if self.refresher else "")


def read(message: Message) -> SessionExpires | None:
    """Return what a message says, None for nothing that can be read."""
    seconds, semicolon, rest = message.headers.get("session-expires").partition(";")
    seconds = seconds.strip()
    if not _SECONDS.fullmatch(seconds):
        return None
    try:
        refresher = param(parse_params(semicolon + rest), "refresher")
    except ValueError:
        return None
    known: Refresher | None = "uac" if refresher == "uac" else "uas" if refresher == "uas" else None
    return SessionExpires(min(int(seconds), _MOST_S), known)


def check(request: Request) -> None:
    """Refuse an interval that is too brief (section 9). Raises `RemoteError` 422."""
    asked = read(request)
    if asked is not None and asked.seconds < LEAST_S:
        raise RemoteError(422, "Session Interval Too Small", extra=(("min-se", str(LEAST_S)),))


def agree(request: Request, supported: frozenset[str], usual_s: int) -> SessionExpires | None:
    """Return what a 2xx to `request` says, None for no timer (section 9, table 2).

    Where the far end leaves it open, we refresh: that finds a dead far end, and no phone has to remember to.
    """
    asked = read(request)
    if asked is None and (OPTION not in supported or not usual_s):
        return None
    seconds = asked.seconds if asked is not None else max(usual_s, least(request))
    can = OPTION in supported
    refresher: Refresher = asked.refresher if asked is not None and asked.refresher and can else "uas"
    return SessionExpires(seconds, refresher)


def least(message: Message) -> int:
    """Return the shortest interval that a message allows (Min-SE)."""
    text = message.headers.get("min-se").partition(";")[0].strip()
    return max(LEAST_S, min(int(text), _MOST_S)) if _SECONDS.fullmatch(text) else LEAST_S


def put(headers: Headers, agreed: SessionExpires) -> None:
    """Write what was agreed on into a 2xx; a far end that is to refresh must know how (section 9)."""
    headers.set("session-expires", agreed.write())
    if agreed.refresher == "uac":
        headers.set("require", OPTION)


def due_s(interval_s: int, *, refreshes: bool) -> float:
    """Return after how many seconds to refresh, or to give the far end up (section 10)."""
    return interval_s / 2 if refreshes else interval_s - min(_MARGIN_S, interval_s / 3)
