"""Browsers' legs of a worker in this process: what they tell; a set-up that comes to nothing leaves nothing."""

import time
from collections.abc import Callable, Iterator

import pytest

from telephony.edge import webrtc
from telephony.edge.browsers import Browsers
from telephony.edge.media_settings import MediaSettings
from telephony.edge.rtp_sockets import RtpSockets
from telephony.events import IceRestarted, LegOpened, MediaEvent, OpenLeg, WebRtc

NOBODY = WebRtc("nobody", "x" * 22, ("1 1 udp 1 127.0.0.1 9 typ host",), "sha-256 " + ":".join(["AB"] * 32), "active")


class Bench:
    """Browsers over real sockets, and what they tell."""

    def __init__(self) -> None:
        settings = MediaSettings("127.0.0.1", (42000, 42999), 0.0, max_legs=4)
        self.sockets = RtpSockets("127.0.0.1", settings.ports, settings.max_legs)
        self.told: list[MediaEvent] = []
        self.browsers = Browsers(settings, self.sockets, self.told.append)

    def open(self, leg: str) -> WebRtc:
        self.browsers.open(OpenLeg(leg, "webrtc"), 0, lambda _: None, lambda: None)
        self.until(lambda: any(isinstance(event, LegOpened) for event in self.told))
        opened = self.told.pop()
        assert isinstance(opened, LegOpened)
        assert opened.webrtc is not None
        return opened.webrtc

    def until(self, look: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not look():
            assert time.monotonic() < deadline
            self.browsers.read()
            self.browsers.turn()

    @property
    def bound(self) -> int:
        return len(self.sockets._browser_of)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.browsers.end()
    made.sockets.close_all()
    made.browsers.close_loop()


def test_a_set_up_that_comes_to_nothing_frees_its_sockets(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "SET_UP_S", 0.2)
    bench.open("a")
    assert bench.bound == 1
    assert bench.browsers.connect("a", NOBODY)
    bench.until(lambda: bench.bound == 0)
    # It can be set up anew, as the far end may restart ICE.
    bench.browsers.restart("a")
    bench.until(lambda: any(isinstance(event, IceRestarted) and event.webrtc for event in bench.told))
    assert bench.bound == 1
    bench.browsers.close("a")
    bench.until(lambda: bench.bound == 0)


def test_restarts_that_nobody_takes_up_hold_no_sockets(bench: Bench) -> None:
    bench.open("a")
    for times in range(1, 6):
        bench.browsers.restart("a")
        bench.until(lambda times=times: len(bench.told) == times)  # type: ignore[misc]
    bench.until(lambda: bench.bound == 2)  # that of the set-up, and the last
    bench.browsers.close("a")
    bench.until(lambda: bench.bound == 0)


def test_a_leg_that_is_closed_while_it_gathers_is_told_of_no_more(bench: Bench) -> None:
    bench.open("a")
    bench.browsers._legs["a"].restart(lambda _: pytest.fail("it is closed"), lambda *_: None)
    bench.browsers.close("a")
    bench.until(lambda: bench.bound == 0)
    assert bench.browsers.close("a") is None
