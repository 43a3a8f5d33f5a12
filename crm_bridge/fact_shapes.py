"""Facts of a customer as they come in, with an event or by somebody's hand, and as they go out.

`said` of each shape is what `crm_bridge.facts` keeps of it: only what was sent.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from crm_bridge import facts
from crm_bridge.facts import Fact, NeedState, OrderState, PaymentState, Saying, SurveyKind
from crm_bridge.lines import Channel, Instant, Line, Name, Shape
from telephony.clock import iso
from telephony.events import Need, Order, Survey

MAX_PRODUCTS: Final = 50
WITHOUT_YEAR: Final = "--"


def _number_of_money(amount: Decimal) -> Decimal:
    if not amount.is_finite():
        raise ValueError("is no amount: write it as 1250000 or 12.50")
    return amount


def _birthday(text: str) -> str:
    """Return a birthday that there is, as ISO 8601 has it, or `--05-17` without its year."""
    try:
        day = date.fromisoformat(f"2000{text[1:]}" if text.startswith(WITHOUT_YEAR) else text)
    except ValueError:
        raise ValueError("is no birthday: write it as 1990-05-17, or as --05-17 without its year") from None
    if text.startswith(WITHOUT_YEAR):
        return f"--{day:%m-%d}"
    if day.year < 1900:
        raise ValueError("lies before 1900: check the year")
    return day.isoformat()


Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4), AfterValidator(_number_of_money)]
Currency = Annotated[Line, Field(pattern="^[A-Z]{3}$", description="ISO 4217, such as VND.")]
Number = Annotated[Line, Field(min_length=1, max_length=facts.MAX_KEY_LENGTH)]
Birthday = Annotated[
    Line, AfterValidator(_birthday), Field(description="1990-05-17, or --05-17 without its year.", max_length=10)
]
Product = Annotated[Line, Field(min_length=1, max_length=100)]


class FactIn(Shape):
    """Says only what is sent; null says that there is none."""

    keys: ClassVar[frozenset[str]] = frozenset()

    def said(self) -> dict[str, Any]:
        """Return the fields that were sent, as they are kept."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
        return {name: _kept(value) for name, value in values.items() if name not in self.keys}


def _kept(value: Any) -> Any:
    match value:
        case Decimal():
            return facts.amount(str(value))
        case None | str() | int() | float():
            return value
        case list() | tuple():
            return list(value)
    return value.timestamp()


class _Sum(FactIn):
    amount: Money | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _has_a_currency(self) -> Self:
        if self.amount is not None and self.currency is None:
            raise ValueError("says an amount without its `currency`: send it, such as VND")
        return self


class OrderIn(_Sum):
    """An order, by its number. `items` is how many things are in it, `products` what they are called."""

    keys = frozenset({"number"})
    number: Number
    state: OrderState | None = None
    items: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    products: Annotated[list[Product], Field(max_length=MAX_PRODUCTS)] | None = None
    placed_at: Instant | None = None


class PaymentIn(_Sum):
    """A payment, by its id; without one it is that of its event. `order` is the number of what was paid."""

    keys = frozenset({"id"})
    id: Number | None = None
    state: PaymentState | None = None
    method: Name | None = None
    order: Number | None = None


class VisitIn(FactIn):
    """A visit: of which shop, for what."""

    place: Name | None = None
    purpose: Name | None = None


class NeedIn(FactIn):
    """Something that the customer wants. The same words are the same need."""

    what: Number
    state: NeedState | None = None
    since: Instant | None = None


class SurveyIn(FactIn):
    """An answer to a survey: `score` of at most `of`."""

    kind: SurveyKind = "csat"
    score: Annotated[int, Field(ge=0, le=100)]
    of: Annotated[int, Field(ge=1, le=100)] = 5
    comment: Annotated[Line, Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _at_most_of(self) -> Self:
        if self.kind == "nps" and "of" not in self.model_fields_set:
            object.__setattr__(self, "of", 10)
        if self.score > self.of:
            raise ValueError(f"is more than {self.of}, the most: send `of` with it")
        return self

    def said(self) -> dict[str, Any]:
        """Return the whole answer, with what was left out."""
        return {"kind": self.kind, "score": self.score, "of": self.of, "comment": self.comment}


class FactsIn(Shape):
    """What an event tells of its customer, kept with the customer: the newest word of each field."""

    orders: Annotated[tuple[OrderIn, ...], Field(max_length=50)] = ()
    payments: Annotated[tuple[PaymentIn, ...], Field(max_length=50)] = ()
    visit: VisitIn | None = None
    needs: Annotated[tuple[NeedIn, ...], Field(max_length=20)] = ()
    survey: SurveyIn | None = None
    birthday: Birthday | None = None
    preferred_channel: Channel | None = None

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if sum(each.id is None for each in self.payments) > 1:
            raise ValueError("has several payments without an `id`: send that of each")
        return self

    def sayings(self) -> Iterator[Saying]:
        """Yield what is said."""
        for order in self.orders:
            yield Saying("order", order.number, order.said())
        for payment in self.payments:
            yield Saying("payment", payment.id or facts.OWN, payment.said())
        if self.visit is not None:
            yield Saying("visit", facts.OWN, self.visit.said() or {"place": None})
        for need in self.needs:
            yield Saying("need", facts.need_key(need.what), need.said())
        if self.survey is not None:
            yield Saying("survey", facts.OWN, self.survey.said())
        likes = {name: getattr(self, name) for name in ("birthday", "preferred_channel") if getattr(self, name)}
        if likes:
            yield Saying("profile", facts.PROFILE, likes)


# ----------------------------------------------------------------------------------------------------- out


class OrderOut(Shape):
    """An order. `amount` is a decimal number; `updated_at` is when the last word of it came."""

    number: str
    state: str | None
    amount: str | None
    currency: str | None
    items: int | None
    products: list[str]
    placed_at: str
    updated_at: str
    channel: str


class PaymentOut(Shape):
    """A payment."""

    id: str
    state: str | None
    amount: str | None
    currency: str | None
    method: str | None
    order: str | None
    at: str
    channel: str


class VisitOut(Shape):
    """A visit."""

    place: str | None
    purpose: str | None
    at: str
    channel: str


class NeedOut(Shape):
    """Something that the customer wants."""

    what: str
    state: NeedState
    since: str
    channel: str


class SurveyOut(Shape):
    """What the customer last thought of us."""

    kind: str
    score: int
    of: int
    sentiment: Literal["good", "neutral", "bad"]
    comment: str | None
    at: str
    channel: str


def order_out(order: Order) -> OrderOut:
    """Return an order."""
    return OrderOut(
        number=order.number,
        state=order.state or None,
        amount=order.amount or None,
        currency=order.currency or None,
        items=order.items or None,
        products=list(order.products),
        placed_at=iso(order.placed_at),
        updated_at=iso(order.at),
        channel=order.channel,
    )


def payment_out(fact: Fact) -> PaymentOut:
    """Return a payment."""
    return PaymentOut(
        id=fact.key,
        state=fact.get("state"),
        amount=fact.get("amount"),
        currency=fact.get("currency"),
        method=fact.get("method"),
        order=fact.get("order"),
        at=iso(fact.first_at),
        channel=fact.channel,
    )


def visit_out(fact: Fact) -> VisitOut:
    """Return a visit."""
    return VisitOut(place=fact.get("place"), purpose=fact.get("purpose"), at=iso(fact.first_at), channel=fact.channel)


_NEEDS: Final[dict[str, NeedState]] = {"open": "open", "met": "met", "dropped": "dropped"}


def need_out(need: Need) -> NeedOut:
    """Return a need."""
    return NeedOut(what=need.what, state=_NEEDS[need.state], since=iso(need.since), channel=need.channel)


def survey_out(survey: Survey, comment: str | None) -> SurveyOut:
    """Return an answer to a survey."""
    return SurveyOut(
        kind=survey.kind,
        score=survey.score,
        of=survey.of,
        sentiment=facts.sentiment(survey.kind, survey.score, survey.of),
        comment=comment,
        at=iso(survey.at),
        channel=survey.channel,
    )
