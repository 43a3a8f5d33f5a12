"""Path, outbound, GRUU and keep-alive: what phones behind proxies and NATs need of a registrar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import BindingChanged, BindingRow, DialogEnded, Invite, InviteReceived
from telephony.sip.errors import RemoteError
from telephony.sip.headers import param
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.registration import Binding, read_bindings, restored
from telephony.sip.settings import RegistrarSettings
from telephony.sip.uri import parse_name_addr, parse_uri
from tests.telephony.sip.messages import OFFER, Bench, credentials, prove, write_register, write_request
from tests.telephony.sip.wire import DESK, HOTLINE, USERS, Address

URN = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
INSTANCE = f'<sip:desk@192.0.2.2:5060>;+sip.instance="<{URN}>"'
PROXY: Address = ("198.51.100.5", 5060)
NAT: Address = ("203.0.113.7", 31_337)


def register(
    bench: Bench,
    contact: str,
    fields: tuple[str, ...] = (),
    source: Address = DESK,
    call_id: str = "r1",
    cseq: int = 1,
    user: str = "desk",
) -> Response:
    """Register as phones do; returns the answer to the second REGISTER."""
    (challenged,) = bench.send(write_register(user, contact=contact, call_id=call_id, cseq=cseq, fields=fields), source)
    line = credentials(challenged, user, USERS[user])
    data = write_register(user, contact=contact, call_id=call_id, cseq=cseq + 1, fields=(*fields, line))
    return bench.send(data, source)[0]


def ring(bench: Bench, device: str = "") -> tuple[Request, Address]:
    """Let the hotline call the desk; returns the INVITE and where it went."""
    before = len(bench.wire.sent)
    bench.wire.perform(HOTLINE, Invite(f"out{before}", "desk", "+84912345678", "Lan", OFFER, device=device))
    sent = bench.wire.sent[before]
    request = parse_datagram(sent.data)
    assert isinstance(request, Request)
    bench._read = len(bench.wire.sent)
    return request, sent.destination


def rows(bench: Bench) -> tuple[BindingRow, ...]:
    return bench.wire.told(HOTLINE, BindingChanged)[-1].bindings


class TestPath:
    FIELDS = ("Path: <sip:p1.example;lr>, <sip:p2.example;lr>", "Supported: path")

    def test_is_answered_kept_and_the_route_to_the_phone(self) -> None:
        bench = Bench()
        response = register(bench, "<sip:desk@10.0.0.9:5060>", self.FIELDS, PROXY)
        assert response.status == 200
        assert response.headers.lines("path") == ["<sip:p1.example;lr>, <sip:p2.example;lr>"]
        invite, destination = ring(bench)
        assert invite.target == "sip:desk@10.0.0.9:5060"
        assert invite.headers.lines("route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]
        assert destination == PROXY, "a name would need the DNS, and nobody aims us at a third party"

    def test_of_the_very_proxy_that_brought_it(self) -> None:
        bench = Bench()
        register(bench, "<sip:desk@10.0.0.9:5060>", ("Path: <sip:198.51.100.5:5080;lr>",), PROXY)
        assert ring(bench)[1] == ("198.51.100.5", 5080)

    def test_survives_a_restart(self) -> None:
        bench = Bench()
        register(bench, "<sip:desk@10.0.0.9:5060>", self.FIELDS, PROXY)
        again = Bench()
        again.endpoint.restore({"desk": rows(bench)}, 1.0)
        assert ring(again)[0].headers.lines("route") == ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]

    @pytest.mark.parametrize("value", ["<tel:+84>", "nonsense <", f"<sip:{'x' * 1100}@h;lr>"])
    def test_that_is_none(self, value: str) -> None:
        response = register(Bench(), "<sip:desk@192.0.2.2>", (f"Path: {value}",))
        assert (response.status, response.reason) == (400, "Malformed Path")

    def test_may_be_insisted_on(self) -> None:
        assert register(Bench(), INSTANCE, ("Require: path, gruu, outbound",)).status == 200
        (refused,) = Bench().send(write_register(fields=("Require: teleport",)))
        assert (refused.status, refused.headers.get("unsupported")) == (420, "teleport")


class TestOutbound:
    FIELDS = ("Supported: path, outbound, gruu",)

    def test_a_new_way_of_the_same_device_takes_the_place_of_the_old(self) -> None:
        bench = Bench()
        first = register(bench, INSTANCE + ";reg-id=1", self.FIELDS, NAT, "r1")
        assert first.headers.get("require") == "outbound"
        moved = (NAT[0], 40_000)
        second = register(bench, INSTANCE.replace("5060", "6060") + ";reg-id=1", self.FIELDS, moved, "r2")
        assert len(second.headers.lines("contact")) == 1
        assert ring(bench)[1] == moved

    def test_another_way_stands_beside_it(self) -> None:
        bench = Bench()
        register(bench, INSTANCE + ";reg-id=1", self.FIELDS, NAT, "r1")
        both = register(bench, INSTANCE + ";reg-id=2", self.FIELDS, (NAT[0], 40_000), "r2")
        numbers = [param(parse_name_addr(value).params, "reg-id") for value in both.headers.lines("contact")]
        assert numbers == ["1", "2"]
        assert len(rows(bench)) == 1, "one row for each Contact"

    def test_a_phone_that_does_not_know_it_is_bound_by_its_contact(self) -> None:
        bench = Bench()
        register(bench, INSTANCE + ";reg-id=1", (), NAT, "r1")
        second = register(bench, INSTANCE.replace("5060", "6060") + ";reg-id=1", (), NAT, "r2")
        assert len(second.headers.lines("contact")) == 2
        assert "require" not in second.headers

    def test_behind_a_proxy_that_keeps_no_connections_it_is_none(self) -> None:
        """RFC 5626 section 6: the first Path URI has to say `ob` where there is a second Via."""
        bench = Bench()
        via = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKinner"
        for path, applied in (("<sip:198.51.100.5;lr>", False), ("<sip:198.51.100.5;lr;ob>", True)):
            fields = (*self.FIELDS, via, f"Path: {path}")
            response = register(bench, INSTANCE + ";reg-id=1", fields, PROXY, f"r{applied}")
            assert ("require" in response.headers) == applied

    def test_removal_by_the_number_of_the_way(self) -> None:
        bench = Bench()
        register(bench, INSTANCE + ";reg-id=1", self.FIELDS)
        gone = register(bench, INSTANCE + ";reg-id=1;expires=0", self.FIELDS, cseq=3)
        assert gone.headers.lines("contact") == []


class TestGruu:
    FIELDS = ("Supported: gruu",)

    def gruus(self, bench: Bench, cseq: int = 1) -> tuple[str, str]:
        response = register(bench, INSTANCE, self.FIELDS, cseq=cseq)
        params = parse_name_addr(response.headers.get("contact")).params
        return param(params, "pub-gruu") or "", param(params, "temp-gruu") or ""

    def dial(self, bench: Bench, target: str, number: int = 1) -> list[InviteReceived]:
        data = write_request(
            sender="<sip:lan@hotline>;tag=x",
            target=target,
            branch=f"z9hG4bKg{number}",
            call_id=f"g{number}",
            body=OFFER,
        )
        prove(bench, data, "lan")
        return bench.wire.told(HOTLINE, InviteReceived)

    def test_only_for_who_knows_them(self) -> None:
        assert "gruu" not in register(Bench(), INSTANCE).headers.get("contact")
        assert "gruu" not in register(Bench(), "<sip:desk@192.0.2.2>", self.FIELDS).headers.get("contact")

    def test_public_one_names_user_and_device(self) -> None:
        bench = Bench()
        public, _ = self.gruus(bench)
        assert public == f"sip:desk@hotline;gr={URN}"
        (event,) = self.dial(bench, public)
        assert (event.dnis, event.device, event.user) == ("desk", URN, "lan")

    def test_temporary_one_names_neither_and_leads_to_both(self) -> None:
        bench = Bench()
        _, temporary = self.gruus(bench)
        assert "desk" not in temporary
        assert URN not in temporary
        (event,) = self.dial(bench, temporary)
        assert (event.dnis, event.device) == ("desk", URN)

    def test_each_refresh_gives_another_and_all_lead_there(self) -> None:
        bench = Bench()
        first, second = (self.gruus(bench, cseq)[1] for cseq in (1, 3))
        assert first != second
        for number, temporary in enumerate((first, second), 1):
            assert self.dial(bench, temporary, number)[-1].device == URN

    @pytest.mark.parametrize("change", [("tgruu.", "tgruu.0"), (URN[-4:], "0000"), ("sip:desk@", "sip:lan@")])
    def test_made_up_ones_lead_nowhere(self, change: tuple[str, str]) -> None:
        bench = Bench()
        for number, gruu in enumerate(self.gruus(bench)):
            target = gruu.replace(*change)
            if target != gruu:
                assert self.dial(bench, target, number) == []
                assert "404" in bench.wire.names(HOTLINE)

    def test_ends_with_its_registration(self) -> None:
        bench = Bench()
        public, temporary = self.gruus(bench)
        bench.wire.run(301.0)
        bench.responses()
        for number, gruu in enumerate((public, temporary)):
            assert self.dial(bench, gruu, number) == []

    def test_rings_that_device_and_no_other(self) -> None:
        bench = Bench()
        self.gruus(bench)
        register(bench, "<sip:desk@192.0.2.2:7070>", call_id="other")
        assert ring(bench)[0].target == "sip:desk@192.0.2.2:7070"
        assert ring(bench, URN)[0].target == "sip:desk@192.0.2.2:5060"
        bench.wire.perform(HOTLINE, Invite("nobody", "desk", "", "", OFFER, device="urn:uuid:none"))
        assert bench.wire.told(HOTLINE, DialogEnded)[-1].status == 480

    def test_of_a_restored_binding(self) -> None:
        bench = Bench()
        public, _ = self.gruus(bench)
        again = Bench()
        again.endpoint.restore({"desk": rows(bench)}, 1.0)
        (event,) = self.dial(again, public)
        assert event.device == URN


class TestKeepAlive:
    def test_a_phone_behind_a_nat_is_asked_every_25_s(self) -> None:
        bench = Bench()
        register(bench, "<sip:desk@10.0.0.9:5060>", source=NAT)
        before = len(bench.wire.sent)
        bench.wire.run(80.0)
        asked = bench.wire.sent[before:]
        assert [(sent.name, sent.destination) for sent in asked] == [("OPTIONS", NAT)] * 3
        assert [round(sent.at) for sent in asked] == [25, 50, 75]
        request = parse_datagram(asked[0].data)
        assert isinstance(request, Request)
        assert (request.target, request.headers.get("max-forwards")) == ("sip:desk@10.0.0.9:5060", "70")
        assert bench.endpoint.load()[0] <= 1, "it takes no transaction"

    def test_what_it_answers_does_not_matter(self) -> None:
        bench = Bench()
        register(bench, "<sip:desk@10.0.0.9:5060>", source=NAT)
        bench.wire.run(26.0)
        request = parse_datagram(bench.wire.sent[-1].data)
        answer = request.write().replace(b"OPTIONS sip:desk@10.0.0.9:5060 SIP/2.0", b"SIP/2.0 404 Not Found")
        bench.wire.inject(answer, NAT, HOTLINE)
        assert ring(bench)[1] == NAT

    @pytest.mark.parametrize(
        ("contact", "source", "fields"),
        [
            ("<sip:desk@192.0.2.2:5060>", DESK, ()),
            ("<sip:desk@10.0.0.9:5060>", PROXY, ("Path: <sip:198.51.100.5;lr>",)),
        ],
    )
    def test_others_are_not(self, contact: str, source: Address, fields: tuple[str, ...]) -> None:
        bench = Bench()
        register(bench, contact, fields, source)
        bench.wire.run(100.0)
        assert "OPTIONS" not in bench.wire.names(HOTLINE)

    def test_it_ends_with_the_registration(self) -> None:
        bench = Bench()
        register(bench, "<sip:desk@10.0.0.9:5060>;expires=60", source=NAT)
        bench.wire.run(1000.0)
        assert bench.wire.names(HOTLINE).count("OPTIONS") == 2
        assert bench.endpoint.load() == (0, 0, 0)

    def test_after_a_restart_too(self) -> None:
        bench = Bench()
        bench.endpoint.restore({"desk": [("sip:desk@10.0.0.9", *NAT, 1000.0)]}, 0.0)
        bench.wire.run(26.0)
        assert bench.wire.names(HOTLINE) == ["OPTIONS"]


class TestRows:
    @given(
        st.sampled_from(["", URN, "urn:x:y"]),
        st.integers(1, 2**31 - 1),
        st.lists(st.sampled_from(["<sip:p1;lr>", "<sip:[2001:db8::1]:5070;lr;ob>", '"A, B" <sip:p3;lr>']), max_size=3),
    )
    def test_a_binding_and_its_row_say_the_same(self, instance: str, reg_id: int, path: list[str]) -> None:
        binding = Binding(
            parse_uri("sip:desk@192.0.2.2:5060"),
            DESK,
            100.0,
            path=tuple(path),
            instance=instance,
            reg_id=reg_id if instance else 0,
            secret="s",
        )
        assert restored(binding.row, "s") == binding

    @given(st.text(max_size=60), st.text(max_size=60))
    def test_whatever_a_phone_writes_is_read_or_refused(self, contact: str, path: str) -> None:
        clean = [text.replace("\r", "").replace("\n", "") for text in (contact, path)]
        data = write_register(contact=f"<sip:a@b>;{clean[0]}", fields=(f"Path: {clean[1]}", "Supported: outbound"))
        try:
            request = parse_datagram(data)
        except RemoteError:
            return
        assert isinstance(request, Request)
        try:
            for binding in read_bindings(request, DESK, RegistrarSettings(), "s", 0.0):
                assert restored(binding.row, "s").key == binding.key
        except RemoteError:
            pass
