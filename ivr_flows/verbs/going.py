"""Verbs that choose the way and keep values: when, set, language, hours, queue_facts, split, subflow, return, wait."""

from typing import Final

from ivr_flows import values
from ivr_flows.flow import Assign, Branch, ChooseLanguage, Hours, ReadQueue, Return, Split, Subflow, Wait, When
from ivr_flows.source import ListNode, MapNode, Node, Scalar
from ivr_flows.step_reading import StepReading
from ivr_flows.values import Fields

HOURS: Final = ("open", "closed", "holiday", "emergency")


def when(step: StepReading) -> When:
    branches: list[Branch] = []
    otherwise = ""
    for element in step.elements(step.given.short, "when is a list of {if: …, next: …}, ending with {else: …}"):
        inner = values.fields(step.reading, element, ("if", "next", "else"), "a line of when")
        if otherwise:
            step.reading.faults.add(element, "unreachable-branch", "nothing after else can be reached")
        last = inner.get("else")
        if last is not None:
            otherwise = step.target(last, "else")
        elif inner.items:
            branches.append(_branch(step, inner))
    if not otherwise and isinstance(step.given.short, ListNode):
        step.missing("else")
    return When(tuple(branches), otherwise)


def _branch(step: StepReading, inner: Fields) -> Branch:
    condition = inner.get("if")
    if condition is None:
        step.reading.faults.add(inner.place, "missing-key", "a line of when needs 'if:' (or is 'else:')")
    source = step.bare(condition)
    return Branch(source, step.inner_exit(inner, "this condition", source))


def assign(step: StepReading) -> Assign:
    assigned: dict[str, str] = {}
    node = step.given.short
    if not isinstance(node, MapNode) or not node.items:
        step.reading.faults.add(node or step.place, "bad-value", "set is a mapping of variables to expressions")
        return Assign({}, step.exit("next"))
    for name, (key, value) in node.items.items():
        step.filled(key, f"set.{name}")
        assigned[name] = step.bare(value, f"copied to '{name}'")
    return Assign(assigned, step.exit("next"))


def language(step: StepReading) -> ChooseLanguage:
    node = step.main("to", "language")
    return ChooseLanguage("" if node is None else values.language(step.reading, node), step.exit("next"))


def hours(step: StepReading) -> Hours:
    return Hours(step.named("hours", step.main("of", "hours"), "a name of opening hours"), step.exits(*HOURS))


def queue_facts(step: StepReading) -> ReadQueue:
    into = step.needed("into", "queue_facts")
    return ReadQueue(
        of=step.named("queue", step.needed("of", "queue_facts"), "a queue's name"),
        into="" if into is None else step.filled(into, "into", ("record",)),
        next=step.exit("next"),
    )


def split(step: StepReading) -> Split:
    node = step.given.short
    if not isinstance(node, MapNode) or not node.items:
        step.reading.faults.add(
            node or step.place, "bad-value", "split is a mapping of exits to shares: {a: 30%, b: 70%}"
        )
        return Split({}, {})
    shares = {
        values.name(step.reading, key, "an exit"): values.share(step.reading, value)
        for key, value in node.items.values()
    }
    if sum(shares.values()) != 100 and all(shares.values()):
        step.reading.faults.add(node, "bad-value", f"the shares are {sum(shares.values())}% together, not 100%")
    for name in step.given.beside:
        if name not in shares:
            values.unknown_keys(step.reading, {name: step.given.items[name]}, shares, "this split")
    return Split(shares, step.exits(*shares))


def subflow(step: StepReading) -> Subflow:
    flow = step.named("subflow", step.main("flow", "subflow"), "a flow's name")
    given = {name: step.bare(value, f"given to '{flow}'") for name, value in step.mapping("with").items()}
    into = {}
    for name, value in step.mapping("into").items():
        key = step.given.get("into")
        place = key.items[name][0] if isinstance(key, MapNode) else step.place
        step.filled(place, f"into.{name}")
        into[name] = values.name(step.reading, value, "what the flow returns")
    return Subflow(flow, {**step.other_exits(("failed",)), **step.exits("failed")}, given, into)


def return_(step: StepReading) -> Return:
    node = step.given.short
    if node is None:
        node = step.given.get("exit")
    word = "next" if node is None or _is_nothing(node) else values.name(step.reading, node, "an exit")
    step.reading.stated[step.name, "return"] = node or step.place
    returned = {name: step.bare(value, f"returned as '{name}'") for name, value in step.mapping("values").items()}
    return Return(word, returned)


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.empty


def wait(step: StepReading) -> Wait:
    return Wait(values.duration(step.reading, step.given.short, 1.0), step.exit("next"))
