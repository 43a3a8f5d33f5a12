"""On which processors a process runs, and before whom."""

import logging
import os

log = logging.getLogger("hotline.media")


def keep_to(cores: tuple[int, ...]) -> None:
    """Run on these processors alone; where that cannot be, on all, with a line in the log."""
    if not cores:
        return
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        there = ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))
        log.warning(
            "cores_not_kept cores=%s cause=%r mend='media.cores may name these: %s'",
            ",".join(str(core) for core in cores),
            str(error),
            there,
        )


def go_before(nice: int) -> None:
    """Run with this priority; where it may not be raised, with the one there is, and a line in the log."""
    if not nice:
        return
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError as error:
        log.warning(
            "priority_not_set nice=%d cause=%r mend='give the service the capability CAP_SYS_NICE "
            "(systemd: AmbientCapabilities=CAP_SYS_NICE), or set media.nice to 0'",
            nice,
            str(error),
        )
