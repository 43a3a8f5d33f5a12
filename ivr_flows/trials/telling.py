"""What came of scenarios, for people and for programs. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from ivr_flows.trials.examining import Examined
from ivr_flows.trials.played import Moment
from ivr_flows.trials.verdict import Verdict

SHOWN: Final = 90
SAID: Final = {
    "hears": "hears",
    "press": "presses",
    "says": "says",
    "heard": "is understood as",
    "silent": "says nothing",
    "hangs up": "hangs up",
    "queue": "waits in queue",
    "leaves the queue": "leaves the queue",
    "talks": "talks with an agent",
    "meets": "talks with",
    "queue over": "the queue ends:",
    "asks": "the flow asks:",
    "answer": "the world answers:",
    "language": "goes on in",
    "message": "is sent",
    "note": "note:",
    "score": "score:",
    "recording": "recording:",
    "later": "will be heard:",
    "rings": "it rings",
    "ends": "the call ends:",
}


def lines_of(examined: Examined) -> Iterator[str]:
    """Yield what to print of a flow's scenarios: each failure with its place, what was there instead and the way of
    the call; then how many passed, and which exits nobody took."""
    for verdict in examined.verdicts:
        if not verdict.passed:
            yield from failure(verdict, examined.beside.trials.file)
    passed = sum(verdict.passed for verdict in examined.verdicts)
    covered = examined.coverage
    yield (
        f"{examined.beside.file}: {passed} of {len(examined.verdicts)} scenarios passed, "
        f"{len(covered.taken)} of {len(covered.all)} exits taken ({percent(covered.percent)} %)"
    )
    for exit_ in covered.missed:
        yield f"  not taken: {exit_.written(exit_.flow)}"
    beside = examined.beside
    if covered.missed and not beside.trials.scenarios and not beside.flow.for_waiting:
        mend = f"hotline flow test {beside.file} --generate --write"
        yield f"  there are no scenarios in {beside.trials.file}; to have some written:  {mend}"


def failure(verdict: Verdict, file: str) -> Iterator[str]:
    """Yield the story of a scenario that failed."""
    yield f"{file}:{verdict.scenario.line}: {verdict.scenario.name} failed"
    for each in verdict.disappointments:
        yield f"  {file}:{each.line}: {each.text}"
        for words in each.instead:
            yield f"      instead: {shortened(words)}"
    yield "  the way of the call:"
    yield from (f"    {line}" for line in way(verdict.played.way))
    for wrong in verdict.played.failures:
        yield f"    in step {wrong.step} failed: {wrong.cause}"
    yield ""


def way(moments: tuple[Moment, ...]) -> Iterator[str]:
    """Yield the way of a call, a line for each moment; steps stand out to the left."""
    for moment in moments:
        if moment.what == "step":
            yield f"{moment.at_s:7.1f} s  {moment.text}"
        else:
            words = f"“{shortened(moment.text)}”" if moment.what == "hears" else moment.text
            yield f"{'':9}      {SAID.get(moment.what, moment.what)} {words}".rstrip()


def body(examined: Examined) -> dict[str, Any]:
    """Return the same as plain values."""
    covered = examined.coverage
    return {
        "flow": examined.beside.flow.name,
        "file": str(examined.beside.file),
        "passed": examined.passed,
        "scenarios": [_verdict(verdict, examined.beside.flow.name) for verdict in examined.verdicts],
        "coverage": {
            "percent": round(covered.percent, 2),
            "exits": len(covered.all),
            "taken": len(covered.taken),
            "missed": [exit_.written(exit_.flow) for exit_ in covered.missed],
        },
    }


def _verdict(verdict: Verdict, flow: str) -> dict[str, Any]:
    played = verdict.played
    return {
        "name": verdict.scenario.name,
        "line": verdict.scenario.line,
        "passed": verdict.passed,
        "failures": [
            {"line": each.line, "text": each.text, "instead": list(each.instead)} for each in verdict.disappointments
        ],
        "steps": list(played.steps),
        "exits": [exit_.written(flow) for exit_ in played.exits],
        "ends": played.ended,
        "seconds": round(played.lasted_s, 2),
        "understood": [each.text for each in played.way if each.what == "heard"],
    }


def percent(value: float) -> str:
    """Return a percentage; 100 only where it is."""
    text = f"{value:.1f}".removesuffix(".0")
    return "99.9" if text == "100" and value < 100.0 else text


def shortened(text: str) -> str:
    """Return words in the length of a line."""
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
