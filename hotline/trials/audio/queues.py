"""The real queues, as the scenario has them: what they show to flows, and what comes of each visit. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from ivr_flows.facts import QueueFacts
from ivr_flows.trials.scenario import Visit
from ivr_flows.trials.world import Answers
from telephony import acd
from telephony.acd.messages import Place

AGENT: Final = "agent"
NOBODY: Final = "nobody"
RINGS_S: Final = 24 * 3600.0
"""The agent's phone rings as long as the scenario has it."""
WRAP_UP_S: Final = 1.0


class Queues(acd.Acd):
    """Queues with one agent, who takes the calls that the scenario lets be answered. `visit` is that of the one call
    there is, its present one or its last."""

    def __init__(self, facts: Mapping[str, QueueFacts], answers: Answers) -> None:
        queues = {name: acd.QueueSettings(name, RINGS_S, WRAP_UP_S) for name in facts}
        super().__init__(queues, {AGENT: acd.AgentSettings(AGENT)})
        self._facts = facts
        self._answers = answers
        self._queue = ""
        self.visit = Visit()

    def handle(self, happened: acd.AcdInput, now: float) -> list[acd.AcdOutput]:
        """As any queue; one that is full or closed by the scenario is so, and nobody is there where time runs out."""
        if isinstance(happened, acd.CallQueued):
            self._queue = happened.queue
            self.visit = self._answers.visit(happened.queue)
            if self.visit.outcome in ("full", "closed"):
                return [acd.CallRefused(happened.call, "full" if self.visit.outcome == "full" else "unknown_queue")]
            if self.visit.outcome == "timeout":
                happened = replace(happened, only=NOBODY)
        return super().handle(happened, now)

    def queue_facts(self, queue: str, now: float) -> acd.QueueFacts:
        """Return what the scenario says of a queue; whoever calls is not among those who wait."""
        real = super().queue_facts(queue, now)
        known = self._facts.get(queue, QueueFacts(open=False))
        return replace(real, open=known.open, waiting=known.waiting, estimated_wait_s=known.estimated_wait_s)

    def place(self, call: str, now: float) -> Place | None:
        """Return the place behind those who wait already."""
        real, known = super().place(call, now), self._facts.get(self._queue, QueueFacts())
        return None if real is None else Place(real.position + known.waiting, known.estimated_wait_s)
