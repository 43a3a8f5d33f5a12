"""The four transaction machines, run at random: every input in every state has its row or is an error of ours, and the
timers that run are those of the state (rules 2 and 3 of `transaction`)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.address import Address, Flow
from telephony.sip.errors import LocalError
from telephony.sip.message import Response
from telephony.sip.transaction import DURATIONS, MACHINES, Input, Machine, State
from telephony.sip.transaction_layer import Transaction
from tests.telephony.sip.test_transaction_layer import STATUS, Room, a_response
from tests.telephony.sip.wire import DESK

FLOW = Flow("192.0.2.2", 40000, "c1", "TCP")
INPUTS = st.lists(st.sampled_from(list(Input)), max_size=25)
PEERS = st.sampled_from([DESK, FLOW])


def expected_timers(transaction: Transaction) -> set[str]:
    """Return the timers that rule 3 has run now; over a reliable transport some are never started."""
    listed = transaction.machine.timers.get(transaction.state, ())
    return {timer for timer in listed if DURATIONS[timer][transaction.reliable] is not None}


def running_timers(room: Room, transaction: Transaction) -> set[str]:
    """Return the timers that are armed."""
    return set(room.deadlines._of_owner.get(transaction, {}))


def answer_of(transaction: Transaction, received: Input) -> Response | None:
    """Return the response that an input comes with, as long as there is a request to answer."""
    return a_response(transaction, STATUS[received]) if received in STATUS and transaction.request else None


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
class TestRuns:
    @settings(max_examples=150, deadline=None)
    @given(inputs=INPUTS, peer=PEERS)
    def test_every_input_has_its_row_or_is_our_error(
        self, machine: Machine, inputs: list[Input], peer: Address
    ) -> None:
        room = Room(peer)
        transaction = room.open(machine)
        for number, received in enumerate(inputs):
            state = transaction.state
            response = answer_of(transaction, received)
            row = machine.table.get((state, received))
            if received in STATUS and response is None and row is not None and row[1]:
                continue  # nobody has a response any more: its request is gone
            if received.startswith("timer") and received not in running_timers(room, transaction):
                continue  # a timer that does not run is never due
            if row is None:
                with pytest.raises(LocalError, match=f"in state {state} has no {received}"):
                    room.layer.step(transaction, received, float(number), response)
                assert transaction.state is state
                continue
            if received.startswith("timer"):
                room.deadlines.cancel(transaction, received)
            assert room.layer.step(transaction, received, float(number), response) == row[1]
            assert transaction.state is row[0]
            missing = expected_timers(transaction) - running_timers(room, transaction)
            assert running_timers(room, transaction) <= expected_timers(transaction)
            assert missing <= {received}, "a timer of this state does not run"
        if transaction.state is State.TERMINATED:
            assert len(room.layer) == len(room.deadlines) == 0
            assert (transaction.request, transaction.last, transaction.ack) == (None, b"", b"")

    @settings(max_examples=100, deadline=None)
    @given(inputs=INPUTS, peer=PEERS)
    def test_time_alone_ends_what_has_timers(self, machine: Machine, inputs: list[Input], peer: Address) -> None:
        """From every state that can be got into, except those that wait for a user or a final response."""
        room = Room(peer)
        transaction = room.open(machine)
        now = 0.0
        for received in inputs:
            if (transaction.state, received) in machine.table and not received.startswith("timer"):
                response = (
                    a_response(transaction, STATUS[received]) if received in STATUS and transaction.request else None
                )
                if received in STATUS and response is None:
                    continue
                room.layer.step(transaction, received, now, response)
        for _ in range(200):
            due = room.deadlines.next()
            if due is None:
                break
            now = due
            owner, timer = room.deadlines.pop(now) or (None, "")
            assert owner is transaction
            room.layer.fire(transaction, timer, now)
        waits = transaction.state in {State.PROCEEDING, State.TRYING}
        assert transaction.state is State.TERMINATED or (waits and not machine.timers.get(transaction.state))
