"""What is said in place of a password."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from crm_bridge import sasl

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def said(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


def test_oauthbearer_is_that_of_rfc_7628() -> None:
    how = sasl.bearer(["PLAIN", "XOAUTH2", "OAUTHBEARER"], "user@example.com", "server.example.com", 143, TOKEN)
    assert how is not None
    assert how.mechanism == "OAUTHBEARER"
    # The example of section 4.1.
    expected = f"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {TOKEN}\x01\x01"
    assert said(how.first) == expected
    assert how.after_no == "AQ=="


def test_xoauth2_is_that_of_google_and_microsoft() -> None:
    how = sasl.bearer(["XOAUTH2"], "test@contoso.onmicrosoft.com", "h", 1, "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA")
    assert how is not None
    # The example of Microsoft's page on OAuth for IMAP, POP and SMTP.
    assert how.first == (
        "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVy"
        "IEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
    )


def test_who_takes_no_tokens_gets_none() -> None:
    assert sasl.bearer(["PLAIN", "LOGIN"], "u", "h", 1, TOKEN) is None


@given(st.text(), st.text())
def test_plain_holds_any_name_and_password(user: str, password: str) -> None:
    try:
        encoded = sasl.plain(user, password)
    except UnicodeEncodeError:
        return
    assert base64.b64decode(encoded) == b"\0" + user.encode() + b"\0" + password.encode()
