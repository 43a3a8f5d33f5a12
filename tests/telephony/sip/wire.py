"""A wire that exists in virtual time only, and endpoints on both ends of it.

By default everything that is sent arrives, in order, 10 ms later. Loss, duplication and delay are lists that are read
one element per datagram and then are over: what a list does not reach is sent faithfully.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, TypeVar

from telephony import sdp
from telephony.events import Answer, Invite, InviteReceived, SipCommand, SipEvent
from telephony.sip.address import Flow, Remote
from telephony.sip.digest import hash_password
from telephony.sip.endpoint import Endpoint
from telephony.sip.settings import EndpointSettings

Address = tuple[str, int]
E = TypeVar("E")

HOTLINE: Address = ("192.0.2.1", 5060)
DESK: Address = ("192.0.2.2", 5060)
LATENCY_S = 0.01
USERS = {"desk": "correct horse", "lan": "battery staple"}


def counting_token(prefix: str) -> Callable[[int], str]:
    """Return a token source without randomness: the same run draws the same tokens."""
    numbers = count(1)
    return lambda octets: f"{prefix}{next(numbers):x}".rjust(2 * octets, "0")


def make_endpoint(
    address: tuple[str, int] = HOTLINE, prefix: str = "a", settings: EndpointSettings | None = None
) -> Endpoint:
    """Return an endpoint with the users of `USERS`, whose dialogs are called `<prefix>-in-1`, ..."""
    numbers = count(1)
    domain = "elsewhere" if address == DESK else "hotline"  # a From of our own domain would have to prove itself
    return Endpoint(
        settings or EndpointSettings(address=address, domain=domain, algorithms=("MD5", "SHA-256")),
        lambda user: (hash_password(user, "hotline", USERS[user]),) if user in USERS else (),
        counting_token(prefix),
        lambda: f"{prefix}-in-{next(numbers)}",
    )


def capabilities(address: tuple[str, int]) -> sdp.Capabilities:
    """Return media at the same host as the signalling."""
    return sdp.Capabilities(address[0], 4000, 1)


@dataclass
class Sent:
    """One datagram that was put on the wire; `lost` when it never came out."""

    at: float
    source: Address
    destination: Address
    data: bytes
    lost: bool = False

    @property
    def line(self) -> str:
        """Its first line, for assertions that read as a trace."""
        return self.data.partition(b"\r\n")[0].decode()

    @property
    def name(self) -> str:
        """Method or status."""
        words = self.line.split(" ")
        return words[1] if words[0] == "SIP/2.0" else words[0]


class Other(Protocol):
    """A far end that is no endpoint of ours: it says what a test has it say."""

    def receive(self, data: bytes, source: Address, now: float, /) -> None:
        """Take in a datagram."""

    def datagrams(self) -> list[tuple[bytes, Address]]:
        """Hand out what is to be sent."""


@dataclass
class FakeWire:
    """Endpoints by address, and the datagrams between them."""

    now: float = 0.0
    loss: Sequence[bool] = ()
    duplication: Sequence[bool] = ()
    delays: Sequence[float] = ()
    endpoints: dict[Address, Endpoint] = field(default_factory=dict)
    others: dict[Address, Other] = field(default_factory=dict)
    events: dict[Address, list[SipEvent]] = field(default_factory=dict)
    reactions: dict[Address, Callable[[SipEvent], list[SipCommand]]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    _flying: list[tuple[float, int, Sent]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def attach(self, address: Address, endpoint: Endpoint) -> Endpoint:
        """Put an endpoint on the wire."""
        self.endpoints[address] = endpoint
        self.events[address] = []
        return endpoint

    def perform(self, address: Address, command: SipCommand) -> None:
        """Let an endpoint do something now."""
        self.endpoints[address].perform(command, self.now)
        self.collect()

    def inject(self, data: bytes, source: Address, destination: Address) -> None:
        """Deliver octets at once, from an address that may belong to nobody."""
        self.endpoints[destination].receive(data, source, self.now)
        self.collect()

    def collect(self) -> None:
        """Take what the endpoints have given out: datagrams to the wire, events to their lists and reactions."""
        self._collect_others()
        busy = True
        while busy:
            busy = False
            for address, endpoint in self.endpoints.items():
                for data, destination in endpoint.datagrams():
                    assert not isinstance(destination, Flow | Remote)
                    self._put(Sent(self.now, address, destination, data))
                for event in endpoint.events():
                    busy = True
                    self.events[address].append(event)
                    reaction = self.reactions.get(address)
                    for command in reaction(event) if reaction is not None else []:
                        endpoint.perform(command, self.now)

    def _collect_others(self) -> None:
        for address, other in self.others.items():
            for data, destination in other.datagrams():
                self._put(Sent(self.now, address, destination, data))

    def _put(self, datagram: Sent) -> None:
        number = len(self.sent)
        datagram.lost = number < len(self.loss) and self.loss[number]
        self.sent.append(datagram)
        if datagram.lost:
            return
        delay = self.delays[number] if number < len(self.delays) else LATENCY_S
        copies = 2 if number < len(self.duplication) and self.duplication[number] else 1
        for copy in range(copies):
            heapq.heappush(self._flying, (self.now + delay * (copy + 1), next(self._numbers), datagram))

    def next_at(self) -> float | None:
        """Return when something happens next: an arrival or a deadline."""
        times = [deadline for endpoint in self.endpoints.values() if (deadline := endpoint.deadline()) is not None]
        if self._flying:
            times.append(self._flying[0][0])
        return min(times) if times else None

    def step(self) -> bool:
        """Go to the next instant at which something happens, and let it; False when nothing ever will."""
        self.collect()
        when = self.next_at()
        if when is None:
            return False
        self.now = max(self.now, when)
        while self._flying and self._flying[0][0] <= self.now:
            _, _, datagram = heapq.heappop(self._flying)
            if datagram.destination in self.endpoints:
                self.endpoints[datagram.destination].receive(datagram.data, datagram.source, self.now)
            elif datagram.destination in self.others:
                self.others[datagram.destination].receive(datagram.data, datagram.source, self.now)
        for endpoint in self.endpoints.values():
            deadline = endpoint.deadline()
            if deadline is not None and deadline <= self.now:
                endpoint.handle_deadline(self.now)
        self.collect()
        return True

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        self.collect()
        while (when := self.next_at()) is not None and when <= end:
            self.step()
        self.now = end

    def settle(self, limit_s: float = 1_000.0) -> None:
        """Let time pass until nothing is due any more within the limit."""
        self.run(limit_s)

    def names(self, source: Address | None = None) -> list[str]:
        """Return the methods and statuses sent, by one address or by all."""
        return [sent.name for sent in self.sent if source in (None, sent.source)]

    def trace(self, names: dict[Address, str]) -> list[str]:
        """Return what was sent as a call flow is drawn: `alice>bob INVITE`."""
        return [f"{names[sent.source]}>{names[sent.destination]} {sent.name}" for sent in self.sent]

    def times(self, name: str, source: Address) -> list[float]:
        """Return when an address sent a method or status."""
        return [round(sent.at, 6) for sent in self.sent if sent.source == source and sent.name == name]

    def told(self, address: Address, kind: type[E]) -> list[E]:
        """Return the events of one kind that an endpoint told."""
        return [event for event in self.events[address] if isinstance(event, kind)]


class Pair(FakeWire):
    """The hotline, and a desk phone that is registered with it: `call` rings the one from the other."""

    def __init__(
        self,
        *,
        loss: Sequence[bool] = (),
        duplication: Sequence[bool] = (),
        delays: Sequence[float] = (),
        settings: EndpointSettings | None = None,
    ) -> None:
        super().__init__(loss=loss, duplication=duplication, delays=delays)
        self.hotline = self.attach(HOTLINE, make_endpoint(HOTLINE, "a", settings))
        self.desk = self.attach(DESK, make_endpoint(DESK, "b"))
        self.hotline.restore({"desk": [(f"sip:desk@{DESK[0]}", DESK[0], DESK[1], 1e9)]}, 0.0)

    def call(self, dialog: str = "out", number: str = "+84912345678", display_name: str = "Lan") -> None:
        """Let the hotline ring the desk."""
        offer = sdp.offer(capabilities(HOTLINE))
        self.perform(HOTLINE, Invite(dialog, "desk", number, display_name, offer))

    def answer_at_desk(self) -> None:
        """Let the desk answer whatever rings there."""
        self.perform(DESK, self.answer_of(self.invites(DESK)[-1]))

    def answer_of(self, invite: InviteReceived) -> Answer:
        """Return the desk's answer to an INVITE."""
        return Answer(invite.dialog, sdp.answer(invite.sdp, capabilities(DESK)).sdp)

    def invites(self, address: Address) -> list[InviteReceived]:
        """Return the INVITEs that an endpoint told."""
        return self.told(address, InviteReceived)

    def establish(self) -> None:
        """Ring, answer, and let the ACK arrive."""
        self.call()
        self.run(0.1)
        self.answer_at_desk()
        self.run(0.1)

    def assert_at_rest(self) -> None:
        """Nothing is left of any call in either endpoint but the desk's registration."""
        assert self.desk.load() == (0, 0, 0)
        assert self.hotline.load() == (0, 0, 1 if self.hotline.deadline() is not None else 0)
