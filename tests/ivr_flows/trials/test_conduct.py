"""`ivr_flows.trials.conduct`: what a caller does next, given what is heard and asked."""

from ivr_flows.trials.conduct import WAIT, Act, Conduct, Scene, normalised
from ivr_flows.trials.scenario import HangsUp, Hears, HearsNot, Interrupts, Presses, Says, Silent, Waits


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert normalised("Xin  chào, LAN!") == "xin chào lan"
    assert normalised("Xin cha\u0300o") == normalised("xin chào")
    assert normalised("…") == ""


def test_a_patient_caller_waits_for_the_question() -> None:
    conduct, scene = Conduct([Presses(1, "1"), HangsUp(2)]), Scene(heard=["Chào"])
    assert conduct.act(scene, 0.0).kind == "waits"
    scene.asking = True
    assert conduct.act(scene, 1.0) == Act("keys", "1")
    assert conduct.act(scene, 1.0).kind == "hangs_up"
    assert conduct.act(scene, 1.0).kind == "done"


def test_who_speaks_over_a_question_needs_somebody_who_listens() -> None:
    says, over = Says(1, "order"), Says(1, "order", interrupts=True)
    said = Act("says", text="order", confidence=0.9)
    asked = Scene(listening=True)
    assert (Conduct([says]).act(asked, 0.0), Conduct([over]).act(asked, 0.0)) == (WAIT, said)
    assert Conduct([over]).act(Scene(), 0.0) == WAIT
    assert Conduct([over]).act(Scene(asking=True), 0.0).kind == "fails"


def test_who_interrupts_does_not_wait() -> None:
    assert Conduct([Interrupts(1, "12")]).act(Scene(), 0.0) == Act("keys", "12")


def test_prompts_are_heard_in_order_and_each_once() -> None:
    scene = Scene(heard=["Chào bạn", "Bấm 1. Bấm 2."], asking=True)
    assert Conduct([Hears(1, "chào"), Hears(2, "bấm 1"), Hears(3, "bấm 2")]).act(scene, 0.0).kind == "done"
    again = Conduct([Hears(1, "bấm 2"), Hears(2, "bấm 1")]).act(scene, 0.0)
    assert (again.kind, again.line) == ("fails", 2)
    twice = Conduct([Hears(1, "chào"), Hears(2, "chào")]).act(scene, 0.0)
    assert (twice.kind, twice.line, twice.instead) == ("fails", 2, ("Bấm 1. Bấm 2.",))


def test_hears_not_reaches_to_the_next_hears() -> None:
    scene = Scene(heard=["một", "hai", "ba", "hai"], asking=True)
    assert Conduct([HearsNot(1, "ba"), Hears(2, "hai")]).act(scene, 0.0).kind == "done"
    wrong = Conduct([HearsNot(1, "hai"), Hears(2, "ba")]).act(scene, 0.0)
    assert (wrong.kind, wrong.line, wrong.instead) == ("fails", 1, ("hai",))
    to_the_end = Conduct([Hears(1, "ba"), HearsNot(2, "hai")])
    assert to_the_end.act(scene, 0.0).kind == "done"
    unwelcome = to_the_end.banned(scene)
    assert unwelcome is not None
    assert unwelcome.line == 2


def test_time_goes_by() -> None:
    conduct, scene = Conduct([Waits(1, 5.0)]), Scene()
    assert conduct.act(scene, 10.0) == Act("waits", until=15.0)
    assert conduct.act(scene, 14.0) == Act("waits", until=15.0)
    assert conduct.act(scene, 15.0).kind == "done"
    assert Conduct([Waits(1, 5.0)]).act(Scene(ended="completed"), 0.0).kind == "fails"


def test_silence_is_a_question_that_gave_up() -> None:
    conduct, scene = Conduct([Silent(1, 2), HangsUp(2)]), Scene(asking=True)
    assert conduct.act(scene, 0.0).kind == "waits"
    scene.silences = 1
    assert conduct.act(scene, 0.0).kind == "waits"
    scene.silences = 2
    assert conduct.act(scene, 0.0).kind == "hangs_up"


def test_nothing_is_done_after_the_end() -> None:
    over = Scene(ended="completed")
    for deed in (Presses(7, "1"), HangsUp(7), Interrupts(7, "1"), Hears(7, "x"), Silent(7)):
        act = Conduct([deed]).act(over, 0.0)
        assert (act.kind, act.line) == ("fails", 7)
        assert "completed" in act.text
