"""Finding people by identity and by name."""

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import customer
from crm_bridge.identity import Kind, fold
from crm_bridge.tables import Case, Customer, Identity


@pytest.fixture(autouse=True)
async def people(session: AsyncSession) -> None:
    names = ("Nguyễn Văn An", "Trần Thị Bình", "Đỗ Văn Đức", "")
    await session.execute(
        insert(Customer),
        [
            {"id": f"{index:032}", "name": name, "name_folded": fold(name), "created_at": 0.0, "updated_at": 0.0}
            for index, name in enumerate(names)
        ],
    )
    for kind, value, owner in (("phone", "+84912345678", 0), ("email", "an@example.vn", 0), ("zalo", "z2", 1)):
        session.add(
            Identity(id=value, customer_id=f"{owner:032}", kind=kind, value=value, source="form", created_at=1.0)
        )
    for case, state, at in (("old", "open", 1.0), ("done", "closed", 9.0), ("new", "open", 5.0)):
        session.add(Case(id=case, customer_id=f"{0:032}", subject=case, state=state, channel="email", opened_at=at))
    await session.flush()


async def names(session: AsyncSession, *identities: tuple[Kind, str], name: str = "") -> list[str]:
    return [each.person.name for each in await customer.find(session, identities, name, limit=9)]


async def test_a_profile_holds_everything(session: AsyncSession) -> None:
    profile = await customer.read(session, f"{0:032}")
    assert profile is not None
    assert {each.value for each in profile.identities} == {"+84912345678", "an@example.vn"}
    assert [each.id for each in profile.cases] == ["new", "old", "done"]
    assert await customer.read(session, "nobody") is None


async def test_every_identity_given_must_fit(session: AsyncSession) -> None:
    assert await names(session, ("phone", "+84912345678")) == ["Nguyễn Văn An"]
    assert await names(session, ("phone", "+84912345678"), ("email", "an@example.vn")) == ["Nguyễn Văn An"]
    assert await names(session, ("phone", "+84912345678"), ("zalo", "z2")) == []
    assert await names(session, ("zalo", "z9")) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("an nguyen", ["Nguyễn Văn An"]),
        ("VĂN", ["Đỗ Văn Đức", "Nguyễn Văn An"]),
        ("do duc", ["Đỗ Văn Đức"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("", ["", "Đỗ Văn Đức", "Nguyễn Văn An", "Trần Thị Bình"]),
    ],
)
async def test_names_are_found_whatever_case_and_accents(session: AsyncSession, name: str, expected: list[str]) -> None:
    assert await names(session, name=name) == expected


async def test_a_list_goes_on_after_the_last_one_seen(session: AsyncSession) -> None:
    first = await customer.find(session, [], limit=3)
    last = first[-1].person.profiles[0]
    rest = await customer.find(session, [], after=(last.name_folded, last.id), limit=3)
    assert [each.person.name for each in rest] == ["Trần Thị Bình"]
