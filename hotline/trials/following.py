"""A real call, followed by its journal: what is heard, which steps and exits it takes, whether it waits for the caller.

The journal has every key, every prompt and every answer of the world, but not the flow's deadlines and what became of
its queue. So the flow's own walker goes the same way beside it: what the journal has it is given, and where the journal
shows a step or a prompt that it has not come to, it is given what must have happened unwritten. A way that it cannot
have gone is told (`lost`). Pure.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hotline.trials.shadow import Shadow
from ivr_flows.facts import Facts
from ivr_flows.state import (
    Answered,
    FlowInput,
    FlowState,
    KeyPressed,
    PromptsFinished,
    QueueEntered,
    QueueLeft,
    QueueOutcome,
    SpeechHeard,
)
from ivr_flows.step import start, step
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import BY_CALLER, Disappointment, Played, words_of
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.world import visit_of
from telephony.events import (
    CallerFound,
    CallerVerified,
    CallSnapshot,
    Command,
    DialogEnded,
    DigitPressed,
    Event,
    FlowAnswered,
    InviteReceived,
    Join,
    KeySignalled,
    Leave,
    Note,
    OpenLeg,
    Play,
    PromptFinished,
    Record,
    RecordingStopped,
    SaveCall,
    SaveVoicemail,
    TimePassed,
    UtteranceRecognised,
)

HIDDEN: Final = "•"
"""A key that nobody is to see, in the journal."""
NEW_CASE: Final = "case-new"
"""How a scenario calls the case that a flow opens."""
PLAYBACK: Final = "flow."
OUTCOMES: Final[tuple[QueueOutcome, ...]] = ("answered", "timeout", "full", "closed")
UNWRITTEN: Final = 50
"""So much may happen between two lines that the journal does not have."""


@dataclass(slots=True)
class Follower:
    """One call. `pressed` are the keys that its phone was told to press, `seen` how many of them the journal has;
    `message` is what would come of the message that is being left, empty while none is."""

    marked: Marked
    scenario: Scenario
    facts: Facts
    pressed: str = ""
    seen: int = 0
    dialog: str = ""
    leg: str = ""
    shadow: Shadow | None = None
    early: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    talks: int = 0
    message: str = ""
    row: CallSnapshot | None = None
    lost: str = ""
    cases: dict[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether the call has its end in the journal."""
        return self.row is not None

    def read(self, message: Event | Command, now: float) -> None:
        """Take a line of the journal."""
        match message:
            case InviteReceived() if not self.dialog:
                self.dialog = message.dialog
            case OpenLeg() if not self.leg:
                self.leg = message.leg
            case CallerFound():
                self.facts = replace(self.facts, caller=message.context, call=message.call, ani=message.ani)
            case CallerVerified() if self.shadow is not None:
                self.shadow.facts = replace(self.shadow.facts, caller=message.context)
            case Note(about="flow"):
                self._begin(message.text, now)
            case DigitPressed(leg=self.leg) | KeySignalled(dialog=self.dialog):
                self._key(message.digit, now)
            case SaveCall():
                self._saved(message.call, now)
            case _ if self.shadow is not None:
                self.shadow.now = max(self.shadow.now, now)
                self._follow(self.shadow, message)

    def _begin(self, text: str, now: float) -> None:
        version = text.rpartition(" ")[2]
        flow = self.marked.flow
        if flow.version != version:
            self.lost = f"the server plays version {version} of the flow, and not {flow.version}"
        facts = replace(self.facts, started_at=now)
        state, actions = start(flow, facts, now)
        scenario = replace(self.scenario, world=replace(self.scenario.world, at=now))
        self.shadow = Shadow(self.marked, scenario, facts, now, state)
        self.shadow.take(actions)
        for key in self.early:
            self.shadow.give(KeyPressed(key))

    def _key(self, digit: str, now: float) -> None:
        if digit == HIDDEN and self.seen < len(self.pressed):
            digit = self.pressed[self.seen]
        self.seen += 1
        if self.shadow is None:
            self.early.append(digit)
            return
        self.shadow.now = max(self.shadow.now, now)
        self.shadow.note("press", digit)
        self.shadow.give(KeyPressed(digit))

    def _follow(self, shadow: Shadow, message: Event | Command) -> None:
        match message:
            case PromptFinished(leg=self.leg, playback=playback) if playback.startswith(PLAYBACK):
                shadow.give(PromptsFinished(int(playback.removeprefix(PLAYBACK)), message.ending))
            case UtteranceRecognised():
                shadow.give(SpeechHeard(message.text, message.confidence))
            case FlowAnswered():
                self._answered(shadow, message)
            case Record(kind="voicemail"):
                self.message = "no_message"
            case SaveVoicemail():
                self.message = "next"
            case RecordingStopped() if message.cause:
                self.message = "failed"
            case Note(about="step"):
                self.steps.append(message.text)
                self._catch_up(shadow, lambda state: len(state.path) >= len(self.steps))
            case Play(leg=self.leg):
                self._plays(shadow, message)
            case Join(leg=self.leg):
                self.talks += 1
                shadow.note("talks", "")
                shadow.hear_no_more()
            case Leave(leg=self.leg) if self.talks and shadow.state.phase == "queued":
                self.talks = 0
                shadow.leave_queue("answered")
            case DialogEnded(dialog=self.dialog) if not shadow.scene.ended:
                shadow.end(BY_CALLER)

    def _answered(self, shadow: Shadow, message: FlowAnswered) -> None:
        found = str(message.values.get("id", ""))
        if found and found not in {case.id for case in self.facts.caller.open_cases}:
            self.cases[found] = NEW_CASE
        shadow.note("answer", message.outcome)
        shadow.give(Answered(message.number, message.outcome, message.values), message.outcome)

    def _plays(self, shadow: Shadow, message: Play) -> None:
        if message.playback.startswith(PLAYBACK):
            number = int(message.playback.removeprefix(PLAYBACK))
            self._catch_up(shadow, lambda state: state.playbacks >= number)
        words = " ".join(words_of(prompt) for prompt in message.prompts)
        shadow.scene.heard.append(words)
        shadow.note("hears", words)

    def _saved(self, row: CallSnapshot, now: float) -> None:
        if row.state != "ended":
            return
        self.row = row
        shadow = self.shadow
        if shadow is not None and not shadow.scene.ended:
            shadow.now = max(shadow.now, now)
            self._catch_up(shadow, lambda state: state.ended)
        if shadow is not None and not self.lost and tuple(shadow.state.path) != tuple(row.flow_path):
            self.lost = (
                f"the call went {' '.join(row.flow_path)}, and its journal tells of {' '.join(shadow.state.path)}"
            )

    # --------------------------------------------------------------------------------- what the journal does not have

    def _catch_up(self, shadow: Shadow, reached: Callable[[FlowState], bool]) -> None:
        """Let happen what must have happened, until the flow is where the journal has it."""
        for _ in range(UNWRITTEN):
            if reached(shadow.state) or self.lost:
                return
            if not self._happen(shadow, reached):
                self.lost = f"from step '{shadow.inner.place}' the call went a way that the flow does not have"
                return

    def _happen(self, shadow: Shadow, reached: Callable[[FlowState], bool]) -> bool:
        """Let the first thing happen that leads on, and to nothing that the journal does not have."""
        later = None
        for happened in self._possible(shadow):
            now = max(shadow.now, shadow.state.due or 0.0) if isinstance(happened, TimePassed) else shadow.now
            state, actions = step(shadow.marked.flow, shadow.state, shadow.facts, happened, now)
            if state is shadow.state or (state == shadow.state and not actions) or not self._fits(state):
                continue
            if reached(state):
                self._let(shadow, happened, now)
                return True
            later = later or (happened, now)
        if later is not None:
            self._let(shadow, *later)
        return later is not None

    def _possible(self, shadow: Shadow) -> Iterator[FlowInput]:
        state = shadow.state
        if self.message:
            yield Answered(shadow.asked, self.message)
        if state.phase == "queued":
            if state.waiting is None:
                yield QueueEntered()
            else:
                yield TimePassed()
            yield from (QueueLeft(outcome) for outcome in dict.fromkeys((self._outcome(shadow), *OUTCOMES)))
        else:
            yield TimePassed()

    def _outcome(self, shadow: Shadow) -> QueueOutcome:
        """Return what is likely to have come of the queue: several outcomes may lead to the same step."""
        outcome = visit_of(self.scenario.world, shadow.told.queues).outcome
        return "answered" if self.talks else "timeout" if outcome == "answered" else outcome

    def _let(self, shadow: Shadow, happened: FlowInput, now: float) -> None:
        shadow.now = now
        match happened:
            case TimePassed():
                shadow.time_out()
            case QueueLeft(outcome=outcome):
                self.talks = 0
                shadow.leave_queue(outcome)
            case Answered(outcome=outcome):
                self.message = ""
                shadow.note("answer", outcome)
                shadow.give(happened, outcome)
            case _:
                shadow.give(happened)

    def _fits(self, state: FlowState) -> bool:
        """Whether a way is the journal's as far as that goes; it tells the steps of one walk one by one."""
        common = min(len(state.path), len(self.steps))
        return list(state.path[:common]) == self.steps[:common]

    # ------------------------------------------------------------------------------------------------------ the end

    def played(self, disappointment: Disappointment | None) -> Played:
        """Return the call as it was."""
        shadow = self.shadow
        if shadow is None:
            empty = FlowState(step=self.marked.flow.start, language="")
            at = self.scenario.world.at
            shadow = Shadow(self.marked, self.scenario, self.facts, at, empty)
        found = shadow.over(disappointment)
        lasted_s = shadow.now - shadow.scenario.world.at
        return replace(found, case=self.cases.get(found.case, found.case), lasted_s=lasted_s)
