"""Calls through the switchboard, in virtual time."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import sdp
from telephony.events import (
    Answer,
    BindingChanged,
    CallerContext,
    CallerFound,
    CloseLeg,
    ConnectLeg,
    DialogAnswered,
    DialogConfirmed,
    DialogEnded,
    DialogReachable,
    DialogUnreachable,
    DigitPressed,
    Event,
    FindCaller,
    FinishRecording,
    Hangup,
    HangupRequested,
    HoldRequested,
    Invite,
    InviteReceived,
    Join,
    Leave,
    LegLost,
    LegMoved,
    LegOpened,
    LegRefused,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    OpenLeg,
    Play,
    PromptFinished,
    Publish,
    Record,
    RecordingStopped,
    Reject,
    ResumeRequested,
    Ring,
    SaveAgent,
    SaveCall,
    SaveScore,
    StopPlaying,
    StopRecording,
    TimePassed,
    TransferRequested,
)
from telephony.switchboard import CALL
from telephony.switchboard.call import TALKS
from tests.telephony.switchboard.room import CALLER_OFFER, FLOW, NOW, Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_every_state_can_end_and_the_end_is_final() -> None:
    states = {state for state, _ in CALL} | set(CALL.values())
    assert all((state, "ended") in CALL for state in states - {"ended"})
    assert not any(state == "ended" for state, _ in CALL)


def test_an_invite_opens_a_leg_and_asks_who_calls_at_once(room: Room) -> None:
    call = room.ring_in()
    assert room.said(Ring) == [Ring("d1")]
    assert room.said(OpenLeg) == [OpenLeg(f"{call}.caller")]
    assert room.said(FindCaller) == [FindCaller(call, "0912345678", False, "")]
    assert not room.said(Answer)


def test_the_call_is_answered_when_the_leg_is_open_and_the_caller_known(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    assert not room.said(Answer)
    room.known_caller(call)
    assert room.last(ConnectLeg) == ConnectLeg(f"{call}.caller", "0.0.0.0", 0, 0, 101)
    assert room.last(Answer).dialog == "d1"
    saved = room.last(SaveCall).call
    assert (saved.state, saved.ani, saved.customer) == ("answering", "+84912345678", "customer1")


def test_nothing_is_sent_where_the_offer_points_before_its_sender_has_shown_to_hear_us(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    room.wait(30)
    assert all(connected.address == "0.0.0.0" and not connected.port for connected in room.said(ConnectLeg))
    room.happened(DialogConfirmed("d1"))
    assert room.last(ConnectLeg) == ConnectLeg(f"{call}.caller", "192.0.2.1", 4000, 0, 101)


def test_the_order_of_the_two_does_not_matter(room: Room) -> None:
    call = room.ring_in()
    room.known_caller(call)
    assert not room.said(Answer)
    room.open_leg()
    assert room.said(Answer)


def test_a_slow_customer_profile_delays_nobody_and_still_gets_the_call(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.wait(1.4)
    assert not room.said(Answer)
    room.wait(0.2)
    assert room.said(Answer)
    room.happened(DialogConfirmed("d1"))
    room.wait(0.3)
    assert "Lan" not in room.last(Play).prompts[0].value
    room.known_caller(call)
    assert room.last(SaveCall).call.customer == "customer1"


def test_a_leg_that_opens_after_the_wait_is_over_is_answered_at_once(room: Room) -> None:
    room.ring_in()
    room.wait(3)
    room.open_leg()
    assert room.said(Answer)


def test_the_flow_begins_a_moment_after_the_ack(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    room.happened(DialogConfirmed("d1"))
    room.wait(0.29)
    assert not room.said(Play)
    room.wait(0.02)
    assert room.said(Play)


def test_the_greeting_is_by_name(room: Room) -> None:
    room.in_menu()
    play = room.last(Play)
    assert play.prompts[0].value == "Hello Lan. Press 1 for an agent."
    assert play.barge_in
    assert room.switchboard.calls()[0].flow_path == ("menu",)


def test_a_withheld_number_is_not_passed_on(room: Room) -> None:
    room.happened(InviteReceived("d1", "0912345678", "Lan", True, "1900", CALLER_OFFER, "192.0.2.1:5060"))
    assert room.last(FindCaller) == FindCaller(room.last(SaveCall).call.id, "", True, "")


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        ("nonsense", 488),
        (CALLER_OFFER.replace("192.0.2.1", "phone.example"), 488),
        (CALLER_OFFER.replace("IP4 192.0.2.1", "IP6 2001:db8::1"), 488),
    ],
)
def test_an_offer_that_cannot_be_met_is_refused(room: Room, offer: str, status: int) -> None:
    room.happened(InviteReceived("d1", "0912345678", "", False, "1900", offer, "192.0.2.1:5060"))
    for call in room.switchboard.calls():
        room.open_leg()
        room.known_caller(call.id)
    assert room.last(Reject).status == status
    assert not room.switchboard.busy()


def test_no_free_port_is_a_503_and_leaves_nothing(room: Room) -> None:
    call = room.ring_in()
    room.happened(LegRefused(f"{call}.caller", "no free port"))
    assert room.last(Reject).status == 503
    assert not room.switchboard.busy()
    assert room.last(SaveCall).call.ended_by == "no media: no free port"


def test_a_media_worker_that_says_nothing_lets_no_caller_ring_for_ever(room: Room) -> None:
    room.ring_in()
    room.wait(7)
    assert room.state() == "arriving"
    room.wait(2)
    assert room.last(Reject) == Reject("d1", 503, "no media: the media worker does not answer")
    assert room.last(CloseLeg).leg == room.last(OpenLeg).leg
    assert not room.switchboard.busy()
    assert room.switchboard.deadline() is None


def test_an_answer_to_an_offer_that_is_over_is_hung_up(room: Room) -> None:
    room.happened(DialogAnswered("late", CALLER_OFFER))
    assert room.commands == [Hangup("late")]


def test_calls_that_come_and_go_at_once_are_taken_only_so_fast(tmp_path: Path) -> None:
    room = Room(tmp_path, max_calls=10)
    for number in range(1000):
        room.happened(InviteReceived(f"d{number}", "", "", True, "1900", CALLER_OFFER, "192.0.2.1:5060"), 0.01)
        room.happened(DialogEnded(f"d{number}", "cancelled", 487))
    assert 70 <= len(room.said(FindCaller)) <= 80
    assert {reject.status for reject in room.said(Reject)} == {503}
    room.happened(InviteReceived("later", "", "", True, "1900", CALLER_OFFER, "192.0.2.1:5060"), after_s=1.0)
    assert room.last(Ring).dialog == "later"


def test_strangers_who_call_and_hang_up_hold_up_neither_trunks_nor_our_users(tmp_path: Path) -> None:
    room = Room(tmp_path, max_calls=10)
    for number in range(200):
        room.happened(InviteReceived(f"d{number}", "", "", True, "1900", CALLER_OFFER, "192.0.2.1:5060"))
        room.happened(DialogEnded(f"d{number}", "cancelled", 487))
    assert room.last(Reject).status == 503
    room.happened(InviteReceived("t", "", "", True, "1900", CALLER_OFFER, "192.0.2.9:5060", trunk="pbx"))
    assert room.last(Ring).dialog == "t"
    room.happened(InviteReceived("u", "an", "", False, "1900", CALLER_OFFER, "192.0.2.7:5060", user="an"))
    assert room.last(Ring).dialog == "u"


def test_what_is_taken_by_nobody_takes_no_room(tmp_path: Path) -> None:
    room = Room(tmp_path, max_calls=10)
    room.switchboard._board.settings.numbers.clear()  # type: ignore[attr-defined]
    for number in range(200):
        room.happened(InviteReceived(f"d{number}", "", "", True, "1900", CALLER_OFFER, "192.0.2.1:5060"))
    assert {reject.status for reject in room.said(Reject)} == {404}


def test_one_call_too_many_and_a_draining_server_say_503(tmp_path: Path) -> None:
    room = Room(tmp_path, max_calls=1)
    room.ring_in("d1")
    room.ring_in("d2")
    assert room.last(Reject) == Reject("d2", 503, "Service Unavailable")
    room = Room(tmp_path)
    room.switchboard.drain()
    room.happened(InviteReceived("d1", "1", "", False, "1900", CALLER_OFFER, "192.0.2.1:5060"))
    assert room.last(Reject).status == 503


def test_a_caller_who_gives_up_before_the_answer(room: Room) -> None:
    call = room.ring_in()
    room.happened(DialogEnded("d1", "cancelled"))
    assert room.last(SaveCall).call.ended_by == "caller"
    assert room.last(CloseLeg) == CloseLeg(f"{call}.caller")
    assert not room.said(Hangup)
    room.known_caller(call)  # the bridge's late answer finds nobody
    assert not room.said(Answer)


def test_a_key_leads_into_the_queue_with_an_announcement_and_then_music(room: Room) -> None:
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "inband", 0))
    assert room.state() == "queued"
    announcement = room.last(Play)
    assert [prompt.kind for prompt in announcement.prompts] == ["text"]
    assert not announcement.barge_in
    room.happened(PromptFinished(f"{call}.caller", announcement.playback, "finished", 0))
    music = room.last(Play)
    assert [prompt.kind for prompt in music.prompts] == ["music"]
    assert music.loop


def test_a_key_pressed_in_the_moment_before_the_greeting_is_the_flows(room: Room) -> None:
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    room.happened(DialogConfirmed("d1"))
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    assert room.state() != "queued"
    room.wait(0.3)
    assert room.state() == "queued"


def test_the_case_that_the_flow_chose_is_the_calls(room: Room) -> None:
    call = room.in_menu()
    assert room.last(SaveCall).call.case == ""
    room.happened(DigitPressed(f"{call}.caller", "2", "inband", 0))
    assert room.last(SaveCall).call.case == "case1"


RATE = """
flow: rate
languages: [en]
variables: {score: {type: number}}
start: ask
steps:
  ask: {survey: {kind: csat, prompt: {en: How was it?}, into: score}, next: more, no_input: more, no_match: more}
  more: {say: {en: Thank you.}, next: bye}
  bye: {LAST}
"""
BACK = "subflow: rate\n    next: bye\n    failed: bye"


@pytest.mark.parametrize(("by", "last"), [("transfer: {flow: rate}", "hangup: {en: Goodbye.}"), (BACK, "return: next")])
def test_the_case_goes_along_into_another_flow(tmp_path: Path, by: str, last: str) -> None:
    (tmp_path / "rate.yaml").write_text(RATE.replace("LAST", last), encoding="utf-8")
    room = Room(tmp_path, flow=FLOW.replace("say: {en: Thank you.}\n    next: bye", by))
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "2", "rfc4733", 0))
    room.open_leg()
    room.agent_answers()
    room.happened(HangupRequested(call, "agent"))
    room.happened(DigitPressed(f"{call}.caller", "5", "rfc4733", 0))
    assert (room.last(SaveScore).score, room.last(SaveScore).case) == (5, "case1")
    room.happened(DialogEnded("d1", "bye"))
    assert (room.last(SaveCall).call.state, room.last(SaveCall).call.case) == ("ended", "case1")


def test_the_agent_is_told_who_calls_before_the_phone_rings(room: Room) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    offered = [command for command in room.said(Publish) if command.type == "call.offered"]
    assert len(offered) == 1
    context = offered[0].body["context"]
    assert isinstance(context, dict)
    assert context["name"] == "Lan"
    assert not room.said(Invite)
    room.open_leg()
    invite = room.last(Invite)
    assert (invite.user, invite.number, invite.display_name) == ("an", "+84912345678", "Lan")
    assert room.commands.index(offered[0]) < room.commands.index(invite)


def test_on_answer_both_are_joined_and_recorded(room: Room) -> None:
    call = room.talking()
    agent_leg = f"{call}.agent1"
    assert room.last(ConnectLeg) == ConnectLeg(agent_leg, "192.0.2.2", 6000, 0, 101)
    assert room.said(Join) == [Join(f"{call}.caller", call), Join(agent_leg, call)]
    record = room.last(Record)
    assert (record.call, record.leg, record.customer, record.language) == (
        call, f"{call}.caller", "customer1", "en",
    )  # fmt: skip
    assert room.said(StopPlaying)
    saved = room.last(SaveCall).call
    assert (saved.state, saved.agent, saved.recording) == ("talking", "an", record.recording)
    assert [agent.state for agent in room.said(SaveAgent)][-2:] == ["ringing", "talking"]


def test_the_caller_hangs_up_in_mid_talk(room: Room) -> None:
    call = room.talking()
    recording = room.last(Record).recording
    room.happened(DialogEnded("d1", "bye"), after_s=5)
    assert room.last(StopRecording) == StopRecording(recording)
    assert room.said(Hangup) == [Hangup(f"{call}.agent1")]
    assert {command.leg for command in room.said(CloseLeg)} == {f"{call}.caller", f"{call}.agent1"}
    saved = room.last(SaveCall).call
    assert (saved.state, saved.ended_by, saved.agent, saved.ended_at) == ("ended", "caller", "an", room.now)
    assert room.last(SaveAgent).state == "after_call_work"
    assert room.switchboard.busy()  # the recording is still being written
    room.happened(RecordingStopped(recording, 250))
    assert room.last(FinishRecording) == FinishRecording(recording, call, "en")
    assert not room.switchboard.busy()
    room.wait(10)
    assert room.last(SaveAgent).state == "ready"


def test_the_agent_hangs_up_and_the_flow_goes_on(room: Room) -> None:
    call = room.talking()
    room.happened(DialogEnded(f"{call}.agent1", "bye"))
    assert room.said(Leave) == [Leave(f"{call}.caller")]
    assert room.last(Play).prompts[0].value == "Thank you."
    for words in ("Thank you.", "Goodbye."):
        assert room.last(Play).prompts[0].value == words
        room.happened(PromptFinished(f"{call}.caller", room.last(Play).playback, "finished", 0))
    saved = room.last(SaveCall).call
    assert (saved.state, saved.ended_by) == ("ended", "flow: completed")
    assert room.said(Hangup) == [Hangup("d1")]


def test_an_agent_who_hangs_up_where_nothing_follows_ended_the_call(tmp_path: Path) -> None:
    room = Room(tmp_path, answered="end")
    room.talking()
    room.happened(DialogEnded(room.last(Invite).dialog, "bye"))
    assert room.last(SaveCall).call.ended_by == "agent"


@pytest.mark.parametrize(
    ("status", "state"), [(486, "ready"), (603, "ready"), (480, "not_ready"), (404, "not_ready"), (500, "not_ready")]
)
def test_an_agent_who_declines_does_not_lose_the_caller(room: Room, status: int, state: str) -> None:
    room.agents_register()
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    assert room.last(Invite).user == "an"
    room.happened(DialogEnded(f"{call}.agent1", "rejected", status))
    assert [agent.state for agent in room.said(SaveAgent) if agent.agent == "an"][-1] == state
    room.open_leg()
    assert room.last(Invite).user == "binh"
    room.agent_answers()
    assert room.last(SaveCall).call.agent == "binh"


def test_a_phone_that_rings_out_is_left_and_the_next_rings(room: Room) -> None:
    room.agents_register()
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    room.wait(15)
    assert room.said(Hangup) == [Hangup(f"{call}.agent1")]
    room.open_leg()
    assert room.last(Invite).dialog == f"{call}.agent2"
    room.happened(DialogEnded(f"{call}.agent1", "local", 487))  # the cancelled INVITE ends, late
    room.agent_answers()
    assert room.state() == "talking"


def test_an_agent_without_common_media_is_an_offer_that_failed(room: Room) -> None:
    room.agents_register()
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    room.happened(DialogAnswered(f"{call}.agent1", "v=0\r\n"))
    assert room.said(Hangup) == [Hangup(f"{call}.agent1")]
    assert room.last(OpenLeg).leg == f"{call}.agent2"


def test_a_wait_that_is_too_long_leaves_by_its_own_exit(room: Room) -> None:
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.wait(61)
    assert room.last(Play).prompts[0].value == "Nobody is free."
    assert [play.barge_in_by_voice for play in room.said(Play)] == [False] * (len(room.said(Play)) - 1) + [True]
    assert room.switchboard.calls()[0].flow_path == ("menu", "agent", "sorry")


def test_a_caller_who_leaves_the_queue_frees_the_ringing_agent(room: Room) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    room.happened(DialogEnded("d1", "bye"))
    assert room.said(Hangup) == [Hangup(f"{call}.agent1")]
    assert room.last(SaveAgent).state == "ready"


def test_silence_from_the_caller_ends_the_call(room: Room) -> None:
    call = room.talking()
    room.happened(MediaTimedOut(f"{call}.caller", 0))
    assert room.last(SaveCall).call.ended_by == "no audio from the caller"
    assert {command.dialog for command in room.said(Hangup)} == {"d1", f"{call}.agent1"}


def test_silence_from_the_agent_gives_the_caller_back_to_the_flow(room: Room) -> None:
    call = room.talking()
    room.happened(MediaTimedOut(f"{call}.agent1", 0))
    assert room.said(Hangup) == [Hangup(f"{call}.agent1")]
    assert room.last(Play).prompts[0].value == "Thank you."
    assert room.last(SaveAgent).state == "after_call_work"


def test_silence_from_the_agent_where_nothing_follows_is_why_the_call_ended(tmp_path: Path) -> None:
    room = Room(tmp_path, answered="end")
    call = room.talking()
    room.happened(MediaTimedOut(f"{call}.agent1", 0))
    assert room.last(SaveCall).call.ended_by == "no audio from the agent"


def test_somebody_may_end_a_call(room: Room) -> None:
    call = room.in_menu()
    room.happened(HangupRequested(call, "api: tests"))
    assert room.last(SaveCall).call.ended_by == "api: tests"


def test_the_longest_call_allowed(tmp_path: Path) -> None:
    room = Room(tmp_path, max_call_s=100.0)
    room.agents_register("an")
    room.talking()
    room.wait(101)
    assert room.last(SaveCall).call.ended_by == "the longest call allowed"


def test_lost_media_end_a_call_and_its_recording_is_kept(room: Room) -> None:
    call = room.talking()
    recording = room.last(Record).recording
    room.happened(LegLost(f"{call}.caller", "the media worker died"))
    assert room.last(SaveCall).call.ended_by == "failure: the media worker died"
    room.happened(RecordingStopped(recording, 0, "the media worker died"))
    assert room.last(FinishRecording) == FinishRecording(recording, call, "en", "the media worker died")
    assert not room.switchboard.busy()


def test_a_message_knows_its_call_even_after_it_ended(room: Room) -> None:
    call = room.talking()
    room.happened(DialogEnded("d1", "bye"))
    of = room.switchboard.call_of
    assert of(DialogEnded(f"{call}.agent1", "local")) == call
    assert of(CloseLeg(f"{call}.caller")) == call
    assert of(room.last(SaveCall)) == call
    assert of(StopRecording(room.last(Record).recording)) == call
    assert of(BindingChanged("an", 1)) == ""


AGENTS = ("an", "binh")


@st.composite
def _random_event(draw: st.DrawFn) -> tuple[str, int, float]:
    return (
        draw(
            st.sampled_from(
                [
                    *("invite", "open", "found", "ack", "key1", "key9", "key5", "prompt", "register", "unregister"),
                    *(
                        "answer",
                        "decline",
                        "agent_bye",
                        "caller_bye",
                        "wait",
                        "record_end",
                        "media_died",
                        "media_moves",
                    ),
                    *("stall", "resume_audio", "lost", "back", "hold", "resume", "transfer", "agent_hangup"),
                ]
            )
        ),
        draw(st.integers(0, 3)),
        draw(st.sampled_from([0.0, 0.5, 5.0, 20.0])),
    )


def _event(room: Room, kind: str, pick: int) -> Event:  # noqa: C901, PLR0912 - one case a kind
    calls = room.switchboard.calls()
    call = calls[pick % len(calls)].id if calls else "gone"
    dialog = room.dialogs.get(call, "gone")
    invites = room.said(Invite)
    invite = invites[pick % len(invites)] if invites else None
    plays = room.said(Play)
    records = room.said(Record)
    match kind:
        case "open":
            legs = room.said(OpenLeg)
            return LegOpened(legs[-1 - pick % len(legs)].leg if legs else "gone", "127.0.0.1", 20000 + 2 * pick)
        case "found":
            return CallerFound(call, "+84912345678", CallerContext("c", True, "Lan", "en", 1))
        case "ack":
            return DialogConfirmed(dialog)
        case "key1" | "key9" | "key5":
            return DigitPressed(f"{call}.caller", kind[-1], "rfc4733", 0)
        case "prompt":
            play = plays[-1] if plays else Play("gone", "flow.1", ())
            return PromptFinished(play.leg, play.playback, "finished", 0)
        case "register" | "unregister":
            return BindingChanged(AGENTS[pick % 2], int(kind == "register"))
        case "answer" if invite is not None:
            answer = sdp.answer(invite.sdp, sdp.Capabilities("192.0.2.2", 6000, 1)).sdp
            return DialogAnswered(invite.dialog, answer)
        case "stall" | "resume_audio" if invite is not None:
            return MediaStalled(invite.dialog, 0) if kind == "stall" else MediaResumed(invite.dialog, 0)
        case "lost" | "back" if invite is not None:
            return DialogUnreachable(invite.dialog) if kind == "lost" else DialogReachable(invite.dialog)
        case "hold" | "resume":
            request = HoldRequested if kind == "hold" else ResumeRequested
            return request(call, calls[pick % len(calls)].agent if calls and pick else "an")
        case "transfer":
            by = calls[pick % len(calls)].agent if calls else ""
            return TransferRequested(call, by, "binh" if pick % 2 else "", "" if pick % 2 else "care")
        case "agent_hangup":
            return HangupRequested(call, "agent")
        case "decline" | "agent_bye" if invite is not None:
            status = (486, 480, 0, 603)[pick] if kind == "decline" else 0
            return DialogEnded(invite.dialog, "rejected" if status else "bye", status)
        case "caller_bye":
            return DialogEnded(dialog, "bye")
        case "record_end" if records:
            return RecordingStopped(records[pick % len(records)].recording, 10)
        case "media_died":
            return LegLost(f"{call}.caller", "killed")
        case "media_moves":
            return LegMoved(f"{call}.caller", "127.0.0.1", 24000 + 2 * pick)
        case _:
            return TimePassed()


def nobody_hears_nothing(room: Room) -> None:
    """In a talk the caller is in the bridge, or on hold with music; away from the agent there is the comfort tone."""
    for call in room.switchboard.calls():
        leg = f"{call.id}.caller"
        moves = [command for command in room.commands if isinstance(command, Join | Leave) and command.leg == leg]
        joined = bool(moves) and isinstance(moves[-1], Join)
        assert joined == (call.state == "talking")
        sounds = [
            command
            for command in room.commands
            if isinstance(command, Play | StopPlaying) and command.leg == leg and command.playback.startswith("talk.")
        ]
        sounding = bool(sounds) and isinstance(sounds[-1], Play)
        assert sounding == (call.state == "held" or (call.state == "talking" and bool(call.away_at)))
        talks = [agent for agent in room.acd.agents() if agent.call == call.id and agent.state == "talking"]
        assert len(talks) == (call.state in TALKS)


@settings(max_examples=300, deadline=None)
@given(st.lists(_random_event(), max_size=40))
def test_no_order_of_events_raises_or_leaves_a_call_behind(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[tuple[str, int, float]]
) -> None:
    room = Room(tmp_path_factory.getbasetemp(), max_call_s=1000.0)
    for kind, pick, pause_s in happenings:
        room.wait(pause_s)
        if kind == "invite":
            room.ring_in(f"d{len(room.dialogs)}")
        else:
            room.happened(_event(room, kind, pick))
        nobody_hears_nothing(room)
    room.wait(1000.0)
    # Every call ended, once, and let go of all it had.
    assert not room.switchboard.calls()
    opened = {command.leg for command in room.said(OpenLeg)}
    assert {command.leg for command in room.said(CloseLeg)} == opened
    assert len(room.said(CloseLeg)) == len(opened)
    ends = [command.call.id for command in room.said(SaveCall) if command.call.state == "ended"]
    assert len(ends) == len(set(ends))
    assert len({record.recording for record in room.said(Record)}) == len(room.said(Record))
    for record in room.said(Record):
        stops = [command for command in room.said(StopRecording) if command.recording == record.recording]
        finishes = [command for command in room.said(FinishRecording) if command.recording == record.recording]
        assert stops or finishes
    # And nobody is stuck with a call that is gone.
    assert not any(agent.call for agent in room.acd.agents())
    assert all(agent.state not in {"ringing", "talking"} for agent in room.acd.agents())
    assert room.now >= NOW
