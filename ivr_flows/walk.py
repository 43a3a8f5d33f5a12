"""What each kind of step does when a call comes to it, and what an answer to its question leads to. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from ivr_flows.expression import ExpressionError, evaluate, holds, names_in_condition, render
from ivr_flows.facts import Facts, views
from ivr_flows.flow import (
    Assign,
    ChooseLanguage,
    Flow,
    Gather,
    HangUp,
    Menu,
    Music,
    Notify,
    Play,
    PromptParts,
    Queue,
    Recorded,
    Retry,
    Say,
    Step,
    When,
    Words,
)
from ivr_flows.remembered import is_remembered, known_value
from ivr_flows.secrecy import secret_variables
from ivr_flows.state import (
    ChangeLanguage,
    EndCall,
    EnterQueue,
    Failure,
    FlowAction,
    FlowState,
    Phase,
    PlayPrompts,
    SendMessage,
)
from telephony.events import HIDDEN_DIGIT, Prompt

MAX_STEPS_AT_ONCE: Final = 1000
MAX_STEPS: Final = 10_000
MAX_KEYS: Final = 64
MAX_FAILURES: Final = 20
MAX_VALUE_CHARS: Final = 500
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
    """One input's way. A method that gives a step's name has the walk go there; None waits."""

    def __init__(self, flow: Flow, facts: Facts, state: FlowState, now: float) -> None:
        self.flow, self.facts, self.state, self.now = flow, facts, state, now
        self.actions: list[FlowAction] = []

    @property
    def here(self) -> Step:
        return self.flow.steps[self.state.step]

    def change(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)

    def wait(self, phase: Phase, deadline: float | None) -> Following:
        self.change(phase=phase, deadline=deadline)
        return None

    def follow(self, first: Callable[[], Following]) -> None:
        """Walk until a step waits, catching what fails on the way."""
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
            work = self.enter
        self.note(f"more than {MAX_STEPS_AT_ONCE} steps without waiting, or {MAX_STEPS} in all")
        self.apologise()

    def arrive(self, name: str) -> None:
        self.change(
            step=name, path=(*self.state.path, name), phase="walking", deadline=None, playing=None,
            collected="", no_inputs=0, no_matches=0,
        )  # fmt: skip

    def note(self, cause: str) -> None:
        self.change(failures=(*self.state.failures, Failure(self.state.step, cause)))

    def fail(self, cause: str) -> Following:
        self.note("an expression over something secret fails" if self.tells_secrets() else cause)
        if self.flow.failed and self.state.step != self.flow.failed and len(self.state.failures) < MAX_FAILURES:
            return self.flow.failed
        return self.apologise()

    def tells_secrets(self) -> bool:
        """Whether the words of a failure may quote what is secret: an index or a queue's name that was not found."""
        here = self.here
        if not isinstance(here, When):
            return False  # nothing else names a secret: `load` sees to it
        named = {name for branch in here.branches for name in names_in_condition(branch.condition)}
        return not named.isdisjoint(secret_variables(self.flow.steps))

    def apologise(self) -> Following:
        words = APOLOGY.get(self.state.language.partition("-")[0], "")
        return self.end((Prompt("text", words, self.state.language),) if words else (), "failed")

    def end(self, prompts: tuple[Prompt, ...], reason: str) -> Following:
        """Say the last words, if any, and hang up after them."""
        self.change(reason=reason, keys="")
        return self.play(prompts, False, "ending") if prompts else self.hang_up()

    def hang_up(self) -> Following:
        self.change(phase="ended", deadline=None, playing=None, ended=True)
        self.actions.append(EndCall(self.state.reason))
        return None

    def scope(self) -> Mapping[str, object]:
        try:
            known = views(self.facts, self.flow.speak, self.state.language, self.now)
        except (LookupError, ValueError, OverflowError, OSError) as error:
            raise ExpressionError(f"the facts of the call cannot be read: {type(error).__name__}") from error
        return {**self.state.variables, **known}

    def prompts(self, parts: PromptParts) -> tuple[Prompt, ...]:
        """Return what is to be heard; a text that comes out empty is left out."""
        language = self.state.language
        heard = []
        for part in parts:
            match part:
                case Words():
                    text = render(part.text[language], self.scope())
                    heard.append(Prompt("text", text, part.voices.get(language, language)))
                case Recorded():
                    heard.append(Prompt("file", part.file[language], language))
                case Music():
                    heard.append(Prompt("music", part.name))
        return tuple(prompt for prompt in heard if prompt.value)

    def play(self, prompts: tuple[Prompt, ...], interruptible: bool, phase: Phase, by_voice: bool = False) -> Following:
        playback = self.state.playbacks + 1
        self.change(playing=playback, playbacks=playback)
        self.actions.append(PlayPrompts(playback, prompts, interruptible, loop=False, by_voice=by_voice))
        return self.wait(phase, self.now + PROMPT_LIMIT_S)

    # ------------------------------------------------------------------------------------------ entering

    def enter(self) -> Following:
        here = self.here
        match here:
            case Say() | Play():
                return self.speak(here)
            case Menu():
                return self.ask(here, ())
            case Gather():
                return self.gather(here)
            case When():
                scope = self.scope()
                return next((b.next for b in here.branches if holds(b.condition, scope)), here.otherwise)
            case Assign():
                return self.assign(here)
            case ChooseLanguage():
                if here.to != self.state.language:
                    self.change(language=here.to)
                    self.actions.append(ChangeLanguage(here.to))
                return here.next
            case Notify():
                return self.notify(here)
            case Queue():
                self.actions.append(EnterQueue(here.to, here.limit_s, self.prompts(here.wait)))
                self.change(keys="")
                return self.wait("queued", None)
            case HangUp():
                return self.end(self.prompts(here.prompt), here.reason)

    def notify(self, here: Notify) -> str:
        language = self.state.language
        text = render(here.text[language], self.scope())
        subject = render(here.subject[language], self.scope()) if here.subject else ""
        if text:
            self.actions.append(SendMessage(len(self.state.path), here.channel, language, text, subject))
        return here.next

    def speak(self, here: Say | Play) -> Following:
        prompts = self.prompts(here.prompt)
        if not prompts or (here.interruptible and self.state.keys):
            return here.next
        return self.play(prompts, here.interruptible, "speaking", here.by_voice)

    def assign(self, here: Assign) -> str:
        for name, expression in here.values.items():
            value = evaluate(expression, self.scope())
            if not isinstance(value, str | int | float | bool | None):
                raise ExpressionError(
                    f"set {name}: a variable holds text, a number or a flag, not {type(value).__name__}"
                )
            kept = value[:MAX_VALUE_CHARS] if isinstance(value, str) else value
            self.change(variables={**self.state.variables, name: kept})
        return here.next

    # ------------------------------------------------------------------------------------------ questions

    def gather(self, here: Gather) -> Following:
        """Ask, or take what the customer told before. A step that is come to again asks: the answer was of no use."""
        name, value = here.into, known_value(self.flow, self.facts.caller, here, self.now)
        if value and not here.insist and name not in self.state.reused:
            self.change(variables={**self.state.variables, name: value}, reused=(*self.state.reused, name))
            return here.next
        if value and name not in self.state.asked_again:
            self.change(asked_again=(*self.state.asked_again, name))
        return self.ask(here, ())

    def ask(self, here: Menu | Gather, before: PromptParts) -> Following:
        """Put a question, unless its answer was typed ahead."""
        if self.state.keys and here.interruptible:
            return self.take(here)
        prompts = self.prompts((*before, *here.prompt))
        if not prompts:
            return self.listen(here)
        return self.play(prompts, here.interruptible, "asking", isinstance(here, Menu) and here.by_voice)

    def listen(self, here: Menu | Gather) -> Following:
        if self.state.keys:
            return self.take(here)
        self.change(playing=None)
        return self.wait("listening", self.now + here.first_key_s)

    def take(self, here: Menu | Gather) -> Following:
        return self.choose(here) if isinstance(here, Menu) else self.collect(here)

    def choose(self, here: Menu) -> Following:
        key, rest = self.state.keys[0], self.state.keys[1:]
        self.change(keys=rest)
        return here.choices[key].next if key in here.choices else self.no_match(here)

    def collect(self, here: Gather) -> Following:
        shortest, longest = here.length
        while self.state.keys:
            key, rest = self.state.keys[0], self.state.keys[1:]
            self.change(keys=rest)
            if key == here.finish:
                return self.accept(here) if len(self.state.collected) >= shortest else self.no_match(here)
            if not key.isdigit() and key != HIDDEN_DIGIT:
                return self.no_match(here)
            self.change(collected=self.state.collected + key)
            if len(self.state.collected) == longest:
                self.expect_finish(here)
                return self.accept(here)
        self.change(playing=None)
        return self.wait("listening", self.now + here.between_keys_s)

    def expect_finish(self, here: Gather) -> None:
        """Somebody told to finish with # does so after the last possible digit too: that # answers nothing else."""
        if here.finish and self.state.keys[:1] == here.finish:
            self.change(keys=self.state.keys[1:])
        elif here.finish and not self.state.keys:
            self.change(swallow=here.finish, swallow_until=self.now + here.between_keys_s)

    def accept(self, here: Gather) -> str:
        self.change(variables={**self.state.variables, here.into: self.state.collected})
        if is_remembered(self.flow, here.into) and not here.secret:
            self.change(told={**self.state.told, here.into: self.state.collected})
        return here.next

    def no_match(self, here: Menu | Gather) -> Following:
        self.change(no_matches=self.state.no_matches + 1, keys="", collected="")
        return self.retry(here, here.no_match, self.state.no_matches)

    def no_input(self, here: Menu | Gather) -> Following:
        self.change(no_inputs=self.state.no_inputs + 1)
        return self.retry(here, here.no_input, self.state.no_inputs)

    def retry(self, here: Menu | Gather, retry: Retry, tried: int) -> Following:
        return retry.next if tried > retry.retries else self.ask(here, retry.prompt)

    # --------------------------------------------------------------------------------------------- moves

    def press(self, digit: str) -> bool:
        """Keep a key; false for one that is to be dropped."""
        swallowed = digit == self.state.swallow and self.now <= self.state.swallow_until
        self.change(swallow="")
        if swallowed or len(self.state.keys) >= MAX_KEYS:
            return False
        self.change(keys=self.state.keys + digit)
        return True
