"""rfcvoip (GPL-3.0) as a phone in a process of its own: commands come by standard input, events leave as JSON lines.

Run with the account as JSON in the first argument. Nothing else imports this, and it imports nothing of ours.
"""

import json
import ssl
import sys
import threading
import time
import wave
from typing import Any

from rfcvoip.VoIP import CallState, VoIPCall, VoIPPhone

FRAME_S = 0.02


def tell(event: str, **fields: object) -> None:
    """Print an event, in one write."""
    sys.stdout.write("\n" + json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Line:
    """The phone's one call at a time, its tone and what it hears."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._call: VoIPCall | None = None
        self._heard = 0
        context = ssl._create_unverified_context() if settings["transport"] == "tls" else None  # noqa: S323
        self.phone = VoIPPhone(
            settings["host"], settings["port"], settings["user"], settings["password"], myIP=settings["address"],
            sipPort=settings["own_port"], rtpPortLow=settings["own_port"] + 1, rtpPortHigh=settings["own_port"] + 20,
            transport=settings["transport"], tls_context=context, callCallback=self.called, audio_bit_depth=16,
            audio_sample_rate=8000,
        )  # fmt: skip

    def called(self, call: VoIPCall) -> None:
        """A call comes in."""
        self._take(call)
        tell("ringing")

    def dial(self, number: str) -> None:
        """Call a number."""
        self._take(self.phone.call(number))

    def _take(self, call: VoIPCall) -> None:
        self._call = call
        threading.Thread(target=self._talk, args=(call,), daemon=True).start()

    def _talk(self, call: VoIPCall) -> None:
        while call.state in (CallState.DIALING, CallState.RINGING):
            time.sleep(0.01)
        if call.state == CallState.ANSWERED:
            tell("answered")
            self._heard += 1
            self._speak_and_listen(call, f"{self._settings['heard']}-{self._heard}.wav")
        tell("ended")

    def _speak_and_listen(self, call: VoIPCall, path: str) -> None:
        with wave.open(self._settings["plays"], "rb") as source, open(path, "wb", buffering=0) as heard:
            heard.write(b"\0" * 44)  # read while it grows, so that a header would never be right
            due = time.monotonic()
            while call.state == CallState.ANSWERED:
                frame = source.readframes(int(8000 * FRAME_S))
                if frame:
                    call.write_audio(frame)
                heard.write(call.read_audio(int(8000 * FRAME_S) * 2, blocking=False))
                due += FRAME_S
                time.sleep(max(0.0, due - time.monotonic()))

    def command(self, name: str, params: str) -> None:
        """Do what a line of the standard input says."""
        if name == "dial":
            self.dial(params)
        elif self._call is None:
            tell("failed", reason="there is no call")
        elif name == "answer":
            self._call.answer()
        elif name == "press":
            self._call.send_dtmf(params)
        elif self._call.state == CallState.ANSWERED:
            self._call.hangup()
        else:
            self._call.cancel()


def main() -> None:
    """Serve until the standard input ends."""
    line = Line(json.loads(sys.argv[1]))
    line.phone.start()
    tell("started")
    for text in sys.stdin:
        name, _, params = text.strip().partition(" ")
        line.command(name, params)
    line.phone.stop()


if __name__ == "__main__":
    main()
