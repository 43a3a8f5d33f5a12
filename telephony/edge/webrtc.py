"""WebRTC transports of the media worker: ICE by aioice, DTLS by aiortc, SRTP by libsrtp, datagrams by the tick.

Rule 1: aiortc sees the set-up of a leg and what keeps it alive, never its media. Every datagram is read by the media
loop, and sorted by its first octet (RFC 7983): STUN goes to aioice, DTLS to aiortc, SRTP through `open` into the
tick's rows; what a TURN server wraps is unwrapped, and sorted likewise.

Rule 2: the coroutines of both run on `TickLoop`, and only when the media loop turns it.

Rule 3: one certificate for all legs of a worker; its fingerprint is in every SDP. The far end's must be the one of its
SDP, or nothing is heard and nothing is said.

Rule 4: DTLS and SRTP do not know by which way they go. An ICE restart puts another session beneath them; only another
certificate of the far end, or another role, makes a new handshake.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from OpenSSL import SSL

from telephony.edge.ice import IceSession, Way
from telephony.edge.ice_servers import IceServer
from telephony.edge.libsrtp import InPlace
from telephony.edge.tick_loop import Endpoint, TickLoop
from telephony.events import WebRtc
from telephony.media.latch import Address
from telephony.rtp import rtcp

SET_UP_S: Final = 15.0
"""ICE and DTLS take well under a second; whoever needs longer is not there."""
GRACE_S: Final = 2.0
"""So long after an ICE restart the old sockets are read: packets are under way."""
SERVERS_FIRST_S: Final = 0.3
"""So long a description waits for STUN and TURN servers; what they say later is trickled."""
TURNS: Final = 6
"""A datagram wakes a task that wakes a task: so many steps are taken at once."""
MAX_UNREAD: Final = 64
"""DTLS datagrams that may wait for the handshake; more is a flood."""
MAX_ASIDE: Final = 40
"""STUN and DTLS datagrams of one leg in 20 ms; more is a flood."""
MAX_HELD: Final = 8
"""User names of whom candidates are held that came before their description."""
MAX_LATE: Final = 256
"""Packets out of TURN servers' TCP connections that may wait for the tick, of all legs."""

log = logging.getLogger("hotline.media")

Gathered = Callable[[WebRtc | None], None]
Found = Callable[[str, tuple[str, ...], bool], None]
"""User name, candidates that came late, and whether they were the last."""


class Certificate(RTCCertificate):
    """aiortc's, with one OpenSSL context for all legs."""

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:  # noqa: ARG002 - always those that it knows
        return self._context

    @functools.cached_property
    def _context(self) -> SSL.Context:
        from aiortc.rtcdtlstransport import SRTP_PROFILES  # noqa: PLC0415 - a name that aiortc does not export

        return super()._create_ssl_context(SRTP_PROFILES)


class _Below:
    """What aiortc takes for the ICE transport beneath DTLS: whatever way there is by now."""

    role = "controlled"

    def __init__(self, leg: "WebRtcLeg") -> None:
        self._leg = leg
        self._unread: asyncio.Queue[bytes] = asyncio.Queue(MAX_UNREAD)

    def put(self, datagram: bytes) -> None:
        """Have a DTLS datagram read; there may be no room."""
        with contextlib.suppress(asyncio.QueueFull):
            self._unread.put_nowait(datagram)

    async def _recv(self) -> bytes:
        return await self._unread.get()

    async def _send(self, data: bytes) -> None:
        way = self._leg.way
        if way is not None:
            with contextlib.suppress(OSError):  # DTLS repeats what is lost
                way.send(data)


class WebRtcLeg:
    """The transport of one leg, from gathering to close.

    `connected` while both sides may speak; then `open` and `send` turn SRTP into RTP and back. `late` is where packets
    go that did not come in a datagram.
    """

    def __init__(
        self,
        loop: TickLoop,
        name: str,
        row: int,
        certificate: RTCCertificate,
        *,
        offers: bool,
        servers: tuple[IceServer, ...] = (),
        late: "deque[tuple[WebRtcLeg, bytes]] | None" = None,
        reports: deque[tuple[int, bytes]] | None = None,
    ) -> None:
        self.name = name
        self.row = row
        self.endpoints: dict[int, Endpoint] = {}
        self.at: dict[str, int] = {}
        """The ports to be had if they are free, by address: each for the first socket there."""
        self.connected = False
        self.closed = False
        self.rejected = 0
        """Packets that were not the far end's, or came twice."""
        self.flooded = 0
        """STUN and DTLS datagrams that were too many."""
        self.way: Way | None = None
        self._reports = deque[tuple[int, bytes]](maxlen=MAX_LATE) if reports is None else reports
        self._late = deque[tuple[WebRtcLeg, bytes]](maxlen=MAX_LATE) if late is None else late
        self._loop = loop
        self._certificate = certificate
        self._offers = offers
        self._servers = servers
        self._session: IceSession | None = None
        self._next: IceSession | None = None
        """The session of an ICE restart, until it has its pair."""
        self._pair: object = None
        self._known: tuple[str, str] = ("", "")
        """User name and password of the far end that we were last told to connect with."""
        self._held: dict[str, tuple[str, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None
        self._below = _Below(self)
        self._dtls: RTCDtlsTransport | None = None
        self._association: tuple[str, bool] = ("", False)
        """Fingerprint of the far end, and whether we are DTLS's server."""
        self._receiving: InPlace | None = None
        self._sending: InPlace | None = None
        self._window = 0
        self._aside = 0

    @property
    def far_end(self) -> Address:
        """Where packets go, or the far end behind a TURN server."""
        return self.way.address if self.way is not None else ("", 0)

    # ------------------------------------------------------------------------------------------------ set-up

    def gather(self, done: Gathered, found: Found) -> None:
        """Bind sockets; `done` gets what belongs into our SDP, None when there is no address to be reached at, and
        `found` what STUN and TURN servers say after that."""
        self._start(self._gather(done, found, restart=False), "the candidates were not gathered")

    def restart(self, done: Gathered, found: Found) -> None:
        """The same for an ICE restart: the session there is goes on until `connect` has found the far end anew."""
        self._start(self._gather(done, found, restart=True), "the candidates were not gathered")

    async def _gather(self, done: Gathered, found: Found, *, restart: bool) -> None:
        before = self._session
        controlling = before.controlling if restart and before is not None else self._offers
        session = IceSession(self, controlling=controlling, received=self._relayed, lost=self._lost)
        given_up, self._next = (self._next, session) if restart else (None, None)
        if given_up is not None and given_up is not before:
            self._start(given_up.close(), "")
        if not restart:
            self._session = session
        await session.gather()
        told = tuple(session.candidates)
        complete = True
        if self._servers:
            unsaid: list[str] = []
            said = False

            def came(candidate: str) -> None:
                if said:
                    found(session.ufrag, (candidate,), False)
                else:
                    unsaid.append(candidate)

            asking = self._loop.create_task(session.ask(self._servers, came, time.time()))
            await asyncio.wait([asking], timeout=SERVERS_FIRST_S)
            said, complete = True, asking.done()
            told += tuple(unsaid)
            if not complete:
                self._keep(asking)
                asking.add_done_callback(lambda _: found(session.ufrag, (), True))
        described = WebRtc(
            session.ufrag,
            session.password,
            told,
            f"sha-256 {fingerprint(self._certificate)}",
            complete=complete,
        )
        done(described if told else None)

    def connect(self, theirs: WebRtc) -> None:
        """Begin ICE and DTLS with the far end of an SDP; said again, it changes nothing."""
        session = self._next or self._session
        if self.closed or session is None or (theirs.ufrag, theirs.password) == self._known:
            return
        if self._known[0] and self._next is None:
            log.warning("webrtc_not_restarted leg=%s cause='another far end, without RestartIce'", self.name)
            return
        self._known = theirs.ufrag, theirs.password
        if self._checking is not None:
            self._checking.cancel()
        self._checking = self._start(self._connect(session, theirs), "there was nobody (ICE, DTLS)")
        if theirs.ufrag in self._held:
            session.add(self._held.pop(theirs.ufrag))

    def add(self, ufrag: str, candidates: tuple[str, ...]) -> None:
        """Take candidates of the far end that came late; those that come before their description are held."""
        if self.closed:
            return
        session = next((each for each in (self._next, self._session) if each and each.theirs[0] == ufrag), None)
        if session is not None:
            session.add(candidates)
        elif ufrag in self._held or len(self._held) < MAX_HELD:
            self._held[ufrag] = (*self._held.get(ufrag, ()), *candidates)[:MAX_ASIDE]

    def _start(self, work: Coroutine[Any, Any, object], failure: str) -> asyncio.Task[None]:
        async def run() -> None:
            try:
                async with asyncio.timeout(SET_UP_S):
                    await work
            except TimeoutError:
                log.warning("webrtc_not_connected leg=%s after_s=%d cause=%r", self.name, SET_UP_S, failure)
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("webrtc_failed leg=%s", self.name)

        task = self._loop.create_task(run())
        self._keep(task)
        return task

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, session: IceSession, theirs: WebRtc) -> None:
        found = False
        try:
            found = await session.connect(theirs)
        finally:
            if not found and not self.closed:  # its sockets are of no use to anybody
                self._next = None if session is self._next else self._next
                self._start(session.close(), "")
        if not found:
            log.warning("webrtc_not_connected leg=%s cause='no way was found to the far end (ICE)'", self.name)
            return
        self._use(session)
        is_server = theirs.setup == "active" or (self._offers and theirs.setup == "actpass")
        if self._association == (theirs.fingerprint, is_server):
            return
        self._association = theirs.fingerprint, is_server
        # On its own: an ICE restart ends the checks that this task was for, not the handshake.
        self._start(self._shake_hands(theirs.fingerprint, is_server), "the encryption was not agreed on (DTLS)")

    def _use(self, session: IceSession) -> None:
        """Go over to a session that has its pair; the one before it is heard for a moment more."""
        before, self._session, self._next = self._session, session, None
        self._follow()
        self.connected = self._sending is not None and self.way is not None
        if before is not None and before is not session:
            log.info("webrtc_moved leg=%s to=%s", self.name, self.far_end[0])
            self._loop.call_later(GRACE_S, lambda: self._start(before.close(), ""))

    def _follow(self) -> None:
        """Send where the pair leads that is nominated now: the far end may change its mind (RFC 8445 section 8.1.1)."""
        if self._session is not None and self._session.pair is not self._pair:
            self._pair, self.way = self._session.pair, self._session.way()

    async def _shake_hands(self, theirs: str, is_server: bool) -> None:
        before, below = self._dtls, _Below(self)
        if before is not None and before._task is not None:
            before._task.cancel()
        # RFC 8842 section 5.3: whoever is active is DTLS's client; to our offer an answer is never actpass.
        dtls = RTCDtlsTransport(below, [self._certificate])  # type: ignore[arg-type]  # in place of its ICE transport
        self._dtls, self._below = dtls, below
        dtls._set_role("server" if is_server else "client")
        algorithm, _, digits = theirs.partition(" ")
        dtls.on("statechange", lambda: self._on_dtls_state(dtls))
        await dtls.start(RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm=algorithm, value=digits)]))
        if dtls.state != "connected":
            log.warning("webrtc_not_connected leg=%s cause='the encryption could not be agreed on (DTLS)'", self.name)
            return
        self._receiving, self._sending = InPlace(dtls._rx_srtp), InPlace(dtls._tx_srtp)
        self._follow()
        self.connected = self.way is not None

    def _on_dtls_state(self, dtls: RTCDtlsTransport) -> None:
        if dtls is self._dtls and dtls.state in ("closed", "failed") and self.connected:
            self.connected = False
            log.info("webrtc_disconnected leg=%s", self.name)

    def _lost(self) -> None:
        """A session is over; is it the one in use, the far end has not consented for half a minute (RFC 7675)."""
        if self._session is not None and self._session.pair is None and self.connected:
            self.connected, self.way, self._pair = False, None, None
            log.info("webrtc_disconnected leg=%s cause='the far end is silent (ICE)'", self.name)

    def close(self) -> None:
        """Say goodbye, and free the sockets with the next turns."""
        if not self.closed:
            self.closed, self.connected = True, False
            self._closing = self._loop.create_task(self._close(list(self._tasks)))

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._dtls is not None:
            # Everything of a leg is let go of, whatever state it was in.
            with contextlib.suppress(Exception):
                await self._dtls.stop()
        for session in (self._session, self._next):
            if session is not None:
                await session.close()
        for endpoint in list(self.endpoints.values()):  # of sessions that were on their way out
            endpoint.close()
        self.endpoints.clear()

    # ----------------------------------------------------------------------------------------------- datagrams

    def take(self, datagram: bytes, descriptor: int, source: Address) -> bytes | None:
        """Take one datagram of a socket of this leg; return the RTP packet that it was, None for anything else."""
        first = datagram[0] if datagram else 255
        if 128 <= first <= 191:
            return self.open(datagram)
        endpoint = self.endpoints.get(descriptor)
        if endpoint is None or self._session is None:
            return None
        protocol: Any = endpoint.protocol
        if 64 <= first <= 79:
            found = self._session.relayed_from(endpoint, datagram)
            if found is None or not found[2]:
                return None
            protocol, source, datagram = found
            first = datagram[0]
            if 128 <= first <= 191:
                return self.open(datagram)
        if self._is_flooded():
            self.flooded += 1
        elif first <= 3:
            # In the loop, where aioice starts tasks of its own.
            self._loop.call_soon(self._take_stun, protocol, datagram, source)
        elif 20 <= first <= 63:
            self._below.put(datagram)
        return None

    def _take_report(self, receiving: InPlace, datagram: bytes) -> None:
        report = receiving.open_report(datagram)
        self.rejected += report is None
        if report is not None and len(self._reports) < MAX_LATE:
            self._reports.append((self.row, report))

    def send_report(self, packet: bytes) -> None:
        """Encrypt an RTCP packet and send it to the far end (RFC 5761: on the port of its media), if that may be."""
        if self.connected and self._sending is not None and self.way is not None:
            sealed = self._sending.seal_report(packet)
            if sealed is not None:
                with contextlib.suppress(OSError):
                    self.way.send(sealed)

    def _is_flooded(self) -> bool:
        window = int(time.monotonic() * 50)
        self._aside = self._aside + 1 if window == self._window else 1
        self._window = window
        return self._aside > MAX_ASIDE

    def _take_stun(self, protocol: asyncio.DatagramProtocol, datagram: bytes, source: Address) -> None:
        protocol.datagram_received(datagram, source)
        if self.connected:
            self._follow()

    def _relayed(self, datagram: bytes) -> None:
        """Take what a TURN server handed on otherwise than in a datagram of its channel."""
        if datagram and 20 <= datagram[0] <= 63:
            self._below.put(datagram)
        elif datagram and 128 <= datagram[0] <= 191 and len(self._late) < MAX_LATE:
            packet = self.open(datagram)
            if packet is not None:
                self._late.append((self, packet))

    def open(self, packet: bytes) -> bytes | None:
        """Return the RTP packet in an SRTP packet; None for what `open_row` takes aside."""
        row = memoryview(bytearray(packet))
        length = self.open_row(row, len(packet))
        return bytes(row[:length]) if length else None

    def open_row(self, row: memoryview, length: int) -> int:
        """Decrypt the SRTP packet in the first `length` octets of `row` in its place; return the octets of the RTP
        packet, 0 for none: for what is forged or old, and for RTCP (RFC 5761 section 4), which goes to the reports."""
        if self._receiving is None or length < 12:
            return 0
        if row[1] & 0x7F in rtcp.TYPES:
            self._take_report(self._receiving, bytes(row[:length]))
            return 0
        opened = self._receiving.open(row, length)
        self.rejected += not opened
        return opened

    def send(self, packet: bytes | memoryview) -> None:
        """Encrypt an RTP packet and send it to the far end; nothing happens before both may speak. Raises `OSError`."""
        if self.connected and self._sending is not None and self.way is not None:
            self.way.send(self._sending.seal(packet))


def make_certificate() -> RTCCertificate:
    """Return a new certificate, good for 30 days."""
    return Certificate.generateCertificate()


def fingerprint(certificate: RTCCertificate) -> str:
    """Return its SHA-256 as SDP writes it."""
    return next(each.value for each in certificate.getFingerprints() if each.algorithm == "sha-256")
