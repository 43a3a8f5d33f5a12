"""Overload control: the rate in a queue that exists in virtual time only, and what is turned away at an endpoint."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import InviteReceived, MessageRejected
from telephony.sip.endpoint import Endpoint
from telephony.sip.message import Request, Response, parse_datagram
from telephony.sip.overload import Overload, OverloadControl, read_early
from telephony.sip.settings import EndpointSettings, OverloadSettings
from tests.telephony.sip.messages import OFFER, Bench, write_register, write_request
from tests.telephony.sip.torture import WELL_FORMED, read
from tests.telephony.sip.wire import DESK, HOTLINE, FakeWire, make_endpoint

INVITE_S = 0.0003
REST_S = 0.0002
"""What ACK and BYE cost; with the INVITE, one core takes 2,000 calls a second."""
REFUSAL_S = 0.00004
BATCH = 32


@dataclass
class Queue:
    """A server as `telephony.edge.udp` feeds it: messages wait in order, and are taken in batches."""

    share: float = 1.0
    """Of the processor that is ours."""
    overload: Overload = field(default_factory=lambda: Overload(OverloadSettings()))
    now: float = 0.0
    worked: float = 0.0
    admitted: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    """When it came, how long it waited."""
    waiting: list[tuple[float, bool]] = field(default_factory=list)

    def run(self, *phases: tuple[float, float]) -> None:
        """Offer new calls for some seconds at some rate, one after the other, and work until nothing waits."""
        at = self.now
        for seconds, rate in phases:
            end = at + seconds
            while at < end:
                heapq.heappush(self.waiting, (at, True))
                at += 1 / rate
        while self.waiting:
            self.take(self.waiting[0][0])

    def take(self, first: float) -> None:
        """One wake-up."""
        self.now = max(self.now, first)
        batch = [heapq.heappop(self.waiting)]
        while self.waiting and self.waiting[0][0] <= self.now and len(batch) < BATCH:
            batch.append(heapq.heappop(self.waiting))
        self.overload.measured(self.now - first, self.worked, self.now)
        begun = self.now
        for at, is_new in batch:
            if not is_new:
                self.work(REST_S)
            elif self.overload.admits(begun):
                self.work(INVITE_S)
                self.admitted.append((at, self.now - at))
                heapq.heappush(self.waiting, (self.now + 0.001, False))
            else:
                self.work(REFUSAL_S)
                self.refused.append((at, self.now - at))

    def work(self, seconds: float) -> None:
        """Spend processor time."""
        self.worked += seconds
        self.now += seconds / self.share


def longest(waits: Sequence[tuple[float, float]], share: float = 0.99, after: float = 2.0) -> float:
    """Return the wait that this share of the calls did not exceed, once the control had time to see the overload."""
    ordered = sorted(wait for at, wait in waits if at >= after)
    return ordered[int(share * (len(ordered) - 1))]


class TestRate:
    def test_what_can_be_carried_is_let_in(self) -> None:
        queue = Queue()
        queue.run((10, 1800))
        assert (len(queue.refused), queue.overload.rate) == (0, None)

    @pytest.mark.parametrize("offered", [2500, 4000, 8000])
    def test_an_overload_keeps_waits_short_and_the_processor_at_work(self, offered: float) -> None:
        queue = Queue()
        queue.run((20, offered))
        assert longest(queue.admitted) < 0.025
        possible = (1 - offered * REFUSAL_S) / (INVITE_S + REST_S - REFUSAL_S)
        assert len(queue.admitted) > 20 * 0.9 * possible

    def test_without_it_everybody_would_wait(self) -> None:
        queue = Queue(overload=Overload(OverloadSettings(target_s=1e9, starved_target_s=1e9)))
        queue.run((5, 4000))
        assert longest(queue.admitted) > 3.0

    def test_where_others_have_the_processor_too_only_a_long_wait_counts(self) -> None:
        queue = Queue(share=0.5)
        queue.run((10, 950))
        assert not queue.refused
        queue.run((10, 2000))
        assert longest(queue.admitted, after=queue.now - 8) < 0.1

    def test_a_burst_is_no_overload(self) -> None:
        queue = Queue()
        for _ in range(20):
            queue.run((0.01, 20_000), (1.0, 10))
        assert not queue.refused

    def test_a_pause_of_the_machine_is_no_overload(self) -> None:
        queue = Queue()
        queue.run((5, 400))
        queue.waiting = [(queue.now + number / 400, True) for number in range(400)]
        queue.now += 0.5
        queue.run((5, 400))
        assert not queue.refused

    def test_it_ends_with_the_load(self) -> None:
        queue = Queue()
        queue.run((10, 8000))
        end = queue.now
        queue.run((10, 1000))
        assert max(at for at, _ in queue.refused) < end + 2
        assert queue.overload.rate is None

    def test_growth_from_next_to_nothing_takes_seconds(self) -> None:
        queue = Queue()
        queue.overload.rate = 1.0
        queue.run((10, 1000))
        assert max(at for at, _ in queue.refused) < 6

    @given(
        st.lists(
            st.tuples(st.floats(0.001, 2), st.floats(0, 3), st.floats(0, 1), st.sampled_from(["", "loop"])), max_size=60
        )
    )
    def test_a_low_load_is_never_turned_away(self, moments: list[tuple[float, float, float, str]]) -> None:
        """However long what comes waits: ten calls a second are let in."""
        overload = Overload(OverloadSettings())
        now, worked = 1.7e9, 0.0
        called = now
        for passed, waited, busy, way in moments:
            now += passed
            worked += busy * passed
            overload.measured(waited, worked, now, way)
            while called + 0.101 <= now:
                called += 0.101
                assert overload.admits(called)

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0.05, 1), st.floats(10, 6000)), min_size=1, max_size=6),
        st.floats(0.4, 1.0),
    )
    def test_it_always_recovers(self, phases: list[tuple[float, float]], share: float) -> None:
        """Whatever came before: 10 s of half of what can be carried bring everybody in again."""
        queue = Queue(share=share)
        queue.run(*phases)
        end = queue.now
        queue.run((10, 1000 * share))
        assert all(at < end + 8 for at, _ in queue.refused)
        assert queue.overload.rate is None
        assert len(queue.overload._least) <= 1


@dataclass
class Overloaded:
    """An endpoint that lets in ten calls a second and has just let one in."""

    bench: Bench = field(default_factory=Bench)

    def __post_init__(self) -> None:
        wire = self.bench.wire
        wire.now = 1000.0
        assert self.bench.send(write_request(branch="z9hG4bKin", call_id="in", body=OFFER))[0].status == 100
        for _ in range(30):
            self.control.measured(1.0, wire.now, wire.now)
            wire.now += 0.05
            self.control._overload.admits(wire.now)
        wire.events[HOTLINE].clear()
        while self.control._overload.admits(wire.now):
            pass

    @property
    def endpoint(self) -> Endpoint:
        return self.bench.wire.endpoints[HOTLINE]

    @property
    def control(self) -> OverloadControl:
        return self.endpoint.overload

    def send(self, data: bytes) -> list[Response]:
        return self.bench.send(data)


class TestTurningAway:
    def test_a_new_call_gets_503(self) -> None:
        place = Overloaded()
        (response,) = place.send(
            write_request(via="SIP/2.0/UDP 192.0.2.9:5060;rport", branch="z9hG4bKout", call_id="out", body=OFFER)
        )
        assert (response.status, response.reason) == (503, "Service Unavailable")
        assert 2 <= int(response.headers.get("retry-after")) <= 8
        assert response.to.tag
        assert response.headers.get("via") == (
            "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKout;rport=5060;received=192.0.2.2"
        )
        assert (response.call_id, response.cseq.method, response.from_.tag) == ("out", "INVITE", "f1")
        assert not place.bench.wire.told(HOTLINE, InviteReceived)

    def test_it_costs_no_memory_and_one_line(self) -> None:
        place = Overloaded()
        before = place.endpoint.load()
        waits = set()
        for number in range(100):
            (response,) = place.send(write_request(branch=f"z9hG4bK-{number}", call_id=f"c{number}", body=OFFER))
            assert response.status == 503
            waits.add(response.headers.get("retry-after"))
            place.send(
                write_request("ACK", branch=f"z9hG4bK-{number}", call_id=f"c{number}", to=response.headers.get("to"))
            )
        assert place.endpoint.load() == before
        assert waits == {"2", "3", "4", "5", "6", "7", "8"}
        assert place.control.turned_away == 100
        assert place.bench.wire.events[HOTLINE] == [MessageRejected("192.0.2.2:5060", 503, "Overload", 0)]

    def test_ten_a_second_are_let_in(self) -> None:
        place = Overloaded()
        place.bench.wire.now += 0.2
        assert [response.status for response in place.send(write_request(call_id="later", body=OFFER))] == [100]

    def test_a_retransmission_of_what_was_let_in_is_no_new_call(self) -> None:
        place = Overloaded()
        assert [each.status for each in place.send(write_request(branch="z9hG4bKin", call_id="in", body=OFFER))] == [
            100
        ]

    def test_what_belongs_to_calls_and_phones_goes_on(self) -> None:
        place = Overloaded()
        cancelled = place.send(write_request("CANCEL", branch="z9hG4bKin", call_id="in"))
        assert [response.status for response in cancelled] == [200, 487]
        for data, status in (
            (write_request("BYE", branch="z9hG4bK2", to="<sip:1900@192.0.2.1>;tag=x"), 481),
            (write_request(branch="z9hG4bK3", to="<sip:1900@192.0.2.1>;tag=x", body=OFFER), 481),
            (write_request("OPTIONS", branch="z9hG4bK4"), 200),
            (write_register(), 401),
        ):
            assert [response.status for response in place.send(data)] == [status]

    @pytest.mark.parametrize(
        "change",
        [
            (b"Call-ID: c1", b"i : c1"),
            (b"Via: SIP/2.0/UDP", b"v:SIP / 2.0 / UDP"),
            (b"To: <sip:1900@192.0.2.1>", b"To:\r\n <sip:1900@192.0.2.1>"),
            (b";branch=z9hG4bK1", b";branch=1"),
            (b"\r\n", b"\n"),
        ],
        ids=["compact", "spaces", "folded", "RFC 2543", "bare LF"],
    )
    def test_however_it_is_written(self, change: tuple[bytes, bytes]) -> None:
        (response,) = Overloaded().send(write_request().replace(*change))
        assert (response.status, response.call_id) == (503, "c1")

    @pytest.mark.parametrize("missing", [b"Call-ID: c1\r\n", b"CSeq: 1 INVITE\r\n"])
    def test_what_is_broken_is_answered_as_ever(self, missing: bytes) -> None:
        wire = Overloaded().bench.wire
        before = len(wire.sent)
        wire.inject(write_request(body=OFFER).replace(missing, b""), DESK, HOTLINE)
        assert [sent.name for sent in wire.sent[before:]] in ([], ["400"])

    @given(st.binary(max_size=200), st.integers(0, 300))
    def test_no_octets_do_harm(self, octets: bytes, position: int) -> None:
        data = write_request(body=OFFER)
        mutated = b"INVITE " + data[7:position] + octets + data[position + len(octets) :]
        wire = FakeWire()
        endpoint = make_endpoint(HOTLINE, "a", EndpointSettings(HOTLINE))
        wire.attach(HOTLINE, endpoint)
        endpoint.overload._overload.rate = 0.0
        wire.inject(mutated, DESK, HOTLINE)
        assert len(wire.sent) <= 2

    def test_the_early_reader_reads_what_the_parser_reads(self) -> None:
        for name in WELL_FORMED:
            data = read(name)
            if not data.startswith(b"INVITE "):
                continue
            whole, early = parse_datagram(data), read_early(data)
            assert isinstance(whole, Request), name
            assert early is not None, name
            for field_name in ("via", "from", "to", "call-id", "cseq"):
                assert early.headers.lines(field_name) == whole.headers.lines(field_name), name
