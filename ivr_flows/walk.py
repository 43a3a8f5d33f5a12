"""A call's way through a flow, from one step to the next: where it is, what it hears, what fails, how it ends. Pure."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from ivr_flows.expression import ExpressionError, names_in_condition, render
from ivr_flows.facts import Facts, Named, views
from ivr_flows.flow import Flow, Held, Music, PromptParts, Recorded, Return, Step, Subflow, When, Words
from ivr_flows.secrecy import secret_variables
from ivr_flows.state import EndCall, Failure, FlowAction, FlowState, Frame, Phase, PlayPrompts, StopPrompts, place_of
from telephony.clock import datetime_of
from telephony.events import Prompt

MAX_STEPS_AT_ONCE: Final = 1000
MAX_STEPS: Final = 10_000
MAX_KEYS: Final = 64
MAX_FAILURES: Final = 20
MAX_DEPTH: Final = 16
"""So many flows may call each other."""
PROMPT_LIMIT_S: Final = 600.0
"""When a prompt's end is given up. The media plane always reports it; a call must not hang on that."""

APOLOGY: Final[Mapping[str, str]] = {
    "vi": "Xin lỗi quý khách, hệ thống đang gặp sự cố. Xin quý khách vui lòng gọi lại sau.",
    "en": "We are sorry, something went wrong on our side. Please call again later.",
    "ko": "죄송합니다. 시스템에 문제가 생겼습니다. 잠시 후 다시 전화해 주십시오.",
}

Following = str | None
"""The step to go to; None: the call waits."""


class Walk:
    """One input's way. A method that gives a step's name has the walk go there; None waits.

    `root` is the call's own flow, or the one for waiting, whose `state` is then a part of the call's.
    """

    def __init__(self, root: Flow, facts: Facts, state: FlowState, now: float, is_waiting: bool = False) -> None:
        self.root, self.facts, self.state, self.now = root, facts, state, now
        self.is_waiting = is_waiting
        self.actions: list[FlowAction] = []
        self._scope: tuple[FlowState, Mapping[str, object]] | None = None
        self._seen: tuple[Flow, str, Mapping[str, object]] | None = None

    @property
    def flow(self) -> Flow:
        return self.root.part(self.state.flow)

    @property
    def here(self) -> Step:
        return self.flow.steps[self.state.step]

    @property
    def today(self) -> date:
        """The day at the place of the hotline."""
        return datetime_of(self.now).astimezone(ZoneInfo(self.facts.timezone)).date()

    def change(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def wait(self, phase: Phase, deadline: float | None) -> Following:
        self.change(phase=phase, deadline=deadline)
        return None

    def follow(self, first: Callable[[], Following], enter: Callable[[], Following]) -> None:
        """Walk until a step waits, catching what fails on the way; `enter` is done at each step come to."""
        work = first
        for _ in range(MAX_STEPS_AT_ONCE):
            try:
                following = work()
            except ExpressionError as error:
                following = self.fail(str(error))
            if following is None:
                return
            if len(self.state.path) >= MAX_STEPS:
                break
            self.arrive(following)
            work = enter
        self.note(f"more than {MAX_STEPS_AT_ONCE} steps without waiting, or {MAX_STEPS} in all")
        self.apologise()

    def arrive(self, name: str) -> None:
        place = place_of(self.state.flow, name)
        self.change(
            step=name, path=(*self.state.path, place), phase="walking", deadline=None, playing=None,
            collected="", confirming=False, no_inputs=0, no_matches=0, talking=False,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------ other flows

    def call(self, here: Subflow, variables: Mapping[str, Held]) -> Following:
        """Go into a subflow."""
        if len(self.state.stack) >= MAX_DEPTH:
            return self.fail(f"{MAX_DEPTH} flows have called each other")
        frame = Frame(self.state.flow, self.state.step, self.state.variables)
        self.change(stack=(*self.state.stack, frame))
        return self.begin(here.flow, variables)

    def begin(self, name: str, variables: Mapping[str, Held]) -> str:
        """Go to the first step of a flow, with its variables as they are at first, and these. The case goes along."""
        chosen = self.state.variables.get("case", self.state.chosen)
        self.change(flow="" if name == self.root.name else name, chosen=chosen)
        self.change(variables={**initial(self.flow), **variables})
        return self.flow.start

    def go_back(self, here: Return, values: Mapping[str, Held]) -> Following:
        """Return to the flow that called this one; out of the queue from a flow for waiting."""
        if not self.state.stack:
            self.change(left=here.exit, reason="completed")
            return self.stop() if self.is_waiting else self.hang_up()
        caller = self.unwind()
        taken = {variable: values.get(name) for variable, name in caller.into.items()}
        self.change(variables={**self.state.variables, **taken})
        return caller.exits.get(here.exit) or caller.exits["failed"]

    def unwind(self) -> Subflow:
        """Leave the present flow for the step that called it."""
        *stack, frame = self.state.stack
        self.change(stack=tuple(stack), flow=frame.flow, step=frame.step, variables=frame.variables)
        here = self.here
        if not isinstance(here, Subflow):
            raise TypeError(f"{frame.step} called no flow")
        return here

    # ------------------------------------------------------------------------------------------------ failing

    def note(self, cause: str) -> None:
        self.change(failures=(*self.state.failures, Failure(self.state.place, cause)))

    def fail(self, cause: str) -> Following:
        """Write down what failed, and go where the flow, or the one that called it, wants that to lead."""
        self.note("an expression over something secret fails" if self.tells_secrets() else cause)
        if len(self.state.failures) < MAX_FAILURES:
            if self.flow.failed and self.state.step != self.flow.failed:
                return self.flow.failed
            if self.state.stack:
                return self.unwind().exits["failed"]
        return self.apologise()

    def tells_secrets(self) -> bool:
        """Whether the words of a failure may quote what is secret: an index or a queue's name that was not found."""
        here = self.here
        if not isinstance(here, When):
            return False  # nothing else names a secret: `load` sees to it
        named = {name for branch in here.branches for name in names_in_condition(branch.condition)}
        return not named.isdisjoint(secret_variables(self.flow.steps))

    def apologise(self) -> Following:
        if self.is_waiting:
            return self.stop()  # a place in a queue is worth more than what is heard there
        words = APOLOGY.get(self.state.language.partition("-")[0], "")
        return self.end((Prompt("text", words, self.state.language),) if words else (), "failed")

    def stop(self) -> Following:
        """End a flow for waiting: by an exit, or (having failed) with music until the queue is over."""
        if not self.state.left:
            self.play((Prompt("music", "waiting"),), interruptible=False, phase="ended", loop=True)
        self.change(phase="ended", deadline=None, ended=True)
        return None

    def end(self, prompts: tuple[Prompt, ...], reason: str) -> Following:
        """Say the last words, if any, and hang up after them."""
        self.change(reason=reason, keys="")
        return self.play(prompts, False, "ending") if prompts else self.hang_up()

    def hang_up(self) -> Following:
        self.change(phase="ended", deadline=None, playing=None, ended=True)
        self.actions.append(EndCall(self.state.reason))
        return None

    # ------------------------------------------------------------------------------------- what is seen and heard

    def scope(self) -> Mapping[str, object]:
        """Return what an expression sees."""
        if self._scope is not None and self._scope[0] is self.state:
            return self._scope[1]
        known = self._facts_seen()
        held = {
            name: Named(value) if isinstance(value, Mapping) else value for name, value in self.state.variables.items()
        }
        scope = {**held, **known}
        self._scope = self.state, scope
        return scope

    def _facts_seen(self) -> Mapping[str, object]:
        """Return the facts as this flow shows them; they do not change while one input is walked through."""
        flow, language = self.flow, self.state.language
        if self._seen is None or self._seen[0] is not flow or self._seen[1] != language:
            try:
                self._seen = flow, language, views(self.facts, flow.speak, language, self.now)
            except (LookupError, ValueError, OverflowError, OSError) as error:
                raise ExpressionError(f"the facts of the call cannot be read: {type(error).__name__}") from error
        return self._seen[2]

    def render(self, source: str) -> str:
        return render(source, self.scope()) if "{" in source else " ".join(source.split())

    def prompts(self, parts: PromptParts) -> tuple[Prompt, ...]:
        """Return what is to be heard; a text that comes out empty is left out."""
        language = self.state.language
        heard = []
        for part in parts:
            match part:
                case Words():
                    text = self.render(part.text[language])
                    heard.append(Prompt("text", text, part.voices.get(language, language)))
                case Recorded():
                    heard.append(Prompt("file", part.file[language], language))
                case Music():
                    heard.append(Prompt("music", part.name))
        return tuple(prompt for prompt in heard if prompt.value)

    def play(
        self,
        prompts: tuple[Prompt, ...],
        interruptible: bool,
        phase: Phase,
        by_voice: bool = False,
        loop: bool = False,
        for_s: float = PROMPT_LIMIT_S,
    ) -> Following:
        playback = self.state.playbacks + 1
        self.change(playing=playback, playbacks=playback)
        self.actions.append(PlayPrompts(playback, prompts, interruptible, loop=loop, by_voice=by_voice))
        return self.wait(phase, self.now + for_s)

    def stop_playing(self) -> None:
        """Stop what plays, should it still do so."""
        if self.state.playing is not None:
            self.actions.append(StopPrompts(self.state.playing))
            self.change(playing=None)

    def hold(self, name: str, value: Held) -> None:
        """Give a variable a value."""
        self.change(variables={**self.state.variables, name: value})

    def press(self, digit: str) -> bool:
        """Keep a key; false for one that is to be dropped."""
        swallowed = digit == self.state.swallow and self.now <= self.state.swallow_until
        self.change(swallow="")
        if swallowed or len(self.state.keys) >= MAX_KEYS:
            return False
        self.change(keys=self.state.keys + digit)
        return True


def initial(flow: Flow) -> dict[str, Held]:
    """Return a flow's variables as they are at first."""
    return {name: variable.initial for name, variable in flow.variables.items() if variable.initial is not None}
