"""Imports over HTTP."""

import asyncio
from typing import Any

import pytest
from fastapi import Request

from crm_bridge.importing import routes
from crm_bridge.tables import Customer
from tests.crm_bridge.conftest import Api, Sessions
from tests.crm_bridge.importing.conftest import count, everybody

FILE = "Mã KH,Họ tên,SĐT\n1,An,0912345678\n2,Bình,84912345678\n3,Chi,113\n,Ai,\n"


@pytest.fixture
def importing(api: Api) -> Api:
    api.app.include_router(routes.router, prefix="/api/v1")
    api.app.state.importing = asyncio.Lock()
    return api


async def posted(api: Api, body: bytes | str, status: int = 201, **query: Any) -> Any:
    response = await api.client.post("/imports", content=body, params=query)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_file_is_imported_shown_and_taken_back(importing: Api, sessions: Sessions) -> None:
    audited: list[tuple[str, str]] = []

    async def audit(_request: Request, what: str, about: str) -> None:
        audited.append((what, about))

    importing.app.state.audit = audit
    rehearsed = await posted(importing, FILE, 200, source="pos", dry_run=True)
    assert (rehearsed["id"], await count(sessions, Customer)) == (None, 0)
    report = await posted(importing, FILE, source="pos", file="khách.csv")
    assert report["counts"] == rehearsed["counts"]
    assert report["counts"] | {"created": 2, "repeated": 1, "refused": 1, "ignored": 1} == report["counts"]
    assert (report["notes"], report["more"]) == (rehearsed["notes"], {})
    assert report["notes"]["repeated"] == [
        {
            "row": 3,
            "column": "phone",
            "same_as_row": 2,
            "cause": None,
            "mend": None,
            "customer": None,
            "other_row": None,
        }
    ]
    assert await importing.get(f"/imports/{report['id']}") == report
    (line,) = (await importing.get("/imports"))["items"]
    assert (line["id"], line["file"], line["rows"], line["state"]) == (report["id"], "khách.csv", 4, "done")
    (found,) = (await importing.get("/customers", phone="0912345678"))["items"]
    assert found["name"] == "An"
    undone = await importing.client.post(f"/imports/{report['id']}/undo")
    assert (undone.status_code, undone.json()["state"], undone.json()["counts"]["removed"]) == (200, "undone", 2)
    assert await count(sessions, Customer) == 0
    assert audited == [("customer.import", report["id"]), ("customer.import.undo", report["id"])]
    assert (await importing.client.post(f"/imports/{report['id']}/undo")).status_code == 409


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (b"", {}),
        (b"PK\x03\x04\x81\x00\xd2\xff\x00\xd8\x00\xd8\x00", {}),
        (FILE, {"source": "Đại lý"}),
        (FILE, {"map": "SĐT"}),
        (FILE, {"limit": 1}),
    ],
)
async def test_what_cannot_be_imported_is_said_and_makes_nobody(
    importing: Api, sessions: Sessions, body: bytes | str, query: dict[str, Any]
) -> None:
    await posted(importing, body, 422, **query)
    assert (await importing.get("/imports"))["items"] == []
    assert await count(sessions, Customer) == 0


async def test_whatever_bytes_come_they_are_answered(importing: Api) -> None:
    for body in (b"\xff\xfe", b"\xff\xfe\x00", b"[", b'["', b"\x00", b"name\n" + bytes(range(1, 128)), b"phone\n" * 9):
        response = await importing.client.post("/imports", content=body)
        assert response.status_code in (201, 422), body


async def test_one_file_at_a_time(importing: Api, sessions: Sessions) -> None:
    before = await everybody(sessions)
    async with importing.app.state.importing:
        await posted(importing, FILE, 409)
    assert await everybody(sessions) == before


async def test_an_import_that_is_not_there_is_404(importing: Api) -> None:
    for id_ in ("f" * 32, "x-y", "%00"):
        await importing.get(f"/imports/{id_}", 404)
        assert (await importing.client.post(f"/imports/{id_}/undo")).status_code == 404
