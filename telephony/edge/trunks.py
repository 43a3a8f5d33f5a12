"""Trunks between the core and the world: their names are looked up again and again, and what becomes of them is told.

A call never waits for a name server: the core has the addresses that were found last.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from telephony.edge.dns import RETRY_S, SHORTEST_S, Dns, Unanswered
from telephony.events import Hop, LeaveTrunks, LocateTrunk, SipCommand, TrunkChanged
from telephony.sip.trunk_settings import TrunkSettings

LEAVE_S: Final = 2.0
"""How long the end of the program waits for the answers to its last REGISTERs."""

log = structlog.get_logger("hotline.trunks")


class Performs(Protocol):
    """What performs SIP commands."""

    def perform(self, command: SipCommand) -> None:
        """Perform one command at once."""


class Trunks:
    """Keeps the addresses of every trunk up to date, and unregisters at the end."""

    def __init__(self, trunks: Sequence[TrunkSettings], sip: Performs, dns: Dns, now: Callable[[], float]) -> None:
        self._trunks = trunks
        self._sip = sip
        self._dns = dns
        self._now = now
        self._tasks: list[asyncio.Task[None]] = []
        self._registered: set[str] = set()
        self._amiss: dict[tuple[str, int], str] = {}
        """What was last said of a trunk's target that cannot be found."""
        self._left = asyncio.Event()
        self._left.set()

    def start(self) -> None:
        """Look names up from now on."""
        for trunk in self._trunks:
            self._tasks.append(asyncio.create_task(self._keep(trunk), name=f"trunk {trunk.name}"))

    def changed(self, event: TrunkChanged) -> None:
        """Note who is registered."""
        if event.state == "registered":
            self._registered.add(event.trunk)
            self._left.clear()
        elif event.state == "unregistered":
            self._registered.discard(event.trunk)
            if not self._registered:
                self._left.set()

    async def stop(self) -> None:
        """Unregister, and wait for it a moment."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sip.perform(LeaveTrunks())
        try:
            await asyncio.wait_for(self._left.wait(), LEAVE_S)
        except TimeoutError:
            log.warning("a trunk did not answer that we leave", trunks=sorted(self._registered))

    async def _keep(self, trunk: TrunkSettings) -> None:
        known: dict[int, tuple[Hop, ...]] = {}
        told: tuple[Hop, ...] | None = None
        while True:
            wait_s = await self._look_up(trunk, known)
            hops = tuple(hop for _, found in sorted(known.items()) for hop in found)
            if hops != told:
                told = hops
                self._sip.perform(LocateTrunk(trunk.name, hops))
            await asyncio.sleep(wait_s)

    async def _look_up(self, trunk: TrunkSettings, known: dict[int, tuple[Hop, ...]]) -> float:
        """Look every target up; one that cannot be keeps the addresses that it has. Return when to do it again."""
        wait_s = float("inf")
        for number, target in enumerate(trunk.targets):
            try:
                places, until = await self._dns.locate(target)
            except Unanswered as error:
                self._say(trunk, number, "a trunk's name cannot be looked up", str(error))
                wait_s = min(wait_s, RETRY_S)
                continue
            except Exception:  # a fault of ours in one name; a trunk that nobody looks up any more would be worse
                log.exception("a trunk's name was not looked up", trunk=trunk.name, target=target.host)
                wait_s = min(wait_s, RETRY_S)
                continue
            if places:
                self._amiss.pop((trunk.name, number), None)
            else:
                self._say(trunk, number, "a trunk's name leads nowhere", "no such records")
            known[number] = tuple(Hop(number, *place, target.host) for place in places)
            wait_s = min(wait_s, until - self._now())
        return max(wait_s, SHORTEST_S)

    def _say(self, trunk: TrunkSettings, number: int, what: str, cause: str) -> None:
        """Log what is amiss once, and not at every look."""
        if self._amiss.get((trunk.name, number)) != what:
            self._amiss[trunk.name, number] = what
            log.warning(what, trunk=trunk.name, target=trunk.targets[number].host, cause=cause)


def report(event: TrunkChanged) -> dict[str, object]:
    """Say in the log what an operator has to know of a trunk, and return what listeners are told."""
    targets = {target.address: target.state for target in event.targets}
    said = log.info if event.up else log.warning
    said("a trunk changed", trunk=event.trunk, state=event.state, up=event.up, reason=event.reason, targets=targets)
    return {
        "trunk": event.trunk,
        "state": event.state,
        "up": event.up,
        "reason": event.reason,
        "targets": [{"target": each.target, "address": each.address, "state": each.state} for each in event.targets],
    }
