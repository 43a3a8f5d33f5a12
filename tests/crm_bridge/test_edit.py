"""What somebody changes by hand: it stands, is kept with who did it, and leaves merging as it was."""

from typing import Any

import pytest
from fastapi import Request

from tests.crm_bridge.conftest import Api

PHONE = {"kind": "phone", "value": "0912345678"}
ZALO = {"kind": "zalo", "value": "z1"}


@pytest.fixture
async def two(api: Api) -> tuple[str, str]:
    """Two profiles; the first is the older."""
    found = []
    for identity, told in (
        (PHONE, {"name": "An", "tags": ["vip", "new"]}),
        (ZALO, {"name": "Bình", "language": "vi", "tags": ["new"]}),
    ):
        attributes = told | {"facts": {"orders": [{"number": "7", "state": "placed"}], "birthday": "1990-05-17"}}
        answer = await api.post(channel="shop", identities=[identity], attributes=attributes)
        found.append(answer["customer"])
        api.now += 1.0
    api.published.clear()
    return found[0], found[1]


async def patch(api: Api, customer: str, status: int = 200, **body: Any) -> Any:
    response = await api.client.patch(f"/customers/{customer}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_change_stands_and_is_kept_with_who_made_it(api: Api, two: tuple[str, str]) -> None:
    audited: list[tuple[str, str]] = []

    async def audit(_request: Request, what: str, about: str) -> None:
        audited.append((what, about))

    api.app.state.audit = audit
    body: dict[str, Any] = {
        "name": "Nguyễn An",
        "tags": ["gold"],
        "birthday": None,
        "preferred_channel": "zalo",
        "orders": [{"number": "7", "state": "cancelled"}],
        "needs": [{"what": "Ấm trà"}],
    }
    changed = await patch(api, two[0], **body)
    assert (changed["name"], changed["tags"], changed["birthday"]) == ("Nguyễn An", ["gold"], None)
    assert (changed["preferred_channel"], changed["orders"][0]["state"]) == ("zalo", "cancelled")
    assert [each["what"] for each in changed["needs"]] == ["Ấm trà"]
    assert changed == await api.get(f"/customers/{two[0]}")
    assert [each["id"] for each in (await api.get("/customers", q="nguyen"))["items"]] == [two[0]]
    history = (await api.get(f"/customers/{two[0]}/facts"))["items"]
    assert {(each["kind"], each["channel"]) for each in history[:4]} == {
        ("profile", "hotline"),
        ("order", "hotline"),
        ("need", "hotline"),
    }
    assert {"name": "Nguyễn An", "tags": ["gold"]} in [each["said"] for each in history]
    assert await patch(api, two[0], **body) == changed  # the second click
    assert len((await api.get(f"/customers/{two[0]}/facts"))["items"]) == len(history)
    assert audited == [("customer.change", two[0])]
    assert api.published == [("customer.updated", {"customer": two[0]})]


async def test_what_is_not_sent_stays(api: Api, two: tuple[str, str]) -> None:
    before = await api.get(f"/customers/{two[1]}")
    assert await patch(api, two[1]) == before
    assert (await patch(api, two[1], language=None))["language"] == ""
    assert (await api.get(f"/customers/{two[1]}"))["name"] == "Bình"


async def test_a_late_event_does_not_overrule_somebody_and_a_newer_one_does(api: Api, two: tuple[str, str]) -> None:
    await patch(api, two[0], orders=[{"number": "7", "state": "cancelled"}])
    for hours, at, state in ((-1, "2027-01-15T07:00:00Z", "cancelled"), (1, "2027-01-15T09:00:00Z", "shipped")):
        api.now += max(0.0, hours * 3600.0 + 10)
        facts = {"orders": [{"number": "7", "state": "shipped"}]}
        await api.post(channel="shop", occurred_at=at, identities=[PHONE], attributes={"facts": facts})
        assert (await api.get(f"/customers/{two[0]}"))["orders"][0]["state"] == state


async def test_merging_what_was_changed_and_undoing_it_leaves_each_with_its_own(api: Api, two: tuple[str, str]) -> None:
    before = [await api.get(f"/customers/{each}") for each in two]
    merged = (await api.client.post(f"/customers/{two[0]}/merge", json={"with": two[1], "evidence": "x"})).json()
    whole = await patch(api, two[1], name="Cả hai", tags=["vip"], birthday="1991-01-01")
    assert (whole["id"], whole["name"], whole["tags"], whole["birthday"]) == (two[0], "Cả hai", ["vip"], "1991-01-01")
    await api.client.post(f"/merges/{merged['link']['id']}/undo", json={})
    after = [await api.get(f"/customers/{each}") for each in two]
    assert (after[0]["name"], after[0]["tags"], after[0]["birthday"]) == ("Cả hai", ["vip"], "1991-01-01")
    # Of the other only the tag is gone that somebody took away from the person.
    assert after[1] | {"updated_at": ""} == before[1] | {"updated_at": "", "tags": []}


@pytest.mark.parametrize(
    "wrong", [{"birthday": "soon"}, {"payments": [{"state": "paid"}]}, {"nome": "x"}, {"tags": [""]}]
)
async def test_what_cannot_be_is_refused(api: Api, two: tuple[str, str], wrong: dict[str, Any]) -> None:
    await patch(api, two[0], 422, **wrong)


async def test_nobody_is_not_changed(api: Api) -> None:
    await patch(api, "0" * 32, 404, name="An")
    await api.get(f"/customers/{'0' * 32}/facts", 404)
