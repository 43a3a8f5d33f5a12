"""A flow calls somebody for its caller, or gives the caller away."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.acd import AgentEngaged
from telephony.events import (
    BindingChanged,
    CloseLeg,
    DialogAnswered,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Hangup,
    Invite,
    Join,
    Leave,
    LegOpened,
    MediaTimedOut,
    OpenLeg,
    Play,
    Prompt,
    Record,
    Refer,
    ReferProgressed,
    RefuseNumber,
    SaveCall,
    SendKeys,
    StopPlaying,
    StopRecording,
    TellLamp,
    TransferRequested,
)
from telephony.switchboard.dialling import TrunkRules
from tests.telephony.switchboard.room import Room

GATEWAY = sdp.Capabilities("203.0.113.5", 9000, 5)
FLOW = """
flow: main
title: {en: Test}
languages: [en]
variables: {number: {type: digits}}
start: menu
steps:
  menu:
    menu:
      prompt: {en: "Hello."}
      choices:
        1: {next: dial}
        2: {next: music}
        3: {next: user}
        4: {next: away}
        5: {next: to_agent}
        6: {next: ask}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 1, next: bye}
  dial: {dial: {number: "0987654321", timeout: 20s}, answered: done, busy: busy, no_answer: no_answer, failed: failed}
  music:
    dial: {number: "0987654321", music: {music: waiting}}
    answered: end
    busy: busy
    no_answer: no_answer
    failed: failed
  user: {dial: binh, answered: done, busy: busy, no_answer: no_answer, failed: failed}
  away: {transfer: {number: "0987654321"}, failed: failed}
  to_agent: {transfer: {agent: an}, failed: failed, no_answer: no_answer}
  ask:
    gather: {into: number, prompt: {en: "Number?"}, length: 3..15, keys: {finish: "#"}}
    next: typed
    no_input: {next: bye}
    no_match: {next: bye}
  typed: {dial: "{{ number }}", answered: done, busy: busy, no_answer: no_answer, failed: failed}
  done: {say: {en: Over.}, next: bye}
  busy: {say: {en: Busy.}, next: bye}
  no_answer: {say: {en: Nobody.}, next: bye}
  failed: {say: {en: Failed.}, next: bye}
  bye:
    hangup: {en: Goodbye.}
"""


class Dialling(Room):
    """A room with a trunk, and a caller in the menu."""

    def __init__(self, folder: Path, *, refers: bool = False) -> None:
        allow = ("113", "1900", "+841900")
        trunks = (TrunkRules("one", caller_number="+842873001000", allow=allow, refers=refers),)
        super().__init__(folder, flow=FLOW, trunks=trunks)
        self.agents_register()
        self.call = self.in_menu()
        self.leg = f"{self.call}.caller"
        self.switchboard.board.calls[self.call].trunk = "one"  # it came by that

    def press(self, *keys: str) -> None:
        before = len(self.said(OpenLeg))
        for key in keys:
            self.happened(DigitPressed(self.leg, key, "rfc4733", 0))
        for opening in self.said(OpenLeg)[before:]:
            self.happened(LegOpened(opening.leg, "127.0.0.1", next(self.ports)))

    def answers(self) -> None:
        invite = self.last(Invite)
        self.happened(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))

    def heard(self) -> str:
        return self.last(Play).prompts[0].value

    def stands(self) -> tuple[str, str]:
        """How the call stands, and what its caller hears."""
        return self.switchboard.board.calls[self.call].state, self.heard()

    def agents(self) -> dict[str, str]:
        return {agent.agent: agent.state for agent in self.acd.agents()}


@pytest.fixture
def room(tmp_path: Path) -> Dialling:
    return Dialling(tmp_path)


def test_a_number_is_called_and_the_flow_goes_on_after_the_talk(room: Dialling) -> None:
    room.press("1")
    invite = room.last(Invite)
    assert (invite.trunk, invite.to, invite.number) == ("one", "+84987654321", "+842873001000")
    assert room.last(Play).prompts == (Prompt("tone", "ringback"),)
    assert room.state() == "forwarding"
    room.answers()
    assert [join.leg for join in room.said(Join)] == [room.leg, f"{room.call}.outside1"]
    assert room.state() == "outside"
    assert len(room.said(StopPlaying)) > 0
    assert room.last(Record).leg == room.leg
    room.happened(DialogEnded(invite.dialog, "bye"))
    assert room.said(Leave)[-1].leg == room.leg
    assert room.said(StopRecording)
    assert CloseLeg(f"{room.call}.outside1") in room.commands
    assert room.stands() == ("in_flow", "Over.")


def test_the_far_end_gets_the_callers_keys(room: Dialling) -> None:
    room.press("1")
    room.answers()
    room.press("7")
    assert room.last(SendKeys) == SendKeys(f"{room.call}.outside1", "7")


@pytest.mark.parametrize(
    ("status", "words"),
    [(486, "Busy."), (600, "Busy."), (603, "Busy."), (480, "Nobody."), (408, "Nobody."), (404, "Failed.")],
)
def test_what_the_far_end_says_is_the_exit(room: Dialling, status: int, words: str) -> None:
    room.press("1")
    room.happened(DialogEnded(room.last(Invite).dialog, "rejected", status))
    assert room.stands() == ("in_flow", words)
    assert room.switchboard.board.calls[room.call].asked is None


def test_nobody_answers_in_time(room: Dialling) -> None:
    room.press("1")
    room.happened(DialogRinging(room.last(Invite).dialog))
    room.wait(19.0)
    assert room.state() == "forwarding"
    room.wait(1.5)
    assert room.heard() == "Nobody."
    assert Hangup(room.last(Invite).dialog) in room.commands


def test_music_is_heard_meanwhile_or_a_phone_that_rings_where_it_cannot_be(room: Dialling) -> None:
    room.press("2")
    assert room.last(Play).prompts == (Prompt("music", "waiting"),)
    room.answers()
    commands = room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
    assert Hangup("d1") in commands  # `answered: end`
    assert not room.switchboard.busy() or room.switchboard.board.open_recordings


def test_what_is_said_before_the_answer_is_heard(room: Dialling) -> None:
    room.press("1")
    invite = room.last(Invite)
    room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
    assert len(room.said(Join)) == 2
    room.happened(DialogEnded(invite.dialog, "rejected", 486))
    assert (len(room.said(Leave)), room.heard()) == (1, "Busy.")


@pytest.mark.parametrize("when", ["ringing", "talking"])
def test_the_caller_hangs_up_and_all_ends(room: Dialling, when: str) -> None:
    room.press("1")
    if when == "talking":
        room.answers()
    commands = room.happened(DialogEnded("d1", "bye"))
    assert Hangup(room.last(Invite).dialog) in commands
    assert room.state() == "ended"
    assert room.switchboard.board.calls == {}
    assert room.switchboard.board.call_of_leg == {}


def test_a_far_end_that_is_not_heard_any_more_has_left(room: Dialling) -> None:
    room.press("1")
    room.answers()
    commands = room.happened(MediaTimedOut(f"{room.call}.outside1", 0))
    assert Hangup(room.last(Invite).dialog) in commands
    assert room.heard() == "Over."


@pytest.mark.parametrize("number", ["113", "115", "1900", "0019001234567", "19001234"])
def test_no_flow_calls_for_help_abroad_or_itself(room: Dialling, number: str) -> None:
    room.switchboard.board.settings.numbers["1900"] = "main"  # type: ignore[index]
    refused = number != "19001234"
    room.press("6", *number, "#")
    assert bool(room.said(RefuseNumber)) == refused
    assert bool(room.said(Invite)) != refused
    if refused:
        assert room.stands() == ("in_flow", "Failed.")
        assert room.last(RefuseNumber).user == "flow main"


def test_one_of_our_users_is_called_and_engaged_meanwhile(room: Dialling) -> None:
    room.press("3")
    invite = room.last(Invite)
    assert (invite.user, invite.number, invite.display_name, invite.trunk) == ("binh", "+84912345678", "Lan", "")
    assert room.agents()["binh"] == "talking"
    assert [lamp.calls[0].state for lamp in room.said(TellLamp) if lamp.agent == "binh" and lamp.calls] == ["trying"]
    room.answers()
    assert [lamp.calls[0].state for lamp in room.said(TellLamp) if lamp.agent == "binh" and lamp.calls][
        -1
    ] == "confirmed"
    room.happened(DialogEnded(invite.dialog, "bye"))
    assert room.agents()["binh"] == "ready"
    assert room.heard() == "Over."


def test_a_user_who_is_in_a_call_is_busy_and_one_without_a_phone_does_not_answer(room: Dialling) -> None:
    room.happened(BindingChanged("binh", 0))
    room.press("3")
    assert (room.said(Invite), room.heard()) == ([], "Nobody.")


class TestGivenAway:
    def test_to_a_number_the_call_ends_with_the_talk(self, room: Dialling) -> None:
        room.press("4")
        room.answers()
        assert room.state() == "outside"
        commands = room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
        assert Hangup("d1") in commands
        assert room.state() == "ended"

    @pytest.mark.parametrize("status", [486, 480, 503])
    def test_to_a_number_that_is_not_reached_the_flow_goes_on(self, room: Dialling, status: int) -> None:
        room.press("4")
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", status))
        assert room.stands() == ("in_flow", "Failed.")

    def test_to_an_agent_it_is_a_talk_after_which_the_call_ends(self, room: Dialling) -> None:
        room.press("5")
        assert room.last(Invite).user == "an"
        room.answers()
        assert room.state() == "talking"
        commands = room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
        assert Hangup("d1") in commands
        assert room.state() == "ended"

    @pytest.mark.parametrize(("status", "words"), [(486, "Nobody."), (603, "Nobody."), (480, "Failed.")])
    def test_to_an_agent_who_does_not_take_it_the_flow_goes_on(self, room: Dialling, status: int, words: str) -> None:
        room.press("5")
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", status))
        assert room.stands() == ("in_flow", words)
        assert room.acd.waiting() == ()

    def test_to_an_agent_whose_phone_rings_out(self, room: Dialling) -> None:
        room.press("5")
        room.wait(15.1)
        assert room.stands() == ("in_flow", "Nobody.")
        assert room.acd.waiting() == ()

    def test_to_an_agent_who_is_not_there(self, room: Dialling) -> None:
        room.happened(BindingChanged("an", 0))
        room.press("5")
        assert room.stands() == ("in_flow", "Nobody.")

    def test_to_an_agent_who_is_busy_it_waits_and_then_goes_on(self, room: Dialling) -> None:
        room.acd.handle(AgentEngaged("an", "another call"), room.now)
        room.press("5")
        assert (room.state(), room.last(Play).prompts) == ("queued", (Prompt("music", "waiting"),))
        room.wait(30.1)
        assert room.stands() == ("in_flow", "Nobody.")

    def test_what_the_agent_gives_on_and_nobody_takes_is_told_so_and_ends(self, room: Dialling) -> None:
        room.press("5")
        room.answers()
        room.happened(TransferRequested(room.call, "an", agent="binh"))
        room.happened(BindingChanged("binh", 0))
        assert room.state() == "queued"
        room.happened(BindingChanged("an", 0))
        room.wait(700.0)
        assert room.heard() == "congestion"
        assert room.state() == "ended"


class TestPutThroughByTheTrunk:
    @pytest.fixture
    def room(self, tmp_path: Path) -> Dialling:
        made = Dialling(tmp_path, refers=True)
        made.press("4")
        assert made.last(Refer) == Refer("d1", "+84987654321")
        assert not made.said(Invite)
        return made

    def test_it_is_done_and_the_call_is_over(self, room: Dialling) -> None:
        assert Hangup("d1") not in room.happened(ReferProgressed("d1", 100))
        assert Hangup("d1") in room.happened(ReferProgressed("d1", 200))
        assert (room.last(SaveCall).call.state, room.last(SaveCall).call.ended_by) == (
            "ended",
            "transferred by its flow",
        )
        assert room.happened(ReferProgressed("d1", 200)) == []
        assert room.switchboard.deadline() is None

    def test_a_trunk_that_hangs_up_instead_has_done_it_as_well(self, room: Dialling) -> None:
        room.happened(DialogEnded("d1", "bye"))
        assert room.last(SaveCall).call.ended_by == "transferred by its flow"

    @pytest.mark.parametrize("says", ["no", "nothing"])
    def test_where_it_cannot_we_call_ourselves(self, room: Dialling, says: str) -> None:
        before = len(room.said(OpenLeg))
        if says == "no":
            room.happened(ReferProgressed("d1", 603))
        else:
            room.wait(30.1)
        for opening in room.said(OpenLeg)[before:]:
            room.happened(LegOpened(opening.leg, "127.0.0.1", next(room.ports)))
        assert (room.state(), room.last(Invite).to) == ("forwarding", "+84987654321")
        room.happened(ReferProgressed("d1", 200))  # too late
        room.answers()
        assert room.state() == "outside"

    def test_a_caller_who_came_by_no_trunk_is_called_for(self, tmp_path: Path) -> None:
        room = Dialling(tmp_path, refers=True)
        room.switchboard.board.calls[room.call].trunk = ""
        room.press("4")
        assert not room.said(Refer)
        assert room.said(Invite)
