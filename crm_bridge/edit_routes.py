"""Changing a person by hand over HTTP, and what was said of one, by whom. Mounted under `/api/v1`.

Reads of `app.state` what `crm_bridge.routes` reads, and `audit` (`await audit(request, what, about)`).
"""

from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import Field, JsonValue, model_validator

from crm_bridge import customer, edit, fact_rows, facts
from crm_bridge.asker import audited, name_of
from crm_bridge.edit import Change
from crm_bridge.fact_shapes import Birthday, NeedIn, OrderIn, PaymentIn
from crm_bridge.facts import Saying
from crm_bridge.lines import Channel, Language, Line, Name, Shape
from crm_bridge.person import NoProfile
from crm_bridge.routes import NO_CUSTOMER, Reading, person_of, shown
from crm_bridge.shapes import CustomerOut
from crm_bridge.tables import FactStatement
from telephony.clock import iso

router = APIRouter(tags=["customers"])

MAX_STATEMENTS: Final = 200


class CustomerChange(Shape):
    """What is to be changed: a field that is left out stays as it is, null empties one. `tags` are all that there are
    to be; orders, payments and needs are changed in the fields that are sent, or added."""

    name: Name | None = None
    language: Language | None = None
    tags: Annotated[list[Annotated[Line, Field(min_length=1, max_length=64)]], Field(max_length=50)] | None = None
    birthday: Birthday | None = None
    preferred_channel: Channel | None = None
    orders: Annotated[tuple[OrderIn, ...], Field(max_length=50)] = ()
    payments: Annotated[tuple[PaymentIn, ...], Field(max_length=50)] = ()
    needs: Annotated[tuple[NeedIn, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _has_ids(self) -> Self:
        if any(each.id is None for each in self.payments):
            raise ValueError("has a payment without its `id`: send that of each")
        return self


class StatementOut(Shape):
    """What was said of a fact: `at` is when it was so, `heard_at` when we heard of it. `by` is the person who said it,
    null for a program; `source` the interaction, `import:ID` or `crm:NAME` that did, null for a person."""

    kind: str
    key: str
    said: dict[str, JsonValue]
    at: str
    heard_at: str
    channel: str
    by: str | None
    source: str | None


class StatementList(Shape):
    """What was said of a person, what we heard last first."""

    items: list[StatementOut]


@router.patch("/customers/{customer_id}", responses={404: {"description": "There is no such customer."}})
async def change_customer(request: Request, customer_id: str, body: CustomerChange) -> CustomerOut:
    """Change what is known of a person; what you say is newer than whatever was said before, and is kept."""
    state = request.app.state
    now = state.clock.now()
    async with state.sessions() as session:
        try:
            who = (await person_of(session, customer_id)).id
            changed = await edit.apply(session, who, _change(body), name_of(request), now)
        except NoProfile as error:
            raise HTTPException(404, NO_CUSTOMER) from error
        await session.commit()
        profile = await customer.read(session, who)
        if profile is None:  # erased a moment ago
            raise HTTPException(404, NO_CUSTOMER)
        (answer,) = await shown(session, [profile], now)
    if changed:
        await audited(request, "customer.change", who)
        state.publish("customer.updated", {"customer": who})
    return answer


@router.get("/customers/{customer_id}/facts", responses={404: {"description": "There is no such customer."}})
async def list_facts(
    session: Reading, customer_id: str, limit: Annotated[int, Query(ge=1, le=MAX_STATEMENTS)] = 50
) -> StatementList:
    """List what was said of a person: orders, payments, visits, needs, surveys, and what somebody changed by hand."""
    rows = await fact_rows.history(session, (await person_of(session, customer_id)).ids, limit)
    return StatementList(items=[_statement_out(row) for row in rows])


def _change(body: CustomerChange) -> Change:
    def sent(name: str, nothing: Any) -> Any:
        """Return a field that was sent, as it is kept where it is to be emptied; None for one that was not."""
        value = getattr(body, name)
        return None if name not in body.model_fields_set else nothing if value is None else value

    sent_likes = [name for name in ("birthday", "preferred_channel") if name in body.model_fields_set]
    likes: dict[str, Any] = {name: getattr(body, name) for name in sent_likes}
    return Change(
        name=sent("name", ""),
        language=sent("language", ""),
        tags=sent("tags", []),
        sayings=(
            Saying("profile", facts.PROFILE, likes),
            *(Saying("order", each.number, each.said()) for each in body.orders),
            *(Saying("payment", each.id or "", each.said()) for each in body.payments),
            *(Saying("need", facts.need_key(each.what), each.said()) for each in body.needs),
        ),
    )


def _statement_out(row: FactStatement) -> StatementOut:
    return StatementOut(
        kind=row.kind,
        key=row.key,
        said=row.said,
        at=iso(row.at),
        heard_at=iso(row.created_at),
        channel=row.channel,
        by=row.by or None,
        source=row.origin or None,
    )
