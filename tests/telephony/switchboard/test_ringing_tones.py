"""Tones for a caller who was answered already and would hear nothing: a phone that rings, a call that leads nowhere."""

from pathlib import Path

import pytest

from telephony.events import (
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    Hangup,
    Invite,
    Play,
    Prompt,
    PromptEnding,
    PromptFinished,
    StopPlaying,
    TransferRequested,
)
from tests.telephony.switchboard.room import Room
from tests.telephony.switchboard.test_outside import Outside

RINGBACK = (Prompt("tone", "ringback"),)


def queued(room: Room) -> str:
    """A caller in the queue, for whom the phone of `an` rings."""
    room.agents_register("an")
    call = room.in_menu()
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.open_leg()
    return call


def finish(room: Room, call: str, ending: PromptEnding = "finished") -> None:
    """The playback that began last is over."""
    room.happened(PromptFinished(f"{call}.caller", room.last(Play).playback, ending, 0))


class TestWithoutMusic:
    @pytest.fixture
    def room(self, tmp_path: Path) -> Room:
        return Room(tmp_path, wait="{en: Please hold.}")

    def test_the_phone_is_heard_ringing_after_the_announcement(self, room: Room) -> None:
        call = queued(room)
        assert room.last(Play).prompts[0].kind == "text"  # nothing talks over it
        finish(room, call)
        ringing = room.last(Play)
        assert (ringing.prompts, ringing.loop, ringing.barge_in) == (RINGBACK, True, False)
        room.agent_answers()
        assert room.last(StopPlaying) == StopPlaying(ringing.leg, ringing.playback)

    def test_it_ends_with_the_ringing_and_begins_with_the_next(self, room: Room) -> None:
        call = queued(room)
        finish(room, call)
        ringing = room.last(Play)
        room.happened(DialogEnded(f"{call}.agent1", "rejected", 486))
        assert room.last(StopPlaying).playback == ringing.playback
        assert room.last(Play) == ringing
        room.happened(PromptFinished(ringing.leg, ringing.playback, "stopped", 0))
        room.wait(1.0)  # the same agent again, nobody else being there
        assert room.last(Play).prompts == RINGBACK
        assert room.last(Play).playback != ringing.playback

    def test_nothing_rings_while_nobody_is_rung(self, room: Room) -> None:
        call = room.in_menu()
        room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
        finish(room, call)
        assert not any(play.prompts == RINGBACK for play in room.said(Play))

    def test_a_tone_that_fails_is_not_tried_for_ever(self, room: Room) -> None:
        call = queued(room)
        finish(room, call)
        finish(room, call, "failed")
        assert sum(play.prompts == RINGBACK for play in room.said(Play)) == 1


class TestWithMusic:
    def test_music_goes_on_as_ever(self, tmp_path: Path) -> None:
        room = Room(tmp_path)
        call = queued(room)
        finish(room, call)
        assert room.last(Play).prompts == (Prompt("music", "waiting"),)
        room.happened(DialogEnded(f"{call}.agent1", "rejected", 486))
        room.wait(1.0)
        room.open_leg()
        room.agent_answers()
        assert not any(play.prompts == RINGBACK for play in room.said(Play))

    def test_music_that_cannot_be_played(self, tmp_path: Path) -> None:
        room = Room(tmp_path)
        call = queued(room)
        finish(room, call)
        finish(room, call, "failed")
        assert room.last(Play).prompts == RINGBACK

    def test_a_number_outside_is_heard_ringing_where_music_fails(self, tmp_path: Path) -> None:
        room = Outside(tmp_path)
        room.agents_register("an", "binh")
        call = room.forwarded()
        finish(room, call, "failed")
        ringing = room.last(Play)
        assert ringing.prompts == RINGBACK
        room.answer()
        assert room.last(StopPlaying).playback == ringing.playback

    def test_it_ends_where_nobody_is_reached(self, tmp_path: Path) -> None:
        room = Outside(tmp_path)
        room.agents_register("an")
        call = room.forwarded()
        finish(room, call, "failed")
        ringing = room.last(Play)
        room.wait(60.5)
        assert StopPlaying(ringing.leg, ringing.playback) in room.said(StopPlaying)
        assert room.last(Play).prompts[0].kind == "music"


class TestParting:
    """Whom an agent has called, and another was to take over."""

    @pytest.fixture
    def room(self, tmp_path: Path) -> Outside:
        room = Outside(tmp_path)
        room.agents_register("an")
        room.dial()
        room.answer()
        room.happened(DialogConfirmed("phone"))
        room.happened(TransferRequested(room.saved().id, "an", queue="care"))
        while room.last(Play).prompts[0].kind != "tone":  # nobody takes it over
            room.wait(0.5)
        return room

    def test_it_hears_that_it_leads_nowhere_and_is_hung_up_on(self, room: Outside) -> None:
        tone = room.last(Play)
        assert (tone.prompts, tone.loop) == ((Prompt("tone", "congestion"),), True)
        hangups = len(room.said(Hangup))
        room.wait(3.0)
        assert room.saved().state != "ended"
        room.wait(1.5)
        assert room.saved().state == "ended"
        assert room.saved().ended_by == "nobody took it over"
        assert len(room.said(Hangup)) == hangups + 1

    def test_neither_a_key_nor_a_tone_that_fails_changes_that(self, room: Outside) -> None:
        tone = room.last(Play)
        room.happened(DigitPressed(tone.leg, "1", "rfc4733", 0))
        room.happened(PromptFinished(tone.leg, tone.playback, "failed", 0))
        assert room.saved().state != "ended"
        assert room.last(Play) == tone
        room.wait(4.5)
        assert room.saved().state == "ended"

    def test_whoever_hangs_up_meanwhile_is_gone(self, room: Outside) -> None:
        room.happened(DialogEnded(room.said(Invite)[0].dialog, "bye"))
        assert room.saved().state == "ended"
        assert not room.switchboard.calls()
        room.wait(10.0)
        assert not room.switchboard.calls()


def test_an_agent_who_hangs_up_ends_the_call_at_once(tmp_path: Path) -> None:
    room = Outside(tmp_path)
    room.agents_register("an")
    room.dial()
    room.answer()
    room.happened(DialogConfirmed("phone"))
    room.happened(DialogEnded("phone", "bye"))
    assert room.saved().ended_by == "agent"
    assert not room.said(Play)
