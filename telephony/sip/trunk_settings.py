"""What an endpoint is told of a trunk: who is at the other end, how we are let in, and how numbers are written."""

from typing import Literal

import msgspec

from telephony.sip.invitation import Credentials
from telephony.sip.numbering import NumberFormat
from telephony.sip.uri import Uri


class TrunkSettings(msgspec.Struct, frozen=True):
    """A trunk: a provider, or a PBX that we are behind.

    `targets` are where its requests go, in order of preference. With `register` we register there as the user of
    `credentials`, for `expires_s` at a time. `domain` is that of our identity there, the target's host where it is
    empty. `sources` are addresses (`192.0.2.1`, `192.0.2.1:5070`) and networks (`192.0.2.0/24`) whose INVITEs are this
    trunk's, besides what the targets' names lead to. `probe_s` is how often an OPTIONS asks whether a target is there,
    0 for never. A call that has had no provisional response after `patience_s` goes to the next target.

    `number_from` is where an INVITE of the trunk says what was dialled: in its Request-URI, or in To. `called` and
    `caller` are how the trunk writes numbers, and `prefix` what it wants before those that go out. With
    `shows_account` our From names the account, and the caller's number is asserted beside it (RFC 3325).
    """

    name: str
    targets: tuple[Uri, ...]
    credentials: Credentials | None = None
    register: bool = False
    domain: str = ""
    sources: tuple[str, ...] = ()
    expires_s: int = 600
    probe_s: float = 30.0
    patience_s: float = 4.0
    number_from: Literal["uri", "to"] = "uri"
    called: NumberFormat = "e164"
    caller: NumberFormat = "e164"
    prefix: str = ""
    shows_account: bool = False

    @property
    def contact_user(self) -> str:
        """The user part of the Contact that we register, by which its calls are known to be this trunk's."""
        return f"trunk-{self.name}"
