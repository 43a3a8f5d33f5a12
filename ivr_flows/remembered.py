"""What a customer told before and need not be asked again. Pure.

Rule: a value is used as if it had been gathered now. So it must fit the question, must be fresh, and is used only for a
caller of whom enough is known: the level of the variable in `speak`, 1 (the caller's number) where that says nothing.
What proves who somebody is (`ivr_flows.proving`) is neither used nor kept.
"""

from typing import Final

from ivr_flows.answers import coerce
from ivr_flows.flow import Flow, Gather, Plain
from ivr_flows.proving import proves
from telephony.events import CallerContext

ASSURANCE: Final = 1


def is_remembered(flow: Flow, name: str) -> bool:
    """Tell whether what is gathered into a variable is kept with the customer."""
    variable = flow.variables.get(name)
    return variable is not None and variable.remember_s > 0 and not proves(flow, name)


def known_value(flow: Flow, caller: CallerContext, here: Gather, now: float) -> Plain:
    """Return what the caller told before that answers a question; None for nothing."""
    variable = flow.variables.get(here.into)
    if variable is None or not variable.remember_s or here.secret:
        return None
    if caller.assurance < flow.speak.get(here.into, ASSURANCE):
        return None
    if proves(flow, here.into):
        return None
    for field in caller.fields:
        if field.name == here.into and now - field.at <= variable.remember_s:
            return _fitting(variable.kind, here, field.value)
    return None


def _fitting(kind: str, here: Gather, value: str) -> Plain:
    shortest, longest = here.length
    if kind in ("digits", "text"):
        return value if value.isascii() and value.isdigit() and shortest <= len(value) <= longest else None
    return coerce(kind, value)
