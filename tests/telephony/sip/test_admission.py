"""The door: floods, forged senders, scanners and guesses, and those who get in all the same."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import Answer, DialogEnded, InviteReceived, MessageRejected, RegistrationRefused, Reject
from telephony.sip.admission import SCANNER, SEARCH
from telephony.sip.digest import authorize, hash_password
from telephony.sip.message import Response
from telephony.sip.settings import AdmissionSettings, EndpointSettings
from tests.telephony.sip.messages import OFFER, Bench, credentials, write_register, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, Address, FakeWire, make_endpoint

FLOOD: Address = ("198.51.100.66", 5060)
CALLER: Address = ("203.0.113.9", 5060)
ADMISSION = AdmissionSettings(
    requests_per_s=5.0, burst=10.0, phone_requests_per_s=5.0, phone_burst=20.0, pending_per_source=3, pending=6
)


@pytest.fixture
def bench() -> Bench:
    return make_bench()


def make_bench(admission: AdmissionSettings = ADMISSION) -> Bench:
    wire = FakeWire()
    wire.attach(HOTLINE, make_endpoint(settings=EndpointSettings(HOTLINE, admission=admission)))
    return Bench(wire)


def numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


COUNT = numbers()


def options(**more: str) -> bytes:
    return write_request("OPTIONS", branch=f"z9hG4bKo{next(COUNT)}", target="sip:192.0.2.1", **more)  # type: ignore[arg-type]


def invite(fields: tuple[str, ...] = (), target: str = "sip:1900@192.0.2.1") -> bytes:
    number = next(COUNT)
    return write_request(
        branch=f"z9hG4bKi{number}", call_id=f"c{number}", target=target, fields=fields, body=OFFER,
        sender=f"<sip:0912345678@192.0.2.2>;tag=t{number}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status"),
    [(("Require: precondition",), 420), (("Accept: text/plain",), 406), (("Session-Expires: 30",), 422), ((), 481)],
)
def test_what_is_refused_at_once_is_refused_once(bench: Bench, change: tuple[str, ...], status: int) -> None:
    data = invite(change)
    data = data if change else data.replace(b"To: <sip:1900@192.0.2.1>", b"To: <sip:1900@192.0.2.1>;tag=x")
    assert statuses(bench.send(data, FLOOD)) == [status]
    assert bench.endpoint.load() == (0, 0, 0)
    bench.wire.run(40.0)
    assert statuses(bench.responses()) == [], "eleven times as much as came would go to whom it names"
    assert statuses(bench.send(data, FLOOD)) == [status]


def test_calls_of_sources_that_never_call_again_are_not_kept(bench: Bench) -> None:
    for number in range(60):
        bench.send(invite(), (f"203.0.113.{number}", 5060))
        bench.wire.perform(HOTLINE, Reject(invited(bench)[-1].dialog, 486, ""))
        bench.wire.run(40.0)
    assert len(bench.endpoint.admission.pending._of) <= 2


def statuses(responses: list[Response]) -> list[int]:
    return [response.status for response in responses]


def invited(bench: Bench) -> list[InviteReceived]:
    return bench.wire.told(HOTLINE, InviteReceived)


def register(bench: Bench, user: str = "desk", source: Address = DESK) -> int:
    number = next(COUNT)
    contact = f"<sip:{user}@{source[0]}:{source[1]}>"
    (challenged,) = bench.send(write_register(user, call_id=f"reg{number}", contact=contact), source)
    line = credentials(challenged, user, USERS[user])
    data = write_register(user, call_id=f"reg{number}", cseq=2, contact=contact, fields=(line,))
    return bench.send(data, source)[0].status


def guess(bench: Bench, user: str, source: Address, password: str = "wrong") -> list[int]:  # noqa: S107
    number = next(COUNT)
    responses = bench.send(write_register(user, call_id=f"g{number}"), source)
    if not responses:
        return []
    line = credentials(responses[0], user, password)
    return statuses(bench.send(write_register(user, call_id=f"g{number}", cseq=2, fields=(line,)), source))


class TestRates:
    def test_a_flood_is_told_to_come_back_and_then_nothing(self, bench: Bench) -> None:
        answers = [statuses(bench.send(options(), FLOOD)) for _ in range(40)]
        assert answers == [[200]] * 10 + [[503]] * 5 + [[]] * 25
        assert len(bench.wire.told(HOTLINE, MessageRejected)) == 1
        counts = bench.endpoint.admission.counts
        assert (counts.admitted, counts.refused, counts.dropped) == (10, 5, 25)
        assert bench.endpoint.load() == (0, 0, 0)

    def test_the_503_says_when_to_come_back(self, bench: Bench) -> None:
        for _ in range(10):
            bench.send(options(), FLOOD)
        (refused,) = bench.send(options(), FLOOD)
        assert (refused.status, refused.headers.get("retry-after")) == (503, "5")

    def test_a_flood_holds_up_neither_callers_nor_phones(self, bench: Bench) -> None:
        assert register(bench) == 200
        for _ in range(1000):
            bench.send(options(), FLOOD)
        assert statuses(bench.send(invite(), CALLER)) == [100]
        assert register(bench) == 200

    def test_forged_senders_without_number_hold_up_no_phone(self, bench: Bench) -> None:
        assert register(bench) == 200
        for number in range(10_000):
            bench.send(options(), (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 5060))
        assert register(bench) == 200
        assert statuses(bench.send(invite(), DESK)) == [100]

    def test_a_phone_that_goes_mad_is_its_own_affair(self, bench: Bench) -> None:
        assert register(bench) == register(bench, "lan", CALLER) == 200
        for _ in range(1000):
            bench.send(options(), DESK)
        assert statuses(bench.send(options(), CALLER)) == [200]

    def test_who_talks_already_is_never_held_up(self, bench: Bench) -> None:
        bench.send(invite(), CALLER)
        (event,) = invited(bench)
        bench.wire.perform(HOTLINE, Answer(event.dialog, OFFER))
        answer = bench.responses()[-1]
        for _ in range(1000):
            bench.send(options(), CALLER)
        inside = {"sender": answer.headers.get("from"), "to": answer.headers.get("to"), "call_id": answer.call_id}
        bench.send(write_request("ACK", branch="z9hG4bKack", cseq=1, **inside), CALLER)  # type: ignore[arg-type]
        responses = bench.send(write_request("BYE", branch="z9hG4bKbye", cseq=2, **inside), CALLER)  # type: ignore[arg-type]
        assert statuses(responses) == [200]

    def test_cancel_of_a_call_gets_in_whatever_its_source_sends(self, bench: Bench) -> None:
        data = invite()
        bench.send(data, CALLER)
        for _ in range(100):
            bench.send(options(), CALLER)
        cancel = data.replace(b"INVITE", b"CANCEL").replace(OFFER.encode(), b"")
        head, _, _ = cancel.partition(b"Content-Type")
        assert 200 in statuses(bench.send(head + b"Content-Length: 0\r\n\r\n", CALLER))


class TestWaitingCalls:
    """INVITEs whose sender may be forged take no more than their places."""

    def test_of_one_source(self, bench: Bench) -> None:
        assert [statuses(bench.send(invite(), FLOOD))[0] for _ in range(5)] == [100, 100, 100, 503, 503]
        assert len(invited(bench)) == 3
        assert bench.endpoint.load()[0] == 3, "what is refused is not remembered"
        assert statuses(bench.send(invite(), CALLER)) == [100]

    def test_who_acknowledges_frees_its_place(self, bench: Bench) -> None:
        for _ in range(10):
            assert statuses(bench.send(invite(), CALLER))[0] == 100
            self.establish(bench)
            bench.wire.run(1.0)

    @staticmethod
    def establish(bench: Bench) -> None:
        event = invited(bench)[-1]
        bench.wire.perform(HOTLINE, Answer(event.dialog, OFFER))
        answer = bench.responses()[-1]
        bench.send(
            write_request(
                "ACK",
                branch=f"z9hG4bKa{next(COUNT)}",
                sender=answer.headers.get("from"),
                to=answer.headers.get("to"),
                call_id=answer.call_id,
            ),
            CALLER,
        )

    def test_forged_ones_give_way_to_those_who_come_later(self, bench: Bench) -> None:
        for number in range(6):
            bench.send(invite(), (f"10.0.0.{number}", 5060))
            bench.wire.perform(HOTLINE, Answer(invited(bench)[-1].dialog, OFFER))
        bench.responses()
        assert statuses(bench.send(invite(), CALLER)) == [503], "they have had no time for their ACK yet"
        bench.wire.run(5.0)
        bench.responses()
        assert 100 in statuses(bench.send(invite(), CALLER))
        (ended,) = bench.wire.told(HOTLINE, DialogEnded)
        assert (ended.dialog, ended.ending) == (invited(bench)[0].dialog, "timed_out")

    def test_refused_calls_without_their_ack_count_for_their_source_alone(self, bench: Bench) -> None:
        for number in range(20):
            source = (f"10.0.0.{number}", 5060)
            assert statuses(bench.send(invite(), source))[0] == 100
            bench.wire.perform(HOTLINE, Reject(invited(bench)[-1].dialog, 486, ""))
            bench.responses()
        for _ in range(3):
            assert statuses(bench.send(invite(), FLOOD))[0] == 100
            bench.wire.perform(HOTLINE, Reject(invited(bench)[-1].dialog, 486, ""))
            bench.responses()
        assert statuses(bench.send(invite(), FLOOD)) == [503]

    def test_users_are_not_counted(self, bench: Bench) -> None:
        (challenged,) = bench.send(write_register())
        for count in range(1, 6):
            line = credentials(challenged, "desk", USERS["desk"], method="INVITE", count=count)
            assert statuses(bench.send(invite(fields=(line,)), CALLER)) == [100]


class TestScanners:
    def test_gets_no_answer_and_then_none_to_anything(self, bench: Bench) -> None:
        assert bench.send(options(fields=("User-Agent: friendly-scanner",)), FLOOD) == []  # type: ignore[arg-type]
        assert bench.send(options(), FLOOD) == bench.send(invite(), FLOOD) == bench.send(write_register(), FLOOD) == []
        assert bench.wire.told(HOTLINE, MessageRejected) == [MessageRejected("198.51.100.66:5060", 0, SCANNER)]
        bench.wire.run(301.0)
        assert statuses(bench.send(options(), FLOOD)) == [200]

    @pytest.mark.parametrize("data", [b"OPTIONS", b"REGISTER"])
    def test_a_source_with_phones_is_not_silenced(self, bench: Bench, data: bytes) -> None:
        register(bench)
        elsewhere = (DESK[0], 40_000)
        scan = options(fields=("User-Agent: friendly-scanner",))  # type: ignore[arg-type]
        assert bench.send(scan.replace(b"OPTIONS", data), elsewhere) == []
        assert register(bench, "lan", elsewhere) == 200

    def test_nor_one_that_has_had_a_call(self, bench: Bench) -> None:
        bench.send(invite(), CALLER)
        TestWaitingCalls.establish(bench)
        assert bench.send(options(fields=("User-Agent: friendly-scanner",)), CALLER) == []  # type: ignore[arg-type]
        assert statuses(bench.send(invite(), CALLER)) == [100]

    @pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
    def test_who_asks_for_name_after_name(self, method: str) -> None:
        bench = make_bench(AdmissionSettings(requests_per_s=100.0, burst=100.0))
        for number in range(20):
            bench.send(self.ask(method, f"user{number}"), FLOOD)
        bench.wire.run(5.0)
        bench.send(self.ask(method, "last"), FLOOD)
        assert bench.send(self.ask(method, "later"), FLOOD) == []
        assert [event.cause for event in bench.wire.told(HOTLINE, MessageRejected)] == [SEARCH]
        assert bench.endpoint.admission.counts.silenced == 1

    @staticmethod
    def ask(method: str, user: str) -> bytes:
        number = next(COUNT)
        if method == "REGISTER":
            return write_register(user, call_id=f"r{number}")
        return write_request(
            method,
            target=f"sip:{user}@192.0.2.1",
            sender=f"<sip:{user}@192.0.2.1>;tag={number}",
            branch=f"z9hG4bKs{number}",
            call_id=f"s{number}",
            body=OFFER if method == "INVITE" else "",
        )

    def test_who_dials_number_after_number_that_is_none(self, bench: Bench) -> None:
        for number in range(20):
            bench.send(invite(target=f"sip:{number}@192.0.2.1"), FLOOD)
            if invited(bench):
                bench.wire.perform(HOTLINE, Reject(invited(bench)[-1].dialog, 404, ""))
            bench.wire.run(1.0)
            bench.responses()
        # A forged one has three places; they are free again after 64*T1.
        assert len(invited(bench)) == 3

    def test_an_office_whose_phones_start_together_is_none(self) -> None:
        wire = FakeWire()
        wire.attach(HOTLINE, make_endpoint(settings=EndpointSettings(HOTLINE, admission=AdmissionSettings())))
        bench = Bench(wire)
        challenges = {}
        for number in range(80):
            source = ("192.0.2.99", 10_000 + number)
            (challenges[source],) = bench.send(write_register(call_id=f"p{number}"), source)
        wire.run(1.0)
        for number, (source, challenged) in enumerate(challenges.items()):
            value = challenged.headers.lines("www-authenticate")[0]
            line = authorize(value, "desk", USERS["desk"], "REGISTER", "sip:192.0.2.1", "c")
            data = write_register(
                call_id=f"p{number}",
                cseq=2,
                contact=f"<sip:desk@192.0.2.99:{source[1]}>",
                fields=(f"Authorization: {line}",),
            )
            assert statuses(bench.send(data, source)) == [200]


class TestGuesses:
    @pytest.fixture
    def bench(self) -> Bench:
        return make_bench(AdmissionSettings())

    def test_get_no_answer_after_a_few(self, bench: Bench) -> None:
        answers = [guess(bench, "desk", FLOOD) for _ in range(6)]
        assert answers[:4] == [[401]] * 3 + [[]]
        assert answers[4:] == [[], []]
        assert guess(bench, "desk", FLOOD, USERS["desk"]) == [], "not even the right one is looked at"
        assert len(bench.wire.told(HOTLINE, RegistrationRefused)) == 1

    def test_of_a_user_who_does_not_exist_look_alike(self, bench: Bench) -> None:
        assert [guess(bench, "nobody", FLOOD) for _ in range(4)] == [[401]] * 3 + [[]]

    def test_do_not_shut_the_user_out_elsewhere(self, bench: Bench) -> None:
        for _ in range(20):
            guess(bench, "desk", FLOOD)
        assert register(bench) == 200

    def test_nor_when_they_seem_to_come_from_there(self, bench: Bench) -> None:
        """Whoever forges an address does not see the challenge that is sent to it."""
        (own,) = bench.send(write_register(call_id="own"), FLOOD)
        for number in range(20):
            line = credentials(own, "desk", "wrong")
            bench.send(write_register(call_id=f"f{number}", cseq=2, fields=(line,)), DESK)
            bench.send(
                write_register(call_id=f"n{number}", cseq=2, fields=(line.replace('nonce="', 'nonce="1'),)), DESK
            )
        assert register(bench) == 200

    def test_a_registered_phone_goes_on_whatever_others_at_its_address_try(self, bench: Bench) -> None:
        register(bench)
        for _ in range(10):
            guess(bench, "desk", (DESK[0], 40_000))
            bench.wire.run(1.0)
            bench.responses()
        assert register(bench) == 200

    def test_what_was_drawn_for_a_page_is_looked_at_all_the_same(self) -> None:
        """Nobody guesses it, and all pages may come through one proxy."""
        bench = make_bench(AdmissionSettings())
        page = "a hundred random bits"
        secrets = [hash_password("desk", "hotline", password) for password in (USERS["desk"], page)]
        bench.endpoint._authenticator._credentials = lambda _: secrets
        for _ in range(6):
            guess(bench, "desk", FLOOD)
        assert guess(bench, "desk", FLOOD, USERS["desk"]) == []
        assert guess(bench, "desk", FLOOD, page) == [200]

    def test_whose_phone_starts_anew_waits_a_moment(self, bench: Bench) -> None:
        register(bench)
        elsewhere = (DESK[0], 40_000)
        for _ in range(4):
            guess(bench, "desk", elsewhere)
        bench.wire.run(6.0)
        bench.responses()
        assert register(bench, "desk", (DESK[0], 40_001)) == 200


class TestAnything:
    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["OPTIONS", "INVITE", "REGISTER", "scan", "guess"]),
                st.integers(0, 400),
                st.floats(0.0, 2.0),
            ),
            max_size=120,
        )
    )
    def test_memory_is_constant_and_a_registered_phone_gets_through(self, inputs: list[tuple[str, int, float]]) -> None:
        admission = AdmissionSettings(
            requests_per_s=5.0, burst=10.0, pending_per_source=3, pending=6, sources=16, phone_burst=50.0
        )
        bench = make_bench(admission)
        assert register(bench) == 200
        for kind, host, pause in inputs:
            source = (f"198.51.{host >> 8}.{host & 255}", 5060)
            match kind:
                case "OPTIONS":
                    bench.send(options(), source)
                case "INVITE":
                    bench.send(invite(), source)
                case "REGISTER":
                    bench.send(write_register(f"u{host}", call_id=f"x{next(COUNT)}"), source)
                case "scan":
                    bench.send(options(fields=("User-Agent: sipcli/1",)), source)  # type: ignore[arg-type]
                case _:
                    guess(bench, "desk", source)
            bench.wire.run(pause)
            bench.responses()
        door = bench.endpoint.admission
        assert len(door._silent) <= 16
        assert len(door._callers) <= 16
        assert len(door._searches._asked) <= 16
        assert len(door.pending) <= 6
        assert len(door.pending._of) <= 16
        assert register(bench) == 200
        assert statuses(bench.send(options(), DESK)) == [200]
