"""The browsers' legs of a media worker, by name: what a command does to them, and what they have to tell."""

from collections.abc import Callable
from typing import Final

from telephony.edge import ice, webrtc
from telephony.edge.media_settings import MediaSettings
from telephony.edge.rtp_sockets import RtpSockets
from telephony.edge.tick_loop import TickLoop
from telephony.events import CandidatesGathered, IceRestarted, LegOpened, LegRefused, MediaEvent, OpenLeg, WebRtc

NO_ADDRESS: Final = "no UDP port is free on media.ice_addresses, or they are not addresses of this machine"
CLOSING_TURNS: Final = 100
"""For so many ticks more the loop is turned, whoever is left, so that legs can say goodbye."""


class Browsers:
    """All of them. `tell` sends an event to the control process."""

    def __init__(self, settings: MediaSettings, sockets: RtpSockets, tell: Callable[[MediaEvent], None]) -> None:
        ice.reach_by(settings.ice_addresses or (settings.address,))
        self._servers = settings.ice_servers
        self._sockets = sockets
        self._tell = tell
        self._loop = TickLoop(sockets.bind, sockets.forget)
        self._certificate = webrtc.make_certificate()
        self._legs: dict[str, webrtc.WebRtcLeg] = {}
        self._closing = 0

    def __contains__(self, leg: str) -> bool:
        return leg in self._legs

    def open(self, command: OpenLeg, row: int, opened: Callable[[int], None], refused: Callable[[], None]) -> None:
        """Gather where a browser may find a leg: `opened` gets a port of its own, `refused` is called where there is
        none. That takes a turn of the loop or two, and longer where STUN and TURN servers are asked."""
        name = command.leg
        leg = webrtc.WebRtcLeg(
            self._loop,
            name,
            row,
            self._certificate,
            offers=command.offers,
            servers=self._servers,
            late=self._sockets.late,
            reports=self._sockets.reports,
        )
        leg.at.update(command.at)
        self._legs[name] = leg
        self._sockets.add(leg)

        def gathered(own: WebRtc | None) -> None:
            if self._legs.get(name) is not leg:
                return  # closed meanwhile
            if own is None:
                refused()
                self._tell(LegRefused(name, NO_ADDRESS))
                return
            endpoint = next(iter(leg.endpoints.values()))
            address, port = endpoint.get_extra_info("sockname")[:2]
            opened(port)
            self._tell(LegOpened(name, address, port, own))

        leg.gather(gathered, self._found(leg))
        self._loop.turn(webrtc.TURNS)

    def _found(self, leg: webrtc.WebRtcLeg) -> webrtc.Found:
        def found(ufrag: str, candidates: tuple[str, ...], complete: bool) -> None:
            if self._legs.get(leg.name) is leg:
                self._tell(CandidatesGathered(leg.name, ufrag, candidates, complete))

        return found

    def restart(self, name: str) -> None:
        """Gather anew (`RestartIce`)."""
        leg = self._legs.get(name)
        if leg is None:
            self._tell(IceRestarted(name, None, "no such leg of a browser"))
            return

        def gathered(own: WebRtc | None) -> None:
            if self._legs.get(name) is leg:
                self._tell(IceRestarted(name, own, "" if own is not None else NO_ADDRESS))
            else:
                self._tell(IceRestarted(name, None, "closed meanwhile"))

        leg.restart(gathered, self._found(leg))
        self._loop.turn(webrtc.TURNS)

    def connect(self, name: str, theirs: WebRtc | None) -> bool:
        """Connect a leg with its far end (`ConnectLeg`); False for one that is no browser's."""
        leg = self._legs.get(name)
        if leg is not None and theirs is not None:
            leg.connect(theirs)
            self._loop.turn(webrtc.TURNS)
        return leg is not None and theirs is not None

    def add(self, name: str, ufrag: str, candidates: tuple[str, ...]) -> None:
        """Take further candidates of a far end (`AddCandidates`)."""
        leg = self._legs.get(name)
        if leg is not None:
            leg.add(ufrag, candidates)
            self._loop.turn(webrtc.TURNS)

    def close(self, name: str) -> dict[str, int] | None:
        """Close a leg; return what it counted, None for one that is no browser's."""
        leg = self._legs.pop(name, None)
        if leg is None:
            return None
        self._sockets.remove(leg)
        leg.close()
        self._closing = CLOSING_TURNS
        return {"srtp_rejected": leg.rejected, "set_up_flooded": leg.flooded}

    def turn(self) -> None:
        """Once a tick: what keeps legs alive has timers, too."""
        if self._legs or self._closing:
            self._loop.turn()
            self._sockets.settle()
            self._closing = max(0, self._closing - 1)

    def read(self) -> None:
        """Between ticks: take what has come for set-ups."""
        if self._legs and self._sockets.drain_setting_up():
            self._loop.turn(webrtc.TURNS)
            self._sockets.settle()

    def end(self) -> None:
        """Close every leg, as a last act."""
        for leg in self._legs.values():
            leg.close()
        self._loop.turn(10 * webrtc.TURNS)

    def close_loop(self) -> None:
        """Once the sockets are closed."""
        self._loop.close()
