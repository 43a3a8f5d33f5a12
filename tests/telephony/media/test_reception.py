"""What a leg is heard to say, whatever the network does to it, and what is thrown away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.events import CloseLeg, LegClosed
from telephony.media.concealment import REPEATS
from telephony.media.g711 import Samples
from telephony.media.latch import LOCK_AFTER, SILENT_TICKS
from telephony.media.legs import LegTable, Origin
from telephony.media.reception import EVENT_GAP_TICKS, Reception
from telephony.rtp.jitter import TARGET_TICKS
from tests.telephony.media.room import SILENCE, TELEPHONE_EVENT, Room, noise
from tests.telephony.rtp.packets import event, lay, packet

HOME, STRANGER = ("198.51.100.1", 4000), ("192.0.2.66", 6666)
Arrival = tuple[int, bytes]


class Ear:
    """A `Reception` with two connected legs, on a virtual clock."""

    def __init__(self) -> None:
        self.table = LegTable(2)
        self.reception = Reception(self.table, 2)
        self.tick = 0
        for name in "ab":
            leg = self.table.open(name, Origin(1, 2, 3))
            self.table.connected[leg.row] = True
            self.table.telephone_event[leg.row] = TELEPHONE_EVENT

    def hear(self, *arrivals: Arrival, source: tuple[str, int] = HOME) -> tuple[str, Samples]:
        """Run a tick; return the keys of leg 0 and what both legs say."""
        rows, lengths = lay([datagram for _, datagram in arrivals])
        legs = np.array([leg for leg, _ in arrivals], np.int64)
        presses, _ = self.reception.receive(rows, lengths, legs, [source] * len(arrivals), self.tick)
        heard = self.reception.play_out(self.tick)
        self.tick += 1
        return "".join(press.digit for row, press in presses if row == 0), heard


def speech(number: int, level: int = 0x80) -> bytes:
    """Packet `number` of µ-law at one level."""
    return packet(number, 160 * number, bytes([level]) * 160)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=400), max_size=8), min_size=5, max_size=20))
def test_garbage_of_any_octets_changes_nothing_for_others(garbage: list[list[bytes]]) -> None:
    quiet, noisy = Ear(), Ear()
    for number, rubbish in enumerate(garbage):
        good = (0, speech(number, number))
        alone = quiet.hear(good)[1][0]
        beside = noisy.hear(*[(1, one) for one in rubbish], good)[1][0]
        assert (alone == beside).all()


def test_packets_of_a_tick_are_taken_in_the_order_of_arrival() -> None:
    ear = Ear()
    ear.hear((0, speech(0)), (0, speech(1)), (1, speech(0)), (0, event(2, 320, 5, 160)), (0, speech(2)), (0, speech(3)))
    assert ear.table.received.tolist() == [5, 1]
    heard = [ear.hear()[1][0].any() for _ in range(TARGET_TICKS + 3)]
    assert heard == [False] * (TARGET_TICKS - 1) + [True] * 4


@pytest.mark.parametrize("lost", range(1, REPEATS + 3))
def test_losses_are_concealed_and_counted(lost: int) -> None:
    ear = Ear()
    heard = [ear.hear((0, speech(number, 0x90)))[1][0] for number in range(5)]
    heard += [ear.hear()[1][0] for _ in range(lost)]
    heard += [ear.hear((0, speech(number, 0x90)))[1][0] for number in range(5 + lost, 10 + lost)]
    audible = [bool(one.any()) for one in heard[TARGET_TICKS : 10 + lost]]
    silent = max(0, lost - REPEATS)
    after = 5 - TARGET_TICKS
    assert audible == [True] * (10 + lost - TARGET_TICKS - silent - after) + [False] * silent + [True] * after
    assert ear.table.concealed[0] == min(lost, REPEATS)
    assert ear.reception.lost(0) == lost


def test_nothing_is_concealed_while_a_key_is_down() -> None:
    """Phones send no audio during an event; repeating the last of it would be heard as a stutter."""
    ear = Ear()
    for number in range(5):
        ear.hear((0, speech(number)))
    keys, levels = "", []
    for number in range(5, 15):
        key, heard = ear.hear((0, event(number, 800, 7, 160 * (number - 4), end=number >= 12)))
        keys += key
        levels.append(heard[0].any())
    assert keys == "7"
    assert not any(levels[TARGET_TICKS:])
    assert not any(ear.hear()[1][0].any() for _ in range(EVENT_GAP_TICKS + 3))
    assert ear.table.concealed[0] == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("0123456789*#"), min_size=1, max_size=5), st.data())
def test_one_press_per_event_under_loss(digits: list[str], data: st.DataObject) -> None:
    ear, sequence, timestamp, pressed = Ear(), 0, 0, ""
    for digit in digits:
        lost = data.draw(st.lists(st.booleans(), min_size=8, max_size=8).filter(lambda bits: not all(bits)))
        for place, gone in enumerate(lost):
            sequence += 1
            if not gone:
                packets = event(sequence, timestamp, "0123456789*#".index(digit), 160 * min(place + 1, 6), place >= 5)
                pressed += ear.hear((0, packets), (0, packets))[0]
        timestamp += 4000
    assert pressed == "".join(digits)


def test_both_laws_are_heard_whatever_we_send() -> None:
    ear = Ear()
    for number in range(4):
        _, heard = ear.hear(
            (0, packet(number, 160 * number, b"\x00" * 160, 0)), (1, packet(number, 160 * number, b"\x2a" * 160, 8))
        )
    assert heard[:, 0].tolist() == [-32124, -32256]


def test_faults_are_counted_and_told_once() -> None:
    room = Room()
    phone = room.add("a")
    told = []
    for _ in range(3):
        # Comfort noise (13) is no fault, and no audio either.
        sent = [b"garbage", phone.packet(b"x" * 160, 9), phone.packet(b"x" * 160, 13), phone.speech(SILENCE)]
        told += room.step({"a": sent}).faults
    told += room.step({"a": [phone.speech(SILENCE)]}, source=STRANGER).faults
    assert told == [("a", "not_rtp"), ("a", "payload_type"), ("a", "foreign_source")]
    assert room.plane.faults("a") == {"not_rtp": 3, "payload_type": 3, "foreign_source": 1, "late": 0, "stretched": 0}


def test_nothing_is_heard_before_the_leg_is_connected() -> None:
    ear = Ear()
    ear.table.connected[0] = False
    rows, lengths = lay([speech(0)])
    presses, faults = ear.reception.receive(rows, lengths, np.zeros(1, np.int64), [HOME], 0)
    assert (presses, faults) == ([], [(0, "not_connected")])


def test_garbage_moves_no_latch() -> None:
    room = Room()
    phone = room.add("a")
    room.step({"a": [b"garbage", phone.packet(b"x" * 160, 9)]}, source=STRANGER)
    assert room.step({}).destinations == [phone.address]


def test_a_flood_from_a_stranger_is_neither_heard_nor_answered() -> None:
    ear = Ear()
    for number in range(20):
        _, heard = ear.hear((0, speech(number)))
        if number > LOCK_AFTER:
            ear.hear(*[(0, packet(n, 160 * n, bytes(160), 0, ssrc=99)) for n in range(8)], source=STRANGER)
            assert ear.table.at(0).latch.destination == HOME
    assert heard[0].any()
    assert ear.table.at(0).faults["foreign_source"] == 8 * (19 - LOCK_AFTER)


def test_a_far_end_that_moved_is_heard_after_a_second() -> None:
    ear = Ear()
    for number in range(5):
        ear.hear((0, speech(number)))
    for number in range(5, 5 + SILENT_TICKS + TARGET_TICKS + 2):
        _, heard = ear.hear((0, speech(number)), source=STRANGER)
    assert heard[0].any()
    assert ear.table.at(0).latch.destination == STRANGER


def test_a_row_used_again_remembers_nothing() -> None:
    room = Room()
    room.add("a")
    room.talk({"a": noise(10, 1)})
    room.do(CloseLeg("a"))
    del room.phones["a"]
    room.add("b")
    assert room.step({}).datagrams[0, 12:].tolist() == [0xFF] * 160
    closed = room.do(CloseLeg("b"))
    assert closed == [LegClosed("b", 0, 1, 0, 0)]


class TestComfortNoise:
    """RFC 3389: not offered, sent all the same, and played while nothing else comes."""

    def talk(self, ear: Ear, first: int, last: int) -> None:
        for number in range(first, last):
            ear.hear((0, speech(number, 0x90)))

    def noise(self, number: int) -> bytes:
        return packet(number, 160 * number, b"\x40", 13)

    def test_it_is_a_sign_of_life_and_a_background(self) -> None:
        ear = Ear()
        self.talk(ear, 0, 10)
        for number in range(10, 40):
            if number % 10 == 0:
                _, heard = ear.hear((0, self.noise(number)))
            else:
                _, heard = ear.hear()
            if number >= 10 + TARGET_TICKS:
                # -64 dBov
                assert 15 < np.sqrt(np.mean(heard[0].astype(float) ** 2)) < 28
        assert ear.table.heard_at[0] == 30
        assert ear.table.concealed[0] == 0
        assert ear.reception.lost(0) == 7 + 9 + 2  # by sequence number, as here one was left out for each tick
        self.talk(ear, 40, 45)
        assert ear.hear((0, speech(45, 0x90)))[1][0].any()

    def test_a_stranger_s_is_nothing(self) -> None:
        ear = Ear()
        self.talk(ear, 0, 5)
        ear.hear((0, self.noise(5)), source=STRANGER)
        assert ear.table.heard_at[0] == 4
        ear.hear((1, self.noise(1)))
        assert ear.table.received[1] == 0
