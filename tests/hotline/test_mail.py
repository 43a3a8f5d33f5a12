"""The folders of the settings are followed by a running program, and its log says nothing that is anybody's own."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hotline import database, mail
from hotline.cannot_start import CannotStart
from hotline.config import Settings, load
from tests.crm_bridge.mail import dovecot
from tests.crm_bridge.mail.letters import letter

COMES_WITHIN_S = 15.0


def settings(folder: Path, block: str) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(f"mail:\n  support: {{kind: imap, user: help@shop.vn, {block}}}\n", "utf-8")
    return load(path, {"SECRET": dovecot.PASSWORD}, folder / "data")


async def test_a_letter_comes_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    with dovecot.running() as server:
        await asyncio.to_thread(server.deliver, letter(From=dovecot.USER), letter(Date=""))
        wanted = settings(tmp_path, f"host: localhost, port: {server.port}, tls: off, password: env:SECRET")
        await database.upgrade(wanted.database_url)
        engine = database.open_engine(wanted.database_url)
        sessions = database.session_factory(engine)
        tasks = mail.start(wanted, sessions, time.time, lambda _, body: told.put_nowait(body))
        async with asyncio.timeout(COMES_WITHIN_S):
            assert (await told.get())["external_id"] == "<1@example.vn>"
        await mail.stop(tasks)
        assert all(task.cancelled() for task in tasks)
        await engine.dispose()


def test_what_goes_wrong_is_said_without_the_account(tmp_path: Path) -> None:
    wanted = settings(tmp_path, "host: localhost, port: 1, tls: off, password: env:SECRET")
    with capture_logs() as logs:
        mail._say(mail.mailbox("support", wanted.mail["support"]), "Connection refused", 1.0)
    (said,) = logs
    assert (said["mail"], said["host"], said["port"], said["again_in_s"]) == ("support", "localhost", 1, 1.0)
    assert said["cause"] == "Connection refused"
    assert "help@" not in str(said)


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    wanted = settings(tmp_path, "host: mail.shop.vn, password: env:SECRET, authorities: none.pem")
    with pytest.raises(CannotStart, match=r"mail.support cannot be read from .*none.pem: No such file"):
        mail.mailbox("support", wanted.mail["support"])
