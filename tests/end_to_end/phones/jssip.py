"""JsSIP in Chromium over WebSocket, without our pages: the library as it comes, told what to do from outside."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.end_to_end.browser import Tab
from tests.end_to_end.desks import hears_tone
from tests.end_to_end.phones.phone import Phone
from tests.end_to_end.running import wait_for

UI: Final = Path(__file__).parents[3] / "ui"

# One phone of the page: its sessions, the newest last, and what it heard of its transfers. A track is silent unless an
# element plays it.
GLUE: Final = """
const Listened = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Listened {
  constructor(...given) {
    super(...given);
    this.addEventListener('track', ({ track }) => {
      const audio = new Audio();
      audio.srcObject = new MediaStream([track]);
      audio.play();
    });
  }
};
window.phone = {
  sessions: [],
  told: [],
  registered: false,
  start(address, user, password) {
    const socket = new JsSIP.WebSocketInterface(address);
    this.ua = new JsSIP.UA({
      sockets: [socket], uri: `sip:${user}@hotline.test`, password, register: true, register_expires: 120,
    });
    this.ua.on('registered', () => { this.registered = true; });
    this.ua.on('unregistered', () => { this.registered = false; });
    this.ua.on('newRTCSession', ({ session }) => {
      this.sessions.push(session);
      const over = () => { this.sessions = this.sessions.filter((each) => each !== session); };
      session.on('ended', over);
      session.on('failed', over);
      session.on('icecandidate', (event) => setTimeout(() => event.ready(), 300));
    });
    this.ua.start();
  },
  newest() { return this.sessions[this.sessions.length - 1]; },
  dial(number) { this.ua.call(number, { mediaConstraints: { audio: true, video: false } }); },
  answer() { this.newest().answer({ mediaConstraints: { audio: true, video: false } }); },
  refer(session, target, options) {
    session.refer(target, { ...options, eventHandlers: {
      requestFailed: () => this.told.push('failed'),
      accepted: () => this.told.push('accepted'),
      failed: () => this.told.push('failed'),
    } });
  },
};
"""


def bundle(folder: Path) -> str:
    """Return JsSIP of the pages' packages as one script that makes `JsSIP`."""
    out = folder / "jssip.js"
    subprocess.run(
        [
            "node_modules/.bin/rolldown", "node_modules/jssip/lib/JsSIP.js", "--format", "iife", "--name", "JsSIP",
            "--platform", "browser", "-o", str(out),
        ],
        cwd=UI, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return out.read_text("utf-8")


@dataclass
class JsSip(Phone):
    """It registers over a WebSocket, and has a method for each deed."""

    tab: Tab | None = None
    library: str = ""

    def start(self) -> None:
        assert self.tab is not None
        self.tab.context.add_init_script(f"{self.library}\n{GLUE}")
        self.tab.go("/sign-in")
        address = self.tab.address.replace("http", "ws", 1) + "/sip"
        self._do("([address, user, password]) => phone.start(address, user, password)", [
            address, self.account.user, self.account.password,
        ])  # fmt: skip
        wait_for("JsSIP is registered", lambda: self._do("() => phone.registered"))

    def _do(self, function: str, given: object = None) -> Any:
        assert self.tab is not None
        return self.tab.page.evaluate(function, given)

    def dial(self, number: str) -> None:
        self._do("(number) => phone.dial(number)", number)

    def rings(self) -> bool:
        return bool(self._do("() => phone.newest()?.direction === 'incoming' && !phone.newest().isEstablished()"))

    def answer(self) -> None:
        self._do("() => phone.answer()")

    def talks(self) -> bool:
        return bool(self._do("() => !!phone.newest()?.isEstablished()"))

    def calls_there_are(self) -> int:
        return int(self._do("() => phone.sessions.length"))

    def hang_up(self) -> None:
        self._do("() => phone.newest().terminate()")

    def hold(self) -> None:
        self._offer("hold")

    def resume(self) -> None:
        self._offer("unhold")

    def _offer(self, method: str) -> None:
        """It refuses while an earlier offer is not quite done."""
        wait_for(f"JsSIP takes {method}", lambda: self._do(f"() => phone.newest().{method}()"))

    def transfer(self, number: str) -> None:
        self._do("(number) => phone.refer(phone.newest(), number, {})", number)

    def attended_transfer(self) -> None:
        self._do(
            "() => phone.refer(phone.sessions[0], phone.sessions[1].remote_identity.uri,"
            " { replaces: phone.sessions[1] })"
        )

    def told(self) -> list[str]:
        """Return what it heard of its transfers."""
        return list(self._do("() => phone.told"))

    def recordings(self) -> list[Path]:
        return []

    def hears(self, hertz: float, timeout_s: float = 8.0) -> None:
        assert self.tab is not None
        hears_tone(self.tab, hertz, timeout_s)

    def stop(self) -> None:
        self._do("() => phone.ua.stop()")
        wait_for("JsSIP is not registered any more", lambda: not self._do("() => phone.registered"))
