"""The switchboard in the world of a scenario, on a clock of ticks: signalling is done here, by saying what came of it.

Rule 1: what is commanded is done at once or put down for an instant; what comes of it is an event, and so are the acts
of the caller and the agent. Nothing here knows what the flow does.

Rule 2: no wall clock. The call begins when the scenario says, and a tick is 20 ms.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from hotline.config_hours import Hours
from hotline.trials.audio.handset import Handset
from hotline.trials.audio.queues import AGENT, Queues
from hotline.trials.audio.sound import Sound
from hotline.trials.opening import hours
from ivr_flows.facts import Facts
from ivr_flows.flow import Flow
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.world import NOT_THERE, Answers
from telephony import sdp
from telephony.clock import tick_at, time_of
from telephony.events import (
    Answer,
    BindingChanged,
    CallerFound,
    CallerVerified,
    CloseLeg,
    Command,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Event,
    FindCaller,
    FlowAnswered,
    FlowRequest,
    GuardKeys,
    Hangup,
    HoursChanged,
    Invite,
    InviteReceived,
    Join,
    Leave,
    Listen,
    ListenForVoice,
    OpenLeg,
    PauseRecording,
    Play,
    Record,
    RecordingStopped,
    Reject,
    ResumeRecording,
    SeekPlaying,
    SendKeys,
    StopListening,
    StopPlaying,
    StopRecording,
    TimePassed,
)
from telephony.requests import TakeMessage, kind_of
from telephony.switchboard import Switchboard, SwitchboardSettings

CALLER: Final = "caller"
"""The caller's dialog."""
PHONE: Final = sdp.Capabilities("127.0.0.1", 40_000, 1, (sdp.PCMA, sdp.PCMU))
SOUND: Final = (
    OpenLeg, ConnectLeg, CloseLeg, Join, Leave, GuardKeys, ListenForVoice, Play, StopPlaying, SeekPlaying, SendKeys,
    Listen, StopListening, Record, StopRecording, PauseRecording, ResumeRecording,
)  # fmt: skip
ENDED: Final = "local"
Told = Callable[[Event | Command, float], None]


class Exchange:
    """One call. `told` gets every event and every command, in their order, with their instant."""

    def __init__(self, flow: Flow, scenario: Scenario, make: Callable[[Callable[[Event], None]], Sound], told: Told):
        world = scenario.world
        self.tick = tick_at(world.at)
        self.sound = make(self.happened)
        self.leg = ""
        """The caller's."""
        self.unanswered = ""
        """A request that the scenario has no answer to."""
        self._facts = world.facts
        self._answers = Answers(world)
        self._told = told
        self._events: deque[Event] = deque()
        self._due: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()
        self._agent = ""
        self.queues = Queues(world.facts.queues, self._answers)
        self._switchboard = Switchboard(
            _settings(flow, world.facts, self.now), {flow.name: flow}, self.queues, lambda: f"call{next(self._numbers)}"
        )
        self._prepare()

    @property
    def now(self) -> float:
        """The instant, in seconds since the epoch."""
        return time_of(self.tick)

    @property
    def caller(self) -> Handset | None:
        """The caller's handset; None before there is a leg for it, and after the call."""
        return self.sound.handsets.get(self.leg)

    def _prepare(self) -> None:
        """Nobody hears of what was before the call."""
        before = [HoursChanged(name, True, 1) for name, state in self._facts.hours.items() if state == "emergency"]
        for event in (*before, BindingChanged(AGENT, 1)):
            self._switchboard.handle(event, self.now)

    # ----------------------------------------------------------------------------------------------- what happens

    def ring(self) -> None:
        """The caller calls."""
        facts = self._facts
        ani = facts.ani
        self.happened(InviteReceived(CALLER, ani, "", not ani, facts.dnis, sdp.offer(PHONE), "127.0.0.1:5060"))

    def hang_up(self) -> None:
        """The caller hangs up."""
        self.happened(DialogEnded(CALLER, "bye"))

    def happened(self, event: Event) -> None:
        """Something happens, once what happens now is done with."""
        self._events.append(event)

    def step(self) -> bool:
        """Let a tick pass; return whether nothing happened in it."""
        self.sound.tick(self.tick)
        self.tick += 1
        while self._due and self._due[0][0] <= self.now:
            self.happened(self._due.pop(0)[2])
        deadline = self._switchboard.deadline()
        if deadline is not None and deadline <= self.now:
            self.happened(TimePassed())
        is_quiet = not self._events
        while self._events:
            self._handle(self._events.popleft())
        return is_quiet

    def _handle(self, event: Event) -> None:
        commands = self._switchboard.handle(event, self.now)
        self._told(event, self.now)
        for command in commands:
            self._told(command, self.now)
            self._perform(command)

    # --------------------------------------------------------------------------------------------- what comes of it

    def _perform(self, command: Command) -> None:
        match command:
            case Answer():
                self.happened(DialogConfirmed(command.dialog, ""))
            case Reject() | Hangup():
                self._forget(command.dialog)
                self.happened(DialogEnded(command.dialog, ENDED))
            case Invite():
                self.happened(DialogRinging(command.dialog))
                answered = DialogAnswered(command.dialog, sdp.answer(command.sdp, PHONE).sdp)
                self._later(self.queues.visit.after_s, answered)
                self._agent = command.dialog
            case FindCaller():
                self.happened(CallerFound(command.call, self._facts.ani, self._facts.caller))
            case FlowRequest():
                self._ask(command)
            case OpenLeg() if not self.leg:
                self.leg = command.leg
                self.sound.perform(command, self.tick)
            case Join(leg=self.leg) if self._agent:
                self.sound.perform(command, self.tick)
                self._later(self.queues.visit.talk_s, DialogEnded(self._agent, "bye"))
            case Record(kind="voicemail"):
                self.sound.perform(command, self.tick)
                self._take_message(command)
            case _ if isinstance(command, SOUND):
                self.sound.perform(command, self.tick)
            case _:
                pass  # rows, and what listeners are told

    def _ask(self, command: FlowRequest) -> None:
        said = self._answers.reply(command.request, self._facts)
        if said is None:
            what = getattr(command.request, "url", "") or kind_of(command.request)
            self.unanswered = NOT_THERE.format(what)
            return
        if said.is_late(command.timeout_s):
            return  # the flow has its own time for that
        if said.caller is not None:
            self._later(said.after_s, CallerVerified(command.call, said.caller, proven=True))
        self._later(said.after_s, FlowAnswered(command.call, command.number, said.outcome, said.values))

    def _take_message(self, command: Record) -> None:
        """A message is to be left, or none (`Course.leaves_message`), or its disk is full, as the scenario has it."""
        reply = self._answers.reply(TakeMessage(command.queue, math.inf), self._facts)
        if reply is not None and reply.outcome == "failed":
            self._later(0.0, RecordingStopped(command.recording, 0, "there is no room on the disk"))

    def _later(self, seconds: float, event: Event) -> None:
        self._due.append((self.now + seconds, next(self._numbers), event))
        self._due.sort(key=lambda due: due[:2])

    def _forget(self, dialog: str) -> None:
        """A phone that stopped ringing answers no more."""
        self._due = [due for due in self._due if getattr(due[2], "dialog", "") != dialog]


def _settings(flow: Flow, facts: Facts, now: float) -> SwitchboardSettings:
    calendars: Mapping[str, Hours] = {name: Hours.model_validate(hours(facts, name, now)) for name in facts.hours}
    return SwitchboardSettings(
        numbers={"*": flow.name},
        codecs=PHONE.codecs,
        srtp="off",
        timezone=facts.timezone,
        region=facts.region,
        language=flow.languages[0],
        flow_settings=facts.settings,
        hours={name: each.calendar for name, each in calendars.items()},
    )
