"""The UAS side of a dialog (RFC 3261 sections 8.2, 13.3 and 14.2; RFC 3262): our responses to INVITE, re-INVITE,
UPDATE."""

from typing import Final

from telephony.sdp.fragment import PACKAGE as TRICKLE
from telephony.sip import session_timer
from telephony.sip.dialog import Dialog, Input, Occasion, methods, options, time_session
from telephony.sip.errors import LocalError, RemoteError
from telephony.sip.headers import one_line
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Outbox
from telephony.sip.provisional import RELIABLE, Provisionals
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import T1_S, T2_S, Deadlines
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import Transaction, TransactionLayer

ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE"
SUPPORTED: Final = frozenset({RELIABLE, "replaces", "timer", "norefersub", "histinfo", "tdialog", "from-change"}) | {
    TRICKLE
}
RECV_INFO: Final = TRICKLE
"""INFO packages that we take (RFC 6086); keys come without one, as in RFC 2976."""
SDP_TYPE: Final = "application/sdp"


class UserAgentServer:
    """Answers INVITEs, repeats a 2xx until its ACK, and a reliable 1xx until its PRACK."""

    def __init__(
        self, settings: EndpointSettings, outbox: Outbox, deadlines: Deadlines, transactions: TransactionLayer
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions

    def respond(self, dialog: Dialog, status: int, reason: str, now: float, warning: int = 0) -> None:
        """Send a final response without a body to the INVITE that began the dialog; one whose connection is lost and
        could not be had again has ended, and nobody waits for it."""
        if dialog.invite is not None and dialog.invite.state is TransactionState.TERMINATED:
            return
        invite, request = _pending(dialog.invite)
        response = respond(request, status, one_line(reason), invite.tag)
        self._warn(response, warning, reason)
        self._transactions.respond(invite, response, now)

    def reject(self, dialog: Dialog, occasion: Occasion) -> None:
        """Send the final status that the switchboard chose. Raises `LocalError` for one that rejects nothing."""
        if not 300 <= occasion.status <= 699:
            raise LocalError(f"Reject with status {occasion.status}: it takes one of 300 to 699")
        self.respond(dialog, occasion.status, occasion.reason, occasion.now, occasion.warning)

    # -------------------------------------------------------------------------------------------- provisionally

    def ring(self, dialog: Dialog, now: float) -> None:
        """Send 180: reliably where the far end insists on it. The first reliable response to an INVITE without an offer
        would have to make one (RFC 3261 section 13.2.1): then 100 has to do."""
        _, request = _pending(dialog.invite)
        insists = RELIABLE in {option.lower() for option in request.headers.values("require")}
        if not insists:
            self._provide(dialog, 180, "", now, reliably=False)
        elif request.body:
            self._provide(dialog, 180, "", now, reliably=True)

    def progress(self, dialog: Dialog, sdp: str, now: float) -> None:
        """Send 183 with our answer, reliably where the far end can."""
        dialog.session.local = sdp
        self._provide(dialog, 183, sdp, now, reliably=RELIABLE in dialog.supported)

    def _provide(self, dialog: Dialog, status: int, sdp: str, now: float, *, reliably: bool) -> None:
        invite, request = _pending(dialog.invite)
        response = respond(request, status, "", invite.tag)
        self._add_dialog_fields(dialog, response, request)
        if sdp:
            response.headers.set("content-type", SDP_TYPE)
            response.body = sdp.encode()
        if not reliably:
            self._transactions.respond(invite, response, now)
            return
        if dialog.provisionals is None:
            dialog.provisionals = Provisionals(request.cseq.number, invite.peer)
        dialog.provisionals.waiting.append(response)
        if not dialog.provisionals.message:
            self._next_provisional(dialog, dialog.provisionals, now)

    def _next_provisional(self, dialog: Dialog, provisionals: Provisionals, now: float) -> None:
        response = provisionals.waiting.popleft()
        provisionals.number(response)
        self._transactions.respond(_pending(dialog.invite)[0], response, now)
        provisionals.interval = T1_S
        self._deadlines.set(dialog, Input.PROVISIONAL_DUE, now + T1_S)
        self._deadlines.set(dialog, Input.NO_PRACK, now + 64 * T1_S)

    def provide_again(self, dialog: Dialog, now: float) -> None:
        """Send the reliable response that is out once more, and wait twice as long (RFC 3262 section 3: without
        bound)."""
        provisionals = dialog.provisionals
        if provisionals is not None and provisionals.message:
            self._outbox.datagrams.append((provisionals.message, provisionals.peer))
            provisionals.interval *= 2
            self._deadlines.set(dialog, Input.PROVISIONAL_DUE, now + provisionals.interval)

    def take_prack(self, dialog: Dialog, occasion: Occasion) -> None:
        """Answer a PRACK, and send the next reliable response that waits. Raises `RemoteError`."""
        transaction, request = _pending(occasion.transaction)
        provisionals = dialog.provisionals
        if provisionals is None or not provisionals.is_acknowledged_by(request):
            raise RemoteError(481, "No Such Provisional Response")
        if request.body:
            raise RemoteError(488, "No Second Offer Before The Answer")
        self._transactions.respond(transaction, respond(request, 200, "", transaction.tag), occasion.now)
        self.stop_providing(dialog)
        if provisionals.waiting:
            self._next_provisional(dialog, provisionals, occasion.now)

    def stop_providing(self, dialog: Dialog) -> None:
        """No provisional response is to be sent again."""
        if dialog.provisionals is not None:
            dialog.provisionals.message = b""
            self._deadlines.cancel(dialog, Input.PROVISIONAL_DUE)
            self._deadlines.cancel(dialog, Input.NO_PRACK)

    # ------------------------------------------------------------------------------------------------- finally

    def answer(self, dialog: Dialog, transaction: Transaction | None, sdp: str, now: float) -> None:
        """Send a 2xx to INVITE with a description, and keep at it until its ACK (section 13.3.1.4)."""
        invite, request = _pending(transaction)
        response = self._success(dialog, request, invite, sdp, now)
        dialog.answer_cseq = request.cseq.number
        dialog.answer_peer = invite.peer
        self._transactions.respond(invite, response, now)
        dialog.answer = self._outbox.datagrams[-1][0]  # what was just sent
        dialog.answer_interval = T1_S
        self._deadlines.set(dialog, Input.RESEND_DUE, now + T1_S)
        self._deadlines.set(dialog, Input.NO_ACK, now + 64 * T1_S)

    def answer_update(self, dialog: Dialog, transaction: Transaction | None, sdp: str, now: float) -> None:
        """Send a 2xx to UPDATE, with a description where it brought one (RFC 3311 section 5.2)."""
        update, request = _pending(transaction)
        self._transactions.respond(update, self._success(dialog, request, update, sdp, now), now)

    def _success(self, dialog: Dialog, request: Request, transaction: Transaction, sdp: str, now: float) -> Response:
        response = respond(request, 200, "", transaction.tag)
        self._add_dialog_fields(dialog, response, request)
        response.headers.set("allow", ALLOW)
        response.headers.set("supported", ", ".join(sorted(SUPPORTED)))
        if sdp:
            response.headers.set("content-type", SDP_TYPE)
            response.body = sdp.encode()
        if "a=ice-options:trickle" in sdp:
            response.headers.set("recv-info", RECV_INFO)
        dialog.allows = methods(request, dialog.allows)
        agreed = session_timer.agree(request, options(request), self._settings.session_expires_s)
        if agreed is not None:
            session_timer.put(response.headers, agreed)
            refreshes = agreed.refresher == "uas"
            time_session(dialog, self._deadlines, agreed.seconds, refreshes=refreshes, now=now)
        return response

    def answer_again(self, dialog: Dialog, now: float) -> None:
        """Send the 2xx once more, and wait twice as long, up to T2."""
        self._outbox.datagrams.append((dialog.answer, dialog.answer_peer))
        dialog.answer_interval = min(2 * dialog.answer_interval, T2_S)
        self._deadlines.set(dialog, Input.RESEND_DUE, now + dialog.answer_interval)

    def stop_answering(self, dialog: Dialog) -> None:
        """The ACK came, or nobody waits for it any more."""
        dialog.answer = b""
        self._deadlines.cancel(dialog, Input.RESEND_DUE)
        self._deadlines.cancel(dialog, Input.NO_ACK)

    def refuse(
        self,
        transaction: Transaction | None,
        status: int,
        reason: str,
        now: float,
        *,
        retry_s: str = "",
        warning: int = 0,
    ) -> None:
        """Refuse a request inside the dialog, which goes on as it was (section 14.2)."""
        pending, request = _pending(transaction)
        response = respond(request, status, one_line(reason), pending.tag)
        self._warn(response, warning, reason)
        if retry_s:
            response.headers.set("retry-after", retry_s)
        self._transactions.respond(pending, response, now)

    def _warn(self, response: Response, warning: int, text: str) -> None:
        """Say what a description lacks (section 20.43)."""
        if warning:
            quoted = one_line(text).replace("\\", "").replace('"', "'")
            response.headers.set("warning", f'{warning} {self._settings.domain} "{quoted}"')

    def _add_dialog_fields(self, dialog: Dialog, response: Response, request: Request) -> None:
        """Section 12.1.1: Record-Route is copied, Contact is ours."""
        if "record-route" in request.headers:
            response.headers.set("record-route", *request.headers.lines("record-route"))
        secure = request.uri.scheme == "sips"
        response.headers.set("contact", f"<{self._transactions.contact(dialog.peer, secure=secure)}>")
        response.headers.set("user-agent", self._settings.user_agent)


def _pending(transaction: Transaction | None) -> tuple[Transaction, Request]:
    """Return a transaction with its request; without one it has its final response, and we are wrong."""
    if transaction is None or transaction.request is None:
        raise LocalError("a response to a request that has its final response")
    return transaction, transaction.request
