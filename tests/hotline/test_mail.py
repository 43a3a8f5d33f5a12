"""The folders of the settings are followed by a running program, and its log says nothing that is anybody's own."""

import asyncio
import contextlib
import smtplib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from crm_bridge.webhooks.outbox import NOBODY
from hotline import database, mail
from hotline.cannot_start import CannotStart
from hotline.config import Settings, load
from tests.crm_bridge.mail import dovecot
from tests.crm_bridge.mail.authority import granting
from tests.crm_bridge.mail.letters import letter
from tests.databases import migrate

COMES_WITHIN_S = 15.0
IMAP = "kind: imap, user: help@shop.vn, "
Told = asyncio.Queue[dict[str, Any]]


def settings(folder: Path, block: str) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(f"mail:\n  support: {{{block}}}\n", "utf-8")
    return load(path, {"SECRET": dovecot.PASSWORD}, folder / "data")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[tuple[mail.Mail, Told]]]]:
    """Start the mail of a block of settings, and say what it tells."""
    (tmp_path / "data").mkdir()
    async with contextlib.AsyncExitStack() as stack:

        async def start(block: str) -> tuple[mail.Mail, Told]:
            wanted = settings(tmp_path, block)
            migrate(wanted.database_url)
            engine = database.open_engine(wanted.database_url)
            stack.push_async_callback(engine.dispose)
            told = Told()
            post = mail.Mail(
                wanted, database.session_factory(engine), time.time, lambda _, body: told.put_nowait(body), NOBODY
            )
            stack.push_async_callback(post.stop)
            await post.start()
            return post, told

        yield start


async def test_a_letter_comes_from_the_folder_of_the_settings(running: Any) -> None:
    with dovecot.running() as server:
        await asyncio.to_thread(server.deliver, letter(From=dovecot.USER), letter(Date=""))
        _, told = await running(IMAP + f"host: localhost, port: {server.port}, tls: off, password: env:SECRET")
        async with asyncio.timeout(COMES_WITHIN_S):
            assert (await told.get())["external_id"] == "<1@example.vn>"


async def test_a_letter_comes_from_a_folder_that_is_opened_with_a_token(running: Any) -> None:
    with granting() as authority, dovecot.running(asks=authority.introspection) as server:
        await asyncio.to_thread(server.deliver, letter(Date=""))
        oauth = f"oauth: {{token_url: '{authority.token_url}', client_id: c, refresh_token: first}}"
        _, told = await running(IMAP + f"host: localhost, port: {server.port}, tls: off, {oauth}")
        async with asyncio.timeout(COMES_WITHIN_S):
            assert (await told.get())["external_id"] == "<1@example.vn>"
    assert authority.asked == [{"client_id": "c", "grant_type": "refresh_token", "refresh_token": "first"}]


async def test_a_letter_comes_through_the_door_of_the_settings(running: Any) -> None:
    post, told = await running("kind: smtp, listen: 127.0.0.1:0, recipients: [help@shop.vn, '@inbox.shop.vn']")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", post.ports["support"], "tester", timeout=10) as client:
            client.sendmail("help@shop.vn", "help@shop.vn", letter(From="help@shop.vn", Message_ID="<0@x>"))
            client.sendmail("an@example.vn", "any@inbox.shop.vn", letter(Date=""))

    await asyncio.to_thread(send)
    assert told.get_nowait()["external_id"] == "<1@example.vn>"
    assert told.empty()


async def test_a_door_that_cannot_open_says_which_and_why(running: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"mail.support cannot listen on tcp:127.0.0.1:{port}: Address already"):
            await running(f"kind: smtp, listen: 127.0.0.1:{port}, recipients: help@shop.vn")


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    block = "kind: smtp, listen: 127.0.0.1:0, recipients: help@shop.vn, certificate: none.pem, key: none.pem"
    with pytest.raises(CannotStart, match=r"mail.support cannot show .*none.pem: No such file"):
        mail.door_settings("support", settings(tmp_path, block).mail["support"])


def test_files_that_hold_something_else_are_named_with_what_openssl_says(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    door = "kind: smtp, listen: 127.0.0.1:0, recipients: help@shop.vn, certificate: no.pem, key: no.pem"
    with pytest.raises(CannotStart, match=r"mail.support cannot show .*no.pem: .*PEM lib"):
        mail.door_settings("support", settings(tmp_path, door).mail["support"])
    wanted = settings(tmp_path, IMAP + "host: mail.shop.vn, password: env:SECRET, authorities: no.pem")
    with pytest.raises(CannotStart, match=r"cannot be read from .*no.pem: NO_CERTIFICATE_OR_CRL_FOUND; name a PEM"):
        mail.mailbox("support", wanted.mail["support"])


def test_what_goes_wrong_is_said_without_the_account(tmp_path: Path) -> None:
    wanted = settings(tmp_path, IMAP + "host: localhost, port: 1, tls: off, password: env:SECRET")
    with capture_logs() as logs:
        mail._say(mail.mailbox("support", wanted.mail["support"]), "Connection refused", 1.0)
    (said,) = logs
    assert (said["mail"], said["host"], said["port"], said["again_in_s"]) == ("support", "localhost", 1, 1.0)
    assert said["cause"] == "Connection refused"
    assert "help@" not in str(said)


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    wanted = settings(tmp_path, IMAP + "host: mail.shop.vn, password: env:SECRET, authorities: none.pem")
    with pytest.raises(CannotStart, match=r"mail.support cannot be read from .*none.pem: No such file"):
        mail.mailbox("support", wanted.mail["support"])
