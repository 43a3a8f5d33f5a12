"""`hotline hours list` and `emergency`. They work on the database itself; a server that runs on it soon follows."""

import time
from typing import Annotated, Literal

import typer

from hotline.database import Sessions
from hotline.terminal import Config, Data, Failed, audited, print_rows, say, settings_of, who, with_sessions
from telephony.clock import iso, iso_or_none


def add_to(group: typer.Typer) -> None:
    """Put the commands into a group."""
    group.command("list")(list_)
    group.command("emergency")(emergency)


def list_(config: Config = None, data: Data = None) -> None:
    """List the opening hours: how they stand, when they open next, and their emergency switches."""
    from ivr_flows.calendar import opens_next, state  # noqa: PLC0415
    from telephony.edge.hours import switches  # noqa: PLC0415
    from telephony.tables import HoursSwitch  # noqa: PLC0415

    settings, now = settings_of(config, data), time.time()

    async def read(sessions: Sessions) -> dict[str, HoursSwitch]:
        async with sessions() as session:
            return {row.name: row for row in await switches(session)}

    rows = []
    turned = with_sessions(settings, read)
    for name, hours in sorted(settings.hours.items()):
        row = turned.get(name)
        on = row is not None and row.emergency
        stands = state(hours.calendar, now, on)
        opens = iso_or_none(opens_next(hours.calendar, now)) or "-"
        at, by = (iso(row.at), row.by) if row is not None and row.version else ("-", "-")
        rows.append([name, stands, opens, "on" if on else "off", at, by])
    print_rows(["name", "state", "opens_next", "emergency", "turned_at", "turned_by"], rows)


def emergency(
    name: Annotated[str, typer.Argument(help="Of `hours` in the settings.")],
    to: Annotated[Literal["on", "off"], typer.Argument(metavar="on|off", help="What to turn the switch to.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Turn the emergency switch of opening hours; the running server follows within seconds."""
    from telephony.edge.hours import turn  # noqa: PLC0415

    settings = settings_of(config, data)
    if name not in settings.hours:
        known = ", ".join(sorted(settings.hours)) or "none: `hours` is empty"
        raise Failed(f"there are no opening hours `{name}` in the settings; there are {known}")

    async def run(sessions: Sessions) -> bool:
        _, turned = await turn(sessions, name, to == "on", who(), time.time())
        if turned:
            await audited(sessions, f"hours.emergency_{to}", name)
        return turned

    turned = with_sessions(settings, run)
    say(f"The emergency switch of `{name}` is {to}{'' if turned else ', as it was before'}.")
