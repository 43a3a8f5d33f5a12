"""`hotline flow draw`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hotline.cli import app
from ivr_flows.draw.pictures import picture
from ivr_flows.load import load
from tests.ivr_flows.flows import EXAMPLES

MAIN = EXAMPLES / "main.yaml"


def run(*words: str) -> tuple[int, bytes, str]:
    result = CliRunner().invoke(app, ["flow", "draw", *words])
    return result.exit_code, result.stdout_bytes, result.stderr


def test_svg_goes_to_standard_output() -> None:
    assert run(str(MAIN)) == (0, picture(load(MAIN), "vi"), "")
    assert run(str(MAIN), "--language", "en")[1] == picture(load(MAIN), "en")


@pytest.mark.parametrize(
    ("name", "begins"), [("a.svg", b"<svg"), ("a.mmd", b"---"), ("a.PNG", b"\x89PNG"), ("a", b"<svg")]
)
def test_a_file_is_written_as_it_is_named(name: str, begins: bytes, tmp_path: Path) -> None:
    assert run(str(MAIN), "-o", str(tmp_path / name)) == (0, b"", "")
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_format_may_be_said(tmp_path: Path) -> None:
    run(str(MAIN), "-o", str(tmp_path / "a.txt"), "--format", "mermaid")
    assert b"flowchart TD" in (tmp_path / "a.txt").read_bytes()


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("flow: x\n", encoding="utf-8")
    code, _, told = run(str(broken))
    assert (code, "missing-key" in told) == (1, True)
    code, _, told = run(str(MAIN), "--language", "fr")
    assert (code, told) == (1, "'main' does not speak 'fr'; it has vi, en\n")
    code, _, told = run(str(MAIN), "-o", str(tmp_path / "none" / "a.svg"))
    assert (code, told) == (1, f"{tmp_path / 'none' / 'a.svg'} cannot be written: No such file or directory\n")
