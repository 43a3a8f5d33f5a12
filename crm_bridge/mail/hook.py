"""Letters that a mail service posts to us, whole and signed, where no mail server can reach us.

The signature is that of our own webhooks (`crm_bridge.webhooks.signature`): whoever has the secret may bring mail, and
says nothing about its sender by that.

Rule 1: before a body is read, its timestamp must be of now; before anything in it is believed, its signature good.
Rule 2: so many bodies are read at once and no more, each within a time: strangers cannot fill the memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from crm_bridge.mail.message import Mail
from crm_bridge.webhooks import signature

AT_ONCE: Final = 8
BODY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class MailHook:
    """One address that mail is posted to. `keep` records a message; nothing of it is kept where it raises."""

    keys: tuple[bytes, ...] = field(repr=False)
    keep: Callable[[bytes], Awaitable[Mail]]
    max_octets: int
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def is_fresh(self, headers: Mapping[str, str], now: float) -> bool:
        """Whether this may be a letter of now, by its headers (lower case)."""
        return signature.is_fresh(headers, now)

    def is_signed(self, body: bytes, headers: Mapping[str, str], now: float) -> bool:
        """Whether somebody who knows the secret sent these octets."""
        return signature.is_signed(self.keys, headers, body, now)
