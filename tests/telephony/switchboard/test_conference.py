"""Rooms in which callers hear each other."""

from pathlib import Path

import pytest

from telephony.events import DialogEnded, DigitPressed, Join, KeySignalled, Leave, Play, Prompt, Record, StopPlaying
from tests.telephony.switchboard.room import Room

FLOW = """
flow: main
title: {en: Test}
languages: [en]
start: menu
steps:
  menu:
    menu:
      prompt: {en: "Hello."}
      choices:
        1: {next: blue}
        2: {next: nameless}
      no_input: {retries: 0, next: bye}
      no_match: {retries: 1, next: bye}
  blue: {conference: {room: "  Team   BLUE", limit: 10m}, next: left, full: full, failed: failed}
  nameless:
    conference: {room: "NAME"}
    next: left
    full: full
    failed: failed
  left: {say: {en: Left.}, next: bye}
  full: {say: {en: Full.}, next: bye}
  failed: {say: {en: Failed.}, next: bye}
  bye:
    hangup: {en: Goodbye.}
""".replace("NAME", "a" * 65)


@pytest.fixture
def house(tmp_path: Path) -> Room:
    return Room(tmp_path, flow=FLOW)


def come(house: Room, number: int, key: str = "1") -> str:
    """Another caller comes into the room; return the leg."""
    leg = f"{house.in_menu(f'd{number}')}.caller"
    house.happened(DigitPressed(leg, key, "rfc4733", 0))
    return leg


def playing(house: Room, leg: str) -> tuple[Prompt, ...]:
    """What a leg hears besides the others; the question ends by the key that answers it."""
    heard: tuple[Prompt, ...] = ()
    for command in house.commands:
        if isinstance(command, Play) and command.leg == leg and command.prompts[0].value != "Hello.":
            heard = command.prompts
        elif isinstance(command, StopPlaying) and command.leg == leg:
            heard = ()
    return heard


MUSIC = (Prompt("music", "waiting"),)


def test_whoever_is_there_hears_the_others_and_whoever_is_alone_hears_music(house: Room) -> None:
    first = come(house, 1)
    assert house.last(Join) == Join(first, "room.team blue")
    assert playing(house, first) == MUSIC
    second, third = come(house, 2), come(house, 3)
    assert [join.bridge for join in house.said(Join)] == ["room.team blue"] * 3
    assert {playing(house, leg) for leg in (first, second, third)} == {()}
    house.happened(DialogEnded("d1", "bye"))
    assert playing(house, second) == ()
    house.happened(DigitPressed(third, "5", "rfc4733", 0))
    assert not house.said(Leave)
    house.happened(DigitPressed(third, "*", "rfc4733", 0))
    assert house.last(Leave).leg == third
    assert playing(house, second) == MUSIC
    assert playing(house, third) == (Prompt("text", "Left.", "en"),)
    assert not house.said(Record)


def test_a_key_by_info_leads_out_too(house: Room) -> None:
    leg = come(house, 1)
    house.happened(KeySignalled("d1", "*"))
    assert playing(house, leg) == (Prompt("text", "Left.", "en"),)


def test_the_time_is_up(house: Room) -> None:
    leg = come(house, 1)
    house.wait(599.0)
    assert playing(house, leg) == MUSIC
    house.wait(2.0)
    assert playing(house, leg) == (Prompt("text", "Left.", "en"),)


def test_a_room_has_a_size_and_room_again(house: Room) -> None:
    legs = [come(house, number) for number in range(10)]
    eleventh = come(house, 10)
    assert playing(house, eleventh) == (Prompt("text", "Full.", "en"),)
    house.happened(DigitPressed(legs[0], "*", "rfc4733", 0))
    twelfth = come(house, 11)
    assert playing(house, twelfth) == ()
    assert house.switchboard.call(twelfth.partition(".")[0]).state == "conferring"  # type: ignore[union-attr]


def test_a_room_without_a_name_is_none(house: Room) -> None:
    leg = come(house, 1, "2")
    assert playing(house, leg) == (Prompt("text", "Failed.", "en"),)


def test_nothing_is_left_of_a_room(house: Room) -> None:
    for number in (1, 2):
        come(house, number)
    for number in (1, 2):
        house.happened(DialogEnded(f"d{number}", "bye"))
    board = house.switchboard.board
    assert (board.calls, board.rooms_due, board.deadlines.next()) == ({}, set(), None)
