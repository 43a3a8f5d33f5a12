"""Who has to prove who they are, by what, and what a stranger can find out (nothing)."""

import pytest

from telephony.events import Answer, BindingChanged, DialogEnded, InviteReceived, RegistrationRefused, Reject
from telephony.sip.address import Flow
from telephony.sip.digest import authorize
from telephony.sip.message import Response, parse_datagram
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.messages import OFFER, Bench, credentials, prove, write_register, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, FakeWire, make_endpoint

OURS = "<sip:desk@hotline>;tag=f1"
STRANGER = ("203.0.113.9", 5060)
WAYS = ["<sip:{}@hotline>;tag=x", "<sip:{}@192.0.2.1>;tag=x", "<sip:{}@192.0.2.1:5060>;tag=x"]


def invite(sender: str = OURS, **more: str) -> bytes:
    return write_request(sender=sender, body=OFFER, **more)  # type: ignore[arg-type]


def invited(bench: Bench) -> list[InviteReceived]:
    return bench.wire.told(HOTLINE, InviteReceived)


class TestWhoIsAsked:
    @pytest.mark.parametrize("sender", WAYS)
    @pytest.mark.parametrize("user", ["desk", "nobody", "101"])
    def test_who_says_to_be_ours(self, sender: str, user: str) -> None:
        bench = Bench()
        (response,) = bench.send(invite(sender.format(user)), STRANGER)
        assert (response.status, len(response.headers.lines("www-authenticate"))) == (401, 2)
        assert response.to.tag
        assert invited(bench) == []
        assert bench.endpoint.load() == (0, 0, 0), "whoever is merely asked takes no memory"

    @pytest.mark.parametrize(
        "sender",
        ["<sip:0912345678@203.0.113.9>;tag=x", "<sip:desk@192.0.2.1:5070>;tag=x", "<sip:anonymous@anonymous.invalid>"],
    )
    def test_a_caller_is_not(self, sender: str) -> None:
        bench = Bench()
        assert [response.status for response in bench.send(invite(sender), STRANGER)] == [100]
        (event,) = invited(bench)
        assert (event.user, event.claimed) == ("", False)

    def test_where_all_addresses_are_listened_on_the_one_that_is_called_is_ours(self) -> None:
        wire = FakeWire()
        wire.attach(HOTLINE, make_endpoint(settings=EndpointSettings(("0.0.0.0", 5060))))
        bench = Bench(wire)
        assert bench.send(invite("<sip:desk@192.0.2.1>;tag=x"))[0].status == 401

    @pytest.mark.parametrize("sender", ["<sip:desk@203.0.113.9>;tag=x", OURS])
    def test_a_call_that_takes_the_place_of_another_is_a_users_alone(self, sender: str) -> None:
        fields = ("Replaces: c;to-tag=1;from-tag=2",)
        bench = Bench()
        (response,) = bench.send(write_request(sender=sender, fields=fields, body=OFFER), STRANGER)
        assert response.status == 401, "whether there is such a dialog is not told"

    @pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
    @pytest.mark.parametrize("sender", ["<sip:{}@hotline>;tag=x", "<sip:{}@203.0.113.9>;tag=x"])
    @pytest.mark.parametrize("proof", [False, True])
    def test_whether_there_is_such_a_user_is_not_told(self, method: str, sender: str, proof: bool) -> None:
        def answers(user: str) -> list[Response]:
            bench = Bench()
            fields: tuple[str, ...] = ()
            if proof:
                (challenged,) = bench.send(write_register())
                fields = (credentials(challenged, user, "guess", method=method),)
            return bench.send(
                write_request(method, sender=sender.format(user), to=f"<sip:{user}@hotline>", fields=fields), STRANGER
            )

        known, unknown = (
            [response.write().replace(user.encode(), b"USER") for response in answers(user)]
            for user in ("desk", "nobo")
        )
        assert known
        assert known == unknown


class TestProof:
    def test_the_password_says_who_calls(self) -> None:
        bench = Bench()
        assert [response.status for response in prove(bench, invite(), "desk")] == [100]
        assert invited(bench)[0].user == "desk"

    def test_credentials_of_a_caller_who_need_not_prove_anything_count_too(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        line = credentials(challenged, "desk", USERS["desk"], method="INVITE")
        bench.send(write_request(fields=(line,), body=OFFER))
        assert invited(bench)[0].user == "desk"

    def test_the_proof_of_another_method_is_none(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        line = credentials(challenged, "desk", USERS["desk"], method="REGISTER")
        (response,) = bench.send(write_request(sender=OURS, fields=(line,), body=OFFER))
        assert response.status == 401
        assert invited(bench) == []

    def test_a_guess_is_told_and_a_first_challenge_is_not(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(invite())
        assert bench.wire.events[HOTLINE] == []
        line = credentials(challenged, "desk", "guess", method="INVITE")
        bench.send(write_request(sender=OURS, branch="z9hG4bK2", cseq=2, fields=(line,), body=OFFER))
        assert bench.wire.events[HOTLINE] == [RegistrationRefused("desk", "192.0.2.2:5060")]


class TestConnections:
    """A connection on which a user is registered is that user's."""

    FLOW = Flow("203.0.113.5", 40000, "c1", "WS")
    TLS = Flow("203.0.113.6", 40000, "c2", "TLS")

    @staticmethod
    def sent(bench: Bench) -> list[Response]:
        messages = [parse_datagram(data) for data, _ in bench.endpoint.datagrams()]
        return [message for message in messages if isinstance(message, Response)]

    def send(self, bench: Bench, data: bytes, flow: Flow) -> list[Response]:
        bench.endpoint.receive(data, flow, 0.0)
        return self.sent(bench)

    def register(self, bench: Bench, flow: Flow) -> None:
        (challenged,) = self.send(bench, write_register(call_id=flow.connection), flow)
        line = authorize(
            challenged.headers.lines("www-authenticate")[0], "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c"
        )
        data = write_register(call_id=flow.connection, cseq=2, fields=(f"Authorization: {line}",))
        assert self.send(bench, data, flow)[0].status == 200
        bench.endpoint.events()

    @pytest.mark.parametrize("flow", [FLOW, TLS])
    def test_of_the_user_who_is_registered_on_it(self, flow: Flow) -> None:
        bench = Bench()
        self.register(bench, flow)
        assert [response.status for response in self.send(bench, invite(), flow)] == [100]
        (event,) = bench.endpoint.events()
        assert isinstance(event, InviteReceived)
        assert (event.user, event.claimed) == ("desk", False)

    def test_a_page_that_nobody_is_registered_on_is_a_guest_under_any_name(self) -> None:
        bench = Bench()
        self.register(bench, self.TLS)
        for number, user in enumerate(("desk", "nobody", "0912345678")):
            data = invite(f"<sip:{user}@hotline>;tag=x{number}", branch=f"z9hG4bK{number}")
            assert [response.status for response in self.send(bench, data, self.FLOW)] == [100]
            (event,) = bench.endpoint.events()
            assert isinstance(event, InviteReceived)
            assert (event.user, event.claimed) == ("", True)

    def test_a_page_that_is_registered_says_another_name(self) -> None:
        bench = Bench()
        self.register(bench, self.FLOW)
        self.send(bench, invite("<sip:lan@hotline>;tag=x"), self.FLOW)
        (event,) = bench.endpoint.events()
        assert isinstance(event, InviteReceived)
        assert (event.user, event.claimed) == ("", True)

    def test_a_phone_on_another_connection_is_asked(self) -> None:
        bench = Bench()
        self.register(bench, self.TLS)
        other = self.TLS._replace(connection="c3")
        assert [response.status for response in self.send(bench, invite(), other)] == [401]
        assert [response.status for response in bench.send(invite(), DESK)] == [401]

    def test_a_user_with_new_passwords_has_no_connection_of_old(self) -> None:
        bench = Bench()
        self.register(bench, self.TLS)
        bench.endpoint.forget("desk", 1.0)
        assert bench.endpoint.events() == [BindingChanged("desk", 0)]
        assert [response.status for response in self.send(bench, invite(), self.TLS)] == [401]
        bench.endpoint.forget("desk", 2.0)
        assert bench.endpoint.events() == []

    def test_the_connection_of_a_proxy_is_nobodys(self) -> None:
        bench = Bench()
        self.register(bench, self.TLS)
        via = "SIP/2.0/TLS 203.0.113.6:5061;branch=z9hG4bKproxy\r\nVia: SIP/2.0/UDP 198.51.100.66:5060"
        assert [response.status for response in self.send(bench, invite(via=via), self.TLS)] == [401]
        assert bench.endpoint.events() == []


class TestInsideADialog:
    """A datagram from a host that a dialog has nothing to do with has to prove itself, whatever it knows."""

    ELSEWHERE = ("198.51.100.66", 5060)

    def talk(self, bench: Bench, sender: str = "<sip:0912345678@192.0.2.2>;tag=f1", **more: str) -> Response:
        """Let somebody call and be answered; returns our 200."""
        if "hotline" in sender:
            prove(bench, write_request(sender=sender, body=OFFER, **more), "desk")  # type: ignore[arg-type]
        else:
            bench.send(write_request(sender=sender, body=OFFER, **more))  # type: ignore[arg-type]
        bench.wire.perform(HOTLINE, Answer(invited(bench)[-1].dialog, OFFER))
        answer = bench.responses()[-1]
        bench.send(self.inside("ACK", answer, answer.cseq.number))
        return answer

    def inside(self, method: str, answer: Response, cseq: int, **more: str) -> bytes:
        sender, to = answer.headers.get("from"), answer.headers.get("to")
        branch = f"z9hG4bK{method}{cseq}"
        return write_request(method, sender=sender, to=to, call_id=answer.call_id, cseq=cseq, branch=branch, **more)  # type: ignore[arg-type]

    @pytest.mark.parametrize("method", ["BYE", "INFO", "REFER", "UPDATE", "INVITE", "OPTIONS"])
    def test_another_host_gets_a_challenge(self, method: str) -> None:
        bench = Bench()
        answer = self.talk(bench)
        responses = bench.send(self.inside(method, answer, 2), self.ELSEWHERE)
        assert [response.status for response in responses] == [401]
        assert bench.wire.told(HOTLINE, DialogEnded) == []
        assert [response.status for response in bench.send(self.inside("BYE", answer, 3))] == [200]

    def test_another_port_of_the_same_host_does_not(self) -> None:
        bench = Bench()
        answer = self.talk(bench)
        responses = bench.send(self.inside("BYE", answer, 2), (DESK[0], 40_000))
        assert [response.status for response in responses] == [200]

    def test_nor_does_the_host_of_its_contact_or_of_its_routes(self) -> None:
        for host, field in (("198.51.100.66", "Record-Route: <sip:198.51.100.66;lr>"), ("192.0.2.2", "Subject: x")):
            bench = Bench()
            bench.send(write_request(fields=(field,), body=OFFER), STRANGER)
            bench.wire.perform(HOTLINE, Answer(invited(bench)[-1].dialog, OFFER))
            answer = bench.responses()[-1]
            assert [r.status for r in bench.send(self.inside("BYE", answer, 2), (host, 5060))] == [200]

    def test_a_phone_that_has_moved_proves_itself(self) -> None:
        bench = Bench()
        answer = self.talk(bench, OURS)
        (challenged,) = bench.send(self.inside("BYE", answer, 3), self.ELSEWHERE)
        for user, status in (("lan", 403), ("desk", 200)):
            line = credentials(challenged, user, USERS[user], method="BYE", count=1 if user == "lan" else 2)
            data = self.inside("BYE", answer, 4 if user == "lan" else 5, fields=(line,))  # type: ignore[arg-type]
            assert [response.status for response in bench.send(data, self.ELSEWHERE)] == [status]

    def test_who_knows_no_tags_finds_no_dialog(self) -> None:
        bench = Bench()
        answer = self.talk(bench)
        data = self.inside("BYE", answer, 2).replace(answer.to.tag.encode(), b"0" * len(answer.to.tag))
        assert [response.status for response in bench.send(data)] == [481]


class TestMergedRequests:
    """RFC 3261 section 8.2.2.2: the same request by two ways is served once."""

    def test_the_second_way_gets_482(self) -> None:
        bench = Bench()
        assert [response.status for response in bench.send(write_request(body=OFFER))] == [100]
        assert [response.status for response in bench.send(write_request(branch="z9hG4bK2", body=OFFER))] == [482]
        assert len(invited(bench)) == 1
        assert bench.endpoint.load()[:2] == (1, 1), "what is said to the second is not remembered"
        assert [response.status for response in bench.send(write_request(branch="z9hG4bK2", body=OFFER))] == [482]

    @pytest.mark.parametrize(
        "change", [{"call_id": "c2"}, {"cseq": 2}, {"sender": "<sip:0912345678@192.0.2.2>;tag=f2"}]
    )
    def test_what_differs_is_another_request(self, change: dict[str, str]) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        other = write_request(branch="z9hG4bK2", body=OFFER, **change)  # type: ignore[arg-type]
        assert [response.status for response in bench.send(other)] == [100]

    def test_when_the_first_is_over_there_is_nothing_to_merge_with(self) -> None:
        bench = Bench()
        bench.send(write_request(body=OFFER))
        bench.wire.perform(HOTLINE, Reject(invited(bench)[0].dialog, 486, ""))
        bench.wire.run(40.0)
        bench.responses()
        assert [response.status for response in bench.send(write_request(branch="z9hG4bK2", body=OFFER))] == [100]
        bench.wire.perform(HOTLINE, Reject(invited(bench)[1].dialog, 486, ""))
        bench.wire.run(40.0)
        assert bench.endpoint._transactions._origins == {}

    def test_the_same_after_a_challenge_is_none(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(invite())
        line = credentials(challenged, "desk", USERS["desk"], method="INVITE")
        again = write_request(sender=OURS, branch="z9hG4bK2", fields=(line,), body=OFFER)
        assert [response.status for response in bench.send(again)] == [100]
