"""The ACD against a model: whatever happens in whatever order, no call is lost and nobody is stuck.

The model believes nothing but the outputs: it keeps, from them alone, where each call is and whose phone rings.
"""

import math
from collections.abc import Sequence
from typing import TypeVar, get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telephony.acd import (
    Acd,
    AcdInput,
    AcdOutput,
    AgentChanged,
    AgentNotReady,
    AgentReachable,
    AgentReady,
    AgentSettings,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    OfferAnswered,
    OfferCall,
    OfferDeclined,
    QueueSettings,
    TalkEnded,
    TimePassed,
    WithdrawOffer,
)
from telephony.acd.messages import DeclineCause

QUEUES = {
    "all": QueueSettings("all", max_waiting=4),
    "few": QueueSettings("few", ring_timeout_s=7.0, wrap_up_s=0.0, agents=("a1", "a2")),
    "none": QueueSettings("none", agents=()),
}
AGENTS = {name: AgentSettings(name) for name in ("a1", "a2", "a3")}
LONGEST_LEASE_S = 60.0

agents = st.sampled_from([*AGENTS, "stranger"])
calls = st.sampled_from([f"c{number}" for number in range(8)])
reasons = st.sampled_from(["", "lunch"])
causes: st.SearchStrategy[DeclineCause] = st.sampled_from(get_args(DeclineCause))
picks = st.integers(0, 7)
any_input: st.SearchStrategy[AcdInput] = st.one_of(
    st.builds(CallLeft, calls),
    st.builds(OfferAnswered, calls, agents),
    st.builds(OfferDeclined, calls, agents, causes),
    st.builds(TalkEnded, calls, agents),
    st.just(TimePassed()),
)


T = TypeVar("T")


def nth(items: Sequence[T], pick: int) -> T:
    return items[pick % len(items)]


class Distribution(RuleBasedStateMachine):
    """Callers, agents, phones and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.acd = Acd(QUEUES, AGENTS)
        self.where: dict[str, str] = {}  # every call that has entered and not gone: "waiting" or its talking agent
        self.place: dict[str, tuple[int, int, str]] = {}
        self.entered = 0
        self.offers: dict[str, str] = {}  # call -> agent, as the outputs say
        self.shown: dict[str, AgentChanged] = {}
        self.wishes: dict[str, bool] = dict.fromkeys(AGENTS, True)
        self.reachable: dict[str, bool] = dict.fromkeys(AGENTS, False)

    # ------------------------------------------------------------------------------------------------ the model

    def tell(self, happened: AcdInput) -> list[AcdOutput]:
        outputs = self.acd.handle(happened, self.now)
        self.read(outputs)
        return outputs

    def read(self, outputs: Sequence[AcdOutput]) -> None:
        for output in outputs:
            match output:
                case OfferCall(call, agent):
                    assert self.where[call] == "waiting", "an offer of a call that does not wait"
                    assert call not in self.offers, "two offers of one call"
                    assert agent not in self.offers.values(), "two offers to one agent"
                    assert agent not in self.where.values(), "an offer to an agent who talks"
                    assert self.reachable[agent]
                    assert self.wishes[agent]
                    self.offers[call] = agent
                case WithdrawOffer(call, agent, _):
                    assert self.offers.pop(call) == agent, "an offer withdrawn that is none"
                case CallTimedOut(call):
                    assert call not in self.offers, "timed out, and its phone rings on"
                    assert self.where.pop(call) == "waiting"
                case CallRefused(call):
                    assert self.where.pop(call) == "waiting"
                case AgentChanged(agent):
                    assert output != self.shown.get(agent), "news that are none"
                    self.shown[agent] = output

    def pass_time(self, until: float) -> None:
        steps = 0
        while (due := self.acd.deadline()) is not None and due <= until:
            assert due >= self.now, "a deadline in the past"
            self.now = due
            self.tell(TimePassed())
            steps += 1
            assert steps < 1_000, "deadlines without end"
        self.now = until

    def state(self, agent: str) -> str:
        return next(snapshot.state for snapshot in self.acd.agents() if snapshot.agent == agent)

    # ------------------------------------------------------------------------------------------------- the rules

    @initialize()
    def begin(self) -> None:
        for agent in AGENTS:
            self.phone_registers(agent)

    @rule(call=calls, queue=st.sampled_from(list(QUEUES)), limit_s=st.sampled_from([3.0, 40.0, math.inf]))
    def call_enters(self, call: str, queue: str, limit_s: float) -> None:
        if call in self.where:
            return
        self.entered += 1
        self.where[call] = "waiting"
        self.place[call] = (5, self.entered, queue)
        self.tell(CallQueued(call, queue, limit_s))

    @rule(call=calls)
    def urgent_call_enters(self, call: str) -> None:
        if call in self.where:
            return
        self.entered += 1
        self.where[call] = "waiting"
        self.place[call] = (1, self.entered, "all")
        self.tell(CallQueued(call, "all", 40.0, priority=1))

    @rule(call=calls)
    def caller_leaves(self, call: str) -> None:
        rings = call in self.offers
        self.where.pop(call, None)
        outputs = self.tell(CallLeft(call))
        assert rings == any(isinstance(output, WithdrawOffer) and output.call == call for output in outputs)

    @rule(agent=agents)
    def agent_ready(self, agent: str) -> None:
        self.wishes[agent] = True
        self.tell(AgentReady(agent))

    @rule(agent=agents, reason=reasons)
    def agent_not_ready(self, agent: str, reason: str) -> None:
        self.wishes[agent] = False
        self.tell(AgentNotReady(agent, reason))

    @rule(agent=agents)
    def phone_registers(self, agent: str) -> None:
        self.reachable[agent] = True
        self.tell(AgentReachable(agent, reachable=True))

    @rule(agent=agents)
    def phone_is_lost(self, agent: str) -> None:
        self.reachable[agent] = False
        self.tell(AgentReachable(agent, reachable=False))

    @precondition(lambda self: bool(self.offers))
    @rule(pick=picks)
    def agent_answers(self, pick: int) -> None:
        call, agent = nth(sorted(self.offers.items()), pick)
        del self.offers[call]
        self.where[call] = agent
        self.tell(OfferAnswered(call, agent))
        assert self.state(agent) == "talking"

    @precondition(lambda self: bool(self.offers))
    @rule(pick=picks, cause=causes)
    def phone_declines(self, pick: int, cause: DeclineCause) -> None:
        call, agent = nth(sorted(self.offers.items()), pick)
        del self.offers[call]
        outputs = self.tell(OfferDeclined(call, agent, cause))
        again = OfferCall(call, agent) in outputs
        assert not again, "the same call at once to the agent who has just declined it"
        assert self.where[call] == "waiting"

    @precondition(lambda self: any(where != "waiting" for where in self.where.values()))
    @rule(pick=picks)
    def talk_ends(self, pick: int) -> None:
        call = nth(sorted(call for call, where in self.where.items() if where != "waiting"), pick)
        agent = self.where.pop(call)
        self.tell(TalkEnded(call, agent))
        assert self.state(agent) != "talking" or self.acd_call(agent) != call

    @rule(late=any_input)
    def something_late_or_wrong_comes(self, late: AcdInput) -> None:
        match late:
            case OfferAnswered(call, agent) | OfferDeclined(call, agent) if self.offers.get(call) == agent:
                return
            case TalkEnded(call, agent) if self.where.get(call) == agent:
                return
            case CallLeft(call) if call in self.where:
                return
        before = self.acd.agents(), self.acd.waiting(), self.acd.deadline()
        assert self.tell(late) == []
        assert (self.acd.agents(), self.acd.waiting(), self.acd.deadline()) == before

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(self.now + seconds)

    @rule()
    def the_program_restarts(self) -> None:
        snapshots = self.acd.agents()
        self.acd = Acd(QUEUES, AGENTS)
        self.where.clear()
        self.offers.clear()
        self.read(self.acd.restore(snapshots, self.now))
        self.pass_time(self.now)
        for agent in AGENTS:
            if self.reachable[agent]:
                self.phone_registers(agent)

    # --------------------------------------------------------------------------------------------- what must hold

    def acd_call(self, agent: str) -> str:
        return next(snapshot.call for snapshot in self.acd.agents() if snapshot.agent == agent)

    @invariant()
    def the_model_agrees(self) -> None:
        waiting = [call for call, where in self.where.items() if where == "waiting"]
        assert sorted(self.acd.waiting()) == sorted(waiting), "a call is lost, or a ghost waits"
        assert list(self.acd.waiting()) == sorted(waiting, key=lambda call: self.place[call][:2]), "places moved"
        ringing = {snapshot.call: snapshot.agent for snapshot in self.acd.agents() if snapshot.state == "ringing"}
        assert ringing == self.offers
        talking = {snapshot.call: snapshot.agent for snapshot in self.acd.agents() if snapshot.state == "talking"}
        assert talking == {call: agent for call, agent in self.where.items() if agent != "waiting"}

    @invariant()
    def the_rows_say_what_is(self) -> None:
        for snapshot in self.acd.agents():
            shown = self.shown.get(snapshot.agent, AgentChanged(snapshot.agent, "offline", "", 0.0, ""))
            assert (shown.state, shown.reason, shown.call) == (snapshot.state, snapshot.reason, snapshot.call)

    @invariant()
    def no_call_waits_beside_a_ready_agent_but_for_a_refusal(self) -> None:
        ready = [snapshot.agent for snapshot in self.acd.agents() if snapshot.state == "ready"]
        for call in self.acd.waiting():
            if call in self.offers:
                continue
            free = [agent for agent in ready if QUEUES[self.place[call][2]].has(agent)]
            if free:
                due = self.acd.deadline()
                assert due is not None, "nobody will ever look again"
                assert due <= self.now + 1.0, "a refusal's pause is a second"

    @invariant()
    def whoever_is_in_an_unasked_state_has_a_deadline(self) -> None:
        states = {snapshot.state for snapshot in self.acd.agents()}
        if states & {"ringing", "after_call_work"}:
            due = self.acd.deadline()
            assert due is not None
            assert due <= self.now + LONGEST_LEASE_S

    def teardown(self) -> None:
        """When phones stay silent and time passes, all come to rest: every call gone or talking, every agent free."""
        for agent in AGENTS:
            if not self.reachable[agent]:
                self.phone_registers(agent)
        for call in [call for call, where in self.where.items() if where == "waiting"]:
            self.caller_leaves(call)
        self.pass_time(self.now + LONGEST_LEASE_S)
        for snapshot in self.acd.agents():
            assert snapshot.state in {"ready", "talking"} or (
                snapshot.state == "not_ready" and snapshot.reason in {"lunch", "unspecified", "no_answer", "rejecting"}
            )
            self.tell(AgentReady(snapshot.agent))
            assert self.state(snapshot.agent) in {"ready", "talking"}
        assert self.acd.waiting() == ()
        assert self.acd.deadline() is None


TestDistribution = Distribution.TestCase
TestDistribution.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)
