"""Who calls: the number on the wire becomes a customer and all that a flow, a greeting and a screen pop need of them.

Rule: a caller's number is worth assurance 1 and no more, whatever the profile has earned by other ways: it can be
forged. One that is only claimed, typed on a page, is worth nothing: the call joins the history of whom it names, and
nothing of that is told to whoever typed it. Nor is it to a number that a guest gave: somebody whose place in the
history is itself a claim. A withheld or unusable number neither finds nor makes a customer. A number that is known to
be shared finds nobody either, but says whom it may mean; so does one that others use besides its owner, who is taken
for the caller until told otherwise.
"""

from typing import Final

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge import candidates, case, facts, identity, known_caller, person, telling_apart, timeline
from crm_bridge.advice import Advice
from crm_bridge.known_caller import MAX_INTERACTIONS, MAX_OPEN_CASES, KnownCaller, shortened
from crm_bridge.match import CLAIMED_CONFIDENCE, claim, find_or_create
from crm_bridge.tables import Case, Interaction
from telephony.events import BY_NUMBER, CallerContext, OpenCase, PastInteraction

NO_OFFERS: Final = Advice()
CLAIMED_BY: Final = "web"
"""The channel of a number that was typed."""


async def find_caller(
    session: AsyncSession,
    number: str,
    withheld: bool,
    display_name: str,
    region: str,
    now: float,
    *,
    claimed: bool = False,
    dialled: bool = False,
) -> tuple[str, CallerContext]:
    """Return the caller's number in E.164 ("" for a withheld or unusable one) and what is known of the caller.

    A usable number that nobody knows makes a profile, with `known` false. `display_name` is what the network showed: a
    ground for the link, never the customer's name. `dialled`: it is we who call. Writes without committing; raises
    `match.MatchContended`.
    """
    ani = "" if withheld else identity.phone(number, region)
    if not ani:
        return "", CallerContext()
    if (known := await find_known(session, ani, now, claimed=claimed)) is not None:
        return ani, known
    found = await find_or_create(
        session,
        [claim(CLAIMED_BY if claimed else timeline.CALL, "phone", ani)],
        source=CLAIMED_BY if claimed else timeline.CALL,
        evidence=_evidence(display_name, claimed=claimed, dialled=dialled),
        now=now,
    )
    assurance = _assurance(found.confidence, claimed=claimed)
    if found.created:
        return ani, CallerContext(customer=found.customer, assurance=assurance)
    return ani, await read(session, found.customer, assurance, now)


async def find_known(
    session: AsyncSession, ani: str, now: float, *, claimed: bool = False, advice: Advice = NO_OFFERS
) -> CallerContext | None:
    """Return what is known of whose number (E.164) it is, None for nobody's. Only reads: once, as a rule."""
    found = await known_caller.read(session, ani)
    if found is None:
        return None
    if found.is_shared:
        return await _among(session, CallerContext(), found, ani)
    assurance = _assurance(found.confidence, claimed=claimed)
    if found.is_alone:
        context = advice.on(replace(found.context, assurance=assurance), found.orders, now)
    else:
        context = await read(session, found.context.customer, assurance, now, advice)
    return await _among(session, context, found, ani) if found.users else context


async def _among(session: AsyncSession, context: CallerContext, found: KnownCaller, ani: str) -> CallerContext:
    """Say whom the number may mean, and what tells them apart."""
    profiles = candidates.one_each([(found.context.customer, found.person), *found.users])
    if len(profiles) == 1 and not found.is_shared:
        return context
    field = telling_apart.best_field(await candidates.read(session, profiles, ani))
    return replace(context, candidates=profiles, tell_apart_by=field)


def _assurance(confidence: float, *, claimed: bool) -> int:
    return 0 if claimed or confidence < CLAIMED_CONFIDENCE else BY_NUMBER


async def read(
    session: AsyncSession, customer_id: str, assurance: int, now: float, advice: Advice = NO_OFFERS
) -> CallerContext:
    """Return the context of a known customer: open cases and last interactions newest first, at most ten of each.

    It is that of the whole person; `customer` is the profile alone, which the call will stay with.
    """
    who = await person.whole(session, customer_id)
    cases = await case.open_cases(session, who.ids, MAX_OPEN_CASES)
    interactions = await timeline.page(session, who.ids, limit=MAX_INTERACTIONS)
    # What a guest told answers no question for the others.
    known = await known_caller.around(session, who.ids, {customer_id} | set(who.ids) - who.guests)
    context = CallerContext(
        customer=customer_id,
        known=True,
        name=who.name,
        language=who.language,
        assurance=0 if customer_id in who.guests else assurance,
        tags=tuple(who.tags),
        open_cases=tuple(map(_open_case, cases)),
        last_interactions=tuple(map(_past_interaction, interactions)),
        fields=known.fields,
        last_by_channel=known.last_by_channel,
        last_agent=known.last_agent,
    )
    return advice.on(known_caller.with_facts(context, known.facts), facts.orders(known.facts), now)


def _open_case(row: Case) -> OpenCase:
    return OpenCase(row.id, row.subject, row.topic, row.channel, row.opened_at)


def _past_interaction(row: Interaction) -> PastInteraction:
    return PastInteraction(row.id, row.channel, row.direction, row.occurred_at, row.subject, shortened(row.text))


def _evidence(display_name: str, *, claimed: bool, dialled: bool) -> str:
    if claimed:
        return "typed on the caller's page"
    if dialled:
        return "a number that we called"
    shown = "".join(sign for sign in display_name if sign.isprintable()).strip()
    return f"the caller's number, shown as {shown}"[:255] if shown else "the caller's number"
