"""Every dialog of an endpoint, and the performing of the rows of `dialog`."""

from collections.abc import Callable
from typing import Final

from telephony.events import (
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogEnding,
    DialogReachable,
    DialogRinging,
    DialogUnreachable,
    Invite,
    InviteReceived,
    SipEvent,
)
from telephony.sip import dialog as table
from telephony.sip import gruu
from telephony.sip.address import Flow, Remote
from telephony.sip.dialog import (
    Action,
    Dialog,
    Input,
    Occasion,
    State,
    options,
    read_routes,
    read_target,
    sdp_of,
)
from telephony.sip.errand import Errand, Purpose
from telephony.sip.errors import LocalError
from telephony.sip.invitation import FAILOVER, Attempt
from telephony.sip.message import Request, Response
from telephony.sip.outbox import Address, Outbox
from telephony.sip.refer import Replaces
from telephony.sip.registration import Binding
from telephony.sip.requests import Requests
from telephony.sip.session import Input as SessionInput
from telephony.sip.session_layer import SessionLayer
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import Transaction, TransactionLayer, way_of
from telephony.sip.uac import UserAgentClient
from telephony.sip.uas import UserAgentServer

_UNANSWERED: Final = frozenset({State.RECEIVED, State.CALLING, State.TRYING, State.EARLY})
_OVER: Final = frozenset({State.LEAVING, State.ENDED})
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
# Section 12.2.1.2: to these purposes the far end's 408 or 481 says that the dialog is gone.
_VITAL: Final = frozenset({Purpose.OFFER, Purpose.REFRESH, Purpose.INFO})
_SESSION_TIMERS: Final = frozenset({SessionInput.RETRY_DUE, SessionInput.NOT_ANSWERED})


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
        self._uas = UserAgentServer(settings, outbox, deadlines, transactions)
        self.uac = UserAgentClient(settings, outbox, deadlines, transactions, token)
        self.sessions = SessionLayer(outbox, deadlines, token, self._uas, self.uac)
        self.requests = Requests(settings.domain, outbox, transactions, self.uac, self.by_key)
        self._by_id: dict[str, Dialog] = {}
        self._by_key: dict[tuple[str, str, str], Dialog] = {}

    def __len__(self) -> int:
        return len(self._by_id.keys() | {dialog.id for dialog in self._by_key.values()})

    # ---------------------------------------------------------------------------------------------- beginnings

    def receive_invite(
        self, transaction: Transaction, request: Request, source: Address, now: float, event: InviteReceived
    ) -> None:
        """Begin the dialog of a new INVITE (section 12.1.1) and report it by `event`."""
        dialog = Dialog(event.dialog, table.INCOMING, State.RECEIVED, request.call_id, source)
        dialog.local, dialog.remote = request.to, request.from_
        dialog.local_tag, dialog.remote_tag = transaction.tag, request.from_.tag
        dialog.remote_seq = request.cseq.number
        dialog.target = read_target(request, request.from_.uri)
        dialog.routes = read_routes(request, reverse=False)
        dialog.supported = options(request)
        dialog.session.remote = event.sdp
        dialog.invite, transaction.owner = transaction, dialog
        self._by_id[dialog.id] = self._by_key[dialog.key] = dialog
        self._deadlines.set(dialog, Input.RANG_OUT, now + self._settings.ring_s)
        self._tell(event)

    def invite(self, command: Invite, attempts: tuple[Attempt, ...], now: float) -> None:
        """Send an INVITE. Raises `LocalError` for a dialog that there is already."""
        if command.dialog in self._by_id:
            raise LocalError(f"a second INVITE in dialog {command.dialog}")
        dialog = self.uac.invite(command, attempts, now)
        self._by_id[dialog.id] = dialog
        self._deadlines.set(dialog, Input.RANG_OUT, now + self._settings.ring_s)

    # ------------------------------------------------------------------------------------------------- finding

    def by_id(self, id_: str) -> Dialog | None:
        """Return the dialog that the switchboard knows by this name and that is not over for it."""
        return self._by_id.get(id_)

    def by_request(self, request: Request) -> Dialog | None:
        """Return the dialog of an in-dialog request (section 12.2.2)."""
        return self._by_key.get((request.call_id, request.to.tag, request.from_.tag))

    def by_key(self, call_id: str, local_tag: str, remote_tag: str) -> Dialog | None:
        """Return the dialog with this Call-ID and these tags that is not over."""
        dialog = self._by_key.get((call_id, local_tag, remote_tag))
        return None if dialog is None or dialog.state in _OVER else dialog

    def named(self, id_: str) -> Replaces | None:
        """Return a dialog that rings at a phone of ours, as an INVITE to us names it (RFC 3891)."""
        dialog = self._by_id.get(id_)
        if dialog is None or dialog.state is not State.EARLY or len(dialog.early) != 1:
            return None
        return Replaces(dialog.call_id, dialog.local_tag, next(iter(dialog.early)))

    def ringing(self, replaces: Replaces) -> Dialog | None:
        """Return the dialog that rings at a phone of ours and goes by this name. Whoever watched the phone (RFC 4235)
        names it as if to that phone, so the tags may stand the other way round."""
        one, other = replaces.to_tag, replaces.from_tag
        names = {Replaces(replaces.call_id, one, other), Replaces(replaces.call_id, other, one)}
        for dialog in self._by_id.values():
            if dialog.call_id == replaces.call_id:
                named = self.named(dialog.id)
                return dialog if named is not None and named in names else None
        return None

    # -------------------------------------------------------------------------------------------------- inputs

    def step(self, dialog: Dialog, received: Input, occasion: Occasion) -> bool:
        """Look up and perform one row; False when there is none, which means that the input came too late."""
        row = dialog.table.get((dialog.state, received))
        if row is None:
            return False
        state, actions = row
        for action in actions:
            self._perform(dialog, action, occasion)
        self._enter(dialog, state, occasion.now)
        if dialog.unreachable and state is State.LEAVING:
            self.step(dialog, Input.BYE_DONE, occasion)  # nobody is there to answer our BYE
        return True

    def answer(self, dialog: Dialog, sdp: str, now: float) -> None:
        """Answer an INVITE, or, while a 183 with our answer awaits its PRACK, once that is here (RFC 3262 section
        3)."""
        provisionals = dialog.provisionals
        if provisionals is not None and provisionals.message and provisionals.carries_session:
            provisionals.answer = sdp
        else:
            self.step(dialog, Input.ANSWER, Occasion(now, sdp=sdp))

    def receive_prack(self, dialog: Dialog, occasion: Occasion) -> bool:
        """A PRACK; the answer that waited for it goes out. False where none is due."""
        taken = self.step(dialog, Input.PRACK, occasion)
        provisionals = dialog.provisionals
        if taken and provisionals is not None and provisionals.answer and not provisionals.message:
            answer, provisionals.answer = provisionals.answer, ""
            self.step(dialog, Input.ANSWER, Occasion(occasion.now, sdp=answer))
        return taken

    def over(self, way: str | Remote) -> list[Dialog]:
        """Return the dialogs whose far end is reached by a connection, or by connecting to it."""
        known = (*self._by_id.values(), *(each for each in self._by_key.values() if each.id not in self._by_id))
        return [dialog for dialog in known if way_of(dialog.peer) == way]

    def connections(self) -> set[str]:
        """Return the connections by which far ends of dialogs are reached."""
        known = (*self._by_id.values(), *self._by_key.values())
        return {dialog.peer.connection for dialog in known if isinstance(dialog.peer, Flow)}

    def lose(self, dialog: Dialog, now: float) -> None:
        """The far end of a dialog cannot be reached until it speaks."""
        if not dialog.unreachable:
            dialog.unreachable = True
            self.step(dialog, Input.LOST, Occasion(now))  # first: so it is known why an offer of ours is refused
            self.sessions.lost(dialog, now)

    def came_back(self, dialog: Dialog, flow: Flow) -> None:
        """The far end of a dialog speaks over a new connection: that is where it is from now on."""
        dialog.peer = flow
        if dialog.unreachable:
            dialog.unreachable = False
            self._tell(DialogReachable(dialog.id))

    def contact_came_back(self, user: str, binding: Binding, flow: Flow) -> None:
        """A phone registered over a new connection with the Contact, or the GRUU, that its lost dialogs know it by."""
        for dialog in list(self._by_id.values()):
            is_contact = dialog.target.identity == binding.contact.identity or gruu.means(dialog.target, user, binding)
            is_theirs = dialog.remote.uri.user == user and is_contact
            if is_theirs and (dialog.unreachable or isinstance(dialog.peer, Remote)):
                self.came_back(dialog, flow)

    def receive_ack(self, dialog: Dialog, request: Request, now: float) -> None:
        """An ACK to a 2xx of ours, retransmitted or not; only the one that is waited for counts."""
        if request.cseq.number == dialog.answer_cseq and dialog.answer:
            self.step(dialog, Input.ACK, Occasion(now, request=request, sdp=sdp_of(request)))

    def give_up(self, dialog: Dialog, now: float) -> None:
        """Wait no longer for the ACK to our 2xx."""
        self.step(dialog, Input.NO_ACK, Occasion(now))

    def cancel(self, dialog: Dialog, invite: Transaction, now: float) -> None:
        """A CANCEL for the INVITE that began the dialog, or for a re-INVITE."""
        if dialog.invite is invite:
            self.step(dialog, Input.CANCEL, Occasion(now))
        elif dialog.session.pending is invite:
            self.sessions.cancelled(dialog, now)

    def receive_response(
        self, dialog: Dialog, transaction: Transaction, response: Response, source: Address, now: float
    ) -> None:
        """A response to our INVITE."""
        occasion = Occasion(now, transaction=transaction, response=response, source=source, sdp=sdp_of(response))
        if response.status < 200:
            if response.status == 100 or self.uac.take_provisional(dialog, response, source, now):
                self.step(dialog, _provisional(response, occasion.sdp), occasion)
        elif response.status >= 300:
            self._refused(dialog, response, occasion)
        elif dialog.acks and dialog.remote_tag != response.to.tag:
            self.uac.leave_fork(dialog, response, source, now)
        else:
            self.step(dialog, Input.SUCCESS, occasion)

    def _refused(self, dialog: Dialog, response: Response, occasion: Occasion) -> None:
        if occasion.transaction is not dialog.invite:
            return  # of an attempt that was given up
        again = dialog.invitation is not None and (
            self.uac.may_try_again(dialog, response) or (response.status in FAILOVER and dialog.invitation.next())
        )
        if not (again and self.step(dialog, Input.AGAIN, occasion)):
            self.step(dialog, Input.FAILURE, occasion)

    def errand_done(
        self, errand: Errand, _transaction: Transaction, response: Response, _source: Address, now: float
    ) -> None:
        """A response to another request of ours."""
        dialog, purpose = errand.dialog, errand.purpose
        if response.status < 200 or self.uac.send_again(errand, response, now):
            return
        self.uac.settle(errand)
        if response.status in {408, 481} and purpose in _VITAL:
            self.step(dialog, Input.GONE, Occasion(now, response=response))
            return
        match purpose:
            case Purpose.BYE:
                self.step(dialog, Input.BYE_DONE, Occasion(now))
            case Purpose.OFFER:
                self.sessions.responded(errand, response, now)
            case Purpose.REFRESH:
                self.sessions.refreshed(errand, response, now)
            case Purpose.REFER | Purpose.NOTIFY:
                self.requests.responded(errand, response)

    def overdue(self, errand: Errand, _timer: str, now: float) -> None:
        """A re-INVITE of ours is under way for too long."""
        if self.uac.give_up(errand, now):
            self.step(errand.dialog, Input.GONE, Occasion(now, status=408))

    def time_out(self, owner: Dialog | Errand, transaction: Transaction, now: float) -> None:
        """A transaction of ours got no final response."""
        if isinstance(owner, Dialog):
            if transaction is not owner.invite:
                return
            again = owner.invitation is not None and owner.invitation.next()
            if not (again and self.step(owner, Input.AGAIN, Occasion(now))):
                self.step(owner, Input.TIMED_OUT, Occasion(now))
            return
        self.uac.settle(owner)
        if owner.purpose is Purpose.BYE:
            self.step(owner.dialog, Input.BYE_DONE, Occasion(now))
        elif owner.purpose in _VITAL:
            self.step(owner.dialog, Input.GONE, Occasion(now, status=408))
        else:
            self.requests.unanswered(owner)

    def fire(self, dialog: Dialog, timer: str, now: float) -> None:
        """A timer of this dialog is due."""
        if timer in _SESSION_TIMERS:
            self.sessions.fire(dialog, timer, now)
        else:
            self.step(dialog, Input(timer), Occasion(now))

    # ------------------------------------------------------------------------------------------------- actions

    def _perform(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_RINGING:
                self._uas.ring(dialog, occasion.now)
            case Action.SEND_PROGRESS:
                self._uas.progress(dialog, occasion.sdp, occasion.now)
            case Action.RESEND_PROVISIONAL:
                self._uas.provide_again(dialog, occasion.now)
            case Action.TAKE_PRACK:
                self._uas.take_prack(dialog, occasion)
            case Action.SEND_ANSWER:
                dialog.session.local = occasion.sdp
                self._uas.answer(dialog, dialog.invite, occasion.sdp, occasion.now)
            case Action.RESEND_ANSWER:
                self._uas.answer_again(dialog, occasion.now)
            case Action.STOP_RESENDING:
                self._uas.stop_answering(dialog)
            case Action.SEND_REJECTION:
                self._uas.reject(dialog, occasion)
            case Action.SEND_UNAVAILABLE:
                self._uas.respond(dialog, 480, "", occasion.now)
            case Action.SEND_TERMINATED:
                self._uas.respond(dialog, 487, "", occasion.now)
            case Action.SEND_GATEWAY_TIMEOUT:
                self._uas.respond(dialog, 504, "", occasion.now)
            case _:
                self._perform_request(dialog, action, occasion)

    def _perform_request(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_ACK:
                self._acknowledge(dialog, occasion)
            case Action.SEND_CANCEL:
                self.uac.cancel(dialog, occasion.now)
            case Action.INVITE_AGAIN:
                self.uac.invite_again(dialog, occasion.now)
            case Action.LEAVE_BEHIND | Action.ABANDON:
                (self.uac.leave_behind if action is Action.LEAVE_BEHIND else self.uac.abandon)(dialog)
            case Action.SEND_BYE:
                if not dialog.unreachable:
                    self.uac.send(Errand(dialog, Purpose.BYE, "BYE"), occasion.now)
            case Action.OPEN_SESSION:
                self.sessions.opened(dialog, occasion.now)
            case Action.NEGOTIATE:
                self.sessions.receive(dialog, occasion)
            case Action.REFRESH:
                self.sessions.refresh(dialog, occasion.now)
            case Action.TAKE_ACK:
                self.sessions.acknowledged(dialog, occasion)
            case Action.SERVE:
                self.requests.serve(dialog, occasion)
            case _:
                self._tell_of(dialog, action, occasion)

    def _tell_of(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.TELL_RINGING:
                self._tell(DialogRinging(dialog.id, occasion.sdp))
            case Action.TELL_ANSWERED:
                self._tell(DialogAnswered(dialog.id, dialog.session.remote))
            case Action.TELL_CONFIRMED:
                # Where the INVITE made no offer, our 2xx did, and its answer is here.
                answer = "" if dialog.session.remote else occasion.sdp
                dialog.session.remote = dialog.session.remote or answer
                self._tell(DialogConfirmed(dialog.id, answer))
            case Action.TELL_UNREACHABLE:
                self._tell(DialogUnreachable(dialog.id))
            case _:
                self._end(dialog, action, occasion)

    def _acknowledge(self, dialog: Dialog, occasion: Occasion) -> None:
        if occasion.response is None:
            raise LocalError("an ACK without its 2xx")
        is_first = self.uac.acknowledge(dialog, occasion.response, occasion.source or dialog.peer, occasion.now)
        if is_first and dialog.state is not State.ENDED:
            self._by_key[dialog.key] = dialog

    def _end(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        status = occasion.status or _STATUSES.get(action, 0)
        self._tell(DialogEnded(dialog.id, _ENDINGS[action], status, occasion.reason))
        self._by_id.pop(dialog.id, None)

    def _enter(self, dialog: Dialog, state: State, now: float) -> None:
        if state is dialog.state:
            return
        if dialog.state in _UNANSWERED and state not in _UNANSWERED:
            self._deadlines.cancel(dialog, Input.RANG_OUT)
            self._uas.stop_providing(dialog)
        if dialog.state is State.CONFIRMED:
            self.sessions.close(dialog, now)
            self.requests.close(dialog)
        dialog.state = state
        if state is State.CONFIRMED:
            self.requests.opened(dialog, now)
        if state is State.ENDED:
            self._deadlines.cancel_all(dialog)
            self._by_key.pop(dialog.key, None)
            if dialog.invite is not None and not dialog.is_ours:
                dialog.invite.owner = None  # it absorbs retransmissions for half a minute, which need no dialog
            dialog.invite = None

    def _tell(self, event: SipEvent) -> None:
        self._outbox.events.append(event)


def _provisional(response: Response, sdp: str) -> Input:
    if response.status not in {180, 183}:
        return Input.TRYING
    return Input.EARLY_MEDIA if sdp else Input.RINGING
