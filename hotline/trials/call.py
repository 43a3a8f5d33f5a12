"""A scenario played by a real call: a SIP phone does what the conductor says, and an agent's phone answers."""

import asyncio
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hotline.config import Settings
from hotline.programs import Process, ProgramFailed
from hotline.trials.course import Course, disappointment_of
from hotline.trials.following import Follower
from hotline.trials.house import Base, House
from ivr_flows.facts import QueueFacts
from ivr_flows.trials.examining import Beside
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Disappointment, Played
from ivr_flows.trials.scenario import Scenario
from telephony.clock import time_of

POLL_S: Final = 0.05
KEYS_S: Final = 5.0
"""How long a key may take to the journal."""
KEY_S: Final = 0.3
ANSWERED_S: Final = 30.0
END_S: Final = 10.0
GRACE_S: Final = 60.0
PACE: Final = 1.5
"""A call may last so many times as long as its logic, and longer by that: nobody knows how long words are."""


async def play(
    beside: Beside, marked: Marked, scenario: Scenario, logic_s: float, settings: Settings, base: Base
) -> Played:
    """Play a scenario, which lasts so long by its logic, by a call to a server of its own. What does not come about is
    a disappointment."""
    with tempfile.TemporaryDirectory(prefix="hotline-trial-") as folder:
        house = House(Path(folder), settings, beside, scenario, base)
        flow_settings = await house.web.start()
        facts = replace(scenario.world.facts, settings=flow_settings, queues=queues_of(scenario))
        course = Course(scenario, Follower(marked, scenario, facts))
        try:
            await house.open(flow_settings)
            disappointment = await Playing(house, course, PACE * logic_s + GRACE_S).play()
        except ProgramFailed as error:
            disappointment = Disappointment(scenario.line, str(error))
        finally:
            await house.close()
    return course.follower.played(disappointment)


def queues_of(scenario: Scenario) -> dict[str, QueueFacts]:
    """Return the queues as a real server shows them: one that is full takes no calls."""
    world = scenario.world
    full = {name for name, each in world.visits.items() if any(visit.outcome == "full" for visit in each)}
    return {name: replace(each, open=name not in full) for name, each in world.facts.queues.items()}


@dataclass(slots=True)
class Playing:
    """One call while it goes on. `entries` of its journal have been read."""

    house: House
    course: Course
    longest_s: float
    entries: int = 0
    agent: Process | None = None
    talk_ends_at: float = math.inf
    ends_at: float = math.inf

    async def play(self) -> Disappointment | None:
        """Call, do what the scenario says, and return what did not come true. Raises `ProgramFailed`."""
        if any(visit.outcome == "answered" for visit in self.house.visits):
            await self._register()
        facts = self.house.scenario.world.facts
        phone = await self.house.start(
            "the caller's phone", "hotline.phone", "call", facts.dnis, "--server", self.house.server,
            "--from", facts.ani or "anonymous", "--live", "--json",
        )  # fmt: skip
        await phone.until("answered", ANSWERED_S)
        self.ends_at = time.monotonic() + self.longest_s
        disappointment = await self._talk(phone)
        phone.tell("hang_up")
        await phone.end(END_S)
        await self._wait(lambda: self.course.follower.is_over, END_S)
        return disappointment or self.course.afterwards()

    async def _register(self) -> None:
        house, agent = self.house, self.house.base.agent
        after_s = min((visit.after_s for visit in house.visits if visit.outcome == "answered"), default=0.0)
        self.agent = await house.start(
            "the agent's phone", "hotline.phone", "agent", "--server", house.server, "--user", agent.sip_user,
            "--password", agent.sip_password, "--answer-after", f"{after_s:g}", "--live", "--json",
        )  # fmt: skip
        await self.agent.until("registered", ANSWERED_S)

    async def _talk(self, phone: Process) -> Disappointment | None:
        """Let the caller do what there is to do, until the call is over."""
        while time.monotonic() < self.ends_at:
            if not await self._is_quiet():
                continue
            act = self.course.act(time.time())
            match act.kind:
                case "fails":
                    return disappointment_of(act)
                case "done":
                    return None
                case "keys":
                    await self._press(phone, act.keys)
                case "hangs_up":
                    phone.tell("hang_up")
                    if not await self._wait(lambda: self.course.has_ended, END_S):
                        text = "the call goes on after the caller has hung up"
                        return Disappointment(self.course.scenario.line, text)
        return self.course.endless(self.longest_s)

    async def _press(self, phone: Process, keys: str) -> None:
        """Press keys, and wait until they have been heard."""
        follower = self.course.follower
        follower.pressed += keys
        phone.tell(f"press {keys}")
        heard = await self._wait(
            lambda: follower.seen >= len(follower.pressed) or self.course.has_ended, KEYS_S + KEY_S * len(keys)
        )
        if not heard:
            raise ProgramFailed(f"of the keys {keys} only {follower.seen} in all were heard within {KEYS_S:g} s")

    async def _is_quiet(self) -> bool:
        """Read on in the journal; whether there was nothing new."""
        await asyncio.sleep(POLL_S)
        new = self._read()
        if self.agent is not None:
            if self.course.follower.talks and self.talk_ends_at == math.inf:
                self.talk_ends_at = time.monotonic() + min(visit.talk_s for visit in self.house.visits)
            if time.monotonic() >= self.talk_ends_at:
                self.agent.tell("hang_up")
                self.agent = None
        return new == 0

    def _read(self) -> int:
        path = next(iter(self.house.journals.rglob("*.jsonl")), None)
        entries = [] if path is None else self.house.journal.read(path.stem)[self.entries :]
        self.entries += len(entries)
        for entry in entries:
            self.course.follower.read(entry.message, time_of(entry.tick))
        return len(entries)

    async def _wait(self, until: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not until() or not await self._is_quiet():
            if time.monotonic() > deadline:
                return False
            await self._is_quiet()
        return True
