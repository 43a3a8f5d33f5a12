"""Very many calls between two endpoints in virtual time, rejected ones that never get their ACK among them.

`python -m tests.telephony.sip.soak --n 100000`. Other libraries kept 1,950 of 2,000 rejected calls in memory: here
`load()` stays what the calls of the last minute are, and resident memory does not grow.
"""

import argparse
import sys
import time
from collections import deque
from typing import Final

from telephony.events import DialogAnswered, DialogRinging, InviteReceived, SipCommand, SipEvent
from telephony.sip.address import Address as SipAddress
from telephony.sip.endpoint import Endpoint
from telephony.sip.settings import EndpointSettings
from tests.telephony.sip.fuzz import MEMORY_OCTETS, resident
from tests.telephony.sip.ledger import Ledger
from tests.telephony.sip.wire import DESK, HOTLINE, Address, make_endpoint

EVERY_S: Final = 0.05
"""Between two calls, in virtual time: twenty a second."""
FATES: Final = ("talk", "talk", "talk", "left", "rejected", "rejected", "unacknowledged", "unacknowledged", "cancelled")
"""What becomes of calls, in turn: they end by the caller's BYE or the callee's, by 486 with or without its ACK, by
CANCEL."""
KEPT: Final = 4_000
MOST: Final = 4_000
"""How many transactions there may be: of twenty calls a second, each leaves two or so for 32 s."""


class Soak:
    """Two endpoints, the calls between them, and their clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.number = 0
        self.endpoints: dict[Address, Endpoint] = {}
        self.ledgers: dict[Address, Ledger] = {}
        self.fates: dict[str, str] = {}
        self.flying: deque[tuple[bytes, Address, SipAddress]] = deque()
        self.dropped = 0
        for address, other, prefix in ((HOTLINE, DESK, "a"), (DESK, HOTLINE, "b")):
            endpoint = make_endpoint(address, prefix, EndpointSettings(address=address, domain=f"{prefix}.example"))
            endpoint.restore({"them": [(f"sip:them@{other[0]}", *other, 1e12)]}, 0.0)
            self.endpoints[address] = endpoint
            self.ledgers[address] = Ledger(prefix, address)

    def call(self) -> None:
        """Let one call begin, now from the one side and now from the other, and time go by until the next."""
        caller = (HOTLINE, DESK)[self.number % 2]
        fate = FATES[self.number % len(FATES)]
        self.number += 1
        command = self.ledgers[caller].invite("them", number=f"{fate}{self.number}")
        self.fates[command.dialog] = fate
        self.perform(caller, command)
        self.wait(EVERY_S)

    def perform(self, address: Address, command: SipCommand) -> None:
        """Let one side do something, and carry what comes of it."""
        self.endpoints[address].perform(command, self.now)
        self._pump()

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        end = self.now + seconds
        while True:
            dues = [due for endpoint in self.endpoints.values() if (due := endpoint.deadline()) is not None]
            if not dues or min(dues) > end:
                break
            self.now = max(self.now, min(dues))
            for endpoint in self.endpoints.values():
                endpoint.handle_deadline(self.now)
            self._pump()
        self.now = end

    def _pump(self) -> None:
        busy = True
        while busy:
            busy = False
            for address, endpoint in self.endpoints.items():
                for event in endpoint.events():
                    busy = True
                    self._react(address, event)
                self.flying.extend((data, address, to) for data, to in endpoint.datagrams())
            busy = busy or bool(self.flying)
            while self.flying:
                data, source, to = self.flying.popleft()
                if data.startswith(b"ACK") and b"unacknowledged" in data:
                    self.dropped += 1
                else:
                    self.endpoints[to[0], to[1]].receive(data, source, self.now)

    def _react(self, address: Address, event: SipEvent) -> None:
        ledger = self.ledgers[address]
        ledger.note(event)
        if isinstance(event, InviteReceived):
            fate = event.number.rstrip("0123456789")
            kinds = {"talk": ["ring", "answer"], "left": ["answer", "hangup"], "cancelled": ["ring"]}
            for kind in kinds.get(fate, ["reject"]):
                if event.dialog in ledger.known:
                    self.endpoints[address].perform(ledger.command(event.dialog, kind), self.now)
        elif isinstance(event, DialogAnswered | DialogRinging):
            until = "cancelled" if isinstance(event, DialogRinging) else "talk"
            if self.fates[event.dialog] == until:
                self.endpoints[address].perform(ledger.command(event.dialog, "hangup"), self.now)

    def load(self) -> int:
        """Return how many transactions there are on both sides."""
        return sum(endpoint.load()[0] for endpoint in self.endpoints.values())


def run(number: int, *, check_every: int = 10_000, talkative: bool = False) -> Soak:
    """Make so many calls. Raises `AssertionError` where something stays."""
    soak = Soak()
    memory: list[int] = []
    begun = time.monotonic()
    for done in range(1, number + 1):
        soak.call()
        if len(soak.fates) > KEPT:
            del soak.fates[next(iter(soak.fates))]
        if done % check_every == 0 or done == number:
            memory.append(resident())
            assert soak.load() < MOST, f"{soak.load()} transactions after {done} calls"
            if talkative:
                print(  # noqa: T201 - a program's own words
                    f"{done:>8} calls, {soak.dropped} ACKs lost, {soak.load()} transactions, "
                    f"{memory[-1] / 2**20:.1f} MiB, {time.monotonic() - begun:.0f} s",
                    flush=True,
                )
    soak.wait(1_000.0)
    for address, endpoint in soak.endpoints.items():
        assert endpoint.load() == (0, 0, 1), f"{address} is left with {endpoint.load()}"
        assert soak.ledgers[address].known == {}
    assert soak.dropped >= number // len(FATES), "every ACK arrived"
    assert sum(ledger.ended for ledger in soak.ledgers.values()) == 2 * number
    grown = memory[-1] - memory[0]
    assert grown < MEMORY_OCTETS, f"memory grew by {grown / 2**20:.1f} MiB: {memory}"
    return soak


def main() -> None:
    """Run it from a shell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--n", type=int, default=100_000, help="how many calls")
    try:
        run(parser.parse_args().n, talkative=True)
    except AssertionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
