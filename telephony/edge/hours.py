"""The emergency switches of opening hours, as rows: they outlive the program, and whoever turns one is named."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from telephony.events import HoursChanged
from telephony.tables import HoursSwitch


async def switches(session: AsyncSession) -> Sequence[HoursSwitch]:
    """Return every switch that was ever turned."""
    return (await session.scalars(select(HoursSwitch).order_by(HoursSwitch.name))).all()


def change_of(row: HoursSwitch) -> HoursChanged:
    """Return what the switchboard is told of a switch."""
    return HoursChanged(row.name, row.emergency, row.version)


async def turn(
    sessions: async_sessionmaker[AsyncSession], name: str, emergency: bool, by: str, now: float
) -> tuple[HoursSwitch, bool]:
    """Turn a switch, and commit. Return its row, and whether it stood otherwise before."""
    try:
        return await _turn(sessions, name, emergency, by, now)
    except IntegrityError:  # another writer was first, and its row is there now
        return await _turn(sessions, name, emergency, by, now)


async def _turn(
    sessions: async_sessionmaker[AsyncSession], name: str, emergency: bool, by: str, now: float
) -> tuple[HoursSwitch, bool]:
    async with sessions.begin() as session:
        row = await session.get(HoursSwitch, name, with_for_update=True)
        if row is None:
            row = HoursSwitch(name=name, emergency=False, version=0, at=now, by=by)
            session.add(row)
        turned = row.emergency != emergency
        if turned:
            row.emergency, row.at, row.by = emergency, now, by
            row.version += 1
    return row, turned
