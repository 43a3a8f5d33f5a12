"""`ivr_flows.trials.marks`: which exit was taken, for every kind of step, without a word about kinds."""

from pathlib import Path

from ivr_flows.flow import Choice, Flow, Gather, Menu, Retry, Say, exits
from ivr_flows.load import load
from ivr_flows.state import place_of
from ivr_flows.trials.marks import PROBE, Exit, Way, marked, taken
from tests.ivr_flows.flows import EXAMPLES, QUESTIONS, flow_of


def test_a_marked_flow_is_the_same_flow(tmp_path: Path) -> None:
    for flow in (load(EXAMPLES / "main.yaml"), flow_of(tmp_path, QUESTIONS)):
        assert marked(flow).flow == flow


def test_every_exit_is_marked_with_its_name(tmp_path: Path) -> None:
    flow = marked(flow_of(tmp_path, QUESTIONS))
    for name, step in flow.flow.steps.items():
        for exit_, target in exits(step):
            assert taken(target) == Exit("questions", name, exit_)
            assert PROBE not in target


def test_exits_to_one_step_are_told_apart() -> None:
    menu = Menu((), {"1": Choice("x"), "2": Choice("x")}, Retry("x"), Retry("x"))
    flow = marked(_flow_with(menu)).flow
    assert [taken(target) for _, target in exits(flow.steps["menu"])] == [
        Exit("f", "menu", name) for name in ("1", "2", "no_input", "no_match")
    ]


def test_a_name_that_is_no_exit_stays_what_it_is() -> None:
    gather = Gather("x", (), (1, 2), "x", Retry("x"), Retry("x"))
    flow = marked(_flow_with(gather)).flow
    step = flow.steps["menu"]
    assert isinstance(step, Gather)
    assert type(step.into) is str
    assert taken("menu") is None


def test_a_place_in_another_flow_keeps_its_mark() -> None:
    way = Way("ask", Exit("main", "identify", "refused"))
    place = place_of("identify", way)
    assert (place, taken(place), taken(place_of("", way))) == ("identify/ask", way.exit, way.exit)


def test_exits_are_written_as_seen_from_a_flow() -> None:
    assert Exit("main", "menu", "1").written("main") == "menu.1"
    assert Exit("identify", "ask", "next").written("main") == "identify/ask.next"


def _flow_with(step: Menu | Gather) -> Flow:
    return Flow("f", ("vi",), "menu", {"menu": step, "x": Say((), "menu")})
