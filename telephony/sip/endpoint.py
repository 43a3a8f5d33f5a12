"""The SIP endpoint: datagrams and commands in, datagrams and events out. The only class that other rooms use.

Five verbs move it: `receive`, `perform`, `handle_deadline`, and to drain, `datagrams` and `events`. `deadline` says
when it wants to be called next. It reads no clock, draws no random number and opens no socket.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from telephony.events import (
    Answer,
    AnswerSession,
    AnswerText,
    DialogEnded,
    Hangup,
    Invite,
    LeaveTrunks,
    LocateTrunk,
    OfferSession,
    Progress,
    Refer,
    RefuseSession,
    Reject,
    Ring,
    SignalCandidates,
    SignalKey,
    SipCommand,
    SipEvent,
    TellLamp,
    TellRefer,
)
from telephony.sip.address import Flow, Remote, Transport
from telephony.sip.admission import Admission
from telephony.sip.authentication import Authenticator
from telephony.sip.dialog import Dialog, Input, Occasion, State
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.digest import Ha1
from telephony.sip.door import Door
from telephony.sip.errand import Errand
from telephony.sip.errors import RemoteError
from telephony.sip.incoming import Incoming
from telephony.sip.inspection import answer_to_broken
from telephony.sip.message import (
    Request,
    Response,
    parse_datagram,
)
from telephony.sip.outage import Outages
from telephony.sip.outbox import Address, Outbox
from telephony.sip.overload import OverloadControl
from telephony.sip.owners import Owners, Part
from telephony.sip.pager import Finds, Pager, Text
from telephony.sip.registrar import Registrar, Row
from telephony.sip.reports import Reports
from telephony.sip.settings import EndpointSettings
from telephony.sip.subscription import Notice, Subscription
from telephony.sip.subscription_layer import SubscriptionLayer
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import TAG_OCTETS, Transaction, TransactionLayer
from telephony.sip.trunk import Exchange, Prober, Trunk
from telephony.sip.trunk_calls import TrunkCalls
from telephony.sip.trunk_layer import TrunkLayer
from telephony.sip.uas_core import UasCore

__all__ = ["Endpoint", "EndpointSettings"]

_KEEPALIVE: Final = b"\r\n\0 "
_PING: Final = b"\r\n\r\n"  # RFC 5626 section 4.4.1
_PONG: Final = b"\r\n"
_ANYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # recognised here, bound nowhere


class Endpoint:
    """A SIP user agent and registrar.

    `credentials(user)` returns what is stored of each of a user's passwords, the desk phone's first, nothing for
    nobody; `token(n)` returns n octets of randomness in hex; `new_dialog()` returns the name of a dialog that comes in.
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
        self._outbox = Outbox()
        self._deadlines = Deadlines()
        self._transactions = TransactionLayer(self._outbox, self._deadlines, token, settings.address)
        self._dialogs = DialogLayer(settings, self._outbox, self._deadlines, self._transactions, token)
        self._reports = Reports(settings, self._outbox)
        self._registrar = Registrar(settings, self._outbox, self._deadlines, self._transactions, token)
        self._trunks = TrunkLayer(settings, self._outbox, self._deadlines, self._transactions, token)
        self._trunk_calls = TrunkCalls(settings, self._trunks.trunks)
        self.admission = Admission(
            settings.admission,
            self._registrar,
            self._trunk_calls.know,
            self._reports,
            self._dialogs.give_up,
            token(32),
        )
        door = Door(
            settings.limits, self.admission, self._transactions, self._dialogs, self._outbox, self._reports, token
        )
        self._authenticator = Authenticator(
            settings,
            credentials,
            token,
            lambda: (self._transactions.sent_by, *self._transactions.listening.values()),
            self._registrar,
            self.admission,
            self._reports,
        )
        self._subscriptions = SubscriptionLayer(
            settings, self._deadlines, self._transactions, self._authenticator.user_of, self._dialogs.named
        )
        incoming = Incoming(new_dialog, self._registrar, self._authenticator, self._trunk_calls, self._dialogs)
        self._owners = Owners()
        self._outages = Outages(
            self._transactions, self._dialogs, self._registrar, self._subscriptions, self._trunks, self._owners
        )
        self._core = UasCore(
            settings, self._transactions, self._dialogs, self._authenticator, incoming, self._outages, door
        )
        finds = Finds(self._core.in_dialog, self._registrar.newest, self._subscriptions.knows, incoming.by_trunk)
        self._pager = Pager(
            settings, self._outbox, self._deadlines, self._transactions, token, self._authenticator, finds
        )
        self.overload = OverloadControl(
            settings.overload, self._outbox, self._transactions, token, self._reports.rejected
        )
        self._core.serve("REGISTER", self._receive_register)
        self._core.serve("SUBSCRIBE", self._subscriptions.receive)
        self._core.serve("MESSAGE", self._pager.receive)
        self._name_owners()

    def _name_owners(self) -> None:
        """Say whose requests and timers are whose."""
        dialogs, trunks, subscriptions, pager = self._dialogs, self._trunks, self._subscriptions, self._pager
        requests, timers = self._owners.of_requests, self._owners.of_timers
        requests(Dialog, Part(dialogs.receive_response, dialogs.time_out, self._outages.fail_invite))
        requests(Errand, Part(dialogs.errand_done, dialogs.time_out, self._outages.fail_errand))
        requests(Exchange, Part(trunks.responded, trunks.timed_out, trunks.timed_out))
        requests(Notice, Part(subscriptions.responded, subscriptions.unanswered, subscriptions.unanswered))
        requests(Text, Part(pager.responded, pager.unanswered, pager.undelivered))
        timers(Dialog, dialogs.fire)
        timers(Errand, dialogs.overdue)
        timers(Subscription, subscriptions.fire)
        timers(Text, pager.fire)
        timers(str, self._registrar.fire)
        for kind in (Exchange, Prober, Trunk):
            timers(kind, trunks.fire)

    # ---------------------------------------------------------------------------------------------- the verbs

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take in one datagram, or one message of a connection. Never raises for what the far end sent."""
        if not data.strip(_KEEPALIVE):
            if isinstance(source, Flow) and data == _PING:
                self._outbox.datagrams.append((_PONG, source))
            return
        if self.overload.stops(data, source, now):
            return
        try:
            message = parse_datagram(data, self.settings.limits.message)
        except RemoteError as error:
            self._refuse_broken(error, source, now)
            return
        if isinstance(message, Request):
            self._core.receive(message, source, now)
        else:
            self._receive_response(message, source, now)

    def receive_broken(self, error: RemoteError, source: Address, now: float) -> None:
        """Take in what a connection ends with, since nothing after it can be read (`stream.StreamParser.fault`)."""
        self._refuse_broken(error, source, now)

    def connection_lost(self, connection: str, now: float, opened: Remote | None = None) -> None:
        """A connection is closed, or dead: what is bound to it is gone, calls not answered yet end, and talks wait for
        their far end to come back, unless there is another way to it. `opened` is whom we had opened it to."""
        self._outages.connection_lost(connection, opened, now)

    def connection_refused(self, remote: Remote, now: float) -> None:
        """No connection could be had: what was sent there fails, and goes on to its next target where it has one."""
        self._outages.connection_refused(remote, now)

    def connections_in_use(self) -> set[str]:
        """Return the connections that a phone is registered by, or a dialog or transaction goes over."""
        return self._outages.connections_in_use()

    def is_needed(self, opened: Remote) -> bool:
        """Tell whether a transaction or a dialog goes to a far end that a connection was opened to."""
        return self._outages.is_needed(opened)

    def deactivate(self, now: float) -> None:
        """We stop: tell whoever watches our agents to subscribe anew."""
        self._subscriptions.deactivate(now)

    def perform(self, command: SipCommand, now: float) -> None:
        """Do what the switchboard says. A command that comes too late for its dialog is ignored: races are normal."""
        if isinstance(command, Invite):
            self._invite(command, now)
            return
        if isinstance(command, LocateTrunk | LeaveTrunks):
            self._trunks.perform(command, now)
            return
        if isinstance(command, TellLamp):
            self._subscriptions.tell(command, now)
            return
        if isinstance(command, AnswerText):
            self._pager.answer(command, now)
            return
        dialog = self._dialogs.by_id(command.dialog)
        if dialog is None:
            return
        match command:
            case Ring():
                self._dialogs.step(dialog, Input.RING, Occasion(now))
            case Progress():
                self._dialogs.step(dialog, Input.PROGRESS, Occasion(now, sdp=command.sdp))
            case Answer():
                self._dialogs.answer(dialog, command.sdp, now)
            case Reject():
                if command.status == 404:
                    self.admission.refused(dialog.peer, dialog.local.uri.user, now)
                occasion = Occasion(now, status=command.status, reason=command.reason)
                occasion.warning = command.warning
                self._dialogs.step(dialog, Input.REJECT, occasion)
            case Hangup():
                self._dialogs.step(dialog, Input.HANGUP, Occasion(now, reason=command.reason))
            case _:
                self._perform_inside(dialog, command, now)

    def _perform_inside(self, dialog: Dialog, command: SipCommand, now: float) -> None:
        """What only a confirmed dialog can do, though an offer may be made, and candidates told, early: they
        follow once there is one."""
        sessions, requests = self._dialogs.sessions, self._dialogs.requests
        if isinstance(command, OfferSession):
            sessions.propose(dialog, command.sdp, now)
        elif isinstance(command, SignalCandidates):
            requests.trickle(dialog, command, now)
        if dialog.state is not State.CONFIRMED or dialog.unreachable:
            return
        match command:
            case AnswerSession():
                sessions.answer(dialog, command.sdp, now)
            case RefuseSession():
                sessions.refuse(dialog, command, now)
            case Refer():
                requests.refer(dialog, command.number, self._dialogs.by_id(command.replaces), now)
            case TellRefer():
                requests.tell(dialog, command.status, now)
            case SignalKey():
                requests.signal(dialog, command.digit, now)

    def handle_deadline(self, now: float) -> None:
        """Do whatever is due by `now`."""
        while (due := self._deadlines.pop(now)) is not None:
            owner, timer = due
            if isinstance(owner, Transaction):
                user = owner.owner
                if self._transactions.fire(owner, timer, now) and owner.is_client:
                    self._trunks.went_silent(owner.peer, now)
                    self._owners.unanswered(user, owner, now)
            else:
                self._owners.fire(owner, timer, now)

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

    def bound_to(self, host: str, port: int, transport: Transport = "UDP") -> None:
        """Take an address that the edge bound, for whatever part of `settings.address` was left open; of several of one
        transport and address family, the first is told to far ends."""
        own_host, own_port = self.settings.address
        is_ours = own_host not in _ANYWHERE and (":" in own_host) == (":" in host)
        reached_at = own_host if is_ours else host
        if transport == "UDP":
            self._transactions.sent_by = (reached_at, own_port or port)
        else:
            self._transactions.listening.setdefault((transport, ":" in host), (reached_at, port))

    def restore(self, bindings: Mapping[str, Iterable[Row]], now: float) -> None:
        """Take registrations back after a restart: user -> rows as `BindingChanged.bindings` had them. No event."""
        for user, rows in bindings.items():
            self._registrar.restore(user, rows, now)

    def forget(self, user: str, now: float) -> None:
        """A user has new passwords, or none: who registered with the old ones is nobody from now on."""
        self._registrar.forget(user, now)

    def registrations(self) -> Mapping[str, int]:
        """Return how many phones are registered over each transport."""
        return self._registrar.by_transport()

    def load(self) -> tuple[int, int, int]:
        """Return how many transactions, dialogs and deadlines there are."""
        return len(self._transactions), len(self._dialogs) + len(self._subscriptions), len(self._deadlines)

    # ------------------------------------------------------------------------------- responses and commands

    def _receive_response(self, response: Response, source: Address, now: float) -> None:
        transaction = self._transactions.receive_response(response, now)
        if transaction is not None:
            self._owners.responded(transaction, response, source, now)

    def _receive_register(self, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        user = self._authenticator.user_of(request, source, now)
        response = self._registrar.receive(request, user, transaction.tag, source, now)
        self._core.send(transaction, request, response, now)
        if response.status == 200 and isinstance(source, Flow):
            for binding in self._registrar.contacts(user):
                if binding.source == source:
                    self._dialogs.contact_came_back(user, binding, source)

    def _invite(self, command: Invite, now: float) -> None:
        if command.trunk:
            attempts = self._trunk_calls.attempts(command)
            if attempts:
                self._dialogs.invite(command, attempts, now)
            else:
                self._outbox.events.append(DialogEnded(command.dialog, "rejected", 503, "No Address Of The Trunk"))
            return
        binding = self._registrar.newest(command.user, now, command.device)
        if binding is None:
            self._outbox.events.append(DialogEnded(command.dialog, "rejected", 480, "Not Registered"))
        else:
            attempt = self._dialogs.uac.to_phone(command, binding.contact, binding.address, binding.path)
            self._dialogs.invite(command, (attempt,), now)

    # -------------------------------------------------------------------------------------- broken messages

    def _refuse_broken(self, error: RemoteError, source: Address, now: float) -> None:
        """Answer what is broken where an answer is due and possible, without remembering it; report it either way."""
        answer = answer_to_broken(error, source, self._token(TAG_OCTETS))
        if answer is not None:
            self._outbox.datagrams.append(answer)
        self._reports.rejected(source, error.status if answer is not None else 0, error.reason, now)
