"""What the switchboard makes of flows that answer their calls themselves, are heard in a queue, and ask the world."""

from pathlib import Path

from telephony.events import (
    Answer,
    CallerContext,
    CallerFound,
    DialogConfirmed,
    DigitPressed,
    FlowAnswered,
    FlowRequest,
    Hangup,
    Note,
    Play,
    PromptFinished,
    Reject,
    SaveCall,
    StopPlaying,
    TransferRequested,
)
from telephony.requests import BookCallback, FindCustomer
from tests.telephony.switchboard.room import Room

RINGS = """
flow: main
languages: [en]
start: who
steps:
  who:
    lookup: phone
    found: ring
    not_found: no
    several: ring
    failed: ring
  ring:
    ring: 4s
    next: hello
  hello:
    say: Hello.
    next: bye
  bye:
    hangup:
  no:
    reject: busy
"""
WAITS = """
flow: main
languages: [en]
start: agent
steps:
  agent:
    queue: {to: care, limit: 5m, wait: lounge}
    answered: after
    timeout: bye
    full: bye
    closed: bye
    call_me: promised
  promised:
    say: We will call you.
    next: bye
  after:
    say: Thank you.
    next: bye
  bye:
    hangup:
"""
LOUNGE = """
flow: lounge
for: waiting
languages: [en]
exits: [call_me]
start: place
steps:
  place:
    say: "You are number {{ waiting.position }}."
    next: offer
  offer:
    menu: {prompt: Press 1 to be called back., choices: {1: book}}
    no_input: {retries: 0, next: music}
    no_match: {retries: 0, next: music}
  music:
    play: {music: waiting, for: 40s}
    next: place
  book:
    callback:
    next: leave
    failed: music
  leave:
    return: call_me
"""
NOTES = """
flow: main
languages: [en]
start: jot
steps:
  jot:
    note: Wants a refund
    next: bye
  bye:
    hangup:
"""


def _ringing(folder: Path) -> tuple[Room, str]:
    room = Room(folder, flow=RINGS)
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    return room, call


def _spoken(room: Room) -> list[str]:
    return [prompt.value for play in room.said(Play) for prompt in play.prompts]


def _over(room: Room) -> None:
    play = room.last(Play)
    room.happened(PromptFinished(play.leg, play.playback, "finished", 0))


def test_a_flow_that_rings_first(tmp_path: Path) -> None:
    room, call = _ringing(tmp_path)
    assert room.last(FlowRequest).request == FindCustomer("phone", "+84912345678")
    assert not room.said(Answer)
    room.happened(FlowAnswered(call, 1, "found"))
    room.wait(3.9)
    assert not room.said(Answer)
    room.wait(0.2)
    assert len(room.said(Answer)) == 1
    room.happened(DialogConfirmed("d1"))
    room.wait(0.3)
    assert _spoken(room) == ["Hello."]
    _over(room)
    assert room.state() == "ended"
    assert len(room.said(Hangup)) == 1


def test_a_flow_that_refuses(tmp_path: Path) -> None:
    room, call = _ringing(tmp_path)
    room.happened(FlowAnswered(call, 1, "not_found"))
    assert room.last(Reject).status == 486
    assert (room.state(), room.said(Answer), room.last(SaveCall).call.ended_by) == ("ended", [], "flow: busy")


def test_a_caller_who_is_looked_up_too_slowly_rings_on(tmp_path: Path) -> None:
    room = Room(tmp_path, flow=RINGS)
    call = room.ring_in()
    room.open_leg()
    room.wait(2.0)
    assert room.last(FlowRequest).request == FindCustomer("phone", "")
    room.happened(CallerFound(call, "+84912345678", CallerContext("c1")))  # too late for the first step
    room.wait(10.0)
    assert len(room.said(Answer)) == 1


def _lounge(folder: Path) -> tuple[Room, str]:
    (folder / "lounge.yaml").write_text(LOUNGE, encoding="utf-8")
    room = Room(folder, flow=WAITS)
    return room, room.in_menu()


def test_nothing_of_it_is_heard_where_the_queue_takes_nobody(tmp_path: Path) -> None:
    (tmp_path / "lounge.yaml").write_text(LOUNGE, "utf-8")
    room = Room(tmp_path, flow=WAITS.replace("to: care", "to: elsewhere"))
    room.in_menu()
    assert _spoken(room) == []
    assert room.last(SaveCall).call.flow_path == ("agent", "bye")


def test_a_flow_is_heard_in_the_queue_until_the_agent_answers(tmp_path: Path) -> None:
    room, call = _lounge(tmp_path)
    assert room.state() == "queued"
    assert _spoken(room) == ["You are number 1."]
    _over(room)
    _over(room)
    room.wait(5.0)
    assert _spoken(room)[-1] == "waiting"
    room.agents_register("an")
    assert room.state() == "ringing"
    playing = room.last(Play).playback
    room.open_leg()
    room.agent_answers()
    assert room.state() == "talking"
    assert playing in [stop.playback for stop in room.said(StopPlaying)]
    said = len(_spoken(room))
    room.wait(120.0)
    assert len(_spoken(room)) == said
    room.happened(TransferRequested(call, "an", queue="care"))  # back in the queue, it is heard again
    assert _spoken(room)[said:] == ["You are number 1."]


def test_who_waits_keeps_the_flows_that_there_were(tmp_path: Path) -> None:
    room, call = _lounge(tmp_path)
    room.switchboard.publish({})
    _over(room)
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    room.happened(FlowAnswered(call, 1, "next"))
    assert _spoken(room)[-1] == "We will call you."
    room.ring_in("d2")
    assert room.last(Reject) == Reject("d2", 404, "Not Found")


def test_who_is_called_back_leaves_the_queue(tmp_path: Path) -> None:
    room, call = _lounge(tmp_path)
    room.happened(DigitPressed(f"{call}.caller", "1", "rfc4733", 0))
    assert room.last(FlowRequest).request == BookCallback("+84912345678", "")
    room.agents_register("an")  # its phone rings meanwhile
    assert room.state() == "ringing"
    room.happened(FlowAnswered(call, 1, "next"))
    assert room.state() == "in_flow"
    assert _spoken(room)[-1] == "We will call you."
    assert room.acd.waiting() == ()
    agent = room.acd.agent("an")
    assert agent is not None
    assert agent.state == "ready"


def test_keys_in_a_queue_are_the_flows(tmp_path: Path) -> None:
    room, call = _lounge(tmp_path)
    assert not room.switchboard.is_secret(DigitPressed(f"{call}.caller", "1", "rfc4733", 0), room.now)
    room.happened(DigitPressed(f"{call}.caller", "5", "rfc4733", 0))
    assert _spoken(room)[-1] == "waiting"


def test_a_queue_that_is_over_ends_what_is_heard(tmp_path: Path) -> None:
    room, _ = _lounge(tmp_path)
    room.wait(300.0)
    assert room.state() == "ended"


def test_notes_stand_in_the_journal(tmp_path: Path) -> None:
    room = Room(tmp_path, flow=NOTES)
    call = room.in_menu()
    assert Note(call, "note", "Wants a refund") in room.commands
