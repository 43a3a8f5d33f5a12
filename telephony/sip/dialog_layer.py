"""Dialogs at work: performing what the tables of `dialog` say, and retransmitting a 2xx until its ACK."""

from collections.abc import Callable
from typing import Final

from telephony.events import (
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogEnding,
    DialogRinging,
    Invite,
    InviteReceived,
    SipEvent,
)
from telephony.sdp import is_refresh
from telephony.sip import dialog as table
from telephony.sip.dialog import Action, Dialog, Input, State, is_withheld, read_routes, read_target, sdp_of
from telephony.sip.errors import LocalError
from telephony.sip.headers import Headers, one_line
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Address, Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import T1_S, T2_S, Deadlines
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import TAG_OCTETS, Transaction, TransactionLayer
from telephony.sip.uri import NameAddr, Uri

CALL_ID_OCTETS: Final = 16
MAX_FORKS: Final = 8
ALLOW: Final = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER"
SDP_TYPE: Final = "application/sdp"
ANONYMOUS: Final = Uri(user="anonymous", host="anonymous.invalid")

_UNANSWERED: Final = frozenset({State.RECEIVED, State.CALLING, State.TRYING, State.EARLY})
_ENDINGS: Final[dict[Action, DialogEnding]] = {
    Action.END_BYE: "bye",
    Action.END_CANCELLED: "cancelled",
    Action.END_REJECTED: "rejected",
    Action.END_TIMED_OUT: "timed_out",
    Action.END_FAILED: "failed",
    Action.END_LOCAL: "local",
}
# What a dialog's end is told with where no response said otherwise.
_STATUSES: Final[dict[Action, int]] = {Action.END_CANCELLED: 487, Action.END_TIMED_OUT: 408}


class Occasion:
    """What an input came with; every action takes from it what it needs."""

    __slots__ = ("now", "reason", "request", "response", "sdp", "source", "status", "transaction")

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
        self.transaction = transaction
        self.request = request
        self.response = response
        self.source = source
        self.sdp = sdp
        self.status = response.status if response else status
        self.reason = one_line(response.reason) if response else reason


class DialogLayer:
    """Every dialog of one endpoint."""

    def __init__(
        self,
        settings: EndpointSettings,
        outbox: Outbox,
        deadlines: Deadlines,
        transactions: TransactionLayer,
        token: Callable[[int], str],
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._deadlines = deadlines
        self._transactions = transactions
        self._token = token
        self._by_id: dict[str, Dialog] = {}
        self._by_key: dict[tuple[str, str, str], Dialog] = {}

    def __len__(self) -> int:
        return len(self._by_id.keys() | {dialog.id for dialog in self._by_key.values()})

    # ---------------------------------------------------------------------------------------------- beginnings

    def receive_invite(self, id_: str, transaction: Transaction, request: Request, source: Address, now: float) -> None:
        """Begin the dialog of a new INVITE (section 12.1.1) and report it."""
        dialog = Dialog(id_, table.INCOMING, State.RECEIVED, request.call_id, source)
        dialog.local, dialog.remote = request.to, request.from_
        dialog.local_tag, dialog.remote_tag = transaction.tag, request.from_.tag
        dialog.remote_seq = request.cseq.number
        dialog.target = read_target(request, request.from_.uri)
        dialog.routes = read_routes(request, reverse=False)
        dialog.remote_sdp = sdp_of(request)
        dialog.invite, transaction.owner = transaction, dialog
        self._by_id[id_] = self._by_key[dialog.key] = dialog
        self._deadlines.set(dialog, Input.RANG_OUT, now + self._settings.ring_s)
        withheld = is_withheld(request)
        self._tell(
            InviteReceived(
                dialog=id_,
                number="" if withheld else one_line(request.from_.uri.number),
                display_name="" if withheld else one_line(request.from_.display_name),
                withheld=withheld,
                dnis=one_line(request.uri.number),
                sdp=dialog.remote_sdp,
                source=f"{source[0]}:{source[1]}",
            )
        )

    def invite(self, command: Invite, target: Uri, peer: Address, now: float) -> None:
        """Send an INVITE to a registered phone. Raises `LocalError` for a dialog that there is already."""
        if command.dialog in self._by_id:
            raise LocalError(f"a second INVITE in dialog {command.dialog}")
        dialog = Dialog(command.dialog, table.OUTGOING, State.CALLING, self._token(CALL_ID_OCTETS), peer)
        domain = self._settings.domain
        caller = Uri(user=command.number, host=domain) if command.number else ANONYMOUS
        dialog.local = NameAddr(caller, one_line(command.display_name) or ("" if command.number else "Anonymous"))
        dialog.remote = NameAddr(Uri(user=command.user, host=domain))
        dialog.local_tag = self._token(TAG_OCTETS)
        dialog.target = target
        dialog.local_sdp = command.sdp
        request, destination = dialog.request("INVITE", self._settings.user_agent)
        dialog.invite_cseq = dialog.local_seq
        self._add_offer(request.headers)
        request.headers.set("content-type", SDP_TYPE)
        request.body = command.sdp.encode()
        self._by_id[dialog.id] = dialog
        dialog.invite = self._transactions.open_client(request, destination, now, dialog)
        self._deadlines.set(dialog, Input.RANG_OUT, now + self._settings.ring_s)

    # ------------------------------------------------------------------------------------------------- finding

    def by_id(self, id_: str) -> Dialog | None:
        """Return the dialog that the switchboard knows by this name and that is not over for it."""
        return self._by_id.get(id_)

    def by_request(self, request: Request) -> Dialog | None:
        """Return the dialog of an in-dialog request (section 12.2.2)."""
        return self._by_key.get((request.call_id, request.to.tag, request.from_.tag))

    # -------------------------------------------------------------------------------------------------- inputs

    def step(self, dialog: Dialog, received: Input, occasion: Occasion) -> bool:
        """Look up and perform one row; False when there is none, which means that the input came too late."""
        row = dialog.table.get((dialog.state, received))
        if row is None:
            return False
        state, actions = row
        for action in actions:
            self._perform(dialog, action, occasion)
        self._enter(dialog, state)
        return True

    def receive_ack(self, dialog: Dialog, request: Request, now: float) -> None:
        """An ACK to a 2xx of ours, retransmitted or not; only the one that is waited for counts."""
        if request.cseq.number == dialog.answer_cseq and dialog.answer:
            self.step(dialog, Input.ACK, Occasion(now, request=request))

    def receive_response(
        self, dialog: Dialog, transaction: Transaction, response: Response, source: Address, now: float
    ) -> None:
        """A response to our INVITE, or to our BYE."""
        occasion = Occasion(now, transaction=transaction, response=response, source=source)
        if response.cseq.method == "BYE":
            if response.status >= 200:
                self.step(dialog, Input.BYE_DONE, occasion)
        elif response.status < 200:
            self.step(dialog, Input.RINGING if response.status in {180, 183} else Input.TRYING, occasion)
        elif response.status >= 300:
            self.step(dialog, Input.FAILURE, occasion)
        elif dialog.remote_tag and dialog.remote_tag != response.to.tag:
            self._leave_fork(dialog, occasion)
        else:
            self.step(dialog, Input.SUCCESS, occasion)

    def time_out(self, dialog: Dialog, transaction: Transaction, now: float) -> None:
        """A transaction of this dialog got no final response."""
        if transaction is dialog.invite:
            self.step(dialog, Input.TIMED_OUT, Occasion(now))
        else:
            self.step(dialog, Input.BYE_DONE, Occasion(now))

    def fire(self, dialog: Dialog, timer: str, now: float) -> None:
        """A timer of this dialog is due."""
        self.step(dialog, Input(timer), Occasion(now))

    # ------------------------------------------------------------------------------------------------- actions

    def _perform(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_RINGING:
                self._respond(dialog, 180, "", occasion)
            case Action.SEND_ANSWER:
                dialog.local_sdp = occasion.sdp
                self._send_answer(dialog, dialog.invite, occasion)
            case Action.RESEND_ANSWER:
                self._resend_answer(dialog, occasion)
            case Action.STOP_RESENDING:
                self._stop_resending(dialog)
            case Action.SEND_REJECTION:
                if not 300 <= occasion.status <= 699:
                    raise LocalError(f"Reject with status {occasion.status}: it takes one of 300 to 699")
                self._respond(dialog, occasion.status, occasion.reason, occasion)
            case Action.SEND_UNAVAILABLE:
                self._respond(dialog, 480, "", occasion)
            case Action.SEND_TERMINATED:
                self._respond(dialog, 487, "", occasion)
            case Action.REFRESH:
                self._refresh(dialog, occasion)
            case _:
                self._perform_outgoing(dialog, action, occasion)

    def _perform_outgoing(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_ACK:
                self._acknowledge(dialog, occasion)
            case Action.SEND_CANCEL:
                self._cancel(dialog, occasion.now)
            case Action.ABANDON:
                if dialog.invite is not None:
                    self._transactions.abandon(dialog.invite)
            case Action.SEND_BYE:
                self._send_bye(dialog, dialog, occasion.now)
            case Action.TELL_RINGING:
                self._tell(DialogRinging(dialog.id))
            case Action.TELL_ANSWERED:
                self._tell(DialogAnswered(dialog.id, dialog.remote_sdp))
            case Action.TELL_CONFIRMED:
                self._tell(DialogConfirmed(dialog.id))
            case _:
                self._end(dialog, action, occasion)

    def _end(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        status = occasion.status or _STATUSES.get(action, 0)
        self._tell(DialogEnded(dialog.id, _ENDINGS[action], status, occasion.reason))
        self._by_id.pop(dialog.id, None)

    def _enter(self, dialog: Dialog, state: State) -> None:
        if state is dialog.state:
            return
        if dialog.state in _UNANSWERED and state not in _UNANSWERED:
            self._deadlines.cancel(dialog, Input.RANG_OUT)
        dialog.state = state
        if state is State.ENDED:
            self._deadlines.cancel_all(dialog)
            self._by_key.pop(dialog.key, None)
            dialog.invite = None

    # -------------------------------------------------------------------------------------------- our responses

    def _respond(self, dialog: Dialog, status: int, reason: str, occasion: Occasion) -> None:
        invite = dialog.invite
        if invite is None or invite.request is None:
            raise LocalError(f"a response of {status} to an INVITE that has its final response")
        response = respond(invite.request, status, one_line(reason), invite.tag)
        if status < 300:
            self._add_dialog_fields(response.headers, invite.request)
        self._transactions.respond(invite, response, occasion.now)

    def _send_answer(self, dialog: Dialog, invite: Transaction | None, occasion: Occasion) -> None:
        """Send a 2xx with `dialog.local_sdp`, and keep at it until its ACK (section 13.3.1.4)."""
        if invite is None or invite.request is None:
            raise LocalError("an answer to an INVITE that has its final response")
        response = respond(invite.request, 200, "", invite.tag)
        self._add_dialog_fields(response.headers, invite.request)
        self._add_offer(response.headers)
        response.headers.set("content-type", SDP_TYPE)
        response.body = dialog.local_sdp.encode()
        dialog.answer_cseq = invite.request.cseq.number
        dialog.answer_peer = invite.peer
        self._transactions.respond(invite, response, occasion.now)
        dialog.answer = response.write()
        dialog.answer_interval = T1_S
        self._deadlines.set(dialog, Input.RESEND_DUE, occasion.now + T1_S)
        self._deadlines.set(dialog, Input.NO_ACK, occasion.now + 64 * T1_S)

    def _resend_answer(self, dialog: Dialog, occasion: Occasion) -> None:
        self._outbox.datagrams.append((dialog.answer, dialog.answer_peer))
        dialog.answer_interval = min(2 * dialog.answer_interval, T2_S)
        self._deadlines.set(dialog, Input.RESEND_DUE, occasion.now + dialog.answer_interval)

    def _stop_resending(self, dialog: Dialog) -> None:
        dialog.answer = b""
        self._deadlines.cancel(dialog, Input.RESEND_DUE)
        self._deadlines.cancel(dialog, Input.NO_ACK)

    def _refresh(self, dialog: Dialog, occasion: Occasion) -> None:
        """Answer a re-INVITE: 200 with the SDP that stands when the offer changes nothing (a session refresh), 488
        when it does; the call goes on as it is (section 14.2). While an earlier 2xx waits for its ACK: 500."""
        transaction, request = occasion.transaction, occasion.request
        if transaction is None or request is None:
            raise LocalError("a re-INVITE without its request")
        if dialog.answer:
            response = respond(request, 500, "An Earlier INVITE Awaits Its ACK")
            response.headers.set("retry-after", "1")
        elif (offer := sdp_of(request)) and not is_refresh(dialog.remote_sdp, offer):
            response = respond(request, 488)
        else:
            transaction.owner = dialog
            dialog.target = read_target(request, dialog.target)
            self._send_answer(dialog, transaction, occasion)
            return
        self._transactions.respond(transaction, response, occasion.now)

    # --------------------------------------------------------------------------------------------- our requests

    def _acknowledge(self, dialog: Dialog, occasion: Occasion) -> None:
        """ACK a 2xx to our INVITE; the first one makes the dialog (section 12.1.2), later ones are repeated."""
        response = occasion.response
        if response is None:
            raise LocalError("an ACK without its 2xx")
        tag = response.to.tag
        if tag not in dialog.acks:
            self._establish(dialog, response, occasion.source or dialog.peer)
            if dialog.state is not State.ENDED:
                self._by_key[dialog.key] = dialog
            self._build_ack(dialog, dialog)
        self._outbox.datagrams.append(dialog.acks[tag])

    @staticmethod
    def _establish(dialog: Dialog, response: Response, source: Address) -> None:
        dialog.remote_tag = response.to.tag
        dialog.target = read_target(response, dialog.target)
        dialog.routes = read_routes(response, reverse=True)
        dialog.peer = source
        dialog.remote_sdp = sdp_of(response)

    def _build_ack(self, keeper: Dialog, dialog: Dialog) -> None:
        request, destination = dialog.request("ACK", self._settings.user_agent, dialog.invite_cseq)
        self._transactions.stamp(request)
        keeper.acks[dialog.remote_tag] = (request.write(), destination)

    def _leave_fork(self, dialog: Dialog, occasion: Occasion) -> None:
        """A second phone answered the same INVITE: ACK, then BYE, in a dialog that exists for nothing else."""
        response = occasion.response
        if response is None or len(dialog.acks) >= MAX_FORKS:
            return
        tag = response.to.tag
        if tag not in dialog.acks:
            fork = Dialog("", table.OUTGOING, State.LEAVING, dialog.call_id, dialog.peer)
            fork.local, fork.remote, fork.local_tag = dialog.local, dialog.remote, dialog.local_tag
            fork.local_seq = fork.invite_cseq = dialog.invite_cseq
            fork.target = dialog.target
            self._establish(fork, response, occasion.source or dialog.peer)
            self._build_ack(dialog, fork)
            self._outbox.datagrams.append(dialog.acks[tag])
            self._send_bye(fork, None, occasion.now)
        else:
            self._outbox.datagrams.append(dialog.acks[tag])

    def _cancel(self, dialog: Dialog, now: float) -> None:
        invite = dialog.invite
        if invite is not None and invite.state is TransactionState.PROCEEDING:
            self._transactions.cancel(invite, now)
            self._deadlines.set(dialog, Input.CANCEL_LOST, now + 64 * T1_S)

    def _send_bye(self, dialog: Dialog, owner: Dialog | None, now: float) -> None:
        request, destination = dialog.request("BYE", self._settings.user_agent)
        self._transactions.open_client(request, destination, now, owner)

    def _add_offer(self, headers: Headers) -> None:
        headers.set("contact", f"<{self._contact()}>")
        headers.set("allow", ALLOW)

    def _add_dialog_fields(self, headers: Headers, invite: Request) -> None:
        """Section 12.1.1: Record-Route is copied, Contact is ours."""
        if "record-route" in invite.headers:
            headers.set("record-route", *invite.headers.lines("record-route"))
        headers.set("contact", f"<{self._contact()}>")
        headers.set("user-agent", self._settings.user_agent)

    def _contact(self) -> str:
        host, port = self._transactions.sent_by
        return Uri(host=host, port=port).write()

    def _tell(self, event: SipEvent) -> None:
        self._outbox.events.append(event)
