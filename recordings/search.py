"""Which recordings are meant: a filter over HTTP as a query.

Everything is found by beginnings, without case and diacritics: words that were said, words of the person's name, agents
and queues. Numbers are found by any run of their digits, as people write them (`0912`, `+84 912`, `912 345`).

Recordings are read newest first along the index of their start, and reading stops when the page is full. Words are
looked for in folded columns as they are read: a filter that fits few recordings reads many.
"""

import unicodedata
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from crm_bridge import person
from recordings.tables import Recording, Transcript
from recordings.text import terms

COUNTRY_CODE_DIGITS: Final = (1, 2, 3)  # E.164 section 6.2.1


class Filter(BaseModel):
    """What to list; every field given must fit."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=200, description="words that were said, by their beginnings")
    person: str = Field("", max_length=200, description="words of the customer's name, by their beginnings")
    number: str = Field("", max_length=64, description="digits of the caller's number, with or without its country")
    agent: str = Field("", max_length=64, description="the agent's name, or its beginning")
    queue: str = Field("", max_length=64, description="the queue's name, or its beginning")
    call: str = Field("", max_length=64)
    customer: str = Field("", max_length=64)
    since: AwareDatetime | None = Field(None, alias="from", description="started at or after this instant")
    until: AwareDatetime | None = Field(None, alias="to", description="started before this instant")
    limit: int = Field(50, ge=1, le=200)
    cursor: str = Field("", max_length=200, description="`next` of the page before")


def query(wanted: Filter) -> Select[Recording]:
    """Return the recordings that fit, newest first, without regard to `limit` and `cursor`."""
    found = select(Recording).order_by(Recording.started_at.desc(), Recording.id.desc())
    if wanted.q:
        found = found.join(Transcript, Transcript.recording_id == Recording.id)
        found = found.where(*(_begins_a_word(Transcript.folded, term) for term in terms(wanted.q) or [wanted.q]))
    if wanted.person:
        words = terms(wanted.person) or [wanted.person]
        found = found.where(*(_begins_a_word(Recording.person_folded, term) for term in words))
    if wanted.number:
        found = found.where(or_(false(), *(Recording.ani.like(pattern) for pattern in number_patterns(wanted.number))))
    if wanted.agent:
        found = found.where(Recording.agent.istartswith(wanted.agent, autoescape=True))
    if wanted.queue:
        found = found.where(Recording.queue.istartswith(wanted.queue, autoescape=True))
    if wanted.call:
        found = found.where(Recording.call_id == wanted.call)
    if wanted.customer:
        found = found.where(Recording.customer_id.in_(person.together(wanted.customer)))
    if wanted.since:
        found = found.where(Recording.started_at >= wanted.since.timestamp())
    if wanted.until:
        found = found.where(Recording.started_at < wanted.until.timestamp())
    return found


def number_patterns(written: str) -> list[str]:
    """Return what an E.164 number may look like (for LIKE) that somebody writes so, nothing where no digit is written.

    A `+` or `00` stands before a country code; a single 0 may be the trunk prefix that E.164 leaves out, `(0)` is.
    """
    bare = unicodedata.normalize("NFKC", written).strip()
    if international := bare.startswith("+"):
        bare = bare.replace("(0)", "")
    digits = "".join(str(unicodedata.decimal(sign)) for sign in bare if sign.isdecimal())
    rest = digits.lstrip("0")
    if not digits:
        return []
    if international:
        return [f"+{digits}%"]
    if not rest or rest == digits:
        return [f"%{digits}%"]
    if digits.startswith("00"):
        return [f"%{digits}%", f"+{rest}%"]
    return [f"%{digits}%", *(f"+{'_' * length}{rest}%" for length in COUNTRY_CODE_DIGITS)]


def _begins_a_word(folded: InstrumentedAttribute[str], term: str) -> ColumnElement[bool]:
    # Folded terms hold letters, digits and _ alone; only _ means something to LIKE.
    return folded.contains(f" {term}", autoescape=True)
