"""RTCP of the plane in virtual time: what is lost, late and delayed is told, to the far end and as quality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.clock import time_of
from telephony.events import LegQuality
from telephony.media.impairment import mos, rating
from telephony.media.plane import Refused
from telephony.media.reports import EVERY_TICKS
from telephony.rtp import rtcp
from telephony.rtp.rtcp import ReceiverReport, ReportBlock, SenderReport
from tests.telephony.media.room import SILENCE, Room

TWICE = 2 * EVERY_TICKS


def run(room: Room, ticks: int, lost: list[bool] | None = None) -> list[tuple[int, rtcp.Packet]]:
    """Let phone `a` talk, some of whose packets get lost; return the reports that it is sent, with their ticks."""
    reports: list[tuple[int, rtcp.Packet]] = []
    for number in range(ticks):
        packet = room.phones["a"].speech(SILENCE)
        gone = lost is not None and lost[number % len(lost)]
        result = room.step({"a": [] if gone else [packet]})
        reports += [(room.next_tick - 1, each) for _, octets in result.reports for each in rtcp.parse(octets)]
    return reports


def quality(room: Room) -> LegQuality:
    """What was told last."""
    return [event for event in room.events if isinstance(event, LegQuality)][-1]


def block_about(room: Room, **figures: float) -> ReportBlock:
    """What a far end says of our stream."""
    ssrc = int(room.plane._legs.ssrc[room.phones["a"].row])
    known = {"fraction_lost": 0.0, "lost": 0, "highest": 0, "jitter": 0, "last_sr": 0, "delay_since": 0}
    return ReportBlock(ssrc=ssrc, **(known | figures))  # type: ignore[arg-type]


def test_a_clean_leg_is_told_every_five_seconds() -> None:
    room = Room()
    room.add("a")
    reports = run(room, TWICE)
    assert [type(each) for _, each in reports] == [SenderReport, SenderReport]
    told = [event for event in room.events if isinstance(event, LegQuality)]
    assert [event.lost for event in told] == [0, 0]
    assert quality(room).mos > 4.3
    assert (quality(room).jitter_ms, quality(room).round_trip_ms, quality(room).far_mos) == (0, -1, -1)


def test_what_is_sent_is_told_as_it_was() -> None:
    room = Room()
    room.add("a")
    tick, report = run(room, TWICE)[-1]
    assert isinstance(report, SenderReport)
    header = room.phones["a"].headers[tick - room.next_tick]
    assert report.ssrc.to_bytes(4, "big") == header[8:12]
    assert report.rtp_timestamp.to_bytes(4, "big") == header[4:8]
    assert report.octets == 160 * report.packets
    assert report.ntp == rtcp.ntp_of(time_of(tick))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.booleans(), min_size=EVERY_TICKS, max_size=EVERY_TICKS))
def test_what_is_lost_is_told(lost: list[bool]) -> None:
    room = Room()
    room.add("a")
    run(room, EVERY_TICKS)
    # What is lost is seen by what comes after it: the last of it comes, and the reports between have their share.
    _, report = run(room, TWICE, [*lost[:-1], False])[-1]
    assert isinstance(report, SenderReport)
    (block,) = report.blocks
    share = sum(lost[:-1]) / EVERY_TICKS
    assert block.fraction_lost == pytest.approx(share, abs=0.15)
    assert quality(room).loss == pytest.approx(block.fraction_lost, abs=0.005)
    assert quality(room).lost == block.lost
    assert quality(room).mos == pytest.approx(mos(rating(40, quality(room).loss)), abs=0.05)


def test_jitter_is_told_in_milliseconds() -> None:
    room = Room()
    phone = room.add("a")
    for _ in range(EVERY_TICKS):
        packets = [phone.speech(SILENCE), phone.speech(SILENCE)]
        room.step({"a": [packets[0]]})
        room.step({})
        room.step({"a": [packets[1]]})
        phone.timestamp += 160
    assert 5 < quality(room).jitter_ms <= 20


def test_the_far_end_s_view_and_the_round_trip() -> None:
    room = Room()
    phone = room.add("a")
    _, report = run(room, TWICE)[-1]
    assert isinstance(report, SenderReport)
    now = time_of(room.next_tick)
    held_s = now - (report.ntp / 2**32 - rtcp.NTP_EPOCH_S) - 0.06
    block = block_about(
        room,
        fraction_lost=0.25,
        jitter=80,
        last_sr=rtcp.middle_of(report.ntp),
        delay_since=round(held_s * rtcp.DELAY_UNITS_PER_S),
    )
    octets = rtcp.write([ReceiverReport(5, (block,))], "phone")
    room.plane.take_report(phone.row, octets, (phone.address[0], phone.address[1] + 1), now)
    run(room, EVERY_TICKS)
    told = quality(room)
    assert (told.far_loss, told.far_jitter_ms) == (0.25, 10)
    assert told.round_trip_ms == pytest.approx(60, abs=0.1)
    assert told.far_mos < 3
    assert told.mos > 4.2


def test_what_comes_from_elsewhere_is_not_believed() -> None:
    room = Room()
    phone = room.add("a")
    run(room, EVERY_TICKS)
    octets = rtcp.write([ReceiverReport(5, (block_about(room, fraction_lost=0.5),))], "phone")
    with pytest.raises(Refused, match="elsewhere"):
        room.plane.take_report(phone.row, octets, ("192.0.2.66", 5), time_of(room.next_tick))
    for _ in range(50):  # told once
        room.plane.take_report(phone.row, b"garbage", phone.address, time_of(room.next_tick))
    run(room, EVERY_TICKS)
    assert quality(room).far_loss == -1
    assert room.plane.faults("a")["not_rtcp"] == 51


def test_reports_go_where_reports_come_from() -> None:
    room = Room()
    phone = room.add("a")
    run(room, EVERY_TICKS)
    assert room.plane.report_address(phone.row) == (phone.address[0], phone.address[1] + 1)
    octets = rtcp.write([ReceiverReport(5)], "phone")
    room.plane.take_report(phone.row, octets, (phone.address[0], 9), time_of(room.next_tick))
    assert room.plane.report_address(phone.row) == (phone.address[0], 9)


def test_what_is_not_said_any_more_is_not_known_any_more() -> None:
    room = Room()
    phone = room.add("a")
    run(room, EVERY_TICKS)
    octets = rtcp.write([ReceiverReport(5, (block_about(room, fraction_lost=0.5),))], "phone")
    room.plane.take_report(phone.row, octets, phone.address, time_of(room.next_tick))
    run(room, EVERY_TICKS)
    assert quality(room).far_loss == 0.5
    run(room, 4 * EVERY_TICKS)
    assert quality(room).far_loss == -1


def test_a_leg_that_closes_says_goodbye() -> None:
    room = Room()
    phone = room.add("a")
    assert room.plane.goodbye("a", room.next_tick) == []  # it has said nothing yet
    run(room, 10)
    ((row, octets),) = room.plane.goodbye("a", room.next_tick)
    report, goodbye = rtcp.parse(octets)
    assert isinstance(report, SenderReport)
    assert goodbye == rtcp.Goodbye((report.ssrc,))
    assert row == phone.row


def test_reports_of_many_legs_are_spread_over_the_ticks() -> None:
    room = Room()
    for leg in "abcdefgh":
        room.add(leg)
    counts = [len(room.step({}).reports) for _ in range(EVERY_TICKS)]
    assert sum(counts) == 8
    assert max(counts) == 1
    assert np.count_nonzero(counts) == 8
