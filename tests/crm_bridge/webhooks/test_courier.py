"""Events carried to a real HTTP server: one that takes them, fails, hangs, leads elsewhere, and is gone."""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm_bridge.webhooks import outbox, sending
from crm_bridge.webhooks.courier import Courier, Couriers
from crm_bridge.webhooks.endpoint import Endpoint
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.sending import Sender
from crm_bridge.webhooks.tables import WebhookEvent
from hotline.database import Sessions
from hotline.tls import ensure
from tests.crm_bridge.webhooks.receiver import SECRET, Receiver, documented_verify, endpoint, receiving

NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[3]
verify = documented_verify()


@dataclass
class Heard:
    """Alarms, as they were told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    standing: dict[str, str] = field(default_factory=dict)

    def tell(self, kind: str, text: str, _mend: str) -> None:
        self.told.append((kind, text))

    def stand(self, kind: str, text: str, _mend: str) -> None:
        self.standing[kind] = text

    def over(self, kind: str) -> None:
        self.standing.pop(kind, None)


@dataclass
class Post:
    """An endpoint, its courier, and the far end."""

    sessions: Sessions
    receiver: Receiver
    webhooks: Webhooks
    alarms: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.endpoint: Endpoint = self.webhooks.endpoints[0]
        self.sender = Sender(self.endpoint)
        self.courier = Courier(self.endpoint, self.webhooks, self.sessions, self.alarms, self.sender.send, lambda: 0)

    async def happens(self, customer: str = "an", now: float = NOW, **data: Any) -> None:
        async with self.sessions() as session:
            await self.webhooks.tell(session, "interaction.created", data, customer=customer, now=now)
            await session.commit()

    async def rows(self) -> list[WebhookEvent]:
        async with self.sessions() as session:
            return list(await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def post_to(sessions: Sessions, receiver: Receiver, **fields: Any) -> Post:
    return Post(sessions, receiver, Webhooks([endpoint(receiver.url, **fields)]))


async def test_an_event_is_posted_signed_and_delivered(sessions: Sessions, receiver: Receiver) -> None:
    post = post_to(sessions, receiver)
    await post.happens(text="xin chào")
    assert await post.courier.round(NOW + 1) == 1
    (request,) = receiver.requests
    assert verify(SECRET, request.headers, request.body, now=NOW + 1)
    assert request.headers[":path"] == "/h?key=1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "interaction.created",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "data": {"text": "xin chào"},
    }
    (row,) = await post.rows()
    assert (row.state, row.attempts, row.finished_at) == ("delivered", 1, NOW + 1)
    assert await post.courier.round(NOW + 2) == 0
    assert post.webhooks.attempts == {"delivered": 1}
    await post.sender.close()


async def test_a_failure_is_tried_again_with_the_same_id_and_dies_in_the_end(
    sessions: Sessions, receiver: Receiver
) -> None:
    receiver.answers += [(500, {}), (503, {"retry-after": "400"}), (404, {})]
    post = post_to(sessions, receiver)
    await post.happens()
    now = NOW
    for wait_s in (5, 400):
        assert await post.courier.round(now) == 1
        assert await post.courier.round(now + wait_s - 1) == 0
        now += wait_s
    assert await post.courier.round(now) == 1
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert [int(request.headers["webhook-timestamp"]) - int(NOW) for request in receiver.requests] == [0, 5, 405]
    (row,) = await post.rows()
    assert (row.state, row.attempts, row.error) == ("dead", 3, "HTTP 404")
    assert [kind for kind, _ in post.alarms.told] == ["webhook_dead"]
    assert post.webhooks.attempts == {"failed": 2, "dead": 1}
    await post.sender.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(sessions: Sessions, receiver: Receiver, status: int) -> None:
    receiver.answers.append((status, {"location": f"http://127.0.0.1:{receiver.port}/elsewhere"}))
    post = post_to(sessions, receiver)
    await post.happens()
    await post.courier.round(NOW)
    assert len(receiver.requests) == 1
    assert [(row.state, row.error) for row in await post.rows()] == [("pending", f"HTTP {status}")]
    await post.sender.close()


async def test_one_that_hangs_is_given_up_after_its_time(sessions: Sessions, receiver: Receiver) -> None:
    receiver.answers.append((0, {}))
    post = post_to(sessions, receiver, timeout_s=0.5)
    await post.happens()
    await post.courier.round(NOW)
    assert [(row.state, row.error) for row in await post.rows()] == [("pending", "no answer within 0.5 s")]
    assert post.courier.rests_s == 1.0
    await post.courier.round(NOW + 5)
    assert [row.state for row in await post.rows()] == ["delivered"]
    assert post.courier.rests_s == 0.0
    await post.sender.close()


async def test_one_that_is_not_there_is_a_failure(sessions: Sessions) -> None:
    with receiving() as gone:
        pass
    post = post_to(sessions, gone)
    await post.happens()
    await post.courier.round(NOW)
    (row,) = await post.rows()
    assert (row.state, row.error.partition(":")[0]) == ("pending", "ConnectError")
    await post.sender.close()


async def test_410_disables_with_an_alarm_until_somebody_replays(sessions: Sessions, receiver: Receiver) -> None:
    receiver.answers.append((410, {}))
    post = post_to(sessions, receiver)
    await post.happens()
    await post.happens()
    await post.courier.round(NOW)
    assert post.alarms.standing.keys() == {"webhook_disabled_crm"}
    assert await post.courier.round(NOW + 1) == 0
    assert len(receiver.requests) == 1
    assert [(row.state, row.error) for row in await post.rows()] == [
        ("dead", "HTTP 410"),
        ("dead", "the endpoint is disabled: HTTP 410"),
    ]
    again = post_to(sessions, receiver)  # a restart knows it still
    await again.courier.round(NOW + 2)
    assert again.alarms.standing.keys() == {"webhook_disabled_crm"}
    async with sessions() as session:
        assert await outbox.replay(session, "crm", NOW + 3) == 2
        await session.commit()
    assert [await post.courier.round(NOW + 3) for _ in range(3)] == [1, 1, 0]
    assert post.alarms.standing == {}
    assert [row.state for row in await post.rows()] == ["delivered"] * 2
    await post.sender.close()
    await again.sender.close()


async def test_another_url_is_another_endpoint(sessions: Sessions, receiver: Receiver) -> None:
    receiver.answers.append((410, {}))
    post = post_to(sessions, receiver)
    await post.happens()
    await post.courier.round(NOW)
    moved = Post(sessions, receiver, Webhooks([endpoint(receiver.url + "&v=2")]))
    await moved.happens()
    assert await moved.courier.round(NOW + 1) == 1
    assert receiver.requests[-1].headers[":path"] == "/h?key=1&v=2"
    await post.sender.close()
    await moved.sender.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"])
async def test_what_leads_inside_is_refused_and_nothing_is_sent(
    sessions: Sessions, receiver: Receiver, host: str
) -> None:
    post = Post(sessions, receiver, Webhooks([endpoint(f"http://{host}:{receiver.port}/h", private=False)]))
    await post.happens()
    await post.courier.round(NOW)
    (row,) = await post.rows()
    assert row.state == "pending"
    assert row.error.endswith("which is not of the public internet")
    assert receiver.requests == []
    await post.sender.close()


async def test_where_the_first_address_is_not_reached_the_next_one_is_tried(
    sessions: Sessions, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locate(_host: str, _port: int, *, private: bool) -> list[str]:
        assert private
        return ["::1", "127.0.0.1"]  # the receiver listens at the second alone

    monkeypatch.setattr(sending, "locate", locate)
    post = post_to(sessions, receiver)
    await post.happens()
    await post.courier.round(NOW)
    assert [row.state for row in await post.rows()] == ["delivered"]
    await post.sender.close()


@pytest.mark.parametrize(("host", "state"), [("localhost", "delivered"), ("127.0.0.1", "pending")])
async def test_the_certificate_must_name_the_host_and_not_the_address_it_leads_to(
    sessions: Sessions, tmp_path: Path, host: str, state: str
) -> None:
    certificate = ensure(tmp_path / "tls", ["localhost"], time.time())
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate.certificate, certificate.key)
    with receiving(theirs) as receiver:
        post = Post(sessions, receiver, Webhooks([endpoint(f"https://{host}:{receiver.port}/h")]))
        sender = Sender(post.endpoint, ssl.create_default_context(cafile=certificate.certificate))
        post.courier.send = sender.send
        await post.happens()
        await post.courier.round(NOW)
        (row,) = await post.rows()
        assert row.state == state, row.error
        assert len(receiver.requests) == (state == "delivered")
        if state == "delivered":
            assert receiver.requests[0].headers["host"] == f"localhost:{receiver.port}"
        else:
            assert "CERTIFICATE_VERIFY_FAILED" in row.error
        await sender.close()
        await post.sender.close()


CHILD = """
import asyncio, sys, time
from crm_bridge.webhooks.courier import Couriers
from crm_bridge.webhooks.outbox import Webhooks
from hotline.database import open_engine, session_factory
from tests.crm_bridge.webhooks.receiver import endpoint
from tests.crm_bridge.webhooks.test_courier import Heard

async def main():
    sessions = session_factory(open_engine(sys.argv[1]))
    couriers = Couriers(Webhooks([endpoint(sys.argv[2], timeout_s=20)]), sessions, Heard(), time.time)
    await couriers.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


def killed_after(command: list[str], receiver: Receiver, requests: int) -> int:
    """Run a process until so many requests have come, and kill it; return how it ended."""
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        assert all(receiver.arrived.acquire(timeout=20) for _ in range(requests)), "nothing came"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return child.returncode


async def test_what_was_on_the_way_when_the_process_was_killed_comes_again(
    sessions: Sessions, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers.append((0, {}))
    post = post_to(sessions, receiver)
    await post.happens(now=0.0, number=1)
    await post.happens(now=0.0, number=2)
    command = [sys.executable, "-c", CHILD, f"sqlite:///{tmp_path / 'bridge.db'}", receiver.url]
    for comes in (1, 2):
        assert await asyncio.to_thread(killed_after, command, receiver, comes) == -signal.SIGKILL
    first, second, third = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert json.loads(third.body)["data"] == {"number": 2}
    await post.sender.close()


async def test_couriers_put_away_what_the_settings_do_not_name(sessions: Sessions, receiver: Receiver) -> None:
    post = post_to(sessions, receiver)
    await post.happens()
    couriers = Couriers(Webhooks([endpoint(receiver.url, name="other")]), sessions, post.alarms, lambda: NOW)
    await couriers.start()
    await couriers.stop()
    assert [(row.state, row.error) for row in await post.rows()] == [("dead", "the settings do not name this endpoint")]
    await post.sender.close()
