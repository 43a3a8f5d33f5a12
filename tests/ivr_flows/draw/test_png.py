"""`ivr_flows.draw.png`: a PNG of the picture's size, with Vietnamese letters in it; what is missing is said."""

import re
import struct
import sys
from pathlib import Path

import pytest
import resvg_py

from ivr_flows.draw.pictures import picture
from ivr_flows.draw.png import CannotDraw, png
from ivr_flows.load import load
from tests.ivr_flows.flows import EXAMPLES

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}"><rect width="4" height="4"/></svg>'


def size(png: bytes) -> tuple[int, int]:
    """Return width and height from the header (PNG, 11.2.1)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_it_is_twice_as_fine() -> None:
    assert size(png(SVG.format(100, 50))) == (200, 100)


def test_a_very_large_picture_is_made_smaller() -> None:
    assert size(png(SVG.format(20000, 10))) == (16000, 8)


def test_letters_are_drawn() -> None:
    flow = load(EXAMPLES / "main.yaml")
    assert len(picture(flow, "vi", "png")) > 1.5 * len(png(without_text(picture(flow, "vi").decode())))


def without_text(svg: str) -> str:
    return re.sub(r"<text.*?</text>", "", svg)


def test_a_missing_library_is_named_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(CannotDraw, match=r"pip install 'hotline\[draw\]'"):
        png(SVG.format(10, 10))


def test_a_machine_without_fonts_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **given: drawn(skip_system_fonts=True, **given))
    with pytest.raises(CannotDraw, match="fonts-dejavu-core"):
        png(SVG.format(10, 10))
