"""Ports that are free now, for a server and the phones about it."""

import random
import socket
from typing import Final, NamedTuple

HOST: Final = "127.0.0.1"
MEDIA: Final = 40
"""Ports of the server's media: two for each leg."""
PORTS: Final = range(10_000, 32_000)
"""Below those that the system gives out itself."""


class Ports(NamedTuple):
    """The first of each: of SIP, the web side, media, and the phone outside."""

    sip: int
    web: int
    media: int
    outside: int


def free() -> Ports:
    """Return ports of which nobody uses any now, one beside the other."""
    counts = (1, 1, MEDIA, 1)
    while True:
        first = random.randrange(PORTS.start, PORTS.stop - sum(counts), 2)  # noqa: S311 - not against attackers
        if all(map(_is_free, range(first, first + sum(counts)))):
            return Ports(*(first + sum(counts[:index]) for index in range(len(counts))))


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
