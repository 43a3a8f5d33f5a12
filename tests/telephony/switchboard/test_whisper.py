"""What a flow lets the agent of the next talk hear first, and the caller on hold."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    Hangup,
    HoldRequested,
    Invite,
    InviteReceived,
    Join,
    LegOpened,
    OpenLeg,
    Play,
    Prompt,
    PromptEnding,
    PromptFinished,
    Reject,
    StopPlaying,
)
from tests.telephony.switchboard.room import FLOW, Room

BRIEFING = (
    FLOW.replace("1: {next: agent}", "1: {next: brief}")
    + """
  brief: {whisper: {en: "{{ caller.name }}, about a refund."}, next: hold}
  hold: {hold: {en: We are looking it up.}, next: agent}
"""
)
WORDS = (Prompt("text", "Lan, about a refund.", "en"),)


class Briefing(Room):
    """A caller whose agent has picked up, and hears first who it is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, flow=BRIEFING, answered="agent")
        self.agents_register("an")
        self.call = self.in_menu()
        self.happened(DigitPressed(f"{self.call}.caller", "1", "rfc4733", 0))
        self.open_leg()
        self.agent_answers()

    def heard(self, ending: PromptEnding = "finished") -> None:
        """The words are over."""
        self.happened(PromptFinished(self.last(Invite).dialog, "whisper", ending, 0))

    def agent(self) -> str:
        found = self.acd.agent("an")
        assert found is not None
        return found.state


@pytest.fixture
def room(tmp_path: Path) -> Briefing:
    return Briefing(tmp_path)


@pytest.mark.parametrize("ending", ["finished", "barged_in", "failed"])
def test_the_agent_alone_hears_it_and_then_both_are_together(room: Briefing, ending: PromptEnding) -> None:
    play = room.last(Play)
    assert (play.leg, play.prompts, play.loop) == (room.last(Invite).dialog, WORDS, False)
    assert not room.said(StopPlaying)  # the caller's music goes on
    assert not room.said(Join)
    assert (room.state(), room.agent()) == ("ringing", "ringing")
    room.heard(ending)
    assert len(room.said(Join)) == 2
    assert (room.state(), room.agent()) == ("talking", "talking")
    room.heard(ending)
    assert len(room.said(Join)) == 2


def test_the_ring_timeout_does_not_cut_it_and_it_has_an_end_of_its_own(room: Briefing) -> None:
    room.wait(20.0)
    assert room.state() == "ringing"
    room.wait(11.0)
    assert (room.state(), room.agent()) == ("talking", "talking")


def test_an_agent_who_hangs_up_has_declined_and_the_next_one_hears_it_too(room: Briefing) -> None:
    room.agents_register("binh")
    room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
    assert room.agent() == "ready"
    room.open_leg()
    assert room.last(Invite).user == "binh"
    room.agent_answers()
    assert room.last(Play).prompts == WORDS
    room.heard()
    assert room.state() == "talking"


def test_a_caller_who_hangs_up_ends_it(room: Briefing) -> None:
    commands = room.happened(DialogEnded("d1", "bye"))
    assert Hangup(room.last(Invite).dialog) in commands
    assert (room.state(), room.agent()) == ("ended", "ready")
    room.heard()
    assert not room.said(Join)
    assert not room.switchboard.board.deadlines.pop(room.now + 100)


def test_the_next_talk_has_none(room: Briefing) -> None:
    room.heard()
    room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
    room.wait(11.0)
    room.open_leg()
    room.agent_answers()
    assert room.state() == "talking"


def test_a_colleague_cannot_pick_up_what_has_been_picked_up(room: Briefing) -> None:
    offer = sdp.offer(sdp.Capabilities("192.0.2.9", 7000, 9))
    replaced = room.last(Invite).dialog
    room.happened(InviteReceived("x", "binh", "", False, "an", offer, "h", user="binh", replaces=replaced))
    assert room.last(Reject).status == 481


def test_who_picks_up_hears_it_as_well(tmp_path: Path) -> None:
    room = Room(tmp_path, flow=BRIEFING)
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    offer = sdp.offer(sdp.Capabilities("192.0.2.9", 7000, 9))
    replaced = room.last(Invite).dialog
    room.happened(InviteReceived("x", "binh", "", False, "an", offer, "h", user="binh", replaces=replaced))
    leg = room.last(OpenLeg).leg
    room.happened(LegOpened(leg, "127.0.0.1", 29000))
    room.happened(DialogConfirmed("x"))
    assert (room.last(Play).leg, room.last(Play).prompts, room.state()) == (leg, WORDS, "ringing")
    room.happened(PromptFinished(leg, "whisper", "finished", 0))
    assert room.state() == "talking"
    assert {agent.agent: agent.state for agent in room.acd.agents()} == {"an": "ready", "binh": "talking"}


def test_a_hold_is_heard_as_the_flow_has_it(room: Briefing) -> None:
    room.heard()
    room.happened(HoldRequested(room.call, "an"))
    play = room.last(Play)
    assert (play.leg, play.loop) == (f"{room.call}.caller", True)
    assert play.prompts == (Prompt("text", "We are looking it up.", "en"),)
