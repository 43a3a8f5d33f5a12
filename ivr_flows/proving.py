"""Which variables are to prove who somebody is. Pure.

Rule: what proves is asked in this call, of this caller. Were it taken from what the customer told before, the flow
would compare that with itself, and whoever shows the customer's number would be the customer; were it remembered, a
wrong answer would take the place of the right one.
"""

from collections.abc import Iterator
from functools import lru_cache

from ivr_flows.expression import names_in_condition
from ivr_flows.flow import Assign, Flow, Subflow, Verify

_names = lru_cache(maxsize=1024)(names_in_condition)


def proves(flow: Flow, name: str) -> bool:
    """Tell whether what a variable holds is compared with what is known of the caller: here, by way of other variables,
    or in a flow that is given it."""
    proving = frozenset[str]().union(*(_names(source) for source in _compared(flow)))
    sets = [step.values for step in flow.steps.values() if isinstance(step, Assign)]
    while name not in proving:
        more = proving.union(*(_names(source) for each in sets for to, source in each.items() if to in proving))
        if more == proving:
            return False
        proving = more
    return True


def _compared(flow: Flow) -> Iterator[str]:
    for step in flow.steps.values():
        if isinstance(step, Verify):
            yield step.value
        elif isinstance(step, Subflow) and _verifies(flow.flows.get(step.flow)):
            yield from step.given.values()


def _verifies(flow: Flow | None) -> bool:
    """A flow that cannot be looked at is taken for one that does, and so is one that calls others."""
    return flow is None or any(isinstance(step, Verify | Subflow) for step in flow.steps.values())
