"""The audit log: written before the answer, what repeats by itself once a minute, read by who looks after others."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hotline import audit
from hotline.audit import SAME_S, Audit
from hotline.config import Settings
from hotline.database import Sessions
from hotline.tables import AuditEntry
from hotline.web import create_app
from tests.hotline.conftest import NOW, StandingClock, TokenMaker


async def written(sessions: Sessions) -> list[tuple[float, str, str, str, str]]:
    async with sessions() as session:
        rows = await session.scalars(select(AuditEntry).order_by(AuditEntry.at))
        return [(row.at - NOW, row.who, row.what, row.about, row.source) for row in rows]


@pytest.fixture
def app(settings: Settings, sessions: Sessions, clock: StandingClock) -> FastAPI:
    return create_app(settings, sessions, clock)


async def test_a_player_that_asks_in_many_pieces_hears_once_a_minute(sessions: Sessions) -> None:
    log = Audit(sessions)
    for seconds in (0, 1, SAME_S - 1, SAME_S, SAME_S + 1):
        await log.note(NOW + seconds, "huong", "recording.heard", "r1", "::1")
    assert [row[0] for row in await written(sessions)] == [0, SAME_S]


@pytest.mark.parametrize("what", ["customer.hold", "interaction.case", "messages.replayed"])
async def test_what_somebody_does_again_is_another_entry(sessions: Sessions, what: str) -> None:
    log = Audit(sessions)
    for seconds in (0, 1, 2):
        await log.note(NOW + seconds, "huong", what, "c1", "::1")
    assert [row[0] for row in await written(sessions)] == [0, 1, 2]
    assert not log._written


@pytest.mark.parametrize("what", ["recording.heard", "consent.heard", "transcript.read", "call.listened"])
async def test_what_repeats_by_itself_is_one_entry(sessions: Sessions, what: str) -> None:
    log = Audit(sessions)
    for seconds in (0, 1, 2):
        await log.note(NOW + seconds, "huong", what, "r1", "::1")
    assert [row[0] for row in await written(sessions)] == [0]


async def test_other_people_deeds_and_things_are_other_entries(sessions: Sessions) -> None:
    log = Audit(sessions)
    deeds = [("huong", "heard", "r1"), ("lan", "heard", "r1"), ("huong", "read", "r1"), ("huong", "heard", "r2")]
    for deed in deeds:
        await log.note(NOW, *deed, "::1")
    assert {row[1:4] for row in await written(sessions)} == set(deeds)


async def test_what_is_remembered_is_bounded_and_forgetting_writes_rather_than_loses(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "REMEMBERED", 2)
    log = Audit(sessions)
    for about in ("1", "2", "3", "1"):
        await log.note(NOW, "huong", "heard", about, "")
    assert len(log._written) == 2
    assert [row[3] for row in await written(sessions)].count("1") == 2


async def test_what_could_not_be_written_is_written_the_next_time(sessions: Sessions) -> None:
    log = Audit(sessions)
    broken = sessions.begin

    def fails() -> None:
        raise OSError("the disk is full")

    sessions.begin = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(OSError, match="full"):
        await log.note(NOW, "huong", "heard", "r1", "")
    sessions.begin = broken  # type: ignore[method-assign]
    await log.note(NOW + 1, "huong", "heard", "r1", "")
    assert len(await written(sessions)) == 1


async def test_a_route_names_who_asks_and_from_where(app: FastAPI, token_with: TokenMaker, sessions: Sessions) -> None:
    async def hear(request: Request) -> Response:
        note: Callable[[Request, str, str], Awaitable[None]] = request.app.state.audit
        await note(request, "recording.heard", "r" * 100)
        assert len(await written(sessions)) == 1  # before the answer
        return PlainTextResponse("heard")

    app.add_route("/hear", hear)
    headers = {"Authorization": f"Bearer {await token_with(['admin'])}"}
    transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        assert (await client.get("/hear")).text == "heard"
    assert await written(sessions) == [(0, "test", "recording.heard", "r" * 64, "192.0.2.7")]


async def test_it_is_read_newest_first_by_person_deed_and_thing(
    app: FastAPI, token_with: TokenMaker, sessions: Sessions
) -> None:
    log = Audit(sessions)
    for second in range(5):
        await log.note(NOW + second, "huong" if second % 2 else "lan", "recording.heard", f"r{second}", "::1")
    headers = {"Authorization": f"Bearer {await token_with(['admin'])}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost/api/v1", headers=headers
    ) as client:

        async def about(**asked: str | float) -> list[str]:
            answer = await client.get("/audit", params=asked)
            return [item["about"] for item in answer.json()["items"]]

        assert await about() == ["r4", "r3", "r2", "r1", "r0"]
        assert await about(who="huong") == ["r3", "r1"]
        assert await about(about="r2") == ["r2"]
        assert await about(what="session.started") == []
        first = (await client.get("/audit", params={"limit": 2})).json()
        assert await about(limit=3, before=first["next"]) == ["r2", "r1", "r0"]
        assert (await client.get("/audit", params={"limit": 3, "before": first["next"]})).json()["next"] is None
        for wrong in ({"limit": 0}, {"limit": 1000}, {"who": "x" * 65}, {"before": "then"}):
            assert (await client.get("/audit", params=wrong)).status_code == 422


async def test_deeds_at_once_wait_for_each_other(sessions: Sessions) -> None:
    log = Audit(sessions)
    await asyncio.gather(*(log.note(NOW, "huong", "recording.heard", "r1", "") for _ in range(8)))
    assert len(await written(sessions)) == 1
