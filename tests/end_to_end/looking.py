"""Pages looked at: pictures of each in both languages, light and dark, wide and narrow, and what axe finds wrong."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.end_to_end.browser import Tab

AXE: Final = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS: Final = {1280: 800, 390: 844}


def faults(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it stands."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary')}" for fault in found for node in fault["nodes"]
    ]


def look(tab: Tab, name: str, pictures: Path) -> None:
    """Take the page's pictures, and have axe look at it in each theme."""
    page = tab.page
    for language in ("en", "vi"):
        if page.evaluate("document.documentElement.lang") != language:
            page.get_by_role("button", name="Tiếng Việt" if language == "vi" else "English").click()
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            for width, height in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": height})
                page.mouse.move(0, 0)
                overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert overflow <= 0, f"{name} at {width} px is {overflow} px too wide"
                page.wait_for_timeout(150)  # colours take their time to change
                page.screenshot(path=pictures / f"{name}-{language}-{theme}-{width}.png")
                assert faults(page) == [], f"{name}, {language}, {theme}, {width} px"
    page.get_by_role("button", name="English").click()
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.set_viewport_size({"width": 1366, "height": 768})
