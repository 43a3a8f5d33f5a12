"""WebRTC transports of the media worker: ICE and DTLS by aiortc, SRTP by libsrtp, datagrams by the tick.

Rule 1: aiortc sees the set-up of a leg and what keeps it alive, never its media. Every datagram is read by the media
loop, and sorted by its first octet (RFC 7983): STUN and DTLS go to aiortc, SRTP through `open` into the tick's rows.

Rule 2: aiortc's coroutines run on `TickLoop`, an event loop that owns no sockets and runs only when the media loop
turns it. So there is one thread, and no task is woken for a packet of media.

Rule 3: one certificate for all legs of a worker; its fingerprint is in every SDP. The far end's must be the one of its
SDP, or nothing is heard and nothing is said.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final

import aioice.ice
import pylibsrtp
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp, candidate_to_sdp

from telephony.events import WebRtc
from telephony.media.latch import Address

SET_UP_S: Final = 15.0
"""ICE and DTLS take well under a second; whoever needs longer is not there."""
TURNS: Final = 6
"""A datagram wakes a task that wakes a task: so many steps are taken at once."""
MAX_UNREAD: Final = 64
"""DTLS datagrams that may wait for the handshake; more is a flood."""

log = logging.getLogger("hotline.media")

Bind = Callable[[str], socket.socket]
Forget = Callable[[socket.socket], None]


class Endpoint(asyncio.DatagramTransport):
    """What aioice takes for asyncio's transport: one of the media loop's sockets."""

    def __init__(self, udp: socket.socket, protocol: asyncio.DatagramProtocol, forget: Forget) -> None:
        super().__init__()
        self.udp = udp
        self.protocol = protocol
        self._forget = forget
        self._closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the socket's name; nobody is to change its options."""
        return self.udp.getsockname() if name == "sockname" else default

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Send now or not at all: STUN and DTLS repeat what is lost."""
        if not self._closed:
            with contextlib.suppress(OSError):
                self.udp.sendto(data, addr)

    def close(self) -> None:
        """Close the socket; the protocol hears of it in the next turn."""
        if not self._closed:
            self._closed = True
            self._forget(self.udp)
            self.udp.close()
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close


class TickLoop(asyncio.SelectorEventLoop):
    """An event loop that somebody else turns, and whose datagram endpoints are somebody else's sockets.

    `bind(address)` returns a new socket that is read by whoever turns the loop; `forget(socket)` says that it closes.
    """

    def __init__(self, bind: Callable[["WebRtcLeg", str], socket.socket], forget: Forget) -> None:
        super().__init__()
        self._bind = bind
        self._forget = forget
        self.set_exception_handler(_ignored)

    async def create_datagram_endpoint(  # type: ignore[override]  # what aioice asks for, and no more
        self, protocol_factory: Callable[[], asyncio.DatagramProtocol], local_addr: Any = None, **_: Any
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Return an endpoint over a socket of the media loop, for the leg whose task this is. Raises `OSError`."""
        leg = _LEG.get()
        udp = self._bind(leg, local_addr[0])
        protocol = protocol_factory()
        endpoint = Endpoint(udp, protocol, self._forget)
        leg.endpoints[udp.fileno()] = endpoint
        protocol.connection_made(endpoint)
        return endpoint, protocol

    def turn(self, times: int = 1) -> None:
        """Run what is ready and due, and return."""
        for _ in range(times):
            self.call_soon(self.stop)
            self.run_forever()


def _ignored(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """aioice and OpenSSL read what strangers send; whatever they trip over is theirs."""
    log.debug("webrtc_datagram_ignored cause=%r", str(context.get("exception") or context.get("message")))


_LEG: ContextVar["WebRtcLeg"] = ContextVar("leg")


class WebRtcLeg:
    """The transport of one leg, from gathering to close.

    `connected` once both sides may speak; then `open` and `seal` turn SRTP into RTP and back. `done` is called once,
    when the set-up has come to its end, whichever it is.
    """

    def __init__(self, loop: TickLoop, name: str, row: int, certificate: RTCCertificate, *, offers: bool) -> None:
        self.name = name
        self.row = row
        self.endpoints: dict[int, Endpoint] = {}
        self.connected = False
        self.closed = False
        self.rejected = 0
        """Packets that were not the far end's, or came twice."""
        self.far_end: Address = ("", 0)
        self._loop = loop
        self._certificate = certificate
        self._offers = offers
        self._task: asyncio.Task[None] | None = None
        self._ice: RTCIceTransport | None = None
        self._dtls: RTCDtlsTransport | None = None
        self._receiving: pylibsrtp.Session | None = None
        self._sending: pylibsrtp.Session | None = None
        self._udp: socket.socket | None = None

    # ------------------------------------------------------------------------------------------------ set-up

    def gather(self, done: Callable[[WebRtc | None], None]) -> None:
        """Bind sockets; `done` gets what belongs into our SDP, None when there is no address to be reached at."""

        async def work() -> None:
            gatherer = RTCIceGatherer(iceServers=[])
            self._ice = RTCIceTransport(gatherer)
            # Set before any check: aiortc leaves it to its peer connection (RFC 8445 section 6.1.1).
            self._ice._connection.ice_controlling = self._offers
            self._dtls = RTCDtlsTransport(self._ice, [self._certificate])
            await gatherer.gather()
            candidates = tuple(candidate_to_sdp(each) for each in gatherer.getLocalCandidates())
            own = gatherer.getLocalParameters()
            described = WebRtc(
                own.usernameFragment or "",
                own.password or "",
                candidates,
                f"sha-256 {fingerprint(self._certificate)}",
            )
            done(described if candidates else None)

        self._start(work())

    def connect(self, theirs: WebRtc) -> None:
        """Begin ICE and DTLS with the far end of an SDP; said again, it changes nothing."""
        if self._task is None and not self.closed and self._dtls is not None and self._dtls.state == "new":
            self._start(self._connect(theirs))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            _LEG.set(self)
            try:
                async with asyncio.timeout(SET_UP_S):
                    await work
            except TimeoutError:
                log.warning("webrtc_not_connected leg=%s after_s=%d", self.name, SET_UP_S)
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("webrtc_failed leg=%s", self.name)
            finally:
                self._task = None

        self._task = self._loop.create_task(run())

    async def _connect(self, theirs: WebRtc) -> None:
        ice, dtls = self._ice, self._dtls
        if ice is None or dtls is None:
            return
        for candidate in filter(None, map(_candidate, theirs.candidates)):
            await ice.addRemoteCandidate(candidate)
        connection = ice._connection
        while not (connection.remote_candidates or connection._early_checks):  # noqa: ASYNC110 - aioice has no event
            # All that the far end says of itself are names (mDNS): it will be known by where its checks come from.
            await asyncio.sleep(0.02)
        await ice.start(RTCIceParameters(usernameFragment=theirs.ufrag, password=theirs.password))
        if ice.state != "completed":
            log.warning("webrtc_not_connected leg=%s cause='no way was found to the far end (ICE)'", self.name)
            return
        # RFC 8842 section 5.3: whoever is active is DTLS's client; to our offer an answer is never actpass.
        is_server = theirs.setup == "active" or (self._offers and theirs.setup == "actpass")
        dtls._set_role("server" if is_server else "client")
        algorithm, _, digits = theirs.fingerprint.partition(" ")
        dtls.on("statechange", self._on_dtls_state)
        await dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm=algorithm, value=digits)]))
        pair = connection._nominated.get(1)
        if dtls.state != "connected" or pair is None:
            log.warning("webrtc_not_connected leg=%s cause='the encryption could not be agreed on (DTLS)'", self.name)
            return
        self._receiving, self._sending = dtls._rx_srtp, dtls._tx_srtp
        endpoint = pair.protocol.transport
        self._udp = endpoint.udp if isinstance(endpoint, Endpoint) else None
        self.far_end = pair.remote_addr
        self.connected = True

    def _on_dtls_state(self) -> None:
        if self._dtls is not None and self._dtls.state in ("closed", "failed") and self.connected:
            self.connected = False
            log.info("webrtc_disconnected leg=%s", self.name)

    def close(self) -> None:
        """Say goodbye, and free the sockets with the next turns."""
        if not self.closed:
            self.closed, self.connected = True, False
            self._closing = self._loop.create_task(self._close(self._task))

    async def _close(self, setting_up: asyncio.Task[None] | None) -> None:
        if setting_up is not None:
            setting_up.cancel()
            await asyncio.gather(setting_up, return_exceptions=True)
        if self._dtls is not None and self._ice is not None:
            # Everything of a leg is let go of, whatever state it was in.
            with contextlib.suppress(Exception):
                await self._dtls.stop()
            with contextlib.suppress(Exception):
                await self._ice.stop()
            with contextlib.suppress(Exception):
                await self._ice._connection.close()
        for endpoint in list(self.endpoints.values()):
            endpoint.close()
        self.endpoints.clear()

    # ----------------------------------------------------------------------------------------------- datagrams

    def take(self, datagram: bytes, descriptor: int, source: Address) -> bytes | None:
        """Take one datagram of a socket of this leg; return the RTP packet that it was, None for anything else."""
        first = datagram[0] if datagram else 255
        if 128 <= first <= 191:
            return self.open(datagram)
        endpoint = self.endpoints.get(descriptor)
        if endpoint is not None and (first <= 3 or (20 <= first <= 63 and self._has_room())):
            # In the loop, where aioice starts tasks of its own.
            self._loop.call_soon(endpoint.protocol.datagram_received, datagram, source)
        return None

    def _has_room(self) -> bool:
        return self._ice is not None and self._ice._connection._queue.qsize() < MAX_UNREAD

    def open(self, packet: bytes) -> bytes | None:
        """Return the RTP packet in an SRTP packet; None for RTCP (RFC 5761 section 4), and what is forged or old."""
        if self._receiving is None or len(packet) < 12 or 64 <= packet[1] & 0x7F <= 95:
            return None
        try:
            return bytes(self._receiving.unprotect(packet))
        except pylibsrtp.Error:
            self.rejected += 1
            return None

    def send(self, packet: bytes) -> None:
        """Encrypt an RTP packet and send it to the far end; nothing happens before both may speak. Raises `OSError`."""
        if self.connected and self._sending is not None and self._udp is not None:
            self._udp.sendto(self._sending.protect(packet), self.far_end)


def _candidate(text: str) -> RTCIceCandidate | None:
    """Return a candidate that can be reached; names (mDNS) and TCP are none."""
    try:
        candidate = candidate_from_sdp(text)
    except (ValueError, AssertionError, IndexError):
        return None
    is_name = not candidate.ip.replace(".", "").isdigit() and ":" not in candidate.ip
    if is_name or candidate.protocol.lower() != "udp" or candidate.component != 1:
        return None
    return candidate


def make_certificate() -> RTCCertificate:
    """Return a new certificate, good for 30 days."""
    return RTCCertificate.generateCertificate()


def fingerprint(certificate: RTCCertificate) -> str:
    """Return its SHA-256 as SDP writes it."""
    return next(each.value for each in certificate.getFingerprints() if each.algorithm == "sha-256")


def reach_by(addresses: tuple[str, ...]) -> None:
    """Say which addresses of this machine are candidates. aioice asks the system and leaves out loopback."""

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [address for address in addresses if (use_ipv6 if ":" in address else use_ipv4)]

    aioice.ice.get_host_addresses = chosen
