"""The media workers as one: which of them has which call, what becomes of a call whose worker is gone.

Rule 1: a call is in a slot. A slot has a worker, all of whose legs are of its calls; a worker without a slot is the
spare, warm and idle. When a slot's worker dies or hangs, the spare takes the slot with everything that stood there
(`telephony.edge.standing`), and the dead one, started again, is the spare.

Rule 2: legs that are to hear each other are in one slot. A leg that joins others in another slot moves there; so a call
stays where it began, and calls that are put together come together.

Rule 3: whoever is moved keeps its port where it can be had, so that what is on its way arrives; keys are new, and for a
browser the certificate. `LegMoved` says so, and the switchboard tells the far end by a re-INVITE.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from telephony.edge.pulse import Pulse, Pulses
from telephony.edge.standing import LOST, Standing, call_of
from telephony.edge.workers import WorkerUnstartable
from telephony.events import (
    CloseLeg,
    Command,
    Event,
    Join,
    LegLost,
    LegMoved,
    LegOpened,
    LegRefused,
    MediaResumed,
    OpenLeg,
    PauseRecording,
    ResumeRecording,
    StopRecording,
    StopStream,
    WorkerBeat,
    WorkerDied,
    WorkerStarted,
)

SPARE_AFTER_S: Final = 3.0
"""The spare is started when the server has had so long to come up."""
KILLED_S: Final = 0.3
"""So long the end of a worker that hangs is waited for."""
ENDINGS: Final = (StopRecording, PauseRecording, ResumeRecording, StopStream)
NO_WORKER_S: Final = 10.0
"""So long calls wait for a worker where there is no spare; then they are lost."""

log = structlog.get_logger("hotline.workers")


class MediaWorker(Protocol):
    """One process: `telephony.edge.workers.Worker`."""

    @property
    def process_id(self) -> int: ...

    async def start(self) -> None: ...

    def send(self, message: Command) -> None: ...

    def kill(self) -> None: ...

    async def stop(self) -> None: ...


Make = Callable[[int, Callable[[Event], None], Callable[[WorkerDied], None]], MediaWorker]
"""Makes worker number n, which tells what it says and that it died."""


@dataclass(slots=True)
class _Slot:
    number: int
    worker: int | None = None
    """The worker that has it, None while there is none."""
    patience: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Process:
    """One of them, serving or spare: `media-1` and so on."""

    kind: str
    worker: MediaWorker
    ready: bool = False
    end: asyncio.TimerHandle | None = None
    """Until when the end of a worker that was killed is waited for."""

    @property
    def process_id(self) -> int:
        """Its process, 0 for none."""
        return self.worker.process_id


class MediaWorkers:
    """Takes media commands as one worker does. `tell` gets events, `alarm` is told of deaths in words."""

    def __init__(
        self,
        count: int,
        make: Make,
        tell: Callable[[Event], None],
        alarm: Callable[[WorkerDied], None],
        *,
        spare: bool = True,
    ) -> None:
        self._tell = tell
        self._alarm = alarm
        self._standing = Standing()
        self._slots = [_Slot(number, number) for number in range(count)]
        self._slot_of_call: dict[str, int] = {}
        self._processes = [
            Process(f"media-{number + 1}", make(number, self._hears(number), self._buries(number)))
            for number in range(count + spare)
        ]
        self._tasks: set[asyncio.Task[None]] = set()
        self._pulses = Pulses(self._hung)

    @property
    def ready(self) -> bool:
        """Whether every slot has a worker that answers."""
        return all(slot.worker is not None and self._processes[slot.worker].ready for slot in self._slots)

    @property
    def processes(self) -> Sequence[Process]:
        """All of them, the spare last at first."""
        return self._processes

    async def start(self) -> None:
        """Start a worker for every slot, and the spare behind them. Raises `WorkerUnstartable`."""
        await asyncio.gather(*(self._processes[slot.number].worker.start() for slot in self._slots))
        self._keep(asyncio.create_task(self._start_spare(), name="spare media worker"))
        self._keep(asyncio.create_task(self._pulses.watch(), name="pulse of media workers"))

    async def stop(self) -> None:
        """End them all."""
        for timer in (*(slot.patience for slot in self._slots), *(each.end for each in self._processes)):
            if timer is not None:
                timer.cancel()
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(process.worker.stop() for process in self._processes))

    async def _start_spare(self) -> None:
        for process in self._processes[len(self._slots) :]:
            await asyncio.sleep(SPARE_AFTER_S)
            try:
                await process.worker.start()
            except (WorkerUnstartable, OSError) as error:
                log.error("there is no spare media worker; free memory or processes, and restart", cause=str(error))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ----------------------------------------------------------------------------------------------- commands

    def send(self, message: Command) -> None:
        """Have a command performed where its leg, recording or stream is. One for what is nowhere goes to the first
        worker, which answers as it is due."""
        if isinstance(message, OpenLeg):
            slot = self._slots[self._place(message)]
        else:
            found = self._standing.slot_of(message)
            if found is None and isinstance(message, ENDINGS):
                return  # its end has been told
            slot = self._slots[found if found is not None else 0]
        is_lost = self._standing.is_lost(getattr(message, "leg", ""))
        self._standing.note(message, slot.number)
        if isinstance(message, Join) and len(self._slots) > 1 and not is_lost:
            self._bring_together(message, slot)
        elif not is_lost:
            self._send_to(slot, message)
        if isinstance(message, CloseLeg) and not self._standing.has_call(call := call_of(message.leg)):
            self._slot_of_call.pop(call, None)
        if slot.worker is None:
            self._tell_ends(self._standing.unfinished(slot.number))

    def _send_to(self, slot: _Slot, message: Command) -> None:
        if slot.worker is not None:
            self._processes[slot.worker].worker.send(message)

    def _place(self, command: OpenLeg) -> int:
        """Return the slot of a leg: that of its call, for a new call that of the leg beside which it is to be, or else
        the one with the fewest legs."""
        call, beside = call_of(command.leg), self._standing.legs.get(command.beside)
        if call not in self._slot_of_call and beside is not None:
            self._slot_of_call[call] = beside.slot
        if call not in self._slot_of_call:
            legs = [0] * len(self._slots)
            for leg in self._standing.legs.values():
                legs[leg.slot] += 1
            # One without a worker at the moment is for those who wait for it already.
            waits = [slot.worker is None for slot in self._slots]
            self._slot_of_call[call] = min(range(len(legs)), key=lambda number: (waits[number], legs[number]))
        return self._slot_of_call[call]

    def _bring_together(self, join: Join, slot: _Slot) -> None:
        there = self._standing.bridge_slot(join.bridge, join.leg)
        if there is None or there == slot.number:
            self._send_to(slot, join)
            return
        for recording in self._standing.of_leg(join.leg):
            self._send_to(slot, StopRecording(recording))
        self._send_to(slot, CloseLeg(join.leg))
        self._standing.move([join.leg], there)
        self._tell_again(self._slots[there], [join.leg])

    # ------------------------------------------------------------------------------------------------- events

    def _hears(self, number: int) -> Callable[[Event], None]:
        return lambda event: self._heard(number, event)

    def _heard(self, number: int, event: Event) -> None:
        process = self._processes[number]
        match event:
            case WorkerStarted():
                process.ready = True
                self._pulses.watched[number] = Pulse(event.process)
                self._take_slot(number)
                role = "serving" if self._has_slot(number) else "spare"
                log.info("media worker ready", process=event.process, role=role)
            case WorkerBeat():
                self._pulses.beat(number)
            case _:
                self._pass_on(number, event)

    def _pass_on(self, number: int, event: Event) -> None:
        """Tell what a worker says of what is its own; of a leg that has moved, the worker that had it says no more."""
        slot = self._standing.slot_of(event)
        if slot is not None and self._slots[slot].worker != number:
            return
        leg = self._standing.legs.get(getattr(event, "leg", ""))
        was_told = leg is not None and leg.told
        self._standing.heard(event)
        if was_told and isinstance(event, LegOpened):
            event = LegMoved(event.leg, event.address, event.port, event.webrtc, event.keys)
            self._tell(event)
            if leg is None or not leg.stalled:
                return
            leg.stalled, event = False, MediaResumed(event.leg, 0)  # the new worker knows nothing of a silence
        elif was_told and isinstance(event, LegRefused):
            event = LegLost(event.leg, event.cause)
        self._tell(event)

    # ------------------------------------------------------------------------------------------------- deaths

    def _buries(self, number: int) -> Callable[[WorkerDied], None]:
        return lambda event: self._died(number, event)

    def _hung(self, number: int, silent_s: float) -> None:
        process = self._processes[number]
        log.error(
            "a media worker hangs and is killed",
            process=process.process_id,
            silent_s=round(silent_s, 1),
            mend="if the machine was short of processors, give media workers cores of their own (media.cores)",
        )
        process.worker.kill()
        # Its ports are free once it is gone, and to be had again; but its end may be slow to come.
        process.end = asyncio.get_running_loop().call_later(KILLED_S, self._lost, number)

    def _died(self, number: int, event: WorkerDied) -> None:
        self._alarm(event)
        self._lost(number)

    def _lost(self, number: int) -> None:
        process = self._processes[number]
        process.ready = False
        if process.end is not None:
            process.end.cancel()
            process.end = None
        self._pulses.watched.pop(number, None)
        slot = next((each for each in self._slots if each.worker == number), None)
        if slot is None:
            return
        slot.worker = None
        hopeless = self._standing.hopeless(slot.number, asyncio.get_running_loop().time())
        self._give_up(slot, hopeless)
        if not self._take_spare():
            slot.patience = asyncio.get_running_loop().call_later(NO_WORKER_S, self._wait_no_longer, slot)

    def _take_spare(self) -> bool:
        """Have the spare serve, if there is one."""
        spare = next((n for n, each in enumerate(self._processes) if each.ready and not self._has_slot(n)), None)
        if spare is not None:
            self._take_slot(spare)
        return spare is not None

    def _has_slot(self, number: int) -> bool:
        return any(slot.worker == number for slot in self._slots)

    def _take_slot(self, number: int) -> None:
        """Have a worker that is free serve a slot that has none, if there is one."""
        empty = [each for each in self._slots if each.worker is None]
        if not empty or self._has_slot(number):
            return
        slot = max(empty, key=lambda each: len(self._standing.of_slot(each.number)))
        slot.worker = number
        if slot.patience is not None:
            slot.patience.cancel()
            slot.patience = None
        legs = self._standing.of_slot(slot.number)
        if legs:
            process = self._processes[number].process_id
            log.warning("calls go on in another media worker", legs=len(legs), process=process)
        self._tell_again(slot, legs)

    def _tell_again(self, slot: _Slot, legs: list[str]) -> None:
        for command in self._standing.again(legs):
            self._send_to(slot, command)

    def _wait_no_longer(self, slot: _Slot) -> None:
        slot.patience = None
        self._give_up(slot, self._standing.of_slot(slot.number))

    def _give_up(self, slot: _Slot, legs: list[str]) -> None:
        if legs:
            mend = "the lines above say why media workers die, or do not start"
            log.error("calls are lost, no media worker could go on with them", legs=len(legs), mend=mend)
        self._standing.give_up(legs)
        for leg in legs:
            self._tell(LegLost(leg, LOST))
        self._tell_ends(self._standing.unfinished(slot.number))

    def _tell_ends(self, ends: list[Event]) -> None:
        for end in ends:
            self._standing.heard(end)
            self._tell(end)
