"""The four transaction machines of RFC 3261 section 17, with the Accepted state of RFC 6026, as tables.

Rule 1: everything that decides what a transaction does stands in this file, in the tables. `transaction_layer` looks
up and performs; it decides nothing.

Rule 2: a table maps (state, input) to (next state, actions). An input that has no row is somebody's error: on the
server side of a message it is the far end's, from the transaction user it is ours (`LocalError`). What the RFC tells
us to absorb has a row without actions.

Rule 3: a timer runs exactly while the transaction is in a state that lists it in `timers`. It is started on entering
the first such state and cancelled on entering a state that does not list it. So no row starts or stops a timer.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from telephony.sip import timers


class State(StrEnum):
    """The states of figures 5 to 8 of RFC 3261 and of RFC 6026 section 8."""

    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    TERMINATED = "Terminated"


class Input(StrEnum):
    """What may happen to a transaction. On a server, the three classes of response come from the transaction user."""

    REQUEST = "request"
    ACK = "ACK"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TRANSPORT_ERROR = "transport error"


class Action(StrEnum):
    """What a transaction does; performed in the order of the row."""

    SEND = "send"  # the message at hand: the transaction user's response
    RESEND = "resend"  # the last message sent, if there is one
    DOUBLE = "double"  # resend, and start the same timer again with twice the interval
    DOUBLE_TO_T2 = "double to T2"  # the same, up to T2
    AFTER_T2 = "again after T2"  # resend, and start the same timer again with T2
    ACK = "ACK"  # build (first time) and send the ACK to a 300-699 response
    TELL = "tell user"  # hand the message to the transaction user
    TIMED_OUT = "tell of time-out"
    FAILED = "tell of failure"


Row = tuple[State, tuple[Action, ...]]
Table = dict[tuple[State, Input], Row]

_S, _I, _A = State, Input, Action

# Section 17.1.1, figure 5; RFC 6026 section 7.2.
INVITE_CLIENT: Final[Table] = {
    (_S.CALLING, _I.TIMER_A): (_S.CALLING, (_A.DOUBLE,)),
    (_S.CALLING, _I.TIMER_B): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.CALLING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.CALLING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.TELL,)),
    (_S.CALLING, _I.SUCCESS): (_S.ACCEPTED, (_A.TELL,)),
    (_S.CALLING, _I.FAILURE): (_S.COMPLETED, (_A.ACK, _A.TELL)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.TELL,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, (_A.TELL,)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.ACK, _A.TELL)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.COMPLETED, _I.PROVISIONAL): (_S.COMPLETED, ()),
    (_S.COMPLETED, _I.SUCCESS): (_S.COMPLETED, ()),
    (_S.COMPLETED, _I.FAILURE): (_S.COMPLETED, (_A.ACK,)),
    (_S.COMPLETED, _I.TIMER_D): (_S.TERMINATED, ()),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.ACCEPTED, _I.PROVISIONAL): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, (_A.TELL,)),
    (_S.ACCEPTED, _I.FAILURE): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _I.TIMER_M): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): (_S.ACCEPTED, ()),
}

# Section 17.2.1, figure 7; RFC 6026 section 7.1. The 2xx itself is retransmitted by the dialog, until its ACK.
INVITE_SERVER: Final[Table] = {
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _I.ACK): (_S.PROCEEDING, ()),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, (_A.SEND,)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.SEND,)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.TIMER_G): (_S.COMPLETED, (_A.DOUBLE_TO_T2,)),
    (_S.COMPLETED, _I.TIMER_H): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.COMPLETED, _I.ACK): (_S.CONFIRMED, ()),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.CONFIRMED, _I.REQUEST): (_S.CONFIRMED, ()),
    (_S.CONFIRMED, _I.ACK): (_S.CONFIRMED, ()),
    (_S.CONFIRMED, _I.TIMER_I): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _I.REQUEST): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _I.ACK): (_S.ACCEPTED, (_A.TELL,)),
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, (_A.SEND,)),
    (_S.ACCEPTED, _I.TIMER_L): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _I.TRANSPORT_ERROR): (_S.ACCEPTED, ()),
}

# Section 17.1.2, figure 6.
NON_INVITE_CLIENT: Final[Table] = {
    (_S.TRYING, _I.TIMER_E): (_S.TRYING, (_A.DOUBLE_TO_T2,)),
    (_S.TRYING, _I.TIMER_F): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.TELL,)),
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, (_A.TELL,)),
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, (_A.TELL,)),
    (_S.PROCEEDING, _I.TIMER_E): (_S.PROCEEDING, (_A.AFTER_T2,)),
    (_S.PROCEEDING, _I.TIMER_F): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.TELL,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, (_A.TELL,)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.TELL,)),
    (_S.COMPLETED, _I.PROVISIONAL): (_S.COMPLETED, ()),
    (_S.COMPLETED, _I.SUCCESS): (_S.COMPLETED, ()),
    (_S.COMPLETED, _I.FAILURE): (_S.COMPLETED, ()),
    (_S.COMPLETED, _I.TIMER_K): (_S.TERMINATED, ()),
}

# Section 17.2.2, figure 8.
NON_INVITE_SERVER: Final[Table] = {
    (_S.TRYING, _I.REQUEST): (_S.TRYING, ()),
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, (_A.SEND,)),
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, (_A.SEND,)),
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, (_A.SEND,)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.SEND,)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.TIMER_J): (_S.TERMINATED, ()),
    (_S.COMPLETED, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.FAILED,)),
}


class Duration(NamedTuple):
    """How long a timer runs; None: it is not started over that kind of transport (RFC 3261, Table 4)."""

    unreliable: float
    reliable: float | None


DURATIONS: Final = {
    Input.TIMER_A: Duration(timers.TIMER_A_S, None),
    Input.TIMER_B: Duration(timers.TIMER_B_S, timers.TIMER_B_S),
    Input.TIMER_D: Duration(timers.TIMER_D_S, 0.0),
    Input.TIMER_E: Duration(timers.TIMER_E_S, None),
    Input.TIMER_F: Duration(timers.TIMER_F_S, timers.TIMER_F_S),
    Input.TIMER_G: Duration(timers.TIMER_G_S, None),
    Input.TIMER_H: Duration(timers.TIMER_H_S, timers.TIMER_H_S),
    Input.TIMER_I: Duration(timers.TIMER_I_S, 0.0),
    Input.TIMER_J: Duration(timers.TIMER_J_S, 0.0),
    Input.TIMER_K: Duration(timers.TIMER_K_S, 0.0),
    Input.TIMER_L: Duration(timers.TIMER_L_S, timers.TIMER_L_S),
    Input.TIMER_M: Duration(timers.TIMER_M_S, timers.TIMER_M_S),
}


class Machine(NamedTuple):
    """A table, the state it begins in, and the timers that run in each state."""

    name: str
    table: Table
    start: State
    timers: dict[State, tuple[Input, ...]]


INVITE_CLIENT_MACHINE: Final = Machine(
    "INVITE client",
    INVITE_CLIENT,
    State.CALLING,
    {
        State.CALLING: (Input.TIMER_A, Input.TIMER_B),
        State.COMPLETED: (Input.TIMER_D,),
        State.ACCEPTED: (Input.TIMER_M,),
    },
)
INVITE_SERVER_MACHINE: Final = Machine(
    "INVITE server",
    INVITE_SERVER,
    State.PROCEEDING,
    {
        State.COMPLETED: (Input.TIMER_G, Input.TIMER_H),
        State.CONFIRMED: (Input.TIMER_I,),
        State.ACCEPTED: (Input.TIMER_L,),
    },
)
NON_INVITE_CLIENT_MACHINE: Final = Machine(
    "non-INVITE client",
    NON_INVITE_CLIENT,
    State.TRYING,
    {
        State.TRYING: (Input.TIMER_E, Input.TIMER_F),
        State.PROCEEDING: (Input.TIMER_E, Input.TIMER_F),
        State.COMPLETED: (Input.TIMER_K,),
    },
)
NON_INVITE_SERVER_MACHINE: Final = Machine(
    "non-INVITE server",
    NON_INVITE_SERVER,
    State.TRYING,
    {State.COMPLETED: (Input.TIMER_J,)},
)
MACHINES: Final = (
    INVITE_CLIENT_MACHINE,
    INVITE_SERVER_MACHINE,
    NON_INVITE_CLIENT_MACHINE,
    NON_INVITE_SERVER_MACHINE,
)


def response_class(status: int) -> Input:
    """Return the input that a response of this status is."""
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE
