"""Our requests, where the dialogs' own tests do not reach."""

from telephony.events import DialogAnswered, DialogEnded, DialogRinging, Hangup, Invite
from telephony.sip.message import Request, parse_datagram, respond
from tests.telephony.sip.messages import OFFER, Bench
from tests.telephony.sip.wire import DESK, HOTLINE


def ring() -> tuple[Bench, Request]:
    """Ring a phone that speaks octets; returns the INVITE that it got."""
    bench = Bench()
    bench.endpoint.restore({"desk": [("sip:desk@192.0.2.2", *DESK, 1e9)]}, 0.0)
    bench.wire.perform(HOTLINE, Invite("out", "desk", "+84912345678", "", OFFER))
    invite = parse_datagram(bench.wire.sent[-1].data)
    assert isinstance(invite, Request)
    return bench, invite


class TestAnswers:
    def test_phone_that_draws_a_new_tag_for_every_response(self) -> None:
        """pyVoIP: 180 and 200 carry different To tags; the call is the one that answers."""
        bench, invite = ring()
        for tag in ("one", "two"):
            bench.wire.inject(respond(invite, 180, "", tag).write(), DESK, HOTLINE)
        bench.wire.inject(respond(invite, 200, "", "three").write(), DESK, HOTLINE)
        assert bench.wire.events[HOTLINE] == [DialogRinging("out"), DialogAnswered("out", "")]
        assert bench.wire.names(HOTLINE) == ["INVITE", "ACK"]

    def test_answer_without_contact_or_tag(self) -> None:
        bench, invite = ring()
        bench.wire.inject(respond(invite, 200).write(), DESK, HOTLINE)
        bench.wire.perform(HOTLINE, Hangup("out"))
        ack, bye = (parse_datagram(sent.data) for sent in bench.wire.sent[-2:])
        assert isinstance(ack, Request)
        assert isinstance(bye, Request)
        assert ack.target == bye.target == "sip:desk@192.0.2.2"
        assert (ack.cseq.number, bye.cseq.number, bye.to.tag) == (1, 2, "")

    def test_answer_from_behind_a_nat_is_acknowledged_to_where_it_came_from(self) -> None:
        bench, invite = ring()
        answer = respond(invite, 200, "", "x")
        answer.headers.set("contact", "<sip:desk@10.0.0.7:5062>")
        answer.headers.set("record-route", "<sip:p1;lr>, <sip:p2;lr>")
        bench.wire.inject(answer.write(), ("203.0.113.5", 4242), HOTLINE)
        ack = parse_datagram(bench.wire.sent[-1].data)
        assert isinstance(ack, Request)
        assert bench.wire.sent[-1].destination == ("203.0.113.5", 4242)
        assert ack.target == "sip:desk@10.0.0.7:5062"
        assert ack.headers.lines("route") == ["<sip:p2;lr>", "<sip:p1;lr>"]

    def test_challenge_to_our_invite_is_a_rejection(self) -> None:
        bench, invite = ring()
        bench.wire.inject(respond(invite, 407, "Proxy Authentication Required", "x").write(), DESK, HOTLINE)
        ended = DialogEnded("out", "rejected", 407, "Proxy Authentication Required")
        assert bench.wire.events[HOTLINE] == [ended]
        assert bench.wire.names(HOTLINE) == ["INVITE", "ACK"]

    def test_bye_that_is_refused_ends_the_dialog_all_the_same(self) -> None:
        bench, invite = ring()
        bench.wire.inject(respond(invite, 200, "", "x").write(), DESK, HOTLINE)
        bench.wire.perform(HOTLINE, Hangup("out"))
        bye = parse_datagram(bench.wire.sent[-1].data)
        assert isinstance(bye, Request)
        bench.wire.inject(respond(bye, 100).write(), DESK, HOTLINE)
        bench.wire.inject(respond(bye, 481).write(), DESK, HOTLINE)
        assert bench.endpoint.load()[1] == 0
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 1)
