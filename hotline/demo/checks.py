"""What the demo must have shown: five points, each a list of facts looked for in what the story brought back."""

import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hotline.checks import Check, Facts, judge
from recordings.transcribe.error_rate import word_error_rate

WORD_ERROR_RATE_LIMIT: Final = 0.15
FRAME_S: Final = 0.02
# A frame counts as speech within 25 dB of the loud frames of its channel; G.711's own noise lies some 10 dB lower.
SPEECH_BELOW_PEAK_DB: Final = 25.0
# Of the frames in which somebody spoke, this share must be speech on their channel, and on no other.
OWN_SHARE: Final = 0.5
OTHER_SHARE: Final = 0.05
# Of the pieces of what one phone played, this share must be found in what the other one recorded.
HEARD_SHARE: Final = 0.8
PIECE_S: Final = 0.5
LIKENESS: Final = 0.8
# Sound takes a while from the phone's file to the server's tick: jitter buffers on both sides.
DELAY_S: Final = 0.3


@dataclass(slots=True)
class Evidence:
    """What the story brought back from the server and the phones."""

    call_id: str = ""
    chat: dict[str, Any] = field(default_factory=dict)
    mail: dict[str, Any] = field(default_factory=dict)
    found_by_number: dict[str, list[str]] = field(default_factory=dict)
    strangers: list[dict[str, Any]] = field(default_factory=list)
    new_customers: list[str] = field(default_factory=list)
    offered: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    live: list[dict[str, Any]] = field(default_factory=list)
    recording: dict[str, Any] = field(default_factory=dict)
    transcript: dict[str, Any] = field(default_factory=dict)
    audio: Path | None = None
    kept_audio: Path | None = None
    customer: dict[str, Any] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    heard_by_caller: float = 0.0
    heard_by_agent: float = 0.0
    caller_lines: list[dict[str, Any]] = field(default_factory=list)
    agent_lines: list[dict[str, Any]] = field(default_factory=list)

    def words_of(self, channel: int) -> str:
        """Return what was recognised on one channel."""
        return " ".join(word["text"] for word in self.transcript.get("words", []) if word["channel"] == channel)

    def lines_said(self) -> Iterator[str]:
        """Yield the transcript as a dialogue."""
        speaker, line = -1, ""
        for word in self.transcript.get("words", []):
            if word["channel"] != speaker:
                if line:
                    yield line
                speaker = word["channel"]
                line = f"  {word['start']:6.2f} s  {'agent' if speaker else 'caller'}:"
            line += f" {word['text']}"
        if line:
            yield line

    def said(self, type_: str) -> list[dict[str, Any]]:
        """Return the fields of the journal's entries of one type."""
        return [entry["fields"] for entry in self.journal if entry["type"] == type_]


def call_of(event: dict[str, Any]) -> str:
    """Return the id of the call that a live event is about, empty where it is about none."""
    call = event.get("call")
    return str(call["id"] if isinstance(call, dict) else event.get("call_id") or "")


def verdicts(
    evidence: Evidence, caller_says: str, agent_says: str, numbers: tuple[str, ...]
) -> tuple[list[Check], float | None]:
    """Return the five points and the word error rate over both speakers."""
    rate = _word_error_rate(evidence, caller_says, agent_says)
    points: list[tuple[str, Callable[[], Facts]]] = [
        ("answered and known", lambda: _known(evidence, numbers)),
        ("greeted and understood", lambda: _greeted(evidence)),
        ("queued and connected", lambda: _connected(evidence)),
        ("recorded and transcribed", lambda: _recorded(evidence, rate)),
        ("one timeline", lambda: _timeline(evidence)),
    ]
    return [judge(name, look) for name, look in points], rate


def _known(evidence: Evidence, numbers: tuple[str, ...]) -> Facts:
    customer = evidence.chat["customer"]
    negotiated = evidence.said("ConnectLeg")[0]
    codec = {0: "PCMU", 8: "PCMA"}.get(negotiated["payload_type"], "")
    return [
        (f"{codec or 'G.711'} with telephone-event on the INVITE", bool(codec) and negotiated["telephone_event"] >= 0),
        (
            f"{len(numbers)} ways of writing the number are one person",
            all(evidence.found_by_number[number] == [customer] for number in numbers),
        ),
        ("chat and e-mail belong to the caller", evidence.mail["customer"] == customer == evidence.call["customer"]),
        (f"the caller is {evidence.call['ani']}", evidence.call["ani"] == "+84912345678"),
    ]


def _greeted(evidence: Evidence) -> Facts:
    heard = " ".join(prompt["value"] for play in evidence.said("Play") for prompt in play["prompts"])
    keys = [(key["digit"], key["source"]) for key in evidence.said("DigitPressed")]
    cut = [prompt for prompt in evidence.said("PromptFinished") if prompt["ending"] == "barged_in"]
    return [
        ("greeted by name in English", "Hello Lan" in heard),
        ("told of the open request", "the refund for your order" in heard),
        ("one key, 1, heard as a tone in the audio", keys == [("1", "inband")]),
        ("the key cut the prompt short", len(cut) == 1),
    ]


def _connected(evidence: Evidence) -> Facts:
    plays = [prompt for play in evidence.said("Play") for prompt in play["prompts"]]
    order = [event["type"] for event in evidence.live if call_of(event) == evidence.call_id]
    offered = next(event for event in evidence.live if event["type"] == "call.offered")
    return [
        ("music in the queue", any(prompt["kind"] == "music" for prompt in plays)),
        ("the registered agent's phone rang", evidence.said("Invite")[0]["user"] == evidence.call["agent"]),
        (
            "the agent was offered the context before answering",
            order.index("call.offered") < order.index("call.ringing") < order.index("call.talking")
            and offered["context"]["name"] == "Lan"
            and offered["context"]["open_cases"][0]["subject"] == "Refund for order 4561",
        ),
        (
            "so did the API while it rang",
            evidence.offered["state"] == "ringing" and evidence.offered["context"]["name"] == "Lan",
        ),
        ("both were joined", len(evidence.said("Join")) == 2),
        (
            f"each heard what the other said ({evidence.heard_by_agent:.0%} and {evidence.heard_by_caller:.0%})",
            min(evidence.heard_by_agent, evidence.heard_by_caller) >= HEARD_SHARE,
        ),
    ]


def _recorded(evidence: Evidence, rate: float | None) -> Facts:
    if evidence.audio is None:
        raise ValueError("no audio")
    left, right = _channels(evidence.audio)
    begun = datetime.fromisoformat(evidence.recording["started_at"]).timestamp()
    caller, agent = _spoken(evidence.caller_lines), _spoken(evidence.agent_lines)
    return [
        (f"stereo, {len(left) * FRAME_S:.1f} s", evidence.recording["state"] == "closed"),
        ("the caller is on the left alone", _is_on(left, right, caller, begun)),
        ("the agent is on the right alone", _is_on(right, left, agent, begun)),
        ("transcribed with word times", _has_word_times(evidence)),
        (
            f"word error rate {'unknown' if rate is None else f'{rate:.3f}'}, at most {WORD_ERROR_RATE_LIMIT}",
            rate is not None and rate <= WORD_ERROR_RATE_LIMIT,
        ),
    ]


def _has_word_times(evidence: Evidence) -> bool:
    words = evidence.transcript["words"]
    return bool(words) and evidence.transcript["state"] == "done" and all(w["end"] >= w["start"] >= 0 for w in words)


def _timeline(evidence: Evidence) -> Facts:
    channels = [item["channel"] for item in evidence.timeline]
    call = evidence.timeline[-1]["call"]
    open_case = next((case for case in evidence.customer["cases"] if case["state"] == "open"), {"id": None})
    by_ani = {stranger["ani"]: stranger["customer"] for stranger in evidence.strangers}
    return [
        ("chat, e-mail, call in order", channels == ["zalo", "email", "call"]),
        (
            "the call has recording, transcript, flow path, queue wait and agent",
            bool(call["recording"] and call["transcript"] and call["flow_path"] and call["agent"])
            and call["queue_wait_s"] > 0,
        ),
        ("the call went on with the open request", evidence.timeline[-1]["case"] == open_case["id"]),
        (
            "an unknown number got a new profile",
            evidence.new_customers == [by_ani.get("+84987654321")],
        ),
        ("a withheld number got none", None in by_ani and by_ani[None] is None),
    ]


# ------------------------------------------------------------------------------------------------------- the sound


def _word_error_rate(evidence: Evidence, caller_says: str, agent_says: str) -> float | None:
    if evidence.transcript.get("state") != "done":
        return None
    return word_error_rate(f"{caller_says} {agent_says}", f"{evidence.words_of(0)} {evidence.words_of(1)}")


def _channels(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return, for each channel, which frames of 20 ms are speech."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 2:
            raise ValueError("the recording is not stereo")
        frame = int(file.getframerate() * FRAME_S)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2).astype(np.float64)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame, 2)
    level = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1.0)
    loud = np.percentile(level, 95, axis=0)
    speech = level > np.maximum(loud - SPEECH_BELOW_PEAK_DB, 30.0)
    return speech[:, 0], speech[:, 1]


def _spoken(lines: list[dict[str, Any]]) -> tuple[float, float]:
    """Return when a phone said that it spoke (seconds since the epoch)."""
    line = next(line for line in lines if line["event"] == "speaking")
    return float(line["start"]), float(line["end"])


def _is_on(own: NDArray[np.bool_], other: NDArray[np.bool_], spoken: tuple[float, float], begun: float) -> bool:
    first, last = (round((instant - begun) / FRAME_S) for instant in spoken)
    slack = round(DELAY_S / FRAME_S)
    window = slice(max(0, first + slack), last)
    if last - slack <= first or window.start >= len(own):
        return False
    return bool(own[window].mean() > OWN_SHARE and other[window].mean() < OTHER_SHARE)


def share_heard(sent: Path, heard: Path) -> float:
    """Return which part of a mono file, piece by piece, is found anywhere in another of the same rate.

    A piece is found where the normalised cross-correlation reaches `LIKENESS`; G.711 twice over leaves it above 0.99.
    """
    whole, rate = _mono(heard)
    said, _ = _mono(sent)
    piece = int(PIECE_S * rate)
    pieces = said[: len(said) // piece * piece].reshape(-1, piece)
    loud = pieces[np.sqrt((pieces**2).mean(axis=1)) > 300]
    if not len(loud) or len(whole) < piece:
        return 0.0
    size = len(whole) + piece
    spectrum = np.fft.rfft(whole, size)
    power = np.concatenate(([0.0], np.cumsum(whole**2)))
    energy = np.sqrt(np.maximum(power[piece:] - power[:-piece], 1.0))
    found = 0
    for one in loud:
        likeness = np.fft.irfft(spectrum * np.conj(np.fft.rfft(one, size)), size)[: len(energy)]
        found += bool((likeness / (energy * np.sqrt((one**2).sum()))).max() >= LIKENESS)
    return found / len(loud)


def _mono(path: Path) -> tuple[NDArray[np.float64], int]:
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64), file.getframerate()
