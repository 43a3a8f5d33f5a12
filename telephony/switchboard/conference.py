"""Rooms in which everybody hears everybody else: callers whose flows lead there.

Rule 1: a room is there as long as somebody is in it. Its name is told apart without case and outer spaces.

Rule 2: whoever is alone there hears music. Who that is, is looked at once an event is done with (`settle`), since
people leave rooms in many ways; whoever changes something of a room lays its name into `Board.rooms_due`.

Rule 3: `*` leads out of it, back into the flow. A room is not recorded; but a call whose flow had all of it recorded
goes on being so, and then others are heard in it as well: it is for that flow to say so to them.
"""

from typing import Final

from telephony.events import Join, Leave, Note, Prompt
from telephony.requests import JoinConference
from telephony.switchboard import asking, waiting
from telephony.switchboard.board import Board
from telephony.switchboard.call import Call

LEAVES: Final = "*"
MAX_NAME: Final = 64
MUSIC: Final = (Prompt("music", "waiting"),)


def join(board: Board, call: Call, request: JoinConference, now: float) -> None:
    """Let a caller into a room, for at most the time that the flow gives it."""
    room = " ".join(request.room.split()).casefold()
    if not room or len(room) > MAX_NAME:
        board.emit(Note(call.id, "failure", f"a conference room has a name of 1 to {MAX_NAME} characters"))
        asking.answer(board, call, "failed")
        return
    others = members(board, room)
    if len(others) >= board.settings.max_room:
        asking.answer(board, call, "full")
        return
    call.move("conferred")
    call.room = room
    call.waiting_music = MUSIC
    board.rooms_due.add(room)
    board.deadlines.set(call.id, "conference", now + request.limit_s)
    board.emit(Join(call.leg, f"room.{room}"))
    board.save(call)
    board.publish("call.conference_joined", call, room=room, members=len(others) + 1)


def members(board: Board, room: str) -> list[Call]:
    """Return the calls in a room, the oldest call first."""
    return [call for call in board.calls.values() if call.room == room]


def leave(board: Board, call: Call, _now: float = 0.0) -> None:
    """Let a caller go on in the flow: by key, or because the time is up."""
    if call.state != "conferring":
        return
    room, call.room = call.room, ""
    board.rooms_due.add(room)
    board.deadlines.cancel(call.id, "conference")
    board.emit(Leave(call.leg))
    waiting.stop_waiting_music(board, call)
    call.move("returned")
    board.save(call)
    board.publish("call.conference_left", call, room=room, members=len(members(board, room)))
    asking.answer(board, call, "next")


def key(board: Board, call: Call, digit: str) -> None:
    """A key of somebody in a room."""
    if digit == LEAVES:
        leave(board, call)


def settle(board: Board) -> None:
    """Play music to whoever is alone now, and to nobody else."""
    for room in sorted(board.rooms_due):
        present = members(board, room)
        if len(present) == 1 and not present[0].waiting_playback:
            waiting.play_music(board, present[0])
        elif len(present) > 1:
            for call in present:
                waiting.stop_waiting_music(board, call)
    board.rooms_due.clear()
