"""Calls of strangers: so many from one source, and so many that have not shown yet that they are where they say.

Whoever forges the address of an INVITE never sees our answer, so never sends its ACK; until then the call takes a place
that others could have. Rule: there are so many such places in all, and so many for one source. Where all are taken, the
oldest that has had its answer for longer than an ACK takes gives way: a caller acknowledges within a round trip.
"""

from collections.abc import Callable
from itertools import islice
from typing import Final

from telephony.sip.dialog import Dialog, State
from telephony.sip.settings import AdmissionSettings
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import Transaction

PATIENCE_S: Final = 4.0
"""T2: a 200 that got lost has been sent four times by then."""
_UNPROVEN: Final = frozenset({State.RECEIVED, State.ANSWERED, State.HANGING_UP})
_UNACKNOWLEDGED: Final = frozenset({TransactionState.PROCEEDING, TransactionState.COMPLETED})


class _Call:
    """One of them: `transaction` is its INVITE's."""

    __slots__ = ("at", "dialog", "transaction")

    def __init__(self, transaction: Transaction, dialog: Dialog, at: float) -> None:
        self.transaction = transaction
        self.dialog = dialog
        self.at = at

    @property
    def waits(self) -> bool:
        """Whether there is neither an ACK nor an end."""
        return self.dialog.state in _UNPROVEN or self.transaction.state in _UNACKNOWLEDGED

    @property
    def goes_on(self) -> bool:
        """Whether it is a call still."""
        return self.dialog.state is not State.ENDED


class Pending:
    """The calls that wait; `give_up(dialog, now)` ends one."""

    def __init__(self, settings: AdmissionSettings, give_up: Callable[[Dialog, float], None]) -> None:
        self._settings = settings
        self._give_up = give_up
        self._calls: list[_Call] = []  # the oldest first, those with a dialog alone
        self._of: dict[str, list[_Call]] = {}  # in the order in which they were looked at last

    def __len__(self) -> int:
        self._calls = [call for call in self._calls if call.dialog.state in _UNPROVEN]
        return len(self._calls)

    def has_room(self, source: str, now: float) -> bool:
        """Whether one more call of a source may wait; one that has waited for too long makes room for it."""
        settings = self._settings
        held = self._going_on(source)
        if held:
            self._of[source] = held
        else:
            self._of.pop(source, None)
        if len(held) >= settings.calls_per_source or sum(call.waits for call in held) >= settings.pending_per_source:
            return False
        if len(self) < settings.pending:
            return True
        for call in self._calls:
            if call.dialog.state is not State.RECEIVED and now - call.at >= PATIENCE_S:
                self._give_up(call.dialog, now)
                return True
        return False

    def _going_on(self, source: str) -> list[_Call]:
        return [call for call in self._of.get(source, ()) if call.waits or call.goes_on]

    def add(self, source: str, transaction: Transaction, dialog: Dialog, now: float) -> None:
        """Note a call that has been let in, and drop those that are over, of two sources at a time: one that never
        calls again must not keep its last calls for ever."""
        for oldest in list(islice(self._of, 2)):
            held = self._going_on(oldest)
            del self._of[oldest]
            if held:
                self._of[oldest] = held
        call = _Call(transaction, dialog, now)
        self._calls.append(call)
        held = self._of.pop(source, [])
        self._of[source] = [*held, call]
        while len(self._of) > self._settings.sources:
            del self._of[next(iter(self._of))]
