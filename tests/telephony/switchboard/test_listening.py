"""Whom the switchboard listens to, for what, and what comes of what they say."""

from pathlib import Path

import pytest

from telephony.events import (
    DialogEnded,
    DigitPressed,
    Event,
    Hangup,
    Listen,
    Play,
    PromptFinished,
    StopListening,
    StopPlaying,
    UtteranceBegan,
    UtteranceDismissed,
    UtteranceRecognised,
    VoiceEnded,
    VoiceStarted,
)
from tests.telephony.switchboard.room import Room

FLOW = """
flow: main
languages: [en]
variables: {pin: {type: digits, length: 4}, order: {type: digits, length: 3}}
start: wish
steps:
  wish:
    menu:
      prompt: Billing, or an order?
      choices:
        1: {phrases: [billing], next: pin}
        2: {phrases: [an order], next: order}
        3: {next: agent}
    no_input: {retries: 0, next: bye}
    no_match: {retries: 1, next: bye}
  pin:
    gather: {into: pin, prompt: Your PIN?, secret: yes}
    next: order
    no_input: bye
    no_match: bye
  order:
    gather: {into: order, prompt: Which order?, speech: yes}
    next: bye
    no_input: bye
    no_match: bye
  agent:
    queue: {to: care}
    answered: bye
    timeout: bye
    full: bye
    closed: bye
  bye:
    hangup:
"""
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh", "o", "nought")


class Story(Room):
    """One call in self-service. Ticks are made up."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, flow=FLOW)
        self.call = self.in_menu()
        self.leg = f"{self.call}.caller"
        self.tick = 1000

    def says(self, text: str, confidence: float = 0.9, *, voice: bool = True) -> None:
        """Say something for a second."""
        start = self.tick
        told: list[Event] = [VoiceStarted(self.leg, start + 8)] if voice else []
        told += [UtteranceBegan(self.call, start)]
        told += [VoiceEnded(self.leg, start + 70)] if voice else []
        told += [UtteranceRecognised(self.call, text, confidence, start, start + 50)]
        for event in told:
            self.happened(event, 0.3)
        self.tick += 500

    def prompt_ends(self) -> None:
        self.happened(PromptFinished(self.leg, self.last(Play).playback, "finished", 0), 1.0)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_menu_is_listened_to_from_its_prompt_on(story: Story) -> None:
    assert story.said(Listen) == [Listen(story.call, story.leg, "en", ("billing", "an order", "one", "two", "three"))]
    story.says("an order please")
    assert story.said(StopPlaying)
    assert story.said(Listen)[1:] == [Listen(story.call, story.leg, "en", DIGITS)]
    assert not story.said(StopListening)  # one question follows the other
    story.says("one two three")
    assert story.said(Hangup)
    assert story.said(StopListening) == [StopListening(story.call)]


def test_no_secret_is_listened_to(story: Story) -> None:
    story.says("billing")
    assert story.said(StopListening) == [StopListening(story.call)]
    story.says("four five six seven")  # a result that was on its way
    state = story.switchboard.board.calls[story.call].flow_state
    assert state is not None
    assert state.path == ("wish", "pin")
    story.prompt_ends()
    for digit in "1234":
        story.happened(DigitPressed(story.leg, digit, "rfc4733", 0), 0.2)
    assert len(story.said(Listen)) == 1  # a surplus digit may still be on its way
    story.wait(1.2)
    assert story.said(Listen)[1:] == [Listen(story.call, story.leg, "en", DIGITS)]


def test_what_is_no_voice_answers_nothing(story: Story) -> None:
    story.says("an order", voice=False)  # the echo of the prompt, say
    assert not story.said(StopPlaying)
    story.says("an order")
    assert story.said(StopPlaying)


def test_words_of_an_earlier_voice_are_not_its_own(story: Story) -> None:
    story.happened(VoiceStarted(story.leg, 100))
    story.happened(VoiceEnded(story.leg, 150))
    story.says("an order", voice=False)
    assert not story.said(StopPlaying)


def test_who_talks_has_time_and_who_coughs_does_not(story: Story) -> None:
    story.prompt_ends()
    story.wait(4.5)
    story.happened(UtteranceBegan(story.call, 1000))
    story.wait(0.2)
    story.happened(VoiceStarted(story.leg, 1008))
    story.wait(10)
    assert not story.said(Hangup)
    story.happened(UtteranceDismissed(story.call))
    story.wait(4.9)
    assert not story.said(Hangup)
    story.wait(0.2)
    assert story.said(Hangup)


def test_what_is_not_understood_is_asked_again(story: Story) -> None:
    story.prompt_ends()
    story.says("an order", 0.5)
    assert len(story.said(Play)) == 2
    assert len(story.said(Listen)) == 1
    story.says("", 0.0)
    assert story.said(Hangup)


def test_listening_ends_with_the_call_and_with_a_key(story: Story, tmp_path: Path) -> None:
    story.happened(DialogEnded(story.dialogs[story.call], "bye"))
    assert story.said(StopListening) == [StopListening(story.call)]
    other = Story(tmp_path)
    other.happened(DigitPressed(other.leg, "3", "rfc4733", 0))
    assert other.said(StopListening) == [StopListening(other.call)]
    for event in (
        UtteranceBegan(other.call, 1), UtteranceRecognised(other.call, "billing", 1.0, 1, 2),
        UtteranceDismissed(other.call), VoiceStarted(other.leg, 1), VoiceEnded(other.leg, 2),
        UtteranceBegan("nobody", 1), UtteranceRecognised("nobody", "", 1.0, 1, 2), UtteranceDismissed("nobody"),
        VoiceStarted("nobody", 1), VoiceEnded("nobody", 1),
    ):  # fmt: skip
        assert other.happened(event) == []
