"""How legs are brought to the model: windows, time, and what is dropped. The model is the test's."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from telephony.edge import trained_voice
from telephony.edge.silero import CONTEXT, WINDOW, NoModel
from telephony.edge.trained_voice import HOP, WAITING_WINDOWS, TrainedVoice
from telephony.media.g711 import Samples
from telephony.media.resampling import Doubling
from telephony.media.voice_activity import Floats
from tests.telephony.media.room import joined

ROWS = np.array([1, 4])
ALWAYS = 1e9


@dataclass
class Judge:
    """Finds voice as likely as its last sample is loud, and counts in its memory."""

    seen: list[Floats] = field(default_factory=list)
    takes_s: float = 0.0
    now: float = 0.0

    def run(self, sound: Floats, memory: Floats) -> tuple[Floats, Floats]:
        self.seen.append(sound)
        self.now += self.takes_s * len(sound)
        return memory[0, :, 0] + 1, memory + 1

    def clock(self) -> float:
        return self.now


def said(ticks: int, seed: int = 1) -> Samples:
    """int16[2, ticks, 160]."""
    return np.random.default_rng(seed).integers(-9000, 9000, (2, ticks, 160)).astype(np.int16)


def heard(voice: TrainedVoice, judge: Judge, sound: Samples, until: float = ALWAYS) -> list[Floats]:
    found = []
    for tick in range(sound.shape[1]):
        voice.hear(ROWS, sound[:, tick])
        voice.work(until, judge.clock)
        found += [likely for _, likely in voice.verdicts()]
    return found


def test_windows_follow_each_other_without_a_gap_at_sixteen_kilohertz() -> None:
    judge = Judge()
    sound = said(40)
    verdicts = heard(TrainedVoice(judge, 6), judge, sound)
    assert len(verdicts) == 40 * 160 // HOP == len(judge.seen)
    assert [likely.tolist() for likely in verdicts] == [[n, n] for n in range(1, 26)]
    for leg in range(2):
        doubling = Doubling()
        wide = joined([doubling.take(tick) for tick in sound[leg]]) / 32768
        windows = np.array([seen[leg] for seen in judge.seen])
        assert joined(list(windows[:, CONTEXT:])) == pytest.approx(wide[: len(windows) * WINDOW], abs=2e-4)
        assert windows[1:, :CONTEXT] == pytest.approx(windows[:-1, -CONTEXT:], abs=1e-6)


def test_a_leg_that_begins_anew_brings_nothing_along() -> None:
    judge = Judge()
    voice = TrainedVoice(judge, 6)
    heard(voice, judge, said(8))
    voice.hear(ROWS, said(1)[:, 0])
    voice.hear(ROWS, said(1)[:, 0])  # a window of both waits
    voice.begin(4)
    judge.seen.clear()
    voice.work(ALWAYS, judge.clock)
    assert [rows.tolist() for rows, _ in voice.verdicts()] == [[1]]
    found = heard(voice, judge, said(8, seed=2))
    assert [likely.tolist() for likely in found] == [[n + 6, n] for n in range(1, 6)]


def test_only_as_many_are_judged_as_there_is_time_for() -> None:
    judge = Judge(takes_s=0.004)
    voice = TrainedVoice(judge, 6)
    heard(voice, judge, said(80))  # it has learned what a leg takes
    judge.seen.clear()
    voice.hear(ROWS, said(1)[:, 0])
    voice.hear(ROWS, said(1)[:, 0])
    voice.work(judge.now + 0.003, judge.clock)
    assert not judge.seen
    voice.work(judge.now + 0.006, judge.clock)
    assert [len(seen) for seen in judge.seen] == [1]
    voice.work(judge.now + 0.006, judge.clock)
    assert [rows.tolist() for rows, _ in voice.verdicts()] == [[1], [4]]


def test_what_waits_too_long_is_dropped_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    judge = Judge()
    voice = TrainedVoice(judge, 6)
    assert heard(voice, judge, said(16), until=-1) == []
    assert voice.dropped == 2 * (10 - WAITING_WINDOWS)
    assert [record.message.split()[0] for record in caplog.records] == ["trained_voice_slow"]
    voice.work(ALWAYS, judge.clock)
    assert len(voice.verdicts()) == WAITING_WINDOWS


def test_without_the_package_there_is_none_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> None:
        raise NoModel("onnxruntime is not installed")

    monkeypatch.setattr(trained_voice, "Silero", missing)
    assert trained_voice.find(4) is None
    (record,) = caplog.records
    assert "trained_voice_missing" in record.message
    assert "plain" in record.message
