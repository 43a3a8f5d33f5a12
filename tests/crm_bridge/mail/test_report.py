"""Reports of what was not delivered, as servers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.mail.report import Returned, returned

POSTFIX = """From: MAILER-DAEMON@mx.shop.vn (Mail Delivery System)
To: care@shop.vn
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9B095B5ADSN.1.mx.shop.vn"

--9B095B5ADSN.1.mx.shop.vn
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--9B095B5ADSN.1.mx.shop.vn
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.vn
Arrival-Date: Mon, 16 Nov 2026 11:59:00 +0700 (ICT)

Final-Recipient: rfc822; an@example.vn
Original-Recipient: rfc822;an@example.vn
Action: {action}
Status: 5.1.1
Remote-MTA: dns; mx.example.vn
Diagnostic-Code: smtp; 550 5.1.1 <an@example.vn>: Recipient
    address rejected: no such user

--9B095B5ADSN.1.mx.shop.vn
Content-Description: Undelivered Message
Content-Type: {original}

From: Shop <care@shop.vn>
To: an@example.vn
Message-ID: <1@shop.vn>

Hello
--9B095B5ADSN.1.mx.shop.vn--
"""


def report(action: str = "failed", original: str = "message/rfc822", **change: str) -> bytes:
    text = POSTFIX.format(action=action, original=original)
    for one, other in change.items():
        text = text.replace(one, other)
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers", "message/global-headers"])
def test_what_failed_for_good_comes_back_with_its_cause(original: str) -> None:
    cause = "550 5.1.1 <an@example.vn>: Recipient address rejected: no such user"
    assert returned(report(original=original)) == Returned("<1@shop.vn>", cause)


def test_without_a_diagnosis_the_status_is_the_cause() -> None:
    assert returned(report().replace(b"Diagnostic-Code", b"X-Diagnostic")) == Returned("<1@shop.vn>", "5.1.1")


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_late_or_arrived_does_not(action: str) -> None:
    assert returned(report(action)) is None


@pytest.mark.parametrize("without", [b"Message-ID", b"Action", b"message/delivery-status", b"message/rfc822"])
def test_a_report_without_one_of_its_parts_says_nothing(without: bytes) -> None:
    assert returned(report().replace(without, b"X-Nothing")) is None


@given(st.binary(max_size=400), st.integers(0, 1500))
def test_whatever_comes_is_read(noise: bytes, at: int) -> None:
    whole = report()
    found = returned(whole[:at] + noise + whole[at:])
    assert found is None or found.message_id
    returned(noise)
