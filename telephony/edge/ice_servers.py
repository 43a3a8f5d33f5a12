"""STUN and TURN servers (RFC 7064, RFC 7065), and credentials for those that share a secret with us.

With a shared secret (coturn's `use-auth-secret`, the TURN REST API of draft-uberti-behave-turn-rest-00) nobody needs
an account: the user name is `EXPIRY:NAME`, the password base64(HMAC-SHA1(secret, user name)), good until then.
"""

import base64
import hashlib
import hmac
import re
from typing import Final

import msgspec

CREDENTIAL_S: Final = 12 * 3600
"""How long credentials are good: a working day, so that a page that stays open need not ask again in a call."""
_URL: Final = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)


class IceServer(msgspec.Struct, frozen=True):
    """One server. With `secret` its credentials are made for each use; otherwise they are `username` and `credential`,
    empty for a server that wants none (STUN)."""

    url: str
    username: str = ""
    credential: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        """Say where it is, and no password."""
        return f"IceServer({self.url})"

    @property
    def is_turn(self) -> bool:
        """Whether it relays."""
        return not self.url.startswith("stun:")

    @property
    def is_tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.url.startswith("turns:")

    @property
    def host(self) -> str:
        """Its name or address."""
        return _parts(self.url)["host"].strip("[]")

    @property
    def port(self) -> int:
        """Its port."""
        return int(_parts(self.url)["port"] or (5349 if self.is_tls else 3478))

    @property
    def transport(self) -> str:
        """`udp` or `tcp`."""
        return _parts(self.url)["transport"] or ("tcp" if self.is_tls else "udp")


def check_url(url: str) -> str:
    """Return the URL of a server that can be used. Raises `ValueError` with what is wrong."""
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError(f"`{url}` is no STUN or TURN server; write for example turn:turn.example.com:3478")
    if found["scheme"] == "stun" and found["transport"]:
        raise ValueError(f"`{url}`: a stun: server takes no ?transport=")
    if found["scheme"] == "turns" and found["transport"] == "udp":
        raise ValueError(f"`{url}`: turns: is TLS, which goes over TCP; leave ?transport= out")
    return url


def _parts(url: str) -> dict[str, str]:
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url!r} is no STUN or TURN server")
    return found.groupdict(default="")


def credentials(server: IceServer, name: str, now: float) -> tuple[str, str]:
    """Return user name and password for a server, on behalf of `name`; `now` is seconds since the epoch."""
    if not server.secret:
        return server.username, server.credential
    username = f"{int(now) + CREDENTIAL_S}:{name}"
    digest = hmac.new(server.secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
