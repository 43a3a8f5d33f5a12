"""rfcvoip, a maintained fork of pyVoIP, in a process of its own."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.end_to_end.phones.phone import Phone

_EVENT: Final = re.compile(r'\{"event": "(ringing|answered|ended)"')
PROCESS: Final = Path(__file__).parent / "rfc_voip_process.py"


@dataclass
class RfcVoip(Phone):
    """It registers, calls and is called, and presses keys by RFC 4733; it has no hold and no transfer."""

    _ringing: bool = False
    _answered: bool = False

    def start(self) -> None:
        settings = asdict(self.account) | {
            "own_port": self.port, "address": self.address, "plays": str(self.plays()),
            "heard": str(self.folder / "heard"),
        }  # fmt: skip
        self.launch([sys.executable, str(PROCESS), json.dumps(settings)], self._follow)

    def _follow(self, line: str) -> None:
        for event in _EVENT.findall(line):  # what its library prints from other threads may stand beside them
            self._ringing, self._answered = event == "ringing", event == "answered"

    def _command(self, text: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def leave(self, process: subprocess.Popen[bytes]) -> None:
        """It unregisters when its standard input ends."""
        assert process.stdin is not None
        process.stdin.close()

    def dial(self, number: str) -> None:
        self._command(f"dial {number}")

    def rings(self) -> bool:
        return self._ringing

    def answer(self) -> None:
        self._command("answer")

    def talks(self) -> bool:
        return self._answered

    def calls_there_are(self) -> int:
        return int(self._ringing or self._answered)

    def hang_up(self) -> None:
        self._command("hangup")

    def press(self, keys: str) -> None:
        """Press keys."""
        self._command(f"press {keys}")

    def recordings(self) -> list[Path]:
        return sorted(self.folder.glob("heard-*.wav"), key=lambda path: int(path.stem.partition("-")[2]))
