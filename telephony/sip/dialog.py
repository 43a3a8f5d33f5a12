"""Dialogs of INVITE (RFC 3261 sections 12 to 15): their states as tables, and the requests they send.

Rule 1: what a dialog does stands in the two tables, one for INVITEs that come in, one for those that go out;
`dialog_layer` performs it. A missing row is an input that came too late: a command that lost a race is ignored, and
a request of the far end is answered 481 by `dialog_layer`.

Rule 2: on its way through the table every dialog passes exactly one `END_...` action: there the switchboard learns
that it is over. What the wire still needs after that goes on without it.

Rule 3: over a connection, everything goes by that connection (`outage` says what else there is when it is lost). Over
UDP, requests go to the address that the far end's messages come from, unless the next hop names another port of that
very host. A Contact behind a NAT leads nowhere, a name would need the DNS, and nobody may aim us at a third.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from telephony.events import SignalCandidates
from telephony.sip.address import Flow, Remote
from telephony.sip.headers import Headers, one_line, param, presentable
from telephony.sip.invitation import Credentials, Early, Invitation
from telephony.sip.message import Message, Request, Response
from telephony.sip.outbox import Address
from telephony.sip.provisional import Provisionals
from telephony.sip.session import Session
from telephony.sip.session_timer import due_s
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import MAX_FORWARDS, Transaction
from telephony.sip.uri import NameAddr, Uri, UriError, parse_name_addr


class State(StrEnum):
    """Where a dialog stands."""

    RECEIVED = "received"  # an INVITE of theirs, no final response yet
    ANSWERED = "answered"  # our 2xx is out, its ACK is not here
    HANGING_UP = "hanging up"  # as ANSWERED, but over for us: BYE must wait for the ACK (section 15)
    CALLING = "calling"  # an INVITE of ours, nothing came back
    TRYING = "trying"  # 100 came
    EARLY = "early"  # 180 or 183 came
    CANCEL_WAITING = "cancel waiting"  # over for us, but CANCEL must wait for a provisional response (section 9.1)
    CANCELLING = "cancelling"  # our CANCEL is out, the final response is not here
    CONFIRMED = "confirmed"
    LEAVING = "leaving"  # our BYE is out
    ENDED = "ended"


class Input(StrEnum):
    """What may happen to a dialog."""

    RING = "Ring"
    ANSWER = "Answer"
    REJECT = "Reject"
    HANGUP = "Hangup"
    ACK = "ACK"
    BYE = "BYE"
    CANCEL = "CANCEL"
    OFFER = "re-INVITE, UPDATE"
    PROGRESS = "Progress"
    PRACK = "PRACK"
    REQUEST = "INFO, REFER, NOTIFY"
    TRYING = "1xx"
    RINGING = "180, 183"
    EARLY_MEDIA = "183 with SDP"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    AGAIN = "401, 407, 422, next target"
    NO_PROVISIONAL = "patience timer"
    TIMED_OUT = "no response"
    FAILED = "transport error"
    RESEND_DUE = "2xx timer"
    NO_ACK = "64*T1 without ACK"
    PROVISIONAL_DUE = "1xx timer"
    NO_PRACK = "64*T1 without PRACK"
    REFRESH_DUE = "refresh timer"
    EXPIRED = "session timer"
    GONE = "408, 481 or silence"
    RANG_OUT = "ring time-out"
    CANCEL_LOST = "64*T1 after CANCEL"
    BYE_DONE = "BYE answered"
    LOST = "connection lost"


class Action(StrEnum):
    """What a dialog does; performed in the order of the row."""

    SEND_RINGING = "180"
    SEND_PROGRESS = "183"
    RESEND_PROVISIONAL = "1xx again"
    TAKE_PRACK = "200 to PRACK"
    SEND_ANSWER = "200"
    RESEND_ANSWER = "200 again"
    STOP_RESENDING = "stop 200"
    SEND_REJECTION = "its status"
    SEND_UNAVAILABLE = "480"
    SEND_TERMINATED = "487"
    SEND_GATEWAY_TIMEOUT = "504"
    NEGOTIATE = "offer/answer"
    OPEN_SESSION = "session begins"
    TAKE_ACK = "session ACK"
    SERVE = "serve"
    INVITE_AGAIN = "INVITE again"
    LEAVE_BEHIND = "give up target"
    REFRESH = "refresh session"
    SEND_ACK = "ACK"
    SEND_CANCEL = "CANCEL"
    SEND_BYE = "BYE"
    ABANDON = "forget INVITE"
    TELL_RINGING = "DialogRinging"
    TELL_ANSWERED = "DialogAnswered"
    TELL_CONFIRMED = "DialogConfirmed"
    TELL_UNREACHABLE = "DialogUnreachable"
    END_BYE = "ended: bye"
    END_CANCELLED = "ended: cancelled"
    END_REJECTED = "ended: rejected"
    END_TIMED_OUT = "ended: timed_out"
    END_FAILED = "ended: failed"
    END_LOCAL = "ended: local"


Row = tuple[State, tuple[Action, ...]]
Table = dict[tuple[State, Input], Row]

_S, _I, _A = State, Input, Action

_ESTABLISHED: Final[Table] = {
    (_S.CONFIRMED, _I.BYE): (_S.ENDED, (_A.STOP_RESENDING, _A.END_BYE)),
    (_S.CONFIRMED, _I.HANGUP): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE, _A.END_LOCAL)),
    (_S.CONFIRMED, _I.OFFER): (_S.CONFIRMED, (_A.NEGOTIATE,)),
    (_S.CONFIRMED, _I.REQUEST): (_S.CONFIRMED, (_A.SERVE,)),
    # RFC 4028: we refresh the session, or the far end does, and its silence is the end.
    (_S.CONFIRMED, _I.REFRESH_DUE): (_S.CONFIRMED, (_A.REFRESH,)),
    (_S.CONFIRMED, _I.EXPIRED): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE, _A.END_TIMED_OUT)),
    # Section 12.2.1.2: to a request of ours, the far end says that it knows no such dialog, or nothing.
    (_S.CONFIRMED, _I.GONE): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE, _A.END_FAILED)),
    # These three are of the 2xx to a re-INVITE.
    (_S.CONFIRMED, _I.ACK): (_S.CONFIRMED, (_A.STOP_RESENDING, _A.TAKE_ACK)),
    (_S.CONFIRMED, _I.RESEND_DUE): (_S.CONFIRMED, (_A.RESEND_ANSWER,)),
    (_S.CONFIRMED, _I.NO_ACK): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE, _A.END_TIMED_OUT)),
    # What was agreed on goes on without its connection: voice may still flow, and the far end may come back.
    (_S.CONFIRMED, _I.LOST): (_S.CONFIRMED, (_A.STOP_RESENDING, _A.TELL_UNREACHABLE)),
    (_S.LEAVING, _I.LOST): (_S.ENDED, ()),
    # Two BYEs crossed: theirs is answered, ours is waited for.
    (_S.LEAVING, _I.BYE): (_S.LEAVING, ()),
    (_S.LEAVING, _I.BYE_DONE): (_S.ENDED, ()),
}

INCOMING: Final[Table] = _ESTABLISHED | {
    (_S.RECEIVED, _I.RING): (_S.RECEIVED, (_A.SEND_RINGING,)),
    (_S.RECEIVED, _I.PROGRESS): (_S.RECEIVED, (_A.SEND_PROGRESS,)),
    # RFC 3262 section 3: a reliable provisional response is repeated until its PRACK.
    (_S.RECEIVED, _I.PROVISIONAL_DUE): (_S.RECEIVED, (_A.RESEND_PROVISIONAL,)),
    (_S.RECEIVED, _I.PRACK): (_S.RECEIVED, (_A.TAKE_PRACK,)),
    (_S.RECEIVED, _I.NO_PRACK): (_S.ENDED, (_A.SEND_GATEWAY_TIMEOUT, _A.END_FAILED)),
    (_S.RECEIVED, _I.OFFER): (_S.RECEIVED, (_A.NEGOTIATE,)),
    (_S.ANSWERED, _I.OFFER): (_S.ANSWERED, (_A.NEGOTIATE,)),
    (_S.ANSWERED, _I.PRACK): (_S.ANSWERED, (_A.TAKE_PRACK,)),
    (_S.RECEIVED, _I.ANSWER): (_S.ANSWERED, (_A.SEND_ANSWER,)),
    (_S.RECEIVED, _I.REJECT): (_S.ENDED, (_A.SEND_REJECTION, _A.END_LOCAL)),
    (_S.RECEIVED, _I.HANGUP): (_S.ENDED, (_A.SEND_UNAVAILABLE, _A.END_LOCAL)),
    (_S.RECEIVED, _I.CANCEL): (_S.ENDED, (_A.SEND_TERMINATED, _A.END_CANCELLED)),
    # Section 15: the caller's UA may send BYE on an early dialog; the INVITE is then answered 487 (15.1.2).
    (_S.RECEIVED, _I.BYE): (_S.ENDED, (_A.SEND_TERMINATED, _A.END_BYE)),
    (_S.RECEIVED, _I.RANG_OUT): (_S.ENDED, (_A.SEND_UNAVAILABLE, _A.END_TIMED_OUT)),
    # A page that is closed while it rings had no time for a CANCEL.
    (_S.RECEIVED, _I.LOST): (_S.ENDED, (_A.SEND_TERMINATED, _A.END_CANCELLED)),
    (_S.ANSWERED, _I.LOST): (_S.ENDED, (_A.STOP_RESENDING, _A.END_FAILED)),
    (_S.HANGING_UP, _I.LOST): (_S.ENDED, (_A.STOP_RESENDING,)),
    # Section 9.2: a CANCEL after the final response has no effect; the call goes on.
    (_S.ANSWERED, _I.CANCEL): (_S.ANSWERED, ()),
    (_S.ANSWERED, _I.RESEND_DUE): (_S.ANSWERED, (_A.RESEND_ANSWER,)),
    (_S.ANSWERED, _I.ACK): (_S.CONFIRMED, (_A.STOP_RESENDING, _A.TELL_CONFIRMED, _A.OPEN_SESSION)),
    # Section 13.3.1.4: without ACK for 64*T1 the dialog is confirmed, but the session should be ended by BYE.
    (_S.ANSWERED, _I.NO_ACK): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE, _A.END_TIMED_OUT)),
    (_S.ANSWERED, _I.BYE): (_S.ENDED, (_A.STOP_RESENDING, _A.END_BYE)),
    (_S.ANSWERED, _I.HANGUP): (_S.HANGING_UP, (_A.END_LOCAL,)),
    (_S.HANGING_UP, _I.RESEND_DUE): (_S.HANGING_UP, (_A.RESEND_ANSWER,)),
    (_S.HANGING_UP, _I.ACK): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE)),
    (_S.HANGING_UP, _I.NO_ACK): (_S.LEAVING, (_A.STOP_RESENDING, _A.SEND_BYE)),
    (_S.HANGING_UP, _I.BYE): (_S.ENDED, (_A.STOP_RESENDING,)),
}

OUTGOING: Final[Table] = _ESTABLISHED | {
    (_S.CALLING, _I.TRYING): (_S.TRYING, ()),
    (_S.CALLING, _I.NO_PROVISIONAL): (_S.CALLING, (_A.LEAVE_BEHIND, _A.INVITE_AGAIN)),
    (_S.CALLING, _I.RINGING): (_S.EARLY, (_A.TELL_RINGING,)),
    (_S.TRYING, _I.RINGING): (_S.EARLY, (_A.TELL_RINGING,)),
    (_S.CALLING, _I.EARLY_MEDIA): (_S.EARLY, (_A.TELL_RINGING,)),
    (_S.TRYING, _I.EARLY_MEDIA): (_S.EARLY, (_A.TELL_RINGING,)),
    (_S.EARLY, _I.EARLY_MEDIA): (_S.EARLY, (_A.TELL_RINGING,)),
    **{
        row: outcome
        for state in (_S.CALLING, _S.TRYING, _S.EARLY)
        for row, outcome in {
            (state, _I.SUCCESS): (_S.CONFIRMED, (_A.SEND_ACK, _A.TELL_ANSWERED, _A.OPEN_SESSION)),
            (state, _I.AGAIN): (_S.CALLING, (_A.INVITE_AGAIN,)),
            (state, _I.FAILURE): (_S.ENDED, (_A.END_REJECTED,)),
            (state, _I.TIMED_OUT): (_S.ENDED, (_A.END_TIMED_OUT,)),
            (state, _I.FAILED): (_S.ENDED, (_A.END_FAILED,)),
            (state, _I.LOST): (_S.ENDED, (_A.END_FAILED,)),
        }.items()
    },
    (_S.CALLING, _I.HANGUP): (_S.CANCEL_WAITING, (_A.END_LOCAL,)),
    (_S.TRYING, _I.HANGUP): (_S.CANCELLING, (_A.SEND_CANCEL, _A.END_LOCAL)),
    (_S.EARLY, _I.HANGUP): (_S.CANCELLING, (_A.SEND_CANCEL, _A.END_LOCAL)),
    (_S.CALLING, _I.RANG_OUT): (_S.CANCEL_WAITING, (_A.END_TIMED_OUT,)),
    (_S.TRYING, _I.RANG_OUT): (_S.CANCELLING, (_A.SEND_CANCEL, _A.END_TIMED_OUT)),
    (_S.EARLY, _I.RANG_OUT): (_S.CANCELLING, (_A.SEND_CANCEL, _A.END_TIMED_OUT)),
    (_S.CANCEL_WAITING, _I.TRYING): (_S.CANCELLING, (_A.SEND_CANCEL,)),
    (_S.CANCEL_WAITING, _I.RINGING): (_S.CANCELLING, (_A.SEND_CANCEL,)),
    (_S.CANCEL_WAITING, _I.EARLY_MEDIA): (_S.CANCELLING, (_A.SEND_CANCEL,)),
    (_S.CANCELLING, _I.CANCEL_LOST): (_S.ENDED, (_A.ABANDON,)),
    **{
        row: outcome
        for state in (_S.CANCEL_WAITING, _S.CANCELLING)
        for row, outcome in {
            # Their 200 crossed our CANCEL: it has to be acknowledged, and then hung up.
            (state, _I.SUCCESS): (_S.LEAVING, (_A.SEND_ACK, _A.SEND_BYE)),
            (state, _I.FAILURE): (_S.ENDED, ()),
            (state, _I.TIMED_OUT): (_S.ENDED, ()),
            (state, _I.FAILED): (_S.ENDED, ()),
            (state, _I.LOST): (_S.ENDED, ()),
        }.items()
    },
    # Section 13.2.2.4: every 2xx is acknowledged, the retransmitted ones too, however far the dialog has got.
    (_S.CONFIRMED, _I.SUCCESS): (_S.CONFIRMED, (_A.SEND_ACK,)),
    (_S.LEAVING, _I.SUCCESS): (_S.LEAVING, (_A.SEND_ACK,)),
    (_S.ENDED, _I.SUCCESS): (_S.ENDED, (_A.SEND_ACK,)),
}


class Path:
    """What every dialog has in common, whatever began it: two ends, and the way from the one to the other.

    `local` and `remote` are the From and To of our requests, `target` and `routes` what the far end said of itself, and
    `peer` where its messages come from.
    """

    __slots__ = (
        "call_id",
        "local",
        "local_seq",
        "local_tag",
        "peer",
        "remote",
        "remote_tag",
        "routes",
        "target",
    )

    call_id: str
    peer: Address
    local: NameAddr
    remote: NameAddr
    local_tag: str
    remote_tag: str
    local_seq: int
    target: Uri
    routes: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """Call-ID, our tag, their tag (section 12)."""
        return self.call_id, self.local_tag, self.remote_tag

    @property
    def next_hop(self) -> Uri:
        """What the next request goes to, as the far end wrote it: its first route, or its Contact."""
        return _routed(self.target, self.routes)[2]

    def request(self, method: str, user_agent: str, cseq: int | None = None) -> tuple[Request, Address]:
        """Return an in-dialog request without its Via, and where it goes (section 12.2.1.1).

        Without `cseq` the next number is taken; an ACK gives the number of its INVITE.
        """
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        target, routes, next_hop = _routed(self.target, self.routes)
        headers = Headers()
        headers.set("via", "")
        headers.set("max-forwards", MAX_FORWARDS)
        if routes:
            headers.set("route", *routes)
        headers.set("from", with_tag(self.local, self.local_tag))
        headers.set("to", with_tag(self.remote, self.remote_tag))
        headers.set("call-id", self.call_id)
        headers.set("cseq", f"{cseq} {method}")
        headers.set("user-agent", user_agent)
        return Request(method, as_request_uri(target).write(), headers), destination(next_hop, self.peer)


class Dialog(Path):
    """The SIP state behind a leg. `id` is the switchboard's name for it; it never goes on the wire.

    `local` and `remote` are the From and To of our requests. `invite` is the transaction of its first INVITE while that
    lives, `invitation` what an INVITE of ours is made of until it is answered. `answer` is our 2xx while it is
    retransmitted and `answer_cseq` the number its ACK must carry; `acks` are our own ACKs by the To tag and CSeq of
    their 2xx. `early` are the far ends that have responded to our INVITE provisionally, by their tags. `supported` are
    the extensions that the far end has named, `allows` the methods. `unreachable`: the connection to `peer` is lost,
    and nothing can be sent. `expires_s` is the session timer's interval, 0 for none, and `refreshes` whether it is for
    us to refresh. `candidates` of ours wait until it is confirmed.
    """

    __slots__ = (
        "acks",
        "allows",
        "answer",
        "answer_cseq",
        "answer_interval",
        "answer_peer",
        "candidates",
        "credentials",
        "early",
        "expires_s",
        "id",
        "invitation",
        "invite",
        "invite_cseq",
        "provisionals",
        "refer_in",
        "refer_out",
        "refreshes",
        "remote_seq",
        "session",
        "state",
        "supported",
        "table",
        "unreachable",
    )

    def __init__(self, id_: str, table: Table, state: State, call_id: str, peer: Address) -> None:
        self.id = id_
        self.table = table
        self.state = state
        self.call_id = call_id
        self.peer = peer
        self.unreachable = False
        self.local = self.remote = NameAddr(Uri())
        self.local_tag = self.remote_tag = ""
        self.local_seq = 0
        self.remote_seq = -1
        self.target = Uri()
        self.routes: tuple[str, ...] = ()
        self.supported: frozenset[str] = frozenset()
        self.allows: frozenset[str] = frozenset()
        self.session = Session()
        self.expires_s = 0
        self.refreshes = False
        self.invite: Transaction | None = None
        self.invite_cseq = 0
        self.invitation: Invitation | None = None
        self.credentials: Credentials | None = None
        self.early: dict[str, Early] = {}
        self.provisionals: Provisionals | None = None
        self.answer = b""
        self.answer_cseq = -1
        self.answer_interval = 0.0
        self.answer_peer: Address = peer
        self.acks: dict[tuple[str, int], tuple[bytes, Address]] = {}
        self.refer_in = -1
        self.refer_out = False
        self.candidates: list[SignalCandidates] = []

    @property
    def is_ours(self) -> bool:
        """Whether we began it."""
        return self.table is OUTGOING


class Occasion:
    """What an input came with; every action takes from it what it needs."""

    __slots__ = ("now", "reason", "request", "response", "sdp", "source", "status", "transaction", "warning")

    def __init__(
        self,
        now: float,
        *,
        transaction: Transaction | None = None,
        request: Request | None = None,
        response: Response | None = None,
        source: Address | None = None,
        sdp: str = "",
        status: int = 0,
        reason: str = "",
    ) -> None:
        self.now = now
        self.warning = 0
        self.transaction = transaction
        self.request = request
        self.response = response
        self.source = source
        self.sdp = sdp
        self.status = response.status if response else status
        self.reason = one_line(response.reason) if response else reason


def _routed(target: Uri, routes: Sequence[str]) -> tuple[Uri, list[str], Uri]:
    """Return Request-URI, Route values and the next hop. A first route without `lr` is a strict router: it takes the
    Request-URI's place, and the target goes to the end of the list (section 12.2.1.1)."""
    if not routes:
        return target, [], target
    first = parse_name_addr(routes[0]).uri
    if param(first.params, "lr") is not None:
        return target, list(routes), first
    return first, [*routes[1:], NameAddr(target).write()], first


def as_request_uri(target: Uri) -> Uri:
    """Return a URI without what has no place in a Request-URI: the headers and the method that a Contact may ask for,
    which we do not honour (RFC 3261 sections 19.1.1 and 19.1.5)."""
    if not target.headers and param(target.params, "method") is None:
        return target
    params = tuple(pair for pair in target.params if pair[0] != "method")
    return msgspec.structs.replace(target, headers="", params=params)


def destination(next_hop: Uri, peer: Address) -> Address:
    """Return where a request goes: the next hop where it is the peer's own host, the peer otherwise (rule 3)."""
    if isinstance(peer, Flow | Remote):
        return peer
    host, port = next_hop.address
    return (host, port) if host == peer[0] else peer


def with_tag(party: NameAddr, tag: str) -> str:
    """Return a From or To value."""
    return NameAddr(party.uri, party.display_name, (("tag", tag),) if tag else ()).write()


def read_target(message: Message, otherwise: Uri) -> Uri:
    """Return the remote target: the first Contact, or `otherwise` where there is none that can be read."""
    contacts = message.headers.values("contact")
    try:
        return parse_name_addr(contacts[0]).uri if contacts else otherwise
    except UriError:
        return otherwise


def read_routes(message: Message, *, reverse: bool) -> tuple[str, ...]:
    """Return the route set out of Record-Route: in order for a UAS, reversed for a UAC (section 12.1).

    Values that are no routes are left out: a dialog with them could send nothing at all.
    """
    routes = [value for value in message.headers.values("record-route") if _is_route(value)]
    return tuple(reversed(routes)) if reverse else tuple(routes)


def time_session(dialog: Dialog, deadlines: Deadlines, seconds: int, *, refreshes: bool, now: float) -> None:
    """Start the session timer anew: either we refresh, or the far end's silence is its end (RFC 4028 section 10)."""
    dialog.expires_s, dialog.refreshes = seconds, refreshes
    due, other = (Input.REFRESH_DUE, Input.EXPIRED) if refreshes else (Input.EXPIRED, Input.REFRESH_DUE)
    deadlines.cancel(dialog, other)
    deadlines.set(dialog, due, now + due_s(seconds, refreshes=refreshes))


def options(message: Message) -> frozenset[str]:
    """Return the extensions that the far end names, as something it can or something it insists on."""
    named = (*message.headers.values("supported"), *message.headers.values("require"))
    return frozenset(option.lower() for option in named)


def methods(message: Message, before: frozenset[str]) -> frozenset[str]:
    """Return what the far end allows; a message without Allow changes nothing."""
    return frozenset(message.headers.values("allow")) or before


def _is_route(value: str) -> bool:
    try:
        return parse_name_addr(value).uri.scheme in {"sip", "sips"}
    except UriError:
        return False


def sdp_of(message: Message) -> str:
    """Return the session description in a message, `""` for none."""
    kind = message.headers.get("content-type", "application/sdp").partition(";")[0].strip().lower()
    return presentable(message.body.decode("utf-8", "surrogateescape")) if kind == "application/sdp" else ""
