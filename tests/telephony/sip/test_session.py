"""The table of offer and answer: what has to hold of it whatever happens."""

from telephony.sip.session import SESSION, Action, Input, State

TOLD = {Action.TELL_ANSWERED, Action.TELL_REFUSED}
RESPONSES = {
    Action.SEND_ANSWER,
    Action.SEND_STANDING,
    Action.SEND_GLARE,
    Action.SEND_BUSY,
    Action.SEND_REFUSAL,
    Action.SEND_TERMINATED,
}
OPEN = set(State) - {State.CLOSED}


class TestTable:
    def test_every_offer_of_theirs_is_answered_or_told(self) -> None:
        for state in State:
            for received in (Input.OFFER, Input.ASK, Input.REFRESH):
                if (state, received) in SESSION:
                    _, actions = SESSION[state, received]
                    assert len([each for each in actions if each in RESPONSES or each is Action.TELL_OFFERED]) == 1

    def test_their_offers_have_a_row_in_every_state(self) -> None:
        """Else a re-INVITE would never be answered, and its transaction never end."""
        for received in (Input.OFFER, Input.ASK, Input.REFRESH):
            assert all((state, received) in SESSION for state in OPEN)

    def test_ours_is_never_lost(self) -> None:
        assert all((state, Input.PROPOSE) in SESSION for state in OPEN)

    def test_nothing_is_told_of_a_dialog_that_is_over(self) -> None:
        assert all((state, Input.CLOSE) in SESSION for state in OPEN - {State.INITIAL})
        assert not any(state is State.CLOSED for state, _ in SESSION)

    def test_ours_is_told_about_exactly_once(self) -> None:
        """Whatever leaves the states in which ours is out either tells what came of it or keeps it."""
        for (state, received), (after, actions) in SESSION.items():
            if state in {State.OFFERING, State.RETRYING} and after is State.STABLE:
                assert len(TOLD & set(actions)) == 1, (state, received)

    def test_no_state_is_a_trap(self) -> None:
        reached, todo = {State.STABLE}, [State.STABLE]
        while todo:
            target = todo.pop()
            for (state, _), (after, _) in SESSION.items():
                if after is target and state not in reached:
                    reached.add(state)
                    todo.append(state)
        assert reached == OPEN

    def test_a_lost_connection_leaves_nothing_waiting(self) -> None:
        waiting = OPEN - {State.INITIAL, State.STABLE}
        assert {state for state in State if SESSION.get((state, Input.LOST), ("", ()))[0] is State.STABLE} == waiting
