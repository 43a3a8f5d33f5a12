"""What columns are called."""

import pytest

from crm_bridge.importing.headings import Field, MapWrong, chosen, field_of


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("Họ tên", "name"),
        ("HỌ VÀ TÊN", "name"),
        ("Số điện thoại", "phone"),
        ("Điện thoại 2", "phone"),
        ("SĐT", "phone"),
        ("phone2", "phone"),
        ("MobilePhone", "phone"),
        ("Phone_Number", "phone"),
        ("E-mail", "email"),
        ("Zalo ID", "zalo"),
        ("Mã giao dịch", "payment"),
        ("Hình thức thanh toán", "payment_method"),
        ("Paid at", "payment_at"),
        ("Ngày ghé thăm", "visit_at"),
        ("Facebook", "facebook"),
        ("Mã khách hàng", "external"),
        ("Id", "external"),
        ("LastName", "family_name"),
        ("Tên", "given_name"),
        ("Ngôn ngữ", "language"),
        ("Thẻ", "tags"),
        ("Nhóm khách hàng", "tags"),
    ],
)
def test_headings_are_known_in_both_languages(heading: str, field: Field) -> None:
    assert field_of(heading) == field


@pytest.mark.parametrize("heading", ["", "2", "Ghi chú", "Nghề nghiệp", "Phone verified at"])
def test_other_headings_mean_nothing(heading: str) -> None:
    assert field_of(heading) is None


def test_a_column_can_be_named_by_hand() -> None:
    assert chosen(["Liên lạc=phone", "a=b = name"]) == {"Liên lạc": "phone", "a=b": "name"}


@pytest.mark.parametrize("pair", ["Liên lạc", "=phone", "Liên lạc=number"])
def test_what_maps_nothing_is_said(pair: str) -> None:
    with pytest.raises(MapWrong, match="write it as"):
        chosen([pair])
