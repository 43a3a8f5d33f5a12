"""A scenario played by a real call: a SIP phone does what the conductor says, and others answer."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hotline.config import Settings
from hotline.phone.audio import save_wav
from hotline.programs import Process, ProgramFailed
from hotline.trials.course import Course, disappointment_of
from hotline.trials.following import Follower
from hotline.trials.house import House
from hotline.trials.known import Base
from hotline.trials.others import Others
from hotline.trials.plan import plan_of
from hotline.trials.speech import THINKS_S, UNDERSTOOD_S, Speech, Voice, seconds_of
from ivr_flows.trials.examining import Beside
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import Disappointment, Played
from ivr_flows.trials.scenario import Scenario
from telephony.clock import time_of
from telephony.media.g711 import Samples

POLL_S: Final = 0.05
ANSWERED_S: Final = 30.0
END_S: Final = 10.0
GRACE_S: Final = 60.0
PACE: Final = 1.5
"""A call may last so many times as long as its logic, and longer by that: nobody knows how long words are."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What all calls are played with: settings, voices, and a database to begin with."""

    settings: Settings
    speech: Speech
    base: Base


async def play(beside: Beside, marked: Marked, scenario: Scenario, logic: Played, stage: Stage) -> tuple[Played, Voice]:
    """Play a scenario, which its logic plays like this, by a call to a server of its own. What does not come about is
    a disappointment. Raises `NotForEars`."""
    plan = plan_of(beside.flow, scenario, logic)
    with tempfile.TemporaryDirectory(prefix="hotline-trial-") as folder:
        house = House(Path(folder), stage.settings, beside, plan, stage.base)
        flow_settings = await house.web.start()
        facts = replace(plan.real.world.facts, settings=flow_settings)
        course = Course(scenario, Follower(marked, scenario, facts))
        voice = Voice(course, stage.speech)
        try:
            await asyncio.to_thread(voice.prepare, message=bool(plan.messages))
            await house.open(flow_settings)
            disappointment = await Playing(house, course, voice, PACE * logic.lasted_s + GRACE_S).play()
        except ProgramFailed as error:
            disappointment = Disappointment(scenario.line, str(error))
        finally:
            await house.close()
    return course.follower.played(disappointment), voice


@dataclass(slots=True)
class Playing:
    """One call while it goes on. `before` are the calls of others, and `entries` of its journal have been read."""

    house: House
    course: Course
    voice: Voice
    longest_s: float
    others: Others = field(init=False)
    before: set[str] = field(default_factory=set)
    entries: int = 0
    ends_at: float = 0.0

    def __post_init__(self) -> None:
        self.others = Others(self.house)

    async def play(self) -> Disappointment | None:
        """Call, do what the scenario says, and return what did not come true. Raises `ProgramFailed`, `NotForEars`."""
        await self.others.arrive()
        self.before = self.house.calls()
        facts = self.course.scenario.world.facts
        phone = await self.house.caller(facts.dnis, facts.ani)
        await phone.until("answered", ANSWERED_S)
        self.ends_at = time.monotonic() + self.longest_s
        disappointment = await self._talk(phone)
        phone.tell("hang_up")
        await phone.end(END_S)
        await self._wait(lambda: self.course.follower.is_over, END_S)
        return disappointment or self.course.afterwards()

    async def _talk(self, phone: Process) -> Disappointment | None:
        """Let the caller do what there is to do, until the call is over."""
        while time.monotonic() < self.ends_at:
            if not await self._is_quiet():
                continue
            shadow = self.course.follower.shadow
            keys = "" if shadow is None else await self.others.follow(shadow)
            if keys:
                await self._press(phone, keys)
            if self.course.leaves_message():
                self._play(phone, self.voice.message())
            act = self.course.act(time.time())
            match act.kind:
                case "fails":
                    return disappointment_of(act)
                case "done":
                    return None
                case "keys":
                    await self._press(phone, act.keys)
                case "says":
                    await self._say(phone, act.text)
                case "hangs_up":
                    phone.tell("hang_up")
                    if not await self._wait(lambda: self.course.has_ended, END_S):
                        text = "the call goes on after the caller has hung up"
                        return Disappointment(self.course.scenario.line, text)
        return self.course.endless(self.longest_s)

    async def _press(self, phone: Process, keys: str) -> None:
        """Press keys, and wait until they have been heard."""
        seconds = self.course.press(keys)
        phone.tell(f"press {keys}")
        if not await self._wait(lambda: self.course.are_heard or self.course.has_ended, seconds):
            raise ProgramFailed(self.course.unheard(keys).text)

    async def _say(self, phone: Process, text: str) -> None:
        """Say something, and wait until it is understood, or for a moment."""
        samples = self.voice.says(text)
        await asyncio.sleep(THINKS_S)
        self._play(phone, samples)
        spoken_at, seconds = time.monotonic() + seconds_of(samples), seconds_of(samples) + UNDERSTOOD_S
        await self._wait(
            lambda: (time.monotonic() >= spoken_at and self.voice.is_answered) or self.course.has_ended, seconds
        )

    def _play(self, phone: Process, samples: Samples) -> None:
        file = self.house.folder / f"said{len(list(self.house.folder.glob('said*.wav')))}.wav"
        save_wav(file, samples)
        phone.tell(f"play {file}")

    async def _is_quiet(self) -> bool:
        """Read on in the journal; whether there was nothing new."""
        await asyncio.sleep(POLL_S)
        return self._read() == 0

    def _read(self) -> int:
        call = next(iter(self.house.calls() - self.before), None)
        entries = [] if call is None else self.house.journal.read(call)[self.entries :]
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
