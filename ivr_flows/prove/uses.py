"""Every expression of a step, and what becomes of its value."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from jinja2 import nodes

from ivr_flows.expression import tree_of_condition, tree_of_text
from ivr_flows.flow import (
    Assign,
    Callback,
    Case,
    Conference,
    Dial,
    Gather,
    HangUp,
    Hold,
    Http,
    Lookup,
    Menu,
    Notify,
    Play,
    PromptParts,
    Queue,
    Return,
    Say,
    Step,
    Subflow,
    Survey,
    TakeNote,
    Transfer,
    Verify,
    VerifyByCode,
    Voicemail,
    When,
    Whisper,
    Words,
    question_of,
)

Sink = Literal["heard", "sent", "agent", "web", "dialled", "judged", "kept", "passed"]
"""To whom a value goes: the caller's ear, the caller's inbox, an agent or the journal, a web service, a number that is
dialled, nobody (a condition, a proof of identity), a variable, another flow."""

SAID: Final[Mapping[Sink, str]] = {
    "heard": "spoken", "sent": "sent", "agent": "written down for agents", "web": "told to a web service",
    "dialled": "dialled", "kept": "copied", "passed": "given to another flow",
}  # fmt: skip


class Use(NamedTuple):
    """An expression (`bare`) or a text that may hold some; in which language it is; `into` is the variable that it is
    for."""

    source: str
    sink: Sink
    bare: bool = False
    language: str = ""
    into: str = ""


def uses_of(step: Step) -> Iterator[Use]:  # noqa: C901, PLR0912
    """Yield the expressions of a step in the order in which it evaluates them, conditions of a `when` apart."""
    match step:
        case Say() | Play() | HangUp() | Menu() | Hold() | Voicemail():
            yield from _heard(step.prompt)
        case Gather():
            yield from _heard(step.prompt)
        case Survey():
            yield from _heard(step.question.prompt)
        case Whisper():
            yield from _spoken(step.prompt, "agent")
        case Queue():
            yield from _heard(step.wait)
            yield from (Use(skill, "judged") for skill in step.skills)
        case Notify():
            yield from (Use(text, "sent", language=language) for language, text in step.text.items())
            yield from (Use(text, "sent", language=language) for language, text in step.subject.items())
        case TakeNote():
            yield Use(step.text, "agent")
        case Assign():
            yield from (Use(source, "kept", bare=True, into=name) for name, source in step.values.items())
        case Lookup():
            yield Use(step.value, "dialled")
        case Verify():
            yield Use(step.value, "judged", bare=True)
        case VerifyByCode():
            yield from _heard(step.filler)
            yield from _heard(step.question.prompt)
        case Http():
            for text in (step.url, *step.headers.values(), *step.query.values()):
                yield Use(text, "web")
            yield from (Use(source, "web", bare=True) for source in step.body.values())
            yield from _heard(step.filler)
        case Case():
            yield from (Use(text, "agent") for text in (step.subject, step.topic) if text)
            yield from (Use(source, "agent", bare=True) for source in (step.case,) if source)
        case Callback():
            yield Use(step.to, "dialled")
            yield from (Use(text, "agent") for text in (step.note,) if text)
        case Dial():
            yield Use(step.number, "dialled")
            yield from _heard(step.music)
        case Transfer():
            yield from (Use(text, "dialled") for text in (step.number, step.agent) if text)
        case Conference():
            yield Use(step.room, "dialled")
        case Subflow():
            yield from (Use(source, "passed", bare=True, into=name) for name, source in step.given.items())
        case Return():
            yield from (Use(source, "passed", bare=True, into=name) for name, source in step.values.items())


def later_uses(step: Step) -> Iterator[Use]:
    """Yield the texts of a question that are heard when an answer was wrong, missing, or is read back."""
    question = question_of(step)
    if question is not None:
        yield from _heard(question.no_input.prompt)
        yield from _heard(question.no_match.prompt)


def names_read(step: Step) -> set[str]:
    """Return every name that the expressions of a step speak of."""
    texts = [use.source for use in (*uses_of(step), *later_uses(step)) if not use.bare and "{{" in use.source]
    if isinstance(step, Gather):
        texts += [use.source for use in _heard(step.confirm) if "{{" in use.source]
    bare = [use.source for use in uses_of(step) if use.bare]
    trees: list[nodes.Node] = [tree_of_text(text) for text in texts]
    trees += [tree_of_condition(source) for source in (*bare, *conditions_of(step))]
    found = {tree.name for tree in trees if isinstance(tree, nodes.Name)}
    return found.union(*({each.name for each in tree.find_all(nodes.Name)} for tree in trees))


def conditions_of(step: Step) -> Iterator[str]:
    """Yield the conditions of a step, in order."""
    if isinstance(step, When):
        yield from (branch.condition for branch in step.branches)


def _heard(parts: PromptParts) -> Iterator[Use]:
    return _spoken(parts, "heard")


def _spoken(parts: PromptParts, sink: Sink) -> Iterator[Use]:
    for part in parts:
        if isinstance(part, Words):
            yield from (Use(text, sink, language=language) for language, text in part.text.items())


def filled_from_outside(step: Step) -> set[str]:
    """Return the variables that a step fills with an answer, on the exit of its success."""
    into = step.question.into if isinstance(step, Survey) else getattr(step, "into", "")
    return set(into) if isinstance(into, Mapping) else {into} - {""}
