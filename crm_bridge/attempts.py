"""Attempts that are counted, for an hour, so that nobody can go on trying: by marks that tell nothing of whom.

Rule: they are counted in the database, so that neither more calls, nor other numbers, nor a restart give more of them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.rows import new_id
from crm_bridge.tables import VerificationAttempt

WINDOW_S: Final = 3600.0


def mark(text: str) -> str:
    """Return the mark of what attempts are counted for."""
    return hashlib.sha256(text.encode()).hexdigest()


async def left(session: AsyncSession, most: Mapping[str, int], now: float) -> int:
    """Return how many attempts there are left, of those that each mark may have in an hour (`most`); none where that is
    not above zero. Forgets what is older, without committing."""
    await session.execute(delete(VerificationAttempt).where(VerificationAttempt.at < now - WINDOW_S))
    counted = (
        select(VerificationAttempt.mark, func.count())
        .where(VerificationAttempt.mark.in_(most))
        .group_by(VerificationAttempt.mark)
    )
    made = {mark: count for mark, count in await session.execute(counted)}  # noqa: C416 - rows are no pairs for mypy
    return min(allowed - made.get(mark, 0) for mark, allowed in most.items())


async def count(session: AsyncSession, marks: Iterable[str], now: float) -> None:
    """Count an attempt for each mark. Writes without committing."""
    session.add_all(VerificationAttempt(id=new_id(), mark=mark, at=now) for mark in marks)
    await session.flush()
