"""`ivr_flows.expression`: what is allowed, what comes out, and what cannot get in."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr_flows.expression import (
    MAX_FACT_CHARS,
    MAX_TEXT_CHARS,
    ExpressionError,
    check_condition,
    check_text,
    cleaned,
    evaluate,
    holds,
    render,
    spoken,
)
from ivr_flows.facts import views
from telephony.events import CallerContext
from tests.ivr_flows.flows import NOW, facts, lan


def _scope(caller: CallerContext | None = None, language: str = "vi", **variables: object) -> Mapping[str, object]:
    return {**variables, **views(facts(caller), {}, language, NOW)}


@pytest.mark.parametrize(
    ("source", "heard"),
    [
        ("Chào{{ ' ' + caller.name if caller.name }}.", "Chào Nguyễn Thị Lan."),
        ("Chào{{ ' ' + caller.name if caller.assurance >= 2 }}.", "Chào."),
        ("{{ caller.open_cases[0].channel | channel }}", "thư điện tử"),
        ("{{ order | digits }}", "không, chín, một, hai"),
        ("{{ order | length }} số", "4 số"),
        ("{{ call.ani | digits }}", "cộng, tám, bốn, chín, một, hai, ba, bốn, năm, sáu, bảy, tám"),
        ("{{ queue('care').waiting }} người, {{ queue('care').estimated_wait / 60 }} phút", "2 người, 1.5 phút"),
        ("{{ now.hour }} giờ", "10 giờ"),
        ("{{ 2 + 1.0 }}", "3"),
        ("  a \n  b ", "a b"),
        ("{{ caller.last_interaction is none }}", "True"),
    ],
)
def test_render(source: str, heard: str) -> None:
    assert check_text(source, ["order"]) == []
    assert render(source, _scope(order="0912")) == heard


def test_filters_speak_the_calls_language() -> None:
    assert render("{{ '+12' | digits }}", _scope(language="en")) == "plus, one, two"
    assert render("{{ '+12' | digits }}", _scope(language="ko")) == "+, 1, 2"
    assert render("{{ 'zalo' | channel }} {{ 'fax' | channel }}", _scope(language="en")) == "Zalo fax"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "bad-expression"),
        ("a b", "bad-expression"),
        ("order ** 9", "bad-expression"),
        ("order.upper()", "bad-expression"),
        ("range(9)", "bad-expression"),
        ("queue('care', 1)", "bad-expression"),
        ("order is filter", "bad-expression"),
        ("[x for x in order]", "bad-expression"),
        ("ordr == 1", "undefined-variable"),
        ("self", "undefined-variable"),
        ("caller.nme", "unknown-fact"),
        ("caller.__class__", "unknown-fact"),
        ("queue('care').opn", "unknown-fact"),
        ("order | map('upper')", "unknown-filter"),
        ("order | attr('x')", "unknown-filter"),
    ],
)
def test_faults_of_conditions(source: str, code: str) -> None:
    assert code in {fault.code for fault in check_condition(source, ["order"])}


@pytest.mark.parametrize(
    "source", ["{% set x = 1 %}", "{% include 'x' %}", "{% for x in 'ab' %}{% endfor %}", "{{ a", "{%"]
)
def test_faults_of_texts(source: str) -> None:
    assert "bad-expression" in {fault.code for fault in check_text(source, ["a"])}


@pytest.mark.parametrize(
    "source",
    [
        "missing",
        "caller.open_cases[4].topic",
        "1 / 0",
        "'a' * 9999",
        "order + 1",
        "queue('x').open",
        "1 if order == 'x'",
    ],
)
def test_what_fails_in_a_call(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, _scope(order="0912"))


def test_conditions() -> None:
    assert holds("caller.open_cases | length == 1 and not order", _scope(order=""))
    assert not holds("queue('care').waiting > 5", _scope())


def test_what_customers_write_is_never_a_template() -> None:
    caller = lan(topic="{{ 7 * 7 }} {% raw %} <b>x</b> [[fu:]]")
    assert render("{{ caller.open_cases[0].topic }}", _scope(caller)) == "7 7 % raw % x fu:"


def test_spoken_is_bounded_at_a_word() -> None:
    text = spoken("một hai " * 100)
    assert len(text) <= MAX_FACT_CHARS
    assert text.endswith(("một", "hai"))
    assert len(render("a" * 5000, _scope())) == MAX_TEXT_CHARS


@given(st.text(max_size=400))
def test_spoken_is_plain(text: str) -> None:
    heard = spoken(text)
    assert len(heard) <= MAX_FACT_CHARS
    assert all(sign == " " or sign.isprintable() for sign in heard)
    assert not set("<>[]{}|\\^~_*#`$") & set(heard)


@given(st.text(max_size=60))
def test_any_source_is_checked_or_refused(source: str) -> None:
    check_text(source, ["order"])
    check_condition(source, ["order"])


@given(st.one_of(st.text(), st.from_regex(r"[\w ]{0,40}", fullmatch=True), st.sampled_from(["Thị Lan", "e\u0301"])))
def test_what_is_plain_is_spoken_as_if_it_were_cleaned(text: str) -> None:
    assert spoken(text) == cleaned(text)
