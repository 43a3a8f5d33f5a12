"""Which agent gets the call."""

from typing import get_args

from telephony.acd.agent import Agent, AgentSettings
from telephony.acd.strategy import STRATEGIES, StrategyName, longest_idle


def idle(name: str, since: float) -> Agent:
    return Agent(AgentSettings(name), state="ready", reachable=True, idle_since=since)


def test_the_longest_idle_is_the_one_ready_since_the_earliest_instant() -> None:
    assert longest_idle([idle("an", 30.0), idle("binh", 10.0), idle("chi", 20.0)]).name == "binh"


def test_of_equally_idle_agents_the_first_by_name_is_taken_in_any_order() -> None:
    agents = [idle("chi", 1.0), idle("an", 1.0), idle("binh", 1.0)]
    assert longest_idle(agents).name == longest_idle(agents[::-1]).name == "an"


def test_every_name_in_the_settings_has_its_strategy() -> None:
    assert set(STRATEGIES) == set(get_args(StrategyName))
