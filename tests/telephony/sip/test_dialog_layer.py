"""Calls between two endpoints on a wire that loses, doubles and reorders, in virtual time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import (
    Answer,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    Hangup,
    Invite,
    InviteReceived,
    Reject,
    Ring,
    SipCommand,
    SipEvent,
)
from telephony.sip.errors import LocalError
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.wire import DESK, HOTLINE, Pair, capabilities


def endings(pair: Pair, address: tuple[str, int]) -> list[tuple[str, int]]:
    return [(event.ending, event.status) for event in pair.told(address, DialogEnded)]


class TestCall:
    """INVITE, 180, 200, ACK, BYE."""

    def test_call_as_it_should_be(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.05)
        pair.perform(DESK, Ring("b-in-1"))
        pair.run(0.05)
        pair.answer_at_desk()
        pair.run(0.1)
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.names() == ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]
        assert [type(event) for event in pair.events[HOTLINE]] == [DialogRinging, DialogAnswered, DialogEnded]
        assert [type(event) for event in pair.events[DESK]] == [InviteReceived, DialogConfirmed, DialogEnded]
        assert endings(pair, HOTLINE) == [("local", 0)]
        assert endings(pair, DESK) == [("bye", 0)]
        pair.assert_at_rest()

    def test_phone_shows_who_calls(self) -> None:
        pair = Pair()
        pair.call(number="+84912345678", display_name='Lan "La" Nguyễn')
        pair.run(0.1)
        (invite,) = pair.invites(DESK)
        assert (invite.number, invite.display_name, invite.withheld) == ("+84912345678", 'Lan "La" Nguyễn', False)
        assert (invite.dnis, invite.source) == ("desk", "192.0.2.1:5060")
        assert sdp.parse(invite.sdp).media[0].port == 4000

    def test_caller_without_number_stays_withheld(self) -> None:
        pair = Pair()
        pair.call(number="", display_name="")
        pair.run(0.1)
        (invite,) = pair.invites(DESK)
        assert (invite.number, invite.display_name, invite.withheld) == ("", "", True)

    def test_line_breaks_in_a_name_stay_out_of_the_message(self) -> None:
        pair = Pair()
        pair.call(display_name="Lan\r\nX-Evil: 1")
        pair.run(0.1)
        assert pair.invites(DESK)[0].display_name == "LanX-Evil: 1"

    def test_what_strangers_write_is_cut_to_a_names_length(self) -> None:
        pair = Pair()
        pair.call(number="9" * 2000, display_name="L" * 2000)
        pair.run(0.1)
        (invite,) = pair.invites(DESK)
        assert (invite.number, invite.display_name) == ("9" * 128, "L" * 128)

    def test_far_end_hangs_up(self) -> None:
        pair = Pair()
        pair.establish()
        pair.perform(DESK, Hangup("b-in-1", "done"))
        pair.settle()
        assert endings(pair, HOTLINE) == [("bye", 0)]
        assert endings(pair, DESK) == [("local", 0)]
        pair.assert_at_rest()

    def test_both_hang_up_at_once(self) -> None:
        pair = Pair()
        pair.establish()
        pair.perform(DESK, Hangup("b-in-1"))
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.names()[-4:] == ["BYE", "BYE", "200", "200"]
        assert endings(pair, HOTLINE) == endings(pair, DESK) == [("local", 0)]
        pair.assert_at_rest()

    def test_no_binding_ends_as_rejected(self) -> None:
        pair = Pair()
        pair.perform(HOTLINE, Invite("out", "nobody", "+84912345678", "", "v=0\r\n"))
        assert pair.told(HOTLINE, DialogEnded) == [DialogEnded("out", "rejected", 480, "Not Registered")]
        assert pair.sent == []

    def test_second_invite_in_one_dialog_is_our_error(self) -> None:
        pair = Pair()
        pair.call()
        with pytest.raises(LocalError, match="a second INVITE"):
            pair.call()

    def test_commands_after_the_end_are_ignored(self) -> None:
        pair = Pair()
        pair.establish()
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        commands: tuple[SipCommand, ...] = (Ring("out"), Answer("out", ""), Reject("out", 486, ""), Hangup("out"))
        sent = len(pair.sent)
        for command in commands:
            pair.perform(HOTLINE, command)
        assert len(pair.sent) == sent
        assert endings(pair, HOTLINE) == [("local", 0)]


class TestRejection:
    """Final responses of 300 and above."""

    def test_busy_phone(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.perform(DESK, Reject("b-in-1", 486, "Busy Here"))
        pair.settle()
        assert pair.names() == ["INVITE", "100", "486", "ACK"]
        assert pair.told(HOTLINE, DialogEnded) == [DialogEnded("out", "rejected", 486, "Busy Here")]
        assert endings(pair, DESK) == [("local", 486)]
        pair.assert_at_rest()

    def test_what_cannot_be_served_is_said_in_a_warning(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.perform(DESK, Reject("b-in-1", 488, "no audio stream", 304))
        pair.settle()
        (sent,) = [each.data.decode() for each in pair.sent if each.name == "488"]
        assert '\r\nWarning: 304 elsewhere "no audio stream"\r\n' in sent
        assert pair.told(HOTLINE, DialogEnded) == [DialogEnded("out", "rejected", 488, "no audio stream")]

    def test_rejection_without_ack_is_repeated_and_then_forgotten(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        del pair.endpoints[HOTLINE]
        pair.perform(DESK, Reject("b-in-1", 486, "Busy Here"))
        pair.settle()
        offsets = [round(at - 0.1, 6) for at in pair.times("486", DESK)]
        assert offsets == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert pair.desk.load() == (0, 0, 0)

    def test_status_that_rejects_nothing_is_our_error(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        with pytest.raises(LocalError, match="Reject with status 200"):
            pair.perform(DESK, Reject("b-in-1", 200, "OK"))

    def test_hangup_before_an_answer_is_a_480(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.perform(DESK, Hangup("b-in-1"))
        pair.settle()
        assert endings(pair, HOTLINE) == [("rejected", 480)]
        pair.assert_at_rest()


class TestLostAnswer:
    """Section 13.3.1.4: a 2xx is repeated until its ACK."""

    def test_lost_200_is_repeated_until_ack(self) -> None:
        pair = Pair(loss=[False, False, True, True, False])  # INVITE, 100, then two 200s
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.run(20.0)
        assert [round(at - 0.1, 6) for at in pair.times("200", DESK)] == [0.0, 0.5, 1.5]
        assert pair.names(HOTLINE) == ["INVITE", "ACK"]
        assert len(pair.told(DESK, DialogConfirmed)) == 1

    def test_lost_ack_is_sent_again_for_the_repeated_200(self) -> None:
        pair = Pair(loss=[False, False, False, True, False, True])
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.run(20.0)
        assert pair.names(HOTLINE) == ["INVITE", "ACK", "ACK", "ACK"]
        acks = {sent.data for sent in pair.sent if sent.name == "ACK"}
        assert len(acks) == 1
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1
        assert len(pair.told(DESK, DialogConfirmed)) == 1

    def test_without_any_ack_it_gives_up_and_hangs_up(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        del pair.endpoints[HOTLINE]
        pair.answer_at_desk()
        pair.settle()
        offsets = [round(at - 0.1, 6) for at in pair.times("200", DESK)]
        assert offsets == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert round(pair.times("BYE", DESK)[0] - 0.1, 6) == 32.0
        assert endings(pair, DESK) == [("timed_out", 408)]
        assert pair.desk.load() == (0, 0, 0)

    def test_hangup_before_the_ack_waits_for_it(self) -> None:
        pair = Pair(loss=[False, False, False, True])  # the ACK is lost once
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.perform(DESK, Hangup("b-in-1"))
        assert "BYE" not in pair.names(DESK)
        pair.settle()
        assert pair.names(DESK) == ["100", "200", "200", "BYE"]
        assert endings(pair, DESK) == [("local", 0)]
        assert endings(pair, HOTLINE) == [("bye", 0)]
        pair.assert_at_rest()

    def test_hangup_without_any_ack_says_bye_in_the_end(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        del pair.endpoints[HOTLINE]
        pair.answer_at_desk()
        pair.perform(DESK, Hangup("b-in-1"))
        pair.settle()
        assert round(pair.times("BYE", DESK)[0] - 0.1, 6) == 32.0
        assert endings(pair, DESK) == [("local", 0)]
        assert pair.desk.load() == (0, 0, 0)

    def test_bye_that_overtakes_the_ack(self) -> None:
        pair = Pair(loss=[False, False, False, True])
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.run(0.05)
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.told(DESK, DialogConfirmed) == []
        assert endings(pair, DESK) == [("bye", 0)]
        assert pair.names(DESK).count("200") == 2  # to INVITE and to BYE, neither repeated
        pair.assert_at_rest()


class TestRetransmission:
    """Requests that come twice are acted on once."""

    def test_invite_that_comes_twice_rings_once(self) -> None:
        pair = Pair(duplication=[True])
        pair.call()
        pair.run(0.1)
        assert len(pair.invites(DESK)) == 1
        assert pair.names(DESK) == ["100", "100"]
        pair.answer_at_desk()
        pair.run(0.1)
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1

    def test_invite_that_comes_again_after_the_answer_is_absorbed(self) -> None:
        pair = Pair()
        pair.establish()
        invite = pair.sent[0]
        pair.inject(invite.data, HOTLINE, DESK)
        assert pair.names(DESK) == ["100", "200"]
        assert len(pair.invites(DESK)) == 1

    def test_unanswered_invite_is_sent_seven_times(self) -> None:
        pair = Pair()
        del pair.endpoints[DESK]
        pair.call()
        pair.settle()
        assert pair.times("INVITE", HOTLINE) == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert endings(pair, HOTLINE) == [("timed_out", 408)]
        pair.assert_at_rest()

    def test_bye_to_a_dead_phone_is_given_up(self) -> None:
        pair = Pair()
        pair.establish()
        del pair.endpoints[DESK]
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        offsets = [round(at - 0.2, 6) for at in pair.times("BYE", HOTLINE)]
        assert offsets == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert endings(pair, HOTLINE) == [("local", 0)]
        assert pair.hotline.load() == (0, 0, 1)


class TestCancel:
    """Section 9, and its race."""

    def test_cancel_while_ringing(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.perform(DESK, Ring("b-in-1"))
        pair.run(0.1)
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.names() == ["INVITE", "100", "180", "CANCEL", "200", "487", "ACK"]
        assert endings(pair, HOTLINE) == [("local", 0)]
        assert endings(pair, DESK) == [("cancelled", 487)]
        pair.assert_at_rest()

    def test_cancel_waits_for_a_provisional_response(self) -> None:
        pair = Pair()
        pair.call()
        pair.perform(HOTLINE, Hangup("out"))
        assert pair.names() == ["INVITE"]
        pair.settle()
        assert pair.names() == ["INVITE", "100", "CANCEL", "200", "487", "ACK"]
        assert endings(pair, HOTLINE) == [("local", 0)]
        pair.assert_at_rest()

    def test_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.answer_at_desk()
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.names() == ["INVITE", "100", "200", "CANCEL", "ACK", "BYE", "200", "200"]
        assert pair.told(HOTLINE, DialogAnswered) == []
        assert endings(pair, HOTLINE) == [("local", 0)]
        assert endings(pair, DESK) == [("bye", 0)]
        pair.assert_at_rest()

    def test_answer_after_the_cancel_is_too_late(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        pair.perform(HOTLINE, Hangup("out"))
        pair.run(0.1)
        pair.answer_at_desk()
        pair.settle()
        assert pair.names(DESK) == ["100", "200", "487"]
        pair.assert_at_rest()

    def test_cancel_after_the_answer_leaves_the_call_alone(self) -> None:
        """The far end's own CANCEL crosses our 200: 200 to the CANCEL, and the call goes on."""
        pair = Pair()
        pair.call()
        pair.run(0.1)
        cancel = pair.sent[0].data.replace(b"INVITE sip:", b"CANCEL sip:").replace(b"1 INVITE", b"1 CANCEL")
        pair.answer_at_desk()
        pair.run(0.1)
        pair.inject(cancel, HOTLINE, DESK)
        pair.run(1.0)
        assert pair.names(DESK) == ["100", "200", "200"]
        assert endings(pair, DESK) == endings(pair, HOTLINE) == []

    def test_cancel_that_leads_nowhere_is_given_up(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.1)
        del pair.endpoints[DESK]
        pair.perform(HOTLINE, Hangup("out"))
        pair.settle()
        assert pair.hotline.load() == (0, 0, 1)
        assert endings(pair, HOTLINE) == [("local", 0)]

    @pytest.mark.parametrize("rings", [True, False])
    def test_phone_that_rings_for_ever_is_cancelled(self, rings: bool) -> None:
        pair = Pair(settings=EndpointSettings(address=HOTLINE, ring_s=20.0))
        pair.call()
        pair.run(0.1)
        if rings:
            pair.perform(DESK, Ring("b-in-1"))
        pair.settle()
        assert pair.times("CANCEL", HOTLINE) == [20.0]
        assert endings(pair, HOTLINE) == [("timed_out", 408)]
        assert endings(pair, DESK) == [("cancelled", 487)]
        pair.assert_at_rest()

    def test_silent_phone_within_a_short_ring_time(self) -> None:
        pair = Pair(settings=EndpointSettings(address=HOTLINE, ring_s=5.0))
        del pair.endpoints[DESK]
        pair.call()
        pair.settle()
        assert endings(pair, HOTLINE) == [("timed_out", 408)]
        pair.assert_at_rest()

    def test_invite_that_nobody_answers_here_ends(self) -> None:
        pair = Pair()
        pair.call()
        pair.settle()
        assert endings(pair, DESK) in ([("timed_out", 408)], [("cancelled", 487)])
        assert len(pair.told(HOTLINE, DialogEnded)) == 1
        pair.assert_at_rest()


class TestFork:
    """Section 13.2.2.4: whoever else answers is acknowledged, and then hung up."""

    @staticmethod
    def fork_of(data: bytes, tag: bytes) -> bytes:
        answer = parse_datagram(data)
        assert isinstance(answer, Response)
        return data.replace(b";tag=" + answer.to.tag.encode(), b";tag=" + tag)

    def test_second_answer_is_acknowledged_and_hung_up(self) -> None:
        pair = Pair()
        pair.establish()
        answer = next(sent for sent in pair.sent if sent.name == "200")
        fork = self.fork_of(answer.data, b"other")
        for _ in range(2):
            pair.inject(fork, DESK, HOTLINE)
        requests = [parse_datagram(sent.data) for sent in pair.sent if sent.source == HOTLINE][2:]
        assert [(request.method, request.to.tag) for request in requests if isinstance(request, Request)] == [
            ("ACK", "other"),
            ("BYE", "other"),
            ("ACK", "other"),
        ]
        assert [request.cseq.number for request in requests] == [1, 2, 1]
        pair.run(60.0)
        assert endings(pair, HOTLINE) == []
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1

    def test_forks_without_end_are_not_remembered(self) -> None:
        pair = Pair()
        pair.establish()
        answer = next(sent for sent in pair.sent if sent.name == "200")
        for number in range(50):
            pair.inject(self.fork_of(answer.data, b"fork%d" % number), DESK, HOTLINE)
        assert pair.names(HOTLINE).count("BYE") == 7


class TestReinvite:
    """Section 14, as octets: a refresh is answered, a change is told; the rest is in `test_session_layer`."""

    @staticmethod
    def reinvite(pair: Pair, offer: str, cseq: int = 7, branch: str = "again") -> None:
        """Let the desk send a re-INVITE, as octets."""
        invite = parse_datagram(pair.sent[0].data)
        answer = parse_datagram(next(sent.data for sent in pair.sent if sent.name == "200"))
        lines = [
            f"INVITE sip:{HOTLINE[0]}:5060 SIP/2.0",
            f"Via: SIP/2.0/UDP {DESK[0]}:5060;branch=z9hG4bK{branch}",
            f"From: {answer.headers.get('to')}",
            f"To: {invite.headers.get('from')}",
            f"Call-ID: {invite.call_id}",
            f"CSeq: {cseq} INVITE",
            f"Contact: <sip:{DESK[0]}:5070>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(offer)}",
        ]
        pair.inject("\r\n".join([*lines, "", offer]).encode(), DESK, HOTLINE)

    def agreed(self, pair: Pair) -> str:
        return pair.told(HOTLINE, DialogAnswered)[0].sdp

    def test_refresh_is_answered_with_what_stands(self) -> None:
        pair = Pair()
        pair.establish()
        self.reinvite(pair, self.agreed(pair))
        answer = parse_datagram(pair.sent[-1].data)
        assert pair.names(HOTLINE)[-2:] == ["100", "200"]
        assert answer.body.decode() == sdp.offer(capabilities(HOTLINE))
        pair.perform(HOTLINE, Hangup("out"))
        bye = parse_datagram(pair.sent[-1].data)
        assert isinstance(bye, Request)
        assert bye.target == "sip:192.0.2.2:5070"

    def test_refresh_without_ack_ends_the_call(self) -> None:
        pair = Pair()
        pair.establish()
        self.reinvite(pair, self.agreed(pair))
        pair.settle()
        assert pair.names(HOTLINE).count("200") == 11
        assert endings(pair, HOTLINE) == [("timed_out", 408)]
        assert pair.hotline.load() == (0, 0, 1)

    def test_second_refresh_before_the_ack_is_told_to_wait(self) -> None:
        pair = Pair()
        pair.establish()
        self.reinvite(pair, self.agreed(pair))
        self.reinvite(pair, self.agreed(pair), cseq=8, branch="soon")
        assert pair.names(HOTLINE)[-1] == "500"

    def test_late_request_is_out_of_order(self) -> None:
        pair = Pair()
        pair.establish()
        self.reinvite(pair, "garbage")
        self.reinvite(pair, "garbage", cseq=6, branch="late")
        assert pair.names(HOTLINE)[-1] == "500"


class TestAnyWire:
    """Whatever a wire does within bounds, both sides end in agreement and nothing is left."""

    @staticmethod
    def react(event: SipEvent, *, behaviour: str) -> list[SipCommand]:
        if not isinstance(event, InviteReceived):
            return []
        if behaviour == "rejects":
            return [Reject(event.dialog, 486, "Busy Here")]
        commands: list[SipCommand] = [Ring(event.dialog)]
        if behaviour == "answers":
            commands.append(Answer(event.dialog, sdp.answer(event.sdp, capabilities(DESK)).sdp))
        return commands

    @settings(max_examples=150, deadline=None)
    @given(
        loss=st.lists(st.booleans(), max_size=8),
        duplication=st.lists(st.booleans(), max_size=20),
        delays=st.lists(st.floats(0.001, 2.0), max_size=20),
        behaviour=st.sampled_from(["answers", "rejects", "rings"]),
        hotline_leaves=st.floats(0.0, 8.0),
        desk_leaves=st.floats(0.0, 8.0) | st.none(),
    )
    def test_both_sides_agree_in_the_end(
        self,
        loss: list[bool],
        duplication: list[bool],
        delays: list[float],
        behaviour: str,
        hotline_leaves: float,
        desk_leaves: float | None,
    ) -> None:
        pair = Pair(loss=loss, duplication=duplication, delays=delays)
        pair.reactions[DESK] = lambda event: self.react(event, behaviour=behaviour)
        pair.call()
        leaving = [(hotline_leaves, HOTLINE, "out")]
        if desk_leaves is not None:
            leaving.append((desk_leaves, DESK, "b-in-1"))
        for at, address, dialog in sorted(leaving):
            pair.run(max(0.0, at - pair.now))
            pair.perform(address, Hangup(dialog))
        pair.settle()
        assert len(pair.told(HOTLINE, DialogEnded)) == 1
        assert len(pair.invites(DESK)) == len(pair.told(DESK, DialogEnded)) <= 1
        pair.assert_at_rest()
