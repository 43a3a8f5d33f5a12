"""One call on a line, from dialling or waiting to the end, with a limit on every wait."""

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hotline.phone.dialog import LineError, Told, What
from hotline.phone.progress import Progress
from hotline.phone.script import Mark

if TYPE_CHECKING:
    from hotline.phone.line import Call, Line

POLL_S: Final = 0.05
REGISTER_S: Final = 10.0
CLOSE_S: Final = 4.0
ANSWER_S: Final = 60.0
FAILURES: Final = frozenset({"unreachable", "not_registered", "refused"})


class PhoneFailed(Exception):
    """The call did not come about or did not end in order; the text is the reason, `status` SIP's where it has one."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Stopped(Exception):
    """Whoever runs the phone wants it to stop."""


@dataclass(slots=True)
class Speaking:
    """When the phone speaks: `begun` is in seconds since the epoch."""

    what: str
    begun: float = 0.0


@dataclass(slots=True)
class Conversation:
    """What one run of the phone tells and is told. `seconds` ends it, `None` leaves that to others."""

    progress: Progress
    record: Path | None = None
    seconds: float | None = None
    speaking: Speaking = field(default_factory=lambda: Speaking(""))
    told: "queue.SimpleQueue[Told]" = field(default_factory=queue.SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)

    # ------------------------------------------------------------------------------------------------- the runs

    def register(self, line: "Line", server: str) -> None:
        """Register and wait for it. Raises `PhoneFailed`, `Stopped`."""
        line.sip.register()
        self.wait_for("registered", REGISTER_S, "the registration is not answered")
        self.progress.event("registered", f"registered as {line.username} at {server}", user=line.username)

    def dial(self, line: "Line", number: str, answer_s: float) -> None:
        """Call a number and have the talk. Raises `PhoneFailed`, `Stopped`."""
        self.progress.say(f"calling {number}")
        call = line.call(number)
        deadline = time.monotonic() + answer_s
        try:
            while (told := self._next(deadline)).what != "answered":
                if told.what == "ringing":
                    self.progress.event("ringing", "it rings", number=number)
        except (TimeoutError, Stopped) as ending:
            line.sip.cancel()
            with contextlib.suppress(PhoneFailed, TimeoutError):  # a 487 as a rule
                self._watch("closed", time.monotonic() + CLOSE_S)
            if isinstance(ending, Stopped):
                raise
            raise PhoneFailed(f"no answer within {answer_s:g} s") from None
        try:
            line.connect(call, told.message)
        except LineError as error:
            line.sip.hang_up()
            raise PhoneFailed(str(error)) from error
        self._talk(line, call, self.seconds)

    def take_call(self, line: "Line", answer_after: float, refuse: str = "") -> None:
        """Wait for a call, let it ring, answer it, and have the talk; with `refuse`, a status such as `486 Busy Here`,
        answer every call with that. Raises `PhoneFailed`, `Stopped`."""
        begun = time.monotonic()
        deadline = float("inf") if self.seconds is None else begun + self.seconds
        while True:
            told = self.wait_for("incoming", deadline - time.monotonic(), "no call came")
            call = self._ring(line, told, answer_after, refuse)
            if call is not None:
                break
        self._talk(line, call, None if self.seconds is None else max(0.0, deadline - time.monotonic()))

    def _ring(self, line: "Line", told: Told, answer_after: float, refuse: str) -> "Call | None":
        """Ring and answer; `None` when the caller gave up before, or is refused."""
        try:
            call = line.take(told.message)
        except LineError as error:
            line.sip.refuse("488 Not Acceptable Here")
            raise PhoneFailed(str(error), 488) from error
        caller = told.message.headers["From"]
        number, name = caller["number"] or "", caller["caller"].strip().strip('"')
        self.progress.event("ringing", f"it rings: {name} {number}".rstrip(), number=number, name=name)
        with contextlib.suppress(TimeoutError):
            self._watch("cancelled", time.monotonic() + answer_after)
            self.progress.say("the caller has given up")
            return None
        if refuse:
            line.sip.refuse(refuse)
            return None
        line.accept(call)
        return call

    def _talk(self, line: "Line", call: "Call", seconds: float | None) -> None:
        audio = call.audio
        self.progress.event("answered", f"answered ({audio.preference})", codec=str(audio.preference))
        begun = time.monotonic()
        by, reason, failed = "us", "", False
        try:
            by = self._listen(call, begun, seconds)
        except Stopped:
            reason = "stopped"
        except PhoneFailed as failure:
            reason, failed = str(failure), True
        if by == "us" and not failed:
            line.sip.hang_up()
            with contextlib.suppress(Stopped):
                try:
                    self.wait_for("closed", CLOSE_S, "the far end does not answer our BYE")
                except PhoneFailed as failure:
                    reason, failed = str(failure), True
        call.stop_audio()
        self._end(call, by, time.monotonic() - begun, reason, failed=failed)

    def _listen(self, call: "Call", begun: float, seconds: float | None) -> str:
        """Let time pass until somebody ends the call; return who."""
        deadline = float("inf") if seconds is None else begun + seconds
        while True:
            try:
                told = self._next(min(deadline, time.monotonic() + POLL_S))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    return "us"
                self.progress.meter(time.monotonic() - begun, call.audio.ear.level_dbfs, call.audio.ear.packets)
                continue
            if told.what == "hung_up":
                return "far_end"
            if told.what == "moved":
                call.moved(told.message)

    def _end(self, call: "Call", by: str, seconds: float, reason: str, *, failed: bool) -> None:
        audio = call.audio
        if self.speaking.begun:
            self._spoken()
        if self.record is not None:
            try:
                audio.ear.save(self.record)
            except OSError as error:
                reason, failed = f"{self.record} cannot be written: {error.strerror}", True
        if failed:
            raise PhoneFailed(reason)
        who = "the far end" if by == "far_end" else "we"
        self.progress.event(
            "ended",
            f"{who} hung up after {seconds:.1f} s; heard {audio.ear.packets} packets"
            + (f", recorded to {self.record}" if self.record else ""),
            ok=True,
            by=by,
            reason=reason,
            seconds=round(seconds, 3),
            packets_received=audio.ear.packets,
            packets_sent=audio.sent,
            recorded_seconds=round(audio.ear.seconds, 3),
        )

    # ----------------------------------------------------------------------------------------------- the script

    def on_mark(self, mark: Mark) -> None:
        """The script has come to a mark: a key, or speech. Called from the sending thread."""
        if mark.kind == "pressed":
            self.progress.event("pressed", f"pressed {mark.key}", key=mark.key)
        elif mark.kind == "speech_begins":
            self.speaking.begun = time.time()
            self.progress.say(f"speaking: {self.speaking.what}")
        elif self.speaking.begun:
            self._spoken()

    def _spoken(self) -> None:
        begun, self.speaking.begun = self.speaking.begun, 0.0
        end = time.time()
        self.progress.event(
            "speaking",
            f"spoke for {end - begun:.1f} s",
            what=self.speaking.what,
            start=round(begun, 3),
            end=round(end, 3),
        )

    # ------------------------------------------------------------------------------------------------- the waits

    def wait_for(self, what: What, seconds: float, otherwise: str) -> Told:
        """Return the next of its kind. Raises `PhoneFailed` for a failure or after `seconds`, `Stopped`."""
        try:
            return self._watch(what, time.monotonic() + seconds)
        except TimeoutError:
            raise PhoneFailed(otherwise) from None

    def _watch(self, what: What, deadline: float) -> Told:
        while (told := self._next(deadline)).what != what:
            pass
        return told

    def _next(self, deadline: float) -> Told:
        """Return what is told next. Raises `PhoneFailed` for a failure, `TimeoutError` at the deadline, `Stopped`."""
        while True:
            if self.stopping.is_set():
                self.stopping.clear()  # so that the orderly end may wait again
                raise Stopped
            remaining = deadline - time.monotonic()
            try:
                told = self.told.get(timeout=max(0.0, min(POLL_S, remaining)))
            except queue.Empty:
                if remaining <= 0:
                    raise TimeoutError from None
                continue
            if told.what in FAILURES:
                raise PhoneFailed(told.reason, told.status)
            return told

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the call in order, where this thread may say so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in kept:
            signal.signal(number, lambda *_: self.stopping.set())
        try:
            yield
        finally:
            for number, before in kept.items():
                signal.signal(number, before)
