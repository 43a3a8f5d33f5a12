"""Worker processes are started, spoken to, watched and started again."""

import asyncio
import os
import signal
from typing import Any

import pytest

from telephony.edge.wire import FromSpeech
from telephony.edge.workers import Worker, WorkerUnstartable
from telephony.events import PromptRendered, RenderPrompt, WorkerDied, WorkerStarted

ECHO = "tests.telephony.edge.echo_worker"


class Room:
    """A worker with everything it says remembered."""

    def __init__(self, *arguments: str) -> None:
        self.said: asyncio.Queue[object] = asyncio.Queue()
        self.worker: Worker[object] = Worker(
            "render",
            "tests.telephony.edge.echo_worker",
            arguments,
            FromSpeech,
            self.said.put_nowait,
            self.said.put_nowait,
        )

    async def next(self) -> object:
        async with asyncio.timeout(20):
            return await self.said.get()


def render(value: str) -> RenderPrompt:
    return RenderPrompt(value, "text", value, "en", "")


async def test_a_worker_answers_and_ends_when_its_socket_closes() -> None:
    room = Room()
    await room.worker.start()
    process = room.worker.process_id
    assert room.worker.ready
    assert await room.next() == WorkerStarted("render", process)
    room.worker.send(render("a"))
    assert await room.next() == PromptRendered("a")
    await room.worker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_a_worker_may_come_up_by_itself_and_gets_what_was_sent_before() -> None:
    room = Room()
    room.worker.send(render("a"))
    room.worker.come_up()
    ready = [room.worker.ready]
    room.worker.send(render("b"))
    assert await room.next() == WorkerStarted("render", room.worker.process_id)
    assert [*ready, room.worker.ready] == [False, True]
    assert [await room.next(), await room.next()] == [PromptRendered("a"), PromptRendered("b")]
    await room.worker.stop()


async def test_a_worker_that_does_not_come_up_by_itself_is_started_again() -> None:
    room = Room("--fail")
    room.worker.come_up()
    deaths = [await room.next(), await room.next()]
    assert [death.cause for death in deaths if isinstance(death, WorkerDied)] == ["exit status 3", "exit status 3"]
    await room.worker.stop()


async def test_a_worker_may_be_stopped_before_it_has_come_up() -> None:
    room = Room()
    room.worker.come_up()
    await asyncio.sleep(0)
    await room.worker.stop()
    assert room.worker.process_id == 0


async def test_a_worker_that_dies_is_started_again_and_gets_what_waited() -> None:
    room = Room()
    await room.worker.start()
    first = await room.next()
    assert isinstance(first, WorkerStarted)
    room.worker.send(render("die"))
    died = await room.next()
    assert died == WorkerDied("render", first.process, "exit status 7")
    room.worker.send(render("b"))
    again = await room.next()
    assert isinstance(again, WorkerStarted)
    assert again.process != first.process
    assert await room.next() == PromptRendered("b")
    await room.worker.stop()


async def test_a_worker_that_hangs_can_be_killed_and_is_started_again() -> None:
    room = Room()
    await room.worker.start()
    first = await room.next()
    os.kill(room.worker.process_id, signal.SIGSTOP)
    room.worker.kill()
    assert isinstance(first, WorkerStarted)
    assert await room.next() == WorkerDied("render", first.process, "killed by SIGKILL")
    assert isinstance(await room.next(), WorkerStarted)
    await room.worker.stop()
    room.worker.kill()  # nobody is there any more


async def test_a_worker_that_does_not_start_says_so() -> None:
    with pytest.raises(WorkerUnstartable, match="render worker did not start"):
        await Room("--fail").worker.start()


async def test_a_worker_that_talks_nonsense_is_started_again() -> None:
    room = Room()
    await room.worker.start()
    await room.next()
    room.worker.send(render("nonsense"))
    assert isinstance(await room.next(), WorkerDied)
    assert isinstance(await room.next(), WorkerStarted)
    room.worker.send(render("b"))
    assert await room.next() == PromptRendered("b")
    await room.worker.stop()


async def test_a_message_that_nobody_could_take_does_not_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    await room.worker.start()
    await room.next()
    put = room.said.put_nowait

    def broken_once(_message: object) -> None:
        monkeypatch.setattr(room.worker, "_on_message", put)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(room.worker, "_on_message", broken_once)
    room.worker.send(render("a"))
    room.worker.send(render("b"))
    assert await room.next() == PromptRendered("b")
    await room.worker.stop()


async def test_a_worker_that_cannot_be_started_again_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    await room.worker.start()
    await room.next()
    spawn = asyncio.create_subprocess_exec
    tries: list[int] = []

    async def at_the_second_time(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        tries.append(1)
        if len(tries) == 1:
            raise BlockingIOError("no more processes")
        return await spawn(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", at_the_second_time)
    room.worker.send(render("die"))
    assert isinstance(await room.next(), WorkerDied)
    assert isinstance(await room.next(), WorkerStarted)
    await room.worker.stop()
