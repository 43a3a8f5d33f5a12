"""A `.sim.yaml` file to a `Behaviour`: strict, every fault with its line and column. Without a file all is as usual."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hotline.simulate.behaviour import (
    AGENTS,
    ARRIVALS_PER_H,
    HANGS_UP,
    MAX_WAITING,
    RIGHT,
    SERVICE_LEVEL_S,
    SILENT,
    WRAP_UP_S,
    WRONG,
    Behaviour,
    Kind,
    QueueBehaviour,
    Shares,
    Time,
)
from ivr_flows import values
from ivr_flows.flow import Flow, Gather, Menu, Request, Step, Survey, Transfer, VerifyByCode, question_of
from ivr_flows.source import Faults, FlowErrors, MapNode, Node, Scalar, did_you_mean, one_of, read
from ivr_flows.state import place_of
from ivr_flows.trials.reading_world import WorldReading
from ivr_flows.trials.world import UNSENT
from ivr_flows.values import Fields, Reading

SUFFIX: Final = ".sim.yaml"
KEYS: Final = (
    "flow", "arrivals", "callers", "patience", "thinking", "agents", "handling", "ringing", "queues", "steps", "at",
    "timezone", "hours", "settings",
)  # fmt: skip
WORLD: Final = ("at", "timezone", "hours", "settings")
WORLD_OF_A_KIND: Final = ("caller",)
QUEUE: Final = ("agents", "wrap_up", "max_waiting", "service_level")
TIME: Final = ("mean", "deviation", "fixed")
AWAY: Final = "away"
"""What comes of a `transfer` to a number or an agent that succeeds."""
PER: Final[Mapping[str, float]] = {"s": 3600.0, "min": 60.0, "m": 60.0, "h": 1.0, "d": 1 / 24}


def behaviour_beside(flow: Path) -> Path:
    """Return where the behaviour of a flow's callers stands."""
    return flow.with_name(flow.name.removesuffix(".yaml") + SUFFIX)


def read_behaviour(path: Path | None, flow: Flow) -> Behaviour:
    """Return what a file says; the usual where there is none. Raises `FlowErrors` with everything that is wrong."""
    faults = Faults("" if path is None else str(path))
    root: Node | None = MapNode(1, 1) if path is None else read(path, faults)
    behaviour = None
    if root is not None:
        behaviour = _File(Reading(faults, Path() if path is None else path.parent, flow.languages), flow).behaviour(
            root
        )
    if faults.found or behaviour is None:
        raise FlowErrors(faults.sorted())
    return behaviour


def read_rate(text: str) -> float | None:
    """Return arrivals an hour of `120/h`, `2/min` or `120`; None for what is no rate."""
    number, _, unit = text.replace(" ", "").partition("/")
    try:
        rate = float(number) * PER[unit or "h"]
    except (ValueError, KeyError):
        return None
    return rate if 0 < rate <= 1_000_000 else None


class _File:
    """One file being read, for one flow."""

    def __init__(self, reading: Reading, flow: Flow) -> None:
        self.reading, self.flow = reading, flow
        self.world_reading = WorldReading(reading, flow)

    def behaviour(self, root: Node) -> Behaviour:
        given = values.fields(self.reading, root, KEYS, "a simulation")
        name = given.get("flow")
        if name is not None and (word := values.text(self.reading, name, "a flow's name")) not in ("", self.flow.name):
            self.fault(name, "unknown-flow", f"the flow beside this file is '{self.flow.name}', not '{word}'")
        usual = Behaviour((), ())
        return Behaviour(
            kinds=self.kinds(given),
            queues=self.queues(given.get("queues")),
            steps=self.steps(given.get("steps")),
            arrivals_per_h=self.rate(given.get("arrivals")),
            agents=values.count(self.reading, given.get("agents"), AGENTS, 10_000),
            patience=self.time(given.get("patience"), usual.patience),
            thinking=self.time(given.get("thinking"), usual.thinking),
            handling=self.time(given.get("handling"), usual.handling),
            ringing=self.time(given.get("ringing"), usual.ringing, "fixed"),
        )

    def fault(self, place: Node, code: str, text: str) -> None:
        self.reading.faults.add(place, code, text)

    def rate(self, node: Node | None) -> float:
        if node is None:
            return ARRIVALS_PER_H
        word = values.text(self.reading, node, "a rate")
        rate = read_rate(word)
        if rate is None and word:
            self.fault(node, "bad-value", f"'{word}' is not a rate such as 120/h or 2/min")
        return rate or ARRIVALS_PER_H

    def time(self, node: Node | None, usual: Time, short: str = "exponential") -> Time:
        """Read `3m` (drawn with that mean), `{mean: 3m, deviation: 1m}` (lognormal) or `{fixed: 3s}`."""
        if node is None:
            return usual
        if not isinstance(node, MapNode):
            seconds = values.duration(self.reading, node, usual.mean_s)
            return Time(seconds, "fixed" if short == "fixed" else "exponential")
        given = values.fields(self.reading, node, TIME, "a time")
        fixed, deviation = given.get("fixed"), given.get("deviation")
        if fixed is not None:
            return Time(values.duration(self.reading, fixed, usual.mean_s), "fixed")
        if "mean" not in given:
            self.fault(node, "missing-key", "a time needs 'mean:' or 'fixed:'")
        mean_s = values.duration(self.reading, given.get("mean"), usual.mean_s)
        if deviation is None:
            return Time(mean_s)
        return Time(mean_s, "lognormal", values.duration(self.reading, deviation, mean_s))

    # --------------------------------------------------------------------------------------- callers and queues

    def kinds(self, given: Fields) -> tuple[Kind, ...]:
        """Read the kinds of callers; without any, all are unknown."""
        common = {name: item for name, item in given.items.items() if name in WORLD}
        node = given.get("callers")
        if node is None:
            return (Kind("callers", 1.0, self.world_reading.world(Fields(given.place, common))),)
        if not isinstance(node, MapNode) or not node.items:
            self.fault(node, "bad-value", "callers are a mapping of kinds to {share: 30%, caller: {…}}")
            return (Kind("callers", 1.0, self.world_reading.world(Fields(given.place, common))),)
        kinds = []
        for name, (key, value) in node.items.items():
            values.name(self.reading, key, "a kind of callers")
            inner = values.fields(self.reading, value, ("share", *WORLD_OF_A_KIND), "a kind of callers")
            caller = {word: item for word, item in inner.items.items() if word in WORLD_OF_A_KIND}
            world = self.world_reading.world(Fields(inner.place, {**common, **caller}))
            kinds.append(Kind(name, self.share(inner, key), world))
        self.make_one(node, {kind.name: kind.share for kind in kinds}, "the callers")
        return tuple(kinds)

    def share(self, given: Fields, key: Scalar) -> float:
        node = given.get("share")
        if node is None:
            self.fault(key, "missing-key", "a kind of callers needs 'share:', such as 30%")
            return 1.0
        return self.percent(node)

    def percent(self, node: Node) -> float:
        word = values.text(self.reading, node, "a share").strip()
        try:
            percent = float(word.removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not word.endswith("%") or not 0 <= percent <= 100:
            if word:
                self.fault(node, "bad-value", f"'{word}' is not a share from 0% to 100%")
            return 0.0
        return percent / 100

    def make_one(self, place: Node, shares: Shares, what: str) -> None:
        total = 100 * sum(shares.values())
        if abs(total - 100) > 0.01:
            self.fault(place, "bad-share", f"the shares of {what} make {total:g} %, not 100 %")

    def queues(self, node: Node | None) -> tuple[QueueBehaviour, ...]:
        found = {name: QueueBehaviour(name) for name in self.world_reading.named("queue")}
        if node is not None and not isinstance(node, MapNode):
            self.fault(node, "bad-value", "queues are a mapping of names to {agents: 3, wrap_up: 10s, …}")
        for name, (key, value) in node.items.items() if isinstance(node, MapNode) else ():
            if name not in found:
                self.fault(key, "unknown-queue", f"the flow has no queue '{name}'{did_you_mean(name, found)}")
            given = values.fields(self.reading, value, QUEUE, "a queue")
            wrap_up = given.get("wrap_up")
            nothing = isinstance(wrap_up, Scalar) and wrap_up.text == "0s"
            found[name] = QueueBehaviour(
                name,
                values.count(self.reading, given.get("agents"), 0, 10_000),
                0.0 if nothing else values.duration(self.reading, wrap_up, WRAP_UP_S),
                values.count(self.reading, given.get("max_waiting"), MAX_WAITING, 100_000),
                values.duration(self.reading, given.get("service_level"), SERVICE_LEVEL_S),
            )
        return tuple(found.values())

    # ---------------------------------------------------------------------------------------------------- steps

    def steps(self, node: Node | None) -> dict[str, Shares]:
        """Read the shares of what happens at a question or a request, by step (`flow/step` in another flow)."""
        if node is None:
            return {}
        if not isinstance(node, MapNode):
            self.fault(node, "bad-value", "steps are a mapping of names to shares: {menu: {1: 60%, silent: 40%}}")
            return {}
        known = self.known()
        found: dict[str, Shares] = {}
        for name, (key, value) in node.items.items():
            if name not in known:
                text = f"'{name}' is no question and no request of this flow{did_you_mean(name, known)}"
                self.fault(key, "unknown-step", text)
                continue
            found[name] = self.shares(name, value, known[name])
        return found

    def shares(self, name: str, node: Node, step: Step) -> Shares:
        if not isinstance(node, MapNode):
            self.fault(node, "bad-value", f"the shares of '{name}' are a mapping: {{…: 60%, …: 40%}}")
            return {}
        words = set(may_happen(step))
        shares: dict[str, float] = {}
        for word, (key, value) in node.items.items():
            if word not in words and not (isinstance(step, Gather) and word.strip("*#").isdigit()):
                hint = did_you_mean(word, sorted(words)) or f": {one_of(sorted(words))}"
                self.fault(key, "unknown-key", f"'{word}' does not happen at '{name}'{hint}")
            shares[word] = self.percent(value)
        self.make_one(node, shares, f"'{name}'")
        return shares

    def known(self) -> dict[str, Step]:
        parts = {"": self.flow, **self.flow.flows}
        return {
            place_of(flow, name): step
            for flow, part in parts.items()
            for name, step in part.steps.items()
            if question_of(step) is not None or isinstance(step, Request)
        }


def may_happen(step: Step) -> Iterable[str]:
    """Return the words for what may happen at a step."""
    match step:
        case Menu(choices=choices):
            return (*choices, RIGHT, WRONG, SILENT, HANGS_UP)
        case Survey():
            return (*map(str, range(11)), RIGHT, WRONG, SILENT, HANGS_UP)
        case Gather():
            return (RIGHT, WRONG, SILENT, HANGS_UP)
        case VerifyByCode():
            return (RIGHT, WRONG, SILENT, HANGS_UP, *sorted(UNSENT))
        case Transfer(exits=exits):
            return (*exits, AWAY)
        case _ if isinstance(step, Request):
            return tuple(step.exits)
    return ()


def changed(behaviour: Behaviour, agents: int | None, arrivals_per_h: float | None) -> Behaviour:
    """Return a behaviour with what the command line says instead."""
    if agents is not None:
        queues = tuple(replace(queue, agents=0) for queue in behaviour.queues)
        behaviour = replace(behaviour, agents=agents, queues=queues)
    return behaviour if arrivals_per_h is None else replace(behaviour, arrivals_per_h=arrivals_per_h)
