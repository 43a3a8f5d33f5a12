"""The call flows of RFC 3665, in virtual time, each named after its section.

Alice, Bob and the registrar are endpoints of ours wherever the flow has a role for one, so that each flow is shown from
both sides; proxies, which we are not, are scripted. What differs from the RFC's pictures, always: an INVITE is answered
by 100 at once, whoever sent it, and BYE comes from whoever the test says.

Not here, since no role of theirs is ours or the role is another section's:

- 3.5 Session Through a SIP ALG: what the user agents send is 3.2 with one proxy.
- 3.6's redirect is not followed, by decision: who rings is for the queue to say, not for a phone or a server that names
  somebody else (`docs/sip.md`). It ends the call as any refusal does, and the next agent is asked.
"""

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    BindingChanged,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    LeaveTrunks,
    RegistrationRefused,
    Reject,
    Ring,
    SessionOffered,
)
from telephony.sip.digest import parse_digest
from telephony.sip.endpoint import Endpoint
from telephony.sip.invitation import Attempt, Credentials
from telephony.sip.message import Request, parse_datagram
from telephony.sip.uri import NameAddr, Uri
from tests.telephony.sip.messages import OFFER, Bench, write_register
from tests.telephony.sip.scripted import Proxy, Scripted
from tests.telephony.sip.test_trunk_layer import Trunks, trunk
from tests.telephony.sip.wire import DESK, HOTLINE, LATENCY_S, FakeWire, Pair, capabilities

PROXY_1, PROXY_2 = ("192.0.2.11", 5060), ("192.0.2.12", 5060)
NAMES = {HOTLINE: "alice", DESK: "bob", PROXY_1: "proxy1", PROXY_2: "proxy2"}
ANSWER = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def through(wire: FakeWire, *proxies: tuple[str, int]) -> Endpoint:
    """Let alice call bob along proxies, by preloaded routes; returns her endpoint."""
    alice = wire.endpoints[HOTLINE]
    invite = Invite("out", "bob", "+84912345678", "Alice", sdp.offer(capabilities(HOTLINE)))
    bob = Uri(user="bob", host=DESK[0], port=DESK[1])
    caller, called = NameAddr(Uri(user="alice", host="hotline")), NameAddr(bob)
    routes = tuple(f"<sip:{host}:{port};lr>" for host, port in proxies)
    alice._dialogs.invite(invite, (Attempt(bob, proxies[0], caller, called, routes),), wire.now)
    wire.collect()
    return alice


class Chain(Pair):
    """Alice and Bob with two proxies between them."""

    def __init__(self) -> None:
        super().__init__()
        self.proxy_1 = Proxy(self, PROXY_1, PROXY_2)
        self.proxy_2 = Proxy(self, PROXY_2, DESK)
        through(self, PROXY_1, PROXY_2)
        self.run(5 * LATENCY_S)


class TestRegistration:
    """Section 2: Bob's phone is scripted, the registrar is ours."""

    def test_2_1_successful_new_registration(self) -> None:
        bench = Bench()
        response = bench.register("desk", "correct horse")
        assert bench.wire.names() == ["401", "200"]
        assert response.headers.lines("contact") == ["<sip:desk@192.0.2.2:5060>;expires=300"]
        (changed,) = bench.wire.told(HOTLINE, BindingChanged)
        assert (changed.user, changed.contacts) == ("desk", 1)

    def test_2_2_update_of_contact_list(self) -> None:
        bench = Bench()
        bench.register("desk", "correct horse")
        response = bench.register("desk", "correct horse", cseq=3, contact="<sip:desk@192.0.2.9>")
        assert response.headers.lines("contact") == [
            "<sip:desk@192.0.2.2:5060>;expires=300",
            "<sip:desk@192.0.2.9>;expires=300",
        ]

    def test_2_3_request_for_current_contact_list(self) -> None:
        bench = Bench()
        bench.register("desk", "correct horse")
        before = len(bench.wire.told(HOTLINE, BindingChanged))
        response = bench.register("desk", "correct horse", cseq=3, contact="")
        assert response.headers.lines("contact") == ["<sip:desk@192.0.2.2:5060>;expires=300"]
        assert len(bench.wire.told(HOTLINE, BindingChanged)) == before

    def test_2_4_cancellation_of_registration(self) -> None:
        bench = Bench()
        bench.register("desk", "correct horse")
        response = bench.register("desk", "correct horse", cseq=3, contact="<sip:desk@192.0.2.2:5060>;expires=0")
        assert (response.status, response.headers.lines("contact")) == (200, [])
        assert bench.wire.told(HOTLINE, BindingChanged)[-1].contacts == 0
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)

    def test_2_5_unsuccessful_registration(self) -> None:
        bench = Bench()
        response = bench.register("desk", "wrong horse")
        assert bench.wire.names() == ["401", "401"]
        assert response.headers.lines("www-authenticate")
        assert [event.user for event in bench.wire.told(HOTLINE, RegistrationRefused)] == ["desk"]
        assert bench.wire.told(HOTLINE, BindingChanged) == []
        assert [each.status for each in bench.send(write_register(cseq=9, call_id="new"))] == [401]


class TestRegistrationOfOurs:
    """Section 2 from the other side: the client is the hotline, at a trunk whose registrar is ours too."""

    def test_2_1_successful_new_registration(self) -> None:
        wire = Trunks(trunk())
        wire.pbx()
        wire.run(1.0)
        assert wire.names() == ["REGISTER", "401", "REGISTER", "200"]
        first, second = wire.requests("REGISTER")
        assert (first.call_id, second.cseq.number) == (second.call_id, first.cseq.number + 1)
        assert "authorization" in second.headers
        assert wire.last().state == "registered"

    def test_2_2_the_registration_is_refreshed_in_time(self) -> None:
        wire = Trunks(trunk(expires_s=120))
        wire.pbx()
        wire.run(1.0)
        before = len(wire.requests("REGISTER"))
        wire.run(120.0)
        assert len(wire.requests("REGISTER")) > before
        assert wire.states() == ["registering", "registered"]

    def test_2_4_cancellation_of_registration(self) -> None:
        wire = Trunks(trunk())
        wire.pbx()
        wire.run(1.0)
        wire.perform(HOTLINE, LeaveTrunks())
        wire.run(1.0)
        last = wire.requests("REGISTER")[-1]
        assert "0" in {last.headers.get("expires"), last.headers.get("contact").rpartition("expires=")[2]}
        assert wire.told(DESK, BindingChanged)[-1].contacts == 0
        assert wire.last().state == "unregistered"

    def test_2_5_unsuccessful_registration(self) -> None:
        """A second challenge to right-looking credentials is a refusal: it is not answered again at once."""
        wire = Trunks(trunk(credentials=Credentials("desk", "wrong horse")))
        wire.pbx()
        wire.run(1.0)
        assert wire.names() == ["REGISTER", "401", "REGISTER", "401"]
        assert not wire.last().up


class TestEstablishment:
    """Section 3, as far as it comes to a talk."""

    def test_3_1_successful_session_establishment(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.015)
        (invite,) = pair.invites(DESK)
        pair.perform(DESK, Ring(invite.dialog))
        pair.run(0.1)
        pair.perform(DESK, pair.answer_of(invite))
        pair.run(0.1)
        pair.perform(DESK, Hangup(invite.dialog))
        pair.settle()
        assert pair.trace(NAMES) == [
            "alice>bob INVITE",
            "bob>alice 100",
            "bob>alice 180",
            "bob>alice 200",
            "alice>bob ACK",
            "bob>alice BYE",
            "alice>bob 200",
        ]
        assert [type(event) for event in pair.events[HOTLINE]] == [DialogRinging, DialogAnswered, DialogEnded]
        assert [type(event) for event in pair.events[DESK]] == [InviteReceived, DialogConfirmed, DialogEnded]
        pair.assert_at_rest()

    def test_3_2_session_establishment_through_two_proxies(self) -> None:
        chain = Chain()
        (invite,) = chain.invites(DESK)
        chain.perform(DESK, Ring(invite.dialog))
        chain.run(0.1)
        chain.perform(DESK, chain.answer_of(invite))
        chain.run(0.1)
        chain.perform(DESK, Hangup(invite.dialog))
        chain.settle()
        assert chain.trace(NAMES) == [
            "alice>proxy1 INVITE",
            "proxy1>alice 100",
            "proxy1>proxy2 INVITE",
            "proxy2>proxy1 100",
            "proxy2>bob INVITE",
            "bob>proxy2 100",
            "bob>proxy2 180",
            "proxy2>proxy1 180",
            "proxy1>alice 180",
            "bob>proxy2 200",
            "proxy2>proxy1 200",
            "proxy1>alice 200",
            "alice>proxy1 ACK",
            "proxy1>proxy2 ACK",
            "proxy2>bob ACK",
            "bob>proxy2 BYE",
            "proxy2>proxy1 BYE",
            "proxy1>alice BYE",
            "alice>proxy1 200",
            "proxy1>proxy2 200",
            "proxy2>bob 200",
        ]
        ack = parse_datagram(next(sent.data for sent in chain.sent if sent.name == "ACK"))
        assert isinstance(ack, Request)
        assert ack.headers.values("route") == [chain.proxy_1.uri, chain.proxy_2.uri]
        assert ack.uri.address == DESK
        bye = parse_datagram(next(sent.data for sent in chain.sent if sent.name == "BYE"))
        assert bye.headers.values("route") == [chain.proxy_2.uri, chain.proxy_1.uri]
        chain.assert_at_rest()

    @pytest.mark.parametrize("realms", [("one",), ("one", "two"), ("one", "one")])
    def test_3_3_session_with_multiple_proxy_authentication(self, realms: tuple[str, ...]) -> None:
        """Each proxy's challenge is answered once, with the next CSeq in the same dialog to be; the INVITE keeps what
        the proxies before it asked for."""
        wire = Pair()
        proxy = Scripted(wire, PROXY_1, "proxy1")
        invite = Invite("out", "bob", "+84912345678", "Alice", OFFER)
        bob, credentials = Uri(user="bob", host=PROXY_1[0]), Credentials("alice", "secret")
        way = Attempt(bob, PROXY_1, NameAddr(Uri(user="alice", host="h")), NameAddr(bob), credentials=credentials)
        wire.hotline._dialogs.invite(invite, (way,), wire.now)
        wire.run(0.1)
        first = latest = proxy.request("INVITE")
        for number, realm in enumerate(realms):
            challenge = f'Digest realm="{realm}", nonce="n{number}", qop="auth"'
            proxy.answer(latest, 407, "", ("proxy-authenticate", challenge))
            wire.run(0.1)
            proxy.request("ACK")
            if realm in realms[:number]:  # what we know did not do
                (ended,) = wire.told(HOTLINE, DialogEnded)
                assert (ended.ending, ended.status) == ("rejected", 407)
                return
            latest = proxy.request("INVITE")
            assert (latest.call_id, latest.from_.tag) == (first.call_id, first.from_.tag)
            assert latest.cseq.number == first.cseq.number + number + 1
            answers = [parse_digest(line)["realm"] for line in latest.headers.lines("proxy-authorization")]
            assert answers == list(realms[: number + 1])
        proxy.answer(latest, 180)
        proxy.answer(latest, 200, ANSWER)
        wire.run(0.1)
        assert proxy.request("ACK").headers.lines("proxy-authorization") == []
        assert len(wire.told(HOTLINE, DialogAnswered)) == 1
        wire.perform(HOTLINE, Hangup("out"))
        wire.run(0.1)
        proxy.answer(proxy.request("BYE"), 200)
        wire.settle()
        assert wire.hotline.load()[:2] == (0, 0)

    def test_3_4_successful_session_with_proxy_failure(self) -> None:
        """Proxy 1 says nothing; after timer B the INVITE goes along the next way (RFC 3263 section 4.3)."""
        wire = Pair()
        Proxy(wire, PROXY_2, DESK)
        bob = Uri(user="bob", host=DESK[0], port=DESK[1])
        caller = NameAddr(Uri(user="alice", host="hotline"))
        ways = tuple(Attempt(bob, proxy, caller, NameAddr(bob)) for proxy in (PROXY_1, PROXY_2))
        invite = Invite("out", "bob", "+84912345678", "Alice", sdp.offer(capabilities(HOTLINE)))
        wire.hotline._dialogs.invite(invite, ways, wire.now)
        wire.run(40.0)
        wire.answer_at_desk()
        wire.run(0.1)
        assert wire.trace(NAMES) == [
            *["alice>proxy1 INVITE"] * 7,
            "alice>proxy2 INVITE",
            "proxy2>alice 100",
            "proxy2>bob INVITE",
            "bob>proxy2 100",
            "bob>proxy2 200",
            "proxy2>alice 200",
            "alice>proxy2 ACK",
            "proxy2>bob ACK",
        ]
        assert len(wire.told(DESK, DialogConfirmed)) == 1
        wire.perform(HOTLINE, Hangup("out"))
        wire.settle()
        wire.assert_at_rest()

    def test_3_6_redirect_is_no_answer(self) -> None:
        wire = Pair()
        server = Scripted(wire, PROXY_1, "redirect")
        wire.hotline.restore({"moved": [(f"sip:moved@{PROXY_1[0]}", *PROXY_1, 1e9)]}, 0.0)
        wire.perform(HOTLINE, Invite("out", "moved", "1", "", OFFER))
        wire.run(0.1)
        server.answer(server.request("INVITE"), 302, "", ("contact", f"<sip:bob@{DESK[0]}>"))
        wire.settle()
        assert wire.names(HOTLINE) == ["INVITE", "ACK"]
        assert wire.told(HOTLINE, DialogEnded) == [DialogEnded("out", "rejected", 302, "Moved Temporarily")]
        assert wire.invites(DESK) == []

    def test_3_6_session_with_sdp_in_ack(self) -> None:
        """The INVITE has no offer: the 200 makes one, and the ACK brings the answer."""
        wire = Pair()
        alice = Scripted(wire, PROXY_1, "alice")
        alice.invite("1900")
        wire.run(0.1)
        (invite,) = wire.invites(HOTLINE)
        assert invite.sdp == ""
        wire.perform(HOTLINE, Ring(invite.dialog))
        wire.perform(HOTLINE, Answer(invite.dialog, sdp.offer(capabilities(HOTLINE))))
        wire.run(0.1)
        assert b"m=audio" in alice.response(200).body
        alice.ack(ANSWER)
        wire.run(0.1)
        assert wire.told(HOTLINE, DialogConfirmed) == [DialogConfirmed(invite.dialog, ANSWER)]
        alice.say("BYE")
        wire.settle()
        alice.response(200)
        assert wire.hotline.load()[:2] == (0, 0)

    @pytest.mark.parametrize("ours", [True, False], ids=["bob is scripted", "alice is scripted"])
    def test_3_7_session_with_reinvite_ip_address_change(self, ours: bool) -> None:
        """Bob is elsewhere from now on: what follows goes to his new Contact, and his media with it."""
        wire = Pair()
        bob, moved = Scripted(wire, ("192.0.2.21", 5060), "bob"), ("192.0.2.21", 5080)
        if ours:
            wire.hotline.restore({"bob": [("sip:bob@192.0.2.21", "192.0.2.21", 5060, 1e9)]}, 0.0)
            wire.perform(HOTLINE, Invite("out", "bob", "1", "", sdp.offer(capabilities(HOTLINE))))
            wire.run(0.1)
            bob.answer(bob.request("INVITE"), 200, ANSWER)
            dialog = "out"
        else:
            bob.invite("1900", ANSWER)
            wire.run(0.1)
            (invite,) = wire.invites(HOTLINE)
            dialog = invite.dialog
            wire.perform(HOTLINE, Answer(dialog, sdp.answer(invite.sdp, capabilities(HOTLINE)).sdp))
            wire.run(0.1)
            bob.response(200)
            bob.ack()
        wire.run(0.1)
        later = Scripted(wire, moved, "bob-moved")
        bob.contact = f"<sip:bob@{moved[0]}:{moved[1]}>"
        bob.say("INVITE", ANSWER.replace("m=audio 4000", "m=audio 4100"))
        wire.run(0.1)
        (offered,) = wire.told(HOTLINE, SessionOffered)
        wire.perform(HOTLINE, _accept(dialog, offered.sdp))
        wire.run(0.1)
        bob.response(200)
        bob.ack()
        wire.run(0.1)
        wire.perform(HOTLINE, Hangup(dialog))
        wire.run(0.1)
        bye = later.request("BYE")
        assert bye.uri.address == moved
        later.answer(bye, 200)
        wire.settle()
        assert wire.hotline.load()[:2] == (0, 0)


class TestFailure:
    """Section 3, where it does not."""

    def test_3_8_unsuccessful_no_answer(self) -> None:
        chain = Chain()
        (invite,) = chain.invites(DESK)
        chain.perform(DESK, Ring(invite.dialog))
        chain.run(5.0)
        chain.perform(HOTLINE, Hangup("out"))
        chain.run(0.1)
        assert [name for name in chain.trace(NAMES) if "alice" in name] == [
            "alice>proxy1 INVITE",
            "proxy1>alice 100",
            "proxy1>alice 180",
            "alice>proxy1 CANCEL",
            "proxy1>alice 200",
            "proxy1>alice 487",
            "alice>proxy1 ACK",
        ]
        assert [name for name in chain.trace(NAMES) if "bob" in name] == [
            "proxy2>bob INVITE",
            "bob>proxy2 100",
            "bob>proxy2 180",
            "proxy2>bob CANCEL",
            "bob>proxy2 200",
            "bob>proxy2 487",
            "proxy2>bob ACK",
        ]
        assert [event.ending for event in chain.told(HOTLINE, DialogEnded)] == ["local"]
        assert [event.ending for event in chain.told(DESK, DialogEnded)] == ["cancelled"]
        chain.settle()
        chain.assert_at_rest()

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            pytest.param(486, "Busy Here", id="3.9 busy"),
            pytest.param(480, "Temporarily Unavailable", id="3.11 temporarily unavailable"),
        ],
    )
    def test_3_9_and_3_11_unsuccessful_refused(self, status: int, reason: str) -> None:
        chain = Chain()
        (invite,) = chain.invites(DESK)
        chain.perform(DESK, Reject(invite.dialog, status, ""))
        chain.run(0.1)
        assert [name for name in chain.trace(NAMES) if "INVITE" not in name and "100" not in name] == [
            f"bob>proxy2 {status}",
            "proxy2>bob ACK",
            f"proxy2>proxy1 {status}",
            "proxy1>proxy2 ACK",
            f"proxy1>alice {status}",
            "alice>proxy1 ACK",
        ]
        assert chain.told(HOTLINE, DialogEnded) == [DialogEnded("out", "rejected", status, reason)]
        chain.settle()
        chain.assert_at_rest()

    def test_3_10_unsuccessful_no_response_from_user_agent(self) -> None:
        pair = Pair(loss=[True] * 20)
        pair.call()
        pair.settle()
        assert pair.trace(NAMES) == ["alice>bob INVITE"] * 7
        assert [(event.ending, event.status) for event in pair.told(HOTLINE, DialogEnded)] == [("timed_out", 408)]
        pair.assert_at_rest()

    def test_3_10_a_proxy_says_408(self) -> None:
        wire = Pair()
        proxy = Scripted(wire, PROXY_1, "proxy1")
        wire.hotline.restore({"bob": [(f"sip:bob@{PROXY_1[0]}", *PROXY_1, 1e9)]}, 0.0)
        wire.perform(HOTLINE, Invite("out", "bob", "1", "", OFFER))
        wire.run(0.1)
        invite = proxy.request("INVITE")
        proxy.answer(invite, 100)
        wire.run(32.0)
        proxy.answer(invite, 408)
        wire.run(0.1)
        assert proxy.request("ACK").cseq.number == invite.cseq.number
        assert [(event.ending, event.status) for event in wire.told(HOTLINE, DialogEnded)] == [("rejected", 408)]
        wire.settle()
        assert wire.hotline.load()[:2] == (0, 0)


def _accept(dialog: str, offer: str) -> AnswerSession:
    return AnswerSession(dialog, sdp.answer(offer, capabilities(HOTLINE)).sdp)
