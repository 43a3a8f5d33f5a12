"""A real server in a process of its own, and the foreign phones that talk to it, for the end-to-end tests."""

import asyncio
import contextlib
import functools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from hotline import auth, database
from tests.databases import migrate

T = TypeVar("T")
DOMAIN = "hotline.test"
HOST = "127.0.0.1"
SCENARIOS = Path(__file__).parent.parent / "sipp"


_PORTS: Final = range(10000, 32000)
"""Those below what the system gives out itself: nobody's connection takes them before they are bound."""
_given: deque[range] = deque(maxlen=40)
"""Ports that were given out of late, in blocks: a phone's next ones are its own, though nothing is bound yet."""
BLOCK: Final = 32


def _own_ports() -> range:
    """Return the ports of this process: each of pytest's workers has a part of them, and none takes another's."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = len(_PORTS) // workers
    return _PORTS[number * share : (number + 1) * share]


def _free_block(count: int, kinds: tuple[socket.SocketKind, ...]) -> int:
    """Return the first of so many ports that were all free a moment ago and are nobody else's."""
    own = _own_ports()
    for _ in range(1000):
        first = random.randrange(own.start, own.stop - count, 4)  # noqa: S311 - not against attackers
        ports = range(first, first + count)
        if any(ports.start < each.stop and each.start < ports.stop for each in _given):
            continue
        with contextlib.ExitStack() as probes:
            try:
                for port in ports:
                    for kind in kinds:
                        probes.enter_context(socket.socket(socket.AF_INET, kind)).bind((HOST, port))
            except OSError:
                continue
        _given.append(ports)
        return first
    raise AssertionError(f"no {count} ports in a row are free from {own.start} to {own.stop}")


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that was free a moment ago."""
    return _free_block(1, (kind,))


def free_quiet_port() -> int:
    """Return a port that was free for UDP and TCP a moment ago, as those after it are: a phone's TLS and voice."""
    return _free_block(BLOCK, (socket.SOCK_DGRAM, socket.SOCK_STREAM))


def free_media_ports(count: int = 100) -> int:
    """Return the first of so many UDP ports that were all free a moment ago."""
    return _free_block(count, (socket.SOCK_DGRAM,))


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float = 20.0) -> T:
    """Look again and again until there is something; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found is not None and found is not False:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:g} s: {what}")


@functools.cache
def _furnished() -> tuple[bytes, str]:
    """A database with the first people and an admin's token, and that token. It is made once, and every server gets a
    copy: tables, passwords and a command of its own would cost each of them two seconds."""

    async def furnish(session: AsyncSession) -> str:
        await auth.first_run(session, DOMAIN, time.time())
        return await auth.add_token(session, "tests", ["admin"], time.time())

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hotline.db"
        migrate(f"sqlite:///{path}")
        token = _written(path, furnish)
        return path.read_bytes(), token


def _written(path: Path, write: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Write to a database as a command does, which would cost two seconds as a process of its own."""

    async def opened() -> T:
        engine = database.open_engine(f"sqlite:///{path}")
        try:
            async with database.session_factory(engine).begin() as session:
                return await write(session)
        finally:
            await engine.dispose()

    # In a thread, where no loop runs: Playwright has one in this.
    with ThreadPoolExecutor() as pool:
        return pool.submit(lambda: asyncio.run(opened())).result()


@dataclass
class Server:
    """`hotline serve` with its own data folder and ports."""

    folder: Path
    settings: str = ""
    streams: bool = False
    """Whether SIP is spoken over TCP and TLS, too, each at a port where nothing else is."""
    media_ports: int = 100
    address: str = HOST
    """Where SIP and voice are to be had."""
    sip_port: int = field(default_factory=free_port)
    tcp_port: int = field(default_factory=free_quiet_port)
    tls_port: int = field(default_factory=free_quiet_port)
    web_port: int = field(default_factory=lambda: free_port(socket.SOCK_STREAM))
    process: subprocess.Popen[str] | None = None
    token: str = ""
    agents: dict[str, auth.NewUser] = field(default_factory=dict)
    """Those that it was started with, beside the first people."""
    errors: list[str] = field(default_factory=list)
    _ready: threading.Event = field(default_factory=threading.Event)

    @property
    def config(self) -> Path:
        """The settings file of this server."""
        return self.folder / "hotline.yaml"

    @property
    def data(self) -> Path:
        """The data folder of this server."""
        return self.folder / "data"

    def hotline(self, *arguments: str) -> str:
        """Run a `hotline` command with this server's settings and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "hotline", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_config(self) -> None:
        """Write the settings file."""
        media_port = free_media_ports(self.media_ports)
        listen = [f"udp:{self.address}:{self.sip_port}"]
        if self.streams:
            listen += [f"tcp:{self.address}:{self.tcp_port}", f"tls:{self.address}:{self.tls_port}"]
        self.config.write_text(
            f"data: {self.data}\n"
            f"sip: {{listen: {listen}, domain: {DOMAIN}}}\n"
            f"web: {{listen: '{HOST}:{self.web_port}'}}\n"
            f"media: {{address: {self.address}, ports: {media_port}-{media_port + self.media_ports - 1}}}\n"
            + self.settings,
            encoding="utf-8",
        )

    def furnish(self) -> None:
        """Give it a database with the first people, and an admin's token."""
        octets, self.token = _furnished()
        self.data.mkdir(mode=0o700)
        (self.data / "hotline.db").write_bytes(octets)

    def add_user(self, name: str, role: auth.Role = "agent", sip_password: str | None = None) -> auth.NewUser:
        """Add a user as `hotline users add` does; a server that runs knows of it soon."""
        return _written(
            self.data / "hotline.db",
            lambda session: auth.add_user(session, name, role, DOMAIN, time.time(), sip_password=sip_password),
        )

    def write(self, rows: Iterable[object]) -> None:
        """Add rows to its database, as a call would have."""

        async def add(session: AsyncSession) -> None:
            session.add_all(rows)

        _written(self.data / "hotline.db", add)

    def start(self) -> None:
        """Start the process and wait for its `ready`."""
        self._ready.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotline", "serve", "--config", str(self.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read_errors, args=(self.process,), daemon=True).start()
        ready = self._ready.wait(60)
        assert ready, "the server did not become ready:\n" + "".join(self.errors)

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.errors.append(line)
            if line.strip() == "ready":
                self._ready.set()
        process.stderr.close()

    def kill(self) -> None:
        """End the control process as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Ask the server to stop, twice, so that it does not wait for running calls."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(1)
        self.process.terminate()
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError("the server did not stop:\n" + "".join(self.errors)) from None

    def request(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
        """Send one HTTP request; return the status and the JSON answer (bytes where it is none)."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.web_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token if token is None else token}"}
            | ({"Content-Type": "application/json"} if body is not None else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, _decode(answer.read(), answer.headers.get_content_type())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decode(error.read(), error.headers.get_content_type())

    def get(self, path: str) -> Any:
        """GET a path under /api/v1 that must be there."""
        status, body = self.request("GET", f"/api/v1{path}")
        assert status == 200, (status, body)
        return body

    def post(self, path: str, body: object) -> Any:
        """POST to a path under /api/v1 that must take it."""
        status, answer = self.request("POST", f"/api/v1{path}", body)
        assert status < 300, (status, answer)
        return answer


def _decode(body: bytes, kind: str) -> Any:
    return json.loads(body) if kind.endswith("json") else body


@contextlib.contextmanager
def running_server(
    folder: Path,
    settings: str = "",
    *,
    streams: bool = False,
    media_ports: int = 100,
    address: str = HOST,
    agents: Iterable[str] = (),
) -> Iterator[Server]:
    """A server with an admin token, and agents that it knows from its beginning; stopped at the end."""
    server = Server(folder, settings, streams, media_ports, address)
    server.write_config()
    server.furnish()
    server.agents = {name: server.add_user(name) for name in agents}
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Baresip:
    """The desk phone of an agent: registers, answers by itself, plays a file and records what it hears."""

    folder: Path
    server: Server
    user: str
    password: str
    plays: Path
    port: int = field(default_factory=free_port)
    answer: bool = True
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write its configuration and start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        modules = "\n".join(f"module {name}.so" for name in ("g711", "aufile", "sndfile"))
        (self.folder / "config").write_text(
            f"sip_listen {HOST}:{self.port}\n"
            f"net_interface {HOST}\n"
            "module_path /usr/lib/baresip/modules\n"
            f"{modules}\n"
            "module_tmp account.so\n"
            "module_app menu.so\n"
            f"audio_source aufile,{self.plays}\n"
            f"audio_alert aufile,{self.folder / 'alert.wav'}\n"
            "audio_srate 8000\naudio_channels 1\n"
            f"rtp_ports {self.port + 1}-{self.port + 20}\n"
            "ring_aufile none\n"
            f"snd_path {self.folder}\n",
            encoding="utf-8",
        )
        mode = "auto" if self.answer else "manual"
        (self.folder / "accounts").write_text(
            f"<sip:{self.user}@{HOST}:{self.server.sip_port};transport=udp>;auth_user={self.user};"
            f"auth_pass={self.password};answermode={mode};regint=60;ptime=20\n",
            encoding="utf-8",
        )
        (self.folder / "contacts").write_text("", encoding="utf-8")
        log = (self.folder / "log").open("wb")
        with log:
            self.process = subprocess.Popen(
                ["baresip", "-4", "-f", str(self.folder), "-t", "120"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder)},
            )

    def heard(self) -> Path:
        """The file with what it heard in its last call."""
        return max(self.folder.glob("dump-*-dec.wav"))

    def log(self) -> str:
        """What it printed."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def stop(self) -> None:
        """End it: it unregisters and hangs up."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


def sipp(
    server: Server, folder: Path, scenario: str, *arguments: str, transport: str = "udp", timeout_s: int = 60
) -> str:
    """Run one SIPp scenario as the caller; return its messages. Fails when a call failed."""
    process = start_sipp(server, folder, scenario, *arguments, transport=transport, timeout_s=timeout_s)
    return finish_sipp(process, folder, timeout_s)


def start_sipp(
    server: Server, folder: Path, scenario: str, *arguments: str, transport: str = "udp", timeout_s: int = 60
) -> subprocess.Popen[str]:
    """Start one SIPp scenario as the caller, by default with one call, over `udp` or `tcp`."""
    path = SCENARIOS / scenario
    if os.geteuid() != 0 and re.search("play_(pcap|dtmf)", path.read_text("utf-8")):
        pytest.skip("SIPp plays keys and speech through a raw socket, which needs root")
    port, media_port = free_quiet_port(), free_quiet_port()
    to, mode = (server.tcp_port, "t1") if transport == "tcp" else (server.sip_port, "u1")
    once = () if "-m" in arguments else ("-m", "1")
    return subprocess.Popen(
        [
            "sipp", f"{HOST}:{to}", "-t", mode, "-sf", str(path), *once,
            "-i", HOST, "-p", str(port), "-mi", HOST, "-mp", str(media_port), "-nostdin", "-timeout", f"{timeout_s}s",
            "-timeout_error", "-trace_err", "-trace_msg", *arguments,
        ],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def go_on(process: subprocess.Popen[str]) -> None:
    """Let a scenario go on that waits for an INFO. It comes from here: SIPp knows its call by the Call-ID alone, which
    is that of its first call, and over UDP takes what anybody sends."""
    arguments = [str(each) for each in cast(list[str], process.args)]
    port = int(arguments[arguments.index("-p") + 1])
    request = (
        f"INFO sip:go-on@{HOST}:{port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {HOST}:9;branch=z9hG4bK-go-on\r\n"
        f"From: <sip:test@{HOST}>;tag=go-on\r\nTo: <sip:caller@{HOST}>\r\n"
        f"Call-ID: 1-{process.pid}@{HOST}\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(request.encode(), (HOST, port))


def finish_sipp(process: subprocess.Popen[str], folder: Path, timeout_s: float = 60) -> str:
    """Wait for a SIPp scenario and return its messages. Fails when a call failed."""
    printed, _ = process.communicate(timeout=timeout_s + 10)
    messages = "\n".join(path.read_text("utf-8", errors="replace") for path in folder.glob("*_messages.log"))
    errors = "\n".join(path.read_text("utf-8", errors="replace") for path in folder.glob("*_errors.log"))
    assert process.returncode == 0, f"sipp: {process.returncode}\n{printed[-2000:]}\n{errors}\n{messages[-4000:]}"
    return messages
