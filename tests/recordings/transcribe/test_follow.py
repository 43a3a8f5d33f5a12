"""Recordings followed as they grow, by a recogniser that hears how loud they are."""

import itertools
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.spool import SpoolWriter
from recordings.transcribe import follow
from recordings.transcribe.engine import EngineFailed, PhraseStream, RecogniserSettings, RecogniserStream
from recordings.transcribe.follow import CATCH_UP_ROWS, MOST_FOLLOWED, TOO_OLD_ROWS, Follower
from recordings.transcribe.phrases import PAUSE_ROWS
from recordings.transcribe.recogniser import LOADERS, RecognisedWord, RecogniserCache
from telephony.clock import SAMPLES_PER_TICK
from telephony.events import FollowRecording, PhraseRecognised
from tests.recordings.transcribe.voices import Samples

SETTINGS = {"ko": RecogniserSettings("vosk", "none")}
PAUSE = (PAUSE_ROWS, 0)


class Meter:
    """A recogniser whose words are the levels it hears, each once in a row. `looks` counts what it was asked."""

    engine = "meter"

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.broken = False

    def stream(self, sample_rate_hz: int) -> RecogniserStream:
        raise NotImplementedError

    def transcribe(self, pcm: Samples, sample_rate_hz: int) -> list[RecognisedWord]:
        raise NotImplementedError

    def phrases(self, sample_rate_hz: int) -> PhraseStream:
        assert sample_rate_hz == 8000
        return MeterPhrases(self)


class MeterPhrases:
    interim_every_s = 1.0

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.pcm: list[Samples] = []

    def accept(self, pcm: Samples) -> None:
        self.pcm.append(pcm)

    def heard(self) -> str:
        if self.meter.broken:
            raise EngineFailed("out of memory")
        levels = np.abs(np.concatenate(self.pcm)).tolist() if self.pcm else []
        text = " ".join(str(level) for level, _ in itertools.groupby(levels) if level > 200)
        self.meter.looks.append(text)
        return text

    def finish(self) -> str:
        text = self.heard()
        self.pcm = []
        return text

    def drop(self) -> None:
        self.pcm = []


class Talk:
    """A spool that is written run by run: (rows, level of the caller, level of the agent)."""

    def __init__(self, folder: Path, recording: str = "r1") -> None:
        self.path = folder / f"{recording}.spool"
        self.recording = recording
        self.tick = 0
        self.writer: SpoolWriter | None = None

    def command(self, first_phrase: int = 0, language: str = "ko") -> FollowRecording:
        return FollowRecording(self.recording, str(self.path), language, first_phrase)

    def say(self, *runs: tuple[int, int] | tuple[int, int, int]) -> None:
        self.writer = self.writer or SpoolWriter(self.path, self.recording, 0)
        for rows, caller, *agent in runs:
            row = np.full((SAMPLES_PER_TICK, 2), (caller, agent[0] if agent else 0), np.int16)
            for _ in range(rows):
                self.writer.write(self.tick, row)
                self.tick += 1
        self.writer._flush()

    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()
    monkeypatch.setitem(LOADERS, "vosk", lambda *_: meter)
    return meter


@pytest.fixture
def follower(meter: Meter) -> Iterator[Follower]:
    follower = Follower(SETTINGS, RecogniserCache())
    yield follower
    follower.close()
    assert len(follower) == 0


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    return Talk(tmp_path)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="hotline.speech")
    return lambda: [record.getMessage() for record in caplog.records]


def told(follower: Follower) -> list[PhraseRecognised]:
    """All that comes until there is nothing more to do."""
    events: list[PhraseRecognised] = []
    worked = True
    while worked:
        found, worked = follower.turn()
        events += found
    return events


def said(events: list[PhraseRecognised]) -> list[tuple[int, int, str, bool]]:
    return [(event.phrase, event.channel, event.text, event.final) for event in events]


def test_a_phrase_grows_and_becomes_final(follower: Follower, talk: Talk) -> None:
    follower.follow(talk.command())
    assert told(follower) == []  # no file yet
    talk.say((100, 0), (60, 3000))
    assert told(follower) == [PhraseRecognised("r1", 0, 0, "3000", 2.0, 3.2, final=False)]
    assert told(follower) == []
    talk.say((60, 5000))
    assert told(follower) == [PhraseRecognised("r1", 0, 0, "3000 5000", 2.0, 4.4, final=False)]
    talk.say(PAUSE)
    assert told(follower) == [PhraseRecognised("r1", 0, 0, "3000 5000", 2.0, 4.4, final=True)]


def test_what_is_no_news_is_not_told(follower: Follower, talk: Talk, meter: Meter) -> None:
    follower.follow(talk.command())
    talk.say((60, 3000))
    assert len(told(follower)) == 1
    talk.say((60, 3000))
    assert told(follower) == []
    assert len(meter.looks) == 2


def test_phrases_of_both_sides_are_numbered_as_they_begin(follower: Follower, talk: Talk) -> None:
    follower.follow(talk.command())
    talk.say((50, 0, 0), (20, 0, 700), (20, 500, 700), (50, 0, 0), (20, 600, 0), (50, 0, 0))
    assert said(told(follower)) == [(0, 1, "700", True), (1, 0, "500", True), (2, 0, "600", True)]


def test_silence_and_clicks_cost_no_recognition(follower: Follower, talk: Talk, meter: Meter) -> None:
    follower.follow(talk.command())
    talk.say(*[(100, 0), (3, 9000), (100, 15)] * 3)
    assert told(follower) == []
    assert meter.looks == []


def test_what_was_a_mistake_is_taken_back(follower: Follower, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    follower.follow(talk.command())
    talk.say((60, 3000))
    assert said(told(follower)) == [(0, 0, "3000", False)]
    monkeypatch.setattr(MeterPhrases, "finish", lambda _: "")
    talk.say(PAUSE, (20, 500), PAUSE)
    assert said(told(follower)) == [(0, 0, "", True)]  # of the second nothing was told that could be


def test_the_end_tells_what_was_said_last_even_of_a_file_that_is_gone(follower: Follower, talk: Talk) -> None:
    follower.follow(talk.command())
    talk.say((60, 3000))
    told(follower)
    talk.say((20, 5000))
    talk.close()
    talk.path.unlink()
    follower.stop("r1")
    assert said(told(follower)) == [(0, 0, "3000 5000", True)]
    assert len(follower) == 0
    follower.stop("r1")
    assert told(follower) == []


def test_one_that_never_began_ends(follower: Follower, talk: Talk, logged: Callable[[], list[str]]) -> None:
    follower.follow(talk.command())
    talk.path.write_bytes(b"HL")
    assert told(follower) == []
    follower.stop("r1")
    assert told(follower) == []
    assert len(follower) == 0
    assert logged() == []


def test_what_is_over_comes_before_another_look(follower: Follower, talk: Talk, tmp_path: Path, meter: Meter) -> None:
    other = Talk(tmp_path, "r2")
    follower.follow(talk.command())
    follower.follow(other.command())
    talk.say((200, 3000))
    other.say((20, 500), PAUSE, (20, 600), PAUSE)
    events = told(follower)
    assert [(event.recording, event.text, event.final) for event in events] == [
        ("r2", "500", True),
        ("r2", "600", True),
        ("r1", "3000", False),
    ]


def test_who_has_waited_longest_is_looked_at_first(follower: Follower, talk: Talk) -> None:
    follower.follow(talk.command())
    talk.say((60, 0, 700), (60, 500, 700))
    assert said(told(follower)) == [(0, 1, "700", False), (1, 0, "500", False)]


def test_a_phrase_that_waited_too_long_is_given_up(follower: Follower, talk: Talk, meter: Meter) -> None:
    follower.follow(talk.command())
    talk.say((60, 3000))
    told(follower)
    talk.say(PAUSE, (20, 500), PAUSE)
    talk.say((TOO_OLD_ROWS // 2, 0))
    follower._followed["r1"]._take(follower._followed["r1"]._reader.read(10_000))  # type: ignore[union-attr]
    talk.say((TOO_OLD_ROWS - 20, 0))
    looks = len(meter.looks)
    assert said(told(follower)) == [(0, 0, "3000 …", True), (1, 0, "…", True)]
    assert len(meter.looks) == looks


def test_a_reader_that_is_far_behind_skips_audio_and_says_so(
    follower: Follower, talk: Talk, logged: Callable[[], list[str]]
) -> None:
    follower.follow(talk.command())
    talk.say((60, 3000))
    told(follower)
    talk.say((TOO_OLD_ROWS + 100, 5000), PAUSE, (20, 600), PAUSE)
    events = told(follower)
    assert said(events) == [(0, 0, "3000 …", True), (1, 0, "600", True)]
    assert events[1].start == (60 + TOO_OLD_ROWS + 100 + PAUSE_ROWS) * 0.02
    assert len(logged()) == 1
    assert "live_words_behind recording=r1 skipped_s=" in logged()[0]


def test_a_late_start_hears_what_was_said_just_before(follower: Follower, talk: Talk) -> None:
    talk.say((20, 500), (CATCH_UP_ROWS, 0), (20, 600))
    follower.follow(talk.command())
    talk.say(PAUSE)
    events = told(follower)
    assert said(events) == [(0, 0, "600", True)]
    assert events[0].start == (20 + CATCH_UP_ROWS) * 0.02


def test_one_that_was_followed_before_goes_on_where_it_is(follower: Follower, talk: Talk) -> None:
    talk.say((60, 500))
    follower.follow(talk.command(first_phrase=7))
    assert told(follower) == []
    talk.say(PAUSE, (20, 600), PAUSE)
    assert said(told(follower)) == [(7, 0, "600", True)]


def test_no_more_than_so_many_are_followed(
    follower: Follower, tmp_path: Path, logged: Callable[[], list[str]], meter: Meter
) -> None:
    talks = [Talk(tmp_path, f"r{number}") for number in range(MOST_FOLLOWED + 1)]
    for each in talks:
        follower.follow(each.command())
        follower.follow(each.command())
    assert len(follower) == MOST_FOLLOWED
    assert set(logged()) == {f"live_words_full recording=r{MOST_FOLLOWED} followed={MOST_FOLLOWED}"}
    follower.stop("r0")
    told(follower)
    follower.follow(talks[-1].command())
    talks[-1].say((20, 500), PAUSE)
    assert [event.recording for event in told(follower)] == [f"r{MOST_FOLLOWED}"]


def test_a_language_without_a_model_is_told_once(
    follower: Follower, tmp_path: Path, logged: Callable[[], list[str]]
) -> None:
    for number, language in enumerate(("vi", "vi-VN", "vi", "")):
        follower.follow(Talk(tmp_path, f"r{number}").command(language=language))
    assert len(follower) == 0
    lines = logged()
    assert [line.split()[:2] for line in lines] == [["no_live_words", "language=vi"], ["no_live_words", "language="]]
    assert "set speech.recognisers.vi" in lines[0]


def test_an_engine_that_breaks_ends_that_one_alone(
    follower: Follower, talk: Talk, tmp_path: Path, meter: Meter, logged: Callable[[], list[str]]
) -> None:
    other = Talk(tmp_path, "r2")
    follower.follow(talk.command())
    talk.say((60, 3000))
    assert said(told(follower)) == [(0, 0, "3000", False)]
    follower.follow(other.command())
    meter.broken = True
    talk.say((60, 5000))
    assert said(told(follower)) == [(0, 0, "3000 …", True)]
    assert logged() == ["live_words_failed recording=r1 cause=out of memory"]
    meter.broken = False
    other.say((20, 600), PAUSE)
    talk.say((20, 700), PAUSE)
    assert [event.recording for event in told(follower)] == ["r2"]


def test_a_file_that_is_no_spool_ends_it(follower: Follower, talk: Talk, logged: Callable[[], list[str]]) -> None:
    talk.path.write_bytes(b"RIFF" * 20)
    follower.follow(talk.command())
    assert told(follower) == []
    assert len(follower) == 0
    assert "live_words_failed recording=r1 cause=" in logged()[0]


RUNS = st.tuples(st.integers(1, 200), st.sampled_from([0, 500, 3000]), st.sampled_from([0, 700, 9000]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(RUNS, st.integers(0, 3)), max_size=12))
def test_every_phrase_that_is_told_ends_and_none_comes_back(runs: list[tuple[tuple[int, int, int], int]]) -> None:
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setitem(follow.__dict__, "settings_for", lambda *_: SETTINGS["ko"])
        patch.setitem(LOADERS, "vosk", lambda *_: meter)
        follower, talk = Follower(SETTINGS, RecogniserCache()), Talk(Path(folder))
        follower.follow(talk.command())
        events: list[PhraseRecognised] = []
        for run, turns in runs:
            talk.say(run)
            for _ in range(turns):
                events += follower.turn()[0]
        follower.stop("r1")
        while len(follower):
            events += follower.turn()[0]
    starts = {event.phrase: event.start for event in events}
    assert [start for _, start in sorted(starts.items())] == sorted(starts.values())
    for phrase in starts:
        own = [event for event in events if event.phrase == phrase]
        assert [event.final for event in own] == [False] * (len(own) - 1) + [True]
        assert len({(event.channel, event.start) for event in own}) == 1
        assert all(event.start < event.end <= talk.tick * 0.02 + 1e-6 for event in own)
        assert [event.end for event in own] == sorted(event.end for event in own)
        assert all(first.text != second.text for first, second in itertools.pairwise(own[:-1]))
