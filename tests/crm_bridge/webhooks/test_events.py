"""What events say."""

import json

from crm_bridge.webhooks.events import MAX_BODY_OCTETS, body_of, call_ended, event_id
from tests.crm_bridge.calls import CALL_ID, ended


def test_the_end_of_a_call_says_what_the_api_shows_of_it() -> None:
    told = call_ended(ended("c1"))
    assert told["summary"].startswith("Call to 19001234: greeting > menu > agent; waited 12 s in care; talked 45 s")
    assert (told["id"], told["customer"], told["ani"], told["agent"]) == (CALL_ID, "c1", "+84912345678", "an")
    assert (told["duration_s"], told["ended_by"], told["case"], told["trunk"]) == (67.0, "caller", None, None)
    assert "context" not in told


def test_an_id_has_no_full_stop_and_follows_its_key() -> None:
    assert event_id("call.ended", "k") == event_id("call.ended", "k") != event_id("call.ended", "l")
    assert event_id("call.ended", "") != event_id("call.ended", "")
    assert all("." not in event_id("call.ended", key) and len(event_id("call.ended", key)) <= 40 for key in ("", "k"))


def test_what_is_too_large_comes_with_its_ids() -> None:
    data = {"id": "i", "customer": "c", "channel": "zalo", "text": "ă" * MAX_BODY_OCTETS}
    assert json.loads(body_of("interaction.created", data, 0.0))["data"] == {
        "id": "i",
        "customer": "c",
        "channel": "zalo",
        "truncated": True,
    }
