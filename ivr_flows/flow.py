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

from telephony.requests import CaseDeed, Method, Scalar

END: Final = "end"
"""The exit of a queue or a dialled number whose call ends with the talk: nothing is said any more."""
REPEAT: Final = "repeat"
"""What a global key does that goes nowhere: the question is asked again."""

FIRST_KEY_S: Final = 5.0
BETWEEN_KEYS_S: Final = 3.0
RETRIES: Final = 2
QUEUE_LIMIT_S: Final = 600.0
QUEUE_PRIORITY: Final = 5
DIAL_LIMIT_S: Final = 30.0
ANSWER_LIMIT_S: Final = 3.0
"""How long customer data is waited for."""
CONFERENCE_LIMIT_S: Final = 7200.0
MESSAGE_LIMIT_S: Final = 120.0
CODE_DIGITS: Final = 6
CODE_VALID_S: Final = 300.0
CODE_LIMIT_S: Final = 15.0
"""How long the sending of a code is waited for."""
CODE_FIRST_KEY_S: Final = 60.0
"""How long it may take to find the message with a code."""
CONFIDENCE: Final = 0.6
WAITING_MUSIC: Final = "waiting"
ANY_CHANNEL: Final = "auto"
MOST_NUMBER: Final = 10**15 - 1
"""The largest number that a variable holds; the least is as far below nought."""
MOST_DIGITS: Final = 64
"""How many digits a variable of that kind holds."""

VariableKind = Literal["digits", "text", "number", "flag", "record", "phone", "date", "time", "amount", "choice"]
Plain = Scalar
"""What a flow's variable may hold, a record apart."""
MAX_VALUE_CHARS: Final = 500
"""So much of a text a variable holds."""
Held = Plain | Mapping[str, Plain]
"""What a flow's variable may hold."""
Check = Literal["", "phone", "date", "time", "amount", "luhn", "csat", "nps"]
"""What digits must be besides so many: see `ivr_flows.answers`."""
RecordDeed = Literal["start", "pause", "resume", "stop"]
Rejection = Literal["busy", "declined", "unavailable", "not_found"]
SurveyKind = Literal["csat", "nps"]


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
    """A declared variable. `length` bounds digits and text; `fields` are a record's, with their types; `values` a
    choice's; `initial` may be absent. What is gathered into it is remembered with the customer, and good for
    `remember_s`; 0 for not remembered. What is `private` is told to nobody but the caller."""

    kind: VariableKind
    length: tuple[int, int] | None = None
    fields: Mapping[str, str] = {}
    initial: Plain = None
    remember_s: float = 0.0
    values: tuple[str, ...] = ()
    private: bool = False


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
    """Play files or music, then go on; over and over for `for_s`, where that is not 0."""

    prompt: PromptParts
    next: str
    interruptible: bool = True
    by_voice: bool = False
    for_s: float = 0.0


class Menu(StepKind, frozen=True, tag="menu"):
    """Ask for one key, or for the words of one of the choices, heard with `confidence` at least (0 to 1)."""

    prompt: PromptParts
    choices: Mapping[str, Choice]
    no_input: Retry
    no_match: Retry
    first_key_s: float = FIRST_KEY_S
    interruptible: bool = True
    by_voice: bool = False
    confidence: float = CONFIDENCE


class Gather(StepKind, frozen=True, tag="gather"):
    """Ask for several keys, into a variable. `finish` ends them and is not part of them; empty for none. What the
    customer told before and is fresh (the variable's `remember_s`) is not asked, unless it says `insist`. What is
    `secret` (a PIN, a card's number) nobody hears, sees or finds written down: see `ivr_flows.secrecy`. `check` is what
    the digits must be; `confirm` reads the answer back: 1 is yes, 2 is no. With `speech` it may be said."""

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
    check: Check = ""
    confirm: PromptParts = ()
    speech: bool = False
    confidence: float = CONFIDENCE


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
    """Wait for an agent for at most `limit_s`: in the flow `wait_flow`, or hearing the words of `wait` once and its
    music over and over.

    `answered` is where a caller goes who is still there when the agent has left, or `END`. `exits` are those of the
    wait flow. `skills` are templates of names with the least level; of `priority` 1 is served first, 5 is usual.
    """

    to: str
    answered: str
    timeout: str
    full: str
    closed: str
    wait: PromptParts = (Music(WAITING_MUSIC),)
    limit_s: float = QUEUE_LIMIT_S
    wait_flow: str = ""
    exits: Mapping[str, str] = {}
    skills: Mapping[str, int] = {}
    priority: int = QUEUE_PRIORITY


class Notify(StepKind, frozen=True, tag="notify"):
    """Send the caller a message, in the language of the call. `channel` is one that sends, or `auto`; `text` and
    `subject` are templates for each language, `subject` empty for none. Exits: next, failed."""

    text: Mapping[str, str]
    exits: Mapping[str, str]
    channel: str = ANY_CHANNEL
    subject: Mapping[str, str] = {}


class HangUp(StepKind, frozen=True, tag="hangup"):
    """Speak, if there is something to say, and end the call. `reason` stands in the journal."""

    prompt: PromptParts = ()
    reason: str = "completed"


class Answer(StepKind, frozen=True, tag="answer"):
    """Take the call. A flow that has neither this, `ring` nor `reject` finds it taken."""

    next: str


class Ring(StepKind, frozen=True, tag="ring"):
    """Let the call ring for a while before it is taken; nothing for one that is."""

    seconds: float
    next: str


class Reject(StepKind, frozen=True, tag="reject"):
    """Refuse the call; one that is taken already is ended."""

    reason: Rejection


class Hours(StepKind, frozen=True, tag="hours"):
    """Go by whether a place is `open`, `closed`, has a `holiday` or an `emergency`."""

    of: str
    exits: Mapping[str, str]


class ReadQueue(StepKind, frozen=True, tag="queue_facts"):
    """Put how a queue stands into a record: `open`, `waiting`, `estimated_wait` (seconds)."""

    of: str
    into: str
    next: str


class Split(StepKind, frozen=True, tag="split"):
    """Go one of several ways by share (percent, 100 in all); the same caller always the same way."""

    shares: Mapping[str, int]
    exits: Mapping[str, str]


class TakeNote(StepKind, frozen=True, tag="note"):
    """Write a line into the call's journal, where its agent sees it."""

    text: str
    next: str


class Wait(StepKind, frozen=True, tag="wait"):
    """Say nothing for a while."""

    seconds: float
    next: str


class Record(StepKind, frozen=True, tag="record"):
    """Start, pause, resume or stop the recording; with `consent`, the caller's consent is on record with it."""

    deed: RecordDeed
    next: str
    consent: bool = False


class Whisper(StepKind, frozen=True, tag="whisper"):
    """Set what the agent alone hears when the next talk begins."""

    prompt: PromptParts
    next: str


class Hold(StepKind, frozen=True, tag="hold"):
    """Set what the caller hears on hold in later talks."""

    prompt: PromptParts
    next: str


class Lookup(StepKind, frozen=True, tag="lookup"):
    """Find a customer by an identity (a template), into a record where there is one. Exits: found, not_found, several,
    failed."""

    by: str
    value: str
    exits: Mapping[str, str]
    into: str = ""
    timeout_s: float = ANSWER_LIMIT_S


class Verify(StepKind, frozen=True, tag="verify"):
    """Compare an answer (an expression) with what is known of those who the caller may be. After `verified` the caller
    is that one person, at assurance 2. Exits: verified, refused, failed."""

    field: str
    value: str
    exits: Mapping[str, str]
    timeout_s: float = ANSWER_LIMIT_S


class VerifyByCode(StepKind, frozen=True, tag="verify.code"):
    """Send a one-time code by a channel that is surely that of whom the caller may be, the first of `by` (any, where
    there are none), and ask for it. It is good for `valid_s`; `filler` is heard while it is sent, for `timeout_s` at
    most. After `verified` the caller is that one person, at assurance 3. Exits: verified, wrong (which is the
    question's `no_match`), no_input, not_sent, failed."""

    question: Gather
    exits: Mapping[str, str]
    by: tuple[str, ...] = ()
    valid_s: float = CODE_VALID_S
    timeout_s: float = CODE_LIMIT_S
    filler: PromptParts = ()

    @property
    def channels(self) -> str:
        """What is sent, and by which channels, for people."""
        return " ".join(("code", ", ".join(self.by))).strip()


class Http(StepKind, frozen=True, tag="http"):
    """Ask a web service. `url`, `headers` and `query` are templates, `body` expressions, `secrets`
    names of variables that the body has besides. `fields` are the paths in its
    JSON answer of the fields of the record `into`. `filler` is heard meanwhile. Exits: next, failed, not_found,
    timed_out."""

    method: Method
    url: str
    exits: Mapping[str, str]
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    into: str = ""
    fields: Mapping[str, str] = {}
    timeout_s: float = ANSWER_LIMIT_S
    retries: int = 0
    filler: PromptParts = ()


class Case(StepKind, frozen=True, tag="case"):
    """Open a case (`subject` is a template), or go on with or close one (`case` is an expression; empty for the call's
    own). Exits: next, failed."""

    deed: CaseDeed
    exits: Mapping[str, str]
    case: str = ""
    subject: str = ""
    topic: str = ""
    into: str = ""
    timeout_s: float = ANSWER_LIMIT_S


class Callback(StepKind, frozen=True, tag="callback"):
    """Book a call back to a number (a template), from the caller's place in the queue. Exits: next, failed."""

    to: str
    exits: Mapping[str, str]
    queue: str = ""
    note: str = ""
    timeout_s: float = ANSWER_LIMIT_S


class Dial(StepKind, frozen=True, tag="dial"):
    """Call a number (a template) and put the caller together with it. Exits: answered, busy, no_answer, failed."""

    number: str
    exits: Mapping[str, str]
    timeout_s: float = DIAL_LIMIT_S
    music: PromptParts = ()


class Transfer(StepKind, frozen=True, tag="transfer"):
    """Give the call to another flow, which has no way back; or away, to a number or an agent (templates). Exits of
    those: failed, no_answer (an agent)."""

    flow: str = ""
    number: str = ""
    agent: str = ""
    exits: Mapping[str, str] = {}


class Conference(StepKind, frozen=True, tag="conference"):
    """Talk with everybody in a room (a template). Exits: next, full, failed."""

    room: str
    exits: Mapping[str, str]
    limit_s: float = CONFERENCE_LIMIT_S


class Voicemail(StepKind, frozen=True, tag="voicemail"):
    """Record what the caller says, for the agents of a queue. `finish` ends it. Exits: next, no_message, failed."""

    queue: str
    exits: Mapping[str, str]
    prompt: PromptParts = ()
    limit_s: float = MESSAGE_LIMIT_S
    finish: str = "#"


class Survey(StepKind, frozen=True, tag="survey"):
    """Ask how it was, and keep the answer on the customer's timeline: satisfaction (CSAT, 1 to 5) or whether one would
    recommend us (NPS, 0 to 10)."""

    kind: SurveyKind
    question: Gather


class Subflow(StepKind, frozen=True, tag="subflow"):
    """Walk through another flow and come back by one of its exits. `given` are expressions for its parameters, `into`
    the variables that take what it returns. `failed` is also where a flow ends up whose expression fails."""

    flow: str
    exits: Mapping[str, str]
    given: Mapping[str, str] = {}
    into: Mapping[str, str] = {}


class Return(StepKind, frozen=True, tag="return"):
    """Go back to the flow that called this one, by an exit, with values (expressions)."""

    exit: str = "next"
    values: Mapping[str, str] = {}


Request = Lookup | Verify | VerifyByCode | Http | Case | Callback | Notify | Dial | Transfer | Conference | Voicemail
"""The steps that ask the world and wait for its answer, which is the name of an exit."""
Step = (
    Say
    | Play
    | Menu
    | Gather
    | When
    | Assign
    | ChooseLanguage
    | Queue
    | HangUp
    | Answer
    | Ring
    | Reject
    | Hours
    | ReadQueue
    | Split
    | TakeNote
    | Wait
    | Record
    | Whisper
    | Hold
    | Lookup
    | Verify
    | VerifyByCode
    | Http
    | Case
    | Callback
    | Notify
    | Dial
    | Transfer
    | Conference
    | Voicemail
    | Survey
    | Subflow
    | Return
)


class Flow(msgspec.Struct, frozen=True):
    """One flow. `languages` has the default first; `speak` are the assurance levels of facts; `failed` is the step to
    go to when an expression fails in a call, empty for an apology and the end; `max_time_to_human_s` is 0 for none.

    `keys` are global keys: to a step, or `REPEAT`. A flow that is called by another has `parameters` (variables that
    the caller fills), `returns` (types of what it gives back) and `exits`. One that is `for_waiting` is walked in a
    queue. `flows` are the others that it may come to, themselves without `flows`. `version` tells one text of the flow,
    and of those others, from the next.
    """

    name: str
    languages: tuple[str, ...]
    start: str
    steps: Mapping[str, Step]
    title: Mapping[str, str] = {}
    speak: Mapping[str, int] = {}
    variables: Mapping[str, Variable] = {}
    failed: str = ""
    max_time_to_human_s: float = 0.0
    keys: Mapping[str, str] = {}
    parameters: tuple[str, ...] = ()
    returns: Mapping[str, str] = {}
    exits: tuple[str, ...] = ("next",)
    for_waiting: bool = False
    flows: Mapping[str, "Flow"] = {}
    version: str = ""

    def part(self, name: str) -> "Flow":
        """Return the flow of that name that a call may be in; empty for this one."""
        return self if not name or name == self.name else self.flows[name]


def verb_of(step: Step) -> str:
    """Return the verb of a step as a flow writes it."""
    return str(step.__struct_config__.tag).partition(".")[0]


def question_of(step: Step) -> Menu | Gather | None:
    """Return the question that a step puts to the caller; None for one that asks nothing."""
    if isinstance(step, Survey | VerifyByCode):
        return step.question
    return step if isinstance(step, Menu | Gather) else None


def called(step: Step) -> str:
    """Return the flow that a step may go to; empty for none."""
    match step:
        case Subflow() | Transfer():
            return step.flow
        case Queue():
            return step.wait_flow
        case _:
            return ""


def exits(step: Step) -> Iterator[tuple[str, str]]:
    """Yield each exit of a step as (name, next step)."""
    match step:
        case Menu():
            yield from ((key, choice.next) for key, choice in step.choices.items())
            yield from (("no_input", step.no_input.next), ("no_match", step.no_match.next))
        case Gather():
            yield from (("next", step.next), ("no_input", step.no_input.next), ("no_match", step.no_match.next))
        case Survey():
            yield from exits(step.question)
        case VerifyByCode():
            yield "verified", step.exits["verified"]
            yield from (("wrong", step.question.no_match.next), ("no_input", step.question.no_input.next))
            yield from ((name, step.exits[name]) for name in ("not_sent", "failed"))
        case When():
            yield from ((branch.condition, branch.next) for branch in step.branches)
            yield "else", step.otherwise
        case Queue():
            yield from (("answered", step.answered), ("timeout", step.timeout))
            yield from (("full", step.full), ("closed", step.closed))
            yield from step.exits.items()
        case HangUp() | Reject() | Return():
            pass
        case (
            Hours() | Split() | Lookup() | Verify() | Http() | Case() | Callback() | Notify() | Dial()
            | Transfer() | Conference() | Voicemail() | Subflow()
        ):  # fmt: skip
            yield from step.exits.items()
        case _:
            yield "next", step.next


def ways(flow: Flow, name: str) -> Iterator[tuple[str, str]]:
    """Yield each way out of a step as (name, next step): its exits, and the flow's global keys where it takes keys."""
    step = flow.steps[name]
    yield from exits(step)
    question = question_of(step)
    if question is None:
        return
    taken = question.choices if isinstance(question, Menu) else f"0123456789{question.finish}"
    for key, target in flow.keys.items():
        if key not in taken:
            yield f"key {key}", name if target == REPEAT else target
