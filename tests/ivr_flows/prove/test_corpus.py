"""No false alarm on good flows; every seeded fault found, by its code and in its place, and nothing else."""

import re
import shutil
from pathlib import Path

import pytest

from ivr_flows.prove import check_file
from tests.ivr_flows.prove.corpus import GOOD, Expected, Fault, faults, good_flows

FAULTS = list(faults())
ELSEWHERE = {
    "unknown-queue", "unknown-hours", "unknown-setting", "unreadable", "not-utf-8", "not-yaml", "too-long",
    "duplicate-flow", "broken-flow",
}  # fmt: skip
"""Codes of what the settings know, of files and of folders: other tests have those."""


@pytest.mark.parametrize("path", good_flows(), ids=lambda path: path.relative_to(GOOD).as_posix())
def test_nothing_is_said_of_a_good_flow(path: Path) -> None:
    assert [str(error) for error in check_file(path)] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_seeded_fault_is_found_where_it_is(fault: Fault, tmp_path: Path) -> None:
    base = GOOD / fault.base
    if base.parent != GOOD and base.parent.is_dir():
        shutil.copytree(base.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / base.name
    path.write_text(fault.text, encoding="utf-8")
    found = check_file(path)
    seen = {Expected(error.line, error.column, error.code, error.warning) for error in found}
    assert seen == fault.expected, "\n".join(map(str, found))


def test_the_corpus_is_large() -> None:
    assert len(good_flows()) >= 40


def test_every_code_is_in_the_docs_and_in_the_corpus() -> None:
    page = (Path(__file__).parents[3] / "docs" / "flows.md").read_text(encoding="utf-8")
    section = page.partition("## What the check proves")[2].partition("\n## ")[0]
    proved = re.findall(r"^\| (`[a-z].*?) \|", section, re.MULTILINE)
    documented = {code for cell in proved for code in re.findall(r"`([a-z0-9-]+)`", cell)}
    seeded = {expected.code for fault in FAULTS for expected in fault.expected}
    assert seeded <= documented
    assert documented - seeded <= ELSEWHERE


def test_faults_are_many() -> None:
    assert len(FAULTS) >= 200
    assert len({(fault.base, fault.name) for fault in FAULTS}) == len(FAULTS)
    assert len({expected.code for fault in FAULTS for expected in fault.expected}) >= 40
