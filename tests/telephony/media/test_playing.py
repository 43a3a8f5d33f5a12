"""Playing to all legs at once: what is heard is the slices of the clips, whatever is done meanwhile."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import CloseLeg, Join, Leave, PlaySamples, PromptFinished, SeekPlaying, StopPlaying
from telephony.media.g711 import Samples
from telephony.media.legs import Leg, LegTable, Origin
from telephony.media.plane import MediaPlane, Refused
from telephony.media.playing import FEW, Playing
from telephony.media.prompts import Playback
from tests.telephony.media.room import FIRST_TICK, Room, joined, noise

LEGS = 12
ORIGIN = Origin(1, 1, 1)


@dataclass
class Stage:
    """Legs that play, beside the plain account of what each is to hear: a position in the clips laid end to end."""

    table: LegTable = field(default_factory=lambda: LegTable(LEGS))
    legs: list[Leg] = field(default_factory=list)
    whole: dict[str, Samples] = field(default_factory=dict)
    position: dict[str, int] = field(default_factory=dict)
    loops: dict[str, bool] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    begun: int = 0

    def __post_init__(self) -> None:
        self.playing = Playing(self.table, LEGS)
        self.legs = [self.table.open(f"leg{number}", ORIGIN) for number in range(LEGS)]

    def start(self, leg: Leg, clips: list[Samples], offset_ms: int, *, loop: bool) -> None:
        if leg.playback is not None:
            self.stop(leg)
        self.begun += 1
        self.whole[leg.name] = np.concatenate(clips)
        self.loops[leg.name] = loop
        self.go(leg, offset_ms * 8)
        self.playing.start(leg, Playback(str(self.begun), clips, True, loop, 0.0, offset_ms))

    def stop(self, leg: Leg) -> None:
        if self.playing.stop(leg) is not None:
            self.end(leg)

    def seek(self, leg: Leg, to: int, *, relative: bool) -> None:
        self.go(leg, to + self.position[leg.name] if relative else to)
        self.playing.seek(leg, to, relative=relative)

    def go(self, leg: Leg, to: int) -> None:
        """Keep account of where a leg is now."""
        length = len(self.whole[leg.name])
        self.position[leg.name] = min(max(to, 0), length)
        if self.loops[leg.name]:
            self.position[leg.name] %= length

    def end(self, leg: Leg) -> None:
        self.finished[leg.name] = self.finished.get(leg.name, 0) + 1
        del self.whole[leg.name], self.position[leg.name], self.loops[leg.name]

    def tick(self) -> None:
        mixed = np.zeros((LEGS, 160), np.int16)
        expected = np.zeros_like(mixed)
        over = []
        for number, leg in enumerate(self.legs):
            if leg.name not in self.whole:
                continue
            whole, at = self.whole[leg.name], self.position[leg.name]
            heard = np.resize(np.roll(whole, -at), 160) if self.loops[leg.name] else whole[at : at + 160]
            expected[number, : len(heard)] = heard
            self.position[leg.name] = at + 160
            if self.loops[leg.name]:
                self.position[leg.name] %= len(whole)
            elif at + 160 >= len(whole):
                over.append(leg)
        assert self.playing.add(mixed) == over
        assert mixed.tolist() == expected.tolist()
        for leg in over:
            self.stop(leg)


CLIPS: list[Samples] = [(np.arange(length) + 3000 * number).astype(np.int16) for number, length in
         enumerate((1, 159, 160, 161, 320, 479, 1600, 2000))]  # fmt: skip
one_leg = st.integers(0, LEGS - 1)
far = st.integers(-5000, 5000)
chosen = st.lists(st.sampled_from(range(len(CLIPS))), min_size=1, max_size=3)
deeds = st.one_of(
    st.tuples(st.just("start"), st.lists(one_leg, min_size=1, max_size=LEGS), chosen, st.integers(0, 400)),
    st.tuples(st.just("loop"), st.lists(one_leg, min_size=1, max_size=LEGS), chosen, st.integers(0, 400)),
    st.tuples(st.just("stop"), one_leg),
    st.tuples(st.just("seek"), one_leg, far),
    st.tuples(st.just("further"), one_leg, far),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)


@given(st.lists(deeds, max_size=25))
def test_what_is_heard_is_the_slices_of_the_clips(history: list[tuple[object, ...]]) -> None:
    stage = Stage()
    for deed in history:
        match deed:
            case ("start" | "loop" as how, list() as legs, list() as clips, int() as offset_ms):
                for leg in legs:
                    stage.start(stage.legs[leg], [CLIPS[each] for each in clips], offset_ms, loop=how == "loop")
            case ("stop", int() as leg):
                stage.stop(stage.legs[leg])
            case ("seek" | "further" as how, int() as leg, int() as to):
                if stage.legs[leg].playback is not None:
                    stage.seek(stage.legs[leg], to, relative=how == "further")
            case ("wait", int() as ticks):
                for _ in range(ticks):
                    stage.tick()
        stage.tick()
    for leg in stage.legs:
        stage.stop(leg)
    assert sum(stage.finished.values()) == stage.begun
    assert not stage.table.playing.any()


def test_many_and_few_legs_on_a_clip_hear_the_same() -> None:
    clip = noise(20, 1)
    for count in (1, FEW, FEW + 1, LEGS):
        stage = Stage()
        for leg in stage.legs[:count]:
            stage.start(leg, [clip], 13, loop=False)
        for _ in range(20):
            stage.tick()
        assert len(stage.finished) == count


# -------------------------------------------------------------------------------------------- through the plane


def play(leg: str = "a", name: str = "p", *, loop: bool = False, level_db: float = 0.0, at_ms: int = 0) -> PlaySamples:
    return PlaySamples(leg, name, (), True, loop, level_db, at_ms)


def sine(ticks: int, peak: float) -> Samples:
    return np.rint(peak * np.sin(2 * np.pi * 425 * np.arange(160 * ticks) / 8000)).astype(np.int16)


def level(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


class Hall:
    """A plane of which what legs hear is seen before it is encoded."""

    def __init__(self, *legs: str) -> None:
        self.room = Room()
        self.legs = legs
        for leg in legs:
            self.room.add(leg)
        self.heard: list[Samples] = []
        speak = self.room.plane._speak

        def overhear(mixed: Samples, tick: int) -> list[object]:
            events = speak(mixed, tick)
            self.heard.append(mixed.copy())
            return list(events)

        self.room.plane._speak = overhear  # type: ignore[method-assign, assignment]

    def of(self, leg: str) -> Samples:
        place = self.room.plane._legs.place[self.room.phones[leg].row]
        return joined([each[place] for each in self.heard])


@pytest.mark.parametrize("level_db", [-60.0, -40.0, -20.0, -6.0, -0.5, 0.0, 3.0, 6.0, 12.0])
def test_levels_are_exact(level_db: float) -> None:
    hall = Hall("a")
    samples = sine(10, 8000)
    hall.room.do(play(level_db=level_db), [samples])
    hall.room.idle(10)
    assert level(hall.of("a")) - level(samples) == pytest.approx(level_db, abs=0.1)


def test_a_level_never_wraps_around() -> None:
    hall = Hall("a")
    loud = np.array([32767, -32768, 20000, -20000], np.int16).repeat(400)
    hall.room.do(play(level_db=12.0), [loud])
    hall.room.idle(10)
    assert hall.of("a").tolist() == np.where(loud > 0, 32767, -32768).tolist()


def test_only_the_leg_with_a_level_has_it() -> None:
    hall = Hall("a", "b", "c", "d", "e")
    clip = noise(5, 1)
    for leg in hall.legs:
        hall.room.do(play(leg, level_db=-6.0 if leg == "c" else 0.0), [clip])
    hall.room.idle(5)
    for leg in "abde":
        assert hall.of(leg).tolist() == clip.tolist()
    assert level(hall.of("c")) - level(clip) == pytest.approx(-6.0, abs=0.1)


def test_a_level_is_forgotten_with_its_playback() -> None:
    hall = Hall("a")
    clip = noise(2, 1)
    hall.room.do(play(name="1", level_db=-20.0), [clip])
    hall.room.idle(2)
    hall.room.do(play(name="2"), [clip])
    hall.room.idle(2)
    assert hall.of("a")[320:].tolist() == clip.tolist()


@pytest.mark.parametrize("level_db", [-60.1, 12.5, float("nan"), float("inf")])
def test_a_level_that_is_none_is_refused_with_its_cause(level_db: float) -> None:
    room = Room()
    room.add("a")
    (told,) = room.do(play(level_db=level_db), [noise(1, 1)])
    assert isinstance(told, PromptFinished)
    assert told.ending == "failed"
    assert "-60 to +12 dB" in told.cause


def test_in_a_bridge_the_sum_is_held_at_the_limits() -> None:
    hall = Hall("a", "b")
    for leg in "ab":
        hall.room.do(Join(leg, "talk"))
    loud = noise(12, 3, peak=32000)
    hall.room.do(play("b", level_db=12.0, loop=True), [loud])
    talker = hall.room.phones["a"]
    for _ in range(12):
        hall.room.step({"a": [talker.speech(np.full(160, 32000, np.int16))]})
    heard = hall.of("b").astype(np.int64)
    assert heard[960:].max() == 32767
    prompt = np.clip(loud * 10**0.6, -32768, 32767)
    wanted = np.clip(prompt + 32124, -32768, 32767)  # 32000 as G.711 has it
    assert np.abs(heard - wanted)[960:].max() <= 1
    hall.room.do(Leave("b"))
    hall.room.idle(1)
    assert np.abs(hall.of("b")[-160:] - prompt[:160]).max() <= 1


def test_a_playback_begins_where_it_is_told_to() -> None:
    hall = Hall("a")
    clips = [noise(3, 1), noise(3, 2)]
    hall.room.do(play(at_ms=75), clips)
    hall.room.idle(3)
    assert hall.of("a")[: 960 - 600].tolist() == np.concatenate(clips)[600:].tolist()
    assert not hall.of("a")[360:].any()


@pytest.mark.parametrize("offset_ms", [-50, 60, 10**9])
def test_a_beginning_out_of_bounds(offset_ms: int) -> None:
    """Before the beginning is the beginning; at the end there is nothing left to hear, but the end."""
    room = Room()
    phone = room.add("a")
    clip = noise(3, 1)
    room.do(play(at_ms=offset_ms), [clip])
    room.idle(3)
    assert joined(phone.heard).tolist() == (clip.tolist() if offset_ms < 0 else [0] * 480)
    over = 2 if offset_ms < 0 else 0
    assert room.events == [PromptFinished("a", "p", "finished", FIRST_TICK + over)]


def test_seek_forward_back_and_beyond() -> None:
    room = Room()
    phone = room.add("a")
    clip = noise(50, 1)
    room.do(play(), [clip])
    room.idle(2)
    assert room.do(SeekPlaying("a", "p", 500)) == []
    room.idle(1)
    assert room.do(SeekPlaying("a", "p", -10_000, relative=True)) == []
    room.idle(1)
    room.do(SeekPlaying("a", "p", 100, relative=True))
    room.idle(1)
    heard = joined(phone.heard)
    for place, begin in enumerate((0, 160, 4000, 0, 160 + 800)):
        assert heard[160 * place :][:160].tolist() == clip[begin : begin + 160].tolist()
    room.do(SeekPlaying("a", "p", 10**9))
    room.idle(3)
    assert room.events == [PromptFinished("a", "p", "finished", FIRST_TICK + 5)]
    assert not joined(phone.heard)[800:].any()


def test_a_loop_at_its_end_is_at_its_beginning() -> None:
    room = Room()
    phone = room.add("a")
    clip = noise(4, 1)
    room.do(play(loop=True), [clip])
    room.idle(1)
    room.do(SeekPlaying("a", "p", 10**9))
    room.idle(1)
    assert joined(phone.heard)[160:].tolist() == clip[:160].tolist()
    assert room.events == []


def test_a_seek_in_what_is_not_played_is_refused() -> None:
    room = Room()
    room.add("a")
    with pytest.raises(Refused, match="does not play p: it is over, or has not begun"):
        room.do(SeekPlaying("a", "p", 0))
    room.do(play(), [noise(3, 1)])
    with pytest.raises(Refused, match="does not play q"):
        room.do(SeekPlaying("a", "q", 0))
    room.do(StopPlaying("a", "p"))
    with pytest.raises(Refused):
        room.do(SeekPlaying("a", "p", 0))
    assert [event.ending for event in room.events if isinstance(event, PromptFinished)] == ["stopped"]


plane_deeds = st.one_of(
    st.tuples(st.just("play"), st.integers(0, 3), st.booleans(), st.booleans(), st.integers(-100, 300)),
    st.tuples(st.just("seek"), st.integers(0, 3), st.integers(-200, 200), st.booleans()),
    st.tuples(st.sampled_from(["stop", "key", "close"]), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


@given(st.lists(plane_deeds, max_size=20))
def test_one_end_is_told_of_every_playback(history: list[tuple[object, ...]]) -> None:
    room = Room()
    begun: dict[str, list[str]] = {}
    for deed in history:
        leg = f"leg{deed[1]}"
        if deed[0] != "wait" and leg not in room.plane._legs:
            room.add(leg)
        latest = begun.get(leg, ["none"])[-1]
        match deed:
            case ("play", int(), bool() as barge_in, bool() as loop, int() as offset_ms):
                name = f"{leg}.{len(begun.setdefault(leg, []))}"
                begun[leg].append(name)
                clips = [noise(1, 1)[:57], noise(2, 2), noise(1, 3)]
                room.do(PlaySamples(leg, name, (), barge_in, loop, 0.0, offset_ms), clips)
            case ("seek", int(), int() as to_ms, bool() as relative):
                with contextlib.suppress(Refused):
                    room.do(SeekPlaying(leg, latest, to_ms, relative))
            case ("stop", int()):
                room.do(StopPlaying(leg, latest))
            case ("close", int()):
                room.do(CloseLeg(leg))
            case ("key", int()):
                phone = room.phones[leg]
                room.step({leg: [phone.key(5, 160, phone.timestamp)]})
                phone.timestamp += 320
            case ("wait", int() as ticks):
                room.idle(ticks)
    room.events += room.plane.end_all(room.next_tick)
    told = [(event.leg, event.playback) for event in room.events if isinstance(event, PromptFinished)]
    assert sorted(told) == sorted((leg, name) for leg, names in begun.items() for name in names)


def test_nothing_is_kept_of_clips_that_nobody_plays() -> None:
    plane = MediaPlane(LEGS, 30.0)
    for number in range(LEGS):
        plane.open(f"{number}", ORIGIN)
        plane.perform(play(str(number)), 0, [noise(3, 1)])
    plane._speak(np.zeros((LEGS, 160), np.int16), 0)
    for number in range(LEGS):
        plane.perform(StopPlaying(str(number), "p"), 1)
    plane._speak(np.zeros((LEGS, 160), np.int16), 1)
    assert not plane._playing._windows
    assert not any(len(samples) for samples in plane._playing._samples)
