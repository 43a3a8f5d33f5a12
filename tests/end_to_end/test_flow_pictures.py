"""The picture of a flow in a browser: text fits in its box, and dark is dark."""

from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from ivr_flows.draw.measure import width
from ivr_flows.draw.pictures import picture
from ivr_flows.load import load
from tests.end_to_end.browser import CHROMIUM

BANK: Final = Path(__file__).parents[1] / "ivr_flows" / "draw" / "flows" / "bank.yaml"
MEASURED: Final = "[...document.querySelectorAll('.words')].map(t => [t.textContent, t.getComputedTextLength()])"
OUTSIDE: Final = """
[...document.querySelectorAll('g[role=graphics-object]')].flatMap(g => {
  const frames = [...g.querySelectorAll('.frame, .tag')].map(f => f.getBBox());
  return [...g.querySelectorAll('text:not(.mark)')].filter(t => {
    const b = t.getBBox(), right = b.x + b.width, bottom = b.y + b.height;
    return !frames.some(f => f.x <= b.x && right <= f.x + f.width && f.y <= b.y && bottom <= f.y + f.height);
  }).map(t => t.textContent);
})
"""


def test_text_fits_in_its_box_and_dark_is_dark(tmp_path: Path) -> None:
    path = tmp_path / "bank.svg"
    path.write_bytes(picture(load(BANK), "vi"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(color_scheme="dark")
        page.goto(path.as_uri())
        dark = page.evaluate("getComputedStyle(document.querySelector('.page')).fill")
        text = page.evaluate("getComputedStyle(document.querySelector('.words')).fill")
        wide = page.evaluate(MEASURED)
        outside = page.evaluate(OUTSIDE)
        browser.close()
    assert (dark, text) == ("rgb(15, 23, 42)", "rgb(248, 250, 252)")
    assert outside == []
    assert wide
    for words, pixels in wide:
        assert pixels <= width(words, 12) <= pixels * 1.35 + 12
