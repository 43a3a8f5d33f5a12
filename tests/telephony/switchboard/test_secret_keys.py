"""A secret question: guarded in time, hidden in the journal, shown to nobody."""

from pathlib import Path

import pytest

from ivr_flows.flow import BETWEEN_KEYS_S, FIRST_KEY_S
from telephony.edge.redaction import without_digit, without_keys
from telephony.events import (
    HIDDEN_DIGIT,
    Command,
    DialogConfirmed,
    DialogEnded,
    DigitPressed,
    Event,
    FlowAnswered,
    FlowRequest,
    GuardKeys,
    HangupRequested,
    KeySignalled,
    Play,
    PromptFinished,
    SaveCall,
)
from telephony.switchboard.secret_keys import SURPLUS_S
from tests.telephony.switchboard.room import Room

FLOW = """
flow: main
title: {en: Secret}
languages: [en]
variables: {pin: {type: digits, length: 4}, order: {type: digits, length: 3}}
start: menu
steps:
  menu:
    menu:
      prompt: {en: "Press 1 for your balance, 2 for an order, 3 for an agent."}
      choices: {1: words, 2: order, 3: agent}
      no_input: bye
      no_match: bye
  words:
    say: {en: Nobody hears what you type now.}
    next: ask
  ask:
    gather: {into: pin, prompt: {en: Your PIN?}, secret: yes}
    next: agent
    no_input: bye
    no_match: {retries: 1, next: bye}
  order:
    gather: {into: order, prompt: {en: Your order?}}
    next: agent
    no_input: bye
    no_match: bye
  agent:
    queue: {to: care}
    answered: bye
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup: {en: Goodbye.}
"""


ORDER_AFTERWARDS = FLOW.replace("secret: yes}\n    next: agent", "secret: yes}\n    next: order")
"""Whose next question takes keys that are not secret."""


PRIVATE = FLOW.replace("length: 3}", "length: 3, private: yes}")
WAITS = FLOW.replace("start: menu", "start: ask\nfailed: menu").replace("care}", "care, wait: till}\n    paid: bye")
TILL = """
flow: till
for: waiting
languages: [en]
variables: {pin: {type: digits, length: 4}}
exits: [paid]
start: card
steps:
  card: {gather: {into: pin, prompt: {en: "Your card's PIN?"}, secret: yes}, next: pay, no_input: card, no_match: card}
  pay: {http: {post: "https://pay.example/", secrets: {pin: pin}}, next: leave, failed: music}
  music: {play: {music: waiting, for: 20s}, next: music}
  leave: {return: paid}
"""
"""Heard in the queue: it asks for a secret of its own, by the name of the other, and has it sent away."""


class Story(Room):
    """A room that writes a journal's events as the funnel does."""

    def __init__(self, folder: Path, flow: str = FLOW) -> None:
        super().__init__(folder, flow=flow)
        self.journal: list[Event] = []
        self.times: list[float] = []

    def happened(self, event: Event, after_s: float = 0.0) -> list[Command]:
        self.times.append(self.now + after_s)
        secret = self.switchboard.is_secret(event, self.times[-1])
        self.journal.append(without_keys(without_digit(event) if secret else event))
        return super().happened(event, after_s)

    def key(self, call: str, digit: str, after_s: float = 0.2) -> list[Command]:
        return self.happened(DigitPressed(f"{call}.caller", digit, "rfc4733", 0), after_s)

    def keys(self, call: str, digits: str) -> None:
        for digit in digits:
            self.key(call, digit)

    def said_over(self, call: str) -> list[Command]:
        """What plays is over."""
        return self.happened(PromptFinished(f"{call}.caller", self.last(Play).playback, "finished", 0), 1.0)

    def written(self) -> str:
        """The digits in the journal."""
        return "".join(each.digit for each in self.journal if isinstance(each, DigitPressed | KeySignalled))

    def guards(self) -> list[bool]:
        return [command.on for command in self.said(GuardKeys)]


@pytest.fixture
def room(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_pin_is_guarded_before_it_is_asked_for_and_is_in_no_journal(room: Story) -> None:
    call = room.in_menu()
    assert room.guards() == [True]  # the menu may lead there, and the next key comes soon
    room.keys(call, "1")
    room.said_over(call)
    room.keys(call, "4711")
    assert room.written() == "1" + HIDDEN_DIGIT * 4
    assert room.state() == "queued"
    assert room.guards() == [True]  # one too many may follow
    room.wait(SURPLUS_S)
    assert room.guards() == [True, False]
    state = room.switchboard.board.calls[call].flow_state
    assert state is not None
    assert state.variables["pin"] == "4711"  # the flow has it, for its conditions


def test_the_guard_stands_before_the_question_is_heard(tmp_path: Path) -> None:
    room = Story(tmp_path, FLOW.replace("start: menu", "start: ask\nfailed: menu"))
    call = room.in_menu()
    kinds = [type(each) for each in room.commands if isinstance(each, GuardKeys | Play)]
    assert kinds == [GuardKeys, Play]
    assert room.last(GuardKeys) == GuardKeys(f"{call}.caller", on=True)


def test_what_is_typed_ahead_is_hidden_as_well(room: Story) -> None:
    call = room.in_menu()
    room.keys(call, "14711")  # over the words before the question: the first ends them
    assert room.written() == "1" + HIDDEN_DIGIT * 4
    assert room.state() == "queued"


def test_what_is_typed_before_the_flow_begins_may_answer_its_first_question(tmp_path: Path) -> None:
    room = Story(tmp_path, FLOW.replace("start: menu", "start: words\nfailed: menu"))
    call = room.ring_in()
    room.open_leg()
    room.known_caller(call)
    room.key(call, "9")
    room.happened(DialogConfirmed("d1"))
    room.key(call, "4", after_s=0.1)
    assert room.written() == HIDDEN_DIGIT * 2


def test_what_is_typed_before_the_flow_begins_may_answer_its_second_question(room: Story) -> None:
    call = room.ring_in()
    room.open_leg()
    room.keys(call, "14")
    room.known_caller(call)
    room.happened(DialogConfirmed("d1"))
    room.key(call, "7", after_s=0.1)
    assert room.written() == HIDDEN_DIGIT * 3


def test_where_nothing_is_secret_what_is_typed_before_the_flow_begins_is_written_down(tmp_path: Path) -> None:
    room = Story(tmp_path, FLOW.replace(", secret: yes", ""))
    call = room.ring_in()
    room.open_leg()
    room.keys(call, "14")
    assert room.written() == "14"


def test_one_digit_too_many_is_hidden_and_a_later_one_is_not(tmp_path: Path) -> None:
    room = Story(tmp_path, ORDER_AFTERWARDS)
    call = room.in_menu()
    room.keys(call, "14711")
    room.key(call, "5", after_s=SURPLUS_S)
    room.key(call, "6", after_s=0.1)
    assert room.written() == "1" + HIDDEN_DIGIT * 5 + "6"


def test_one_digit_too_many_is_hidden_after_a_question_that_is_not_interruptible(tmp_path: Path) -> None:
    room = Story(tmp_path, ORDER_AFTERWARDS.replace("secret: yes", "secret: yes, interruptible: no"))
    call = room.in_menu()
    room.keys(call, "1")
    room.said_over(call)
    room.keys(call, "4711")
    room.said_over(call)  # which takes the answer
    room.key(call, "5", after_s=SURPLUS_S)
    room.key(call, "6", after_s=0.1)
    assert room.written() == "1" + HIDDEN_DIGIT * 5 + "6"


def test_a_pin_that_comes_too_late_is_guarded_and_hidden(tmp_path: Path) -> None:
    room = Story(
        tmp_path, FLOW.replace("no_input: bye\n    no_match: {", "no_input: {retries: 0, next: order}\n    no_match: {")
    )
    call = room.in_menu()
    room.keys(call, "1")
    room.said_over(call)
    room.said_over(call)
    room.wait(FIRST_KEY_S)
    for _ in range(3):
        room.wait(BETWEEN_KEYS_S / 4)
        room.key(call, "4", after_s=0.0)
    assert room.switchboard.board.calls[call].step == "agent"
    assert room.written() == "1" + HIDDEN_DIGIT * 3
    assert room.guards() == [True]
    room.wait(BETWEEN_KEYS_S)
    assert room.guards() == [True, False]


def test_the_key_that_finishes_an_answer_ends_what_is_secret(tmp_path: Path) -> None:
    room = Story(tmp_path, ORDER_AFTERWARDS.replace("length: 4}, order", "length: 1..4}, order"))
    call = room.in_menu()
    room.keys(call, "147#")
    assert room.guards() == [True, False]
    room.key(call, "6")
    assert room.written() == "1" + HIDDEN_DIGIT * 2 + "#6"


def test_of_what_is_typed_in_a_talk_nothing_is_written_down(room: Story) -> None:
    """A payment line outside may ask for a card's number."""
    room.agents_register("an")
    call = room.in_menu()
    room.keys(call, "3")
    room.open_leg()
    room.agent_answers()
    agent = room.switchboard.board.calls[call].agent_leg
    assert agent is not None
    for source in ("rfc4733", "inband"):
        room.happened(DigitPressed(agent.leg, "4", source, 0))
    room.happened(KeySignalled(agent.leg, "7"))
    room.keys(call, "1")
    assert room.written() == "3" + HIDDEN_DIGIT * 4


def test_keys_by_info_are_hidden_too(room: Story) -> None:
    call = room.in_menu()
    room.happened(KeySignalled("d1", "1"))
    for digit in "47#":
        room.happened(KeySignalled("d1", digit), 0.2)
    assert room.written() == "1" + HIDDEN_DIGIT * 2 + "#"
    assert call


def test_other_keys_are_written_down_as_they_are(room: Story) -> None:
    call = room.in_menu()
    room.keys(call, "2")
    assert room.guards() == [True, False]
    room.said_over(call)
    room.keys(call, "123")
    assert room.written() == "2123"
    assert room.state() == "queued"


def test_an_agent_sees_what_was_chosen_and_nothing_secret(room: Story) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.keys(call, "14711")
    room.open_leg()
    shown = room.switchboard.desk_call("an")
    assert shown is not None
    assert shown[1] == {}
    assert "4711" not in repr(shown)


@pytest.mark.parametrize(("flow", "shown"), [(FLOW, {"order": "123"}), (PRIVATE, {})])
def test_an_agent_sees_nothing_private(tmp_path: Path, flow: str, shown: dict[str, object]) -> None:
    room = Story(tmp_path, flow)
    room.agents_register("an")
    call = room.in_menu()
    room.keys(call, "2123")
    room.open_leg()
    desk = room.switchboard.desk_call("an")
    assert desk is not None
    assert desk[1] == shown


def test_nothing_that_is_commanded_or_told_holds_the_pin(room: Story) -> None:
    room.agents_register("an")
    call = room.in_menu()
    room.keys(call, "1")
    room.said_over(call)
    room.keys(call, "4711")
    room.open_leg()
    room.agent_answers()
    room.happened(DialogEnded("d1", "bye"))
    assert not [command for command in room.commands if "4711" in repr(command)]
    assert room.last(SaveCall).call.ended_by == "caller"
    assert room.written() == "1" + HIDDEN_DIGIT * 4
    rest = [event for event in room.journal if not isinstance(event, DigitPressed)]
    assert "4711" not in repr(rest)


def test_a_call_that_ends_in_the_question_is_guarded_to_its_end(room: Story) -> None:
    call = room.in_menu()
    room.keys(call, "1")
    room.said_over(call)
    room.key(call, "4")
    room.happened(DialogEnded("d1", "bye"))
    assert room.guards() == [True]
    room.key(call, "7")  # before the media worker has closed the leg
    room.happened(KeySignalled("d1", "1"), 0.2)
    assert room.written() == "1" + HIDDEN_DIGIT * 3


def _waiting(folder: Path) -> tuple[Story, str]:
    """A caller who has typed 4711, and is asked for another secret in the queue."""
    (folder / "till.yaml").write_text(TILL, encoding="utf-8")
    room = Story(folder, WAITS)
    call = room.in_menu()
    room.keys(call, "4711")
    assert (room.state(), room.switchboard.board.calls[call].step) == ("queued", "till/card")
    return room, call


def test_what_is_sent_is_the_secret_of_the_flow_that_asks_and_only_while_it_does(tmp_path: Path) -> None:
    room, call = _waiting(tmp_path)
    room.keys(call, "0815")
    assert room.written() == HIDDEN_DIGIT * 8
    number = room.last(FlowRequest).number
    assert room.switchboard.secret(call, number, "pin") == "0815"
    for strange in ((call, number + 1, "pin"), (call, number, "order"), ("gone", number, "pin")):
        assert room.switchboard.secret(*strange) is None
    room.agents_register("an")
    room.open_leg()
    room.agent_answers()  # what is tried again now must not have the other flow's secret
    assert room.state() == "talking"
    assert room.switchboard.secret(call, number, "pin") is None


def test_what_has_been_answered_has_no_secret_any_more(tmp_path: Path) -> None:
    room, call = _waiting(tmp_path)
    room.keys(call, "0815")
    number = room.last(FlowRequest).number
    room.happened(FlowAnswered(call, number, "failed"))
    assert room.switchboard.secret(call, number, "pin") is None


def test_an_agent_who_comes_in_a_secret_question_ends_its_guard(tmp_path: Path) -> None:
    """Of a guarded caller's voice a part is lost."""
    room, call = _waiting(tmp_path)
    room.keys(call, "08")
    room.agents_register("an")
    room.open_leg()
    room.agent_answers()
    assert room.guards() == [True]  # the rest may be typed still
    room.keys(call, "15")
    room.wait(BETWEEN_KEYS_S)
    assert (room.state(), room.guards()) == ("talking", [True, False])
    room.happened(HangupRequested(call, "agent"))
    assert room.guards() == [True, False]
    assert room.written() == HIDDEN_DIGIT * 8


def test_a_journal_replays_to_the_same_commands(tmp_path: Path, room: Story) -> None:
    call = room.in_menu()
    room.keys(call, "1")
    room.said_over(call)
    room.keys(call, "47#")  # too short: asked again
    room.said_over(call)
    room.keys(call, "4711")
    again = Room(tmp_path, flow=FLOW)
    replayed: list[Command] = []
    for event, now in zip(room.journal, room.times, strict=True):
        replayed += again.switchboard.handle(event, now)
    kinds = (GuardKeys, Play)
    assert [each for each in replayed if isinstance(each, kinds)] == [
        each for each in room.commands if isinstance(each, kinds)
    ]
    assert again.switchboard.board.calls[call].state == "queued"
