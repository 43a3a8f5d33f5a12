"""How long a call that came now would wait.

Estimated wait = handle time x (calls to be served first, and this one) / agents at work: the field's usual formula.
The handle time is a running mean that begins at `HANDLE_TIME_UNKNOWN_S` and forgets slowly. Calibration against what
callers really waited, and better models, belong here.
"""

from dataclasses import dataclass
from typing import Final

HANDLE_TIME_UNKNOWN_S: Final = 90.0
NEWEST_WEIGHT: Final = 0.1


@dataclass(slots=True)
class HandleTime:
    """A queue's mean handle time (talk and after-call work), in seconds."""

    mean_s: float = HANDLE_TIME_UNKNOWN_S

    def add(self, handled_s: float) -> None:
        """Count one handled call."""
        self.mean_s += NEWEST_WEIGHT * (handled_s - self.mean_s)


def estimated_wait_s(handle_time_s: float, waiting: int, ready: int, staffed: int) -> float | None:
    """Return seconds, 0 when somebody is free for the call, `None` when nobody is staffed."""
    if staffed == 0:
        return None
    if ready > waiting:
        return 0.0
    return handle_time_s * (waiting - ready + 1) / staffed
