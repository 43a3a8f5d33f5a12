"""Callers' audio to the hearing worker, and what it understands to the switchboard; with and without a worker."""

import msgspec
import pytest

from telephony.edge.hearing import Hearing
from telephony.events import (
    Event,
    HearStream,
    Listen,
    ListenForVoice,
    StartStream,
    StopHearing,
    StopStream,
    StreamHeard,
    StreamStopped,
    UtteranceBegan,
    UtteranceDismissed,
    UtteranceRecognised,
)

LISTEN = Listen("c1", "c1.caller", "ko", ("예약",))
VOICE, NO_VOICE = ListenForVoice("c1.caller"), ListenForVoice("c1.caller", on=False)


class Room:
    """The hearing, with everything it says written down."""

    def __init__(self) -> None:
        self.sent: list[msgspec.Struct] = []
        self.told: list[Event] = []
        self.hearing = Hearing(self.sent.append, self.sent.append, self.told.append, "/run/hear", {"ko"})

    def take(self) -> list[msgspec.Struct]:
        sent, self.sent[:] = list(self.sent), []
        return sent


@pytest.fixture
def room() -> Room:
    room = Room()
    room.hearing.worker_started()
    return room


def test_a_caller_is_heard_and_then_not(room: Room) -> None:
    room.hearing.listen(LISTEN)
    assert room.take() == [
        HearStream("hear.1", "ko", ("예약",)), VOICE, StartStream("hear.1", "c1.caller", "/run/hear"),
    ]  # fmt: skip
    room.hearing.heard(StreamHeard("hear.1", "began", 5))
    room.hearing.heard(StreamHeard("hear.1", "words", 5, 9, "예약", 0.9))
    room.hearing.heard(StreamHeard("hear.1", "nothing"))
    assert room.told == [
        UtteranceBegan("c1", 5), UtteranceRecognised("c1", "예약", 0.9, 5, 9), UtteranceDismissed("c1"),
    ]  # fmt: skip
    room.hearing.stop("c1")
    room.hearing.stop("c1")
    assert room.take() == [StopStream("hear.1"), NO_VOICE, StopHearing("hear.1")]
    room.hearing.heard(StreamHeard("hear.1", "words", 5, 9, "예약", 0.9))
    assert len(room.told) == 3


def test_an_answer_to_the_question_before_is_dropped(room: Room) -> None:
    room.hearing.listen(LISTEN)
    room.hearing.listen(msgspec.structs.replace(LISTEN, language="ko-KR", phrases=()))
    assert room.take()[3:] == [
        StopStream("hear.1"), NO_VOICE, StopHearing("hear.1"),
        HearStream("hear.2", "ko-KR"), VOICE, StartStream("hear.2", "c1.caller", "/run/hear"),
    ]  # fmt: skip
    room.hearing.heard(StreamHeard("hear.1", "words", 5, 9, "예약", 0.9))
    assert room.told == []


def test_without_a_recogniser_nobody_is_listened_to(room: Room) -> None:
    room.hearing.listen(msgspec.structs.replace(LISTEN, language="vi"))
    room.hearing.stop("c1")
    assert room.take() == []


def test_a_worker_that_dies_gives_up_what_was_said_and_the_next_one_goes_on(room: Room) -> None:
    room.hearing.listen(LISTEN)
    room.hearing.heard(StreamHeard("hear.1", "began"))
    room.hearing.worker_died()
    assert room.told[1:] == [UtteranceDismissed("c1")]
    room.hearing.listen(msgspec.structs.replace(LISTEN, call="c2", leg="c2.caller"))
    room.hearing.stopped(StreamStopped("hear.1", 7, "nobody takes live audio any more"))
    room.take()
    room.hearing.worker_started()
    assert [each.stream for each in room.take() if isinstance(each, HearStream)] == ["hear.2", "hear.3"]


def test_a_stream_that_breaks_is_listened_to_again_with_the_next_question(room: Room) -> None:
    room.hearing.listen(LISTEN)
    room.hearing.heard(StreamHeard("hear.1", "began"))
    room.hearing.stopped(StreamStopped("hear.1", 7, "lost"))
    assert room.told[1:] == [UtteranceDismissed("c1")]
    room.take()
    room.hearing.stop("c1")
    assert room.take() == []
    room.hearing.stopped(StreamStopped("a listener's", 7))
