"""The rest of the house, as the switchboard sees it: dialogs that are opened and ended, legs, recordings.

It performs commands as the SIP core and the media worker would, and fails where one makes no sense: a dialog ended
twice, a leg that is not there, a recording stopped that never ran. What has happened in it and is not told yet is in
`pending`, and may be told at any later time: that is where races come from.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    CloseLeg,
    Command,
    ConnectLeg,
    DialogEnded,
    Event,
    FindCaller,
    FinishRecording,
    Hangup,
    Invite,
    Join,
    Leave,
    LegLost,
    LegMoved,
    OfferSession,
    OpenLeg,
    Play,
    Progress,
    PromptFinished,
    Record,
    RecordingStopped,
    RefuseSession,
    Reject,
    Ring,
    SaveCall,
    StopPlaying,
    StopRecording,
    TellRefer,
)
from telephony.switchboard.call import Call
from telephony.switchboard.dialling import TrunkRules
from tests.telephony.switchboard.room import FLOW, Room

ASKING = FLOW.replace(
    "        8: {next: after}",
    """        0: {next: give}
        3: {next: dial}
        4: {next: ring}
        6: {next: room}
        7: {next: message}
        8: {next: after}""",
).replace("next: agent\n  agent:", "next: words\n  words: {whisper: {en: A refund.}, next: record}\n  agent:")
ASKING += """
  record: {record: start, next: pause}
  pause: {record: pause, next: agent}
  dial: {dial: "0912345678", answered: menu, busy: menu, no_answer: menu, failed: menu}
  ring: {dial: binh, answered: menu, busy: menu, no_answer: menu, failed: menu}
  give: {transfer: {agent: chi}, failed: menu, no_answer: menu}
  room: {conference: {room: team, limit: 20s}, next: menu, full: menu, failed: menu}
  message: {voicemail: {to: care, limit: 20s}, next: menu, no_message: menu, failed: menu}
"""
"""The usual flow, in which a caller may come to whatever else a flow asks of a call."""
State = Literal["early", "answered", "confirmed", "ended"]


@dataclass
class Dialog:
    """One dialog as the SIP core has it. `over` says how it ended, once its end is on its way to the switchboard."""

    name: str
    ours: bool
    """Whether we sent the INVITE."""
    user: str
    offer: str
    state: State = "early"
    told: bool = False
    """Whether the switchboard knows that it is over: by its own doing, or by `DialogEnded`."""
    said: str = ""
    """Our last description."""
    offered: bool = False
    """Whether an offer of theirs waits for us."""
    offering: str = ""
    """Our offer that waits for them."""


@dataclass
class World:
    """A room and everything around it."""

    room: Room
    dialogs: dict[str, Dialog] = field(default_factory=dict)
    legs: dict[str, Literal["opening", "open", "closed"]] = field(default_factory=dict)
    recordings: dict[str, Literal["running", "stopping", "stopped", "finished"]] = field(default_factory=dict)
    recorded_leg: dict[str, str] = field(default_factory=dict)
    ended_calls: dict[str, str] = field(default_factory=dict)
    pending: list[Event] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    bridges: dict[str, str] = field(default_factory=dict)
    """In which bridge a leg is: who is in one hears the others there."""

    def tell(self, event: Event, after_s: float = 0.0) -> None:
        """Tell the switchboard, and perform what it commands."""
        if isinstance(event, DialogEnded):
            dialog = self.dialogs[event.dialog]
            dialog.state, dialog.told = "ended", True
        for command in self.room.happened(event, after_s):
            self.perform(command)
        self.check()

    def media_is_lost(self) -> None:
        """The media worker died, and there is no other."""
        for leg, state in list(self.legs.items()):
            if state != "closed":
                self.tell(LegLost(leg, "the media worker died"))

    def media_moves(self, port: int) -> None:
        """The media worker died, and another has its legs: those that were being opened are opened by that."""
        for leg, state in list(self.legs.items()):
            if state == "open":
                self.tell(LegMoved(leg, "127.0.0.1", port))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        for command in self.room.wait(seconds):
            self.perform(command)
        self.check()

    # ------------------------------------------------------------------------------------------------ commands

    def perform(self, command: Command) -> None:  # noqa: C901, PLR0912 - one case a kind
        """Do what a command says. Fails where it cannot be done."""
        match command:
            case Ring() | Progress() | Answer() | Reject() | Hangup() | Invite():
                self._signal(command)
            case OfferSession():
                dialog = self.dialogs[command.dialog]
                assert dialog.state == "confirmed", f"an offer in a dialog that is {dialog.state}"
                assert not dialog.told
                dialog.said = dialog.offering = command.sdp
            case AnswerSession() | RefuseSession():
                dialog = self.dialogs[command.dialog]
                assert dialog.offered, "an answer to no offer"
                dialog.offered = False
                if isinstance(command, AnswerSession):
                    dialog.said = command.sdp
            case OpenLeg() | ConnectLeg() | CloseLeg() | Join() | Leave() | Play() | StopPlaying():
                self._media(command)
            case Record():
                assert command.recording not in self.recordings
                assert self.legs[command.leg] == "open"
                self.recordings[command.recording] = "running"
                self.recorded_leg[command.recording] = command.leg
            case StopRecording():
                assert self.recordings[command.recording] == "running", "stopped twice"
                self._stop(command.recording)
            case FinishRecording():
                assert self.recordings[command.recording] != "finished", "finished twice"
                self.recordings[command.recording] = "finished"
            case SaveCall():
                assert command.call.id not in self.ended_calls, "a row written after its call's end"
                if command.call.ended_at:
                    assert command.call.state == "ended"
                    assert command.call.ended_by
                    self.ended_calls[command.call.id] = command.call.ended_by
            case FindCaller():
                self.searches.append(command.call)
            case TellRefer():
                assert command.dialog in self.dialogs
            case _:
                pass

    def _signal(self, command: Ring | Progress | Answer | Reject | Hangup | Invite) -> None:
        if isinstance(command, Invite):
            assert command.dialog not in self.dialogs
            self.dialogs[command.dialog] = Dialog(command.dialog, True, command.user, "", said=command.sdp)
            return
        if isinstance(command, Hangup) and command.dialog not in self.dialogs:
            # Before its INVITE: the SIP core knows of no such dialog, and there must not be one later.
            self.dialogs[command.dialog] = Dialog(command.dialog, True, "", "", "ended", told=True)
            return
        dialog = self.dialogs[command.dialog]
        match command:
            case Ring() | Progress() | Answer():
                assert not dialog.told, f"{command} for a dialog that is over"
                assert dialog.state == "early"
                assert not dialog.ours
                if isinstance(command, Answer):
                    dialog.state, dialog.said = "answered", command.sdp
            case Reject() | Hangup():
                assert not dialog.told, f"{dialog.name} is ended twice, by {type(command).__name__}"
                if isinstance(command, Reject):
                    assert (dialog.state, dialog.ours) == ("early", False), "a Reject of what is answered"
                    assert 300 <= command.status <= 699
                dialog.state, dialog.told, dialog.offered = "ended", True, False
                self.pending.append(DialogEnded(dialog.name, "local"))

    def _media(self, command: OpenLeg | ConnectLeg | CloseLeg | Join | Leave | Play | StopPlaying) -> None:
        match command:
            case OpenLeg():
                assert command.leg not in self.legs
                self.legs[command.leg] = "opening"
            case CloseLeg():
                assert self.legs[command.leg] != "closed", f"{command.leg} is closed twice"
                self.legs[command.leg] = "closed"
                self.bridges.pop(command.leg, None)
                for recording, leg in self.recorded_leg.items():
                    if leg == command.leg and self.recordings[recording] == "running":
                        self._stop(recording)
            case Play():
                assert self.legs[command.leg] == "open", f"{command} to a leg that is not open"
                self.pending.append(PromptFinished(command.leg, command.playback, "finished", 0))
            case Join() | Leave():
                assert self.legs[command.leg] == "open", f"{command} to a leg that is not open"
                self.bridges.pop(command.leg, None)
                if isinstance(command, Join):
                    self.bridges[command.leg] = command.bridge
            case _:
                assert self.legs[command.leg] == "open", f"{command} to a leg that is not open"

    def _stop(self, recording: str) -> None:
        self.recordings[recording] = "stopping"
        self.pending.append(RecordingStopped(recording, 10))

    # ------------------------------------------------------------------------------------------- what must hold

    def check(self) -> None:
        """Nothing is forgotten, and nothing remembered that is over."""
        board = self.room.switchboard._board
        live = {*board.calls, *board.directs}
        assert set(board.call_of_dialog.values()) <= live
        assert set(board.call_of_leg.values()) <= live
        for dialog in self.dialogs.values():
            assert (dialog.name in board.call_of_dialog) == (not dialog.told), f"{dialog.name}, {dialog.state}"
        for leg, state in self.legs.items():
            assert (leg in board.call_of_leg) == (state != "closed"), f"leg {leg}, {state}"
        assert set(board.deadlines._of_owner) <= live
        for agent in self.room.acd.agents():
            self._check_agent(agent.agent, agent.state, agent.call)
        assert not set(self.ended_calls) & set(board.calls)
        for call in board.calls.values():
            self._check_hearing(call)
        for between in board.directs.values():
            if between.state == "talking":
                assert self._together(between.near.leg) == {between.near.leg, between.far.leg}

    def _check_hearing(self, call: Call) -> None:
        """Caller and agent hear each other, or caller and party outside, and nobody else does. Whom nobody hears does
        not wait for that for ever."""
        assert not call.away_at or "away" in self.room.switchboard.board.deadlines._of_owner[call.id]
        other = call.agent_leg.leg if call.state == "talking" and call.agent_leg is not None else ""
        if call.outsider is not None and (call.state == "outside" or call.outsider.heard):
            other = call.outsider.leg
        if call.state == "talking" and call.agent_leg is not None and (call.agent_leg.returning or not other):
            other = ""  # it is being called back
        heard = self._together(call.leg)
        if call.room:
            others = {each.leg for each in self.room.switchboard.board.calls.values() if each.room == call.room}
            assert heard == others, f"{call.leg} in room {call.room} hears {heard}"
            return
        assert heard - {call.leg} == ({other} if other else set()), f"{call.state}: {call.leg} hears {heard}"

    def _together(self, leg: str) -> set[str]:
        bridge = self.bridges.get(leg)
        return {leg} if bridge is None else {each for each, joined in self.bridges.items() if joined == bridge}

    def _check_agent(self, name: str, state: str, call: str) -> None:
        board = self.room.switchboard._board
        of_calls = [
            each.id
            for each in board.calls.values()
            if (each.agent_leg is not None and each.agent_leg.agent == name)
            or (each.outsider is not None and each.outsider.agent == name)
        ]
        of_directs = [each.id for each in board.directs.values() if name in (each.near.agent, each.far.agent)]
        if state in ("ringing", "talking"):
            assert of_calls or of_directs, f"{name} is {state} without a call"
            assert call in (*of_calls, *of_directs)
        else:
            assert not of_calls, f"{name} is {state} with a call"
            assert not of_directs, f"{name} is {state} in a call between phones"


def world(folder: Path) -> World:
    """Return a new one."""
    trunks = tuple(
        TrunkRules(name, caller_number=f"+84287300{number}000") for number, name in enumerate(("one", "two"))
    )
    return World(Room(folder, max_call_s=3000.0, trunks=trunks, agents=("an", "binh", "chi"), flow=ASKING))


def phone(port: int = 7000, codecs: tuple[int, ...] = (0, 8)) -> sdp.Capabilities:
    """What a far end is capable of."""
    return sdp.Capabilities("192.0.2.7", port, 9, codecs)
