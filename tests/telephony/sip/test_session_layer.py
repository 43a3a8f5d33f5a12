"""Offers in the middle of a call: hold, resume, a new address, from either side, through loss and when they meet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    DialogConfirmed,
    DialogEnded,
    Hangup,
    InviteReceived,
    OfferSession,
    RefuseSession,
    SessionAnswered,
    SessionOffered,
    SessionRefused,
    SipCommand,
    SipEvent,
)
from telephony.sip.message import Request, Response, parse_datagram, respond
from telephony.sip.session import State
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, Pair, capabilities

OUT, IN = "out", "b-in-1"
HELD = OFFER + "a=sendonly\r\n"


def offer(address: tuple[str, int], port: int) -> str:
    """Return an offer that differs by its port."""
    return sdp.offer(capabilities(address)).replace("m=audio 4000", f"m=audio {port}")


def talking(**faults: list[bool]) -> Pair:
    """Return two that are in a call, and that agree to whatever is offered."""
    pair = Pair()
    for address in (HOTLINE, DESK):
        pair.reactions[address] = lambda event, address=address: agree(event, address)  # type: ignore[misc]
    pair.establish()
    return pair


def agree(event: SipEvent, address: tuple[str, int]) -> list[SipCommand]:
    if not isinstance(event, SessionOffered):
        return []
    if not event.sdp:
        return [AnswerSession(event.dialog, offer(address, 4002))]
    return [AnswerSession(event.dialog, sdp.answer(event.sdp, capabilities(address)).sdp)]


def session(pair: Pair, address: tuple[str, int], dialog: str) -> tuple[State, str, str]:
    found = pair.endpoints[address]._dialogs.by_id(dialog)
    assert found is not None
    return found.session.state, found.session.local, found.session.remote


class TestOffers:
    @pytest.mark.parametrize(("side", "dialog", "other"), [(HOTLINE, OUT, DESK), (DESK, IN, HOTLINE)])
    def test_either_side_offers_and_the_other_answers(
        self, side: tuple[str, int], dialog: str, other: tuple[str, int]
    ) -> None:
        pair = talking()
        pair.sent.clear()
        pair.perform(side, OfferSession(dialog, offer(side, 4444)))
        pair.run(1.0)
        assert pair.names() == ["INVITE", "100", "200", "ACK"]
        (told,) = pair.told(other, SessionOffered)
        assert "m=audio 4444" in told.sdp
        (answered,) = pair.told(side, SessionAnswered)
        assert answered == SessionAnswered(dialog, session(pair, side, dialog)[2])
        pair.perform(side, Hangup(dialog))
        pair.settle()
        pair.assert_at_rest()

    def test_what_is_refused_leaves_the_session_as_it_was(self) -> None:
        pair = talking()
        pair.reactions[DESK] = lambda event: [RefuseSession(event.dialog)] if isinstance(event, SessionOffered) else []
        before = session(pair, HOTLINE, OUT)
        pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, 4444)))
        pair.run(1.0)
        assert pair.told(HOTLINE, SessionRefused) == [SessionRefused(OUT, 488)]
        assert session(pair, HOTLINE, OUT) == before
        assert pair.told(HOTLINE, DialogEnded) == []

    def test_a_refusal_says_why(self) -> None:
        """RFC 3261 section 20.43; a text cannot break out of its quotes."""
        pair = talking()
        refusal = RefuseSession(IN, 488, 305, 'no "codec"\\ in common\r\nVia: x')
        pair.reactions[DESK] = lambda event: [refusal] if isinstance(event, SessionOffered) else []
        pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, 4444)))
        pair.run(1.0)
        (sent,) = [each.data.decode() for each in pair.sent if each.name == "488"]
        (warning,) = [line for line in sent.split("\r\n") if line.startswith("Warning:")]
        assert warning.startswith("Warning: 305 ")
        assert warning.count('"') == 2
        assert "no 'codec'" in warning
        assert "\r\nVia: x" not in sent

    def test_an_offer_that_nobody_answers_is_refused_in_time(self) -> None:
        pair = talking()
        del pair.reactions[DESK]
        pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, 4444)))
        pair.run(30.0)
        assert pair.told(HOTLINE, SessionRefused) == [SessionRefused(OUT, 500)]

    def test_of_several_offers_the_last_follows(self) -> None:
        pair = talking()
        for port in (4100, 4200, 4300):
            pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, port)))
        pair.run(2.0)
        ports = [told.sdp.partition("m=audio ")[2][:4] for told in pair.told(DESK, SessionOffered)]
        assert ports == ["4100", "4300"]
        assert len(pair.told(HOTLINE, SessionAnswered)) == 2

    def test_offers_that_meet_are_both_made_in_the_end(self) -> None:
        """RFC 3261 section 14.1: both get 491, and wait for times that differ."""
        pair = talking()
        pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, 4100)))
        pair.perform(DESK, OfferSession(IN, offer(DESK, 4200)))
        pair.run(0.2)
        assert pair.names().count("491") == 2
        pair.run(20.0)
        assert len(pair.told(HOTLINE, SessionAnswered)) == len(pair.told(DESK, SessionAnswered)) == 1
        assert_agreed(pair)

    def test_an_offer_before_the_ack_waits_for_it(self) -> None:
        pair = Pair()
        pair.reactions[DESK] = lambda event: agree(event, DESK)
        pair.reactions[HOTLINE] = lambda event: agree(event, HOTLINE)
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.perform(DESK, OfferSession(IN, offer(DESK, 4444)))
        pair.run(2.0)
        assert [type(event) for event in pair.events[DESK]] == [InviteReceived, DialogConfirmed, SessionAnswered]

    def test_a_far_end_that_knows_no_such_dialog_ends_it(self) -> None:
        pair = talking()
        pair.endpoints[DESK] = Pair().desk  # it was restarted
        pair.perform(HOTLINE, OfferSession(OUT, offer(HOTLINE, 4444)))
        pair.run(5.0)
        (ended,) = pair.told(HOTLINE, DialogEnded)
        assert (ended.ending, ended.status) == ("failed", 481)


class TestOctets:
    """What phones send that our own endpoint does not."""

    def confirmed(self) -> tuple[Bench, str]:
        bench = Bench()
        bench.send(write_request(body=OFFER))

        bench.wire.perform(HOTLINE, Answer("a-in-1", sdp.answer(OFFER, capabilities(HOTLINE)).sdp))
        to = bench.responses()[-1].headers.get("to")
        bench.send(write_request("ACK", to=to, branch="z9hG4bKack"))
        return bench, to

    def test_reinvite_without_an_offer_gets_ours_and_brings_its_answer_with_the_ack(self) -> None:
        bench, to = self.confirmed()
        assert [each.status for each in bench.send(write_request(to=to, cseq=2, branch="z9hG4bK2"))] == [100]
        assert bench.wire.told(HOTLINE, SessionOffered) == [SessionOffered("a-in-1", "")]
        bench.wire.perform(HOTLINE, AnswerSession("a-in-1", offer(HOTLINE, 4002)))
        (answer,) = bench.responses()
        assert (answer.status, answer.body.decode()) == (200, offer(HOTLINE, 4002))
        bench.send(write_request("ACK", to=to, cseq=2, branch="z9hG4bK2a", body=HELD))
        assert bench.wire.told(HOTLINE, SessionAnswered) == [SessionAnswered("a-in-1", HELD)]

    def test_update_with_an_offer_is_answered_without_ack(self) -> None:
        bench, to = self.confirmed()
        bench.send(write_request("UPDATE", to=to, cseq=2, branch="z9hG4bK2", body=HELD))
        assert bench.wire.told(HOTLINE, SessionOffered) == [SessionOffered("a-in-1", HELD)]
        bench.wire.perform(HOTLINE, AnswerSession("a-in-1", "v=0\r\nanswer"))
        (answer,) = bench.responses()
        assert (answer.status, answer.body) == (200, b"v=0\r\nanswer")
        bench.wire.run(60.0)
        assert bench.responses() == []
        again = write_request("UPDATE", to=to, cseq=3, branch="z9hG4bK3", body=OFFER)
        bench.send(again)
        assert len(bench.wire.told(HOTLINE, SessionOffered)) == 2

    def test_empty_update_refreshes_and_moves_the_target(self) -> None:
        bench, to = self.confirmed()
        moved = write_request("UPDATE", to=to, cseq=2, branch="z9hG4bK2").replace(b":5060>\r\n", b":5090>\r\n")
        assert [each.status for each in bench.send(moved)] == [200]
        bench.wire.perform(HOTLINE, Hangup("a-in-1"))
        bye = parse_datagram(bench.wire.sent[-1].data)
        assert isinstance(bye, Request)
        assert bye.target.endswith(":5090")

    def test_update_before_the_answer_is_told_to_wait(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        tag = next(iter(bench.endpoint._dialogs._by_key))[1]
        to = f"<sip:1900@192.0.2.1>;tag={tag}"
        (refused,) = bench.send(write_request("UPDATE", to=to, cseq=2, branch="z9hG4bK2", body=HELD))
        assert (refused.status, refused.headers.get("retry-after")) == (500, "1")

    def test_a_reinvite_that_waits_when_the_call_ends_is_terminated(self) -> None:
        bench, to = self.confirmed()
        bench.send(write_request(to=to, cseq=2, branch="z9hG4bK2", body=HELD))
        statuses = [each.status for each in bench.send(write_request("BYE", to=to, cseq=3, branch="z9hG4bK3"))]
        assert sorted(statuses) == [200, 487]

    def test_a_reinvite_can_be_cancelled(self) -> None:
        bench, to = self.confirmed()
        bench.send(write_request(to=to, cseq=2, branch="z9hG4bK2", body=HELD))
        statuses = [each.status for each in bench.send(write_request("CANCEL", to=to, cseq=2, branch="z9hG4bK2"))]
        assert statuses == [200, 487]
        assert bench.wire.told(HOTLINE, DialogEnded) == []

    def test_delayed_offer(self) -> None:
        """RFC 3261 section 13.2.1: an INVITE without a description, our offer in the 200, the answer in the ACK."""

        bench = Bench()
        bench.send(write_request())
        bench.wire.perform(HOTLINE, Answer("a-in-1", offer(HOTLINE, 4000)))
        to = bench.responses()[-1].headers.get("to")
        bench.send(write_request("ACK", to=to, branch="z9hG4bKack", body=OFFER))
        assert bench.wire.told(HOTLINE, DialogConfirmed) == [DialogConfirmed("a-in-1", OFFER)]


class TestTimer:
    """RFC 4028."""

    def test_a_late_answer_to_an_offer_starts_none_in_a_call_that_is_over(self) -> None:
        pair = talking()
        before = len(pair.sent)
        pair.delays = [0.01] * (before + 2) + [0.4]
        pair.perform(DESK, OfferSession(IN, offer(DESK, 4100)))
        pair.run(0.02)
        pair.perform(HOTLINE, AnswerSession(OUT, offer(HOTLINE, 4100)))
        pair.perform(DESK, Hangup(IN))
        pair.run(100.0)
        assert "ACK" in pair.names(DESK), "the answer came all the same"
        pair.assert_at_rest()

    def test_we_refresh_with_update_where_the_far_end_knows_it(self) -> None:
        pair = talking()
        pair.sent.clear()
        pair.run(2000.0)
        assert pair.names() == ["UPDATE", "200", "UPDATE", "200"]
        assert pair.told(HOTLINE, DialogEnded) == []

    def test_we_refresh_with_reinvite_where_it_does_not(self) -> None:
        pair = talking()
        for address, dialog in ((HOTLINE, OUT), (DESK, IN)):
            found = pair.endpoints[address]._dialogs.by_id(dialog)
            assert found is not None
            found.allows = frozenset()
        pair.sent.clear()
        pair.run(950.0)
        assert pair.names() == ["INVITE", "100", "200", "ACK"]
        assert pair.told(HOTLINE, SessionAnswered) == []
        assert pair.told(DESK, SessionOffered) == []

    def test_a_far_end_that_is_to_refresh_and_does_not_is_given_up(self) -> None:
        pair = talking()
        refreshing = next(
            address
            for address, dialog in ((HOTLINE, OUT), (DESK, IN))
            if pair.endpoints[address]._dialogs.by_id(dialog).refreshes  # type: ignore[union-attr]
        )
        waiting = DESK if refreshing == HOTLINE else HOTLINE
        del pair.endpoints[refreshing]  # gone without a BYE
        pair.run(1800.0)
        (ended,) = pair.told(waiting, DialogEnded)
        assert (ended.ending, ended.status) == ("timed_out", 408)

    def test_too_brief_an_interval_is_refused(self) -> None:
        refused = Bench().send(write_request(body=OFFER, fields=("Session-Expires: 30", "Supported: timer")))[-1]
        assert (refused.status, refused.headers.get("min-se")) == (422, "90")

    def test_a_far_end_that_finds_ours_too_brief_gets_a_longer_one(self) -> None:
        pair = Pair(settings=EndpointSettings(HOTLINE, session_expires_s=300))
        pair.call()
        invite = parse_datagram(pair.sent[-1].data)
        assert isinstance(invite, Request)
        refusal = respond(invite, 422, "", "x")
        refusal.headers.set("min-se", "600")
        pair.inject(refusal.write(), DESK, HOTLINE)
        again = parse_datagram(pair.sent[-1].data)
        assert isinstance(again, Request)
        assert (again.headers.get("session-expires"), again.headers.get("min-se")) == ("600", "600")
        assert (again.cseq.number, again.call_id) == (invite.cseq.number + 1, invite.call_id)

    def test_a_phone_that_knows_no_timers_gets_none(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))

        bench.wire.perform(HOTLINE, Answer("a-in-1", OFFER))
        answer = bench.responses()[-1]
        assert isinstance(answer, Response)
        assert "session-expires" not in answer.headers


def assert_agreed(pair: Pair) -> None:
    """Both sides are at rest and hold the same two descriptions."""
    state, local, remote = session(pair, HOTLINE, OUT)
    assert (state, local, remote) == (State.STABLE, *reversed(session(pair, DESK, IN)[1:]))
    assert session(pair, DESK, IN)[0] is State.STABLE


class TestAnyWire:
    @settings(max_examples=150, deadline=None)
    @given(
        offers=st.lists(st.tuples(st.floats(0.0, 10.0), st.booleans(), st.integers(4100, 4999)), max_size=6),
        # Whose seven copies are all lost, within 32 s, is gone.
        loss=st.lists(st.booleans(), max_size=12).filter(lambda lost: sum(lost) < 7),
        duplication=st.lists(st.booleans(), max_size=24),
        delays=st.lists(st.floats(0.001, 1.0), max_size=24),
    )
    def test_both_sides_agree_in_the_end(
        self,
        offers: list[tuple[float, bool, int]],
        loss: list[bool],
        duplication: list[bool],
        delays: list[float],
    ) -> None:
        """Whatever is offered when, with datagrams lost, doubled and overtaking one another: the call goes on, both
        hold the same session, and hanging up leaves nothing behind."""
        pair = talking()
        before = len(pair.sent)
        pair.loss = [False] * before + loss
        pair.duplication = [False] * before + duplication
        pair.delays = [0.01] * before + delays
        start = pair.now
        for at, from_hotline, port in sorted(offers):
            pair.run(max(0.0, start + at - pair.now))
            side, dialog = (HOTLINE, OUT) if from_hotline else (DESK, IN)
            pair.perform(side, OfferSession(dialog, offer(side, port)))
        pair.run(120.0)
        assert pair.told(HOTLINE, DialogEnded) == pair.told(DESK, DialogEnded) == []
        assert_agreed(pair)
        pair.perform(HOTLINE, Hangup(OUT))
        pair.settle()
        pair.assert_at_rest()
