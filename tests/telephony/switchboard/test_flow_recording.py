"""A flow says what of its call is recorded, and who agreed to it."""

from pathlib import Path

from telephony.events import (
    CallerContext,
    CallerFound,
    Command,
    DialogEnded,
    DigitPressed,
    FinishRecording,
    Note,
    PauseRecording,
    Record,
    RecordingResumeRequested,
    RecordingStopped,
    ResumeRecording,
    SaveConsent,
    StopRecording,
)
from tests.telephony.switchboard.room import Room

FLOW = """
flow: main
title: {en: Test}
languages: [en]
start: menu
steps:
  menu:
    menu:
      prompt: {en: "May we record this call?"}
      choices:
        0: {next: stop}
        1: {next: start}
        2: {next: pause}
        3: {next: resume}
        4: {next: agree}
        5: {next: agent}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 1, next: bye}
  start: {record: start, next: menu}
  stop: {record: stop, next: menu}
  pause: {record: pause, next: menu}
  resume: {record: resume, next: menu}
  agree: {record: {do: start, consent: yes}, next: menu}
  agent:
    queue: {to: care, limit: 60s, wait: [{en: Please hold.}, {music: waiting}]}
    answered: menu
    timeout: menu
    full: menu
    closed: menu
  bye:
    hangup: {en: Goodbye.}
"""


def made(folder: Path) -> tuple[Room, str]:
    room = Room(folder, flow=FLOW)
    room.agents_register("an")
    return room, room.in_menu()


def press(room: Room, call: str, *keys: str) -> list[Command]:
    done: list[Command] = []
    for key in keys:
        done = room.happened(DigitPressed(f"{call}.caller", key, "rfc4733", 0), after_s=1.0)
    return done


def of_recording(commands: list[Command]) -> list[str]:
    kinds = (Record, PauseRecording, ResumeRecording, StopRecording)
    return [type(each).__name__ for each in commands if isinstance(each, kinds)]


def to_agent(room: Room, call: str) -> None:
    press(room, call, "5")
    room.open_leg()
    room.agent_answers()


def agent_hangs_up(room: Room, call: str) -> list[Command]:
    agent_leg = room.switchboard.board.calls[call].agent_leg
    assert agent_leg is not None
    return room.happened(DialogEnded(agent_leg.dialog, "bye"))


def test_a_call_is_recorded_through_flow_and_talk_in_one_recording(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    assert of_recording(press(room, call, "1")) == ["Record"]
    record = room.last(Record)
    assert record.leg == f"{call}.caller"
    assert of_recording(press(room, call, "1")) == []
    to_agent(room, call)
    assert of_recording(agent_hangs_up(room, call)) == []
    to_agent(room, call)
    assert len(room.said(Record)) == 1
    snapshot = room.switchboard.call(call)
    assert snapshot is not None
    assert snapshot.recording == record.recording
    assert of_recording(room.happened(DialogEnded("d1", "bye"))) == ["StopRecording"]
    room.happened(RecordingStopped(record.recording, 100))
    assert room.last(FinishRecording).recording == record.recording


def test_after_a_stop_no_talk_is_recorded_until_the_next_start(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    press(room, call, "1")
    assert of_recording(press(room, call, "0")) == ["StopRecording"]
    room.happened(RecordingStopped(room.last(Record).recording, 100))
    to_agent(room, call)
    agent_hangs_up(room, call)
    assert len(room.said(Record)) == 1
    assert of_recording(press(room, call, "1")) == ["Record"]
    assert len({record.recording for record in room.said(Record)}) == 2


def test_who_says_nothing_has_talks_recorded_and_nothing_else(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    to_agent(room, call)
    assert len(room.said(Record)) == 1
    assert of_recording(agent_hangs_up(room, call)) == ["StopRecording"]


def test_a_pause_lasts_into_the_talk_until_its_agent_ends_it(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    assert of_recording(press(room, call, "2")) == []
    to_agent(room, call)
    assert of_recording(room.commands) == ["Record", "PauseRecording"]
    assert of_recording(room.happened(RecordingResumeRequested(call, "an"))) == ["ResumeRecording"]


def test_a_pause_outlasts_the_talk_where_everything_is_recorded(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    press(room, call, "1")
    assert of_recording(press(room, call, "2")) == ["PauseRecording"]
    assert of_recording(press(room, call, "2")) == []
    to_agent(room, call)
    assert of_recording(agent_hangs_up(room, call)) == []
    assert of_recording(press(room, call, "3")) == ["ResumeRecording"]
    assert of_recording(press(room, call, "3")) == []


def test_a_consent_is_kept_with_the_words_and_the_proof(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    press(room, call, "4")
    consent = room.last(SaveConsent)
    assert (consent.customer, consent.purpose, consent.at) == ("customer1", "recording", room.now)
    assert consent.notice == "May we record this call?"
    assert consent.recording == ""  # it began by this
    room.wait(2.0)
    press(room, call, "4")
    proof = room.last(SaveConsent)
    assert proof.recording == room.last(Record).recording
    assert (proof.since, proof.until) == (0.0, 3.0)


def test_nobody_agrees_for_a_number_that_is_only_claimed(tmp_path: Path) -> None:
    room, call = made(tmp_path)
    room.happened(CallerFound(call, "+84912345678", CallerContext("customer1", True, "Lan", "en", 0)))
    press(room, call, "4")
    assert not room.said(SaveConsent)
    assert "nobody is known" in room.last(Note).text
    assert len(room.said(Record)) == 1
