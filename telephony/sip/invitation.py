"""What an INVITE of ours is made of: whom it asks for, the ways to get there, and what we know about being let in.

An INVITE may be sent more than once in one dialog to be: with credentials after a challenge, with a longer session
timer after 422, and along the next way when one fails (RFC 3261 sections 8.1.3.5 and 22.2, RFC 4028 section 6, RFC 3263
section 4.3). Each time it is a new transaction with the next CSeq.
"""

from typing import Final

import msgspec

from telephony.events import Invite
from telephony.sip.address import Address
from telephony.sip.uri import NameAddr, Uri

FAILOVER: Final = frozenset({408, 430, 500, 502, 503, 504})
"""Final responses after which the next way is tried: what failed is the way, not the call."""


class Credentials(msgspec.Struct, frozen=True):
    """What we are let in with, in `realm` alone where one is named. It never shows itself."""

    user: str
    password: str
    realm: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, ...)"


class Attempt(msgspec.Struct, frozen=True):
    """One way to a callee.

    `target` is the Request-URI and `address` where it goes; `routes` are preloaded Route values. `caller` and `called`
    are From and To, without tags. `fields` are further header fields (P-Asserted-Identity, ...), `contact_user` is the
    user part of our Contact. After `patience_s` without any response the next way is tried, where there is one; 0 for
    no sooner than timer B.
    """

    target: Uri
    address: Address
    caller: NameAddr
    called: NameAddr
    routes: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    contact_user: str = ""
    patience_s: float = 0.0


class Invitation:
    """An INVITE until its final response: the command, the attempts that are left (the first is under way), the
    credentials that go along, by header field and realm, and the session interval that the far end insists on."""

    __slots__ = ("attempts", "authorizations", "command", "min_expires_s")

    def __init__(self, command: Invite, attempts: tuple[Attempt, ...]) -> None:
        self.command = command
        self.attempts = list(attempts)
        self.authorizations: dict[tuple[str, str], str] = {}
        self.min_expires_s = 0

    @property
    def attempt(self) -> Attempt:
        """The way that is under way."""
        return self.attempts[0]

    def next(self) -> bool:
        """Give up the present way; False when there is no other."""
        if len(self.attempts) < 2:
            return False
        del self.attempts[0]
        self.authorizations = {}
        return True


class Early:
    """A far end that has responded provisionally to our INVITE: its last RSeq (RFC 3262) and its description."""

    __slots__ = ("rseq", "sdp")

    def __init__(self) -> None:
        self.rseq = 0
        self.sdp = ""
