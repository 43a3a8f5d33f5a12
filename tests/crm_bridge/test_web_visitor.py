"""A visitor of a website is one visitor, becomes the person who signs in, and counts as nobody until then."""

from typing import Any

from crm_bridge.channels.form import Form
from crm_bridge.identity import normalise
from tests.crm_bridge.conftest import Api
from tests.crm_bridge.family import PHONE

BROWSER = {"kind": "web", "value": "v-4f1c"}
NUMBER = {"kind": "phone", "value": PHONE}
ACCOUNT = {"kind": "external", "value": "shop:17"}


async def chat(api: Api, *identities: dict[str, str], **more: Any) -> Any:
    api.now += 1.0
    return await api.post(channel="webchat", identities=list(identities), **more)


async def listed(api: Api) -> list[str]:
    return [each["id"] for each in (await api.get("/customers"))["items"]]


async def test_a_visitor_is_one_visitor_and_counts_as_nobody(api: Api) -> None:
    first = await chat(api, BROWSER)
    assert first["created_customer"]
    again = await chat(api, BROWSER)
    assert (again["customer"], again["created_customer"]) == (first["customer"], False)
    assert await listed(api) == []
    found = await api.get("/customers", web=" v-4f1c ")
    assert [each["id"] for each in found["items"]] == [first["customer"]]
    assert len((await api.get(f"/customers/{first['customer']}/timeline"))["items"]) == 2


async def test_who_gives_a_number_of_nobody_counts(api: Api) -> None:
    visitor = await chat(api, BROWSER)
    given = await chat(api, BROWSER, NUMBER)
    assert given["customer"] == visitor["customer"]
    assert await listed(api) == [visitor["customer"]]


async def test_who_signs_in_is_the_visitor_from_before_and_no_guest(api: Api) -> None:
    person = (await api.post(channel="store", identities=[ACCOUNT], attributes={"name": "Lan"}))["customer"]
    visitor = await chat(api, BROWSER)
    signed_in = await chat(api, BROWSER, ACCOUNT)
    assert (signed_in["customer"], signed_in["conflicts"]) == (person, [])
    assert signed_in["merge"]
    assert await listed(api) == [person]
    whole = await api.get(f"/customers/{visitor['customer']}")
    assert whole["profiles"] == [person, visitor["customer"]]
    worth = {each["kind"]: each["assurance"] for each in whole["identities"]}
    assert worth == {"external": 1, "web": 1}
    later = await chat(api, BROWSER)
    assert later["customer"] == person
    await api.client.post(f"/merges/{signed_in['merge']}/undo")
    once_more = await chat(api, BROWSER, ACCOUNT)
    assert (once_more["customer"], once_more["merge"]) == (person, None)


async def test_a_browser_of_somebody_else_tells_nobody_apart_and_merges_no_people(api: Api) -> None:
    lan = (await chat(api, BROWSER, ACCOUNT))["customer"]
    other = {"kind": "external", "value": "shop:18"}
    minh = (await api.post(channel="store", identities=[other]))["customer"]
    at_hers = await chat(api, BROWSER, other)
    assert (at_hers["customer"], at_hers["merge"]) == (minh, None)
    assert at_hers["conflicts"] == [BROWSER | {"customer": lan}]


async def test_a_number_of_somebody_known_makes_the_visitor_a_guest(api: Api) -> None:
    person = (await api.post(identities=[{"kind": "zalo", "value": "z1"}, NUMBER]))["customer"]
    await chat(api, BROWSER)
    given = await chat(api, BROWSER, NUMBER)
    assert given["customer"] == person
    whole = await api.get(f"/customers/{person}")
    assert {each["kind"]: each["assurance"] for each in whole["identities"]}["web"] == 0


def test_a_form_names_its_visitor() -> None:
    form = Form(frozenset(), "website_url")
    told = form.submission({"phone": PHONE, "visitor": "v-4f1c", "city": "Huế"}, "website", 1_800_000_000.0, "VN")
    assert [(each.kind, each.value) for each in told.identities] == [("phone", PHONE), ("web", "v-4f1c")]
    assert told.attributes.stored()["fields"] == {"city": "Huế"}


def test_an_id_of_a_browser_is_taken_as_it_is() -> None:
    assert normalise("web", " V-4f1C ") == "V-4f1C"
    assert normalise("web", "a\nb") == ""
