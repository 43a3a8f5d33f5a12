"""Calls between phones, and transfers that a phone asks for itself."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    AnswerSession,
    CloseLeg,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Hangup,
    HoldRequested,
    Invite,
    InviteReceived,
    Join,
    KeySignalled,
    Leave,
    LegLost,
    LegOpened,
    LegRefused,
    MediaTimedOut,
    OpenLeg,
    Play,
    Publish,
    ReferReceived,
    RefuseSession,
    Reject,
    Ring,
    SaveAgent,
    SaveCall,
    SessionAnswered,
    SessionOffered,
    StopPlaying,
    StopRecording,
    TellRefer,
)
from tests.telephony.switchboard.room import CALLER_OFFER, Room

PHONE = sdp.Capabilities("192.0.2.7", 7000, 9)
HOLDING = sdp.offer(PHONE).replace("a=sendrecv", "a=sendonly")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def dial(room: Room, to: str = "binh", user: str = "an", offer: str = "") -> str:
    """`an` dials a colleague; return the name of the dialog with the colleague's phone, if it came so far."""
    text = offer or sdp.offer(PHONE)
    before = len(room.said(OpenLeg))
    room.happened(InviteReceived("consult", user, "", False, to, text, "192.0.2.7:5060", user=user))
    for opening in room.said(OpenLeg)[before:]:
        room.happened(LegOpened(opening.leg, "127.0.0.1", next(room.ports)))
    return room.last(Invite).dialog if room.said(Invite) else ""


def answer(room: Room, dialog: str) -> None:
    room.happened(DialogAnswered(dialog, sdp.answer(room.last(Invite).sdp, PHONE).sdp))


def consult(room: Room) -> str:
    """Caller held by `an`, who talks with `binh`; return the call."""
    call = room.talking()
    room.agents_register("binh")
    room.happened(SessionOffered(room.last(Invite).dialog, HOLDING))
    dialog = dial(room)
    answer(room, dialog)
    room.happened(DialogConfirmed("consult"))
    return call


def agents(room: Room) -> dict[str, str]:
    return {agent.agent: agent.state for agent in room.acd.agents()}


class TestBetweenPhones:
    def test_colleagues_talk_and_get_no_offers(self, room: Room) -> None:
        room.agents_register("an", "binh")
        dialog = dial(room)
        assert room.last(Invite).user == "binh"
        assert agents(room) == {"an": "talking", "binh": "talking"}
        room.happened(DialogRinging(dialog))
        assert room.last(Ring).dialog == "consult"
        assert not room.said(Answer)
        answer(room, dialog)
        assert room.last(Answer).dialog == "consult"
        assert not room.said(Join)
        room.happened(DialogConfirmed("consult"))
        assert len({join.bridge for join in room.said(Join)}) == 1
        assert [join.leg.rpartition(".")[2] for join in room.said(Join)] == ["near", "far"]
        room.happened(DialogEnded(dialog, "bye"))
        assert room.last(Hangup).dialog == "consult"
        assert agents(room) == {"an": "ready", "binh": "ready"}
        assert not room.switchboard.busy()
        assert room.switchboard.deadline() is None
        assert not room.said(SaveCall)

    @pytest.mark.parametrize(
        ("registered", "to", "status"),
        [(("an",), "binh", 480), (("an", "binh"), "an", 480)],
    )
    def test_who_cannot_be_reached(self, room: Room, registered: tuple[str, ...], to: str, status: int) -> None:
        room.agents_register(*registered)
        dial(room, to)
        assert room.last(Reject).status == status
        assert not room.switchboard.busy()

    def test_who_is_busy(self, room: Room) -> None:
        room.talking()
        room.agents_register("binh")
        dial(room, "an", "binh")
        assert room.last(Reject).status == 486

    def test_a_stranger_reaches_the_flow_under_every_name(self, room: Room) -> None:
        room.agents_register("an", "binh")
        room.happened(InviteReceived("d9", "0900", "", False, "binh", CALLER_OFFER, "203.0.113.9:5060"))
        assert room.last(SaveCall).call.state == "arriving"
        assert not room.said(Invite)

    def test_a_refusal_is_passed_on(self, room: Room) -> None:
        room.agents_register("an", "binh")
        dialog = dial(room)
        room.happened(DialogEnded(dialog, "rejected", 486, "Busy Here"))
        assert room.last(Reject).status == 486
        assert not room.switchboard.busy()

    def test_giving_up_while_it_rings(self, room: Room) -> None:
        room.agents_register("an", "binh")
        dialog = dial(room)
        room.happened(DialogEnded("consult", "cancelled", 487))
        assert room.last(Hangup).dialog == dialog
        assert agents(room) == {"an": "ready", "binh": "ready"}

    def test_nobody_picks_up(self, room: Room) -> None:
        room.agents_register("an", "binh")
        dial(room)
        room.wait(60)
        assert room.last(Reject).status == 480
        assert not room.switchboard.busy()

    @pytest.mark.parametrize("what", ["no leg", "no audio", "worker", "no codec"])
    def test_faults_end_it_and_leave_nothing(self, room: Room, what: str) -> None:
        room.agents_register("an", "binh")
        if what == "no leg":
            room.happened(InviteReceived("consult", "an", "", False, "binh", sdp.offer(PHONE), "x:1", user="an"))
            room.happened(LegRefused(room.last(CloseLeg).leg if room.said(CloseLeg) else _leg(room, "near"), "full"))
        else:
            offer = "v=0\r\n" if what == "no codec" else ""
            dialog = dial(room, offer=offer)
            answer(room, dialog)
            room.happened(DialogConfirmed("consult"))
            if what == "no audio":
                room.happened(MediaTimedOut(_leg(room, "near"), 0))
            elif what == "worker":
                room.happened(LegLost(_leg(room, "near"), "the media worker died"))
        assert not room.switchboard.busy()
        assert agents(room) == {"an": "ready", "binh": "ready"}

    def test_whoever_is_held_hears_music(self, room: Room) -> None:
        room.agents_register("an", "binh")
        dialog = dial(room)
        answer(room, dialog)
        room.happened(DialogConfirmed("consult"))
        room.happened(SessionOffered("consult", HOLDING))
        playing = room.last(Play)
        assert (playing.leg, playing.prompts[0].value, playing.loop) == (_leg(room, "far"), "hold", True)
        room.happened(SessionOffered("consult", sdp.offer(PHONE)))
        assert room.last(StopPlaying) == StopPlaying(playing.leg, playing.playback)


def _leg(room: Room, side: str) -> str:
    return next(leg for leg in room.switchboard._board.call_of_leg if leg.endswith(side))


class TestHoldButton:
    def test_a_phones_hold_is_the_agents(self, room: Room) -> None:
        room.talking()
        dialog = room.last(Invite).dialog
        room.happened(SessionOffered(dialog, HOLDING))
        assert "a=recvonly" in room.last(AnswerSession).sdp
        assert room.last(ConnectLeg).direction == "recvonly"
        assert room.state() == "held"
        assert room.last(Play).prompts[0].value == "hold"
        room.happened(SessionOffered(dialog, sdp.offer(PHONE)))
        assert "a=sendrecv" in room.last(AnswerSession).sdp
        assert room.state() == "talking"

    def test_a_phone_that_moves_does_not_end_the_hold_of_the_page(self, room: Room) -> None:
        call = room.talking()
        room.happened(HoldRequested(call, "an"))
        moved = sdp.offer(sdp.Capabilities("192.0.2.99", 9000, 9))
        room.happened(SessionOffered(room.last(Invite).dialog, moved))
        assert room.last(ConnectLeg).address == "192.0.2.99"
        assert room.state() == "held"

    def test_old_style_hold(self, room: Room) -> None:
        room.talking()
        old = sdp.offer(PHONE).replace("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0")
        room.happened(SessionOffered(room.last(Invite).dialog, old))
        assert (room.state(), room.last(ConnectLeg).direction) == ("held", "recvonly")

    def test_a_callers_hold_and_move_change_where_voice_flows_and_nothing_else(self, room: Room) -> None:
        call = room.talking()
        moved = sdp.offer(sdp.Capabilities("192.0.2.99", 9000, 9, (sdp.PCMA,)))
        room.happened(SessionOffered("d1", moved))
        assert room.last(ConnectLeg) == ConnectLeg(f"{call}.caller", "192.0.2.99", 9000, 8, 101, "PCMA")
        assert room.state() == "talking"

    def test_versions_rise_by_one_with_a_change_and_not_without(self, room: Room) -> None:
        room.talking()
        for offer in (CALLER_OFFER, HOLDING, HOLDING, CALLER_OFFER):
            room.happened(SessionOffered("d1", offer))
        versions = [each.sdp.split("\r\n")[1].split(" ")[2] for each in room.said(AnswerSession)]
        assert versions == ["1", "2", "2", "3"]

    @pytest.mark.parametrize(("offer", "warning"), [("nonsense", 399), (HOLDING.replace("0 8 101", "18"), 305)])
    def test_what_cannot_be_met_is_refused(self, room: Room, offer: str, warning: int) -> None:
        room.talking()
        room.happened(SessionOffered("d1", offer))
        refused = room.last(RefuseSession)
        assert (refused.dialog, refused.status, refused.warning) == ("d1", 488, warning)
        assert room.state() == "talking"

    def test_of_a_call_that_is_gone(self, room: Room) -> None:
        room.happened(SessionOffered("nobody", HOLDING))
        assert room.last(RefuseSession) == RefuseSession("nobody", 481)

    def test_who_asks_for_our_offer_gets_all_we_can(self, room: Room) -> None:
        call = room.talking()
        room.happened(SessionOffered("d1", ""))
        assert "m=audio" in room.last(AnswerSession).sdp
        room.happened(SessionAnswered("d1", sdp.answer(room.last(AnswerSession).sdp, PHONE).sdp))
        assert room.last(ConnectLeg) == ConnectLeg(f"{call}.caller", "192.0.2.7", 7000, 0, 101)

    def test_an_invite_without_an_offer_gets_ours(self, room: Room) -> None:
        room.happened(InviteReceived("d1", "0912345678", "", False, "1900", "", "192.0.2.1:5060"))
        room.open_leg()
        call = room.last(SaveCall).call.id
        room.known_caller(call)
        ours = room.last(Answer).sdp
        room.happened(DialogConfirmed("d1", sdp.answer(ours, PHONE).sdp))
        assert room.last(ConnectLeg) == ConnectLeg(f"{call}.caller", "192.0.2.7", 7000, 0, 101)
        room.wait(0.3)
        assert room.state() == "answering" or room.switchboard.call(call) is not None

    def test_an_ack_without_the_answer_ends_the_call(self, room: Room) -> None:
        room.happened(InviteReceived("d1", "0912345678", "", False, "1900", "", "192.0.2.1:5060"))
        room.open_leg()
        room.known_caller(room.last(SaveCall).call.id)
        room.happened(DialogConfirmed("d1"))
        assert room.last(Hangup).dialog == "d1"
        assert not room.switchboard.busy()


class TestKeys:
    def test_a_key_by_info_is_a_key(self, room: Room) -> None:
        room.agents_register("an")
        room.in_menu()
        room.happened(KeySignalled("d1", "1"))
        assert room.state() == "ringing"

    def test_nobody_elses_key(self, room: Room) -> None:
        call = room.in_menu()
        room.happened(KeySignalled("d9", "1"))
        room.happened(DigitPressed(f"{call}.agent1", "1", "rfc4733", 0))
        assert not room.said(Invite)


class TestBlindTransfer:
    def test_to_a_colleague(self, room: Room) -> None:
        room.talking()
        room.agents_register("binh")
        dialog = room.last(Invite).dialog
        room.happened(ReferReceived(dialog, "binh"))
        told = room.commands.index(TellRefer(dialog, 200))
        assert told < room.commands.index(Hangup(dialog))
        assert (room.last(Publish).type, room.state()) == ("call.offered", "ringing")

    def test_to_a_queue(self, room: Room) -> None:
        room.talking()
        room.happened(ReferReceived(room.last(Invite).dialog, "care"))
        assert room.state() == "queued"

    @pytest.mark.parametrize(("to", "status"), [("nobody", 404), ("an", 404)])
    def test_to_nobody(self, room: Room, to: str, status: int) -> None:
        room.talking()
        room.happened(ReferReceived(room.last(Invite).dialog, to))
        assert room.last(TellRefer).status == status
        assert room.state() == "talking"

    def test_only_the_agent_of_a_talk_may(self, room: Room) -> None:
        room.talking()
        room.happened(ReferReceived("d1", "binh"))
        assert room.last(TellRefer) == TellRefer("d1", 603)
        assert room.state() == "talking"


class TestAttendedTransfer:
    def test_caller_and_colleague_are_put_together(self, room: Room) -> None:
        call = consult(room)
        own = next(invite.dialog for invite in room.said(Invite) if invite.user == "an")
        colleague = room.last(Invite).dialog
        room.commands.clear()
        room.happened(ReferReceived(own, "", "consult"))
        assert room.said(TellRefer) == [TellRefer(own, 200)]
        assert {hangup.dialog for hangup in room.said(Hangup)} == {own, "consult"}
        assert [(join.leg.rpartition(".")[2], join.bridge) for join in room.said(Join)] == [
            ("caller", call),
            ("far", call),
        ]
        assert not room.said(StopRecording)
        saved = room.last(SaveCall).call
        assert (saved.state, saved.agent, saved.transferred_by, saved.held_at) == ("talking", "binh", "an", 0.0)
        assert agents(room) == {"an": "after_call_work", "binh": "talking"}
        desk = room.switchboard.desk_call("binh")
        assert desk is not None
        assert desk[0].context.name == "Lan"
        room.happened(DialogEnded(colleague, "bye"))
        assert agents(room)["binh"] == "after_call_work"
        room.happened(DialogEnded("d1", "bye"))
        assert {command.leg for command in room.said(CloseLeg)} >= {f"{call}.caller", f"{call}.agent1"}
        room.wait(60)
        assert agents(room) == {"an": "ready", "binh": "ready"}
        assert not room.switchboard._board.call_of_dialog
        assert not room.switchboard._board.call_of_leg

    def test_the_colleague_who_called_is_put_through_as_well(self, room: Room) -> None:
        """It does not matter which of the two dialled."""
        call = room.talking()
        own = room.last(Invite).dialog
        room.agents_register("binh")
        dialog = dial(room, "an", "binh")
        assert room.last(Reject).status == 486  # `an` is talking
        assert dialog == own
        assert room.switchboard.call(call) is not None

    def test_while_the_colleague_still_rings_the_caller_waits_instead(self, room: Room) -> None:
        room.talking()
        own = room.last(Invite).dialog
        room.agents_register("binh")
        ringing = dial(room)
        room.happened(ReferReceived(own, "", "consult"))
        assert Hangup(ringing) in room.commands
        assert (room.state(), room.last(Publish).type) == ("ringing", "call.offered")

    def test_nobody_gives_away_what_is_not_theirs(self, room: Room) -> None:
        consult(room)
        room.happened(ReferReceived("consult", "", "d1"))
        assert room.last(TellRefer).status == 603
        own = next(invite.dialog for invite in room.said(Invite) if invite.user == "an")
        room.happened(ReferReceived(own, "", room.last(Invite).dialog))
        assert room.last(TellRefer).status == 603
        room.happened(ReferReceived(own, "", "nothing"))
        assert room.last(TellRefer).status == 603

    def test_giving_up_the_consultation_leaves_the_caller_with_the_agent(self, room: Room) -> None:
        consult(room)
        room.happened(DialogEnded("consult", "bye"))
        own = next(invite.dialog for invite in room.said(Invite) if invite.user == "an")
        room.happened(SessionOffered(own, sdp.offer(PHONE)))
        assert room.state() == "talking"
        assert agents(room) == {"an": "talking", "binh": "ready"}

    def test_the_caller_who_hangs_up_meanwhile_leaves_the_colleagues_talking(self, room: Room) -> None:
        consult(room)
        room.happened(DialogEnded("d1", "bye"))
        assert agents(room)["binh"] == "talking"
        room.happened(DialogEnded("consult", "bye"))
        room.wait(60)
        assert agents(room) == {"an": "ready", "binh": "ready"}
        assert not room.switchboard._board.directs


class TestPull:
    """A talk goes on at the agent's other phone."""

    def pull(self, room: Room, user: str = "an") -> None:
        own = room.last(Invite).dialog
        room.happened(InviteReceived("new", "an", "", False, "an", sdp.offer(PHONE), "x:1", user=user, replaces=own))

    @pytest.mark.parametrize("by_phone", [True, False])
    def test_what_the_old_phone_holds_is_over_with_it_and_a_hold_of_the_page_is_not(
        self, room: Room, by_phone: bool
    ) -> None:
        call = room.talking()
        own = room.last(Invite).dialog
        room.happened(SessionOffered(own, HOLDING) if by_phone else HoldRequested(call, "an"))
        self.pull(room)
        room.open_leg()
        room.happened(DialogConfirmed("new"))
        assert room.state() == ("talking" if by_phone else "held")

    def test_the_other_phone_takes_its_place(self, room: Room) -> None:
        call = room.talking()
        own = room.last(Invite).dialog
        self.pull(room)
        assert room.last(Hangup).dialog == own
        room.open_leg()
        assert room.last(Answer).dialog == "new"
        room.happened(DialogConfirmed("new"))
        assert room.last(Join) == Join(f"{call}.agent2", call)
        assert room.last(SaveCall).call.away_at == 0.0
        assert not room.said(StopRecording)
        assert not room.said(Leave)
        room.happened(DialogEnded("new", "bye"))
        assert agents(room)["an"] == "after_call_work"

    def test_nobody_elses(self, room: Room) -> None:
        room.talking()
        for user in ("binh", ""):
            self.pull(room, user)
            assert room.last(Reject).status == 403
        assert room.state() == "talking"

    def test_nothing_there(self, room: Room) -> None:
        room.happened(InviteReceived("new", "an", "", False, "an", sdp.offer(PHONE), "x:1", user="an", replaces="zz"))
        assert room.last(Reject).status == 481


def test_an_agent_who_is_transferred_to_is_saved(room: Room) -> None:
    consult(room)
    own = next(invite.dialog for invite in room.said(Invite) if invite.user == "an")
    room.happened(ReferReceived(own, "", "consult"))
    saved = [save for save in room.said(SaveAgent) if save.agent == "binh"][-1]
    assert (saved.state, bool(saved.call)) == ("talking", True)
