"""The short fuzz, and every fault that a fuzz has found, by name; `make fuzz` is the long one."""

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import (
    Answer,
    DialogAnswered,
    DialogEnded,
    Hangup,
    Invite,
    InviteReceived,
    OfferSession,
    Refer,
    ReferProgressed,
    Ring,
    SessionRefused,
)
from telephony.sip import session_timer
from telephony.sip.address import Flow, Remote
from telephony.sip.errors import RemoteError
from telephony.sip.message import Request, Response, parse_datagram, respond
from telephony.sip.timers import T1_S
from telephony.sip.uac import OVERDUE_S
from tests.telephony.sip import torture
from tests.telephony.sip.fuzz import run
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.mutation import ADVERSARIES, mutate
from tests.telephony.sip.wire import DESK, HOTLINE, FakeWire, Pair, make_endpoint


@pytest.mark.parametrize("seed", range(1, 9))
def test_twenty_thousand_mutated_messages_into_calls_in_every_state(seed: int) -> None:
    """In eight parts of 2,500, each with a seed of its own."""
    exchange = run(2_500, seed, check_every=1_250)
    assert exchange.number == 2_500
    assert all(party.ledger.ended > 30 for party in exchange.parties)


def test_a_seed_gives_the_same_run_again() -> None:
    one, other = run(200, seed=7), run(200, seed=7)
    assert (one.last, one.hotline.ledger.ended) == (other.last, other.hotline.ledger.ended)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(torture.ROWS)), st.integers(0, 2**32))
def test_a_mutated_torture_message_raises_remote_error_at_most(name: str, seed: int) -> None:
    data = mutate(torture.read(name), Random(seed))  # noqa: S311 - a test is to be repeated
    try:
        message = parse_datagram(data)
    except RemoteError:
        return
    again = parse_datagram(message.write())
    assert (again.start_line, again.via, again.from_, again.to) == (
        message.start_line,
        message.via,
        message.from_,
        message.to,
    )


class TestCost:
    """Reading takes time in proportion to what there is to read."""

    @pytest.mark.parametrize("name", ADVERSARIES)
    def test_twice_as_long_takes_no_more_than_twice_as_long(self, name: str) -> None:
        make = ADVERSARIES[name]
        short, long = (min(self.cost(make(size)) for _ in range(5)) for size in (1_000, 8_000))
        # Quadratic would be 64 times as long; what does not depend on the length is in both.
        assert long < 24 * short + 0.001, f"{short * 1e6:.0f} us for 1,000 octets, {long * 1e6:.0f} us for 8,000"

    @staticmethod
    def cost(line: bytes) -> float:
        """Return the seconds that an endpoint takes for an INVITE and a REGISTER with a header line."""
        endpoint = make_endpoint()
        begun = time.process_time()
        for number, method in enumerate(("INVITE", "REGISTER", "OPTIONS")):
            data = write_request(method, branch=f"z9hG4bK{number}", call_id=f"c{number}", body=OFFER)
            endpoint.receive(data.replace(b"Contact:", line + b"\r\nContact:", 1), DESK, 0.0)
        return time.process_time() - begun


class TestFound:
    """What a fuzz found, each once."""

    def test_no_event_follows_the_end_of_a_dialog_whose_offer_was_out(self) -> None:
        """487 to a re-INVITE came after the BYE, and was told."""
        pair = Pair()
        pair.establish()
        pair.loss = [False] * len(pair.sent) + [False, True]  # the BYE arrives, the offer does not at first
        pair.perform(HOTLINE, OfferSession("out", OFFER))
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.told(HOTLINE, SessionRefused) == []
        assert isinstance(pair.events[HOTLINE][-1], DialogEnded)
        pair.assert_at_rest()

    def test_no_event_follows_the_end_of_a_dialog_that_a_refer_was_sent_in(self) -> None:
        pair = Pair()
        pair.establish()
        pair.perform(HOTLINE, Refer("out", "1901"))
        pair.perform(HOTLINE, Hangup("out"))
        pair.loss = [True] * 100
        pair.settle()
        assert pair.told(HOTLINE, ReferProgressed) == []
        pair.assert_at_rest()

    def test_a_response_with_another_cseq_number_is_dropped(self) -> None:
        """Its 2xx could not be acknowledged, and brought the endpoint down."""
        phone = Ringing()
        phone.respond(200, cseq="7 INVITE")
        assert phone.wire.told(HOTLINE, DialogAnswered) == []
        phone.respond(200)
        assert len(phone.wire.told(HOTLINE, DialogAnswered)) == 1

    def test_a_reinvite_without_offer_before_the_ack_is_answered(self) -> None:
        """It was not, and its transaction stayed for ever."""
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Ring("a-in-1"))
        tag = bench.responses()[-1].to.tag
        for number in (2, 3):
            answers = bench.send(write_request(branch=f"z9hG4bKb{number}", cseq=number, to=f"<sip:1900@h>;tag={tag}"))
            assert [answer.status for answer in answers] == [100, 500]
            assert answers[-1].headers.get("retry-after")

    @pytest.mark.parametrize("text", ["12\x1e", "\x1c90", "９０", "9" * 10])
    def test_a_session_timer_that_is_no_number_is_none(self, text: str) -> None:
        request = parse_datagram(write_request(fields=(f"Session-Expires: {text}",)))
        assert session_timer.read(request) is None or text.strip() in {"90", "12"}

    def test_a_reinvite_of_ours_that_is_taken_up_and_never_answered_is_given_up(self) -> None:
        """A far end that says 100 and no more kept its transaction for ever, and the session with it."""
        phone = Ringing()
        phone.respond(200)
        phone.wire.perform(HOTLINE, OfferSession("out", OFFER.replace("4000", "4002")))
        phone.respond(100)
        phone.wire.run(OVERDUE_S + 1)
        names = phone.wire.names(HOTLINE)
        assert names.index("CANCEL") < names.index("BYE")
        (ended,) = phone.wire.told(HOTLINE, DialogEnded)
        assert (ended.ending, ended.status) == ("failed", 408)
        phone.wire.run(64 * T1_S + 64 * T1_S)
        assert phone.wire.endpoints[HOTLINE].load()[:2] == (0, 0)

    def test_a_caller_whose_connection_is_lost_and_cannot_be_had_again_is_gone(self) -> None:
        """Its 487 had no INVITE to answer any more, and brought the endpoint down."""
        endpoint = make_endpoint()
        flow = Flow("192.0.2.2", 40000, "c1", "TCP")
        endpoint.receive(write_request(via="SIP/2.0/TCP 192.0.2.2:5060", body=OFFER), flow, 0.0)
        endpoint.connection_lost("c1", 0.0)
        endpoint.perform(Ring("a-in-1"), 0.0)
        (_, way) = endpoint.datagrams()[-1]
        assert isinstance(way, Remote)
        endpoint.connection_refused(way, 0.0)
        assert [type(event) for event in endpoint.events()] == [InviteReceived, DialogEnded]
        assert endpoint.load() == (0, 0, 0)

    def test_a_reinvite_over_an_earlier_connection_is_answered_when_the_dialogs_is_lost(self) -> None:
        """It stayed for ever, since it went by neither connection any more."""
        endpoint = make_endpoint()
        flows = [Flow("192.0.2.2", 40000, "c0", "TCP"), Flow("192.0.2.2", 40001, "c1", "WS")]
        via = "SIP/2.0/TCP 192.0.2.2:5060"
        endpoint.receive(write_request(via=via, body=OFFER), flows[0], 0.0)
        endpoint.perform(Answer("a-in-1", OFFER), 0.0)
        to = parse_datagram(endpoint.datagrams()[-1][0]).headers.get("to")
        endpoint.receive(write_request("ACK", via=via, branch="z9hG4bKa", to=to), flows[0], 0.0)
        changed = OFFER.replace("m=audio 4000", "m=audio 4002")
        endpoint.receive(write_request(via=via, branch="z9hG4bKb", cseq=2, to=to, body=changed), flows[0], 0.0)
        endpoint.receive(write_request("OPTIONS", via=via, branch="z9hG4bKc", cseq=3, to=to), flows[1], 0.0)
        for flow in flows:
            endpoint.connection_lost(flow.connection, 0.0)
        endpoint.perform(Hangup("a-in-1"), 0.0)
        for _ in range(50):
            due = endpoint.deadline()
            if due is None:
                break
            endpoint.handle_deadline(due)
        assert endpoint.load() == (0, 0, 0)

    def test_a_2xx_without_a_tag_and_then_one_with_a_tag_leave_no_dialog_behind(self) -> None:
        phone = Ringing()
        phone.respond(200, tag="")
        phone.respond(200, tag="late")
        phone.wire.perform(HOTLINE, Hangup("out"))
        phone.wire.settle()
        assert phone.wire.endpoints[HOTLINE].load()[:2] == (0, 0)


class Ringing:
    """A bare phone that an INVITE of ours is at."""

    def __init__(self) -> None:
        self.wire = FakeWire()
        endpoint = self.wire.attach(HOTLINE, make_endpoint())
        endpoint.restore({"desk": [(f"sip:desk@{DESK[0]}", *DESK, 1e9)]}, 0.0)
        self.wire.perform(HOTLINE, Invite("out", "desk", "1", "", OFFER))

    def respond(self, status: int, *, tag: str = "t", cseq: str = "") -> None:
        """Answer the last INVITE that came."""
        invites = [sent for sent in self.wire.sent if sent.name == "INVITE"]
        invite = parse_datagram(invites[-1].data)
        assert isinstance(invite, Request)
        response: Response = respond(invite, status, "", tag if status > 100 else "")
        response.headers.set("contact", f"<sip:desk@{DESK[0]}>")
        if cseq:
            response.headers.set("cseq", cseq)
        if status == 200:
            response.headers.set("content-type", "application/sdp")
            response.body = OFFER.encode()
        self.wire.inject(response.write(), DESK, HOTLINE)
