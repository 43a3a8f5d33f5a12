"""A guarded leg's keys are heard by nobody but the flow, and its words by everybody, 60 ms later."""

from collections import defaultdict
from collections.abc import Set

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.clock import SAMPLES_PER_TICK
from telephony.events import (
    CloseLeg,
    Codec,
    DigitPressed,
    GuardKeys,
    Join,
    StartRecording,
    StartStream,
)
from telephony.media import g711
from telephony.media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ
from telephony.media.g711 import Samples
from telephony.media.key_guard import AFTER_EVENT_TICKS, AFTER_TONE_TICKS, LINGER_TICKS, WAITING_TICKS, KeyGuard
from telephony.media.legs import LegTable, Origin
from telephony.media.reception import Reception
from telephony.media.tones import dtmf
from telephony.rtp.jitter import TARGET_TICKS
from tests.telephony.media.room import SILENCE, TELEPHONE_EVENT, Room, joined, noise
from tests.telephony.media.test_dtmf import keys, voice
from tests.telephony.media.test_passing import CODED, LIBRARIES, CodedPair, payload

DELAY = WAITING_TICKS * SAMPLES_PER_TICK
SILENT = 1e-7
"""-70 dBFS: what a law makes of silence."""


def through_law(samples: Samples, payload_type: int = 0) -> Samples:
    """What a phone's G.711 makes of whole ticks."""
    ticks = samples.reshape(-1, SAMPLES_PER_TICK)
    law = np.full(len(ticks), payload_type, np.uint8)
    return g711.decode(g711.encode(ticks, law), law).reshape(-1)


def whole(samples: Samples, more_ticks: int = 0) -> Samples:
    """Samples filled up to whole ticks, and silence after them."""
    return np.concatenate([samples, np.zeros(-len(samples) % 160 + 160 * more_ticks, np.int16)])


def guarded(samples: Samples) -> Samples:
    """What comes out of a guard, delayed as it is, for samples that are said to it."""
    table = LegTable(2)
    row = table.open("caller", Origin(1, 2, 3)).row
    guard, reception = KeyGuard(table, 2), Reception(table, 2)
    reception.play_out(0)
    guard.turn(row, 0, on=True)
    return joined([guard.keep(tick[None], reception, n)[0] for n, tick in enumerate(samples.reshape(-1, 160))])


def power_of_keys(samples: Samples) -> float:
    """The greatest power, relative to full scale, that any 20 ms have at any frequency of a key (Goertzel)."""
    blocks = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), 160)[::20]
    at = np.arange(160) / 8000
    waves = np.exp(-2j * np.pi * np.outer(at, ROWS_HZ + COLUMNS_HZ)) / 80
    return float((np.abs(blocks @ waves) ** 2).max() / 32768**2)


tones = st.tuples(
    st.text(KEYS, min_size=1, max_size=4),
    st.integers(0, 639),  # where it begins
    st.integers(40, 300),  # how long each key is
    st.integers(40, 300),  # how long the pause after it
    st.floats(-33.0, -4.0),
)


@settings(max_examples=200, deadline=None)
@given(tones, st.sampled_from(g711.LAWS), st.integers(0, 2**32 - 1))
def test_wherever_a_key_begins_none_of_it_gets_through(
    typed: tuple[str, int, int, int, float], payload_type: int, seed: int
) -> None:
    digits, begins, tone_ms, pause_ms, level = typed
    begins += 20 * 160
    sound = whole(np.concatenate([np.zeros(begins, np.int16), dtmf(digits, tone_ms, pause_ms, level)]), 20)
    sounds = np.zeros(len(sound), np.bool_)
    for number in range(len(digits)):
        at = begins + number * (tone_ms + pause_ms) * 8
        sounds[at : at + tone_ms * 8] = True
    line = np.clip(sound + np.random.default_rng(seed).normal(0, 20, len(sound)), -32768, 32767).astype(np.int16)
    said = through_law(line, payload_type)
    heard = guarded(said)
    late = np.concatenate([np.zeros(DELAY, np.bool_), sounds])[: len(heard)]
    assert not heard[late].any()
    far = np.ones(len(sound) // 160, np.bool_)
    for tick in np.flatnonzero(sounds.reshape(-1, 160).any(axis=1)).tolist():
        far[max(0, tick - WAITING_TICKS) : tick + AFTER_TONE_TICKS + 2] = False
    intact = np.repeat(far[:-WAITING_TICKS], 160)
    assert np.array_equal(heard[DELAY:][intact], said[:-DELAY][intact])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("softer_db", [0.0, 6.0])
def test_keys_over_speech_are_silence(seed: int, softer_db: float) -> None:
    """As loud as a phone's keys are, over somebody who talks on (about -16 dBFS), and 6 dB softer."""
    spoken = voice(seed, 6.0) // 4
    typed = dtmf("4711#", 120, 600, -13.0 - softer_db)
    sound = spoken.astype(np.int32)
    sound[8000 : 8000 + len(typed)] += typed
    said = through_law(whole(np.clip(sound, -32768, 32767).astype(np.int16)))
    heard = guarded(said)
    for number in range(5):
        begins = 8000 + number * 720 * 8 + DELAY
        assert not heard[begins : begins + 120 * 8].any()
    assert keys(heard.reshape(-1, 160)) == ""


@pytest.mark.parametrize("digit", KEYS)
def test_a_key_under_a_noise_of_twice_its_power_is_silence_from_its_beginning(digit: str) -> None:
    """So deep that no block of it is a key, and the flow hears none."""
    begins = 20 * 160 + 7 * (1 + KEYS.index(digit))
    sound = np.concatenate([np.zeros(begins, np.int16), dtmf(digit, 120, 0, -16.0)])
    sound = whole(sound, 20)
    noisy = np.random.default_rng(KEYS.index(digit)).normal(0, 32768 * 10 ** (-13 / 20), len(sound)) + sound
    said = through_law(np.clip(noisy, -32768, 32767).astype(np.int16))
    assert keys(said.reshape(-1, 160)) == ""
    heard = guarded(said)[DELAY:]
    assert not heard[begins : begins + 120 * 8].any()
    assert heard[: begins - 800].any()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KEYS), st.integers(0, 319), st.integers(15, 40), st.floats(-30.0, -7.0))
def test_a_piece_of_a_key_that_is_too_short_for_one_is_silence(
    digit: str, offset: int, tone_ms: int, level: float
) -> None:
    begins = 20 * 160 + offset
    said = through_law(whole(np.concatenate([np.zeros(begins, np.int16), dtmf(digit, tone_ms, 0, level)]), 20))
    assert power_of_keys(guarded(said)) < SILENT


def test_words_are_what_they_were_but_for_the_delay_and_few_moments_that_were_taken_for_keys() -> None:
    """These voices, whose formants glide slowly, are the worst there are: synthesisers lose a third of that."""
    spoken = through_law(whole(joined([voice(seed, 4.0) for seed in range(10)])))
    heard = guarded(spoken)[DELAY:].reshape(-1, 160)
    kept = (heard == spoken[:-DELAY].reshape(-1, 160)).all(axis=1)
    assert kept.mean() > 0.85
    assert not heard[~kept].any()


def test_where_nobody_is_guarded_nothing_is_done() -> None:
    table = LegTable(2)
    table.open("caller", Origin(1, 2, 3))
    heard = noise(1, 1)[None]
    assert KeyGuard(table, 2).keep(heard, Reception(table, 2), 1) is heard
    assert not table.guarded.any()


class Talk:
    """A caller and an agent, recorded and streamed, with the caller guarded."""

    def __init__(self, telephone_event: int = TELEPHONE_EVENT, payload_type: int = 0) -> None:
        self.room = Room()
        self.caller = self.room.add("caller", payload_type, telephone_event)
        self.agent = self.room.add("agent", payload_type)
        for leg in ("caller", "agent"):
            self.room.do(Join(leg, "talk"))
        self.room.do(StartRecording("r", "call", "caller", "/unused"))
        self.room.do(StartRecording("each", "call", "agent", "/unused", "legs"))
        self.room.do(StartStream("s", "caller", "/unused"))
        self.room.do(GuardKeys("caller", on=True))

    def says(self, sound: Samples, lost: Set[int] = frozenset(), late: Set[int] = frozenset()) -> None:
        """The caller says whole ticks, some of which are lost or come 60 ms later; the agent says nothing."""
        due: dict[int, list[bytes]] = defaultdict(list)
        for number, tick in enumerate(sound.reshape(-1, 160)):
            spoken = self.caller.speech(tick)
            if number not in lost:
                due[number + 3 if number in late else number].append(spoken)
            self.room.step({"caller": due[number], "agent": [self.agent.speech(SILENCE)]})

    def everywhere(self) -> dict[str, Samples]:
        """What came of the caller, by who has it."""
        taps = self.room.taps
        return {
            "recording": joined([tap.samples[0][:, 0] for tap in taps]),
            "a channel for each": joined([tap.per_leg[0][1][:, 1] for tap in taps]),
            "stream": joined([tap.live[0][1][:, 0] for tap in taps]),
            "agent": joined(self.agent.heard),
        }

    def pressed(self) -> str:
        return "".join(event.digit for event in self.room.events if isinstance(event, DigitPressed))


def silent_line(ticks: int) -> Samples:
    return np.zeros(ticks * 160, np.int16)


@pytest.mark.parametrize("payload_type", g711.LAWS)
def test_the_flow_hears_keys_that_nobody_else_does(payload_type: int) -> None:
    talk = Talk(payload_type=payload_type)
    talk.says(whole(np.concatenate([silent_line(20), dtmf("4711#", 80, 120)]), 30))
    assert talk.pressed() == "4711#"
    for who, heard in talk.everywhere().items():
        assert power_of_keys(heard) < SILENT, who


@settings(max_examples=60, deadline=None)
@example("1", 0, 95, {18, 27, 28, 30}, set())  # the loss after a loss repeats what the first one repeated
@example("1", 100, 50, {20, 21, 22}, set())  # 2 ms are left at its end
@example("1", 100, 50, {21, 22, 23}, set())  # 7 ms are left at its beginning
@example("1", 0, 50, set(), {20, 21})
@given(
    st.sampled_from(KEYS),
    st.integers(0, 159),
    st.integers(50, 160),
    st.sets(st.integers(18, 32), max_size=6),
    st.sets(st.integers(18, 32), max_size=3),
)
def test_what_conceals_lost_and_late_packets_of_a_key_is_no_key_either(
    digit: str, begins: int, tone_ms: int, lost: set[int], late: set[int]
) -> None:
    talk = Talk()
    sound = np.concatenate([silent_line(20), np.zeros(begins, np.int16), dtmf(digit, tone_ms, 400)])
    talk.says(whole(sound, 20), lost, late)
    for who, heard in talk.everywhere().items():
        assert power_of_keys(heard) < SILENT, who


def test_of_a_telephone_event_nothing_is_heard_nor_of_what_a_gateway_left_of_its_tone() -> None:
    talk = Talk()
    talk.says(through_law(voice(1, 1.0)))
    rest = whole(dtmf("9", 30, 0))  # 30 ms, until the gateway knew that it was a key
    talk.says(rest)
    for number in range(1, 9):
        began = talk.caller.timestamp - 160
        event = talk.caller.key(9, 160 * number, began, end=number == 8)
        talk.room.step({"caller": [event], "agent": [talk.agent.speech(SILENCE)]})
    talk.caller.timestamp += 8 * 160
    talk.says(silent_line(AFTER_EVENT_TICKS + 20))
    assert talk.pressed() == "9"
    for who, heard in talk.everywhere().items():
        assert keys(heard.reshape(-1, 160)) == "", who
        loud = np.flatnonzero(np.abs(heard.astype(int)) > 2000)
        assert loud[-1] < 160 * 60, who  # of the voice alone


def test_an_event_is_read_before_the_piece_of_its_tone_that_waits_in_the_ring() -> None:
    talk = Talk()
    talk.says(silent_line(20))
    talk.room.idle(6)
    talk.room.step({"caller": [talk.caller.speech(SILENCE) for _ in range(7)]})  # a stall: 120 ms wait from now on
    talk.says(whole(dtmf("9", 6, 0)))
    talk.room.step({"caller": [talk.caller.key(9, 160, talk.caller.timestamp), talk.caller.speech(SILENCE)]})
    talk.says(silent_line(30))  # this gateway sends audio beside its events
    for who, heard in talk.everywhere().items():
        assert power_of_keys(heard) < SILENT, who


def test_payloads_pass_through_again_a_second_after_the_end() -> None:
    """Until then they are the same samples, 60 ms later; A-law is the same octets again when it is encoded anew."""
    talk = Talk(payload_type=8)
    said = [payload(number) for number in range(4 * LINGER_TICKS)]
    sent: list[bytes] = []
    for number, each in enumerate(said):
        if number == LINGER_TICKS:
            talk.room.do(GuardKeys("caller", on=False))
        result = talk.room.step({"caller": [talk.caller.packet(each, 8)], "agent": [talk.agent.speech(SILENCE)]})
        (place,) = [i for i, row in enumerate(result.senders) if row == talk.agent.row]
        sent.append(result.datagrams[place, 12:172].tobytes())
    late = len(said) - 1 - said.index(sent[-1])
    assert late <= TARGET_TICKS + 1
    over = 2 * LINGER_TICKS + 1
    assert sent[over:] == said[over - late : -late]
    begun = WAITING_TICKS + late
    assert sent[begun + 5 : over] == said[5 : over - begun]  # the ring's beginning is as good as a loss


def test_a_guard_is_not_over_while_a_key_sounds() -> None:
    talk = Talk()
    talk.says(silent_line(20))
    tone = whole(dtmf("8", 3000, 0))
    talk.says(tone[: 10 * 160])
    talk.room.do(GuardKeys("caller", on=False))
    talk.says(tone[10 * 160 :])
    talk.says(silent_line(LINGER_TICKS))
    assert talk.pressed() == "8"
    for who, heard in talk.everywhere().items():
        assert power_of_keys(heard) < SILENT, who
    unguarded = len(talk.room.taps)
    talk.says(whole(dtmf("8", 100, 100)))
    assert power_of_keys(joined([tap.samples[0][:, 0] for tap in talk.room.taps[unguarded:]])) > 1e-3


def test_guarding_again_in_the_meantime_goes_on() -> None:
    talk = Talk()
    talk.says(silent_line(10))
    talk.room.do(GuardKeys("caller", on=False))
    talk.says(silent_line(LINGER_TICKS - 5))
    talk.room.do(GuardKeys("caller", on=True))
    talk.says(silent_line(2 * LINGER_TICKS))
    talk.says(whole(dtmf("3", 100, 100)))
    assert talk.pressed() == "3"
    for who, heard in talk.everywhere().items():
        assert power_of_keys(heard) < SILENT, who


def test_who_takes_the_place_of_a_guarded_leg_is_not_guarded() -> None:
    talk = Talk()
    talk.says(silent_line(5))
    talk.room.do(CloseLeg("caller"))
    late = talk.room.add("late")
    assert late.row == talk.caller.row
    talk.room.do(Join("late", "talk"))
    tone = whole(dtmf("3", 100, 100))
    for tick in tone.reshape(-1, 160):
        talk.room.step({"late": [late.speech(tick)], "agent": [talk.agent.speech(SILENCE)]})
    assert power_of_keys(joined(talk.agent.heard[5:])) > 1e-3


def test_to_end_a_guard_that_there_is_not_changes_nothing() -> None:
    room = Room()
    room.add("caller")
    assert room.do(GuardKeys("caller", on=False)) == []
    room.idle(5)


@pytest.mark.parametrize("codec", CODED)
def test_a_codec_that_is_passed_undecoded_is_decoded_while_its_leg_is_guarded(codec: Codec) -> None:
    """With telephone-events agreed on, nobody recorded and one codec, nothing would be decoded."""
    pair = CodedPair(codec)
    speaks, hears = LIBRARIES.make(codec), LIBRARIES.make(codec)
    assert speaks is not None
    assert hears is not None
    pair.plane.perform(GuardKeys("near", on=True), pair.now)
    tone_ticks = 10 + 15 + AFTER_TONE_TICKS
    sound = whole(np.concatenate([silent_line(10), dtmf("7", 200, 100), silent_line(10), voice(1, 1.0) // 2]))
    sent = [pair.tick(speaks.encode(tick)) for tick in sound.reshape(-1, 160)]
    heard = joined([hears.decode(each) for each in sent if each is not None])
    tone, words = heard[: tone_ticks * 160], heard[tone_ticks * 160 :]
    assert power_of_keys(tone) < 1e-6
    assert np.abs(words.astype(int)).max() > 2000


@pytest.mark.parametrize("codec", CODED)
def test_a_leg_that_spoke_g711_before_its_codec_is_heard_in_a_guard_and_after_it(codec: Codec) -> None:
    """PCMU before the first packet in the codec that was agreed on; or a re-INVITE that changed it."""
    pair = CodedPair(codec)
    speaks, hears = LIBRARIES.make(codec), LIBRARIES.make(codec)
    assert speaks is not None
    assert hears is not None
    for _ in range(3):
        pair.tick(payload(1), 0)
    pair.plane.perform(GuardKeys("near", on=True), pair.now)
    spoken = whole(voice(1, 1.0) // 2).reshape(-1, 160)

    sent = [pair.tick(speaks.encode(tick)) for tick in spoken]
    heard = joined([hears.decode(each) for each in sent if each is not None])
    assert np.abs(heard[len(heard) // 2 :].astype(int)).max() > 2000
    pair.plane.perform(GuardKeys("near", on=False), pair.now)
    for _ in range(2 * LINGER_TICKS):
        pair.tick(speaks.encode(SILENCE))
    assert not pair.plane._legs.guarded.any()
