"""The line of the command-line phone: pyVoIP 1.6.8's phone and audio with their faults mended.

What is mended of the audio: 16-bit samples go into G.711 and come out of it (there 8 bits, which is noise at -48 dB);
packets leave on absolute deadlines (there each sleep's lateness adds up); A-law is A-law; sequence numbers wrap; RTP
ports are the system's to choose; an answered call has one audio stream, whatever the SDP repeats. Keys of the
script are tones in the audio; those of a `keypad` are telephone events (RFC 4733), which pyVoIP does not send.
"""

import audioop
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from hotline.phone.audio import Ear
from hotline.phone.dialog import LineError, Told
from hotline.phone.keypad import Keypad, Press
from hotline.phone.mouth import Mouth
from hotline.phone.pyvoip import RTP, SIP, CallState, VoIPCall, VoIPPhone
from hotline.phone.script import Mark, Script
from hotline.phone.sip import Medias, Signalling
from telephony.clock import SAMPLES_PER_TICK, TICK_S

MAX_PACKET: Final = 2048
POLL_S: Final = 0.1
TELEPHONE_EVENT: Final = 101
WIDTH: Final = 2
TO_LAW: Final = {RTP.PayloadType.PCMU: audioop.lin2ulaw, RTP.PayloadType.PCMA: audioop.lin2alaw}
FROM_LAW: Final = {RTP.PayloadType.PCMU: audioop.ulaw2lin, RTP.PayloadType.PCMA: audioop.alaw2lin}

UNREADABLE: Final = (KeyError, ValueError, IndexError, AttributeError, RTP.RTPParseError)
"""What pyVoIP's reading of an SDP lets through."""

OnMark = Callable[[Mark], None]


class Audio(RTP.RTPClient):
    """One RTP stream each way, from the answer to the end of the call."""

    def __init__(self, line: "Line", assoc: dict[int, RTP.PayloadType], port: int, far_end: tuple[str, int]) -> None:
        super().__init__(assoc, line.myIP, port, *far_end, RTP.TransmitType.SENDRECV)
        self._line = line
        self._threads: list[threading.Thread] = []
        self._pressed_at = 0
        self.sent = 0
        self.ear = Ear(time.monotonic())

    def start(self) -> None:
        """Send and receive, each in a thread of its own. A second call does nothing: a re-INVITE makes none anew."""
        if self._threads:
            return
        self.sin = self.sout = self._line.take_socket(self.inPort)
        self.ear = Ear(time.monotonic())
        self._threads = [threading.Thread(target=work, name="RTP", daemon=True) for work in (self.recv, self.trans)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads; each looks at least every tenth of a second."""
        self.NSD = False
        for thread in self._threads:
            thread.join()
        if self._threads:
            self.sin.close()
            self._threads = []

    def recv(self) -> None:
        """Take packets until `stop`."""
        while self.NSD:
            with contextlib.suppress(OSError):  # the far end's port is closed
                if select.select([self.sin], [], [], POLL_S)[0]:
                    packet = self.sin.recv(MAX_PACKET)
                    # What is not RTP, or of a kind that was not negotiated, is not for the ear.
                    with contextlib.suppress(RTP.RTPParseError, IndexError, TypeError):
                        self._hear(RTP.RTPMessage(packet, self.assoc))

    def _hear(self, message: RTP.RTPMessage) -> None:
        decode = FROM_LAW.get(message.payload_type)
        if decode is not None:
            self.ear.hear(message.timestamp, decode(message.payload, WIDTH), time.monotonic())

    def trans(self) -> None:
        """Send a packet every 20 ms until `stop`, at begin + n * 20 ms whatever the n before cost."""
        begin = time.monotonic()
        presses = self._line.keypad.ticks()
        for tick, (pcm, marks) in enumerate(self._line.script.ticks()):
            delay = begin + tick * TICK_S - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            if not self.NSD:
                return
            for mark in marks:
                self._line.on_mark(mark)
            press = next(presses)
            if press is not None and press.begins:
                self._line.on_mark(Mark(tick * SAMPLES_PER_TICK, "pressed", press.key))
            packet = self._packet(tick, self._spoken(pcm)) if press is None else self._event(tick, press)
            with contextlib.suppress(OSError):  # the far end's port is closed
                self.sout.sendto(packet, (self.outIP, self.outPort))
                self.sent += 1

    def _spoken(self, pcm: bytes) -> bytes:
        said = self._line.mouth.tick()
        return pcm if said is None else said.tobytes()

    def _event(self, tick: int, press: Press) -> bytes:
        """Return a key's packet: all of one key have the timestamp of its begin (RFC 4733 section 2.5.1.1)."""
        if press.begins:
            self._pressed_at = tick
        number = next((number for number, kind in self.assoc.items() if kind == RTP.PayloadType.EVENT), TELEPHONE_EVENT)
        return self._header(tick, self._pressed_at, number, marker=press.begins) + press.payload

    def _packet(self, tick: int, pcm: bytes) -> bytes:
        """Return an RTP packet (RFC 3550 section 5.1), with the marker of RFC 3551 section 4.1 on the first."""
        header = self._header(tick, tick, int(self.preference), marker=tick == 0)
        return header + TO_LAW[self.preference](pcm, WIDTH)

    def _header(self, tick: int, began: int, kind: int, *, marker: bool) -> bytes:
        sequence = (self.outSequence + tick) & 0xFFFF
        timestamp = (self.outTimestamp + began * SAMPLES_PER_TICK) & 0xFFFFFFFF
        header = bytes((0x80, kind | (0x80 if marker else 0))) + sequence.to_bytes(2, "big")
        return header + timestamp.to_bytes(4, "big") + self.outSSRC.to_bytes(4, "big")


class Call(VoIPCall):
    """A call with one audio stream. pyVoIP reads the SDP and negotiates."""

    phone: "Line"

    def create_rtp_clients(
        self, codecs: dict[int, RTP.PayloadType], ip: str, port: int, request: SIP.SIPMessage, baseport: int
    ) -> None:
        """Make the audio stream; whatever comes after the first m-line of audio is left alone."""
        del ip
        if self.RTPClients:
            return
        usable = {number: kind for number, kind in codecs.items() if kind in TO_LAW or kind == RTP.PayloadType.EVENT}
        if not any(kind in TO_LAW for kind in usable.values()):
            raise LineError("the far end speaks neither PCMU nor PCMA")
        self.RTPClients.append(Audio(self.phone, usable, port, (request.body["c"][-1]["address"], baseport)))

    @property
    def audio(self) -> Audio:
        """The stream; there is one from the SDP on. Raises `LineError`."""
        if not self.RTPClients or not isinstance(self.RTPClients[0], Audio):
            raise LineError("the far end offers no audio")
        return self.RTPClients[0]

    def moved(self, message: SIP.SIPMessage) -> None:
        """Send to where a re-INVITE says that the far end is."""
        if message.body.get("m"):
            self.audio.outIP, self.audio.outPort = message.body["c"][-1]["address"], message.body["m"][0]["port"]

    def stop_audio(self) -> None:
        """End the stream, if any."""
        for stream in self.RTPClients:
            stream.stop()

    def __del__(self) -> None:
        """Ports are the system's: there is none to release."""


class Line(VoIPPhone):
    """A phone on one server, with at most one call. `tell` is called from the line's threads."""

    sip: Signalling

    def __init__(
        self,
        server: tuple[str, int],
        user: str,
        password: str,
        caller: str,
        script: Script,
        tell: Callable[[Told], None],
        on_mark: OnMark,
        listen: tuple[str, int] | None = None,
    ) -> None:
        """Without `listen` the system chooses where the phone is called."""
        host, port = server
        my_ip, my_port = listen or (own_address(host, port), 0)
        super().__init__(host, port, user, password, my_ip)
        self.script = script
        self.on_mark = on_mark
        self.keypad = Keypad()
        self.mouth = Mouth()
        self._sockets: dict[int, socket.socket] = {}
        self.sip = Signalling(self, host, port, user, password, caller, (my_ip, my_port), tell)

    def start(self) -> None:
        """Open the line; nothing is sent, and nobody registered. Raises `OSError`."""
        self.sip.start()
        self.NSD = True

    def stop(self, failed: bool = False) -> None:
        """Close the line."""
        del failed
        for call in self.calls.values():
            if isinstance(call, Call):
                call.stop_audio()
        self.calls.clear()
        self.sip.stop()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def request_port(self, blocking: bool = True) -> int:
        """Bind an RTP socket to a port that the system chooses, and keep it."""
        del blocking
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((self.myIP, 0))
        port: int = sock.getsockname()[1]
        self._sockets[port] = sock
        return port

    def take_socket(self, port: int) -> socket.socket:
        """Hand over the socket of a port."""
        return self._sockets.pop(port)

    def call(self, number: str) -> Call:
        """Dial."""
        port = self.request_port()
        kinds: dict[int, RTP.PayloadType] = {
            0: RTP.PayloadType.PCMU,
            8: RTP.PayloadType.PCMA,
            TELEPHONE_EVENT: RTP.PayloadType.EVENT,
        }
        medias: Medias = {port: kinds}
        dialled = self.sip.dial(number, medias)
        return self._keep(
            Call(self, CallState.DIALING, dialled.message, dialled.session, self.myIP, medias, "sendrecv")
        )

    def take(self, message: SIP.SIPMessage) -> Call:
        """Make a call of the INVITE that came. Raises `LineError` for one that offers nothing we speak."""
        try:
            call = Call(self, CallState.RINGING, message, 1, self.myIP, sendmode="sendrecv")
        except UNREADABLE as error:
            raise LineError(f"an offer that pyVoIP cannot read: {error!r}") from error
        call.audio  # noqa: B018 - raises where the offer has none, before anybody answers
        return self._keep(call)

    def connect(self, call: Call, message: SIP.SIPMessage) -> None:
        """Our call was answered: both can hear each other from here on. Raises `LineError`."""
        try:
            call.answered(message)
        except UNREADABLE as error:
            raise LineError(f"an answer that pyVoIP cannot read: {error!r}") from error
        call.audio.start()

    def accept(self, call: Call) -> None:
        """Answer a call that came; both can hear each other from here on."""
        self.sip.accept(call.session_id, {call.audio.inPort: call.audio.assoc})
        call.audio.start()
        call.state = CallState.ANSWERED

    def _keep(self, call: Call) -> Call:
        self.calls[call.call_id] = call
        return call


def own_address(host: str, port: int) -> str:
    """Return the address of ours that the server sees. Raises `OSError`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        address: str = probe.getsockname()[0]
    return address


def resolve(server: str, default_port: int = 5060) -> tuple[str, int]:
    """Return the IPv4 address and the port of `HOST[:PORT]`. Raises `LineError`."""
    host, _, port = server.rpartition(":") if ":" in server else (server, "", str(default_port))
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise LineError(f"--server {server!r}: write HOST or HOST:PORT")
    try:
        found: list[Any] = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise LineError(f"--server {server!r}: {host} has no IPv4 address ({error})") from error
    return found[0][4][0], found[0][4][1]
