"""Reliable provisional responses (RFC 3262), from both sides."""

from telephony import sdp
from telephony.events import Answer, DialogAnswered, DialogEnded, DialogRinging, Hangup, Progress, Ring
from telephony.sip.message import Request, Response, parse_datagram, respond
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, Pair, capabilities

IN = "a-in-1"
ANSWER = sdp.answer(OFFER, capabilities(HOTLINE)).sdp


def invited(require: str = "Supported: 100rel", body: str = OFFER) -> tuple[Bench, str]:
    """Return a phone that called, and the To of our responses."""
    bench = Bench()
    bench.send(write_request(fields=(require,), body=body))
    tag = next(iter(bench.endpoint._dialogs._by_key))[1]
    return bench, f"<sip:1900@192.0.2.1>;tag={tag}"


def prack(to: str, rack: str = "1 1 INVITE", cseq: int = 2, body: str = "") -> bytes:
    return write_request("PRACK", to=to, cseq=cseq, branch=f"z9hG4bKp{cseq}", fields=(f"RAck: {rack}",), body=body)


class TestOurs:
    def test_183_with_our_answer_is_repeated_until_its_prack(self) -> None:
        bench, to = invited()
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        (progress,) = bench.responses()
        assert (progress.status, progress.headers.get("rseq"), progress.headers.get("require")) == (183, "1", "100rel")
        assert progress.body.decode() == ANSWER
        bench.wire.run(3.6)
        assert bench.wire.times("183", HOTLINE) == [0.0, 0.5, 1.5, 3.5]
        assert [each.status for each in bench.send(prack(to))][-1] == 200
        bench.wire.run(60.0)
        assert bench.responses() == []

    def test_the_200_waits_for_the_prack(self) -> None:
        bench, to = invited()
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.wire.perform(HOTLINE, Answer(IN, ANSWER))
        assert [each.status for each in bench.responses()] == [183]
        answers = [(each.status, each.cseq.method) for each in bench.send(prack(to))]
        assert answers == [(200, "PRACK"), (200, "INVITE")]

    def test_without_any_prack_the_call_is_given_up(self) -> None:
        bench, _ = invited()
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.wire.perform(HOTLINE, Answer(IN, ANSWER))
        bench.wire.run(33.0)
        assert bench.responses()[-1].status == 504
        assert [each.ending for each in bench.wire.told(HOTLINE, DialogEnded)] == ["failed"]
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)

    def test_prack_for_something_else(self) -> None:
        bench, to = invited()
        assert [each.status for each in bench.send(prack(to))] == [481]
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.responses()
        for cseq, rack in enumerate(("2 1 INVITE", "1 7 INVITE", "1 1 UPDATE", "nonsense", ""), 3):
            assert [each.status for each in bench.send(prack(to, rack, cseq))] == [481]

    def test_prack_with_an_offer_of_its_own(self) -> None:
        bench, to = invited()
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.responses()
        assert [each.status for each in bench.send(prack(to, body=OFFER))] == [488]

    def test_one_at_a_time_is_out(self) -> None:
        bench, to = invited("Require: 100rel")
        bench.wire.perform(HOTLINE, Ring(IN))
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        (ringing,) = bench.responses()
        assert (ringing.status, ringing.headers.get("rseq")) == (180, "1")
        done, progress = bench.send(prack(to))
        assert (done.status, progress.status, progress.headers.get("rseq")) == (200, 183, "2")

    def test_ringing_is_unreliable_unless_it_must_not_be(self) -> None:
        bench, _ = invited()
        bench.wire.perform(HOTLINE, Ring(IN))
        assert "rseq" not in bench.responses()[-1].headers

    def test_an_invite_without_an_offer_that_insists_gets_100_alone(self) -> None:
        """RFC 3261 section 13.2.1: the first reliable response would have to make the offer."""
        bench, _ = invited("Require: 100rel", body="")
        bench.wire.perform(HOTLINE, Ring(IN))
        assert bench.responses() == []
        bench.wire.perform(HOTLINE, Answer(IN, ANSWER))
        assert [each.status for each in bench.responses()] == [200]

    def test_a_caller_that_cannot_gets_a_plain_183(self) -> None:
        bench, _ = invited("Supported: timer")
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.wire.run(5.0)
        (progress,) = bench.responses()
        assert (progress.status, "rseq" in progress.headers) == (183, False)

    def test_cancel_stops_the_repeating(self) -> None:
        bench, _ = invited()
        bench.wire.perform(HOTLINE, Progress(IN, ANSWER))
        bench.responses()
        assert [each.status for each in bench.send(write_request("CANCEL"))] == [200, 487]
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)


class TestTheirs:
    def ringing(self) -> tuple[Pair, Request]:
        pair = Pair()
        pair.call()
        invite = parse_datagram(pair.sent[-1].data)
        assert isinstance(invite, Request)
        return pair, invite

    @staticmethod
    def provisional(invite: Request, rseq: int, tag: str = "x", body: str = "") -> Response:
        response = respond(invite, 183 if body else 180, "", tag)
        response.headers.set("require", "100rel")
        response.headers.set("rseq", str(rseq))
        response.headers.set("contact", "<sip:desk@192.0.2.2:5070>")
        if body:
            response.headers.set("content-type", "application/sdp")
            response.body = body.encode()
        return response

    def test_each_is_acknowledged_once_and_in_order(self) -> None:
        pair, invite = self.ringing()
        for rseq in (5, 5, 7, 6):
            pair.inject(self.provisional(invite, rseq).write(), DESK, HOTLINE)
        pracks = [parse_datagram(sent.data) for sent in pair.sent if sent.name == "PRACK"]
        assert [each.headers.get("rack") for each in pracks] == ["5 1 INVITE", "6 1 INVITE"]
        assert [each.cseq.number for each in pracks] == [2, 3]
        assert all(isinstance(each, Request) and each.target == "sip:desk@192.0.2.2:5070" for each in pracks)
        assert pair.told(HOTLINE, DialogRinging) == [DialogRinging("out")]

    def test_early_media_and_an_answer_without_it(self) -> None:
        pair, invite = self.ringing()
        pair.inject(self.provisional(invite, 1, body=ANSWER).write(), DESK, HOTLINE)
        assert pair.told(HOTLINE, DialogRinging) == [DialogRinging("out", ANSWER)]
        pair.inject(respond(invite, 200, "", "x").write(), DESK, HOTLINE)
        assert pair.told(HOTLINE, DialogAnswered) == [DialogAnswered("out", ANSWER)]

    def test_forks_are_told_apart_and_bounded(self) -> None:
        pair, invite = self.ringing()
        for number in range(20):
            pair.inject(self.provisional(invite, 1, f"fork{number}").write(), DESK, HOTLINE)
        assert pair.names(HOTLINE).count("PRACK") == 8

    def test_hanging_up_leaves_nothing(self) -> None:
        pair, invite = self.ringing()
        pair.inject(self.provisional(invite, 1).write(), DESK, HOTLINE)
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        pair.assert_at_rest()

    def test_between_endpoints_of_ours(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        invite = pair.invites(DESK)[-1]
        answer = sdp.answer(invite.sdp, capabilities(DESK)).sdp
        pair.perform(DESK, Progress(invite.dialog, answer))
        pair.perform(DESK, Answer(invite.dialog, answer))
        pair.run(1.0)
        assert pair.names() == ["INVITE", "100", "183", "PRACK", "200", "200", "ACK"]
