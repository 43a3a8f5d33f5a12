"""What a customer told before and need not be asked again. Pure.

Rule: a value is used as if it had been gathered now. So it must fit the question, must be fresh, and is used only for a
caller of whom enough is known: the level of the variable in `speak`, 1 (the caller's number) where that says nothing.
"""

from typing import Final

from ivr_flows.flow import Flow, Gather
from telephony.events import CallerContext

ASSURANCE: Final = 1


def is_remembered(flow: Flow, name: str) -> bool:
    """Tell whether what is gathered into a variable is kept with the customer."""
    variable = flow.variables.get(name)
    return variable is not None and variable.remember_s > 0


def known_value(flow: Flow, caller: CallerContext, here: Gather, now: float) -> str:
    """Return what the caller told before that answers a question, "" for nothing."""
    variable = flow.variables.get(here.into)
    if variable is None or not variable.remember_s or here.secret:
        return ""
    if caller.assurance < flow.speak.get(here.into, ASSURANCE):
        return ""
    shortest, longest = here.length
    for field in caller.fields:
        is_fresh = now - field.at <= variable.remember_s
        if field.name == here.into and is_fresh and field.value.isascii() and field.value.isdigit():
            return field.value if shortest <= len(field.value) <= longest else ""
    return ""
