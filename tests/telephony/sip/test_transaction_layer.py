"""Every row of every table performed, and the timers to the millisecond."""

import pytest

from telephony.sip.address import Address, Flow
from telephony.sip.errors import LocalError
from telephony.sip.headers import Headers
from telephony.sip.message import Request, Response, parse_datagram, parse_via, respond
from telephony.sip.outbox import Outbox
from telephony.sip.timers import Deadlines
from telephony.sip.transaction import MACHINES, Action, Input, Machine, Row, State
from telephony.sip.transaction_layer import Transaction, TransactionLayer, server_key
from tests.telephony.sip.messages import write_request
from tests.telephony.sip.wire import DESK, HOTLINE, counting_token

STATUS = {Input.PROVISIONAL: 180, Input.SUCCESS: 200, Input.FAILURE: 486}
DATAGRAMS = {Action.SEND, Action.RESEND, Action.DOUBLE, Action.DOUBLE_TO_T2, Action.AFTER_T2, Action.ACK}


class Room:
    """A transaction layer with its outbox and deadlines, and transactions to try things on."""

    def __init__(self, peer: Address = DESK) -> None:
        self.peer = peer
        self.outbox = Outbox()
        self.deadlines = Deadlines()
        self.layer = TransactionLayer(self.outbox, self.deadlines, counting_token("t"), HOTLINE)

    def sent(self) -> list[bytes]:
        datagrams, self.outbox.datagrams = self.outbox.datagrams, []
        return [data for data, _ in datagrams]

    def client(self, method: str) -> Transaction:
        request = Request(method, "sip:desk@192.0.2.2", request_headers(method))
        transaction = self.layer.open_client(request, self.peer, 0.0, "owner")
        self.sent()
        return transaction

    def server(self, method: str) -> Transaction:
        request = parse(write_request(method))
        return self.layer.open_server(request, request.via, self.peer)

    def open(self, machine: Machine) -> Transaction:
        method = "OPTIONS" if machine.name.startswith("non") else "INVITE"
        return self.client(method) if "client" in machine.name else self.server(method)

    def bring_to(self, transaction: Transaction, state: State) -> None:
        """Walk the shortest way of messages, timers aside."""
        ways = {
            "INVITE client": {State.PROCEEDING: [180], State.COMPLETED: [486], State.ACCEPTED: [200]},
            "INVITE server": {State.COMPLETED: [486], State.CONFIRMED: [486, 0], State.ACCEPTED: [200]},
            "non-INVITE client": {State.PROCEEDING: [100], State.COMPLETED: [200]},
            "non-INVITE server": {State.PROCEEDING: [100], State.COMPLETED: [200]},
        }
        for status in ways[transaction.machine.name].get(state, []):
            if status == 0:
                self.layer.step(transaction, Input.ACK, 0.0)
            else:
                received = next(name for name, number in STATUS.items() if number // 100 == max(status // 100, 1))
                if status > 300:
                    received = Input.FAILURE
                self.layer.step(transaction, received, 0.0, a_response(transaction, status))
        assert transaction.state is state
        self.sent()


def parse(data: bytes) -> Request:
    message = parse_datagram(data)
    assert isinstance(message, Request)
    return message


def request_headers(method: str) -> Headers:
    return Headers(
        (
            ("via", ""),
            ("from", "<sip:1900@hotline>;tag=f"),
            ("to", "<sip:desk@hotline>"),
            ("call-id", "c"),
            ("cseq", f"1 {method}"),
            ("route", "<sip:192.0.2.9;lr>"),
        )
    )


def a_response(transaction: Transaction, status: int) -> Response:
    """A response to the transaction's request, or to one like it when the transaction has dropped its own."""
    if transaction.request is not None:
        request = parse(transaction.request.write())
    else:
        method = "OPTIONS" if transaction.machine.name.startswith("non") else "INVITE"
        request = parse(write_request(method, branch=str(transaction.key[0])))
    return respond(request, status, "", "tt")


ROWS = [(machine, state, received, row) for machine in MACHINES for (state, received), row in machine.table.items()]


class TestEveryRow:
    @pytest.mark.parametrize(
        ("machine", "state", "received", "row"),
        ROWS,
        ids=[f"{machine.name}: {state}, {received}" for machine, state, received, _ in ROWS],
    )
    def test_row(self, machine: Machine, state: State, received: Input, row: Row) -> None:
        room = Room()
        transaction = room.open(machine)
        room.bring_to(transaction, state)
        response = a_response(transaction, STATUS[received]) if received in STATUS else None
        after, actions = row
        assert room.layer.step(transaction, received, 1.0, response) == actions
        assert transaction.state is after
        expected = sum(action in DATAGRAMS for action in actions)
        if received is Input.REQUEST and state is State.PROCEEDING and machine.name == "INVITE server":
            expected = 0  # nothing had been sent yet that could be sent again
        assert len(room.sent()) == expected
        assert len(room.deadlines) == len(machine.timers.get(after, ()))

    @pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
    def test_input_without_a_row_is_our_error(self, machine: Machine) -> None:
        room = Room()
        transaction = room.open(machine)
        absent = next(received for received in Input if (machine.start, received) not in machine.table)
        with pytest.raises(LocalError, match=f"has no {absent}"):
            room.layer.step(transaction, absent, 0.0)


class TestMemory:
    @pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
    def test_finished_transaction_holds_nothing(self, machine: Machine) -> None:
        room = Room()
        transaction = room.open(machine)
        transaction.owner = object()
        room.bring_to(transaction, State.COMPLETED)
        deadlines_of(room)
        assert transaction.state is State.TERMINATED
        assert (transaction.request, transaction.last, transaction.ack, transaction.owner) == (None, b"", b"", None)
        assert len(room.layer) == len(room.deadlines) == 0

    def test_accepted_server_keeps_no_message(self) -> None:
        room = Room()
        transaction = room.server("INVITE")
        room.bring_to(transaction, State.ACCEPTED)
        assert (transaction.request, transaction.last) == (None, b"")


def deadlines_of(room: Room) -> list[float]:
    """Fire everything, and return when each timer was due."""
    times = []
    while (due := room.deadlines.next()) is not None:
        times.append(due)
        fired = room.deadlines.pop(due)
        assert fired is not None
        owner, timer = fired
        assert isinstance(owner, Transaction)
        room.layer.fire(owner, timer, due)
    return times


class TestTimers:
    def test_invite_client_doubles_without_bound(self) -> None:
        room = Room()
        room.client("INVITE")
        assert deadlines_of(room) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0]

    def test_non_invite_client_doubles_to_t2(self) -> None:
        room = Room()
        room.client("OPTIONS")
        assert deadlines_of(room) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32.0]

    def test_non_invite_client_goes_on_at_t2_after_a_provisional(self) -> None:
        room = Room()
        transaction = room.client("OPTIONS")
        room.layer.step(transaction, Input.PROVISIONAL, 0.2, a_response(transaction, 100))
        assert deadlines_of(room) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5, 32.0]

    def test_invite_client_waits_for_ever_once_it_rings(self) -> None:
        room = Room()
        room.bring_to(room.client("INVITE"), State.PROCEEDING)
        assert room.deadlines.next() is None

    def test_invite_server_repeats_a_rejection_to_t2(self) -> None:
        room = Room()
        room.bring_to(room.server("INVITE"), State.COMPLETED)
        assert deadlines_of(room) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32.0]

    def test_reliable_transport_repeats_nothing(self) -> None:
        room = Room(Flow("192.0.2.2", 5060, "c"))
        room.client("INVITE")
        assert deadlines_of(room) == [32.0]
        room.client("OPTIONS")
        assert deadlines_of(room) == [32.0]
        room.bring_to(room.server("INVITE"), State.COMPLETED)
        assert deadlines_of(room) == [32.0]
        room.bring_to(room.server("OPTIONS"), State.COMPLETED)
        assert deadlines_of(room) == [0.0]


class TestFailureAck:
    """Section 17.1.1.3: the ACK to a 300-699 response."""

    def test_ack_repeats_branch_and_route_and_takes_the_to_of_the_response(self) -> None:
        room = Room()
        transaction = room.client("INVITE")
        room.layer.receive_response(a_response(transaction, 486), 0.0)
        ack = parse(room.sent()[0])
        assert (ack.method, ack.cseq.number, ack.to.tag) == ("ACK", 1, "tt")
        assert ack.via.branch == transaction.key[0]
        assert ack.headers.get("route") == "<sip:192.0.2.9;lr>"

    def test_ack_is_sent_again_for_a_repeated_response(self) -> None:
        room = Room()
        transaction = room.client("INVITE")
        response = a_response(transaction, 486)
        assert room.layer.receive_response(response, 0.0) is transaction
        assert room.layer.receive_response(response, 0.1) is None
        first, second = room.sent()
        assert first == second


class TestCancel:
    def test_cancel_repeats_the_invite(self) -> None:
        room = Room()
        invite = room.client("INVITE")
        room.bring_to(invite, State.PROCEEDING)
        room.layer.cancel(invite, 0.0)
        cancel = parse(room.sent()[0])
        assert (cancel.method, cancel.target, cancel.cseq.number) == ("CANCEL", "sip:desk@192.0.2.2", 1)
        assert cancel.via.branch == invite.key[0]
        assert cancel.to.tag == ""

    def test_cancel_too_early_is_our_error(self) -> None:
        room = Room()
        with pytest.raises(LocalError, match="waits for a provisional"):
            room.layer.cancel(room.client("INVITE"), 0.0)

    def test_sending_nothing_is_our_error(self) -> None:
        room = Room()
        with pytest.raises(LocalError, match="nothing to send"):
            room.layer.step(room.server("INVITE"), Input.FAILURE, 0.0)


class TestMatching:
    """Section 17.2.3 for servers, 17.1.3 for clients."""

    @staticmethod
    def key(data: bytes, method: str = "INVITE") -> object:
        request = parse(data)
        return server_key(request, request.via, method)

    def test_ack_and_cancel_find_their_invite(self) -> None:
        invite = self.key(write_request())
        assert self.key(write_request("ACK", to="<sip:1900@192.0.2.1>;tag=x")) == invite
        assert self.key(write_request("CANCEL")) == invite

    def test_authenticated_invite_may_reuse_its_branch(self) -> None:
        assert self.key(write_request(cseq=1)) != self.key(write_request(cseq=2))

    def test_two_phones_may_draw_the_same_branch(self) -> None:
        other = write_request(via="SIP/2.0/UDP 192.0.2.3:5060;rport")
        assert self.key(write_request()) != self.key(other)

    @pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"])
    def test_old_clients_are_told_apart_by_the_rest(self, branch: str) -> None:
        invite = self.key(write_request(branch=branch))
        assert self.key(write_request("ACK", branch=branch, to="<sip:1900@192.0.2.1>;tag=x")) == invite
        assert self.key(write_request(branch=branch, call_id="other")) != invite
        assert self.key(write_request(branch=branch, cseq=2)) != invite
        assert self.key(write_request(branch=branch, target="sip:1901@192.0.2.1")) != invite

    def test_response_to_nothing_is_dropped(self) -> None:
        room = Room()
        transaction = room.client("INVITE")
        stranger = a_response(transaction, 200)
        stranger.headers.set("via", parse_via("SIP/2.0/UDP a;branch=z9hG4bKother").write())
        stranger = Response(200, "OK", stranger.headers)
        assert room.layer.receive_response(stranger, 0.0) is None
        assert repr(transaction) == "<INVITE client transaction, Calling>"
