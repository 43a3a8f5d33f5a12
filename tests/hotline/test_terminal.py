"""Commands in sentences are written as they can be typed."""

import sys
from pathlib import Path

import pytest

from hotline.terminal import pasteable

SENTENCE = "run `hotline doctor`, or pip install 'hotline[voice]'; another hotline uses the hotline folder"


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment in the working folder, which is not on the PATH."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip", "hotline"):
        (programs / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(sys, "argv", [".venv/bin/hotline"])
    return programs


def test_what_is_not_on_the_path_is_named_where_it_is(set_up: Path) -> None:
    assert pasteable(SENTENCE) == (
        "run `.venv/bin/hotline doctor`, or .venv/bin/python -m pip install 'hotline[voice]'; "
        "another hotline uses the hotline folder"
    )


def test_run_as_a_module_it_is_named_as_one(set_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/hotline/__main__.py", "doctor"])
    assert pasteable("hotline db upgrade") == ".venv/bin/python -m hotline db upgrade"


def test_what_is_on_the_path_stays_short(set_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(set_up))
    assert pasteable(SENTENCE) == SENTENCE


def test_the_pip_of_another_python_is_not_meant(set_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = set_up.parent / "other"
    other.mkdir()
    (other / "pip").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other))
    assert pasteable("pip install x") == ".venv/bin/python -m pip install x"
