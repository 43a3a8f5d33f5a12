"""Who else has a part in a real call: those who wait before the caller, agents, and whoever is called outside.

Each is a phone in a process of its own. What they do next follows from where the call is: nobody can be put into a
queue before somebody who waits there, but who is there can go, and an agent who was away can come.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hotline.programs import Process
from hotline.trials.house import House
from hotline.trials.plan import Called
from hotline.trials.shadow import Shadow
from hotline.trials.suitable import TALK_S
from telephony.switchboard.conference import LEAVES

THERE_S: Final = 30.0
COMES_S: Final = 2.0
"""How long an agent takes to be there."""
PICKS_UP_S: Final = 1.0
"""Whoever is called outside answers after so long."""
RINGS_S: Final = {"busy": 0.2, "failed": 0.2, "no_answer": 3600.0}
"""Or says after so long that they do not."""
SAYS: Final = {"busy": "486 Busy Here", "failed": "500 Server Internal Error"}
"""In these words."""


@dataclass(slots=True)
class Others:
    """The conductor tells them of the call. Of the stays in queues `entered` have begun and `over` are over; `met`
    talks have begun, and `done` is what else the flow has asked for and got. An agent comes at `comes_at`, who talks
    hangs up at `goes_at`, in monotonic seconds."""

    house: House
    crowds: dict[str, list[Process]] = field(default_factory=dict)
    agent: Process | None = None
    called: Process | None = None
    to_call: list[Called] = field(default_factory=list)
    over: int = 0
    entered: int = 0
    met: int = 0
    done: int = 0
    comes_at: float = math.inf
    goes_at: float = math.inf

    async def arrive(self) -> None:
        """Let everybody be there who is before the caller calls. Raises `ProgramFailed`."""
        self.to_call = list(self.house.plan.called)
        await self._expect_call()
        for queue, count in self.house.plan.crowds.items():
            self.crowds[queue] = [await self.house.waiter(queue) for _ in range(count)]
        for phone in (phone for crowd in self.crowds.values() for phone in crowd):
            await phone.until("answered", THERE_S)
        await self._expect_stay()
        if self.agent is not None:
            await self.agent.until("registered", THERE_S)

    async def follow(self, shadow: Shadow) -> str:
        """Do what follows from where the call is; return keys that the caller presses to be among others no more."""
        over = len(shadow.told.queues) - (shadow.state.phase == "queued")
        if over > self.over:
            self.over = over
            shadow.facts = replace(shadow.facts, queues=self.house.plan.queues(over))
            await self._expect_stay()
        if len(shadow.told.queues) > self.entered:
            self.entered = len(shadow.told.queues)
            self._entered()
        if len(shadow.done) > self.done:
            self.done = len(shadow.done)
            if shadow.done[-1] in ("dial", "transfer"):
                await self._expect_call()
        if len(shadow.met) > self.met:
            self.met = len(shadow.met)
            self.goes_at = time.monotonic() + TALK_S
        return await self._in_time(shadow)

    async def _in_time(self, shadow: Shadow) -> str:
        now = time.monotonic()
        if now >= self.comes_at:
            self.comes_at = math.inf
            await self._serve()
        if now < self.goes_at:
            return ""
        self.goes_at = math.inf
        if shadow.met[-1] == "conference":
            return LEAVES
        if shadow.met[-1] == "agent":
            self._agent_goes()
        elif self.called is not None:
            self.called.tell("hang_up")
        return ""

    # -------------------------------------------------------------------------------------------------- in queues

    async def _expect_stay(self) -> None:
        """Prepare for the next stay in a queue, before the call comes to it."""
        plan = self.house.plan
        for queue, crowd in self.crowds.items():
            self._thin_out(queue, len(crowd) - plan.waiting_in(queue, self.over))
        self._agent_goes()  # who was not reached, since the call has left the queue
        for stay in plan.stays[self.over : self.over + 1]:
            if stay.visit.outcome == "answered" and not self.crowds.get(stay.queue):
                self.agent = await self.house.agent(stay.visit.after_s)

    def _agent_goes(self) -> None:
        agent, self.agent = self.agent, None
        if agent is not None:
            agent.tell("hang_up")

    def _thin_out(self, queue: str, count: int) -> None:
        for _ in range(count):
            self.crowds[queue].pop().tell("hang_up")

    def _entered(self) -> None:
        """Where others wait, an agent comes when it is time, and they have gone."""
        for stay in self.house.plan.stays[self.entered - 1 : self.entered]:
            if stay.visit.outcome == "answered" and self.crowds.get(stay.queue):
                self.comes_at = time.monotonic() + max(0.0, stay.visit.after_s - COMES_S)

    async def _serve(self) -> None:
        for queue, crowd in self.crowds.items():
            self._thin_out(queue, len(crowd))
        self.agent = await self.house.agent(0.0)

    # ---------------------------------------------------------------------------------------------------- outside

    async def _expect_call(self) -> None:
        """Let a phone be where a number leads that is called next, or an agent who is given the call. One who does not
        answer has no phone, and one by whom it fails is nobody."""
        if self.called is not None:
            await self.called.stop()
        self.called = None
        for outcome, agent in self.to_call[:1]:
            if not agent:
                after_s = RINGS_S.get(outcome, PICKS_UP_S)
                refuse = ["--refuse", SAYS[outcome]] if outcome in SAYS else []
                self.called = await self.house.outside("--answer-after", f"{after_s:g}", *refuse)
                await self.called.until("listening", THERE_S)
            elif outcome == "answered":
                self.called = await self.house.agent(PICKS_UP_S, agent)
                await self.called.until("registered", THERE_S)
        del self.to_call[:1]
