"""Scenarios of queues in virtual time."""

import math

import pytest

from telephony.acd import (
    AcdInput,
    AgentChanged,
    AgentDisengaged,
    AgentEngaged,
    AgentNotReady,
    AgentReachable,
    AgentReady,
    AgentSnapshot,
    CallLeft,
    CallQueued,
    CallRefused,
    CallTimedOut,
    OfferAnswered,
    OfferCall,
    OfferDeclined,
    QueueFacts,
    QueueSettings,
    TalkEnded,
    TalkTaken,
    TimePassed,
    WithdrawOffer,
)
from telephony.events import AgentState
from tests.telephony.acd.world import BEGIN, World


class TestOffers:
    """Who is offered what."""

    def test_a_call_is_offered_to_the_longest_idle_ready_agent_of_its_queue(self) -> None:
        world = World("an", "binh", "chi")
        assert world.queue("c1") == [OfferCall("c1", "an")]
        assert world.queue("c2", "care") == [OfferCall("c2", "chi")]
        assert world.queue("c3") == [OfferCall("c3", "binh")]
        assert world.queue("c4") == []
        assert world.states() == {"an": "ringing", "binh": "ringing", "chi": "ringing"}

    def test_the_agents_row_is_told_before_the_phone_rings(self) -> None:
        world = World("an")
        outputs = world.tell(CallQueued("c1", "sales", 60.0))
        assert outputs == [AgentChanged("an", "ringing", "", world.now, "c1"), OfferCall("c1", "an")]

    def test_a_waiting_call_is_offered_as_soon_as_an_agent_becomes_ready(self) -> None:
        world = World()
        assert world.queue("c1") == []
        assert world.told(AgentReachable("an", reachable=True)) == [OfferCall("c1", "an")]

    def test_calls_go_by_priority_then_arrival(self) -> None:
        world = World()
        world.queue("late")
        world.now += 1.0
        world.queue("later", "care")
        world.queue("urgent", "care", priority=1)
        assert world.acd.waiting() == ("urgent", "late", "later")
        assert world.told(AgentReachable("chi", reachable=True)) == [OfferCall("urgent", "chi")]
        assert world.told(AgentReachable("an", reachable=True)) == [OfferCall("late", "an")]

    def test_a_call_whose_queue_has_nobody_free_does_not_hold_up_the_next(self) -> None:
        world = World()
        world.queue("care", "care")
        world.queue("sales", "sales")
        assert world.told(AgentReachable("an", reachable=True)) == [OfferCall("sales", "an")]

    def test_a_call_that_waits_again_gets_its_old_place_back(self) -> None:
        world = World()
        world.queue("first")
        world.now += 30.0
        world.tell(CallQueued("cut off", "sales", 60.0, waiting_since=BEGIN - 10.0))
        assert world.acd.waiting() == ("cut off", "first")
        assert world.acd.queue_facts("sales", world.now).longest_wait_s == 40.0

    def test_an_agent_who_talks_is_offered_nothing(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        assert world.queue("c2") == []
        assert world.wait(3600.0) == [CallTimedOut("c2")]
        assert world.agent("an") == AgentSnapshot("an", "talking", "", world.now - 3600.0, "c1", reachable=True)


class TestTalk:
    """From the answer to the next call."""

    def test_after_the_talk_comes_after_call_work_and_then_the_next_call(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        world.queue("c2")
        world.now += 60.0
        assert world.told(TalkEnded("c1", "an")) == []
        assert world.agent("an").state == "after_call_work"
        assert world.agent("an").call == "c1"
        assert world.wait(9.9) == []
        assert world.wait(0.1) == [OfferCall("c2", "an")]

    def test_a_queue_without_wrap_up_gives_the_next_call_at_once(self) -> None:
        world = World("chi")
        world.queue("c1", "care")
        world.answer("c1", "chi")
        world.queue("c2", "care")
        assert world.told(TalkEnded("c1", "chi")) == [OfferCall("c2", "chi")]

    def test_a_caller_who_hangs_up_while_talking_ends_the_talk(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        world.tell(CallLeft("c1"))
        assert world.agent("an").state == "after_call_work"

    def test_an_agent_may_cut_the_after_call_work_short(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        world.tell(TalkEnded("c1", "an"))
        world.queue("c2")
        assert world.told(AgentReady("an")) == [OfferCall("c2", "an")]

    def test_not_ready_while_talking_is_the_state_after_the_call(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        assert world.tell(AgentNotReady("an", "lunch")) == [AgentChanged("an", "talking", "lunch", world.now, "c1")]
        world.tell(TalkEnded("c1", "an"))
        assert world.agent("an").state == "after_call_work"
        world.wait(10.0)
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "lunch")
        assert world.queue("c2") == []
        assert world.told(AgentReady("an")) == [OfferCall("c2", "an")]

    def test_a_phone_that_is_lost_during_the_talk_takes_effect_after_it(self) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        assert world.tell(AgentReachable("an", reachable=False)) == []
        assert world.agent("an").state == "talking"
        world.tell(TalkEnded("c1", "an"))
        world.wait(10.0)
        assert world.agent("an").state == "offline"

    def test_a_call_that_is_queued_anew_leaves_its_agent_first(self) -> None:
        world = World("an", "chi")
        world.queue("c1")
        world.answer("c1", "an")
        assert world.queue("c1", "care") == [OfferCall("c1", "chi")]
        assert world.agent("an").state == "after_call_work"


class TestOffersThatComeToNothing:
    """No answer, refusal, failure, a caller who leaves."""

    def test_no_answer_withdraws_and_offers_to_the_next_at_once(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        world.queue("c2")
        world.queue("c3")
        assert world.wait(14.9) == []
        withdrawn = WithdrawOffer("c1", "an", "no_answer")
        assert world.wait(0.1) == [withdrawn, WithdrawOffer("c2", "binh", "no_answer")]
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "no_answer")
        assert world.acd.waiting() == ("c1", "c2", "c3")
        assert world.told(AgentReady("binh")) == [OfferCall("c1", "binh")]

    def test_a_call_keeps_its_place_before_those_who_came_later(self) -> None:
        world = World("an")
        world.queue("c1")
        world.queue("c2")
        world.now += 1.0
        assert world.told(AgentReachable("binh", reachable=True)) == [OfferCall("c2", "binh")]
        world.now += 1.0
        assert world.told(OfferDeclined("c2", "binh", "no_answer")) == []
        assert world.told(OfferDeclined("c1", "an", "no_answer")) == []
        assert world.told(AgentReady("an")) == [OfferCall("c1", "an")]

    def test_a_phone_that_stops_ringing_by_itself_is_a_no_answer_too(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        assert world.told(OfferDeclined("c1", "an", "no_answer")) == [OfferCall("c1", "binh")]
        assert world.agent("an").reason == "no_answer"

    def test_a_coming_registration_does_not_undo_no_answer(self) -> None:
        world = World("an")
        world.queue("c1")
        world.tell(OfferDeclined("c1", "an", "no_answer"))
        assert world.told(AgentReachable("an", reachable=True)) == []
        assert world.agent("an").state == "not_ready"

    def test_who_rejects_goes_to_the_back_and_is_not_asked_again_for_a_while(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        assert world.told(OfferDeclined("c1", "an", "rejected")) == [OfferCall("c1", "binh")]
        assert world.agent("an").state == "ready"
        # Of another call an is asked at once.
        assert world.queue("c2") == [OfferCall("c2", "an")]
        world.answer("c2", "an")
        world.answer("c1", "binh")

    def test_somebody_else_is_preferred_to_one_who_rejected_within_five_seconds(self) -> None:
        world = World("an")
        world.queue("c1")
        world.tell(OfferDeclined("c1", "an", "rejected"))
        world.now += 0.5
        assert world.told(AgentReachable("binh", reachable=True)) == [OfferCall("c1", "binh")]
        world.now += 3.0
        assert world.told(OfferDeclined("c1", "binh", "no_answer")) == [OfferCall("c1", "an")]

    def test_nobody_else_is_asked_again_after_a_pause_that_cannot_spin(self) -> None:
        world = World("an")
        world.queue("c1")
        assert world.told(OfferDeclined("c1", "an", "rejected")) == []
        assert world.wait(0.9) == []
        assert world.wait(0.1) == [OfferCall("c1", "an")]

    def test_a_phone_that_always_rejects_makes_its_agent_not_ready(self) -> None:
        world = World("an")
        world.queue("c1")
        for _ in range(3):
            world.tell(OfferDeclined("c1", "an", "rejected"))
            world.wait(1.0)
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "rejecting")
        assert world.told(AgentReady("an")) == [OfferCall("c1", "an")]
        world.tell(OfferDeclined("c1", "an", "rejected"))
        assert world.agent("an").state == "ready"

    def test_a_failed_offer_goes_to_the_next_and_the_phone_is_tried_when_it_registers(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        assert world.told(OfferDeclined("c1", "an", "failed")) == [OfferCall("c1", "binh")]
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "unreachable")
        world.queue("c2")
        assert world.told(AgentReachable("an", reachable=True)) == [OfferCall("c2", "an")]

    def test_a_failed_phone_that_stays_registered_is_tried_again_by_and_by(self) -> None:
        world = World("an")
        world.queue("c1")
        world.tell(OfferDeclined("c1", "an", "failed"))
        assert world.wait(29.9) == []
        assert world.wait(0.1) == [OfferCall("c1", "an")]

    def test_an_unreachable_agent_who_goes_to_lunch_is_not_tried_again(self) -> None:
        world = World("an")
        world.queue("c1")
        world.tell(OfferDeclined("c1", "an", "failed"))
        world.tell(AgentNotReady("an", "lunch"))
        assert world.wait(60.0) == []
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "lunch")

    def test_a_caller_who_leaves_while_it_rings_costs_the_agent_no_idle_time(self) -> None:
        world = World("an", "binh")
        idle_since = world.agent("an").idle_since
        world.queue("c1")
        world.now += 5.0
        assert world.told(CallLeft("c1")) == [WithdrawOffer("c1", "an", "caller_left")]
        assert world.agent("an") == AgentSnapshot("an", "ready", "", world.now, "", True, idle_since)
        assert world.queue("c2") == [OfferCall("c2", "an")]

    def test_an_agent_who_becomes_not_ready_while_it_rings_passes_the_call_on(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        withdrawn = WithdrawOffer("c1", "an", "not_ready")
        assert world.told(AgentNotReady("an", "lunch")) == [withdrawn, OfferCall("c1", "binh")]
        assert world.agent("an").reason == "lunch"

    def test_a_phone_that_is_lost_while_it_rings_passes_the_call_on(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        withdrawn = WithdrawOffer("c1", "an", "unreachable")
        assert world.told(AgentReachable("an", reachable=False)) == [withdrawn, OfferCall("c1", "binh")]
        assert world.states() == {"binh": "ringing"}

    def test_a_registration_that_is_refreshed_while_it_rings_changes_nothing(self) -> None:
        world = World("an")
        world.queue("c1")
        assert world.tell(AgentReachable("an", reachable=True)) == []
        assert world.wait(15.0) == [WithdrawOffer("c1", "an", "no_answer")]


class TestTalksThatColleaguesHandOver:
    """An agent may be given a talk while there is another call: busy until the last of them is over."""

    @pytest.mark.parametrize("queue", ["sales", ""])
    @pytest.mark.parametrize("first", ["c1", "c2"])
    def test_who_talks_already_has_two(self, queue: str, first: str) -> None:
        world = World("an")
        world.queue("c1")
        world.answer("c1", "an")
        world.tell(AgentEngaged("an", "consult"))
        world.tell(TalkTaken("an", "c2", queue))
        world.tell(AgentDisengaged("an", "consult"))
        world.tell(TalkEnded(first, "an"))
        assert (world.agent("an").state, world.agent("an").call) == ("talking", {"c1": "c2", "c2": "c1"}[first])
        world.queue("c3")
        world.tell(TalkEnded({"c1": "c2", "c2": "c1"}[first], "an"))
        world.wait(10.0)
        assert (world.agent("an").state, world.agent("an").call) == ("ringing", "c3")

    @pytest.mark.parametrize("queue", ["sales", ""])
    def test_who_has_called_somebody_has_two(self, queue: str) -> None:
        world = World("an")
        world.tell(AgentEngaged("an", "dialled"))
        world.tell(AgentEngaged("an", "consult"))
        world.tell(TalkTaken("an", "c2", queue))
        world.tell(AgentDisengaged("an", "consult"))
        world.tell(TalkEnded("c2", "an"))
        assert (world.agent("an").state, world.agent("an").call) == ("talking", "dialled")
        world.tell(TalkEnded("dialled", "an"))
        assert world.agent("an").state == "ready"

    @pytest.mark.parametrize("answers", [True, False])
    def test_whose_phone_rings_is_not_free_afterwards(self, answers: bool) -> None:
        world = World("an")
        world.queue("c1")
        world.tell(AgentEngaged("an", "consult"))
        world.tell(TalkTaken("an", "c2", "sales"))
        world.tell(AgentDisengaged("an", "consult"))
        if answers:
            world.answer("c1", "an")
            world.tell(TalkEnded("c1", "an"))
        else:
            world.tell(OfferDeclined("c1", "an", "rejected"))
        assert (world.agent("an").state, world.agent("an").call) == ("talking", "c2")
        world.tell(CallLeft("c1"))
        world.tell(TalkEnded("c2", "an"))
        assert world.agent("an").state == "ready"


class TestLimits:
    """How long a call waits, and how many."""

    def test_a_call_that_waited_its_limit_is_out(self) -> None:
        world = World()
        world.queue("c1", limit_s=30.0)
        assert world.acd.deadline() == world.now + 30.0
        assert world.wait(30.0) == [CallTimedOut("c1")]
        assert world.acd.waiting() == ()
        assert world.acd.deadline() is None

    def test_a_limit_reached_while_it_rings_withdraws_the_offer(self) -> None:
        world = World("an")
        world.queue("c1", limit_s=10.0)
        assert world.wait(10.0) == [WithdrawOffer("c1", "an", "timed_out"), CallTimedOut("c1")]
        assert world.states() == {"an": "ready"}

    def test_an_answer_at_the_last_moment_counts(self) -> None:
        world = World("an")
        world.queue("c1", limit_s=15.0)
        world.now += 15.0
        assert world.told(OfferAnswered("c1", "an")) == []
        assert world.agent("an").state == "talking"

    def test_a_call_without_a_limit_waits_on(self) -> None:
        world = World()
        world.queue("c1", limit_s=math.inf)
        assert world.acd.deadline() is None

    def test_a_queue_that_is_closed_refuses_before_it_is_looked_at_whether_it_is_full(self) -> None:
        world = World("an")
        queued = CallQueued("c1", "care", math.inf, closed=True)
        assert world.acd.handle(queued, world.now) == [CallRefused("c1", "closed")]
        assert world.acd.queue_facts("care", world.now).waiting == 0

    def test_a_full_queue_refuses_and_a_place_that_is_left_is_free(self) -> None:
        world = World()
        for call in ("c1", "c2", "c3"):
            assert world.queue(call) == []
        assert world.queue("c4") == [CallRefused("c4", "full")]
        assert not world.acd.queue_facts("sales", world.now).open
        world.tell(CallLeft("c2"))
        assert world.queue("c4") == []

    def test_a_queue_that_does_not_exist_refuses(self) -> None:
        world = World("an")
        assert world.queue("c1", "nowhere") == [CallRefused("c1", "unknown_queue")]
        assert world.acd.queue_facts("nowhere", world.now) == QueueFacts(False, 0, 0.0, 0, 0, None)


class TestLateAndRepeatedInputs:
    """What comes too late, twice, or about strangers."""

    @pytest.mark.parametrize(
        "late",
        [
            OfferAnswered("c1", "binh"),
            OfferAnswered("c9", "an"),
            OfferDeclined("c1", "binh", "rejected"),
            OfferDeclined("c9", "an", "failed"),
            TalkEnded("c1", "an"),
            CallLeft("c9"),
            CallQueued("c1", "sales", 1.0, priority=1),
            AgentReady("stranger"),
            AgentReachable("stranger", reachable=True),
            OfferAnswered("c1", "stranger"),
            TimePassed(),
        ],
        ids=str,
    )
    def test_nothing_follows(self, late: AcdInput) -> None:
        world = World("an", "binh")
        world.queue("c1")
        before = world.acd.agents(), world.acd.deadline()
        assert world.tell(late) == []
        assert (world.acd.agents(), world.acd.deadline()) == before

    def test_an_answer_that_crosses_the_withdrawal_does_not_count(self) -> None:
        world = World("an", "binh")
        world.queue("c1")
        world.tell(AgentNotReady("an"))
        assert world.tell(OfferAnswered("c1", "an")) == []
        assert world.agent("an").state == "not_ready"
        assert world.agent("binh").state == "ringing"


class TestReachability:
    """Desk phones that come and go."""

    def test_a_phone_that_registers_is_ready_unless_it_was_set_not_ready(self) -> None:
        world = World()
        world.tell(AgentNotReady("an", "lunch"))
        assert world.agent("an") == AgentSnapshot("an", "offline", "lunch")
        world.tell(AgentReachable("an", reachable=True))
        assert (world.agent("an").state, world.agent("an").reason) == ("not_ready", "lunch")
        world.tell(AgentReachable("an", reachable=False))
        world.tell(AgentReady("an"))
        assert world.agent("an").state == "offline"
        world.tell(AgentReachable("an", reachable=True))
        assert world.agent("an").state == "ready"

    def test_a_refreshed_registration_is_no_news(self) -> None:
        world = World("an")
        idle_since = world.agent("an").idle_since
        world.now += 60.0
        assert world.tell(AgentReachable("an", reachable=True)) == []
        assert world.agent("an").idle_since == idle_since

    def test_a_reason_is_never_empty(self) -> None:
        world = World("an")
        world.tell(AgentNotReady("an"))
        assert world.agent("an").reason == "unspecified"


class TestFacts:
    """What a flow and the API see."""

    def test_the_facts_of_a_queue(self) -> None:
        world = World("an", "binh", "chi")
        world.tell(AgentNotReady("binh", "lunch"))
        world.queue("c1")
        world.answer("c1", "an")
        assert world.acd.queue_facts("sales", world.now) == QueueFacts(True, 0, 0.0, 1, 2, 0.0)
        assert world.acd.queue_facts("care", world.now) == QueueFacts(True, 0, 0.0, 1, 1, 0.0)
        world.queue("c2")
        world.answer("c2", "chi")
        world.queue("c3")
        world.now += 30.0
        assert world.acd.queue_facts("sales", world.now) == QueueFacts(True, 1, 30.0, 0, 2, 90.0)
        assert world.acd.queue_names() == ("sales", "care")

    def test_one_agent_and_what_it_serves(self) -> None:
        world = World("an")
        assert world.acd.agent("an") in world.acd.agents()
        assert world.acd.agent("nobody") is None
        assert (world.acd.serves("an", "sales"), world.acd.serves("an", "nowhere")) == (True, False)
        assert [agent for agent in ("an", "binh", "chi") if world.acd.serves(agent, "care")] == ["chi"]

    def test_the_estimate_follows_the_measured_handle_time(self) -> None:
        world = World("an")
        for number in range(60):
            world.queue(f"c{number}")
            world.answer(f"c{number}", "an")
            world.now += 290.0
            world.tell(TalkEnded(f"c{number}", "an"))
            world.wait(10.0)
        world.queue("last")
        world.answer("last", "an")
        assert world.acd.queue_facts("sales", world.now).estimated_wait_s == pytest.approx(300.0, abs=1.0)


class TestRestart:
    """Agents' rows come back; calls do not."""

    def restored(self, snapshot: AgentSnapshot) -> World:
        world = World()
        world.now += 2.0
        outputs = world.acd.restore([snapshot, AgentSnapshot("gone", "ready")], world.now)
        after = world.agent("an")
        unchanged = (snapshot.state, snapshot.reason, snapshot.call) == (after.state, after.reason, after.call)
        assert outputs == (
            [] if unchanged else [AgentChanged("an", after.state, after.reason, after.since, after.call)]
        )
        return world

    @pytest.mark.parametrize("state", ["ready", "offline", "not_ready"])
    @pytest.mark.parametrize(("reason", "back"), [("", "ready"), ("lunch", "not_ready")])
    def test_an_agent_is_offline_until_the_phone_is_there_and_keeps_the_wish(
        self, state: AgentState, reason: str, back: AgentState
    ) -> None:
        world = self.restored(AgentSnapshot("an", state, reason, BEGIN))
        assert world.agent("an").state == "offline"
        world.tell(AgentReachable("an", reachable=True))
        assert world.agent("an").state == back

    def test_a_ringing_agent_rings_no_more(self) -> None:
        world = self.restored(AgentSnapshot("an", "ringing", "", BEGIN, "c1"))
        assert world.agent("an") == AgentSnapshot("an", "offline", "", world.now)

    def test_a_talk_that_was_cut_becomes_after_call_work(self) -> None:
        world = self.restored(AgentSnapshot("an", "talking", "lunch", BEGIN, "c1"))
        assert world.agent("an").state == "after_call_work"
        world.tell(AgentReachable("an", reachable=True))
        world.wait(9.9)
        assert world.agent("an").state == "after_call_work"
        world.wait(0.1)
        assert world.agent("an").state == "not_ready"

    def test_after_call_work_goes_on_where_it_was(self) -> None:
        world = self.restored(AgentSnapshot("an", "after_call_work", "", BEGIN, "c1"))
        world.tell(AgentReachable("an", reachable=True))
        world.wait(8.0)
        assert world.agent("an").state == "ready"

    def test_after_call_work_that_would_be_over_is_over_at_the_first_deadline(self) -> None:
        world = self.restored(AgentSnapshot("an", "after_call_work", "", BEGIN - 60.0, "c1"))
        world.tell(TimePassed())
        assert world.agent("an").state == "offline"

    def test_an_unreachable_phone_is_tried_again(self) -> None:
        world = self.restored(AgentSnapshot("an", "not_ready", "unreachable", BEGIN))
        world.tell(AgentReachable("an", reachable=True))
        assert world.agent("an").state == "ready"


def test_an_agent_of_no_queue_is_offered_nothing() -> None:
    world = World("an", queues=[QueueSettings("sales", agents=())])
    assert world.queue("c1") == []
