"""Scenarios played through the switchboard and the media plane, on a virtual clock. Words are tones here: voices and
recognisers are heard in the end-to-end tests."""

from pathlib import Path

import numpy as np
import pytest

from hotline.config import load
from hotline.trials.audio.call import Heard, Playing
from hotline.trials.audio.sound import Sound
from hotline.trials.speech import NotForEars, Speech
from hotline.trials.spoken import Spoken
from hotline.trials.suitable import shortened
from ivr_flows.trials.examining import read_beside
from ivr_flows.trials.marks import marked
from ivr_flows.trials.verdict import compared, judge
from recordings.transcribe.hear import Hearer
from recordings.transcribe.recogniser import RecogniserCache
from telephony.events import Prompt
from telephony.media.g711 import Samples

FLOW = """\
flow: line
title: {en: Line}
languages: [en]
variables: {pin: {type: digits, length: 4}, order: {type: record, fields: {day: text}}}
start: hours
steps:
  hours: {hours: office, open: wish, closed: bye, holiday: bye, emergency: sorry}
  sorry: {say: {en: An emergency.}, next: wish}
  wish:
    menu:
      prompt: {en: "Hello {{ caller.name }}."}
      choices: {1: {phrases: {en: [pin]}, next: pin}, 2: {next: agent}, 3: {next: leave}}
    no_input: {retries: 1, next: bye}
    no_match: {retries: 1, next: bye}
  pin:
    gather: {into: pin, secret: yes, prompt: {en: Your pin.}}
    next: look
    no_input: {retries: 0, next: bye}
    no_match: {retries: 0, next: bye}
  look:
    http: {get: "{{ settings.shop }}/orders/7", into: order}
    next: told
    failed: bye
  told: {say: {en: "{{ order.day }}."}, next: agent}
  agent: {queue: {to: care, limit: 20s, wait: {en: Hold.}}, answered: end, timeout: bye, full: bye, closed: bye}
  leave: {voicemail: {to: care}, next: thanks, no_message: bye, failed: bye}
  thanks: {hangup: {en: Thank you.}}
  bye: {hangup: {en: Goodbye.}}
"""


class Tones(Spoken):
    """Words as tones, as long as they are; those in `silent` cannot be heard."""

    silent = "Nothing."

    def prompt(self, prompt: Prompt) -> Samples:
        tone = (8000 * np.sin(np.arange(800 * len(prompt.value)) / 5)).astype(np.int16)
        return tone * (prompt.value != self.silent)

    def caller(self, text: str, language: str) -> Samples:
        """Syllables of a voice of 140 Hz, four a second."""
        del text, language
        at = np.arange(16_000) / 8000
        voice = sum(np.sin(2 * np.pi * 140 * number * at) / number for number in range(1, 20))
        return (4000 * voice * np.clip(np.sin(2 * np.pi * 4 * at), 0, 1)).astype(np.int16)


def played(folder: Path, scenario: str, flow: str = FLOW) -> tuple[Heard, str]:
    """Play a scenario of the flow; return the call, and what did not come true."""
    (folder / "line.yaml").write_text(flow, "utf-8")
    (folder / "line.test.yaml").write_text(f"flow: line\nscenarios:\n  one: {scenario}\n", "utf-8")
    (folder / "hotline.yaml").write_text("speech: {recognisers: {}}", "utf-8")
    beside = read_beside(folder / "line.yaml")
    prepared, one = marked(beside.flow), shortened(beside.trials.scenarios[0])
    logic = judge(prepared, one)
    spoken, settings = Tones(folder, {}), load(folder / "hotline.yaml", {}, folder)
    speech = Speech(settings)
    speech.spoken = spoken
    playing = Playing(
        prepared, one, speech, lambda happened: Sound(settings, spoken, Hearer({}, RecogniserCache()), (), happened)
    )
    heard = playing.play(logic.played.lasted_s)
    assert logic.passed, logic.disappointments
    return heard, " ".join(each.text for each in (*compared(prepared, one, heard.played).disappointments, *heard.wrong))


def test_keys_a_web_service_and_an_agent(tmp_path: Path) -> None:
    heard, wrong = played(
        tmp_path,
        "{caller: {known_as: {name: Lan}}, http: {shop/orders/7: {day: Friday}}, hours: {office: emergency},"
        " queues: {care: {outcome: answered, after: 5s}},"
        " call: [{hears: emergency}, {hears: Hello Lan}, {press: 1}, {press: 4711}, {hears: Friday}, {hears: Hold}],"
        " expect: {variables: {pin: 4711}, exit: [hours.emergency, wish.1, told.next, agent.answered]}}",
    )
    assert wrong == ""
    assert heard.played.lasted_s > 5.0


@pytest.mark.parametrize(
    "scenario",
    [
        "{at: 2026-03-01 03:00, hours: {office: closed}, expect: {exit: hours.closed, ends: completed}}",
        "{call: [{silent: 2}], expect: {exit: wish.no_input}}",
        "{call: [{interrupts: 2}], queues: {care: full}, expect: {exit: agent.full}}",
        "{call: [{press: 2}], queues: {care: timeout}, expect: {exit: agent.timeout, hears: Goodbye}}",
        "{call: [{press: 3}], expect: {exit: leave.next, hears: Thank you}}",
        "{call: [{press: 3}], voicemail: no_message, expect: {exit: leave.no_message}}",
        "{call: [{press: 3}], voicemail: failed, expect: {exit: leave.failed}}",
        "{call: [{press: 2}, {hears: Hold}, {waits: 3s}, hangs_up], expect: {ends: caller}}",
    ],
)
def test_what_else_callers_and_queues_do(tmp_path: Path, scenario: str) -> None:
    assert played(tmp_path, scenario)[1] == ""


def test_what_cannot_be_heard_is_told(tmp_path: Path) -> None:
    _, wrong = played(tmp_path, "{call: [{silent: 2}]}", FLOW.replace("Goodbye.", Tones.silent))
    assert wrong.startswith("“Nothing.” is silence")


def test_who_speaks_needs_a_recogniser(tmp_path: Path) -> None:
    with pytest.raises(NotForEars, match="No recogniser is set for the language en"):
        played(tmp_path, "{call: [{says: pin}, {press: 4711}], http: {shop/orders/7: {day: today}}}")
