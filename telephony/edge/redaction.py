"""Keys and secret digits stay out of the journal.

Keys of encryption: whoever reads it later must not be able to decrypt what somebody recorded of a call.

A key is replaced by as many letters: A, and Q for those of our own that a leg is opened with, since the two sides of a
leg never have the same. That is a key still, as its syntax goes, so a journal replays to the same commands as before,
blanked likewise.

Digits that a caller types into a secret question, or somebody in a talk: each is replaced by a `HIDDEN_DIGIT`, which a
flow takes for a digit. Keys that are pressed for somebody are hidden likewise, whatever they are; so is an answer by
which somebody shall prove who they are.
"""

import re
from typing import Final, TypeVar

import msgspec

from telephony.events import (
    HIDDEN_DIGIT,
    Command,
    ConnectLeg,
    DigitPressed,
    Event,
    FlowRequest,
    IceRestarted,
    KeySignalled,
    KeysRequested,
    LegOpened,
    SendKeys,
    Srtp,
    SrtpKey,
    WebRtc,
)
from telephony.requests import CheckCode, VerifyCaller

M = TypeVar("M", bound=Event | Command)

_SECRETS: Final = re.compile(r"(?m)^(a=crypto:.*?inline:|a=ice-pwd:)(.*)$")
_LETTER: Final = re.compile(r"[^=|;:\s]")
_DIGIT: Final = re.compile(r"[^*#]")
"""Those two end an answer, and are in none."""


def without_keys(message: M) -> M:
    """Return an event or a command with its keys blanked: those in a session description, of SRTP and of ICE, and those
    that are pressed for somebody; and without the answer that is to prove who somebody is."""
    text = getattr(message, "sdp", "")
    if text and ("a=crypto:" in text or "a=ice-pwd:" in text):
        return msgspec.structs.replace(message, sdp=_SECRETS.sub(_blanked_line, text))
    if isinstance(message, LegOpened) and (message.keys or message.webrtc is not None):
        keys = tuple(SrtpKey(each.suite, _blank(each.key, "Q")) for each in message.keys)
        return msgspec.structs.replace(message, keys=keys, webrtc=_webrtc(message.webrtc))
    if isinstance(message, IceRestarted):
        return msgspec.structs.replace(message, webrtc=_webrtc(message.webrtc))
    if isinstance(message, ConnectLeg) and (message.srtp is not None or message.webrtc is not None):
        return msgspec.structs.replace(message, srtp=_srtp(message.srtp), webrtc=_webrtc(message.webrtc))
    if isinstance(message, SendKeys | KeysRequested):
        return msgspec.structs.replace(message, keys=_DIGIT.sub(HIDDEN_DIGIT, message.keys))
    if isinstance(message, FlowRequest) and isinstance(message.request, VerifyCaller | CheckCode):
        return msgspec.structs.replace(message, request=_unanswered(message.request))
    return message


def _unanswered(request: VerifyCaller | CheckCode) -> VerifyCaller | CheckCode:
    """Return a request with its answer hidden."""
    if isinstance(request, CheckCode):
        return CheckCode(HIDDEN_DIGIT * len(request.code))
    return msgspec.structs.replace(request, value=HIDDEN_DIGIT * len(request.value))


def without_digit(event: Event) -> Event:
    """Return the event of a secret key with its digit hidden."""
    if isinstance(event, DigitPressed | KeySignalled) and _DIGIT.match(event.digit):
        return msgspec.structs.replace(event, digit=HIDDEN_DIGIT)
    return event


def _webrtc(webrtc: WebRtc | None) -> WebRtc | None:
    return None if webrtc is None else msgspec.structs.replace(webrtc, password=_blank(webrtc.password))


def _srtp(srtp: Srtp | None) -> Srtp | None:
    return None if srtp is None else Srtp(srtp.suite, _blank(srtp.ours), _blank(srtp.theirs))


def _blanked_line(found: re.Match[str]) -> str:
    start, rest = found.groups()
    key, *parameters = re.split(r"(?=[|\s])", rest, maxsplit=1)
    return start + _blank(key) + "".join(parameters)


def _blank(key: str, letter: str = "A") -> str:
    return _LETTER.sub(letter, key)
