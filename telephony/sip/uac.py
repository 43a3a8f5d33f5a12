"""The UAC side of a dialog (RFC 3261 sections 9.1, 12.2.1, 13.2 and 15.1): our INVITE, ACK, CANCEL, and what else we
send inside a dialog."""

from collections.abc import Callable
from typing import Final

from telephony.events import Invite
from telephony.sip import dialog as table
from telephony.sip import session_timer
from telephony.sip.challenge import CHALLENGES, challenge_of
from telephony.sip.dialog import (
    Dialog,
    Input,
    State,
    methods,
    options,
    read_routes,
    read_target,
    sdp_of,
    time_session,
)
from telephony.sip.digest import authorize, parse_digest
from telephony.sip.errand import Errand, Purpose
from telephony.sip.headers import one_line
from telephony.sip.invitation import Attempt, Credentials, Early, Invitation
from telephony.sip.message import Request, Response
from telephony.sip.outbox import Address, Outbox
from telephony.sip.provisional import RELIABLE
from telephony.sip.settings import EndpointSettings
from telephony.sip.timers import T1_S, Deadlines
from telephony.sip.transaction import State as TransactionState
from telephony.sip.transaction_layer import TAG_OCTETS, TransactionLayer
from telephony.sip.uas import ALLOW, SDP_TYPE, SUPPORTED
from telephony.sip.uri import NameAddr, Uri

CALL_ID_OCTETS: Final = 16
CNONCE_OCTETS: Final = 8
MAX_FORKS: Final = 8
MAX_REALMS: Final = 4
OVERDUE_S: Final = 80 * T1_S
"""How long a re-INVITE may be under way: longer than timer B, which is for those that nobody took up."""
_OVERDUE: Final = "overdue"
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

    # -------------------------------------------------------------------------------------------------- INVITE

    def invite(self, command: Invite, attempts: tuple[Attempt, ...], now: float) -> Dialog:
        """Send an INVITE along the first of the attempts; returns the dialog that it begins."""
        dialog = Dialog(command.dialog, table.OUTGOING, State.CALLING, self._token(CALL_ID_OCTETS), attempts[0].address)
        dialog.local_tag = self._token(TAG_OCTETS)
        dialog.session.local = command.sdp
        dialog.invitation = Invitation(command, attempts)
        self.invite_again(dialog, now)
        return dialog

    def to_phone(self, command: Invite, target: Uri, address: Address, routes: tuple[str, ...] = ()) -> Attempt:
        """Return the way to a registered phone."""
        domain = self._settings.domain
        number = Uri(user=command.number, host=domain) if command.number else ANONYMOUS
        name = one_line(command.display_name) or ("" if command.number else "Anonymous")
        called = NameAddr(Uri(user=command.user, host=domain))
        return Attempt(target, address, NameAddr(number, name), called, routes)

    def invite_again(self, dialog: Dialog, now: float) -> None:
        """Send the INVITE, in a new transaction, as its invitation now says."""
        invitation = dialog.invitation
        if invitation is None:
            return
        attempt, command = invitation.attempt, invitation.command
        dialog.local, dialog.remote = attempt.caller, attempt.called
        dialog.target, dialog.peer, dialog.routes = attempt.target, attempt.address, attempt.routes
        dialog.credentials = attempt.credentials
        dialog.early = {}
        request, destination = dialog.request("INVITE", self._settings.user_agent)
        dialog.invite_cseq = dialog.local_seq
        headers, is_secure = request.headers, dialog.target.scheme == "sips"
        contact = self._transactions.contact(destination, attempt.contact_user, secure=is_secure)
        headers.set("contact", f"<{contact}>")
        headers.set("allow", ALLOW)
        headers.set("supported", ", ".join(sorted(SUPPORTED)))
        self._time(request, invitation.min_expires_s)
        if command.call:
            headers.set("x-hotline-call", one_line(command.call))
        if command.auto_answer:
            headers.set("call-info", f"<sip:{self._settings.domain}>;answer-after=0")
        for name, value in attempt.fields:
            headers.set(name, value)
        for (name, _), value in invitation.authorizations.items():
            headers.add(name, value)
        headers.set("content-type", SDP_TYPE)
        request.body = command.sdp.encode()
        dialog.invite = self._transactions.open_client(request, destination, now, dialog)
        self._deadlines.cancel(dialog, Input.NO_PROVISIONAL)
        if attempt.patience_s and len(invitation.attempts) > 1:
            self._deadlines.set(dialog, Input.NO_PROVISIONAL, now + attempt.patience_s)

    def leave_behind(self, dialog: Dialog) -> None:
        """Give up a way that has not said a word, for the next. Should it speak yet, what it begins is ended: that is
        a dialog of its own, which nobody knows."""
        left = Dialog("", table.OUTGOING, State.CANCEL_WAITING, dialog.call_id, dialog.peer)
        left.local, left.remote, left.local_tag = dialog.local, dialog.remote, dialog.local_tag
        left.local_seq = left.invite_cseq = dialog.invite_cseq
        left.target, left.routes, left.credentials = dialog.target, dialog.routes, dialog.credentials
        left.invite = dialog.invite
        if left.invite is not None:
            left.invite.owner = left
        if dialog.invitation is not None:
            dialog.invitation.next()

    def may_try_again(self, dialog: Dialog, response: Response) -> bool:
        """Whether a final response to our INVITE is an occasion to send it again, changed: credentials, a longer
        session timer. Where it is, the invitation is changed."""
        invitation = dialog.invitation
        if invitation is None:
            return False
        if response.status in CHALLENGES:
            # Each proxy on the way may ask for its own realm (section 22.3), once.
            answer = self._authorization(dialog.credentials, response, "INVITE", invitation.attempt.target.write())
            realm = (answer[0], parse_digest(answer[1])["realm"]) if answer is not None else ("", "")
            if answer is None or realm in invitation.authorizations or len(invitation.authorizations) >= MAX_REALMS:
                return False
            invitation.authorizations[realm] = answer[1]
            return True
        if response.status == 422 and not invitation.min_expires_s:
            invitation.min_expires_s = session_timer.least(response)
            return True
        return False

    def _time(self, request: Request, least_s: int) -> None:
        if self._settings.session_expires_s:
            request.headers.set("session-expires", str(max(self._settings.session_expires_s, least_s)))
            request.headers.set("min-se", str(max(session_timer.LEAST_S, least_s)))

    def _authorization(
        self, credentials: Credentials | None, response: Response, method: str, uri: str
    ) -> tuple[str, str] | None:
        """Return the header field that answers a challenge, None where there is none that we can answer."""
        found = challenge_of(credentials, response) if credentials is not None else None
        if credentials is None or found is None:
            return None
        field, challenge = found
        cnonce = self._token(CNONCE_OCTETS)
        return field, authorize(challenge, credentials.user, credentials.password, method, uri, cnonce)

    # ---------------------------------------------------------------------------------- responses to our INVITE

    def take_provisional(self, dialog: Dialog, response: Response, source: Address, now: float) -> bool:
        """Note a provisional response of a far end, and send the PRACK of a reliable one (RFC 3262 section 4). False
        for one that is out of order, or seen before."""
        tag = response.to.tag
        if not tag or (tag not in dialog.early and len(dialog.early) >= MAX_FORKS):
            return True
        early = dialog.early.setdefault(tag, Early())
        if RELIABLE in options(response) and response.headers.get("rseq").isdecimal():
            number = int(response.headers.get("rseq")[:10])
            if early.rseq and number != early.rseq + 1:
                return False
            early.rseq = number
            leg = self._early_dialog(dialog, response, source)
            rack = ("rack", f"{number} {dialog.invite_cseq} INVITE")
            self.send(Errand(leg, Purpose.PRACK, "PRACK", (rack,)), now)
            dialog.local_seq = leg.local_seq
        early.sdp = sdp_of(response) or early.sdp
        return True

    def _early_dialog(self, dialog: Dialog, response: Response, source: Address) -> Dialog:
        """Return the dialog with one far end of our INVITE: it shares everything but what that far end says of
        itself."""
        leg = Dialog("", table.OUTGOING, State.ENDED, dialog.call_id, dialog.peer)
        leg.local, leg.remote, leg.local_tag = dialog.local, dialog.remote, dialog.local_tag
        leg.local_seq, leg.invite_cseq = dialog.local_seq, dialog.invite_cseq
        leg.target, leg.credentials = dialog.target, dialog.credentials
        _establish(leg, response, source)
        return leg

    def acknowledge(self, dialog: Dialog, response: Response, source: Address, now: float) -> bool:
        """ACK a 2xx to our INVITE. True for the first one, which makes the dialog (section 12.1.2); later copies of it
        get the same ACK again."""
        key = response.to.tag, response.cseq.number
        is_first = key not in dialog.acks
        if is_first:
            early = dialog.early.get(response.to.tag)
            _establish(dialog, response, source)
            dialog.session.remote = sdp_of(response) or (early.sdp if early is not None else "")
            dialog.early, dialog.invitation = {}, None
            self._build_ack(dialog, dialog, dialog.invite_cseq)
            self.learn(dialog, response, now)
        self._outbox.datagrams.append(dialog.acks[key])
        return is_first

    def acknowledge_change(self, dialog: Dialog, response: Response, now: float) -> bool:
        """ACK a 2xx to a re-INVITE of ours. True for the first copy of it."""
        key = dialog.remote_tag, response.cseq.number
        is_first = key not in dialog.acks
        if is_first:
            dialog.target = read_target(response, dialog.target)
            # Of those before, only the first INVITE's may be asked for again: its forks share it.
            dialog.acks = {known: ack for known, ack in dialog.acks.items() if known[1] == dialog.invite_cseq}
            self._build_ack(dialog, dialog, response.cseq.number)
            self.learn(dialog, response, now)
        self._outbox.datagrams.append(dialog.acks[key])
        return is_first

    def leave_fork(self, dialog: Dialog, response: Response, source: Address, now: float) -> None:
        """A second phone answered the same INVITE: ACK, then BYE, in a dialog that exists for nothing else."""
        key = response.to.tag, response.cseq.number
        if key in dialog.acks:
            self._outbox.datagrams.append(dialog.acks[key])
        elif len(dialog.acks) < MAX_FORKS:
            fork = self._early_dialog(dialog, response, source)
            fork.local_seq = dialog.invite_cseq
            self._build_ack(dialog, fork, dialog.invite_cseq)
            self._outbox.datagrams.append(dialog.acks[key])
            self.send(Errand(fork, Purpose.BYE, "BYE"), now)

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

    def _build_ack(self, keeper: Dialog, dialog: Dialog, cseq: int) -> None:
        request, destination = dialog.request("ACK", self._settings.user_agent, cseq)
        self._transactions.stamp(request, destination)
        keeper.acks[dialog.remote_tag, cseq] = (request.write(), destination)

    # ------------------------------------------------------------------------------------------ inside a dialog

    def send(self, errand: Errand, now: float) -> None:
        """Send a request inside a dialog."""
        dialog = errand.dialog
        request, destination = dialog.request(errand.method, self._settings.user_agent)
        headers, is_secure = request.headers, dialog.target.scheme == "sips"
        if errand.method in {"INVITE", "UPDATE"}:
            headers.set("contact", f"<{self._transactions.contact(destination, secure=is_secure)}>")
            headers.set("allow", ALLOW)
            headers.set("supported", ", ".join(sorted(SUPPORTED)))
            if dialog.expires_s:
                refresher = "uac" if dialog.refreshes else "uas"
                headers.set("session-expires", f"{dialog.expires_s};refresher={refresher}")
        elif errand.method == "REFER":
            headers.set("contact", f"<{self._transactions.contact(destination, secure=is_secure)}>")
        for name, value in (*errand.fields, *([errand.authorization] if errand.authorization else [])):
            headers.set(name, value)
        kind, body = errand.body
        if kind:
            headers.set("content-type", kind)
            request.body = body
        errand.transaction = self._transactions.open_client(request, destination, now, errand)
        if errand.method == "INVITE":
            self._deadlines.set(errand, _OVERDUE, now + OVERDUE_S)

    def settle(self, errand: Errand) -> None:
        """A request of ours has its final response, or never gets one."""
        self._deadlines.cancel(errand, _OVERDUE)
        errand.transaction = None

    def give_up(self, errand: Errand, now: float) -> bool:
        """A re-INVITE of ours was taken up, and is not answered: CANCEL it, and forget it where that leads nowhere
        either. True the first time: the far end is as good as gone."""
        invite = errand.transaction
        if invite is None:
            return False
        if invite.state is TransactionState.PROCEEDING and not errand.cancelled:
            errand.cancelled = True
            self._transactions.cancel(invite, now)
            self._deadlines.set(errand, _OVERDUE, now + 64 * T1_S)
            return True
        self._transactions.abandon(invite)
        self.settle(errand)
        return False

    def send_again(self, errand: Errand, response: Response, now: float) -> bool:
        """Answer a challenge to a request inside a dialog, once. False where there is nothing to answer it with."""
        if response.status not in CHALLENGES or errand.authorization is not None:
            return False
        dialog = errand.dialog
        uri = dialog.target.write()
        errand.authorization = self._authorization(dialog.credentials, response, errand.method, uri)
        if errand.authorization is None:
            return False
        self.send(errand, now)
        return True

    def learn(self, dialog: Dialog, response: Response, now: float) -> None:
        """Note what a 2xx of theirs says they can, and start the session timer that it agrees to (RFC 4028 section
        7.2)."""
        dialog.supported = options(response) or dialog.supported
        dialog.allows = methods(response, dialog.allows)
        agreed = session_timer.read(response)
        if agreed is None or dialog.state is State.ENDED:  # a late 2xx: its ACK goes out, and that is all
            return
        refreshes = agreed.refresher != "uas"
        time_session(dialog, self._deadlines, agreed.seconds, refreshes=refreshes, now=now)


def _establish(dialog: Dialog, response: Response, source: Address) -> None:
    dialog.remote_tag = response.to.tag
    dialog.target = read_target(response, dialog.target)
    dialog.routes = read_routes(response, reverse=True)
    dialog.peer = source
