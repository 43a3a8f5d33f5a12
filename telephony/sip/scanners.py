"""Programs that look for open doors, told by what they say of themselves and by what they ask for.

Rule 1: no single sign shuts anybody out who has shown to be somebody else's caller: a source with registered phones, a
trunk, and whoever has had a call with us are never silenced, since the address of a datagram can be forged. What is
told by its words is dropped from them too, request by request.

Rule 2: memory is constant. Where more senders are to be kept in mind than there is room for, the oldest gives way.
"""

import re
from typing import Final

from telephony.sip.message import Request

_AGENTS: Final = re.compile(
    r"friendly-(?:scanner|request)|sipvicious|sip-?scan|sipcli|sundayddr|iwar|siparmyknife|smap|sipptk|vaxsip|vaxasip|"
    r"pplsip|gulp|nm@p|nmap|nessus|masscan|zmap|sivus|stretchoid|custom-sip-scan|mr\.?sip",
    re.IGNORECASE,
)
# CounterPath's programs say their build (`eyeBeam release 1102q stamp 51814`); those who forge them do not.
_FORGERIES: Final = re.compile(r"(?:eyebeam|x-?lite)(?!.*\bstamp [0-9]{4,})", re.IGNORECASE)
_NAMES: Final = re.compile(r"sipvicious|friendly-scanner|sip-?scan|nm@?p", re.IGNORECASE)

WINDOW_S: Final = 60.0
PATIENCE_S: Final = 4.0
"""So long a phone may take to answer a challenge (T2: it has sent its request again by then) before its name is one
that was merely asked for."""
NAMES: Final = 12
"""So many names merely asked for within the window, from one source, are a search."""
_KEPT: Final = 4 * NAMES
_LONGEST: Final = 64


def is_scanner(request: Request) -> bool:
    """Whether a request says, in its User-Agent or in the names of From and To, that it is one's."""
    agent = request.headers.get("user-agent").strip()
    if agent and (_AGENTS.match(agent) or _FORGERIES.match(agent)):
        return True
    return any(
        _NAMES.match(text)
        for party in (request.from_, request.to)
        for text in (party.display_name.strip(), party.uri.user)
        if text
    )


class Searches:
    """Which sources ask for name after name and never come back with a proof."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._asked: dict[str, dict[str, float]] = {}  # source -> name -> when first; sources by their last asking

    def __len__(self) -> int:
        return sum(map(len, self._asked.values()))

    def refused(self, source: str, name: str, now: float) -> bool:
        """A source was challenged for a name, or told that there is no such number. True where that makes a search."""
        names = self._asked.pop(source, {})
        self._asked[source] = names
        while len(self._asked) > self._size:
            del self._asked[next(iter(self._asked))]
        for old in [known for known, at in names.items() if now - at >= WINDOW_S]:
            del names[old]
        if len(names) < _KEPT:
            names.setdefault(name[:_LONGEST], now)
        return sum(now - at >= PATIENCE_S for at in names.values()) >= NAMES

    def proven(self, source: str, name: str) -> None:
        """The phone of that name has come back, with the right password."""
        names = self._asked.get(source)
        if names is not None:
            names.pop(name[:_LONGEST], None)
            if not names:
                del self._asked[source]
