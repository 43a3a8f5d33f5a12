"""What a run must have shown, looked for in what it brought back. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from crm_bridge.mail.message import CHANNEL as EMAIL
from crm_bridge.timeline import CALL
from hotline.checks import Check, Facts, judge
from hotline.omnitest.channels import Way

ENTRIES: Final = 7
"""Two messages on either network, a form, a letter and a call."""
IDENTITIES: Final = 4
"""An account of either network, a number in one spelling, an address."""


@dataclass(slots=True)
class Evidence:
    """What a run brought back. `found` is, by identity as it was asked for, whom the server found; `timeline` is in the
    server's order turned round: the oldest first. `failures` are steps that could not be done, by their names."""

    ways: dict[str, Way] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)
    customer: dict[str, Any] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    call: dict[str, Any] = field(default_factory=dict)
    left_behind: list[str] = field(default_factory=list)
    was_cleaned: bool = False


CHANNELS: Final = ("Zalo", "Facebook", "form", "e-mail", "call")


def verdict(evidence: Evidence) -> list[Check]:
    """Return every point, in the order of the story."""
    steps = [_step(evidence, name) for name in CHANNELS]
    points: list[tuple[str, Callable[[Evidence], Facts]]] = [
        ("one profile", _one_profile),
        ("one timeline", _one_timeline),
        ("the case goes on", _case_goes_on),
        ("the agent's view", _agents_view),
        ("nothing asked twice", _nothing_asked_twice),
        ("cleaned up", _cleaned_up),
    ]
    return steps + [judge(name, partial(look, evidence)) for name, look in points]


def _step(evidence: Evidence, name: str) -> Check:
    failure = evidence.failures.get(name, "" if name in evidence.ways else "was not come to")
    return Check(name, not failure, failure or evidence.ways[name].how)


def _one_profile(evidence: Evidence) -> Facts:
    customer = evidence.customer["id"]
    accounts = {each["value"] for each in evidence.customer["identities"]}
    yield f"{len(accounts)} identities in one profile", len(accounts) == IDENTITIES
    for asked, found in evidence.found.items():
        yield f"{asked} finds that profile", found == [customer]


def _one_timeline(evidence: Evidence) -> Facts:
    names = {way.channel: name for name, way in evidence.ways.items()}
    kinds = [names.get(item["channel"], item["channel"]) for item in evidence.timeline]
    at = [item["occurred_at"] for item in evidence.timeline]
    yield (
        f"every message and the call, in their order: {', '.join(kinds)}",
        list(dict.fromkeys(kinds)) == list(CHANNELS),
    )
    yield "the oldest first", at == sorted(at)
    yield f"{len(kinds)} entries, each once", len({item["id"] for item in evidence.timeline}) == len(kinds) == ENTRIES


def _case_goes_on(evidence: Evidence) -> Facts:
    letter = _of_channel(evidence, EMAIL)
    call = _of_channel(evidence, CALL)
    yield "the e-mail opened a case", bool(letter["case"])
    yield "the call belongs to it", bool(call["case"]) and call["case"] == letter["case"]
    open_cases = [case["id"] for case in evidence.customer["cases"] if case["state"] == "open"]
    yield "it is the only open one", open_cases == [letter["case"]]


def _agents_view(evidence: Evidence) -> Facts:
    """What the screen of an agent pops up with is the call's context."""
    context = evidence.call["context"]
    yield "the caller was known", context["known"] and evidence.call["customer"] == evidence.customer["id"]
    cases = [case["id"] for case in context["open_cases"]]
    yield "with the open case", cases == [_of_channel(evidence, EMAIL)["case"]]
    written = {item["id"] for item in evidence.timeline if item["channel"] != CALL}
    shown = {item["id"] for item in context["last_interactions"]}
    yield f"with all {len(written)} messages", bool(written) and written <= shown


def _nothing_asked_twice(evidence: Evidence) -> Facts:
    asked = _of_channel(evidence, CALL)["call"]["asked_again"]
    yield f"the call asked nothing again{': ' + ', '.join(asked) if asked else ''}", not asked


def _cleaned_up(evidence: Evidence) -> Facts:
    for left in evidence.left_behind:
        yield left, False
    yield "nothing of the person is left", evidence.was_cleaned


def _of_channel(evidence: Evidence, channel: str) -> dict[str, Any]:
    """Return the first entry of a channel. Raises `LookupError`."""
    found = [item for item in evidence.timeline if item["channel"] == channel]
    if not found:
        raise LookupError(f"no {channel} on the timeline")
    return found[0]
