"""Scenarios of flows played by real calls: those that can be, a few at a time, and the reasons of the others."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from hotline.config import Settings
from hotline.trials.call import play
from hotline.trials.house import base
from hotline.trials.suitable import shortened, unsuitable
from ivr_flows.trials.examining import Beside, Examined, examine
from ivr_flows.trials.marks import Marked, marked
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.verdict import Verdict, compare, judge

AT_ONCE: Final = 2
"""So many servers, each of which is several processes."""
Tell = Callable[[str], None]


class LeftOut(msgspec.Struct, frozen=True):
    """A scenario that is not for this depth, and why."""

    flow: str
    scenario: Scenario
    reason: str


def examine_by_calls(
    besides: Sequence[Beside], only: Iterable[str], settings: Settings, tell: Tell
) -> tuple[list[Examined], list[LeftOut]]:
    """Play the scenarios of flows, or those of these names, by real calls.

    Return what came of them, and those left out. One that fails by its logic fails: no call is made for it.
    """
    names = frozenset(only)
    verdicts: dict[tuple[str, str], Verdict] = {}
    left_out: list[LeftOut] = []
    to_play: list[tuple[Beside, Marked, Scenario]] = []
    for beside in besides:
        prepared = marked(beside.flow)
        for given in beside.trials.scenarios:
            if names and given.name not in names:
                continue
            scenario = shortened(given)
            logic = judge(prepared, scenario)
            reason = unsuitable(scenario, logic.played)
            if not logic.passed:
                verdicts[beside.flow.name, given.name] = logic
            elif reason:
                left_out.append(LeftOut(beside.flow.name, given, reason))
            else:
                to_play.append((beside, prepared, scenario))
    for beside, scenario, verdict in asyncio.run(_play_all(to_play, settings, tell)):
        verdicts[beside.flow.name, scenario.name] = verdict
    played = [_with_played(beside, verdicts) for beside in besides]
    return examine(played, (), lambda flow, scenario: verdicts[flow.flow.name, scenario.name]), left_out


def _with_played(beside: Beside, verdicts: dict[tuple[str, str], Verdict]) -> Beside:
    """Return a flow with those scenarios alone that there is a verdict on."""
    kept = tuple(each for each in beside.trials.scenarios if (beside.flow.name, each.name) in verdicts)
    return replace(beside, trials=replace(beside.trials, scenarios=kept))


async def _play_all(
    to_play: Sequence[tuple[Beside, Marked, Scenario]], settings: Settings, tell: Tell
) -> list[tuple[Beside, Scenario, Verdict]]:
    if not to_play:
        return []
    turns, begun = asyncio.Semaphore(AT_ONCE), await base()

    async def play_one(beside: Beside, prepared: Marked, scenario: Scenario) -> tuple[Beside, Scenario, Verdict]:
        async with turns:
            played = await play(beside, prepared, scenario, settings, begun)
        wrong = (
            (played.disappointment,)
            if played.disappointment is not None
            else tuple(compare(scenario.expected, played, beside.flow.name))
        )
        tell(f"{beside.flow.name}: {scenario.name}: {'failed' if wrong else 'passed'} after {played.lasted_s:.0f} s")
        return beside, scenario, Verdict(scenario, played, wrong)

    return await asyncio.gather(*(play_one(*each) for each in to_play))
