"""Offer and answer inside a dialog (RFC 3264; RFC 3261 section 14; RFC 3311 section 5; RFC 6337), as a table.

Rule 1: one offer is under way at a time, in either direction. What we want to offer meanwhile is kept, the last of it,
and follows. What they offer meanwhile gets 491 where ours is out, 500 where theirs is not answered yet.

Rule 2: the session begins in INITIAL: until the dialog is confirmed its offer and answer are those of the INVITE, which
are the dialog's own business.

Rule 3: an offer that changes nothing is a REFRESH: it is answered here, with what stands, and nobody is told. An UPDATE
without an offer offers nothing, and does not come here at all.

Rule 4: an UPDATE needs no ACK: its 200 is followed by the input ACK at once.

Rule 5: a dialog that is over takes its session along: what still comes to an offer then is nobody's business.
"""

from enum import StrEnum
from typing import Final

from telephony.sip.transaction_layer import Transaction


class State(StrEnum):
    """Where offer and answer stand."""

    INITIAL = "initial"
    STABLE = "stable"
    OFFERING = "offering"  # ours is out
    RETRYING = "retrying"  # ours met theirs (491), and waits a moment
    OFFERED = "offered"  # theirs waits for our answer
    ASKED = "asked"  # their re-INVITE without an offer waits for ours
    AWAITING_ACK = "awaiting ACK"  # our answer is out in a 200
    AWAITING_ANSWER = "awaiting answer"  # our offer is out in a 200, its answer comes with the ACK
    CLOSED = "closed"


class Input(StrEnum):
    """What may happen to it."""

    OPENED = "dialog confirmed"
    OFFER = "offer"
    ASK = "re-INVITE without offer"
    REFRESH = "refresh"
    CANCEL = "CANCEL"
    ACK = "ACK"
    PROPOSE = "OfferSession"
    ACCEPT = "AnswerSession"
    REFUSE = "RefuseSession"
    ACCEPTED = "2xx"
    GLARE = "491"
    REFUSED = "300-699"
    RETRY_DUE = "retry timer"
    NOT_ANSWERED = "answer timer"
    LOST = "connection lost"
    CLOSE = "dialog over"


class Action(StrEnum):
    """What it does; performed in the order of the row."""

    SEND_OFFER = "re-INVITE or UPDATE"
    KEEP_OFFER = "keep offer"
    WAIT = "wait a moment"
    SEND_ANSWER = "200"
    SEND_STANDING = "200 with what stands"
    SEND_GLARE = "491"
    SEND_BUSY = "500"
    SEND_REFUSAL = "its status"
    SEND_TERMINATED = "487"
    TELL_OFFERED = "SessionOffered"
    TELL_ANSWERED = "SessionAnswered"
    TELL_REFUSED = "SessionRefused"


Row = tuple[State, tuple[Action, ...]]
Table = dict[tuple[State, Input], Row]

_S, _I, _A = State, Input, Action

SESSION: Final[Table] = {
    (_S.INITIAL, _I.OPENED): (_S.STABLE, ()),
    (_S.INITIAL, _I.PROPOSE): (_S.INITIAL, (_A.KEEP_OFFER,)),
    # RFC 3311 section 5.2, RFC 3261 section 14.2: their first offer has no answer yet, or our answer no
    # acknowledgement.
    (_S.INITIAL, _I.OFFER): (_S.INITIAL, (_A.SEND_BUSY,)),
    (_S.INITIAL, _I.ASK): (_S.INITIAL, (_A.SEND_BUSY,)),
    (_S.INITIAL, _I.REFRESH): (_S.INITIAL, (_A.SEND_BUSY,)),
    (_S.STABLE, _I.OFFER): (_S.OFFERED, (_A.TELL_OFFERED,)),
    (_S.STABLE, _I.ASK): (_S.ASKED, (_A.TELL_OFFERED,)),
    (_S.STABLE, _I.REFRESH): (_S.AWAITING_ACK, (_A.SEND_STANDING,)),
    (_S.STABLE, _I.PROPOSE): (_S.OFFERING, (_A.SEND_OFFER,)),
    (_S.OFFERING, _I.ACCEPTED): (_S.STABLE, (_A.TELL_ANSWERED,)),
    (_S.OFFERING, _I.REFUSED): (_S.STABLE, (_A.TELL_REFUSED,)),
    (_S.OFFERING, _I.GLARE): (_S.RETRYING, (_A.WAIT,)),
    (_S.OFFERING, _I.PROPOSE): (_S.OFFERING, (_A.KEEP_OFFER,)),
    (_S.OFFERING, _I.OFFER): (_S.OFFERING, (_A.SEND_GLARE,)),
    (_S.OFFERING, _I.ASK): (_S.OFFERING, (_A.SEND_GLARE,)),
    (_S.OFFERING, _I.REFRESH): (_S.OFFERING, (_A.SEND_GLARE,)),
    (_S.RETRYING, _I.RETRY_DUE): (_S.OFFERING, (_A.SEND_OFFER,)),
    (_S.RETRYING, _I.PROPOSE): (_S.RETRYING, (_A.KEEP_OFFER,)),
    (_S.RETRYING, _I.OFFER): (_S.OFFERED, (_A.TELL_OFFERED,)),
    (_S.RETRYING, _I.ASK): (_S.ASKED, (_A.TELL_OFFERED,)),
    (_S.RETRYING, _I.REFRESH): (_S.AWAITING_ACK, (_A.SEND_STANDING,)),
    **{
        row: outcome
        for state, answered in ((_S.OFFERED, _S.AWAITING_ACK), (_S.ASKED, _S.AWAITING_ANSWER))
        for row, outcome in {
            (state, _I.ACCEPT): (answered, (_A.SEND_ANSWER,)),
            (state, _I.REFUSE): (_S.STABLE, (_A.SEND_REFUSAL,)),
            (state, _I.NOT_ANSWERED): (_S.STABLE, (_A.SEND_REFUSAL,)),
            (state, _I.CANCEL): (_S.STABLE, (_A.SEND_TERMINATED,)),
            (state, _I.PROPOSE): (state, (_A.KEEP_OFFER,)),
            # It may have come over another connection, which is still there.
            (state, _I.LOST): (_S.STABLE, (_A.SEND_REFUSAL,)),
            # RFC 3261 section 15.1.2: what is pending is answered 487.
            (state, _I.CLOSE): (_S.CLOSED, (_A.SEND_TERMINATED,)),
        }.items()
    },
    **{
        row: outcome
        for state in (_S.OFFERED, _S.ASKED, _S.AWAITING_ACK, _S.AWAITING_ANSWER)
        for row, outcome in {
            (state, _I.OFFER): (state, (_A.SEND_BUSY,)),
            (state, _I.ASK): (state, (_A.SEND_BUSY,)),
            (state, _I.REFRESH): (state, (_A.SEND_BUSY,)),
        }.items()
    },
    # Section 14.1: no INVITE of ours while one of theirs awaits its ACK.
    (_S.AWAITING_ACK, _I.PROPOSE): (_S.AWAITING_ACK, (_A.KEEP_OFFER,)),
    (_S.AWAITING_ACK, _I.ACK): (_S.STABLE, ()),
    (_S.AWAITING_ACK, _I.LOST): (_S.STABLE, ()),
    (_S.AWAITING_ANSWER, _I.PROPOSE): (_S.AWAITING_ANSWER, (_A.KEEP_OFFER,)),
    (_S.AWAITING_ANSWER, _I.ACK): (_S.STABLE, (_A.TELL_ANSWERED,)),
    (_S.AWAITING_ANSWER, _I.LOST): (_S.STABLE, ()),
    # What was offered over a connection that is gone has no answer any more.
    (_S.OFFERING, _I.LOST): (_S.STABLE, (_A.TELL_REFUSED,)),
    (_S.RETRYING, _I.LOST): (_S.STABLE, (_A.TELL_REFUSED,)),
    **{
        (state, _I.CLOSE): (_S.CLOSED, ())
        for state in (_S.STABLE, _S.OFFERING, _S.RETRYING, _S.AWAITING_ACK, _S.AWAITING_ANSWER)
    },
}


class Session:
    """Offer and answer of one dialog.

    `local` and `remote` are the descriptions last agreed on. `theirs` is their offer that waits, with its transaction
    `pending`; `ours` is our offer that is out, or waits to be sent again; `kept` is the one that is to follow.
    """

    __slots__ = ("kept", "local", "ours", "pending", "remote", "state", "theirs")

    def __init__(self) -> None:
        self.state = State.INITIAL
        self.local = self.remote = ""
        self.theirs = ""
        self.ours = ""
        self.kept = ""
        self.pending: Transaction | None = None
