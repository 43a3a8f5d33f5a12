"""Who calls becomes known in the middle of a call, for everything of the call."""

from pathlib import Path

import pytest

from telephony.events import CallerContext, CallerFound, CallerVerified, CandidatesFound, Publish, SaveCall
from tests.telephony.switchboard.room import Room

PHONE = "+84912345678"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def shared(room: Room, call: str, *candidates: str, assurance: int = 1) -> None:
    room.happened(CallerFound(call, PHONE, CallerContext(assurance=assurance, candidates=candidates)))


def verified(customer: str, by: str = "birthday") -> CallerContext:
    return CallerContext(customer, True, "Minh", "en", 2, verified_by=by)


def test_from_the_answer_on_everything_is_of_whom_it_fits(room: Room) -> None:
    call = room.in_menu()
    shared(room, call, "lan", "minh")
    assert room.switchboard.board.calls[call].may_be == ("lan", "minh")
    commands = room.happened(CallerVerified(call, verified("minh"), proven=True))
    saved = next(each.call for each in commands if isinstance(each, SaveCall))
    assert (saved.customer, saved.context.assurance, saved.context.verified_by) == ("minh", 2, "birthday")
    told = [each for each in commands if isinstance(each, Publish)]
    assert [each.type for each in told] == ["call.caller_found", "call.verified"]
    assert told[1].body["by"] == "birthday"
    assert told[1].body["assurance"] == 2
    assert room.switchboard.board.calls[call].may_be == ("minh",)


@pytest.mark.parametrize(("who", "assurance", "worth"), [("minh", 1, 1), ("minh", 0, 0), ("hoa", 1, 0)])
def test_a_name_is_worth_no_more_than_the_number_that_means_its_owner(
    room: Room, who: str, assurance: int, worth: int
) -> None:
    call = room.in_menu()
    shared(room, call, "lan", "minh", assurance=assurance)
    room.happened(CallerVerified(call, verified(who, "name_initial"), proven=False))
    assert room.last(SaveCall).call.context.assurance == worth


@pytest.mark.parametrize(("who", "worth"), [("minh", 3), ("hoa", 2)])
def test_who_gave_the_code_is_as_sure_after_a_further_answer_as_the_same_person(
    room: Room, who: str, worth: int
) -> None:
    call = room.in_menu()
    sure = CallerContext("minh", True, "Minh", "en", 3, verified_by="code")
    room.happened(CallerVerified(call, sure, proven=True))
    room.happened(CallerVerified(call, verified(who), proven=True))
    assert room.last(SaveCall).call.context.assurance == worth


def test_whom_the_flow_finds_is_asked_about_instead_of_the_numbers_owner(room: Room) -> None:
    call = room.in_menu()
    assert room.switchboard.board.calls[call].may_be == ("customer1",)
    room.happened(CandidatesFound(call, ("hoa",)))
    assert room.switchboard.board.calls[call].may_be == ("hoa",)


def test_what_comes_after_the_end_changes_nothing(room: Room) -> None:
    for event in (CandidatesFound("gone", ("hoa",)), CallerVerified("gone", verified("hoa"), proven=True)):
        assert room.happened(event) == []
