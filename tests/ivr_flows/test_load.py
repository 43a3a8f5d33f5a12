"""`ivr_flows.load`: what is wrong is told with its line and column, all of it at once."""

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from ivr_flows.flow import END, Gather, HangUp, Menu, Music, Play, Queue, Recorded, Say, Words
from ivr_flows.load import FlowErrors, check, flow_files, load, load_folder
from ivr_flows.step import KeyPressed, PromptsFinished, TimePassed
from tests.ivr_flows.flows import EXAMPLES, QUESTIONS, Caller, flow_of

BASE = """\
flow: t
languages: [vi, en]
start: a
steps:
  a:
    say: {vi: "Chào", en: "Hi"}
    next: z
  z:
    hangup:
"""

MENU = """\
flow: t
languages: vi
start: a
variables: {order: {type: digits, length: 6..10}}
steps:
  a:
    menu:
      prompt: "Bấm 1."
      choices: {1: b}
      no_input: z
      no_match: z
  b:
    gather: {into: order, prompt: "Nhập mã."}
    next: c
    no_input: z
    no_match: z
  c:
    when:
      - if: order == "1"
        next: d
      - else: z
  d:
    queue: care
    answered: end
    timeout: z
    full: z
    closed: z
  z:
    hangup:
"""

# (what is wrong, text, what is replaced by what, the errors as line:column: code and a piece of the text)
BAD: list[tuple[str, str, str, str, list[tuple[str, str]]]] = [
    ("unknown step", BASE, "next: z", "next: zz", [("7:11: unknown-step", "did you mean 'z'?")]),
    ("unknown step, none like it", BASE, "next: z", "next: hello", [("7:11: unknown-step", "'hello'")]),
    ("unknown start", BASE, "start: a", "start: b", [("3:8: unknown-step", "'b'")]),
    (
        "unreachable step",
        BASE,
        "    hangup:\n",
        "    hangup:\n  q:\n    hangup:\n",
        [("10:3: unreachable-step", "'q'")],
    ),
    ("unknown verb", BASE, "say:", "sya:", [("6:5: unknown-verb", "did you mean 'say'?")]),
    ("unknown verb alone", BASE, "    hangup:", "    hang_up:", [("9:5: unknown-verb", "did you mean 'hangup'?")]),
    ("no verb", BASE, '    say: {vi: "Chào", en: "Hi"}\n', "", [("5:3: missing-verb", "'a'")]),
    ("two verbs", BASE, "    next: z", "    next: z\n    hangup:", [("8:5: several-verbs", "say or hangup")]),
    ("no exit", BASE, "    next: z\n", "", [("5:3: missing-exit", "'next:'")]),
    ("no language", BASE, ', en: "Hi"', "", [("6:10: missing-language", "en")]),
    (
        "one text, two languages",
        BASE,
        '{vi: "Chào", en: "Hi"}',
        '"Chào"',
        [("6:10: missing-language", "{vi: …, en: …}")],
    ),
    (
        "another language",
        BASE,
        "en: ",
        "eng: ",
        [("6:10: missing-language", "en"), ("6:23: unknown-language", "did you mean 'en'?")],
    ),
    ("unknown fact", BASE, '"Hi"', '"Hi {{ caller.nme }}"', [("6:27: unknown-fact", "did you mean 'name'?")]),
    ("undefined variable", BASE, '"Hi"', '"{{ ordr }}"', [("6:27: undefined-variable", "'ordr'")]),
    (
        "unknown filter",
        BASE,
        '"Hi"',
        '"{{ caller.name | digit }}"',
        [("6:27: unknown-filter", "did you mean 'digits'?")],
    ),
    ("broken expression", BASE, '"Hi"', '"{{ a b }}"', [("6:27: bad-expression", "'b'")]),
    ("a statement", BASE, '"Hi"', '"{% if 1 %}x{% endif %}"', [("6:27: bad-expression", "'if'")]),
    ("a method", BASE, '"Hi"', '"{{ caller.name.upper() }}"', [("6:27: bad-expression", "called")]),
    (
        "no end",
        BASE,
        "    hangup:",
        "    language: vi\n    next: a",
        [("5:3: no-end", "'a'"), ("8:3: no-end", "'z'")],
    ),
    ("the end in silence", BASE, "next: z", "next: end", [("7:11: unknown-step", "'answered:'")]),
    ("a step twice", BASE, "    hangup:\n", "    hangup:\n  a:\n    hangup:\n", [("10:3: duplicate-key", "line 5")]),
    (
        "misspelt key",
        BASE,
        '{vi: "Chào", en: "Hi"}',
        "{text: {vi: a, en: b}, interuptible: no}",
        [("6:33: unknown-key", "did you mean 'interruptible'?")],
    ),
    ("misspelt top key", BASE, "start: a", "start: a\ntitel: {vi: x, en: y}", [("4:1: unknown-key", "'title'")]),
    ("no file", BASE, 'say: {vi: "Chào", en: "Hi"}', "play: no.wav", [("6:11: missing-file", "'no.wav'")]),
    ("no variable to set", BASE, 'say: {vi: "Chào", en: "Hi"}', "set: {x: 1}", [("6:11: undefined-variable", "'x'")]),
    ("language not spoken", BASE, 'say: {vi: "Chào", en: "Hi"}', "language: fr", [("6:15: unknown-language", "'fr'")]),
    ("a step without verb", BASE, "    hangup:", "    hangup", [("9:5: bad-value", "mapping")]),
    ("bad duration", BASE, "start: a", "start: a\nmax_time_to_human: 90", [("4:20: bad-duration", "'90s'")]),
    ("bad policy", BASE, "start: a", "start: a\nspeak: {nme: 1}", [("4:9: unknown-key", "did you mean 'name'?")]),
    ("policy beyond", BASE, "start: a", "start: a\nspeak: {name: 5}", [("4:15: bad-value", "0 to 3")]),
    ("bad failed", BASE, "start: a", "start: a\nfailed: zz", [("4:9: unknown-step", "did you mean 'z'?")]),
    ("a fact's name", BASE, "start: a", "start: a\nvariables: {caller: text}", [("4:13: bad-name", "'caller'")]),
    ("bad type", BASE, "start: a", "start: a\nvariables: {x: digit}", [("4:16: bad-value", "did you mean 'digits'?")]),
    (
        "an answer into a text",
        BASE.replace("start: a", "start: a\nvariables: {x: text}"),
        '    say: {vi: "Chào", en: "Hi"}',
        '    http: {get: "https://shop.example/", into: x}\n    failed: z',
        [("7:48: bad-value", "'x' is a text; 'into' fills record: declare x: {type: record, fields: {…}}")],
    ),
    ("no type", BASE, "start: a", "start: a\nvariables: {x: {length: 3}}", [("4:16: missing-key", "'type:'")]),
    (
        "bad initial",
        BASE,
        "start: a",
        "start: a\nvariables: {x: {type: number, initial: y}}",
        [("4:40: bad-value", "'y'")],
    ),
    ("no title in en", BASE, "start: a", "start: a\ntitle: {vi: x}", [("4:8: missing-language", "en")]),
    ("bad key of a menu", MENU, "{1: b}", "{1: b, 12: b}", [("9:23: bad-key", "'12'")]),
    ("choice without exit", MENU, "{1: b}", "{1: b, 2: {phrases: {vi: a}}}", [("9:26: missing-exit", "'next:'")]),
    ("no_match missing", MENU, "      no_match: z\n  b", "  b", [("6:3: missing-exit", "'no_match:'")]),
    (
        "retries",
        MENU,
        "no_input: z\n      no",
        "no_input: {retries: x, next: z}\n      no",
        [("10:27: bad-value", "'x'")],
    ),
    ("into", MENU, "into: order", "into: ordr", [("13:20: undefined-variable", "did you mean 'order'?")]),
    ("bad range", MENU, "into: order,", "into: order, length: 10..6,", [("13:35: bad-range", "10..6")]),
    ("bad finish", MENU, "into: order,", 'into: order, keys: {finish: "5"},', [("13:42: bad-key", "'5'")]),
    ("no such prompt", MENU, '"Nhập mã."', "ask_order", [("13:35: unknown-prompt", "'ask_order'")]),
    ("no else", MENU, "      - else: z\n", "", [("17:3: missing-exit", "'else:'")]),
    ("after else", MENU, "- else: z", "- else: z\n      - {if: '1', next: d}", [("22:9: unreachable-branch", "else")]),
    ("broken condition", MENU, 'order == "1"', "order ==", [("19:13: bad-expression", "end of template")]),
    ("condition without exit", MENU, '"1"\n        next: d', '"1"', [("19:9: missing-exit", "'next:'")]),
    ("queue exit missing", MENU, "    full: z\n", "", [("22:3: missing-exit", "'full:'")]),
    (
        "misspelt exit",
        MENU,
        "full: z",
        "ful: z",
        [("22:3: missing-exit", "'full:'"), ("26:5: unknown-key", "did you mean 'full'?")],
    ),
    ("bad limit", MENU, "queue: care", "queue: {to: care, limit: soon}", [("23:30: bad-duration", "'soon'")]),
    (
        "when is a list",
        MENU,
        MENU[MENU.index("      - if") : MENU.index("  d:")],
        "      if: x\n",
        [("19:7: bad-value", "else")],
    ),
    ("no prompt", MENU, '      prompt: "Bấm 1."\n', "", [("7:5: missing-key", "'prompt:'")]),
    ("choices", MENU, "{1: b}", "b", [("9:16: bad-value", "{1: sales, 0: agent}")]),
    ("into a flag", MENU, "type: digits, length: 6..10", "type: flag", [("13:20: bad-value", "flag")]),
    ("a line without if", MENU, 'if: order == "1"\n        ', "", [("19:9: missing-key", "'if:'")]),
    ("set nothing", BASE, 'say: {vi: "Chào", en: "Hi"}', "set: x", [("6:10: bad-value", "set is a mapping")]),
    (
        "a key outside its verb",
        BASE,
        "    next: z",
        "    next: z\n    interruptible: no",
        [("8:5: unknown-key", "'interruptible' belongs inside say")],
    ),
    (
        "a menu in a word",
        MENU,
        'gather: {into: order, prompt: "Nhập mã."}',
        "gather: order",
        [("13:13", "gather is a mapping")],
    ),
    ("an exit twice", MENU, "queue: care", "queue: {to: care, full: z}", [("23:23: duplicate-key", "'full'")]),
    ("no languages", BASE, "languages: [vi, en]\n", "", [("1:1: missing-key", "'languages:'")]),
    ("no language at all", BASE, "[vi, en]", "[]", [("2:12: missing-language", "at least one")]),
    ("variables", BASE, "start: a", "start: a\nvariables: [x]", [("4:12: bad-value", "{type: …}")]),
    ("prompts", BASE, "start: a", "start: a\nprompts: [x]", [("4:10: bad-value", "prompts are a mapping")]),
    ("digits", BASE, "start: a", "start: a\nvariables: {x: {type: digits, initial: y}}", [("4:40: bad-value", "'y'")]),
    ("a day", BASE, "start: a", "start: a\nvariables: {x: {type: date, initial: y}}", [("4:38: bad-value", "a date")]),
    (
        "a step called end",
        BASE,
        "    hangup:",
        "    hangup:\n  end:\n    hangup:",
        [("10:3", "'end'"), ("10:3", "'end'")],
    ),
    ("a name", BASE, "flow: t", "flow: T t", [("1:7: bad-name", "main_menu")]),
    ("a flag", MENU, "{1: b}", "{1: b}\n      interruptible: maybe", [("10:22: bad-value", "yes nor no")]),
    (
        "digits by voice",
        MENU,
        'prompt: "Nhập mã."',
        'prompt: "Nhập mã.", interruptible: voice',
        [("13:62: bad-value", "yes nor no")],
    ),
    ("no time", MENU, "{1: b}", "{1: b}\n      first_key: 0s", [("10:18: bad-duration", "'0s'")]),
    ("another voice", BASE, '"Hi"', "{text: Hi, language: English}", [("6:48: unknown-language", "'English'")]),
    ("an empty list", BASE, '{vi: "Chào", en: "Hi"}', "[]", [("6:10: bad-value", "nothing in this prompt")]),
    ("an empty text", BASE, '"Hi"', '" "', [("6:27: bad-value", "missing its value")]),
    (
        "nothing to say",
        BASE,
        '{vi: "Chào", en: "Hi"}',
        "{interruptible: no}",
        [("6:5: missing-key", "text, file, music or prompt")],
    ),
    (
        "a file without en",
        BASE,
        "start: a",
        "start: a\nprompts: {x: {file: {vi: x.wav}}}",
        [("4:21: missing-language", "en"), ("4:26: missing-file", "x.wav")],
    ),
    ("not yaml", BASE, "[vi, en]", "[vi, en", [("3:6: not-yaml", "',' or ']'")]),
    ("empty", BASE, BASE, "", [("1:1: bad-value", "a flow is a mapping")]),
    ("a list", BASE, BASE, "- a\n", [("1:1: bad-value", "a flow is a mapping")]),
]


@pytest.mark.parametrize(("text", "old", "new", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_file(tmp_path: Path, text: str, old: str, new: str, expected: list[tuple[str, str]]) -> None:
    path = tmp_path / "bad.yaml"
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = [str(error) for error in check(path)]
    assert len(found) == len(expected), found
    for line, (place, words) in zip(found, expected, strict=True):
        assert line.startswith(f"{path}:{place}")
        assert words in line
    with pytest.raises(FlowErrors) as raised:
        load(path)
    assert [str(error) for error in raised.value.errors] == found


@pytest.mark.parametrize("text", [BASE, MENU])
def test_good_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(text, encoding="utf-8")
    assert check(path) == []


def test_values_in_every_form(tmp_path: Path) -> None:
    text = MENU.replace(
        "variables: {",
        "failed: z\nvariables: {ok: {type: flag, initial: yes}, word: {type: text, initial: 012}, "
        "rate: {type: number, initial: 1.5}, rows: {type: record, fields: {day: date}}, ",
    )
    text = text.replace("into: order,", "into: order, length: 8, keys: {finish: none, first: 1m30s, between: 500ms},")
    text = text.replace("    hangup:\n", "    hangup: {text: Chào., reason: done}\n")
    flow = flow_of(tmp_path, text.replace("{1: b}", "{1: {next: b, phrases: {vi: [một, 'số một']}}}"))
    menu, gather = flow.steps["a"], flow.steps["b"]
    assert isinstance(menu, Menu)
    assert isinstance(gather, Gather)
    assert menu.choices["1"].phrases == {"vi": ("một", "số một")}
    assert (gather.length, gather.finish, gather.first_key_s, gather.between_keys_s) == ((8, 8), "", 90.0, 0.5)
    assert flow.steps["z"] == HangUp((Words({"vi": "Chào."}),), "done")
    assert [flow.variables[name].initial for name in ("ok", "word", "rate", "rows")] == [True, "012", 1.5, None]
    assert flow.failed == "z"


VALUES = [
    "",
    "[]",
    "{}",
    "x",
    "1",
    "5s",
    "yes",
    "[a, b]",
    "{a: b}",
    "{vi: x}",
    "null",
    "end",
    "'{{ x }}'",
    "- a",
    "&a b",
    "*a",
    "!x y",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_file_is_a_flow_or_has_faults(tmp_path: Path, data: st.DataObject) -> None:
    """Lines dropped, doubled, indented otherwise, values replaced: never an exception, and what is accepted runs."""
    lines = data.draw(
        st.sampled_from([BASE, MENU, QUESTIONS, (EXAMPLES / "main.yaml").read_text("utf-8")])
    ).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        key, colon, _ = lines[number].partition(":")
        change = data.draw(st.sampled_from(["drop", "double", "indent", "outdent", "value", "key"]))
        lines[number : number + 1] = {
            "drop": [],
            "double": [lines[number]] * 2,
            "indent": ["  " + lines[number]],
            "outdent": [lines[number].removeprefix("  ")],
            "value": [f"{key}{colon} {data.draw(st.sampled_from(VALUES))}"],
            "key": [lines[number].replace("e", "", 1)],
        }[change] or ["#"]
    path = tmp_path / "mutant.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    errors = check(path)
    assert all(error.line >= 1 and error.column >= 1 and error.text for error in errors)
    if not errors:
        caller = Caller(load(path))
        for key in "1#23456780":
            caller.does(KeyPressed(key), after=1.0)
            if caller.state.playing is not None:
                caller.does(PromptsFinished(caller.state.playing, "finished"), after=2.0)
            caller.does(TimePassed(), after=9.0)
        assert caller.state.phase != "walking"


def test_every_error_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BASE.replace(', en: "Hi"', "").replace("next: z", "next: y").replace("[vi, en]", "[vi, en, vi]"))
    assert [error.code for error in check(path)] == ["unknown-language", "missing-language", "unknown-step"]


def test_no_file(tmp_path: Path) -> None:
    assert [error.code for error in check(tmp_path / "none.yaml")] == ["unreadable"]


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"flow: t\ntitle: caf\xe9\n")
    assert [(error.line, error.column, error.code) for error in check(path)] == [(2, 11, "not-utf-8")]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [*x]\n",
        "a: &a [1,1]\n"
        + "".join(
            f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *{'a' if i == 0 else f'b{i - 1}'}]\n" for i in range(30)
        ),
    ],
)
def test_aliases_are_bounded(tmp_path: Path, text: str) -> None:
    path = tmp_path / "aliases.yaml"
    path.write_text(text)
    assert [error.code for error in check(path)] == ["not-yaml"]


@pytest.mark.parametrize(
    ("word", "by_key", "by_voice"), [("yes", True, False), ("no", False, False), ("voice", True, True)]
)
def test_who_may_interrupt(tmp_path: Path, word: str, by_key: bool, by_voice: bool) -> None:
    said = BASE.replace('{vi: "Chào", en: "Hi"}', f'{{text: {{vi: "Chào", en: "Hi"}}, interruptible: {word}}}')
    played = BASE.replace('say: {vi: "Chào", en: "Hi"}', f"play: {{music: waiting, interruptible: {word}}}")
    asked = MENU.replace("{1: b}", f"{{1: b}}\n      interruptible: {word}")
    for text in (said, played, asked):
        step = flow_of(tmp_path, text).steps["a"]
        assert isinstance(step, Say | Play | Menu)
        assert (step.interruptible, step.by_voice) == (by_key, by_voice)


def test_short_and_long_forms_are_one_model(tmp_path: Path) -> None:
    forms = [
        'say: {vi: "Chào", en: "Hi"}\n    next: z',
        'say: {text: {vi: "Chào", en: "Hi"}}\n    next: z',
        'say: {text: {vi: "Chào", en: "Hi"}, interruptible: yes, next: z}',
        'say:\n      - {vi: "Chào", en: "Hi"}\n    next: z',
    ]
    flows = [flow_of(tmp_path, BASE.replace('say: {vi: "Chào", en: "Hi"}\n    next: z', form)) for form in forms]
    assert len({str(replace(flow, version="")) for flow in flows}) == 1
    assert len({flow.version for flow in flows}) == len(forms)


def test_one_language_needs_no_mapping(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, BASE.replace("[vi, en]", "vi").replace('{vi: "Chào", en: "Hi"}', "Chào"))
    assert flow.steps["a"] == Say((Words({"vi": "Chào"}),), "z")


def test_menu_gather_queue(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, MENU)
    menu, gather, queue = flow.steps["a"], flow.steps["b"], flow.steps["d"]
    assert isinstance(menu, Menu)
    assert isinstance(gather, Gather)
    assert isinstance(queue, Queue)
    assert (menu.first_key_s, menu.no_input.retries, menu.choices["1"].next) == (5.0, 2, "b")
    assert (gather.length, gather.finish, gather.between_keys_s) == ((6, 10), "#", 3.0)
    assert (queue.to, queue.answered, queue.limit_s, queue.wait) == ("care", END, 600.0, (Music("waiting"),))
    assert flow.steps["z"] == HangUp()


def test_wav_files_stand_beside_the_flow(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(b"RIFF")
    flow = flow_of(tmp_path, BASE.replace('say: {vi: "Chào", en: "Hi"}', "play: hello.wav"))
    path = str(tmp_path / "hello.wav")
    assert flow.steps["a"] == Play((Recorded({"vi": path, "en": path}),), "z")


def test_folded_text_and_words_in_another_language(tmp_path: Path) -> None:
    text = "say:\n      vi: {text: Press 2., language: en}\n      en: >-\n        one\n        two"
    flow = flow_of(tmp_path, BASE.replace('say: {vi: "Chào", en: "Hi"}', text))
    assert flow.steps["a"] == Say((Words({"vi": "Press 2.", "en": "one two"}, {"vi": "en"}),), "z")


def test_catalogue(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, MENU.replace('"Nhập mã."', "ask_order") + 'prompts:\n  ask_order: "Nhập mã đơn hàng."\n')
    gather = flow.steps["b"]
    assert isinstance(gather, Gather)
    assert gather.prompt == (Words({"vi": "Nhập mã đơn hàng."}),)


def test_examples_are_good() -> None:
    examples = flow_files(EXAMPLES)
    assert [path.stem for path in examples] == [
        *("after_call", "after_hours", "care_line", "clinic", "delivery_status", "identify", "main", "payment"),
        *("prove", "waiting_room"),
    ]
    for path in examples:
        assert check(path) == []
        assert load(path).name == path.stem


def test_a_flow_has_one_version_read_by_itself_or_with_its_folder() -> None:
    together = load_folder(EXAMPLES)
    for file in flow_files(EXAMPLES):
        flow = load(file)
        assert flow.version == together[flow.name].version
