"""INFO, REFER and NOTIFY inside a dialog, and INVITE with Replaces, from both sides."""

import msgspec
import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    CandidatesReceived,
    DialogEnded,
    Invite,
    InviteReceived,
    KeySignalled,
    Refer,
    ReferProgressed,
    ReferReceived,
    SignalCandidates,
    SignalKey,
    TellRefer,
    WebRtc,
)
from telephony.sip.message import Request, parse_datagram
from telephony.sip.refer import Replaces, parse_refer_to
from tests.telephony.sip.messages import OFFER, Bench, prove, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, Pair, capabilities

OUT, IN = "out", "b-in-1"


def talking() -> tuple[Bench, str]:
    """Return a phone in a call with us, and the To of its requests."""
    bench = Bench()
    bench.send(write_request(body=OFFER))
    bench.wire.perform(HOTLINE, Answer("a-in-1", sdp.answer(OFFER, capabilities(HOTLINE)).sdp))
    to = bench.responses()[-1].headers.get("to")
    bench.send(write_request("ACK", to=to, branch="z9hG4bKack"))
    return bench, to


def inside(method: str, to: str, cseq: int, *fields: str, kind: str = "", body: str = "") -> bytes:
    data = write_request(method, to=to, cseq=cseq, branch=f"z9hG4bKi{cseq}", fields=fields, body=body)
    return data.replace(b"application/sdp", kind.encode()) if kind else data


class TestKeys:
    @pytest.mark.parametrize(
        ("kind", "body", "key"),
        [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"),
            ("application/dtmf-relay", "Signal= *\r\nDuration= 250\r\n", "*"),
            ("application/dtmf-relay", "Duration=1\nsignal = 11\n", "#"),
            ("application/dtmf", "7", "7"),
            ("Application/DTMF", " d\r\n", "D"),
        ],
    )
    def test_key(self, kind: str, body: str, key: str) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("INFO", to, 2, kind=kind, body=body))] == [200]
        assert bench.wire.told(HOTLINE, KeySignalled) == [KeySignalled("a-in-1", key)]

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("application/dtmf-relay", "Signal=flash", 400),
            ("application/dtmf", "12", 400),
            ("application/media_control+xml", "<media_control/>", 415),
        ],
    )
    def test_what_is_no_key(self, kind: str, body: str, status: int) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("INFO", to, 2, kind=kind, body=body))] == [status]
        assert bench.wire.told(HOTLINE, KeySignalled) == []

    def test_an_empty_info_is_answered(self) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("INFO", to, 2))] == [200]

    def test_a_repeated_info_is_one_key(self) -> None:
        bench, to = talking()
        for _ in range(3):
            assert [each.status for each in bench.send(inside("INFO", to, 2, kind="application/dtmf", body="1"))] == [
                200
            ]
        assert len(bench.wire.told(HOTLINE, KeySignalled)) == 1

    def test_a_key_of_ours(self) -> None:
        pair = Pair()
        pair.establish()
        pair.perform(HOTLINE, SignalKey(OUT, "#"))
        pair.run(1.0)
        assert pair.told(DESK, KeySignalled) == [KeySignalled(IN, "#")]


class TestCandidates:
    """Trickle ICE by INFO (RFC 8840)."""

    TYPE = "application/trickle-ice-sdpfrag"
    BODY = "a=ice-ufrag:v\r\na=ice-pwd:q\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 h 9 typ host\r\n"

    def test_theirs(self) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("INFO", to, 2, kind=self.TYPE, body=self.BODY))] == [200]
        told = bench.wire.told(HOTLINE, CandidatesReceived)
        assert told == [CandidatesReceived("a-in-1", "v", ("1 1 udp 1 h 9 typ host",))]

    def test_whose_nobody_knows(self) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("INFO", to, 2, kind=self.TYPE, body="a=mid:0"))] == [400]
        assert bench.wire.told(HOTLINE, CandidatesReceived) == []

    @pytest.mark.parametrize("early", [True, False])
    def test_ours_go_out_once_the_dialog_is_confirmed(self, early: bool) -> None:
        own = WebRtc("u", "p" * 22, ("1 1 udp 1 192.0.2.1 9 typ host",), "sha-256 " + ":".join(["AB"] * 32))
        page = msgspec.structs.replace(own, ufrag="v")
        offer = sdp.offer(msgspec.structs.replace(capabilities(HOTLINE), webrtc=own))
        pair = Pair()
        pair.perform(HOTLINE, Invite(OUT, "desk", "", "", offer))
        command = SignalCandidates(OUT, "u", ("2 1 udp 1 198.51.100.7 9 typ srflx",), True)
        if early:
            pair.perform(HOTLINE, command)
        pair.run(0.5)
        answer = sdp.answer(offer, msgspec.structs.replace(capabilities(DESK), webrtc=page)).sdp
        pair.perform(DESK, Answer(IN, answer))
        pair.run(0.5)
        assert (pair.told(DESK, CandidatesReceived) != []) is early
        pair.perform(HOTLINE, command if not early else msgspec.structs.replace(command, ufrag="gone"))
        pair.run(0.5)
        assert pair.told(DESK, CandidatesReceived) == [CandidatesReceived(IN, "u", command.candidates, True)]


class TestRefer:
    def test_blind_transfer_and_what_comes_of_it(self) -> None:
        """RFC 5359 section 2.4, between endpoints of ours."""
        pair = Pair()
        pair.establish()
        pair.sent.clear()
        pair.perform(DESK, Refer(IN, "1900"))
        pair.run(0.5)
        assert pair.told(HOTLINE, ReferReceived) == [ReferReceived(OUT, "1900")]
        pair.perform(HOTLINE, TellRefer(OUT, 180))
        pair.perform(HOTLINE, TellRefer(OUT, 200))
        pair.perform(HOTLINE, TellRefer(OUT, 200))
        pair.run(0.5)
        assert pair.names() == ["REFER", "202", "NOTIFY", "200", "NOTIFY", "NOTIFY", "200", "200"]
        assert [each.status for each in pair.told(DESK, ReferProgressed)] == [100, 180, 200]

    def test_attended_transfer_names_our_own_dialog(self) -> None:
        pair = Pair()
        pair.establish()
        consulted = sdp.offer(capabilities(HOTLINE))
        pair.perform(HOTLINE, Invite("second", "desk", "", "", consulted))
        pair.run(0.1)
        pair.answer_at_desk()
        pair.run(0.1)
        pair.perform(DESK, Refer(IN, "", "b-in-2"))
        pair.run(0.5)
        (told,) = pair.told(HOTLINE, ReferReceived)
        assert (told.dialog, told.replaces) == (OUT, "second")

    def test_a_dialog_that_is_not_ours_cannot_be_replaced(self) -> None:
        bench, to = talking()
        line = "Refer-To: <sip:x@192.0.2.1?Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2>"
        assert [each.status for each in bench.send(inside("REFER", to, 2, line))] == [481]

    @pytest.mark.parametrize("form", ["<{}>", "{}", '"Colleague" <{}>'])
    def test_a_uri_without_its_brackets_is_whole(self, form: str) -> None:
        uri = "sip:x@192.0.2.1;transport=udp?Replaces=other%3Bto-tag%3D1%3Bfrom-tag%3D2"
        read = parse_refer_to(form.format(uri))
        assert (read.uri.user, read.replaces) == ("x", Replaces("other", "1", "2"))

    @pytest.mark.parametrize(
        "line",
        [
            "Refer-To: <mailto:a@b>",
            "Refer-To: sip:x@y;method=BYE",
            "Refer-To: <sip:x@y;method=BYE>",
            "X: y",
            "Refer-To: <sip:a@b?Replaces=x>",
            "Refer-To: ,",
        ],
    )
    def test_refer_to_nobody(self, line: str) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("REFER", to, 2, line))] == [400]

    def test_two_refer_tos(self) -> None:
        bench, to = talking()
        lines = ("Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>")
        assert [each.status for each in bench.send(inside("REFER", to, 2, *lines))] == [400]

    def test_one_at_a_time(self) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("REFER", to, 2, "Refer-To: <sip:a@b>"))] == [202]
        assert [each.status for each in bench.send(inside("REFER", to, 3, "Refer-To: <sip:a@b>"))] == [491]

    def test_who_does_not_want_to_be_told_is_not(self) -> None:
        bench, to = talking()
        (accepted,) = bench.send(inside("REFER", to, 2, "Refer-To: <tel:+84912345678>", "Refer-Sub: false"))
        assert (accepted.status, accepted.headers.get("refer-sub")) == (202, "false")
        bench.wire.perform(HOTLINE, TellRefer("a-in-1", 200))
        assert "NOTIFY" not in bench.wire.names(HOTLINE)
        assert bench.wire.told(HOTLINE, ReferReceived) == [ReferReceived("a-in-1", "+84912345678")]

    def test_a_refusal_of_ours_is_told(self) -> None:
        pair = Pair()
        pair.establish()
        del pair.endpoints[DESK]
        pair.perform(HOTLINE, Refer(OUT, "1"))
        pair.perform(HOTLINE, Refer(OUT, "2"))
        pair.run(40.0)
        assert [each.status for each in pair.told(HOTLINE, ReferProgressed)] == [491, 408]

    def test_notify_of_something_else(self) -> None:
        bench, to = talking()
        assert [each.status for each in bench.send(inside("NOTIFY", to, 2, "Event: refer"))] == [481]
        assert [each.status for each in bench.send(inside("NOTIFY", to, 3, "Event: presence"))] == [489]


class TestReplaces:
    @staticmethod
    def invite(replaces: str) -> bytes:
        fields = (f"Replaces: {replaces}", "Require: replaces")
        return write_request(call_id="new", branch="z9hG4bKnew", fields=fields, body=OFFER)

    def test_a_dialog_of_ours_is_named(self) -> None:
        pair = Pair()
        pair.establish()
        invite = parse_datagram(pair.sent[0].data)
        answer = parse_datagram(next(sent.data for sent in pair.sent if sent.name == "200"))
        assert isinstance(invite, Request)
        replaces = f"{invite.call_id};to-tag={invite.from_.tag};from-tag={answer.to.tag}"
        bench = Bench(pair)
        bench.responses()
        prove(bench, self.invite(replaces), "desk")
        told = pair.told(HOTLINE, InviteReceived)[-1]
        assert (told.replaces, told.user) == (OUT, "desk")
        assert pair.told(HOTLINE, DialogEnded) == []
        prove(bench, self.invite(replaces + ";early-only").replace(b"new", b"early"), "desk")
        assert pair.names(HOTLINE)[-1] == "486"

    @pytest.mark.parametrize(
        ("replaces", "status"),
        [("nobody;to-tag=1;from-tag=2", 481), ("c1;to-tag=1", 400), (";to-tag=1;from-tag=2", 400), ("c1", 400)],
    )
    def test_what_names_none(self, replaces: str, status: int) -> None:
        assert [each.status for each in prove(Bench(), self.invite(replaces), "desk")] == [100, status]
