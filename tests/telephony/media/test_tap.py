"""What is recorded and streamed: sample for sample what the ends said, through whatever becomes of the call."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import (
    CloseLeg,
    GainMode,
    Join,
    Leave,
    PauseRecording,
    RecordingPaused,
    RecordingResumed,
    RecordingStopped,
    ResumeRecording,
    Role,
    StartRecording,
    StartStream,
    StopRecording,
    StopStream,
    StreamStopped,
)
from telephony.media.g711 import Samples
from telephony.media.legs import LegTable, Origin
from telephony.media.plane import Refused
from telephony.media.tap import MOST_CHANNELS, Tap, Tapped, Taps
from telephony.rtp.jitter import TARGET_TICKS
from tests.telephony.media.room import FIRST_TICK, SILENCE, Room, noise

ROLES: dict[str, Role] = {
    "caller": "party",
    "agent": "party",
    "colleague": "party",
    "third": "party",
    "boss": "monitor",
}
LEGS = list(ROLES)


@dataclass
class Story:
    """A call of up to five legs that always speak, a recording of each kind and a stream of it; and, beside the plane,
    the plainest account of what must be in them."""

    gain: GainMode = "off"
    present: set[str] = field(default_factory=set)
    paused: bool = False
    stereo: list[Samples] = field(default_factory=list)
    own: dict[str, list[Samples]] = field(default_factory=lambda: {leg: [] for leg in LEGS})
    channels: list[str] = field(default_factory=lambda: ["caller"])

    def __post_init__(self) -> None:
        self.room = Room(automatic_gain=self.gain)
        for leg in LEGS:
            self.room.add(leg)
        self.says = {leg: list(noise(400, number, peak=2000).reshape(-1, 160)) for number, leg in enumerate(LEGS)}
        self.spoken = 0
        self.talk(TARGET_TICKS, expect=False)
        self.room.do(StartRecording("stereo", "call", "caller", "/nowhere"))
        self.room.do(StartRecording("legs", "call", "caller", "/nowhere", "legs"))
        self.room.do(StartStream("live", "caller", "/nowhere"))
        self.first = self.room.next_tick

    def join(self, leg: str) -> None:
        self.present.add(leg)
        self.room.do(Join(leg, "b", ROLES[leg]))

    def leave(self, leg: str) -> None:
        self.present.discard(leg)
        self.room.do(Leave(leg))

    def pause(self, paused: bool) -> None:
        command = PauseRecording if paused else ResumeRecording
        news = self.room.do(command("stereo"))
        assert bool(news) == (paused != self.paused)
        self.paused = paused

    def talk(self, ticks: int, *, expect: bool = True) -> None:
        for _ in range(ticks):
            self.room.step(
                {leg: [phone.speech(self.says[leg][self.spoken])] for leg, phone in self.room.phones.items()}
            )
            if expect:
                self.account({leg: self.says[leg][self.spoken - TARGET_TICKS] for leg in LEGS})
            self.spoken += 1

    def account(self, said: dict[str, Samples]) -> None:
        parties = [leg for leg in LEGS if leg in self.present and ROLES[leg] == "party"]
        together = [leg for leg in parties if leg != "caller" and "caller" in parties]
        for leg in together:
            if leg not in self.channels:
                self.channels.append(leg)
        others = sum((said[leg].astype(np.int64) for leg in together), np.zeros(160, np.int64))
        kept = 0 if self.paused else 1
        self.stereo.append(np.stack([said["caller"] * kept, others * kept], axis=-1).astype(np.int16))
        for leg in LEGS:
            heard = leg == "caller" or leg in together
            self.own[leg].append(said[leg] if heard and kept else SILENCE)

    def check(self) -> None:
        taps = self.room.taps[TARGET_TICKS:]
        assert [tap.recordings for tap in taps] == [["stereo"]] * len(self.stereo)
        for tap, expected in zip(taps, self.stereo, strict=True):
            assert (tap.samples[0] == expected).all()
            ((stream, live),) = tap.live
            assert stream == "live"
            assert (live == expected).all()
        for tick, tap in enumerate(taps):
            ((name, per_leg),) = tap.per_leg
            assert (name, per_leg.shape) == ("legs", (160, MOST_CHANNELS))
            for channel in range(MOST_CHANNELS):
                leg = self.channels[channel] if channel < len(self.channels) else ""
                assert (per_leg[:, channel] == (self.own[leg][tick] if leg else SILENCE)).all()


steps = st.one_of(
    st.tuples(st.sampled_from(["join", "leave"]), st.sampled_from(LEGS)),
    st.tuples(st.just("transfer"), st.sampled_from(LEGS[1:4])),
    st.tuples(st.sampled_from(["hold", "resume", "pause", "record"]), st.just("")),
    st.tuples(st.just("talk"), st.integers(1, 9)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(steps, min_size=1, max_size=25), st.sampled_from(["off", "conference"]))
def test_a_recording_is_what_the_ends_sent_sample_for_sample(
    steps: list[tuple[str, str | int]], gain: GainMode
) -> None:
    story = Story(gain)
    for step, about in [*steps, ("talk", 3)]:
        match step, about:
            case "talk", int(ticks):
                story.talk(ticks)
            case "join", str(leg):
                story.join(leg)
            case "leave", str(leg):
                story.leave(leg)
            case "transfer", str(leg):
                for other in story.present & (set(LEGS[1:4]) - {leg}):
                    story.leave(other)
                story.join(leg)
            case "hold", _:
                story.leave("caller")
            case "resume", _:
                story.join("caller")
            case _:
                story.pause(step == "pause")
    story.check()
    assert story.room.do(StopRecording("stereo")) == [RecordingStopped("stereo", story.room.next_tick - story.first)]


def test_a_pause_is_told_with_its_ticks_and_no_recording_pauses_twice() -> None:
    room = Room()
    room.add("a")
    room.do(StartRecording("r", "call", "a", "/nowhere"))
    assert room.do(PauseRecording("r")) == [RecordingPaused("r", FIRST_TICK)]
    assert room.do(PauseRecording("r")) == []
    room.idle(2)
    assert room.do(ResumeRecording("r")) == [RecordingResumed("r", FIRST_TICK + 2)]
    assert room.do(ResumeRecording("r")) == []
    for command in (PauseRecording("none"), ResumeRecording("none"), StopStream("none")):
        with pytest.raises(Refused, match="none is not running"):
            room.do(command)


def test_the_next_recording_of_a_leg_is_not_paused_by_the_last() -> None:
    room = Room()
    room.add("a")
    room.do(StartRecording("r1", "call", "a", "/nowhere"))
    room.do(PauseRecording("r1"))
    room.do(StopRecording("r1"))
    room.do(StartRecording("r2", "call", "a", "/nowhere"))
    room.talk({"a": noise(6, 1)})
    assert room.taps[-1].samples.any()


def test_streams_end_with_their_leg_or_when_stopped() -> None:
    room = Room()
    room.add("a")
    assert room.do(StartStream("s1", "a", "/x")) + room.do(StartStream("s2", "a", "/x")) == []
    assert room.do(StartStream("s2", "a", "/x")) == []
    room.idle(1)
    assert [stream for stream, _ in room.taps[-1].live] == ["s1", "s2"]
    assert room.do(StopStream("s1")) == [StreamStopped("s1", FIRST_TICK + 1)]
    assert StreamStopped("s2", FIRST_TICK + 1) in room.do(CloseLeg("a"))
    room.idle(1)
    assert room.taps[-1].live == []


def test_more_legs_than_channels_share_the_last() -> None:
    table = LegTable(12)
    legs = [table.open(f"l{i:02}", Origin(0, 0, 0)) for i in range(11)]
    for leg in legs:
        table.join(leg, "b")
    taps = Taps(table)
    taps.start(Tapped("r", "recording", legs[0], 0, "legs"))
    heard = np.zeros((11, 160), np.int16)
    order = [legs[0], *(leg for leg in table.legs() if leg is not legs[0])]
    for number, leg in enumerate(order):
        heard[table.place[leg.row]] = 1 << number
    tap: Tap = taps.take(heard, heard)
    ((_, rows),) = tap.per_leg
    assert rows[0].tolist() == [*(1 << number for number in range(7)), (1 << 7) + (1 << 8) + (1 << 9) + (1 << 10)]


def test_a_further_part_has_the_channels_of_the_parts_before() -> None:
    room = Room()
    for leg in ("customer", "third"):
        room.add(leg)
        room.do(Join(leg, "talk"))
    room.do(StartRecording("r", "call", "customer", "unused", "legs", ("customer", "agent", "third")))
    room.talk({"third": noise(10, 3)})
    ((_, rows),) = room.taps[-1].per_leg
    assert [bool(rows[:, channel].any()) for channel in range(4)] == [False, False, True, False]
