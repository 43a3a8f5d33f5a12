"""The door takes mail for its own addresses, from well-behaved clients and from others, and nothing else."""

import asyncio
import contextlib
import smtplib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crm_bridge.mail import smtp
from crm_bridge.mail.smtp import DoorSettings, SmtpDoor
from hotline import tls
from tests.crm_bridge.mail.letters import letter

OURS = frozenset({"help@shop.vn", "@inbox.shop.vn"})
BEGIN = b"EHLO x\r\nMAIL FROM:<an@example.vn>\r\nRCPT TO:<help@shop.vn>\r\nDATA\r\n"


@dataclass
class Taken:
    """What came through the door."""

    messages: list[tuple[bytes, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def take(self, raw: bytes, sender: str) -> None:
        if self.error is not None:
            raise self.error
        self.messages.append((raw, sender))


@pytest.fixture
def taken() -> Taken:
    return Taken()


@contextlib.asynccontextmanager
async def door(
    taken: Taken, max_size: int = 10_000, context: ssl.SSLContext | None = None, per_minute: int = 99
) -> AsyncIterator[int]:
    settings = DoorSettings(OURS, max_size, per_minute, context=context)
    listener = SmtpDoor(settings, taken.take, taken.failures.append)
    port = await listener.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await listener.stop()


async def client(port: int, use: Callable[[smtplib.SMTP], Any]) -> Any:
    def run() -> Any:
        with smtplib.SMTP("127.0.0.1", port, "tester", timeout=10) as connection:
            return use(connection)

    return await asyncio.to_thread(run)


async def talk(port: int, said: bytes) -> list[bytes]:
    """Say everything at once, and return the answers until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        writer.write_eof()
        async with asyncio.timeout(10):
            return (await reader.read()).splitlines()
    finally:
        writer.close()


async def test_a_letter_is_taken_as_it_was_sent(taken: Taken) -> None:
    raw = letter("Xin chào\r\n.\r\n..hết\r\n")
    async with door(taken) as port:
        await client(port, lambda each: each.sendmail("an@example.vn", ["Help@Shop.vn", "x@inbox.shop.vn"], raw))
        await client(port, lambda each: each.sendmail("", "help@shop.vn", raw))
    assert taken.messages == [(raw, "an@example.vn"), (raw, "")]


@pytest.mark.parametrize("recipient", ["an@example.vn", "x@shop.vn", "x@a.inbox.shop.vn", "help@shop.vn@x.vn", "help"])
async def test_nothing_is_relayed(taken: Taken, recipient: str) -> None:
    async with door(taken) as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await client(port, lambda each: each.sendmail("help@shop.vn", recipient, letter()))
    assert taken.messages == []


async def test_too_much_is_refused_before_and_while_it_comes(taken: Taken) -> None:
    async with door(taken) as port:
        with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
            await client(port, lambda each: each.sendmail("a@b.vn", "help@shop.vn", b"a" * 20_000))
        answers = await talk(port, BEGIN + b"aaaaaaaa\r\n" * 2000 + b".\r\n")
    assert answers[-1].startswith(b"552")
    assert taken.messages == []


async def test_what_cannot_be_kept_comes_again(taken: Taken) -> None:
    taken.error = RuntimeError("an@example.vn wrote")
    async with door(taken) as port:
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            await client(port, lambda each: each.sendmail("a@b.vn", "help@shop.vn", letter()))
    assert taken.failures == ["RuntimeError"]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"])
async def test_no_other_end_than_crlf_dot_crlf_hides_a_second_letter(taken: Taken, end: bytes) -> None:
    second = b"MAIL FROM:<boss@bank.vn>\r\nRCPT TO:<help@shop.vn>\r\nDATA\r\nlie\r\n"
    async with door(taken) as port:
        await talk(port, BEGIN + b"A: b" + end + second + b".\r\nQUIT\r\n")
    assert [sender for _, sender in taken.messages] == ["an@example.vn"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"MAIL FROM:<a@b.vn>\r\n", b"503"),
        (b"EHLO\r\n", b"501"),
        (b"EHLO x\r\nMAIL a@b.vn\r\n", b"501"),
        (b"EHLO x\r\nMAIL TO:<a@b.vn>\r\n", b"501"),
        (b"EHLO x\r\nRCPT TO:<help@shop.vn>\r\n", b"503"),
        (b"EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n", b"503"),
        (b"EHLO x\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n", b"503"),
        (b"EHLO x\r\nMAIL FROM:<>\r\nRSET\r\nRCPT TO:<help@shop.vn>\r\n", b"503"),
        (b"STARTTLS\r\n", b"502"),
        (b"AUTH PLAIN x\r\n", b"502"),
        (b"\xff\x00\r\n", b"502"),
        (b"VRFY help\r\n", b"252"),
        (b"x" * 3000 + b"\r\n", b"500"),
        (b"x\r\n" * 20, b"421"),
        (b"NOOP\r\nQUIT\r\nNOOP\r\n", b"221"),
    ],
)
async def test_what_is_out_of_place_is_said(taken: Taken, said: bytes, answer: bytes) -> None:
    async with door(taken) as port:
        assert (await talk(port, said))[-1].startswith(answer)


async def test_what_is_too_much_for_a_minute_comes_again(taken: Taken) -> None:
    async with door(taken, per_minute=2) as port:
        for _ in range(2):
            await client(port, lambda each: each.sendmail("a@b.vn", "help@shop.vn", letter()))
        with pytest.raises(smtplib.SMTPDataError, match="451"):
            await client(port, lambda each: each.sendmail("a@b.vn", "help@shop.vn", letter()))
    assert len(taken.messages) == 2


def test_room_comes_back_with_time() -> None:
    room = smtp._Room(per_minute=60, left=60, at=0.0)
    assert [room.take(0.0) for _ in range(61)] == [True] * 60 + [False]
    assert [room.take(at) for at in (0.5, 1.0, 1.5, 2.0)] == [False, True, False, True]
    assert sum(room.take(1e6) for _ in range(100)) == 60


async def test_a_line_without_an_end_ends_the_connection(taken: Taken) -> None:
    async with door(taken, max_size=1 << 20) as port:
        with contextlib.suppress(ConnectionError):
            await talk(port, BEGIN + b"x" * (4 * smtp.MAX_LINE))
    assert taken.messages == []


async def test_one_address_has_a_few_connections(taken: Taken) -> None:
    async with door(taken) as port, contextlib.AsyncExitStack() as stack:
        for _ in range(smtp.MAX_OF_ONE_ADDRESS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            assert (await reader.readline()).startswith(b"220")
        assert [each[:3] for each in await talk(port, b"")] == [b"421"]


async def test_who_says_nothing_is_left(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SILENCE_S", 0.05)
    async with door(taken) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"220")
        writer.close()


async def test_tls_begins_when_it_is_asked_for(taken: Taken, tmp_path: Path) -> None:
    made = tls.ensure(tmp_path, ["127.0.0.1"], time.time())
    context = ssl.create_default_context(cafile=made.certificate)

    def send(connection: smtplib.SMTP) -> None:
        connection.ehlo("x")
        assert connection.has_extn("starttls")
        connection._host = "127.0.0.1"  # type: ignore[attr-defined]
        connection.starttls(context=context)
        connection.ehlo("x")
        assert not connection.has_extn("starttls")
        connection.sendmail("an@example.vn", "help@shop.vn", letter())

    async with door(taken, context=tls.server_context(made)) as port:
        await client(port, send)
        assert (await talk(port, b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<a@b.vn>\r\n"))[-1].startswith(b"220")
    assert len(taken.messages) == 1
