"""WebRTC legs of a real worker process, with aiortc's own peer connection as the browser at the far end."""

import asyncio
import fractions
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import av
import msgspec
import numpy as np
import pylibsrtp
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from telephony import sdp
from telephony.edge import ice, webrtc
from telephony.edge.libsrtp import InPlace
from telephony.edge.tick_loop import TickLoop
from telephony.events import (
    CloseLeg,
    ConnectLeg,
    LegClosed,
    LegOpened,
    LegQuality,
    LegRefused,
    MediaResumed,
    MediaStalled,
    OpenLeg,
    PlaySamples,
    WebRtc,
)
from tests.telephony.edge.test_media_worker import Worker, worker

pytestmark = pytest.mark.timeout(60)
T = TypeVar("T")
HOST = "127.0.0.1"
CAPABLE = (sdp.PCMU, sdp.PCMA)


class Tone(MediaStreamTrack):
    """A sine at 8 kHz, in real time."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self.hertz = hertz
        self.sent = 0
        self.began = 0.0

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0.0, self.began + self.sent / 8000 - loop.time()))
        t = (self.sent + np.arange(160)) / 8000
        samples = (8000 * np.sin(2 * np.pi * self.hertz * t)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, self.sent, fractions.Fraction(1, 8000)
        self.sent += 160
        return frame


class Browser:
    """The far end."""

    def __init__(self, hertz: float) -> None:
        ice.reach_by((HOST,))
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTrack(Tone(hertz))
        self.heard: list[NDArray[np.int16]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", lambda track: self.tasks.append(asyncio.create_task(self._listen(track))))

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, av.AudioFrame)
            self.heard.append(frame.to_ndarray().reshape(-1)[:: len(frame.layout.channels)].astype(np.int16))

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take_answer(self, text: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(text, "answer"))

    async def answer(self, offer: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def close(self) -> None:
        await self.connection.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@asynccontextmanager
async def browser(hertz: float) -> AsyncIterator[Browser]:
    made = Browser(hertz)
    try:
        yield made
    finally:
        await made.close()


async def until(what: str, look: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not look():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.02)


async def wait_for(running: Worker, kind: type[T]) -> T:
    return await asyncio.to_thread(running.wait_for, kind)


def loudest_hertz(samples: NDArray[np.int16]) -> float:
    """Return the strongest frequency; samples at 8 kHz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / 8000)[int(power.argmax())])


def play(folder: Path, hertz: float) -> str:
    path = folder / f"{hertz:.0f}.raw"
    t = np.arange(80_000) / 8000
    path.write_bytes((8000 * np.sin(2 * np.pi * hertz * t)).astype("<i2").tobytes())
    return str(path)


async def open_leg(running: Worker, leg: str, *, offers: bool = False) -> tuple[LegOpened, sdp.Capabilities]:
    running.send(OpenLeg(leg, "webrtc", offers))
    opened = await wait_for(running, LegOpened)
    assert opened.webrtc is not None
    return opened, sdp.Capabilities(opened.address, opened.port, 1, CAPABLE, opened.webrtc)


def connect(leg: str, agreed: sdp.Negotiated) -> ConnectLeg:
    return ConnectLeg(leg, "", 0, agreed.payload_type, agreed.telephone_event, agreed.codec, agreed.webrtc)


async def test_a_browser_that_calls_is_heard_and_hears(tmp_path: Path) -> None:
    with worker() as running:
        async with browser(700) as far_end:
            opened, ours = await open_leg(running, "a")
            assert 42000 <= opened.port <= 42999
            agreed = sdp.answer(await far_end.offer(), ours)
            running.send(connect("a", agreed))
            await far_end.take_answer(agreed.sdp)
            running.send(PlaySamples("a", "p", (play(tmp_path, 1000),), loop=True))
            await until("the browser hears the prompt", lambda: len(far_end.heard) > 100)
            assert abs(loudest_hertz(np.concatenate(far_end.heard[50:100])) - 1000) < 10
            running.send(CloseLeg("a"))
            closed = await wait_for(running, LegClosed)
            assert closed.received > 50


async def test_what_a_browser_reports_of_us_is_heard_and_it_hears_ours(tmp_path: Path) -> None:
    """RTCP shares the port of the media, encrypted, both ways (RFC 5761)."""
    with worker() as running:
        async with browser(700) as far:
            opened, ours = await open_leg(running, "a")
            agreed = sdp.answer(await far.offer(), ours)
            running.send(connect("a", agreed))
            await far.take_answer(agreed.sdp)
            told = await wait_for(running, LegQuality)
            while told.far_loss < 0 or told.round_trip_ms < 0:
                told = await wait_for(running, LegQuality)
            assert told.far_loss == 0
            assert 0 <= told.round_trip_ms < 1000
            stats = await far.connection.getStats()
            (about_it,) = [each for each in stats.values() if each.type == "remote-inbound-rtp"]
            assert about_it.packetsLost == 0
        assert opened.leg == "a"


async def test_a_browser_that_is_called_answers_and_two_talk_through_one_worker(tmp_path: Path) -> None:
    from telephony.events import Join  # noqa: PLC0415

    with worker() as running:
        async with browser(500) as caller, browser(900) as agent:
            _, ours = await open_leg(running, "a")
            agreed = sdp.answer(await caller.offer(), ours)
            running.send(connect("a", agreed))
            await caller.take_answer(agreed.sdp)
            _, ours = await open_leg(running, "b", offers=True)
            agreed = sdp.read_answer(await agent.answer(sdp.offer(ours, "PCMA")))
            assert agreed.codec == "PCMA"
            running.send(connect("b", agreed), Join("a", "talk"), Join("b", "talk"))
            await until("both hear", lambda: min(len(caller.heard), len(agent.heard)) > 150)
            assert abs(loudest_hertz(np.concatenate(caller.heard[100:150])) - 900) < 10
            assert abs(loudest_hertz(np.concatenate(agent.heard[100:150])) - 500) < 10


async def test_a_page_that_vanishes_is_missed_after_a_second() -> None:
    with worker() as running:
        async with browser(500) as far_end:
            _, ours = await open_leg(running, "a")
            agreed = sdp.answer(await far_end.offer(), ours)
            running.send(connect("a", agreed))
            await far_end.take_answer(agreed.sdp)
            await until("the browser hears silence", lambda: len(far_end.heard) > 50)
            sender = far_end.connection.getSenders()[0]
            track = sender.track
            sender.replaceTrack(None)
            assert (await wait_for(running, MediaStalled)).leg == "a"
            sender.replaceTrack(track)
            assert (await wait_for(running, MediaResumed)).leg == "a"


async def test_whoever_has_not_the_certificate_of_its_sdp_is_not_heard() -> None:
    with worker() as running:
        async with browser(500) as far_end:
            _, ours = await open_leg(running, "a")
            agreed = sdp.answer(await far_end.offer(), ours)
            assert agreed.webrtc is not None
            wrong = ":".join(f"{octet:02X}" for octet in range(32))
            forged = msgspec.structs.replace(agreed.webrtc, fingerprint=f"sha-256 {wrong}")
            running.send(connect("a", msgspec.structs.replace(agreed, webrtc=forged)))
            await far_end.take_answer(agreed.sdp)
            await until("the set-up is over", lambda: far_end.connection.iceConnectionState == "completed")
            await asyncio.sleep(1.0)
            running.send(CloseLeg("a"))
            assert (await wait_for(running, LegClosed)).received == 0
            assert far_end.heard == []


async def test_a_leg_may_be_closed_at_any_moment_of_its_set_up_and_its_port_is_free_again() -> None:
    with worker(ports=(42600, 42605)) as running:
        for wait_s in (0.0, 0.0, 0.02, 0.05, 0.1, 0.2, 0.4):
            async with browser(500) as far_end:
                _, ours = await open_leg(running, "a")
                agreed = sdp.answer(await far_end.offer(), ours)
                running.send(connect("a", agreed))
                await far_end.take_answer(agreed.sdp)
                await asyncio.sleep(wait_s)
                running.send(CloseLeg("a"))
                await wait_for(running, LegClosed)
        running.send(OpenLeg("plain"))
        assert (await wait_for(running, LegOpened)).port in range(42600, 42606)


async def test_without_a_port_the_leg_is_refused() -> None:
    with worker(ports=(42700, 42701)) as running:
        await open_leg(running, "a")
        running.send(OpenLeg("b", "webrtc"))
        refused = await wait_for(running, LegRefused)
        assert refused.leg == "b"
        assert "media.ice_addresses" in refused.cause


@given(st.binary(max_size=100))
def test_whatever_comes_before_the_keys_is_no_media(datagram: bytes) -> None:
    loop = TickLoop(lambda _leg, _address: pytest.fail("nothing is bound"), lambda _udp: None)
    leg = webrtc.WebRtcLeg(loop, "a", 0, CERTIFICATE, offers=False)
    assert leg.take(datagram, 7, ("192.0.2.9", 5)) is None
    loop.close()


@pytest.mark.parametrize("octets", [1500, 1501, 2048])
def test_a_packet_longer_than_any_is_rejected_and_ends_nothing(octets: int) -> None:
    loop = TickLoop(lambda _leg, _address: pytest.fail("nothing is bound"), lambda _udp: None)
    leg = webrtc.WebRtcLeg(loop, "a", 0, CERTIFICATE, offers=False)
    leg._receiving = InPlace(pylibsrtp.Session(pylibsrtp.Policy(bytes(30), pylibsrtp.Policy.SSRC_ANY_INBOUND)))
    assert leg.take(b"\x80".ljust(octets, b"\0"), 7, ("192.0.2.9", 5)) is None
    assert leg.rejected == 1
    loop.close()


CERTIFICATE = webrtc.make_certificate()


@pytest.mark.parametrize(
    "candidate",
    [
        "1 1 udp 2113937151 89b1dc21-146c-4276-aa19-9e1771412dd6.local 52314 typ host",
        "1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "1 2 udp 2113937151 192.0.2.7 5000 typ host",
        "nonsense",
        "",
        "1 1 udp x 192.0.2.7 5000 typ host",
    ],
)
def test_candidates_that_cannot_be_reached_are_left_out(candidate: str) -> None:
    assert ice.readable(candidate) is None


def test_a_described_leg_has_an_address_and_a_fingerprint() -> None:
    described = WebRtc("u", "p", (), f"sha-256 {webrtc.fingerprint(CERTIFICATE)}")
    assert len(described.fingerprint) == len("sha-256 ") + 32 * 3 - 1
