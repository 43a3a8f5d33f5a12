"""A real browser for the end-to-end tests: Debian's Chromium, whose microphone is a file and who can be listened to."""

import base64
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Playwright

from tests.end_to_end.running import HOST, Server, wait_for

CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
QUIET: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
)  # fmt: skip

# Every remote track that the page gets is kept where the test can listen to it.
LISTEN: Final = """
(() => {
  const Real = window.RTCPeerConnection;
  window.__tracks = [];
  window.__connections = [];
  window.RTCPeerConnection = class extends Real {
    constructor(...given) {
      super(...given);
      window.__connections.push(this);
      this.addEventListener('track', (event) => window.__tracks.push(event.track));
    }
  };
})();
"""
RECORD: Final = """
async (seconds) => {
  const track = window.__tracks[window.__tracks.length - 1];
  const context = new AudioContext({ sampleRate: 8000 });
  await context.resume();
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const taker = context.createScriptProcessor(1024, 1, 1);
  const parts = [];
  let taken = 0;
  await new Promise((done) => {
    taker.onaudioprocess = (event) => {
      parts.push(new Float32Array(event.inputBuffer.getChannelData(0)));
      taken += event.inputBuffer.length;
      if (taken >= seconds * 8000) done();
    };
    source.connect(taker);
    taker.connect(context.destination);
  });
  taker.disconnect();
  await context.close();
  const all = new Float32Array(taken);
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  let text = '';
  const octets = new Uint8Array(all.buffer);
  for (let at = 0; at < octets.length; at += 8192) text += String.fromCharCode(...octets.subarray(at, at + 8192));
  return btoa(text);
}
"""


@dataclass
class Tab:
    """One browser of its own, with one page open at a time. `console` is what the page complained of."""

    context: BrowserContext
    address: str
    console: list[str] = field(default_factory=list)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.open_page()

    def open_page(self) -> None:
        """Open a page, as somebody does who had closed it."""
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(f"{message.text} {message.location.get('url', '')}")

    def go(self, path: str) -> None:
        """Open a path of the server."""
        self.page.goto(self.address + path)

    def wait_for_sound(self) -> None:
        """Wait until the page's phone has a track to hear. (Playwright's own waiting would need `eval` in the page.)"""
        wait_for("the page's phone has sound", lambda: self.page.evaluate("(window.__tracks ?? []).length > 0"))

    def hears(self, seconds: float) -> NDArray[np.float64]:
        """Record what the page's phone hears: float64[n] at 8 kHz, full scale 32768."""
        self.wait_for_sound()
        octets = base64.b64decode(self.page.evaluate(RECORD, seconds))
        return np.frombuffer(octets, "<f4").astype(np.float64) * 32768


@contextlib.contextmanager
def chromium(
    playwright: Playwright, server: Server, folder: Path, microphone: Path | None = None, **options: Any
) -> Iterator[Tab]:
    """A browser with a profile of its own in `folder`; its microphone plays the WAV file again and again."""
    arguments = [*QUIET, *([f"--use-file-for-fake-audio-capture={microphone}"] if microphone else [])]
    context = playwright.chromium.launch_persistent_context(
        str(folder),
        executable_path=CHROMIUM,
        headless=True,
        args=arguments,
        permissions=["microphone", "notifications"],
        **{"locale": "en-GB", "viewport": {"width": 1366, "height": 768}, **options},
    )
    context.add_init_script(LISTEN)
    try:
        yield Tab(context, f"http://{HOST}:{server.web_port}")
    finally:
        context.close()
