"""The DNS, asked for real: dnsmasq answers on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dns.nameserver import Do53Nameserver

from telephony.edge import dns
from telephony.edge.dns import Dns, Unanswered
from telephony.sip.locate import Place
from telephony.sip.uri import parse_uri
from tests.end_to_end.pbx import Dnsmasq
from tests.end_to_end.running import HOST, free_port

RECORDS = (
    "--naptr-record=trunk.test,20,10,s,SIP+D2U,,_sip._udp.trunk.test",
    "--naptr-record=trunk.test,10,10,s,SIPS+D2T,,_sips._tcp.trunk.test",
    "--srv-host=_sip._udp.trunk.test,one.trunk.test,5070,10,10",
    "--srv-host=_sip._udp.trunk.test,two.trunk.test,5080,20,10",
    "--srv-host=_sips._tcp.trunk.test,two.trunk.test,5061,10,10",
    "--srv-host=_sip._tcp.tcp.test,one.trunk.test,5090,10,10",
    "--host-record=one.trunk.test,192.0.2.1",
    "--host-record=two.trunk.test,192.0.2.2,2001:db8::2",
    "--host-record=plain.test,192.0.2.9",
)


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Dnsmasq]:
    made = Dnsmasq(tmp_path, RECORDS)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def resolver(server: Dnsmasq, time: Time, monkeypatch: pytest.MonkeyPatch) -> Dns:
    monkeypatch.setattr(dns, "LIFETIME_S", 1.0)
    return Dns([(HOST, server.port)], time, lambda octets: "0" * 2 * octets)


async def test_naptr_leads_to_srv_and_srv_to_addresses(resolver: Dns) -> None:
    places, until = await resolver.locate(parse_uri("sip:trunk.test"))
    assert places == (
        Place("TLS", "192.0.2.2", 5061),
        Place("TLS", "2001:db8::2", 5061),
        Place("UDP", "192.0.2.1", 5070),
        Place("UDP", "192.0.2.2", 5080),
        Place("UDP", "2001:db8::2", 5080),
    )
    assert until == 1005.0  # what dnsmasq was told to say


async def test_srv_without_naptr_and_a_name_without_either(resolver: Dns) -> None:
    assert (await resolver.locate(parse_uri("sip:tcp.test")))[0] == (Place("TCP", "192.0.2.1", 5090),)
    assert (await resolver.locate(parse_uri("sip:plain.test")))[0] == (Place("UDP", "192.0.2.9", 5060),)
    assert (await resolver.locate(parse_uri("sip:plain.test:5099;transport=tls")))[0] == (
        Place("TLS", "192.0.2.9", 5099),
    )


async def test_a_name_that_is_none_leads_nowhere(resolver: Dns) -> None:
    assert (await resolver.locate(parse_uri("sip:nobody.test")))[0] == ()


async def test_an_answer_is_kept_as_long_as_it_says(resolver: Dns, server: Dnsmasq, time: Time) -> None:
    uri = parse_uri("sip:plain.test:5060")
    await resolver.locate(uri)
    asked = server.log().count("query[A]")
    await resolver.locate(uri)
    assert server.log().count("query[A]") == asked
    time.at += 5.1
    await resolver.locate(uri)
    assert server.log().count("query[A]") == asked + 1


async def test_a_dead_name_server_leaves_the_last_answer(resolver: Dns, server: Dnsmasq, time: Time) -> None:
    uri = parse_uri("sip:trunk.test")
    before, _ = await resolver.locate(uri)
    server.stop()
    time.at += 100
    places, until = await resolver.locate(uri)
    assert places == before
    assert until == time.at + dns.RETRY_S


async def test_with_nothing_known_a_dead_name_server_is_said_to_be_dead(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "LIFETIME_S", 0.3)
    resolver = Dns([(HOST, free_port())], time, lambda octets: "0" * 2 * octets)
    with pytest.raises(Unanswered):
        await resolver.locate(parse_uri("sip:trunk.test"))


async def test_an_address_is_never_asked_for(time: Time) -> None:
    resolver = Dns([(HOST, free_port())], time, lambda octets: "0" * 2 * octets)
    assert (await resolver.locate(parse_uri("sip:192.0.2.7;transport=tcp")))[0] == (Place("TCP", "192.0.2.7", 5060),)


async def test_the_systems_own_names_are_known_without_a_name_server(time: Time, server: Dnsmasq) -> None:
    resolver = Dns([], time, lambda octets: "0" * 2 * octets)
    resolver._resolver.nameservers = [Do53Nameserver(HOST, server.port)]
    places, _ = await resolver.locate(parse_uri("sip:localhost:5060"))
    assert Place("UDP", "127.0.0.1", 5060) in places


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "two..test"])
async def test_what_can_be_no_name_is_said_to_be_none(name: str, time: Time, server: Dnsmasq) -> None:
    resolver = Dns([], time, lambda octets: "0" * 2 * octets)
    resolver._resolver.nameservers = [Do53Nameserver(HOST, server.port)]
    with pytest.raises(Unanswered, match="DNS label"):
        await resolver.locate(parse_uri(f"sip:{name}:5060"))
