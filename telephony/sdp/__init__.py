"""Session descriptions: `description` is their text, `stream` what one stream of the far end says, `negotiation` our
offer and answer, `reading` their answer, `sdes` the keys of SRTP to phones, `webrtc` what browsers add."""

from telephony.events import Direction
from telephony.sdp.agreement import Capabilities, Negotiated
from telephony.sdp.description import Media, SdpError, SessionDescription, parse, write
from telephony.sdp.negotiation import answer, favourite, is_same, is_webrtc, offer
from telephony.sdp.reading import is_refresh, read_answer, transport_of
from telephony.sdp.stream import CODECS, NAMES, NOWHERE, NUMBERS, OPUS, PCMA, PCMU, TELEPHONE_EVENT

__all__ = [
    "CODECS",
    "NAMES",
    "NOWHERE",
    "NUMBERS",
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
    "favourite",
    "is_refresh",
    "is_same",
    "is_webrtc",
    "offer",
    "parse",
    "read_answer",
    "transport_of",
    "write",
]
