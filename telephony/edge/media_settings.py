"""What the control process tells a media worker at its start."""

from typing import Final

import msgspec

from telephony.edge.ice_servers import IceServer
from telephony.events import VoiceDetector
from telephony.media.gain import GainMode
from telephony.media.voices import SHORTEST_MS

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
    ice_servers: tuple[IceServer, ...] = ()
    """STUN and TURN servers that say how browsers reach us from outside."""
    barge_in_ms: int = SHORTEST_MS
    """So much voice ends a prompt."""
    voice_detector: VoiceDetector = "plain"
    """What tells voice from other sounds where a command does not say."""
