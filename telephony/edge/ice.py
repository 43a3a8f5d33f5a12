"""One ICE session of a leg (RFC 8445) by aioice: its sockets, candidates and checks, and the pair that came of them.

Rule 1: a session is used once. An ICE restart (section 9) makes another, on sockets of its own, and the old one is let
go of when the new one has its pair.

Rule 2: candidates may come late, theirs and ours (trickle ICE, RFC 8838). Host candidates are there at once; what a
STUN or TURN server knows of us is told as it comes.

Rule 3: aioice sees STUN alone. Whatever else arrives at a socket of a session is sorted by the leg; only what comes by
a TURN server over TCP comes through aioice, and is handed on by `received`.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

import aioice.ice
import aioice.stun
from aioice import Candidate
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aioice.turn import TurnClientMixin, TurnClientTcpProtocol

from telephony.edge.ice_servers import IceServer, credentials
from telephony.edge.tick_loop import ANYWHERE, OWNER, Endpoint
from telephony.events import WebRtc
from telephony.media.latch import Address

TA_S: Final = 0.02
"""Section 14: the pace of checks."""
SERVERS_S: Final = 5.0
"""What STUN and TURN servers have not said by then is not waited for."""
MAX_BACKLOG_OCTETS: Final = 4096
"""More than this waiting at a TURN server's TCP connection is late already, and is not sent."""
MAX_CANDIDATES: Final = 64
"""Of the far end, in one session: whoever trickles more is flooding us."""

log = logging.getLogger("hotline.media")


class _Connection(aioice.ice.Connection):
    """aioice's, without what it waits for in vain, and telling of what it would keep in a queue."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[], None], **settings: Any) -> None:
        super().__init__(**settings)
        self._received = received
        self._lost = lost

    async def connect(self) -> None:
        """Check pairs until one is nominated. Raises `ConnectionError`."""
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        self._unfreeze_initial()
        for early in self._early_checks:
            self.check_incoming(*early)
        self._early_checks.clear()
        self._early_checks_done = True
        pacing = asyncio.ensure_future(self._pace())
        try:
            # aioice looks whether it is done once in each step of its pace; this is told at once.
            outcome = await self._check_list_state.get()
        finally:
            pacing.cancel()
        for check in self._check_list:
            if check.task:
                check.task.cancel()
        if outcome != aioice.ice.ICE_COMPLETED:
            raise ConnectionError("no pair of candidates works")
        self._query_consent_task = asyncio.create_task(self.query_consent())

    async def _pace(self) -> None:
        while self._check_periodic():  # noqa: ASYNC110 - a pace, not a wait
            await asyncio.sleep(TA_S)

    def data_received(self, data: bytes, _component: int) -> None:
        """Hand on what a TURN server relayed over TCP."""
        self._received(data)

    def protocol_lost(self, protocol: StunProtocol) -> None:
        """Nothing waits for its datagrams here."""

    def _emit_event(self, _event: object) -> None:
        self._lost()

    def add_local(self, candidate: Candidate, protocol: StunProtocol | None) -> None:
        """Pair a candidate of ours that came late."""
        self._local_candidates.append(candidate)
        if protocol is not None:
            self._protocols.append(protocol)
            for remote in self._remote_candidates:
                self._pair_remote_candidate(remote)
            self.sort_check_list()

    def knows_somebody(self) -> bool:
        """Whether there is anybody to check: by candidates, or by checks that came from there."""
        return bool(self._remote_candidates or self._early_checks)


class Leg(Protocol):
    """Whose session it is: its sockets by their descriptors."""

    endpoints: dict[int, Endpoint]


class IceSession:
    """One of them. `received` is given what comes through a TURN server over TCP, `lost` is called once the far end no
    longer consents to being sent to (RFC 7675), or when the session is closed."""

    def __init__(
        self,
        leg: Leg,
        *,
        controlling: bool,
        received: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        self.leg = leg
        self.endpoints: list[Endpoint] = []
        self.theirs: tuple[str, str] = ("", "")
        OWNER.set(self)
        self._ice = _Connection(received, lost, ice_controlling=controlling)

    def adopt(self, endpoint: Endpoint) -> None:
        """Take a new socket."""
        self.endpoints.append(endpoint)
        self.leg.endpoints[endpoint.descriptor] = endpoint

    @property
    def controlling(self) -> bool:
        """Whether we choose the pair (RFC 8445 section 6.1.1); a conflict may have changed it."""
        return self._ice.ice_controlling

    @property
    def ufrag(self) -> str:
        """Our user name."""
        return self._ice.local_username

    @property
    def password(self) -> str:
        """Our password."""
        return self._ice.local_password

    @property
    def candidates(self) -> tuple[str, ...]:
        """Ours, so far, as `a=candidate:` has them."""
        return tuple(each.to_sdp() for each in self._ice.local_candidates)

    # ---------------------------------------------------------------------------------------------- candidates

    async def gather(self) -> None:
        """Bind a socket on every address that we are reached at."""
        OWNER.set(self)
        await self._ice.gather_candidates()

    async def ask(self, servers: Iterable[IceServer], found: Callable[[str], None], now: float) -> None:
        """Ask STUN and TURN servers for further candidates; `found` is called with each. Those that do not answer, or
        not in time, are logged."""
        OWNER.set(self)
        questions = [question for server in servers for question in self._questions(server, now)]
        if not questions:
            return
        asked = [asyncio.create_task(self._ask(server, question, found)) for server, question in questions]
        _, late = await asyncio.wait(asked, timeout=SERVERS_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _questions(self, server: IceServer, now: float) -> list[tuple[IceServer, Any]]:
        if not server.is_turn:
            bases = [each for each in self._ice._protocols if ":" not in each.local_candidate.host]
            return [(server, server_reflexive_candidate(base, (server.host, server.port))) for base in bases]
        return [(server, _relay(self._ice, server, now))]

    async def _ask(self, server: IceServer, question: Any, found: Callable[[str], None]) -> None:
        try:
            candidate, protocol = await question
        except asyncio.CancelledError:
            log.warning("ice_server_silent server=%s after_s=%.0f", server.url, SERVERS_S)
            raise
        except Exception as error:  # whatever it is, it concerns one candidate of many
            log.warning("ice_server_failed server=%s cause=%r", server.url, str(error) or type(error).__name__)
            return
        known = any((each.host, each.port) == (candidate.host, candidate.port) for each in self._ice.local_candidates)
        if known and protocol is None:
            return  # section 5.1.3: the same as its base, where there is no NAT
        self._ice.add_local(candidate, protocol)
        found(candidate.to_sdp())

    def add(self, candidates: Iterable[str]) -> None:
        """Take candidates of the far end; those that cannot be reached are left out."""
        for candidate in filter(None, map(readable, candidates)):
            if len(self._ice.remote_candidates) < MAX_CANDIDATES and not self._ice._closing:
                self._ice._add_remote_candidate(candidate, candidate.host)

    # -------------------------------------------------------------------------------------------------- checks

    async def connect(self, theirs: WebRtc) -> bool:
        """Check pairs until one is nominated; False when none is."""
        OWNER.set(self)
        self.theirs = theirs.ufrag, theirs.password
        self._ice.remote_username, self._ice.remote_password = self.theirs
        self.add(theirs.candidates)
        while not self._ice.knows_somebody():  # noqa: ASYNC110 - aioice has no event
            # All that the far end says of itself are names (mDNS), or nothing yet: it trickles.
            await asyncio.sleep(TA_S)
        try:
            await self._ice.connect()
        except ConnectionError:
            return False
        for endpoint in self.endpoints:
            endpoint.is_settled = True
        return bool(self._ice._nominated)

    @property
    def pair(self) -> Any:
        """The nominated pair, None for none; it may change as long as the session lives."""
        return self._ice._nominated.get(1)

    def way(self) -> "Way | None":
        """Return how to send to the far end now."""
        pair = self.pair
        return None if pair is None else Way.of(pair.protocol.transport, pair.remote_addr)

    def relayed_from(self, endpoint: Endpoint, datagram: bytes) -> tuple[Any, Address, bytes] | None:
        """Return whose and what a ChannelData message of a TURN server is (RFC 8656 section 12.4)."""
        client = endpoint.protocol
        if not isinstance(client, TurnClientMixin) or len(datagram) < 4:
            return None
        channel, length = struct.unpack("!HH", datagram[:4])
        peer = client.channel_to_peer.get(channel)
        if peer is None or client.receiver is None or len(datagram) < 4 + length:
            return None
        return client.receiver, peer, datagram[4 : 4 + length]

    async def close(self) -> None:
        """Let go of everything."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):  # TURN allocations are given back, if the server is there
                await self._ice.close()
        for endpoint in self.endpoints:
            endpoint.close()
            if self.leg.endpoints.get(endpoint.descriptor) is endpoint:
                del self.leg.endpoints[endpoint.descriptor]
        self.endpoints.clear()


class Way:
    """How a packet gets to the far end: by a socket, or through a TURN server's channel."""

    __slots__ = ("_address", "_channel", "_send", "_stream", "address")

    def __init__(self, send: Any, address: Address, channel: int = 0, stream: Any = None) -> None:
        self.address = address
        self._send = send
        self._address = address
        self._channel = channel
        self._stream = stream

    @classmethod
    def of(cls, transport: Any, address: Address) -> "Way | None":
        """Return the way of a nominated pair; None while there is no channel."""
        if isinstance(transport, Endpoint):
            return cls(transport.udp.sendto, address)
        client = transport._TurnTransport__inner_protocol
        channel = client.peer_to_channel.get(address)
        if channel is None:
            return None
        if isinstance(client, TurnClientTcpProtocol):
            return cls(client._send, address, channel, client.transport)
        return cls(client.transport.udp.send, address, channel)

    def send(self, packet: bytes | memoryview) -> None:
        """Send. Raises `OSError`."""
        if not self._channel:
            self._send(packet, self._address)
        elif self._stream is None or self._stream.get_write_buffer_size() < MAX_BACKLOG_OCTETS:
            self._send(struct.pack("!HH", self._channel, len(packet)) + bytes(packet))


def readable(text: str) -> Candidate | None:
    """Return a candidate that can be reached; names (mDNS) and TCP are none."""
    try:
        candidate = Candidate.from_sdp(text)
        ipaddress.ip_address(candidate.host)
    except (ValueError, AssertionError, IndexError):
        return None
    known = candidate.type in ("host", "srflx", "relay") and 0 < candidate.port < 65536
    return candidate if known and candidate.transport.lower() == "udp" and candidate.component == 1 else None


def reach_by(addresses: tuple[str, ...]) -> None:
    """Say which addresses of this machine are candidates. aioice asks the system and leaves out loopback."""

    def chosen(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [address for address in addresses if (use_ipv6 if ":" in address else use_ipv4)]

    aioice.ice.get_host_addresses = chosen


async def try_server(server: IceServer, now: float) -> str:
    """Ask a STUN server who we are, or a TURN server for a relay, which is given back; return what it said. Raises
    `OSError` with why that failed. For asyncio's own loops."""
    asker = aioice.ice.Connection(ice_controlling=True)
    try:
        async with asyncio.timeout(SERVERS_S):
            candidate = await (_try_turn if server.is_turn else _try_stun)(asker, server, now)
    except TimeoutError:
        raise OSError(f"no answer in {SERVERS_S:.0f} s") from None
    except (aioice.stun.TransactionError, ConnectionError, ValueError) as error:
        raise OSError(str(error) or "no answer") from error
    finally:
        await asyncio.sleep(0)  # sockets close in the loop's next turn
    return f"{candidate.host}:{candidate.port}"


async def _try_turn(asker: aioice.ice.Connection, server: IceServer, now: float) -> Candidate:
    candidate: Candidate
    candidate, protocol = await _relay(asker, server, now)
    await protocol.close()
    return candidate


async def _try_stun(asker: aioice.ice.Connection, server: IceServer, _now: float) -> Candidate:
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: StunProtocol(asker), local_addr=(ANYWHERE[socket.AF_INET], 0)
    )
    try:
        protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 9, "host")
        candidate, _ = await server_reflexive_candidate(protocol, (server.host, server.port))
    finally:
        await protocol.close()
    return candidate


def _relay(ice: aioice.ice.Connection, server: IceServer, now: float) -> Coroutine[Any, Any, Any]:
    username, credential = credentials(server, "hotline", now)
    return relayed_candidate(
        component=1,
        hide_related_address=False,
        protocol_factory=lambda: StunProtocol(ice),
        turn_server=(server.host, server.port),
        turn_username=username,
        turn_password=credential,
        turn_ssl=server.is_tls,
        turn_transport=server.transport,
    )
