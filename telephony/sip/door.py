"""The door of the endpoint: what of the requests that are new to us gets in, and what the rest is told.

Rule: whoever is turned away takes no memory (RFC 3261 section 8.2.7).
"""

from collections.abc import Callable

from telephony.sip.admission import RETRY_AFTER_S, Admission, Verdict
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.message import Request, Via, respond
from telephony.sip.outbox import Address, Outbox
from telephony.sip.reports import Reports
from telephony.sip.settings import EndpointLimits
from telephony.sip.transaction_layer import TAG_OCTETS, TransactionLayer

FULL = "Too Many Transactions Or Dialogs"


class Door:
    """Looks at requests that are neither a retransmission nor an ACK; `admission` counts who has got in."""

    def __init__(
        self,
        limits: EndpointLimits,
        admission: Admission,
        transactions: TransactionLayer,
        dialogs: DialogLayer,
        outbox: Outbox,
        reports: Reports,
        token: Callable[[int], str],
    ) -> None:
        self._limits = limits
        self.admission = admission
        self._transactions = transactions
        self._dialogs = dialogs
        self._outbox = outbox
        self._reports = reports
        self._token = token

    def lets_in(self, request: Request, via: Via, peer: Address, source: Address, now: float) -> bool:
        """Whether a request is to be served; where not, it has been answered as it is due."""
        if not self._belongs(request, via):
            verdict = self.admission.verdict(request, source, now)
            if verdict is Verdict.REFUSE:
                self._refuse(request, peer)
            if verdict is not Verdict.PASS:
                return False
        if self._is_full(request, source):
            self._refuse(request, peer)
            self._reports.rejected(source, 503, FULL, now)
            return False
        return True

    def _belongs(self, request: Request, via: Via) -> bool:
        """Whether a request is for a dialog or an INVITE that there is."""
        if request.method == "CANCEL":
            return self._transactions.find_cancelled(request, via) is not None
        return bool(request.to.tag) and self._dialogs.by_request(request) is not None

    def _is_full(self, request: Request, source: Address) -> bool:
        """Whether memory is spent: first for new calls of strangers, far later for whatever else there is."""
        limits = self._limits
        if request.method == "INVITE" and not request.to.tag and len(self._dialogs) >= limits.dialogs:
            return True
        load = len(self._transactions)
        return load >= limits.transactions and (
            load >= 2 * limits.transactions or (request.method == "INVITE" and not self.admission.is_ours(source))
        )

    def _refuse(self, request: Request, peer: Address) -> None:
        response = respond(request, 503, "", self._token(TAG_OCTETS))
        response.headers.set("retry-after", RETRY_AFTER_S)
        self._outbox.datagrams.append((response.write(), peer))
