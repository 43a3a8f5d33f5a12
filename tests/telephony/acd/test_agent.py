"""The table of agents' states, and the agent that walks in it."""

import math
from typing import get_args

import pytest

from telephony.acd.agent import AGENT, Agent, AgentInput, AgentSettings
from telephony.acd.messages import AgentChanged, AgentSnapshot
from telephony.events import AgentState

STATES: tuple[AgentState, ...] = get_args(AgentState)
INPUTS: tuple[AgentInput, ...] = get_args(AgentInput)


def an_agent(state: AgentState = "offline", *, reachable: bool = True, reason: str = "") -> Agent:
    return Agent(AgentSettings("an"), state=state, reachable=reachable, reason=reason)


def test_the_table_speaks_of_known_states_and_inputs_only() -> None:
    assert {state for state, _ in AGENT} == set(STATES)
    assert {taken for _, taken in AGENT} == set(INPUTS)
    assert set(AGENT.values()) <= {*STATES, "rest"}


def test_wishes_and_registrations_are_taken_in_every_state() -> None:
    always: tuple[AgentInput, ...] = ("reached", "lost", "asked_ready", "asked_not_ready")
    assert all((state, taken) in AGENT for state in STATES for taken in always)


def test_every_state_that_nobody_asked_for_can_end() -> None:
    """From ringing, talking and after-call work a path of the table leads to rest without the agent's help."""
    unasked = {"answered", "rejected", "unanswered", "talk_ended", "lease_ended"}
    for begin in ("ringing", "talking", "after_call_work"):
        reached: set[str] = {begin}
        for _ in STATES:
            reached |= {to for (state, taken), to in AGENT.items() if state in reached and taken in unasked}
        assert "rest" in reached


@pytest.mark.parametrize(
    ("reachable", "reason", "state"),
    [(True, "", "ready"), (True, "lunch", "not_ready"), (False, "", "offline"), (False, "lunch", "offline")],
)
def test_rest_is_where_phone_and_wish_ask_for(reachable: bool, reason: str, state: AgentState) -> None:
    agent = an_agent("after_call_work", reachable=reachable, reason=reason)
    assert agent.take("lease_ended", 5.0)
    assert (agent.state, agent.since) == (state, 5.0)


def test_a_step_that_is_not_in_the_table_changes_nothing() -> None:
    for state in STATES:
        for taken in INPUTS:
            if (state, taken) not in AGENT:
                agent = an_agent(state)
                assert not agent.take(taken, 5.0)
                assert agent == an_agent(state)


def test_entering_a_state_ends_the_lease_and_rest_ends_the_call() -> None:
    agent = an_agent("ringing")
    agent.call, agent.queue, agent.lease_until = "c", "sales", 9.0
    agent.take("answered", 5.0)
    assert (agent.call, agent.queue, agent.lease_until) == ("c", "sales", math.inf)
    agent.take("talk_ended", 6.0)
    assert agent.call == "c"
    agent.take("lease_ended", 7.0)
    assert (agent.state, agent.call, agent.queue, agent.idle_since) == ("ready", "", "", 7.0)


@pytest.mark.parametrize(("taken", "idle_since"), [("withdrawn", 1.0), ("rejected", 5.0)])
def test_a_withdrawn_offer_keeps_the_idle_time_and_a_rejected_one_does_not(
    taken: AgentInput, idle_since: float
) -> None:
    agent = an_agent("ringing")
    agent.idle_since = 1.0
    agent.take(taken, 5.0)
    assert (agent.state, agent.idle_since) == ("ready", idle_since)


def test_a_step_to_the_same_state_keeps_since_and_lease() -> None:
    agent = an_agent("ringing")
    agent.since, agent.lease_until = 1.0, 16.0
    agent.take("reached", 5.0)
    assert (agent.since, agent.lease_until) == (1.0, 16.0)


def test_an_agent_is_shown_with_its_idle_time_only_while_ready() -> None:
    agent = an_agent("ready", reason="")
    agent.since = agent.idle_since = 3.0
    assert agent.snapshot() == AgentSnapshot("an", "ready", "", 3.0, "", reachable=True, idle_since=3.0)
    agent.take("asked_not_ready", 4.0)
    assert agent.snapshot().idle_since == 0.0
    assert agent.changed() == AgentChanged("an", "not_ready", "", 4.0, "")
