"""A real call, followed by its journal: what is heard, which steps and exits it takes, whether it waits for the caller.

The journal has every key, every prompt and every answer of the world, but not the flow's deadlines and what became of
its queue. So the flow's own walker goes the same way beside it: what the journal has it is given, and where the journal
shows a step or a prompt that it has not come to, it is given what must have happened unwritten
(`hotline.trials.unwritten`). A way that it cannot have gone is told (`lost`). Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from hotline.trials.shadow import Shadow
from hotline.trials.unwritten import Reached, catch_up
from ivr_flows.facts import Facts
from ivr_flows.state import Answered, FlowState, KeyPressed, PromptsFinished, SpeechHeard
from ivr_flows.step import start
from ivr_flows.trials.marks import Marked
from ivr_flows.trials.played import AWAY, BY_CALLER, Disappointment, Played, words_of
from ivr_flows.trials.scenario import Scenario
from telephony.events import (
    CallerFound,
    CallerVerified,
    CallSnapshot,
    Command,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Event,
    FlowAnswered,
    InviteReceived,
    Join,
    KeySignalled,
    Leave,
    Listen,
    Note,
    OpenLeg,
    Play,
    PromptFinished,
    Record,
    RecordingStopped,
    SaveCall,
    SaveVoicemail,
    StopListening,
    UtteranceDismissed,
    UtteranceRecognised,
    VoiceEnded,
    VoiceStarted,
)
from telephony.switchboard.call import Listening
from telephony.switchboard.forward import BUSY, NO_ANSWER

HIDDEN: Final = "•"
"""A key that nobody is to see, in the journal."""
NEW_CASE: Final = "case-new"
"""How a scenario calls the case that a flow opens."""
PLAYBACK: Final = "flow."
REFUSED: Final[Mapping[int, str]] = {**dict.fromkeys(BUSY, "busy"), **dict.fromkeys(NO_ANSWER, "no_answer")}
"""What a phone that was called says with the status that it refuses with."""


@dataclass(slots=True)
class Follower:
    """One call. `pressed` are the keys that its phone was told to press, `seen` how many of them the journal has;
    `heard` is what was understood of what the caller said, with the recogniser's confidence, and `misses` how often it
    was nothing. `messages` have been asked for."""

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
    heard: list[tuple[str, float]] = field(default_factory=list)
    misses: int = 0
    messages: int = 0
    listening: Listening | None = None
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
        self.shadow = Shadow(self.marked, scenario, facts, now, state, known=self.steps)
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
        self.shadow.press(digit)

    def _follow(self, shadow: Shadow, message: Event | Command) -> None:
        match message:
            case PromptFinished(leg=self.leg, playback=playback) if playback.startswith(PLAYBACK):
                shadow.give(PromptsFinished(int(playback.removeprefix(PLAYBACK)), message.ending))
            case FlowAnswered():
                self._answered(shadow, message)
            case Note(about="step"):
                self.steps.append(message.text)
                self._catch_up(shadow, lambda state: len(state.path) >= len(self.steps))
            case Play(leg=self.leg):
                self._plays(shadow, message)
            case DialogEnded(dialog=self.dialog) if not shadow.scene.ended:
                shadow.end(BY_CALLER)
            case Listen() | StopListening() | VoiceStarted() | VoiceEnded() | UtteranceRecognised():
                self._hear(shadow, message)
            case UtteranceDismissed():
                self.misses += 1
            case _:
                self._meet(shadow, message)

    def _hear(
        self, shadow: Shadow, message: Listen | StopListening | VoiceStarted | VoiceEnded | UtteranceRecognised
    ) -> None:
        """Know what the recogniser understood, and whether it was a voice (`telephony.switchboard.listening`)."""
        match message:
            case Listen():
                self.listening = Listening(message, "")
            case StopListening():
                self.listening = None
            case VoiceStarted() if self.listening is not None and message.leg == self.leg:
                self.listening.voice_began(message.tick)
            case VoiceEnded() if self.listening is not None and message.leg == self.leg:
                self.listening.voice_ended(message.tick)
            case UtteranceRecognised() if self.listening is not None:
                if not self.listening.is_voice(message.start, message.end):
                    self.misses += 1
                    return
                self.heard.append((message.text, message.confidence))
                shadow.note("heard", f"“{message.text}” ({message.confidence:.2f})")
                shadow.give(SpeechHeard(message.text, message.confidence))

    def _meet(self, shadow: Shadow, message: Event | Command) -> None:
        """Know what comes of queues, messages and calls."""
        match message:
            case Record(kind="voicemail"):
                self.messages += 1
                shadow.came = "no_message"
            case SaveVoicemail():
                shadow.came = "next"
            case RecordingStopped() if message.cause and shadow.kind == "voicemail" and shadow.came:
                shadow.came = "failed"
            case DialogRinging() if shadow.kind == "dial" and shadow.came == "failed":
                shadow.came = "no_answer"
            case DialogEnded() if shadow.kind == "dial" and shadow.came and message.status:
                shadow.came = REFUSED.get(message.status, "failed")
            case Join(leg=self.leg):
                shadow.meet()
            case Leave(leg=self.leg) if shadow.talking and shadow.state.phase == "queued":
                shadow.talking = False
                shadow.leave_queue("answered")

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
            if shadow.came == AWAY:
                shadow.end(AWAY)
            else:
                self._catch_up(shadow, lambda state: state.ended)
        if shadow is not None and not self.lost and tuple(shadow.state.path) != tuple(row.flow_path):
            self.lost = (
                f"the call went {' '.join(row.flow_path)}, and its journal tells of {' '.join(shadow.state.path)}"
            )

    def _catch_up(self, shadow: Shadow, reached: Reached) -> None:
        if not self.lost:
            self.lost = catch_up(shadow, reached)

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
