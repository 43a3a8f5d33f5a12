"""What the columns of other systems' files are called, in English and Vietnamese, and what they mean here; pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from crm_bridge.identity import fold

Field = Literal[
    "phone",
    "email",
    "zalo",
    "facebook",
    "external",
    "name",
    "family_name",
    "given_name",
    "language",
    "tags",
    "birthday",
    "preferred_channel",
    "order",
    "order_state",
    "order_amount",
    "order_currency",
    "order_items",
    "order_products",
    "order_placed_at",
    "order_updated_at",
    "payment",
    "payment_state",
    "payment_amount",
    "payment_currency",
    "payment_method",
    "payment_order",
    "payment_at",
    "payment_updated_at",
    "visit_at",
    "visit_place",
    "visit_purpose",
    "need",
]
FIELDS: Final[tuple[Field, ...]] = get_args(Field)

_NO_WORD: Final = re.compile(r"[\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COUNT: Final = re.compile(r"(?<=\D)\s*\d{1,2}$")  # phone2, Điện thoại 3

_SOURCE: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")

# Each heading as `_key` makes it: no case, no diacritics, no signs, no number at its end.
_NAMES: Final[Mapping[Field, str]] = {
    "phone": "phone, phones, phone number, telephone, tel, mobile, mobile phone, mobile number, cell, cell phone, "
    "home phone, work phone, business phone, other phone, contact number, contact phone, msisdn, sdt, so "
    "dt, so dien thoai, dien thoai, dien thoai di dong, di dong, so di dong, so may, dtdd, sdt khach "
    "hang, dien thoai khac, dien thoai nha rieng, dien thoai co quan, so lien he",
    "email": "email, emails, e mail, e mails, mail, email address, e mail address, work email, personal email, "
    "other email, thu dien tu, dia chi email, dia chi e mail, hop thu",
    "zalo": "zalo, zalo id, zalo user id, zalo uid, ma zalo, id zalo, uid zalo",
    "facebook": "facebook, facebook id, fb id, facebook user id, psid, facebook psid, messenger, messenger id, ma "
    "facebook, id facebook, uid facebook",
    "external": "external, external id, id, customer id, contact id, account id, customer code, customer number, crm "
    "id, ma kh, ma khach, ma khach hang, ma so khach hang, so khach hang, ma lien he",
    "name": "name, full name, fullname, customer name, contact name, display name, ho ten, ho va ten, ho ten "
    "khach hang, ho va ten khach hang, ten khach, ten khach hang, ten kh, khach hang, ten day du, ten "
    "lien he, nguoi lien he",
    "family_name": "last name, lastname, surname, family name, ho, ho dem, ho va dem, ho lot, ho va ten dem, ho va ten "
    "lot",
    "given_name": "first name, firstname, given name, ten, ten goi",
    "language": "language, lang, locale, preferred language, ngon ngu",
    "tags": "tag, tags, label, labels, group, groups, customer group, segment, category, the, nhan, nhom, nhom "
    "khach hang, phan loai, phan loai khach hang",
    "birthday": "birthday, birth date, birthdate, date of birth, dob, ngay sinh, sinh nhat, ngay thang nam sinh",
    "preferred_channel": "preferred channel, kenh ua thich, kenh lien he ua thich",
    "order": "order, order number, order no, order id, order code, ma don, ma don hang, so don hang",
    "order_state": "order state, order status, trang thai don, trang thai don hang, tinh trang don hang",
    "order_amount": "order amount, order total, order value, tong tien, tong tien don hang, gia tri don hang",
    "order_currency": "order currency, currency, tien te, loai tien",
    "order_items": "order items, item count, items count, so luong san pham, so mon",
    "order_products": "order products, products, san pham, ten san pham, mat hang",
    "order_placed_at": "order date, order time, ordered at, placed at, ngay dat, ngay dat hang, ngay mua hang",
    "order_updated_at": "order updated at, ngay cap nhat don, ngay cap nhat don hang",
    "payment": "payment, payment id, payment number, payment no, payment code, payment reference, transaction, "
    "transaction id, transaction number, transaction code, ma thanh toan, ma giao dich, so giao dich, ma "
    "phieu thu, so phieu thu",
    "payment_state": "payment state, payment status, transaction status, trang thai thanh toan, tinh trang thanh toan, "
    "trang thai giao dich",
    "payment_amount": "payment amount, amount paid, paid amount, transaction amount, so tien thanh toan, so tien da "
    "thanh toan, so tien giao dich, so tien da tra",
    "payment_currency": "payment currency, transaction currency, tien te thanh toan, loai tien thanh toan",
    "payment_method": "payment method, payment type, method of payment, paid by, phuong thuc thanh toan, hinh thuc "
    "thanh toan, cach thanh toan",
    "payment_order": "payment order, paid order, don hang thanh toan, thanh toan cho don, thanh toan cho don hang",
    "payment_at": "payment at, payment date, payment time, paid at, paid on, date paid, transaction date, transaction "
    "time, ngay thanh toan, thoi gian thanh toan, ngay giao dich, thoi gian giao dich, ngay thu tien",
    "payment_updated_at": "payment updated at, ngay cap nhat thanh toan, ngay cap nhat giao dich",
    "visit_at": "visit at, visit, visit date, visit time, visited at, visited on, date of visit, last visit, check in, "
    "checked in at, ngay den, ngay ghe, ngay ghe tham, ngay den cua hang, lan den cuoi, ngay kham, luot ghe",
    "visit_place": "visit place, visit location, visited store, visit store, store visited, cua hang den, noi den, noi "
    "ghe, cua hang ghe tham, chi nhanh den, dia diem ghe tham",
    "visit_purpose": "visit purpose, visit reason, reason for visit, purpose of visit, muc dich den, ly do den, muc "
    "dich ghe tham, ly do ghe tham",
    "need": "need, needs, nhu cau",
}
_FIELDS: Final[Mapping[str, Field]] = {
    name.strip(): field for field, names in _NAMES.items() for name in names.split(",")
}


class MapWrong(ValueError):
    """What somebody wrote for a column cannot be; the text says why and what mends it."""


def field_of(heading: str) -> Field | None:
    """Return what a column means, None for one that is not known."""
    key = _key(heading)
    return _FIELDS.get(key) or _FIELDS.get(_COUNT.sub("", key))


def chosen(pairs: Iterable[str]) -> dict[str, Field]:
    """Return the columns that somebody named, each as `Column=field`. Raises `MapWrong`."""
    found: dict[str, Field] = {}
    for pair in pairs:
        heading, sign, name = pair.rpartition("=")
        field = next((each for each in FIELDS if each == name.strip()), None)
        if not sign or not heading.strip() or field is None:
            raise MapWrong(f'`{pair}` maps nothing: write it as "Column=field", with one of {", ".join(FIELDS)}')
        found[heading.strip()] = field
    return found


def source_name(written: str) -> str:
    """Return the name of another system as it prefixes its ids. Raises `MapWrong`."""
    name = written.strip().lower()
    if name and not _SOURCE.fullmatch(name):
        raise MapWrong("a source is named by up to 32 of a-z, 0-9, - and _, with a letter first, such as salesforce")
    return name


def _key(heading: str) -> str:
    apart = heading if heading.isupper() else _HUMP.sub(" ", heading)
    return _NO_WORD.sub(" ", fold(apart)).strip()
