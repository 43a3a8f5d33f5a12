"""Messenger: the question, the signature, and what its events become."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.shapes import InteractionIn
from tests.crm_bridge.channels.far_ends import MESSENGER, NOW, NOW_MS, PAGE, page, said_on_facebook, signed_by_meta
from tests.crm_bridge.channels.test_zalo import identities, json_values

RIGHT = {"hub.mode": "subscribe", "hub.verify_token": "made-up", "hub.challenge": "1158201444"}


def events(*messaging: dict[str, Any]) -> list[InteractionIn]:
    return MESSENGER.events(page(*messaging), "facebook", NOW)


def test_metas_question_is_answered_for_the_right_token_alone() -> None:
    assert MESSENGER.challenge(RIGHT) == "1158201444"
    for wrong in (
        {"hub.verify_token": "guess"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
        {"hub.challenge": "x" * 257},
        {"hub.challenge": "<é>"},
    ):
        assert MESSENGER.challenge(RIGHT | wrong) is None
    assert MESSENGER.challenge({}) is None


def test_a_body_is_metas_by_its_hmac_alone() -> None:
    body, headers = signed_by_meta(page(said_on_facebook("hi")))
    assert MESSENGER.is_signed(body, headers)
    _, forged = signed_by_meta(page(said_on_facebook("hi")), secret="guess")
    bare = headers["x-hub-signature-256"].removeprefix("sha256=")
    for wrong in ({}, forged, {"x-hub-signature-256": bare}, {"x-hub-signature-256": "sha256=é"}):
        assert not MESSENGER.is_signed(body, wrong)
    assert not MESSENGER.is_probe(b"{}")


@given(flipped=st.integers(0, 10_000), by=st.integers(1, 255))
def test_one_octet_changed_is_enough(flipped: int, by: int) -> None:
    body, headers = signed_by_meta(page(said_on_facebook("hi")))
    changed = bytearray(body)
    changed[flipped % len(body)] ^= by
    assert not MESSENGER.is_signed(bytes(changed), headers)


def test_messages_and_postbacks_are_events_in_their_order() -> None:
    postback = {"title": "Get started", "payload": "START", "mid": "m_2"}
    tapped = {"sender": {"id": "psid-2"}, "recipient": {"id": PAGE}, "timestamp": "1527459824", "postback": postback}
    first, second = events(said_on_facebook("hello, world!"), tapped)
    assert (first.channel, first.text, first.external_id) == ("facebook", "hello, world!", "m_1")
    assert first.occurred_at.timestamp() == NOW
    assert (identities(second), second.text) == ([("facebook", "psid-2")], "Get started")
    assert second.occurred_at.timestamp() == 1527459824
    assert second.attributes.stored() == {"event": "postback", "page": PAGE}


def test_a_tapped_quick_reply_gives_its_number() -> None:
    (event,) = events(said_on_facebook("+84912345678", quick_reply={"payload": "+84912345678"}))
    assert identities(event) == [("facebook", "psid-1"), ("phone", "+84912345678")]


def test_a_picture_is_kept_by_its_address() -> None:
    pictures = [{"type": "image", "payload": {"url": "https://cdn/1.jpg"}}, {"type": "x", "payload": {"url": "no url"}}]
    (event,) = events(said_on_facebook("", attachments=pictures))
    assert event.attributes.stored()["attachments"] == [
        {"type": "image", "url": "https://cdn/1.jpg"},
        {"type": "x", "url": ""},
    ]


def test_a_conversation_that_another_app_holds_is_heard_too() -> None:
    document = {"object": "page", "entry": [{"id": PAGE, "time": NOW_MS, "standby": [said_on_facebook("hi")]}]}
    assert [each.text for each in MESSENGER.events(document, "facebook", NOW)] == ["hi"]


@pytest.mark.parametrize(
    "each",
    [
        said_on_facebook("our own words", is_echo=True, app_id=1),
        {"sender": {"id": "psid-1"}, "delivery": {"mids": ["m_1"], "watermark": NOW_MS}},
        {"sender": {"id": "psid-1"}, "read": {"watermark": NOW_MS}},
        {"sender": {"id": "psid-1"}, "reaction": {"mid": "m_1", "action": "react"}},
        {"sender": {"user_ref": "x"}, "postback": {"title": "t", "mid": "m_3"}},
        {"sender": {"id": "psid-1"}, "message": {"mid": "m_4"}},
    ],
)
def test_what_is_no_event_of_a_timeline_is_none(each: dict[str, Any]) -> None:
    assert events(each) == []


def test_ids_of_instagram_are_none_of_messengers() -> None:
    assert MESSENGER.events(page(said_on_facebook("hi")) | {"object": "instagram"}, "facebook", NOW) == []


@given(json_values, json_values, json_values)
def test_whatever_is_signed_becomes_events_or_nothing(entry: Any, message: Any, timestamp: Any) -> None:
    MESSENGER.events({"object": "page", "entry": entry}, "facebook", NOW)
    MESSENGER.events({"object": "page", "entry": [{"messaging": entry}]}, "facebook", NOW)
    events({"sender": {"id": "1"}, "timestamp": timestamp, "message": message})
    (event,) = events({"sender": {"id": "1"}, "timestamp": timestamp, "message": {"mid": message, "text": "hi"}})
    assert event.text == "hi"
