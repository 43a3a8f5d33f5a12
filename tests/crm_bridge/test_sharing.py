"""A number that several people use: said by a person, taken back, and shown where it seems so."""

from typing import Any

import pytest
from fastapi import Request

from crm_bridge.sharing import distinct
from tests.crm_bridge.conftest import Api
from tests.crm_bridge.family import PHONE

NUMBER = {"kind": "phone", "value": "0912 345 678"}
SAID = NUMBER | {"evidence": "she said it is her parents' number"}


async def zalo(api: Api, account: str, *, number: str = "", name: str = "") -> str:
    identities = [{"kind": "zalo", "value": account}] + ([{"kind": "phone", "value": number}] if number else [])
    answer = await api.post(identities=identities, attributes={"name": name} if name else {})
    return str(answer["customer"])


async def said(api: Api, customer: str, what: str, body: dict[str, str], status: int = 200) -> Any:
    response = await api.client.post(f"/customers/{customer}/identities/{what}", json=body)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_person_says_that_a_number_is_shared_and_takes_it_back(api: Api) -> None:
    lan, minh = await zalo(api, "lan", number=PHONE), await zalo(api, "minh")
    answer = await said(api, minh, "share", SAID)
    assert [(each["value"], each["evidence"]) for each in answer["uses"]] == [(PHONE, SAID["evidence"])]
    phone = next(each for each in (await api.get(f"/customers/{lan}"))["identities"] if each["kind"] == "phone")
    assert phone["shared"]
    assert (await said(api, lan, "share", SAID))["uses"] == []
    assert (await said(api, minh, "unshare", NUMBER))["uses"] == []
    answer = await said(api, lan, "unshare", NUMBER)
    assert not any(each["shared"] for each in answer["identities"])


async def test_each_change_is_in_the_audit_log_once(api: Api) -> None:
    audited: list[tuple[str, str]] = []

    async def audit(_request: Request, what: str, about: str) -> None:
        audited.append((what, about))

    api.app.state.audit = audit
    lan, minh = await zalo(api, "lan", number=PHONE), await zalo(api, "minh")
    for _ in range(2):
        await said(api, minh, "share", SAID)
    for _ in range(2):
        await said(api, lan, "unshare", NUMBER)
    assert audited == [("customer.share", minh), ("customer.unshare", lan)]


@pytest.mark.parametrize(
    ("customer", "body", "status"),
    [
        ("nobody", SAID, 404),
        ("lan", {"kind": "phone", "value": "0999999999", "evidence": "x"}, 404),
        ("lan", {"kind": "phone", "value": "113", "evidence": "x"}, 422),
        ("lan", {"kind": "fax", "value": "1", "evidence": "x"}, 422),
        ("lan", NUMBER, 422),
    ],
)
async def test_what_cannot_be_said_is_refused(api: Api, customer: str, body: dict[str, str], status: int) -> None:
    lan = await zalo(api, "lan", number=PHONE)
    await said(api, lan if customer == "lan" else customer, "share", body, status)


async def test_three_names_at_one_number_are_shown_to_a_person(api: Api) -> None:
    lan = await zalo(api, "lan", number=PHONE, name="Nguyễn Thị Lan")
    minh = await zalo(api, "minh", number="0987654321", name="Trần Văn Minh")
    await zalo(api, "minh", number=PHONE)  # what belongs to another by now
    assert (await api.get(f"/customers/{lan}/suggestions"))["shared"] == []
    for name in ("Lan", "Hoa"):  # the first may well be herself
        await api.post(channel="store", identities=[NUMBER], attributes={"name": name})
    seems = (await api.get(f"/customers/{lan}/suggestions"))["shared"]
    assert seems == [{"kind": "phone", "value": PHONE, "names": ["Nguyễn Thị Lan", "Trần Văn Minh", "Hoa"]}]
    await said(api, minh, "share", SAID)
    assert (await api.get(f"/customers/{lan}/suggestions"))["shared"] == []


def test_a_shorter_name_may_be_the_same_persons() -> None:
    assert distinct(["An", "Nguyễn Văn An", "nguyen van an", "", "Bình"]) == ("Nguyễn Văn An", "Bình")
    assert distinct([]) == ()
