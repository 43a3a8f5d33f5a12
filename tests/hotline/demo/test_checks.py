"""The demo's checks fail when what they are for did not happen."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotline.demo.checks import Evidence, share_heard, verdicts

CALLER = "where is my refund"
AGENT = "it comes on friday"
NUMBERS = ("0912 345 678", "0084912345678")
BEGUN = 1_700_000_000.0
NAMES = [
    "answered and known",
    "greeted and understood",
    "queued and connected",
    "recorded and transcribed",
    "one timeline",
]


def entry(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "fields": fields}


def words(text: str, channel: int, start: float) -> list[dict[str, Any]]:
    return [
        {"text": word, "start": start + i / 2, "end": start + i / 2 + 0.4, "channel": channel}
        for i, word in enumerate(text.split())
    ]


def write_talk(path: Path, caller: tuple[float, float] = (1, 3), agent: tuple[float, float] = (4, 6)) -> Path:
    """Write ten seconds in which each speaks, as noise, for its time on its channel."""
    generator = np.random.default_rng(1)
    samples = generator.integers(-3, 4, (80_000, 2))
    for channel, (first, last) in enumerate((caller, agent)):
        noise = generator.integers(-8000, 8001, int((last - first) * 8000))
        samples[int(first * 8000) : int(last * 8000), channel] = noise
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def good(folder: Path) -> Evidence:
    """Return the evidence of a story in which everything happened."""
    context = {"name": "Lan", "open_cases": [{"subject": "Refund for order 4561"}]}
    call_of = {"call": {"id": "c"}}
    call = {
        "recording": "/api/v1/recordings/r",
        "transcript": "/api/v1/recordings/r/transcript",
        "flow_path": ["menu", "agent"],
        "agent": "thanh",
        "queue_wait_s": 3.0,
    }
    return Evidence(
        call_id="c",
        chat={"customer": "lan"},
        mail={"customer": "lan"},
        found_by_number={number: ["lan"] for number in NUMBERS},
        strangers=[{"ani": "+84987654321", "customer": "new"}, {"ani": None, "customer": None}],
        new_customers=["new"],
        offered={"state": "ringing", "context": context},
        call={"ani": "+84912345678", "customer": "lan", "agent": "thanh"},
        journal=[
            entry("ConnectLeg", payload_type=0, telephone_event=101),
            entry("Play", prompts=[{"kind": "text", "value": "Hello Lan. About the refund for your order: press 1."}]),
            entry("Play", prompts=[{"kind": "music", "value": "waiting"}]),
            entry("DigitPressed", digit="1", source="inband"),
            entry("PromptFinished", ending="barged_in"),
            entry("Invite", user="thanh"),
            entry("Join"),
            entry("Join"),
        ],
        live=[
            {"type": "call.offered", **call_of, "context": context},
            {"type": "call.ringing", **call_of},
            {"type": "call.talking", **call_of},
        ],
        recording={"state": "closed", "started_at": "2023-11-14T22:13:20.000Z"},
        transcript={"state": "done", "words": words(CALLER, 0, 1.0) + words(AGENT, 1, 4.0)},
        audio=write_talk(folder / "talk.wav"),
        customer={"cases": [{"id": "case", "state": "open"}]},
        timeline=[
            {"channel": "zalo", "case": None, "call": None},
            {"channel": "email", "case": "case", "call": None},
            {"channel": "call", "case": "case", "call": call},
        ],
        heard_by_caller=1.0,
        heard_by_agent=0.9,
        caller_lines=[{"event": "speaking", "start": BEGUN + 1, "end": BEGUN + 3}],
        agent_lines=[{"event": "speaking", "start": BEGUN + 4, "end": BEGUN + 6}],
    )


def failed(evidence: Evidence) -> list[str]:
    checks, _ = verdicts(evidence, CALLER, AGENT, NUMBERS)
    return [check.name for check in checks if not check.passed]


def test_a_story_in_which_everything_happened_passes(tmp_path: Path) -> None:
    checks, rate = verdicts(good(tmp_path), CALLER, AGENT, NUMBERS)
    assert [(check.name, check.passed) for check in checks] == [(name, True) for name in NAMES], checks
    assert rate == 0.0


def test_a_story_in_which_nothing_happened_fails_on_every_point() -> None:
    assert failed(Evidence()) == NAMES


def _drop(type_: str) -> Callable[[Evidence], None]:
    def change(evidence: Evidence) -> None:
        evidence.journal = [one for one in evidence.journal if one["type"] != type_]

    return change


def _replace(name: str, value: Any) -> Callable[[Evidence], None]:
    return lambda evidence: setattr(evidence, name, value)


CHANGES: dict[str, list[Callable[[Evidence], None]]] = {
    NAMES[0]: [
        _drop("ConnectLeg"),
        lambda e: e.journal[0]["fields"].update(telephone_event=-1),
        lambda e: e.journal[0]["fields"].update(payload_type=9),
        lambda e: e.found_by_number.update({NUMBERS[0]: ["lan", "second lan"]}),
        _replace("mail", {"customer": "somebody else"}),
        lambda e: e.call.update(ani="+84912345679"),
    ],
    NAMES[1]: [
        _drop("DigitPressed"),
        _drop("PromptFinished"),
        lambda e: e.journal[1]["fields"]["prompts"][0].update(value="Hello."),
        lambda e: e.journal.append(entry("DigitPressed", digit="1", source="inband")),
        lambda e: e.journal[3]["fields"].update(source="rfc4733"),
    ],
    NAMES[2]: [
        _drop("Join"),
        _drop("Invite"),
        lambda e: e.journal[2]["fields"]["prompts"][0].update(kind="text"),
        lambda e: e.live.reverse(),
        lambda e: e.live[0]["context"].update(open_cases=[]),
        lambda e: e.offered.update(state="talking"),
        _replace("heard_by_agent", 0.5),
        _replace("heard_by_caller", 0.0),
    ],
    NAMES[3]: [
        _replace("audio", None),
        lambda e: e.recording.update(state="spooling"),
        lambda e: setattr(e, "audio", write_talk(e.audio, caller=(4, 6), agent=(1, 3)) if e.audio else None),
        lambda e: setattr(e, "audio", write_talk(e.audio, agent=(1, 6)) if e.audio else None),
        lambda e: e.transcript.update(state="awaiting_model"),
        lambda e: e.transcript.update(words=words("where is my refund", 0, 1.0)),
        lambda e: e.transcript.update(words=words("something else was heard", 0, 1.0)),
    ],
    NAMES[4]: [
        lambda e: e.timeline.reverse(),
        lambda e: e.timeline.append(e.timeline[-1]),
        lambda e: e.timeline[-1]["call"].update(transcript=None),
        lambda e: e.timeline[-1]["call"].update(queue_wait_s=None),
        lambda e: e.timeline[-1].update(case=None),
        _replace("new_customers", ["new", "phantom"]),
        lambda e: e.strangers[1].update(customer="phantom"),
    ],
}


@pytest.mark.parametrize(
    ("name", "change"), [(name, change) for name, changes in CHANGES.items() for change in changes]
)
def test_each_point_fails_when_it_did_not_happen(tmp_path: Path, name: str, change: Callable[[Evidence], None]) -> None:
    evidence = good(tmp_path)
    change(evidence)
    assert name in failed(evidence)


def write_mono(path: Path, samples: Any) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.asarray(samples).astype("<i2").tobytes())
    return path


def test_what_was_heard_is_found_wherever_it_lies_and_only_that(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    said, other = generator.integers(-8000, 8000, (2, 16000))
    sent = write_mono(tmp_path / "sent.wav", said)
    late = np.concatenate([np.zeros(3123), said[:8000], np.zeros(777), said[8000:], np.zeros(5000)])
    assert share_heard(sent, write_mono(tmp_path / "late.wav", late)) == 1.0
    assert share_heard(sent, write_mono(tmp_path / "half.wav", late[:12000])) == 0.5
    assert share_heard(sent, write_mono(tmp_path / "other.wav", np.concatenate([other, other]))) == 0.0
    assert share_heard(sent, write_mono(tmp_path / "short.wav", [0, 0])) == 0.0


def test_the_transcript_is_told_as_a_dialogue(tmp_path: Path) -> None:
    lines = list(good(tmp_path).lines_said())
    assert lines == [f"    1.00 s  caller: {CALLER}", f"    4.00 s  agent: {AGENT}"]
