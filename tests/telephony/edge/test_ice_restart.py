"""Two real workers that are each other's far end: ICE restarts, trickled candidates, and what does not disturb them."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from telephony.events import (
    AddCandidates,
    CloseLeg,
    ConnectLeg,
    DigitPressed,
    IceRestarted,
    LegClosed,
    LegOpened,
    MediaStalled,
    OpenLeg,
    PlaySamples,
    RestartIce,
    WebRtc,
)
from tests.telephony.edge.test_media_worker import Worker, worker

pytestmark = pytest.mark.timeout(60)


@dataclass
class End:
    """One side: a leg `a` of a worker of its own. `key` is a file that sounds as key 5, over and over."""

    worker: Worker
    key: str
    ours: WebRtc | None = None

    def open(self, *, offers: bool) -> WebRtc:
        self.worker.send(OpenLeg("a", "webrtc", offers))
        self.ours = self.worker.wait_for(LegOpened).webrtc
        assert self.ours is not None
        return self.ours

    def restart(self) -> WebRtc:
        self.worker.send(RestartIce("a"))
        self.ours = self.worker.wait_for(IceRestarted).webrtc
        assert self.ours is not None
        return self.ours

    def connect(self, theirs: WebRtc, setup: str) -> None:
        far_end = msgspec.structs.replace(theirs, setup=setup)
        self.worker.send(ConnectLeg("a", "", 0, 0, -1, "PCMU", far_end))

    def sounds(self, times: str) -> None:
        self.worker.send(PlaySamples("a", times, (self.key,), barge_in=False, loop=True))

    def hears(self) -> None:
        """Wait for a key that is sounded from now on."""
        while self.worker.seen:
            self.worker.seen.pop()
        assert self.worker.wait_for(DigitPressed).digit == "5"


def key(folder: Path) -> str:
    t = np.arange(800) / 8000
    tone = 6000 * (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t))
    path = folder / "key.raw"
    np.concatenate((tone, np.zeros(800))).astype("<i2").tofile(path)
    return str(path)


@contextmanager
def ends(folder: Path) -> Iterator[tuple[End, End]]:
    """Return both sides, not connected: the first offers."""
    sound = key(folder)
    with worker(ports=(42000, 42399)) as one, worker(ports=(42400, 42799)) as other:
        yield End(one, sound), End(other, sound)


def connect(one: End, other: End) -> tuple[WebRtc, WebRtc]:
    ours, theirs = one.open(offers=True), other.open(offers=False)
    one.connect(theirs, "active")
    other.connect(ours, "passive")
    for end in (one, other):
        end.sounds("1")
    one.hears()
    other.hears()
    return ours, theirs


def test_a_restart_moves_the_talk_to_other_sockets_and_nobody_shakes_hands_again(tmp_path: Path) -> None:
    with ends(tmp_path) as (one, other):
        ours, theirs = connect(one, other)
        again, theirs_again = one.restart(), other.restart()
        assert again.fingerprint == ours.fingerprint
        assert {ours.ufrag, theirs.ufrag}.isdisjoint({again.ufrag, theirs_again.ufrag})
        assert set(ours.candidates).isdisjoint(again.candidates)
        one.hears()  # the old way goes on until there is another
        one.connect(theirs_again, "active")
        other.connect(again, "passive")
        one.hears()
        wait_until_free(ours)
        for end in (one, other):
            end.hears()
            assert not any(isinstance(event, MediaStalled) for event in end.worker.seen)


def wait_until_free(side: WebRtc) -> None:
    """Wait for the end of the old way: its port can be had again."""
    port = int(side.candidates[0].split()[5])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.05)
            else:
                return
    raise AssertionError(f"port {port} is still bound")


def test_a_restart_that_leads_nowhere_leaves_the_talk_where_it_is(tmp_path: Path) -> None:
    with ends(tmp_path) as (one, other):
        connect(one, other)
        one.restart()
        nobody = WebRtc("nobody", "x" * 22, (), "", "active")
        one.connect(msgspec.structs.replace(nobody, fingerprint=cast(WebRtc, other.ours).fingerprint), "active")
        one.hears()
        other.hears()


def test_another_far_end_with_another_certificate_shakes_hands_anew(tmp_path: Path) -> None:
    with ends(tmp_path) as (one, other), worker(ports=(42800, 42998)) as third:
        connect(one, other)
        again = one.restart()
        other.worker.send(CloseLeg("a"))
        other.worker.wait_for(LegClosed)
        instead = End(third, one.key)
        theirs = instead.open(offers=False)
        assert theirs.fingerprint != again.fingerprint
        one.connect(theirs, "active")
        instead.connect(again, "passive")
        instead.sounds("1")
        one.hears()
        instead.hears()


def test_candidates_that_come_late_connect(tmp_path: Path) -> None:
    with ends(tmp_path) as (one, other):
        ours, theirs = one.open(offers=True), other.open(offers=False)
        none, nowhere = (msgspec.structs.replace(each, candidates=()) for each in (ours, theirs))
        # Before their description, and after it.
        one.worker.send(AddCandidates("a", theirs.ufrag, theirs.candidates))
        one.connect(nowhere, "active")
        other.connect(none, "passive")
        other.worker.send(AddCandidates("a", ours.ufrag, ours.candidates))
        other.worker.send(AddCandidates("a", "stranger", ("1 1 udp 1 192.0.2.1 9 typ host",)))
        other.worker.send(AddCandidates("a", ours.ufrag, ("nonsense",)))
        one.sounds("1")
        other.hears()


def test_a_leg_that_is_not_there_is_not_restarted() -> None:
    with worker() as running:
        running.send(RestartIce("a"), AddCandidates("a", "u", ()))
        answer = running.wait_for(IceRestarted)
        assert answer.webrtc is None
        assert answer.cause


def test_a_flood_of_stun_dtls_and_srtp_costs_the_other_calls_nothing(tmp_path: Path) -> None:
    with ends(tmp_path) as (one, other):
        ours, _ = connect(one, other)
        one.worker.send(OpenLeg("b", "webrtc"))  # one that never connects
        waiting = one.worker.wait_for(LegOpened).webrtc
        assert waiting is not None
        stun = bytes.fromhex("000100002112a442") + bytes(12)
        dtls = bytes.fromhex("16fefd0000000000000000000c") + bytes(12)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for attempt in range(3000):
                for side in (ours, waiting):
                    target = ("127.0.0.1", int(side.candidates[0].split()[5]))
                    for junk in (stun, dtls, bytes([0x80]) + attempt.to_bytes(2, "big") * 30, b"", b"\x40\x00\x00\x08"):
                        stranger.sendto(junk, target)
        for _ in range(5):  # a fifth of a second each
            one.hears()
        other.hears()
        one.worker.send(CloseLeg("a"))
        closed = one.worker.wait_for(LegClosed)
        assert closed.received > 20
