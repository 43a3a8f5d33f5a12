"""The e-mails of a case, so that the next one joins them, and the answer to it finds the case again."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.mail.message import CHANNEL, message_ids
from crm_bridge.mail.own_words import matter
from crm_bridge.tables import Interaction

MAX_REFERENCES: Final = 20
MAX_SUBJECT: Final = 500


@dataclass(frozen=True, slots=True)
class Thread:
    """What the letters of a case are about, "" for a case without any, and their Message-IDs, the oldest first."""

    subject: str = ""
    references: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The subject of the next letter, "" where there is nothing to answer."""
        return f"Re: {self.subject}"[:MAX_SUBJECT] if self.subject else ""


async def of_case(session: AsyncSession, case_id: str | None, but: str) -> Thread:
    """Return the thread of a case, its newest letters, without the interaction `but`."""
    if case_id is None:
        return Thread()
    rows = await session.execute(
        select(Interaction.external_id, Interaction.subject)
        .where(Interaction.case_id == case_id, Interaction.channel == CHANNEL, Interaction.id != but)
        .order_by(Interaction.occurred_at.desc(), Interaction.id.desc())
        .limit(MAX_REFERENCES)
    )
    # Letters without an id of their own are known by a hash, which nobody can refer to.
    letters = [(ids[0], subject) for id_, subject in rows if (ids := message_ids(id_ or "")) and ids[0] == id_]
    if not letters:
        return Thread()
    return Thread(matter(letters[0][1]).strip(), tuple(id_ for id_, _ in reversed(letters)))
