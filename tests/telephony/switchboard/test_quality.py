"""How legs do, told live: whose side it is, and to nobody who comes later."""

from pathlib import Path

from telephony.events import Command, LegQuality, OpenLeg, Publish
from tests.telephony.switchboard.room import Room


def quality(leg: str) -> LegQuality:
    return LegQuality(leg, 7, 250, 2, 0.008, 3.5, -1.0, 4.21, 0.01, 2.0, 4.1)


def told(commands: list[Command]) -> Publish:
    (command,) = commands
    assert isinstance(command, Publish)
    return command


def test_each_side_of_a_talk_is_told_by_its_name_and_not_kept(tmp_path: Path) -> None:
    room = Room(tmp_path)
    call = room.talking()
    of_caller = told(room.happened(quality(f"{call}.caller")))
    of_agent = told(room.happened(quality(room.last(OpenLeg).leg)))
    assert [event.body["side"] for event in (of_caller, of_agent)] == ["caller", "agent"]
    assert {(event.type, event.kept) for event in (of_caller, of_agent)} == {("call.quality", False)}
    summary = of_caller.body.pop("call")
    assert isinstance(summary, dict)
    assert (summary["id"], summary["state"], summary["agent"]) == (call, "talking", "an")
    assert of_caller.body == {
        "side": "caller",
        "mos": 4.21,
        "loss": 0.008,
        "jitter_ms": 3.5,
        "round_trip_ms": -1.0,
        "far_mos": 4.1,
        "far_loss": 0.01,
        "far_jitter_ms": 2.0,
    }


def test_a_leg_of_no_call_is_told_to_nobody(tmp_path: Path) -> None:
    assert Room(tmp_path).happened(quality("gone.caller")) == []
