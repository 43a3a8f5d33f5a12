"""Signatures: the vector of the specification, the code of the docs, and secrets that are none."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.webhooks.signature import TOLERANCE_S, headers, is_signed, key_of, sign
from tests.crm_bridge.webhooks.receiver import SECRET, documented_verify

ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
verify = documented_verify()


def test_the_vector_of_the_specification() -> None:
    assert sign([key_of(SECRET)], ID, TIMESTAMP, BODY) == SIGNATURE


def test_the_headers_carry_whole_seconds() -> None:
    assert headers([key_of(SECRET)], ID, TIMESTAMP + 0.9, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": str(TIMESTAMP),
        "webhook-signature": SIGNATURE,
    }


@given(
    keys=st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=2),
    body=st.binary(max_size=200),
    now=st.integers(0, 2**40),
    changed=st.integers(0, 199),
)
def test_the_docs_verify_what_is_signed_and_nothing_else(
    keys: list[bytes], body: bytes, now: int, changed: int
) -> None:
    sent = headers(keys, "msg_1", now, body)
    for key in keys:  # while a secret is changed, either verifies
        secret = "whsec_" + base64.b64encode(key).decode()
        assert verify(secret, sent, body, now=now)
        assert not verify(secret, sent, body, now=now + 301)
        assert not verify(secret, sent | {"webhook-id": "msg_2"}, body, now=now)
        assert not verify(secret, sent | {"webhook-timestamp": str(now + 1)}, body, now=now)
        other = bytearray(body or b"x")
        other[changed % len(other)] ^= 1 if body else 0
        assert not verify(secret, sent, bytes(other), now=now)


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_padding_is_not_needed(padding: str) -> None:
    assert key_of("whsec_" + base64.b64encode(b"k" * 25).decode().rstrip("=") + padding) == b"k" * 25


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        "whsec_not*base64*not*base64*not*base64",
        "whsec_é",
    ],
)
def test_what_is_no_secret_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="is no secret of webhooks: write whsec_") as refused:
        key_of(secret)
    assert len(secret) < 8 or secret not in str(refused.value)


@given(st.binary(max_size=64), st.integers(-400, 400))
def test_what_is_signed_is_known_for_five_minutes_and_by_either_key(body: bytes, off_s: int) -> None:
    now, old, new = 1_800_000_000.0, b"o" * 24, b"n" * 24
    signed = headers((new, old), "msg_1", now, body)
    fresh = abs(off_s) <= TOLERANCE_S
    assert is_signed((old,), signed, body, now + off_s) == fresh
    assert is_signed((new,), signed, body, now + off_s) == fresh
    assert not is_signed((b"x" * 24,), signed, body, now)
    assert not is_signed((new,), signed, body + b"x", now)
    assert not is_signed((new,), signed | {"webhook-id": "msg_2"}, body, now)
