"""Keys of SRTP in a description: `a=crypto` lines (SDES, RFC 4568; suites of RFC 4568 and RFC 7714).

Rule 1: a line that asks for what we do not do (a master key identifier, another derivation rate, packets that are not
encrypted or not authenticated) is passed over, as RFC 4568 section 6.3 wants it of unknown parameters.

Rule 2: each direction has its own key. A far end that says ours is not believed.
"""

import base64
import binascii
import re
from typing import Final, get_args

import msgspec

from telephony.events import SrtpKey, SrtpSuite
from telephony.sdp.description import Media

OCTETS: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 16 + 14,
    "AES_CM_128_HMAC_SHA1_32": 16 + 14,
    "AEAD_AES_128_GCM": 16 + 12,
    "AEAD_AES_256_GCM": 32 + 12,
}
"""How long master key and salt are (RFC 4568 section 6.2, RFC 7714 section 12)."""
OFFERED: Final[tuple[SrtpSuite, ...]] = ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80")
"""The one we like best first. Tags of 32 bits are too short to be proposed, and taken from those who know no better."""
MAX_LINES: Final = 32
MAX_LIFETIME: Final = 2**48
_LINE: Final = re.compile(r"([1-9][0-9]{0,8}) +([A-Za-z0-9_]+) +(inline:\S+)((?: +\S+)*)")
_LIFETIME: Final = re.compile(r"(2\^)?([0-9]{1,15})")
_IGNORED: Final = re.compile(r"WSH=[0-9]+|-.+")
"""The window size is a hint; a dash says that a parameter may be ignored (section 6.3.7)."""


class Crypto(msgspec.Struct, frozen=True):
    """A line that we can use: its tag, suite, and master key with salt in base64."""

    tag: int
    suite: SrtpSuite
    key: str


def usable(media: Media) -> list[Crypto]:
    """Return the lines of a stream that we can use, in their order. Of two with one tag the second means nothing."""
    lines: dict[str, Crypto | None] = {}
    for value in media.attributes("crypto")[:MAX_LINES]:
        lines.setdefault(value.strip().partition(" ")[0], _read(value))
    return [each for each in lines.values() if each is not None]


def choose(media: Media, keys: tuple[SrtpKey, ...]) -> tuple[Crypto, SrtpKey] | None:
    """Return the first line of an offer for whose suite we have a key, with that key; None for none."""
    return next(((line, key) for line in usable(media) for key in keys if _match(line, key)), None)


def agreed(media: Media, offered: list[tuple[int, SrtpKey]]) -> tuple[Crypto, SrtpKey] | None:
    """Return the line of an answer with what it accepts of our offer (section 5.1.3); None where it accepts nothing."""
    pairs = ((line, key) for line in usable(media) for tag, key in offered if line.tag == tag)
    return next((pair for pair in pairs if _match(*pair)), None)


def write(tag: int, key: SrtpKey) -> tuple[str, str]:
    """Return a line of ours. Without a lifetime it is the longest, which no call reaches (RFC 3711 section 9.2)."""
    return "a", f"crypto:{tag} {key.suite} inline:{key.key}"


def _match(line: Crypto, key: SrtpKey) -> bool:
    return line.suite == key.suite and line.key != key.key


def _read(value: str) -> Crypto | None:
    found = _LINE.fullmatch(value.strip())
    if found is None:
        return None
    tag, name, parameters, session = found.groups()
    suite = next((known for known in get_args(SrtpSuite) if known == name.upper()), None)
    if suite is None or not all(_IGNORED.fullmatch(each) for each in session.split()):
        return None
    key, *rest = parameters.removeprefix("inline:").split("|")
    key += "=" * (-len(key) % 4)  # some leave the padding out
    # Several keys need identifiers (section 6.1), and so does a third field.
    if len(rest) > 1 or (rest and not _is_lifetime(rest[0])) or not _is_key(key, OCTETS[suite]):
        return None
    return Crypto(int(tag), suite, key)


def _is_lifetime(text: str) -> bool:
    found = _LIFETIME.fullmatch(text)
    if found is None:
        return False
    exponential, digits = found.groups()
    number = int(digits)
    return number <= 48 if exponential else 0 < number <= MAX_LIFETIME


def _is_key(text: str, octets: int) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == octets
    except (binascii.Error, ValueError):
        return False
