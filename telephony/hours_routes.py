"""Opening hours as they stand, and their emergency switches."""

from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request

from crm_bridge.asker import audited, name_of
from ivr_flows.calendar import State, opens_next
from telephony.clock import iso, iso_or_none
from telephony.edge.hours import change_of, switches, turn
from telephony.routes import Body, reading, running_funnel
from telephony.switchboard import opening
from telephony.tables import HoursSwitch

router = APIRouter(tags=["hours"])

NOT_THERE: Final[dict[int | str, dict[str, Any]]] = {404: {"description": "There are no such opening hours."}}


class HoursBody(Body):
    """Opening hours as they stand. `opens_next` leaves emergencies aside: now where it is open, null for not within a
    year. `turned_at` and `turned_by` are of the emergency switch, null where nobody ever turned it."""

    name: str
    timezone: str
    state: State
    opens_next: str | None
    emergency: bool
    turned_at: str | None
    turned_by: str | None


class SwitchIn(Body):
    """What the emergency switch is turned to."""

    emergency: bool


@router.get("/hours")
async def list_hours(request: Request) -> list[HoursBody]:
    """List the opening hours of the settings as they stand."""
    running_funnel(request)
    async with reading(request) as session:
        rows = {row.name: row for row in await switches(session)}
    names = sorted(running_funnel(request).switchboard.board.settings.hours)
    return [_body(request, name, rows.get(name)) for name in names]


@router.put("/hours/{name}", responses=NOT_THERE)
async def turn_switch(request: Request, name: str, body: SwitchIn) -> HoursBody:
    """Turn the emergency switch: flows that ask for these hours take their exit `emergency` from now on, or no more."""
    funnel = running_funnel(request)
    if name not in funnel.switchboard.board.settings.hours:
        raise HTTPException(404, "There are no such opening hours; GET /api/v1/hours lists them.")
    state = request.app.state
    row, turned = await turn(state.sessions, name, body.emergency, name_of(request), state.clock.now())
    funnel.happened(change_of(row))
    if turned:
        await audited(request, f"hours.emergency_{'on' if row.emergency else 'off'}", name)
    return _body(request, name, row)


def _body(request: Request, name: str, row: HoursSwitch | None) -> HoursBody:
    board, now = running_funnel(request).switchboard.board, request.app.state.clock.now()
    calendar = board.settings.hours[name]
    opens = opens_next(calendar, now)
    return HoursBody(
        name=name,
        timezone=calendar.timezone,
        state=opening.state(board, name, now),
        opens_next=iso_or_none(opens),
        emergency=name in opening.emergencies(board),
        turned_at=iso(row.at) if row and row.version else None,
        turned_by=row.by if row and row.version else None,
    )
