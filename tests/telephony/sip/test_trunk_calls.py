"""Calls over trunks in virtual time: out by the ways that there are, and in from those we know."""

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    DialogAnswered,
    DialogEnded,
    Hangup,
    Invite,
    InviteReceived,
    Reject,
    Ring,
    TrunkChanged,
)
from telephony.sip.address import Flow, Remote
from telephony.sip.endpoint import Endpoint
from telephony.sip.invitation import Credentials
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.numbering import NumberFormat
from telephony.sip.settings import EndpointSettings
from telephony.sip.trunk_calls import Sources
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import parse_uri
from tests.telephony.sip.messages import write_request
from tests.telephony.sip.test_trunk_layer import SECOND, TARGETS, Trunks, trunk
from tests.telephony.sip.wire import DESK, HOTLINE, capabilities, make_endpoint

OFFER = sdp.offer(capabilities(HOTLINE))


def call(wire: Trunks, to: str = "+84912345678", number: str = "+842873001234", **changes: object) -> None:
    wire.perform(HOTLINE, Invite("out", "", number, "", OFFER, trunk="pbx", to=to, **changes))  # type: ignore[arg-type]


def answering(wire: Trunks, address: tuple[str, int], status: int = 200) -> None:
    """Whoever is at an address answers each INVITE, or refuses it."""

    def react(event: object) -> list[Answer | Reject]:
        if not isinstance(event, InviteReceived):
            return []
        if status >= 300:
            return [Reject(event.dialog, status, "")]
        return [Answer(event.dialog, sdp.answer(event.sdp, capabilities(address)).sdp)]

    wire.reactions[address] = react  # type: ignore[assignment]


def peer(**changes: object) -> TrunkSettings:
    return trunk(**{"register": False, "credentials": None, "domain": "own.example", **changes})


class TestOut:
    def test_an_invite_goes_to_the_trunk_in_its_own_form(self) -> None:
        wire = Trunks(peer(called="national", caller="00", prefix="9"))
        wire.pbx()
        answering(wire, DESK)
        call(wire)
        wire.run(1)
        sent = wire.requests("INVITE")[0]
        assert sent.target == "sip:90912345678@192.0.2.2"
        assert sent.to.uri.user == "90912345678"
        assert sent.from_.uri.write() == "sip:00842873001234@own.example"
        assert "sip:trunk-pbx@" in sent.headers.get("contact")
        assert [event.dialog for event in wire.told(HOTLINE, DialogAnswered)] == ["out"]
        wire.perform(HOTLINE, Hangup("out"))
        wire.run(100)
        assert wire.hotline.load() == (0, 0, 0)

    def test_an_extension_is_left_as_it_is(self) -> None:
        wire = Trunks(peer(called="national"))
        call(wire, to="217")
        assert wire.requests("INVITE")[0].target == "sip:217@192.0.2.2"

    def test_the_challenge_is_answered_and_the_call_goes_on(self) -> None:
        wire = Trunks(trunk(register=False))
        wire.pbx()
        call(wire)
        first = wire.requests("INVITE")[0]
        challenge = Response(407, "Proxy Authentication Required", first.headers)
        challenge.headers.set("to", first.headers.get("to") + ";tag=far")
        challenge.headers.set("proxy-authenticate", 'Digest realm="pbx", nonce="n", qop="auth", algorithm=SHA-256')
        wire.inject(challenge.write(), DESK, HOTLINE)
        second = wire.requests("INVITE")[1]
        assert second.cseq.number == first.cseq.number + 1
        assert 'username="desk"' in second.headers.get("proxy-authorization")
        assert 'uri="sip:+84912345678@192.0.2.2"' in second.headers.get("proxy-authorization")

    def test_the_next_target_is_tried_after_503_and_not_after_486(self) -> None:
        wire = Trunks(peer(targets=TARGETS))
        for address, status in ((DESK, 503), (SECOND, 200)):
            wire.pbx(address)
            answering(wire, address, status)
        call(wire)
        wire.run(1)
        assert wire.told(HOTLINE, DialogAnswered)
        busy = Trunks(peer(targets=TARGETS))
        for address in (DESK, SECOND):
            busy.pbx(address)
            answering(busy, address, 486)
        call(busy)
        busy.run(1)
        assert [(event.ending, event.status) for event in busy.told(HOTLINE, DialogEnded)] == [("rejected", 486)]
        assert {each.destination for each in busy.sent if each.source == HOTLINE} == {DESK}

    def test_a_target_that_does_not_say_a_word_is_given_up_within_seconds(self) -> None:
        wire = Trunks(peer(targets=TARGETS, patience_s=3.0))
        wire.pbx(SECOND)
        answering(wire, SECOND)
        call(wire)
        wire.run(3.5)
        assert wire.told(HOTLINE, DialogAnswered)
        wire.perform(HOTLINE, Hangup("out"))
        wire.run(100)
        assert wire.hotline.load() == (0, 0, 0)

    def test_a_target_that_speaks_after_all_is_cancelled_or_hung_up(self) -> None:
        wire = Trunks(peer(targets=TARGETS, patience_s=3.0))
        wire.pbx(SECOND)
        answering(wire, SECOND)
        call(wire)
        wire.run(3.5)
        wire.pbx(DESK)  # it is back, hears a retransmission, and answers at once
        answering(wire, DESK)
        wire.run(20)
        to_first = [each.name for each in wire.sent if each.source == HOTLINE and each.destination == DESK]
        assert to_first[-1] == "BYE"
        assert "ACK" in to_first
        assert len(wire.told(HOTLINE, DialogAnswered)) == 1
        assert not wire.told(HOTLINE, DialogEnded)
        assert wire.endpoints[DESK].load()[1] == 0

    def test_a_target_that_rings_after_all_is_cancelled(self) -> None:
        wire = Trunks(peer(targets=TARGETS, patience_s=3.0))
        wire.pbx(SECOND)
        answering(wire, SECOND)
        call(wire)
        wire.run(3.5)
        wire.pbx(DESK)
        wire.reactions[DESK] = lambda event: [Ring(event.dialog)] if isinstance(event, InviteReceived) else []
        wire.run(40)
        assert [(event.ending, event.status) for event in wire.told(DESK, DialogEnded)] == [("cancelled", 487)]

    def test_the_last_target_is_waited_for_whatever_became_of_those_before(self) -> None:
        wire = Trunks(peer(targets=TARGETS, patience_s=3.0))
        wire.pbx()
        answering(wire, DESK, 503)
        call(wire)
        wire.run(10)
        to_second = [each for each in wire.sent if each.destination == SECOND]
        assert len({parse_datagram(each.data).via.branch for each in to_second}) == 1

    def test_the_only_target_is_waited_for(self) -> None:
        wire = Trunks(peer(patience_s=3.0))
        call(wire)
        wire.run(31)
        assert not wire.told(HOTLINE, DialogEnded)
        wire.run(2)
        assert [event.ending for event in wire.told(HOTLINE, DialogEnded)] == ["timed_out"]

    def test_a_target_that_was_silent_is_tried_last_from_then_on(self) -> None:
        wire = Trunks(peer(targets=TARGETS, patience_s=3.0))
        wire.pbx(SECOND)
        answering(wire, SECOND)
        call(wire)
        wire.run(40)
        wire.perform(HOTLINE, Invite("again", "", "", "", OFFER, trunk="pbx", to="+84912345678"))
        assert wire.sent[-1].destination == SECOND

    def test_without_an_address_the_call_ends_at_once(self) -> None:
        wire = Trunks(peer(targets=(parse_uri("sip:pbx.example.com"),)))
        call(wire)
        assert [(event.ending, event.status) for event in wire.told(HOTLINE, DialogEnded)] == [("rejected", 503)]


class TestWhoCalls:
    def test_a_withheld_caller_is_asserted_and_not_shown(self) -> None:
        wire = Trunks(peer())
        call(wire, withheld=True)
        sent = wire.requests("INVITE")[0]
        assert sent.from_.uri.write() == "sip:anonymous@anonymous.invalid"
        assert sent.headers.get("privacy") == "id"
        assert sent.headers.get("p-asserted-identity") == "<sip:+842873001234@own.example>"

    def test_a_trunk_that_wants_its_account_in_from_gets_the_number_beside_it(self) -> None:
        wire = Trunks(trunk(register=False, shows_account=True, domain="provider.example"))
        call(wire)
        sent = wire.requests("INVITE")[0]
        assert sent.from_.uri.write() == "sip:desk@provider.example"
        assert sent.headers.get("p-asserted-identity") == "<sip:+842873001234@provider.example>"

    def test_without_a_number_the_account_calls(self) -> None:
        wire = Trunks(trunk(register=False))
        call(wire, number="")
        assert wire.requests("INVITE")[0].from_.uri.write() == "sip:desk@192.0.2.2"

    def test_a_forwarded_call_says_for_whom_it_was(self) -> None:
        wire = Trunks(peer())
        wire.pbx()
        call(wire, diverted="+842873001234")
        wire.run(0.1)
        sent = wire.requests("INVITE")[0]
        assert sent.headers.get("diversion") == "<sip:+842873001234@192.0.2.2>;reason=unconditional"
        assert "index=1.1;mp=1" in sent.headers.get("history-info")


class TestIn:
    def hotline(self, *, numbers: tuple[str, ...] = (), **changes: object) -> Trunks:
        wire = Trunks(peer(**changes))
        chosen = EndpointSettings(address=HOTLINE, trunks=(peer(**changes),), numbers=numbers)
        wire.hotline = wire.attach(HOTLINE, make_endpoint(HOTLINE, "a", chosen))
        wire.run(0)
        return wire

    def arrive(self, wire: Trunks, data: bytes, source: tuple[str, int] = DESK) -> InviteReceived:
        wire.inject(data, source, HOTLINE)
        return wire.told(HOTLINE, InviteReceived)[-1]

    def test_a_call_from_a_target_is_the_trunks_and_what_it_asserts_counts(self) -> None:
        wire = self.hotline()
        data = write_request(fields=("P-Asserted-Identity: <sip:0912345678@pbx>",), sender="<sip:17@pbx>;tag=x")
        event = self.arrive(wire, data)
        assert (event.trunk, event.number) == ("pbx", "+84912345678")

    def test_from_anybody_else_it_is_nobodys(self) -> None:
        wire = self.hotline()
        data = write_request(fields=("P-Asserted-Identity: <sip:0912345678@pbx>",), sender="<sip:17@pbx>;tag=x")
        event = self.arrive(wire, data, ("198.51.100.1", 5060))
        assert event.trunk == ""
        assert event.number != "+84912345678"

    def test_sources_are_addresses_networks_and_ports(self) -> None:
        sources = Sources(("192.0.2.0/24", "198.51.100.7", "203.0.113.9:5070", "2001:db8::/32", "[2001:dead::1]:5080"))
        assert sources.have("192.0.2.77", 1)
        assert sources.have("198.51.100.7", 1)
        assert sources.have("203.0.113.9", 5070)
        assert not sources.have("203.0.113.9", 5060)
        assert sources.have("2001:db8::77", 1)
        assert sources.have("2001:dead::1", 5080)
        assert not sources.have("198.51.100.8", 1)
        assert not sources.have("no address", 1)

    @pytest.mark.parametrize(
        ("form", "dialled", "told"),
        [
            ("national", "02873001234", "+842873001234"),
            ("digits", "842873001234", "+842873001234"),
            ("e164", "+842873001234", "+842873001234"),
            ("e164", "100", "100"),
        ],
    )
    def test_what_was_dialled_is_told_as_the_settings_have_it(
        self, form: NumberFormat, dialled: str, told: str
    ) -> None:
        wire = self.hotline(called=form, numbers=("+842873001234", "100"))
        event = self.arrive(wire, write_request(target=f"sip:{dialled}@192.0.2.1"))
        assert event.dnis == told

    def test_a_pbx_calls_the_contact_that_we_registered_for_the_number_in_to(self) -> None:
        wire = self.hotline()
        data = write_request(target="sip:trunk-pbx@192.0.2.1", to="<sip:217@192.0.2.2>")
        assert self.arrive(wire, data).dnis == "217"

    def test_number_from_to_says_so_for_every_call(self) -> None:
        wire = self.hotline(number_from="to")
        data = write_request(target="sip:anything@192.0.2.1", to="<sip:217@192.0.2.2>")
        assert self.arrive(wire, data).dnis == "217"

    def test_everything_of_a_machine_is_at_its_loopback_address_so_the_port_counts(self) -> None:
        wire = self.hotline(targets=(parse_uri("sip:127.0.0.1:5070"),))
        assert self.arrive(wire, write_request(), ("127.0.0.1", 5062)).trunk == ""
        assert (
            self.arrive(wire, write_request(call_id="other", branch="z9hG4bKother"), ("127.0.0.1", 5070)).trunk == "pbx"
        )

    def test_a_phone_that_is_registered_from_a_trunks_address_is_asked_for_its_password(self) -> None:
        wire = self.hotline(sources=("198.51.100.0/24",))
        wire.hotline.restore({"desk": [("sip:desk@198.51.100.9:5062", "198.51.100.9", 5062, 1e9)]}, 0.0)
        wire.inject(write_request(sender="<sip:desk@hotline>;tag=x"), ("198.51.100.9", 5062), HOTLINE)
        assert not wire.told(HOTLINE, InviteReceived)
        assert wire.sent[-1].name == "401"
        other = write_request(sender="<sip:desk@hotline>;tag=x", call_id="other", branch="z9hG4bKother")
        assert self.arrive(wire, other, ("198.51.100.9", 5060)).trunk == "pbx"

    def test_a_call_over_a_connection_of_the_trunk_is_not_claimed(self) -> None:
        wire = self.hotline()
        flow = Flow("192.0.2.2", 5060, "c1", "TCP")
        wire.hotline.receive(write_request(via="SIP/2.0/TCP 192.0.2.2"), flow, 0.0)
        event = next(each for each in wire.hotline.events() if isinstance(each, InviteReceived))
        assert (event.trunk, event.claimed) == ("pbx", False)

    def test_a_page_behind_a_proxy_at_the_trunks_address_is_a_guest(self) -> None:
        wire = self.hotline(sources=("198.51.100.0/24",))
        for number, host in enumerate((DESK[0], "198.51.100.7")):
            flow = Flow(host, 40_000, f"c{number}", "WSS")
            asserted = ("P-Asserted-Identity: <sip:0912345678@pbx>",)
            data = write_request(call_id=host, branch=f"z9hG4bK{host}", via="SIP/2.0/WSS x.invalid", fields=asserted)
            wire.hotline.receive(data, flow, 0.0)
            event = next(each for each in wire.hotline.events() if isinstance(each, InviteReceived))
            assert (event.trunk, event.claimed) == ("", True)

    def test_of_a_trunk_that_is_reached_by_tls_alone_nothing_in_the_clear_is_believed(self) -> None:
        targets = (parse_uri("sip:192.0.2.2;transport=tls"),)
        for sources, known in (((), ""), (("192.0.2.2",), "pbx")):
            wire = self.hotline(targets=targets, sources=sources)
            assert self.arrive(wire, write_request()).trunk == known
            wire.hotline.receive(write_request(call_id="t", branch="z9hG4bKt"), Flow(*DESK, "c1", "TLS"), 0.0)
            assert [each.trunk for each in wire.hotline.events() if isinstance(each, InviteReceived)] == ["pbx"]

    def test_two_trunks_at_one_address_are_told_apart_by_what_is_called(self) -> None:
        first = peer()
        second = trunk(name="other", register=False, credentials=Credentials("200", "x"))
        endpoint = make_endpoint(HOTLINE, "a", EndpointSettings(address=HOTLINE, trunks=(first, second)))
        endpoint.handle_deadline(0.0)
        for target, expected in (("sip:200@192.0.2.1", "other"), ("sip:trunk-other@192.0.2.1", "other")):
            data = write_request(target=target, call_id=target, branch=f"z9hG4bK{len(target)}")
            endpoint.receive(data, DESK, 0.0)
            assert [each.trunk for each in endpoint.events() if isinstance(each, InviteReceived)] == [expected]
        endpoint.receive(write_request(), DESK, 0.0)
        assert [each.trunk for each in endpoint.events() if isinstance(each, InviteReceived)] == ["pbx"]


def test_a_pbx_calls_us_where_we_registered() -> None:
    wire = Trunks(trunk())
    wire.pbx()
    wire.run(1)
    wire.perform(DESK, Invite("from-pbx", "desk", "0912345678", "Lan", OFFER))
    wire.run(1)
    event = wire.told(HOTLINE, InviteReceived)[0]
    assert (event.trunk, event.number, event.dnis) == ("pbx", "+84912345678", "desk")
    wire.perform(HOTLINE, Answer(event.dialog, sdp.answer(event.sdp, capabilities(HOTLINE)).sdp))
    wire.run(1)
    assert wire.told(DESK, DialogAnswered)
    request = parse_datagram(next(each.data for each in wire.sent if each.name == "INVITE"))
    assert isinstance(request, Request)
    assert request.target == "sip:trunk-pbx@192.0.2.1:5060"


class TestConnections:
    """Over TCP and TLS nobody waits for timers: a connection that cannot be had fails at once (section 17.1.4)."""

    def endpoint(self, **changes: object) -> Endpoint:
        targets = (parse_uri("sip:192.0.2.2;transport=tcp"), parse_uri("sip:192.0.2.3;transport=tls"))
        chosen = trunk(targets=targets, domain="own.example", **changes)
        made = make_endpoint(HOTLINE, "a", EndpointSettings(address=HOTLINE, trunks=(chosen,)))
        made.handle_deadline(0.0)
        return made

    def sent(self, endpoint: Endpoint) -> list[tuple[str, object]]:
        return [(data.split(b" ", 1)[0].decode(), address) for data, address in endpoint.datagrams()]

    def test_an_invite_goes_on_to_the_next_target(self) -> None:
        endpoint = self.endpoint(register=False)
        endpoint.perform(Invite("out", "", "", "", OFFER, trunk="pbx", to="+84912345678"), 1.0)
        assert self.sent(endpoint) == [("INVITE", Remote("192.0.2.2", 5060, "TCP", "192.0.2.2"))]
        endpoint.connection_refused(Remote("192.0.2.2", 5060, "TCP", "192.0.2.2"), 1.1)
        assert self.sent(endpoint) == [("INVITE", Remote("192.0.2.3", 5061, "TLS", "192.0.2.3"))]
        endpoint.connection_refused(Remote("192.0.2.3", 5061, "TLS", "192.0.2.3"), 1.2)
        assert [event.ending for event in endpoint.events() if isinstance(event, DialogEnded)] == ["failed"]

    def test_a_registration_does_so_too(self) -> None:
        endpoint = self.endpoint()
        assert self.sent(endpoint) == [("REGISTER", Remote("192.0.2.2", 5060, "TCP", "192.0.2.2"))]
        endpoint.connection_refused(Remote("192.0.2.2", 5060, "TCP", "192.0.2.2"), 0.1)
        assert self.sent(endpoint) == [("REGISTER", Remote("192.0.2.3", 5061, "TLS", "192.0.2.3"))]
        endpoint.connection_refused(Remote("192.0.2.3", 5061, "TLS", "192.0.2.3"), 0.2)
        told = [event for event in endpoint.events() if isinstance(event, TrunkChanged)][-1]
        assert (told.state, told.up) == ("failed", False)
        assert [target.state for target in told.targets] == ["down", "down"]
