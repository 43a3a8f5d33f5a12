"""The pitfalls that other SIP libraries were seen in, a test for each, by the numbers of the issue that asked for it
all."""

import socket

import pytest

from telephony.edge import udp
from telephony.events import (
    Answer,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    Hangup,
    InviteReceived,
    Reject,
    Ring,
)
from telephony.sip.address import Flow
from telephony.sip.errors import RemoteError
from telephony.sip.message import Request, parse_datagram
from telephony.sip.transaction_layer import server_key
from tests.telephony.sip import soak
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.scripted import Scripted
from tests.telephony.sip.wire import DESK, HOTLINE, Pair

PHONE = ("192.0.2.31", 5060)


def request(data: bytes) -> Request:
    message = parse_datagram(data)
    assert isinstance(message, Request)
    return message


class TestOneServerTransactionKey:
    """1: branch, sent-by, method (ACK as INVITE) and the CSeq number; the rules of RFC 2543 for old clients."""

    def test_the_same_branch_with_another_cseq_is_another_transaction(self) -> None:
        """pyVoIP sends the authenticated INVITE with the branch of the challenged one."""
        bench = Bench()
        for cseq in (1, 2):
            bench.send(write_request(cseq=cseq, call_id=f"c{cseq}", body=OFFER))
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 2

    def test_the_same_branch_from_another_host_is_another_transaction(self) -> None:
        bench = Bench()
        for host in ("192.0.2.2", "192.0.2.3"):
            via = f"SIP/2.0/UDP {host}:5060;rport"
            bench.send(write_request(via=via, call_id=f"c{host}", body=OFFER), (host, 5060))
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 2

    def test_an_ack_finds_its_invite(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Reject("a-in-1", 486, ""))
        bench.send(write_request("ACK"))
        bench.wire.run(40.0)
        assert bench.wire.names(HOTLINE).count("486") == 1

    @pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"])
    def test_an_old_client_is_told_apart_by_everything_else(self, branch: str) -> None:
        bench = Bench()
        for _ in range(2):
            bench.send(write_request(branch=branch, body=OFFER))
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 1
        bench.send(write_request(branch=branch, call_id="c2", body=OFFER))
        assert len(bench.wire.told(HOTLINE, InviteReceived)) == 2
        bench.wire.perform(HOTLINE, Reject("a-in-1", 486, ""))
        bench.send(write_request("ACK", branch=branch, to="<sip:1900@192.0.2.1>;tag=ours"))
        bench.wire.run(40.0)
        assert bench.wire.names(HOTLINE).count("486") == 1

    def test_the_method_is_part_of_it(self) -> None:
        one, other = (request(write_request(method)) for method in ("INVITE", "OPTIONS"))
        assert server_key(one, one.via, one.method) != server_key(other, other.via, other.method)


class TestTwoDialogKey:
    """2: Call-ID and both tags; calls are never keyed by Call-ID."""

    def test_two_calls_with_one_call_id_are_two_calls(self) -> None:
        bench = Bench()
        for tag in ("f1", "f2"):
            bench.send(write_request(branch=f"z9hG4bK{tag}", sender=f"<sip:a@192.0.2.2>;tag={tag}", body=OFFER))
        assert [each.dialog for each in bench.wire.told(HOTLINE, InviteReceived)] == ["a-in-1", "a-in-2"]
        tags = []
        for dialog in ("a-in-1", "a-in-2"):
            bench.wire.perform(HOTLINE, Answer(dialog, OFFER))
            tags.append(bench.responses()[-1].to.tag)
        assert tags[0] != tags[1]
        bye = write_request(
            "BYE", branch="z9hG4bKb", cseq=2, sender="<sip:a@192.0.2.2>;tag=f2", to=f"<sip:1900@h>;tag={tags[1]}"
        )
        assert [each.status for each in bench.send(bye)] == [200]
        assert [each.dialog for each in bench.wire.told(HOTLINE, DialogEnded)] == ["a-in-2"]

    @pytest.mark.parametrize("tag", ["f2", ""])
    def test_a_request_with_another_tag_is_of_no_dialog(self, tag: str) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Ring("a-in-1"))
        ours = bench.responses()[-1].to.tag
        sender = f"<sip:a@192.0.2.2>;tag={tag}" if tag else "<sip:a@192.0.2.2>"
        (answer,) = bench.send(
            write_request("BYE", branch="z9hG4bKb", cseq=2, sender=sender, to=f"<sip:1900@h>;tag={ours}")
        )
        assert answer.status == 481
        assert bench.wire.told(HOTLINE, DialogEnded) == []


class TestThreeCancel:
    """3: CANCEL waits for a provisional; a crossing 200 is ACKed, then BYE; so is a forked second 200."""

    def test_cancel_waits_for_a_provisional_response(self) -> None:
        pair = Pair(loss=[True])
        pair.call()
        pair.perform(HOTLINE, Hangup("out"))
        pair.run(0.4)
        assert pair.names(HOTLINE) == ["INVITE"]
        pair.settle()
        assert pair.names(HOTLINE) == ["INVITE", "INVITE", "CANCEL", "ACK"]
        pair.assert_at_rest()

    def test_a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up(self) -> None:
        pair = Pair()
        pair.call()
        pair.run(0.025)
        pair.perform(HOTLINE, Hangup("out"))
        pair.answer_at_desk()
        pair.settle()
        assert pair.names(HOTLINE) == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert pair.told(HOTLINE, DialogAnswered) == []
        pair.assert_at_rest()

    def test_a_forked_second_200_is_acknowledged_and_hung_up(self) -> None:
        pair = Pair()
        proxy = Scripted(pair, PHONE, "proxy")
        pair.hotline.restore({"desk": [(f"sip:desk@{PHONE[0]}", *PHONE, 1e9)]}, 0.0)
        pair.call()
        pair.run(0.1)
        invite = proxy.request("INVITE")
        for tag in ("one", "two", "two"):
            proxy.answer(invite, 200, OFFER, tag=tag)
        pair.run(0.1)
        assert [proxy.request("ACK").to.tag for _ in range(3)] == ["one", "two", "two"]
        bye = proxy.request("BYE")
        assert bye.to.tag == "two"
        assert len(pair.told(HOTLINE, DialogAnswered)) == 1
        assert pair.told(HOTLINE, DialogEnded) == []


class TestFourMemory:
    """4: 100 goes out at once; rejected calls without ACK expire; a finished transaction drops its messages."""

    def test_100_goes_out_at_once(self) -> None:
        bench = Bench()
        assert [answer.status for answer in bench.send(write_request(body=OFFER))] == [100]

    def test_two_thousand_rejected_calls_that_never_get_their_ack_are_gone_after_32_s(self) -> None:
        bench = Bench()
        for number in range(2_000):
            name = f"n{number}"
            bench.endpoint.receive(
                write_request(branch=f"z9hG4bK{name}", call_id=name, body=OFFER), DESK, bench.wire.now
            )
            bench.endpoint.perform(Reject(f"a-in-{number + 1}", 486, ""), bench.wire.now)
        assert bench.endpoint.load()[:2] == (2_000, 0)
        bench.endpoint.handle_deadline(bench.wire.now + 31.9)
        assert bench.endpoint.load()[0] == 2_000
        bench.endpoint.handle_deadline(bench.wire.now + 32.1)
        assert bench.endpoint.load() == (0, 0, 0)

    def test_two_thousand_calls_of_all_kinds_leave_nothing(self) -> None:
        """`python -m tests.telephony.sip.soak` makes 100,000 of them."""
        assert soak.run(1_000, check_every=500).dropped > 100

    def test_a_finished_transaction_drops_its_messages(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Answer("a-in-1", OFFER))
        (transaction,) = bench.endpoint._transactions._servers.values()
        assert (transaction.request, transaction.last, transaction.ack) == (None, b"", b"")


class TestFiveOddPhones:
    """5: WebSocket clients send text frames or binary ones (`tests/telephony/edge/test_websocket.py` has the frames);
    Content-Length may have spaces around its colon."""

    def test_a_message_of_a_page_is_octets_to_us_whatever_its_frame(self) -> None:
        bench = Bench()
        text = write_request(via="SIP/2.0/WS x.invalid", body=OFFER).decode()
        bench.endpoint.receive(text.encode(), Flow("192.0.2.9", 50000, "one"), 0.0)
        assert len(bench.endpoint.events()) == 1

    @pytest.mark.parametrize("written", ["Content-Length : 5", "Content-Length:5", "l  :   5", "CONTENT-LENGTH\t:\t5"])
    def test_spaces_around_the_colon(self, written: str) -> None:
        data = write_request(body="v=0\r\n").replace(b"Content-Length: 5", written.encode())
        assert request(data + b"more").body == b"v=0\r\n"


class TestSixContradictions:
    """6: duplicate Call-ID, CSeq or Content-Length, and CSeq that disagrees with the method, are errors; no quadratic
    scans (`test_fuzz.TestCost`)."""

    @pytest.mark.parametrize(
        "line", ["Call-ID: c1", "i: other", "CSeq: 1 INVITE", "CSeq: 2 INVITE", "Content-Length: 0", "l: 7"]
    )
    def test_a_second_one_is_an_error(self, line: str) -> None:
        with pytest.raises(RemoteError, match="More Than One"):
            parse_datagram(write_request(fields=(line,)))

    def test_cseq_of_another_method(self) -> None:
        with pytest.raises(RemoteError, match="CSeq Method Does Not Match"):
            parse_datagram(write_request().replace(b"1 INVITE", b"1 BYE"))


class TestSevenSockets:
    """7: SO_RCVBUF is raised, there is one reader, and what is sent is sent in order."""

    def test_what_is_sent_is_sent_in_order(self) -> None:
        bench = Bench()
        bench.endpoint.receive(write_request(body=OFFER), DESK, 0.0)
        for command in (Ring("a-in-1"), Answer("a-in-1", OFFER)):
            bench.endpoint.perform(command, 0.0)
        assert [data.split(b" ")[1] for data, _ in bench.endpoint.datagrams()] == [b"100", b"180", b"200"]
        bench.endpoint.receive(write_request("ACK"), DESK, 0.0)
        assert [type(event) for event in bench.endpoint.events()] == [InviteReceived, DialogConfirmed]

    async def test_the_receive_buffer_is_raised(self) -> None:
        """A burst waits in the kernel; Linux doubles what is asked for, and gives no more than `net.core.rmem_max`."""
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, udp.RECEIVE_BUFFER_OCTETS)
        most = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        plain.close()
        edge = udp.UdpSocket(lambda *_: None, lambda _: None)
        await edge.bind("127.0.0.1", 0)
        raised = edge._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        edge.close()
        assert usual < udp.RECEIVE_BUFFER_OCTETS
        assert raised == most >= usual
