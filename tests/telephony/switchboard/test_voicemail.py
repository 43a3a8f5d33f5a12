"""A caller leaves a message, and answers a survey."""

from pathlib import Path

import pytest

from telephony.events import (
    CallerContext,
    CallerFound,
    Command,
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    FinishRecording,
    ListenForVoice,
    Note,
    Play,
    Prompt,
    PromptFinished,
    Publish,
    Record,
    RecordingStopped,
    ResumeRecording,
    SaveScore,
    SaveVoicemail,
    StopRecording,
    VoiceEnded,
    VoiceStarted,
)
from tests.telephony.switchboard.room import Room

FLOW = """
flow: main
title: {en: Test}
languages: [en]
variables: {score: {type: number}}
start: menu
steps:
  menu:
    menu:
      prompt: {en: "Hello."}
      choices:
        1: {next: leave}
        2: {next: nowhere}
        3: {next: record}
        4: {next: rate}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 1, next: bye}
  leave:
    voicemail: {to: care, prompt: {en: Speak after the tone.}, limit: 1m}
    next: done
    no_message: nothing
    failed: failed
  nowhere:
    voicemail: {to: nobody}
    next: done
    no_message: nothing
    failed: failed
  record: {record: start, next: pause}
  pause: {record: pause, next: leave}
  rate:
    survey: {kind: nps, prompt: {en: "How likely?"}, into: score}
    next: done
    no_input: bye
    no_match: bye
  done: {say: {en: Thank you.}, next: bye}
  nothing: {say: {en: We heard nothing.}, next: bye}
  failed: {say: {en: Failed.}, next: bye}
  bye:
    hangup: {en: Goodbye.}
"""


class Mailbox(Room):
    """A caller in the menu."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, flow=FLOW)
        self.call = self.in_menu()
        self.leg = f"{self.call}.caller"

    def press(self, *keys: str) -> list[Command]:
        done: list[Command] = []
        for key in keys:
            done = self.happened(DigitPressed(self.leg, key, "rfc4733", 0), after_s=0.1)
        return done

    def played(self) -> list[Command]:
        """What plays is over."""
        return self.happened(PromptFinished(self.leg, self.last(Play).playback, "finished", 0), after_s=1.0)

    def at_the_tone(self, key: str = "1") -> str:
        """The caller may speak; return the recording."""
        self.press(key)
        self.played()
        assert self.last(Play).prompts == (Prompt("tone", "beep"),)
        self.played()
        return self.last(Record).recording

    def speaks(self) -> None:
        """The caller says something, and falls silent."""
        self.happened(VoiceStarted(self.leg, 0), after_s=1.0)
        self.happened(VoiceEnded(self.leg, 0), after_s=3.0)

    def heard(self) -> str:
        return self.last(Play).prompts[0].value

    def is_quiet(self) -> bool:
        """Whether nothing of a message is left on the board."""
        call = self.switchboard.board.calls.get(self.call)
        return call is None or (call.message is None and call.asked is None)


@pytest.fixture
def room(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


def test_a_message_is_recorded_after_the_tone_and_ends_by_its_key(room: Mailbox) -> None:
    recording = room.at_the_tone()
    record = room.last(Record)
    assert (record.leg, record.kind, record.queue, record.customer) == (room.leg, "voicemail", "care", "customer1")
    assert room.last(ListenForVoice) == ListenForVoice(room.leg)
    began = room.now
    room.speaks()
    room.press("5")
    commands = room.press("#")
    assert StopRecording(recording) in commands
    assert ListenForVoice(room.leg, on=False) in commands
    saved = room.last(SaveVoicemail)
    assert (saved.call, saved.recording, saved.queue, saved.ani) == (room.call, recording, "care", "+84912345678")
    assert (saved.customer, saved.flow, saved.at) == ("customer1", "main", began)
    assert saved.seconds == pytest.approx(4.2)
    assert room.heard() == "Thank you."
    assert room.is_quiet()
    finished = room.happened(RecordingStopped(recording, 200))
    assert [each.recording for each in finished if isinstance(each, FinishRecording)] == [recording]
    assert room.happened(RecordingStopped(recording, 200)) == []


def test_a_key_before_the_tone_skips_the_words_and_is_no_ending(room: Mailbox) -> None:
    room.press("1", "7")
    assert room.last(Play).prompts == (Prompt("tone", "beep"),)


def test_it_ends_by_silence_after_speech_and_not_before(room: Mailbox) -> None:
    room.at_the_tone()
    room.speaks()
    room.wait(5.0)
    room.happened(VoiceStarted(room.leg, 0))
    room.wait(10.0)
    assert not room.said(SaveVoicemail)
    room.happened(VoiceEnded(room.leg, 0))
    room.wait(6.1)
    assert len(room.said(SaveVoicemail)) == 1
    assert room.heard() == "Thank you."


def test_it_ends_by_its_time(room: Mailbox) -> None:
    room.at_the_tone()
    room.happened(VoiceStarted(room.leg, 0))
    room.wait(59.0)
    assert not room.said(SaveVoicemail)
    room.wait(2.0)
    assert room.last(SaveVoicemail).seconds == pytest.approx(60.0, abs=0.1)


@pytest.mark.parametrize("ended_by", ["time", "key"])
def test_where_nobody_speaks_there_is_no_message(room: Mailbox, ended_by: str) -> None:
    recording = room.at_the_tone()
    if ended_by == "time":
        room.wait(15.1)
    else:
        room.press("#")
    assert not room.said(SaveVoicemail)
    assert StopRecording(recording) in room.commands
    assert (room.heard(), room.is_quiet()) == ("We heard nothing.", True)


@pytest.mark.parametrize("spoken", [True, False])
def test_whoever_hangs_up_has_left_what_was_said(room: Mailbox, spoken: bool) -> None:
    recording = room.at_the_tone()
    if spoken:
        room.speaks()
    commands = room.happened(DialogEnded("d1", "bye"))
    assert len(room.said(SaveVoicemail)) == spoken
    assert StopRecording(recording) in commands
    room.happened(RecordingStopped(recording, 200))
    assert room.last(FinishRecording).recording == recording
    assert not room.switchboard.busy()
    assert room.switchboard.deadline() is None


def test_hanging_up_at_the_tone_leaves_nothing(room: Mailbox) -> None:
    room.press("1")
    room.played()
    room.happened(DialogEnded("d1", "bye"))
    assert not room.said(Record)
    assert not room.switchboard.busy()


def test_a_tone_whose_end_is_not_told_holds_nobody_up(room: Mailbox) -> None:
    room.press("1")
    room.played()
    room.wait(5.1)
    assert room.said(Record)
    commands = room.happened(PromptFinished(room.leg, room.last(Play).playback, "finished", 0))
    assert not [each for each in commands if isinstance(each, Record)]


@pytest.mark.parametrize("spoken", [True, False])
def test_a_full_disk_ends_it_and_what_was_said_is_kept(room: Mailbox, spoken: bool) -> None:
    recording = room.at_the_tone()
    if spoken:
        room.speaks()
    commands = room.happened(RecordingStopped(recording, 5, "the disk is full"))
    assert len(room.said(SaveVoicemail)) == spoken
    assert [each.cause for each in commands if isinstance(each, FinishRecording)] == ["the disk is full"]
    assert not [each for each in commands if isinstance(each, StopRecording)]
    assert (room.heard(), room.is_quiet()) == ("Failed.", True)


def test_a_queue_that_is_not_there_takes_none(room: Mailbox) -> None:
    room.press("2")
    assert room.heard() == "Failed."


def test_the_recording_of_the_call_goes_on_beside_it_and_no_pause_silences_it(room: Mailbox) -> None:
    recording = room.at_the_tone("3")
    whole = room.said(Record)[0]
    assert (whole.kind, len(room.said(Record))) == ("talk", 2)
    assert [each.recording for each in room.said(ResumeRecording)] == [whole.recording]
    room.speaks()
    commands = room.press("#")
    assert [each.recording for each in commands if isinstance(each, StopRecording)] == [recording]
    snapshot = room.switchboard.call(room.call)
    assert snapshot is not None
    assert snapshot.recording == whole.recording


def test_a_survey_is_kept_for_whoever_answers_it(room: Mailbox) -> None:
    room.press("4", "1", "0")
    score = room.last(SaveScore)
    assert (score.call, score.customer, score.survey, score.score) == (room.call, "customer1", "nps", 10)
    told = [each.body for each in room.said(Publish) if each.type == "survey.answered"]
    assert [(body["survey"], body["score"]) for body in told] == [("nps", 10)]


def test_a_survey_of_nobody_known_is_in_the_journal(tmp_path: Path) -> None:
    room = Room(tmp_path, flow=FLOW)
    call = room.ring_in()
    room.open_leg()
    room.happened(CallerFound(call, "", CallerContext()))
    room.happened(DialogConfirmed("d1"))
    room.wait(0.3)
    for key in ("4", "9"):
        room.happened(DigitPressed(f"{call}.caller", key, "rfc4733", 0))
    assert not room.said(SaveScore)
    assert Note(call, "note", "nps 9, of nobody known") in room.said(Note)
