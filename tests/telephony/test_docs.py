"""Every live event is on the operations page, and every one there exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENT = re.compile(r"""[Pp]ublish\(\s*"([a-z]+\.[a-z_]+)\"""")


def test_the_page_names_the_live_events_that_are_sent() -> None:
    sent = {
        name
        for room in ("telephony", "crm_bridge")
        for path in (ROOT / room).rglob("*.py")
        for name in SENT.findall(path.read_text("utf-8"))
    }
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", page, re.MULTILINE))
    assert told == sent
    assert len(sent) > 10
