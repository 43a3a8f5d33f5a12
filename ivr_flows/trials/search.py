"""Ways through a flow that no scenario goes yet: a search, breadth first, over what callers and the world may do.

A decision is due where a question waits for the caller, where a call comes into a queue, and where the flow asks the
world. From there every answer that the flow tells apart is tried. States that have been seen are not tried again. Pure.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from ivr_flows.flow import Flow, exits
from ivr_flows.state import Ask, EnterQueue, FlowState, place_of
from ivr_flows.trials.answering import Answering, replies_to
from ivr_flows.trials.call import Call
from ivr_flows.trials.conduct import Scene
from ivr_flows.trials.hints import Compared, Plain, compared, worlds
from ivr_flows.trials.marks import Exit, Marked, leading_to
from ivr_flows.trials.playing import begin, play
from ivr_flows.trials.reading import read_scenario
from ivr_flows.trials.reading_world import QUEUE_OUTCOMES
from ivr_flows.trials.scenario import GAP, Scenario, Visit

MAX_NODES: Final = 4_000
"""In one world."""
MAX_DEEDS: Final = 60
MOST_ROUNDS: Final = 2
"""A step of a flow for waiting that a call comes to more often goes round."""
_KEY: Final = msgspec.msgpack.Encoder(enc_hook=str, order="deterministic")


class Found(msgspec.Struct, frozen=True):
    """A scenario that takes exits which nobody took before; as plain values, too, to be written down."""

    scenario: Scenario
    plain: Plain
    exits: tuple[Exit, ...]


@dataclass(slots=True)
class _Explored(Call):
    """A call in which what comes of a queue or a request (`pending`) is decided later."""

    pending: EnterQueue | Ask | None = None

    def enter(self, action: EnterQueue) -> None:
        self.waits_in(action.queue)
        self.pending = action

    def ask(self, action: Ask) -> None:
        self.pending = action

    def fork(self) -> "_Explored":
        """Return a copy that goes on by itself. What was heard does not matter to it."""
        scene = Scene([], self.scene.asking, self.scene.listening, self.scene.silences, self.scene.where)
        copied = _Explored(self.marked, self.scenario, self.facts, self.now, self.state, scene, answers=self.answers)
        copied.due = type(self.due)(*(getattr(self.due, name) for name in type(self.due).__slots__))
        copied.exits, copied.noted = list(self.exits), self.noted
        return copied

    def advance(self) -> None:
        """Let time go by until something has to be decided."""
        while not self.scene.ended and not self.scene.asking and self.pending is None and self.pass_time(math.inf):
            self.way.clear()


class _Node(msgspec.Struct):
    """A call that has come to a decision, and how it came there: what the caller did, what came of queues and other
    requests (a key of the world, a name in it, the value)."""

    call: _Explored
    deeds: tuple[Any, ...] = ()
    came: tuple[tuple[str, str, Any], ...] = ()


def find(marked: Marked, missed: Sequence[Exit], taken_names: Sequence[str] = ()) -> list[Found]:
    """Return scenarios that take those exits, as few as serve, each exit that could be reached by one of them."""
    wanted = set(missed)
    candidates: list[Plain] = []
    known = compared(marked.flow)
    for world in worlds(marked.flow):
        if not wanted:
            break
        for plain, exits_ in _explore(marked, known, world, wanted):
            wanted -= exits_
            candidates.append(plain)
    return _fewest(marked, candidates, set(missed), taken_names)


def _explore(marked: Marked, known: Compared, world: Plain, wanted: set[Exit]) -> Iterator[tuple[Plain, set[Exit]]]:
    """Yield scenarios of one world that take wanted exits, as they are found."""
    scenario = read_scenario(marked.flow, "search", {**world, "call": []})
    if scenario is None:
        return
    wanted = set(wanted)
    promising = leading_to(marked.flow, wanted)
    waiting = deque([_Node(begin(marked, scenario, _Explored))])
    seen: set[bytes] = set()
    for _ in range(MAX_NODES):
        if not waiting or not wanted:
            return
        node = waiting.popleft()
        node.call.advance()
        fresh = wanted & set(node.call.exits)
        if fresh:
            wanted -= fresh
            promising = leading_to(marked.flow, wanted)
            yield _plain(world, node), fresh
        key = _key_of(node.call)
        if node.call.scene.ended or key in seen or len(node.deeds) >= MAX_DEEDS:
            continue
        if promising.isdisjoint(_places(node.call.state)):
            continue
        seen.add(key)
        waiting.extend(_decided(known, node))


def _decided(known: Compared, node: _Node) -> Iterator[_Node]:
    """Yield a copy of the call for each thing that may happen now."""
    pending = node.call.pending
    match pending:
        case EnterQueue():
            for outcome in QUEUE_OUTCOMES:
                call = node.call.fork()
                call.visit(pending, Visit(outcome))
                yield _Node(call, node.deeds, (*node.came, ("queues", pending.queue, outcome)))
        case Ask():
            for said, written in replies_to(node.call, pending, known):
                call = node.call.fork()
                if said is None:
                    call.not_answered("transfer", "")
                else:
                    call.will_be_told(pending, said)
                yield _Node(call, node.deeds, (*node.came, written) if written is not None else node.came)
        case None:
            for keys in Answering(node.call).all(known) if node.call.scene.asking else ():
                call = node.call.fork()
                if keys:
                    call.press(keys)
                else:
                    call.pass_time(math.inf)
                yield _Node(call, (*node.deeds, {"press": _written(keys)} if keys else "silent"), node.came)
            if node.call.due.queue_at < math.inf:
                yield _waited_out(node)


def _waited_out(node: _Node) -> _Node:
    """Return a copy of a call in which the caller only listens until the queue is over."""
    call = node.call.fork()
    seconds = math.ceil(call.due.queue_at - call.now)
    until = call.now + seconds
    while call.now < until and not call.scene.ended and call.pending is None and call.pass_time(until):
        pass
    return _Node(call, (*node.deeds, {"waits": f"{seconds}s"}), node.came)


def _written(keys: str) -> str | int:
    return int(keys) if keys.isdigit() and str(int(keys)) == keys else keys


def _key_of(call: _Explored) -> bytes:
    """Return what tells one state from the next: all that decides how the call goes on, but the time."""
    waits = call.due.outcome if call.due.queue_at < math.inf else ""
    return _KEY.encode((_bare(call.state), waits, call.pending, call.facts.caller, call.scene.asking))


def _places(state: FlowState) -> Iterator[str]:
    """Yield where a call is: in its flow, in those that called it, in the one that it hears in a queue."""
    yield state.place
    yield from (place_of(frame.flow, frame.step) for frame in state.stack)
    if state.waiting is not None:
        yield from _places(state.waiting)


def _bare(state: FlowState) -> FlowState:
    waiting = None if state.waiting is None else _bare(state.waiting)
    return replace(
        state, path=(), playing=None, playbacks=0, requests=0, deadline=None, failures=(), swallow_until=0.0,
        waiting=waiting,
    )  # fmt: skip


def _plain(world: Plain, node: _Node) -> Plain:
    """Return a scenario as it is written: the world, what came of it, and the deeds."""
    came: dict[str, dict[str, list[Any]]] = {}
    for key, name, value in node.came:
        came.setdefault(key, {}).setdefault(name, []).append(value)
    plain: Plain = {**world}
    for key, named in came.items():
        if key == "queues":
            given = world.get(key, {})
            merged = {name: {**given.get(name, {}), "outcome": _short(each)} for name, each in named.items()}
            plain[key] = {**given, **merged}
        else:
            plain[key] = _short(named[""]) if "" in named else {name: _short(each) for name, each in named.items()}
    return {**plain, "call": _counted(node.deeds)}


def _short(each: list[Any]) -> Any:
    """Return several values as a list, or one alone; the last stands for those that follow."""
    while len(each) > 1 and each[-1] == each[-2]:
        each = each[:-1]
    return each[0] if len(each) == 1 else each


def _counted(deeds: Sequence[Any]) -> list[Any]:
    """Return deeds with `silent` after `silent` put together."""
    counted: list[Any] = []
    for deed in deeds:
        last = counted[-1] if counted else None
        if deed == "silent" and (last == "silent" or (isinstance(last, dict) and "silent" in last)):
            counted[-1] = {"silent": 2 if last == "silent" else last["silent"] + 1}
        else:
            counted.append(deed)
    return counted


# ----------------------------------------------------------------------------------------------------- choosing


def _fewest(marked: Marked, candidates: Sequence[Plain], wanted: set[Exit], names: Sequence[str]) -> list[Found]:
    """Choose scenarios until all is taken that any of them takes: each time the one that takes most."""
    played = []
    for plain in candidates:
        scenario = read_scenario(marked.flow, "search", plain)
        if scenario is not None:
            call = play(marked, scenario)
            if call.disappointment is None:
                played.append((plain, call))
    chosen: list[Found] = []
    used = set(names)
    while played:
        plain, call = max(played, key=lambda each: (len(wanted & set(each[1].exits)), -len(each[0]["call"])))
        fresh = [exit_ for exit_ in marked.exits if exit_ in wanted and exit_ in set(call.exits)]
        if not fresh:
            break
        wanted = wanted - set(fresh)
        name = _name(marked, fresh[-1], used)
        used.add(name)
        full = {**plain, "expect": {"steps": with_gap(marked.flow, call.steps), "ends": call.ended}}
        scenario = read_scenario(marked.flow, name, full)
        if scenario is not None:
            chosen.append(Found(scenario, full, tuple(fresh)))
    return chosen


def with_gap(flow: Flow, steps: Sequence[str]) -> list[str]:
    """Return a way in which the rounds of a flow for waiting stand once, and `...` for the rest of them: how many there
    are depends on how long words are, which only a voice knows."""
    counted = Counter(step for step in steps if flow.part(step.rpartition("/")[0]).for_waiting)
    round_ = [index for index, step in enumerate(steps) if counted[step] > MOST_ROUNDS]
    if not round_:
        return list(map(str, steps))
    second = next(index for index in round_ if steps[index] in steps[:index])
    return list(map(str, (*steps[:second], GAP, *steps[round_[-1] + 1 :])))


def _name(marked: Marked, exit_: Exit, used: set[str]) -> str:
    """Return a name that says which exit is taken: `menu_no_input`, or `known_case_1` for a first condition."""
    flow, step, name = exit_
    named = [each for each, _ in exits(marked.flow.part(flow).steps[step])]
    words = {"#": "hash", "*": "star"}.get(name, name)
    if not words.replace("_", "").isalnum() or not words.isascii():
        words = str(named.index(name) + 1)
    prefix = "" if flow == marked.flow.name else f"{flow}_"
    wanted = free = f"{prefix}{step}_{words.lower()}"
    number = 2
    while free in used:
        free, number = f"{wanted}_{number}", number + 1
    return free
