"""What somebody has to mend, for the supervisors' page."""

from fastapi import APIRouter, Request

from telephony.clock import iso
from telephony.routes import Body, running_funnel

router = APIRouter(tags=["alarms"])


class AlarmBody(Body):
    """Something that is to be mended: what it is, and how."""

    kind: str
    text: str
    mend: str
    at: str


@router.get("/alarms")
async def list_alarms(request: Request) -> list[AlarmBody]:
    """List what stands and what happened in the last hour, newest first."""
    alarms = running_funnel(request).alarms.present()
    return [AlarmBody(kind=each.kind, text=each.text, mend=each.mend, at=iso(each.at)) for each in alarms]
