"""The SIP endpoint: datagrams and commands in, datagrams and events out. The only class that other rooms use.

Five verbs move it: `receive`, `perform`, `handle_deadline`, and to drain, `datagrams` and `events`. `deadline` says
when it wants to be called next. It reads no clock, draws no random number and opens no socket.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from telephony.events import (
    Answer,
    DialogEnded,
    Hangup,
    Invite,
    MessageRejected,
    Reject,
    Ring,
    SipCommand,
    SipEvent,
)
from telephony.sip.address import Flow
from telephony.sip.dialog import Dialog, Input, Occasion
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.digest import Ha1
from telephony.sip.errors import RemoteError
from telephony.sip.limiter import Limiter
from telephony.sip.message import (
    Request,
    Response,
    Via,
    parse_datagram,
    parse_via,
    reply_address,
    respond,
    respond_to_headers,
    stamp_via,
)
from telephony.sip.outbox import Address, Outbox
from telephony.sip.registrar import BindingRow, Registrar
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import TAG_OCTETS, Transaction, TransactionLayer
from telephony.sip.uas import ALLOW, SDP_TYPE
from telephony.sip.uri import bracketed

__all__ = ["BindingRow", "Endpoint", "EndpointSettings"]

_KEEPALIVE: Final = b"\r\n\0 "
_PING: Final = b"\r\n\r\n"  # RFC 5626 section 4.4.1
_PONG: Final = b"\r\n"
_SCHEMES: Final = frozenset({"sip", "sips", "tel"})
_ANYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # recognised here, bound nowhere
_RETRY_AFTER_S: Final = "5"


class Endpoint:
    """A SIP user agent and registrar.

    `credentials(user)` returns what is stored of each of a user's passwords, nothing for nobody; `token(n)` returns n
    octets of randomness in hex; `new_dialog()` returns the name of a dialog that comes in.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        credentials: Callable[[str], Sequence[Ha1]],
        token: Callable[[int], str],
        new_dialog: Callable[[], str],
    ) -> None:
        self.settings = settings
        self._token = token
        self._new_dialog = new_dialog
        self._outbox = Outbox()
        self._deadlines = Deadlines()
        self._transactions = TransactionLayer(self._outbox, self._deadlines, token, settings.address)
        self._dialogs = DialogLayer(settings, self._outbox, self._deadlines, self._transactions, token)
        self._registrar = Registrar(settings, self._outbox, self._deadlines, credentials, token)
        self._rejections = Limiter(settings.rejections_every_s, settings.limits.sources)
        self._methods: dict[str, Callable[[Transaction, Request, Address, float], None]] = {
            "INVITE": self._receive_invite,
            "BYE": self._receive_bye,
            "OPTIONS": self._receive_options,
            "REGISTER": self._receive_register,
        }

    # ---------------------------------------------------------------------------------------------- the verbs

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take in one datagram, or one message of a connection. Never raises for what the far end sent."""
        if not data.strip(_KEEPALIVE):
            if isinstance(source, Flow) and data == _PING:
                self._outbox.datagrams.append((_PONG, source))
            return
        try:
            message = parse_datagram(data, self.settings.limits.message)
        except RemoteError as error:
            self._refuse_broken(error, source, now)
            return
        if isinstance(message, Request):
            self._receive_request(message, source, now)
        else:
            self._receive_response(message, source, now)

    def connection_lost(self, connection: str, now: float) -> None:
        """A connection is closed, or dead: what is bound to it is gone, calls not answered yet end, and talks wait for
        their far end to come back."""
        self._dialogs.connection_lost(connection, now)
        self._transactions.connection_lost(connection)
        self._registrar.connection_lost(connection)

    def perform(self, command: SipCommand, now: float) -> None:
        """Do what the switchboard says. A command that comes too late for its dialog is ignored: races are normal."""
        if isinstance(command, Invite):
            self._invite(command, now)
            return
        dialog = self._dialogs.by_id(command.dialog)
        if dialog is None:
            return
        match command:
            case Ring():
                self._dialogs.step(dialog, Input.RING, Occasion(now))
            case Answer():
                self._dialogs.step(dialog, Input.ANSWER, Occasion(now, sdp=command.sdp))
            case Reject():
                occasion = Occasion(now, status=command.status, reason=command.reason)
                self._dialogs.step(dialog, Input.REJECT, occasion)
            case Hangup():
                self._dialogs.step(dialog, Input.HANGUP, Occasion(now, reason=command.reason))

    def handle_deadline(self, now: float) -> None:
        """Do whatever is due by `now`."""
        while (due := self._deadlines.pop(now)) is not None:
            owner, timer = due
            if isinstance(owner, Transaction):
                dialog = owner.owner
                if self._transactions.fire(owner, timer, now) and owner.is_client and isinstance(dialog, Dialog):
                    self._dialogs.time_out(dialog, owner, now)
            elif isinstance(owner, Dialog):
                self._dialogs.fire(owner, timer, now)
            elif isinstance(owner, str):
                self._registrar.fire(owner, now)

    def deadline(self) -> float | None:
        """Return when `handle_deadline` is due next, None for not at all."""
        return self._deadlines.next()

    def events(self) -> list[SipEvent]:
        """Return and forget the events since the last call, in order."""
        events, self._outbox.events = self._outbox.events, []
        return events

    def datagrams(self) -> list[tuple[bytes, Address]]:
        """Return and forget the datagrams to be sent, in order, each with its address."""
        datagrams, self._outbox.datagrams = self._outbox.datagrams, []
        return datagrams

    # --------------------------------------------------------------------------------------- around the verbs

    def bound_to(self, host: str, port: int) -> None:
        """Take the address that the edge bound for whatever part of `settings.address` was left open."""
        own_host, own_port = self.settings.address
        self._transactions.sent_by = (host if own_host in _ANYWHERE else own_host, own_port or port)

    def restore(self, bindings: Mapping[str, Iterable[BindingRow]], now: float) -> None:
        """Take registrations back after a restart: user -> rows as `BindingChanged.bindings` had them. No event."""
        for user, rows in bindings.items():
            self._registrar.restore(user, rows, now)

    def load(self) -> tuple[int, int, int]:
        """Return how many transactions, dialogs and deadlines there are."""
        return len(self._transactions), len(self._dialogs), len(self._deadlines)

    # ----------------------------------------------------------------------------------------------- requests

    def _receive_request(self, request: Request, source: Address, now: float) -> None:
        via = request.via
        peer = reply_address(stamp_via(request.headers, via, source), source)
        known = self._transactions.find_server(request, via)
        if known is not None:
            dialog = known.owner
            if self._transactions.receive_again(known, request, now) and isinstance(dialog, Dialog):
                self._dialogs.receive_ack(dialog, request, now)
        elif request.method == "ACK":
            confirmed = self._dialogs.by_request(request)
            if confirmed is not None:
                self._dialogs.receive_ack(confirmed, request, now)
        elif self._is_full(request):
            response = respond(request, 503, "", self._token(TAG_OCTETS))
            response.headers.set("retry-after", _RETRY_AFTER_S)
            self._outbox.datagrams.append((response.write(), peer))
            self._report_rejection(source, 503, "Too Many Transactions Or Dialogs", now)
        else:
            self._receive_new(request, via, peer, source, now)

    def _receive_new(self, request: Request, via: Via, peer: Address, source: Address, now: float) -> None:
        transaction = self._transactions.open_server(request, via, peer)
        try:
            if request.method == "CANCEL":
                self._receive_cancel(transaction, request, via, now)
                return
            receive = self._methods.get(request.method)
            if receive is None:
                raise RemoteError(405, "Method Not Allowed", extra=(("allow", ALLOW),))
            _check_extensions(request)
            receive(transaction, request, source, now)
        except RemoteError as error:
            self._answer(transaction, request, error.status, now, error.reason, error.extra)

    def _receive_invite(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        _check_body(request)
        if request.to.tag:
            dialog = self._in_dialog(request, source)
            self._answer(transaction, request, 100, now)
            occasion = Occasion(now, transaction=transaction, request=request, source=source)
            if not self._dialogs.step(dialog, Input.REINVITE, occasion):
                raise RemoteError(500, "Not Now", extra=(("retry-after", "1"),))
            return
        self._answer(transaction, request, 100, now)
        claimed = isinstance(source, Flow) and not self._registrar.is_bound(request.from_.uri.user, source)
        self._dialogs.receive_invite(self._new_dialog(), transaction, request, source, now, claimed=claimed)

    def _receive_bye(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        dialog = self._in_dialog(request, source)
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
        if isinstance(dialog, Dialog) and dialog.invite is invite:
            self._dialogs.step(dialog, Input.CANCEL, Occasion(now))

    def _receive_options(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        if request.to.tag:
            self._in_dialog(request, source)
        fields = (("allow", ALLOW), ("accept", SDP_TYPE), ("user-agent", self.settings.user_agent))
        self._answer(transaction, request, 200, now, "", fields)

    def _receive_register(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        response = self._registrar.receive(request, transaction.tag, source, now)
        self._send(transaction, request, response, now)
        if response.status == 200 and isinstance(source, Flow):
            user = request.to.uri.user
            for binding in self._registrar.contacts(user):
                if binding.source == source:
                    self._dialogs.contact_came_back(user, binding.contact, source)

    def _in_dialog(self, request: Request, source: Address) -> Dialog:
        """Return the dialog of a request. Raises 481 for none, 500 for one out of order (section 12.2.2)."""
        dialog = self._dialogs.by_request(request)
        if dialog is None:
            raise RemoteError(481, "Call/Transaction Does Not Exist")
        if request.cseq.number < dialog.remote_seq:
            raise RemoteError(500, "CSeq Out Of Order")
        dialog.remote_seq = request.cseq.number
        if isinstance(source, Flow) and isinstance(dialog.peer, Flow) and source != dialog.peer:
            self._dialogs.came_back(dialog, source)
        return dialog

    def _is_full(self, request: Request) -> bool:
        """Whether memory is spent: first for new calls, far later for what ends one and for phones that register."""
        limits = self.settings.limits
        load = len(self._transactions)
        if request.method == "INVITE" and not request.to.tag and len(self._dialogs) >= limits.dialogs:
            return True
        return load >= limits.transactions * (1 if request.method == "INVITE" else 2)

    # ------------------------------------------------------------------------------- responses and commands

    def _receive_response(self, response: Response, source: Address, now: float) -> None:
        transaction = self._transactions.receive_response(response, now)
        if transaction is not None and isinstance(transaction.owner, Dialog):
            self._dialogs.receive_response(transaction.owner, transaction, response, source, now)

    def _invite(self, command: Invite, now: float) -> None:
        binding = self._registrar.newest(command.user, now)
        if binding is None:
            self._outbox.events.append(DialogEnded(command.dialog, "rejected", 480, "Not Registered"))
        else:
            self._dialogs.invite(command, binding.contact, binding.address, now)

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
            response.headers.set(name, value)
        self._send(transaction, request, response, now)

    def _send(self, transaction: Transaction, request: Request, response: Response, now: float) -> None:
        """Send a response. What anybody can have for asking (a challenge, a refusal, our abilities) is not remembered
        (section 8.2.7): a retransmission is answered anew, and a flood of requests takes no room from others."""
        self._transactions.respond(transaction, response, now)
        if request.method != "INVITE" and (response.status >= 300 or request.method == "OPTIONS"):
            self._transactions.abandon(transaction)

    # -------------------------------------------------------------------------------------- broken messages

    def _refuse_broken(self, error: RemoteError, source: Address, now: float) -> None:
        """Answer what is broken where an answer is due and possible, without remembering it; report it either way."""
        status = 0
        partial = error.partial
        if partial is not None and partial.method not in {"", "ACK"}:
            headers = partial.headers
            if all(headers.get(name) for name in ("via", "from", "to", "call-id", "cseq")):
                try:
                    via = stamp_via(headers, parse_via(headers.values("via")[0]), source)
                except ValueError:
                    pass
                else:
                    status = error.status
                    tag = "" if ";tag=" in headers.get("to").lower() else self._token(TAG_OCTETS)
                    response = respond_to_headers(headers, status, error.reason, tag)
                    self._outbox.datagrams.append((response.write(), reply_address(via, source)))
        self._report_rejection(source, status, error.reason, now)

    def _report_rejection(self, source: Address, status: int, cause: str, now: float) -> None:
        held_back = self._rejections.allows(source[0], now)
        if held_back is not None:
            event = MessageRejected(f"{bracketed(source[0])}:{source[1]}", status, cause, held_back)
            self._outbox.events.append(event)


def _check_extensions(request: Request) -> None:
    """Sections 8.2.2.1 and 8.2.2.3: the scheme, and the extensions that the far end insists on (we know none)."""
    if request.uri.scheme not in _SCHEMES:
        raise RemoteError(416, "Unsupported URI Scheme")
    required = request.headers.values("require")
    if required:
        raise RemoteError(420, "Bad Extension", extra=(("unsupported", ", ".join(required)),))


def _check_body(request: Request) -> None:
    """Section 8.2.3: an INVITE may bring a session description, as it is, or nothing."""
    if not request.body:
        return
    kind = request.headers.get("content-type").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if kind != SDP_TYPE or encoding != "identity":
        raise RemoteError(415, "Unsupported Media Type", extra=(("accept", SDP_TYPE),))
