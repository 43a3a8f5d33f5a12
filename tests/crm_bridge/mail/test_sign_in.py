"""Signing in with access tokens, at a real server that asks a real authority."""

from collections.abc import Iterator

import pytest

from crm_bridge.mail.follow import Mailbox, opened
from crm_bridge.mail.imap import Imap, ImapError, ImapRefused
from tests.crm_bridge.mail import dovecot
from tests.crm_bridge.mail.authority import Authority, granting
from tests.crm_bridge.mail.dovecot import USER, Dovecot


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with granting() as authority:
        yield authority


@pytest.fixture(scope="module", params=["xoauth2", "oauthbearer"])
def server(authority: Authority, request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with dovecot.running(asks=authority.introspection, mechanisms=request.param) as server:
        yield server


async def test_a_good_token_opens_and_a_bad_one_does_not_and_another_may_follow(
    server: Dovecot, authority: Authority
) -> None:
    authority.good = {"good"}
    imap = await Imap.open("127.0.0.1", server.port, None)
    with pytest.raises(ImapRefused, match="the server refuses: NO") as refused:
        await imap.authenticate(USER, "bad", "127.0.0.1", server.port)
    assert "bad" not in str(refused.value)
    await imap.authenticate(USER, "good", "127.0.0.1", server.port)
    assert (await imap.select("INBOX")).uid_validity > 0
    await imap.close()


async def test_a_token_that_ended_before_its_time_is_replaced(server: Dovecot, authority: Authority) -> None:
    authority.good = {"new"}
    wanted = []

    async def token(spent: str) -> str:
        wanted.append(spent)
        return "new" if spent else "old"

    async with opened(Mailbox("support", "127.0.0.1", server.port, USER, "", token=token)) as imap:
        await imap.select("INBOX")
    assert wanted == ["", "old"]


async def test_a_server_that_takes_no_tokens_is_not_sent_one() -> None:
    with dovecot.running() as plain:
        imap = await Imap.open("127.0.0.1", plain.port, None)
        with pytest.raises(ImapError, match="takes no access tokens"):
            await imap.authenticate(USER, "secret", "127.0.0.1", plain.port)
        await imap.close()
