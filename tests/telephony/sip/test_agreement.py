"""Two endpoints over a wire that loses, doubles and delays: whatever happens, both agree on what happened.

A run has as many losses as 64*T1 of retransmissions make good between two rests: an INVITE is sent seven times. So no
dialog may end by a time-out or a failure here; `test_dialog_layer` and `test_flows` have those.
"""

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telephony.events import DialogEnded, SipCommand, SipEvent
from telephony.sip.dialog import Dialog, State
from telephony.sip.message import Response, parse_datagram
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.fuzz import Exchange
from tests.telephony.sip.ledger import Known, Ledger
from tests.telephony.sip.wire import DESK, HOTLINE, Address, FakeWire, counting_token, make_endpoint

LOSSES = 6
"""Between two rests; the seventh copy of an INVITE goes out after 31.5 s, and its response is there before timer B."""
REST_S = 200.0
SIDES = st.sampled_from([HOTLINE, DESK])
NUMBERS = st.integers(0, 20)
PATIENT_S = 1e6
TOKENS = {HOTLINE: "a", DESK: "b"}


class Agreement(RuleBasedStateMachine):
    """Calls in both directions, and everything that may be done to them, in any order."""

    @initialize()
    def begin(self) -> None:
        self.wire = FakeWire()
        self.ledgers: dict[Address, Ledger] = {}
        self.losses = LOSSES
        for address, other in ((HOTLINE, DESK), (DESK, HOTLINE)):
            settings = EndpointSettings(
                address=address, domain=f"{TOKENS[address]}.example", ring_s=PATIENT_S, session_expires_s=1800
            )
            endpoint = make_endpoint(address, TOKENS[address], settings)
            endpoint.restore({"them": [(f"sip:them@{other[0]}", *other, PATIENT_S * 10)]}, 0.0)
            endpoint._token = endpoint._dialogs.sessions._token = fair_token(TOKENS[address])
            self.wire.attach(address, endpoint)
            self.ledgers[address] = Ledger(TOKENS[address], address)
            self.wire.reactions[address] = self._noting(address)

    def _noting(self, address: Address) -> Callable[[SipEvent], list[SipCommand]]:
        def note(event: SipEvent) -> list[SipCommand]:
            self.ledgers[address].note(event)
            return []

        return note

    # ---------------------------------------------------------------------------------------------------- rules

    @rule(side=SIDES)
    def call(self, side: Address) -> None:
        self.wire.perform(side, self.ledgers[side].invite("them"))

    @rule(side=SIDES)
    def talk(self, side: Address) -> None:
        """A call that is answered, if it arrives."""
        other = HOTLINE if side == DESK else DESK
        before = set(self.ledgers[other].known)
        self.call(side)
        self.wire.run(0.02)
        for dialog in set(self.ledgers[other].known) - before:
            self.wire.perform(other, self.ledgers[other].command(dialog, "answer"))
        self.wire.run(0.02)

    @precondition(lambda self: self.any_known(confirmed=False))
    @rule(side=SIDES, number=NUMBERS, kind=st.sampled_from(("ring", "progress", "answer", "reject", "hangup")))
    def early(self, side: Address, number: int, kind: str) -> None:
        """Before the call is answered."""
        self.command(side, number, kind, confirmed=False)

    @precondition(lambda self: self.any_known(confirmed=True))
    @rule(side=SIDES, number=NUMBERS, kind=st.sampled_from(("hold", "resume", "refer", "tell", "key", "hangup")))
    def inside(self, side: Address, number: int, kind: str) -> None:
        """Afterwards."""
        self.command(side, number, kind, confirmed=True)

    @precondition(lambda self: any(known.asked is not None for known in self.every_known()))
    @rule(accepts=st.booleans())
    def answer_offers(self, accepts: bool) -> None:
        """Whoever has an offer to answer, does."""
        for side, ledger in self.ledgers.items():
            for dialog, known in list(ledger.known.items()):
                if known.asked is not None:
                    self.wire.perform(side, ledger.command(dialog, "accept" if accepts else "refuse"))

    def command(self, side: Address, number: int, kind: str, *, confirmed: bool) -> None:
        ledger = self.ledgers[side]
        known = sorted(dialog for dialog, known in ledger.known.items() if known.confirmed is confirmed)
        if known:
            self.wire.perform(side, ledger.command(known[number % len(known)], kind))

    def every_known(self) -> list[Known]:
        return [known for ledger in self.ledgers.values() for known in ledger.known.values()]

    def any_known(self, *, confirmed: bool) -> bool:
        return any(known.confirmed is confirmed for known in self.every_known())

    @rule(seconds=st.sampled_from([0.005, 0.01, 0.011, 0.02, 0.6, 2.0, 9.0]))
    def wait(self, seconds: float) -> None:
        self.wire.run(seconds)

    @rule(pattern=st.lists(st.booleans(), min_size=1, max_size=8))
    def lose(self, pattern: list[bool]) -> None:
        pattern = list(pattern)
        while sum(pattern) > self.losses:
            pattern[pattern.index(True)] = False
        self.losses -= sum(pattern)
        self.wire.loss = [*self._past(self.wire.loss), *pattern]

    @rule(pattern=st.lists(st.booleans(), min_size=1, max_size=8))
    def double(self, pattern: list[bool]) -> None:
        self.wire.duplication = [*self._past(self.wire.duplication), *pattern]

    @rule(delays=st.lists(st.sampled_from([0.001, 0.01, 0.05, 0.3]), min_size=1, max_size=8))
    def reorder(self, delays: list[float]) -> None:
        past = list(self.wire.delays[: len(self.wire.sent)])
        self.wire.delays = [*past, *[0.01] * (len(self.wire.sent) - len(past)), *delays]

    def _past(self, pattern: Sequence[bool]) -> list[bool]:
        past = list(pattern[: len(self.wire.sent)])
        return past + [False] * (len(self.wire.sent) - len(past))

    @rule()
    def rest(self) -> None:
        """Let everything that is under way come to its end; then both sides say the same of every talk."""
        self.wire.run(REST_S)
        self.losses = LOSSES
        self.wire.loss = []
        for call_id, ours in self._dialogs(HOTLINE).items():
            theirs = self._dialogs(DESK).get(call_id)
            if ours.state is State.CONFIRMED:
                assert theirs is not None
                assert theirs.state is State.CONFIRMED
                assert (ours.local_tag, ours.remote_tag) == (theirs.remote_tag, theirs.local_tag)
                assert (ours.session.local, ours.session.remote) == (theirs.session.remote, theirs.session.local)

    def _dialogs(self, side: Address) -> dict[str, Dialog]:
        layer = self.wire.endpoints[side]._dialogs
        return {layer._by_id[name].call_id: layer._by_id[name] for name in self.ledgers[side].known}

    # ----------------------------------------------------------------------------------------------- what holds

    @invariant()
    def nobody_times_out_or_fails(self) -> None:
        """But a request that crosses the other side's BYE may learn of the end by 481 first, where the BYE is lost once
        (RFC 5407 section 3.2.2)."""
        for side in getattr(self, "ledgers", {}):
            crossed = 0
            for ended in self.wire.told(side, DialogEnded):
                if ended.ending == "failed" and ended.status == 481:
                    crossed += 1
                else:
                    assert ended.ending not in {"timed_out", "failed"}, ended
            other = HOTLINE if side == DESK else DESK
            assert crossed <= sum(ended.ending == "local" for ended in self.wire.told(other, DialogEnded))

    def teardown(self) -> None:
        """One side hangs up on everybody: the other learns of it, and nothing is left on either."""
        if not hasattr(self, "wire"):
            return
        self.wire.run(REST_S)
        self.wire.loss = []
        side = (HOTLINE, DESK)[len(self.wire.sent) % 2]
        for dialog in list(self.ledgers[side].known):
            self.wire.perform(side, self.ledgers[side].command(dialog, "hangup"))
        self.wire.run(REST_S)
        self.nobody_times_out_or_fails()
        for address, ledger in self.ledgers.items():
            assert ledger.known == {}, f"{address} was not told of their end"
            assert self.wire.endpoints[address].load() == (0, 0, 1)
        assert_every_200_has_its_ack(self.wire)


def assert_every_200_has_its_ack(wire: FakeWire) -> None:
    """Each 2xx to an INVITE was acknowledged by the other side, in its dialog."""
    answered, acknowledged = set(), set()
    for sent in wire.sent:
        if sent.name not in {"200", "ACK"}:
            continue
        message = parse_datagram(sent.data)
        key = message.call_id, message.from_.tag, message.to.tag, message.cseq.number
        if isinstance(message, Response):
            if message.cseq.method == "INVITE":
                answered.add((sent.source, *key))
        else:
            acknowledged.add((sent.destination, *key))
    assert answered <= acknowledged


def fair_token(prefix: str) -> Callable[[int], str]:
    """Return a source of tokens of which the short ones spread over their range, as the wait after 491 needs them."""
    counting, numbers = counting_token(prefix), iter(range(1, 10**6))
    return lambda octets: f"{next(numbers) * 40503 % 65536:04x}" if octets == 2 else counting(octets)


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class Connected(Exchange):
    """Calls over a connection that breaks at any point, and over datagrams; nothing is mutated."""

    mutated = 0.0
    breaks = 0.2

    def step(self) -> None:
        if self.random.random() < self.breaks:
            self._lose()
        else:
            self.act()
        if self.random.random() < 0.3:
            self.wait(self.random.choice((0.01, 0.6, 9.0, 41.0)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_connection_may_break_at_any_point(random: Random, steps: int) -> None:
    exchange = Connected(random)
    for _ in range(steps):
        exchange.step()
    exchange.clear()


@pytest.mark.parametrize("seed", range(12))
def test_long_runs_over_connections_that_break_leave_nothing(seed: int) -> None:
    exchange = Connected(Random(seed))  # noqa: S311 - a test is to be repeated
    for _ in range(150):
        exchange.step()
    exchange.clear()
    assert exchange.hotline.ledger.ended > 5
