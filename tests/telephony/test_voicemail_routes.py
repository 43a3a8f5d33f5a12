"""Messages over HTTP: found, heard and dealt with by those whom they are for."""

import wave
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from hotline import sessions
from hotline.app import Hotline
from hotline.tables import AuditEntry
from recordings import store
from recordings.tables import Recording
from telephony.tables import Voicemail
from tests.telephony.test_routes import client, hotline, token

__all__ = ["client", "hotline", "token"]

pytestmark = pytest.mark.timeout(60)


async def leave(hotline: Hotline, *queues: str) -> list[str]:
    """Somebody leaves a message for each queue, a second apart; return their ids."""
    ids = [f"{number:032x}" for number in range(len(queues))]
    async with hotline.sessions.begin() as session:
        session.add_all(
            Voicemail(
                id=id_,
                call_id="c" * 32,
                queue=queue,
                ani="+84912345678",
                language="en",
                left_at=1000.0 + n,
                seconds=2.5,
            )
            for n, (id_, queue) in enumerate(zip(ids, queues, strict=True))
        )
    return ids


async def audible(hotline: Hotline, message: str) -> None:
    """The message has its file."""
    async with hotline.sessions.begin() as session:
        folder = hotline.settings.recordings_folder
        await store.create(session, message, "c" * 32, "", 1000.0, "en", folder, "care")
        row = await session.get_one(Recording, message)
        row.state = "closed"
        path = Path(folder) / row.path
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(320))


async def test_messages_are_listed_newest_first_narrowed_and_in_pages(
    hotline: Hotline, client: httpx.AsyncClient
) -> None:
    first, second, third = await leave(hotline, "care", "sales", "care")

    async def ids(**query: str) -> list[str]:
        answer = await client.get("/voicemails", params=query)
        assert answer.status_code == 200, answer.text
        return [each["id"] for each in answer.json()["items"]]

    assert await ids() == [third, second, first]
    assert await ids(queue="care") == [third, first]
    await client.post(f"/voicemails/{third}/done")
    assert await ids(done="true") == [third]
    assert await ids(done="false") == [second, first]
    page = (await client.get("/voicemails", params={"limit": "2"})).json()
    assert await ids(cursor=page["next"]) == [first]
    assert (await client.get("/voicemails", params={"cursor": "x"})).status_code == 422
    assert (await client.get("/voicemails", params={"cursor": "1e+e 0"})).status_code == 422


async def test_a_message_is_dealt_with_once_and_told(hotline: Hotline, client: httpx.AsyncClient) -> None:
    (message,) = await leave(hotline, "care")
    seen = hotline.funnel.live.seq
    done = (await client.post(f"/voicemails/{message}/done")).json()
    assert (done["done_by"], done["done_at"] is None, done["audio"]) == (
        "test", False, f"/api/v1/voicemails/{message}/audio",
    )  # fmt: skip
    assert (await client.post(f"/voicemails/{message}/done")).json() == done
    assert hotline.funnel.live.seq == seen + 1
    again = (await client.post(f"/voicemails/{message}/reopen")).json()
    assert (again["done_by"], again["done_at"]) == (None, None)
    async with hotline.sessions() as session:
        deeds = (await session.scalars(select(AuditEntry.what).order_by(AuditEntry.at))).all()
    assert [what for what in deeds if what.startswith("voicemail")] == ["voicemail.done", "voicemail.reopened"]
    assert (await client.post("/voicemails/none/done")).status_code == 404


async def test_a_message_is_heard_and_that_is_written_down(hotline: Hotline, client: httpx.AsyncClient) -> None:
    (message,) = await leave(hotline, "care")
    assert (await client.get(f"/voicemails/{message}/audio")).status_code == 404
    await audible(hotline, message)
    heard = await client.get(f"/voicemails/{message}/audio")
    assert (heard.status_code, heard.headers["content-type"], heard.content[:4]) == (200, "audio/wav", b"RIFF")
    async with hotline.sessions() as session:
        assert "voicemail.heard" in (await session.scalars(select(AuditEntry.what))).all()


async def test_an_agent_has_those_of_its_queues_alone(hotline: Hotline) -> None:
    ours, others = await leave(hotline, "care", "sales")
    async with hotline.sessions.begin() as session:
        begun = await sessions.begin(session, "agent1", hotline.clock.now())
    own = hotline.settings.web.url
    page = {"Cookie": f"hotline={begun.cookie}", "X-CSRF-Token": begun.csrf, "Origin": own}
    async with httpx.AsyncClient(base_url=f"{own}/api/v1", headers=page) as agent:
        assert [each["id"] for each in (await agent.get("/voicemails")).json()["items"]] == [ours]
        assert (await agent.post(f"/voicemails/{ours}/done")).json()["done_by"] == "agent1"
        for method, path in (("POST", "done"), ("POST", "reopen"), ("GET", "audio")):
            assert (await agent.request(method, f"/voicemails/{others}/{path}")).status_code == 404
