"""What must not be recorded is not, and a pause never outlasts the agent who asked for it."""

from pathlib import Path

import pytest

from telephony.events import (
    Command,
    DialogEnded,
    HoldRequested,
    PauseRecording,
    Publish,
    RecordingPauseRequested,
    RecordingResumeRequested,
    ResumeRecording,
    StopRecording,
    TransferRequested,
)
from tests.telephony.switchboard.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def of_recording(commands: list[Command]) -> list[str]:
    kinds = (PauseRecording, ResumeRecording, StopRecording)
    return [type(each).__name__ for each in commands if isinstance(each, kinds)]


def told(commands: list[Command]) -> list[str]:
    return [each.type for each in commands if isinstance(each, Publish)]


def paused_at(room: Room, call: str) -> float:
    snapshot = room.switchboard.call(call)
    assert snapshot is not None
    return snapshot.paused_at


def test_an_agent_pauses_and_resumes(room: Room) -> None:
    call = room.talking()
    agent = room.switchboard.board.calls[call].agent
    commands = room.happened(RecordingPauseRequested(call, agent))
    assert (of_recording(commands), told(commands)) == (["PauseRecording"], ["call.recording_paused"])
    assert paused_at(room, call) == room.now
    assert room.happened(RecordingPauseRequested(call, agent)) == []
    assert of_recording(room.happened(HoldRequested(call, agent))) == []
    commands = room.happened(RecordingResumeRequested(call, agent))
    assert (of_recording(commands), told(commands)) == (["ResumeRecording"], ["call.recording_resumed"])
    assert paused_at(room, call) == 0
    assert room.happened(RecordingResumeRequested(call, agent)) == []


def test_nobody_else_may(room: Room) -> None:
    call = room.talking()
    assert room.happened(RecordingPauseRequested(call, "somebody")) == []
    assert room.happened(RecordingPauseRequested("none", "an")) == []


def test_a_transfer_ends_a_pause(room: Room) -> None:
    call = room.talking()
    agent = room.switchboard.board.calls[call].agent
    room.happened(RecordingPauseRequested(call, agent))
    queue = room.switchboard.board.calls[call].queue
    assert of_recording(room.happened(TransferRequested(call, agent, queue=queue))) == ["ResumeRecording"]
    assert paused_at(room, call) == 0


def test_the_end_of_the_talk_ends_it_with_its_recording(room: Room) -> None:
    call = room.talking()
    agent_leg = room.switchboard.board.calls[call].agent_leg
    assert agent_leg is not None
    room.happened(RecordingPauseRequested(call, agent_leg.agent))
    assert of_recording(room.happened(DialogEnded(agent_leg.dialog, "bye"))) == ["StopRecording"]
    assert paused_at(room, call) == 0
