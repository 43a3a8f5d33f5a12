"""Which worlds are worth trying with a flow: callers, times, queues and values, from what its expressions speak of.

A world is plain values, as a scenario writes them. The simplest come first. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from ivr_flows.entering import enter
from ivr_flows.facts import Facts
from ivr_flows.flow import Flow, Hours, Queue, ReadQueue, Split
from ivr_flows.state import FlowState
from ivr_flows.trials.marks import texts_of
from ivr_flows.trials.scenario import PHONE
from ivr_flows.walk import Walk

Plain = dict[str, Any]
Compared = dict[str, set[str | int | float]]
"""What is compared in a flow, `now.hour` or a variable, and with which constants."""

MAX_WORLDS: Final = 150
MAX_NUMBERS: Final = 500
LAN: Final[Plain] = {"name": "Lan"}
CASE: Final[Plain] = {"topic": "đơn hàng", "channel": "email"}
DATE: Final = "2026-03-02"

_PARSER: Final = Environment(autoescape=True)


def compared(flow: Flow) -> Compared:
    """Return what the flow's expressions compare with constants; what they only name has none."""
    found: Compared = {}
    for part in (flow, *flow.flows.values()):
        for step in part.steps.values():
            for _, text in texts_of(step):
                for tree in _parsed(text):
                    _collect(tree, found)
    return found


def worlds(flow: Flow) -> list[Plain]:
    """Return worlds to try, the simplest first: the one that a scenario has by itself, then each difference that may
    matter to the flow, then two of them at once, and so on."""
    known = compared(flow)
    dimensions = [
        each
        for each in (
            _callers(flow, known),
            *_hours(flow, known),
            _times(known),
            *_queues(flow, known),
            _dialled(known),
            *_shares(flow),
        )
        if each
    ]
    changes = [[({}, 0), *((change, 1) for change in changes)] for changes in dimensions]
    combined = sorted(
        islice(product(*changes), 20_000), key=lambda chosen: sum(weight for _, weight in chosen)
    )  # sorted() is stable: of equals the earlier written stays first
    return [_merged([change for change, _ in chosen]) for chosen in combined[:MAX_WORLDS]] or [{}]


def _parsed(text: str) -> Iterator[nodes.Node]:
    for source in (text,) if "{{" in text else (f"{{{{ {text} }}}}",):
        try:
            yield _PARSER.parse(source)
        except (TemplateSyntaxError, RecursionError):
            continue


def _collect(tree: nodes.Node, found: Compared) -> None:
    for node in tree.find_all((nodes.Getattr, nodes.Call, nodes.Compare)):
        match node:
            case nodes.Getattr() | nodes.Call():
                name = _name(node)
                if name:
                    found.setdefault(name, set())
            case nodes.Compare(expr=expression, ops=ops):
                _compare([expression, *(op.expr for op in ops)], found)


def _compare(sides: Sequence[nodes.Node], found: Compared) -> None:
    constants = {side.value for side in sides if isinstance(side, nodes.Const) and not isinstance(side.value, bool)}
    for side in sides:
        if isinstance(side, nodes.List | nodes.Tuple):
            constants |= {item.value for item in side.items if isinstance(item, nodes.Const)}
    for side in sides:
        name = _name(side)
        if name:
            found.setdefault(name, set()).update(each for each in constants if isinstance(each, str | int | float))


def _name(node: nodes.Node) -> str:
    """Return `now.hour`, `queue.care.waiting` or `order`; of a filtered value, the value's."""
    match node:
        case nodes.Filter(node=nodes.Node() as inner):
            return _name(inner)
        case nodes.Getattr(node=nodes.Call(node=nodes.Name(name="queue"), args=[nodes.Const(value=queue)])):
            return f"queue.{queue}.{node.attr}"
        case nodes.Call(node=nodes.Name(name="hours"), args=[nodes.Const(value=name)]):
            return f"hours.{name}"
        case nodes.Getattr(node=nodes.Name(name=group)):
            return f"{group}.{node.attr}"
        case nodes.Name(name=name):
            return str(name)
    return ""


def _callers(flow: Flow, known: Compared) -> list[Plain]:
    asked = {name for name in known if name.startswith(("caller.", "call."))}
    if not asked and not any(variable.remember_s for variable in flow.variables.values()):
        return []
    levels = sorted({1, 2, 3} & {int(each) for each in known.get("caller.assurance", ()) if not isinstance(each, str)})
    people: list[Plain] = [{**LAN}]
    if "caller.open_cases" in asked:
        people += [{**LAN, "open_cases": [CASE]}, {**LAN, "open_cases": [CASE, {**CASE, "channel": "zalo"}]}]
    if "caller.last_interaction" in asked:
        people.append({**LAN, "assurance": 2, "last_interaction": {"channel": "email", "subject": "đơn hàng"}})
    people += [{**people[-1], "assurance": level} for level in levels if level > 1]
    people += [{**LAN, "tags": [tag]} for tag in sorted(map(str, known.get("caller.tags", ())))]
    remembered = {name: _digits(flow, name) for name, variable in flow.variables.items() if variable.remember_s}
    if remembered:
        people.append({**LAN, "fields": remembered})
    others = [{**person, "language": other} for other in flow.languages[1:] for person in people]
    return [*({"caller": {"known_as": person}} for person in (*people, *others)), {"caller": "withheld"}]


def _digits(flow: Flow, name: str) -> str:
    length = flow.variables[name].length
    return "1234567890"[: length[0]].ljust(length[0], "1") if length else "1234"


def _times(known: Compared) -> list[Plain]:
    hours = {number for each in known.get("now.hour", ()) for number in _around(each) if 0 <= number <= 23}
    minutes = {number for each in known.get("now.minute", ()) for number in _around(each) if 0 <= number <= 59}
    return [
        {"at": f"{DATE} {hour:02}:{minute:02}"}
        for hour in sorted(hours or ({10} if minutes else set()))
        for minute in sorted(minutes or {0})
    ]


def _queues(flow: Flow, known: Compared) -> Iterator[list[Plain]]:
    """Yield how queues may stand, by what is compared with `queue("care").waiting`, or with a record of the same."""
    facts: dict[str, dict[str, set[str | int | float]]] = {}
    for name, constants in known.items():
        group, _, rest = name.partition(".")
        if group == "queue" and "." in rest:
            facts.setdefault(rest.rpartition(".")[0], {})[rest.rpartition(".")[2]] = constants
    for part in (flow, *flow.flows.values()):
        for step in part.steps.values():
            if isinstance(step, ReadQueue):
                for fact in ("open", "waiting", "estimated_wait"):
                    constants = known.get(f"{step.into}.{fact}", set())
                    facts.setdefault(step.of, {}).setdefault(fact, set()).update(constants)
    for name in _waited_in(flow):
        ahead = {number - 1 for number in _near(known.get("waiting.position", ()))}
        facts.setdefault(name, {}).setdefault("waiting", set()).update(ahead)
        facts[name].setdefault("estimated_wait", set()).update(known.get("waiting.estimated_wait", ()))
    for name, compared_ in sorted(facts.items()):
        yield [{"queues": {name: {"open": "no"}}}] if "open" in compared_ else []
        for fact, unit in (("waiting", ""), ("estimated_wait", "s")):
            near = [number for number in _near(compared_.get(fact, ())) if number > 0]
            yield [{"queues": {name: {fact: f"{number}{unit}"}}} for number in near]


def _waited_in(flow: Flow) -> set[str]:
    """Return the queues in which a flow is heard."""
    parts = (flow, *flow.flows.values())
    return {step.to for part in parts for step in part.steps.values() if isinstance(step, Queue) and step.wait_flow}


def _near(constants: Iterable[str | int | float]) -> list[int]:
    return sorted({number for each in constants for number in _around(each)})


def _hours(flow: Flow, known: Compared) -> Iterator[list[Plain]]:
    parts = (flow, *flow.flows.values())
    names = {step.of for part in parts for step in part.steps.values() if isinstance(step, Hours)}
    names |= {name.removeprefix("hours.") for name in known if name.startswith("hours.")}
    for name in sorted(names):
        yield [{"hours": {name: state}} for state in ("closed", "holiday", "emergency")]


def _shares(flow: Flow) -> Iterator[list[Plain]]:
    """Yield numbers of callers who go each way of a `split`, since nothing but who calls decides that."""
    for part in (flow, *flow.flows.values()):
        for name, step in part.steps.items():
            if isinstance(step, Split):
                place = FlowState(step=name, language=flow.languages[0], flow="" if part is flow else part.name)
                ways: dict[str, Plain] = {}
                for phone in (PHONE, *(f"+849{number:08}" for number in range(MAX_NUMBERS))):
                    walk = Walk(flow, Facts(ani=phone), place, 0.0)
                    ways.setdefault(enter(walk) or "", {"caller": {"phone": phone}})
                yield list(ways.values())[1:]  # the first is how callers go whose number does not matter


def _dialled(known: Compared) -> list[Plain]:
    dialled = [{"dials": str(each)} for each in sorted(map(str, known.get("call.dnis", ())))]
    return [*dialled, *({"caller": {"phone": str(each)}} for each in sorted(map(str, known.get("call.ani", ()))))]


def _around(value: str | float) -> tuple[int, ...]:
    return () if isinstance(value, str) else (int(value) - 1, int(value), int(value) + 1)


def _merged(changes: Iterable[Mapping[str, Any]]) -> Plain:
    merged: Plain = {}
    for change in changes:
        for key, value in change.items():
            here = merged.get(key)
            merged[key] = _merged((here, value)) if isinstance(here, dict) and isinstance(value, dict) else value
    return merged
