"""What it means that a connection is lost, or that none can be had.

A lost connection ends what was bound to it. A dialog or a response that has another way (`detour`) takes that, and
requests of ours that were under way go again; the rest of the dialogs wait for their far end to come back, if they are
confirmed, or end.

A far end that cannot be connected to, or that drops the connection, fails the requests that were sent there at once
(RFC 3261 section 17.1.4), so that an INVITE goes on to its next target.
"""

from telephony.sip.address import Address, Flow, Remote
from telephony.sip.detour import way_of_requests, way_of_responses
from telephony.sip.dialog import Dialog, Input, Occasion, State
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.errand import Errand, Purpose
from telephony.sip.owners import Owners
from telephony.sip.registrar import Registrar
from telephony.sip.session import Input as SessionInput
from telephony.sip.subscription_layer import SubscriptionLayer
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import Transaction, TransactionLayer, way_of
from telephony.sip.trunk_layer import TrunkLayer

_CALLING = frozenset({State.CALLING, State.TRYING, State.EARLY, State.CANCEL_WAITING, State.CANCELLING})
_UNAVAILABLE = 503  # section 8.1.3.1: what a transport error is to be taken for


class Outages:
    """Tells every part of the core of connections that are gone."""

    def __init__(
        self,
        transactions: TransactionLayer,
        dialogs: DialogLayer,
        registrar: Registrar,
        subscriptions: SubscriptionLayer,
        trunks: TrunkLayer,
        owners: Owners,
    ) -> None:
        self._transactions = transactions
        self._dialogs = dialogs
        self._registrar = registrar
        self._subscriptions = subscriptions
        self._trunks = trunks
        self._owners = owners

    def connections_in_use(self) -> set[str]:
        """Return the connections that a phone is registered by, or a dialog, subscription or transaction goes over."""
        held = self._registrar.connections() | self._dialogs.connections()
        held |= self._trunks.connections() | self._subscriptions.connections()
        return held | self._transactions.ways()

    def is_needed(self, opened: Remote) -> bool:
        """Tell whether a transaction or a dialog goes to a far end that we connected to."""
        return bool(self._transactions.over(opened) or self._dialogs.over(opened))

    def connection_lost(self, connection: str, opened: Remote | None, now: float) -> None:
        """A connection is closed, or dead; `opened` is whom we had opened it to."""
        sent_there = self._transactions.over(opened) if opened is not None else []
        detours: dict[Dialog, Address] = {}
        dialogs = self._dialogs.over(connection)
        for dialog in dialogs:
            way = self._detour(dialog)
            if way is not None:
                _move(dialog, connection, way)
                detours[dialog] = way
            elif dialog.state not in _CALLING:
                self._dialogs.lose(dialog, now)
        for transaction in self._transactions.over(connection):
            self._lose(transaction, detours, now)
        for transaction in sent_there:
            if transaction.state is not TransactionState.ACCEPTED:  # a 2xx may come again, over a new connection
                self._fail(transaction, now)
        for dialog in dialogs:
            if way_of(dialog.peer) == connection:  # else it goes on another way
                self._dialogs.lose(dialog, now)
        self._registrar.connection_lost(connection, now)
        self._subscriptions.connection_lost(connection, now)
        self._trunks.connection_lost(connection, now)

    def connection_refused(self, remote: Remote, now: float) -> None:
        """A connection could not be had: requests that wait for it fail, and dialogs that go there cannot go on."""
        dialogs = [dialog for dialog in self._dialogs.over(remote) if dialog.state not in _CALLING]
        for transaction in self._transactions.over(remote):
            self._fail(transaction, now)
        for dialog in dialogs:
            if dialog.peer == remote:
                self._dialogs.lose(dialog, now)

    def heard(self, dialog: Dialog, source: Address) -> None:
        """The far end of a dialog speaks: over the connection that it speaks by, it is reached from now on."""
        if isinstance(source, Flow) and isinstance(dialog.peer, Flow | Remote) and source != dialog.peer:
            self._dialogs.came_back(dialog, source)

    def heard_again(self, transaction: Transaction, source: Address, now: float) -> None:
        """A request came again; over another connection than before, its response goes there."""
        if isinstance(source, Flow) and isinstance(transaction.peer, Flow | Remote) and source != transaction.peer:
            self._transactions.move(transaction, source, now)
            if isinstance(transaction.owner, Dialog):
                self.heard(transaction.owner, source)

    def _detour(self, dialog: Dialog) -> Address | None:
        flow, invite = dialog.peer, dialog.invite
        if not isinstance(flow, Flow) or dialog.state in _CALLING:
            return None
        way = way_of_requests(flow, dialog.next_hop)
        if way is None and invite is not None and not invite.is_client and invite.request is not None:
            way = way_of_responses(flow, invite.request.via)
        return way

    def _lose(self, transaction: Transaction, detours: dict[Dialog, Address], now: float) -> None:
        flow, request = transaction.peer, transaction.request
        dialog = transaction.owner.dialog if isinstance(transaction.owner, Errand) else transaction.owner
        way = detours.get(dialog) if isinstance(dialog, Dialog) else None
        if not transaction.is_client and request is not None and isinstance(flow, Flow):
            way = way_of_responses(flow, request.via) or way
        if way is not None:
            self._transactions.move(transaction, way, now)
        else:
            self._fail(transaction, now)

    def _fail(self, transaction: Transaction, now: float) -> None:
        owner = transaction.owner
        is_first = isinstance(owner, Dialog) and owner.invite is transaction and not transaction.is_client
        if isinstance(owner, Dialog) and is_first and transaction.request is not None:
            self._dialogs.lose(owner, now)  # while there still is something to be answered, and be it in vain
        if not self._transactions.fail(transaction, now):
            return
        self._owners.undelivered(owner, transaction, now)

    def fail_invite(self, dialog: Dialog, transaction: Transaction, now: float) -> None:
        """An INVITE of ours could not be sent: along its next way, or that was it."""
        if transaction is not dialog.invite or not transaction.is_client:
            return  # of an attempt that was given up
        occasion = Occasion(now, status=_UNAVAILABLE, reason="No Connection")
        again = dialog.invitation is not None and dialog.invitation.next()
        if not (again and self._dialogs.step(dialog, Input.AGAIN, occasion)):
            self._dialogs.step(dialog, Input.FAILED, occasion)

    def fail_errand(self, errand: Errand, _transaction: Transaction, now: float) -> None:
        """Nor could another request inside a dialog."""
        dialog = errand.dialog
        match errand.purpose:
            case Purpose.BYE:
                self._dialogs.step(dialog, Input.BYE_DONE, Occasion(now))
            case Purpose.OFFER:
                self._dialogs.sessions.step(dialog, SessionInput.REFUSED, Occasion(now, status=_UNAVAILABLE))
            case Purpose.REFRESH:
                self._dialogs.sessions.refresh_later(dialog, now)
            case _:
                self._dialogs.requests.unanswered(errand)


def _move(dialog: Dialog, connection: str, way: Address) -> None:
    """Let whatever a dialog sends go another way."""

    def other(peer: Address) -> Address:
        return way if isinstance(peer, Flow) and peer.connection == connection else peer

    dialog.peer, dialog.answer_peer = other(dialog.peer), other(dialog.answer_peer)
    dialog.acks = {key: (ack, other(peer)) for key, (ack, peer) in dialog.acks.items()}
    if dialog.provisionals is not None:
        dialog.provisionals.peer = other(dialog.provisionals.peer)
