"""The four tables themselves: complete, closed, and drawn as they are in docs/sip.md."""

import pytest

from telephony.sip.transaction import (
    DURATIONS,
    INVITE_CLIENT,
    INVITE_SERVER,
    MACHINES,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Input,
    Machine,
    State,
    response_class,
)

RESPONSES = (Input.PROVISIONAL, Input.SUCCESS, Input.FAILURE)


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.name)
def machine(request: pytest.FixtureRequest) -> Machine:
    found: Machine = request.param
    return found


def states(machine: Machine) -> set[State]:
    return {state for state, _ in machine.table}


class TestEveryTable:
    def test_every_state_can_be_reached(self, machine: Machine) -> None:
        reached = {machine.start}
        while True:
            further = {after for (before, _), (after, _) in machine.table.items() if before in reached}
            if further <= reached:
                break
            reached |= further
        assert reached == states(machine) | {State.TERMINATED}

    def test_every_state_leads_to_the_end(self, machine: Machine) -> None:
        ending = {State.TERMINATED}
        for _ in State:
            ending |= {before for (before, _), (after, _) in machine.table.items() if after in ending}
        assert ending >= states(machine)

    def test_nothing_follows_the_end(self, machine: Machine) -> None:
        assert State.TERMINATED not in states(machine)

    def test_every_timer_that_runs_has_a_row_and_a_duration(self, machine: Machine) -> None:
        for state, timers in machine.timers.items():
            for timer in timers:
                assert (state, timer) in machine.table
                assert DURATIONS[timer].unreliable > 0

    def test_every_timer_row_is_of_a_timer_that_runs(self, machine: Machine) -> None:
        for state, received in machine.table:
            if received.startswith("timer"):
                assert received in machine.timers[state]

    def test_every_state_but_the_waiting_ones_ends_by_itself(self, machine: Machine) -> None:
        """A state without a timer waits for the transaction user or for the far end's answer, and for nothing else."""
        waiting = {State.PROCEEDING, State.TRYING}
        assert states(machine) - waiting <= set(machine.timers)

    def test_time_outs_and_failures_end_the_transaction(self, machine: Machine) -> None:
        for after, actions in machine.table.values():
            if {Action.TIMED_OUT, Action.FAILED} & set(actions):
                assert after is State.TERMINATED


class TestWhatComesOffTheWire:
    """No message of the far end may find a table without a row."""

    def test_clients_have_a_row_for_every_response(self) -> None:
        for table in (INVITE_CLIENT, NON_INVITE_CLIENT):
            for state in {state for state, _ in table}:
                assert all((state, response) in table for response in RESPONSES)

    def test_servers_have_a_row_for_every_retransmission(self) -> None:
        for table in (INVITE_SERVER, NON_INVITE_SERVER):
            assert all((state, Input.REQUEST) in table for state, _ in table)

    def test_invite_server_has_a_row_for_every_ack(self) -> None:
        assert all((state, Input.ACK) in INVITE_SERVER for state, _ in INVITE_SERVER)


class TestAgainstTheRfc:
    """The figures, read the other way round: what must never happen."""

    def test_2xx_is_never_acknowledged_by_the_transaction(self) -> None:
        assert not any(
            Action.ACK in actions for (_, received), (_, actions) in INVITE_CLIENT.items() if received is Input.SUCCESS
        )

    def test_300_and_above_are_always_acknowledged_until_accepted(self) -> None:
        for (state, received), (_, actions) in INVITE_CLIENT.items():
            if received is Input.FAILURE:
                assert (Action.ACK in actions) is (state is not State.ACCEPTED)

    def test_final_responses_are_told_once_but_2xx_each_time(self) -> None:
        telling = [state for (state, received), (_, acts) in INVITE_CLIENT.items() if Action.TELL in acts]
        assert telling.count(State.COMPLETED) == 0
        assert telling.count(State.ACCEPTED) == 1

    def test_accepted_absorbs_invites_without_an_answer(self) -> None:
        """RFC 6026 section 7.1: "absorbed by the transaction layer without changing its state"."""
        assert INVITE_SERVER[State.ACCEPTED, Input.REQUEST] == (State.ACCEPTED, ())

    @pytest.mark.parametrize(
        ("timer", "unreliable", "reliable"),
        [
            (Input.TIMER_A, 0.5, None),
            (Input.TIMER_B, 32.0, 32.0),
            (Input.TIMER_D, 32.0, 0.0),
            (Input.TIMER_E, 0.5, None),
            (Input.TIMER_F, 32.0, 32.0),
            (Input.TIMER_G, 0.5, None),
            (Input.TIMER_H, 32.0, 32.0),
            (Input.TIMER_I, 5.0, 0.0),
            (Input.TIMER_J, 32.0, 0.0),
            (Input.TIMER_K, 5.0, 0.0),
            (Input.TIMER_L, 32.0, 32.0),
            (Input.TIMER_M, 32.0, 32.0),
        ],
    )
    def test_durations_are_those_of_table_4(self, timer: Input, unreliable: float, reliable: float | None) -> None:
        assert DURATIONS[timer] == (unreliable, reliable)

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(100, Input.PROVISIONAL), (199, Input.PROVISIONAL), (200, Input.SUCCESS), (300, Input.FAILURE)],
    )
    def test_classes_of_responses(self, status: int, expected: Input) -> None:
        assert response_class(status) is expected
