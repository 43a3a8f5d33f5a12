"""MESSAGE from a phone to a colleague's, and from callers to us, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import Answer, AnswerText, TextReceived
from telephony.sip.address import Flow
from telephony.sip.digest import authorize
from telephony.sip.endpoint import EndpointSettings
from telephony.sip.message import Request, Response, parse_datagram, respond
from telephony.sip.registration import Binding
from telephony.sip.settings import TextSettings
from telephony.sip.uri import parse_uri
from tests.telephony.sip.messages import OFFER, Bench, write_request
from tests.telephony.sip.test_trunk_layer import Trunks, trunk
from tests.telephony.sip.watcher import lamp
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, FakeWire, capabilities, make_endpoint

OURS = "<sip:lan@hotline>;tag=t"


def bench(**bounds: int) -> Bench:
    """An endpoint where `desk` is registered and both `desk` and `an` are agents."""
    wire = FakeWire()
    settings = EndpointSettings(address=HOTLINE, texts=TextSettings(**bounds))
    endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE, settings=settings))
    endpoint.restore({"desk": [("sip:desk@192.0.2.50", "192.0.2.50", 5060, 1e9)]}, 0.0)
    for agent in ("desk", "an"):
        wire.perform(HOTLINE, lamp(agent=agent))
    return Bench(wire)


def text(
    body: str = "Xin chào",
    *,
    cseq: int = 1,
    kind: str = "text/plain;charset=UTF-8",
    target: str = "sip:1900@192.0.2.1",
    fields: tuple[str, ...] = (),
    sender: str = "<sip:0912345678@192.0.2.2>;tag=t",
    to: str = "<sip:1900@192.0.2.1>",
    call_id: str = "m1",
) -> bytes:
    octets = body.encode()
    head = write_request(
        "MESSAGE", target=target, branch=f"z9hG4bK{call_id}{cseq}", sender=sender, to=to, call_id=call_id, cseq=cseq,
        fields=(*fields, f"Content-Type: {kind}"),
    )  # fmt: skip
    return head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(octets)) + octets


def to_colleague(phones: Bench, agent: str = "desk", body: str = "Xin chào", cseq: int = 1) -> list[Response]:
    """Let `lan` write to a colleague; return the answers after the challenge."""
    target = f"sip:{agent}@192.0.2.1"
    (challenged,) = phones.send(text(body, target=target, sender=OURS, cseq=cseq))
    assert challenged.status == 401
    line = authorize(challenged.headers.get("www-authenticate"), "lan", USERS["lan"], "MESSAGE", target, "0a4f113b")
    fields = (f"Authorization: {line}",)
    return phones.send(text(body, target=target, sender=OURS, cseq=cseq + 1, fields=fields))


def to_colleague_over(phones: Bench) -> None:
    """Let `lan` write to `desk`, whose phone is behind a connection; what is sent there is thrown away."""
    target = "sip:desk@192.0.2.1"
    (challenged,) = phones.send(text(target=target, sender=OURS))
    line = authorize(challenged.headers.get("www-authenticate"), "lan", USERS["lan"], "MESSAGE", target, "0a4f113b")
    data = text(target=target, sender=OURS, cseq=2, fields=(f"Authorization: {line}",))
    phones.endpoint.receive(data, DESK, phones.wire.now)
    ((sent, _),) = phones.endpoint.datagrams()
    assert sent.startswith(b"MESSAGE sip:desk@192.0.2.60")


def passed_on(phones: Bench) -> Request:
    """Return what the colleague's phone was sent last."""
    sent = [each for each in phones.wire.sent if each.destination[0] == "192.0.2.50" and each.name == "MESSAGE"]
    message = parse_datagram(sent[-1].data)
    assert isinstance(message, Request)
    return message


class TestToAColleague:
    def test_text_is_passed_on_and_the_phones_answer_comes_back(self) -> None:
        phones = bench()
        assert to_colleague(phones) == []
        passed = passed_on(phones)
        assert (passed.target, passed.body.decode()) == ("sip:desk@192.0.2.50", "Xin chào")
        assert (passed.from_.uri.write(), passed.to.uri.write()) == ("sip:lan@hotline", "sip:desk@hotline")
        assert "authorization" not in passed.headers
        assert "contact" not in passed.headers
        phones.wire.inject(respond(passed, 200, "", "x").write(), ("192.0.2.50", 5060), HOTLINE)
        assert [each.status for each in phones.responses()] == [200]
        phones.wire.settle(100.0)
        assert phones.endpoint.load()[:2] == (0, 0)

    @pytest.mark.parametrize(("theirs", "ours"), [(415, 415), (486, 486), (401, 480), (503, 480)])
    def test_refusal_comes_back_unless_it_is_meant_for_us(self, theirs: int, ours: int) -> None:
        phones = bench()
        to_colleague(phones)
        phones.wire.inject(respond(passed_on(phones), theirs, "", "x").write(), ("192.0.2.50", 5060), HOTLINE)
        assert [each.status for each in phones.responses()] == [ours]

    def test_phone_whose_connection_is_lost_is_not_there(self) -> None:
        phones = bench()
        flow = Flow("192.0.2.60", 40000, "tcp-1", "TCP")
        phones.endpoint._registrar._bindings["desk"] = [Binding(parse_uri("sip:desk@192.0.2.60"), flow, 1e9)]
        to_colleague_over(phones)
        phones.endpoint.connection_lost("tcp-1", phones.wire.now)
        phones.wire.collect()
        assert [each.status for each in phones.responses()] == [480]

    def test_silence_is_silence(self) -> None:
        phones = bench()
        to_colleague(phones)
        phones.wire.settle(100.0)
        assert phones.responses() == []
        assert phones.endpoint.load()[:2] == (0, 0)

    @pytest.mark.parametrize(("agent", "status"), [("an", 480), ("nobody", 404)])
    def test_nobody_there(self, agent: str, status: int) -> None:
        assert [each.status for each in to_colleague(bench(), agent)] == [status]

    def test_strangers_learn_nothing_under_a_name_of_ours(self) -> None:
        phones = bench()
        for sender in (OURS, "<sip:nobody@hotline>;tag=t"):
            for target in ("sip:desk@192.0.2.1", "sip:nobody@192.0.2.1"):
                phones.wire.now += 1
                (response,) = phones.send(text(target=target, sender=sender, call_id=f"{phones.wire.now}"))
                assert response.status == 401

    def test_so_many_a_minute(self) -> None:
        phones = bench(per_minute_of_user=2)
        assert to_colleague(phones) == to_colleague(phones, cseq=3) == []
        (response,) = to_colleague(phones, cseq=5)
        assert (response.status, response.headers.get("retry-after")) == (503, "60")


class TestToUs:
    def test_text_is_told_and_answered_when_it_is_kept(self) -> None:
        phones = bench()
        assert phones.send(text("Cho em hỏi\r\nvề đơn hàng")) == []
        (told,) = phones.wire.told(HOTLINE, TextReceived)
        assert (told.number, told.dnis, told.dialog, told.withheld) == ("0912345678", "1900", "", False)
        assert (told.kind, told.text) == ("text/plain", "Cho em hỏi\nvề đơn hàng")
        assert phones.send(text("Cho em hỏi\r\nvề đơn hàng")) == []
        assert len(phones.wire.told(HOTLINE, TextReceived)) == 1
        phones.wire.perform(HOTLINE, AnswerText(told.message, 202))
        assert [each.status for each in phones.responses()] == [202]
        phones.wire.perform(HOTLINE, AnswerText(told.message, 202))
        assert phones.responses() == []

    def test_the_same_text_has_the_same_name_and_another_has_another(self) -> None:
        phones = bench()
        phones.send(text())
        phones.wire.settle(100.0)
        phones.send(text())
        phones.send(text(cseq=2))
        first, again, other = [told.external_id for told in phones.wire.told(HOTLINE, TextReceived)]
        assert first == again != other

    def test_what_is_not_kept_in_time_has_to_be_sent_again(self) -> None:
        phones = bench()
        phones.send(text())
        phones.wire.run(7.9)
        assert phones.responses() == []
        phones.wire.run(0.2)
        (response,) = phones.responses()
        assert (response.status, response.headers.get("retry-after")) == (503, "60")
        phones.wire.settle(100.0)
        assert phones.endpoint.load()[:2] == (0, 0)

    @pytest.mark.parametrize(
        ("kind", "body", "status"),
        [
            ("application/im-iscomposing+xml", "<isComposing/>", 415),
            ("message/cpim", "x", 415),
            ("text/plain;charset=iso-8859-1", "x", 415),
            ("text/plain;=", "x", 415),
            ("text/html", "x" * 1301, 413),
            ("text/plain", " \r\n", 400),
        ],
    )
    def test_what_is_not_taken(self, kind: str, body: str, status: int) -> None:
        phones = bench()
        assert [each.status for each in phones.send(text(body, kind=kind))] == [status]
        assert phones.wire.told(HOTLINE, TextReceived) == []

    def test_so_many_of_one_source_and_of_all(self) -> None:
        phones = bench(per_minute_of_source=2, per_minute_of_strangers=3)
        statuses = []
        for number, host in enumerate(("192.0.2.2", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4")):
            statuses.append([each.status for each in phones.send(text(call_id=f"m{number}"), (host, 5060))])
        assert statuses == [[], [], [503], [], [503]]

    def test_so_many_at_once(self) -> None:
        phones = bench(waiting=1)
        assert phones.send(text()) == []
        assert [each.status for each in phones.send(text(call_id="m2"))] == [503]

    def test_in_a_call(self) -> None:
        phones = bench()
        phones.send(write_request(body=OFFER))
        phones.wire.perform(HOTLINE, Answer("a-in-1", sdp.answer(OFFER, capabilities(HOTLINE)).sdp))
        to = phones.responses()[-1].headers.get("to")
        inside = text(to=to, sender='"Lan" <sip:0912345678@192.0.2.2>;tag=f1', call_id="c1", cseq=2)
        assert [each.status for each in phones.send(inside)] == [481]
        phones.send(write_request("ACK", to=to, branch="z9hG4bKack"))
        assert phones.send(inside.replace(b"z9hG4bKc12", b"z9hG4bKc13").replace(b"CSeq: 2", b"CSeq: 3")) == []
        assert [told.dialog for told in phones.wire.told(HOTLINE, TextReceived)] == ["a-in-1"]

    def test_by_a_trunk_its_word_counts(self) -> None:
        wire = Trunks(trunk(register=False, credentials=None, domain="own.example", sources=("192.0.2.99",)))
        phones = Bench(wire)
        field = "P-Asserted-Identity: <sip:+84912345678@192.0.2.99>"
        data = text(sender="<sip:someone@192.0.2.1>;tag=t", fields=(field,))
        assert phones.send(data, ("192.0.2.99", 5060)) == []
        (told,) = wire.told(HOTLINE, TextReceived)
        assert (told.number, told.dnis, told.vouched) == ("+84912345678", "1900", True)

    def test_in_no_call(self) -> None:
        assert [each.status for each in bench().send(text(to="<sip:1900@192.0.2.1>;tag=x"))] == [481]

    def test_a_connection_that_is_gone_is_not_answered(self) -> None:
        phones = bench()
        phones.send(text())
        (told,) = phones.wire.told(HOTLINE, TextReceived)
        (waiting,) = phones.endpoint._pager._waiting.values()
        phones.endpoint._transactions.abandon(waiting.transaction)
        phones.wire.perform(HOTLINE, AnswerText(told.message, 202))
        assert phones.responses() == []

    @given(body=st.binary(max_size=200), kind=st.text(max_size=40))
    def test_no_octets_do_harm(self, body: bytes, kind: str) -> None:
        phones = bench()
        line = "".join(sign for sign in kind if sign.isprintable())
        data = text("", kind=line).replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body
        phones.wire.inject(data, DESK, HOTLINE)
        for told in phones.wire.told(HOTLINE, TextReceived):
            assert all(sign.isprintable() or sign in "\n\t" for sign in told.text)
        phones.wire.settle(100.0)
        assert phones.endpoint.load()[:2] == (0, 0)
