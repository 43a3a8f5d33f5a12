"""Merging, splitting and undoing over HTTP."""

from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import Request

from tests.crm_bridge.conftest import Api


@pytest.fixture
async def two(api: Api) -> tuple[str, str]:
    """Two profiles, each with an entry and an open case; the first is the older."""
    found = []
    for kind, value in (("zalo", "z1"), ("email", "an@example.vn")):
        answer = await api.post(
            channel=kind, identities=[{"kind": kind, "value": value}], case={"external_id": "T-1", "subject": kind}
        )
        found.append(answer["customer"])
        api.now += 1.0
    api.published.clear()
    return found[0], found[1]


async def posted(api: Api, address: str, body: Mapping[str, Any], status: int = 201) -> Any:
    response = await api.client.post(address, json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_both_ids_of_a_merged_person_answer_with_the_whole_person(api: Api, two: tuple[str, str]) -> None:
    first, second = two
    before = [await api.get(f"/customers/{each}") for each in two]
    merged = await posted(api, f"/customers/{second}/merge", {"with": first, "evidence": "one identity card"})
    assert merged["effect"] == "merged"
    assert merged["persons"] == [{"id": first, "profiles": [first, second]}]
    whole = await api.get(f"/customers/{second}")
    assert whole == await api.get(f"/customers/{first}")
    assert (whole["id"], whole["profiles"]) == (first, [first, second])
    assert {each["value"] for each in whole["identities"]} == {"z1", "an@example.vn"}
    assert {each["subject"] for each in whole["cases"]} == {"zalo", "email"}
    for each in two:
        items = (await api.get(f"/customers/{each}/timeline"))["items"]
        assert {item["channel"] for item in items} == {"zalo", "email"}
    assert [each["id"] for each in (await api.get("/customers"))["items"]] == [first]
    undone = await posted(api, f"/merges/{merged['link']['id']}/undo", {"evidence": "two cards after all"})
    assert undone["effect"] == "split"
    assert [await api.get(f"/customers/{each}") for each in two] == before


async def test_listeners_and_the_audit_log_hear_of_what_was_done(api: Api, two: tuple[str, str]) -> None:
    first, second = two
    audited: list[tuple[str, str]] = []

    async def audit(_request: Request, what: str, about: str) -> None:
        audited.append((what, about))

    api.client._transport.app.state.audit = audit  # type: ignore[attr-defined]
    merged = await posted(api, f"/customers/{first}/merge", {"with": second, "evidence": "x"})
    await posted(api, f"/customers/{first}/merge", {"with": second, "evidence": "x"}, 200)
    taken_out = await posted(api, f"/customers/{first}/split", {"profile": second, "evidence": "y"})
    nothing = await posted(api, f"/merges/{merged['link']['id']}/undo", {})
    assert nothing["effect"] == "none"
    links = [each["link"]["id"] for each in (merged, taken_out, nothing)]
    assert audited == list(zip(("customer.merge", "customer.split", "customer.undo"), links, strict=True))
    together = [{"id": first, "profiles": [first, second]}]
    apart = sorted(({"id": each, "profiles": [each]} for each in two), key=lambda each: str(each["id"]))
    assert api.published == [
        ("customer.merged", {"link": links[0], "persons": together}),
        ("customer.split", {"link": links[1], "persons": apart}),
    ]


async def test_the_links_of_a_person_tell_its_history(api: Api, two: tuple[str, str]) -> None:
    first, second = two
    merged = await posted(api, f"/customers/{first}/merge", {"with": second, "evidence": "one card"})
    undone = await posted(api, f"/merges/{merged['link']['id']}/undo", {"evidence": "no"})
    (one, other) = (await api.get(f"/customers/{second}/links"))["items"]
    assert one == merged["link"] | {"live": False}
    assert one == {
        "id": one["id"],
        "kind": "merge",
        "customer": first,
        "with": second,
        "undoes": None,
        "evidence": "one card",
        "source": "api",
        "by": "",
        "at": one["at"],
        "live": False,
    }
    assert (other["kind"], other["undoes"], other["live"]) == ("undo", one["id"], True)
    assert other == undone["link"]


async def test_a_new_event_goes_to_the_person_and_continues_a_case_of_any_profile(
    api: Api, two: tuple[str, str]
) -> None:
    first, second = two
    case = (await api.get(f"/customers/{first}"))["cases"][0]["id"]
    mail: dict[str, Any] = {"channel": "email", "identities": [{"kind": "email", "value": "an@example.vn"}]}
    await api.post(409, **mail, case=case)
    await posted(api, f"/customers/{first}/merge", {"with": second, "evidence": "x"})
    answer = await api.post(**mail, case=case, external_id="m-1")
    assert (answer["customer"], answer["case"]) == (first, case)
    assert api.published[-1][1]["customer"] == first
    assert await api.post(200, **mail, external_id="m-1") == answer
    own = await api.post(**mail, case={"external_id": "T-1"})
    assert own["case"] != case  # both profiles have a T-1; the entry's own profile comes first


@pytest.mark.parametrize(
    ("address", "body", "status", "says"),
    [
        ("/customers/nobody/merge", {"with": "{first}", "evidence": "x"}, 404, "no such customer"),
        ("/customers/{first}/merge", {"with": "nobody", "evidence": "x"}, 422, "send the id of one"),
        ("/customers/{first}/merge", {"with": "{first}", "evidence": "x"}, 409, "with itself"),
        ("/customers/{first}/merge", {"with": "{second}", "evidence": " "}, 422, "evidence"),
        ("/customers/{first}/merge", {"with": "{second}"}, 422, "evidence"),
        ("/customers/{first}/merge", {"with": "a b", "evidence": "x"}, 422, "with"),
        ("/customers/nobody/split", {"evidence": "x"}, 404, "no such customer"),
        ("/customers/{first}/split", {"evidence": "x"}, 409, "one profile only"),
        ("/customers/{first}/split", {"profile": "{second}", "evidence": "x"}, 409, "not one of this person"),
        ("/merges/nothing/undo", {}, 404, "no such link"),
    ],
)
async def test_what_cannot_be_done_says_why(
    api: Api, two: tuple[str, str], address: str, body: dict[str, str], status: int, says: str
) -> None:
    names = dict(zip(("first", "second"), two, strict=True))
    filled = {key: value.format(**names) for key, value in body.items()}
    answer = await posted(api, address.format(**names), filled, status)
    assert says in str(answer)
    assert api.published == []


async def test_of_nobody_there_are_no_links_and_no_suggestions(api: Api) -> None:
    for what in ("links", "suggestions"):
        assert "no such customer" in (await api.get(f"/customers/nobody/{what}", 404))["detail"]
