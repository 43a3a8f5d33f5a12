"""By which way a message goes to a person, and to which of their identities. Pure.

Rule 1: what is only claimed is written to only where somebody insists: what we know of a person is not told to whoever
typed that person's number.
Rule 2: where the way is left open, it is the one that the person wrote by last, else the first of the settings.
Rule 3: what cannot be sent is refused, with each way's cause and what mends it; nothing is sent by another way than the
one that was asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crm_bridge.notify.parcel import MAX_TEXT, Kind, Route

AUTO: Final = "auto"
KNOWN: Final = 1
"""The assurance of an identity that is more than a claim."""
ZALO_WINDOW_S: Final = 7 * 86_400.0
"""An account may write to whoever had to do with it in the last seven days (conditions of consultation messages)."""
KINDS: Final[Mapping[Kind, str]] = {"zalo": "Zalo user id", "email": "e-mail address"}


class NotReachable(ValueError):
    """The person cannot be written to as it was asked for; the text says why and what mends it."""


@dataclass(frozen=True, slots=True)
class Known:
    """An identity of a person: what `crm_bridge.tables.Identity` says of it."""

    kind: str
    value: str
    assurance: int
    confidence: float
    source: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A way and the identity at its end."""

    route: Route
    identity: Known


def choose(
    routes: Sequence[Route],
    identities: Sequence[Known],
    heard: Mapping[str, float],
    *,
    channel: str,
    to: str = "",
    least: int = KNOWN,
    length: int,
    now: float,
) -> Choice:
    """Choose. `heard` is when the person last wrote, by channel; `to` is a normalised identity that is wanted, "" for
    any; `length` the text's. `least` is the assurance that an identity needs, 0 where a claim will do. Raises
    `NotReachable`."""
    if not routes:
        raise NotReachable(
            "nothing is set that could send messages: see `notify.email`, and `refresh_token` of a channel"
        )
    wanted = list(routes) if channel == AUTO else [each for each in routes if each.name == channel]
    if not wanted:
        names = ", ".join(each.name for each in routes)
        raise NotReachable(f"no messages are sent by `{channel}`: name one of {names}, or {AUTO}")
    refused = []
    for route in sorted(wanted, key=lambda each: -heard.get(each.name, 0.0)):
        try:
            return _by(route, identities, heard, to=to, least=least, length=length, now=now)
        except NotReachable as cause:
            refused.append(f"{route.name}: {cause}")
    raise NotReachable("; ".join(refused))


def _by(
    route: Route,
    identities: Sequence[Known],
    heard: Mapping[str, float],
    *,
    to: str,
    least: int,
    length: int,
    now: float,
) -> Choice:
    of_kind = [each for each in identities if each.kind == route.kind and to in ("", each.value)]
    if not of_kind:
        which = f"is not known to have this {KINDS[route.kind]}" if to else f"has no {KINDS[route.kind]}"
        raise NotReachable(f"the person {which}; send by another channel")
    sound = [each for each in of_kind if each.assurance >= least]
    if not sound and least > KNOWN:
        raise NotReachable(
            f"nobody vouches for the {KINDS[route.kind]} as theirs alone; it has to be that of a signed message, or of "
            "an e-mail that a trusted server vouches for"
        )
    if not sound:
        raise NotReachable(
            f"the {KINDS[route.kind]} is only a claim, and may be somebody else's; "
            "send `claimed: true` if what it says may be read by a stranger"
        )
    if length > MAX_TEXT[route.kind]:
        raise NotReachable(f"the text is longer than {MAX_TEXT[route.kind]} characters; shorten it")
    if route.kind == "zalo" and now - heard.get(route.name, float("-inf")) > ZALO_WINDOW_S:
        raise NotReachable(
            "Zalo lets an account write only to people who wrote to it within the last 7 days; "
            "ask for a message first, or send by another channel"
        )
    best = max(sound, key=lambda each: (each.source == route.name, each.assurance, each.confidence, each.created_at))
    if route.kind == "email" and not best.value.isascii():
        raise NotReachable("the address is not of ASCII, which mail servers that send for us need not take")
    return Choice(route, best)
