"""Session descriptions: `description` is their text, `negotiation` offer and answer, `webrtc` what browsers add."""

from telephony.sdp.description import Media, SdpError, SessionDescription, parse, write
from telephony.sdp.negotiation import (
    CODECS,
    NAMES,
    NOWHERE,
    OPUS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Capabilities,
    Direction,
    Negotiated,
    answer,
    is_refresh,
    is_webrtc,
    offer,
    read_answer,
)

__all__ = [
    "CODECS",
    "NAMES",
    "NOWHERE",
    "OPUS",
    "PCMA",
    "PCMU",
    "TELEPHONE_EVENT",
    "Capabilities",
    "Direction",
    "Media",
    "Negotiated",
    "SdpError",
    "SessionDescription",
    "answer",
    "is_refresh",
    "is_webrtc",
    "offer",
    "parse",
    "read_answer",
    "write",
]
