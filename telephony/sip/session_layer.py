"""Offer and answer at work: performing the rows of `session`, and keeping the session's timer (RFC 4028)."""

from collections.abc import Callable
from typing import Final

from telephony.events import RefuseSession, SessionAnswered, SessionOffered, SessionRefused
from telephony.sdp import is_refresh
from telephony.sip import session as table
from telephony.sip.dialog import Dialog, Occasion, read_target, sdp_of
from telephony.sip.dialog import Input as DialogInput
from telephony.sip.errand import Errand, Purpose
from telephony.sip.message import Response
from telephony.sip.outbox import Outbox
from telephony.sip.session import Action, Input, State
from telephony.sip.timers import Deadlines
from telephony.sip.uac import UserAgentClient
from telephony.sip.uas import SDP_TYPE, UserAgentServer

ANSWER_S: Final = 8.0
"""Within this time the switchboard answers an offer, or it is refused."""
LATER_S: Final = 10.0
_UPDATE: Final = "UPDATE"
_WAITING: Final = frozenset({State.OFFERED, State.ASKED})


class SessionLayer:
    """The offer and answer of every dialog, once it is confirmed."""

    def __init__(
        self,
        outbox: Outbox,
        deadlines: Deadlines,
        token: Callable[[int], str],
        uas: UserAgentServer,
        uac: UserAgentClient,
    ) -> None:
        self._outbox = outbox
        self._deadlines = deadlines
        self._token = token
        self._uas = uas
        self._uac = uac

    # -------------------------------------------------------------------------------------------------- inputs

    def receive(self, dialog: Dialog, occasion: Occasion) -> None:
        """A re-INVITE or UPDATE: it may say where the far end is from now on, and what it offers."""
        transaction, request = occasion.transaction, occasion.request
        if transaction is None or request is None:
            return
        offer = sdp_of(request)
        dialog.target = read_target(request, dialog.target)
        if occasion.source is not None:
            dialog.peer = occasion.source
        if request.method == _UPDATE and not offer:
            self._uas.answer_update(dialog, transaction, "", occasion.now)
            return
        if not offer:
            received = Input.ASK
        elif is_refresh(dialog.session.remote, offer):
            received = Input.REFRESH
        else:
            received = Input.OFFER
        self.step(dialog, received, occasion)

    def opened(self, dialog: Dialog, now: float) -> None:
        """The dialog is confirmed: offers may come and go."""
        self.step(dialog, Input.OPENED, Occasion(now))

    def acknowledged(self, dialog: Dialog, occasion: Occasion) -> None:
        """The ACK to our 2xx to a re-INVITE."""
        self.step(dialog, Input.ACK, occasion)

    def propose(self, dialog: Dialog, sdp: str, now: float) -> None:
        """Offer something else."""
        self.step(dialog, Input.PROPOSE, Occasion(now, sdp=sdp))

    def answer(self, dialog: Dialog, sdp: str, now: float) -> None:
        """The switchboard's answer to their offer, or its offer where they asked for one."""
        self.step(dialog, Input.ACCEPT, Occasion(now, sdp=sdp))

    def refuse(self, dialog: Dialog, command: RefuseSession, now: float) -> None:
        """The switchboard does not want what they offer."""
        occasion = Occasion(now, status=command.status, reason=command.reason)
        occasion.warning = command.warning
        self.step(dialog, Input.REFUSE, occasion)

    def cancelled(self, dialog: Dialog, now: float) -> bool:
        """A CANCEL for a re-INVITE; False when it is answered already."""
        return self.step(dialog, Input.CANCEL, Occasion(now))

    def close(self, dialog: Dialog, now: float) -> None:
        """The dialog is over: an INVITE that still waits is answered (RFC 3261 section 15.1.2)."""
        self.step(dialog, Input.CLOSE, Occasion(now))
        for timer in (Input.RETRY_DUE, Input.NOT_ANSWERED, DialogInput.REFRESH_DUE, DialogInput.EXPIRED):
            self._deadlines.cancel(dialog, timer)

    def lost(self, dialog: Dialog, now: float) -> None:
        """The connection to the far end is gone."""
        self.step(dialog, Input.LOST, Occasion(now, status=500))

    def fire(self, dialog: Dialog, timer: str, now: float) -> None:
        """A timer of the session is due."""
        self.step(dialog, Input(timer), Occasion(now, status=500))

    def refresh(self, dialog: Dialog, now: float) -> None:
        """Refresh the session: by an empty UPDATE where the far end knows it, else by offering once more what
        stands."""
        if _UPDATE in dialog.allows:
            self._uac.send(Errand(dialog, Purpose.REFRESH, _UPDATE), now)
        elif dialog.session.state is State.STABLE:
            self.propose(dialog, dialog.session.local, now)
        else:  # what is under way refreshes it too
            self.refresh_later(dialog, now)

    def responded(self, errand: Errand, response: Response, now: float) -> None:
        """A final response to our re-INVITE or UPDATE that offered something, other than one that ends the dialog."""
        dialog = errand.dialog
        occasion = Occasion(now, response=response, sdp=sdp_of(response))
        if response.status < 300:
            if errand.method == "INVITE" and not self._uac.acknowledge_change(dialog, response, now):
                return
            if errand.method == _UPDATE:
                self._uac.learn(dialog, response, now)
            self.step(dialog, Input.ACCEPTED, occasion)
        elif response.status == 491:
            self.step(dialog, Input.GLARE, occasion)
        else:
            self.step(dialog, Input.REFUSED, occasion)

    def refreshed(self, errand: Errand, response: Response, now: float) -> None:
        """A final response to our UPDATE without an offer, likewise."""
        dialog = errand.dialog
        if response.status < 300:
            self._uac.learn(dialog, response, now)
        else:
            # It does not know UPDATE after all: offer what stands.
            dialog.allows -= {_UPDATE}
            self.refresh_later(dialog, now)

    def refresh_later(self, dialog: Dialog, now: float) -> None:
        """Refresh the session in a while."""
        self._deadlines.set(dialog, DialogInput.REFRESH_DUE, now + LATER_S)

    # ------------------------------------------------------------------------------------------------- actions

    def step(self, dialog: Dialog, received: Input, occasion: Occasion) -> bool:
        """Look up and perform one row; False when there is none: a command or a timer that lost a race."""
        session = dialog.session
        row = table.SESSION.get((session.state, received))
        if row is None:
            return False
        state, actions = row
        before, session.state = session.state, state
        if before in _WAITING and state not in _WAITING:
            self._deadlines.cancel(dialog, Input.NOT_ANSWERED)
        for action in actions:
            self._perform(dialog, action, occasion)
        if session.state is State.AWAITING_ACK and session.pending is None:
            self.step(dialog, Input.ACK, occasion)  # rule 4
        elif session.state is State.STABLE:
            session.pending, session.theirs = None, ""
            if session.kept:
                kept, session.kept = session.kept, ""
                self.propose(dialog, kept, occasion.now)
        return True

    def _perform(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_OFFER:
                self._send_offer(dialog, occasion)
            case Action.KEEP_OFFER:
                dialog.session.kept = occasion.sdp
            case Action.WAIT:
                wait_s = self._glare_s(dialog)
                self._deadlines.set(dialog, Input.RETRY_DUE, occasion.now + wait_s)
            case Action.SEND_ANSWER:
                self._send_answer(dialog, occasion.sdp, occasion.now)
            case Action.SEND_STANDING:
                self._let_theirs_go_first(dialog)
                self._take_offer(dialog, occasion)
                self._send_answer(dialog, dialog.session.local, occasion.now)
            case Action.TELL_OFFERED | Action.TELL_ANSWERED | Action.TELL_REFUSED:
                self._tell(dialog, action, occasion)
            case _:
                self._refuse(dialog, action, occasion)

    def _refuse(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        match action:
            case Action.SEND_GLARE:
                self._uas.refuse(occasion.transaction, 491, "", occasion.now)
            case Action.SEND_BUSY:
                cause = "An Earlier Offer Awaits Its Answer Or ACK"
                self._uas.refuse(occasion.transaction, 500, cause, occasion.now, retry_s="1")
            case Action.SEND_REFUSAL | Action.SEND_TERMINATED:
                status = 487 if action is Action.SEND_TERMINATED else occasion.status
                pending, dialog.session.pending = dialog.session.pending, None
                if pending is None or pending.request is None:
                    return  # its connection could not be had
                self._uas.refuse(pending, status, occasion.reason, occasion.now, warning=occasion.warning)

    def _tell(self, dialog: Dialog, action: Action, occasion: Occasion) -> None:
        session = dialog.session
        match action:
            case Action.TELL_OFFERED:
                self._let_theirs_go_first(dialog)
                self._take_offer(dialog, occasion)
                self._deadlines.set(dialog, Input.NOT_ANSWERED, occasion.now + ANSWER_S)
                self._outbox.events.append(SessionOffered(dialog.id, session.theirs))
            case Action.TELL_ANSWERED:
                self._take_answer(dialog, occasion.sdp)
            case Action.TELL_REFUSED:
                self._give_up_offer(dialog, occasion.status)

    def _let_theirs_go_first(self, dialog: Dialog) -> None:
        """Where an offer of ours was waiting to be sent again, it follows theirs."""
        session = dialog.session
        if session.ours:
            session.kept, session.ours = session.kept or session.ours, ""
            self._deadlines.cancel(dialog, Input.RETRY_DUE)

    @staticmethod
    def _take_offer(dialog: Dialog, occasion: Occasion) -> None:
        if occasion.transaction is not None and occasion.request is not None:
            dialog.session.pending, dialog.session.theirs = occasion.transaction, sdp_of(occasion.request)
            occasion.transaction.owner = dialog  # its CANCEL, and the ACK of a phone that keeps its branch

    def _give_up_offer(self, dialog: Dialog, status: int) -> None:
        session = dialog.session
        offered, session.ours = session.ours, ""
        self._deadlines.cancel(dialog, Input.RETRY_DUE)
        if offered != session.local:  # else it was a refresh
            self._outbox.events.append(SessionRefused(dialog.id, status))

    def _take_answer(self, dialog: Dialog, answer: str) -> None:
        """A refresh that changes nothing is nobody's business."""
        session = dialog.session
        if not answer:
            self._give_up_offer(dialog, 0)
            return
        offered, session.ours = session.ours, ""
        before, session.remote = session.remote, answer
        is_new = offered != session.local or not is_refresh(before, answer)
        session.local = offered
        if is_new:
            self._outbox.events.append(SessionAnswered(dialog.id, answer))

    def _send_offer(self, dialog: Dialog, occasion: Occasion) -> None:
        session = dialog.session
        session.ours = session.kept or occasion.sdp or session.ours
        session.kept = ""
        body = SDP_TYPE, session.ours.encode()
        self._uac.send(Errand(dialog, Purpose.OFFER, "INVITE", body=body), occasion.now)

    def _send_answer(self, dialog: Dialog, sdp: str, now: float) -> None:
        session = dialog.session
        pending = session.pending
        if session.state is State.AWAITING_ANSWER:
            session.ours = sdp
        else:
            session.local, session.remote = sdp, session.theirs
        if pending is None or pending.request is None:
            return
        if pending.request.method == _UPDATE:
            session.pending = None
            self._uas.answer_update(dialog, pending, sdp, now)
        else:
            self._uas.answer(dialog, pending, sdp, now)

    def _glare_s(self, dialog: Dialog) -> float:
        """RFC 3261 section 14.1: whoever made the Call-ID waits longer, so that they do not meet again."""
        share = int(self._token(2), 16) / 0xFFFF
        return 2.1 + 1.9 * share if dialog.is_ours else 2.0 * share
