"""An e-mail on the timeline of whoever sent it, and in the case that it is about.

Rule 1: a reply goes to the case of the message it answers, the nearest first, if that is a case of the same person,
whichever of their profiles it is in. Whoever knows the id of somebody else's message gets into no case of theirs.
Rule 2: without one it goes to the case of its thread, named after the message that began it. So replies and what they
answer meet, in whatever order they come.
Rule 3: what a machine answered opens nothing, and opens nothing again.
Rule 4: nothing here commits.
"""

import hashlib
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import person, timeline
from crm_bridge.case import CaseReference
from crm_bridge.mail.message import CHANNEL, MAX_ID, Mail
from crm_bridge.mail.own_words import matter
from crm_bridge.match import Claim, claim_by
from crm_bridge.tables import Case, Identity, Interaction

NO_SUBJECT: Final = "E-mail"
MAX_FIRST_LINE: Final = 80


async def record(session: AsyncSession, mail: Mail, now: float) -> timeline.Recorded:
    """Put an e-mail that concerns a customer where it belongs. Raises what `crm_bridge.timeline.record` raises."""
    posted = mail.interaction()
    return await timeline.record(
        session,
        timeline.NewInteraction(
            channel=posted.channel,
            direction=posted.direction,
            occurred_at=mail.occurred_at,
            claims=(claim_of(mail),),
            subject=posted.subject,
            text=posted.text,
            case=await _case(session, mail),
            external_id=mail.external_id,
            name=posted.attributes.name,
            attributes=posted.attributes.stored(),
        ),
        now,
    )


def claim_of(mail: Mail) -> Claim:
    """Return what the sender of a mail is worth: anybody can write any From, unless a trusted server vouches for it."""
    return claim_by("email" if mail.is_authentic else None, "email", mail.sender)


async def _case(session: AsyncSession, mail: Mail) -> CaseReference | None:
    is_new_word = mail.kind == "person"
    customer = await session.scalar(
        select(Identity.customer_id).where(Identity.kind == "email", Identity.value == mail.sender)
    )
    found = customer and (await _answered(session, mail, customer) or await _of_thread(session, mail, customer))
    if found:
        return CaseReference(id=found, state="open" if is_new_word else None)
    if not is_new_word:
        return None
    return CaseReference(external_id=thread_key(mail), subject=_about(mail), state="open")


async def _answered(session: AsyncSession, mail: Mail, customer: str) -> str:
    """Return the case of the nearest message answered that is of the customer's person, "" if there is none."""
    if not mail.references:
        return ""
    rows = await session.execute(
        select(Interaction.external_id, Interaction.case_id).where(
            Interaction.channel == CHANNEL,
            Interaction.external_id.in_(mail.references),
            Interaction.customer_id.in_(person.together(customer)),
            Interaction.case_id.is_not(None),
        )
    )
    cases = {message_id: case for message_id, case in rows}  # noqa: C416 - mypy does not take rows for pairs
    return next((cases[each] or "" for each in mail.references if each in cases), "")


async def _of_thread(session: AsyncSession, mail: Mail, customer: str) -> str:
    key = (Case.customer_id.in_(person.together(customer)), Case.external_id == thread_key(mail))
    # Several profiles may have written in one thread before they were put together.
    return await session.scalar(select(Case.id).where(*key).order_by(Case.opened_at, Case.id).limit(1)) or ""


def thread_key(mail: Mail) -> str:
    """Return the external id of the case of a thread."""
    key = f"mail:{mail.root}"
    return key if len(key) <= MAX_ID else "mail:sha256:" + hashlib.sha256(mail.root.encode()).hexdigest()


def _about(mail: Mail) -> str:
    return matter(mail.subject).strip() or first_line(mail.text) or NO_SUBJECT


def first_line(text: str) -> str:
    """Return what a letter is about that has no subject. It ends wherever a reader of mail sees a line end."""
    return next(iter(text.strip().splitlines()), "").strip()[:MAX_FIRST_LINE].rstrip()
