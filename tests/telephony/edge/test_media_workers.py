"""Media workers as one: where calls go, and what becomes of them when their worker dies or hangs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from telephony.edge import media_workers
from telephony.edge.media_workers import MediaWorkers
from telephony.edge.standing import LOST
from telephony.edge.workers import WorkerUnstartable
from telephony.events import (
    CloseLeg,
    Command,
    ConnectLeg,
    Event,
    Join,
    LegClosed,
    LegLost,
    LegMoved,
    LegOpened,
    LegRefused,
    MediaResumed,
    MediaStalled,
    OpenLeg,
    PlaySamples,
    RecordingStopped,
    StartRecording,
    StartStream,
    StopRecording,
    StreamStopped,
    WebRtc,
    WorkerBeat,
    WorkerDied,
    WorkerStarted,
)


class Process:
    """A worker process that the test is itself."""

    def __init__(self, number: int, tell: Callable[[Event], None], died: Callable[[WorkerDied], None]) -> None:
        self.process_id = 0
        self.number = number
        self.tell = tell
        self.died = died
        self.told: list[Command] = []
        self.killed = 0
        self.startable = True

    async def start(self) -> None:
        if not self.startable:
            raise WorkerUnstartable("no memory")
        self.begin()

    def begin(self) -> None:
        self.process_id = 1000 + self.number
        self.told.clear()
        self.tell(WorkerStarted("media", self.process_id))

    def send(self, message: Command) -> None:
        self.told.append(message)

    def kill(self) -> None:
        self.killed += 1

    def die(self) -> None:
        gone, self.process_id = self.process_id, 0
        self.died(WorkerDied("media", gone, "killed by SIGKILL"))

    async def stop(self) -> None:
        self.process_id = 0

    def take(self) -> list[Command]:
        told, self.told[:] = list(self.told), []
        return told


class House:
    """Media workers of so many slots, and a spare."""

    def __init__(self, count: int, *, spare: bool = True) -> None:
        self.processes: list[Process] = []
        self.said: list[Event] = []
        self.deaths: list[WorkerDied] = []
        self.workers = MediaWorkers(count, self.make, self.said.append, self.deaths.append, spare=spare)

    def make(self, number: int, tell: Callable[[Event], None], died: Callable[[WorkerDied], None]) -> Process:
        self.processes.append(Process(number, tell, died))
        return self.processes[-1]

    def open(self, leg: str) -> Process:
        """Open a leg; return who has it."""
        self.workers.send(OpenLeg(leg))
        (process,) = [each for each in self.processes if OpenLeg(leg) in each.take()]
        process.tell(LegOpened(leg, "127.0.0.1", 20000))
        return process

    def is_ready(self) -> bool:
        return self.workers.ready

    def take(self) -> list[Event]:
        said, self.said[:] = list(self.said), []
        return said


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """One slot, its spare running."""
    monkeypatch.setattr(media_workers, "SPARE_AFTER_S", 0.0)
    house = House(1)
    await started(house)
    yield house
    await house.workers.stop()


def again(leg: str) -> OpenLeg:
    """What another worker is told of a leg that was open."""
    return OpenLeg(leg, at=(("127.0.0.1", 20000),))


async def started(house: House) -> None:
    await house.workers.start()
    for _ in range(5):  # the turns that a sleep of none and its task take
        await asyncio.sleep(0)


CONNECT = ConnectLeg("c.caller", "192.0.2.1", 4000, 0)
PLAY = PlaySamples("c.caller", "p", ("x.raw",))


async def test_a_call_goes_on_in_the_spare(house: House) -> None:
    first, spare = house.processes
    assert house.open("c.caller") is first
    for command in (CONNECT, Join("c.caller", "c"), PLAY):
        house.workers.send(command)
    assert first.take() == [CONNECT, Join("c.caller", "c"), PLAY]
    house.take()
    first.die()
    assert house.deaths == [WorkerDied("media", 1000, "killed by SIGKILL")]
    assert spare.take() == [again("c.caller"), CONNECT, Join("c.caller", "c"), PLAY]
    spare.tell(LegOpened("c.caller", "127.0.0.1", 30000))
    assert house.take() == [LegMoved("c.caller", "127.0.0.1", 30000)]
    house.workers.send(CloseLeg("c.caller"))
    assert spare.take() == [CloseLeg("c.caller")]
    assert house.workers.ready


async def test_the_dead_one_comes_back_as_the_spare(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    first.die()
    first.begin()
    assert first.take() == []
    assert house.open("d.caller") is spare
    spare.die()
    assert first.take() == [again("c.caller"), again("d.caller")]


async def test_a_leg_that_was_being_opened_is_opened_as_any_other(house: House) -> None:
    first, spare = house.processes
    house.workers.send(OpenLeg("c.caller"))
    first.die()
    assert spare.take() == [OpenLeg("c.caller")]
    spare.tell(LegOpened("c.caller", "127.0.0.1", 30000))
    assert house.take() == [LegOpened("c.caller", "127.0.0.1", 30000)]
    spare.tell(LegRefused("d.caller", "full"))
    assert house.take() == [LegRefused("d.caller", "full")]


async def test_a_leg_for_which_the_other_has_no_room_is_lost(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    first.die()
    house.take()
    spare.tell(LegRefused("c.caller", "full"))
    assert house.take() == [LegLost("c.caller", "full")]


async def test_what_the_dead_worker_said_last_is_nobody_s(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    house.take()
    first.die()
    first.tell(LegClosed("c.caller", 1, 1, 0, 0))
    assert house.take() == []
    spare.tell(LegClosed("c.caller", 1, 1, 0, 0))
    assert house.take() == [LegClosed("c.caller", 1, 1, 0, 0)]


async def test_a_recording_goes_on_and_one_that_was_ending_is_over(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    house.open("d.caller")
    goes_on, ends = (StartRecording(name, name, f"{name}.caller", f"/s/{name}.spool") for name in "cd")
    stream = StartStream("s", "c.caller", "/run/audio")
    for command in (goes_on, ends, stream, StopRecording("d")):
        house.workers.send(command)
    house.take()
    first.die()
    assert house.take() == [RecordingStopped("d", 0, LOST)]
    assert spare.take() == [
        again("c.caller"),
        again("d.caller"),
        msgspec.structs.replace(goes_on, path="/s/c.spool.1"),
        stream,
    ]
    spare.tell(RecordingStopped("c", 100))
    assert house.take() == [RecordingStopped("c", 100)]


async def test_what_is_stopped_while_nobody_is_there_is_over_at_once() -> None:
    house = House(1, spare=False)
    await started(house)
    house.open("c.caller")
    house.workers.send(StartRecording("r", "c", "c.caller", "/s/r.spool"))
    house.workers.send(StartStream("s", "c.caller", "/run/audio"))
    house.processes[0].die()
    house.take()
    house.workers.send(StopRecording("r"))
    assert house.take() == [RecordingStopped("r", 0, LOST)]
    house.workers.send(CloseLeg("c.caller"))
    assert house.take() == [StreamStopped("s", 0, LOST)]
    house.workers.send(StopRecording("r"))
    assert house.take() == []
    house.processes[0].begin()
    assert house.processes[0].take() == []
    await house.workers.stop()


async def test_a_call_that_ends_one_worker_after_the_other_is_given_up(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    for dying, taking in ((first, spare), (spare, first)):
        dying.die()
        assert taking.take() == [again("c.caller")]
        dying.begin()
    house.open("d.caller")
    house.take()
    first.die()
    assert house.take() == [LegLost("c.caller", LOST)]
    assert spare.take() == [again("d.caller")]
    house.workers.send(Join("c.caller", "c"))
    house.workers.send(CloseLeg("c.caller"))
    assert spare.take() == []
    assert house.open("e.caller") is spare


async def test_who_was_not_heard_is_heard_again_in_the_other(house: House) -> None:
    first, spare = house.processes
    house.open("c.agent1")
    house.open("c.caller")
    first.tell(MediaStalled("c.agent1", 7))
    first.tell(MediaStalled("c.caller", 7))
    first.tell(MediaResumed("c.caller", 8))
    house.take()
    first.die()
    spare.tell(LegOpened("c.agent1", "127.0.0.1", 30000))
    spare.tell(LegOpened("c.caller", "127.0.0.1", 30002))
    assert house.take() == [
        LegMoved("c.agent1", "127.0.0.1", 30000),
        MediaResumed("c.agent1", 0),
        LegMoved("c.caller", "127.0.0.1", 30002),
    ]


async def test_a_consultation_is_where_the_talk_is() -> None:
    house = House(2)
    await started(house)
    one, other, _ = house.processes
    assert house.open("c.caller") is one
    house.workers.send(OpenLeg("d.near", beside="c.caller"))
    house.workers.send(OpenLeg("d.far", beside="c.caller"))
    assert [each.leg for each in one.take() if isinstance(each, OpenLeg)] == ["d.near", "d.far"]
    assert house.open("e.caller") is other
    await house.workers.stop()


async def test_without_a_spare_calls_wait_for_whoever_comes_first() -> None:
    house = House(1, spare=False)
    await started(house)
    (only,) = house.processes
    house.open("c.caller")
    only.die()
    assert not house.is_ready()
    house.workers.send(CONNECT)
    house.workers.send(OpenLeg("c.agent1"))
    assert only.take() == []
    only.begin()
    assert only.take() == [again("c.caller"), CONNECT, OpenLeg("c.agent1")]
    assert house.is_ready()
    await house.workers.stop()


async def test_with_nobody_for_long_calls_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_workers, "NO_WORKER_S", 0.0)
    house = House(1, spare=False)
    await started(house)
    house.open("c.caller")
    house.workers.send(StartRecording("r", "c", "c.caller", "/s/r.spool"))
    house.workers.send(StartStream("s", "c.caller", "/run/audio"))
    house.take()
    house.processes[0].die()
    await asyncio.sleep(0.01)
    assert house.take() == [
        LegLost("c.caller", LOST),
        RecordingStopped("r", 0, LOST),
        StreamStopped("s", 0, LOST),
    ]
    await house.workers.stop()


async def test_a_spare_that_cannot_be_had_is_said_and_the_rest_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(media_workers, "SPARE_AFTER_S", 0.0)
    house = House(1)
    house.processes[1].startable = False
    await started(house)
    assert house.workers.ready
    assert "no memory" in capsys.readouterr().out
    await house.workers.stop()


async def test_calls_go_where_there_are_fewest_and_stay_together() -> None:
    house = House(2)
    await started(house)
    one, other, _ = house.processes
    assert [house.open(leg) for leg in ("c.caller", "d.caller", "c.agent1", "d.agent1")] == [one, other, one, other]
    assert house.open("e.caller") is one
    house.workers.send(CloseLeg("c.caller"))
    house.workers.send(CloseLeg("c.agent1"))
    assert house.open("f.caller") is one  # one leg there, two in the other
    house.workers.send(CloseLeg("d.caller"))
    house.workers.send(CloseLeg("d.agent1"))
    assert house.open("c.caller") is other  # a name that is free again goes where any other does
    await house.workers.stop()


async def test_a_leg_that_joins_others_elsewhere_moves_to_them() -> None:
    house = House(2)
    await started(house)
    one, other, _ = house.processes
    house.open("c.caller")
    house.open("d.far")
    recording = StartRecording("r", "d", "d.far", "/s/r.spool")
    house.workers.send(Join("c.caller", "c"))
    house.workers.send(msgspec.structs.replace(CONNECT, leg="d.far"))
    house.workers.send(recording)
    for each in house.processes:
        each.take()
    house.take()
    house.workers.send(Join("d.far", "c"))
    assert other.take() == [StopRecording("r"), CloseLeg("d.far")]
    assert one.take() == [
        again("d.far"),
        msgspec.structs.replace(CONNECT, leg="d.far"),
        Join("d.far", "c"),
        msgspec.structs.replace(recording, path="/s/r.spool.1"),
    ]
    other.tell(RecordingStopped("r", 10))
    other.tell(LegClosed("d.far", 1, 1, 0, 0))
    one.tell(LegOpened("d.far", "127.0.0.1", 30000, WebRtc("u", "p", (), "sha-256 AB")))
    assert house.take() == [LegMoved("d.far", "127.0.0.1", 30000, WebRtc("u", "p", (), "sha-256 AB"))]
    await house.workers.stop()


async def test_a_death_takes_the_calls_of_its_own_slot_along() -> None:
    house = House(2)
    await started(house)
    one, other, spare = house.processes
    house.open("c.caller")
    house.open("d.caller")
    spare.begin()
    other.die()
    assert spare.take() == [again("d.caller")]
    one.die()  # the spare is taken, and nobody is left
    other.begin()
    assert other.take() == [again("c.caller")]
    await house.workers.stop()


async def test_a_worker_that_hangs_is_killed_and_not_waited_for(house: House) -> None:
    first, spare = house.processes
    house.open("c.caller")
    first.tell(WorkerBeat(1))
    house.workers._pulses.look(time.monotonic() + 60, 0.0)
    assert first.killed == 1
    assert spare.take() == []
    first.die()
    assert spare.take() == [again("c.caller")]


async def test_one_whose_end_is_slow_to_come_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_workers, "KILLED_S", 0.0)
    first, spare = house.processes
    house.open("c.caller")
    first.tell(WorkerBeat(1))
    house.workers._pulses.look(time.monotonic() + 60, 0.0)
    await asyncio.sleep(0.01)
    assert spare.take() == [again("c.caller")]
    first.die()
    assert spare.take() == []
