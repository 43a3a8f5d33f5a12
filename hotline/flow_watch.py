"""Flows that change while the server runs: a sound folder takes the place of the old one as a whole; one that is not is
refused, and says why. Running calls keep the flow that they began with."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ivr_flows.flow import Flow
from telephony.edge.alarms import Alarms

EVERY_S: Final = 1.0
ALARM: Final = "flows"
WATCHED: Final = (".yaml", ".wav")

Stamp = tuple[tuple[str, int, int], ...]

log = structlog.get_logger("hotline.flows")


@dataclass(slots=True)
class FlowWatch:
    """Looks at a folder of flows. `load` reads it, and raises for one that is not sound; `publish` takes new flows.
    `seen` is its stamp from before the present flows were read, so that nothing is missed that changed since."""

    folder: Path
    load: Callable[[], Mapping[str, Flow]]
    publish: Callable[[Mapping[str, Flow]], None]
    alarms: Alarms
    seen: Stamp

    async def watch(self) -> None:
        """Look for ever. What is written file by file (a checkout, say) is read once nothing changes any more."""
        before = self.seen
        while True:
            await asyncio.sleep(EVERY_S)
            now = await asyncio.to_thread(stamp_of, self.folder)
            if now != self.seen and now == before:
                self.seen = now
                await self.renew()
            before = now

    async def renew(self) -> None:
        """Read the folder, and publish it or refuse it."""
        try:
            flows = await asyncio.to_thread(self.load)
        except Exception as error:
            log.error("the changed flows are refused, and the old ones kept", cause=str(error))
            mend = f"mend them (hotline flow check {self.folder}/*.yaml); calls go through the old ones meanwhile"
            self.alarms.over(ALARM)  # another fault is another alarm
            self.alarms.stand(ALARM, f"The changed flows are refused: {error}", mend)
            return
        self.publish(flows)
        self.alarms.over(ALARM)
        log.info("flows published", versions={name: flow.version for name, flow in flows.items()})


def stamp_of(folder: Path) -> Stamp:
    """Return what tells a folder's flows, prompts and sounds from what they were before."""
    found = []
    try:
        paths = [path for path in folder.iterdir() if path.suffix in WATCHED]
    except OSError:
        return ()
    for path in sorted(paths):
        try:
            status = path.stat()
        except OSError:
            continue  # it went between being named and being looked at: the next look tells
        found.append((path.name, status.st_mtime_ns, status.st_size))
    return tuple(found)
