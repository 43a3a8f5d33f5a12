"""`ivr_flows.draw.compose`: what stands in boxes and at arrows."""

from pathlib import Path

import pytest

from ivr_flows.draw.compose import chart, plain
from ivr_flows.draw.looks import LOOKS, PLAIN, is_failure, look_of
from ivr_flows.flow import END, exits
from ivr_flows.grammar import VERBS
from ivr_flows.load import flow_files, load
from tests.ivr_flows.flows import EXAMPLES, flow_of

FLOWS = Path(__file__).parent / "flows"
EVERY = load(FLOWS / "every.yaml")
ALL = [*flow_files(FLOWS), *flow_files(EXAMPLES)]


def labels(flow_name: str, source: str, language: str = "vi") -> dict[str, list[str]]:
    drawn = chart(load(FLOWS / f"{flow_name}.yaml"), language)
    return {arrow.target: [line.text for line in arrow.lines] for arrow in drawn.arrows if arrow.source == source}


def test_every_verb_has_a_look_and_a_new_one_is_drawn_all_the_same() -> None:
    assert set(VERBS) == set(LOOKS)
    assert {step.__struct_config__.tag for step in EVERY.steps.values()} >= set(VERBS) - {"menu", "play", "return"}
    assert look_of("teleport") is PLAIN


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_step_and_every_exit_is_there_once(path: Path) -> None:
    flow = load(path)
    for language in flow.languages:
        drawn = chart(flow, language)
        assert [box.name for box in drawn.boxes if not box.name.startswith(" ")] == list(flow.steps)
        for name, step in flow.steps.items():
            arrows = [arrow for arrow in drawn.arrows if arrow.source == name]
            targets = [f" end of {name}" if target == END else target for _, target in exits(step)]
            assert [arrow.target for arrow in arrows] == list(dict.fromkeys(targets))
            told = ", ".join(arrow.told for arrow in arrows)
            assert all(" ".join(exit_name.split()) in told for exit_name, _ in exits(step))


def test_labels_join_exits_of_one_target_and_show_phrases() -> None:
    menu = labels("bank", "main_menu")
    assert menu["lost_card"] == ["2 mất thẻ"]
    assert menu["agent"] == ["0 nhân viên", "no_input", "no_match"]
    assert labels("bank", "main_menu", "en")["lost_card"] == ["2 lost card"]
    assert labels("bank", "agent")["sorry"] == ["timeout, full, closed"]
    assert labels("bank", "recorded") == {"jingle": []}
    assert labels("every", "share")["english"] == ["a 30 %"]


def test_a_label_of_many_exits_is_cut_and_told_whole(tmp_path: Path) -> None:
    phrases = {key: f"lựa chọn thứ {key}" for key in "123456789"}
    choices = ", ".join(f"{key}: {{phrases: {{vi: [{phrase}]}}, next: bye}}" for key, phrase in phrases.items())
    flow = flow_of(tmp_path, MANY.replace("CHOICES", choices))
    arrow = chart(flow, "vi").arrows[-1]
    assert len(arrow.lines) == 6
    assert arrow.lines[-1].text == "6, 7, 8, 9, no_input, no_match"
    assert arrow.told.startswith("1 lựa chọn thứ 1, 2 lựa chọn thứ 2,")


MANY = """\
flow: many
languages: [vi]
start: ask
steps:
  ask:
    menu: {prompt: "Chọn", choices: {CHOICES}, no_input: bye, no_match: bye}
  bye: {hangup: "Chào"}
"""


def test_failures_are_told_from_what_is_ordinary() -> None:
    drawn = chart(EVERY, "en")
    kinds = {(arrow.source, arrow.target): arrow.failure for arrow in drawn.arrows}
    assert kinds["check", "agent"]
    assert kinds["agent", "outside"]
    assert not kinds["office", "message"]  # closed hours are no failure, a closed queue is one
    assert not is_failure(look_of("lookup"), "not_found")
    assert is_failure(look_of("http"), "not_found")
    assert not kinds["known", "office"]  # several exits, one of which is a failure


def test_what_is_said_is_in_the_language_asked_for() -> None:
    boxes = {language: {box.name: box for box in chart(EVERY, language).boxes} for language in ("vi", "en")}
    assert boxes["vi"]["ask"].text == ("Mã đơn hàng?",)
    assert boxes["en"]["ask"].text == ("Your order number?",)
    assert boxes["en"]["ask"].caption == "gather · order"
    assert boxes["en"]["fetch"].caption == "http · get"
    assert boxes["vi"]["jot"].text == ("Đã hỏi về đơn hàng",)
    assert boxes["vi"]["remember"].text == ("score = score + 1",)
    assert [name for name, box in boxes["vi"].items() if box.doubled] == ["agent", "pay"]
    assert (boxes["vi"][" key0"].title, boxes["vi"][" key0"].above) == ("phím 0", "agent")


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("Chào {{ caller.name }}.", "Chào ‹name›."),
        ("Chào{{ ' ' + caller.name if caller.name }}.", "Chào ‹name›."),
        ("{{ caller.open_cases[0].topic | upper }}", "‹topic›"),
        ("{{ 'a b' }} {{ 3 }}", "… …"),
        ("một\n  hai", "một hai"),
        ("{{ broken", "{{ broken"),
    ],
)
def test_expressions_are_read_by_their_names(template: str, read: str) -> None:
    assert plain(template) == read
