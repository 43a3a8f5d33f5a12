"""Looking up the names of trunks again and again, and leaving at the end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from telephony.edge import trunks
from telephony.edge.dns import Dns, Unanswered
from telephony.edge.trunks import Trunks, report
from telephony.events import Hop, LeaveTrunks, LocateTrunk, SipCommand, TargetState, TrunkChanged
from telephony.sip.locate import Place
from telephony.sip.trunk_settings import TrunkSettings
from telephony.sip.uri import Uri, parse_uri

TRUNK = TrunkSettings("pbx", (parse_uri("sip:one.test"), parse_uri("sip:two.test")))
PLACES = {"one.test": (Place("UDP", "192.0.2.1", 5060),), "two.test": (Place("TLS", "192.0.2.2", 5061),)}
HOPS = (Hop(0, "UDP", "192.0.2.1", 5060, "one.test"), Hop(1, "TLS", "192.0.2.2", 5061, "two.test"))


class Sip:
    """What performs commands; `done` tells of each."""

    def __init__(self) -> None:
        self.commands: list[SipCommand] = []
        self.done = asyncio.Event()

    def perform(self, command: SipCommand) -> None:
        self.commands.append(command)
        self.done.set()

    async def next(self) -> SipCommand:
        await asyncio.wait_for(self.done.wait(), 5)
        self.done.clear()
        return self.commands[-1]


class Names(Dns):
    """A name server whose answers are in a table, good for no time at all."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__([("127.0.0.1", 1)], lambda: 0.0, lambda _octets: "00")
        self.answers = answers
        self.asked = 0

    async def locate(self, uri: Uri) -> tuple[tuple[Place, ...], float]:
        self.asked += 1
        found = self.answers[uri.host]
        if isinstance(found, Exception):
            raise found
        return found, 0.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "SHORTEST_S", 0.01)
    monkeypatch.setattr(trunks, "RETRY_S", 0.01)
    monkeypatch.setattr(trunks, "LEAVE_S", 0.05)


def made(names: Names) -> tuple[Trunks, Sip]:
    sip = Sip()
    return Trunks([TRUNK], sip, names, lambda: 0.0), sip


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not what():  # noqa: ASYNC110 - the table is asked by a timer
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("quick")
async def test_the_core_is_told_when_something_changes_and_at_no_other_time() -> None:
    names = Names(dict(PLACES))
    looking, sip = made(names)
    looking.start()
    assert await sip.next() == LocateTrunk("pbx", HOPS)
    await until(lambda: names.asked > 6)
    assert len(sip.commands) == 1
    names.answers["one.test"] = ()
    assert await sip.next() == LocateTrunk("pbx", HOPS[1:])
    await looking.stop()
    assert sip.commands[-1] == LeaveTrunks()


@pytest.mark.usefixtures("quick")
async def test_a_dead_name_server_changes_nothing() -> None:
    names = Names(dict(PLACES))
    looking, sip = made(names)
    looking.start()
    await sip.next()
    names.answers["one.test"] = Unanswered("no name server")
    names.answers["two.test"] = (Place("TLS", "192.0.2.3", 5061),)
    assert await sip.next() == LocateTrunk("pbx", (HOPS[0], Hop(1, "TLS", "192.0.2.3", 5061, "two.test")))
    await looking.stop()


@pytest.mark.usefixtures("quick")
async def test_what_is_amiss_is_said_once_until_it_is_mended() -> None:
    names = Names({**PLACES, "one.test": Unanswered("0.1 s"), "two.test": ()})
    looking, _ = made(names)
    with capture_logs() as logs:
        looking.start()
        await until(lambda: names.asked > 6)
        names.answers["one.test"] = PLACES["one.test"]
        begin = names.asked
        await until(lambda: names.asked > begin + 4)
        names.answers["one.test"] = ()
        begin = names.asked
        await until(lambda: names.asked > begin + 4)
    await looking.stop()
    assert [(line["event"], line["target"]) for line in logs] == [
        ("a trunk's name cannot be looked up", "one.test"),
        ("a trunk's name leads nowhere", "two.test"),
        ("a trunk's name leads nowhere", "one.test"),
    ]


@pytest.mark.usefixtures("quick")
async def test_a_fault_of_ours_is_logged_and_the_name_is_looked_up_again() -> None:
    names = Names({**PLACES, "one.test": ValueError("a fault of ours")})
    looking, sip = made(names)
    with capture_logs() as logs:
        looking.start()
        assert await sip.next() == LocateTrunk("pbx", HOPS[1:])
        names.answers["one.test"] = PLACES["one.test"]
        assert await sip.next() == LocateTrunk("pbx", HOPS)
    await looking.stop()
    assert logs[0]["event"] == "a trunk's name was not looked up"


@pytest.mark.usefixtures("quick")
async def test_with_nothing_known_the_core_is_told_that_there_is_nothing() -> None:
    looking, sip = made(Names({"one.test": Unanswered("dead"), "two.test": Unanswered("dead")}))
    looking.start()
    assert await sip.next() == LocateTrunk("pbx", ())
    await looking.stop()


@pytest.mark.usefixtures("quick")
async def test_the_end_waits_for_the_answer_to_the_last_register() -> None:
    looking, _ = made(Names(dict(PLACES)))
    looking.changed(TrunkChanged("pbx", "registered", up=True))
    leaving = asyncio.create_task(looking.stop())
    await asyncio.sleep(0.01)
    assert not leaving.done()
    looking.changed(TrunkChanged("pbx", "unregistered", up=False))
    await asyncio.wait_for(leaving, 1)


@pytest.mark.usefixtures("quick")
async def test_and_not_for_ever() -> None:
    looking, _ = made(Names(dict(PLACES)))
    looking.changed(TrunkChanged("pbx", "registered", up=True))
    await asyncio.wait_for(looking.stop(), 2)


def test_listeners_are_told_how_a_trunk_stands() -> None:
    target = TargetState("sip:one.test", "192.0.2.1:5060", "down")
    assert report(TrunkChanged("pbx", "failed", False, "no answer", (target,))) == {
        "trunk": "pbx",
        "state": "failed",
        "up": False,
        "reason": "no answer",
        "targets": [{"target": "sip:one.test", "address": "192.0.2.1:5060", "state": "down"}],
    }
