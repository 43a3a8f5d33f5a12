"""Flows and scenarios from text, for the tests of `ivr_flows.trials`."""

from pathlib import Path

from ivr_flows.source import FlowErrors
from ivr_flows.trials.examining import Beside, Examined, examine, read_beside
from ivr_flows.trials.verdict import Verdict
from tests.ivr_flows.flows import QUESTIONS


def beside(folder: Path, scenarios: str, flow: str = QUESTIONS) -> Beside:
    """Write a flow and the scenarios beside it, and read them."""
    file = folder / "flow.yaml"
    file.write_text(flow, encoding="utf-8")
    name = flow.partition("flow: ")[2].partition("\n")[0]
    (folder / "flow.test.yaml").write_text(f"flow: {name}\nscenarios:\n{scenarios}", encoding="utf-8")
    return read_beside(file)


def played(folder: Path, scenarios: str, flow: str = QUESTIONS) -> Examined:
    """Play scenarios."""
    return examine([beside(folder, scenarios, flow)])[0]


def only(examined: Examined) -> Verdict:
    """Return the verdict of the one scenario there is."""
    (verdict,) = examined.verdicts
    return verdict


def faults(folder: Path, scenarios: str, flow: str = QUESTIONS) -> list[str]:
    """Return what is wrong with scenarios, as `line:column: code: text`."""
    try:
        beside(folder, scenarios, flow)
    except FlowErrors as errors:
        return [str(error).partition(".yaml:")[2] for error in errors.errors]
    return []
