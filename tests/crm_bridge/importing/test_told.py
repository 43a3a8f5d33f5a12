"""Orders, birthdays and wishes of other systems' files, and what is left when the file is taken back."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from crm_bridge import fact_rows
from crm_bridge.facts import Saying
from crm_bridge.importing import cells, undo
from crm_bridge.importing.report import Report
from crm_bridge.importing.run import Job, rehearse
from crm_bridge.tables import CustomerFact, FactStatement
from tests.crm_bridge.conftest import Sessions
from tests.crm_bridge.importing.conftest import NOW, profile_of

Imported = Callable[..., Awaitable[Report]]

FILE = """\
Mã khách hàng;Họ tên;SĐT;Ngày sinh;Kênh ưa thích;Mã đơn hàng;Trạng thái đơn;Tổng tiền;Sản phẩm;Ngày đặt;Nhu cầu
1;An;0912345678;17/05/1990;Zalo;DH-1;Đang giao;1.250.000đ;Trà xanh, Ấm trà;16/11/2026 10:30;Máy lọc nước
1;An;0912345678;;;DH-2;Hoàn thành;99000;;2026-11-10;
2;Bình;0912345679;31/02/1990;;DH-3;lạ;nhiều;;;
"""


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1.250.000đ", "1250000"),
        ("1,250,000.50", "1250000.5"),
        ("1.250.000,5", "1250000.5"),
        ("1250000.00", "1250000"),
        ("1.250", "1250"),
        ("12,50", "12.5"),
        ("$5", "5"),
    ],
)
def test_an_amount_is_read_however_its_thousands_are_written(written: str, kept: str) -> None:
    assert cells.money(written) == kept


@pytest.mark.parametrize("wrong", ["", "x", "-5", "1.2.3,4,5"])
def test_what_is_no_amount_is_said(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no amount"):
        cells.money(wrong)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("17/5/1990", "1990-05-17"),
        ("17.05", "--05-17"),
        ("29-2", "--02-29"),
        ("1990-05-17", "1990-05-17"),
        ("1990-05-17 00:00:00", "1990-05-17"),
    ],
)
def test_a_birthday_is_read_as_people_write_it(written: str, kept: str) -> None:
    assert cells.birthday(written) == kept


def test_a_day_without_a_zone_is_one_of_the_region() -> None:
    assert cells.instant("16/11/2026 10:30", "VN") == cells.instant("2026-11-16T03:30:00Z", "DE")


async def known(sessions: Sessions, number: str = "+84912345678") -> dict[str, dict[str, object]]:
    who = await profile_of(sessions, "phone", number)
    async with sessions() as session:
        return {each.key: dict(each.said) for each in await fact_rows.read(session, who.person.ids)}


async def test_what_a_file_tells_is_the_customers_and_goes_with_it(imported: Imported, sessions: Sessions) -> None:
    report = await imported(FILE)
    assert await known(sessions) == {
        "self": {"birthday": "1990-05-17", "preferred_channel": "zalo"},
        "DH-1": {
            "state": "shipped",
            "amount": "1250000",
            "currency": "VND",
            "products": ["Trà xanh", "Ấm trà"],
            "placed_at": cells.instant("2026-11-16T03:30:00Z", ""),
        },
        "DH-2": {
            "state": "delivered",
            "amount": "99000",
            "currency": "VND",
            "placed_at": cells.instant("2026-11-09T17:00:00Z", ""),
        },
        "may loc nuoc": {"what": "Máy lọc nước"},
    }
    assert [(each.row, each.column) for each in report.of("ignored")] == [
        (4, "Ngày sinh"),
        (4, "Tổng tiền"),
        (4, "Trạng thái đơn"),
    ]
    again = await imported(FILE, now=NOW + 60.0)
    assert again.counts.filled == 0
    await undo.undo(sessions, again.id, lambda: NOW)
    assert len(await known(sessions)) == 4
    await undo.undo(sessions, report.id, lambda: NOW)
    async with sessions() as session:
        for table in (CustomerFact, FactStatement):
            assert (await session.scalars(select(table))).all() == []


PAID = """\
Mã khách hàng;SĐT;Mã đơn hàng;Mã giao dịch;Trạng thái thanh toán;Số tiền thanh toán;Phương thức thanh toán;\
Ngày thanh toán;Ngày cập nhật thanh toán;Ngày đến;Cửa hàng đến;Mục đích đến
1;0912345678;DH-1;P-1;Đã thanh toán;1.250.000đ;Thẻ;16/11/2026 10:30;;15/11/2026;Quận 1;bảo hành
1;0912345678;DH-2;;Thất bại;99000;Tiền mặt;2026-11-10;;;Quận 3;
2;0912345679;;;lạ;5000;;;;31/02/2026;;mua hàng
"""
AS_JSON = """[{"id": 1, "phone": "0912345678", "payment": "P-1", "payment status": "success", "paid amount": 1250000.0,
"payment method": "Thẻ", "paid at": "2026-11-16T03:30:00Z", "payment order": "DH-1", "visit date": "15/11/2026",
"visit place": "Quận 1", "visit purpose": "bảo hành"}]"""


async def facts_of(sessions: Sessions) -> dict[str, tuple[dict[str, object], float]]:
    who = await profile_of(sessions, "phone", "+84912345678")
    async with sessions() as session:
        return {each.key: (dict(each.said), each.first_at) for each in await fact_rows.read(session, who.person.ids)}


async def test_payments_and_visits_are_the_customers_and_go_with_the_file(
    imported: Imported, job: Callable[..., Job], sessions: Sessions
) -> None:
    dry = await rehearse(sessions, job(PAID), lambda: NOW)
    report = await imported(PAID)
    assert dry.counts == report.counts
    paid_at, came_at = cells.instant("2026-11-16T03:30:00Z", ""), cells.instant("2026-11-15", "VN")
    first = {"state": "paid", "amount": "1250000", "currency": "VND", "method": "Thẻ", "order": "DH-1"}
    second = {"state": "failed", "amount": "99000", "currency": "VND", "method": "Tiền mặt", "order": "DH-2"}
    assert await facts_of(sessions) == {
        "P-1": (first, paid_at),
        "DH-2 2026-11-10 99000": (second, cells.instant("2026-11-10", "VN")),
        "2026-11-15 quan 1": ({"place": "Quận 1", "purpose": "bảo hành"}, came_at),
    }
    said = [(each.row, each.column, each.cause.split(" of ")[0]) for each in report.of("ignored")]
    assert sorted(said) == [
        (3, "Cửa hàng đến", "belongs to a visit"),
        (4, "Mục đích đến", "belongs to a visit"),
        (4, "Ngày đến", "is no date"),
        (4, "Số tiền thanh toán", "belongs to a payment that nothing tells from others"),
        (4, "Trạng thái thanh toán", "belongs to a payment that nothing tells from others"),
        (4, "Trạng thái thanh toán", "is no state"),
    ]
    for again in (PAID, AS_JSON):  # the same, however it is written
        assert (await imported(again, now=NOW + 60.0)).counts.filled == 0
    await undo.undo(sessions, report.id, lambda: NOW)
    async with sessions() as session:
        assert (await session.scalars(select(CustomerFact))).all() == []


async def test_a_payment_that_is_given_back_later_says_when(imported: Imported, sessions: Sessions) -> None:
    await imported(PAID)
    for column, state in (("", "paid"), ("17/11/2026", "refunded"), ("16/11/2026", "refunded")):
        newer = PAID.replace("Đã thanh toán", "Hoàn tiền").replace("10:30;;", f"10:30;{column};")
        await imported(newer, now=NOW + 60.0)
        assert (await facts_of(sessions))["P-1"][0]["state"] == state


async def test_what_is_known_stays_and_comes_back(imported: Imported, sessions: Sessions) -> None:
    first = await imported("id,phone,order,order status\n1,0912345678,7,new\n")
    who = await profile_of(sessions, "phone", "+84912345678")
    async with sessions.begin() as session:
        said = [Saying("order", "7", {"state": "returned"})]
        await fact_rows.say(session, who.person.id, said, fact_rows.Source(NOW + 1.0, "shop"), NOW)
    head = "id,phone,order,order status,order total,order updated at\n"
    later = await imported(head + "1,0912345678,7,shipped,5,\n", now=NOW + 60.0)
    assert await known(sessions) == {"7": {"state": "returned", "amount": "5", "currency": "VND"}}
    newer = await imported(head + "1,0912345678,7,shipped,5,2200-01-01\n", now=NOW + 70.0)
    assert (await known(sessions))["7"]["state"] == "shipped"  # the file says when: no later than now
    for each in (newer, later, first):
        await undo.undo(sessions, each.id, lambda: NOW)
    async with sessions() as session:  # the profile stays, since somebody else has said something of it
        left = await fact_rows.read(session, who.person.ids)
    assert [dict(each.said) for each in left] == [{"state": "returned"}]


async def test_a_rehearsal_counts_what_the_import_will(
    imported: Imported, job: Callable[..., Job], sessions: Sessions
) -> None:
    twice = FILE + FILE.partition("\n")[2]
    dry = await rehearse(sessions, job(twice, rows=2), lambda: NOW)
    async with sessions() as session:
        assert (await session.scalars(select(FactStatement))).all() == []
    assert dry.counts == (await imported(twice, rows=2)).counts
