"""An IMAP client: as much of RFC 9051 as following one folder takes, which IMAP4rev1 servers (RFC 3501) speak, too.

Rule 1: one command at a time, and each has a time limit. After any error the connection is good for nothing more.
Rule 2: what a server sends is bounded, in lines and in literals.
"""

import asyncio
import re
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Self

from crm_bridge import sasl

MAX_LINE: Final = 1 << 20
MAX_FETCH: Final = 8 << 20
"""Bytes of a message; what is behind them (files, as a rule) stays on the server."""
CONNECT_S: Final = 30.0
COMMAND_S: Final = 120.0
POLL_S: Final = 30.0
"""How often a server that cannot IDLE is asked."""

_LITERAL = re.compile(rb"\{(\d{1,10})\}\r?\n\Z")
_EXISTS = re.compile(rb"\* (\d+) EXISTS\b", re.IGNORECASE)
_EXPUNGE = re.compile(rb"\* \d+ EXPUNGE\b", re.IGNORECASE)
_FETCHED = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)
_INTERNAL_DATE = re.compile(rb'\bINTERNALDATE "([^"]{1,40})"', re.IGNORECASE)
_CODE = r"\* OK \[{} (\d{{1,10}})\]"
_UID_VALIDITY = re.compile(_CODE.format("UIDVALIDITY").encode(), re.IGNORECASE)
_UID_NEXT = re.compile(_CODE.format("UIDNEXT").encode(), re.IGNORECASE)


class ImapError(Exception):
    """The server refused, or said what nobody understands, or nothing: connect again. The text is for a log."""


class ImapRefused(ImapError):
    """The server said no to a command; the connection is as good as before."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response: its lines without the literals, and these."""

    text: bytes
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as SELECT found it. UIDs hold as long as `uid_validity` does (RFC 9051 section 2.3.1.1)."""

    uid_validity: int
    uid_next: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message, and when the server received it (seconds since the epoch; None if it does not say)."""

    raw: bytes
    received_at: float | None


class Imap:
    """A connection to an IMAP server. Everything raises `ImapError` and `OSError`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tags = 0
        self._messages = 0
        self._has_news = False
        self._can_idle = False

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext | None, *, starttls: bool = False) -> Self:
        """Connect: with TLS from the first byte, after STARTTLS, or (without `context`) in the clear."""
        async with _within(CONNECT_S, "connecting"):
            at_once = None if starttls else context
            reader, writer = await asyncio.open_connection(host, port, ssl=at_once, limit=MAX_LINE)
        imap = cls(reader, writer)
        try:
            async with _within(CONNECT_S, "the greeting"):
                greeting = await imap._response()
                if not greeting.text.upper().startswith(b"* OK"):
                    raise ImapError(f"the server does not let us in: {_words(greeting.text)}")
                if starttls and context is not None:
                    await imap._start_tls(host, context)
        except BaseException:
            await imap.close()
            raise
        return imap

    async def _start_tls(self, host: str, context: ssl.SSLContext) -> None:
        await self._command("STARTTLS")
        if self._reader._buffer:  # type: ignore[attr-defined]
            raise ImapError("the server spoke before TLS did")
        await self._writer.start_tls(context, server_hostname=host)

    async def login(self, user: str, password: str) -> None:
        """Say who we are, and learn what the server can do."""
        await self._command("LOGIN", user.encode(), password.encode())
        await self._learn()

    async def authenticate(self, user: str, token: str, host: str, port: int) -> None:
        """Say who we are by an access token, and learn what the server can do. Raises `ImapRefused` where it is not
        taken: then another one may be."""
        able = await self._learn()
        offered = [word.removeprefix("AUTH=") for word in able if word.startswith("AUTH=")]
        how = sasl.bearer(offered, user, host, port, token)
        if how is None:
            raise ImapError("the server takes no access tokens (AUTH=OAUTHBEARER or XOAUTH2)")
        tag = self._next_tag()
        async with _within(COMMAND_S, "AUTHENTICATE"):
            if "SASL-IR" in able:  # RFC 4959
                await self._send(tag + f" AUTHENTICATE {how.mechanism} {how.first}\r\n".encode())
            else:
                await self._send(tag + f" AUTHENTICATE {how.mechanism}\r\n".encode())
                await self._continuation(tag)
                await self._send(f"{how.first}\r\n".encode())
            await self._until(tag, f"{how.after_no}\r\n".encode())
        await self._learn()

    async def _learn(self) -> list[str]:
        """Ask what the server can do."""
        capabilities = await self._command("CAPABILITY")
        words = b" ".join(each.text for each in capabilities).decode("ascii", "replace").upper().split()
        self._can_idle = "IDLE" in words
        return words

    async def select(self, folder: str) -> Folder:
        """Open a folder for reading and marking."""
        found = b"".join(each.text for each in await self._command("SELECT", folder.encode()))
        validity, following = _UID_VALIDITY.search(found), _UID_NEXT.search(found)
        if validity is None:
            raise ImapError("the server has no UIDs that last, without which nothing can be read once")
        self._has_news = False  # what is there now is looked for by whoever asked
        return Folder(int(validity[1]), int(following[1]) if following else 0)

    async def uids_above(self, uid: int) -> list[int]:
        """Return the UIDs of messages above one, ascending."""
        return [each for each in await self._search(f"UID {uid + 1}:*") if each > uid]  # * is always the last one

    async def unseen(self) -> list[int]:
        """Return the UIDs of messages that nobody has read, ascending."""
        return await self._search("UNSEEN")

    async def _search(self, keys: str) -> list[int]:
        found: set[int] = set()
        for each in await self._command("UID SEARCH " + keys):
            if each.text.upper().startswith(b"* SEARCH"):
                found.update(int(word) for word in each.text.split()[2:] if word.isdigit())
        return sorted(found)

    async def fetch(self, uid: int) -> Fetched | None:
        """Return a message, up to `MAX_FETCH` bytes; None if it is there no more."""
        for each in await self._command(f"UID FETCH {uid} (INTERNALDATE BODY.PEEK[]<0.{MAX_FETCH}>)"):
            found = _UID.search(each.text)
            if _FETCHED.match(each.text) and found and int(found[1]) == uid and each.literals:
                return Fetched(each.literals[0], _received_at(each.text))
        return None

    async def mark_seen(self, uid: int) -> None:
        """Mark a message as read."""
        await self._command(f"UID STORE {uid} +FLAGS.SILENT (\\Seen)")

    async def wait(self, seconds: float) -> None:
        """Return when there is a new message, and after `seconds` at the latest (RFC 2177: under 29 minutes)."""
        if self._has_news:
            self._has_news = False
            return
        if not self._can_idle:
            await asyncio.sleep(min(seconds, POLL_S))
            await self._command("NOOP")
            return
        tag = self._next_tag()
        await self._send(tag + b" IDLE\r\n")
        async with _within(COMMAND_S, "IDLE"):
            await self._continuation(tag)
        try:
            async with asyncio.timeout(seconds):
                while not self._has_news:
                    await self._line()
        except TimeoutError:
            pass
        self._has_news = False
        await self._send(b"DONE\r\n")
        async with _within(COMMAND_S, "the end of IDLE"):
            await self._until(tag)

    async def close(self) -> None:
        """Close the connection, without waiting for the other side to agree."""
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            pass

    # ------------------------------------------------------------------------------------------------------ the wire

    async def _command(self, words: str, *arguments: bytes) -> list[Response]:
        """Send a command, and its arguments as literals, which may hold anything; return the untagged responses."""
        tag = self._next_tag()
        async with _within(COMMAND_S, words.partition(" ")[0]):
            piece = tag + b" " + words.encode()
            for argument in arguments:
                await self._send(piece + b" {%d}\r\n" % len(argument))
                await self._continuation(tag)
                piece = argument
            await self._send(piece + b"\r\n")
            return await self._until(tag)

    async def _until(self, tag: bytes, reply: bytes = b"") -> list[Response]:
        """Return what comes before the response of a tag, which must say OK. `reply` is what a server gets that asks
        for more (once: it has refused, and waits to be heard)."""
        before: list[Response] = []
        while True:
            response = await self._response()
            if reply and response.text.startswith(b"+"):
                await self._send(reply)
                reply = b""
            elif not response.text.startswith(tag + b" "):
                before.append(response)
            elif response.text[len(tag) + 1 :][:2].upper() == b"OK":
                return before
            else:
                raise ImapRefused(f"the server refuses: {_words(response.text[len(tag) + 1 :])}")

    async def _continuation(self, tag: bytes) -> None:
        while True:
            response = await self._response()
            if response.text.startswith(b"+"):
                return
            if response.text.startswith(tag + b" "):
                raise ImapRefused(f"the server refuses: {_words(response.text[len(tag) + 1 :])}")

    async def _response(self) -> Response:
        lines, literals, room = [await self._line()], list[bytes](), MAX_FETCH + MAX_LINE
        while (literal := _LITERAL.search(lines[-1])) is not None:
            room -= int(literal[1])
            if room < 0:
                raise ImapError("the server sends more than it was asked for")
            literals.append(await self._reader.readexactly(int(literal[1])))
            lines.append(await self._line())
        return Response(b" ".join(lines), tuple(literals))

    async def _line(self) -> bytes:
        """Read one line, and note what it tells unasked."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise ImapError("the server sends a line without an end") from None
        except asyncio.IncompleteReadError:
            raise ImapError("the server has closed the connection") from None
        if exists := _EXISTS.match(line):
            self._has_news = self._has_news or int(exists[1]) > self._messages
            self._messages = int(exists[1])
        elif _EXPUNGE.match(line):
            self._messages -= 1
        elif line.upper().startswith(b"* BYE"):
            raise ImapError(f"the server says goodbye: {_words(line)}")
        return line

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def _next_tag(self) -> bytes:
        self._tags += 1
        return b"h%d" % self._tags


class _within:  # noqa: N801 - reads as a word
    """A time limit whose end is an `ImapError`."""

    def __init__(self, seconds: float, what: str) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._what = what
        self._seconds = seconds

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)  # type: ignore[arg-type]
        except TimeoutError:
            raise ImapError(f"{self._what} took longer than {self._seconds:g} s") from None
        if isinstance(error, asyncio.IncompleteReadError):
            raise ImapError("the server has closed the connection") from None


def _received_at(text: bytes) -> float | None:
    found = _INTERNAL_DATE.search(text)
    if found is None:
        return None
    try:
        return parsedate_to_datetime(found[1].decode("ascii", "replace").strip().replace("-", " ", 2)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _words(line: bytes) -> str:
    """Return what a server says, for a log: short and printable."""
    return "".join(sign if sign.isprintable() else " " for sign in line.decode("utf-8", "replace"))[:200].strip()
