"""INFO, REFER and NOTIFY inside a dialog (RFC 6086, RFC 3515, RFC 4488): keys, and transfers with what comes of them.

A REFER is answered 202 and its outcome told by NOTIFY; one at a time is under way in a dialog, in each direction. The
subscription that it makes ends with its final NOTIFY, or with the dialog.
"""

import re
from collections.abc import Callable
from typing import Final

from telephony.events import CandidatesReceived, KeySignalled, ReferProgressed, ReferReceived, SignalCandidates
from telephony.sdp import SdpError, fragment
from telephony.sip.dialog import Dialog, Occasion, State
from telephony.sip.errand import Errand, Purpose
from telephony.sip.errors import RemoteError
from telephony.sip.headers import one_line
from telephony.sip.identity import MAX_LENGTH
from telephony.sip.message import Request, Response, respond
from telephony.sip.outbox import Outbox
from telephony.sip.refer import FRAGMENT_TYPE, Replaces, parse_refer_to, read_fragment, write_fragment, write_refer_to
from telephony.sip.transaction_layer import Transaction, TransactionLayer
from telephony.sip.uac import UserAgentClient
from telephony.sip.uri import Uri

KEY_TYPES: Final = frozenset({"application/dtmf-relay", "application/dtmf"})
REFER_EVENT: Final = "refer"
SUBSCRIBED_S: Final = 180
MAX_WAITING: Final = 16
_SIGNAL: Final = re.compile(r"(?:^|\n)\s*Signal\s*=\s*([0-9A-Da-d*#]|1[01])\s*(?:\r?\n|$)", re.IGNORECASE)
_KEY: Final = re.compile(r"\s*([0-9A-Da-d*#])\s*")
_NUMBERED: Final = {"10": "*", "11": "#"}  # as some gateways write them

Find = Callable[[str, str, str], Dialog | None]


class Requests:
    """Serves what comes inside confirmed dialogs, and sends the like. `find` gives a dialog by Call-ID and tags."""

    def __init__(
        self,
        domain: str,
        outbox: Outbox,
        transactions: TransactionLayer,
        uac: UserAgentClient,
        find: Find,
    ) -> None:
        self._domain = domain
        self._outbox = outbox
        self._transactions = transactions
        self._uac = uac
        self._find = find

    # ------------------------------------------------------------------------------------------------ from them

    def serve(self, dialog: Dialog, occasion: Occasion) -> None:
        """Serve an INFO, REFER or NOTIFY. Raises `RemoteError`."""
        transaction, request = occasion.transaction, occasion.request
        if transaction is None or request is None:
            return
        match request.method:
            case "INFO":
                self._take_info(dialog, request)
                self._respond(transaction, request, 200, occasion.now)
            case "REFER":
                self._take_refer(dialog, transaction, request, occasion.now)
            case "NOTIFY":
                self._take_notify(dialog, request)
                self._respond(transaction, request, 200, occasion.now)

    def _take_info(self, dialog: Dialog, request: Request) -> None:
        """An INFO without a body asks whether we are there (RFC 2976)."""
        if not request.body:
            return
        kind = request.headers.get("content-type").partition(";")[0].strip().lower()
        text = request.body.decode("utf-8", "replace")
        if kind == fragment.TYPE:
            self._take_candidates(dialog, text)
            return
        if kind not in KEY_TYPES:
            accepted = ", ".join(sorted((*KEY_TYPES, fragment.TYPE)))
            raise RemoteError(415, "Unsupported Media Type", extra=(("accept", accepted),))
        found = _SIGNAL.search(text) or _KEY.fullmatch(text)
        if found is None:
            raise RemoteError(400, "Not A Key")
        key = found.group(1).upper()
        self._outbox.events.append(KeySignalled(dialog.id, _NUMBERED.get(key, key)))

    def _take_candidates(self, dialog: Dialog, text: str) -> None:
        try:
            ufrag, candidates, complete = fragment.read(text)
        except SdpError as error:
            raise RemoteError(400, "Bad Candidates") from error
        self._outbox.events.append(CandidatesReceived(dialog.id, ufrag, candidates, complete))

    def _take_refer(self, dialog: Dialog, transaction: Transaction, request: Request, now: float) -> None:
        if dialog.refer_in >= 0:
            raise RemoteError(491, "Request Pending")
        targets = request.headers.values("refer-to")
        try:
            refer_to = parse_refer_to(targets[0]) if len(targets) == 1 else None
        except ValueError:
            refer_to = None
        if refer_to is None:
            raise RemoteError(400, "Malformed Refer-To")
        replaced = self._replaced(refer_to.replaces)
        quiet = request.headers.get("refer-sub").strip().lower() == "false"
        response = respond(request, 202, "", transaction.tag)
        secure = request.uri.scheme == "sips"
        response.headers.set("contact", f"<{self._transactions.contact(dialog.peer, secure=secure)}>")
        if quiet:
            response.headers.set("refer-sub", "false")
        self._transactions.respond(transaction, response, now)
        if not quiet:
            dialog.refer_in = request.cseq.number
            self.tell(dialog, 100, now)
        number = one_line(refer_to.uri.number)[:MAX_LENGTH]
        self._outbox.events.append(ReferReceived(dialog.id, number, replaced))

    def _replaced(self, replaces: Replaces | None) -> str:
        """Return the dialog of ours that an attended transfer is to go on with; as its sender names it, `to_tag` is the
        tag of the party it refers us to, which, since every party talks through us, is our own."""
        if replaces is None:
            return ""
        dialog = self._find(replaces.call_id, replaces.to_tag, replaces.from_tag)
        if dialog is None:
            raise RemoteError(481, "No Dialog To Replace")
        return dialog.id

    def _take_notify(self, dialog: Dialog, request: Request) -> None:
        event = request.headers.get("event").partition(";")[0].strip().lower()
        if event != REFER_EVENT:
            raise RemoteError(489, "Bad Event", extra=(("allow-events", REFER_EVENT),))
        if not dialog.refer_out:
            raise RemoteError(481, "No Subscription")
        status = read_fragment(request.body)
        over = request.headers.get("subscription-state").partition(";")[0].strip().lower() == "terminated"
        if over and status < 200:
            status = 500  # it will never be told what came of it
        if status >= 200:
            dialog.refer_out = False
        if status:
            self._outbox.events.append(ReferProgressed(dialog.id, status))

    def _respond(self, transaction: Transaction, request: Request, status: int, now: float) -> None:
        self._transactions.respond(transaction, respond(request, status, "", transaction.tag), now)

    # ------------------------------------------------------------------------------------------------- from us

    def tell(self, dialog: Dialog, status: int, now: float) -> None:
        """Tell the far end what came of its REFER so far; a final status is the last that it is told."""
        if dialog.refer_in < 0:
            return
        number = dialog.refer_in
        if status >= 200:
            dialog.refer_in = -1
        state = "terminated;reason=noresource" if status >= 200 else f"active;expires={SUBSCRIBED_S}"
        fields = (("event", f"{REFER_EVENT};id={number}"), ("subscription-state", state))
        body = f"{FRAGMENT_TYPE};version=2.0", write_fragment(status)
        self._uac.send(Errand(dialog, Purpose.NOTIFY, "NOTIFY", fields, body), now)

    def refer(self, dialog: Dialog, number: str, replaced: Dialog | None, now: float) -> None:
        """Ask the far end to call a number, in place of a dialog of ours where there is one."""
        if dialog.refer_out:
            self._outbox.events.append(ReferProgressed(dialog.id, 491))
            return
        target, replaces = Uri(user=number, host=dialog.remote.uri.host or self._domain), None
        if replaced is not None:
            target = replaced.target
            replaces = Replaces(replaced.call_id, replaced.remote_tag, replaced.local_tag)
        dialog.refer_out = True
        own = f"<{Uri(user=dialog.local.uri.user, host=self._domain).write()}>"
        fields = (("refer-to", write_refer_to(target, replaces)), ("referred-by", own))
        self._uac.send(Errand(dialog, Purpose.REFER, "REFER", fields), now)

    def signal(self, dialog: Dialog, digit: str, now: float) -> None:
        """Send a key."""
        body = "application/dtmf-relay", f"Signal={digit}\r\nDuration=160\r\n".encode()
        self._uac.send(Errand(dialog, Purpose.INFO, "INFO", body=body), now)

    def trickle(self, dialog: Dialog, command: SignalCandidates, now: float) -> None:
        """Tell the far end our further candidates, if it knows what to do with them; while the dialog is not confirmed
        they wait."""
        if dialog.state is not State.CONFIRMED:
            dialog.candidates = [*dialog.candidates, command][-MAX_WAITING:]
        elif fragment.PACKAGE in dialog.supported and not dialog.unreachable:
            text = fragment.write(dialog.session.local, command.ufrag, command.candidates, complete=command.complete)
            if text:
                fields = (("info-package", fragment.PACKAGE), ("content-disposition", "Info-Package"))
                self._uac.send(Errand(dialog, Purpose.CANDIDATES, "INFO", fields, (fragment.TYPE, text.encode())), now)

    def opened(self, dialog: Dialog, now: float) -> None:
        """The dialog is confirmed: what waited for that goes out."""
        waiting, dialog.candidates = dialog.candidates, []
        for command in waiting:
            self.trickle(dialog, command, now)

    @staticmethod
    def close(dialog: Dialog) -> None:
        """The dialog is over, and with it the subscriptions of its REFERs: nobody is told any more."""
        dialog.refer_in, dialog.refer_out = -1, False

    def responded(self, errand: Errand, response: Response) -> None:
        """A final response to our REFER or NOTIFY. A NOTIFY that is refused ends the subscription (RFC 6665 4.2.2)."""
        if response.status >= 300:
            self._failed(errand, response.status)

    def unanswered(self, errand: Errand) -> None:
        """No response at all."""
        self._failed(errand, 408)

    def _failed(self, errand: Errand, status: int) -> None:
        dialog = errand.dialog
        if errand.purpose is Purpose.NOTIFY:
            dialog.refer_in = -1
        elif errand.purpose is Purpose.REFER and dialog.refer_out:
            dialog.refer_out = False
            self._outbox.events.append(ReferProgressed(dialog.id, status))
