"""`hotline hours …` as people and scripts meet it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hotline.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    hours = "hours: {office: {open: {mon-sun: 00:00-24:00}}, shop: {open: {mon: 08:00-12:00}}}\n"
    (tmp_path / "hotline.yaml").write_text(f"data: data\n{hours}")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ("hours", *arguments), catch_exceptions=False)

    return invoke


def listed(run: Run) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in run("list").stdout.splitlines()[1:]}


def test_a_switch_is_turned_listed_and_audited(run: Run, tmp_path: Path) -> None:
    assert listed(run)["office"][0] == "open"
    assert listed(run)["office"][2:] == ["off", "-", "-"]
    assert run("emergency", "office", "on").stderr.endswith("The emergency switch of `office` is on.\n")
    assert "as it was before" in run("emergency", "office", "on").stderr
    state, _, switch, _, by = listed(run)["office"]
    assert (state, switch, by.startswith("cli:")) == ("emergency", "on", True)
    run("emergency", "office", "off")
    assert listed(run)["office"][0] == "open"
    with sqlite3.connect(tmp_path / "data" / "hotline.db") as database:
        what = database.execute("SELECT what, about FROM audit ORDER BY at").fetchall()
    database.close()
    assert what == [("hours.emergency_on", "office"), ("hours.emergency_off", "office")]


def test_hours_that_are_not_in_the_settings(run: Run) -> None:
    refused = run("emergency", "ofice", "on")
    assert (refused.exit_code, refused.stderr) == (
        1,
        "there are no opening hours `ofice` in the settings; there are office, shop\n",
    )
    assert run("emergency", "office", "perhaps").exit_code == 2
