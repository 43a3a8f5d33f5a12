"""`hotline customers …` as people and scripts meet it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hotline.cli import app

Run = Callable[..., Result]

FILE = """Mã khách hàng;Họ tên;Số điện thoại;Email;Ngày sinh
1;Nguyễn Văn An;0912 345 678;an@example.vn;1990
2;Bình;9.12E+08;binh@example.vn;
3;Nguyễn Văn An;84912345678;;
4;Chi;0381234567;;
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    (tmp_path / "kh.csv").write_text(FILE, "utf-8-sig")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ("customers", *arguments), catch_exceptions=False)

    return invoke


def shown(run: Run, id_: str) -> Any:
    return json.loads(run("show", id_, "--json").stdout)


def test_a_file_is_rehearsed_imported_and_taken_back(run: Run) -> None:
    dry = run("import", "kh.csv", "--source", "pos", "--dry-run")
    assert dry.exit_code == 0
    assert "people: 3 new, 0 known before, 1 rows of one of these" in dry.stdout
    assert "kh.csv:3: Số điện thoại: is a number that a spreadsheet has rounded" in dry.stderr
    assert dry.stdout.splitlines()[-1] == "nothing was written"
    assert run("show", "0912345678").exit_code == 1
    done = json.loads(run("import", "kh.csv", "--source", "pos", "--json").stdout)
    assert done["counts"]["created"] == 3
    assert run("imports").stdout.splitlines()[1].split()[0] == done["id"]
    read = run("show", "+84 912 345 678").stdout
    assert "name: Nguyễn Văn An" in read
    assert f"import {done['id']} row 2" in read
    assert "undone: 3 profiles removed, 0 kept" in run("undo", done["id"]).stdout
    refused = run("undo", done["id"])
    assert (refused.exit_code, "undone already" in refused.stderr) == (1, True)


def test_two_profiles_are_merged_and_parted_again(run: Run) -> None:
    run("import", "kh.csv", "--source", "pos")
    one, other = shown(run, "0912345678")["id"], shown(run, "0381234567")["id"]
    merged = run("merge", one, other, "--evidence", "one identity card")
    assert (merged.exit_code, len(merged.stdout.strip())) == (0, 32)
    assert set(shown(run, one)["profiles"]) == {one, other}
    assert run("undo", merged.stdout.strip()).exit_code == 0
    assert shown(run, one)["profiles"] == [one]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "nothing.csv"), "cannot be read"),
        (("import", "kh.csv", "--source", "Đại lý"), "a source is named by"),
        (("import", "kh.csv", "--map", "SĐT"), "maps nothing"),
        (("show", "0912345678"), "no such customer"),
        (("merge", "a" * 32, "b" * 32), "there is no customer"),
        (("merge", "a" * 32, "a" * 32), "with itself"),
        (("undo", "a" * 32), "no merge and no import"),
    ],
)
def test_what_cannot_be_done_says_why(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_a_refused_row_is_exit_code_1_and_the_others_are_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kh.csv").write_text("name,phone\nAn,0912345678\nAi,113\n", "utf-8")
    result = run("import", "kh.csv")
    assert result.exit_code == 1
    assert "kh.csv:3: nothing in this row identifies a person; give a phone" in result.stderr
    assert shown(run, "0912345678")["name"] == "An"
