"""Phones behind connections (RFC 7118): all goes by the connection, and a lost one ends what it must, no more."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import (
    Answer,
    BindingChanged,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogUnreachable,
    Hangup,
    Invite,
    InviteReceived,
)
from telephony.sip.address import Flow
from telephony.sip.digest import authorize, hash_password
from telephony.sip.endpoint import Endpoint
from telephony.sip.message import Request, Response, parse_datagram
from tests.telephony.sip.messages import OFFER, write_register, write_request
from tests.telephony.sip.wire import DESK, USERS, make_endpoint

OLD, NEW = Flow("192.0.2.9", 50000, "one"), Flow("192.0.2.9", 50002, "two")
CONTACT = "<sip:8f3k@f7d2.invalid;transport=ws>"
NAMES = count()
WS = "SIP/2.0/WS f7d2.invalid"


class Page:
    """A browser's phone, as octets, with the server's endpoint at the other end of its connection."""

    def __init__(self, endpoint: Endpoint | None = None) -> None:
        self.endpoint = endpoint or make_endpoint()
        self.now = 0.0
        self.cseq = 0
        self.name = f"r{next(NAMES)}"
        self.flow = OLD
        self.lost: set[str] = set()

    def send(self, data: bytes) -> list[Request | Response]:
        self.now += 0.001
        self.endpoint.receive(data, self.flow, self.now)
        return self.got()

    def got(self) -> list[Request | Response]:
        """Return what came, which must all have come by the connection that is open."""
        messages = []
        for data, address in self.endpoint.datagrams():
            assert address == self.flow or (isinstance(address, Flow) and address.connection in self.lost)
            if address == self.flow:
                messages.append(parse_datagram(data))
        return messages

    def events(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.endpoint.events() if isinstance(event, kind)]

    def register(self, contact: str = CONTACT, password: str = USERS["desk"], expires: int = 600) -> Response:
        fields: tuple[str, ...] = (f"Expires: {expires}",)
        self.cseq += 2
        challenged = self.send(write_register(contact=contact, cseq=self.cseq, call_id=self.name, fields=fields))[0]
        assert isinstance(challenged, Response)
        assert challenged.status == 401
        challenge = challenged.headers.lines("www-authenticate")[0]
        line = authorize(challenge, "desk", password, "REGISTER", "sip:192.0.2.1", "c0ffee")
        fields += (f"Authorization: {line}",)
        answer = self.send(write_register(contact=contact, cseq=self.cseq + 1, call_id=self.name, fields=fields))[0]
        assert isinstance(answer, Response)
        return answer

    def lose(self) -> None:
        self.lost.add(self.flow.connection)
        self.endpoint.connection_lost(self.flow.connection, self.now)

    def ring(self, dialog: str = "d1", **more: Any) -> Request:
        self.endpoint.perform(Invite(dialog, "desk", "+84912345678", "Lan", OFFER, **more), self.now)
        invite = self.got()[0]
        assert isinstance(invite, Request)
        return invite

    def answer(self, invite: Request, tag: str = "p1") -> list[Request | Response]:
        lines = [
            "SIP/2.0 200 OK",
            f"Via: {invite.headers.get('via')}",
            f"From: {invite.headers.get('from')}",
            f"To: {invite.headers.get('to')};tag={tag}",
            f"Call-ID: {invite.call_id}",
            f"CSeq: {invite.headers.get('cseq')}",
            f"Contact: {CONTACT}",
            "Content-Type: application/sdp",
            f"Content-Length: {len(OFFER)}",
            "",
            OFFER,
        ]
        return self.send("\r\n".join(lines).encode())


def call(page: Page) -> InviteReceived:
    page.send(write_request(via=WS, body=OFFER, fields=("Supported: outbound",)))
    return next(event for event in page.endpoint.events() if isinstance(event, InviteReceived))


def in_dialog(invite: Request, method: str, cseq: int, tag: str = "p1") -> bytes:
    return write_request(
        method,
        via=WS,
        branch=f"z9hG4bK{method}{cseq}",
        sender=f"{invite.headers.get('to')};tag={tag}",
        to=invite.headers.get("from"),
        call_id=invite.call_id,
        cseq=cseq,
    )


def test_a_page_registers_and_rings_by_its_connection_whatever_its_contact_says() -> None:
    page = Page()
    assert page.register().status == 200
    assert page.events(BindingChanged) == [BindingChanged("desk", 1, (), webrtc=True)]

    invite = page.ring(call="c7", auto_answer=True)

    assert invite.target == "sip:8f3k@f7d2.invalid;transport=ws"
    assert invite.via.transport == "WS"
    assert invite.headers.get("x-hotline-call") == "c7"
    assert invite.headers.get("call-info").endswith(";answer-after=0")
    assert "transport=ws" in invite.headers.get("contact")


def test_an_ordinary_invite_does_not_ask_to_be_answered_by_itself() -> None:
    page = Page()
    page.register()
    invite = page.ring()
    assert "call-info" not in invite.headers
    assert "x-hotline-call" not in invite.headers


def test_any_secret_of_the_user_registers() -> None:
    secrets = tuple(hash_password("desk", "hotline", password) for password in ("desk phone", "page one", "page two"))
    endpoint = make_endpoint()
    endpoint._authenticator._credentials = lambda user: secrets if user == "desk" else ()
    for number, password in enumerate(("desk phone", "page one", "page two")):
        assert Page(endpoint).register(f"<sip:p{number}@x.invalid>", password).status == 200
    assert Page(endpoint).register(CONTACT, "page three").status == 401


def test_a_lost_connection_takes_its_bindings_along() -> None:
    page = Page()
    page.register()
    page.endpoint.events()
    page.lose()
    assert page.events(BindingChanged) == [BindingChanged("desk", 0, (), webrtc=False)]


def test_a_desk_phone_stays_when_the_page_goes() -> None:
    page = Page()
    data = write_register()
    page.endpoint.receive(data, DESK, 0.0)
    challenge = page.endpoint.datagrams()[0][0]
    message = parse_datagram(challenge)
    line = authorize(
        message.headers.lines("www-authenticate")[0], "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c"
    )
    page.endpoint.receive(write_register(cseq=2, fields=(f"Authorization: {line}",)), DESK, 0.0)
    page.endpoint.datagrams()
    page.register()
    page.endpoint.events()
    page.lose()
    (changed,) = page.events(BindingChanged)
    assert (changed.contacts, changed.webrtc, len(changed.bindings)) == (1, False, 1)


def test_an_open_page_rings_though_the_desk_phone_registered_later() -> None:
    page = Page()
    page.register()
    page.endpoint.receive(write_register(call_id="phone"), DESK, 0.0)
    challenge = parse_datagram(page.endpoint.datagrams()[0][0]).headers.lines("www-authenticate")[0]
    line = authorize(challenge, "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c")
    page.endpoint.receive(write_register(cseq=2, call_id="phone", fields=(f"Authorization: {line}",)), DESK, 0.0)
    page.endpoint.datagrams()
    assert page.events(BindingChanged)[-1].webrtc
    assert page.ring().via.transport == "WS"


def test_what_rings_when_its_connection_is_lost_has_failed_at_once() -> None:
    page = Page()
    page.register()
    page.ring()
    page.lose()
    (ended,) = page.events(DialogEnded)
    assert (ended.dialog, ended.ending) == ("d1", "failed")
    assert page.endpoint.load()[:2] == (0, 0)


def test_a_talk_outlives_its_connection_and_comes_back_with_a_request_over_a_new_one() -> None:
    page = Page()
    page.register()
    invite = page.ring()
    page.answer(invite)
    page.endpoint.events()

    page.lose()
    assert page.events(DialogUnreachable) == [DialogUnreachable("d1")]

    page.flow = NEW
    answers = page.send(in_dialog(invite, "OPTIONS", 7))
    assert [answer.status for answer in answers if isinstance(answer, Response)] == [200]
    assert page.events(DialogReachable) == [DialogReachable("d1")]
    page.endpoint.perform(Hangup("d1"), page.now)
    assert [message.method for message in page.got() if isinstance(message, Request)] == ["BYE"]


def test_a_talk_comes_back_when_its_contact_registers_anew_and_not_for_another() -> None:
    page = Page()
    page.register()
    page.answer(page.ring())
    page.lose()
    page.endpoint.events()

    page.flow = NEW
    page.register("<sip:other@page.invalid;transport=ws>")
    assert page.events(DialogReachable) == []
    page.register()
    assert page.events(DialogReachable) == [DialogReachable("d1")]


def test_hanging_up_on_somebody_unreachable_is_over_at_once() -> None:
    page = Page()
    page.register()
    page.answer(page.ring())
    page.lose()
    page.endpoint.events()
    page.endpoint.perform(Hangup("d1"), page.now)
    (ended,) = page.events(DialogEnded)
    assert ended.ending == "local"
    assert page.endpoint.datagrams() == []
    assert page.endpoint.load()[1] == 0


def test_a_callers_page_that_is_closed_while_it_rings_has_cancelled() -> None:
    page = Page()
    received = call(page)
    page.lose()
    (ended,) = page.events(DialogEnded)
    assert (ended.dialog, ended.ending) == (received.dialog, "cancelled")
    assert page.endpoint.load()[:2] == (0, 0)


def test_the_number_of_a_page_that_did_not_register_is_only_a_claim() -> None:
    page = Page()
    assert call(page).claimed
    assert not _call_by_udp().claimed


def _call_by_udp() -> InviteReceived:
    endpoint = make_endpoint()
    endpoint.receive(write_request(body=OFFER), DESK, 0.0)
    return next(event for event in endpoint.events() if isinstance(event, InviteReceived))


def test_a_registered_page_calls_under_its_own_name() -> None:
    page = Page()
    page.register()
    page.send(write_request(via=WS, body=OFFER, sender="<sip:desk@hotline>;tag=f1"))
    assert not page.events(InviteReceived)[-1].claimed


def test_over_a_connection_nothing_is_sent_twice() -> None:
    page = Page()
    page.register()
    page.ring()
    page.endpoint.handle_deadline(page.now + 10)
    assert page.got() == []


def test_a_ping_is_answered_over_connections_alone() -> None:
    endpoint = make_endpoint()
    endpoint.receive(b"\r\n\r\n", OLD, 0.0)
    assert endpoint.datagrams() == [(b"\r\n", OLD)]
    endpoint.receive(b"\r\n\r\n", DESK, 0.0)
    assert endpoint.datagrams() == []


@pytest.mark.parametrize("answered", [False, True])
def test_a_call_that_was_answered_and_not_acknowledged_ends_with_its_connection(answered: bool) -> None:
    page = Page()
    received = call(page)
    if answered:
        page.endpoint.perform(Answer(received.dialog, sdp.offer(sdp.Capabilities("192.0.2.1", 4000, 1))), page.now)
    page.lose()
    assert len(page.events(DialogEnded)) == 1
    assert page.endpoint.load()[1] == 0


STEPS = st.lists(
    st.sampled_from(["register", "ring", "answer", "hangup", "bye", "lose", "return", "wait", "call"]), max_size=25
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_whatever_happens_each_dialog_ends_once_and_nothing_stays(steps: list[str]) -> None:  # noqa: C901, PLR0912 - one line a step
    page = Page()
    known: list[str] = []
    ended: list[str] = []
    invite: Request | None = None
    for number, step in enumerate(steps):
        open_ = page.flow.connection not in page.lost
        if step == "register" and open_:
            page.register()
        elif step == "ring":
            page.endpoint.perform(Invite(f"d{number}", "desk", "1", "", OFFER), page.now)
            known.append(f"d{number}")
            invite = next((got for got in page.got() if isinstance(got, Request) and got.method == "INVITE"), invite)
        elif step == "answer" and invite is not None and open_:
            page.answer(invite)
        elif step == "call" and open_:
            page.send(write_request(via=WS, branch=f"z9hG4bKx{number}", call_id=f"x{number}", body=OFFER))
        elif step == "hangup":
            for dialog in known:
                page.endpoint.perform(Hangup(dialog), page.now)
        elif step == "bye" and invite is not None and open_:
            page.send(in_dialog(invite, "BYE", 100 + number))
        elif step == "lose":
            page.lose()
        elif step == "return" and not open_:
            page.flow = Flow("192.0.2.9", 50000 + number, f"flow {number}")
        elif step == "wait":
            page.now += 5
            page.endpoint.handle_deadline(page.now)
        page.got()
        for event in page.endpoint.events():
            if isinstance(event, InviteReceived):
                known.append(event.dialog)
            elif isinstance(event, DialogEnded):
                ended.append(event.dialog)
            elif isinstance(event, DialogAnswered | DialogConfirmed):
                assert event.dialog not in ended
    for dialog in known:
        page.endpoint.perform(Hangup(dialog), page.now)
    page.lose()
    for _ in range(200):
        page.now += 10
        page.endpoint.handle_deadline(page.now)
    ended += [event.dialog for event in page.endpoint.events() if isinstance(event, DialogEnded)]
    assert sorted(ended) == sorted(known)
    assert page.endpoint.load() == (0, 0, 0)
