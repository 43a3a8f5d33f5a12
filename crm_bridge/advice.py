"""Why somebody probably calls, and what they may be offered next: rules over what is known of them. Pure.

Rule 1: the same knowledge gives the same advice, and each piece of it says why. Nothing is guessed from words.
Rule 2: a reason is a matter that is not finished: an open case, an order on its way, a message that nobody answered, an
answer to a survey that was bad, a wish. Of several it is the one of which something was heard last; of one instant, the
first in this list. Each kind but cases has a time after which nobody calls for it any more.
Rule 3: the first offer of the file whose conditions all hold is the next offer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from crm_bridge.facts import NOT_BOUGHT, ON_THE_WAY
from crm_bridge.identity import fold
from telephony.clock import datetime_of, iso
from telephony.events import CallerContext, Offer, Order, PastInteraction, Reason

DAY_S: Final = 86_400.0
ORDER_DAYS: Final = 30
MESSAGE_DAYS: Final = 7
SURVEY_DAYS: Final = 14
NEED_DAYS: Final = 180
SPOKEN: Final = frozenset({"call", "store"})
"""Channels in which the customer had somebody in front of them: an entry of theirs is no question that waits."""
LEAP_DAY: Final = (2, 29)


@dataclass(frozen=True, slots=True)
class Rule:
    """An offer of the file: what is said of it by language, and when it fits. Empty conditions hold for everybody.

    `birthday_within` is days around today, None for any; `first`, `last` are the days of its time. Products, tags and
    needs are folded (`identity.fold`); `spent` is the least sum of orders in a currency.
    """

    name: str
    text: Mapping[str, str]
    birthday_within: int | None = None
    bought: frozenset[str] = frozenset()
    not_bought: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    without_tags: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    spent: Decimal = Decimal(0)
    currency: str = ""
    open_cases: bool | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """The rules, and where days begin and end."""

    offers: Sequence[Rule] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))

    def on(self, context: CallerContext, orders: Sequence[Order], now: float) -> CallerContext:
        """Return a context with the reason and the offer; `orders` are all that are known of."""
        today = datetime_of(now).astimezone(self.zone).date()
        reason = reason_of(replace(context, orders=tuple(orders)), now)
        return replace(context, reason=reason, offer=offer_of(self.offers, context, orders, today))


def reason_of(context: CallerContext, now: float) -> Reason | None:
    """Return why the customer probably calls, None where nothing is open."""
    # `max` keeps the first of equals.
    return max(_matters(context, now), key=lambda each: each.at, default=None)


def _matters(context: CallerContext, now: float) -> Iterator[Reason]:
    def is_recent(at: float, days: int) -> bool:
        return now - at <= days * DAY_S

    for case in context.open_cases:
        yield Reason("case", case.id, case.topic, f"case open since {iso(case.opened_at)}", case.opened_at)
    for order in context.orders:
        if order.state in ON_THE_WAY and is_recent(order.at, ORDER_DAYS):
            yield Reason("order", order.number, order.number, f"order {order.state} since {iso(order.at)}", order.at)
    waiting = _unanswered(context.last_interactions)
    if waiting is not None and is_recent(waiting.occurred_at, MESSAGE_DAYS):
        why = f"{waiting.channel} of {iso(waiting.occurred_at)} is not answered"
        yield Reason("message", waiting.id, waiting.subject, why, waiting.occurred_at)
    survey = context.survey
    if survey is not None and survey.sentiment == "bad" and is_recent(survey.at, SURVEY_DAYS):
        why = f"{survey.kind} {survey.score} of {survey.of} on {iso(survey.at)}"
        yield Reason("survey", "", "", why, survey.at)
    for need in context.needs:
        if need.state == "open" and is_recent(need.at, NEED_DAYS):
            yield Reason("need", "", need.what, f"wish open since {iso(need.since)}", need.at)


def _unanswered(newest_first: Sequence[PastInteraction]) -> PastInteraction | None:
    """Return the customer's last message, unless somebody wrote or talked to them since."""
    last = next(iter(newest_first), None)
    is_question = last is not None and last.direction == "inbound" and last.channel not in SPOKEN
    return last if is_question else None


# ------------------------------------------------------------------------------------------------------------ offers


def offer_of(rules: Sequence[Rule], context: CallerContext, orders: Sequence[Order], today: date) -> Offer | None:
    """Return the first offer that fits, None for none."""
    known = Known(context, orders, today)
    for rule in rules:
        grounds = _grounds(rule, known)
        if grounds is not None:
            return Offer(rule.name, dict(rule.text), "; ".join(grounds) or "for everybody")
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """What conditions are asked of."""

    context: CallerContext
    orders: Sequence[Order]
    today: date

    @property
    def bought(self) -> frozenset[str]:
        """Everything in orders that were kept, folded."""
        kept = (each for each in self.orders if each.state not in NOT_BOUGHT)
        return frozenset(fold(product) for each in kept for product in each.products)

    def spent(self, currency: str) -> Decimal:
        """Return the sum of the orders that were kept."""
        kept = (each for each in self.orders if each.state not in NOT_BOUGHT and each.currency == currency)
        return sum((Decimal(each.amount) for each in kept if each.amount), Decimal(0))


Condition = Callable[[Rule, Known], str | None]
"""Returns the ground on which a condition holds, empty where it says nothing, None where it does not hold."""


def _grounds(rule: Rule, known: Known) -> list[str] | None:
    grounds = []
    for condition in CONDITIONS:
        ground = condition(rule, known)
        if ground is None:
            return None
        if ground:
            grounds.append(ground)
    return grounds


def _in_its_time(rule: Rule, known: Known) -> str | None:
    began = rule.first is None or rule.first <= known.today
    return "" if began and (rule.last is None or known.today <= rule.last) else None


def _birthday(rule: Rule, known: Known) -> str | None:
    if rule.birthday_within is None:
        return ""
    away = days_to_birthday(known.context.birthday, known.today)
    if away is None or abs(away) > rule.birthday_within:
        return None
    return "birthday today" if not away else f"birthday in {away} days" if away > 0 else f"birthday {-away} days ago"


def days_to_birthday(birthday: str, today: date) -> int | None:
    """Return the days from today to the nearest birthday, negative for one that is over; None for an unknown one. Who
    was born on a leap day has it on the last of February elsewhere."""
    try:
        month, day = int(birthday[-5:-3]), int(birthday[-2:])
        around = [_on(year, month, day) for year in (today.year - 1, today.year, today.year + 1)]
    except ValueError:
        return None
    return min(((each - today).days for each in around), key=abs)


def _on(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        if (month, day) == LEAP_DAY:
            return date(year, 2, 28)
        raise


def _bought(rule: Rule, known: Known) -> str | None:
    if not rule.bought:
        return ""
    found = rule.bought & known.bought
    return f"bought {', '.join(sorted(found))}" if found else None


def _not_bought(rule: Rule, known: Known) -> str | None:
    if not rule.not_bought:
        return ""
    return None if rule.not_bought & known.bought else f"did not buy {', '.join(sorted(rule.not_bought))}"


def _tagged(rule: Rule, known: Known) -> str | None:
    tags = {fold(tag) for tag in known.context.tags}
    if tags & rule.without_tags or not rule.tags <= tags:
        return None
    return f"tagged {', '.join(sorted(rule.tags))}" if rule.tags else ""


def _speaks(rule: Rule, known: Known) -> str | None:
    if not rule.languages:
        return ""
    language = known.context.language.partition("-")[0].lower()
    return f"speaks {language}" if language in rule.languages else None


def _wants(rule: Rule, known: Known) -> str | None:
    if not rule.needs:
        return ""
    found = rule.needs & {fold(each.what) for each in known.context.needs if each.state == "open"}
    return f"wants {', '.join(sorted(found))}" if found else None


def _prefers(rule: Rule, known: Known) -> str | None:
    if not rule.channels:
        return ""
    channel = known.context.preferred_channel
    return f"prefers {channel}" if channel in rule.channels else None


def _spent(rule: Rule, known: Known) -> str | None:
    if not rule.currency:
        return ""
    spent = known.spent(rule.currency)
    return f"spent {spent:f} {rule.currency}" if spent >= rule.spent else None


def _has_cases(rule: Rule, known: Known) -> str | None:
    if rule.open_cases is None:
        return ""
    if bool(known.context.open_cases) is not rule.open_cases:
        return None
    return "has an open case" if rule.open_cases else "has no open case"


CONDITIONS: Final[tuple[Condition, ...]] = (
    _in_its_time,
    _birthday,
    _bought,
    _not_bought,
    _tagged,
    _speaks,
    _wants,
    _prefers,
    _spent,
    _has_cases,
)
