"""What an endpoint is told at its beginning."""

from typing import Literal

import msgspec

from telephony.sip.message import MessageLimits

Algorithm = Literal["MD5", "SHA-256"]


class RegistrarSettings(msgspec.Struct, frozen=True):
    """Bounds of a registration in seconds, and how many bindings a user may have (the oldest gives way)."""

    min_expires_s: int = 60
    default_expires_s: int = 300
    max_expires_s: int = 3600
    bindings_per_user: int = 8


class EndpointLimits(msgspec.Struct, frozen=True):
    """What memory the far end may make us spend.

    Above `transactions` a new INVITE is answered 503 without being remembered, and at twice as many every request
    is. `sources` is how many senders of broken messages are told apart.
    """

    message: MessageLimits = MessageLimits()
    transactions: int = 20_000
    dialogs: int = 5_000
    nonces: int = 20_000
    sources: int = 1_024


class EndpointSettings(msgspec.Struct, frozen=True):
    """`address` is where we are reached (a port of 0: whatever the edge binds); `domain` is that of our users, and
    the realm of their digests. `algorithms` are offered in this order. MD5 alone is the default, because phones are
    at large that give up on a challenge they do not know even when it stands beside one they do (baresip before 2),
    or see the first alone (pyVoIP); an installation whose phones all know SHA-256 may say so.

    `ring_s` bounds how long an INVITE may go without a final response, in either direction. `rejections_every_s` is
    how often one source's broken messages are reported.
    """

    address: tuple[str, int]
    domain: str = "hotline"
    user_agent: str = "hotline"
    algorithms: tuple[Algorithm, ...] = ("MD5",)
    nonce_s: float = 300.0
    ring_s: float = 180.0
    rejections_every_s: float = 60.0
    registrar: RegistrarSettings = RegistrarSettings()
    limits: EndpointLimits = EndpointLimits()
