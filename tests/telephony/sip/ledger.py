"""What a switchboard may rely on, checked event by event: each dialog is told of, and ends exactly once.

A `Ledger` stands where the switchboard would stand: it is given every event that an endpoint tells and every command
that it is asked to perform, and knows which commands make sense.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogRinging,
    DialogUnreachable,
    Hangup,
    Invite,
    InviteReceived,
    KeySignalled,
    OfferSession,
    Progress,
    Refer,
    ReferProgressed,
    ReferReceived,
    RefuseSession,
    Reject,
    Ring,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
    SignalKey,
    SipCommand,
    SipEvent,
    TellRefer,
)

_TOLD: Final = (
    DialogRinging
    | DialogAnswered
    | DialogConfirmed
    | SessionOffered
    | SessionAnswered
    | SessionRefused
    | KeySignalled
    | ReferReceived
    | ReferProgressed
    | DialogUnreachable
    | DialogReachable
)
KINDS: Final = ("ring", "progress", "answer", "reject", "hangup", "hold", "resume", "accept", "refuse", "refer", "tell")
"""What may be done to a dialog; whether its state has room for it is the endpoint's to know."""

Chooser = Callable[[int], int]


@dataclass
class Known:
    """A dialog as the switchboard knows it."""

    is_ours: bool
    offer: str
    confirmed: bool = False
    asked: str | None = None  # the offer of theirs that waits
    refer_waits: bool = False


class Ledger:
    """The dialogs of one endpoint. `address` is where its media would be."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.name = name
        self.capabilities = sdp.Capabilities(address[0], 4000, 1)
        self.known: dict[str, Known] = {}
        self.ended = 0
        self._number = 0

    def invite(self, user: str, number: str = "+84912345678", **more: object) -> Invite:
        """Return the command that rings a user."""
        self._number += 1
        command = Invite(f"{self.name}-out-{self._number}", user, number, "Lan", sdp.offer(self.capabilities))
        self.known[command.dialog] = Known(is_ours=True, offer=command.sdp)
        return msgspec.structs.replace(command, **more)

    def note(self, event: SipEvent) -> None:
        """Take in an event. Fails for one that a switchboard could not make sense of."""
        msgspec.msgpack.encode(event)
        if isinstance(event, InviteReceived):
            assert event.dialog not in self.known, f"{event.dialog} begins twice"
            self.known[event.dialog] = Known(is_ours=False, offer=event.sdp)
        elif isinstance(event, DialogEnded):
            assert event.dialog in self.known, f"{event.dialog} ends, and had not begun or had ended"
            del self.known[event.dialog]
            self.ended += 1
        elif isinstance(event, _TOLD):
            assert event.dialog in self.known, f"{event} of a dialog that is over"
            self._note_inside(self.known[event.dialog], event)

    def _note_inside(self, known: Known, event: SipEvent) -> None:
        match event:
            case DialogAnswered() | DialogConfirmed():
                assert not known.confirmed, f"{event.dialog} is answered twice"
                assert known.is_ours is isinstance(event, DialogAnswered)
                known.confirmed = True
            case SessionOffered():
                assert known.confirmed
                known.asked = event.sdp
            case ReferReceived():
                known.refer_waits = True
            case DialogRinging():
                assert known.is_ours
                assert not known.confirmed

    def command(self, dialog: str, kind: str, status: int = 486) -> SipCommand:
        """Return what a switchboard would say to a dialog; `kind` is one of `KINDS`."""
        known = self.known[dialog]
        match kind:
            case "ring":
                return Ring(dialog)
            case "progress":
                return Progress(dialog, self.answer(known.offer))
            case "answer":
                return Answer(dialog, self.answer(known.offer))
            case "reject":
                return Reject(dialog, status, "")
            case "hold" | "resume":
                direction = "sendonly" if kind == "hold" else "sendrecv"
                return OfferSession(dialog, sdp.offer(self.capabilities).replace("a=sendrecv", f"a={direction}"))
            case "accept":
                offer, known.asked = known.asked, None
                return AnswerSession(dialog, self.answer(offer or ""))
            case "refuse":
                known.asked = None
                return RefuseSession(dialog)
            case "refer":
                return Refer(dialog, "1901")
            case "tell":
                return TellRefer(dialog, status if status >= 180 else 200)
            case "key":
                return SignalKey(dialog, "5")
            case _:
                return Hangup(dialog)

    def answer(self, offer: str) -> str:
        """Return an answer, or an offer where there is none to answer or none that can be answered."""
        try:
            return sdp.answer(offer, self.capabilities).sdp
        except sdp.SdpError:
            return sdp.offer(self.capabilities)
