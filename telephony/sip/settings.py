"""What an endpoint is told at its beginning."""

from typing import Literal

import msgspec

from telephony.sip.message import MessageLimits
from telephony.sip.trunk_settings import TrunkSettings

Algorithm = Literal["MD5", "SHA-256"]


class RegistrarSettings(msgspec.Struct, frozen=True):
    """Bounds of a registration in seconds, and how many bindings a user may have (the oldest gives way)."""

    min_expires_s: int = 60
    default_expires_s: int = 300
    max_expires_s: int = 3600
    bindings_per_user: int = 8


class AdmissionSettings(msgspec.Struct, frozen=True):
    """What strangers may ask of us, and phones that are registered.

    `requests_per_s` of one source (`sources.source_of`), and `burst` at once, count requests that belong to no dialog;
    those of a registered phone have `phone_requests_per_s` and `phone_burst` of their own. `pending` bounds calls of
    strangers that have not shown yet, by their ACK, that they are where they say, of one source `pending_per_source`;
    `calls_per_source` bounds all calls of one source of strangers.
    `silence_s` is how long a source that searches is not answered. `sources` is the size of every table.
    """

    requests_per_s: float = 20.0
    burst: float = 200.0
    phone_requests_per_s: float = 10.0
    phone_burst: float = 300.0
    pending_per_source: int = 10
    pending: int = 50
    calls_per_source: int = 100
    silence_s: float = 300.0
    sources: int = 4096


class SubscriptionSettings(msgspec.Struct, frozen=True):
    """Bounds of a subscription (a lamp of a desk phone) in seconds, and how many there may be: of one user, in all."""

    min_expires_s: int = 60
    default_expires_s: int = 3600
    max_expires_s: int = 3600
    per_user: int = 256
    total: int = 10_000


class TextSettings(msgspec.Struct, frozen=True):
    """Bounds of texts (MESSAGE): octets of one (RFC 3428 section 8); how many may come in a minute of one of our users,
    of one source that is none of them or in one call, and of all such; and how many may wait to be kept."""

    octets: int = 1300
    per_minute_of_user: int = 60
    per_minute_of_source: int = 10
    per_minute_of_strangers: int = 120
    waiting: int = 200


class EndpointLimits(msgspec.Struct, frozen=True):
    """What memory the far end may make us spend.

    Above `transactions` a stranger's new INVITE is answered 503 without being remembered, and at twice as many every
    request is. `sources` is how many senders of broken messages are told apart. `guesses` is how many wrong passwords
    of one user, from one address, cost nothing.
    """

    message: MessageLimits = MessageLimits()
    transactions: int = 100_000
    dialogs: int = 5_000
    nonces: int = 20_000
    sources: int = 1_024
    guesses: int = 3


class OverloadSettings(msgspec.Struct, frozen=True):
    """`target_s` is the least wait in an interval of `interval_s` above which a queue stands, where we worked for the
    share `busy` of that interval, and `starved_target_s` where we did not. Two such intervals in a row are an overload,
    nothing being turned away for `calm_s` is its end. In between, a wait of `stop_at` times the target lets nobody in.
    `least_per_s` calls a second are let in whatever happens. `retry_after_s`: between these two."""

    target_s: float = 0.005
    starved_target_s: float = 0.025
    busy: float = 0.9
    interval_s: float = 0.1
    stop_at: float = 3.0
    calm_s: float = 1.0
    least_per_s: float = 10.0
    retry_after_s: tuple[int, int] = (2, 8)


class EndpointSettings(msgspec.Struct, frozen=True):
    """`address` is where we are reached (a port of 0: whatever the edge binds); `domain` is that of our users, and
    the realm of their digests. `algorithms` are offered in this order. MD5 alone is the default, because phones are
    at large that give up on a challenge they do not know even when it stands beside one they do (baresip before 2),
    or see the first alone (pyVoIP); an installation whose phones all know SHA-256 may say so.

    `ring_s` bounds how long an INVITE may go without a final response, in either direction. `session_expires_s` is the
    interval of session timers (RFC 4028), 0 for none of our own. `rejections_every_s` is
    how often one source's broken messages are reported. Without `admission` everybody may ask as much as they like.

    What is dialled by a trunk is told in the form in which `numbers` has it; numbers without a country are of `region`.
    """

    address: tuple[str, int]
    domain: str = "hotline"
    user_agent: str = "hotline"
    algorithms: tuple[Algorithm, ...] = ("MD5",)
    nonce_s: float = 300.0
    ring_s: float = 180.0
    session_expires_s: int = 1800
    rejections_every_s: float = 60.0
    registrar: RegistrarSettings = RegistrarSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    texts: TextSettings = TextSettings()
    limits: EndpointLimits = EndpointLimits()
    admission: AdmissionSettings | None = None
    trunks: tuple[TrunkSettings, ...] = ()
    numbers: tuple[str, ...] = ()
    region: str = "VN"
    overload: OverloadSettings = OverloadSettings()
