"""The tables of a trunk, and the waits between its attempts."""

from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.trunk import (
    REACH,
    REGISTRATION,
    RETRY_S,
    Action,
    Input,
    Reach,
    Sign,
    State,
    Trunk,
    Way,
    back_off_s,
    refresh_s,
)
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import parse_uri

TOKENS = st.integers(0, 2**32 - 1).map(lambda number: lambda _octets: f"{number:08x}")


def make_trunk(*, register: bool = True) -> Trunk:
    targets = (parse_uri("sip:192.0.2.2"), parse_uri("sip:[2001:db8::2]:5070"))
    trunk = Trunk(TrunkSettings("pbx", targets, register=register), "call-id")
    trunk.ways = tuple(Way(target, target.address) for target in targets)
    return trunk


def test_every_state_that_is_waiting_for_something_can_be_left() -> None:
    for state in set(State) - {State.IDLE, State.UNREGISTERED}:
        assert {after for (before, _), (after, _) in REGISTRATION.items() if before is state} - {state}, state


def test_a_removal_is_sent_when_leaving_and_at_no_other_time() -> None:
    for (before, received), (after, actions) in REGISTRATION.items():
        if Action.SEND_REMOVAL in actions:
            assert after is State.LEAVING
            assert received in {Input.STOP, Input.AGAIN}
        elif before is State.LEAVING:
            assert after is State.UNREGISTERED


@given(st.lists(st.sampled_from(Input)))
def test_no_order_of_inputs_leaves_the_table(inputs: list[Input]) -> None:
    state, sent, timers = State.UNREGISTERED, 0, 0
    for received in inputs:
        if (row := REGISTRATION.get((state, received))) is None:
            continue
        state, actions = row
        sent += sum(action in {Action.SEND, Action.SEND_REMOVAL} for action in actions)
        timers = 0 if Action.FORGET in actions else timers
        timers += sum(action.value.startswith("start") for action in actions)
    assert sent >= (state in {State.REGISTERED, State.LEAVING})


def test_reach_follows_the_last_sign() -> None:
    way = Way(parse_uri("sip:192.0.2.2"), ("192.0.2.2", 5060))
    assert way.gave(Sign.ANSWER)
    assert not way.gave(Sign.ANSWER)
    assert way.gave(Sign.SILENCE)
    assert way.reach is Reach.DOWN
    shown = {Sign.ANSWER: Reach.UP, Sign.SILENCE: Reach.DOWN, Sign.TIME: Reach.UNKNOWN}
    assert all(after is shown[sign] for (_, sign), after in REACH.items())


def test_ways_that_are_down_are_tried_last_and_the_registered_one_first() -> None:
    trunk = make_trunk()
    first, second = trunk.ways
    assert trunk.in_order() == [first, second]
    trunk.at, trunk.state = second, State.REGISTERED
    assert trunk.in_order() == [second, first]
    second.gave(Sign.SILENCE)
    assert trunk.in_order() == [first, second]


def test_says_how_it_stands() -> None:
    trunk = make_trunk(register=False)
    told = trunk.snapshot()
    assert (told.state, told.up) == ("idle", True)
    assert [target.address for target in told.targets] == ["192.0.2.2:5060", "[2001:db8::2]:5070"]
    for way in trunk.ways:
        way.gave(Sign.SILENCE)
    assert not trunk.snapshot().up


def test_a_trunk_that_failed_is_failed_until_it_is_registered() -> None:
    trunk = make_trunk()
    trunk.state, trunk.failures = State.REGISTERING, 1
    assert trunk.snapshot().state == "failed"
    trunk.state = State.REGISTERED
    assert trunk.snapshot().state == "registered"


@given(st.integers(1, 1000), TOKENS)
def test_waits_grow_within_their_bounds(failures: int, token) -> None:  # type: ignore[no-untyped-def]
    first, longest = RETRY_S
    assert first / 2 <= back_off_s(RETRY_S, failures, token) <= longest
    assert back_off_s(RETRY_S, failures + 1, token) >= back_off_s(RETRY_S, failures, token)


@given(st.floats(2, 86400), TOKENS)
def test_a_refresh_comes_well_before_the_end(granted: float, token) -> None:  # type: ignore[no-untyped-def]
    assert 1 <= refresh_s(granted, token) < granted
