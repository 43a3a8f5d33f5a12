"""Log lines as terminals and files get them."""

import logging

import pytest

from hotline import logs


@pytest.mark.parametrize("terminal", [True, False])
def test_what_strangers_send_steers_no_terminal_and_forges_no_line(*, terminal: bool) -> None:
    event: dict[str, object] = {"event": "a request failed", "level": "error", "path": "/x\n\x1b]0;owned\x07"}
    text = ""
    for render in logs._renderers(terminal=terminal):
        text = str(render(logging.getLogger(), "error", event))
    assert "/x" in text
    assert "\n" not in text
    assert "\x1b]" not in text
