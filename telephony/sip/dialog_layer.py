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
from telephony.sip.address import Flow
from telephony.sip.dialog import (
    Action,
    Dialog,
    Input,
    Occasion,
    State,
    is_withheld,
    read_routes,
    read_target,
    sdp_of,
)
from telephony.sip.errors import LocalError
from telephony.sip.headers import one_line
from telephony.sip.message import Request, Response
from telephony.sip.outbox import Address, Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import Deadlines
from telephony.sip.transaction_layer import Transaction, TransactionLayer
from telephony.sip.uac import UserAgentClient
from telephony.sip.uas import UserAgentServer
from telephony.sip.uri import Uri, bracketed

MAX_NAME_LENGTH: Final = 128
"""Of numbers and names that strangers write and that rows, journals and listeners are given: no real one is longer."""

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
        self._uas = UserAgentServer(settings.user_agent, outbox, deadlines, transactions)
        self._uac = UserAgentClient(settings, outbox, deadlines, transactions, token)
        self._by_id: dict[str, Dialog] = {}
        self._by_key: dict[tuple[str, str, str], Dialog] = {}

    def __len__(self) -> int:
        return len(self._by_id.keys() | {dialog.id for dialog in self._by_key.values()})

    # ---------------------------------------------------------------------------------------------- beginnings

    def receive_invite(
        self, id_: str, transaction: Transaction, request: Request, source: Address, now: float, *, claimed: bool
    ) -> None:
        """Begin the dialog of a new INVITE (section 12.1.1) and report it; see `InviteReceived` for `claimed`."""
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
                number="" if withheld else one_line(request.from_.uri.number)[:MAX_NAME_LENGTH],
                display_name="" if withheld else one_line(request.from_.display_name)[:MAX_NAME_LENGTH],
                withheld=withheld,
                dnis=one_line(request.uri.number)[:MAX_NAME_LENGTH],
                sdp=dialog.remote_sdp,
                source=f"{bracketed(source[0])}:{source[1]}",
                claimed=claimed,
            )
        )

    def invite(self, command: Invite, target: Uri, peer: Address, now: float) -> None:
        """Send an INVITE to a registered phone. Raises `LocalError` for a dialog that there is already."""
        if command.dialog in self._by_id:
            raise LocalError(f"a second INVITE in dialog {command.dialog}")
        dialog = self._uac.invite(command, target, peer, now)
        self._by_id[dialog.id] = dialog
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
        if dialog.unreachable and state is State.LEAVING:
            self.step(dialog, Input.BYE_DONE, occasion)  # nobody is there to answer our BYE
        return True

    def connection_lost(self, connection: str, now: float) -> None:
        """Tell every dialog over a connection that it is gone."""
        known = {id(dialog): dialog for dialog in (*self._by_id.values(), *self._by_key.values())}
        for dialog in known.values():
            if isinstance(dialog.peer, Flow) and dialog.peer.connection == connection and not dialog.unreachable:
                dialog.unreachable = True
                self.step(dialog, Input.LOST, Occasion(now))

    def came_back(self, dialog: Dialog, flow: Flow) -> None:
        """The far end of a dialog speaks over a new connection: that is where it is from now on."""
        dialog.peer = flow
        if dialog.unreachable:
            dialog.unreachable = False
            self._tell(DialogReachable(dialog.id))

    def contact_came_back(self, user: str, contact: Uri, flow: Flow) -> None:
        """A phone registered over a new connection with the Contact that its lost dialogs know it by."""
        for dialog in list(self._by_id.values()):
            is_theirs = dialog.remote.uri.user == user and dialog.target.identity == contact.identity
            if dialog.unreachable and is_theirs:
                self.came_back(dialog, flow)

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
            self._uac.leave_fork(dialog, response, source, now)
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
                self._uas.respond(dialog, 180, "", occasion.now)
            case Action.SEND_ANSWER:
                dialog.local_sdp = occasion.sdp
                self._uas.answer(dialog, dialog.invite, occasion.now)
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
            case Action.REFRESH:
                self._uas.refresh(dialog, occasion)
            case _:
                self._perform_request(dialog, action, occasion)

    def _perform_request(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_ACK:
                self._acknowledge(dialog, occasion)
            case Action.SEND_CANCEL:
                self._uac.cancel(dialog, occasion.now)
            case Action.ABANDON:
                self._uac.abandon(dialog)
            case Action.SEND_BYE:
                if not dialog.unreachable:
                    self._uac.bye(dialog, dialog, occasion.now)
            case _:
                self._tell_of(dialog, action, occasion)

    def _tell_of(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.TELL_RINGING:
                self._tell(DialogRinging(dialog.id))
            case Action.TELL_ANSWERED:
                self._tell(DialogAnswered(dialog.id, dialog.remote_sdp))
            case Action.TELL_CONFIRMED:
                self._tell(DialogConfirmed(dialog.id))
            case Action.TELL_UNREACHABLE:
                self._tell(DialogUnreachable(dialog.id))
            case _:
                self._end(dialog, action, occasion)

    def _acknowledge(self, dialog: Dialog, occasion: Occasion) -> None:
        if occasion.response is None:
            raise LocalError("an ACK without its 2xx")
        is_first = self._uac.acknowledge(dialog, occasion.response, occasion.source or dialog.peer)
        if is_first and dialog.state is not State.ENDED:
            self._by_key[dialog.key] = dialog

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

    def _tell(self, event: SipEvent) -> None:
        self._outbox.events.append(event)
