"""Connections over TCP and TLS that are lost or cannot be had, in virtual time."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import (
    Answer,
    BindingChanged,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogUnreachable,
    Hangup,
    Invite,
    InviteReceived,
    OfferSession,
    Reject,
    SessionOffered,
    SessionRefused,
)
from telephony.sip.address import Address, Flow, Remote
from telephony.sip.digest import authorize
from telephony.sip.endpoint import Endpoint
from telephony.sip.invitation import Attempt
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.uri import NameAddr, Uri
from tests.telephony.sip.messages import OFFER, write_register, write_request
from tests.telephony.sip.wire import USERS, make_endpoint

HOST = "192.0.2.9"
FLOW = Flow(HOST, 40_000, "one", "TCP")
AGAIN = Flow(HOST, 40_002, "two", "TCP")
REACHABLE = f"<sip:lan@{HOST}:5060;transport=tcp>"
BEHIND_NAT = "<sip:lan@10.0.0.7:5060;transport=tcp>"
PROXY = Remote("198.51.100.1", 5060, "TCP")
OTHER = Remote("198.51.100.2", 5061, "TLS", "sip.example.com")
TO_PROXY = Flow(PROXY.host, PROXY.port, "out", "TCP", PROXY)


class Far:
    """A far end as octets, and our endpoint."""

    def __init__(self) -> None:
        self.endpoint = make_endpoint()
        self.endpoint.bound_to("192.0.2.1", 5060, "TCP")
        self.now = 0.0
        self.events: list[Any] = []

    def send(self, data: bytes, flow: Address = FLOW) -> list[tuple[str, Address]]:
        self.now += 0.001
        self.endpoint.receive(data, flow, self.now)
        return self.got()

    def messages(self) -> list[tuple[Request | Response, Address]]:
        self.events += self.endpoint.events()
        return [(parse_datagram(data), address) for data, address in self.endpoint.datagrams()]

    def got(self) -> list[tuple[str, Address]]:
        """Method or status of what went out, and where to."""
        return [
            (message.method if isinstance(message, Request) else str(message.status), address)
            for message, address in self.messages()
        ]

    def perform(self, command: Any) -> list[tuple[str, Address]]:
        self.endpoint.perform(command, self.now)
        return self.got()

    def lose(self, flow: Flow = FLOW) -> list[tuple[str, Address]]:
        self.endpoint.connection_lost(flow.connection, self.now, flow.opened)
        return self.got()

    def refuse(self, remote: Remote) -> list[tuple[str, Address]]:
        self.endpoint.connection_refused(remote, self.now)
        return self.got()

    def told(self, kind: type[Any]) -> list[Any]:
        self.events += self.endpoint.events()
        found = [event for event in self.events if isinstance(event, kind)]
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found

    def invite(self, contact: str = REACHABLE, sent_by: str = f"{HOST}:5060") -> str:
        """Let a call come in; returns its dialog."""
        data = write_request(via=f"SIP/2.0/TCP {sent_by}", body=OFFER)
        assert self.send(data.replace(b"<sip:0912345678@192.0.2.2:5060>", contact.encode())) == [("100", FLOW)]
        dialog: str = self.told(InviteReceived)[0].dialog
        return dialog

    def inside(self, method: str, cseq: int, ok: Response, flow: Address = FLOW) -> list[tuple[str, Address]]:
        branch = f"z9hG4bK{method}{cseq}"
        data = write_request(method, via=f"SIP/2.0/TCP {HOST}:5060", branch=branch, to=ok.headers.get("to"), cseq=cseq)
        return self.send(data, flow)

    def establish(self, contact: str = REACHABLE) -> tuple[str, Response]:
        dialog = self.invite(contact)
        self.endpoint.perform(Answer(dialog, OFFER), self.now)
        ok = self.messages()[0][0]
        assert isinstance(ok, Response)
        self.inside("ACK", 1, ok)
        assert self.told(DialogConfirmed)
        return dialog, ok

    def call(self, *ways: Address, dialog: str = "out") -> list[tuple[Request | Response, Address]]:
        target = Uri(user="1900", host=PROXY.host)
        attempts = tuple(
            Attempt(target, way, NameAddr(Uri(user="1", host="hotline")), NameAddr(target)) for way in ways
        )
        self.endpoint._dialogs.invite(Invite(dialog, "1900", "1", "", OFFER), attempts, self.now)
        return self.messages()

    def respond(self, request: Request, status: int, flow: Address = TO_PROXY, body: str = "") -> None:
        lines = [
            f"SIP/2.0 {status} As It Is",
            f"Via: {request.headers.get('via')}",
            f"From: {request.headers.get('from')}",
            f"To: {request.headers.get('to')};tag=far",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.headers.get('cseq')}",
            f"Contact: <sip:trunk@{PROXY.host};transport=tcp>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self.now += 0.001
        self.endpoint.receive("\r\n".join(lines).encode(), flow, self.now)

    def register(self, flow: Flow, contact: str) -> None:
        self.send(write_register(contact=contact, cseq=1, call_id=flow.connection), flow)
        data = write_register(contact=contact, cseq=1, call_id=flow.connection)
        self.endpoint.receive(data, flow, self.now)
        challenge = self.messages()[0][0].headers.lines("www-authenticate")[0]
        line = authorize(challenge, "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c0ffee")
        fields = (f"Authorization: {line}",)
        answer = self.send(write_register(contact=contact, cseq=2, call_id=flow.connection, fields=fields), flow)
        assert ("200", flow) in answer


class TestIncoming:
    def test_a_call_that_waits_for_its_answer_outlives_its_connection(self) -> None:
        """RFC 3261 section 18.2.2: the response goes over a new connection to its source, at sent-by's port."""
        far = Far()
        dialog = far.invite()
        assert far.lose() == []
        assert far.told(DialogEnded) == []
        way = Remote(HOST, 5060, "TCP")
        assert far.perform(Answer(dialog, OFFER)) == [("200", way)]
        far.now += 0.5
        far.endpoint.handle_deadline(far.now)
        assert far.got() == [("200", way)]

    @pytest.mark.parametrize("sent_by", ["10.0.0.7:5060", "pbx.example.com"])
    def test_behind_a_nat_it_ends_with_its_connection(self, sent_by: str) -> None:
        far = Far()
        dialog = far.invite(BEHIND_NAT, sent_by)
        far.lose()
        assert [(event.dialog, event.ending) for event in far.told(DialogEnded)] == [(dialog, "cancelled")]
        assert far.endpoint.load()[:2] == (0, 0)

    def test_an_answer_that_nobody_takes_ends_the_call(self) -> None:
        far = Far()
        dialog = far.invite()
        far.lose()
        far.perform(Answer(dialog, OFFER))
        far.refuse(Remote(HOST, 5060, "TCP"))
        assert [event.ending for event in far.told(DialogEnded)] == ["failed"]

    def test_a_refusal_goes_the_other_way_too(self) -> None:
        far = Far()
        dialog = far.invite()
        far.lose()
        assert far.perform(Reject(dialog, 486, "")) == [("486", Remote(HOST, 5060, "TCP"))]

    def test_a_caller_who_sends_it_again_over_a_new_connection_is_answered_there(self) -> None:
        far = Far()
        dialog = far.invite(BEHIND_NAT)
        data = write_request(via=f"SIP/2.0/TCP {HOST}:5060", body=OFFER)
        far.lose()
        assert far.send(data, AGAIN) == [("100", AGAIN)]
        assert far.told(InviteReceived) == []
        assert far.perform(Answer(dialog, OFFER)) == [("200", AGAIN)]


class TestTalks:
    def test_their_ack_over_a_new_connection_takes_the_dialog_there(self) -> None:
        far = Far()
        dialog = far.invite()
        far.lose()
        far.endpoint.perform(Answer(dialog, OFFER), far.now)
        ok = far.messages()[0][0]
        assert isinstance(ok, Response)
        far.inside("ACK", 1, ok, AGAIN)
        assert far.told(DialogConfirmed)
        assert far.perform(Hangup(dialog)) == [("BYE", AGAIN)]

    def test_our_bye_opens_a_connection_to_the_contact(self) -> None:
        far = Far()
        dialog, _ = far.establish()
        assert far.lose() == []
        assert far.told(DialogUnreachable) == []
        assert far.perform(Hangup(dialog)) == [("BYE", Remote(HOST, 5060, "TCP"))]

    def test_a_bye_that_was_under_way_goes_again(self) -> None:
        far = Far()
        dialog, _ = far.establish()
        assert far.perform(Hangup(dialog)) == [("BYE", FLOW)]
        assert far.lose() == [("BYE", Remote(HOST, 5060, "TCP"))]
        far.refuse(Remote(HOST, 5060, "TCP"))
        assert far.endpoint._dialogs.by_id(dialog) is None
        assert len(far.endpoint._dialogs) == 0

    def test_a_contact_for_udp_is_asked_by_udp_again_and_again(self) -> None:
        far = Far()
        dialog, _ = far.establish(f"<sip:lan@{HOST}:5070>")
        far.perform(Hangup(dialog))
        assert far.lose() == [("BYE", (HOST, 5070))]
        far.now += 0.5
        far.endpoint.handle_deadline(far.now)
        assert far.got() == [("BYE", (HOST, 5070))]

    def test_who_is_behind_a_nat_is_unreachable_until_they_speak(self) -> None:
        far = Far()
        dialog, ok = far.establish(BEHIND_NAT)
        far.lose()
        assert far.told(DialogUnreachable) == [DialogUnreachable(dialog)]
        assert far.inside("INFO", 2, ok, AGAIN) == [("200", AGAIN)]
        assert far.told(DialogReachable) == [DialogReachable(dialog)]
        assert far.perform(Hangup(dialog)) == [("BYE", AGAIN)]

    def test_who_cannot_be_connected_to_is_unreachable_too(self) -> None:
        far = Far()
        dialog, ok = far.establish()
        far.lose()
        far.perform(OfferSession(dialog, OFFER.replace("4000", "4002")))
        far.refuse(Remote(HOST, 5060, "TCP"))
        assert [event.status for event in far.told(SessionRefused)] == [503]
        assert far.told(DialogUnreachable) == [DialogUnreachable(dialog)]
        far.inside("INFO", 2, ok, AGAIN)
        assert far.told(DialogReachable) == [DialogReachable(dialog)]

    def test_a_change_that_waits_on_a_lost_connection_takes_nobody_from_a_new_one(self) -> None:
        far = Far()
        dialog, ok = far.establish(BEHIND_NAT)
        change = write_request(
            via="SIP/2.0/TCP 10.0.0.7:5060",
            branch="z9hG4bKchange",
            to=ok.headers.get("to"),
            cseq=2,
            body=OFFER.replace("4000", "4002"),
        )
        assert far.send(change) == [("100", FLOW)]
        assert far.told(SessionOffered)
        far.inside("INFO", 3, ok, AGAIN)
        far.lose()
        assert far.told(DialogUnreachable) == []
        assert far.perform(Hangup(dialog))[-1] == ("BYE", AGAIN)

    def test_their_request_over_a_new_connection_takes_the_dialog_there(self) -> None:
        far = Far()
        dialog, ok = far.establish()
        far.lose()
        far.inside("INFO", 2, ok, AGAIN)
        assert far.perform(Hangup(dialog)) == [("BYE", AGAIN)]


class TestOutgoing:
    def test_via_and_contact_say_how_it_goes(self) -> None:
        far = Far()
        far.endpoint.bound_to("192.0.2.1", 5061, "TLS")
        for remote, port in ((PROXY, 5060), (OTHER, 5061)):
            invite = far.call(remote, dialog=remote.transport)[0][0]
            assert invite.via.transport == remote.transport
            assert (invite.via.host, invite.via.port) == ("192.0.2.1", port)
            assert invite.headers.get("contact") == f"<sip:192.0.2.1:{port};transport={remote.transport.lower()}>"

    def test_nothing_is_sent_twice_over_a_connection(self) -> None:
        far = Far()
        far.call(PROXY)
        far.now = 5.0
        far.endpoint.handle_deadline(far.now)
        assert far.got() == []

    def test_a_refused_connection_goes_on_to_the_next_target_at_once(self) -> None:
        far = Far()
        far.call(PROXY, OTHER)
        assert far.refuse(PROXY) == [("INVITE", OTHER)]
        assert far.told(DialogEnded) == []
        far.refuse(OTHER)
        assert [(event.ending, event.status) for event in far.told(DialogEnded)] == [("failed", 503)]
        assert far.endpoint.load() == (0, 0, 0)

    def test_a_connection_lost_before_the_answer_goes_on_to_the_next_target(self) -> None:
        far = Far()
        invite = far.call(PROXY, OTHER)[0][0]
        assert isinstance(invite, Request)
        far.respond(invite, 180)
        assert far.lose(TO_PROXY) == [("INVITE", OTHER)]

    def test_others_are_not_touched(self) -> None:
        far = Far()
        far.call(PROXY, OTHER)
        assert far.refuse(Remote(PROXY.host, PROXY.port, "TLS")) == []
        assert far.lose(Flow("203.0.113.1", 5060, "else", "TCP")) == []
        assert far.told(DialogEnded) == []

    def test_an_answered_call_lives_on_its_flow_and_comes_back_to_whom_it_was_opened_to(self) -> None:
        far = Far()
        invite = far.call(PROXY)[0][0]
        assert isinstance(invite, Request)
        far.respond(invite, 200, body=OFFER)
        assert far.got() == [("ACK", TO_PROXY)]
        assert far.told(DialogAnswered)
        assert far.lose(TO_PROXY) == []
        far.respond(invite, 200, Flow(PROXY.host, PROXY.port, "new", "TCP", PROXY), body=OFFER)
        assert far.got() == [("ACK", PROXY)]
        assert far.perform(Hangup("out")) == [("BYE", PROXY)]

    def test_a_cancel_that_finds_no_connection_ends_it(self) -> None:
        far = Far()
        invite = far.call(PROXY)[0][0]
        assert isinstance(invite, Request)
        far.respond(invite, 180)
        assert far.perform(Hangup("out")) == [("CANCEL", PROXY)]
        far.lose(TO_PROXY)
        assert far.endpoint.load() == (0, 0, 0)


class TestPhones:
    def test_a_tcp_phone_is_no_page(self) -> None:
        far = Far()
        far.register(FLOW, f"<sip:desk@{HOST}:5060;transport=tcp>")
        assert far.told(BindingChanged) == [BindingChanged("desk", 1, (), webrtc=False)]
        assert far.endpoint.connections_in_use() == {"one"}

    def test_its_requests_go_by_its_connection_and_it_is_unreachable_without(self) -> None:
        far = Far()
        far.register(FLOW, BEHIND_NAT)
        assert far.perform(Invite("d1", "desk", "1", "", OFFER)) == [("INVITE", FLOW)]
        far.lose()
        assert [event.ending for event in far.told(DialogEnded)] == ["failed"]
        assert far.told(BindingChanged)[-1] == BindingChanged("desk", 0, (), webrtc=False)
        assert far.perform(Invite("d2", "desk", "1", "", OFFER)) == []
        assert [event.status for event in far.told(DialogEnded)] == [480]
        far.register(AGAIN, BEHIND_NAT)
        assert far.perform(Invite("d3", "desk", "1", "", OFFER)) == [("INVITE", AGAIN)]

    def test_a_page_is_rung_before_it(self) -> None:
        far = Far()
        page = Flow("192.0.2.10", 50_000, "page", "WSS")
        far.register(page, "<sip:p@x.invalid;transport=ws>")
        far.register(FLOW, BEHIND_NAT)
        assert far.told(BindingChanged)[-1].webrtc
        assert far.perform(Invite("d1", "desk", "1", "", OFFER)) == [("INVITE", page)]

    def test_a_caller_over_tcp_is_no_guest_of_a_page(self) -> None:
        far = Far()
        far.send(write_request(via=f"SIP/2.0/TCP {HOST}:5060", body=OFFER))
        assert [event.claimed for event in far.told(InviteReceived)] == [False]

    def test_sips_is_answered_with_sips_where_tls_leads_to_us(self) -> None:
        far = Far()
        far.endpoint.bound_to("192.0.2.1", 5061, "TLS")
        tls = Flow(HOST, 40_000, "tls", "TLS")
        far.send(write_request(target="sips:1900@192.0.2.1", via=f"SIP/2.0/TLS {HOST}:5061", body=OFFER), tls)
        far.endpoint.perform(Answer(far.told(InviteReceived)[0].dialog, OFFER), far.now)
        assert far.messages()[0][0].headers.get("contact") == "<sips:192.0.2.1:5061>"


class Chaos:
    """Calls in and out over connections that come and go, as a list of choices says."""

    def __init__(self) -> None:
        self.far = Far()
        self.flows = [Flow(HOST, 40_000, "f0", "TCP")]
        self.names = count(1)
        self.dialogs: list[str] = []
        self.requests: list[Request] = []
        self.responses: list[Response] = []

    def do(self, choice: int) -> None:
        """One thing that may happen."""
        far, flow = self.far, self.flows[-1]
        match choice:
            case 0:
                self._come_in(BEHIND_NAT if len(self.dialogs) % 2 else REACHABLE)
            case 1:
                self.dialogs.append(f"out{next(self.names)}")
                self._keep(far.call(PROXY, OTHER, flow, dialog=self.dialogs[-1]))
            case 2 | 3 | 4:
                commands = (
                    Answer(self._any(), OFFER),
                    Hangup(self._any()),
                    OfferSession(self._any(), OFFER + "a=x\r\n"),
                )
                far.endpoint.perform(commands[choice - 2], far.now)
            case 5 | 6 | 7:
                for request in self.requests[-2:]:
                    far.respond(request, (180, 200, 486)[choice - 5], TO_PROXY, OFFER if choice == 6 else "")
            case 8 | 9 | 10:
                self._lose(choice)
            case 11 | 12:
                for ok in self.responses[-2:]:
                    if choice == 11:
                        far.inside("ACK", ok.cseq.number, ok, flow)
                    else:
                        far.inside("INFO", 100 + next(self.names), ok, flow)
            case _:
                self._wait(2.0)
        self._keep(far.messages())

    def _lose(self, choice: int) -> None:
        if choice == 8:
            self.far.endpoint.connection_lost(self.flows[-1].connection, self.far.now)
            self.flows.append(Flow(HOST, 40_000, f"f{next(self.names)}", "TCP"))
        elif choice == 9:
            self.far.endpoint.connection_lost(TO_PROXY.connection, self.far.now, PROXY)
        else:
            self._refuse_all()

    def _come_in(self, contact: str) -> None:
        number = next(self.names)
        data = write_request(
            via=f"SIP/2.0/TCP {HOST}:5060", body=OFFER, call_id=f"in{number}", branch=f"z9hG4bKin{number}"
        )
        self.far.endpoint.receive(
            data.replace(b"<sip:0912345678@192.0.2.2:5060>", contact.encode()), self.flows[-1], self.far.now
        )
        self.dialogs += [event.dialog for event in self.far.told(InviteReceived)]

    def _refuse_all(self) -> None:
        for remote in (PROXY, OTHER, Remote(HOST, 5060, "TCP")):
            self.far.endpoint.connection_refused(remote, self.far.now)

    def _wait(self, seconds: float) -> None:
        self.far.now += seconds
        self.far.endpoint.handle_deadline(self.far.now)

    def _any(self) -> str:
        return self.dialogs[-1] if self.dialogs else "none"

    def _keep(self, messages: list[tuple[Request | Response, Address]]) -> None:
        for message, _ in messages:
            if isinstance(message, Request) and message.method != "ACK":
                self.requests.append(message)
            elif isinstance(message, Response) and message.status == 200 and message.cseq.method == "INVITE":
                self.responses.append(message)

    def finish(self) -> None:
        """Hang up whatever is left, close every connection, and let every timer run out."""
        for dialog in self.dialogs:
            self.far.endpoint.perform(Hangup(dialog), self.far.now)
        self._lose(8)
        self._lose(9)
        for _ in range(40):
            self._refuse_all()
            self._wait(10.0)
        self._keep(self.far.messages())


@given(st.lists(st.integers(0, 13), max_size=25))
def test_whatever_becomes_of_connections_each_dialog_ends_once_and_nothing_is_left(choices: list[int]) -> None:
    chaos = Chaos()
    for choice in choices:
        chaos.do(choice)
    chaos.finish()
    ended = [event.dialog for event in chaos.far.told(DialogEnded)]
    assert sorted(ended) == sorted(chaos.dialogs)
    assert chaos.far.endpoint.load() == (0, 0, 0)
    assert chaos.far.endpoint._transactions._over == {}
    assert chaos.far.endpoint.connections_in_use() == set()


def test_an_address_of_ours_is_told_by_transport_and_family() -> None:
    endpoint: Endpoint = make_endpoint(("192.0.2.1", 0))
    endpoint.bound_to("192.0.2.1", 5060)
    endpoint.bound_to("::1", 5070, "TCP")
    endpoint.bound_to("127.0.0.1", 5080, "TCP")
    transactions = endpoint._transactions
    assert transactions.contact(Remote("::1", 1, "TCP")) == "sip:[::1]:5070;transport=tcp"
    assert transactions.contact(Remote("127.0.0.1", 1, "TCP")) == "sip:192.0.2.1:5080;transport=tcp"
    assert transactions.contact(("192.0.2.2", 5060)) == "sip:192.0.2.1:5060"


def test_a_transport_that_we_do_not_listen_for_gets_no_port() -> None:
    endpoint: Endpoint = make_endpoint(("", 0))
    endpoint.bound_to("192.0.2.1", 5062, "TCP")
    transactions = endpoint._transactions
    assert transactions.contact(Remote("198.51.100.1", 1, "TLS")) == "sip:192.0.2.1;transport=tls"
    assert transactions.contact(Flow("198.51.100.1", 1, "p", "WSS")) == "sip:192.0.2.1;transport=ws"
