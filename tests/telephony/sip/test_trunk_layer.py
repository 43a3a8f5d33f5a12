"""Registering with a far end, and asking whether it is there: in virtual time, against our own registrar."""

import itertools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import Hop, LeaveTrunks, LocateTrunk, TrunkChanged
from telephony.sip.address import Flow
from telephony.sip.invitation import Credentials
from telephony.sip.message import Request, Response, parse_datagram, respond
from telephony.sip.settings import EndpointSettings, RegistrarSettings
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import parse_uri
from tests.telephony.sip.wire import DESK, HOTLINE, LATENCY_S, FakeWire, make_endpoint

SECOND = ("192.0.2.3", 5060)
TARGETS = (parse_uri("sip:192.0.2.2"), parse_uri("sip:192.0.2.3"))


def trunk(**changes: object) -> TrunkSettings:
    """The trunk `pbx`, at which we are the user `desk`."""
    defaults: dict[str, object] = {
        "name": "pbx",
        "targets": TARGETS[:1],
        "credentials": Credentials("desk", "correct horse"),
        "register": True,
        "probe_s": 0.0,
    }
    return TrunkSettings(**{**defaults, **changes})  # type: ignore[arg-type]


class Trunks(FakeWire):
    """The hotline with one trunk, and PBXs at its targets where they are attached."""

    def __init__(self, settings_: TrunkSettings, *, loss: tuple[bool, ...] = ()) -> None:
        super().__init__(loss=loss)
        self.hotline = self.attach(
            HOTLINE, make_endpoint(HOTLINE, "a", EndpointSettings(address=HOTLINE, trunks=(settings_,)))
        )

    def pbx(self, address: tuple[str, int] = DESK, registrar: RegistrarSettings | None = None) -> None:
        """Put a PBX on the wire."""
        chosen = EndpointSettings(address=address, registrar=registrar or RegistrarSettings())
        self.attach(address, make_endpoint(address, f"p{address[0][-1]}", chosen))

    def states(self) -> list[str]:
        """What was told of the registration, each state once."""
        return [state for state, _ in itertools.groupby(event.state for event in self.told(HOTLINE, TrunkChanged))]

    def last(self) -> TrunkChanged:
        """What was told last."""
        return self.told(HOTLINE, TrunkChanged)[-1]

    def requests(self, method: str) -> list[Request]:
        """What the hotline sent."""
        found = [parse_datagram(each.data) for each in self.sent if each.source == HOTLINE and each.name == method]
        return [each for each in found if isinstance(each, Request)]


class Scripted(Trunks):
    """At the first target somebody answers each request as `script` says."""

    def __init__(self, settings_: TrunkSettings, script: Callable[[Request], Response | None]) -> None:
        super().__init__(settings_)
        self.script = script

    def step(self) -> bool:
        """Answer what has arrived by now, then go on."""
        before = len(self.sent)
        self.collect()
        for each in self.sent[before:]:
            self._answer(each.data, each.destination)
        going = super().step()
        for each in self.sent[before:]:
            self._answer(each.data, each.destination)
        return going

    def _answer(self, data: bytes, destination: tuple[str, int]) -> None:
        message = parse_datagram(data)
        if destination == DESK and isinstance(message, Request) and (response := self.script(message)) is not None:
            self.hotline.receive(response.write(), DESK, self.now + LATENCY_S)


def answering(*statuses: int, fields: tuple[tuple[str, str], ...] = ()) -> Callable[[Request], Response | None]:
    """Answer one request after another with these statuses, the last for ever; 0 is silence."""
    left = itertools.chain(statuses, itertools.repeat(statuses[-1]))

    def script(request: Request) -> Response | None:
        status = next(left)
        if not status:
            return None
        response = respond(request, status, "", "far")
        for name, value in fields:
            response.headers.set(name, value)
        return response

    return script


class TestRegistering:
    def test_answers_the_challenge_and_is_registered(self) -> None:
        wire = Trunks(trunk())
        wire.pbx()
        wire.run(1)
        assert wire.names(HOTLINE) == ["REGISTER", "REGISTER"]
        assert wire.names(DESK) == ["401", "200"]
        assert wire.states() == ["registering", "registered"]
        assert wire.last().up
        first, second = wire.requests("REGISTER")
        assert first.target == "sip:192.0.2.2"
        assert first.to.uri.write() == "sip:desk@192.0.2.2"
        assert "sip:trunk-pbx@192.0.2.1:5060" in first.headers.get("contact")
        assert first.call_id == second.call_id
        assert second.cseq.number == first.cseq.number + 1

    def test_refreshes_at_a_share_of_what_is_granted_with_the_same_nonce(self) -> None:
        wire = Trunks(trunk())
        wire.pbx(registrar=RegistrarSettings(max_expires_s=100))
        wire.run(95)
        at = wire.times("REGISTER", HOTLINE)
        assert len(at) == 3
        assert 75 <= at[2] - at[1] <= 86
        assert "nc=00000002" in wire.requests("REGISTER")[2].headers.get("authorization")
        assert wire.states() == ["registering", "registered"]

    def test_takes_longer_where_the_registrar_insists(self) -> None:
        wire = Trunks(trunk(expires_s=30))
        wire.pbx()
        wire.run(1)
        assert wire.names(DESK) == ["401", "423", "200"]
        assert wire.requests("REGISTER")[-1].headers.get("expires") == "60"

    def test_a_wrong_password_is_not_tried_again_for_a_while(self) -> None:
        wire = Trunks(trunk(credentials=Credentials("desk", "wrong")))
        wire.pbx()
        wire.run(25)
        assert wire.names(HOTLINE) == ["REGISTER", "REGISTER"]
        assert wire.last() == wire.last().__class__(
            "pbx", "failed", False, "401: wrong user or password", wire.last().targets
        )
        wire.run(60)
        assert len(wire.names(HOTLINE)) == 4

    def test_a_challenge_of_another_realm_gets_no_answer(self) -> None:
        wire = Trunks(trunk(credentials=Credentials("desk", "correct horse", "elsewhere")))
        wire.pbx()
        wire.run(1)
        assert wire.names(HOTLINE) == ["REGISTER"]
        assert wire.last().reason == "401: no challenge that can be answered"

    def test_a_registrar_that_refuses_is_left_alone_and_its_reason_told(self) -> None:
        wire = Scripted(trunk(), answering(403))
        wire.run(20)
        assert wire.names(HOTLINE) == ["REGISTER"]
        assert wire.last().reason.startswith("403")

    def test_silence_is_tried_again_with_longer_waits(self) -> None:
        wire = Trunks(trunk())
        wire.run(600)
        at = wire.times("REGISTER", HOTLINE)
        begun = [time for time, before in zip(at[1:], at, strict=False) if time - before > 2.4]
        assert wire.states() == ["registering", "failed"]
        gaps = [later - earlier for earlier, later in itertools.pairwise(begun)]
        assert gaps[-1] > gaps[0]
        assert len(at) < 60

    def test_goes_to_the_second_target_after_silence_and_after_503(self) -> None:
        silent = Trunks(trunk(targets=TARGETS))
        silent.pbx(SECOND)
        silent.run(6)
        assert silent.last().state == "registered"
        refusing = Scripted(trunk(targets=TARGETS), answering(503))
        refusing.pbx(SECOND)
        refusing.run(1)
        assert refusing.last().state == "registered"
        assert [target.state for target in refusing.last().targets] == ["down", "up"]

    def test_a_redirection_is_not_followed(self) -> None:
        wire = Scripted(trunk(), answering(302, fields=(("contact", "<sip:198.51.100.66>"),)))
        wire.run(1)
        assert {each.destination for each in wire.sent} == {DESK}
        assert wire.last().state == "failed"
        assert "302" in wire.last().reason

    def test_waits_as_long_as_the_registrar_asks(self) -> None:
        wire = Scripted(trunk(), answering(503, fields=(("retry-after", "120 (busy)"),)))
        wire.run(119)
        assert wire.names(HOTLINE) == ["REGISTER"]
        wire.run(10)
        assert wire.names(HOTLINE) == ["REGISTER"] * 2

    def test_but_not_for_years(self) -> None:
        wire = Scripted(trunk(), answering(503, 200, fields=(("retry-after", "999999999"),)))
        wire.run(1900)
        assert wire.last().state == "registered"

    def test_what_an_earlier_run_has_left_there_does_not_make_us_late(self) -> None:
        contacts = "<sip:trunk-pbx@192.0.2.1:5060>;expires=60, <sip:trunk-pbx@192.0.2.1:5999>;expires=3000"
        wire = Scripted(trunk(), answering(200, fields=(("contact", contacts),)))
        wire.run(58)
        assert wire.names(HOTLINE) == ["REGISTER"] * 2

    def test_endless_challenges_end(self) -> None:
        fields = (("www-authenticate", 'Digest realm="x", nonce="n", stale=true'),)
        wire = Scripted(trunk(), answering(401, fields=fields))
        wire.run(20)
        assert len(wire.names(HOTLINE)) == 5
        assert wire.last().state == "failed"

    def test_keeps_the_service_route(self) -> None:
        wire = Scripted(trunk(), answering(200, fields=(("service-route", "<sip:192.0.2.2;lr>"),)))
        wire.run(1)
        assert wire.last().state == "registered"
        assert wire.hotline._trunks.trunks["pbx"].service_route == ("<sip:192.0.2.2;lr>",)

    def test_loss_of_a_connection_is_loss_of_the_registration(self) -> None:
        wire = Trunks(trunk())
        flow = Flow("192.0.2.2", 5060, "c1", "TCP")
        wire.run(0)
        register = wire.requests("REGISTER")[0]
        response = respond(register, 200, "", "far")
        wire.hotline.receive(response.write(), flow, 0.0)
        wire.collect()
        assert wire.last().state == "registered"
        wire.hotline.connection_lost("c1", 1.0)
        wire.collect()
        assert wire.last().state == "registering"
        assert len(wire.requests("REGISTER")) == 2

    def test_leaves_and_says_so(self) -> None:
        wire = Trunks(trunk(probe_s=30.0))
        wire.pbx()
        wire.run(1)
        wire.perform(HOTLINE, LeaveTrunks())
        wire.run(100)
        assert wire.requests("REGISTER")[-1].headers.get("expires") == "0"
        assert wire.last().state == "unregistered"
        assert wire.hotline.load() == (0, 0, 0)

    def test_leaving_a_dead_registrar_ends_too(self) -> None:
        wire = Trunks(trunk())
        wire.pbx()
        wire.run(1)
        del wire.endpoints[DESK]
        wire.perform(HOTLINE, LeaveTrunks())
        wire.run(40)
        assert wire.last().state == "unregistered"
        assert wire.hotline.load() == (0, 0, 0)


class TestLocating:
    def test_a_name_waits_for_its_addresses(self) -> None:
        wire = Trunks(trunk(targets=(parse_uri("sip:pbx.example.com"),)))
        wire.pbx()
        wire.run(10)
        assert wire.sent == []
        assert (wire.last().state, wire.last().up) == ("unregistered", False)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *DESK),)))
        wire.run(1)
        assert wire.requests("REGISTER")[0].target == "sip:pbx.example.com"
        # The digest is for the realm that the far end names, whatever the domain.
        assert wire.last().state == "registered"

    def test_addresses_that_stay_keep_what_is_known_of_them(self) -> None:
        wire = Trunks(trunk(probe_s=10.0))
        wire.pbx()
        wire.run(1)
        before = len(wire.sent)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *DESK), Hop(0, "UDP", *SECOND))))
        assert [target.state for target in wire.last().targets] == ["up", "unknown"]
        assert [each.destination for each in wire.sent[before:]] == [SECOND]

    def test_who_was_refused_is_not_back_for_another_order_of_the_same_addresses(self) -> None:
        hops = Hop(0, "UDP", *DESK), Hop(0, "UDP", *SECOND)
        wire = Scripted(trunk(targets=(parse_uri("sip:pbx.example.com"),)), answering(403))
        wire.perform(HOTLINE, LocateTrunk("pbx", hops))
        for _ in range(5):
            wire.run(5)
            hops = hops[::-1]
            wire.perform(HOTLINE, LocateTrunk("pbx", hops))
        asked = {request.cseq.number for request in wire.requests("REGISTER")}
        assert len(asked) == 1, "an account is shut out by such"

    def test_a_registrar_that_the_dns_takes_away_is_left_at_once_and_its_calls_are_the_trunks_yet(self) -> None:
        wire = Trunks(trunk(targets=(parse_uri("sip:pbx.example.com"),)))
        wire.pbx()
        wire.pbx(SECOND)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *DESK),)))
        wire.run(1)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *SECOND),)))
        wire.run(1)
        assert wire.states() == ["registering", "registered"]
        assert [each.destination for each in wire.sent if each.name == "REGISTER"] == [DESK] * 2 + [SECOND] * 2
        assert wire.hotline.admission.is_trunk(DESK)
        wire.run(1300)
        assert not wire.hotline.admission.is_trunk(DESK)

    def test_an_address_that_goes_while_it_is_asked_takes_no_other_with_it(self) -> None:
        wire = Trunks(trunk(targets=(parse_uri("sip:pbx.example.com"),)))
        wire.pbx(SECOND)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *DESK), Hop(0, "UDP", *SECOND))))
        wire.run(1)
        wire.perform(HOTLINE, LocateTrunk("pbx", (Hop(0, "UDP", *SECOND),)))
        wire.run(5)
        assert wire.states() == ["registering", "registered"]

    def test_an_unknown_trunk_is_nothing(self) -> None:
        wire = Trunks(trunk())
        wire.perform(HOTLINE, LocateTrunk("other", ()))


class TestProbing:
    def test_any_answer_is_one_and_silence_is_told(self) -> None:
        wire = Trunks(trunk(register=False, probe_s=10.0))
        wire.pbx()
        wire.run(1)
        assert [(event.state, event.up) for event in wire.told(HOTLINE, TrunkChanged)] == [
            ("idle", True),
            ("idle", True),
        ]
        assert wire.last().targets[0].state == "up"
        del wire.endpoints[DESK]
        wire.run(20)
        assert not wire.last().up
        assert wire.last().reason == "192.0.2.2:5060 does not answer"
        wire.pbx()
        wire.run(15)
        assert wire.last().up

    def test_a_refusal_is_an_answer_but_503_is_none(self) -> None:
        refused = Scripted(trunk(register=False, probe_s=10.0), answering(404))
        refused.run(1)
        assert refused.last().targets[0].state == "up"
        full = Scripted(trunk(register=False, probe_s=10.0), answering(503))
        full.run(1)
        assert full.last().targets[0].state == "down"

    def test_without_probes_an_address_is_down_for_a_while_and_not_for_ever(self) -> None:
        wire = Trunks(trunk(register=False))
        wire.run(1)
        wire.hotline._trunks.went_silent(DESK, wire.now)
        wire.collect()
        assert not wire.last().up
        wire.run(61)
        assert (wire.last().up, wire.last().targets[0].state) == (True, "unknown")
        assert wire.hotline.load() == (0, 0, 0)

    def test_a_dead_registrar_is_left_for_the_next_at_once(self) -> None:
        wire = Trunks(trunk(targets=TARGETS, probe_s=10.0))
        wire.pbx()
        wire.pbx(SECOND)
        wire.run(1)
        del wire.endpoints[DESK]
        wire.run(17)
        assert wire.states()[-1] == "registered"
        registered_at = [each.destination for each in wire.sent if each.name == "REGISTER"][-1]
        assert registered_at == SECOND

    def test_comes_back_to_the_first_when_it_is_there_again(self) -> None:
        wire = Trunks(trunk(targets=TARGETS, probe_s=10.0, expires_s=100))
        wire.pbx(SECOND)
        wire.run(8)
        assert wire.last().state == "registered"
        wire.pbx()
        wire.run(100)
        registrations = [each.destination for each in wire.sent if each.name == "REGISTER"]
        assert registrations[-1] in (DESK, SECOND)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), max_size=40), st.lists(st.sampled_from([0, 200, 401, 403, 423, 503]), max_size=6))
def test_whatever_is_lost_or_said_it_ends_up_registered_with_a_registrar_that_works(
    loss: list[bool], statuses: list[int]
) -> None:
    wire = Scripted(trunk(), answering(*statuses, 0))
    wire.loss = tuple(loss)
    wire.run(30)
    wire.script = lambda _request: None
    wire.pbx()
    wire.run(4000)
    assert wire.last().state == "registered"
    assert wire.hotline.load()[0] <= 1
