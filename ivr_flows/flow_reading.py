"""A flow by itself: its declarations and steps read, where its exits lead, and whether it tells what is secret."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ivr_flows import declarations, linking, values
from ivr_flows.check import reached, without_end
from ivr_flows.flow import END, REPEAT, Flow, HangUp, Reject, Return, Step, Transfer
from ivr_flows.grammar import read_step
from ivr_flows.source import MapNode, Node, closest, did_you_mean
from ivr_flows.values import Reading

KEYS: Final = (
    "flow", "title", "for", "languages", "max_time_to_human", "speak", "parameters", "variables", "returns", "exits",
    "keys", "prompts", "start", "failed", "steps",
)  # fmt: skip
WAYS_UNKNOWN: Final = frozenset(
    {"bad-value", "missing-exit", "missing-key", "missing-verb", "several-verbs", "unknown-key", "unknown-verb"}
)


def read_flow(reading: Reading, root: Node) -> Flow | None:
    """Read a file's root; None, with the reason among the faults, where it is no flow."""
    given = values.fields(reading, root, KEYS, "a flow")
    if not isinstance(root, MapNode):
        return None
    for key in ("flow", "languages", "start", "steps"):
        if key not in given:
            reading.faults.add(root, "missing-key", f"a flow needs '{key}:'")
    reading.languages = declarations.languages(reading, given.get("languages"))
    parameters = declarations.variables(reading, given.get("parameters"), "parameters")
    reading.variables = dict(parameters)
    reading.variables |= declarations.variables(reading, given.get("variables"))
    reading.catalogue = declarations.catalogue(reading, given.get("prompts"))
    for_waiting = _is_for_waiting(reading, given.get("for"))
    name, title = given.get("flow"), given.get("title")
    steps = _steps(reading, given.get("steps"))
    start = _named_step(reading, given.get("start"))
    reading.start = given.get("start")
    failed = _named_step(reading, given.get("failed"))
    keys = _keys(reading, given.get("keys"))
    reading.stated["", "max_time_to_human"] = given.get("max_time_to_human") or root
    flow = Flow(
        name="" if name is None else values.name(reading, name, "a flow's name"),
        languages=reading.languages,
        start=start,
        steps=steps,
        title={} if title is None else values.words(reading, title).text,
        speak=declarations.speak(reading, given.get("speak")),
        variables=reading.variables,
        failed=failed,
        max_time_to_human_s=values.duration(reading, given.get("max_time_to_human"), 0.0),
        keys=keys,
        parameters=tuple(parameters),
        returns=declarations.returns(reading, given.get("returns")),
        exits=declarations.exit_names(reading, given.get("exits")),
        for_waiting=for_waiting,
    )
    _check_ways(reading, flow)
    _check_secrets(reading)
    linking.check_returns(reading, flow)
    if for_waiting:
        linking.check_waiting(reading, flow)
    return flow


def _is_for_waiting(reading: Reading, node: Node | None) -> bool:
    return node is not None and values.word_of(reading, node, ("waiting",), "what a flow is for") == "waiting"


def _steps(reading: Reading, node: Node | None) -> dict[str, Step]:
    if not isinstance(node, MapNode):
        if node is not None:
            reading.faults.add(node, "bad-value", "steps are a mapping of names to steps")
        return {}
    steps: dict[str, Step] = {}
    for name, (key, value) in node.items.items():
        values.name(reading, key, "a step's name")
        if name in (END, REPEAT):
            what = "the exit of a queue" if name == END else "what a global key does"
            reading.faults.add(key, "bad-name", f"'{name}' is {what}; name the step otherwise")
        reading.steps[name] = key
        step = read_step(reading, key, value)
        if step is not None:
            steps[name] = step
    reading.step = ""
    return steps


def _named_step(reading: Reading, node: Node | None) -> str:
    return "" if node is None else _existing(reading, node, values.text(reading, node, "a step"))


def _keys(reading: Reading, node: Node | None) -> dict[str, str]:
    found = {}
    for key, place in declarations.global_keys(reading, node).items():
        word = values.text(reading, place, "a step")
        found[key] = word if word == REPEAT else _existing(reading, place, word)
    return found


def _existing(reading: Reading, node: Node, word: str) -> str:
    """Report a step that is not there; return it, or the one that was probably meant, so that one slip is one error."""
    if not word or word in reading.steps:
        return word
    if word == END:
        text = f"'{END}' is for 'answered:' of a queue or dial alone: a call does not end by silence; go to a hangup"
    else:
        text = f"there is no step '{word}'{did_you_mean(word, reading.steps)}"
    reading.faults.add(node, "unknown-step", text)
    return closest(word, reading.steps) or ""


def _check_ways(reading: Reading, flow: Flow) -> None:
    """Check where every exit leads, that every step is reached, and that a call can end from each."""
    edges: dict[str, list[str]] = {name: [] for name in reading.steps}
    ends = {name for name, step in flow.steps.items() if isinstance(step, HangUp | Reject | Return | Transfer)}
    for target in reading.targets:
        if target.name == END and target.may_end:
            ends.add(target.step)
        else:
            edges[target.step].append(_existing(reading, target.place, target.name))
    lost = not flow.start or any("" in following for following in edges.values())
    if lost or any(fault.code in WAYS_UNKNOWN for fault in reading.faults.found):
        return  # what cannot be read has exits that are not known: every further word would be a guess
    _check_reached(reading, flow, edges, ends)


def _check_reached(reading: Reading, flow: Flow, edges: Mapping[str, Sequence[str]], ends: Iterable[str]) -> None:
    known = reached([flow.start, flow.failed, *flow.keys.values()], edges)
    for name, key in reading.steps.items():
        if name not in known:
            reading.faults.add(key, "unreachable-step", f"no way leads to step '{name}'")
    if flow.for_waiting:
        return  # the queue ends it
    for name in without_end(edges, ends) & known & set(reading.steps):
        text = f"from step '{name}' no way leads to a hangup, a return or a queue's '{END}'"
        reading.faults.add(reading.steps[name], "no-end", text)


def _check_secrets(reading: Reading) -> None:
    """Check that nothing tells what is gathered secretly: words that are spoken stand in the journal, and other
    variables on the agent's page."""
    secret = {each.variable: each.step for each in reading.gathered if each.secret}
    for each in reading.gathered:
        if each.variable in secret and not each.secret:
            text = f"'{each.variable}' is secret in step '{secret[each.variable]}': say 'secret: yes' here too"
            reading.faults.add(each.place, "secret-told", text)
    for each in reading.gathered:
        if each.secret and reading.variables[each.variable].remember_s:
            text = f"'{each.variable}' is secret, and cannot be remembered: take 'remember:' away"
            reading.faults.add(each.place, "secret-told", text)
    for use in reading.uses:
        for name in sorted(use.names & secret.keys()) if use.how else ():
            text = f"'{name}' is secret, and cannot be {use.how}; a condition (if:) may compare it"
            reading.faults.add(use.place, "secret-told", text)
