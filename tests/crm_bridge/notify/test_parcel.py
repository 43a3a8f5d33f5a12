"""Ids, and the language of a text."""

from crm_bridge.notify.parcel import digits_of, in_language
from tests.crm_bridge.notify.conftest import EMAIL, ZALO


def test_the_same_key_is_the_same_message() -> None:
    assert digits_of("T-1") == digits_of("T-1") != digits_of("T-2")
    assert EMAIL.external_id("12") == "<12@shop.vn>"
    assert ZALO.external_id("12") == "out:12"


def test_the_words_are_in_the_persons_own_language_or_in_the_first() -> None:
    texts = {"vi": "Chào", "en": "Hello"}
    assert in_language(texts, "en") == ("en", "Hello")
    assert in_language(texts, "en-GB") == ("en", "Hello")
    assert in_language(texts, "ko") == in_language(texts, "") == ("vi", "Chào")
    assert in_language({"": "Chào"}, "en") == ("", "Chào")
    assert in_language({}, "en") == ("", "")
