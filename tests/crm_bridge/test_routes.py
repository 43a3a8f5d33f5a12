"""The bridge over HTTP."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_bridge import timeline
from crm_bridge.keep import ATTEMPTS
from crm_bridge.routes import router
from crm_bridge.timeline import InteractionOvertaken, attach_recording, note_call, record_call
from tests.crm_bridge.calls import CALL_ID, ended
from tests.crm_bridge.conftest import Api, Sessions

ZALO = [{"kind": "zalo", "value": "z1"}]
PHONE = "+84912345678"


def fields_at_fault(answer: Any) -> list[str]:
    return [".".join(map(str, error["loc"])) for error in answer["detail"]]


# ------------------------------------------------------------------------------------------------------- events


async def test_an_event_is_created_committed_and_published(api: Api) -> None:
    answer = await api.post(identities=ZALO, text="xin chào", attributes={"name": "An", "mood": "good"})
    assert answer == {
        "id": answer["id"],
        "customer": answer["customer"],
        "created_customer": True,
        "case": None,
        "matched_by": None,
        "conflicts": [],
        "ignored": [],
        "merge": None,
        "case_by": None,
    }
    item = {
        "id": answer["id"],
        "channel": "zalo",
        "direction": "inbound",
        "occurred_at": "2026-11-16T03:00:00.000Z",
        "subject": "",
        "text": "xin chào",
        "case": None,
        "call": None,
        "external_id": None,
        "attributes": {"name": "An", "mood": "good"},
    }
    assert api.published == [("interaction.created", {"customer": answer["customer"]} | item)]
    assert (await api.get(f"/customers/{answer['customer']}/timeline")) == {"items": [item], "next": None}


async def test_an_event_is_told_by_webhooks_as_it_is_published_and_once(api: Api) -> None:
    told: list[tuple[str, dict[str, Any], str]] = []

    async def tell(_session: object, type_: str, data: dict[str, Any], *, customer: str, now: float) -> None:
        assert now == api.now
        told.append((type_, data, customer))

    api.app.state.webhooks = SimpleNamespace(tell=tell)
    answer = await api.post(identities=ZALO, external_id="m1")
    await api.post(200, identities=ZALO, external_id="m1")
    assert told == [(*api.published[0], answer["customer"])]


async def test_the_same_event_again_gets_the_same_answer_and_changes_nothing(api: Api) -> None:
    first = await api.post(identities=ZALO, external_id="m1", case={"subject": "Order 7"})
    again = await api.post(200, identities=[{"kind": "zalo", "value": "z2"}], external_id="m1", text="other")
    assert again == first
    assert first["created_customer"]
    assert len(api.published) == 1
    assert (await api.get("/customers"))["next"] is None
    assert len((await api.get("/customers"))["items"]) == 1


async def test_the_same_event_at_once_is_created_once(api: Api) -> None:
    event = {
        "channel": "zalo",
        "occurred_at": "2026-11-16T03:00:00Z",
        "identities": ZALO,
        "external_id": "m1",
    }
    answers = await asyncio.gather(*(api.client.post("/interactions", json=event) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 200, 200, 200, 201]
    assert len({each.text for each in answers}) == 1


async def test_an_overtaken_event_is_tried_anew_and_in_the_end_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, failures = timeline.record, iter(range(ATTEMPTS - 1))

    async def overtaken(*arguments: Any) -> timeline.Recorded:
        if next(failures, None) is not None:
            raise InteractionOvertaken
        return await record(*arguments)

    monkeypatch.setattr(timeline, "record", overtaken)
    await api.post(identities=ZALO)
    failures = iter(range(ATTEMPTS))
    assert "send this one again" in (await api.post(503, identities=ZALO))["detail"]
    assert len(api.published) == 1


async def test_why_an_event_went_where_it_went(api: Api) -> None:
    caller = await api.post(channel="call", identities=[{"kind": "phone", "value": "0912345678"}])
    writer = await api.post(channel="email", identities=[{"kind": "email", "value": "an@example.vn"}])
    both = await api.post(
        channel="email",
        identities=[
            {"kind": "phone", "value": "84912345678"},
            {"kind": "email", "value": "AN@example.vn"},
            {"kind": "phone", "value": "113"},
        ],
    )
    assert both["customer"] == writer["customer"]
    assert both["matched_by"] == {"kind": "email", "value": "an@example.vn"}
    assert both["conflicts"] == [{"kind": "phone", "value": PHONE, "customer": caller["customer"]}]
    assert both["ignored"] == [{"kind": "phone", "value": "113"}]


async def test_an_event_of_nobody_says_which_field_and_how_to_mend_it(api: Api) -> None:
    answer = await api.post(422, identities=[{"kind": "phone", "value": "anonymous"}])
    assert fields_at_fault(answer) == ["body.identities.0.value"]
    assert "write it as +84912345678" in answer["detail"][0]["msg"]
    assert "anonymous" not in str(answer)
    assert (await api.get("/customers"))["items"] == []


async def test_unknown_fields_are_errors(api: Api) -> None:
    answer = await api.post(422, identities=ZALO, texts="typo")
    assert fields_at_fault(answer) == ["body.texts"]


async def test_a_case_is_continued_by_its_id_and_closed(api: Api) -> None:
    opened = await api.post(identities=ZALO, case={"subject": "Order 7", "topic": "your order", "external_id": "T-1"})
    assert (await api.post(identities=ZALO, case=opened["case"]))["case"] == opened["case"]
    closing = await api.post(identities=ZALO, case={"external_id": "T-1", "state": "closed"})
    assert closing["case"] == opened["case"]
    (case,) = (await api.get(f"/customers/{opened['customer']}"))["cases"]
    assert case == {
        "id": opened["case"],
        "subject": "Order 7",
        "topic": "your order",
        "state": "closed",
        "channel": "zalo",
        "opened_at": "2026-11-16T03:00:00.000Z",
        "closed_at": "2026-11-16T03:00:00.000Z",
        "external_id": "T-1",
    }


async def test_a_wrong_case_is_refused_and_leaves_nothing_behind(api: Api) -> None:
    opened = await api.post(identities=ZALO, case={"subject": "Order 7"})
    stranger = [{"kind": "zalo", "value": "z2"}]
    assert "another customer's" in (await api.post(409, identities=stranger, case=opened["case"]))["detail"]
    assert fields_at_fault(await api.post(422, identities=stranger, case="nope")) == ["body.case"]
    missing = await api.post(422, identities=stranger, case={"topic": "x"})
    assert fields_at_fault(missing) == ["body.case.subject"]
    assert len((await api.get("/customers"))["items"]) == 1
    assert len(api.published) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
any_event = st.fixed_dictionaries(
    {"channel": st.text(max_size=8), "occurred_at": st.just("2026-11-16T03:00:00Z") | st.datetimes().map(str)},
    optional={
        "identities": st.lists(
            st.fixed_dictionaries(
                {"kind": st.sampled_from(["phone", "email", "zalo", "x"]), "value": st.text(max_size=12)}
            ),
            max_size=3,
        ),
        "case": st.text(max_size=5) | st.fixed_dictionaries({"subject": st.text(max_size=9)}) | json_values,
        "text": st.text(),
        "external_id": st.text(max_size=3),
        "attributes": st.dictionaries(st.sampled_from(["name", "tags", "language", "x"]), json_values),
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(any_event)
async def test_any_event_is_taken_or_refused_with_a_reason(api: Api, event: dict[str, Any]) -> None:
    answer = await api.client.post("/interactions", json=event)
    assert answer.status_code in {200, 201, 422}, answer.text
    if answer.status_code != 422:
        assert (await api.client.get(f"/customers/{answer.json()['customer']}/timeline")).status_code == 200


# ---------------------------------------------------------------------------------------------------- customers


@pytest.mark.parametrize(
    "query",
    [
        {"phone": "0084 912 345 678"},
        {"email": " AN@Example.vn"},
        {"zalo": "z1"},
        {"facebook": "f1"},
        {"external": "crm:7"},
        {"q": "NGUYEN an"},
        {"phone": "0912345678", "zalo": "z1", "q": "an"},
        {"any": "0912 345 678"},
        {"any": "An@example.vn "},
        {"any": "crm:7"},
        {"any": "nguyen an"},
        {"any": "f1", "phone": "0912345678"},
    ],
)
async def test_one_person_is_found_by_any_identity(api: Api, query: dict[str, str]) -> None:
    identities = {"zalo": "z1", "phone": "0912345678", "email": "an@example.vn", "facebook": "f1", "external": "crm:7"}
    made = await api.post(
        identities=[{"kind": kind, "value": value} for kind, value in identities.items()],
        attributes={"name": "Nguyễn Văn An", "language": "vi", "tags": ["vip"]},
    )
    await api.post(identities=[{"kind": "zalo", "value": "z2"}], attributes={"name": "Bình"})
    (found,) = (await api.get("/customers", query=query))["items"]
    assert found == await api.get(f"/customers/{made['customer']}")
    assert (found["name"], found["language"], found["tags"]) == ("Nguyễn Văn An", "vi", ["vip"])
    assert {(each["kind"], each["assurance"]) for each in found["identities"]} == {
        ("zalo", 1),
        ("phone", 0),
        ("email", 0),
        ("facebook", 0),
        ("external", 1),
    }


@pytest.mark.parametrize("query", [{"phone": "113"}, {"email": "an"}, {"zalo": " "}, {"phon": "1"}, {"limit": "0"}])
async def test_a_wrong_question_is_told_from_an_empty_answer(api: Api, query: dict[str, str]) -> None:
    assert fields_at_fault(await api.get("/customers", 422, query)) == [f"query.{next(iter(query))}"]


async def test_nobody_found_is_an_empty_list(api: Api) -> None:
    await api.post(identities=[{"kind": "web", "value": "visitor-1"}], channel="webchat")
    for query in ({"phone": "0912345678"}, {"any": "0912345678"}, {"any": "%"}):
        assert await api.get("/customers", query=query) == {"items": [], "next": None}
    assert len((await api.get("/customers", any="visitor-1"))["items"]) == 1
    assert (await api.get("/customers", any=" "))["items"] == []


async def test_lists_are_walked_page_by_page(api: Api) -> None:
    for index in range(5):
        await api.post(identities=[{"kind": "zalo", "value": f"z{index}"}], attributes={"name": f"An {index}"})
        await api.post(identities=ZALO, occurred_at=f"2026-11-16T10:00:0{index}Z")
    names: list[str] = []
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await api.get("/customers", limit=2, cursor=cursor)
        names += [each["name"] for each in page["items"]]
        cursor = page["next"]
    assert names == [f"An {index}" for index in range(5)]
    owner = (await api.get("/customers", zalo="z1"))["items"][0]["id"]
    cursor = ""
    while cursor is not None:
        page = await api.get(f"/customers/{owner}/timeline", limit=2, cursor=cursor)
        items += page["items"]
        cursor = page["next"]
    instants = [each["occurred_at"] for each in items]
    assert instants == sorted(instants, reverse=True)
    assert len(items) == 6


@pytest.mark.parametrize(
    "cursor", ["%", "AAAA", "WzEsMl0=", "e30=", "WyJcdTAwMDAiLCAiIl0=", "WyIxIl0=", "ế", "W1siYSJdLCJiIl0="]
)
async def test_a_broken_cursor_says_so(api: Api, cursor: str) -> None:
    customer = (await api.post(identities=ZALO))["customer"]
    for address in ("/customers", f"/customers/{customer}/timeline"):
        answer = await api.get(address, 422, cursor=cursor)
        assert fields_at_fault(answer) == ["query.cursor"]


async def test_a_cursor_of_another_list_says_so(api: Api) -> None:
    for value in "12":
        customer = (await api.post(identities=[{"kind": "zalo", "value": value}]))["customer"]
    cursor = (await api.get("/customers", limit=1))["next"]
    await api.get(f"/customers/{customer}/timeline", 422, cursor=cursor)


@pytest.mark.parametrize("customer", ["nobody", "0" * 32, "%00", "a b"])
async def test_a_customer_that_is_not_there(api: Api, customer: str) -> None:
    await api.get(f"/customers/{customer}", 404)
    await api.get(f"/customers/{customer}/timeline", 404)


# ----------------------------------------------------------------------------------------------------- timeline


async def test_a_call_on_the_timeline_links_its_recording_and_transcript(api: Api, sessions: Sessions) -> None:
    customer = (await api.post(identities=ZALO))["customer"]
    async with sessions() as session:
        await record_call(session, ended(customer), now=1070.0)
        await session.commit()
    (item,) = (await api.get(f"/customers/{customer}/timeline", channel="call"))["items"]
    assert item["attributes"] == {}
    assert item["call"] == {
        "id": CALL_ID,
        "state": "ended",
        "dnis": "19001234",
        "flow": "welcome",
        "flow_path": ["greeting", "menu", "agent"],
        "queue": "care",
        "queue_wait_s": 12.0,
        "agent": "an",
        "talk_s": 45.0,
        "duration_s": 67.0,
        "ended_by": "caller",
        "asked_again": [],
        "recording": f"/api/v1/recordings/{'r' * 32}",
        "transcript": None,
        "transcript_state": None,
        "disposition": None,
        "note": "",
    }
    async with sessions() as session:
        await attach_recording(session, CALL_ID, "r" * 32, "done", "hello")
        await session.commit()
    (item,) = (await api.get(f"/customers/{customer}/timeline", channel="call"))["items"]
    assert item["text"] == "hello"
    assert item["call"]["transcript"] == f"/api/v1/recordings/{'r' * 32}/transcript"
    async with sessions() as session:
        await note_call(session, CALL_ID, "callback", "Gọi lại sau 5 giờ.")
        await note_call(session, "a call of a withheld number", "callback", "nobody's")
        await record_call(session, ended(customer), now=1080.0)
        await session.commit()
    (item,) = (await api.get(f"/customers/{customer}/timeline", channel="call"))["items"]
    assert (item["call"]["disposition"], item["call"]["note"]) == ("callback", "Gọi lại sau 5 giờ.")


async def test_a_timeline_is_narrowed(api: Api) -> None:
    for hour, channel in ((1, "zalo"), (2, "email"), (3, "zalo")):
        answer = await api.post(channel=channel, identities=ZALO, occurred_at=f"2026-11-16T0{hour}:00:00Z")
    address = f"/customers/{answer['customer']}/timeline"

    async def hours(query: dict[str, str]) -> list[str]:
        return [each["occurred_at"][11:13] for each in (await api.get(address, query=query))["items"]]

    assert await hours({"channel": "Zalo"}) == ["03", "01"]
    assert await hours({"from": "2026-11-16T09:00:00+07:00"}) == ["03", "02"]
    assert await hours({"from": "2026-11-16T01:00:00Z", "to": "2026-11-16T02:00:00Z"}) == ["01"]
    assert fields_at_fault(await api.get(address, 422, {"from": "yesterday"})) == ["query.from"]


async def test_a_reader_does_not_wait_for_a_writer(api: Api, sessions: Sessions) -> None:
    customer = (await api.post(identities=ZALO))["customer"]
    async with sessions() as writer:
        await record_call(writer, ended(customer), now=1070.0)  # holds the database's write lock
        async with asyncio.timeout(2):
            await api.get(f"/customers/{customer}")
            assert len((await api.get(f"/customers/{customer}/timeline"))["items"]) == 1


def test_every_answer_has_a_shape_in_the_api_document() -> None:
    app = FastAPI()
    app.include_router(router, prefix="/api/v1")
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            for status in {"200", "201"} & operation["responses"].keys():
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert "$ref" in schema, (path, method, status)
