"""The endpoint as phones and scanners meet it: octets in, octets and events out."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import (
    Answer,
    DialogConfirmed,
    DialogEnded,
    Hangup,
    Invite,
    InviteReceived,
    MessageRejected,
    Reject,
    Ring,
    SipCommand,
    SipEvent,
)
from telephony.sip.message import Request, parse_datagram, respond
from telephony.sip.settings import EndpointLimits, EndpointSettings
from tests.telephony.sip.messages import OFFER, Bench, write_register, write_request
from tests.telephony.sip.torture import WELL_FORMED, read
from tests.telephony.sip.wire import DESK, HOTLINE, FakeWire, make_endpoint

ALLOWED = "INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, UPDATE, PRACK, INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE"


def statuses(bench: Bench, data: bytes) -> list[int]:
    """Send octets; returns the statuses that come back, of responses that need not be well formed themselves."""
    before = len(bench.wire.sent)
    bench.wire.inject(data, DESK, HOTLINE)
    return [int(sent.name) for sent in bench.wire.sent[before:]]


def bench_with(limits: EndpointLimits) -> Bench:
    wire = FakeWire()
    wire.attach(HOTLINE, make_endpoint(HOTLINE, "a", EndpointSettings(HOTLINE, limits=limits)))
    return Bench(wire)


class TestInvite:
    def test_100_goes_out_at_once_and_the_call_is_told(self) -> None:
        bench = Bench()
        (trying,) = bench.send(write_request(body=OFFER))
        assert (trying.status, trying.to.tag) == (100, "")
        assert bench.wire.events[HOTLINE] == [
            InviteReceived("a-in-1", "0912345678", "Lan", False, "1900", OFFER, "192.0.2.2:5060")
        ]

    def test_withheld_number_is_not_told(self) -> None:
        bench = Bench()
        bench.send(write_request(fields=("Privacy: id",)))
        (event,) = bench.wire.told(HOTLINE, InviteReceived)
        assert (event.number, event.display_name, event.withheld) == ("", "", True)

    def test_events_can_be_encoded_whatever_octets_came(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER + "s=@@\r\n").replace(b"@@", b"\xff\xfe").replace(b'"Lan"', b'"L\xffn"'))
        (event,) = bench.wire.told(HOTLINE, InviteReceived)
        assert event.display_name == "L\ufffdn"
        assert msgspec.msgpack.encode(event)

    def test_offerless_invite_is_told_without_sdp(self) -> None:
        bench = Bench()
        bench.send(write_request())
        assert bench.wire.told(HOTLINE, InviteReceived)[0].sdp == ""

    def test_answer_carries_what_makes_a_dialog(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER, fields=("Record-Route: <sip:p1;lr>, <sip:p2;lr>",)))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        (answer,) = bench.responses()
        assert (answer.status, answer.body) == (200, b"v=0\r\n")
        assert answer.to.tag
        assert answer.headers.get("contact") == "<sip:192.0.2.1:5060>"
        assert answer.headers.get("record-route") == "<sip:p1;lr>, <sip:p2;lr>"
        assert answer.headers.get("allow") == ALLOWED

    def test_ack_of_a_phone_that_keeps_the_branch_and_invents_a_tag(self) -> None:
        """pyVoIP: the ACK to a 200 has the branch of the INVITE and a To tag drawn anew."""
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        bench.send(write_request("ACK", to="<sip:1900@192.0.2.1>;tag=invented"))
        assert bench.wire.told(HOTLINE, DialogConfirmed) == [DialogConfirmed("a-in-1")]

    def test_ack_of_an_earlier_invite_confirms_nothing(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER, cseq=5))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        (answer,) = bench.responses()
        to = answer.headers.get("to")
        bench.send(write_request("ACK", to=to, cseq=4, branch="z9hG4bK2"))
        assert bench.wire.told(HOTLINE, DialogConfirmed) == []
        for _ in range(2):
            bench.send(write_request("ACK", to=to, cseq=5, branch="z9hG4bK3"))
        assert len(bench.wire.told(HOTLINE, DialogConfirmed)) == 1

    def test_phone_of_rfc_2543(self) -> None:
        bench = Bench()
        invite = write_request(branch="", body=OFFER, sender="<sip:lan@192.0.2.2>")
        assert statuses(bench, invite) == [100]
        assert statuses(bench, invite) == [100]
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 1
        bench.wire.perform(HOTLINE, Reject("a-in-1", 486, "Busy Here"))
        bench.send(write_request("ACK", branch="", sender="<sip:lan@192.0.2.2>", to="<sip:1900@192.0.2.1>;tag=x"))
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)

    def test_early_bye_ends_the_call(self) -> None:
        bench = Bench()
        (trying,) = bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Reject("unknown", 486, ""))
        dialog = next(iter(bench.endpoint._dialogs._by_key))
        assert trying.status == 100
        bye = write_request("BYE", to=f"<sip:1900@192.0.2.1>;tag={dialog[1]}", cseq=2, branch="z9hG4bK2")
        assert statuses(bench, bye) == [487, 200]
        assert bench.wire.told(HOTLINE, DialogEnded) == [DialogEnded("a-in-1", "bye")]

    def test_pyvoip_s_bye_has_the_branch_of_the_invite(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        (answer,) = bench.responses()
        bench.send(write_request("ACK"))
        assert statuses(bench, write_request("BYE", to=answer.headers.get("to"), cseq=2)) == [200]
        assert bench.wire.told(HOTLINE, DialogEnded) == [DialogEnded("a-in-1", "bye")]


class TestOtherMethods:
    def test_options(self) -> None:
        (response,) = Bench().send(write_request("OPTIONS"))
        assert (response.status, response.headers.get("allow")) == (200, ALLOWED)
        assert response.headers.get("accept") == "application/sdp"

    @pytest.mark.parametrize(("method", "status"), [("PUBLISH", 405), ("invite", 501), ("NEWMETHOD", 501)])
    def test_what_we_do_not_do(self, method: str, status: int) -> None:
        """RFC 3261 sections 8.2.1 and 21.5.2."""
        (response,) = Bench().send(write_request(method))
        assert (response.status, response.headers.get("allow")) == (status, ALLOWED)

    @pytest.mark.parametrize("method", ["INFO", "REFER", "NOTIFY"])
    def test_what_belongs_into_a_dialog(self, method: str) -> None:
        assert statuses(Bench(), write_request(method)) == [403]

    @pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY"])
    def test_request_in_an_unknown_dialog(self, method: str) -> None:
        assert statuses(Bench(), write_request(method, to="<sip:1900@192.0.2.1>;tag=x")) == [481]

    def test_bye_outside_any_dialog(self) -> None:
        assert statuses(Bench(), write_request("BYE")) == [481]

    def test_cancel_of_nothing(self) -> None:
        assert statuses(Bench(), write_request("CANCEL")) == [481]

    def test_ack_of_nothing_is_never_answered(self) -> None:
        assert statuses(Bench(), write_request("ACK")) == []

    def test_cancel_and_its_invite_have_one_tag(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        first, second = bench.send(write_request("CANCEL"))
        assert (first.status, second.status) == (200, 487)
        assert first.to.tag == second.to.tag

    def test_extension_that_is_required(self) -> None:
        (response,) = Bench().send(write_request(fields=("Require: 100rel, precondition",)))
        assert (response.status, response.headers.get("unsupported")) == (420, "precondition")

    def test_cancel_is_not_asked_for_extensions(self) -> None:
        """Section 9.1: a CANCEL has no Require, and is not to be refused for one."""
        bench = Bench()
        bench.send(write_request(body=OFFER))
        assert statuses(bench, write_request("CANCEL", fields=("Require: x",))) == [200, 487]

    @pytest.mark.parametrize("kind", ["text/plain", "application/sdp\r\nContent-Encoding: gzip", "multipart/mixed"])
    def test_body_that_is_no_description(self, kind: str) -> None:
        (response,) = Bench().send(write_request(body=OFFER).replace(b"application/sdp", kind.encode()))
        assert (response.status, response.headers.get("accept")) == (415, "application/sdp")

    def test_scheme_that_nobody_knows(self) -> None:
        assert statuses(Bench(), write_request(target="isbn:2983792873")) == [416]

    def test_caller_may_dial_a_tel_uri(self) -> None:
        bench = Bench()
        bench.send(write_request(target="tel:+84190012"))
        assert bench.wire.told(HOTLINE, InviteReceived)[0].dnis == "+84190012"


class TestBroken:
    """Malformed datagrams: 400 where an answer is due, silence elsewhere, one line in the log."""

    def test_400_names_the_cause_and_nothing_is_remembered(self) -> None:
        bench = Bench()
        (response,) = bench.send(write_request().replace(b"1 INVITE", b"1 OPTIONS"))
        assert (response.status, response.reason) == (400, "CSeq Method Does Not Match")
        assert response.to.tag
        assert response.headers.get("via").endswith("rport=5060;received=192.0.2.2")
        assert bench.endpoint.load() == (0, 0, 0)
        told = MessageRejected("192.0.2.2:5060", 400, "CSeq Method Does Not Match")
        assert bench.wire.events[HOTLINE] == [told]

    @pytest.mark.parametrize(
        "data",
        [
            write_request("ACK").replace(b"1 ACK", b"1 INVITE"),
            write_request().replace(b"CSeq: 1 INVITE\r\n", b""),
            write_request().replace(b"Via: SIP/2.0/UDP", b"Via: nonsense"),
            b"SIP/2.0 999 Odd\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x80\x00" * 80,
        ],
    )
    def test_silence(self, data: bytes) -> None:
        bench = Bench()
        assert bench.send(data) == []
        (event,) = bench.wire.told(HOTLINE, MessageRejected)
        assert event.status == 0

    @pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"  "])
    def test_keepalives_are_no_messages(self, data: bytes) -> None:
        bench = Bench()
        assert bench.send(data) == []
        assert bench.wire.events[HOTLINE] == []

    def test_one_source_is_told_once_a_minute(self) -> None:
        bench = Bench()
        for port in range(100):
            bench.send(b"garbage", ("203.0.113.9", 1000 + port))
        bench.send(b"garbage", ("203.0.113.8", 1))
        bench.wire.run(60.0)
        bench.send(b"garbage", ("203.0.113.9", 1))
        told = [(event.source, event.unreported) for event in bench.wire.told(HOTLINE, MessageRejected)]
        assert told == [("203.0.113.9:1000", 0), ("203.0.113.8:1", 0), ("203.0.113.9:1", 99)]

    def test_tag_that_is_there_is_kept(self) -> None:
        data = write_request("BYE", to="<sip:1900@192.0.2.1>;tag=x").replace(b"1 BYE", b"x BYE")
        bench = Bench()
        assert statuses(bench, data) == [400]
        assert b"\r\nTo: <sip:1900@192.0.2.1>;tag=x\r\n" in bench.wire.sent[-1].data

    def test_version_of_the_future(self) -> None:
        assert statuses(Bench(), write_request().replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia")) == [505]


class TestLimits:
    def test_transactions(self) -> None:
        bench = bench_with(EndpointLimits(transactions=3))
        bench.wire.reactions[HOTLINE] = lambda event: (
            [Reject(event.dialog, 404, "Not Found")] if isinstance(event, InviteReceived) else []
        )
        seen = [statuses(bench, write_request(branch=f"z9hG4bK{n}", call_id=f"c{n}"))[-1] for n in range(5)]
        assert seen == [404, 404, 404, 503, 503]
        assert len(bench.wire.told(HOTLINE, MessageRejected)) == 1
        assert statuses(bench, write_register()) == [401]  # a flood of calls keeps no phone from registering
        bench.wire.run(33.0)
        assert statuses(bench, write_request(branch="z9hG4bKlater", call_id="later")) == [100, 404]

    @pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "BYE", "CANCEL", "SUBSCRIBE"])
    def test_what_strangers_have_for_asking_takes_no_room(self, method: str) -> None:
        bench = bench_with(EndpointLimits(transactions=3))
        for number in range(100):
            assert statuses(bench, write_request(method, branch=f"z9hG4bK{number}"))[-1] != 503
        assert bench.endpoint.load() == (0, 0, 0)

    def test_full_house_still_lets_go(self) -> None:
        bench = bench_with(EndpointLimits(transactions=2))
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        to = bench.responses()[0].headers.get("to")
        bench.send(write_request(branch="z9hG4bK2", call_id="c2"))
        assert statuses(bench, write_request(branch="z9hG4bK3", call_id="c3")) == [503]
        assert statuses(bench, write_request("BYE", to=to, cseq=2, branch="z9hG4bK4")) == [200]

    def test_dialogs(self) -> None:
        bench = bench_with(EndpointLimits(dialogs=2))
        seen = [statuses(bench, write_request(branch=f"z9hG4bK{n}", call_id=f"c{n}")) for n in range(3)]
        assert seen == [[100], [100], [503]]

    def test_a_flood_of_rejected_calls_leaves_nothing(self) -> None:
        """Calls that are rejected and never acknowledged expire."""
        bench = Bench()
        bench.wire.reactions[HOTLINE] = lambda event: (
            [Reject(event.dialog, 404, "Not Found")] if isinstance(event, InviteReceived) else []
        )
        for number in range(500):
            bench.send(write_request(branch=f"z9hG4bK{number}", call_id=f"c{number}"))
        assert bench.endpoint.load() == (500, 0, 1000)
        bench.wire.run(33.0)
        assert bench.endpoint.load() == (0, 0, 0)


class TestAddress:
    def test_open_parts_are_taken_from_what_was_bound(self) -> None:
        wire = FakeWire()
        endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE, "a", EndpointSettings(("0.0.0.0", 0))))
        endpoint.bound_to("127.0.0.1", 40000)
        bench = Bench(wire)
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        assert bench.responses()[-1].headers.get("contact") == "<sip:127.0.0.1:40000>"

    def test_what_is_said_is_kept(self) -> None:
        wire = FakeWire()
        endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE))
        endpoint.bound_to("127.0.0.1", 40000)
        endpoint.restore({"desk": [("sip:desk@192.0.2.2", *DESK, 1e9)]}, 0.0)
        bench = Bench(wire)
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        assert bench.responses()[-1].headers.get("contact") == "<sip:192.0.2.1:5060>"

    def test_ipv6_is_written_in_brackets(self) -> None:
        ours, theirs = ("2001:db8::1", 5060), ("2001:db8::2", 5060)
        wire = FakeWire()
        endpoint = wire.attach(ours, make_endpoint(ours))
        endpoint.restore({"desk": [("sip:desk@[2001:db8::2]", *theirs, 1e9)]}, 0.0)
        wire.perform(ours, Invite("out", "desk", "", "", ""))
        invite = parse_datagram(wire.sent[-1].data)
        assert (invite.via.host, wire.sent[-1].destination) == ("[2001:db8::1]", theirs)
        assert invite.headers.get("contact") == "<sip:[2001:db8::1]:5060>"
        wire.inject(write_request(via="SIP/2.0/UDP [2001:db8::2]", body=OFFER), theirs, ours)
        assert wire.sent[-1].destination == theirs
        assert wire.told(ours, InviteReceived)[0].source == "[2001:db8::2]:5060"


class TestAnySequence:
    """A phone that does anything in any order: nothing is raised, every call ends once, nothing stays behind."""

    METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER")
    MOVES = st.one_of(
        st.tuples(st.sampled_from(METHODS), st.integers(0, 2), st.integers(1, 3), st.sampled_from(["", "ours", "x"])),
        st.tuples(st.sampled_from(["ring", "answer", "reject", "hangup", "invite"]), st.integers(1, 3)),
        st.tuples(
            st.sampled_from([100, 180, 200, 200, 486]), st.sampled_from(["INVITE", "BYE"]), st.sampled_from("ab")
        ),
        st.floats(0.0, 40.0),
    )

    @settings(max_examples=150, deadline=None)
    @given(st.lists(MOVES, max_size=25))
    def test_nothing_breaks(self, moves: list[object]) -> None:
        wire = FakeWire()
        endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE))
        endpoint.restore({"desk": [("sip:desk@192.0.2.2", *DESK, 1e9)]}, 0.0)
        asked: set[str] = set()
        for move in moves:
            match move:
                case float(seconds):
                    wire.run(seconds)
                case str(command), int(number):
                    self.command(wire, command, number, asked)
                case str(method), int(branch), int(cseq), str(tag):
                    to = f"<sip:1900@h>;tag={self.tag_of(wire) if tag == 'ours' else tag}" if tag else "<sip:1900@h>"
                    data = write_request(method, branch=f"z9hG4bK{branch}", cseq=cseq, to=to, body=OFFER)
                    wire.inject(data, DESK, HOTLINE)
                case int(status), str(method), str(tag):
                    self.respond(wire, status, method, tag)
        for dialog in [event.dialog for event in wire.told(HOTLINE, InviteReceived)] + sorted(asked):
            wire.perform(HOTLINE, Hangup(dialog))
        wire.settle()
        ended = [event.dialog for event in wire.told(HOTLINE, DialogEnded)]
        assert sorted(ended) == sorted({event.dialog for event in wire.told(HOTLINE, InviteReceived)} | asked)
        assert endpoint.load() == (0, 0, 1)

    @staticmethod
    def command(wire: FakeWire, command: str, number: int, asked: set[str]) -> None:
        dialog = f"a-in-{number}"
        match command:
            case "ring":
                wire.perform(HOTLINE, Ring(dialog))
            case "answer":
                wire.perform(HOTLINE, Answer(dialog, OFFER))
            case "reject":
                wire.perform(HOTLINE, Reject(dialog, 486, "Busy Here"))
            case "hangup":
                wire.perform(HOTLINE, Hangup(dialog if number < 3 else "out-0"))
            case _:
                asked.add(f"out-{len(asked)}")
                wire.perform(HOTLINE, Invite(f"out-{len(asked) - 1}", "desk", "1", "", OFFER))

    @staticmethod
    def tag_of(wire: FakeWire) -> str:
        """The To tag of our last response that had one."""
        for sent in reversed(wire.sent):
            message = parse_datagram(sent.data)
            if message.to.tag and not isinstance(message, Request):
                return message.to.tag
        return "none"

    @staticmethod
    def respond(wire: FakeWire, status: int, method: str, tag: str) -> None:
        """Answer our last request of a method."""
        for sent in reversed(wire.sent):
            message = parse_datagram(sent.data)
            if isinstance(message, Request) and message.method == method:
                wire.inject(respond(message, status, "", tag).write(), DESK, HOTLINE)
                return


class TestResponsesThatAreNotExpected:
    def test_they_change_nothing(self) -> None:
        bench = Bench()
        (trying,) = bench.send(write_request(body=OFFER))
        for status in (b"200 OK", b"486 Busy", b"100 Trying"):
            bench.send(trying.write().replace(b"100 Trying", status))
        assert len(bench.wire.events[HOTLINE]) == 1


class TestOctets:
    """Whatever comes is answered or dropped, and nothing stays behind; `test_torture` has RFC 4475's own messages."""

    def test_via_that_names_nobody_is_not_answered(self) -> None:
        assert statuses(Bench(), write_request().replace(b"Via:", b"Via: ;;,;,,")) == []

    @pytest.mark.parametrize("field", ["Call-ID: c1", 'From: "Lan" <sip:0912345678@192.0.2.2>;tag=f1'])
    def test_what_lacks_a_field_is_answered_without_it(self, field: str) -> None:
        """RFC 4475 section 3.3.1: "Ideally, an element would respond with 400"."""
        bench = Bench()
        bench.wire.inject(write_request().replace(f"{field}\r\n".encode(), b""), DESK, HOTLINE)
        (sent,) = bench.wire.sent
        assert sent.line == f"SIP/2.0 400 Missing {field.partition(':')[0]}"
        assert field.partition(":")[0].encode() + b":" not in sent.data
        assert b"CSeq: 1 INVITE" in sent.data

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(WELL_FORMED), st.integers(0, 700), st.integers(0, 30), st.binary(max_size=8))
    def test_any_mutation_leaves_nothing_behind(self, name: str, position: int, length: int, octets: bytes) -> None:
        bench = Bench()

        def react(event: SipEvent) -> list[SipCommand]:
            return [Hangup(event.dialog)] if isinstance(event, InviteReceived) else []

        bench.wire.reactions[HOTLINE] = react
        data = read(name)
        bench.wire.inject(data[:position] + octets + data[position + length :], DESK, HOTLINE)
        for event in bench.wire.events[HOTLINE]:
            assert msgspec.msgpack.encode(event)
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)

    def test_our_own_requests_are_whole(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", "v=0\r\n"))
        bench.send(write_request("ACK"))
        bench.wire.perform(HOTLINE, Hangup("a-in-1"))
        bye = parse_datagram(bench.wire.sent[-1].data)
        assert isinstance(bye, Request)
        assert (bye.method, bye.target) == ("BYE", "sip:0912345678@192.0.2.2:5060")
        assert bye.headers.get("max-forwards") == "70"
