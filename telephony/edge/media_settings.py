"""What the control process tells a media worker at its start."""

from typing import Final

import msgspec

from telephony.edge.ice_servers import IceServer
from telephony.events import GainMode, VoiceDetector
from telephony.media.tone_plans import Country

ICE_SERVERS: Final = "HOTLINE_ICE_SERVERS"
"""The environment's variable with STUN and TURN servers in JSON: arguments are for all to see."""


class MediaSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a media worker needs to know.

    `address` is bound and told in the SDP; `ports` are the first and the last UDP port it may use (RTP takes the even
    ones); `anchor` is the control process's clock (`ProcessClock.anchor`).
    """

    address: str
    ports: tuple[int, int]
    anchor: float
    media_timeout_s: float = 30.0
    max_legs: int = 500
    ice_addresses: tuple[str, ...] = ()
    """Where browsers are told to send to; nothing: `address`."""
    automatic_gain: GainMode = "off"
    tones: Country = "vn"
    """Whose call progress tones are played."""
    ice_servers: tuple[IceServer, ...] = ()
    """STUN and TURN servers that say how browsers reach us from outside."""
    ports_from: int = 0
    """The port to begin with, so that workers which share `ports` do not try each other's; 0: the first."""
    cores: tuple[int, ...] = ()
    """The processors it may run on; nothing: all."""
    nice: int = 0
    """Its priority, from -20 (first) to 19, as nice(1) counts."""
    barge_in_ms: int = 120
    """So much voice ends a prompt."""
    voice_detector: VoiceDetector = "plain"
    """What tells voice from other sounds where a command does not say."""
