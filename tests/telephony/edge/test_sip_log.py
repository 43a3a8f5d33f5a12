"""What the log says of refusals: what is wrong with the sender, and what is the matter with us, are told apart."""

import pytest
from structlog.testing import capture_logs

from telephony.edge.sip_log import log_refusal
from telephony.events import MessageRejected, RegistrationRefused


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (MessageRejected("192.0.2.1:5060", 400, "No Via", 0), "bad SIP message"),
        (MessageRejected("192.0.2.1:5060", 0, "Not SIP", 0), "bad SIP message"),
        (MessageRejected("192.0.2.1:5060", 503, "Overload", 0), "SIP that we had no room for"),
        (RegistrationRefused("anna", "192.0.2.1:5060", 0), "wrong SIP credentials"),
    ],
)
def test_each_has_its_sentence(event: MessageRejected | RegistrationRefused, said: str) -> None:
    with capture_logs() as logs:
        log_refusal(event)
    assert [line["event"] for line in logs] == [said]
    assert logs[0]["source"] == "192.0.2.1:5060"
    assert "unreported" not in logs[0]


def test_how_many_went_untold() -> None:
    with capture_logs() as logs:
        log_refusal(MessageRejected("192.0.2.1:5060", 503, "Overload", 7))
    assert logs[0]["unreported"] == 7
