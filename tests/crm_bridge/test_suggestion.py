"""Who might be the same person: told, and never acted upon."""

from typing import Any

import pytest
from sqlalchemy import func, select

from crm_bridge.suggestion import are_similar, is_a_letter_off
from crm_bridge.tables import Customer, CustomerLink
from tests.crm_bridge.conftest import Api, Sessions


@pytest.mark.parametrize(
    ("one", "other", "similar"),
    [
        ("an.nguyen@example.vn", "annguyen@other.com", True),
        ("an.nguyen+shop@example.vn", "an_nguyen@example.vn", True),
        ("annguyen@example.vn", "annguyem@example.vn", True),
        ("annguyen@example.vn", "annguyem@other.com", False),
        ("annguyen@example.vn", "binhtran@example.vn", False),
        ("an@example.vn", "an@other.com", False),
        ("info@example.vn", "info@other.com", False),
    ],
)
def test_similar_addresses(one: str, other: str, similar: bool) -> None:
    assert are_similar(one, other) is are_similar(other, one) is similar


@pytest.mark.parametrize(
    ("one", "other", "off"),
    [
        ("lan", "lan", False),
        ("lan", "lam", True),
        ("lan", "la", True),
        ("lan", "xlan", True),
        ("lan", "lxan", True),
        ("lan", "nal", False),
        ("lan", "l", False),
        ("", "", False),
        ("", "x", True),
    ],
)
def test_a_letter_off(one: str, other: str, off: bool) -> None:
    assert is_a_letter_off(one, other) is is_a_letter_off(other, one) is off


async def writer(api: Api, email: str, **attributes: str) -> str:
    answer = await api.post(channel="email", identities=[{"kind": "email", "value": email}], attributes=attributes)
    return str(answer["customer"])


async def suggestions(api: Api, customer: str) -> Any:
    return (await api.get(f"/customers/{customer}/suggestions"))["items"]


async def test_a_name_alone_suggests_nobody(api: Api) -> None:
    first = await writer(api, "an.nguyen@example.vn", name="Nguyễn Văn An")
    await writer(api, "xyz123@other.com", name="Nguyen Van An")
    await writer(api, "an.nguyen@third.com", name="Trần Thị Bình")
    assert await suggestions(api, first) == []


async def test_a_name_and_a_similar_address_suggest_somebody_and_merge_nobody(api: Api, sessions: Sessions) -> None:
    first = await writer(api, "an.nguyen@example.vn", name="Nguyễn Văn An")
    second = await writer(api, "annguyen@other.com", name="NGUYEN VAN AN")
    expected = {
        "customer": second,
        "name": "NGUYEN VAN AN",
        "grounds": ["same_name", "similar_email"],
        "claims": [],
        "parted": False,
        "apart": None,
    }
    assert await suggestions(api, first) == [expected]
    assert [each["customer"] for each in await suggestions(api, second)] == [first]
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerLink)) == 0


async def test_a_name_and_the_same_postal_address_suggest_somebody(api: Api) -> None:
    first = await writer(api, "one@example.vn", name="Nguyễn Văn An", address="12 Lê Lợi, Quận 1")
    second = await writer(api, "two@example.vn", name="Nguyễn Văn An", address="12, le loi - quan 1")
    await writer(api, "three@example.vn", name="Nguyễn Văn An", address="13 Lê Lợi, Quận 1")
    assert [(each["customer"], each["grounds"]) for each in await suggestions(api, first)] == [
        (second, ["same_name", "same_address"])
    ]


async def test_the_one_of_a_thousand_namesakes_is_found(api: Api, sessions: Sessions) -> None:
    async with sessions() as session:
        rows = [
            Customer(id=f"{n:032}", name="Nguyễn Văn An", name_folded="nguyen van an", created_at=0.0, updated_at=0.0)
            for n in range(1000)
        ]
        session.add_all(rows)
        await session.commit()
    first = await writer(api, "an.nguyen@example.vn", name="Nguyễn Văn An", address="12 Lê Lợi")
    second = await writer(api, "annguyen@other.com", name="Nguyễn Văn An")
    third = await writer(api, "xyz123@other.com", name="Nguyễn Văn An", address="12, le loi")
    found = {each["customer"]: each["grounds"] for each in await suggestions(api, first)}
    assert found == {second: ["same_name", "similar_email"], third: ["same_name", "same_address"]}


async def test_a_claim_that_contradicts_a_stronger_link_is_shown_and_believed_by_nobody(api: Api) -> None:
    phone = {"kind": "phone", "value": "0912345678"}
    victim = (await api.post(channel="call", identities=[phone]))["customer"]
    own = {"kind": "phone", "value": "0987654321"}
    stranger = (await api.post(identities=[{"kind": "zalo", "value": "z1"}, own]))["customer"]
    claimed = await api.post(identities=[{"kind": "zalo", "value": "z1"}, phone])
    assert claimed["customer"] == stranger
    (found,) = await suggestions(api, stranger)
    assert (found["customer"], found["grounds"]) == (victim, ["contradicting_claim"])
    told = {"kind": "phone", "value": "+84912345678", "interaction": claimed["id"], "import": None, "row": None}
    assert found["claims"] == [told]
    assert (await api.get(f"/customers/{stranger}"))["profiles"] == [stranger]


async def test_who_is_one_person_is_suggested_no_more_and_who_was_is_marked(api: Api) -> None:
    first = await writer(api, "an.nguyen@example.vn", name="Nguyễn Văn An")
    second = await writer(api, "annguyen@other.com", name="Nguyễn Văn An")
    third = await writer(api, "an-nguyen@third.com", name="Nguyễn Văn An")
    merged = await api.client.post(f"/customers/{first}/merge", json={"with": second, "evidence": "said so"})
    assert [each["customer"] for each in await suggestions(api, first)] == [third]
    await api.client.post(f"/merges/{merged.json()['link']['id']}/undo")
    found = {each["customer"]: each["parted"] for each in await suggestions(api, first)}
    assert found == {second: True, third: False}


async def test_who_is_held_apart_is_suggested_last_and_not_merged_until_somebody_undoes_it(api: Api) -> None:
    first = await writer(api, "an.nguyen@example.vn", name="Nguyễn Văn An", address="12 Lê Lợi")
    second = await writer(api, "annguyen@other.com", name="Nguyễn Văn An", address="12 Lê Lợi")
    third = await writer(api, "an-nguyen@third.com", name="Nguyễn Văn An")
    api.published.clear()
    said = {"with": second, "evidence": "father and son"}
    answer = await api.client.post(f"/customers/{first}/apart", json=said)
    assert (answer.status_code, answer.json()["effect"]) == (201, "none")
    judgement = answer.json()["link"]["id"]
    again = await api.client.post(f"/customers/{second}/apart", json={"with": first, "evidence": "again"})
    assert (again.status_code, again.json()["link"]["id"]) == (200, judgement)
    assert api.published == []
    for one, other in ((first, second), (second, first)):
        found = [(each["customer"], each["apart"]) for each in await suggestions(api, one)]
        assert found == [(third, None), (other, judgement)]

    # Nobody makes one person of them, neither at once nor by a third.
    refused = await api.client.post(f"/customers/{second}/merge", json={"with": first, "evidence": "x"})
    assert refused.status_code == 409
    assert "father and son" in refused.json()["detail"]
    assert judgement in refused.json()["detail"]
    by_third = await api.client.post(f"/customers/{third}/merge", json={"with": second, "evidence": "x"})
    assert by_third.status_code == 201
    assert (
        await api.client.post(f"/customers/{third}/merge", json={"with": first, "evidence": "x"})
    ).status_code == 409
    links = (await api.get(f"/customers/{first}/links"))["items"]
    assert [(each["kind"], each["with"]) for each in links] == [("apart", second)]

    undone = await api.client.post(f"/merges/{judgement}/undo", json={"evidence": "one card"})
    assert undone.status_code == 201
    merged = await api.client.post(f"/customers/{third}/merge", json={"with": first, "evidence": "x"})
    (whole,) = merged.json()["persons"]
    assert set(whole["profiles"]) == {first, second, third}
    # Nor does the judgement come back over one person.
    back = await api.client.post(f"/merges/{undone.json()['link']['id']}/undo", json={"evidence": "x"})
    assert back.status_code == 409
    together = await api.client.post(f"/customers/{first}/apart", json={"with": second, "evidence": "x"})
    assert together.status_code == 409
