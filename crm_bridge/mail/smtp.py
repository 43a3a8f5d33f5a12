"""The door for mail that is sent to us: a receiving SMTP server (RFC 5321), for a few addresses and for nobody else's.

Rule 1: it relays nothing. A recipient that is not ours is refused, whoever asks.
Rule 2: a message is accepted once it is recorded; until then its sender is told to come again (section 4.2.5).
Rule 3: lines end with CRLF and in no other way, so that nobody hides a second message in a first.
Rule 4: everything has a limit: connections, time, lines, recipients, mistakes, bytes.
"""

import asyncio
import contextlib
import re
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from crm_bridge import identity

MAX_LINE: Final = 64 << 10
MAX_COMMAND: Final = 2048
MAX_RECIPIENTS: Final = 100
MAX_MISTAKES: Final = 10
MAX_MESSAGES: Final = 100
MAX_CONNECTIONS: Final = 50
MAX_OF_ONE_ADDRESS: Final = 5
SILENCE_S: Final = 60.0
SESSION_S: Final = 900.0

_PATH = re.compile(r"(?P<verb>FROM|TO):\s*<(?P<path>[^<>]{0,320})>(?P<parameters>( +[!-~]+)*) *", re.IGNORECASE)
_SIZE = re.compile(r" SIZE=(\d{1,12})(?: |\Z)", re.IGNORECASE)

Take = Callable[[bytes, str], Awaitable[None]]
"""Record a message: its bytes, and the sender of its envelope ("" for the null path). If it raises, it comes again."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """`recipients` are normalised addresses, and `@domain` for all of a domain; `context` is for STARTTLS. `per_minute`
    messages are taken, whoever sends them; the others come again later."""

    recipients: frozenset[str]
    max_size: int
    per_minute: int = 120
    hostname: str = "hotline"
    context: ssl.SSLContext | None = None

    def is_ours(self, address: str) -> bool:
        """Whether mail for a normalised address is taken."""
        return address in self.recipients or address[address.rfind("@") :] in self.recipients


@dataclass
class _Room:
    """How many messages may come now: as many as `per_minute` at once, and then that many a minute."""

    per_minute: int
    left: float
    at: float

    def take(self, now: float) -> bool:
        """Take one message's room; False if there is none."""
        self.left = min(self.per_minute, self.left + (now - self.at) * self.per_minute / 60.0)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class SmtpDoor:
    """A listener; `failed` is told the kind of error when a message could not be recorded."""

    def __init__(self, settings: DoorSettings, take: Take, failed: Callable[[str], None]) -> None:
        self._settings = settings
        self._take = take
        self._failed = failed
        self._room = _Room(settings.per_minute, settings.per_minute, asyncio.get_running_loop().time())
        self._open: Counter[str] = Counter()
        self._sessions: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises `OSError`."""
        self._server = await asyncio.start_server(self._welcome, host, port, limit=MAX_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, and end every connection; what is not recorded by then comes again."""
        self._server.close()
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)
        address = str((writer.get_extra_info("peername") or ("",))[0])
        is_full = self._open[address] >= MAX_OF_ONE_ADDRESS or self._open.total() >= MAX_CONNECTIONS
        self._open[address] += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                async with asyncio.timeout(SESSION_S):
                    await _Session(self._settings, self._room, self._take, self._failed, reader, writer).run(
                        is_full=is_full
                    )
        finally:
            self._open -= Counter({address: 1})  # and forgets an address that has none any more
            writer.close()


@dataclass
class _Session:
    settings: DoorSettings
    room: _Room
    take: Take
    failed: Callable[[str], None]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_greeted: bool = False
    is_private: bool = False
    sender: str | None = None
    recipients: int = 0
    mistakes: int = 0
    messages: int = 0
    is_over: bool = field(default=False)

    async def run(self, *, is_full: bool) -> None:
        """Talk until one side has had enough."""
        if is_full:
            await self._say("421 too many connections, come again later")
            return
        await self._say(f"220 {self.settings.hostname} ESMTP")
        while not self.is_over:
            line = await self._line()
            answer = await self._answer(line) if len(line) <= MAX_COMMAND else "500 line too long"
            if answer.startswith("5"):
                self.mistakes += 1
            await self._say(answer)
            if answer.startswith("220"):
                await self._start_tls()
            if self.mistakes >= MAX_MISTAKES:
                await self._say("421 too many mistakes")
                return

    async def _answer(self, line: bytes) -> str:
        words = line.decode("utf-8", "replace").rstrip("\r\n")
        verb, _, rest = words.partition(" ")
        match verb.upper():
            case "EHLO" | "HELO":
                return self._greet(verb.upper(), rest)
            case "STARTTLS" if self.settings.context is not None and not self.is_private:
                return "220 go on in private"
            case "MAIL":
                return self._mail(rest)
            case "RCPT":
                return self._rcpt(rest)
            case "DATA":
                return await self._data()
            case "RSET":
                self._forget()
                return "250 forgotten"
            case "NOOP":
                return "250 here"
            case "VRFY":
                return "252 send it and see"
            case "QUIT":
                self.is_over = True
                return "221 goodbye"
        return "502 not understood here"

    def _greet(self, verb: str, name: str) -> str:
        if not name.strip():
            return "501 say who you are"
        self._forget()
        self.is_greeted = True
        if verb == "HELO":
            return f"250 {self.settings.hostname}"
        offers = [self.settings.hostname, f"SIZE {self.settings.max_size}", "8BITMIME", "PIPELINING", "SMTPUTF8"]
        if self.settings.context is not None and not self.is_private:
            offers.append("STARTTLS")
        return "\r\n".join([*(f"250-{each}" for each in offers[:-1]), f"250 {offers[-1]}"])

    def _mail(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if not self.is_greeted or self.sender is not None:
            return "503 not now"
        if found is None or found["verb"].upper() != "FROM":
            return "501 write MAIL FROM:<address>"
        if self.messages >= MAX_MESSAGES:
            return "452 enough for once, come again"
        size = _SIZE.search(found["parameters"])
        if size and int(size[1]) > self.settings.max_size:
            return f"552 more than {self.settings.max_size} bytes are not taken"
        self.sender = found["path"]
        return "250 go on"

    def _rcpt(self, rest: str) -> str:
        found = _PATH.fullmatch(rest)
        if self.sender is None:
            return "503 who sends it comes first"
        if found is None or found["verb"].upper() != "TO":
            return "501 write RCPT TO:<address>"
        if not self.settings.is_ours(identity.email(found["path"])):
            return "550 no mail is taken for that address"
        if self.recipients >= MAX_RECIPIENTS:
            return "452 too many recipients"
        self.recipients += 1
        return "250 go on"

    async def _data(self) -> str:
        if self.sender is None or not self.recipients:
            return "503 sender and recipient come first"
        if not self.room.take(asyncio.get_running_loop().time()):
            self._forget()
            return "451 too many messages just now, come again"
        await self._say("354 end with a dot on a line of its own")
        raw = await self._message()
        sender = self.sender
        self._forget()
        if raw is None:
            self.is_over = True  # or it would go on and on
            return f"552 more than {self.settings.max_size} bytes are not taken"
        self.messages += 1
        try:
            await self.take(raw, sender)
        except Exception as error:  # its sender keeps it and comes again
            self.failed(type(error).__name__)
            return "451 it cannot be kept just now, come again"
        return "250 taken"

    async def _message(self) -> bytes | None:
        """Return what is sent up to the dot, None where it is too much."""
        message = bytearray()
        while (line := await self._line()) != b".\r\n":
            message += line.removeprefix(b".")  # section 4.5.2
            if len(message) > self.settings.max_size:
                return None
        return bytes(message)

    async def _start_tls(self) -> None:
        if self.reader._buffer or self.settings.context is None:  # type: ignore[attr-defined]
            self.is_over = True  # said in the clear, to be taken for said in private (CVE-2011-0411)
            return
        await self.writer.start_tls(self.settings.context)
        self._forget()
        self.is_private, self.is_greeted = True, False

    def _forget(self) -> None:
        self.sender, self.recipients = None, 0

    async def _line(self) -> bytes:
        async with asyncio.timeout(SILENCE_S):
            return await self.reader.readuntil(b"\r\n")

    async def _say(self, answer: str) -> None:
        self.writer.write(answer.encode() + b"\r\n")
        async with asyncio.timeout(SILENCE_S):
            await self.writer.drain()
