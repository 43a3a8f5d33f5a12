"""The plane as a whole, in virtual time: what is commanded is heard, recorded and told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import (
    CloseLeg,
    ConnectLeg,
    DigitPressed,
    Join,
    Leave,
    LegClosed,
    LegQuality,
    MediaTimedOut,
    PlaneCommand,
    PlaySamples,
    PromptFinished,
    RecordingStarted,
    RecordingStopped,
    SendKeys,
    StartRecording,
    StopPlaying,
    StopRecording,
)
from telephony.media.g711 import Samples
from telephony.media.legs import Origin, UnknownLeg
from telephony.media.plane import KEYS_AT_ONCE, KEYS_PER_TICK, MediaPlane, Refused, refusal
from telephony.media.tones import dtmf
from telephony.rtp.jitter import TARGET_TICKS
from tests.telephony.media.room import FIRST_TICK, MAX_LEGS, SILENCE, Phone, Room, joined, noise


def play(name: str, *, barge_in: bool = True, loop: bool = False, leg: str = "a") -> PlaySamples:
    return PlaySamples(leg, name, (), barge_in, loop)


def digits(room: Room) -> str:
    return "".join(event.digit for event in room.events if isinstance(event, DigitPressed))


def bridge(room: Room, *legs: str) -> None:
    for leg in legs:
        room.do(Join(leg, "b"))


def record(room: Room, leg: str, name: str = "r") -> None:
    room.do(StartRecording(name, "call", leg, "/nowhere"))


def recorded(room: Room, channel: int) -> Samples:
    return joined([tap.samples[0, :, channel] for tap in room.taps if tap.recordings])


def delayed(samples: Samples) -> Samples:
    return np.concatenate([np.zeros(TARGET_TICKS * 160, np.int16), samples])


# ------------------------------------------------------------------------------------------------- playing


@pytest.mark.parametrize("payload_type", [0, 8])
def test_prompts_are_heard_sample_for_sample(payload_type: int) -> None:
    room = Room()
    phone = room.add("a", payload_type)
    first, second = noise(3, 1, payload_type)[:-55], noise(2, 2, payload_type)
    room.do(play("p"), [first, second])
    room.idle(6)
    heard = joined(phone.heard)
    said = np.concatenate([first, second])
    assert heard[: len(said)].tolist() == said.tolist()
    assert np.abs(heard[len(said) :]).max() <= 8
    assert room.events == [PromptFinished("a", "p", "finished", FIRST_TICK + 4)]


def test_a_loop_goes_on_until_stopped() -> None:
    room = Room()
    phone = room.add("a")
    music = noise(2, 3)[:300]
    room.do(play("m", loop=True), [music])
    room.idle(20)
    assert joined(phone.heard).tolist() == np.resize(music, 3200).tolist()
    assert room.do(StopPlaying("a", "another")) == []
    assert room.do(StopPlaying("a", "m")) == [PromptFinished("a", "m", "stopped", room.next_tick)]
    assert room.do(StopPlaying("a", "m")) == []
    assert not room.step({}).events


def test_a_new_prompt_takes_the_place_of_the_old() -> None:
    room = Room()
    room.add("a")
    room.do(play("1"), [noise(9, 1)])
    assert room.do(play("2"), [noise(9, 2)]) == [PromptFinished("a", "1", "stopped", FIRST_TICK)]
    failed = room.do(play("3"), [])
    assert [(one.playback, one.ending) for one in failed if isinstance(one, PromptFinished)] == [
        ("2", "stopped"),
        ("3", "failed"),
    ]


def test_a_prompt_to_a_bridged_leg_is_added_to_what_it_hears_and_not_recorded() -> None:
    room = Room()
    phone = room.add("a")
    room.add("b")
    bridge(room, "a", "b")
    record(room, "a")
    says, prompt = noise(10, 1, peak=1000), noise(10, 2, peak=1000)
    room.do(play("p"), [prompt])
    room.talk({"b": says})
    sums = joined(phone.heard).astype(np.int64) - delayed(says)[:1600] - prompt
    assert np.abs(sums).max() <= 64
    assert recorded(room, 1).tolist() == delayed(says)[:1600].tolist()


# ---------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("barge_in", [True, False])
def test_a_key_ends_a_prompt_in_the_same_tick(barge_in: bool) -> None:
    room = Room()
    phone = room.add("a")
    room.do(play("menu", barge_in=barge_in), [noise(50, 1)])
    room.idle(5)
    room.step({"a": [phone.key(5, 160, began=77)]})
    room.step({"a": [phone.key(5, 320, began=77, end=True)] * 3})
    pressed = DigitPressed("a", "5", "rfc4733", FIRST_TICK + 5)
    over = PromptFinished("a", "menu", "barged_in", FIRST_TICK + 5)
    assert room.events == ([pressed, over] if barge_in else [pressed])
    assert (np.abs(phone.heard[5]).max() <= 8) == barge_in


def test_nobody_presses_four_hundred_keys_a_second() -> None:
    room = Room()
    phone = room.add("a")
    for tick in range(250):
        room.step({"a": [phone.key(5, 160, began=1000 * (8 * tick + each)) for each in range(8)]})
    pressed = [event for event in room.events if isinstance(event, DigitPressed)]
    assert KEYS_AT_ONCE <= len(pressed) <= KEYS_AT_ONCE + 250 * KEYS_PER_TICK
    assert room.plane.faults("a")["key_flood"] == 2000 - len(pressed)


def test_keys_by_tones_end_a_prompt_too() -> None:
    room = Room()
    room.add("a", telephone_event=-1)
    room.do(play("menu", loop=True), [noise(50, 1)])
    room.talk({"a": dtmf("42#", 80, 60)})
    room.talk({"a": np.zeros(1600, np.int16)})
    assert digits(room) == "42#"
    told = [type(event) for event in room.events if not isinstance(event, LegQuality)]
    assert told[:2] == [DigitPressed, PromptFinished]


def both(room: Room, phone: Phone, digit: str, lost_packets: int, tone_ticks: int = 5) -> None:
    """A phone that sends a key in both ways at once, as many do; the first event packets are lost."""
    tones = dtmf(digit, tone_ticks * 20, 0)
    began = phone.timestamp
    for tick in range(tone_ticks + 8):
        sent = [phone.speech(tones[160 * tick : 160 * (tick + 1)] if tick < tone_ticks else SILENCE)]
        if lost_packets <= tick < tone_ticks + 3:
            last = tick >= tone_ticks
            sent.append(phone.key(int(digit), 160 * min(tick + 1, tone_ticks), began, end=last))
        room.step({"a": sent})


@pytest.mark.parametrize("tone_ticks", [4, 5, 15])
@pytest.mark.parametrize("lost_packets", [0, 1, 3, 6, 17])
def test_a_key_sent_both_ways_is_one_press(lost_packets: int, tone_ticks: int) -> None:
    room = Room()
    phone = room.add("a")
    both(room, phone, "7", min(lost_packets, tone_ticks + 2), tone_ticks)
    both(room, phone, "7", 0, tone_ticks)
    both(room, phone, "3", 0, tone_ticks)
    assert digits(room) == "773"


def test_how_long_a_key_was_down_is_counted_by_the_clock_of_events() -> None:
    """L16 at 16 kHz, and events by 8: the tone was heard long before the first event packet that arrives."""
    room = Room()
    phone = room.add("a")
    room.do(ConnectLeg("a", *phone.address, 97, 101, "L16/16000", event_clock=8000))
    tones = np.repeat(dtmf("7", 700, 0), 2).astype(">i2")
    began = phone.timestamp
    for tick in range(45):
        part = tones[320 * tick : 320 * (tick + 1)].tobytes() or bytes(640)
        sent = [phone.packet(part, 97, step=320)]
        if 32 <= tick < 38:
            sent.append(phone.key(7, 160 * min(tick + 1, 35), began, end=tick >= 35))
        room.step({"a": sent})
    assert digits(room) == "7"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("0123456789"), st.integers(0, 7)), min_size=1, max_size=5))
def test_every_key_is_one_press_under_loss_of_events(keys: list[tuple[str, int]]) -> None:
    room = Room()
    phone = room.add("a")
    for digit, lost in keys:
        both(room, phone, digit, lost)
    assert digits(room) == "".join(digit for digit, _ in keys)


def test_tones_count_again_when_events_have_long_stopped() -> None:
    room = Room()
    phone = room.add("a")
    room.step({"a": [phone.key(1, 160, began=1, end=True)]})
    room.talk({"a": np.zeros(501 * 160, np.int16)})
    room.talk({"a": np.concatenate([dtmf("2", 80, 0), np.zeros(1600, np.int16)])})
    assert digits(room) == "12"


def test_a_key_is_not_heard_in_the_bridge() -> None:
    room = Room()
    phone, other = room.add("a"), room.add("b")
    bridge(room, "a", "b")
    record(room, "a")
    for tick in range(10):
        room.step({"a": [phone.key(9, 160 * (tick + 1), began=5)], "b": [other.speech(SILENCE)]})
    assert digits(room) == "9"
    assert np.abs(joined(other.heard)).max() <= 8
    assert np.abs(recorded(room, 0)).max() <= 8


# ---------------------------------------------------------------------------------------- bridges, recordings


def test_everyone_hears_the_others_and_is_recorded_apart() -> None:
    room = Room()
    phones = {name: room.add(name) for name in "abc"}
    room.add("outside")
    bridge(room, *"abc")
    record(room, "b")
    says = {name: noise(30, seed, peak=3000) for seed, name in enumerate("abc")} | {"outside": noise(30, 9)}
    room.talk(says)
    late = {name: delayed(samples)[: 30 * 160].astype(np.int64) for name, samples in says.items()}
    assert recorded(room, 0).tolist() == late["b"].tolist()
    assert recorded(room, 1).tolist() == (late["a"] + late["c"]).tolist()
    for me, phone in phones.items():
        others = sum(late[name] for name in "abc" if name != me)
        assert np.abs(joined(phone.heard) - others).max() <= 256  # one µ-law step
    assert np.abs(joined(room.phones["outside"].heard)).max() <= 8


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["caller", "agent", "both", "apart", "together"]), min_size=5, max_size=40))
def test_a_recording_has_a_row_for_every_tick_and_both_ends_in_it(steps: list[str]) -> None:
    """Through speech, silence and moves in and out of the bridge, the channels are what the ends said."""
    room = Room()
    for leg in ("caller", "agent"):
        room.add(leg)
    bridge(room, "caller", "agent")
    record(room, "caller")
    said: dict[str, list[Samples]] = {"caller": [], "agent": []}
    together: list[bool] = []
    joined_now = True
    for number, step in enumerate([*steps, *["silence"] * TARGET_TICKS]):
        if step in ("apart", "together"):
            joined_now = step == "together"
            room.do(Join("agent", "b") if joined_now else Leave("agent"))
        blocks = {leg: noise(1, number) if step in (leg, "both") else noise(1, 0, peak=1) for leg in said}
        for leg, block in blocks.items():
            said[leg].append(block)
        together.append(joined_now)
        room.talk(blocks)
    stopped = room.do(StopRecording("r"))
    assert stopped == [RecordingStopped("r", len(together))]
    assert recorded(room, 0).tolist() == delayed(joined(said["caller"]))[: 160 * len(together)].tolist()
    expected = delayed(joined(said["agent"]))[: 160 * len(together)].reshape(-1, 160) * np.array(together)[:, None]
    assert recorded(room, 1).reshape(-1, 160).tolist() == expected.tolist()


def test_recordings_begin_and_end_with_their_commands_and_legs() -> None:
    room = Room()
    room.add("a")
    record(room, "a", "r1")
    room.idle(3)
    record(room, "a", "r2")
    record(room, "a", "r2")  # a second time changes nothing
    room.idle(2)
    assert [tap.recordings for tap in room.taps] == [["r1"]] * 3 + [["r1", "r2"]] * 2
    room.do(play("p"), [noise(9, 1)])
    room.do(CloseLeg("a"))
    assert room.events == [
        RecordingStarted("r1", FIRST_TICK),
        RecordingStarted("r2", FIRST_TICK + 3),
        PromptFinished("a", "p", "stopped", FIRST_TICK + 5),
        RecordingStopped("r1", 5),
        RecordingStopped("r2", 2),
        LegClosed("a", 0, 5, 0, 0),
    ]
    del room.phones["a"]
    assert not room.step({}).tap.recordings


# -------------------------------------------------------------------------------------------- legs, sending


def test_the_stream_sent_counts_ticks_even_skipped_ones() -> None:
    room = Room()
    phone = room.add("a")
    room.idle(2)
    room.next_tick += 5
    room.idle(1)
    sequence = [int.from_bytes(head[2:4], "big") for head in phone.headers]
    stamps = [int.from_bytes(head[4:8], "big") for head in phone.headers]
    assert sequence == [65_534, 65_535, 0]
    assert np.diff(stamps).tolist() == [160, 6 * 160]
    assert [head[1] for head in phone.headers] == [0x80, 0, 0]
    assert {head[8:12] for head in phone.headers} == {(1000).to_bytes(4, "big")}


def test_a_reinvite_changes_law_and_address() -> None:
    room = Room()
    phone = room.add("a")
    room.do(ConnectLeg("a", "198.51.100.9", 9000, 8, 101))
    phone.payload_type = 8
    room.do(play("p"), [noise(2, 1, 8)])
    result = room.step({})
    assert result.destinations == [("198.51.100.9", 9000)]
    assert phone.headers[0][1] == 0x88
    room.do(ConnectLeg("a", "0.0.0.0", 9000, 8, 101))
    assert room.step({}).destinations == []


def test_silence_is_told_once_until_media_comes_again() -> None:
    room = Room(media_timeout_s=1.0)
    phone = room.add("a")
    room.plane.open("unconnected", Origin(1, 1, 1))
    room.idle(200)
    room.step({"a": [phone.speech(SILENCE)]})
    room.idle(200)
    ticks = [event.tick - FIRST_TICK for event in room.events if isinstance(event, MediaTimedOut)]
    assert ticks == [51, 251]


def test_a_leg_that_is_connected_anew_has_its_time_anew() -> None:
    """Early media may be silent for long; so may not be whoever answers then."""
    room = Room(media_timeout_s=1.0)
    room.add("a")
    room.idle(60)
    room.do(ConnectLeg("a", "192.0.2.9", 9000, 8, 101))
    room.idle(200)
    assert len([event for event in room.events if isinstance(event, MediaTimedOut)]) == 2


def test_the_table_is_full() -> None:
    room = Room()
    for number in range(MAX_LEGS):
        room.add(str(number))
    with pytest.raises(Refused, match="all the legs"):
        room.plane.open("more", Origin(1, 1, 1))
    with pytest.raises(Refused, match="open already"):
        room.plane.open("3", Origin(1, 1, 1))
    events = room.plane.end_all(room.next_tick)
    assert [event.leg for event in events if isinstance(event, LegClosed)] == [str(n) for n in range(MAX_LEGS)]
    assert room.plane.open("more", Origin(1, 1, 1)) in range(MAX_LEGS)


NOBODY: list[tuple[PlaneCommand, list[type]]] = [
    (ConnectLeg("x", "192.0.2.1", 4000, 0), []),
    (CloseLeg("x"), [LegClosed]),
    (play("p", leg="x"), [PromptFinished]),
    (StopPlaying("x", "p"), []),
    (Join("x", "b"), []),
    (Leave("x"), []),
    (StartRecording("r", "c", "x", "/p"), [RecordingStopped]),
    (StopRecording("r"), [RecordingStopped]),
    (SendKeys("x", "1"), []),
]


@pytest.mark.parametrize(("command", "answers"), NOBODY)
def test_commands_for_nobody_are_refused_and_answered_where_an_answer_is_due(
    command: PlaneCommand, answers: list[type]
) -> None:
    plane = MediaPlane(1, 30.0)
    with pytest.raises((UnknownLeg, Refused)) as error:
        plane.perform(command, 1)
    assert [type(answer) for answer in refusal(command, 1, str(error.value))] == answers


def test_an_unknown_codec_is_refused() -> None:
    room = Room()
    room.add("a")
    with pytest.raises(Refused, match="payload type 9"):
        room.do(ConnectLeg("a", "192.0.2.1", 4000, 9))
