"""Where to go when a connection is gone: to the same host by the same means, or nowhere."""

import pytest

from telephony.sip.address import Address, Flow, Remote
from telephony.sip.detour import transport_asked, way_of_requests, way_of_responses
from telephony.sip.message import parse_via
from telephony.sip.uri import parse_uri

HOST = "192.0.2.9"
TCP, TLS = Flow(HOST, 40_000, "c", "TCP"), Flow(HOST, 40_000, "c", "TLS")
PROXY = Remote("198.51.100.1", 5061, "TLS", "sip.example.com")


@pytest.mark.parametrize(
    ("flow", "next_hop", "way"),
    [
        (TCP, f"sip:desk@{HOST}:5070;transport=tcp", Remote(HOST, 5070, "TCP")),
        (TCP, f"sip:desk@{HOST};transport=TCP", Remote(HOST, 5060, "TCP")),
        (TCP, f"sip:desk@{HOST};transport=tls", Remote(HOST, 5061, "TLS")),
        (TCP, f"sips:desk@{HOST}", Remote(HOST, 5061, "TLS")),
        (TCP, f"sip:desk@{HOST}:5070", (HOST, 5070)),
        (TLS, f"sip:desk@{HOST}:5071;transport=tls", Remote(HOST, 5071, "TLS")),
        (TLS, f"sips:desk@{HOST};transport=tcp", Remote(HOST, 5061, "TLS")),
        (TLS, f"sip:desk@{HOST};transport=tcp", None),
        (TLS, f"sip:desk@{HOST}", None),
        (TCP, "sip:desk@10.0.0.7;transport=tcp", None),
        (TCP, "sip:desk@victim.example;transport=tcp", None),
        (TCP, f"sip:desk@{HOST};transport=ws", None),
        (TCP, f"sip:desk@{HOST};transport=sctp", None),
        (Flow(HOST, 40_000, "c", "WS"), f"sip:desk@{HOST};transport=tcp", None),
        (Flow(HOST, 40_000, "c", "WSS"), f"sip:desk@{HOST};transport=tls", None),
        (
            Flow("2001:db8::9", 40_000, "c", "TCP"),
            "sip:d@[2001:db8::9];transport=tcp",
            Remote("2001:db8::9", 5060, "TCP"),
        ),
        (Flow("2001:db8::9", 40_000, "c", "TCP"), "sip:d@[2001:DB8:0::9]:5070", ("2001:db8::9", 5070)),
        (Flow(PROXY.host, 5061, "c", "TLS", PROXY), "sip:trunk@victim.example", PROXY),
    ],
)
def test_requests_go_to_the_same_host_or_to_whom_we_had_connected_to(
    flow: Flow, next_hop: str, way: Address | None
) -> None:
    assert way_of_requests(flow, parse_uri(next_hop)) == way


@pytest.mark.parametrize(
    ("flow", "via", "way"),
    [
        (TCP, f"SIP/2.0/TCP {HOST}:5070;branch=z9hG4bK1", Remote(HOST, 5070, "TCP")),
        (TCP, f"SIP/2.0/TCP {HOST};branch=z9hG4bK1", Remote(HOST, 5060, "TCP")),
        (TLS, f"SIP/2.0/TLS {HOST};branch=z9hG4bK1", Remote(HOST, 5061, "TLS")),
        (TCP, "SIP/2.0/TCP 10.0.0.7:5060;branch=z9hG4bK1", None),
        (TCP, "SIP/2.0/TCP pbx.example.com;branch=z9hG4bK1", None),
        (Flow(HOST, 40_000, "c", "WS"), f"SIP/2.0/WS {HOST};branch=z9hG4bK1", None),
    ],
)
def test_responses_go_to_the_source_where_it_is_what_via_says(flow: Flow, via: str, way: Remote | None) -> None:
    assert way_of_responses(flow, parse_via(via)) == way


def test_a_transport_is_asked_for_by_name_or_by_sips() -> None:
    assert transport_asked(parse_uri("sip:a@b")) == "UDP"
    assert transport_asked(parse_uri("sips:a@b")) == "TLS"
    assert transport_asked(parse_uri("sip:a@b;transport=Tls")) == "TLS"
    assert transport_asked(parse_uri("sip:a@b;transport=sctp")) is None
