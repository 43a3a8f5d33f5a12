"""Alarms: what somebody has to mend soon, told to the supervisors' page and the log, once and not for every call."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

SAME_S: Final = 60.0
OLD_S: Final = 3600.0
LOOK_EVERY_S: Final = 10.0
CLEAR_FACTOR: Final = 1.1
"""So much more than the bound must be free before an alarm is over: a bound is not crossed back and forth all day."""

log = structlog.get_logger("hotline.alarms")


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong, and what mends it."""

    kind: str
    text: str
    mend: str
    at: float


@dataclass(slots=True)
class Alarms:
    """`publish` tells listeners; an alarm of the same kind is told again after `SAME_S` at the earliest."""

    publish: Callable[[str, dict[str, object]], None]
    now: Callable[[], float]
    _happened: dict[str, Alarm] = field(default_factory=dict)
    _standing: dict[str, Alarm] = field(default_factory=dict)

    def present(self) -> list[Alarm]:
        """Return what stands, and what happened of late, newest first."""
        late = self.now() - OLD_S
        recent = [alarm for alarm in self._happened.values() if alarm.at > late]
        return sorted([*recent, *self._standing.values()], key=lambda alarm: -alarm.at)

    def tell(self, kind: str, text: str, mend: str) -> None:
        """Tell of something that happened."""
        last = self._happened.get(kind)
        if last is None or self.now() - last.at >= SAME_S:
            self._happened[kind] = self._raised(kind, text, mend)

    def stand(self, kind: str, text: str, mend: str) -> None:
        """Tell of something that lasts, once, until it is over."""
        if kind not in self._standing:
            self._standing[kind] = self._raised(kind, text, mend)

    def over(self, kind: str) -> None:
        """It is over."""
        if self._standing.pop(kind, None) is not None:
            log.info("alarm over", kind=kind)
            self.publish("alarm.cleared", {"kind": kind})

    def _raised(self, kind: str, text: str, mend: str) -> Alarm:
        log.error("alarm", kind=kind, text=text, mend=mend)
        self.publish("alarm.raised", {"kind": kind, "text": text, "mend": mend})
        return Alarm(kind, text, mend, self.now())


def look_at_disk(alarms: Alarms, folder: Path, low_octets: int, free: int) -> None:
    """Compare what is free on the disk of the recordings with what there should be."""
    if free < low_octets:
        text = f"{free >> 20} MiB are free for recordings in {folder}"
        alarms.stand("disk_low", text, "make room there, or set recordings.store to another disk")
    elif free > low_octets * CLEAR_FACTOR:
        alarms.over("disk_low")


async def watch_disk(alarms: Alarms, folder: Path, low_octets: int) -> None:
    """Look at the disk of the recordings again and again, until cancelled."""
    while True:
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, folder)
        except OSError as error:
            mend = "mount it again, or correct recordings.store"
            alarms.stand("disk_gone", f"{folder} cannot be read: {error}", mend)
        else:
            alarms.over("disk_gone")
            look_at_disk(alarms, folder, low_octets, usage.free)
        await asyncio.sleep(LOOK_EVERY_S)
