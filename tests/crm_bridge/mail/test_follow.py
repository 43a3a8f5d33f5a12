"""A folder of a real server is followed: every letter once, over restarts of either side."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_bridge.mail.follow import FIRST_PAUSE_S, Mailbox, follow
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.place import Place, read_place
from crm_bridge.tables import Interaction
from crm_bridge.webhooks.outbox import NOBODY
from hotline import tls
from tests.crm_bridge.conftest import Sessions
from tests.crm_bridge.mail import dovecot
from tests.crm_bridge.mail.dovecot import Dovecot
from tests.crm_bridge.mail.letters import letter

COMES_WITHIN_S = 15.0
ONE, TWO, THREE = (letter(Message_ID=f"<{each}@x>", Date="") for each in (1, 2, 3))


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running() as server:
        yield server


@pytest.fixture
def box(server: Dovecot) -> Iterator[Mailbox]:
    yield Mailbox("support", "127.0.0.1", server.port, dovecot.USER, dovecot.PASSWORD)
    server.empty()


@dataclass
class Desk:
    """Who follows, what came of it, and what went wrong."""

    sessions: Sessions
    told: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    failures: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    pauses: list[float] = field(default_factory=list)
    may_try: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def following(self, box: Mailbox) -> AsyncIterator[None]:
        keeper = Keeper(self.sessions, time.time, lambda _, body: self.told.put_nowait(dict(body)), NOBODY)
        task = asyncio.create_task(follow(box, keeper, self._failed, self._pause))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _failed(self, box: Mailbox, cause: str, again_in_s: float) -> None:
        self.failures.put_nowait(f"{box.name}, again in {again_in_s:g} s: {cause}")

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.may_try.wait()

    async def came(self) -> str:
        """Wait for the next letter and return its id."""
        async with asyncio.timeout(COMES_WITHIN_S):
            return str((await self.told.get())["external_id"])

    async def failed(self) -> str:
        async with asyncio.timeout(COMES_WITHIN_S):
            return await self.failures.get()

    async def kept(self) -> list[str | None]:
        async with self.sessions() as session:
            return list(await session.scalars(select(Interaction.external_id).order_by(Interaction.external_id)))

    async def place(self) -> Place | None:
        async with self.sessions() as session:
            return await read_place(session, "support")


@pytest.fixture
def desk(sessions: Sessions) -> Desk:
    return Desk(sessions)


async def deliver(server: Dovecot, *letters: bytes, flags: str = "") -> None:
    await asyncio.to_thread(server.deliver, *letters, flags=flags)


async def test_what_waits_unread_is_read_and_marked_and_what_comes_is_too(
    server: Dovecot, box: Mailbox, desk: Desk
) -> None:
    await deliver(server, ONE, flags="\\Seen")
    await deliver(server, TWO)
    async with desk.following(box):
        assert await desk.came() == "<2@x>"
        await deliver(server, THREE)
        assert await desk.came() == "<3@x>"
        assert len(await asyncio.to_thread(server.seen)) >= 2  # the last may not be marked yet
    assert await desk.kept() == ["<2@x>", "<3@x>"]


async def test_what_comes_while_nobody_follows_is_read_afterwards_though_somebody_has_seen_it(
    server: Dovecot, box: Mailbox, desk: Desk
) -> None:
    await deliver(server, ONE)
    async with desk.following(box):
        assert await desk.came() == "<1@x>"
    await deliver(server, TWO, flags="\\Seen")
    async with desk.following(box):
        assert await desk.came() == "<2@x>"
    assert desk.told.empty()
    assert desk.failures.empty()


async def test_when_the_server_is_gone_it_is_tried_again(server: Dovecot, box: Mailbox, desk: Desk) -> None:
    await deliver(server, ONE)
    async with desk.following(box):
        assert await desk.came() == "<1@x>"
        await asyncio.to_thread(server.stop)
        assert await desk.failed()
        await asyncio.to_thread(server.start)
        desk.may_try.set()
        await deliver(server, TWO)
        assert await desk.came() == "<2@x>"
    assert desk.pauses == [FIRST_PAUSE_S]
    assert await desk.kept() == ["<1@x>", "<2@x>"]


async def test_a_folder_numbered_anew_is_read_anew_and_nothing_twice(server: Dovecot, box: Mailbox, desk: Desk) -> None:
    await deliver(server, ONE, TWO)
    async with desk.following(box):
        assert {await desk.came(), await desk.came()} == {"<1@x>", "<2@x>"}
    before = await desk.place()
    await asyncio.to_thread(server.renumber)
    await deliver(server, THREE)
    async with desk.following(box):
        assert await desk.came() == "<3@x>"
        after = await desk.place()
    assert before is not None
    assert after is not None
    assert after.uid_validity != before.uid_validity
    assert desk.told.empty()
    assert await desk.kept() == ["<1@x>", "<2@x>", "<3@x>"]


async def test_a_letter_that_concerns_nobody_is_passed(server: Dovecot, box: Mailbox, desk: Desk) -> None:
    await deliver(server, letter(List_Id="<news.x>", Message_ID="<9@x>"), b"\xff\x00garbage", ONE)
    async with desk.following(box):
        assert await desk.came() == "<1@x>"
    assert await desk.kept() == ["<1@x>"]


async def test_a_wrong_password_is_said_and_tried_ever_more_rarely(server: Dovecot, box: Mailbox, desk: Desk) -> None:
    desk.may_try.set()
    async with desk.following(replace(box, password="wrong")):
        for seconds in (1, 2, 4):
            cause = await desk.failed()
            assert cause.startswith(f"support, again in {seconds} s: the server refuses: NO [AUTHENTICATIONFAILED]")
            assert "wrong" not in cause


async def test_what_cannot_be_written_is_said_without_what_it_says_and_read_again(
    server: Dovecot, box: Mailbox, desk: Desk, engine: AsyncEngine
) -> None:
    await deliver(server, ONE)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE cases RENAME TO gone"))
    async with desk.following(box):
        assert await desk.failed() == "support, again in 1 s: OperationalError"
        assert await asyncio.to_thread(server.seen) == []
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE gone RENAME TO cases"))
        desk.may_try.set()
        assert await desk.came() == "<1@x>"


async def test_a_folder_that_is_not_there_is_said(server: Dovecot, box: Mailbox, desk: Desk) -> None:
    async with desk.following(replace(box, folder="No such folder")):
        assert "the server refuses: NO" in await desk.failed()


@pytest.mark.parametrize("starttls", [False, True])
async def test_tls_is_spoken_with_a_server_whose_certificate_is_known(
    desk: Desk, starttls: bool, tmp_path: Path
) -> None:
    made = tls.ensure(tmp_path, ["127.0.0.1"], time.time())
    certificate = made.certificate.read_bytes()
    with dovecot.running(certificate, made.key.read_bytes()) as server:
        await deliver(server, ONE)
        port = server.port if starttls else server.tls_port
        context = ssl.create_default_context(cadata=certificate.decode())
        box = Mailbox("support", "127.0.0.1", port, dovecot.USER, dovecot.PASSWORD, context=context, starttls=starttls)
        async with desk.following(box):
            assert await desk.came() == "<1@x>"
        async with desk.following(replace(box, context=ssl.create_default_context())):
            assert "CERTIFICATE_VERIFY_FAILED" in await desk.failed()
