"""Which channels there are, and whom they turned away."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, Protocol

import structlog

from crm_bridge.channels.form import Form
from crm_bridge.channels.message import SignedChannel
from crm_bridge.mail.hook import MailHook

log = structlog.get_logger("hotline.channels")

TELL_EVERY_S: Final = 60.0
MAX_SOURCES: Final = 1024
UNKNOWN: Final = "unknown"

Reason = Literal["signature", "token", "origin", "rate", "program", "channel"]


class Throttle(Protocol):
    """Counts what sources do, in memory that does not grow."""

    def wait_s(self, source: str, now: float) -> float:
        """Return how long a source must wait, 0 for not at all."""
        ...

    def failed(self, source: str, now: float) -> None:
        """Count one."""
        ...


class Door:
    """The channels by name. `refused` counts by channel and reason; `throttles` are those of the forms; `letters` are
    the addresses that whole e-mails are posted to."""

    def __init__(
        self,
        signed: Mapping[str, SignedChannel] | None = None,
        forms: Mapping[str, Form] | None = None,
        throttles: Mapping[str, Throttle] | None = None,
    ) -> None:
        self.signed = signed or {}
        self.forms = forms or {}
        self.throttles = throttles or {}
        self.letters: Mapping[str, MailHook] = {}
        self.refused: Counter[tuple[str, str]] = Counter()
        self._told: set[str] = set()
        self._told_since = float("-inf")

    def refuse(self, name: str, reason: Reason, source: str, now: float) -> None:
        """Count a refusal, and say it once a minute and source: strangers cannot fill the log.

        A name that is no channel's is not counted as such: anybody could make up more of them.
        """
        channel = name if name in {*self.signed, *self.forms, *self.letters} else UNKNOWN
        self.refused[channel, reason] += 1
        if now - self._told_since >= TELL_EVERY_S:
            self._told, self._told_since = set(), now
        if source not in self._told and len(self._told) < MAX_SOURCES:
            self._told.add(source)
            log.warning("a channel turned something away", channel=channel, reason=reason, source=source)
