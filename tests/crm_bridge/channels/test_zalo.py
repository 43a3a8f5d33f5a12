"""Zalo: the signature, and what its events become."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.channels.message import parsed
from crm_bridge.shapes import InteractionIn
from tests.crm_bridge.channels.far_ends import NOW, NOW_MS, OA, ZALO, signed_by_zalo, zalo_event, zalo_text

USER = "246845883529197922"


def only(document: dict[str, Any]) -> InteractionIn:
    (event,) = ZALO.events(document, "zalo", NOW)
    return event


def identities(event: InteractionIn) -> list[tuple[str, str]]:
    return [(each.kind, each.value) for each in event.identities]


def test_a_body_is_zalos_by_the_timestamp_inside_or_by_that_of_the_header() -> None:
    for by_header in ("", "1800000000123"):
        body, headers = signed_by_zalo(zalo_text("chào"), by_header=by_header)
        assert ZALO.is_signed(body, headers)
        assert not ZALO.is_signed(body + b" ", headers)
    body, headers = signed_by_zalo(zalo_text("chào"))
    assert ZALO.is_signed(body, {"x-zevent-signature": headers["x-zevent-signature"].removeprefix("mac=")})


def test_what_somebody_else_signed_or_nobody_did_is_not_zalos() -> None:
    body, headers = signed_by_zalo(zalo_text("chào"), secret="guess")
    for wrong in (headers, {}, {"x-zevent-signature": ""}, {"x-zevent-signature": "mac=é"}):
        assert not ZALO.is_signed(body, wrong)
    # A part of the body cannot move into the timestamp: the MAC would be the same.
    body, headers = signed_by_zalo({"a": 1}, by_header="1")
    assert not ZALO.is_signed(body[:-1], headers | {"x-zevent-timestamp": "}1"})


@given(flipped=st.integers(0, 10_000), by=st.integers(1, 255))
def test_one_octet_changed_is_enough(flipped: int, by: int) -> None:
    body, headers = signed_by_zalo(zalo_text("xin chào"))
    changed = bytearray(body)
    changed[flipped % len(body)] ^= by
    assert not ZALO.is_signed(bytes(changed), headers)


def test_the_console_asks_with_nothing() -> None:
    assert ZALO.is_probe(b"{}\n")
    assert not ZALO.is_probe(json.dumps(zalo_text("x")).encode())


def test_a_text_is_an_event_of_the_user() -> None:
    event = only(zalo_text("Đơn hàng của tôi đâu?"))
    assert (event.channel, event.direction, event.text) == ("zalo", "inbound", "Đơn hàng của tôi đâu?")
    assert identities(event) == [("zalo", USER)]
    assert event.external_id == "96d3cdf3af150460909"
    assert event.occurred_at.timestamp() == NOW


def test_a_number_that_is_the_whole_message_is_said_and_one_in_a_sentence_is_not() -> None:
    assert identities(only(zalo_text(" 0912 345 678 ")))[1:] == [("phone", "0912 345 678")]
    assert identities(only(zalo_text("an@example.vn")))[1:] == [("email", "an@example.vn")]
    for sentence in ("gọi chồng tôi số 0912345678", "123", "đơn 123456789"):
        assert identities(only(zalo_text(sentence)))[1:] == []


def test_a_picture_is_kept_by_its_address() -> None:
    pictures = [{"type": "image", "payload": {"thumbnail": "https://t", "url": "https://f.zalo/1.jpg"}}]
    event = only(zalo_event("user_send_image", message={"msg_id": "m2", "attachments": pictures}))
    assert event.attributes.stored()["attachments"] == [{"type": "image", "url": "https://f.zalo/1.jpg"}]


def test_contact_details_give_a_number_and_a_name() -> None:
    info = {"phone": 84912345678, "name": "Nguyễn Thị An", "address": "1 Lê Lợi", "city": "Huế", "ward": ""}
    event = only(zalo_event("user_submit_info", info=info))
    assert identities(event) == [("zalo", USER), ("phone", "84912345678")]
    assert event.attributes.name == "Nguyễn Thị An"
    assert event.attributes.stored()["address"] == "1 Lê Lợi, Huế"
    assert event.external_id == f"user_submit_info:{USER}:{NOW_MS}"


def test_a_follower_is_an_event() -> None:
    document = {"oa_id": OA, "follower": {"id": "7"}, "event_name": "follow", "timestamp": str(NOW_MS)}
    event = only(document)
    assert (identities(event), event.subject) == ([("zalo", "7")], "Follows the Official Account")


@pytest.mark.parametrize(
    "document",
    [
        zalo_event("user_seen_message"),
        zalo_event("oa_send_text", message={"text": "x", "msg_id": "m"}),
        zalo_event("anonymous_send_text", message={"text": "x", "msg_id": "m"}),
        zalo_event("user_send_group_text", message={"text": "x", "msg_id": "m"}),
        zalo_event("user_send_text", user="", message={"text": "x", "msg_id": "m"}),
        {},
    ],
)
def test_what_is_no_event_of_a_timeline_is_none(document: dict[str, Any]) -> None:
    assert ZALO.events(document, "zalo", NOW) == []


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    event=st.sampled_from(["user_send_text", "user_submit_info", "follow", "user_send_image"]),
    sender=json_values,
    members=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("message", "info", "follower", "timestamp", "app_id"), json_values)
    ),
)
def test_whatever_is_signed_becomes_events_or_nothing(event: str, sender: Any, members: dict[str, Any]) -> None:
    document = zalo_event(event) | {"sender": sender} | members
    assert len(ZALO.events(document, "zalo", NOW)) <= 1
    assert len(ZALO.events(document | {"sender": {"id": "1"}}, "zalo", NOW)) == (event != "follow" or _has_id(document))


def _has_id(document: dict[str, Any]) -> bool:
    return bool(ZALO.events(document, "zalo", NOW))


@given(st.binary(max_size=200))
def test_octets_that_are_no_object_hold_nothing(body: bytes) -> None:
    assert isinstance(parsed(body), dict)
    assert parsed(b"[" * 100_000) == {}
    assert not ZALO.is_signed(body, {"x-zevent-signature": "mac=" + "0" * 64})
