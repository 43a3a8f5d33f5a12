"""Calls to the world outside: an agent dials, or gives a caller away; in virtual time."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    Answer,
    CallerContext,
    CallerFound,
    CallSnapshot,
    CloseLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogRinging,
    FindCaller,
    FinishRecording,
    Hangup,
    HangupRequested,
    HoldRequested,
    Invite,
    InviteReceived,
    Join,
    LegLost,
    LegOpened,
    LegRefused,
    MediaStalled,
    MediaTimedOut,
    Note,
    OpenLeg,
    Play,
    Progress,
    Publish,
    Record,
    RecordingStopped,
    ReferReceived,
    RefuseNumber,
    Reject,
    Ring,
    SaveCall,
    SessionOffered,
    StopPlaying,
    StopRecording,
    TellRefer,
    TransferRequested,
    TrunkChanged,
)
from telephony.switchboard import Switchboard, SwitchboardSettings, outside
from telephony.switchboard.dialling import TrunkRules
from tests.telephony.switchboard.room import Room

PHONE = sdp.Capabilities("192.0.2.7", 7000, 9)
GATEWAY = sdp.Capabilities("203.0.113.5", 9000, 5)
NUMBER = "+84912345678"
FIRST = TrunkRules("first", caller_number="+842873001234", max_calls=2, passes_on=True)
SECOND = TrunkRules("second", countries=frozenset({"VN", "GB"}), caller_number="+842873009999")


class Outside(Room):
    """A room with two trunks."""

    def __init__(self, folder: Path, *trunks: TrunkRules, max_calls: int = 500) -> None:
        super().__init__(folder)
        before = self.switchboard
        ids = iter(range(1000, 9999))
        self.switchboard = Switchboard(
            SwitchboardSettings(
                {"*": "main", "1900": "main"}, trunks=trunks or (FIRST, SECOND), max_calls=max_calls, language="vi"
            ),
            before.board.flows,
            self.acd,
            lambda: f"{next(ids):032x}",
        )

    def dial(
        self, number: str = "0912345678", dialog: str = "phone", user: str = "an", offer: str = ""
    ) -> Invite | None:
        """An agent's phone dials; return the INVITE that went out."""
        before = len(self.said(OpenLeg)), len(self.said(Invite))
        offer = sdp.offer(PHONE)
        self.happened(InviteReceived(dialog, user, "", False, number, offer, "192.0.2.7:5060", user=user))
        self.open_legs(before[0])
        return self.last(Invite) if len(self.said(Invite)) > before[1] else None

    def open_legs(self, before: int) -> None:
        """The media worker opens every leg that was asked for since."""
        for opening in self.said(OpenLeg)[before:]:
            self.happened(LegOpened(opening.leg, "127.0.0.1", next(self.ports)))

    def answer(self) -> None:
        """Whoever was called last answers."""
        invite = self.last(Invite)
        self.happened(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))

    def saved(self) -> CallSnapshot:
        """The call that was saved last."""
        return self.last(SaveCall).call

    def states(self) -> dict[str, str]:
        """The agents."""
        return {agent.agent: agent.state for agent in self.acd.agents()}

    def published(self) -> list[str]:
        """What listeners were told."""
        return [command.type for command in self.said(Publish)]

    def forwarded(self) -> str:
        """A caller who was given away to a number, which is being called; return the call."""
        call = self.talking()
        before = len(self.said(OpenLeg))
        self.happened(TransferRequested(call, "an", number="0987654321"))
        self.open_legs(before)
        return call


@pytest.fixture
def room(tmp_path: Path) -> Outside:
    made = Outside(tmp_path)
    made.agents_register("an", "binh")
    return made


class TestDialling:
    def test_an_agent_dials_and_the_trunk_is_asked(self, room: Outside) -> None:
        invite = room.dial()
        assert invite is not None
        assert (invite.trunk, invite.to, invite.number, invite.user) == ("first", NUMBER, "+842873001234", "")
        assert room.states()["an"] == "talking"
        assert [command.number for command in room.said(FindCaller)] == [NUMBER]
        assert room.said(FindCaller)[0].dialled
        call = room.saved()
        assert (call.direction, call.trunk, call.agent, call.dnis, call.ani, call.state) == (
            "outbound", "first", "an", NUMBER, "+842873001234", "calling",
        )  # fmt: skip

    def test_a_whole_call_is_recorded_and_kept(self, room: Outside) -> None:
        invite = room.dial()
        assert invite is not None
        room.happened(DialogRinging(invite.dialog))
        assert room.last(Ring).dialog == "phone"
        call = room.saved().id
        room.happened(CallerFound(call, NUMBER, CallerContext("customer1", True, "Lan", "en")))
        assert room.saved().customer == "customer1"
        room.answer()
        assert room.last(Answer).dialog == "phone"
        assert not room.said(Record)
        room.happened(DialogConfirmed("phone"), after_s=1.0)
        record = room.last(Record)
        assert (record.leg, record.customer, record.language) == (f"{call}.far", "customer1", "en")
        assert {join.leg for join in room.said(Join)} == {f"{call}.near", f"{call}.far"}
        room.happened(DialogEnded(invite.dialog, "bye"), after_s=30.0)
        assert room.last(Hangup).dialog == "phone"
        assert room.last(StopRecording).recording == record.recording
        ended = room.saved()
        assert (ended.state, ended.ended_by, ended.recording) == ("ended", outside_party(), record.recording)
        assert ended.talk_ended_at - ended.talk_started_at == 30.0
        room.happened(RecordingStopped(record.recording, 1500))
        assert room.last(FinishRecording).language == "en"
        assert room.states()["an"] == "ready"
        assert not room.switchboard.busy()
        assert [name for name in room.published() if name.startswith("call.")] == [
            "call.dialled", "call.caller_found", "call.talking", "call.ended",
        ]  # fmt: skip

    def test_what_the_network_says_before_the_answer_is_heard(self, room: Outside) -> None:
        invite = room.dial()
        assert invite is not None
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        assert room.last(Progress).dialog == "phone"
        assert len(room.said(Join)) == 2
        room.happened(DialogEnded(invite.dialog, "rejected", 404, "Not Found"))
        assert (room.last(Reject).dialog, room.last(Reject).status) == ("phone", 404)
        assert room.saved().ended_by == "not reached: 404"

    @pytest.mark.parametrize("side", ["near", "far"])
    def test_a_network_that_says_nothing_before_the_answer_is_waited_for(self, room: Outside, side: str) -> None:
        invite = room.dial()
        assert invite is not None
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        call = room.saved().id
        room.happened(MediaTimedOut(f"{call}.{side}", 1), after_s=30.0)
        assert room.saved().state == "calling"
        room.answer()
        room.happened(DialogConfirmed("phone"))
        assert room.saved().state == "talking"

    def test_the_row_says_who_ended_it_from_the_page(self, room: Outside) -> None:
        room.dial()
        room.happened(HangupRequested(room.saved().id, "api: chief"))
        assert room.saved().ended_by == "api: chief"

    def test_what_may_not_be_dialled_is_refused_and_told_to_the_log(self, room: Outside) -> None:
        assert room.dial("19001234") is None
        assert room.last(Reject).status == 403
        assert room.last(RefuseNumber) == RefuseNumber("an", "19001234", room.last(RefuseNumber).cause)
        assert not room.said(SaveCall)
        assert room.states()["an"] == "ready"

    def test_a_trunk_that_may_is_taken_where_the_first_may_not(self, room: Outside) -> None:
        invite = room.dial("+442079460000")
        assert invite is not None
        assert (invite.trunk, invite.number) == ("second", "+842873009999")

    def test_the_second_trunk_is_tried_when_the_first_fails_and_not_when_somebody_is_busy(self, room: Outside) -> None:
        first = room.dial()
        assert first is not None
        room.happened(DialogEnded(first.dialog, "rejected", 503, ""))
        second = room.last(Invite)
        assert (second.trunk, second.to) == ("second", NUMBER)
        assert second.dialog != first.dialog
        assert room.switchboard.calls()[0].trunk == "second"
        room.happened(DialogEnded(second.dialog, "rejected", 486, "Busy Here"))
        assert room.last(Reject).status == 486
        assert len(room.said(Invite)) == 2

    def test_each_trunk_shows_its_own_number(self, room: Outside) -> None:
        first = room.dial()
        assert first is not None
        room.happened(DialogEnded(first.dialog, "rejected", 503, ""))
        assert room.last(Invite).number == "+842873009999"
        room.answer()
        room.happened(DialogConfirmed("phone"))
        assert (room.saved().trunk, room.saved().ani) == ("second", "+842873009999")

    def test_a_second_trunk_that_is_full_by_now_is_not_taken(self, tmp_path: Path) -> None:
        room = Outside(tmp_path, FIRST, TrunkRules("second", max_calls=1))
        room.agents_register("an", "binh")
        first = room.dial()
        assert first is not None
        offer = sdp.offer(PHONE)
        room.happened(InviteReceived("d1", "0912", "", False, "1900", offer, "203.0.113.5:5060", trunk="second"))
        room.happened(DialogEnded(first.dialog, "rejected", 503, ""))
        assert len(room.said(Invite)) == 1
        assert room.last(Reject).status == 503

    def test_a_trunk_that_withholds_does_so_when_it_is_the_second_too(self, tmp_path: Path) -> None:
        room = Outside(tmp_path, FIRST, TrunkRules("second", caller_number="+842873009999", withholds=True))
        first = room.dial()
        assert first is not None
        room.happened(DialogEnded(first.dialog, "timed_out", 408))
        assert (first.withheld, room.last(Invite).withheld) == (False, True)

    def test_a_trunk_that_is_down_is_tried_last(self, room: Outside) -> None:
        room.happened(TrunkChanged("first", "failed", up=False))
        invite = room.dial()
        assert invite is not None
        assert invite.trunk == "second"

    def test_a_full_trunk_is_not_taken_and_with_none_left_there_is_503(self, tmp_path: Path) -> None:
        room = Outside(tmp_path, TrunkRules("only", max_calls=1))
        room.agents_register("an", "binh")
        assert room.dial() is not None
        assert room.dial("0987654321", "other", "binh") is None
        assert (room.last(Reject).dialog, room.last(Reject).status) == ("other", 503)

    def test_calls_that_come_in_by_a_trunk_count_on_it(self, tmp_path: Path) -> None:
        room = Outside(tmp_path, TrunkRules("only", max_calls=1))
        offer, source = sdp.offer(PHONE), "203.0.113.5:5060"
        room.happened(InviteReceived("d1", "0912345678", "", False, "1900", offer, source, trunk="only"))
        assert room.saved().trunk == "only"
        room.happened(
            InviteReceived("d2", "0912", "", False, "1900", sdp.offer(PHONE), "203.0.113.5:5060", trunk="only")
        )
        assert (room.last(Reject).dialog, room.last(Reject).status) == ("d2", 503)
        assert [(rules.name, calls) for rules, _, calls in outside.standing(room.switchboard.board)] == [("only", 1)]

    def test_without_trunks_an_agent_reaches_the_flow_as_before(self, tmp_path: Path) -> None:
        room = Room(tmp_path)
        room.happened(
            InviteReceived("d1", "an", "", False, "0912345678", sdp.offer(PHONE), "192.0.2.7:5060", user="an")
        )
        assert room.last(SaveCall).call.flow == "main"

    def test_a_number_of_our_own_is_answered_by_its_flow(self, room: Outside) -> None:
        assert room.dial("1900") is None
        assert room.saved().flow == "main"

    def test_a_stranger_dials_nobody(self, room: Outside) -> None:
        room.happened(InviteReceived("d1", "x", "", False, "0912345678", sdp.offer(PHONE), "198.51.100.1:5060"))
        room.happened(
            InviteReceived("d2", "x", "", False, "0912345678", sdp.offer(PHONE), "203.0.113.5:5060", trunk="first")
        )
        assert not room.said(Invite)

    def test_the_agent_gives_up(self, room: Outside) -> None:
        invite = room.dial()
        assert invite is not None
        room.happened(DialogEnded("phone", "cancelled", 487))
        assert room.last(Hangup).dialog == invite.dialog
        assert room.saved().ended_by == "agent"
        assert len(room.said(CloseLeg)) == 2

    def test_nobody_answers_for_a_minute(self, room: Outside) -> None:
        room.dial()
        room.wait(61)
        assert room.last(Reject).status == 480
        assert room.saved().state == "ended"

    def test_the_page_shows_the_call_and_can_end_it(self, room: Outside) -> None:
        room.dial()
        shown = room.switchboard.desk_call("an")
        assert shown is not None
        assert shown[0].dnis == NUMBER
        room.happened(HangupRequested(shown[0].id, "agent"))
        assert room.saved().ended_by == "agent"
        assert room.switchboard.desk_call("an") is None

    def test_lost_media_end_it(self, room: Outside) -> None:
        room.dial()
        room.happened(LegLost(room.said(OpenLeg)[0].leg, "the media worker died"))
        assert room.saved().state == "ended"
        assert not room.switchboard.calls()


class TestOnceAnswered:
    """A call that an agent has made is one like any other, but has no flow to go on in."""

    def talk(self, room: Outside) -> str:
        """An agent who talks with somebody outside; return the call."""
        room.dial()
        call = room.saved().id
        room.answer()
        room.happened(DialogConfirmed("phone"))
        return call

    def test_whom_we_call_may_be_found_late(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(CallerFound(call, NUMBER, CallerContext("customer1", True, "Lan", "en")))
        saved = room.saved()
        assert (saved.customer, saved.language, saved.ani) == ("customer1", "en", "+842873001234")

    def test_it_is_held_at_the_phone_and_on_the_page(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(SessionOffered("phone", sdp.offer(PHONE).replace("a=sendrecv", "a=sendonly")))
        assert room.saved().state == "held"
        assert room.last(Play).leg == f"{call}.far"
        room.happened(SessionOffered("phone", sdp.offer(PHONE)))
        assert room.saved().state == "talking"
        room.happened(HoldRequested(call, "an"))
        assert room.saved().state == "held"

    def test_the_agent_hangs_up(self, room: Outside) -> None:
        self.talk(room)
        room.happened(DialogEnded("phone", "bye"))
        assert (room.saved().state, room.saved().ended_by) == ("ended", "agent")
        assert room.said(StopRecording)
        assert room.states()["an"] == "ready"
        assert not room.switchboard.calls()

    def test_it_is_given_to_a_colleague(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(TransferRequested(call, "an", agent="binh"))
        room.open_leg()
        assert (room.last(Invite).user, room.last(Invite).number) == ("binh", NUMBER)
        room.agent_answers()
        assert (room.saved().id, room.saved().state, room.saved().agent) == (call, "talking", "binh")
        assert len(room.said(Record)) == 1

    def test_it_is_given_to_a_colleague_who_does_not_answer(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(TransferRequested(call, "an", queue="care"))
        room.wait(3600)
        assert room.switchboard.call(call) is None
        assert room.saved().state == "ended"

    def test_it_waits_in_a_queue_as_a_call_that_came_in_would(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(TransferRequested(call, "an", queue="care"))
        assert room.saved().state == "ringing"
        room.open_leg()
        assert room.last(Invite).user == "binh"
        room.agent_answers()
        assert (room.saved().id, room.saved().state, room.saved().agent) == (call, "talking", "binh")

    def test_the_colleague_who_declines_it_is_not_its_end(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(TransferRequested(call, "an", agent="binh"))
        room.open_leg()
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", 486))
        room.wait(5.0)
        assert room.switchboard.call(call) is not None

    def test_a_number_that_does_not_answer_is_not_its_end(self, room: Outside) -> None:
        call = self.talk(room)
        before = len(room.said(OpenLeg))
        room.happened(TransferRequested(call, "an", number="0987654321"))
        room.open_legs(before)
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", 486))
        assert (room.saved().state, room.saved().queue) == ("ringing", "care")
        assert room.switchboard.call(call) is not None

    def test_an_agent_who_is_lost_is_not_its_end(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(MediaStalled(f"{call}.near", 1))
        room.wait(61.0)
        assert (room.saved().state, room.saved().queue) == ("ringing", "care")

    def test_it_is_given_to_a_number(self, room: Outside) -> None:
        self.talk(room)
        before = len(room.said(OpenLeg))
        room.happened(ReferReceived("phone", "0987654321"))
        room.open_legs(before)
        assert room.last(TellRefer).status == 200
        invite = room.last(Invite)
        assert (invite.to, invite.number, invite.diverted) == ("+84987654321", NUMBER, "+842873001234")
        room.answer()
        assert room.saved().state == "outside"

    def test_the_page_shows_whom_the_agent_talks_with_and_not_who_is_on_hold(self, room: Outside) -> None:
        first = self.talk(room)
        room.happened(HoldRequested(first, "an"))
        room.dial("0987654321", "second")
        room.answer()
        shown = room.switchboard.desk_call("an")
        assert shown is not None
        assert shown[0].id == first  # nobody is there yet
        room.happened(DialogConfirmed("second"))
        shown = room.switchboard.desk_call("an")
        assert shown is not None
        assert (shown[0].state, shown[0].dnis) == ("talking", "+84987654321")
        room.happened(DialogEnded("second", "bye"))
        shown = room.switchboard.desk_call("an")
        assert shown is not None
        assert (shown[0].id, shown[0].state) == (first, "held")

    def test_a_colleague_is_asked_first(self, room: Outside) -> None:
        call = self.talk(room)
        room.happened(InviteReceived("ask", "an", "", False, "binh", sdp.offer(PHONE), "192.0.2.7:5060", user="an"))
        room.open_legs(len(room.said(OpenLeg)) - 2)
        room.answer()
        room.happened(DialogConfirmed("ask"))
        room.happened(ReferReceived("phone", "binh", replaces="ask"))
        assert room.last(TellRefer).status == 200
        assert (room.saved().id, room.saved().agent, room.saved().state) == (call, "binh", "talking")

    def test_two_that_an_agent_has_called_talk_to_each_other(self, room: Outside) -> None:
        call = self.talk(room)
        room.now += 5.0
        room.dial("0987654321", "second")
        room.answer()
        room.happened(DialogConfirmed("second"))
        room.happened(ReferReceived("second", "", replaces="phone"))
        assert [(each.id, each.state) for each in room.switchboard.calls()] == [(call, "outside")]
        assert room.states()["an"] == "ready"


class TestGivingAway:
    def test_a_caller_is_given_to_a_number(self, room: Outside) -> None:
        call = room.forwarded()
        invite = room.last(Invite)
        assert (invite.trunk, invite.to) == ("first", "+84987654321")
        assert invite.number == NUMBER  # the caller's own, passed on
        assert room.saved().state == "forwarding"
        assert room.states()["an"] == "after_call_work"
        assert room.last(Play).prompts[0].value == "waiting"
        room.answer()
        assert room.said(StopPlaying)
        assert room.saved().state == "outside"
        assert {join.leg for join in room.said(Join)[-2:]} == {f"{call}.caller", room.last(OpenLeg).leg}
        recordings = len(room.said(Record))
        room.happened(DialogEnded(invite.dialog, "bye"), after_s=20.0)
        assert room.saved().state == "ended"
        assert room.saved().ended_by == outside_party()
        assert room.saved().transferred_by == "an"
        assert (recordings, len(room.said(StopRecording))) == (1, 1)
        assert room.last(Hangup).dialog == "d1"

    def test_the_caller_hears_what_the_network_says(self, room: Outside) -> None:
        room.forwarded()
        invite = room.last(Invite)
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        joins = len(room.said(Join))
        assert room.said(StopPlaying)
        room.answer()
        assert len(room.said(Join)) == joins
        assert room.saved().state == "outside"

    def test_nobody_is_reached_and_the_caller_is_first_for_the_next_agent(self, room: Outside) -> None:
        call = room.forwarded()
        room.happened(DialogEnded(room.last(Invite).dialog, "rejected", 486, "Busy Here"))
        assert room.saved().state in {"queued", "ringing"}
        room.open_leg()
        assert room.last(Invite).user == "binh"
        room.agent_answers()
        assert room.saved().state == "talking"
        assert room.saved().agent == "binh"
        assert room.last(SaveCall).call.id == call

    def test_nobody_answers_for_a_minute(self, room: Outside) -> None:
        room.forwarded()
        dialog = room.last(Invite).dialog
        room.wait(60.5)
        assert Hangup(dialog) in room.said(Hangup)
        assert room.saved().state in {"queued", "ringing"}

    def test_the_second_trunk_is_tried(self, room: Outside) -> None:
        room.forwarded()
        room.happened(DialogEnded(room.last(Invite).dialog, "timed_out", 408))
        # It does not pass numbers of others on, as the first does.
        assert (room.last(Invite).trunk, room.last(Invite).number) == ("second", "+842873009999")
        room.answer()
        assert room.saved().state == "outside"

    def test_no_socket_is_no_call(self, room: Outside) -> None:
        call = room.talking()
        room.happened(TransferRequested(call, "an", number="0987654321"))
        room.happened(LegRefused(room.last(OpenLeg).leg, "out of ports"))
        assert room.saved().state in {"queued", "ringing"}

    @pytest.mark.parametrize("answered", [False, True])
    def test_the_caller_hangs_up(self, room: Outside, answered: bool) -> None:
        room.forwarded()
        dialog = room.last(Invite).dialog
        if answered:
            room.answer()
        room.happened(DialogEnded("d1", "bye"))
        assert Hangup(dialog) in room.said(Hangup)
        assert (room.saved().state, room.saved().ended_by) == ("ended", "caller")
        assert not room.switchboard.calls()

    def test_silence_before_the_answer_ends_nothing(self, room: Outside) -> None:
        room.forwarded()
        invite = room.last(Invite)
        room.happened(DialogRinging(invite.dialog, sdp.answer(invite.sdp, GATEWAY).sdp))
        room.happened(MediaTimedOut(room.last(OpenLeg).leg, 1), after_s=30.0)
        assert room.saved().state == "forwarding"
        room.answer()
        assert room.saved().state == "outside"

    def test_a_silent_party_is_found_out(self, room: Outside) -> None:
        room.forwarded()
        room.answer()
        room.happened(MediaTimedOut(room.last(OpenLeg).leg, 1))
        assert room.saved().ended_by == f"no audio from {outside_party()}"

    def test_the_party_outside_may_change_its_session(self, room: Outside) -> None:
        room.forwarded()
        room.answer()
        dialog = room.last(Invite).dialog
        room.happened(SessionOffered(dialog, sdp.offer(GATEWAY)))
        assert room.commands[-1].__class__.__name__ == "AnswerSession"

    def test_what_may_not_be_dialled_leaves_the_talk_as_it_is(self, room: Outside) -> None:
        call = room.talking()
        room.happened(TransferRequested(call, "an", number="19001234"))
        assert room.saved().state == "talking"
        assert room.last(Note).about == "failure"
        assert room.said(RefuseNumber)
        assert "call.transfer_refused" in room.published()

    def test_only_the_agent_of_the_talk_may(self, room: Outside) -> None:
        call = room.talking()
        room.happened(TransferRequested(call, "binh", number="0987654321"))
        assert room.saved().state == "talking"

    def test_a_withheld_caller_is_not_passed_on(self, tmp_path: Path) -> None:
        room = Outside(tmp_path, FIRST)
        room.agents_register("an")
        call = room.talking()
        room.switchboard.board.calls[call].ani = ""
        room.happened(TransferRequested(call, "an", number="0987654321"))
        room.open_leg()
        assert room.last(Invite).number == "+842873001234"

    def test_the_api_is_told_beforehand_what_would_be_refused(self, room: Outside) -> None:
        board = room.switchboard.board
        assert outside.why_not(board, "0912345678") is None
        refused = outside.why_not(board, "19001234")
        assert refused is not None
        assert refused[0] == 403
        assert not room.said(RefuseNumber)


class TestRefer:
    def test_blind_to_a_number(self, room: Outside) -> None:
        room.talking()
        dialog = room.last(Invite).dialog
        before = len(room.said(OpenLeg))
        room.happened(ReferReceived(dialog, "0987654321"))
        room.open_legs(before)
        assert room.last(TellRefer).status == 200
        assert room.last(Invite).to == "+84987654321"
        assert Hangup(dialog) in room.said(Hangup)

    def test_blind_to_what_may_not_be_dialled(self, room: Outside) -> None:
        room.talking()
        room.happened(ReferReceived(room.last(Invite).dialog, "19001234"))
        assert room.last(TellRefer).status == 403
        assert room.saved().state == "talking"

    def consult(self, room: Outside, *, answered: bool = True) -> tuple[str, str]:
        """The agent holds the caller and calls somebody outside; return the call and the agent's dialog in it."""
        call = room.talking()
        own = room.last(Invite).dialog
        room.happened(SessionOffered(own, sdp.offer(PHONE).replace("a=sendrecv", "a=sendonly")))
        room.dial("0987654321", "consult")
        if answered:
            room.answer()
            room.happened(DialogConfirmed("consult"))
        return call, own

    @pytest.mark.parametrize("by_second", [False, True])
    def test_attended_puts_caller_and_outsider_together(self, room: Outside, by_second: bool) -> None:
        call, own = self.consult(room)
        far = room.last(Invite).dialog
        before = len(room.said(Hangup))
        # Some phones ask in the one dialog, some in the other.
        dialog, replaced = ("consult", own) if by_second else (own, "consult")
        room.happened(ReferReceived(dialog, "0987654321", replaces=replaced))
        assert room.last(TellRefer) == TellRefer(dialog, 200)
        assert {command.dialog for command in room.said(Hangup)[before:]} == {own, "consult"}
        assert {join.leg for join in room.said(Join)[-2:]} == {f"{call}.caller", room.said(OpenLeg)[-1].leg}
        assert [(each.id == call, each.state) for each in room.switchboard.calls()] == [(True, "outside")]
        consulted = next(each.call for each in reversed(room.said(SaveCall)) if each.call.direction == "outbound")
        assert consulted.ended_by == "transferred by an"
        assert len(room.said(StopRecording)) == 1  # that of the consultation; the caller's goes on
        room.happened(DialogEnded("d1", "bye"))
        assert Hangup(far) in room.said(Hangup)
        assert not room.switchboard.calls()

    def test_attended_with_somebody_elses_call_is_declined(self, room: Outside) -> None:
        room.talking()
        own = room.last(Invite).dialog
        room.dial("0987654321", "other", "binh")
        room.answer()
        room.happened(DialogConfirmed("other"))
        room.happened(ReferReceived(own, "0987654321", replaces="other"))
        assert room.last(TellRefer).status == 603

    def test_attended_while_it_rings_waits_for_the_answer(self, room: Outside) -> None:
        call, own = self.consult(room, answered=False)
        before = len(room.said(OpenLeg))
        room.happened(ReferReceived(own, "0987654321", replaces="consult"))
        room.open_legs(before)
        assert room.switchboard.call(call) is not None
        assert room.last(Invite).to == "+84987654321"
        room.answer()
        assert [each.state for each in room.switchboard.calls()] == ["outside"]


def outside_party() -> str:
    """What rows call the party outside."""
    return "the party outside"
