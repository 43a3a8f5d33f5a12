"""The program put together: what keeps it from starting says so, and what was started is stopped."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio

from crm_bridge import timeline
from crm_bridge.match import claim
from crm_bridge.webhooks.signature import headers, key_of
from hotline import auth, database
from hotline.app import CannotStart, Hotline, load_flows
from hotline.config import Settings, load
from hotline.config_values import Listen
from ivr_flows.load import FlowErrors
from telephony.edge import rows
from telephony.edge.workers import Worker
from telephony.events import AgentStateRequested, BindingChanged, BindingRow, WorkerKind
from tests.crm_bridge.channels.far_ends import signed_by_zalo, zalo_text
from tests.crm_bridge.mail.letters import letter
from tests.crm_bridge.notify.far_ends import APP_ID, APP_SECRET, FIRST_TOKEN, mail_server, zalo
from tests.crm_bridge.webhooks.receiver import SECRET, documented_verify, receiving
from tests.databases import migrate
from tests.end_to_end.running import free_media_ports, free_port

pytestmark = pytest.mark.timeout(60)

M = TypeVar("M")


def settings_in(folder: Path, more: str = "") -> Settings:
    """Settings of a program with a migrated database; `test_web_server.py` has those that make their own."""
    config, media = folder / "hotline.yaml", free_media_ports()
    config.write_text(
        f"data: {folder / 'data'}\n"
        f"sip: {{listen: ['udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}']}}\n"
        f"web: {{listen: '127.0.0.1:{free_port(socket.SOCK_STREAM)}'}}\n"
        f"media: {{ports: {media}-{media + 99}}}\n" + more,
        encoding="utf-8",
    )
    settings = load(config, {})
    migrate(settings.database_url)
    return settings


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """A program of this module, for tests that neither set nor stop it."""
    made = Hotline(settings_in(tmp_path_factory.mktemp("hotline")))
    await made.start()
    yield made
    await made.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_it_starts_once_a_folder_and_tells_the_first_agents_secrets_once(hotline: Hotline) -> None:
    assert [user.name for user in hotline.new_users] == ["agent1", "agent2", "supervisor1"]
    second = Hotline(settings_in(hotline.settings.data.parent))
    with pytest.raises(CannotStart, match="another hotline uses"):
        await second.start()


async def test_a_restart_keeps_people_agents_and_registrations(tmp_path: Path) -> None:
    first = Hotline(settings_in(tmp_path))
    await first.start()
    async with asyncio.timeout(20):
        while not all(worker.ready for worker in first.speech):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    workers = [each.process_id for each in first.media.processes if each.process_id]
    workers += [each.process_id for each in first.speech]
    binding = BindingRow("sip:agent1@127.0.0.1:5099", "127.0.0.1", 5099, first.clock.now() + 600)
    first.funnel.sip_events([BindingChanged("agent1", 1, (binding,))])
    first.funnel.happened(AgentStateRequested("agent2", "not_ready", "lunch"))
    await first.funnel.lane.drained()
    await first.stop()
    for process in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    again = Hotline(settings_in(tmp_path))
    await again.start()
    try:
        assert again.new_users == []
        agents = {agent.agent: agent for agent in again.funnel.switchboard.queues.agents()}
        assert agents["agent1"].state == "ready"
        assert (agents["agent2"].state, agents["agent2"].reason) == ("offline", "lunch")
        async with again.sessions() as session:
            assert await rows.bindings(session, again.clock.now()) == {"agent1": [binding]}
    finally:
        await again.stop()


class Wordless(Worker[M]):
    """A worker; one that writes words never comes up."""

    def __init__(self, kind: WorkerKind, module: str, arguments: Sequence[str], *rest: Any) -> None:
        if kind in {"transcribe", "live"}:
            module, arguments = "tests.telephony.edge.echo_worker", ["--fail"]
        super().__init__(kind, module, arguments, *rest)


async def test_calls_do_not_wait_for_the_workers_that_write_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotline.app.Worker", Wordless)
    settings = settings_in(tmp_path)
    hotline = Hotline(settings)
    await hotline.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.web.listen.port)
    writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await hotline.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_somebody_added_while_it_runs_is_known_soon(hotline: Hotline) -> None:
    async with hotline.sessions() as session:
        await auth.add_user(session, "thanh", "agent", hotline.settings.sip.domain, hotline.clock.now())
        await session.commit()
    async with asyncio.timeout(20):
        while "thanh" not in {agent.agent for agent in hotline.funnel.switchboard.queues.agents()}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_phone_whose_password_is_reset_is_registered_no_more(hotline: Hotline) -> None:
    now = hotline.clock.now()
    registered = BindingRow("sip:agent1@127.0.0.1:5099", "127.0.0.1", 5099, now + 600)
    hotline.edge.restore({"agent1": [registered], "agent2": [registered]})
    async with hotline.sessions() as session:
        await auth.reset_user(session, "agent1", hotline.settings.sip.domain)
        await session.commit()
    async with asyncio.timeout(20):
        while hotline.edge.endpoint._registrar.contacts("agent1"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert hotline.edge.endpoint._registrar.contacts("agent2")


async def test_who_is_named_in_the_settings_is_told_by_webhooks(tmp_path: Path) -> None:
    with receiving() as receiver:
        crm = f"{{name: crm, url: '{receiver.url}', secret: {SECRET}, events: [call.ended], private: true}}"
        hotline = Hotline(settings_in(tmp_path, f"webhooks: [{crm}]\n"))
        await hotline.start()
        try:
            async with hotline.sessions() as session:
                now = hotline.clock.now()
                await hotline.funnel.webhooks.tell(session, "call.ended", {"id": "c"}, customer=None, now=now)
                await session.commit()
            assert await asyncio.to_thread(receiver.arrived.acquire, timeout=20)
        finally:
            await hotline.stop()
    assert documented_verify()(SECRET, receiver.requests[0].headers, receiver.requests[0].body)


async def test_a_message_goes_out_by_the_mail_server_of_the_settings(tmp_path: Path) -> None:
    async with mail_server(auth=False) as far_end:
        email = f"{{host: localhost, port: {far_end.port}, tls: off, from: care@shop.vn}}"
        hotline = Hotline(settings_in(tmp_path, f"notify: {{email: {email}}}\n"))
        await hotline.start()
        try:
            an = timeline.NewInteraction("email", "inbound", 0.0, (claim("email", "email", "an@example.vn"),))
            async with hotline.sessions() as session:
                person = (await timeline.record(session, an, hotline.clock.now())).person
                token = await auth.add_token(session, "crm", ["messages"], hotline.clock.now())
                await session.commit()
            address = f"http://127.0.0.1:{hotline.web_address[1]}/api/v1/customers/{person}/messages"
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
                answer = await client.post(address, json={"text": "Xin chào", "subject": "Đơn 7"})
            assert answer.status_code == 202, answer.text
            async with asyncio.timeout(20):
                while not far_end.letters:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            await hotline.stop()
    ((_, to, _),) = far_end.letters
    assert to == ["an@example.vn"]


async def test_a_letter_is_posted_to_the_address_of_the_settings_larger_than_other_bodies(tmp_path: Path) -> None:
    hotline = Hotline(settings_in(tmp_path, f"mail: {{email: {{kind: http, secret: {SECRET}, max_size: 2}}}}\n"))
    await hotline.start()
    try:
        raw = letter(Date="") + b"x" * (3 << 19)
        address = f"http://127.0.0.1:{hotline.web_address[1]}/hooks/"
        signed = headers((key_of(SECRET),), "msg_1", hotline.clock.now(), raw)
        async with httpx.AsyncClient() as client:
            assert (await client.post(address + "other", content=raw, headers=signed)).status_code == 413
            answer = await client.post(address + "email", content=raw, headers=signed)
        assert (answer.status_code, answer.json()) == (200, {"events": 1})
    finally:
        await hotline.stop()


async def test_a_letter_that_is_posted_as_soon_as_the_web_listens_is_taken(tmp_path: Path) -> None:
    answers: list[httpx.Response] = []

    class Watched(Hotline):
        async def _start_webhooks(self) -> None:  # what comes after the web
            raw = letter(Date="")
            signed = headers((key_of(SECRET),), "msg_1", self.clock.now(), raw)
            async with httpx.AsyncClient() as client:
                address = f"http://127.0.0.1:{self.web_address[1]}/hooks/email"
                answers.append(await client.post(address, content=raw, headers=signed))
            await super()._start_webhooks()

    hotline = Watched(settings_in(tmp_path, f"mail: {{email: {{kind: http, secret: {SECRET}}}}}\n"))
    await hotline.start()
    await hotline.stop()
    assert [(each.status_code, each.json()) for each in answers] == [(200, {"events": 1})]


async def test_who_writes_by_zalo_is_answered_by_zalo(tmp_path: Path) -> None:
    with zalo() as far_end:
        keys = f"app_id: '{APP_ID}', oa_secret: oa-secret, app_secret: {APP_SECRET}, refresh_token: {FIRST_TOKEN}"
        channel = f"{{kind: zalo, {keys}, api_url: '{far_end.url}', oauth_url: '{far_end.url}'}}"
        hotline = Hotline(settings_in(tmp_path, f"channels: {{zalo: {channel}}}\n"))
        await hotline.start()
        try:
            address = f"http://127.0.0.1:{hotline.web_address[1]}"
            body, signature = signed_by_zalo(zalo_text("Đơn của tôi?", at_ms=int(hotline.clock.now() * 1000)))
            async with hotline.sessions() as session:
                token = await auth.add_token(session, "crm", ["messages", "read"], hotline.clock.now())
                await session.commit()
            async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}) as client:
                assert (await client.post("/hooks/zalo", content=body, headers=signature)).json() == {"events": 1}
                (person,) = (await client.get("/api/v1/customers")).json()["items"]
                sent = await client.post(f"/api/v1/customers/{person['id']}/messages", json={"text": "Đã gửi."})
                assert sent.status_code == 202, sent.text
                async with asyncio.timeout(20):
                    while _state(newest := await _newest(client, person["id"])) != "sent":  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
        finally:
            await hotline.stop()
    assert (newest["direction"], newest["text"], newest["attributes"]["delivery"]["reference"]) == (
        "outbound",
        "Đã gửi.",
        "id-1",
    )
    assert [each["message"]["text"] for each in far_end.sent] == ["Đã gửi."]
    assert (tmp_path / "data" / "tokens" / "channel-zalo.json").stat().st_mode & 0o777 == 0o600


def _state(entry: Any) -> Any:
    return entry["attributes"]["delivery"]["state"]


async def _newest(client: httpx.AsyncClient, person: str) -> Any:
    return (await client.get(f"/api/v1/customers/{person}/timeline")).json()["items"][0]


async def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", settings.sip.listen[0].port))
        with pytest.raises(CannotStart, match=r"SIP cannot listen on .*: Address already in use; change sip\.listen"):
            await Hotline(settings).start()
    refusal = pytest.raises(CannotStart, match=r"the web cannot listen on .*: Address already in use; change web")
    with socket.create_server(("127.0.0.1", settings.web.listen.port)), refusal:
        await Hotline(settings).start()


async def test_the_web_side_listens_on_ipv6_as_well(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    six = settings.web.model_copy(update={"listen": Listen("tcp", "::1", settings.web.listen.port)})
    hotline = Hotline(settings.model_copy(update={"web": six}))
    await hotline.start()
    reader, writer = await asyncio.open_connection("::1", settings.web.listen.port)
    writer.write(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    await hotline.stop()


def test_the_loop_that_serves_does_not_hide_the_cause(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", settings.sip.listen[0].port))
        command = [sys.executable, "-m", "hotline", "serve", "--config", str(tmp_path / "hotline.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert ": Address already in use; change sip.listen" in done.stderr


async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    with pytest.raises(CannotStart, match=r"the folder .*/data cannot be made: File exists; change `data`"):
        await Hotline(settings).start()


def test_a_number_that_leads_to_no_flow_and_a_broken_flow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"`numbers` leads to sales, but .* has only: .*main.*; put the flow there"):
        load_flows(settings_in(tmp_path, "numbers: {'1900': sales}\n"))
    with pytest.raises(CannotStart, match=r"leads to waiting_room, which is for waiting in a queue alone; let it"):
        load_flows(settings_in(tmp_path, "numbers: {'1900': main, '1901': waiting_room}\n"))
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "main.yaml").write_text("flow: main\nsteps: {}\n", encoding="utf-8")
    with pytest.raises(FlowErrors):
        load_flows(settings_in(tmp_path, f"flows: {flows}\n"))


def workers_of_ours() -> set[str]:
    """The ids of this process's children that are workers."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            command = (folder / "cmdline").read_text().replace("\0", " ")
            if int(parent) == os.getpid() and "telephony.edge." in command:
                found.add(folder.name)
    return found


async def test_a_database_of_a_later_version_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_url: str) -> None:
        raise database.DatabaseError("the database is of a later version")

    monkeypatch.setattr(database, "upgrade", refuse)
    settings, others = settings_in(tmp_path), workers_of_ours()
    with pytest.raises(database.DatabaseError):
        await Hotline(settings).start()
    # The processes that were coming up are gone, and the folder is free again.
    async with asyncio.timeout(20):
        while workers_of_ours() - others:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    monkeypatch.undo()
    again = Hotline(settings)
    await again.start()
    await again.stop()
