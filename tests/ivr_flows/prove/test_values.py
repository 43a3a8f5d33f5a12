"""Sets of values are never too small: what an expression really gives is in what is said of it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ivr_flows.expression import evaluate, tree_of_condition
from ivr_flows.flow import Flow, HangUp, Variable
from ivr_flows.prove.evaluate import Evaluation
from ivr_flows.prove.numbers import Numbers, between, compared, numbers, only
from ivr_flows.prove.value import ANYTHING, Texts, Value, constant, texts
from ivr_flows.prove.world import Scope, World

FLOW = Flow(
    "main", ("en",), "bye", {"bye": HangUp()},
    variables={
        "n": Variable("number"), "m": Variable("number"), "word": Variable("text"), "code": Variable("digits"),
        "seen": Variable("flag"), "tier": Variable("choice", values=("gold", "plain")),
    },
)  # fmt: skip
OPERATORS = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "eq": "==", "ne": "!="}
CONDITIONS = (
    "n > 2", "n >= m", "not n < 3", "n == m or n > 5", "1 < n < 4", "n != 3 and m != 3", "word == 'ab'", "word",
    "word != code", "code | length > 2", "code in ['12', '3']", "code not in ['12', '3']", "seen", "not seen and n > m",
    "tier == 'gold' or seen", "n in [1, 2, m]", "'a' in word", "n % 2 == 0", "n is even", "(n if seen else m) > 2",
    "word == code", "seen == (n > 2)", "n > 2 if seen else m > 2", "code | int > n", "word | length == n", "n and m",
    "n or word", "tier != 'gold' and tier != 'plain'", "n - m > 0", "word ~ code == 'ab12'", "n | abs > 2",
)  # fmt: skip
VALUES = (
    "n + m", "n - m", "n * m", "-n", "n // 2", "n / 4", "n % 3", "n | abs", "n | round", "word ~ code", "code | int",
    "word | length", "word if seen else code", "n if n > 2 else m", "word or code", "seen and n", "[n, m] | max",
    "(n, m) | first", "word | upper", "word + code", "not n", "n > m", "n * 2 + 1", "tier | length",
    "word | default('x')",
)  # fmt: skip

small = st.integers(-6, 6)
spans = st.lists(st.tuples(small, small).map(lambda pair: (float(min(pair)), float(max(pair)))), max_size=3)
sets = st.builds(
    lambda each, whole: numbers((((low, 0), (high, 0)) for low, high in each), whole), spans, st.booleans()
)
points = st.integers(-14, 14).map(lambda half: half / 2)
scopes = st.fixed_dictionaries(
    {
        "n": small, "m": small, "word": st.sampled_from(("", "a", "ab", "12")),
        "code": st.sampled_from(("12", "3", "123")), "seen": st.booleans(), "tier": st.sampled_from(("gold", "plain")),
    }
)  # fmt: skip


def holds(value: Value, known: object) -> bool:
    """Whether a set has a value in it."""
    if value.anything:
        return True
    if known is None:
        return value.none
    if isinstance(known, bool):
        return known in value.flags
    if isinstance(known, int | float):
        return known in value.numbers
    return bool(value.texts.meet(Texts(frozenset({str(known)}))))


def world_of(scopes: list[dict[str, object]]) -> World:
    """What is known where any of these may be."""
    worlds = [World({name: constant(value) for name, value in scope.items()}) for scope in scopes]
    found = worlds[0]
    for world in worlds[1:]:
        found = found.join(world)
    return found


@given(one=sets, other=sets, point=points)
def test_sets_of_numbers_have_what_they_should(one: Numbers, other: Numbers, point: float) -> None:
    both, either = point in one and point in other, point in one or point in other
    assert (point in one.meet(other)) == both
    assert (point in one.join(other)) >= either
    assert (point in one.widened(one.join(other), (0, 3))) >= either
    assert (point in one.without(2)) == (point in one and point != 2)
    assert (max(-3, min(2, point)) in one.within(-3, 2)) >= (point in one)


@given(one=sets, other=sets, operator=st.sampled_from(sorted(OPERATORS)), data=st.data())
def test_reckoning_with_sets_is_reckoning_with_what_is_in_them(
    one: Numbers, other: Numbers, operator: str, data: st.DataObject
) -> None:
    inside = [point / 2 for point in range(-14, 15)]
    left, right = [x for x in inside if x in one], [x for x in inside if x in other]
    if not left or not right:
        return
    x, y = data.draw(st.sampled_from(left)), data.draw(st.sampled_from(right))
    assert x + y in one.plus(other)
    assert x * y in one.times(other)
    assert -x in one.negative()
    if evaluate(f"x {OPERATORS[operator]} y", {"x": x, "y": y}):
        assert x in compared(operator, other)


@pytest.mark.parametrize("source", VALUES)
@given(data=st.data())
def test_what_an_expression_gives_is_in_what_is_said_of_it(source: str, data: st.DataObject) -> None:
    possible = data.draw(st.lists(scopes, min_size=1, max_size=3))
    said = Evaluation(Scope(FLOW)).value(tree_of_condition(source), world_of(possible))
    for scope in possible:
        assert holds(said, evaluate(source, scope)), (said, scope)


@pytest.mark.parametrize("source", CONDITIONS)
@given(data=st.data())
def test_where_a_condition_holds_what_is_so_stays_possible(source: str, data: st.DataObject) -> None:
    possible = data.draw(st.lists(scopes, min_size=1, max_size=3))
    evaluation = Evaluation(Scope(FLOW))
    tree, world = tree_of_condition(source), world_of(possible)
    worlds = {truth: evaluation.assume(tree, world, truth) for truth in (True, False)}
    for scope in possible:
        left = worlds[bool(evaluate(source, scope))]
        assert any(all(holds(after.variables[name], value) for name, value in scope.items()) for after in left)


@pytest.mark.parametrize("source", CONDITIONS)
def test_what_was_decided_is_known_afterwards(source: str) -> None:
    evaluation = Evaluation(Scope(FLOW))
    tree, scope = tree_of_condition(source), Scope(FLOW)
    world = World({name: scope.declared(name) for name in FLOW.variables})
    for truth in (True, False):
        for after in evaluation.assume(tree, world, truth):
            assert not evaluation.assume(tree, after, not truth) or source in UNDECIDED


UNDECIDED = {
    "(n if seen else m) > 2",
    "n > 2 if seen else m > 2",
    "seen == (n > 2)",
    "n in [1, 2, m]",
    "n == m or n > 5",
}
"""Conditions of which more would have to be known than a set for each name."""


def test_texts_of_a_form_and_a_length() -> None:
    assert not texts({"12", "ab"}, but=False, length=between(3, 4), form="")
    assert texts({"12", "ab"}, but=False, length=only(2), form="digits").words == {"12"}
    assert constant({"day": "x"}).field("day") == constant("x")
    assert ANYTHING.meet(constant(1)) == constant(1)
