"""`hotline flow test`: what people and scripts see of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hotline.cli import app
from tests.ivr_flows.flows import QUESTIONS

Run = Callable[..., Result]
GOOD = "flow: questions\nscenarios:\n  a:\n    call: [press: '123#', press: 2, hears: Choose, hangs_up]\n"
BAD = "flow: questions\nscenarios:\n  a:\n    call: [press: '123#', press: 2, hears: Sai, hangs_up]\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command beside a flow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    (tmp_path / "flow.yaml").write_text(QUESTIONS, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ("flow", *arguments), catch_exceptions=False)

    return invoke


def scenarios(text: str) -> None:
    Path("flow.test.yaml").write_text(text, encoding="utf-8")


def test_good_scenarios_pass(run: Run) -> None:
    scenarios(GOOD)
    done = run("test", "flow.yaml")
    assert done.exit_code == 0
    assert done.stdout.startswith("flow.yaml: 1 of 1 scenarios passed, 4 of 17 exits taken")
    assert "  not taken: pick.1\n" in done.stdout


def test_bad_scenarios_fail_with_their_place(run: Run) -> None:
    scenarios(BAD)
    done = run("test", "flow.yaml")
    assert done.exit_code == 1
    assert "flow.test.yaml:3: a failed" in done.stdout
    assert "instead: Choose" in done.stdout


def test_too_few_exits_fail_where_that_is_asked(run: Run) -> None:
    scenarios(GOOD)
    assert run("test", "flow.yaml", "--fail-under", "20").exit_code == 0
    low = run("test", "flow.yaml", "--fail-under", "100")
    assert (low.exit_code, "23.5 % is under 100 %" in low.stderr) == (1, True)


def test_generating_makes_it_whole(run: Run) -> None:
    scenarios(GOOD)
    printed = run("test", "flow.yaml", "--generate")
    assert (printed.exit_code, "# takes" in printed.stdout, Path("flow.test.yaml").read_text("utf-8")) == (
        0,
        True,
        GOOD,
    )
    assert "written to" in run("test", "flow.yaml", "--generate", "--write").stderr
    assert run("test", "flow.yaml", "--fail-under", "100").exit_code == 0
    assert "nothing to add" in run("test", "flow.yaml", "--generate", "--write").stderr


def test_a_flow_without_scenarios_gets_a_file(run: Run) -> None:
    told = run("test", "flow.yaml").stdout
    assert told.endswith("to have some written:  hotline flow test flow.yaml --generate --write\n")
    assert "0 of 0 scenarios passed" in run("test", "flow.yaml").stdout
    run("test", "flow.yaml", "--generate", "--write")
    assert run("test", "flow.yaml", "--fail-under", "100").exit_code == 0


def test_json_says_the_same(run: Run) -> None:
    scenarios(BAD)
    done = run("test", "flow.yaml", "--json")
    (told,) = json.loads(done.stdout)["flows"]
    assert (done.exit_code, told["passed"], told["scenarios"][0]["failures"][0]["line"]) == (1, False, 4)
    assert "pick.1" in told["coverage"]["missed"]


def test_one_scenario_alone(run: Run) -> None:
    scenarios(GOOD + "  other:\n    call: [hears: nothing]\n")
    assert run("test", "flow.yaml", "--only", "a", "--fail-under", "100").exit_code == 0
    wrong = run("test", "flow.yaml", "--only", "othr")
    assert (wrong.exit_code, "did you mean 'other'?" in wrong.stderr) == (1, True)


def test_a_file_that_is_wrong_is_told(run: Run) -> None:
    scenarios(GOOD.replace("press", "pres"))
    done = run("test", "flow.yaml")
    assert (done.exit_code, "flow.test.yaml:4:12: unknown-key" in done.stderr) == (1, True)
    (empty := Path("empty")).mkdir()
    nothing = run("test", str(empty))
    assert (nothing.exit_code, "there is no flow in empty" in nothing.stderr) == (1, True)


def test_the_shipped_flows_are_tested_where_none_is_named(run: Run) -> None:
    done = run("test", "--fail-under", "100")
    assert (done.exit_code, "main.yaml: " in done.stdout) == (0, True)
