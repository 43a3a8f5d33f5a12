"""The real queues, as a scenario has them."""

from hotline.trials.audio.queues import AGENT, Queues
from ivr_flows.facts import Facts, QueueFacts
from ivr_flows.state import QueueOutcome
from ivr_flows.trials.scenario import Visit, World
from ivr_flows.trials.world import Answers
from telephony import acd


def queues(*outcomes: QueueOutcome) -> Queues:
    """A queue in which four wait, and an agent."""
    facts = {"care": QueueFacts(waiting=4, estimated_wait_s=300.0)}
    world = World(Facts(queues=facts), visits={"care": tuple(map(Visit, outcomes))})
    made = Queues(facts, Answers(world))
    made.handle(acd.AgentReachable(AGENT, reachable=True), 0.0)
    return made


def enters(made: Queues, now: float) -> list[acd.AcdOutput]:
    return [
        each for each in made.handle(acd.CallQueued("c", "care", 60.0), now) if not isinstance(each, acd.AgentChanged)
    ]


def test_each_visit_comes_to_what_it_is_to_come_to() -> None:
    made = queues("full", "closed", "timeout", "answered")
    assert enters(made, 1.0) == [acd.CallRefused("c", "full")]
    assert enters(made, 2.0) == [acd.CallRefused("c", "unknown_queue")]
    assert enters(made, 3.0) == []
    assert made.handle(acd.TimePassed(), 63.0) == [acd.CallTimedOut("c")]
    assert enters(made, 64.0) == [acd.OfferCall("c", AGENT)]


def test_a_flow_sees_who_waits_already() -> None:
    made = queues("timeout")
    enters(made, 1.0)
    facts, place = made.queue_facts("care", 1.0), made.place("c", 1.0)
    assert (facts.open, facts.waiting, facts.estimated_wait_s) == (True, 4, 300.0)
    assert place is not None
    assert (place.position, place.estimated_wait_s) == (5, 300.0)
