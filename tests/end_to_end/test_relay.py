"""A browser that finds nobody but by a TURN server, whose place and credentials it has from us."""

from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from tests.end_to_end.browser import chromium
from tests.end_to_end.desks import SETTINGS
from tests.end_to_end.running import running_server, wait_for
from tests.telephony.edge.test_turn import SECRET, coturn

pytestmark = pytest.mark.timeout(120)

# As behind a firewall that lets nothing through but TURN.
RELAY_ONLY = """
const Real = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Real {
  constructor(settings) {
    super({ ...settings, iceTransportPolicy: 'relay' });
  }
};
"""
LOUD = """
async () => {
  const track = window.__tracks[window.__tracks.length - 1];
  if (!track) return 0;
  const report = await window.__connections[window.__connections.length - 1].getStats();
  return Math.max(...[...report.values()].map((each) => each.totalAudioEnergy ?? 0));
}
"""
# What voice goes by may be selected before it is nominated.
PAIR = """
async () => {
  const report = await window.__connections[window.__connections.length - 1].getStats();
  const transport = [...report.values()].find((each) => each.type === 'transport');
  const pair = report.get(transport.selectedCandidatePairId);
  return report.get(pair.localCandidateId).candidateType;
}
"""


def test_a_callers_page_that_is_reached_by_a_relay_alone_hears_the_greeting(
    playwright: Playwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with coturn(tmp_path) as port:
        monkeypatch.setenv("HOTLINE__MEDIA__ICE_SERVERS", f"turn:127.0.0.1:{port}")
        monkeypatch.setenv("HOTLINE__MEDIA__TURN_SECRET", SECRET)
        with (
            running_server(tmp_path, SETTINGS) as server,
            chromium(playwright, server, tmp_path / "caller") as tab,
        ):
            tab.context.add_init_script(RELAY_ONLY)
            tab.go("/call?codec=pcmu")
            tab.page.get_by_role("button", name="Call", exact=True).click()
            expect(tab.page.locator(".badge.talking")).to_be_visible()
            wait_for("the greeting is heard", lambda: tab.page.evaluate(LOUD) > 0.001)
            assert tab.page.evaluate(PAIR) == "relay"
            tab.page.get_by_role("button", name="Hang up").click()
