"""Random callers: no flow raises, spins, loses its caller or goes on after its end."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.strategies import DrawFn, SearchStrategy, composite

from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.step import (
    EndCall,
    EnterQueue,
    FlowInput,
    KeyPressed,
    PlayPrompts,
    PromptsFinished,
    QueueLeft,
    TimePassed,
)
from telephony.events import CallerContext, OpenCase, PromptEnding
from tests.ivr_flows.flows import EXAMPLES, NOW, QUESTIONS, Caller, facts

MAIN = load(EXAMPLES / "main.yaml")
ENDINGS: list[PromptEnding] = ["finished", "barged_in", "stopped", "failed"]

cases = st.builds(
    OpenCase,
    id=st.text(max_size=8),
    subject=st.text(max_size=20),
    topic=st.text(max_size=20),
    channel=st.sampled_from(["email", "zalo", "chat", "carrier pigeon", ""]),
    opened_at=st.floats(0, NOW),
)
callers = st.builds(
    CallerContext,
    known=st.booleans(),
    name=st.text(max_size=40),
    language=st.sampled_from(["", "vi", "en", "en-GB", "fr", "ko"]),
    assurance=st.integers(0, 3),
    open_cases=st.lists(cases, max_size=3).map(tuple),
)


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    path: Path = tmp_path_factory.mktemp("flows") / "questions.yaml"
    path.write_text(QUESTIONS, encoding="utf-8")
    return load(path)


def inputs() -> SearchStrategy[FlowInput]:
    return st.one_of(
        st.sampled_from("0123456789*#AD").map(KeyPressed),
        st.builds(PromptsFinished, playback=st.integers(1, 30), ending=st.sampled_from(ENDINGS)),
        st.just(TimePassed()),
        st.sampled_from([QueueLeft("answered"), QueueLeft("full"), QueueLeft("closed"), QueueLeft("timeout")]),
    )


@composite
def lives(draw: DrawFn) -> list[tuple[FlowInput | None, float]]:
    """Inputs with the time before each; None is the end of whatever plays."""
    return draw(st.lists(st.tuples(st.one_of(st.none(), inputs()), st.floats(0, 8)), max_size=60))


def _check(caller: Caller) -> None:
    state = caller.state
    assert state.step in caller.flow.steps
    assert set(state.path) <= set(caller.flow.steps)
    assert state.phase != "walking"
    assert (state.phase == "ended") == state.ended
    assert len(state.keys) <= 64
    assert sum(isinstance(action, EndCall) for action in caller.actions) == state.ended
    playbacks = [action.playback for action in caller.actions if isinstance(action, PlayPrompts)]
    assert playbacks == list(range(1, state.playbacks + 1))
    if state.phase in ("speaking", "asking", "ending"):
        assert state.playing == state.playbacks
        assert state.deadline is not None
    elif state.phase == "listening":
        assert state.playing is None
        assert state.deadline is not None
    else:
        assert state.deadline is None
    if state.phase == "queued":
        assert any(isinstance(action, EnterQueue) for action in caller.actions)


def _live(caller: Caller, life: list[tuple[FlowInput | None, float]]) -> None:
    _check(caller)
    for happened, after in life:
        playing = caller.state.playing
        if happened is None and playing is None:
            continue
        ended = caller.state.ended
        actions = caller.does(PromptsFinished(playing or 0, "finished") if happened is None else happened, after)
        assert not (ended and actions)
        _check(caller)


def _then_says_nothing(caller: Caller) -> None:
    """From wherever the caller is, silence alone brings the call to its end."""
    for _ in range(60):
        if caller.state.ended:
            return
        if caller.state.phase == "queued":
            caller.does(QueueLeft("timeout"))
        elif caller.state.playing is not None:
            caller.does(PromptsFinished(caller.state.playing, "finished"), after=4.0)
        else:
            deadline = caller.state.deadline
            assert deadline is not None
            caller.does(TimePassed(), after=max(0.0, deadline - caller.now))
        _check(caller)
    raise AssertionError(f"the call hangs in {caller.state}")


@settings(max_examples=300, deadline=None)
@given(callers, lives())
def test_example_never_raises_and_always_ends(
    context: CallerContext, life: list[tuple[FlowInput | None, float]]
) -> None:
    caller = Caller(MAIN, facts(context))
    _live(caller, life)
    assert caller.state.failures == ()
    _then_says_nothing(caller)


@settings(max_examples=200, deadline=None)
@given(context=callers, life=lives())
def test_questions_never_raise_and_always_end(
    questions: Flow, context: CallerContext, life: list[tuple[FlowInput | None, float]]
) -> None:
    caller = Caller(questions, facts(context))
    _live(caller, life)
    order = caller.state.variables.get("order")
    assert order is None or (isinstance(order, str) and order.isdigit() and 3 <= len(order) <= 4)
    _then_says_nothing(caller)


@settings(max_examples=100, deadline=None)
@given(callers)
def test_nothing_personal_below_its_assurance(context: CallerContext) -> None:
    if context.assurance >= 1:
        return
    caller = Caller(MAIN, facts(context))
    anonymous = Caller(MAIN, facts(CallerContext(language=context.language, assurance=context.assurance)))
    for other in (caller, anonymous):
        for _ in range(4):
            if other.state.playing is not None:
                other.does(PromptsFinished(other.state.playing, "finished"))
    assert caller.actions == anonymous.actions
