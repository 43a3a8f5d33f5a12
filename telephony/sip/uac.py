"""The UAC side of a dialog (RFC 3261 sections 9.1, 12.2.1, 13.2 and 15.1): our INVITE, ACK, CANCEL and BYE."""

from collections.abc import Callable
from typing import Final

from telephony.events import Invite
from telephony.sip import dialog as table
from telephony.sip.dialog import Dialog, Input, State, read_routes, read_target, sdp_of
from telephony.sip.headers import one_line
from telephony.sip.message import Response
from telephony.sip.outbox import Address, Outbox
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import T1_S, Deadlines
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import TAG_OCTETS, TransactionLayer
from telephony.sip.uas import ALLOW, SDP_TYPE
from telephony.sip.uri import NameAddr, Uri

CALL_ID_OCTETS: Final = 16
MAX_FORKS: Final = 8
ANONYMOUS: Final = Uri(user="anonymous", host="anonymous.invalid")


class UserAgentClient:
    """Sends the requests of dialogs, and acknowledges every 2xx to an INVITE, forks included."""

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

    def invite(self, command: Invite, target: Uri, peer: Address, now: float) -> Dialog:
        """Send an INVITE to a registered phone; returns the dialog that it begins."""
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
        request.headers.set("contact", f"<{self._transactions.contact(destination)}>")
        if command.call:
            request.headers.set("x-hotline-call", one_line(command.call))
        if command.auto_answer:
            request.headers.set("call-info", f"<sip:{domain}>;answer-after=0")
        request.headers.set("allow", ALLOW)
        request.headers.set("content-type", SDP_TYPE)
        request.body = command.sdp.encode()
        dialog.invite = self._transactions.open_client(request, destination, now, dialog)
        return dialog

    def acknowledge(self, dialog: Dialog, response: Response, source: Address) -> bool:
        """ACK a 2xx to our INVITE. True for the first one, which makes the dialog (section 12.1.2); later copies of it
        get the same ACK again."""
        tag = response.to.tag
        is_first = tag not in dialog.acks
        if is_first:
            _establish(dialog, response, source)
            self._build_ack(dialog, dialog)
        self._outbox.datagrams.append(dialog.acks[tag])
        return is_first

    def leave_fork(self, dialog: Dialog, response: Response, source: Address, now: float) -> None:
        """A second phone answered the same INVITE: ACK, then BYE, in a dialog that exists for nothing else."""
        tag = response.to.tag
        if tag in dialog.acks:
            self._outbox.datagrams.append(dialog.acks[tag])
        elif len(dialog.acks) < MAX_FORKS:
            fork = Dialog("", table.OUTGOING, State.LEAVING, dialog.call_id, dialog.peer)
            fork.local, fork.remote, fork.local_tag = dialog.local, dialog.remote, dialog.local_tag
            fork.local_seq = fork.invite_cseq = dialog.invite_cseq
            fork.target = dialog.target
            _establish(fork, response, source)
            self._build_ack(dialog, fork)
            self._outbox.datagrams.append(dialog.acks[tag])
            self.bye(fork, None, now)

    def cancel(self, dialog: Dialog, now: float) -> None:
        """Send CANCEL, and give its INVITE 64*T1 to end (section 9.1)."""
        invite = dialog.invite
        if invite is not None and invite.state is TransactionState.PROCEEDING:
            self._transactions.cancel(invite, now)
            self._deadlines.set(dialog, Input.CANCEL_LOST, now + 64 * T1_S)

    def abandon(self, dialog: Dialog) -> None:
        """Forget an INVITE whose CANCEL led nowhere."""
        if dialog.invite is not None:
            self._transactions.abandon(dialog.invite)

    def bye(self, dialog: Dialog, owner: Dialog | None, now: float) -> None:
        """Send BYE; `owner` is who wants to know when it is answered."""
        request, destination = dialog.request("BYE", self._settings.user_agent)
        self._transactions.open_client(request, destination, now, owner)

    def _build_ack(self, keeper: Dialog, dialog: Dialog) -> None:
        request, destination = dialog.request("ACK", self._settings.user_agent, dialog.invite_cseq)
        self._transactions.stamp(request, destination)
        keeper.acks[dialog.remote_tag] = (request.write(), destination)


def _establish(dialog: Dialog, response: Response, source: Address) -> None:
    dialog.remote_tag = response.to.tag
    dialog.target = read_target(response, dialog.target)
    dialog.routes = read_routes(response, reverse=True)
    dialog.peer = source
    dialog.remote_sdp = sdp_of(response)
