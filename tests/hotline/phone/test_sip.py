"""The phone's signalling against a far end that answers by hand, where pyVoIP itself hangs or errs."""

import hashlib
import queue
import re
import socket
from collections.abc import Iterator

import pytest

pytest.importorskip("pyVoIP")

from hotline.phone.dialog import Told
from hotline.phone.line import Line
from hotline.phone.script import write_script
from telephony.sip.message import Request, Response, parse_datagram

LOOPBACK = "127.0.0.1"
ANSWER_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
OFFER_LINES = "From: <sip:+84912345678@far>;tag=far\r\nTo: <sip:thanh@near>{tag}\r\nCall-ID: theirs\r\n"


class FarEnd:
    """A socket whose user is the test."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, 0))
        self.socket.settimeout(5)
        self.told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        address = (LOOPBACK, self.port)
        self.line = Line(
            address, "thanh", "secret", "<sip:0912@h>", write_script("", None), self.told.put, lambda _: None
        )
        self.line.start()

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    def receive(self, method: str) -> Request:
        """Return the next request of a method; repetitions of earlier ones are passed over."""
        while True:
            message = parse_datagram(self.socket.recv(4096))
            if isinstance(message, Request) and message.method == method:
                return message

    def response(self) -> Response:
        while True:
            message = parse_datagram(self.socket.recv(4096))
            if isinstance(message, Response):
                return message

    def send(self, text: str) -> None:
        self.socket.sendto(text.encode(), (LOOPBACK, self.line.sip.myPort))

    def answer(self, request: Request, status: str, more: str = "", body: str = "", tag: str = "far") -> None:
        line = {name: request.headers.lines(name)[0] for name in ("via", "from", "to", "call-id", "cseq")}
        to = line["to"] if "tag=" in line["to"] or status.startswith("100") else f"{line['to']};tag={tag}"
        self.send(
            f"SIP/2.0 {status}\r\nVia: {line['via']}\r\nFrom: {line['from']}\r\nTo: {to}\r\n"
            f"Call-ID: {line['call-id']}\r\nCSeq: {line['cseq']}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def answer_ok(self, invite: Request) -> None:
        more = f"Contact: <sip:hotline@{LOOPBACK}:{self.port}>\r\nContent-Type: application/sdp\r\n"
        self.answer(invite, "200 OK", more, ANSWER_SDP)

    def request(self, method: str, cseq: int, branch: str, tag: str = "", body: str = "") -> None:
        self.send(
            f"{method} sip:thanh@{LOOPBACK} SIP/2.0\r\nVia: SIP/2.0/UDP {LOOPBACK}:{self.port};branch={branch}\r\n"
            + OFFER_LINES.format(tag=f";tag={tag}" if tag else "")
            + f"CSeq: {cseq} {method}\r\nContact: <sip:hotline@{LOOPBACK}:{self.port}>\r\nMax-Forwards: 70\r\n"
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def next(self) -> Told:
        return self.told.get(timeout=5)

    def nothing_told(self) -> bool:
        try:
            self.told.get(timeout=0.2)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self.line.stop()
        self.socket.close()


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    far_end = FarEnd()
    yield far_end
    far_end.close()


def branch_of(request: Request) -> str:
    found = re.search(r"branch=([^;]+)", request.headers.lines("via")[0])
    assert found is not None
    return found.group(1)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class TestOurCalls:
    @pytest.mark.parametrize(
        ("status", "asks", "answers"),
        [("401 Unauthorized", "WWW-Authenticate", "authorization"),
         ("407 Proxy Authentication Required", "Proxy-Authenticate", "proxy-authorization")],
    )  # fmt: skip
    def test_a_challenge_is_answered_once_in_a_new_transaction(
        self, far_end: FarEnd, status: str, asks: str, answers: str
    ) -> None:
        far_end.line.call("1900")
        first = far_end.receive("INVITE")
        challenge = f'{asks}: Digest realm="far", nonce="n1", algorithm=MD5\r\n'
        far_end.answer(first, status, challenge)
        ack = far_end.receive("ACK")
        assert branch_of(ack) == branch_of(first)
        assert ack.to.tag == "far"
        second = far_end.receive("INVITE")
        assert branch_of(second) != branch_of(first)
        assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
        assert second.cseq.number == first.cseq.number + 1
        ha2 = md5(f"INVITE:sip:{LOOPBACK};transport=UDP")
        assert f'response="{md5(md5("thanh:far:secret") + ":n1:" + ha2)}"' in second.headers.lines(answers)[0]
        far_end.answer(second, status, challenge)
        assert branch_of(far_end.receive("ACK")) == branch_of(second)
        told = far_end.next()
        assert (told.what, told.status) == ("refused", int(status[:3]))

    def test_183_is_ringing_and_a_bare_200_is_an_answer(self, far_end: FarEnd) -> None:
        call = far_end.line.call("1900")
        invite = far_end.receive("INVITE")
        far_end.answer(invite, "183 Session Progress", "Content-Type: application/sdp\r\n", ANSWER_SDP)
        assert far_end.next().what == "ringing"
        far_end.answer(invite, "180 Ringing")
        far_end.answer_ok(invite)
        told = far_end.next()
        assert told.what == "answered"
        ack = far_end.receive("ACK")
        assert (ack.to.tag, ack.cseq.number) == ("far", invite.cseq.number)
        assert (ack.uri.user, ack.uri.port) == ("hotline", far_end.port)
        assert branch_of(ack) != branch_of(invite)
        far_end.line.connect(call, told.message)
        assert call.audio.outPort == 9

    def test_a_repeated_200_is_acknowledged_again_and_told_once(self, far_end: FarEnd) -> None:
        far_end.line.call("1900")
        invite = far_end.receive("INVITE")
        far_end.answer_ok(invite)
        first = far_end.receive("ACK")
        far_end.answer_ok(invite)
        assert branch_of(far_end.receive("ACK")) == branch_of(first)
        assert far_end.next().what == "answered"
        assert far_end.nothing_told()

    def test_an_invite_that_was_lost_is_sent_again_and_then_answered(self, far_end: FarEnd) -> None:
        far_end.line.call("1900")
        lost = far_end.receive("INVITE")
        again = far_end.receive("INVITE")
        assert branch_of(again) == branch_of(lost)
        far_end.answer(again, "486 Busy Here")
        assert far_end.next().status == 486

    def test_an_answer_that_crosses_our_cancel_is_hung_up(self, far_end: FarEnd) -> None:
        far_end.line.call("1900")
        invite = far_end.receive("INVITE")
        far_end.answer(invite, "180 Ringing")
        assert far_end.next().what == "ringing"
        far_end.line.sip.cancel()
        cancel = far_end.receive("CANCEL")
        assert (branch_of(cancel), cancel.cseq.number) == (branch_of(invite), invite.cseq.number)
        far_end.answer_ok(invite)
        far_end.answer(cancel, "200 OK")
        far_end.receive("ACK")
        bye = far_end.receive("BYE")
        assert bye.cseq.number == invite.cseq.number + 1
        far_end.answer(bye, "200 OK")
        assert far_end.next().what == "closed"

    def test_garbage_and_strangers_answers_are_passed_over(self, far_end: FarEnd) -> None:
        far_end.line.call("1900")
        invite = far_end.receive("INVITE")
        for garbage in ("\r\n\r\n", "SIP/2.0 200", "SIP/2.0 999 What\r\n\r\n", "NOTIFY sip:a SIP/2.0\r\n\r\n", "\0"):
            far_end.send(garbage)
        far_end.send("SIP/2.0 200 OK\r\nCall-ID: other\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
        assert far_end.nothing_told()
        far_end.answer(invite, "404 Not Found")
        assert far_end.next().what == "refused"


class TestCallsThatComeIn:
    def test_it_rings_answers_until_acknowledged_and_is_hung_up(self, far_end: FarEnd) -> None:
        far_end.request("INVITE", 10, "z9hG4bK1", body=ANSWER_SDP)
        ringing = far_end.response()
        assert ringing.status == 180
        told = far_end.next()
        assert told.what == "incoming"
        far_end.request("INVITE", 10, "z9hG4bK1", body=ANSWER_SDP)
        assert far_end.response().status == 180
        assert far_end.nothing_told()
        far_end.line.accept(far_end.line.take(told.message))
        answer = far_end.response()
        assert (answer.status, answer.to.tag) == (200, ringing.to.tag)
        assert far_end.response().status == 200  # again, since no ACK has come
        far_end.request("ACK", 10, "z9hG4bK2", str(answer.to.tag))
        far_end.request("BYE", 11, "z9hG4bK3", str(answer.to.tag))
        assert far_end.response().cseq.method == "BYE"
        assert far_end.next().what == "hung_up"

    def test_our_bye_has_the_tags_of_the_call(self, far_end: FarEnd) -> None:
        far_end.request("INVITE", 10, "z9hG4bK1", body=ANSWER_SDP)
        far_end.line.accept(far_end.line.take(far_end.next().message))
        while (answer := far_end.response()).status != 200:
            pass
        far_end.request("ACK", 10, "z9hG4bK2", str(answer.to.tag))
        far_end.line.sip.hang_up()
        bye = far_end.receive("BYE")
        assert (bye.from_.tag, bye.to.tag, bye.call_id) == (answer.to.tag, "far", "theirs")
        assert (bye.uri.user, bye.uri.port) == ("hotline", far_end.port)
        far_end.answer(bye, "200 OK")
        assert far_end.next().what == "closed"

    def test_a_re_invite_keeps_the_audio_and_moves_it(self, far_end: FarEnd) -> None:
        far_end.request("INVITE", 10, "z9hG4bK1", body=ANSWER_SDP)
        call = far_end.line.take(far_end.next().message)
        far_end.line.accept(call)
        while (answer := far_end.response()).status != 200:
            pass
        far_end.request("ACK", 10, "z9hG4bK2", str(answer.to.tag))
        far_end.request("INVITE", 11, "z9hG4bK3", str(answer.to.tag), ANSWER_SDP.replace("audio 9", "audio 11"))
        again = far_end.response()
        assert (again.status, again.cseq.number, again.body) == (200, 11, answer.body)
        far_end.request("ACK", 11, "z9hG4bK4", str(answer.to.tag))
        told = far_end.next()
        assert told.what == "moved"
        audio = call.audio
        call.moved(told.message)
        assert call.audio is audio
        assert audio.outPort == 11

    def test_a_second_call_is_busy_and_a_cancelled_one_is_487(self, far_end: FarEnd) -> None:
        far_end.request("INVITE", 10, "z9hG4bK1", body=ANSWER_SDP)
        assert far_end.response().status == 180
        assert far_end.next().what == "incoming"
        second = (
            f"INVITE sip:thanh@{LOOPBACK} SIP/2.0\r\nVia: SIP/2.0/UDP {LOOPBACK}:{far_end.port};branch=z9hG4bK9\r\n"
            + OFFER_LINES.format(tag="").replace("theirs", "others")
            + f"CSeq: 1 INVITE\r\nContact: <sip:h@{LOOPBACK}>\r\nContent-Length: 0\r\n\r\n"
        )
        far_end.send(second)
        assert far_end.response().status == 486
        far_end.request("CANCEL", 10, "z9hG4bK1")
        assert [far_end.response().status, far_end.response().status] == [200, 487]
        assert far_end.next().what == "cancelled"

    def test_a_bye_or_cancel_of_no_call_is_481(self, far_end: FarEnd) -> None:
        for method in ("BYE", "CANCEL"):
            far_end.request(method, 1, f"z9hG4bK{method}", "x")
            assert far_end.response().status == 481
        assert far_end.nothing_told()
