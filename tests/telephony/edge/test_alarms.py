from pathlib import Path
from typing import Any

from telephony.edge.alarms import OLD_S, SAME_S, Alarms, look_at_disk


def alarms() -> tuple[Alarms, list[tuple[str, Any]], list[float]]:
    told: list[tuple[str, Any]] = []
    now = [1000.0]
    return Alarms(lambda type_, body: told.append((type_, body["kind"])), lambda: now[0]), told, now


def test_a_thousand_failures_are_one_alarm_a_minute() -> None:
    made, told, now = alarms()
    for _ in range(1000):
        made.tell("recording_failed", "no space", "make room")
    assert told == [("alarm.raised", "recording_failed")]
    now[0] += SAME_S
    made.tell("recording_failed", "no space", "make room")
    assert len(told) == 2
    assert [alarm.at for alarm in made.present()] == [1060.0]
    now[0] += OLD_S
    assert made.present() == []


def test_a_disk_is_low_once_and_until_there_is_clearly_room_again(tmp_path: Path) -> None:
    made, told, _ = alarms()
    for free in (2000, 999, 500, 999, 1001, 1050, 1200, 1050, 999):
        look_at_disk(made, tmp_path, 1000, free)
    assert told == [("alarm.raised", "disk_low"), ("alarm.cleared", "disk_low"), ("alarm.raised", "disk_low")]
    assert [alarm.kind for alarm in made.present()] == ["disk_low"]
