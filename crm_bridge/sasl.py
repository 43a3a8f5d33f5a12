"""Signing in at mail servers with an access token in place of a password (SASL). Pure.

Gmail and Microsoft 365 take nothing else. OAUTHBEARER is RFC 7628; XOAUTH2 is what both had before it, and have still.
"""

import base64
from collections.abc import Collection
from dataclasses import dataclass

_END = "\x01"


@dataclass(frozen=True, slots=True)
class Bearer:
    """How to sign in. `first` is the client's first message in base64; `after_no` what the server is sent when it has
    said why it refuses, before it says that it does."""

    mechanism: str
    first: str
    after_no: str


def bearer(offered: Collection[str], user: str, host: str, port: int, token: str) -> Bearer | None:
    """Return how to sign in at a server that offers these mechanisms (upper case), None where it takes no tokens."""
    if "OAUTHBEARER" in offered:
        # RFC 7628 section 3.1, and RFC 5801 section 4 for the name.
        name = user.replace("=", "=3D").replace(",", "=2C")
        said = f"n,a={name},{_END}host={host}{_END}port={port}{_END}auth=Bearer {token}{_END}{_END}"
        return Bearer("OAUTHBEARER", encoded(said), encoded(_END))
    if "XOAUTH2" in offered:
        return Bearer("XOAUTH2", encoded(f"user={user}{_END}auth=Bearer {token}{_END}{_END}"), "")
    return None


def plain(user: str, password: str) -> str:
    """Return the one message of PLAIN (RFC 4616), in base64."""
    return encoded(f"\0{user}\0{password}")


def encoded(text: str) -> str:
    """Return what goes over the line for a text."""
    return base64.b64encode(text.encode()).decode()
