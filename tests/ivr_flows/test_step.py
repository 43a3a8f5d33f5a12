"""`ivr_flows.step`: what each input leads to, in each phase."""

from pathlib import Path

import msgspec
import pytest

from ivr_flows.flow import MOST_NUMBER, Flow, exits
from ivr_flows.load import load
from ivr_flows.step import (
    MOVES,
    ChangeLanguage,
    EndCall,
    EnterQueue,
    Facts,
    FlowState,
    KeyPressed,
    PlayPrompts,
    PromptsFinished,
    QueueLeft,
    StopPrompts,
    TimePassed,
)
from ivr_flows.walk import APOLOGY, MAX_STEPS_AT_ONCE, PROMPT_LIMIT_S
from telephony.events import CallerContext, Prompt
from tests.ivr_flows.flows import EXAMPLES, NOW, QUESTIONS, Caller, facts, flow_of, lan


@pytest.fixture
def questions(tmp_path: Path) -> Flow:
    return flow_of(tmp_path, QUESTIONS)


def _said(caller: Caller) -> list[str]:
    return [prompt.value for action in caller.actions if isinstance(action, PlayPrompts) for prompt in action.prompts]


def _over(caller: Caller) -> PromptsFinished:
    assert caller.state.playing is not None
    return PromptsFinished(caller.state.playing, "finished")


def _asked(questions: Flow) -> Caller:
    caller = Caller(questions)
    caller.does(_over(caller))
    return caller


def test_begins_in_the_callers_language(questions: Flow) -> None:
    for language, expected in [("en", "en"), ("en-GB", "en"), ("fr", "vi"), ("", "vi")]:
        caller = Caller(questions, facts(CallerContext(language=language)))
        assert caller.state.language == expected
    assert caller.state.variables == {"count": 0}
    assert caller.actions == [PlayPrompts(1, (Prompt("text", "Chào", "vi"),), interruptible=False, loop=False)]


def test_stale_prompt_is_ignored(questions: Flow) -> None:
    caller = _asked(questions)
    before = caller.state
    assert caller.does(PromptsFinished(1, "finished")) == ()
    assert caller.state == before


def test_no_input_timer_starts_after_the_prompt(questions: Flow) -> None:
    caller = _asked(questions)
    assert caller.does(TimePassed(), after=60.0) == ()
    assert caller.does(_over(caller)) == ()
    assert caller.state.deadline == caller.now + 5.0
    assert caller.does(TimePassed(), after=4.9) == ()
    (again,) = caller.does(TimePassed(), after=0.2)
    assert isinstance(again, PlayPrompts)
    caller.does(_over(caller))
    assert caller.does(TimePassed(), after=5.0) == (EndCall("silent"),)
    assert caller.state.ended


def test_gathers_until_the_finishing_key(questions: Flow) -> None:
    caller = _asked(questions)
    assert caller.does(KeyPressed("1")) == (StopPrompts(2),)
    assert caller.state.deadline == caller.now + 3.0
    caller.does(KeyPressed("2"))
    caller.does(KeyPressed("3"))
    assert caller.state.step == "ask"
    caller.does(KeyPressed("#"))
    assert (caller.state.step, caller.state.variables["order"]) == ("pick", "123")


def test_gathers_until_the_pause(questions: Flow) -> None:
    caller = _asked(questions)
    for key in "123":
        caller.does(KeyPressed(key))
    assert caller.does(TimePassed(), after=2.9) == ()
    caller.does(TimePassed(), after=0.1)
    assert (caller.state.step, caller.state.variables["order"]) == ("pick", "123")


def test_finishing_key_after_the_last_digit_answers_nothing_else(questions: Flow) -> None:
    caller = _asked(questions)
    for key in "1234#":
        caller.does(KeyPressed(key))
    assert (caller.state.step, caller.state.keys) == ("pick", "")
    caller.does(_over(caller))
    caller.does(KeyPressed("#"), after=1.0)
    assert caller.state.step == "wrong"


def test_finishing_key_is_not_swallowed_for_ever(questions: Flow) -> None:
    caller = _asked(questions)
    for key in "1234":
        caller.does(KeyPressed(key))
    caller.does(_over(caller), after=2.0)
    caller.does(KeyPressed("#"), after=2.0)
    assert caller.state.step == "wrong"


def test_too_short_is_no_match(questions: Flow) -> None:
    caller = _asked(questions)
    caller.does(KeyPressed("1"))
    (again,) = caller.does(KeyPressed("#"))
    assert isinstance(again, PlayPrompts)
    assert [prompt.value for prompt in again.prompts] == ["Sai", "Mã?"]
    caller.does(KeyPressed("1"))
    caller.does(TimePassed(), after=3.0)
    assert caller.state.step == "wrong"
    assert _said(caller)[-1] == "Mã sai"
    assert caller.does(_over(caller)) == (EndCall("completed"),)


def test_keys_typed_ahead_wait_for_their_question(questions: Flow) -> None:
    caller = Caller(questions)
    for key in "123#1":
        assert caller.does(KeyPressed(key)) == ()
    assert caller.state.step == "hello"
    (asked,) = caller.does(_over(caller))
    assert caller.state.step == "pick"
    assert isinstance(asked, PlayPrompts)
    assert (asked.prompts[0].value, asked.interruptible) == ("Chọn", False)
    assert caller.state.keys == "1"
    caller.does(_over(caller))
    assert caller.state.path == ("hello", "ask", "pick", "count_up", "enough", "pick")


def test_wrong_key_throws_the_rest_away(questions: Flow) -> None:
    caller = Caller(questions)
    for key in "*123#":
        caller.does(KeyPressed(key))
    caller.does(_over(caller))
    assert (caller.state.step, caller.state.keys, caller.state.no_matches) == ("ask", "", 1)


def test_set_when_language(questions: Flow) -> None:
    caller = _asked(questions)
    for key in "1234":
        caller.does(KeyPressed(key))
    caller.does(KeyPressed("2"))
    assert caller.does(_over(caller))[0] == ChangeLanguage("en")
    assert (caller.state.language, _said(caller)[-1]) == ("en", "Choose")
    for _ in range(3):
        caller.does(KeyPressed("1"))
        caller.does(_over(caller))
    assert caller.actions[-1] == EnterQueue("care", 30.0, (Prompt("music", "waiting"),))
    assert caller.state.deadline is None


def test_a_number_does_not_grow_for_ever(tmp_path: Path) -> None:
    caller = _asked(flow_of(tmp_path, QUESTIONS.replace("{count: count + 1}", "{count: (count - 2) * 1000000}")))
    for key in ("1234", "1", "1", "1"):
        for digit in key:
            caller.does(KeyPressed(digit))
        caller.does(_over(caller))
    assert caller.state.variables["count"] == -MOST_NUMBER


@pytest.mark.parametrize(("outcome", "step"), [("answered", "pick"), ("timeout", "silent"), ("full", "wrong")])
def test_queue_exits(questions: Flow, outcome: str, step: str) -> None:
    caller = _asked(questions)
    for key in "1234":
        caller.does(KeyPressed(key))
    for _ in range(3):
        caller.does(KeyPressed("1"))
        caller.does(_over(caller))
    assert caller.does(KeyPressed("9")) == ()
    assert caller.does(TimePassed(), after=3600.0) == ()
    caller.does(msgspec.convert({"type": "QueueLeft", "outcome": outcome}, QueueLeft))
    assert (caller.state.step, caller.state.keys) == (step, "")


def test_barge_in_goes_on_at_once() -> None:
    caller = Caller(load(EXAMPLES / "main.yaml"))
    caller.does(_over(caller))
    assert caller.state.step == "greeting"
    actions = caller.does(KeyPressed("1"))
    assert caller.state.path == ("recorded", "greeting", "known_case", "about_case", "choose_case", "agent")
    assert [type(action) for action in actions] == [EnterQueue]
    assert caller.does(PromptsFinished(2, "barged_in")) == ()


def test_a_voice_ends_a_prompt_and_answers_nothing(tmp_path: Path) -> None:
    caller = Caller(flow_of(tmp_path, QUESTIONS.replace("interruptible: no", "interruptible: voice")))
    (asked,) = caller.does(PromptsFinished(1, "barged_in"))
    assert isinstance(asked, PlayPrompts)
    assert (caller.state.step, caller.state.phase, asked.by_voice) == ("ask", "asking", False)
    for key in "1234":
        caller.does(KeyPressed(key))
    menu = caller.actions[-1]
    assert isinstance(menu, PlayPrompts)
    assert (menu.interruptible, menu.by_voice) == (True, True)
    assert caller.does(PromptsFinished(menu.playback, "barged_in")) == ()
    assert (caller.state.step, caller.state.phase) == ("pick", "listening")


def test_a_lost_prompt_does_not_hold_the_call(questions: Flow) -> None:
    caller = _asked(questions)
    caller.does(TimePassed(), after=PROMPT_LIMIT_S)
    assert caller.state.phase == "listening"


def test_failed_prompt_goes_on(questions: Flow) -> None:
    caller = Caller(questions)
    caller.does(PromptsFinished(1, "failed"))
    assert caller.state.step == "ask"


def test_nothing_follows_the_end(questions: Flow) -> None:
    caller = _asked(questions)
    for _ in range(2):
        caller.does(_over(caller))
        caller.does(TimePassed(), after=5.0)
    assert caller.state.ended
    before = caller.state
    for happened in (KeyPressed("1"), PromptsFinished(2, "finished"), QueueLeft("full"), TimePassed()):
        assert caller.does(happened) == ()
    assert caller.state == before


def test_state_survives_msgpack(questions: Flow) -> None:
    caller = _asked(questions)
    for key in "12":
        caller.does(KeyPressed(key))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(caller.state), type=FlowState) == caller.state


def test_every_move_is_a_known_phase() -> None:
    phases = set(msgspec.json.schema(FlowState)["$defs"]["FlowState"]["properties"]["phase"]["enum"])
    assert {phase for phase, _ in MOVES} == phases - {"walking", "ended"}


# ------------------------------------------------------------------------------------------------ what fails

FAILING = """\
flow: failing
languages: [en]
start: a
{failed}
variables: {{n: {{type: number, initial: 0}}, missing: text}}
steps:
  a:
    say: "{text}"
    next: z
  z:
    hangup: "Goodbye {{{{ missing if n > 0 }}}}"
  sorry:
    {sorry}
    next: z
"""


def _failing(folder: Path, text: str, failed: str = "failed: sorry", sorry: str = 'say: "Sorry."') -> Caller:
    return Caller(flow_of(folder, FAILING.format(text=text, failed=failed, sorry=sorry)))


def test_failing_expression_goes_to_the_failed_step(tmp_path: Path) -> None:
    caller = _failing(tmp_path, "{{ caller.open_cases[7].topic }}")
    assert (caller.state.step, caller.state.path) == ("sorry", ("a", "sorry"))
    assert _said(caller) == ["Sorry."]
    (failure,) = caller.state.failures
    assert (failure.step, failure.cause) == ("a", "tuple object has no element 7")


def test_failing_failed_step_ends_with_an_apology(tmp_path: Path) -> None:
    caller = _failing(tmp_path, "{{ missing }}", sorry='say: "{{ missing }}"')
    assert [failure.step for failure in caller.state.failures] == ["a", "sorry"]
    assert _said(caller) == [APOLOGY["en"]]
    assert caller.does(_over(caller)) == (EndCall("failed"),)


def test_failing_without_failed_step_ends_with_an_apology(tmp_path: Path) -> None:
    text = FAILING.format(text="{{ missing }}", failed="", sorry="").partition("  sorry:")[0]
    caller = Caller(flow_of(tmp_path, text))
    assert _said(caller) == [APOLOGY["en"]]
    assert caller.does(_over(caller)) == (EndCall("failed"),)


def test_a_cause_holds_no_personal_fact(tmp_path: Path) -> None:
    caller = _failing(tmp_path, "{{ caller.name * 3 }}{{ caller.name - 1 }}")
    (failure,) = caller.state.failures
    assert "Lan" not in failure.cause


def test_a_flow_cannot_spin(tmp_path: Path) -> None:
    text = """\
flow: spin
languages: [en]
start: a
steps:
  a:
    when:
      - {if: "call.dnis == ''", next: z}
      - else: b
  b:
    language: en
    next: a
  z:
    hangup:
"""
    caller = Caller(flow_of(tmp_path, text))
    assert len(caller.state.path) <= MAX_STEPS_AT_ONCE
    assert caller.state.phase == "ending"
    assert caller.does(_over(caller)) == (EndCall("failed"),)


def test_empty_text_is_not_played(tmp_path: Path) -> None:
    steps = '  a:\n    say: "{{ caller.name }}"\n    next: z\n  z:\n    hangup:\n'
    text = f"flow: t\nlanguages: [en]\nstart: a\nsteps:\n{steps}"
    assert Caller(flow_of(tmp_path, text), Facts()).actions == [EndCall("completed")]


# ------------------------------------------------------------------------------------------------ the example


def _main(caller: CallerContext) -> Caller:
    return Caller(load(EXAMPLES / "main.yaml"), facts(caller))


def test_main_greets_and_knows_the_request() -> None:
    caller = _main(lan())
    caller.does(_over(caller))
    caller.does(_over(caller))
    recorded, greeting, request, *_ = _said(caller)
    assert "ghi âm" in recorded
    assert greeting.startswith("Kính chào quý khách Nguyễn Thị Lan. Cảm ơn")
    assert "yêu cầu của quý khách về đơn hàng giao trễ, gửi qua thư điện tử" in request
    caller.does(KeyPressed("1"))
    assert caller.state.variables == {"case": "k" * 32}
    assert caller.does(QueueLeft("answered")) == (EndCall("talk_over"),)


def test_main_says_nothing_personal_without_assurance() -> None:
    caller = _main(lan(assurance=0))
    while caller.state.phase == "speaking":
        caller.does(_over(caller))
    assert caller.state.step == "menu"
    assert not any("Lan" in text or "giao trễ" in text for text in _said(caller))
    assert "Kính chào quý khách. Cảm ơn" in _said(caller)[1]


def test_main_changes_language_and_tells_the_hours() -> None:
    caller = _main(lan())
    caller.does(_over(caller))
    caller.does(KeyPressed("2"))
    assert (caller.state.language, caller.state.step) == ("en", "about_case")
    caller.does(KeyPressed("3"))
    assert "We are open" in _said(caller)[-1]
    assert caller.actions[-1] == PlayPrompts(
        caller.state.playbacks, (Prompt("text", _said(caller)[-1], "en"),), interruptible=True, loop=False
    )


def test_main_brings_the_silent_to_an_agent() -> None:
    caller = _main(CallerContext())
    caller.does(_over(caller))
    caller.does(_over(caller))
    for _ in range(3):
        assert caller.state.step == "menu"
        caller.does(_over(caller))
        caller.does(TimePassed(), after=5.0)
    assert caller.state.step == "agent"
    assert isinstance(caller.actions[-1], EnterQueue)
    assert NOW < caller.now < NOW + 90
    for outcome in ("timeout", "full", "closed"):
        other = _main(CallerContext())
        other.state = caller.state
        other.does(msgspec.convert({"type": "QueueLeft", "outcome": outcome}, QueueLeft))
        assert other.state.phase == "ending"
        assert other.does(_over(other)) == (EndCall("completed"),)


def test_exits_name_every_way() -> None:
    flow = load(EXAMPLES / "main.yaml")
    assert dict(exits(flow.steps["agent"])) == {
        "answered": "end", "timeout": "all_busy", "full": "all_busy", "closed": "out_of_hours",
    }  # fmt: skip
    named = {target for step in flow.steps.values() for _, target in exits(step)}
    assert named - {"end"} == set(flow.steps) - {flow.start}
