"""Calls coming and going for an hour: `make soak` (SECONDS=3600).

One worker; waves of calls, a kind after the other. Every wave's audio is judged as in `bench.media`, and its legs are
closed. Then memory and open files are read: a straight line through what came after the warm-up must not climb by more
than `MAX_KB_PER_HOUR`.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.media import CASES, Run, Worker, worker
from telephony.edge import opus_library

WAVE_S: Final = 5.0
WARM_UP_SHARE: Final = 0.25
MAX_KB_PER_HOUR: Final = 4096.0
MAX_LEGS: Final = 200
KINDS: Final = {"prompt": 40, "bridge_recorded": 40, "srtp": 20, "conference": 20, "g711_opus": 8, "keys": 20}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 where audio was lost or wrong, or memory or descriptors climb."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    seconds = parser.parse_args(arguments).seconds
    kinds = [kind for kind in KINDS if kind != "g711_opus" or opus_library.find() is not None]
    samples: list[tuple[float, int, int]] = []
    faults = calls = 0
    with tempfile.TemporaryDirectory() as folder, worker(MAX_LEGS) as on:
        begun = time.monotonic()
        number = 0
        while (passed := time.monotonic() - begun) < seconds or len(samples) < 4:
            kind = kinds[number % len(kinds)]
            row = _wave(on, kind, number, Path(folder))
            number += 1
            calls += KINDS[kind]
            samples.append((time.monotonic() - begun, on.memory_kb(), on.descriptors()))
            faults += _fault(row)
            print(f"{passed:7.0f} s  {kind:16} {samples[-1][1]} kB, {samples[-1][2]} files  {_told(row)}", flush=True)  # noqa: T201
            gc.collect()
    return _judge(samples, calls, faults, seconds)


def _wave(on: Worker, kind: str, number: int, folder: Path) -> dict[str, object]:
    """Open, talk, close."""
    one = Run(kind, CASES[kind], KINDS[kind], folder, prefix=f"{number}-")
    row = one.measure(on, WAVE_S, 1.5)
    on.close(one.legs)
    for spool in folder.glob("*.spool"):
        spool.unlink()
    return row


def _told(row: dict[str, object]) -> str:
    names = ("delivery", "late", "lost", "wrong", "foreign", "load_late_ms")
    return " ".join(f"{name}={row[name]}" for name in names)


def _fault(row: dict[str, object]) -> int:
    """1 for wrong audio that time does not explain. A tick of each leg may be faded into the next: playout settles as
    long as a wave lasts."""
    faded = KINDS[str(row["case"])]
    in_time = row["late"] == 0 and float(str(row["load_late_ms"])) < 10 and float(str(row["spacing_p999_ms"])) < 35
    return int(row["foreign"] != 0 or row["lost"] != 0 or (in_time and int(str(row["wrong"])) > faded))


def _judge(samples: list[tuple[float, int, int]], calls: int, faults: int, seconds: float) -> int:
    at, memory, files = np.array(samples, np.float64).T
    settled = at >= WARM_UP_SHARE * at[-1]
    slope = 3600 * np.polyfit(at[settled], memory[settled], 1)[0]
    # The line's own uncertainty, so that a short run is not judged by its noise.
    rest = memory[settled] - np.polyval(np.polyfit(at[settled], memory[settled], 1), at[settled])
    spread = 3600 * rest.std() / (at[settled].std() * max(1.0, np.sqrt(settled.sum())))
    climbs = slope - 3 * spread > MAX_KB_PER_HOUR
    # Once every kind has been there, prompts that stay mapped among them, nothing more is to stay open.
    leaks = files.max() > files[: len(KINDS)].max()
    print(  # noqa: T201
        f"{calls} calls in {at[-1]:.0f} s: {memory[0]:.0f} kB after the first, {memory[-1]:.0f} at the end, "
        f"{slope:.0f} (+/- {spread:.0f}) kB an hour; files {files[0]:.0f} to {files[-1]:.0f}; {faults} waves at fault"
    )
    return int(bool(faults) or bool(climbs) or bool(leaks) or seconds <= 0)


if __name__ == "__main__":
    raise SystemExit(main())
