"""A call followed by its journal: what is not written in it is found, and a way that cannot be is told."""

from pathlib import Path

from hotline.trials.following import Follower
from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.state import QueueOutcome
from ivr_flows.trials.marks import marked
from ivr_flows.trials.scenario import Scenario, Visit, World
from telephony.events import (
    CallerContext,
    CallSnapshot,
    Command,
    DialogEnded,
    DialogRinging,
    DigitPressed,
    Event,
    InviteReceived,
    Join,
    Leave,
    Listen,
    Note,
    OpenLeg,
    Play,
    Prompt,
    PromptFinished,
    Record,
    SaveCall,
    SaveVoicemail,
    UtteranceRecognised,
    VoiceStarted,
)

FLOW = """\
flow: line
title: {en: Line}
languages: [en]
variables: {pin: {type: digits, length: 4}}
start: ask
steps:
  ask:
    gather: {into: pin, secret: yes, prompt: {en: Your pin.}}
    next: agent
    no_input: {retries: 1, prompt: {en: Nothing yet.}, next: bye}
    no_match: {retries: 0, next: bye}
  agent: {queue: {to: care, limit: 1m, wait: {en: Hold.}}, answered: end, timeout: bye, full: bye, closed: bye}
  bye: {hangup: {en: Goodbye.}}
"""
LINE_WITH_A_ROOM = """\
flow: line
title: {en: Line}
languages: [en]
start: agent
steps:
  agent: {queue: {to: care, limit: 1m, wait: room}, answered: bye, timeout: bye, full: bye, closed: bye}
  bye: {hangup: {en: Goodbye.}}
"""
ROOM = """\
flow: room
for: waiting
title: {en: Room}
languages: [en]
start: music
steps:
  music: {play: {music: waiting, for: 45s}, next: still}
  still: {say: {en: Still waiting.}, next: music}
"""
SPOKEN = """\
flow: line
title: {en: Line}
languages: [en]
start: ask
steps:
  ask:
    menu: {prompt: {en: How can we help you?}, choices: {1: {phrases: {en: [message]}, next: leave}}}
    no_input: bye
    no_match: bye
  leave: {voicemail: {to: care}, next: bye, no_message: bye, failed: bye}
  bye: {hangup: {en: Goodbye.}}
"""
OUTSIDE = """\
flow: line
title: {en: Line}
languages: [en]
start: ring
steps:
  ring: {dial: {number: "+842839000000"}, answered: bye, busy: give, no_answer: bye, failed: bye}
  give: {transfer: {number: "+842839000000"}, failed: bye}
  bye: {hangup: {en: Goodbye.}}
"""
CALL, LEG, DIALOG = "c", "c.caller", "d"


def flow_of(folder: Path) -> Flow:
    """The flow of these tests."""
    file = folder / "line.yaml"
    file.write_text(FLOW, "utf-8")
    return load(file)


def said(text: str, number: int) -> Play:
    return Play(LEG, f"flow.{number}", (Prompt("text", text, "en"),))


def over(number: int) -> PromptFinished:
    return PromptFinished(LEG, f"flow.{number}", "finished", 0)


def key(digit: str) -> DigitPressed:
    return DigitPressed(LEG, digit, "rfc4733", 0)


def row(*steps: str) -> SaveCall:
    ended = CallSnapshot(CALL, "ended", "", "", "", "", CallerContext(), "en", "line", steps, "", "", "", "", 1000.0)
    return SaveCall(ended)


def follow(
    flow: Flow, *lines: tuple[float, Event | Command], expected: QueueOutcome = "timeout", pressed: str = ""
) -> Follower:
    """Follow a call with these lines of a journal, each with its second."""
    scenario = Scenario("one", 1, World(visits={"care": (Visit(expected),), "sales": (Visit("full"),)}), ())
    follower = Follower(marked(flow), scenario, scenario.world.facts, pressed)
    begin = (
        InviteReceived(DIALOG, "", "", True, "1", "", ""),
        OpenLeg(LEG),
        Note(CALL, "flow", f"line {flow.version}"),
    )
    for at, message in [*((0.0, each) for each in begin), *lines]:
        follower.read(message, 1000.0 + at)
    return follower


def test_silence_is_not_written_and_is_found(tmp_path: Path) -> None:
    follower = follow(
        flow_of(tmp_path),
        (0, Note(CALL, "step", "ask")),
        (0, said("Your pin.", 1)),
        (1, over(1)),
        (7, said("Nothing yet. Your pin.", 2)),
        (8, over(2)),
        (14, Note(CALL, "step", "bye")),
        (14, said("Goodbye.", 3)),
        (15, over(3)),
        (15, row("ask", "bye")),
    )
    played = follower.played(None)
    assert (follower.lost, played.ended) == ("", "completed")
    assert [exit_.name for exit_ in played.exits] == ["no_input"]
    assert played.heard == ("Your pin.", "Nothing yet. Your pin.", "Goodbye.")
    assert follower.shadow is not None
    assert follower.shadow.scene.silences == 2


def test_secret_keys_are_those_that_were_pressed_and_a_talk_is_one(tmp_path: Path) -> None:
    follower = follow(
        flow_of(tmp_path),
        (0, Note(CALL, "step", "ask")),
        (0, said("Your pin.", 1)),
        (1, over(1)),
        *((2.0, key("•")) for _ in range(4)),
        (2, Note(CALL, "step", "agent")),
        (2, Play(LEG, "wait.1", (Prompt("text", "Hold.", "en"),))),
        (5, Join(LEG, CALL)),
        (9, Leave(LEG)),
        (9, row("ask", "agent")),
        pressed="4711",
    )
    played = follower.played(None)
    assert (follower.lost, played.ended, played.variables["pin"]) == ("", "talk_over", "4711")
    assert [exit_.name for exit_ in played.exits] == ["next", "answered"]
    assert played.queues == ("care",)


def test_what_a_queue_came_to_is_what_was_to_come(tmp_path: Path) -> None:
    lines: list[tuple[float, Event | Command]] = [
        (0, Note(CALL, "step", "ask")),
        (1, over(1)),
        *((2.0, key("1")) for _ in range(4)),
        (2, Note(CALL, "step", "agent")),
    ]
    outcomes: tuple[tuple[QueueOutcome, float], ...] = (("full", 2), ("closed", 2), ("timeout", 62))
    for expected, at in outcomes:
        follower = follow(flow_of(tmp_path), *lines, (at, Note(CALL, "step", "bye")), expected=expected)
        assert follower.played(None).exits[-1].name == expected
    follower = follow(flow_of(tmp_path), *lines, (2, Note(CALL, "step", "bye")), expected="timeout")
    assert follower.played(None).exits[-1].name == "full"  # no time has run out


def test_a_caller_who_hangs_up_ends_the_call(tmp_path: Path) -> None:
    follower = follow(
        flow_of(tmp_path), (0, Note(CALL, "step", "ask")), (1, DialogEnded(DIALOG, "bye")), (1, row("ask"))
    )
    assert (follower.is_over, follower.lost, follower.played(None).ended) == (True, "", "caller")


def test_a_way_that_the_flow_does_not_have_is_told(tmp_path: Path) -> None:
    follower = follow(flow_of(tmp_path), (0, Note(CALL, "step", "ask")), (0, Note(CALL, "step", "nowhere")))
    assert "a way that the flow does not have" in follower.lost


def test_another_version_of_the_flow_is_told(tmp_path: Path) -> None:
    follower = follow(flow_of(tmp_path), (0, Note(CALL, "flow", "line 000000000000")))
    assert "version 000000000000" in follower.lost


def test_a_flow_for_waiting_is_over_when_somebody_is_there(tmp_path: Path) -> None:
    (tmp_path / "room.yaml").write_text(ROOM, "utf-8")
    (tmp_path / "line.yaml").write_text(LINE_WITH_A_ROOM, "utf-8")
    follower = follow(
        load(tmp_path / "line.yaml"),
        (0, Note(CALL, "step", "agent")),
        (0, Note(CALL, "step", "room/music")),
        (0, Play(LEG, "flow.1", (Prompt("music", "waiting", "en"),))),
        (9, Join(LEG, CALL)),
        (9, PromptFinished(LEG, "flow.1", "stopped", 0)),
        (20, Leave(LEG)),
        (20, Note(CALL, "step", "bye")),
        (20, said("Goodbye.", 2)),
        (21, over(2)),
        (21, row("agent", "room/music", "bye")),
        expected="answered",
    )
    played = follower.played(None)
    assert (follower.lost, played.ended) == ("", "completed")
    assert [exit_.name for exit_ in played.exits] == ["answered"]


def test_what_was_said_and_the_message_that_was_left(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(SPOKEN, "utf-8")
    follower = follow(
        load(tmp_path / "line.yaml"),
        (0, Note(CALL, "step", "ask")),
        (1, over(1)),
        (1, Listen(CALL, LEG, "en", ("message",))),
        (1, UtteranceRecognised(CALL, "message", 0.8, 0, 50)),
        (2, VoiceStarted(LEG, 105)),
        (3, UtteranceRecognised(CALL, "a message", 0.9, 100, 150)),
        (3, Note(CALL, "step", "leave")),
        (4, Record("r", CALL, LEG, "", "en", kind="voicemail")),
        (9, SaveVoicemail(call=CALL, recording="r", queue="care", customer="", ani="", language="en", flow="line",
                          case="", at=1004.0, seconds=5.0)),
        (9, Note(CALL, "step", "bye")),
        (9, row("ask", "leave", "bye")),
    )  # fmt: skip
    assert follower.lost == ""
    assert (follower.heard, follower.misses) == ([("a message", 0.9)], 1)
    assert [exit_.name for exit_ in follower.played(None).exits] == ["1", "next"]


def test_whom_a_flow_calls_is_busy_and_then_has_the_call(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(OUTSIDE, "utf-8")
    follower = follow(
        load(tmp_path / "line.yaml"),
        (0, Note(CALL, "step", "ring")),
        (1, DialogRinging(f"{CALL}.outside1")),
        (2, DialogEnded(f"{CALL}.outside1", "rejected", 486)),
        (2, Note(CALL, "step", "give")),
        (4, Join(LEG, CALL)),
        (5, key("•")),
        (6, row("ring", "give")),
    )
    played = follower.played(None)
    assert (follower.lost, played.ended) == ("", "transferred")
    assert [exit_.name for exit_ in played.exits] == ["busy"]
    assert follower.shadow is not None
    assert (follower.shadow.met, follower.shadow.done) == (["transfer"], ["dial"])


def test_who_answers_a_flow_that_calls_them_has_talked(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text(OUTSIDE, "utf-8")
    lines: list[tuple[float, Event | Command]] = [(0, Note(CALL, "step", "ring")), (1, DialogRinging(f"{CALL}.x"))]
    talked = [(2.0, Join(LEG, CALL)), (3.0, Leave(LEG))]
    for more, exit_ in ((talked, "answered"), ([], "no_answer")):
        follower = follow(load(tmp_path / "line.yaml"), *lines, *more, (30, Note(CALL, "step", "bye")))
        assert [each.name for each in follower.played(None).exits] == [exit_]
