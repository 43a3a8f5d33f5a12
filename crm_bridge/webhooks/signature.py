"""Signatures after the Standard Webhooks specification 1.0.0 (standardwebhooks.com), symmetric scheme `v1`. Pure.

What is signed is `ID.TIMESTAMP.BODY`: the id stays the same however often an event is sent, the timestamp (whole
seconds since the epoch) is that of the attempt, the body the very octets that are sent.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
MIN_KEY_OCTETS: Final = 24
MAX_KEY_OCTETS: Final = 64
"""192 and 512 bits: "Random. At least 24 bytes (192 bits, 512 maximum)"."""
MAX_GIVEN: Final = 8
TOLERANCE_S: Final = 300.0
"""So far from now a timestamp may be: clocks differ, and what was recorded on the way is of no use later."""


def key_of(secret: str) -> bytes:
    """Return the key of a secret as people write it: `whsec_` and the octets in base64, padded or not.

    Raises `ValueError` for anything else; the secret itself is not in its text.
    """
    encoded = secret.removeprefix(PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(PREFIX) or not MIN_KEY_OCTETS <= len(key) <= MAX_KEY_OCTETS:
        raise ValueError(
            f"is no secret of webhooks: write {PREFIX} and {MIN_KEY_OCTETS} to {MAX_KEY_OCTETS} random octets in "
            'base64, such as echo "whsec_$(openssl rand -base64 32)" makes'
        )
    return key


def sign(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: a signature by each key, space-delimited, so that a receiver may know
    either of two while they are changed."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def headers(keys: Sequence[bytes], id_: str, now: float, body: bytes) -> dict[str, str]:
    """Return the three headers of an attempt made at `now`."""
    timestamp = int(now)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, id_, timestamp, body),
    }


def is_fresh(headers: Mapping[str, str], now: float) -> bool:
    """Whether something was signed just now, as it says itself. `headers` are in lower case."""
    stamp = headers.get("webhook-timestamp", "")
    return stamp.isascii() and stamp.isdecimal() and len(stamp) < 16 and abs(int(stamp) - now) <= TOLERANCE_S


def is_signed(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether somebody who has one of the keys signed these octets, just now. Compared in constant time."""
    if not is_fresh(headers, now):
        return False
    due = sign(keys, headers.get("webhook-id", ""), int(headers["webhook-timestamp"]), body).split(" ")
    given = headers.get("webhook-signature", "").split(" ")[:MAX_GIVEN]
    pairs = [(one.encode(), other.encode()) for one in due for other in given]
    return any([hmac.compare_digest(one, other) for one, other in pairs])  # noqa: C419 - all of them, found or not
