"""The UAS side of a dialog (RFC 3261 sections 8.2, 13.3 and 14.2): our responses to INVITE and re-INVITE."""

from typing import Final

from telephony.sdp import is_refresh
from telephony.sip.dialog import Dialog, Input, Occasion, read_target, sdp_of
from telephony.sip.errors import LocalError
from telephony.sip.headers import one_line
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Outbox
from telephony.sip.timers import T1_S, T2_S, Deadlines
from telephony.sip.transaction_layer import Transaction, TransactionLayer

ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER"
SDP_TYPE: Final = "application/sdp"


class UserAgentServer:
    """Answers INVITEs, and repeats a 2xx until its ACK."""

    def __init__(self, user_agent: str, outbox: Outbox, deadlines: Deadlines, transactions: TransactionLayer) -> None:
        self._user_agent = user_agent
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions

    def respond(self, dialog: Dialog, status: int, reason: str, now: float) -> None:
        """Send a response without a body to the INVITE that began the dialog."""
        invite, request = _pending(dialog.invite)
        response = respond(request, status, one_line(reason), invite.tag)
        if status < 300:
            self._add_dialog_fields(dialog, response, request)
        self._transactions.respond(invite, response, now)

    def reject(self, dialog: Dialog, occasion: Occasion) -> None:
        """Send the final status that the switchboard chose. Raises `LocalError` for one that rejects nothing."""
        if not 300 <= occasion.status <= 699:
            raise LocalError(f"Reject with status {occasion.status}: it takes one of 300 to 699")
        self.respond(dialog, occasion.status, occasion.reason, occasion.now)

    def answer(self, dialog: Dialog, transaction: Transaction | None, now: float) -> None:
        """Send a 2xx with `dialog.local_sdp`, and keep at it until its ACK (section 13.3.1.4)."""
        invite, request = _pending(transaction)
        response = respond(request, 200, "", invite.tag)
        self._add_dialog_fields(dialog, response, request)
        response.headers.set("allow", ALLOW)
        response.headers.set("content-type", SDP_TYPE)
        response.body = dialog.local_sdp.encode()
        dialog.answer_cseq = request.cseq.number
        dialog.answer_peer = invite.peer
        self._transactions.respond(invite, response, now)
        dialog.answer = response.write()
        dialog.answer_interval = T1_S
        self._deadlines.set(dialog, Input.RESEND_DUE, now + T1_S)
        self._deadlines.set(dialog, Input.NO_ACK, now + 64 * T1_S)

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

    def refresh(self, dialog: Dialog, occasion: Occasion) -> None:
        """Answer a re-INVITE: 200 with the SDP that stands when the offer changes nothing (a session refresh), 488
        when it does; the call goes on as it is (section 14.2). While an earlier 2xx waits for its ACK: 500."""
        transaction, request = _pending(occasion.transaction)
        offer = sdp_of(request)
        if dialog.answer:
            response = respond(request, 500, "An Earlier INVITE Awaits Its ACK")
            response.headers.set("retry-after", "1")
        elif offer and not is_refresh(dialog.remote_sdp, offer):
            response = respond(request, 488)
        else:
            transaction.owner = dialog
            dialog.target = read_target(request, dialog.target)
            self.answer(dialog, transaction, occasion.now)
            return
        self._transactions.respond(transaction, response, occasion.now)

    def _add_dialog_fields(self, dialog: Dialog, response: Response, invite: Request) -> None:
        """Section 12.1.1: Record-Route is copied, Contact is ours."""
        if "record-route" in invite.headers:
            response.headers.set("record-route", *invite.headers.lines("record-route"))
        response.headers.set("contact", f"<{self._transactions.contact(dialog.peer)}>")
        response.headers.set("user-agent", self._user_agent)


def _pending(invite: Transaction | None) -> tuple[Transaction, Request]:
    """Return an INVITE transaction with its request; without one it has its final response, and we are wrong."""
    if invite is None or invite.request is None:
        raise LocalError("a response to an INVITE that has its final response")
    return invite, invite.request
