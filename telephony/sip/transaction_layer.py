"""Transactions at work: finding the one a message belongs to, and performing what the tables of `transaction` say.

Nothing here calls upward. Each verb returns what the transaction user has to know; the endpoint asks and acts.
"""

from collections.abc import Callable
from typing import Final

from telephony.sip.address import Flow, Remote, Transport, is_page, is_reliable, transport_of
from telephony.sip.errors import LocalError
from telephony.sip.headers import Headers, write_params
from telephony.sip.message import BRANCH_COOKIE, Request, Response, Via
from telephony.sip.outbox import Address, Outbox
from telephony.sip.timers import T2_S, Deadlines
from telephony.sip.transaction import (
    DURATIONS,
    INVITE_CLIENT_MACHINE,
    INVITE_SERVER_MACHINE,
    NON_INVITE_CLIENT_MACHINE,
    NON_INVITE_SERVER_MACHINE,
    Action,
    Input,
    Machine,
    State,
    response_class,
)
from telephony.sip.uri import Uri, bracketed

Key = tuple[str | int | None, ...]

MAX_FORWARDS: Final = "70"
BRANCH_OCTETS: Final = 8
TAG_OCTETS: Final = 8
_TELLING: Final = frozenset({Action.TELL, Action.TIMED_OUT, Action.FAILED})
# Where nothing is left to be sent again; elsewhere after a final response, the response alone is kept.
_SILENT: Final = frozenset({State.ACCEPTED, State.CONFIRMED, State.TERMINATED})


class Transaction:
    """One transaction. `owner` is whatever the transaction user wants to find again: a dialog, as a rule.

    `peer` is where its messages go. `request` is kept while something may still be built from it, `last` while it
    may still be sent again; a finished transaction holds neither.
    """

    __slots__ = (
        "ack",
        "interval",
        "key",
        "last",
        "machine",
        "origin",
        "owner",
        "peer",
        "reliable",
        "request",
        "state",
        "tag",
    )

    def __init__(self, machine: Machine, key: Key, request: Request, peer: Address) -> None:
        self.machine = machine
        self.key = key
        self.state = machine.start
        self.request: Request | None = request
        self.peer = peer
        self.reliable = is_reliable(peer)
        self.last = b""
        self.ack = b""
        self.owner: object | None = None
        self.interval = 0.0
        self.tag = ""
        self.origin: Key = ()

    @property
    def is_client(self) -> bool:
        """Whether we sent the request."""
        return self.machine in (INVITE_CLIENT_MACHINE, NON_INVITE_CLIENT_MACHINE)

    def __repr__(self) -> str:
        return f"<{self.machine.name} transaction, {self.state}>"


class TransactionLayer:
    """Every transaction of one endpoint, over datagrams and connections alike.

    `sent_by` is the address that goes into our Via, `listening` where we listen for other transports than UDP, by
    transport and whether it is an IPv6 address; `token(n)` gives n octets of randomness in hex.
    """

    def __init__(
        self,
        outbox: Outbox,
        deadlines: Deadlines,
        token: Callable[[int], str],
        sent_by: tuple[str, int],
    ) -> None:
        self._outbox = outbox
        self._deadlines = deadlines
        self._token = token
        self.sent_by = sent_by
        self.listening: dict[tuple[Transport, bool], tuple[str, int]] = {}
        self._servers: dict[Key, Transaction] = {}
        self._clients: dict[Key, Transaction] = {}
        self._origins: dict[Key, Transaction] = {}
        self._over: dict[str | Remote, dict[Transaction, None]] = {}  # by connection, or far end to be connected to

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    def contact(self, peer: Address, user: str = "", *, secure: bool = False) -> str:
        """Return the URI under which requests of `peer` reach us; over a connection they come by it anyway. `secure`:
        the request at hand was for a sips: URI, so that is what we must be (section 12.1.1), if TLS leads to us."""
        transport = transport_of(peer)
        host, port = self._own(transport, peer)
        if secure and transport == "TLS":
            return Uri("sips", user, bracketed(host), port).write()
        params = () if transport == "UDP" else (("transport", "ws" if is_page(peer) else transport.lower()),)
        return Uri(user=user, host=bracketed(host), port=port, params=params).write()

    def _own(self, transport: Transport, peer: Address) -> tuple[str, int | None]:
        """Return where `peer` reaches us. Where we do not listen for its transport, that is by its connection alone,
        and another address of ours has to stand for it."""
        listening, is_ipv6 = self.listening, ":" in peer[0]
        if not listening:
            return self.sent_by
        own = listening.get((transport, is_ipv6)) or listening.get((transport, not is_ipv6)) or self.sent_by
        return own if own[1] else (next(iter(listening.values()))[0], None)

    # -------------------------------------------------------------------------------------------- server side

    def find_server(self, request: Request, via: Via) -> Transaction | None:
        """Return the transaction that `request` is a retransmission of, or the ACK to."""
        return self._servers.get(server_key(request, via, "INVITE" if request.method == "ACK" else request.method))

    def find_cancelled(self, cancel: Request, via: Via) -> Transaction | None:
        """Return the INVITE transaction that a CANCEL is for (section 9.2)."""
        return self._servers.get(server_key(cancel, via, "INVITE"))

    def open_server(self, request: Request, via: Via, peer: Address) -> Transaction:
        """Begin the server transaction of a new request; `via` is the topmost as it came in."""
        machine = INVITE_SERVER_MACHINE if request.method == "INVITE" else NON_INVITE_SERVER_MACHINE
        transaction = Transaction(machine, server_key(request, via, request.method), request, peer)
        transaction.tag = self._token(TAG_OCTETS)
        self._servers[transaction.key] = transaction
        if not request.to.tag and request.method != "CANCEL":
            transaction.origin = request.call_id, request.from_.tag, request.method, request.cseq.number
            self._origins.setdefault(transaction.origin, transaction)
        self._note(transaction)
        return transaction

    def is_merged(self, transaction: Transaction) -> bool:
        """Whether its request has reached us by another way already (section 8.2.2.2): a proxy on it has forked."""
        return self._origins.get(transaction.origin, transaction) is not transaction

    def receive_again(self, transaction: Transaction, request: Request, now: float) -> bool:
        """Take in a retransmission or an ACK. True: an ACK to a 2xx, which is the dialog's to know."""
        received = Input.ACK if request.method == "ACK" else Input.REQUEST
        return Action.TELL in self.step(transaction, received, now)

    def respond(self, transaction: Transaction, response: Response, now: float) -> None:
        """Send a response. Raises `LocalError` when the state has no room for it."""
        self.step(transaction, response_class(response.status), now, response)

    # -------------------------------------------------------------------------------------------- client side

    def open_client(self, request: Request, peer: Address, now: float, owner: object | None = None) -> Transaction:
        """Send a request of ours in a transaction of its own; its Via is written here."""
        branch = self.stamp(request, peer)
        return self._open_client(request, branch, peer, now, owner)

    def cancel(self, invite: Transaction, now: float) -> None:
        """Send the CANCEL of an INVITE that had a provisional response (section 9.1)."""
        if invite.request is None or invite.state is not State.PROCEEDING:
            raise LocalError(f"CANCEL for an INVITE in state {invite.state}: it waits for a provisional response")
        request = _derived(invite.request, "CANCEL", invite.request.headers.get("to"))
        self._open_client(request, str(invite.key[0]), invite.peer, now, None)

    def receive_response(self, response: Response, now: float) -> Transaction | None:
        """Take in a response. Returns its transaction when the transaction user has to see it; a response that
        belongs to no transaction is dropped (section 17.1.3, as RFC 6026 section 8.9 changes it), and so is one with
        another CSeq number than its request's, which nobody could acknowledge."""
        transaction = self._clients.get((response.via.branch, response.cseq.method, response.cseq.number))
        if transaction is None:
            return None
        told = self.step(transaction, response_class(response.status), now, response)
        return transaction if Action.TELL in told else None

    def abandon(self, transaction: Transaction) -> None:
        """Destroy a transaction: a client's whose CANCEL brought no final response (section 9.1), or a server's whose
        response need not be remembered (section 8.2.7)."""
        self._enter(transaction, State.TERMINATED, 0.0)

    def stamp(self, request: Request, peer: Address) -> str:
        """Write our Via with a new branch into `request`, which goes to `peer`; returns the branch."""
        branch = BRANCH_COOKIE + self._token(BRANCH_OCTETS)
        transport = transport_of(peer)
        host, port = self._own(transport, peer)
        via = Via(transport, bracketed(host), port, (("branch", branch), ("rport", None)))
        request.headers.set("via", via.write())
        return branch

    def over(self, way: str | Remote) -> list[Transaction]:
        """Return the transactions whose messages go over a connection, or to a far end that is connected to."""
        return list(self._over.get(way, ()))

    def ways(self) -> set[str]:
        """Return the connections that transactions go over."""
        return {way for way in self._over if isinstance(way, str)}

    def fail(self, transaction: Transaction, now: float) -> bool:
        """Its messages cannot be sent: end it. True: its user has to know (section 17.1.4)."""
        has_row = (transaction.state, Input.TRANSPORT_ERROR) in transaction.machine.table
        told = has_row and Action.FAILED in self.step(transaction, Input.TRANSPORT_ERROR, now)
        self.abandon(transaction)
        return told

    def move(self, transaction: Transaction, peer: Address, now: float) -> None:
        """Let the messages of a transaction go another way; a request of ours that has no final response goes again."""
        self._forget(transaction)
        transaction.peer, transaction.reliable = peer, is_reliable(peer)
        self._note(transaction)
        if transaction.is_client and transaction.last:
            self._send(transaction, transaction.last)
            if not transaction.reliable:
                self._start_timers(transaction, (), now)

    def _note(self, transaction: Transaction) -> None:
        if transaction.reliable:
            self._over.setdefault(way_of(transaction.peer), {})[transaction] = None

    def _forget(self, transaction: Transaction) -> None:
        if transaction.reliable:
            way = way_of(transaction.peer)
            held = self._over.get(way, {})
            held.pop(transaction, None)
            if not held:
                self._over.pop(way, None)

    def _open_client(self, request: Request, branch: str, peer: Address, now: float, owner: object) -> Transaction:
        machine = INVITE_CLIENT_MACHINE if request.method == "INVITE" else NON_INVITE_CLIENT_MACHINE
        transaction = Transaction(machine, (branch, request.method, request.cseq.number), request, peer)
        transaction.owner = owner
        transaction.last = request.write()
        self._clients[transaction.key] = transaction
        self._note(transaction)
        self._outbox.datagrams.append((transaction.last, peer))
        self._start_timers(transaction, (), now)
        return transaction

    # ------------------------------------------------------------------------------------------ both machines

    def step(
        self, transaction: Transaction, received: Input, now: float, response: Response | None = None
    ) -> tuple[Action, ...]:
        """Look up and perform one row. Returns its actions, so that the caller sees what the user is to be told."""
        row = transaction.machine.table.get((transaction.state, received))
        if row is None:
            raise LocalError(f"{transaction.machine.name} transaction in state {transaction.state} has no {received}")
        state, actions = row
        for action in actions:
            if action not in _TELLING:
                self._perform(transaction, action, received, now, response)
        self._enter(transaction, state, now)
        return actions

    def fire(self, transaction: Transaction, timer: str, now: float) -> bool:
        """A timer of `transaction` is due. True: it timed out, and its user has to know."""
        return Action.TIMED_OUT in self.step(transaction, Input(timer), now)

    def _perform(
        self, transaction: Transaction, action: Action, received: Input, now: float, response: Response | None
    ) -> None:
        match action:
            case Action.SEND:
                if response is None:
                    raise LocalError("nothing to send")
                transaction.last = response.write()
                self._send(transaction, transaction.last)
            case Action.RESEND:
                self._send(transaction, transaction.last)
            case Action.DOUBLE | Action.DOUBLE_TO_T2 | Action.AFTER_T2:
                self._send(transaction, transaction.last)
                self._lengthen(transaction, action)
                self._deadlines.set(transaction, received, now + transaction.interval)
            case Action.ACK:
                self._acknowledge(transaction, response)

    @staticmethod
    def _lengthen(transaction: Transaction, action: Action) -> None:
        if action is Action.DOUBLE:
            transaction.interval *= 2
        elif action is Action.DOUBLE_TO_T2:
            transaction.interval = min(2 * transaction.interval, T2_S)
        else:
            transaction.interval = T2_S

    def _acknowledge(self, transaction: Transaction, response: Response | None) -> None:
        """Section 17.1.1.3: same branch, the To of the response."""
        if not transaction.ack and transaction.request is not None and response is not None:
            transaction.ack = _derived(transaction.request, "ACK", response.headers.get("to")).write()
        self._send(transaction, transaction.ack)

    def _send(self, transaction: Transaction, message: bytes) -> None:
        if message:
            self._outbox.datagrams.append((message, transaction.peer))

    def _enter(self, transaction: Transaction, state: State, now: float) -> None:
        if state is transaction.state:
            return
        before = transaction.machine.timers.get(transaction.state, ())
        transaction.state = state
        if state is not State.PROCEEDING:
            transaction.request = None
            if state in _SILENT or transaction.is_client:
                transaction.last = b""
        if state is State.TERMINATED:
            transaction.owner = None
            transaction.ack = b""
            (self._clients if transaction.is_client else self._servers).pop(transaction.key, None)
            if self._origins.get(transaction.origin) is transaction:
                del self._origins[transaction.origin]
            self._forget(transaction)
            self._deadlines.cancel_all(transaction)
            return
        for timer in before:
            if timer not in transaction.machine.timers.get(state, ()):
                self._deadlines.cancel(transaction, timer)
        self._start_timers(transaction, before, now)

    def _start_timers(self, transaction: Transaction, running: tuple[Input, ...], now: float) -> None:
        for timer in transaction.machine.timers.get(transaction.state, ()):
            duration = DURATIONS[timer][transaction.reliable]
            if timer not in running and duration is not None:
                self._deadlines.set(transaction, timer, now + duration)
                if timer in {Input.TIMER_A, Input.TIMER_E, Input.TIMER_G}:
                    transaction.interval = duration


def way_of(peer: Address) -> str | Remote:
    """Return what a connection, or a far end that is connected to, is known by."""
    return peer.connection if isinstance(peer, Flow) else peer if isinstance(peer, Remote) else ""


def server_key(request: Request, via: Via, method: str) -> Key:
    """Return what a server transaction is found by (section 17.2.3).

    The CSeq number is in it because phones are at large that send the authenticated request with the branch of the
    challenged one. Without the magic cookie (RFC 2543, or a branch that is the bare cookie) the rules for old clients
    hold; the To tag is left out of them, because it alone differs between an INVITE and its ACK.
    """
    branch = via.branch
    if branch[:7].lower() == BRANCH_COOKIE.lower() and len(branch) > len(BRANCH_COOKIE):
        return branch, via.host, via.port, method, request.cseq.number
    old = via.host + write_params(tuple(pair for pair in via.params if pair[0] not in {"received", "rport"}))
    return "", request.call_id, request.from_.tag, request.target, old, via.port, method, request.cseq.number


def _derived(invite: Request, method: str, to: str) -> Request:
    """Return the CANCEL of an INVITE, or the ACK to its 300-699 response: both repeat its topmost Via and routes."""
    headers = Headers()
    headers.set("via", invite.headers.values("via")[0])
    headers.set("max-forwards", MAX_FORWARDS)
    if "route" in invite.headers:
        headers.set("route", *invite.headers.lines("route"))
    headers.set("from", invite.headers.get("from"))
    headers.set("to", to)
    headers.set("call-id", invite.call_id)
    headers.set("cseq", f"{invite.cseq.number} {method}")
    return Request(method, invite.target, headers)
