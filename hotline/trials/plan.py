"""What a real call of a scenario comes to: queues in which others wait, and people who are called. Pure.

Which queues, and in what order, is known from the scenario's logic. A queue is full where as many wait as may; who
waits there before the caller are calls of others, so after being full a queue may come to something else, and not the
other way round: nobody can be put before somebody who waits. One that is closed, or takes no messages, is none that
the settings have.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from ivr_flows.facts import QueueFacts
from ivr_flows.flow import Dial, Flow, Step, Transfer, Voicemail
from ivr_flows.trials.played import Played
from ivr_flows.trials.scenario import Scenario, Visit
from ivr_flows.trials.world import Answers, replies_of
from telephony.requests import DialOut, TransferCall

ROOM: Final = 50
"""So many may wait in a queue that is never full."""


class Stay(NamedTuple):
    """A queue that the caller comes to, and what comes of it."""

    queue: str
    visit: Visit


class Called(NamedTuple):
    """Whom a flow calls, or gives the call to: a number, or an `agent`; and what comes of it."""

    outcome: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario's `stays` in queues, who is `called`, in their order, and the queues that `messages` are left for.
    `over` is how many of the stays are."""

    scenario: Scenario
    stays: tuple[Stay, ...]
    called: tuple[Called, ...]
    messages: frozenset[str]

    def waiting_in(self, queue: str, over: int = 0) -> int:
        """Return how many others wait in a queue. Before it comes to something else, one more than then makes it
        full."""
        known = self.scenario.world.facts.queues.get(queue, QueueFacts()).waiting
        coming = [stay.visit.outcome for stay in self.stays[over:] if stay.queue == queue]
        return known + 1 if len(set(coming)) > 1 and coming[0] == "full" else known

    def room_in(self, queue: str) -> int:
        """Return how many may wait in a queue."""
        return self.waiting_in(queue) if "full" in self.outcomes(queue) else ROOM

    def outcomes(self, queue: str) -> list[str]:
        """Return what comes of a queue, one visit after another."""
        return [stay.visit.outcome for stay in self.stays if stay.queue == queue]

    def is_missing(self, queue: str) -> bool:
        """Whether the server has no such queue: it is closed, or a message for it is to fail."""
        fails = queue in self.messages and "failed" in self.of_messages
        return "closed" in self.outcomes(queue) or (fails and not self.outcomes(queue))

    @property
    def of_messages(self) -> set[str]:
        """Return what comes of messages."""
        return {reply.outcome for reply in replies_of(self.scenario.world, "voicemail")}

    @property
    def crowds(self) -> dict[str, int]:
        """Return how many others wait in each queue at first, where any do."""
        waiting = {
            name: self.waiting_in(name) for name in self.scenario.world.facts.queues if not self.is_missing(name)
        }
        return {name: count for name, count in waiting.items() if count}

    def queues(self, over: int = 0) -> Mapping[str, QueueFacts]:
        """Return the queues as a real server shows them: how long the wait is it says only while somebody serves it,
        and while others wait nobody does."""
        return {
            name: replace(
                known,
                open=self.waiting_in(name, over) < self.room_in(name),
                waiting=self.waiting_in(name, over),
                estimated_wait_s=0.0,
            )
            for name, known in self.scenario.world.facts.queues.items()
            if not self.is_missing(name)
        }

    @property
    def agents(self) -> frozenset[str]:
        """Return the agents to whom calls are given by name, and whom the server knows: nobody is called who is to
        fail."""
        failed = {each.agent for each in self.called if each.outcome == "failed"}
        return frozenset(each.agent for each in self.called if each.agent) - failed

    @property
    def real(self) -> Scenario:
        """The scenario in the world that a real server has."""
        world = self.scenario.world
        return replace(self.scenario, world=replace(world, facts=replace(world.facts, queues=self.queues())))


def plan_of(flow: Flow, scenario: Scenario, played: Played) -> Plan:
    """Return what a scenario comes to, which was played by its logic like this."""
    answers, facts = Answers(scenario.world), scenario.world.facts
    called = list[Called]()
    for _, step in steps_of(flow, played):
        if isinstance(step, Dial) or (isinstance(step, Transfer) and not step.flow):
            request = DialOut("", math.inf) if isinstance(step, Dial) else TransferCall()
            said = answers.reply(request, facts)
            agent = step.agent if isinstance(step, Transfer) else ""
            called.append(Called("answered" if said is None else said.outcome, agent))
    return Plan(
        scenario,
        tuple(Stay(queue, answers.visit(queue)) for queue in played.queues),
        tuple(called),
        frozenset(step.queue for _, step in steps_of(flow, played) if isinstance(step, Voicemail)),
    )


def steps_of(flow: Flow, played: Played) -> Iterator[tuple[str, Step]]:
    """Yield the steps that a call came to, each with its place."""
    for place in played.steps:
        part, _, name = place.rpartition("/")
        yield place, flow.part(part).steps[name]
