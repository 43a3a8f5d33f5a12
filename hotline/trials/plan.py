"""What a real call of a scenario comes to: queues in which others wait, and people outside who are called. Pure.

Which queues, and in what order, is known from the scenario's logic. A queue is full where as many wait as may; who
waits there before the caller are calls of others, so after being full a queue may come to something else, and not the
other way round: nobody can be put before somebody who waits. One that is closed is none that the settings have.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from ivr_flows.facts import QueueFacts
from ivr_flows.trials.played import Played
from ivr_flows.trials.scenario import Reply, Scenario, Visit
from ivr_flows.trials.world import Answers
from telephony.requests import DialOut, TransferCall

ROOM: Final = 50
"""So many may wait in a queue that is never full."""
CALLS: Final[Mapping[str, DialOut | TransferCall]] = {"dial": DialOut("", math.inf), "transfer": TransferCall()}


class Stay(NamedTuple):
    """A queue that the caller comes to, and what comes of it."""

    queue: str
    visit: Visit


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario's `stays` in queues, and what comes of the numbers that are `called`, in their order. `over` is how
    many of the stays are."""

    scenario: Scenario
    stays: tuple[Stay, ...]
    called: tuple[Reply, ...]
    takes_message: bool

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

    def is_closed(self, queue: str) -> bool:
        """Whether a queue is closed whenever the call comes to it."""
        return "closed" in self.outcomes(queue)

    @property
    def crowds(self) -> dict[str, int]:
        """Return how many others wait in each queue at first, where any do."""
        waiting = {name: self.waiting_in(name) for name in self.scenario.world.facts.queues if not self.is_closed(name)}
        return {name: count for name, count in waiting.items() if count}

    def queues(self, over: int = 0) -> Mapping[str, QueueFacts]:
        """Return the queues as a real server shows them: how long the wait is it says only while somebody serves it,
        and while others wait nobody does."""
        return {
            name: QueueFacts(open=False)
            if self.is_closed(name)
            else replace(
                known,
                open=self.waiting_in(name, over) < self.room_in(name),
                waiting=self.waiting_in(name, over),
                estimated_wait_s=0.0,
            )
            for name, known in self.scenario.world.facts.queues.items()
        }

    @property
    def real(self) -> Scenario:
        """The scenario in the world that a real server has."""
        world = self.scenario.world
        return replace(self.scenario, world=replace(world, facts=replace(world.facts, queues=self.queues())))


def plan_of(scenario: Scenario, played: Played) -> Plan:
    """Return what a scenario comes to, which was played by its logic like this."""
    answers, facts = Answers(scenario.world), scenario.world.facts
    asked = [moment.text for moment in played.way if moment.what == "asks"]
    said = [answers.reply(CALLS[kind], facts) for kind in asked if kind in CALLS]
    return Plan(
        scenario,
        tuple(Stay(queue, answers.visit(queue)) for queue in played.queues),
        tuple(Reply("answered") if each is None else Reply(each.outcome, after_s=each.after_s) for each in said),
        "voicemail" in asked,
    )
