"""`ivr_flows.draw.svg`: well-formed, readable in the light and in the dark, told to who cannot see it."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ivr_flows.draw.chart import Arrow, Box, Chart, Line
from ivr_flows.draw.layout import layout
from ivr_flows.draw.looks import PLAIN
from ivr_flows.draw.pictures import picture
from ivr_flows.draw.svg import COLOURS, DARK, FONTS, LIGHT, TONES, svg
from ivr_flows.load import load

FLOWS = Path(__file__).parent / "flows"
NAMESPACE = "{http://www.w3.org/2000/svg}"
NASTY = "\"<&>'\x00\x1b]]>\ud800 {{ x }} \u202e"


def test_it_says_everything_to_those_who_hear_it() -> None:
    flow = load(FLOWS / "bank.yaml")
    root = ET.fromstring(picture(flow, "vi"))  # noqa: S314  (our own)
    assert root.get("role") == "graphics-document document"
    assert root.get("lang") == "vi"
    assert [child.tag for child in root][:2] == [f"{NAMESPACE}title", f"{NAMESPACE}desc"]
    assert root.findtext(f"{NAMESPACE}title") == "Ngân hàng Sông Hồng"
    heard = [each.get("aria-label", "") for each in root.iter() if each.get("role") == "graphics-object"]
    steps = [text for text in heard if not text.startswith(("bắt đầu", "khi lỗi"))]
    assert [text.partition(":")[0] for text in steps] == list(flow.steps)
    menu = next(text for text in steps if text.startswith("main_menu"))
    assert "main_menu, 2 mất thẻ: đến lost_card" in menu


def test_any_text_is_written_as_text() -> None:
    boxes = [Box("a", PLAIN, 208, 80, NASTY, NASTY, (NASTY,), NASTY), Box("b", PLAIN, 208, 80, NASTY)]
    arrow = Arrow("a", "b", (Line(NASTY, NASTY),), 90, 18, told=NASTY)
    chart = Chart(NASTY, NASTY, "vi", boxes, [arrow], ["a"])
    text = svg(chart, layout(chart))
    root = ET.fromstring(text.encode())  # noqa: S314  (our own)
    assert any("]]>" in (each.text or "") for each in root.iter(f"{NAMESPACE}text"))
    assert not set("\x00\x1b\ud800") & set(text)


@pytest.mark.parametrize("shade", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(shade: int) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for lines."""
    colours = {name: both[shade] for name, both in COLOURS.items()}
    tones = {name: (inside[shade], edge[shade]) for name, (inside, edge) in TONES.items()}
    for fill in (colours["page"], *(fill for fill, _ in tones.values())):
        assert min(contrast(colours["text"], fill), contrast(colours["quiet"], fill)) >= 4.5
    assert contrast(colours["failing"], colours["page"]) >= 4.5
    assert all(contrast(line, colours["page"]) >= 3 for line in (colours["way"], *(line for _, line in tones.values())))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_failures_are_told_by_a_pattern_too() -> None:
    text = picture(load(FLOWS / "bank.yaml"), "vi").decode()
    assert re.search(r"\.failing\.way\{stroke-dasharray", text)
    assert "@media (prefers-color-scheme:dark)" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "var(" not in text


def test_the_fonts_are_those_that_widths_are_for() -> None:
    assert "DejaVu Sans" in FONTS
    assert FONTS.endswith("sans-serif")
