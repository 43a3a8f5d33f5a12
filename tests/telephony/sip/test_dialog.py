"""The two dialog tables, and the requests a dialog sends."""

import pytest

from telephony.sip.dialog import (
    INCOMING,
    OUTGOING,
    Action,
    Dialog,
    Input,
    State,
    Table,
    destination,
    read_routes,
    read_target,
    sdp_of,
    with_tag,
)
from telephony.sip.identity import is_withheld
from telephony.sip.message import Request, parse_datagram
from telephony.sip.uri import NameAddr, Uri, parse_uri
from tests.telephony.sip.messages import write_request

ENDS = {action for action in Action if action.startswith("ended")}
STARTS = {"incoming": (INCOMING, State.RECEIVED), "outgoing": (OUTGOING, State.CALLING)}
PEER = ("192.0.2.2", 5060)


@pytest.fixture(params=STARTS)
def side(request: pytest.FixtureRequest) -> tuple[Table, State]:
    return STARTS[request.param]


def request(**changes: object) -> Request:
    message = parse_datagram(write_request(**changes))  # type: ignore[arg-type]  # passes any keyword on
    assert isinstance(message, Request)
    return message


class TestTables:
    def test_every_way_to_the_end_tells_it_exactly_once(self, side: tuple[Table, State]) -> None:
        """Walk every way through the table, and count: once at the end, never twice, never something after it."""
        table, start = side
        seen = {(start, False)}
        waiting = [(start, False)]
        while waiting:
            state, told = waiting.pop()
            for (before, _), (after, actions) in table.items():
                if before is not state or state is State.ENDED:
                    continue
                endings = [action for action in actions if action in ENDS]
                assert len(endings) <= (0 if told else 1)
                if told:
                    assert not [action for action in actions if action.startswith("Dialog")]
                ended = told or bool(endings)
                assert ended or after is not State.ENDED
                if (after, ended) not in seen:
                    seen.add((after, ended))
                    waiting.append((after, ended))
        assert (State.ENDED, True) in seen

    def test_every_state_can_be_hung_up_or_is_over_already(self, side: tuple[Table, State]) -> None:
        table, _ = side
        over = {State.HANGING_UP, State.CANCEL_WAITING, State.CANCELLING, State.LEAVING, State.ENDED}
        for state in {state for state, _ in table} - over:
            assert (state, Input.HANGUP) in table

    def test_every_answer_of_theirs_is_acknowledged_in_every_state(self) -> None:
        for state in {state for state, _ in OUTGOING}:
            assert Action.SEND_ACK in OUTGOING[state, Input.SUCCESS][1]

    def test_answer_is_repeated_only_where_it_is_given_up_too(self) -> None:
        resending = {state for state, received in INCOMING if received is Input.RESEND_DUE}
        assert resending == {state for state, received in INCOMING if received is Input.NO_ACK}

    def test_leaving_the_repeating_states_stops_it(self) -> None:
        resending = {State.ANSWERED, State.HANGING_UP, State.CONFIRMED}
        for (before, _), (after, actions) in INCOMING.items():
            if before in resending and after not in resending:
                assert Action.STOP_RESENDING in actions


class TestRequests:
    @staticmethod
    def dialog(*routes: str, target: str = "sip:desk@192.0.2.2:5070") -> Dialog:
        dialog = Dialog("d", INCOMING, State.CONFIRMED, "c1", PEER)
        dialog.local, dialog.remote = NameAddr(Uri(user="1900", host="h")), NameAddr(Uri(user="lan", host="h"), "Lan")
        dialog.local_tag, dialog.remote_tag = "mine", "theirs"
        dialog.target, dialog.routes = parse_uri(target), routes
        return dialog

    def test_without_routes(self) -> None:
        dialog = self.dialog()
        bye, address = dialog.request("BYE", "hotline")
        assert (bye.target, address) == ("sip:desk@192.0.2.2:5070", ("192.0.2.2", 5070))
        assert bye.headers.get("from") == "<sip:1900@h>;tag=mine"
        assert bye.headers.get("to") == '"Lan" <sip:lan@h>;tag=theirs'
        assert [dialog.request("OPTIONS", "hotline")[0].cseq.number, dialog.request("ACK", "x", 1)[0].cseq.number] == [
            2,
            1,
        ]

    def test_loose_route(self) -> None:
        bye, address = self.dialog("<sip:192.0.2.2:5080;lr>", "<sip:p2;lr>").request("BYE", "hotline")
        assert (bye.target, address) == ("sip:desk@192.0.2.2:5070", ("192.0.2.2", 5080))
        assert bye.headers.lines("route") == ["<sip:192.0.2.2:5080;lr>", "<sip:p2;lr>"]

    def test_strict_route(self) -> None:
        bye, _ = self.dialog("<sip:192.0.2.2:5080>", "<sip:p2;lr>").request("BYE", "hotline")
        assert bye.target == "sip:192.0.2.2:5080"
        assert bye.headers.lines("route") == ["<sip:p2;lr>", "<sip:desk@192.0.2.2:5070>"]

    @pytest.mark.parametrize("next_hop", ["sip:10.0.0.7:5062", "sip:phone.example.com", "tel:+84912345678"])
    def test_nobody_aims_us_at_a_third(self, next_hop: str) -> None:
        assert destination(parse_uri(next_hop), PEER) == PEER

    def test_tag(self) -> None:
        assert with_tag(NameAddr(Uri(host="h"), "", (("tag", "old"),)), "new") == "<sip:h>;tag=new"
        assert with_tag(NameAddr(Uri(host="h")), "") == "<sip:h>"


class TestReading:
    def test_routes_are_reversed_for_the_caller(self) -> None:
        message = request(fields=("Record-Route: <sip:a;lr>, <sip:b;lr>", "Record-Route: garbage, <mailto:c>"))
        assert read_routes(message, reverse=False) == ("<sip:a;lr>", "<sip:b;lr>")
        assert read_routes(message, reverse=True) == ("<sip:b;lr>", "<sip:a;lr>")

    def test_target_is_the_contact_where_there_is_one(self) -> None:
        message = request()
        assert read_target(message, Uri(host="other")).write() == "sip:0912345678@192.0.2.2:5060"
        message.headers.set("contact", "garbage")
        assert read_target(message, Uri(host="other")).host == "other"
        message.headers.set("contact")
        assert read_target(message, Uri(host="other")).host == "other"

    def test_description(self) -> None:
        message = request(body="v=0\r\n")
        assert sdp_of(message) == "v=0\r\n"
        message.headers.set("content-type", "Application/SDP;charset=utf-8")
        assert sdp_of(message) == "v=0\r\n"
        message.headers.set("content-type", "text/plain")
        assert sdp_of(message) == ""

    @pytest.mark.parametrize(
        ("sender", "fields", "withheld"),
        [
            ("<sip:0912345678@h>;tag=1", (), False),
            ("<sip:0912345678@h>;tag=1", ("Privacy: none",), False),
            ("<sip:0912345678@h>;tag=1", ("Privacy: header; ID ;critical",), True),
            ('"Anonymous" <sip:Anonymous@h>;tag=1', (), True),
            ("<sip:x@anonymous.invalid>;tag=1", (), True),
            ("<sip:anonymous.invalid>;tag=1", (), True),
        ],
    )
    def test_who_asks_not_to_be_known(self, sender: str, fields: tuple[str, ...], withheld: bool) -> None:
        assert is_withheld(request(sender=sender, fields=fields)) is withheld
