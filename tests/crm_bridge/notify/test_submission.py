"""E-mail submitted to a real mail server: taken, refused, put off, and one that is not there."""

import asyncio
import email
import email.policy
import smtplib
import socket
import ssl
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from crm_bridge.notify import submission
from crm_bridge.notify.parcel import Parcel
from crm_bridge.notify.submission import Account, NotLetIn, Submission
from crm_bridge.oauth import Grant, Tokens
from crm_bridge.outgoing.schedule import Answer
from hotline.tls import ensure
from tests.crm_bridge.mail.authority import granting
from tests.crm_bridge.notify.conftest import NOW
from tests.crm_bridge.notify.far_ends import PASSWORD, USER, MailServer, mail_server

OFFERS = (b"250-shop.vn\r\n250 STARTTLS\r\n", b"STARTTLS")
PARCEL = Parcel("an@example.vn", "Chào An.\n.\nQUIT\n", "Đơn 7", "<1@shop.vn>")


def sender(far_end: MailServer, **more: Any) -> Submission:
    account = Account("localhost", far_end.port, "care@shop.vn", "Shop", USER, PASSWORD, tls="off")
    return Submission(replace(account, **more))


async def sent(to: Submission, parcel: Parcel = PARCEL) -> Answer:
    return await to.send(parcel, NOW, NOW)


async def test_a_letter_is_submitted_whole() -> None:
    async with mail_server() as far_end:
        submitted = sender(far_end)
        assert (await sent(submitted), submitted.fault) == (Answer(200), None)
    ((mail_from, to, content),) = far_end.letters
    assert (mail_from, to, far_end.users) == ("care@shop.vn", ["an@example.vn"], [USER])
    letter = email.message_from_bytes(content, policy=email.policy.default)
    assert letter["Subject"] == "Đơn 7"
    assert letter.get_content().splitlines() == PARCEL.text.splitlines()


@pytest.mark.parametrize("mode", ["on", "starttls"])
async def test_tls_is_spoken_and_the_server_must_be_who_we_mean(
    tmp_path: Path, mode: Literal["on", "starttls"]
) -> None:
    certificate = ensure(tmp_path / "tls", ["localhost"], time.time())
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate.certificate, certificate.key)
    ours = ssl.create_default_context(cafile=certificate.certificate)
    async with mail_server(theirs, starttls=mode == "starttls") as far_end:
        assert await sent(sender(far_end, tls=mode, context=ours)) == Answer(200)
        stranger = sender(far_end, tls=mode, context=ssl.create_default_context())
        assert "CERTIFICATE_VERIFY_FAILED" in (await sent(stranger)).cause
        assert stranger.fault is not None
    assert len(far_end.letters) == 1


async def test_no_password_goes_to_a_server_without_the_starttls_that_is_wanted() -> None:
    async with mail_server() as far_end:
        submitted = sender(far_end, tls="starttls", context=ssl.create_default_context())
        assert "STARTTLS" in (await sent(submitted)).cause
    assert far_end.users == []


@pytest.mark.parametrize("at", ["RCPT", "DATA"])
@pytest.mark.parametrize(("said", "is_final"), [("550 5.1.1 No such user", True), ("451 4.7.1 Later", False)])
async def test_what_the_server_says_of_a_letter_is_final_or_not(at: str, said: str, is_final: bool) -> None:
    async with mail_server() as far_end:
        far_end.says.append((at, said))
        submitted = sender(far_end)
        assert await sent(submitted) == Answer(0, f"the mail server says {said}", is_final=is_final)
        assert submitted.fault is None
        assert await sent(submitted) == Answer(200)


async def test_an_account_that_is_not_let_in_is_a_fault_and_nobodys_letter_is_dead_of_it() -> None:
    async with mail_server() as far_end:
        submitted = sender(far_end, password="wrong")
        answer = await sent(submitted)
        assert (answer.status, answer.is_final) == (0, False)
        assert answer.cause.startswith("localhost: 535")
        assert submitted.fault is not None
        assert "notify.email" in submitted.fault.mend
        assert "wrong" not in str(submitted.fault) + repr(submitted.account)
        with pytest.raises(NotLetIn, match="535"):
            await submitted.check(NOW)
        await sender(far_end).check(NOW)
    assert far_end.letters == []


async def test_a_server_that_is_not_there_is_a_fault() -> None:
    async with mail_server() as far_end:
        pass
    submitted = sender(far_end)
    assert "refused" in (await sent(submitted)).cause
    assert submitted.fault is not None


async def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "STEP_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        submitted = sender(MailServer(silent.getsockname()[1]))
        assert "timed out" in (await sent(submitted)).cause


async def test_the_end_of_the_program_does_not_wait_for_one_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sending = asyncio.create_task(sent(sender(MailServer(port), user="")))
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            connection.sendall(b"220 here\r\n")
            assert (await asyncio.to_thread(connection.recv, 99)).startswith(b"ehlo shop.vn")
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert await asyncio.to_thread(connection.recv, 99) == b""  # the thread has let go


@pytest.mark.parametrize(
    ("tls", "talk"),
    [
        ("off", []),
        ("on", [(b"", b"\x16")]),
        ("starttls", [(b"220 here\r\n", b"ehlo"), OFFERS, (b"220 go\r\n", b"\x16")]),
    ],
    ids=["greeting", "TLS", "STARTTLS"],
)
async def test_nor_for_one_that_hangs_before_anybody_has_signed_in(tls: str, talk: list[tuple[bytes, bytes]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        trusting = sender(MailServer(server.getsockname()[1]), tls=tls, context=ssl.create_default_context())
        sending = asyncio.create_task(sent(trusting))
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            connection.settimeout(5)
            for says, hears in talk:
                connection.sendall(says)
                assert (await asyncio.to_thread(connection.recv, 9999)).startswith(hears)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert await asyncio.to_thread(connection.recv, 99) == b""


async def test_one_that_is_given_up_before_it_is_connected_sends_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = submission._Attempt(sender(MailServer(server.getsockname()[1])).account, "")
        attempt.give_up()
        with pytest.raises(NotLetIn):
            await asyncio.to_thread(attempt.make, "an@example.vn", b"Subject: x\r\n\r\nx\r\n")
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            assert await asyncio.to_thread(connection.recv, 99) == b""


async def test_whatever_comes_after_the_server_has_taken_the_letter_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_self: smtplib.SMTP) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(smtplib.SMTP, "quit", broken)
    async with mail_server() as far_end:
        assert await sent(sender(far_end)) == Answer(200)


async def test_what_cannot_be_a_letter_is_dead_at_once() -> None:
    async with mail_server() as far_end:
        evil = Parcel("an@example.vn", "x", "a\r\nBcc: all@example.vn", "<1@shop.vn>")
        answer = await sent(sender(far_end), evil)
    assert answer.is_final
    assert far_end.letters == []


async def test_a_token_stands_in_place_of_the_password_and_one_that_is_not_taken_is_replaced(tmp_path: Path) -> None:
    with granting() as authority:
        async with mail_server() as far_end, httpx.AsyncClient(trust_env=False) as client:
            grant = Grant(authority.token_url, {"client_id": "c"}, "first", file=tmp_path / "t.json")
            submitted = sender(far_end, password="", tokens=Tokens(grant, client))
            far_end.tokens = {"access-1"}
            assert await sent(submitted) == Answer(200)
            far_end.tokens = {"access-2"}
            assert await sent(submitted) == Answer(200)
            assert len(far_end.letters) == 2
            far_end.tokens = set()
            answer = await sent(submitted)
        assert (answer.status, answer.is_final) == (0, False)
        assert answer.cause.startswith("localhost: 535")
        assert [form["refresh_token"] for form in authority.asked] == ["first"] * 3


async def test_where_no_token_is_to_be_had_that_is_the_fault() -> None:
    with granting() as authority:
        async with mail_server() as far_end, httpx.AsyncClient(trust_env=False) as client:
            revoked = Grant(authority.token_url, {"client_id": "c"}, "revoked")
            submitted = sender(far_end, password="", tokens=Tokens(revoked, client))
            assert "invalid_grant: The token is revoked." in (await sent(submitted)).cause
    assert submitted.fault is not None
    assert far_end.users == []
