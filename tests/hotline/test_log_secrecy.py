"""Whoever calls or writes is in no line of the log: not in its text, not in a field, not in the trace of a failure."""

import ast
import functools
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text

import hotline
from hotline import logs
from hotline.config import Settings
from hotline.database import Sessions
from hotline.web import create_app
from recordings import store
from telephony.edge import lane
from telephony.events import DialogEnded, InviteReceived, TextReceived
from tests.hotline.conftest import NOW, StandingClock, TokenMaker
from tests.hotline.people import E164, EMAIL, MARKS, NAME, NUMBER, SAID, someone
from tests.telephony.edge.test_funnel import House
from tests.telephony.switchboard.room import CALLER_OFFER

ROOT = Path(hotline.__file__).parent.parent
ROOMS = ("crm_bridge", "recordings", "telephony", "ivr_flows", "hotline")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
SECRETS = (*(mark.decode() for mark in MARKS), NUMBER, E164, EMAIL, "zebra")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What would stand in the log file, traces included."""
    target = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, *logs._renderers(terminal=False)],
        logger_factory=structlog.PrintLoggerFactory(target),
    )
    yield target
    structlog.configure(**before)


@functools.cache
def log_calls() -> list[tuple[str, ast.Call]]:
    return list(_log_calls())


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in LEVELS
                    and ast.unparse(node.func.value) in ("log", "logger", "logging")
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_the_text_of_a_line_is_written_by_us_alone() -> None:
    """Data stands in fields: no sentence is put together at run time."""
    found = log_calls()
    assert len(found) > 80
    for place, call in found:
        assert call.args, place
        assert isinstance(call.args[0], ast.Constant | ast.Name), f"{place}: data belongs into fields of the line"


def test_no_line_names_a_person_by_a_field() -> None:
    """A number in a field is for toll fraud alone (docs/security.md); anything else of a person has an id."""
    personal = {
        "number",
        "ani",
        "dnis",
        "name",
        "email",
        "phone",
        "caller",
        "text",
        "subject",
        "sender",
        "display_name",
    }
    known = {"telephony/edge/funnel.py": {"number"}, "telephony/edge/alarms.py": {"text"}}
    for place, call in log_calls():
        fields = {each.arg for each in call.keywords} & personal
        assert fields <= known.get(place.partition(":")[0], set()), place


@pytest.fixture
async def client(
    settings: Settings, sessions: Sessions, clock: StandingClock, token_with: TokenMaker
) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = create_app(settings, sessions, clock)
    headers = {"Authorization": f"Bearer {await token_with(['admin'])}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost:8080/api/v1", headers=headers
    ) as made:
        yield made


EVENT = {
    "channel": "zalo",
    "occurred_at": "2026-11-16T10:00:00+07:00",
    "identities": [{"kind": "phone", "value": NUMBER}, {"kind": "email", "value": EMAIL}],
    "subject": NAME,
    "text": SAID,
    "external_id": f"m-{EMAIL}",
    "attributes": {"name": NAME},
}


async def test_what_comes_over_http_is_in_no_line(
    client: httpx.AsyncClient, sessions: Sessions, settings: Settings, written: io.StringIO
) -> None:
    made = (await client.post("/interactions", json=EVENT)).json()["customer"]
    await someone(settings, sessions, NOW, mark="c")
    for wrong in ({"channel": NAME * 40}, {"case": NAME}, {"occurred_at": NAME}, {"identities": [{"kind": NAME}]}):
        assert (await client.post("/interactions", json=EVENT | {"external_id": "w"} | wrong)).status_code == 422
    assert (await client.get("/customers", params={"q": NAME, "phone": NUMBER})).status_code == 200
    assert (await client.get("/customers", params={"phone": NAME})).status_code == 422
    async with sessions.begin() as session:
        for table in ("customer_links", "wrap_ups", "transcripts"):
            await session.execute(text(f"DROP TABLE {table}"))
    for table in ("interactions", "cases"):  # whatever is in hand when the database fails
        async with sessions.begin() as session:
            await session.execute(text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
        assert (await client.post("/interactions", json=EVENT | {"external_id": NAME})).status_code == 503
        assert (await client.post(f"/customers/{made}/erase")).status_code == 503
        assert (await client.get(f"/customers/{made}/export")).status_code == 503
    said = written.getvalue()
    assert said.count("a request failed") == 6
    assert not [secret for secret in SECRETS if secret in said]


@pytest.mark.parametrize("failing", ["", "customers", "interactions", "calls"])
async def test_what_comes_by_telephone_is_in_no_line(
    tmp_path: Path, sessions: Sessions, written: io.StringIO, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr(lane, "LAST_CHANCE_S", 0.1)
    house = House(tmp_path, sessions)
    if failing:
        async with sessions.begin() as session:
            await session.execute(text(f"ALTER TABLE {failing} RENAME TO gone"))
    invite = InviteReceived("d1", NUMBER, NAME, False, "1900", CALLER_OFFER, "192.0.2.1:5060")
    house.funnel.sip_events([invite])
    house.funnel.sip_events([TextReceived("m1", "", NUMBER, False, "1900", "text/plain", SAID, "x1")])
    house.funnel.sip_events([DialogEnded("d1", "bye")])
    await house.funnel.lane.drained()
    await house.funnel.close()
    said = written.getvalue()
    assert bool(said) is bool(failing)
    assert not [secret for secret in SECRETS if secret in said]


async def test_a_recording_that_cannot_be_closed_is_named_by_its_id(
    settings: Settings, sessions: Sessions, written: io.StringIO
) -> None:
    one = await someone(settings, sessions, NOW)
    async with sessions() as session:
        spool = await store.create(session, "s" * 32, one.call, one.customer, NOW, "vi", settings.recordings_folder)
        spool.write_bytes(b"torn")
        row = await store.finish(session, "s" * 32, "vi", settings.recordings_folder, NOW)
        await session.commit()
    assert row.state == "failed"
    assert "a spool was not closed" in written.getvalue()
    assert not [secret for secret in SECRETS if secret in written.getvalue()]
