"""`ivr_flows.trials.verdict` and `telling`: what is not as expected, and what was there instead."""

from pathlib import Path

import pytest

from ivr_flows.trials import telling
from ivr_flows.trials.verdict import fits
from tests.ivr_flows.trials.scenarios import only, played


@pytest.mark.parametrize(
    ("pattern", "steps", "expected"),
    [
        ("a b", "a b", True),
        ("a b", "a b c", False),
        ("a b c", "a b", False),
        ("...", "", True),
        ("...", "a b", True),
        ("a ... c", "a c", True),
        ("a ... c", "a b b c", True),
        ("a ... c", "a c b", False),
        ("... b ... c", "a b c b c", True),
        ("a ... b", "a b b", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_ways_with_gaps(pattern: str, steps: str, expected: bool) -> None:
    assert fits(pattern.split(), steps.split()) is expected


def test_a_long_way_with_gaps_is_compared_at_once() -> None:
    assert not fits(["..."] + ["a", "..."] * 20 + ["b"], ["a"] * 5000)


@pytest.mark.parametrize(
    ("expect", "instead"),
    [
        ("steps: [hello, pick]", "[hello, ask, pick, english, pick]"),
        ("variables: {order: 124}", "order: 123"),
        ("variables: {order: null}", "order: 123"),
        ("variables: {count: 1}", "count: 0"),
        ("exit: pick.1", "[hello.next, ask.next, pick.2, english.next]"),
        ("queue: care", "[]"),
        ("language: vi", "en"),
        ("ends: completed", "caller"),
        ("notified: Chào", "nothing"),
        ("hears_not: Choose", "Choose"),
    ],
)
def test_what_was_there_instead(expect: str, instead: str, tmp_path: Path) -> None:
    call = "[press: '123#', press: 2, hears: Choose, hangs_up]"
    verdict = only(played(tmp_path, f"  a: {{call: {call}, expect: {{{expect}}}}}\n"))
    (disappointment,) = verdict.disappointments
    assert disappointment.instead == (instead,)
    assert disappointment.text.startswith(expect.partition(":")[0])


def test_all_that_is_as_expected_passes(tmp_path: Path) -> None:
    expect = "{variables: {order: 123, count: 0}, exit: [pick.2, next], hears: [chào, choose], queue: [], language: en}"
    examined = played(
        tmp_path, f"  a: {{call: [press: '123#', press: 2, hears: Choose, hangs_up], expect: {expect}}}\n"
    )
    assert examined.passed
    assert next(telling.lines_of(examined)).endswith("1 of 1 scenarios passed, 4 of 17 exits taken (23.5 %)")


def test_a_failure_tells_its_line_and_the_way(tmp_path: Path) -> None:
    examined = played(tmp_path, "  a:\n    call:\n    - press: 9 9 9 9\n    - hears: sai\n    - hears: Bấm 1\n")
    lines = list(telling.lines_of(examined))
    file = examined.beside.trials.file
    assert lines[0] == f"{file}:3: a failed"
    assert lines[1] == f"  {file}:6: hears: sai: pick waits for an answer"
    assert "      instead: Chọn" in lines
    assert any(line.endswith("presses 9999") for line in lines)
    assert any(line.lstrip().startswith("0.0 s  hello") for line in lines)
    told = telling.body(examined)
    assert told["scenarios"][0]["failures"][0]["line"] == 6
    assert told["coverage"]["exits"] == len(examined.coverage.all)
