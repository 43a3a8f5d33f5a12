"""A form: how it is read, and what it may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.channels.form import Form, FormFault, FormUnreadable, fields_of
from tests.crm_bridge.channels.far_ends import NOW

FORM = Form(frozenset({"https://www.example.com"}), "website_url")
ENCODED = "application/x-www-form-urlencoded"


def test_json_and_form_encoding_say_the_same() -> None:
    encoded = fields_of(b"name=Nguy%E1%BB%85n+An&phone=0912+345+678&text=", ENCODED)
    said = fields_of(
        '{"name": "Nguyễn An", "phone": "0912 345 678", "text": "", "x": null}'.encode(), "application/json"
    )
    assert encoded == said == {"name": "Nguyễn An", "phone": "0912 345 678", "text": ""}
    assert fields_of(b'{"phone": 84912345678, "yes": true}', "application/json; charset=utf-8") == {
        "phone": "84912345678",
        "yes": "true",
    }


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x"])
def test_other_types_cannot_be_read(kind: str) -> None:
    with pytest.raises(FormUnreadable):
        fields_of(b"{}", kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"phone": ["1"]}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"name=%FF", ENCODED),
        (b"&".join(b"f%d=1" % number for number in range(51)), ENCODED),
    ],
)
def test_a_body_that_is_not_what_its_type_says_is_a_fault(body: bytes, kind: str) -> None:
    with pytest.raises(FormFault):
        fields_of(body, kind)


def test_a_form_is_an_event_of_claims() -> None:
    fields = {
        "name": "An",
        "phone": "0168 234 5678",
        "email": "AN@example.vn",
        "text": "Gọi lại",
        "id": "7",
        "size": "L",
    }
    event = FORM.submission(fields, "website", NOW, "VN")
    assert [(each.kind, each.value) for each in event.identities] == [
        ("phone", "0168 234 5678"),
        ("email", "AN@example.vn"),
    ]
    assert (event.channel, event.text, event.external_id) == ("website", "Gọi lại", "form:7")
    assert event.attributes.stored() == {"name": "An", "fields": {"size": "L"}}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "An"}, ""),
        ({"phone": "113"}, "#/phone"),
        ({"email": "an"}, "#/email"),
        ({"phone": "0912345678", "name": "x" * 201}, "#/name"),
        ({"phone": "0912345678", "text": "a\x00b"}, "#/text"),
        ({"phone": "0912345678", "other": "x" * 1001}, ""),
        ({"phone": "0912345678"} | {f"f{number}": "x" * 1000 for number in range(20)}, ""),
    ],
)
def test_a_fault_names_its_field_and_not_what_stands_there(fields: dict[str, str], pointer: str) -> None:
    with pytest.raises(FormFault) as caught:
        FORM.submission(fields, "website", NOW, "VN")
    assert caught.value.pointer == pointer
    assert not any(value in str(caught.value) for value in fields.values() if len(value) > 4)


def test_a_program_is_known_by_what_people_do_not_see() -> None:
    assert FORM.is_of_a_program({"website_url": "https://spam"})
    assert not FORM.is_of_a_program({"website_url": "", "phone": "0912345678"})


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=5))
def test_any_fields_are_an_event_or_a_fault(others: dict[str, Any]) -> None:
    try:
        event = FORM.submission(others | {"phone": "0912345678"}, "website", NOW, "VN")
    except FormFault:
        return
    assert event.identities[0].value == "0912345678"
