"""How each verb looks: its icon, its shape, and what of its step stands beside its name.

A new verb needs no line here: it is drawn as `PLAIN`. Icons are outlines in a square of 16.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Shape = Literal["box", "fork", "stop", "mark", "end"]
Tone = Literal["speak", "ask", "decide", "person", "fact", "stop"]

FAILURES: Final = frozenset(
    {
        "no_input", "no_match", "failed", "timed_out", "timeout", "full", "closed", "busy", "no_answer", "not_found",
        "refused", "no_message", "several", "wrong", "not_sent",
    }
)  # fmt: skip
"""Exits that are for what went wrong, whatever the verb."""


@dataclass(frozen=True, slots=True)
class Look:
    """A verb's look. `details` are fields of its step that stand after the verb; `ordinary` are exits that are no
    failures here, although they have such a name."""

    icon: str = "M3.5 3.5h9v9h-9z"
    tone: Tone = "fact"
    shape: Shape = "box"
    details: tuple[str, ...] = ()
    ordinary: frozenset[str] = frozenset()


PLAIN: Final = Look()
START: Final = Look("", "stop", "mark")
END_MARK: Final = Look("", "stop", "end")

_RING = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z"
_PHONE = "M4 2h2.5l1 3L6 6.5c.8 1.6 1.9 2.7 3.5 3.5L11 8.5l3 1V12c0 1-1 2-2 2C6.5 13.5 2.5 9.5 2 4c0-1 1-2 2-2z"
_BUBBLE = "M2 2.5h12v8.5H7.5L4.5 14v-3H2z"
_HEAD = "M8 2a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 1 0 0-5.4z"

LOOKS: Final[Mapping[str, Look]] = {
    "answer": Look(_PHONE, "speak"),
    "ring": Look(
        "M8 2C5.5 2 4 3.8 4 6.5V10l-1.5 2h11L12 10V6.5C12 3.8 10.5 2 8 2zM6.5 14h3", "speak", details=("seconds",)
    ),
    "reject": Look(f"{_RING}M3.5 3.5l9 9", "stop", "stop", ("reason",)),
    "say": Look(_BUBBLE, "speak"),
    "play": Look("M5 12.5a1.7 1.7 0 1 0 0-.1zM6.7 12V3l6 1.5v2.5l-6-1.5", "speak"),
    "menu": Look(
        "M3 3h2v2H3zM7 3h2v2H7zM11 3h2v2h-2zM3 7h2v2H3zM7 7h2v2H7zM11 7h2v2h-2zM3 11h2v2H3zM7 11h2v2H7zM11 11h2v2h-2z",
        "ask",
    ),
    "gather": Look("M1.5 4.5h13v7h-13zM4.5 7v2M8 7v2M11.5 7v2", "ask", details=("into",)),
    "survey": Look(
        "M8 1.8l1.9 4 4.3.5-3.2 3 .9 4.4L8 11.5l-3.9 2.2.9-4.4-3.2-3 4.3-.5z", "ask",
        details=("kind",),
    ),
    "voicemail": Look(
        "M4.5 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5zM11.5 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5z"
        "M4.5 10.5h7",
        "ask",
        details=("queue",),
    ),
    "when": Look("M8 1.5L14.5 8 8 14.5 1.5 8z", "decide", "fork"),
    "split": Look("M8 14.5V9L3 4M8 9l5-5M3 7V4h3M13 7V4h-3", "decide", "fork"),
    "hours": Look(f"{_RING}M8 4.5V8l2.5 1.5", "decide", "fork", ("of",), frozenset({"closed"})),
    "set": Look("M3 6h10M3 10h10"),
    "language": Look(f"{_RING}M1.5 8h13M8 1.5c-4 4-4 9 0 13M8 1.5c4 4 4 9 0 13", details=("to",)),
    "queue_facts": Look("M3 13.5V8M8 13.5V3M13 13.5V6", details=("of",)),
    "lookup": Look(
        "M7 2a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM10.7 10.7l3.8 3.8", details=("by",),
        ordinary=frozenset({"not_found", "several"}),
    ),
    "verify": Look(
        "M8 1.5l5.5 2V8c0 3.5-2.5 5.5-5.5 6.5C5 13.5 2.5 11.5 2.5 8V3.5zM5.5 8l2 2 3.5-3.5",
        details=("field", "channels"),
    ),
    "http": Look("M2 5h11M10 2l3 3-3 3M14 11H3M6 8l-3 3 3 3", details=("method",)),
    "case": Look("M1.5 3.5h5L8 5.5h6.5V13h-13z", details=("deed",)),
    "note": Look("M3 1.5h7l3 3v10H3zM5.5 7.5h5M5.5 10.5h5"),
    "notify": Look("M1.5 3.5h13v9h-13zM1.5 4L8 9l6.5-5", "speak", details=("channel",)),
    "record": Look(
        "M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM8 6.5a1.5 1.5 0 1 0 0 3a1.5 1.5 0 1 0 0-3z", details=("deed",)
    ),
    "wait": Look("M4 2h8M4 14h8M5 2c0 4 6 8 6 12M11 2c0 4-6 8-6 12", details=("seconds",)),
    "whisper": Look(f"{_BUBBLE}M5 7h.5M8 7h.5M11 7h.5", "speak"),
    "hold": Look("M5.5 3v10M10.5 3v10", "speak"),
    "queue": Look(f"{_HEAD}M2.5 14c0-3 2.3-4.5 5.5-4.5s5.5 1.5 5.5 4.5", "person", details=("to", "wait_flow")),
    "callback": Look("M4 6h6a3.5 3.5 0 0 1 0 7H6M7 3L4 6l3 3", "person", details=("queue",)),
    "dial": Look(f"{_PHONE}M10 6l4-4M10.5 2H14v3.5", "person", details=("number",)),
    "conference": Look(
        "M5 3a2 2 0 1 0 0 4a2 2 0 1 0 0-4zM11 3a2 2 0 1 0 0 4a2 2 0 1 0 0-4zM1.5 13c0-6 7-6 7 0M8 10c1.5-3 6.5-2 6.5 3",
        "person",
        details=("room",),
    ),
    "subflow": Look("M2 2h12v12H2zM5 5h6v6H5z", details=("flow",)),
    "return": Look("M13 3v5a2 2 0 0 1-2 2H3M6 7l-3 3 3 3", "stop", "stop", ("exit",)),
    "transfer": Look("M2 8h11M9 4l4 4-4 4", "stop", "stop", ("flow", "number", "agent")),
    "hangup": Look("M1.5 9.5c3.5-4 9.5-4 13 0l-2 2.5-3-1.5V8.5h-3v2l-3 1.5z", "stop", "stop"),
}  # fmt: skip


def look_of(verb: str) -> Look:
    return LOOKS.get(verb, PLAIN)


def is_failure(look: Look, name: str) -> bool:
    """Say whether an exit is for what went wrong."""
    return name in FAILURES and name not in look.ordinary
