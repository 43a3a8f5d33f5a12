"""The state diagrams of docs/sip.md, drawn from the tables, so that the pictures cannot lie.

`python -m tests.telephony.sip.diagram` draws them anew; `test_diagram` fails while they are not those of the tables.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from telephony.sip import dialog, session, subscription, trunk
from telephony.sip.transaction import MACHINES

PAGE = Path(__file__).parents[3] / "docs" / "sip.md"
Before = TypeVar("Before", bound=StrEnum)
Received = TypeVar("Received", bound=StrEnum)
Row = tuple[Before, Sequence[StrEnum]]


def draw(table: Mapping[tuple[Before, Received], Row[Before]], start: Before) -> str:
    """Return a Mermaid state diagram; rows between the same two states with the same actions share an arrow."""
    arrows: dict[tuple[str, str, str], list[str]] = {}
    for (before, received), (after, actions) in table.items():
        arrows.setdefault((before.value, after.value, ", ".join(actions)), []).append(received.value)
    names = {state.value: state.name.lower() for state in type(start)}
    used = {state for one, other, _ in arrows for state in (one, other)}
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{value}" as {name}' for value, name in names.items() if value in used]
    lines.append(f"    [*] --> {names[start.value]}")
    for (one, other, acts), inputs in arrows.items():
        label = " or ".join(inputs) + (f" / {acts}" if acts else "")
        lines.append(f"    {names[one]} --> {names[other]} : {label.replace(':', '')}")
    return "\n".join([*lines, "```"])


def diagrams() -> dict[str, str]:
    """Return every diagram by its title."""
    drawn = {machine.name: draw(machine.table, machine.start) for machine in MACHINES}
    drawn["incoming dialog"] = draw(dialog.INCOMING, dialog.State.RECEIVED)
    drawn["outgoing dialog"] = draw(dialog.OUTGOING, dialog.State.CALLING)
    drawn["session"] = draw(session.SESSION, session.State.INITIAL)
    drawn["registration with a trunk"] = draw(trunk.REGISTRATION, trunk.State.UNREGISTERED)
    reach = {row: (after, ()) for row, after in trunk.REACH.items()}
    drawn["reach of an address"] = draw(reach, trunk.Reach.UNKNOWN)
    drawn["subscription"] = draw(subscription.SUBSCRIPTION, subscription.State.INIT)
    return drawn


def redraw(page: str) -> str:
    """Return the page with every diagram after its `<!-- diagram: title -->` drawn anew."""
    for title, drawn in diagrams().items():
        mark = f"<!-- diagram: {title} -->\n"
        before, _, after = page.partition(mark)
        after = re.sub(r"\A```mermaid\n.*?\n```\n", "", after, flags=re.DOTALL)
        page = f"{before}{mark}{drawn}\n{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(redraw(PAGE.read_text()))
