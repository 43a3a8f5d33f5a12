"""The CRM of the settings in the running program, in the doctor and on the command line."""

import asyncio
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crm_bridge.connectors import cache
from crm_bridge.connectors.cache import Found
from crm_bridge.context import find_caller
from hotline.app import Hotline
from hotline.cli import app
from hotline.config import load
from hotline.database import open_engine, session_factory
from hotline.doctor import Finding, examine
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.playing import Crm, served
from tests.crm_bridge.connectors.test_call_log import event
from tests.databases import migrate
from tests.hotline.test_app import settings_in

pytestmark = pytest.mark.timeout(60)

AN = "+84912345678"


def crm_of_an() -> Crm:
    crm = crms.Rest()
    crm.people = [{"id": "7", "name": "Nguyễn Văn An", "phone": AN}]
    return crm


def block(base: str, key: str = "k3y", more: str = "") -> str:
    return f"connectors:\n  ours: {{kind: rest, base: '{base}', private: true, key: {key}{more}}}\n"


async def test_a_finished_call_is_logged_with_its_recording_and_a_caller_has_a_name(tmp_path: Path) -> None:
    crm = crm_of_an()
    async with served(crm) as base:
        hotline = Hotline(settings_in(tmp_path, block(base, more=", patience: 3s")))
        await hotline.start()
        try:
            assert hotline.funnel.name_of is not None
            assert await hotline.funnel.name_of(AN) == "Nguyễn Văn An"
            async with hotline.sessions() as session:
                now = hotline.clock.now()
                _, found = await find_caller(session, AN, False, "", "VN", now)
                await hotline.funnel.webhooks.tell(
                    session, "call.ended", event(customer=found.customer), customer=found.customer, now=now, key="c"
                )
                await session.commit()
            async with asyncio.timeout(20):
                while not crm.logged:  # noqa: ASYNC110 - it comes over a socket
                    await asyncio.sleep(0.05)
            assert 'hotline_connector_up{connector="ours"} 1.0' in hotline.metrics.text().decode()
        finally:
            await hotline.stop()
    [logged] = crm.logged
    assert logged["contact"] == "7"
    assert logged["recording_url"] == f"{hotline.settings.web.url}/supervise/recordings/r7"


async def test_a_dead_crm_keeps_nothing_from_starting_and_nobody_waiting(tmp_path: Path) -> None:
    hotline = Hotline(settings_in(tmp_path, block("http://127.0.0.1:1")))
    await hotline.start()
    try:
        assert hotline.funnel.name_of is not None
        began = asyncio.get_running_loop().time()
        assert await hotline.funnel.name_of(AN) == ""
        assert asyncio.get_running_loop().time() - began < 3
    finally:
        await hotline.stop()


async def test_what_a_crm_said_is_forgotten_when_it_is_taken_out(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    migrate(settings.database_url)
    engine = open_engine(settings.database_url)
    sessions = session_factory(engine)
    async with sessions() as session:
        await cache.write(session, "ours", "phone:+1", Found(time.time(), {"id": "7"}))
        await session.commit()
    hotline = Hotline(settings)
    await hotline.start()
    try:
        async with asyncio.timeout(20), sessions() as session:
            while await cache.read(session, "ours", "phone:+1") is not None:
                await session.rollback()
                await asyncio.sleep(0.05)
    finally:
        await hotline.stop()
        await engine.dispose()


async def test_the_doctor_sees_whether_it_lets_us_in(tmp_path: Path) -> None:
    async def found(text: str) -> Finding:
        (tmp_path / "hotline.yaml").write_text(text, "utf-8")
        settings = load(tmp_path / "hotline.yaml", {}, tmp_path / "data")
        return next(each for each in await examine(settings, None) if each.what == "connectors.ours")

    async with served(crm_of_an()) as base:
        assert (await found(block(base))).state == "ok"
        refused = await found(block(base, "wr0ng"))
    assert refused.state == "wrong"
    assert "HTTP 401 unauthorized" in refused.detail
    assert "wr0ng" not in str(refused)
    assert (await found(block("http://127.0.0.1:1"))).state == "wrong"


async def test_the_command_line_proves_a_file_and_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)

    def check(what: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["connectors", "check", what], catch_exceptions=False)
        return done.exit_code, done.output

    assert check("hubspot") == (0, "HubSpot: sound.\n")
    (tmp_path / "ours.yaml").write_text("title: Ours\nsign_in: {kind: none}\n")
    assert check("ours.yaml") == (1, "ours.yaml:1:1: `operations` is missing\n")
    assert check("none.yaml")[0] == 1
    async with served(crm_of_an()) as base:
        (tmp_path / "hotline.yaml").write_text(block(base), "utf-8")
        status, said = await asyncio.to_thread(check, "ours")
        assert (status, "lets us in, and finds nobody" in said) == (0, True)
        (tmp_path / "hotline.yaml").write_text(block(base, "wr0ng"), "utf-8")
        status, said = await asyncio.to_thread(check, "ours")
        assert (status, "HTTP 401" in said, "wr0ng" in said) == (1, True, False)
