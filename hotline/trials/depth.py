"""Scenarios of flows played deeper than by their logic: those that a depth can play, and the reasons of the others."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from hotline.config import Settings
from hotline.trials.suitable import Depth, shortened, unsuitable
from ivr_flows.trials.examining import Beside, Examined, examine
from ivr_flows.trials.marks import Marked, marked
from ivr_flows.trials.scenario import Scenario
from ivr_flows.trials.verdict import Verdict, compared, judge

AT_ONCE: Final = 2
"""So many servers, each of which is several processes."""
Tell = Callable[[str], None]
Came = Verdict | str
"""What came of a scenario: a verdict, or why it could not be played after all."""


class LeftOut(msgspec.Struct, frozen=True):
    """A scenario that is not for this depth, and why."""

    flow: str
    scenario: Scenario
    reason: str


class ToPlay(msgspec.Struct, frozen=True):
    """A scenario that is to be played, and what its logic comes to."""

    beside: Beside
    prepared: Marked
    scenario: Scenario
    logic: Verdict

    @property
    def key(self) -> tuple[str, str]:
        """Which of all it is."""
        return self.beside.flow.name, self.scenario.name

    def told(self, came: Came) -> str:
        """Return what came of it, as a line."""
        name = f"{self.beside.flow.name}: {self.scenario.name}"
        if isinstance(came, str):
            return f"{name}: not played: {came}"
        heard = "".join(f", {each.what} {each.text}" for each in came.played.way if each.what in ("says", "heard"))
        return f"{name}: {'passed' if came.passed else 'failed'} after {came.played.lasted_s:.0f} s{heard}"


def examine_at(
    depth: Depth, besides: Sequence[Beside], only: Iterable[str], settings: Settings, tell: Tell, *, slow: bool = False
) -> tuple[list[Examined], list[LeftOut]]:
    """Play the scenarios of flows, or those of these names, at a depth; with `slow` those that last, too.

    Return what came of them, and those left out. One that fails by its logic fails: it is not played.
    """
    came, to_play = _sorted_out(depth, besides, frozenset(only), slow=slow)
    if to_play:
        came |= (_by_ear if depth == "audio" else _by_telephone)(to_play, settings, tell)
    verdicts = {key: each for key, each in came.items() if isinstance(each, Verdict)}
    left_out = [
        LeftOut(beside.flow.name, scenario, reason)
        for beside in besides
        for scenario in beside.trials.scenarios
        if isinstance(reason := came.get((beside.flow.name, scenario.name)), str)
    ]
    played = [_with_played(beside, verdicts) for beside in besides]
    return examine(played, (), lambda flow, scenario: verdicts[flow.flow.name, scenario.name]), left_out


def _sorted_out(
    depth: Depth, besides: Sequence[Beside], names: frozenset[str], *, slow: bool
) -> tuple[dict[tuple[str, str], Came], list[ToPlay]]:
    """Return what is known of scenarios without playing them, and those that are to be played."""
    came: dict[tuple[str, str], Came] = {}
    to_play: list[ToPlay] = []
    for beside in besides:
        prepared = marked(beside.flow)
        for given in beside.trials.scenarios:
            if names and given.name not in names:
                continue
            scenario = shortened(given)
            one = ToPlay(beside, prepared, scenario, judge(prepared, scenario))
            reason = unsuitable(depth, prepared, scenario, one.logic.played, slow=slow)
            if not one.logic.passed:
                came[one.key] = one.logic
            elif reason:
                came[one.key] = reason
            else:
                to_play.append(one)
    return came, to_play


def _with_played(beside: Beside, verdicts: dict[tuple[str, str], Verdict]) -> Beside:
    """Return a flow with those scenarios alone that there is a verdict on."""
    kept = tuple(each for each in beside.trials.scenarios if (beside.flow.name, each.name) in verdicts)
    return replace(beside, trials=replace(beside.trials, scenarios=kept))


def _by_ear(to_play: Sequence[ToPlay], settings: Settings, tell: Tell) -> dict[tuple[str, str], Came]:
    from hotline.trials.audio.depth import Room  # noqa: PLC0415 - the recognisers' engines

    came: dict[tuple[str, str], Came] = {}
    with Room(settings) as room:
        for one in to_play:
            came[one.key] = room.play(one)
            tell(one.told(came[one.key]))
    return came


def _by_telephone(to_play: Sequence[ToPlay], settings: Settings, tell: Tell) -> dict[tuple[str, str], Came]:
    return asyncio.run(_by_calls(to_play, settings, tell))


async def _by_calls(to_play: Sequence[ToPlay], settings: Settings, tell: Tell) -> dict[tuple[str, str], Came]:
    from hotline.trials.call import Stage, play  # noqa: PLC0415 - the database
    from hotline.trials.known import base  # noqa: PLC0415
    from hotline.trials.speech import NotForEars, Speech, with_heard  # noqa: PLC0415

    turns = asyncio.Semaphore(AT_ONCE)

    async def play_one(one: ToPlay, stage: Stage) -> tuple[tuple[str, str], Came]:
        unheard = stage.speech.unheard(one.scenario, one.beside.flow.languages)
        if unheard:
            return one.key, unheard
        async with turns:
            try:
                played, voice = await play(one.beside, one.prepared, one.scenario, one.logic.played, stage)
            except NotForEars as reason:
                tell(one.told(str(reason)))
                return one.key, str(reason)
        verdict = compared(one.prepared, one.scenario, played)
        wrong = tuple(with_heard(each, tuple(voice.utterances)) for each in verdict.disappointments)
        verdict = replace(verdict, disappointments=wrong)
        tell(one.told(verdict))
        return one.key, verdict

    with Speech(settings) as speech:
        stage = Stage(settings, speech, await base())
        return dict(await asyncio.gather(*(play_one(one, stage) for one in to_play)))
