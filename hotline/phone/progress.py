"""What the command-line phone tells while it runs: JSON lines for programs, sentences and a level for people."""

import json
import sys
import threading
import time
from typing import Final, Literal

PhoneEvent = Literal["registered", "listening", "ringing", "answered", "pressed", "speaking", "ended"]

METER_DB: Final = 60.0
METER_CELLS: Final = 20
METER_EVERY_S: Final = 0.2
BLOCKS: Final = "█"


class Progress:
    """Tells events as they come, from any thread. A terminal also gets a living last line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._live = not as_json and sys.stdout.isatty()
        self._line_shown = False
        self._metered_at = 0.0
        self._lock = threading.Lock()

    def event(self, event: PhoneEvent, told: str, **fields: object) -> None:
        """Tell an event; `told` is its sentence. In JSON `at` is now, in seconds since the epoch."""
        if self._as_json:
            told = json.dumps({"event": event, "at": round(time.time(), 3), **fields}, ensure_ascii=False)
        self._write(told)

    def say(self, told: str) -> None:
        """Tell people, not programs."""
        if not self._as_json:
            self._write(told)

    def meter(self, elapsed_s: float, level_dbfs: float, packets: int) -> None:
        """Show on a terminal how long the call lasts and how loud the far end is; call it as often as you like."""
        now = time.monotonic()
        if not self._live or now - self._metered_at < METER_EVERY_S:
            return
        self._metered_at = now
        cells = round(max(0.0, min(1.0, 1 + level_dbfs / METER_DB)) * METER_CELLS)
        heard = f"I hear {BLOCKS * cells:<{METER_CELLS}} {level_dbfs:4.0f} dB" if packets else "I hear nothing yet"
        with self._lock:
            sys.stdout.write(f"\r\x1b[K{int(elapsed_s) // 60:02d}:{int(elapsed_s) % 60:02d}  {heard}")
            sys.stdout.flush()
            self._line_shown = True

    def _write(self, line: str) -> None:
        with self._lock:
            sys.stdout.write(f"\r\x1b[K{line}\n" if self._line_shown else f"{line}\n")
            sys.stdout.flush()
            self._line_shown = False
