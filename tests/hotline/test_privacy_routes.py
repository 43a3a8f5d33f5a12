"""Exporting, erasing, holding, consents and requests over HTTP, on the whole application."""

import io
import json
import wave
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from hotline.config import Settings
from hotline.database import Sessions
from hotline.tables import AuditEntry
from hotline.web import create_app
from recordings.tables import Recording
from tests.hotline.conftest import NOW, StandingClock, TokenMaker
from tests.hotline.people import E164, NAME, SAID, Someone, someone
from tests.hotline.test_erasure import found_in

TWO_DAYS = 2 * 86_400.0


@pytest.fixture
def app(settings: Settings, sessions: Sessions, clock: StandingClock) -> FastAPI:
    return create_app(settings, sessions, clock)


@pytest.fixture
async def client(app: FastAPI, token_with: TokenMaker) -> AsyncIterator[httpx.AsyncClient]:
    token = await token_with(["customers", "read"])
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080/api/v1", headers=headers) as made:
        yield made


@pytest.fixture
async def one(settings: Settings, sessions: Sessions) -> Someone:
    return await someone(settings, sessions, NOW)


async def audited(sessions: Sessions) -> list[tuple[str, str]]:
    async with sessions() as session:
        return [(row.what, row.about) for row in await session.scalars(select(AuditEntry))]


async def asked(client: httpx.AsyncClient, method: str, address: str, status: int, body: Any = None) -> Any:
    answer = await client.request(method, address, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_person_takes_everything_along(client: httpx.AsyncClient, sessions: Sessions, one: Someone) -> None:
    answer = await client.get(f"/customers/{one.customer}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == f'attachment; filename="customer-{one.customer}.zip"'
    whole = zipfile.ZipFile(io.BytesIO(answer.content))
    assert whole.testzip() is None
    assert set(whole.namelist()) == {
        "data.json",
        "index.html",
        f"recordings/{one.recording}.wav",
        f"transcripts/{one.recording}.txt",
        f"journals/{one.call}.jsonl",
    }
    data = json.loads(whole.read("data.json"))
    assert data["profiles"] == [one.customer]
    assert data["tables"]["customers"][0]["name"] == NAME
    assert {row["value"] for row in data["tables"]["identities"]} >= {E164}
    assert data["tables"]["calls"][0]["started_at"].endswith("Z")
    assert data["tables"]["connector_cache"][0]["as_of"].endswith("Z")
    assert "folded" not in data["tables"]["transcripts"][0]
    assert SAID in whole.read(f"transcripts/{one.recording}.txt").decode()
    page = whole.read("index.html").decode()
    assert NAME in page
    assert f'src="recordings/{one.recording}.wav"' in page
    assert await audited(sessions) == [("customer.export", one.customer)]


async def test_a_page_runs_nothing_that_somebody_wrote(
    client: httpx.AsyncClient, app: FastAPI, token_with: TokenMaker
) -> None:
    writes = {"Authorization": f"Bearer {await token_with(['interactions'])}"}
    event = {
        "channel": "zalo",
        "occurred_at": "2026-11-16T10:00:00+07:00",
        "identities": [{"kind": "zalo", "value": "z1"}],
        "text": "<script>alert(1)</script>",
    }
    made = await client.post("/interactions", json=event, headers=writes)
    answer = await client.get(f"/customers/{made.json()['customer']}/export")
    page = zipfile.ZipFile(io.BytesIO(answer.content)).read("index.html").decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_a_person_is_erased_once(
    client: httpx.AsyncClient, settings: Settings, sessions: Sessions, one: Someone
) -> None:
    erased = await asked(client, "POST", f"/customers/{one.customer}/erase", 201)
    assert (erased["state"], erased["by"], erased["cause"]) == ("done", "test", "")
    assert found_in(settings.data) == []
    assert await asked(client, "POST", f"/customers/{one.customer}/erase", 200) == erased
    assert await asked(client, "GET", f"/erasures/{erased['id']}", 200) == erased
    for address in ("", "/timeline", "/export", "/consents", "/links"):
        await asked(client, "GET", f"/customers/{one.customer}{address}", 404)
    assert await audited(sessions) == [("customer.erase", erased["id"])]


@pytest.mark.parametrize("method", ["export", "erase", "hold", "release", "consents"])
async def test_nobody_is_nobody(client: httpx.AsyncClient, method: str) -> None:
    body = {
        "hold": {"reason": "x"},
        "consents": {"purpose": "p", "state": "given", "at": "2026-11-16T10:00:00Z", "channel": "call", "notice": "n"},
    }.get(method)
    await asked(client, "GET" if method == "export" else "POST", f"/customers/{'0' * 32}/{method}", 404, body)
    await asked(client, "GET", "/erasures/1", 404)


async def test_a_hold_is_seen_and_blocks(
    client: httpx.AsyncClient, settings: Settings, sessions: Sessions, clock: StandingClock, one: Someone
) -> None:
    path = f"/customers/{one.customer}"
    await asked(client, "POST", f"{path}/hold", 422, {"reason": "x", "until": "2020-01-01T00:00:00Z"})
    held = await asked(client, "POST", f"{path}/hold", 201, {"reason": "court 7"})
    assert (await asked(client, "GET", path, 200))["holds"] == [held]
    assert [each["holds"] for each in (await asked(client, "GET", "/customers", 200))["items"]] == [[held]]
    refused = await asked(client, "POST", f"{path}/erase", 409)
    assert refused["holds"] == [held]
    assert all(part in refused["detail"] for part in ("court 7", "test", held["placed_at"], "release"))
    assert found_in(settings.data)
    released = await asked(client, "POST", f"{path}/release", 200)
    assert [each["released_by"] for each in released["items"]] == ["test"]
    await asked(client, "POST", f"{path}/release", 409)
    assert (await asked(client, "GET", path, 200))["holds"] == []
    await asked(client, "POST", f"{path}/erase", 201)
    assert [what for what, _ in await audited(sessions)] == [
        "customer.hold",
        "customer.erase.held",
        "customer.release",
        "customer.erase",
    ]


async def test_what_cannot_be_deleted_yet_is_said(
    client: httpx.AsyncClient, app: FastAPI, settings: Settings, one: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[str, object]] = []
    app.state.publish = lambda type_, body: published.append((type_, body))

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr("hotline.person_files.PersonFiles.remove", fail)
        running = await asked(client, "POST", f"/customers/{one.customer}/erase", 202)
        assert await asked(client, "POST", f"/customers/{one.customer}/erase", 202) == running
    assert (running["state"], running["cause"], running["certificate"]) == ("running", "the disk is gone", None)
    assert (await asked(client, "POST", f"/customers/{one.customer}/erase", 200))["state"] == "done"
    assert found_in(settings.data) == []
    assert [told for told, _ in published] == ["customer.erased"]


async def test_a_key_that_cannot_be_had_erases_nothing(
    client: httpx.AsyncClient, settings: Settings, one: Someone
) -> None:
    (settings.data / "privacy").mkdir(parents=True)
    (settings.data / "privacy" / "erasures.pem").write_text("no key")
    refused = await asked(client, "POST", f"/customers/{one.customer}/erase", 503)
    assert "restore it from a backup" in refused["detail"]
    await asked(client, "GET", f"/customers/{one.customer}", 200)


async def test_the_last_word_on_a_purpose_counts(client: httpx.AsyncClient, one: Someone) -> None:
    path = f"/customers/{one.customer}"
    said = {"purpose": "marketing", "channel": "zalo", "notice": "May we write to you?", "notice_version": "2"}
    await asked(client, "POST", f"{path}/consents", 201, said | {"state": "given", "at": "2026-11-16T10:00:00Z"})
    newest = await asked(
        client, "POST", f"{path}/consents", 201, said | {"state": "withdrawn", "at": "2026-11-17T10:00:00Z"}
    )
    await asked(client, "POST", f"{path}/consents", 201, said | {"state": "given", "at": "2026-11-15T10:00:00Z"})
    latest = (await asked(client, "GET", path, 200))["consents"]
    assert [(each["purpose"], each["state"]) for each in latest] == [("marketing", "withdrawn"), ("recording", "given")]
    assert latest[0] == newest
    listed = (await asked(client, "GET", f"{path}/consents", 200))["items"]
    assert [each["state"] for each in listed] == ["given", "withdrawn", "given", "given"]


async def test_a_proof_is_cut_from_a_recording_of_the_person(
    client: httpx.AsyncClient, settings: Settings, sessions: Sessions, one: Someone
) -> None:
    path = f"/customers/{one.customer}/consents"
    said = {
        "purpose": "recording",
        "state": "given",
        "at": "2026-11-16T10:00:00Z",
        "channel": "call",
        "notice": "May we?",
    }
    clip = {"recording": one.recording, "clip_from": 0.04, "clip_until": 0.1}
    made = await asked(client, "POST", path, 201, said | clip)
    assert (made["recording"], made["call"], made["clip"]) == (
        one.recording,
        one.call,
        f"/api/v1/consents/{made['id']}/clip",
    )
    other = await someone(settings, sessions, NOW, mark="x", number="0987654321", e164="+84987654321")
    for wrong in (
        {"recording": other.recording},
        {"recording": "0" * 32},
        {"clip_until": 99.0},
        {"clip_until": 0.04},
        {"clip_until": None},
    ):
        await asked(client, "POST", path, 422, said | clip | wrong)


async def test_a_recording_under_way_proves_what_its_call_is_about(
    client: httpx.AsyncClient, sessions: Sessions, one: Someone
) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Recording).values(customer_id=None, state="spooling", seconds=0.0))
    said = {"purpose": "recording", "state": "given", "at": "2026-11-16T10:00:00Z", "channel": "call", "notice": "n"}
    clip = {"recording": one.recording, "clip_from": 2.0, "clip_until": 4.0}
    made = await asked(client, "POST", f"/customers/{one.customer}/consents", 201, said | clip)
    assert made["call"] == one.call
    await asked(client, "GET", f"/consents/{made['id']}/clip", 409)


async def test_requests_have_their_deadlines(
    client: httpx.AsyncClient, clock: StandingClock, sessions: Sessions, one: Someone
) -> None:
    made = await asked(client, "POST", "/privacy/requests", 201, {"kind": "export", "customer": one.customer})
    assert (made["outcome"], made["overdue"], made["received_at"]) == ("", False, "2026-11-18T11:06:40.000Z")
    # A Wednesday: answered by the end of Friday there, seven hours east; done ten days later.
    assert (made["answer_due_at"], made["due_at"]) == ("2026-11-20T17:00:00.000Z", "2026-11-28T11:06:40.000Z")
    clock.at = NOW + 3 * 86_400
    by_urgency = (await asked(client, "GET", "/privacy/requests", 200))["items"]
    assert [(each["id"], each["overdue"]) for each in by_urgency] == [("a" * 32, True), (made["id"], True)]
    answered = await asked(client, "POST", f"/privacy/requests/{made['id']}/answer", 200)
    assert (answered["overdue"], answered["answered_at"]) == (False, "2026-11-21T11:06:40.000Z")
    closed = await asked(client, "POST", f"/privacy/requests/{made['id']}/close", 200, {"outcome": "done"})
    assert (closed["outcome"], closed["done_by"]) == ("done", "test")
    await asked(client, "POST", f"/privacy/requests/{made['id']}/close", 200, {"outcome": "done"})
    await asked(client, "POST", f"/privacy/requests/{made['id']}/close", 409, {"outcome": "refused"})
    assert [each["id"] for each in (await asked(client, "GET", "/privacy/requests", 200))["items"]] == ["a" * 32]
    assert len((await asked(client, "GET", "/privacy/requests?state=all", 200))["items"]) == 2
    assert [what for what, _ in await audited(sessions)] == ["request.received", "request.answered", "request.done"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "delete"},
        {"kind": "erase", "customer": "0" * 32},
        {"kind": "erase", "received_at": "2030-01-01T00:00:00Z"},
    ],
)
async def test_a_request_that_cannot_be_is_refused(client: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    await asked(client, "POST", "/privacy/requests", 422, wrong)
    await asked(client, "POST", f"/privacy/requests/{'0' * 32}/answer", 404)


async def test_the_proof_of_a_consent_is_heard(
    client: httpx.AsyncClient, settings: Settings, sessions: Sessions, one: Someone
) -> None:
    answer = await client.get(f"/consents/{'a' * 32}/clip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content), "rb") as clip:
        assert (clip.getnchannels(), clip.getnframes()) == (2, 320)
    assert await audited(sessions) == [("consent.heard", "a" * 32)]
    (path,) = settings.recordings_folder.rglob("*.wav")
    path.unlink()
    await asked(client, "GET", f"/consents/{'a' * 32}/clip", 404)
    await asked(client, "GET", f"/consents/{'0' * 32}/clip", 404)
    said = {"purpose": "p", "state": "given", "at": "2026-11-16T10:00:00Z", "channel": "zalo", "notice": "n"}
    unheard = await asked(client, "POST", f"/customers/{one.customer}/consents", 201, said)
    assert unheard["clip"] is None
    await asked(client, "GET", f"/consents/{unheard['id']}/clip", 404)
