"""Hold, transfer, and an agent whose page is reloaded in the middle of a talk."""

from pathlib import Path

import pytest

from telephony import sdp
from telephony.events import (
    BindingChanged,
    CloseLeg,
    ConnectLeg,
    DialogAnswered,
    DialogEnded,
    DialogReachable,
    DialogUnreachable,
    DigitPressed,
    HangupRequested,
    HoldRequested,
    Invite,
    Join,
    Leave,
    LegOpened,
    MediaResumed,
    MediaStalled,
    MediaTimedOut,
    OpenLeg,
    Play,
    Publish,
    Record,
    ResumeRequested,
    StopPlaying,
    StopRecording,
    TransferRequested,
    WebRtc,
)
from tests.telephony.switchboard.room import Room

WEB = WebRtc("u", "p" * 22, ("1 1 udp 1 192.0.2.1 4000 typ host",), "sha-256 " + ":".join(["AB"] * 32))
PAGE = WebRtc("v", "q" * 22, ("1 1 udp 1 192.0.2.7 4000 typ host",), "sha-256 " + ":".join(["CD"] * 32))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def agent_state(room: Room, agent: str = "an") -> str:
    return next(each.state for each in room.acd.agents() if each.agent == agent)


def call_state(room: Room, call: str) -> str:
    found = room.switchboard.call(call)
    return found.state if found else "gone"


def told(room: Room) -> list[str]:
    return [publish.type for publish in room.said(Publish)]


def open_web_leg(room: Room) -> None:
    leg = room.last(OpenLeg)
    assert leg.kind == "webrtc"
    room.happened(LegOpened(leg.leg, "192.0.2.1", 4000, WEB))


def page_answers(room: Room) -> None:
    invite = room.last(Invite)
    ours = sdp.Capabilities("192.0.2.7", 4000, 1, (sdp.PCMU, sdp.PCMA, sdp.OPUS), PAGE)
    room.happened(DialogAnswered(invite.dialog, sdp.answer(invite.sdp, ours).sdp))


def talking_in_a_browser(room: Room) -> str:
    room.happened(BindingChanged("an", 1, webrtc=True), after_s=1.0)
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    open_web_leg(room)
    page_answers(room)
    assert call_state(room, call) == "talking"
    return call


# ------------------------------------------------------------------------------------------------- browsers


def test_an_agent_in_a_browser_is_offered_the_callers_codec_first_over_dtls(room: Room) -> None:
    talking_in_a_browser(room)
    invite = room.last(Invite)
    (media,) = sdp.parse(invite.sdp).media
    assert (media.protocol, media.formats[0]) == ("UDP/TLS/RTP/SAVPF", "0")
    assert invite.call
    assert not invite.auto_answer
    connect = room.last(ConnectLeg)
    assert (connect.codec, connect.payload_type) == ("PCMU", 0)
    assert connect.webrtc is not None
    assert connect.webrtc.ufrag == "v"
    assert room.last(OpenLeg).offers


def test_a_caller_in_a_browser_gets_a_browsers_leg(room: Room) -> None:
    offer = sdp.offer(sdp.Capabilities("192.0.2.7", 4000, 1, (sdp.PCMU,), PAGE))
    room.ring_in(offer=offer)
    opened = room.last(OpenLeg)
    assert (opened.kind, opened.offers) == ("webrtc", False)


# ---------------------------------------------------------------------------------------------------- hold


def test_hold_lets_the_caller_hear_music_and_resume_brings_both_together(room: Room) -> None:
    call = room.talking()
    room.commands.clear()

    room.happened(HoldRequested(call, "an"))
    assert call_state(room, call) == "held"
    assert room.last(Leave).leg == f"{call}.caller"
    music = room.last(Play)
    assert (music.prompts[0].value, music.loop, music.barge_in) == ("hold", True, False)
    assert room.switchboard.call(call).held_at == room.now  # type: ignore[union-attr]

    room.happened(ResumeRequested(call, "an"))
    assert call_state(room, call) == "talking"
    assert room.last(StopPlaying).playback == music.playback
    assert room.last(Join).leg == f"{call}.caller"
    assert not room.said(StopRecording)
    assert [name for name in told(room) if name in ("call.held", "call.resumed")] == ["call.held", "call.resumed"]


@pytest.mark.parametrize("agent", ["binh", ""])
def test_nobody_else_puts_a_caller_on_hold(room: Room, agent: str) -> None:
    call = room.talking()
    room.happened(HoldRequested(call, agent))
    assert call_state(room, call) == "talking"


def test_a_second_click_changes_nothing(room: Room) -> None:
    call = room.talking()
    room.happened(HoldRequested(call, "an"))
    assert room.happened(HoldRequested(call, "an")) == []
    room.happened(ResumeRequested(call, "an"))
    assert room.happened(ResumeRequested(call, "an")) == []


def test_a_held_caller_who_hangs_up_is_gone(room: Room) -> None:
    call = room.talking()
    room.happened(HoldRequested(call, "an"))
    room.happened(DialogEnded("d1", "bye"))
    assert call_state(room, call) == "gone"
    assert agent_state(room) == "after_call_work"


def test_an_agent_who_hangs_up_on_hold_gives_the_caller_back_to_the_flow(room: Room) -> None:
    call = room.talking()
    room.happened(HoldRequested(call, "an"))
    room.happened(HangupRequested(call, "agent"))
    assert call_state(room, call) == "in_flow"
    assert room.said(StopPlaying)


# ------------------------------------------------------------------------------------------------- transfer


def test_a_transfer_to_a_colleague_rings_there_and_the_recording_goes_on(room: Room) -> None:
    call = room.talking()
    room.agents_register("binh")
    room.happened(TransferRequested(call, "an", agent="binh"))
    assert agent_state(room) == "after_call_work"
    assert call_state(room, call) == "ringing"
    room.open_leg()
    assert room.last(Invite).user == "binh"
    room.agent_answers()
    assert call_state(room, call) == "talking"
    assert len(room.said(Record)) == 1
    assert not room.said(StopRecording)
    snapshot = room.switchboard.call(call)
    assert snapshot is not None
    assert (snapshot.agent, snapshot.transferred_by) == ("binh", "an")
    (event,) = [publish.body for publish in room.said(Publish) if publish.type == "call.transferred"]
    assert (event["by"], event["to"]) == ("an", "agent:binh")


def test_a_colleague_who_does_not_take_the_call_does_not_lose_it(room: Room) -> None:
    call = room.talking()
    room.agents_register("binh")
    room.happened(TransferRequested(call, "an", agent="binh"))
    room.open_leg()
    room.happened(DialogEnded(room.last(Invite).dialog, "rejected", 486))
    assert call_state(room, call) == "queued"
    room.wait(12.0)  # the first agent's after-call work is over
    assert room.last(OpenLeg).leg.startswith(call)
    assert call_state(room, call) == "ringing"


def test_a_colleague_who_is_busy_is_waited_for_and_then_anybody_may(room: Room) -> None:
    call = room.talking()
    room.happened(TransferRequested(call, "an", agent="binh"))  # not registered
    assert call_state(room, call) == "queued"
    room.wait(11.0)
    assert agent_state(room) == "ready"
    assert call_state(room, call) == "queued"
    room.wait(20.0)
    assert call_state(room, call) == "ringing"
    assert agent_state(room) == "ringing"


def test_a_transfer_to_a_queue_is_served_before_newcomers(room: Room) -> None:
    call = room.talking()
    other = room.in_menu("d2")
    room.happened(DigitPressed(f"{other}.caller", "1", "rfc4733", 0))
    assert call_state(room, other) == "queued"
    room.happened(TransferRequested(call, "an", queue="care"))
    assert room.acd.waiting() == (call, other)


@pytest.mark.parametrize(
    "request_",
    [
        TransferRequested("", "binh", queue="care"),
        TransferRequested("", "an", queue="nowhere"),
        TransferRequested("", "an", agent="an"),
    ],
)
def test_a_transfer_that_makes_no_sense_changes_nothing(room: Room, request_: TransferRequested) -> None:
    call = room.talking()
    assert room.happened(TransferRequested(call, request_.by, request_.agent, request_.queue)) == []
    assert call_state(room, call) == "talking"


# --------------------------------------------------------------------------------------- lost and found again


def test_while_the_agent_is_not_heard_the_caller_hears_a_comfort_tone(room: Room) -> None:
    call = talking_in_a_browser(room)
    leg = room.last(Invite).dialog
    room.happened(MediaStalled(leg, 0))
    assert room.last(Play).prompts[0].value == "comfort"
    assert room.last(Publish).type == "call.away"
    room.happened(MediaResumed(leg, 0))
    assert room.last(StopPlaying).playback == room.last(Play).playback
    assert room.last(Publish).type == "call.back"
    assert call_state(room, call) == "talking"


def test_a_reloaded_page_is_called_back_into_the_same_talk(room: Room) -> None:
    call = talking_in_a_browser(room)
    old = room.last(Invite).dialog
    room.happened(DialogUnreachable(old))
    room.happened(BindingChanged("an", 0))
    assert agent_state(room) == "talking"
    assert call_state(room, call) == "talking"

    room.happened(BindingChanged("an", 1, webrtc=True), after_s=0.5)
    assert CloseLeg(old) in room.commands
    open_web_leg(room)
    invite = room.last(Invite)
    assert (invite.user, invite.call, invite.auto_answer) == ("an", call, True)
    assert invite.dialog != old
    page_answers(room)

    assert room.last(Join) == Join(invite.dialog, call)
    assert call_state(room, call) == "talking"
    assert len(room.said(Record)) == 1
    assert not room.said(StopRecording)
    assert [name for name in told(room) if name in ("call.away", "call.back")] == ["call.away", "call.back"]
    assert agent_state(room) == "talking"
    assert room.happened(DialogEnded(old, "local")) == []


def test_a_page_that_is_reloaded_on_hold_comes_back_to_a_held_caller(room: Room) -> None:
    call = talking_in_a_browser(room)
    room.happened(HoldRequested(call, "an"))
    room.happened(DialogUnreachable(room.last(Invite).dialog))
    room.happened(BindingChanged("an", 1, webrtc=True))
    open_web_leg(room)
    page_answers(room)
    assert call_state(room, call) == "held"
    assert room.last(Play).prompts[0].value == "hold"


def test_a_connection_that_is_found_again_leaves_all_as_it_is(room: Room) -> None:
    talking_in_a_browser(room)
    dialog = room.last(Invite).dialog
    room.happened(DialogUnreachable(dialog))
    room.happened(DialogReachable(dialog))
    room.commands.clear()
    room.happened(BindingChanged("an", 1, webrtc=True))
    assert not room.said(OpenLeg)


def test_a_return_that_fails_is_tried_again_when_the_page_registers_again(room: Room) -> None:
    call = talking_in_a_browser(room)
    room.happened(DialogUnreachable(room.last(Invite).dialog))
    room.happened(BindingChanged("an", 1, webrtc=True))
    open_web_leg(room)
    room.happened(DialogEnded(room.last(Invite).dialog, "failed"))
    assert call_state(room, call) == "talking"
    room.happened(BindingChanged("an", 1, webrtc=True), after_s=1.0)
    open_web_leg(room)
    page_answers(room)
    assert call_state(room, call) == "talking"
    assert told(room)[-1] == "call.back"


def test_an_agent_who_does_not_come_back_gives_the_caller_the_first_place_in_the_queue(room: Room) -> None:
    call = talking_in_a_browser(room)
    dialog = room.last(Invite).dialog
    room.happened(DialogUnreachable(dialog))
    room.happened(BindingChanged("an", 0))
    room.happened(MediaStalled(dialog, 0))
    room.happened(MediaTimedOut(dialog, 0), after_s=30.0)
    assert call_state(room, call) == "talking"
    room.wait(31.0)
    assert call_state(room, call) == "queued"
    assert agent_state(room) == "after_call_work"
    assert not room.said(StopRecording)
    room.agents_register("binh")
    assert call_state(room, call) == "ringing"


@pytest.mark.parametrize("silent_first", [True, False])
def test_a_page_that_registers_again_and_never_takes_its_talk_back_is_given_up_in_the_same_time(
    room: Room, silent_first: bool
) -> None:
    call = talking_in_a_browser(room)
    dialog = room.last(Invite).dialog
    if silent_first:
        room.happened(MediaStalled(dialog, 0))
    room.happened(DialogUnreachable(dialog))
    room.happened(BindingChanged("an", 1, webrtc=True))
    open_web_leg(room)
    room.happened(DialogEnded(room.last(Invite).dialog, "failed"))
    room.wait(59.0)
    assert call_state(room, call) == "talking"
    room.wait(2.0)
    assert call_state(room, call) == "queued"
    assert room.acd.waiting() == (call,)


def test_a_desk_phone_that_is_only_silent_is_given_up_as_before(room: Room) -> None:
    call = room.talking()
    leg = room.last(Invite).dialog
    room.happened(MediaStalled(leg, 0))
    room.happened(MediaTimedOut(leg, 0), after_s=29.0)
    assert call_state(room, call) == "in_flow"
