"""The model of a flow: what a checked YAML file means.

Rule 1: everything here is frozen and plain, so that a flow can be sent, stored and compared. Two spellings of one
thing in YAML (a short and a long form) give equal models; places in files are not part of the model.

Rule 2: text is kept as it was written. `expression` compiles it, once for each distinct source.

Rule 3: each kind of step names its exits in fields, and `exits` is the one place that lists them: the checker, the
walker's tests and every picture read it from there.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

END: Final = "end"
"""The exit of a queue whose call ends with the talk: nothing is said any more."""

FIRST_KEY_S: Final = 5.0
BETWEEN_KEYS_S: Final = 3.0
RETRIES: Final = 2
QUEUE_LIMIT_S: Final = 600.0
WAITING_MUSIC: Final = "waiting"
ANY_CHANNEL: Final = "auto"

VariableKind = Literal["digits", "text", "number", "flag", "record"]
Plain = str | int | float | bool | None
"""What a flow's variable may hold."""


class Part(msgspec.Struct, frozen=True, tag_field="kind"):
    """One part of a prompt."""


class Words(Part, frozen=True, tag="text"):
    """Text to be spoken: a template for each language of the flow.

    `voices` names, for a language of the flow, another language in which its text is written and spoken: "For
    English, press 2." within a Vietnamese menu.
    """

    text: Mapping[str, str]
    voices: Mapping[str, str] = {}


class Recorded(Part, frozen=True, tag="file"):
    """A `.wav` file for each language of the flow."""

    file: Mapping[str, str]


class Music(Part, frozen=True, tag="music"):
    """Music by its name."""

    name: str


PromptPart = Words | Recorded | Music
PromptParts = tuple[PromptPart, ...]


class Variable(msgspec.Struct, frozen=True):
    """A declared variable. `length` bounds digits and text; `fields` are a record's; `initial` may be absent. What is
    gathered into it is remembered with the customer, and good for `remember_s`; 0 for not remembered."""

    kind: VariableKind
    length: tuple[int, int] | None = None
    fields: Mapping[str, str] = {}
    initial: Plain = None
    remember_s: float = 0.0


class Retry(msgspec.Struct, frozen=True):
    """What follows silence or a wrong answer: `prompt` and the question again, `retries` times, and then `next`."""

    next: str
    retries: int = RETRIES
    prompt: PromptParts = ()


class Choice(msgspec.Struct, frozen=True):
    """One answer of a menu; `phrases` say it in words, by language."""

    next: str
    phrases: Mapping[str, tuple[str, ...]] = {}


class Branch(msgspec.Struct, frozen=True):
    """One line of a `when`."""

    condition: str
    next: str


class StepKind(msgspec.Struct, frozen=True, tag_field="verb"):
    """What a step does."""


class Say(StepKind, frozen=True, tag="say"):
    """Speak, then go on. A key ends it where it is interruptible, and is kept for the next question; where it is so
    `by_voice`, the caller's voice ends it too."""

    prompt: PromptParts
    next: str
    interruptible: bool = True
    by_voice: bool = False


class Play(StepKind, frozen=True, tag="play"):
    """Play files or music, then go on."""

    prompt: PromptParts
    next: str
    interruptible: bool = True
    by_voice: bool = False


class Menu(StepKind, frozen=True, tag="menu"):
    """Ask for one key."""

    prompt: PromptParts
    choices: Mapping[str, Choice]
    no_input: Retry
    no_match: Retry
    first_key_s: float = FIRST_KEY_S
    interruptible: bool = True
    by_voice: bool = False


class Gather(StepKind, frozen=True, tag="gather"):
    """Ask for several keys, into a variable. `finish` ends them and is not part of them; empty for none. What the
    customer told before and is fresh (the variable's `remember_s`) is not asked, unless it says `insist`. What is
    `secret` (a PIN, a card's number) nobody hears, sees or finds written down: see `ivr_flows.secrecy`."""

    into: str
    prompt: PromptParts
    length: tuple[int, int]
    next: str
    no_input: Retry
    no_match: Retry
    finish: str = "#"
    first_key_s: float = FIRST_KEY_S
    between_keys_s: float = BETWEEN_KEYS_S
    interruptible: bool = True
    secret: bool = False
    insist: bool = False


class When(StepKind, frozen=True, tag="when"):
    """Go where the first condition that holds says, else `otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: str


class Assign(StepKind, frozen=True, tag="set"):
    """Give variables the values of expressions, in order."""

    values: Mapping[str, str]
    next: str


class ChooseLanguage(StepKind, frozen=True, tag="language"):
    """Go on in another language of the flow."""

    to: str
    next: str


class Queue(StepKind, frozen=True, tag="queue"):
    """Wait for an agent for at most `limit_s`, hearing the words of `wait` once and its music over and over.

    `answered` is where a caller goes who is still there when the agent has left, or `END`.
    """

    to: str
    answered: str
    timeout: str
    full: str
    closed: str
    wait: PromptParts = (Music(WAITING_MUSIC),)
    limit_s: float = QUEUE_LIMIT_S


class Notify(StepKind, frozen=True, tag="notify"):
    """Send the caller a message, in the language of the call, and go on at once. `channel` is one that sends, or
    `auto`; `text` and `subject` are templates for each language, `subject` empty for none."""

    text: Mapping[str, str]
    next: str
    channel: str = ANY_CHANNEL
    subject: Mapping[str, str] = {}


class HangUp(StepKind, frozen=True, tag="hangup"):
    """Speak, if there is something to say, and end the call. `reason` stands in the journal."""

    prompt: PromptParts = ()
    reason: str = "completed"


Step = Say | Play | Menu | Gather | When | Assign | ChooseLanguage | Queue | Notify | HangUp


class Flow(msgspec.Struct, frozen=True):
    """One flow. `languages` has the default first; `speak` are the assurance levels of facts; `failed` is the step to
    go to when an expression fails in a call, empty for an apology and the end; `max_time_to_human_s` is 0 for none."""

    name: str
    languages: tuple[str, ...]
    start: str
    steps: Mapping[str, Step]
    title: Mapping[str, str] = {}
    speak: Mapping[str, int] = {}
    variables: Mapping[str, Variable] = {}
    failed: str = ""
    max_time_to_human_s: float = 0.0


def exits(step: Step) -> Iterator[tuple[str, str]]:
    """Yield each exit of a step as (name, next step)."""
    match step:
        case Say() | Play() | Assign() | ChooseLanguage() | Notify():
            yield "next", step.next
        case Menu():
            yield from ((key, choice.next) for key, choice in step.choices.items())
            yield from (("no_input", step.no_input.next), ("no_match", step.no_match.next))
        case Gather():
            yield from (("next", step.next), ("no_input", step.no_input.next), ("no_match", step.no_match.next))
        case When():
            yield from ((branch.condition, branch.next) for branch in step.branches)
            yield "else", step.otherwise
        case Queue():
            yield from (("answered", step.answered), ("timeout", step.timeout))
            yield from (("full", step.full), ("closed", step.closed))
        case HangUp():
            pass
