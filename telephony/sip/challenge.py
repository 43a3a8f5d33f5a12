"""Answering a challenge to a request of ours (RFC 3261 section 22.2 and 22.3, RFC 8760 section 2.4)."""

from typing import Final

from telephony.sip.digest import DigestError, authorize, parse_digest
from telephony.sip.invitation import Credentials
from telephony.sip.message import Response

CHALLENGES: Final = {401: ("www-authenticate", "authorization"), 407: ("proxy-authenticate", "proxy-authorization")}
"""The field of the challenge, and that of the answer."""


def challenge_of(credentials: Credentials, response: Response) -> tuple[str, str] | None:
    """Return the first challenge that we can answer of those in a response, as the answer's field and the challenge;
    they come in the order in which the far end likes them. None for none: another realm than the one that the
    credentials are for is not answered, since whoever poses as the far end could try the password at leisure."""
    asked, answered = CHALLENGES[response.status]
    for challenge in response.headers.lines(asked):
        try:
            offered = parse_digest(challenge)
            authorize(challenge, credentials.user, credentials.password, "", "", "0")
        except DigestError:
            continue
        if not credentials.realm or offered.get("realm", "") == credentials.realm:
            return answered, challenge
    return None


def is_stale(response: Response) -> bool:
    """Whether a challenge says that the credentials were right, and only their nonce too old."""
    asked, _ = CHALLENGES[response.status]
    for challenge in response.headers.lines(asked):
        try:
            if parse_digest(challenge).get("stale", "").lower() == "true":
                return True
        except DigestError:
            continue
    return False
