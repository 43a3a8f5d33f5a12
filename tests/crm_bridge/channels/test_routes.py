"""Channels over HTTP: who is let in, and the article's test: one person, whatever channel she comes by."""

import json
import urllib.parse
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from crm_bridge.channels.door import Door
from crm_bridge.channels.form import Form
from crm_bridge.channels.routes import MAX_FORM_OCTETS, MAX_WEBHOOK_OCTETS, router
from crm_bridge.tables import Customer, Identity, Interaction
from hotline.throttle import Throttle
from tests.crm_bridge.channels.far_ends import (
    MESSENGER,
    NOW_MS,
    ZALO,
    Signed,
    page,
    said_on_facebook,
    signed_by_meta,
    signed_by_zalo,
    zalo_event,
    zalo_text,
)
from tests.crm_bridge.conftest import Api, Sessions

ORIGIN = "https://www.example.com"
PHONE = "+84912345678"
HOUR_MS = 3_600_000


class House:
    """The routes of the bridge and of its channels."""

    def __init__(self, api: Api, door: Door, sessions: Sessions) -> None:
        self.api, self.door, self._sessions = api, door, sessions

    async def deliver(self, name: str, signed: Signed, status: int = 200) -> Any:
        body, headers = signed
        answer = await self.api.client.post(f"/hooks/{name}", content=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def fill_in(self, status: int = 200, origin: str = ORIGIN, **fields: str) -> httpx.Response:
        answer = await self.api.client.post("/hooks/website", json=fields, headers={"Origin": origin})
        assert answer.status_code == status, answer.text
        return answer

    async def rows(self) -> tuple[int, int]:
        """Return how many customers and interactions there are."""
        async with self._sessions() as session:
            counts = [await session.scalar(select(func.count()).select_from(each)) for each in (Customer, Interaction)]
        return counts[0] or 0, counts[1] or 0

    async def worth(self) -> dict[str, tuple[int, float]]:
        """Return assurance and confidence of each identity there is."""
        async with self._sessions() as session:
            return {each.value: (each.assurance, each.confidence) for each in await session.scalars(select(Identity))}

    async def timeline(self, phone: str = PHONE) -> list[tuple[str, str]]:
        """Return channel and text of what happened with the one owner of a number, the oldest first."""
        (person,) = (await self.api.get("/customers", query={"phone": phone}))["items"]
        items = (await self.api.get(f"/customers/{person['id']}/timeline"))["items"]
        return [(each["channel"], each["text"]) for each in reversed(items)]


@pytest.fixture
async def house(api: Api, sessions: Sessions) -> House:
    app = api.client._transport.app  # type: ignore[attr-defined]
    assert isinstance(app, FastAPI)
    app.include_router(router, prefix="/api/v1")
    door = Door(
        {"zalo": ZALO, "facebook": MESSENGER},
        {"website": Form(frozenset({ORIGIN}), "website_url")},
        {"website": Throttle(burst=3, leak_s=20)},
    )
    app.state.channels = door
    api.now += 24 * 3600
    return House(api, door, sessions)


# ------------------------------------------------------------------------------------------------ the article's test


async def test_zalo_then_facebook_then_a_form_are_one_person_with_one_timeline(house: House) -> None:
    info = {"phone": "84912345678", "name": "Nguyễn Thị An"}
    await house.deliver("zalo", signed_by_zalo(zalo_event("user_submit_info", info=info)))
    await house.deliver("zalo", signed_by_zalo(zalo_text("Bao giờ có hàng?", at_ms=NOW_MS + HOUR_MS)))
    # Facebook asks for the number by a quick reply; what she wrote in the meantime comes in the same body.
    gives, asks = (
        said_on_facebook("0912 345 678", "m_1", at_ms=NOW_MS + 2 * HOUR_MS),
        said_on_facebook("Còn màu đỏ không?", "m_2", at_ms=NOW_MS + 3 * HOUR_MS),
    )
    assert await house.deliver("facebook", signed_by_meta(page(gives, asks))) == {"events": 2}
    await house.fill_in(phone="(+84) 91-234-5678", text="Gọi lại cho tôi")
    assert await house.timeline() == [
        ("zalo", ""),
        ("zalo", "Bao giờ có hàng?"),
        ("facebook", "0912 345 678"),
        ("facebook", "Còn màu đỏ không?"),
        ("website", "Gọi lại cho tôi"),
    ]
    assert await house.rows() == (1, 5)
    (person,) = (await house.api.get("/customers", query={"zalo": "246845883529197922"}))["items"]
    assert person["name"] == "Nguyễn Thị An"
    # Zalo vouches for its id; the number is what she says, and Facebook's id hangs on the number.
    assert await house.worth() == {
        "246845883529197922": (2, 1.0),
        PHONE: (0, 0.5),
        "psid-1": (0, 0.5),
    }
    assert [type_ for type_, _ in house.api.published] == ["interaction.created"] * 5


async def test_a_stranger_with_her_number_joins_as_a_claim_and_changes_nothing(house: House) -> None:
    await house.deliver("zalo", signed_by_zalo(zalo_event("user_submit_info", info={"phone": PHONE})))
    before = await house.worth()
    known = await house.fill_in(phone=PHONE, name="Kẻ lạ", text="x")
    unknown = await house.fill_in(phone="0987654321", name="Kẻ lạ", text="x")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (200, {"received": True})
    await house.deliver("facebook", signed_by_meta(page(said_on_facebook("0912345678", psid="thief"))))
    worth = await house.worth()
    assert {value: worth[value] for value in before} == before
    assert worth["thief"] == (0, 0.5)
    (person,) = (await house.api.get("/customers", query={"phone": PHONE}))["items"]
    assert person["name"] == ""
    # What hangs on a claim names nobody either, a second time.
    await house.deliver("zalo", signed_by_zalo(zalo_text("0912345678", user="666")))
    again = zalo_event("user_submit_info", user="666", info={"name": "Kẻ lạ"})
    await house.deliver("zalo", signed_by_zalo(again))
    assert (await house.api.get(f"/customers/{person['id']}"))["name"] == ""


async def test_who_is_known_and_gives_anothers_number_stays_who_they_are(house: House) -> None:
    await house.deliver("zalo", signed_by_zalo(zalo_event("user_submit_info", info={"phone": PHONE})))
    await house.deliver("facebook", signed_by_meta(page(said_on_facebook("0987 654 321", "m_1"))))
    await house.deliver("facebook", signed_by_meta(page(said_on_facebook(PHONE, "m_2"))))
    assert (await house.rows())[0] == 2
    assert await house.timeline() == [("zalo", "")]
    assert (await house.worth())["psid-1"] == (2, 1.0)


async def test_who_says_hello_first_and_gives_the_number_later_is_one_person_too(house: House) -> None:
    await house.deliver("zalo", signed_by_zalo(zalo_text("Chào shop")))
    await house.deliver("zalo", signed_by_zalo(zalo_text("0912345678", "z-2", at_ms=NOW_MS + HOUR_MS)))
    for number, text in enumerate(("hi", "84 912 345 678", "hello?")):
        said = said_on_facebook(text, f"m_{number}", at_ms=NOW_MS + (2 + number) * HOUR_MS)
        await house.deliver("facebook", signed_by_meta(page(said)))
    assert await house.timeline() == [
        ("zalo", "Chào shop"),
        ("zalo", "0912345678"),
        ("facebook", "hi"),
        ("facebook", "84 912 345 678"),
        ("facebook", "hello?"),
    ]
    (person,) = (await house.api.get("/customers", query={"facebook": "psid-1"}))["items"]
    assert len(person["profiles"]) == 2
    worth = {each["value"]: (each["assurance"], each["confidence"]) for each in person["identities"]}
    assert worth == {"246845883529197922": (2, 1.0), PHONE: (0, 0.5), "psid-1": (0, 0.5)}
    (merged,) = [body for type_, body in house.api.published if type_ == "customer.merged"]
    (link,) = (await house.api.get(f"/customers/{person['id']}/links"))["items"]
    assert (merged["link"], link["source"]) == (link["id"], "claim")
    # Undone by a person it stays undone, whatever is said again.
    undone = await house.api.client.post(f"/merges/{link['id']}/undo")
    assert undone.status_code == 201, undone.text
    await house.deliver("facebook", signed_by_meta(page(said_on_facebook(PHONE, "m_9"))))
    assert len(await house.timeline()) == 2


async def test_what_comes_again_changes_nothing(house: House) -> None:
    zalo = signed_by_zalo(zalo_event("user_submit_info", info={"phone": PHONE}))
    facebook = signed_by_meta(page(said_on_facebook("hi"), said_on_facebook("you", "m_2")))
    for _ in range(3):
        await house.deliver("zalo", zalo)
        await house.deliver("facebook", facebook)
    for text in ("a", "b"):
        await house.fill_in(phone="0987654321", id="f-1", text=text)
    assert await house.rows() == (3, 4)
    assert await house.timeline("0987654321") == [("website", "a")]
    assert len(house.api.published) == 4


# -------------------------------------------------------------------------------------------------------- the door


async def test_a_wrong_signature_is_refused_counted_and_told_once(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = signed_by_zalo(zalo_text("x"), secret="guess")
    body, headers = signed_by_meta(page(said_on_facebook("x")))
    for signed in (forged, (forged[0], {}), signed_by_meta(page())):
        await house.deliver("zalo", signed, 403)
    await house.deliver("facebook", (body + b" ", headers), 403)
    await house.deliver("facebook", (b"{}", {}), 403)
    nowhere = await house.deliver("nowhere", forged, 403)
    assert nowhere == await house.deliver("zalo", forged, 403)
    await house.deliver("website", forged, 415)  # a form is no webhook
    assert await house.rows() == (0, 0)
    assert house.door.refused == {
        ("zalo", "signature"): 4,
        ("facebook", "signature"): 2,
        ("unknown", "channel"): 1,
    }
    assert capsys.readouterr().out.count("a channel turned something away") == 1


async def test_two_signatures_are_none(house: House) -> None:
    body, headers = signed_by_zalo(zalo_text("x"))
    twice = [*headers.items(), *headers.items()]
    answer = await house.api.client.post("/hooks/zalo", content=body, headers=twice)
    assert answer.status_code == 403


async def test_the_console_of_zalo_and_metas_question_are_answered(house: House) -> None:
    assert await house.deliver("zalo", (b"{}", {})) == {"events": 0}
    asked = {"hub.mode": "subscribe", "hub.verify_token": "made-up", "hub.challenge": "1158201444"}
    answer = await house.api.client.get("/hooks/facebook", params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for name, more in (("facebook", {"hub.verify_token": "guess"}), ("zalo", {}), ("nowhere", {})):
        refused = await house.api.client.get(f"/hooks/{name}", params=asked | more)
        assert refused.status_code == 403
    assert await house.rows() == (0, 0)


async def test_what_is_signed_and_no_event_is_taken_and_not_kept(house: House) -> None:
    documents: list[object] = [[], {"event_name": "user_seen_message", "timestamp": "1"}, page()]
    for document in documents:
        body, headers = signed_by_meta(document)
        assert await house.deliver("facebook", (body, headers)) == {"events": 0}
    assert await house.rows() == (0, 0)


async def test_bodies_have_their_bounds(house: House) -> None:
    await house.deliver("zalo", (b" " * (MAX_WEBHOOK_OCTETS + 1), {}), 413)
    await house.fill_in(413, text="x" * MAX_FORM_OCTETS)


# ---------------------------------------------------------------------------------------------------------- forms


async def test_a_page_of_ours_may_send_the_form_and_another_may_not(house: House) -> None:
    asked = await house.api.client.request("OPTIONS", "/hooks/website", headers={"Origin": ORIGIN})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert asked.headers["access-control-allow-headers"] == "Content-Type"
    answer = await house.fill_in(phone=PHONE)
    assert (answer.headers["access-control-allow-origin"], answer.headers["vary"]) == (ORIGIN, "Origin")
    refused = await house.fill_in(403, "https://evil.example", phone=PHONE)
    assert "access-control-allow-origin" not in refused.headers
    await house.fill_in(403, "null", phone=PHONE)
    encoded = urllib.parse.urlencode({"email": "an@example.vn", "name": "Nguyễn An"})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}  # by the website's own server: no Origin
    assert (await house.api.client.post("/hooks/website", content=encoded, headers=kind)).status_code == 200
    assert house.door.refused == {("website", "origin"): 2}
    assert (await house.rows())[0] == 2


async def test_a_fault_is_told_to_the_page_without_what_was_typed(house: House) -> None:
    answer = await house.fill_in(422, phone="12345", name="An")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.json()["detail"]["errors"][0]["pointer"] == "#/phone"
    assert "12345" not in answer.text
    kind = {"Content-Type": "text/plain"}
    assert (await house.api.client.post("/hooks/website", content="{}", headers=kind)).status_code == 415


async def test_a_program_is_told_that_all_is_well(house: House) -> None:
    answer = await house.fill_in(phone=PHONE, website_url="https://spam.example")
    assert answer.json() == {"received": True}
    assert await house.rows() == (0, 0)
    assert house.door.refused == {("website", "program"): 1}


async def test_one_address_sends_so_many_forms_and_no_more(house: House) -> None:
    for _ in range(3):
        await house.fill_in(phone=PHONE)
    refused = await house.fill_in(429, phone=PHONE)
    assert refused.headers["retry-after"] == "21"
    assert refused.headers["access-control-allow-origin"] == ORIGIN
    house.api.now += 21
    await house.fill_in(phone=PHONE)
    assert house.door.refused == {("website", "rate"): 1}
    assert json.dumps(await house.timeline()).count("website") == 4


async def test_the_log_ends_at_so_many_sources_a_minute(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1100):
        house.door.refuse("zalo", "signature", f"192.0.2.{number}", 1000.0)
    house.door.refuse("zalo", "signature", "192.0.2.0", 1061.0)
    assert capsys.readouterr().out.count("a channel turned something away") == 1025
    assert house.door.refused["zalo", "signature"] == 1101
