"""What a flow asks of the world (a customer, another system's answer, a call back): performed beside the call.

Rule 1: each request is answered once by `FlowAnswered`, in the time that it has, whatever becomes of it: for a
performer that is late, fails, or is not there, the outcome is the one that its kind has for that. A call that is over
is told nothing.
Rule 2: no request waits for another, and nothing of the call waits for a request.
Rule 3: what a performer brings about besides (somebody is known by now) is told before the answer: the flow has it
then.
Rule 4: a performer that is late is cancelled: one that must not be stopped half done shields that part of itself.

A kind of request is one of `telephony.requests`, and one line that says who performs it:
`funnel.requests.register(CallHttp, perform, late="timed_out")`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

import structlog

from telephony.edge.lane import AWAY
from telephony.events import Event, FlowAnswered, FlowRequest
from telephony.requests import Request, Values

FAILED: Final = "failed"

log = structlog.get_logger("hotline.flow_requests")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: the exit's name, what a flow may read of it, and what happened by it besides."""

    name: str
    values: Values = field(default_factory=dict)
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Performer:
    """Who performs a kind of request, and its outcomes where the performer is `late` or has `failed`."""

    perform: Callable[[FlowRequest], Awaitable[Outcome]]
    late: str = FAILED
    failed: str = FAILED


@dataclass(slots=True)
class FlowRequests:
    """Performs requests. `tell` takes events, `is_running` says whether a call has not ended, `start` begins a task."""

    tell: Callable[[Event], None]
    is_running: Callable[[str], bool]
    start: Callable[[Coroutine[None, None, None]], None]
    _performers: dict[type[Request], Performer] = field(default_factory=dict)

    def register(
        self,
        kind: type[Request],
        perform: Callable[[FlowRequest], Awaitable[Outcome]],
        *,
        late: str = FAILED,
        failed: str = FAILED,
    ) -> None:
        """Have requests of a kind performed so; of what it raises only the log is told."""
        self._performers[kind] = Performer(perform, late, failed)

    def performs(self, kind: type[Request]) -> bool:
        """Whether somebody performs requests of a kind."""
        return kind in self._performers

    def perform(self, request: FlowRequest) -> None:
        """Perform a request; its answer comes as an event, never before this returns."""
        self.start(self._answer(request))

    async def _answer(self, request: FlowRequest) -> None:
        outcome = await self._outcome(request)
        if not self.is_running(request.call):
            return
        for event in outcome.events:
            self.tell(event)
        self.tell(FlowAnswered(request.call, request.number, outcome.name, outcome.values))

    async def _outcome(self, request: FlowRequest) -> Outcome:
        about = {"kind": type(request.request).__name__, "call": request.call, "number": request.number}
        performer = self._performers.get(type(request.request))
        if performer is None:
            log.error("nobody performs this request of a flow: it takes its failure's exit", **about)
            return Outcome(FAILED)
        limit = asyncio.timeout(request.timeout_s or None)  # a talk lasts as long as it lasts
        try:
            async with limit:
                return await performer.perform(request)
        except TimeoutError:
            if limit.expired():
                log.warning("a request of a flow was not answered in time", **about, timeout_s=request.timeout_s)
                return Outcome(performer.late)
            log.exception("a request of a flow failed; the call goes on", **about)
        except AWAY as error:
            log.error("a request of a flow failed: the database is away", **about, cause=str(error))
        except Exception:
            log.exception("a request of a flow failed; the call goes on", **about)
        return Outcome(performer.failed)
