"""Where a URI leads (RFC 3263), with the DNS's answers in a table."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.sip.locate import Naptr, Open, Place, Question, Record, Srv, in_order, locate
from telephony.sip.uri import parse_uri

Zone = dict[tuple[str, str], tuple[Record, ...]]

ZONE: Zone = {
    ("example.com", "NAPTR"): (
        Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.example.com."),
        Naptr(10, 50, "s", "SIP+D2T", "_sip._tcp.example.com."),
        Naptr(10, 10, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(5, 10, "s", "H323+D2T", "_h323._tcp.example.com."),
    ),
    ("_sip._udp.example.com", "SRV"): (Srv(20, 0, 5070, "B.example.com."), Srv(10, 0, 5060, "a.example.com")),
    ("_sip._tcp.example.com", "SRV"): (Srv(10, 0, 5060, "a.example.com"),),
    ("_sips._tcp.example.com", "SRV"): (Srv(10, 0, 5061, "a.example.com"),),
    ("a.example.com", "A"): ("192.0.2.1", "192.0.2.2"),
    ("a.example.com", "AAAA"): ("2001:db8::1",),
    ("b.example.com", "A"): ("192.0.2.3",),
    ("_sip._udp.srv.example.com", "SRV"): (Srv(1, 1, 5080, "b.example.com"),),
    ("plain.example.com", "A"): ("192.0.2.9",),
    ("_sip._udp.closed.example.com", "SRV"): (Srv(0, 0, 0, "."),),
}


def first(_octets: int) -> str:
    return "00000000"


def resolve(uri: str, zone: Zone = ZONE, token: Callable[[int], str] = first) -> tuple[tuple[Place, ...], list[str]]:
    """Answer questions until there are none; return the places and what was asked."""
    answers: dict[Question, tuple[Record, ...]] = {}
    asked: list[str] = []
    for _ in range(10):
        found = locate(parse_uri(uri), answers, token)
        if not isinstance(found, Open):
            return found, asked
        for question in found.questions:
            asked.append(f"{question.kind} {question.name}")
            answers[question] = zone.get((question.name, question.kind), ())
    raise AssertionError("questions without end")


class TestWithoutDns:
    @pytest.mark.parametrize(
        ("uri", "place"),
        [
            ("sip:192.0.2.1", Place("UDP", "192.0.2.1", 5060)),
            ("sip:192.0.2.1:5070;transport=tcp", Place("TCP", "192.0.2.1", 5070)),
            ("sip:[2001:db8::1];transport=tls", Place("TLS", "2001:db8::1", 5061)),
            ("sips:192.0.2.1", Place("TLS", "192.0.2.1", 5061)),
            ("sips:192.0.2.1;transport=tcp", Place("TLS", "192.0.2.1", 5061)),
            ("sips:192.0.2.1;transport=udp", Place("TLS", "192.0.2.1", 5061)),  # never in the clear
        ],
    )
    def test_an_address_needs_no_name_server(self, uri: str, place: Place) -> None:
        assert resolve(uri) == ((place,), [])


class TestNaptr:
    def test_its_order_and_preference_choose_the_transport(self) -> None:
        places, asked = resolve("sip:example.com")
        assert asked[0] == "NAPTR example.com"
        assert places[0] == Place("TLS", "192.0.2.1", 5061)
        assert [place.transport for place in places] == ["TLS"] * 3 + ["TCP"] * 3 + ["UDP"] * 4
        assert places[-1] == Place("UDP", "192.0.2.3", 5070)

    def test_sips_takes_tls_alone(self) -> None:
        places, _ = resolve("sips:example.com")
        assert {place.transport for place in places} == {"TLS"}

    def test_without_it_every_transport_is_asked_for(self) -> None:
        places, asked = resolve("sip:srv.example.com")
        assert places == (Place("UDP", "192.0.2.3", 5080),)
        assert [each for each in asked if each.startswith("SRV")] == [
            "SRV _sip._udp.srv.example.com",
            "SRV _sip._tcp.srv.example.com",
            "SRV _sips._tcp.srv.example.com",
        ]


class TestSrv:
    def test_a_transport_that_is_said_is_asked_for_alone(self) -> None:
        places, asked = resolve("sip:example.com;transport=udp")
        assert asked[0] == "SRV _sip._udp.example.com"
        assert places[0] == Place("UDP", "192.0.2.1", 5060)

    def test_a_port_that_is_said_needs_addresses_alone(self) -> None:
        places, asked = resolve("sip:plain.example.com:5090")
        assert places == (Place("UDP", "192.0.2.9", 5090),)
        assert asked == ["A plain.example.com", "AAAA plain.example.com"]

    def test_without_any_the_name_itself_is_the_host(self) -> None:
        assert resolve("sip:plain.example.com")[0] == (Place("UDP", "192.0.2.9", 5060),)
        assert resolve("sips:plain.example.com")[0] == (Place("TLS", "192.0.2.9", 5061),)
        assert resolve("sip:plain.example.com;transport=tcp")[0] == (Place("TCP", "192.0.2.9", 5060),)

    def test_a_dot_says_that_there_is_no_such_service(self) -> None:
        assert resolve("sip:closed.example.com")[0] == ()

    def test_a_name_that_is_none_leads_nowhere(self) -> None:
        assert resolve("sip:nowhere.example.com")[0] == ()

    def test_weights_share_the_load(self) -> None:
        records = [Srv(1, 1, 1, "one"), Srv(1, 3, 3, "three"), Srv(2, 9, 9, "later")]
        drawn: Counter[str] = Counter()
        for number in range(1000):
            ordered = in_order(records, lambda _octets, number=number: f"{number:08x}")  # type: ignore[misc]
            assert ordered[-1].target == "later"
            drawn[ordered[0].target] += 1
        assert 550 < drawn["three"] < 850

    @given(
        st.lists(
            st.builds(Srv, st.integers(0, 3), st.integers(0, 65535), st.integers(1, 65535), st.just("a.example.com")),
            max_size=12,
        ),
        st.integers(0, 2**32 - 1),
    )
    def test_every_record_comes_once_and_by_priority(self, records: list[Srv], drawn: int) -> None:
        ordered = in_order(records, lambda _octets: f"{drawn:08x}")
        assert sorted(ordered, key=repr) == sorted(records, key=repr)
        assert [each.priority for each in ordered] == sorted(each.priority for each in records)


NAMES = st.sampled_from(["a.example", "b.example", "_sip._udp.a.example", "192.0.2.7", ".", ""])
RECORDS = st.lists(
    st.one_of(
        st.builds(Srv, st.integers(0, 3), st.integers(0, 9), st.integers(0, 65535), NAMES),
        st.builds(
            Naptr,
            st.integers(0, 3),
            st.integers(0, 3),
            st.sampled_from(["s", "S", "u", ""]),
            st.sampled_from(["SIP+D2U", "sip+d2t", "SIPS+D2T", "E2U+sip", ""]),
            NAMES,
        ),
        st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    ),
    max_size=4,
).map(tuple)


@given(
    st.sampled_from(["sip:a.example", "sips:a.example", "sip:a.example;transport=tcp", "sip:a.example:5070"]),
    st.dictionaries(st.tuples(NAMES, st.sampled_from(["NAPTR", "SRV", "A", "AAAA"])), RECORDS),
)
def test_no_zone_makes_it_ask_for_ever(uri: str, zone: Zone) -> None:
    places, _ = resolve(uri, zone)
    assert len(set(places)) == len(places)
