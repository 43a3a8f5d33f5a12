"""Every verb but those of `test_step`: what it asks for, and where its answers lead."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from ivr_flows.flow import FIRST_KEY_S, Flow, Rejection
from ivr_flows.load import FlowErrors, load
from ivr_flows.questions import PATIENCE_S, UTTERANCE_S
from ivr_flows.requesting import GRACE_S
from ivr_flows.state import PlayPrompts
from ivr_flows.step import (
    Answered,
    Ask,
    CallTaken,
    ControlRecording,
    EndCall,
    EnterQueue,
    FinishMessage,
    KeepScore,
    KeyPressed,
    LeaveQueue,
    PromptsFinished,
    QueueEntered,
    QueueLeft,
    RejectCall,
    RingCaller,
    SetHold,
    SetWhisper,
    SpeechHeard,
    StopPrompts,
    TakeCall,
    TimePassed,
    VoiceHeard,
    WaitingFacts,
    WriteNote,
    expected_speech,
    hearing_language,
)
from telephony.events import Prompt
from telephony.requests import (
    AnyRequest,
    BookCallback,
    CallHttp,
    ChangeCase,
    DialOut,
    FindCustomer,
    JoinConference,
    TakeMessage,
    TransferCall,
    VerifyCaller,
)
from tests.ivr_flows.flows import Caller, facts, flow_of

HEAD = """\
flow: t
languages: [vi]
variables:
  order: {{type: digits, length: 3..10, initial: "4561"}}
  born: date
  phone: phone
  at: time
  paid: amount
  card: digits
  score: number
  said: text
  case_id: text
  delivery: {{type: record, fields: {{status: text, day: date}}}}
  line: {{type: record, fields: {{open: flag, waiting: number, estimated_wait: number}}}}
  person: {{type: record, fields: {{customer: text, language: text}}}}
keys: {{"*": repeat, "#": done}}
start: a
steps:
  a:
{step}
  done:
    hangup: {{reason: done}}
  other:
    hangup: {{reason: other}}
  third:
    hangup: {{reason: third}}
  fourth:
    hangup: {{reason: fourth}}
"""


def flow_with(folder: Path, step: str, **others: str) -> Flow:
    """A flow whose step `a` is given, with further flows beside it; steps that nothing leads to are left out."""
    for name, text in others.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    lines = HEAD.format(step="\n".join(f"    {line}" for line in step.strip().splitlines()))
    for name in ("other", "third", "fourth"):
        if f": {name}" not in step and f": {name}" not in lines.partition("keys:")[2].partition("\n  done:")[0]:
            lines = lines.replace(f"  {name}:\n    hangup: {{reason: {name}}}\n", "")
    path = folder / "t.yaml"
    path.write_text(lines, encoding="utf-8")
    return load(path)


def ended(caller: Caller) -> str:
    """The reason for which a call ended, empty for one that goes on."""
    return next((action.reason for action in caller.actions if isinstance(action, EndCall)), "")


def asked(caller: Caller) -> AnyRequest:
    """What was asked of the world last."""
    return [action.request for action in caller.actions if isinstance(action, Ask)][-1]


def over(caller: Caller) -> PromptsFinished:
    state = caller.state.heard
    assert state.playing is not None
    return PromptsFinished(state.playing, "finished")


def words(caller: Caller) -> list[str]:
    return [prompt.value for action in caller.actions if isinstance(action, PlayPrompts) for prompt in action.prompts]


# ------------------------------------------------------------------------------------------------ asking the world

LOOKUP = "lookup: {by: email, value: lan@example.com}\nfound: done\nnot_found: other\nseveral: third\nfailed: fourth"
VERIFY = "verify: {field: birthday, value: order}\nverified: done\nrefused: other\nfailed: third"
HTTP = "http: {get: 'https://o.example/{{ order }}', into: delivery}\nnext: done\nfailed: other"
CASE = "case: {open: 'Đơn {{ order }}', topic: đơn hàng, into: case_id}\nnext: done\nfailed: other"
CALLBACK = "callback: {queue: care, note: 'Đơn {{ order }}'}\nnext: done\nfailed: other"
DIAL = "dial: {number: '+84{{ order }}', timeout: 20s}\nanswered: done\nbusy: other\nno_answer: third\nfailed: fourth"
AWAY = "transfer: {number: '+842839000000'}\nfailed: other"
AGENT = "transfer: {agent: lan}\nfailed: other\nno_answer: third"
ROOM = "conference: {room: 'sales-{{ order }}', limit: 30m}\nnext: done\nfull: other\nfailed: third"

REQUESTS = [
    (LOOKUP, FindCustomer("email", "lan@example.com"), ["done", "other", "third", "fourth"]),
    (VERIFY, VerifyCaller("birthday", "4561"), ["done", "other", "third"]),
    (CASE, ChangeCase("open", subject="Đơn 4561", topic="đơn hàng"), ["done", "other"]),
    (CALLBACK, BookCallback("+84912345678", "care", "Đơn 4561"), ["done", "other"]),
    (DIAL, DialOut("+844561", 20.0), ["done", "other", "third", "fourth"]),
    (AWAY, TransferCall(number="+842839000000"), ["other"]),
    (AGENT, TransferCall(agent="lan"), ["other", "third"]),
    (ROOM, JoinConference("sales-4561", 1800.0), ["done", "other", "third"]),
]


@pytest.mark.parametrize(("text", "request_", "targets"), REQUESTS, ids=[row[1].__class__.__name__ for row in REQUESTS])
def test_each_answer_leads_to_its_exit(text: str, request_: AnyRequest, targets: list[str], tmp_path: Path) -> None:
    flow = flow_with(tmp_path, text)
    outcomes = list(flow.steps["a"].exits)  # type: ignore[union-attr]
    assert [flow.steps["a"].exits[name] for name in outcomes] == targets  # type: ignore[union-attr]
    for outcome, target in zip(outcomes, targets, strict=True):
        caller = Caller(flow)
        assert asked(caller) == request_
        assert not ended(caller)
        caller.does(Answered(1, outcome))
        assert ended(caller) == target


@pytest.mark.parametrize("text", [LOOKUP, VERIFY, HTTP, CASE, CALLBACK])
def test_what_is_never_answered_has_failed_in_the_end(text: str, tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, text))
    caller.does(TimePassed(), 3.0 + GRACE_S - 0.1)
    assert not ended(caller)
    caller.does(TimePassed(), 0.2)
    assert caller.state.step == caller.flow.steps["a"].exits["failed"]  # type: ignore[union-attr]
    assert caller.state.failures[0].cause == "no answer came"


def test_stale_and_unknown_answers(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, VERIFY))
    assert caller.does(Answered(7, "verified")) == ()
    caller.does(Answered(1, "surprise"))
    assert ended(caller) == "third"
    assert caller.does(Answered(1, "verified")) == ()


def test_http_fills_its_record(tmp_path: Path) -> None:
    step = """
http:
  post: "{{ settings.orders }}/{{ said | default('a/b?c') }}"
  headers: {Authorization: "Bearer {{ settings.key }}", X-Order: "{{ order }}"}
  query: {lang: "{{ call.language }}", key: "{{ settings.key }}", q: "{a}&b"}
  body: {order: order, known: caller.known, key: "'k ' ~ settings.key", most: settings.other | int}
  retries: 1
  filler: {music: waiting}
  into: delivery
  map: {day: items.0.day}
next: tell
failed: other
not_found: third
"""
    tell = '  tell:\n    say: "{{ delivery.status }} {{ delivery.day }}"\n    next: done\n  done:\n'
    flow = flow_with(tmp_path, step.replace("next: tell", "next: done"))
    text = (tmp_path / "t.yaml").read_text(encoding="utf-8").replace("next: done", "next: tell", 1)
    (tmp_path / "t.yaml").write_text(text.replace("  done:\n", tell, 1), encoding="utf-8")
    flow = load(tmp_path / "t.yaml")
    world = replace(facts(), settings={"orders": "https://o.example/v1", "key": "s3cret", "other": "7"})

    caller = Caller(flow, world)
    assert asked(caller) == CallHttp(
        method="post",
        url="https://o.example/v1/a%2Fb%3Fc?lang=vi&key={settings.key}&q={a}%26b",
        headers={"Authorization": "Bearer {settings.key}", "X-Order": "4561"},
        body={"order": "4561", "known": True, "key": "k {settings.key}", "most": 7},
        settings=("key",),
        fields={"status": "status", "day": "items.0.day"},
        retries=1,
    )
    assert any(isinstance(action, PlayPrompts) and action.loop for action in caller.actions)
    caller.does(Answered(1, "next", {"status": "đang giao", "day": "2026-03-03T08:00:00"}))
    assert any(isinstance(action, StopPrompts) for action in caller.actions)
    assert words(caller)[-1] == "đang giao 2026-03-03"

    for outcome, values, target in [
        ("next", {"status": "đang giao"}, "other"),
        ("next", {"status": "x", "day": "hôm nay"}, "other"),
        ("not_found", {}, "third"),
        ("timed_out", {}, "other"),
        ("failed", {}, "other"),
    ]:
        caller = Caller(flow, world)
        caller.does(Answered(1, outcome, values))
        assert ended(caller) == target
    assert "delivery" not in caller.state.variables


def test_an_address_is_nobodys_to_choose(tmp_path: Path) -> None:
    for url in ("{{ order }}", "https://{{ order }}.example/", "ftp://o.example/", "/orders"):
        with pytest.raises(FlowErrors, match="an address begins with"):
            flow_with(tmp_path, HTTP.replace("https://o.example/{{ order }}", url))


def test_a_secret_goes_by_tls_or_to_this_machine(tmp_path: Path) -> None:
    asks = HTTP.replace("into: delivery}", "into: delivery, secrets: {pin: order}}")
    flow_with(tmp_path, asks.replace("https://o.example", "http://127.0.0.1:81"))
    for host in ("http://o.example", "http://localhost@o.example", "http://[::1"):
        with pytest.raises(FlowErrors, match="goes to an https:// address alone"):
            flow_with(tmp_path, asks.replace("https://o.example", host))


def test_a_case_is_gone_on_with(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, CASE))
    caller.does(Answered(1, "next", {"id": "k1"}))
    assert (caller.state.case, caller.state.variables["case_id"]) == ("k1", "k1")
    go_on = "case: {continue: 'caller.open_cases[0].id'}\nnext: done\nfailed: other"
    caller = Caller(flow_with(tmp_path, go_on))
    assert asked(caller) == ChangeCase("continue", case="k" * 32)
    close = "case: {close: yes}\nnext: done\nfailed: other"
    assert asked(Caller(flow_with(tmp_path, close))) == ChangeCase("close")


TALK = """
flow: talk
languages: [en]
start: hello
steps:
  hello: {say: {text: Just a moment., interruptible: no}, next: talk}
  talk: {TALK, failed: bye}
  rate: {menu: {prompt: How was it?, choices: {5: bye}}, no_input: bye, no_match: bye}
  bye:
    hangup:
"""


@pytest.mark.parametrize(
    ("talk", "outcome"),
    [
        ("dial: '0912345678', answered: rate, busy: bye, no_answer: bye", "answered"),
        ("conference: {room: team}, next: rate, full: bye", "next"),
    ],
)
def test_what_is_typed_before_a_talk_answers_nothing_after_it(tmp_path: Path, talk: str, outcome: str) -> None:
    caller = Caller(flow_of(tmp_path, TALK.replace("TALK", talk)))
    caller.does(KeyPressed("5"))
    caller.does(over(caller))
    caller.does(Answered(1, outcome))
    assert (words(caller)[-1], ended(caller)) == ("How was it?", "")


def test_a_message_is_taken(tmp_path: Path) -> None:
    text = "voicemail: {prompt: Xin để lại lời nhắn., to: care}\nnext: done\nno_message: other\nfailed: third"
    caller = Caller(flow_with(tmp_path, text))
    assert words(caller) == ["Xin để lại lời nhắn."]
    caller.does(over(caller))
    assert asked(caller) == TakeMessage("care", 120.0)
    assert caller.does(KeyPressed("5")) == ()
    assert caller.does(KeyPressed("#")) == (FinishMessage(1),)
    caller.does(Answered(1, "next"))
    assert ended(caller) == "done"
    skipped = Caller(caller.flow)
    skipped.does(KeyPressed("1"))
    assert asked(skipped) == TakeMessage("care", 120.0)


# ---------------------------------------------------------------------------------------------------- the call itself


def test_a_flow_answers_its_call_itself(tmp_path: Path) -> None:
    flow = flow_with(tmp_path, "ring: 4s\nnext: done")
    text = (tmp_path / "t.yaml").read_text(encoding="utf-8")
    text = text.replace("next: done", "next: b").replace(
        "  done:\n", "  b:\n    say: Chào\n    next: done\n  done:\n", 1
    )
    (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
    flow = load(tmp_path / "t.yaml")
    caller = Caller(flow)
    assert caller.actions == [RingCaller()]
    assert caller.state.taken is False
    assert caller.does(TimePassed(), 4.0) == (TakeCall(),)
    caller.does(KeyPressed("5"))
    caller.does(CallTaken())
    assert (caller.state.taken, caller.state.phase, ended(caller)) == (
        True,
        "ended",
        "done",
    )  # the key skipped the greeting


@pytest.mark.parametrize("reason", ["busy", "declined", "unavailable", "not_found"])
def test_a_call_is_refused(reason: Rejection, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(f"flow: t\nlanguages: vi\nstart: a\nsteps:\n  a:\n    reject: {reason}\n", encoding="utf-8")
    caller = Caller(load(path))
    assert caller.actions == [RejectCall(reason)]
    assert caller.state.ended


def test_what_is_done_at_once(tmp_path: Path) -> None:
    for text, action in [
        ("record: start\nnext: done", ControlRecording("start", consent=False)),
        ("record: {do: start, consent: yes}\nnext: done", ControlRecording("start", consent=True)),
        ("record: pause\nnext: done", ControlRecording("pause", consent=False)),
        ("whisper: Khách gọi về {{ order }}\nnext: done", SetWhisper((Prompt("text", "Khách gọi về 4561", "vi"),))),
        ("hold: {music: waiting}\nnext: done", SetHold((Prompt("music", "waiting"),))),
        ('note: "Đơn {{ order }}"\nnext: done', WriteNote("Đơn 4561")),
    ]:
        caller = Caller(flow_with(tmp_path, text))
        assert caller.actions[0] == action
        assert ended(caller) == "done"


def test_a_pause_keeps_keys(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, "wait: 2s\nnext: done"))
    caller.does(KeyPressed("7"), 1.0)
    assert caller.does(TimePassed(), 0.5) == ()
    caller.does(TimePassed(), 0.5)
    assert ended(caller) == "done"


def test_music_for_a_while(tmp_path: Path) -> None:
    flow = flow_with(tmp_path, "play: {music: waiting, for: 20s}\nnext: done")
    caller = Caller(flow)
    assert caller.actions == [PlayPrompts(1, (Prompt("music", "waiting"),), interruptible=True, loop=True)]
    assert caller.does(TimePassed(), 20.0)[0] == StopPrompts(1)
    assert ended(caller) == "done"


# ------------------------------------------------------------------------------------------------------------ ways

HOURS = "hours: office\nopen: done\nclosed: other\nholiday: third\nemergency: fourth"


@pytest.mark.parametrize(
    ("state", "target"), [("open", "done"), ("closed", "other"), ("holiday", "third"), ("emergency", "fourth")]
)
def test_hours(state: str, target: str, tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, HOURS), replace(facts(), hours={"office": state}))
    assert ended(caller) == target


def test_unknown_hours_are_an_apology(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, HOURS))
    assert 'hours("office")' in caller.state.failures[0].cause
    assert caller.state.phase == "ending"


def test_split_is_fair_and_constant(tmp_path: Path) -> None:
    flow = flow_with(tmp_path, "split: {x: 20%, y: 80%}\nx: done\ny: other")
    ways = []
    for number in range(2000):
        known = replace(facts(), ani=f"+8491{number:07}")
        first, second = Caller(flow, known), Caller(flow, replace(known, call=f"c{number}"))
        assert ended(first) == ended(second)
        ways.append(ended(first))
    assert 0.17 < ways.count("done") / 2000 < 0.23
    withheld = {
        ended(Caller(flow, replace(facts(), ani="", caller=facts().caller.__class__(), call=str(n)))) for n in range(50)
    }
    assert withheld == {"done", "other"}


def test_queue_facts(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, "queue_facts: {of: care, into: line}\nnext: done"))
    assert caller.state.variables["line"] == {"open": True, "waiting": 2, "estimated_wait": 90}


# -------------------------------------------------------------------------------------------------------- questions

ASK = "gather: {{into: {into}, prompt: Hỏi{more}}}\nnext: done\nno_input: other\nno_match: {{retries: 0, next: third}}"


def answer(caller: Caller, keys: str) -> None:
    caller.does(over(caller))
    for key in keys:
        caller.does(KeyPressed(key))
    if caller.state.phase == "listening":
        caller.does(TimePassed(), 3.0)


@pytest.mark.parametrize(
    ("into", "more", "keys", "expected"),
    [
        ("born", "", "02031990", "1990-03-02"),
        ("born", "", "0203#", "2026-03-02"),
        ("born", "", "020390#", "1990-03-02"),
        ("born", "", "31021990", None),
        ("phone", "", "0912345678#", "+84912345678"),
        ("phone", "", "0084912345678", "+84912345678"),
        ("phone", "", "01234567", None),
        ("at", "", "1430", "14:30"),
        ("at", "", "930#", "09:30"),
        ("at", "", "2530", None),
        ("paid", "", "250000#", 250000),
        ("card", ", check: luhn", "4111111111111111#", "4111111111111111"),
        ("card", ", check: luhn", "4111111111111112#", None),
        ("said", ", length: 4", "0042", "0042"),
        ("score", "", "7#", 7),
    ],
)
def test_answers_have_types(into: str, more: str, keys: str, expected: object, tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, ASK.format(into=into, more=more)))
    answer(caller, keys)
    assert ended(caller) == ("third" if expected is None else "done")
    assert caller.state.variables.get(into) == expected


def test_an_answer_is_read_back(tmp_path: Path) -> None:
    text = (
        "gather: {into: order, prompt: Hỏi, confirm: '{{ order }} đúng?'}\nnext: done\nno_input: other\nno_match: third"
    )
    flow = flow_with(tmp_path, text)
    caller = Caller(flow)
    answer(caller, "123#")
    assert words(caller)[-1] == "123 đúng?"
    caller.does(over(caller))
    caller.does(KeyPressed("2"))
    assert words(caller)[-1] == "Hỏi"
    answer(caller, "456#")
    caller.does(KeyPressed("9"))
    assert words(caller)[-1] == "456 đúng?"  # neither yes nor no: read back again
    caller.does(KeyPressed("1"))
    assert (ended(caller), caller.state.variables["order"]) == ("done", "456")

    caller = Caller(flow)
    answer(caller, "123#")
    for _ in range(3):
        caller.does(over(caller))
        caller.does(TimePassed(), 5.0)
    assert ended(caller) == "other"
    typed_ahead = Caller(flow)
    for key in "123#1":
        typed_ahead.does(KeyPressed(key))
    assert ended(typed_ahead) == "done"


MENU = """
menu:
  prompt: Chọn
  choices:
    1: {phrases: [đơn hàng, giao hàng], next: other}
    2: {phrases: [nhân viên, gặp nhân viên giao hàng], next: third}
no_input: done
no_match: {retries: 0, next: done}
"""


@pytest.mark.parametrize(
    ("said", "confidence", "target"),
    [
        ("Tôi hỏi về đơn hàng ạ", 0.9, "other"),
        ("gặp NHÂN VIÊN giao hàng", 0.6, "third"),
        ("hai", 0.9, "third"),
        ("đơn hàng", 0.59, "done"),
        ("thời tiết", 1.0, "done"),
        ("đơn hàng mới", 0.9, "other"),
        ("đơn hàngg", 0.9, "done"),
    ],
)
def test_a_menu_hears_words(said: str, confidence: float, target: str, tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU))
    assert hearing_language(caller.flow, caller.state) == "vi"
    assert caller.does(SpeechHeard(said, confidence))[0] == StopPrompts(1)
    assert ended(caller) == target


def test_digits_and_agreement_are_heard(tmp_path: Path) -> None:
    text = (
        "gather: {into: order, prompt: Hỏi, confirm: '{{ order }}?', speech: yes}\n"
        "next: done\nno_input: other\nno_match: third"
    )
    caller = Caller(flow_with(tmp_path, text))
    caller.does(SpeechHeard("bốn năm sáu mốt", 0.8))
    assert words(caller)[-1] == "4561?"
    caller.does(SpeechHeard("không", 0.8))
    caller.does(SpeechHeard("một hai ba", 0.8))
    caller.does(SpeechHeard("đúng rồi", 0.8))
    assert (ended(caller), caller.state.variables["order"]) == ("done", "123")


def test_global_keys(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU))
    caller.does(over(caller))
    caller.does(KeyPressed("*"))
    assert words(caller) == ["Chọn", "Chọn"]
    assert caller.state.no_matches == 0
    caller.does(KeyPressed("#"))
    assert ended(caller) == "done"
    caller = Caller(flow_with(tmp_path, ASK.format(into="order", more="")))
    answer(caller, "12*")
    assert words(caller) == ["Hỏi", "Hỏi"]
    answer(caller, "345#")
    assert caller.state.variables["order"] == "345"


@pytest.mark.parametrize(
    ("kind", "keys", "score"),
    [("csat", "5", 5), ("csat", "0", None), ("csat", "6", None), ("nps", "0", 0), ("nps", "9", 9), ("nps", "10", 10),
     ("nps", "1#", 1), ("nps", "11", None)],
)  # fmt: skip
def test_surveys(kind: str, keys: str, score: int | None, tmp_path: Path) -> None:
    text = (
        f"survey: {{kind: {kind}, prompt: Mấy điểm?, into: score}}\n"
        "next: done\nno_input: other\nno_match: {retries: 0, next: third}"
    )
    caller = Caller(flow_with(tmp_path, text))
    answer(caller, keys)
    kept = [action for action in caller.actions if isinstance(action, KeepScore)]
    assert ended(caller) == ("third" if score is None else "done")
    assert [each.score for each in kept] == ([] if score is None else [score])
    assert caller.state.variables.get("score") == score


def test_a_one_of_ten_is_waited_for(tmp_path: Path) -> None:
    text = "survey: {kind: nps, prompt: Mấy?}\nnext: done\nno_input: other\nno_match: third"
    caller = Caller(flow_with(tmp_path, text))
    caller.does(over(caller))
    caller.does(KeyPressed("1"))
    assert caller.state.phase == "listening"
    caller.does(TimePassed(), 3.0)
    assert ended(caller) == "done"


# ------------------------------------------------------------------------------------------------------- other flows

SUB = """\
flow: sub
languages: [vi]
parameters: {wanted: number, hint: {type: text, initial: gợi ý}}
variables: {pin: digits, order: {type: text, initial: của nhánh}}
returns: {found: digits, times: number}
exits: [good, bad]
start: ask
steps:
  ask:
    gather: {into: pin, prompt: "Mã {{ wanted }} {{ hint }} {{ order }}", length: 2}
    next: choose
    no_input: {retries: 0, next: fail}
    no_match: {retries: 0, next: fail}
  choose:
    when:
      - {if: pin == "42", next: yes_}
      - {if: pin == "13", next: broken}
      - else: fail
  yes_:
    return: {exit: good, values: {found: pin, times: wanted + 1}}
  broken:
    set: {pin: 'pin ~ hint[99]'}
    next: fail
  fail:
    return: bad
"""
SUBFLOW = (
    "subflow: {flow: sub, with: {wanted: 3}, into: {order: found, score: times}}\ngood: done\nbad: other\nfailed: third"
)


def test_a_subflow_and_back(tmp_path: Path) -> None:
    flow = flow_with(tmp_path, SUBFLOW, sub=SUB)
    caller = Caller(flow)
    assert words(caller) == ["Mã 3 gợi ý của nhánh"]
    assert (caller.state.flow, caller.state.place, caller.state.variables["order"]) == ("sub", "sub/ask", "của nhánh")
    caller.does(KeyPressed("4"))
    caller.does(KeyPressed("2"))
    assert ended(caller) == "done"
    assert caller.state.variables["order"] == "42"
    assert caller.state.variables["score"] == 4
    assert caller.state.path == ("a", "sub/ask", "sub/choose", "sub/yes_", "done")


def test_a_subflow_that_fails_comes_back(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, SUBFLOW, sub=SUB))
    for key in "13":
        caller.does(KeyPressed(key))
    assert ended(caller) == "third"
    assert caller.state.failures[0].step == "sub/broken"
    assert caller.state.variables["order"] == "4561"


def test_flows_call_each_other_only_so_deep(tmp_path: Path) -> None:
    steps = "  a:\n    subflow: sub\n    next: b\n    failed: b\n  b:\n    return:\n"
    sub = f"flow: sub\nlanguages: [vi]\nstart: a\nsteps:\n{steps}"
    caller = Caller(flow_with(tmp_path, "subflow: sub\nnext: done\nfailed: other", sub=sub))
    assert "16 flows" in caller.state.failures[0].cause
    assert ended(caller) == "done"


OTHER = """\
flow: sub
languages: [vi]
start: b
steps:
  b:
    menu: {prompt: Hỏi, choices: {7: c}}
    no_input: c
    no_match: d
  c:
    hangup: {reason: seven}
  d:
    hangup:
"""


def test_another_flow_for_good(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    (tmp_path / "sub.yaml").write_text(OTHER, encoding="utf-8")
    path.write_text(
        "flow: t\nlanguages: [vi]\nstart: a\nsteps:\n  a:\n    say: {text: Chào, interruptible: no}\n    next: b\n"
        "  b:\n    transfer: {flow: sub}\n",
        encoding="utf-8",
    )
    flow = load(path)
    caller = Caller(flow)
    caller.does(KeyPressed("7"))
    caller.does(over(caller))
    assert ended(caller) == "seven"
    assert caller.state.path == ("a", "b", "sub/b", "sub/c")


# ------------------------------------------------------------------------------------------------ waiting in a queue

ROOM_FLOW = """\
flow: room
for: waiting
languages: [vi]
exits: [booked]
start: place
steps:
  place:
    say: "Quý khách ở vị trí thứ {{ waiting.position }}."
    next: offer
  offer:
    menu: {prompt: Gọi lại bấm 1., choices: {1: book, 9: leave_hard}}
    no_input: {retries: 0, next: music}
    no_match: {retries: 0, next: music}
  music:
    play: {music: waiting, for: 40s}
    next: place
  book:
    callback:
    next: leave
    failed: music
  leave:
    return: booked
  leave_hard:
    hangup: {reason: tired}
"""
QUEUE = """\
queue: {to: care, wait: room, priority: 2}
answered: done
timeout: other
full: third
closed: third
booked: fourth
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Caller:
    flow = flow_with(tmp_path, QUEUE, room=ROOM_FLOW)
    caller = Caller(flow, replace(facts(), waiting=WaitingFacts("care", 3, 0.0, 60.0)))
    caller.does(QueueEntered())
    return caller


def test_a_flow_is_heard_in_the_queue(waiting: Caller) -> None:
    caller = waiting
    assert caller.actions[0] == EnterQueue("care", 600.0, (), {}, 2)
    assert words(caller) == ["Quý khách ở vị trí thứ 3."]
    assert caller.state.phase == "queued"
    assert caller.state.path == ("a", "room/place")
    caller.does(over(caller))
    caller.does(over(caller))
    caller.does(TimePassed(), 5.0)
    assert words(caller)[-1] == "waiting"
    assert caller.state.due == caller.now + 40.0
    caller.does(TimePassed(), 40.0)
    assert words(caller)[-1] == "Quý khách ở vị trí thứ 3."


def test_the_queue_ends_what_is_heard_there(waiting: Caller) -> None:
    playing = waiting.state.playbacks
    waiting.does(QueueLeft("timeout"))
    assert StopPrompts(playing) in waiting.actions
    assert ended(waiting) == "other"
    assert waiting.state.waiting is None


def test_what_is_heard_leads_out_of_the_queue(waiting: Caller) -> None:
    waiting.does(KeyPressed("1"))  # the words are skipped, and the key answers the question behind them
    assert asked(waiting) == BookCallback("+84912345678", "")
    waiting.does(Answered(1, "next"))
    assert LeaveQueue() in waiting.actions
    assert ended(waiting) == "fourth"
    assert waiting.state.path[-2:] == ("room/leave", "fourth")


def test_a_failed_callback_keeps_the_place(waiting: Caller) -> None:
    waiting.does(KeyPressed("1"))
    waiting.does(Answered(1, "failed"))
    assert waiting.state.phase == "queued"
    assert words(waiting)[-1] == "waiting"


def test_who_is_tired_of_waiting_is_gone(waiting: Caller) -> None:
    waiting.does(KeyPressed("9"))
    assert ended(waiting) == "tired"
    assert waiting.state.ended


def test_a_flow_that_fails_keeps_the_place(tmp_path: Path) -> None:
    room = ROOM_FLOW.replace("waiting.position", "caller.tags[99]")
    caller = Caller(flow_with(tmp_path, QUEUE, room=room))
    caller.does(QueueEntered())
    assert caller.state.phase == "queued"
    assert caller.state.failures[0].step == "room/place"
    assert words(caller) == ["waiting"]
    caller.does(QueueLeft("answered"))
    assert ended(caller) == "done"


ASKED_FLOW = """\
flow: asked
languages: [vi]
variables: {told: text}
returns: {code: text}
start: ask
steps:
  ask:
    gather: {into: told, prompt: Mã?, length: 3}
    next: told
    no_input: silent
    no_match: silent
  told:
    return: {values: {code: told}}
  silent:
    say: "{{ caller.tags[99] }}"
    next: told
"""


@pytest.mark.parametrize(("keys", "noted"), [("456", "Mã 456"), ("", "Không rõ")])
def test_what_is_heard_in_the_queue_asks_in_a_flow_of_its_own(tmp_path: Path, keys: str, noted: str) -> None:
    room = ROOM_FLOW.partition("start:")[0] + (
        "variables: {code: {type: text, initial: none}}\nstart: ask\nsteps:\n"
        "  ask:\n    subflow: {flow: asked, into: {code: code}}\n    next: known\n    failed: lost\n"
        "  known:\n    note: 'Mã {{ code }}'\n    next: music\n"
        "  lost:\n    note: Không rõ\n    next: music\n"
        "  music:\n    play: {music: waiting, for: 40s}\n    next: leave\n"
        "  leave:\n    return: booked\n"
    )
    caller = Caller(flow_with(tmp_path, QUEUE, room=room, asked=ASKED_FLOW))
    caller.does(QueueEntered())
    assert caller.state.waiting is not None
    assert caller.state.waiting.place == "asked/ask"
    caller.does(over(caller))
    for key in keys:
        caller.does(KeyPressed(key))
    while caller.state.waiting.step != "music":
        caller.does(TimePassed(), 600.0)
        assert caller.state.waiting is not None
    assert WriteNote(noted) in caller.actions
    assert caller.state.phase == "queued"
    caller.does(TimePassed(), 40.0)
    assert ended(caller) == "fourth"


def test_nobody_is_silent_who_talks(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU))
    caller.does(over(caller))
    started = caller.now
    caller.does(VoiceHeard(began=True), after=4.9)
    assert caller.state.deadline == caller.now + UTTERANCE_S
    assert caller.does(TimePassed(), after=3) == ()
    caller.does(VoiceHeard(began=False))
    assert caller.state.deadline == caller.now + FIRST_KEY_S  # a cough: the question has its time again
    for _ in range(10):
        caller.does(VoiceHeard(began=True), after=4)
        caller.does(VoiceHeard(began=False))
    assert caller.state.deadline == started + FIRST_KEY_S + PATIENCE_S  # but not for ever
    caller.does(SpeechHeard("nhân viên", 0.9))
    assert ended(caller) == "third"


def test_who_talks_when_the_prompt_ends_may_finish(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU))
    caller.does(VoiceHeard(began=True))
    caller.does(over(caller))
    assert caller.state.deadline == caller.now + UTTERANCE_S


def test_words_over_a_prompt_that_is_to_be_heard_answer_nothing(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU.replace("prompt: Chọn", "prompt: Chọn\n  interruptible: no", 1)))
    assert caller.does(SpeechHeard("nhân viên", 0.9)) == ()
    caller.does(over(caller))
    caller.does(SpeechHeard("nhân viên", 0.9))
    assert ended(caller) == "third"


def test_what_is_said_beside_keys_is_no_answer(tmp_path: Path) -> None:
    text = "gather: {into: order, prompt: Hỏi, speech: yes}\nnext: done\nno_input: other\nno_match: third"
    caller = Caller(flow_with(tmp_path, text))
    caller.does(KeyPressed("1"))
    assert caller.does(SpeechHeard("bốn năm sáu", 0.9)) == ()
    assert caller.state.collected == "1"


def test_what_may_be_said(tmp_path: Path) -> None:
    caller = Caller(flow_with(tmp_path, MENU))
    assert expected_speech(caller.flow, caller.state) == (
        "đơn hàng", "giao hàng", "nhân viên", "gặp nhân viên giao hàng", "một", "hai", "mốt",
    )  # fmt: skip
    text = "gather: {into: order, prompt: Hỏi, confirm: '?', speech: yes}\nnext: done\nno_input: other\nno_match: third"
    caller = Caller(flow_with(tmp_path, text))
    assert "mốt" in (expected_speech(caller.flow, caller.state) or ())
    caller.does(SpeechHeard("một hai ba", 0.9))
    assert "đúng rồi" in (expected_speech(caller.flow, caller.state) or ())
    caller = Caller(flow_with(tmp_path, text.replace("into: order", "into: said").replace(", confirm: '?'", "")))
    assert expected_speech(caller.flow, caller.state) == ()  # a text may be anything
    caller = Caller(flow_with(tmp_path, text.replace(", speech: yes", "")))
    assert expected_speech(caller.flow, caller.state) is None
    assert hearing_language(caller.flow, caller.state) == ""
