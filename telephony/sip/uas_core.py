"""The UAS core (RFC 3261 section 8.2): what a request that comes in is for, and who serves it.

Retransmissions and ACKs find their transaction or dialog; what is new passes the door, is inspected by method and
extensions, and goes to whoever serves its method. A `RemoteError` of theirs becomes the response.
"""

from collections.abc import Callable
from typing import Final

from telephony.sip import session_timer
from telephony.sip.authentication import Authenticator
from telephony.sip.dialog import Dialog, Input, Occasion, State
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.door import Door
from telephony.sip.errors import RemoteError, Unanswered
from telephony.sip.incoming import Incoming
from telephony.sip.inspection import check_body, check_extensions, unserved
from telephony.sip.message import Request, Response, Via, reply_address, respond, stamp_via
from telephony.sip.outage import Outages
from telephony.sip.outbox import Address
from telephony.sip.settings import EndpointSettings
from telephony.sip.subscription import ALLOW_EVENTS
from telephony.sip.transaction_layer import Transaction, TransactionLayer
from telephony.sip.uas import ALLOW, SDP_TYPE, SUPPORTED

_FORGOTTEN: Final = frozenset({401, 482, 503})  # to an INVITE too

Serve = Callable[[Transaction, Request, Address, float], None]


class UasCore:
    """Serves requests; `serve` adds a method that another part of the core serves."""

    def __init__(
        self,
        settings: EndpointSettings,
        transactions: TransactionLayer,
        dialogs: DialogLayer,
        authenticator: Authenticator,
        incoming: Incoming,
        outages: Outages,
        door: Door,
    ) -> None:
        self._settings = settings
        self._transactions = transactions
        self._dialogs = dialogs
        self._authenticator = authenticator
        self._incoming = incoming
        self._outages = outages
        self._door = door
        self._methods: dict[str, Serve] = {
            "INVITE": self._receive_invite,
            "BYE": self._receive_bye,
            "UPDATE": self._receive_update,
            "PRACK": self._receive_prack,
            "INFO": self._receive_inside,
            "REFER": self._receive_inside,
            "NOTIFY": self._receive_inside,
            "OPTIONS": self._receive_options,
        }

    def serve(self, method: str, serve: Serve) -> None:
        """Let requests of a method be served there."""
        self._methods[method] = serve

    def receive(self, request: Request, source: Address, now: float) -> None:
        """Take in a request, whatever it is: a retransmission, an ACK, or something new."""
        via = request.via
        peer = reply_address(stamp_via(request.headers, via, source), source)
        known = self._transactions.find_server(request, via)
        if known is not None:
            self._outages.heard_again(known, source, now)
            dialog = known.owner
            if self._transactions.receive_again(known, request, now) and isinstance(dialog, Dialog):
                self._receive_ack(dialog, request, now)
        elif request.method == "ACK":
            confirmed = self._dialogs.by_request(request)
            if confirmed is not None:
                self._outages.heard(confirmed, source)
                self._receive_ack(confirmed, request, now)
        elif self._door.lets_in(request, via, peer, source, now):
            self._receive_new(request, via, peer, source, now)

    def _receive_ack(self, dialog: Dialog, request: Request, now: float) -> None:
        self._dialogs.receive_ack(dialog, request, now)
        self._door.admission.confirmed(dialog)

    def _receive_new(self, request: Request, via: Via, peer: Address, source: Address, now: float) -> None:
        transaction = self._transactions.open_server(request, via, peer)
        try:
            if request.method == "CANCEL":
                self._receive_cancel(transaction, request, via, now)
                return
            receive = self._methods.get(request.method)
            if receive is None:
                raise unserved(request.method)
            check_extensions(request)
            if self._transactions.is_merged(transaction):
                raise RemoteError(482, "Loop Detected")
            receive(transaction, request, source, now)
        except RemoteError as error:
            self._answer(transaction, request, error.status, now, error.reason, error.extra)
        except Unanswered:
            self._transactions.abandon(transaction)

    def _receive_invite(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        check_body(request)
        session_timer.check(request)
        if request.to.tag:
            dialog = self.in_dialog(request, source, now)
            self._answer(transaction, request, 100, now)
            self._step_inside(dialog, Input.OFFER, transaction, request, source, now)
            return
        sender = self._incoming.sender(request, source, now)
        self._door.admission.check_room(sender[1], source, now)
        self._answer(transaction, request, 100, now)
        event = self._incoming.received(request, source, sender)
        self._dialogs.receive_invite(transaction, request, source, now, event)
        self._door.admission.let_in(transaction, self._dialogs.by_id(event.dialog), sender[1], source, now)

    def _receive_update(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        check_body(request)
        session_timer.check(request)
        self._step_inside(self.in_dialog(request, source, now), Input.OFFER, transaction, request, source, now)

    def _receive_prack(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        dialog = self.in_dialog(request, source, now)
        if not self._dialogs.receive_prack(dialog, Occasion(now, transaction=transaction, request=request)):
            raise RemoteError(481, "No Such Provisional Response")

    def _receive_inside(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        if not request.to.tag:
            raise RemoteError(403, "Inside A Dialog Only")
        self._step_inside(self.in_dialog(request, source, now), Input.REQUEST, transaction, request, source, now)

    def _step_inside(
        self,
        dialog: Dialog,
        received: Input,
        transaction: Transaction,
        request: Request,
        source: Address,
        now: float,
    ) -> None:
        occasion = Occasion(now, transaction=transaction, request=request, source=source)
        if not self._dialogs.step(dialog, received, occasion):
            if dialog.state is State.LEAVING:
                raise RemoteError(481, "The Dialog Is Over")
            raise RemoteError(500, "Not Now", extra=(("retry-after", "1"),))

    def _receive_bye(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        dialog = self.in_dialog(request, source, now)
        self._dialogs.step(dialog, Input.BYE, Occasion(now, request=request, source=source))
        self._answer(transaction, request, 200, now)

    def _receive_cancel(self, transaction: Transaction, request: Request, via: Via, now: float) -> None:
        """Section 9.2: the CANCEL is answered for itself; the INVITE gets 487 if it has no final response yet."""
        invite = self._transactions.find_cancelled(request, via)
        if invite is None:
            raise RemoteError(481, "Call/Transaction Does Not Exist")
        transaction.tag = invite.tag
        self._answer(transaction, request, 200, now)
        dialog = invite.owner
        if isinstance(dialog, Dialog):
            self._dialogs.cancel(dialog, invite, now)

    def _receive_options(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        if request.to.tag:
            self.in_dialog(request, source, now)
        fields = (
            ("allow", ALLOW),
            ("accept", SDP_TYPE),
            ("supported", ", ".join(sorted(SUPPORTED))),
            ("allow-events", ALLOW_EVENTS),
            ("user-agent", self._settings.user_agent),
        )
        self._answer(transaction, request, 200, now, "", fields)

    def in_dialog(self, request: Request, source: Address, now: float) -> Dialog:
        """Return the dialog of a request. Raises 481 for none, 500 for one out of order (section 12.2.2)."""
        dialog = self._dialogs.by_request(request)
        if dialog is None:
            raise RemoteError(481, "Call/Transaction Does Not Exist")
        if request.cseq.number < dialog.remote_seq:
            raise RemoteError(500, "CSeq Out Of Order")
        self._authenticator.check_inside(dialog, request, source, now)
        dialog.remote_seq = request.cseq.number
        self._outages.heard(dialog, source)
        return dialog

    def _answer(
        self,
        transaction: Transaction,
        request: Request,
        status: int,
        now: float,
        reason: str = "",
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        response = respond(request, status, reason, transaction.tag if status > 100 else "")
        for name, value in fields:
            response.headers.add(name, value)
        self.send(transaction, request, response, now)

    def send(self, transaction: Transaction, request: Request, response: Response, now: float) -> None:
        """Send a response. What anybody can have for asking (a challenge, a refusal, our abilities) is not remembered
        (section 8.2.7): a retransmission is answered anew, and a flood of requests takes no room from others."""
        is_first = not transaction.last
        self._transactions.respond(transaction, response, now)
        stateless = response.status >= 300 or request.method == "OPTIONS"
        if request.method == "INVITE":
            # Where there is no call: nor shall a refusal be sent eleven times to whom a forged INVITE names.
            is_nobodys = is_first and (response.status == 481 or not request.to.tag)
            stateless = response.status in _FORGOTTEN or (stateless and is_nobodys)
        if stateless:
            self._transactions.abandon(transaction)
