"""REGISTER through the endpoint, as a phone does it."""

import pytest

from telephony.events import BindingChanged, BindingRow, Hangup, Invite, RegistrationRefused
from telephony.sip.message import Request, parse_datagram
from telephony.sip.settings import EndpointSettings, RegistrarSettings
from tests.telephony.sip.messages import Bench, credentials, write_register
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, FakeWire, make_endpoint

PASSWORD = USERS["desk"]


def changes(bench: Bench) -> list[BindingChanged]:
    return bench.wire.told(HOTLINE, BindingChanged)


class TestDigest:
    def test_first_answer_is_a_challenge_in_both_algorithms(self) -> None:
        bench = Bench()
        (response,) = bench.send(write_register())
        first, second = response.headers.lines("www-authenticate")
        assert response.status == 401
        assert response.to.tag
        assert 'realm="hotline"' in first
        assert "algorithm=MD5" in first
        assert "algorithm=SHA-256" in second
        assert bench.wire.events[HOTLINE] == []

    @pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
    def test_right_password(self, algorithm: str) -> None:
        bench = Bench()
        response = bench.register("desk", PASSWORD, algorithm=algorithm)
        assert response.status == 200
        assert response.headers.get("contact") == "<sip:desk@192.0.2.2:5060>;expires=300"
        rows = (BindingRow("sip:desk@192.0.2.2:5060", "192.0.2.2", 5060, 300.0),)
        assert changes(bench) == [BindingChanged("desk", 1, rows)]

    def test_registrations_are_counted_by_transport(self) -> None:
        bench = Bench()
        assert dict(bench.endpoint.registrations()) == {}
        bench.register("desk", PASSWORD)
        bench.register("desk", PASSWORD, contact="<sip:desk@192.0.2.2:5070>", cseq=3)
        assert dict(bench.endpoint.registrations()) == {"UDP": 2}
        bench.endpoint.forget("desk", bench.wire.now)
        assert dict(bench.endpoint.registrations()) == {}

    @pytest.mark.parametrize(("user", "password"), [("desk", "wrong"), ("nobody", PASSWORD)])
    def test_wrong_password_and_unknown_user_look_alike(self, user: str, password: str) -> None:
        bench = Bench()
        response = bench.register(user, password)
        assert response.status == 401
        assert "stale" not in response.headers.get("www-authenticate")
        assert bench.wire.events[HOTLINE] == [RegistrationRefused(user, "192.0.2.2:5060")]

    def test_guesses_are_told_once_a_minute_with_their_count(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        line = credentials(challenged, "desk", "wrong")
        for number in range(5):
            bench.send(write_register(cseq=2 + number, fields=(line,)))
        bench.wire.run(61.0)
        bench.send(write_register(cseq=99, fields=(line,)))
        told = bench.wire.told(HOTLINE, RegistrationRefused)
        assert [event.unreported for event in told] == [0, 4]

    def test_stale_nonce_is_no_wrong_password(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        bench.wire.run(301.0)
        line = credentials(challenged, "desk", PASSWORD)
        (response,) = bench.send(write_register(cseq=2, fields=(line,)))
        assert response.status == 401
        assert "stale=true" in response.headers.get("www-authenticate")
        assert bench.wire.events[HOTLINE] == []

    def test_replayed_credentials_are_stale(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        line = credentials(challenged, "desk", PASSWORD)
        statuses = [bench.send(write_register(cseq=cseq, fields=(line,)))[0].status for cseq in (2, 3)]
        assert statuses == [200, 401]

    def test_counted_up_credentials_are_good_again(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        lines = [credentials(challenged, "desk", PASSWORD, count=count) for count in (1, 2)]
        statuses = [bench.send(write_register(cseq=2 + n, fields=(line,)))[0].status for n, line in enumerate(lines)]
        assert statuses == [200, 200]

    def test_retransmission_gets_the_same_answer(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        data = write_register(cseq=2, fields=(credentials(challenged, "desk", PASSWORD),))
        assert bench.send(data)[0] == bench.send(data)[0]
        assert len(changes(bench)) == 1

    def test_nobody_registers_somebody_else(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        data = write_register(cseq=2, fields=(credentials(challenged, "desk", PASSWORD),))
        (response,) = bench.send(data.replace(b"To: <sip:desk@", b"To: <sip:lan@"))
        assert response.status == 403
        assert changes(bench) == []

    def test_credentials_for_another_realm_are_none(self) -> None:
        bench = Bench()
        other = 'Authorization: Digest username="desk", realm="elsewhere", nonce="n", uri="sip:h", response="00"'
        (response,) = bench.send(write_register(fields=(other,)))
        assert response.status == 401
        assert bench.wire.events[HOTLINE] == []

    @pytest.mark.parametrize("value", ['Digest realm="hotline", algorithm=SHA-512', "Digest realm"])
    def test_nonsense_is_malformed(self, value: str) -> None:
        (response,) = Bench().send(write_register(fields=(f"Authorization: {value}",)))
        assert (response.status, response.reason) == (400, "Malformed Authorization")

    @pytest.mark.parametrize("value", ["Basic ZGVzaw==", "NoOneKnowsThisScheme opaque-data=here"])
    def test_a_scheme_that_we_do_not_know_is_challenged(self, value: str) -> None:
        """RFC 4475 section 3.3.7."""
        (response,) = Bench().send(write_register(fields=(f"Authorization: {value}",)))
        assert response.status == 401


class TestBindings:
    def send(self, bench: Bench, cseq: int, contact: str = "", fields: tuple[str, ...] = ()) -> tuple[int, list[str]]:
        """Register with credentials of our own making; returns status and Contacts."""
        (challenged,) = bench.send(write_register(cseq=cseq, branch=f"z9hG4bKchallenge{cseq}", contact=contact))
        line = credentials(challenged, "desk", PASSWORD)
        (response,) = bench.send(write_register(cseq=cseq + 1, contact=contact, fields=(line, *fields)))
        return response.status, response.headers.lines("contact")

    def test_several_phones_of_one_user_and_the_newest_rings(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>")
        self.send(bench, 3, "<sip:desk@192.0.2.2:5070>")
        assert changes(bench)[-1].contacts == 2
        self.send(bench, 5, "<sip:desk@192.0.2.2:5060>")
        assert changes(bench)[-1].contacts == 2
        bench.wire.perform(HOTLINE, Invite("out", "desk", "", "", ""))
        assert bench.wire.sent[-1].destination == ("192.0.2.2", 5060)

    def test_one_contact_twice_is_one_binding(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>, <sip:desk@192.0.2.2:5060>;expires=600")
        assert changes(bench)[-1].bindings == (BindingRow("sip:desk@192.0.2.2:5060", "192.0.2.2", 5060, 600.0),)

    def test_asking_changes_nothing(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>")
        assert self.send(bench, 3) == (200, ["<sip:desk@192.0.2.2:5060>;expires=300"])
        assert len(changes(bench)) == 1

    def test_leaving(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>")
        assert self.send(bench, 3, "<sip:desk@192.0.2.2:5060>;expires=0") == (200, [])
        assert changes(bench)[-1] == BindingChanged("desk", 0)
        assert bench.endpoint.deadline() is not None  # of transactions, and not for ever
        bench.wire.settle()
        assert bench.endpoint.load() == (0, 0, 0)

    def test_leaving_with_a_star(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>, <sip:desk@192.0.2.2:5070>")
        assert self.send(bench, 3, "*", ("Expires: 0",)) == (200, [])
        assert changes(bench)[-1].contacts == 0

    @pytest.mark.parametrize(
        ("contact", "fields"), [("*", ()), ("*", ("Expires: 60",)), ("*, <sip:a@b>", ("Expires: 0",))]
    )
    def test_star_and_nothing_else(self, contact: str, fields: tuple[str, ...]) -> None:
        assert self.send(Bench(), 1, contact, fields)[0] == 400

    @pytest.mark.parametrize("contact", ["<sip:a@>", "<mailto:a@b>", "garbage", f"<sip:{'a' * 600}@b>"])
    def test_contact_that_leads_nowhere(self, contact: str) -> None:
        bench = Bench()
        assert self.send(bench, 1, contact)[0] == 400
        assert changes(bench) == []

    @pytest.mark.parametrize(
        ("contact", "fields", "granted"),
        [
            ("<sip:desk@h>", (), 300),
            ("<sip:desk@h>", ("Expires: 120",), 120),
            ("<sip:desk@h>;expires=90", ("Expires: 120",), 90),
            ("<sip:desk@h>", ("Expires: 999999999999999999",), 3600),
            ("<sip:desk@h>", ("Expires: soon",), 300),
        ],
    )
    def test_expiry(self, contact: str, fields: tuple[str, ...], granted: int) -> None:
        assert self.send(Bench(), 1, contact, fields) == (200, [f"<sip:desk@h>;expires={granted}"])

    def test_expiry_too_short_is_told_what_would_do(self) -> None:
        bench = Bench()
        (challenged,) = bench.send(write_register())
        line = credentials(challenged, "desk", PASSWORD)
        (response,) = bench.send(write_register(cseq=2, fields=(line, "Expires: 10")))
        assert (response.status, response.headers.get("min-expires")) == (423, "60")

    def test_binding_ends_at_its_time(self) -> None:
        bench = Bench()
        self.send(bench, 1, "<sip:desk@192.0.2.2:5060>;expires=60, <sip:desk@192.0.2.2:5070>;expires=90")
        bench.wire.run(59.9)
        assert [event.contacts for event in changes(bench)] == [2]
        bench.wire.run(0.2)
        assert [event.contacts for event in changes(bench)] == [2, 1]
        bench.wire.run(30.0)
        assert [event.contacts for event in changes(bench)] == [2, 1, 0]
        assert bench.endpoint.load() == (0, 0, 0)

    def test_late_register_is_out_of_order(self) -> None:
        bench = Bench()
        self.send(bench, 5, "<sip:desk@192.0.2.2:5060>")
        assert self.send(bench, 1, "<sip:desk@192.0.2.2:5060>;expires=0")[0] == 500
        assert changes(bench)[-1].contacts == 1

    def test_oldest_binding_gives_way(self) -> None:
        limits = RegistrarSettings(bindings_per_user=2)
        wire = FakeWire()
        wire.attach(HOTLINE, make_endpoint(HOTLINE, "a", EndpointSettings(address=HOTLINE, registrar=limits)))
        bench = Bench(wire)
        for number in range(3):
            self.send(bench, 1 + 2 * number, f"<sip:desk@192.0.2.2:{5060 + number}>")
        assert [row[0] for row in changes(bench)[-1].bindings] == [
            "sip:desk@192.0.2.2:5061",
            "sip:desk@192.0.2.2:5062",
        ]


class TestNat:
    def test_phone_behind_nat_is_called_where_its_register_came_from(self) -> None:
        bench = Bench()
        bench.register("desk", PASSWORD, contact="<sip:desk@10.0.0.7:5062>")
        assert changes(bench)[0].bindings[0][:3] == ("sip:desk@10.0.0.7:5062", "192.0.2.2", 5060)
        bench.wire.perform(HOTLINE, Invite("out", "desk", "", "", ""))
        sent = bench.wire.sent[-1]
        invite = parse_datagram(sent.data)
        assert isinstance(invite, Request)
        assert (sent.destination, invite.target) == (DESK, "sip:desk@10.0.0.7:5062")


class TestRestore:
    def test_bindings_come_back_from_rows(self) -> None:
        bench = Bench()
        bench.register("desk", PASSWORD)
        rows = changes(bench)[0].bindings
        wire = FakeWire(now=100.0)
        endpoint = wire.attach(HOTLINE, make_endpoint(HOTLINE))
        endpoint.restore({"desk": rows, "lan": [("garbage", "h", 1, 1e9), ("sip:a@h", "h", 1, 5.0)]}, 100.0)
        wire.collect()
        assert wire.events[HOTLINE] == []
        wire.perform(HOTLINE, Invite("out", "desk", "", "", ""))
        assert wire.names() == ["INVITE"]
        wire.perform(HOTLINE, Hangup("out"))
        wire.run(300.0)
        assert wire.told(HOTLINE, BindingChanged) == [BindingChanged("desk", 0)]
        wire.perform(HOTLINE, Invite("again", "lan", "", "", ""))
        assert wire.names().count("INVITE") == 7
