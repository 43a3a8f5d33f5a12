"""The IMAP client against servers that say what they should not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from crm_bridge.mail import imap
from crm_bridge.mail.imap import Imap, ImapError

HELLO = b"* OK hello\r\n"
LOGIN = [b"+\r\n", b"+\r\n", b"h1 OK\r\n", b"* CAPABILITY IMAP4rev1 IDLE\r\nh2 OK\r\n"]
FETCH = b'* 1 FETCH (UID 7 INTERNALDATE "16-Nov-2026 12:00:00 +0700" BODY[]<0> '


@contextlib.asynccontextmanager
async def server(*answers: bytes, hello: bytes = HELLO) -> AsyncIterator[tuple[Imap, list[bytes]]]:
    """Connect to a server that gives one answer to each line; after the last it closes the connection."""
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello)
        try:
            for answer in answers:
                heard.append(await reader.readline())
                writer.write(answer)
            await writer.drain()
        except ConnectionError:  # the client has had enough
            pass
        finally:
            writer.close()
            ended.set()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        try:
            client = await Imap.open("127.0.0.1", listener.sockets[0].getsockname()[1], None)
            try:
                yield client, heard
            finally:
                await client.close()
        finally:
            await ended.wait()


async def test_whatever_a_name_and_a_password_hold_they_are_arguments() -> None:
    async with server(LOGIN[0], LOGIN[1], b"", *LOGIN[2:]) as (client, heard):
        await client.login('a" b', "ü\r\nh9 LOGOUT")
    assert heard == [b"h1 LOGIN {4}\r\n", b'a" b {13}\r\n', b"\xc3\xbc\r\n", b"h9 LOGOUT\r\n", b"h2 CAPABILITY\r\n"]


async def test_a_message_is_fetched_with_the_time_it_came() -> None:
    noise = b"* 2 FETCH (FLAGS (\\Seen))\r\n* 3 EXISTS\r\n"
    async with server(noise + FETCH + b"{5}\r\na\r\nb\n)\r\nh1 OK\r\n") as (client, heard):
        fetched = await client.fetch(7)
    assert fetched is not None
    assert (fetched.raw, fetched.received_at) == (b"a\r\nb\n", 1_794_805_200.0)
    assert heard == [f"h1 UID FETCH 7 (INTERNALDATE BODY.PEEK[]<0.{imap.MAX_FETCH}>)\r\n".encode()]


@pytest.mark.parametrize(
    "answer", [b"h1 OK\r\n", FETCH + b"NIL)\r\nh1 OK\r\n", FETCH.replace(b"7", b"8") + b"{1}\r\na)\r\nh1 OK\r\n"]
)
async def test_a_message_that_is_there_no_more_is_none(answer: bytes) -> None:
    async with server(answer) as (client, _):
        assert await client.fetch(7) is None


async def test_the_last_message_is_not_above_itself() -> None:
    async with server(b"* SEARCH 9 12 11 x\r\nh1 OK\r\n", b"* SEARCH\r\nh2 OK\r\n") as (client, heard):
        assert await client.uids_above(9) == [11, 12]
        assert await client.unseen() == []
    assert heard == [b"h1 UID SEARCH UID 10:*\r\n", b"h2 UID SEARCH UNSEEN\r\n"]


async def test_waiting_ends_with_a_new_message_and_with_the_time() -> None:
    answers = [b"+ idling\r\n* 1 EXISTS\r\n", b"h3 OK\r\n", b"+ idling\r\n* 1 EXPUNGE\r\n", b"* 1 EXISTS\r\nh4 OK\r\n"]
    async with server(*LOGIN, *answers) as (client, heard):
        await client.login("a", "b")
        await client.wait(60.0)
        await client.wait(0.01)
    assert heard[4:] == [b"h3 IDLE\r\n", b"DONE\r\n", b"h4 IDLE\r\n", b"DONE\r\n"]


async def test_what_came_before_waiting_is_not_waited_for() -> None:
    async with server(b"* 4 EXISTS\r\nh1 OK\r\n") as (client, _):
        await client.unseen()
        await client.wait(60.0)


async def test_a_server_that_cannot_tell_is_asked() -> None:
    async with server(b"h1 OK\r\n") as (client, heard):
        await client.wait(0.01)
    assert heard == [b"h1 NOOP\r\n"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"h1 NO not now\r\n", "the server refuses: NO not now"),
        (b"h1 BAD \x1b[31m\xff\r\n", "the server refuses: BAD"),
        (b"* BYE overloaded\r\n", "the server says goodbye: \\* BYE overloaded"),
        (b"* 1 FETCH (BODY[] {9999999999}\r\n", "the server sends more than it was asked for"),
        (b"* 1 FETCH (BODY[] {99}\r\nx", "the server has closed the connection"),
        (b"", "the server has closed the connection"),
        (b"h2 OK\r\n", "the server has closed the connection"),
        (b"x" * (imap.MAX_LINE + 10), "the server sends a line without an end"),
    ],
)
async def test_what_a_server_should_not_say_ends_the_connection(answer: bytes, said: str) -> None:
    async with server(answer) as (client, _):
        with pytest.raises(ImapError, match=said):
            await client.unseen()


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "CONNECT_S", 0.05)
    with pytest.raises(ImapError, match="the greeting took longer than"):
        async with server(b"never", hello=b""):
            pass


async def test_a_server_that_does_not_let_us_in() -> None:
    with pytest.raises(ImapError, match="does not let us in"):
        async with server(b"", hello=b"* PREAUTH\r\n"):
            pass


async def test_a_folder_whose_numbers_do_not_last_cannot_be_followed() -> None:
    async with server(b"+\r\n", b"* 1 EXISTS\r\nh1 OK\r\n") as (client, _):
        with pytest.raises(ImapError, match="no UIDs that last"):
            await client.select("INBOX")
