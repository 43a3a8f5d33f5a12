"""The process that `hotline bench signalling` measures: SIP edge, endpoint, and a user that answers every INVITE.

`python signalling_server.py udp|tcp|tls FOLDER` listens on loopback, prints the address that it has as one line of
JSON, and then, for every line it reads, its figures as another. FOLDER is for the certificate.
"""

import asyncio
import json
import resource
import secrets
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import uvloop

from hotline import tls
from hotline.handshake import over_tls
from telephony import sdp
from telephony.edge import collector
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.edge.stream import SipStreams
from telephony.events import Answer, DialogConfirmed, DialogEnded, InviteReceived, Reject, SipEvent
from telephony.sip.endpoint import Endpoint, EndpointSettings

HOST: Final = "127.0.0.1"
RTP_PORT: Final = 40_000


class User:
    """Answers every INVITE, with what `telephony.sdp` makes of the offer, and counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._media = sdp.Capabilities(HOST, RTP_PORT, 1)
        self._clock = ProcessClock()
        settings = EndpointSettings((HOST, 0))
        endpoint = Endpoint(settings, lambda _: (), secrets.token_hex, lambda: secrets.token_hex(16))
        self.edge = SipEdge(endpoint, self._clock, self._on_events)

    async def listen(self, transport: str, folder: Path) -> tuple[str, int]:
        """Listen, and return the address."""
        if transport == "udp":
            return await self.edge.start(HOST, 0)
        streams = SipStreams(self.edge, self._clock)
        if transport == "tls":
            context = tls.server_context(tls.ensure(folder, [HOST], self._clock.now()))
            own = await streams.listen("TLS", HOST, 0, lambda make: over_tls(make, context))
        else:
            own = await streams.listen("TCP", HOST, 0)
        self.edge.begin()
        return own

    def _on_events(self, events: list[SipEvent]) -> None:
        for event in events:
            if isinstance(event, InviteReceived):
                self._answer(event)
            elif isinstance(event, DialogConfirmed):
                self.counts["confirmed"] += 1
            elif isinstance(event, DialogEnded):
                self.counts[event.ending] += 1

    def _answer(self, event: InviteReceived) -> None:
        try:
            answer = sdp.answer(event.sdp, self._media).sdp
        except sdp.SdpError as error:
            self.edge.perform(Reject(event.dialog, error.status))
        else:
            self.edge.perform(Answer(event.dialog, answer))

    def figures(self) -> dict[str, object]:
        """Return what this process has used, and what the endpoint holds and has seen."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        lines = Path("/proc/self/status").read_text().splitlines()
        transactions, dialogs, deadlines = self.edge.endpoint.load()
        return {
            "cpu_s": used.ru_utime + used.ru_stime,
            "memory_kb": next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")),
            "transactions": transactions,
            "dialogs": dialogs,
            "deadlines": deadlines,
            "counts": dict(self.counts),
            "turned_away": self.edge.endpoint.overload.turned_away,
        }


async def serve(transport: str, folder: Path) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    user = User()
    address = await user.listen(transport, folder)
    collector.look_rarely()  # as `hotline serve` does
    print(json.dumps(address), flush=True)  # noqa: T201
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    while await asked.readline():
        print(json.dumps(user.figures()), flush=True)  # noqa: T201


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1], Path(sys.argv[2])))
