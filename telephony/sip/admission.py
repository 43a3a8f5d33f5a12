"""Who may ask for something now: rate limits, scanners, and room for those we know.

Rule 1: only what belongs to no dialog and no transaction of ours is looked at; whoever talks already is never held up.

Rule 2: trunks pass; registered phones have room of their own, each for itself; strangers share theirs fairly. However
many addresses a flood forges, it takes nothing of what phones and trunks have.

Rule 3: memory is constant, whatever comes (`fair_buckets`, and tables whose oldest entry gives way).

Rule 4: silence is for those who search, and never for a source with phones, a trunk, or one that has had a call with
us: the address of a datagram can be forged, and nobody shall be shut out by what somebody else sends.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from telephony.sip.dialog import Dialog, State
from telephony.sip.errors import RemoteError
from telephony.sip.fair_buckets import FairBuckets
from telephony.sip.message import Request
from telephony.sip.outbox import Address
from telephony.sip.pending import Pending
from telephony.sip.registrar import Registrar
from telephony.sip.reports import Reports
from telephony.sip.scanners import Searches, is_scanner
from telephony.sip.settings import AdmissionSettings
from telephony.sip.sources import source_of
from telephony.sip.transaction_layer import Transaction

REFUSALS_PER_S: Final = 1.0
REFUSALS_AT_ONCE: Final = 5.0
"""So often one source is told that it asks too much; what is more gets no answer: it would go to whom a flood names."""
RETRY_AFTER_S: Final = "5"
SCANNER, SEARCH = "A Scanner By Its Own Words", "Asks For Name After Name"
TOO_MUCH, TOO_MANY_CALLS = "Too Many Requests", "Too Many Calls"


class Verdict(Enum):
    """What becomes of a request."""

    PASS = "pass"  # noqa: S105  # it lets pass
    REFUSE = "refuse"
    """503 with Retry-After."""
    DROP = "drop"


class AdmissionCounts(msgspec.Struct):
    """How many requests were let in, told to come back, and dropped: as a scanner's, in silence, and as too many; how
    many calls of strangers had no room; how many passwords were wrong."""

    admitted: int = 0
    refused: int = 0
    scanners: int = 0
    silenced: int = 0
    dropped: int = 0
    without_room: int = 0
    wrong_passwords: int = 0


class Admission:
    """The door; it stands open without `settings`. `is_trunk(address)` says whether a trunk's messages come from there,
    `give_up(dialog, now)` ends a call that waits for its ACK; `key` is secret."""

    def __init__(
        self,
        settings: AdmissionSettings | None,
        registrar: Registrar,
        is_trunk: Callable[[Address], bool],
        reports: Reports,
        give_up: Callable[[Dialog, float], None],
        key: str,
    ) -> None:
        self._is_open = settings is None
        settings = settings or AdmissionSettings(sources=1)
        self._settings = settings
        self._registrar = registrar
        self.is_trunk = is_trunk
        self._reports = reports
        size, secret = settings.sources, key.encode()
        self._strangers = FairBuckets(settings.requests_per_s, settings.burst, size, secret)
        self._phones = FairBuckets(settings.phone_requests_per_s, settings.phone_burst, size, secret)
        self._refusals = FairBuckets(REFUSALS_PER_S, REFUSALS_AT_ONCE, size, secret)
        self._searches = Searches(size)
        self._silent: dict[str, float] = {}  # source -> until when, in the order of being silenced
        self._callers: dict[str, None] = {}  # sources that have had a call, in the order of their last one
        self.pending = Pending(settings, give_up)
        self.counts = AdmissionCounts()

    def verdict(self, request: Request, source: Address, now: float) -> Verdict:
        """Return what becomes of a request that belongs to nothing we know."""
        sender = source_of(source)
        if self._is_open or self.is_trunk(source):
            self.counts.admitted += 1
            return Verdict.PASS
        if self._silent.get(sender, 0.0) > now and not self._is_known(sender, source):
            self.counts.silenced += 1
            return Verdict.DROP
        if is_scanner(request):
            self.counts.scanners += 1
            self._silence(sender, source, SCANNER, now)
            return Verdict.DROP
        if self._registrar.is_phone(source):
            allowed = self._phones.take(f"{source[0]} {source[1]}", now)
        else:
            allowed = self._strangers.take(sender, now)
        if allowed:
            self.counts.admitted += 1
            if request.method == "OPTIONS" and request.uri.user:
                self.refused(source, request.uri.user, now)
            return Verdict.PASS
        return self._too_much(sender, source, now)

    def check_room(self, user: str, source: Address, now: float) -> None:
        """Let one more call in. Raises `RemoteError` 503 for a stranger's where there is no room."""
        if user or self._is_open or self.is_trunk(source) or self.pending.has_room(source_of(source), now):
            return
        self.counts.without_room += 1
        self._reports.rejected(source, 503, TOO_MANY_CALLS, now)
        raise RemoteError(503, "Service Unavailable", extra=(("retry-after", RETRY_AFTER_S),))

    def let_in(self, transaction: Transaction, dialog: Dialog | None, user: str, source: Address, now: float) -> None:
        """A call was let in."""
        if dialog is not None and not (user or self._is_open or self.is_trunk(source)):
            self.pending.add(source_of(source), transaction, dialog, now)

    def refused(self, source: Address, name: str, now: float) -> None:
        """Somebody was challenged for a name, or asked for one that is none."""
        sender = source_of(source)
        if not (self._is_open or self.is_trunk(source)) and self._searches.refused(sender, name, now):
            self._silence(sender, source, SEARCH, now)

    def proven(self, source: Address, name: str) -> None:
        """The phone of that name has come back with the right password."""
        self._searches.proven(source_of(source), name)

    def confirmed(self, dialog: Dialog) -> None:
        """An ACK came: its sender has seen our answer, so it is where it says."""
        if dialog.state is State.CONFIRMED:
            sender = source_of(dialog.peer)
            self._callers.pop(sender, None)
            self._callers[sender] = None
            _shorten(self._callers, self._settings.sources)

    def is_ours(self, source: Address) -> bool:
        """Whether it is a trunk's address, or a registered phone's."""
        return self.is_trunk(source) or self._registrar.is_phone(source)

    def _is_known(self, sender: str, source: Address) -> bool:
        return sender in self._callers or self._registrar.has_phones(sender) or self.is_trunk(source)

    def _silence(self, sender: str, source: Address, cause: str, now: float) -> None:
        if not self._is_known(sender, source):
            self._silent.pop(sender, None)
            self._silent[sender] = now + self._settings.silence_s
            _shorten(self._silent, self._settings.sources)
        self._reports.rejected(source, 0, cause, now)

    def _too_much(self, sender: str, source: Address, now: float) -> Verdict:
        self._reports.rejected(source, 503, TOO_MUCH, now)
        if self._refusals.take(sender, now):
            self.counts.refused += 1
            return Verdict.REFUSE
        self.counts.dropped += 1
        return Verdict.DROP


def _shorten(table: dict[str, float] | dict[str, None], size: int) -> None:
    while len(table) > size:
        del table[next(iter(table))]
