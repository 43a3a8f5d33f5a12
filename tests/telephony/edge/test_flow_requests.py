"""Requests of flows are answered once, in time, whatever becomes of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from telephony.edge.flow_requests import FlowRequests, Outcome
from telephony.events import CallerContext, CallerFound, Event, FlowAnswered, FlowRequest
from telephony.requests import Request

SOMEBODY = CallerFound("c", "+84912345678", CallerContext(customer="lan"))


class Fetch(Request, frozen=True, tag="fetch"):
    """A request of these tests."""

    wanted: str = "order 4561"


def asked(number: int, timeout_s: float = 3.0) -> FlowRequest:
    return FlowRequest(call="c", number=number, request=Fetch(), timeout_s=timeout_s)  # type: ignore[arg-type]


class Room:
    """Requests of one call `c` that runs until it is said to be over."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.running = {"c"}
        self.tasks: list[asyncio.Task[None]] = []
        self.requests = FlowRequests(self.told.append, self.running.__contains__, self._start)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def ask(self, *requests: FlowRequest) -> list[Event]:
        for request in requests:
            self.requests.perform(request)
        assert not self.told  # an answer never comes before the request is made
        await asyncio.gather(*self.tasks)
        return self.told


@pytest.fixture
def room() -> Room:
    return Room()


def answering(outcome: Outcome) -> Callable[[FlowRequest], Awaitable[Outcome]]:
    async def perform(request: FlowRequest) -> Outcome:
        return outcome

    return perform


def failing(error: Exception) -> Callable[[FlowRequest], Awaitable[Outcome]]:
    async def perform(request: FlowRequest) -> Outcome:
        raise error

    return perform


async def hang(request: FlowRequest) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


async def test_an_answer_says_what_became_of_it_and_what_happened_besides_comes_first(room: Room) -> None:
    room.requests.register(Fetch, answering(Outcome("next", {"status": "sent"}, (SOMEBODY,))))
    assert await room.ask(asked(1)) == [SOMEBODY, FlowAnswered("c", 1, "next", {"status": "sent"})]


async def test_a_performer_that_is_late_is_cancelled_and_answered_for(room: Room) -> None:
    room.requests.register(Fetch, hang, late="timed_out")
    with capture_logs() as said:
        assert await room.ask(asked(2, 0.01)) == [FlowAnswered("c", 2, "timed_out")]
    assert [line["log_level"] for line in said] == ["warning"]


@pytest.mark.parametrize(
    "error", [RuntimeError("a mistake"), OperationalError("", None, OSError("locked")), TimeoutError("of its own")]
)
async def test_a_performer_that_fails_is_answered_for_and_the_log_says_why(room: Room, error: Exception) -> None:
    room.requests.register(Fetch, failing(error), late="timed_out", failed="not_sent")
    with capture_logs() as said:
        assert await room.ask(asked(3)) == [FlowAnswered("c", 3, "not_sent")]
    assert [line["log_level"] for line in said] == ["error"]
    assert "4561" not in str(said)


async def test_what_nobody_performs_has_failed(room: Room) -> None:
    with capture_logs() as said:
        assert await room.ask(asked(4)) == [FlowAnswered("c", 4, "failed")]
    assert said[0]["kind"] == "Fetch"


async def test_a_call_that_is_over_is_told_nothing(room: Room) -> None:
    async def perform(request: FlowRequest) -> Outcome:
        room.running.clear()
        return Outcome("next", events=(SOMEBODY,))

    room.requests.register(Fetch, perform)
    assert await room.ask(asked(5)) == []


async def test_no_request_waits_for_another(room: Room) -> None:
    first_may_end = asyncio.Event()

    async def perform(request: FlowRequest) -> Outcome:
        if request.number == 1:
            await first_may_end.wait()
        first_may_end.set()
        return Outcome("next")

    room.requests.register(Fetch, perform)
    told = await room.ask(asked(1), asked(2))
    assert [event.number for event in told if isinstance(event, FlowAnswered)] == [2, 1]
