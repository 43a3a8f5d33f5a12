"""How far the folders of mail servers have been read."""

from dataclasses import dataclass

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.tables import MailFolder


@dataclass(frozen=True, slots=True)
class Place:
    """The last message read of the folder `name`, as the server counts (RFC 9051 section 2.3.1.1)."""

    name: str
    uid_validity: int
    uid: int


async def read_place(session: AsyncSession, name: str) -> Place | None:
    """Return how far a folder has been read; None if it never was."""
    row = await session.get(MailFolder, name, populate_existing=True)
    return None if row is None else Place(row.name, row.uid_validity, row.uid)


async def write_place(session: AsyncSession, place: Place) -> None:
    """Write how far a folder has been read, without committing. One follower alone writes a folder's."""
    await session.execute(delete(MailFolder).where(MailFolder.name == place.name))
    await session.execute(insert(MailFolder).values(name=place.name, uid_validity=place.uid_validity, uid=place.uid))
