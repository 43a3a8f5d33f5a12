"""Persons of several profiles on a real database: nothing moves, everything follows."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from crm_bridge import context, customer, person
from crm_bridge.identity import fold
from crm_bridge.match import claim, find_or_create
from crm_bridge.person import Grounds, LinkRefused, NoLink, NoProfile
from crm_bridge.tables import Case, Customer, CustomerLink, Identity, Interaction
from crm_bridge.timeline import page, record_call
from tests.crm_bridge.calls import snapshot
from tests.crm_bridge.conftest import Sessions

GROUNDS = Grounds("both gave the number of one identity card", "page", "huong")
NAMES = ("", "An", "Bình", "Chi", "Dũng")
IDS = tuple(f"{number:032}" for number in range(len(NAMES)))
NOW = 1000.0


async def make_people(session: AsyncSession) -> None:
    """Five profiles, the later the older, each with an identity, an open case and three entries."""
    for number, profile in enumerate(IDS):
        name, made = NAMES[number], {"created_at": 100.0 - number, "updated_at": 100.0}
        await session.execute(
            insert(Customer).values(id=profile, name=name, name_folded=fold(name), tags=["all", str(number)], **made)
        )
        session.add(
            Identity(id=profile, customer_id=profile, kind="phone", value=phone(number), source="call", created_at=1.0)
        )
        case = {"subject": str(number), "channel": "email", "opened_at": float(number)}
        session.add(Case(id=profile, customer_id=profile, external_id="T-1", **case))
        for entry in range(3):
            session.add(
                Interaction(
                    id=f"{number}-{entry}",
                    customer_id=profile,
                    channel="zalo",
                    direction="inbound",
                    occurred_at=float(entry * 10 + number % 2),
                    created_at=1.0,
                )
            )
    await session.flush()


def phone(number: int) -> str:
    return f"+8491234567{number}"


@pytest.fixture
async def people(session: AsyncSession) -> None:
    await make_people(session)


async def everything(session: AsyncSession) -> dict[str, list[Any]]:
    """Return every row of every table but the links, as they stand in the database."""
    tables = ("customers", "identities", "cases", "interactions")
    return {
        name: [tuple(row) for row in await session.execute(text(f"SELECT * FROM {name} ORDER BY id"))]  # noqa: S608
        for name in tables
    }


# ------------------------------------------------------------------------------------- random histories, and a model


@dataclass
class Model:
    """The same in sets: each event that holds, in its order, done anew whenever one is taken back."""

    events: list[tuple[str, str, int, int]] = field(default_factory=list)  # id, kind, profile, other

    def groups(self) -> set[frozenset[int]]:
        found = {frozenset({number}) for number in range(len(IDS))}
        for _, kind, one, other in self.events:
            touched = {each for each in found if one in each or (kind == "merge" and other in each)}
            whole = frozenset[int]().union(*touched)
            pieces = {whole} if kind == "merge" else {whole - {one}, frozenset({one})}
            found = (found - touched) | (pieces - {frozenset()})
        return found


Step = tuple[str, int, int]
Undone = dict[str, tuple[str, str, int, int]]
"""What was taken back, by the id of the undo."""
steps = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), st.integers(0, 4), st.integers(0, 4)),
        st.tuples(st.just("split"), st.integers(0, 4), st.integers(0, 4)),
        st.tuples(st.just("undo"), st.integers(0, 99), st.just(0)),
        st.tuples(st.just("redo"), st.integers(0, 99), st.just(0)),
    ),
    max_size=12,
)


async def take(session: AsyncSession, model: Model, undone: Undone, step: Step) -> None:
    """Do one step in the database and in the model."""
    kind, one, other = step
    groups = {number: whole for whole in model.groups() for number in whole}
    match kind:
        case "merge" if one != other:
            linked = await person.merge(session, IDS[one], IDS[other], GROUNDS, NOW)
            if not linked.repeated:
                model.events.append((linked.row.id, "merge", one, other))
        case "split" if len(groups[one]) > 1:
            linked = await person.split(session, IDS[min(groups[one])], IDS[one], GROUNDS, NOW)
            model.events.append((linked.row.id, "split", one, one))
        case "undo" if model.events:
            place = one % len(model.events)
            taken_back = model.events.pop(place)
            undoing = await person.undo(session, taken_back[0], GROUNDS, NOW)
            undone[undoing.row.id] = taken_back
        case "redo" if undone:
            undoing_id = sorted(undone)[one % len(undone)]
            again = undone.pop(undoing_id)
            await person.undo(session, undoing_id, GROUNDS, NOW)
            order = list(await session.scalars(select(CustomerLink.id).order_by(CustomerLink.at)))
            model.events = sorted([*model.events, again], key=lambda each: order.index(each[0]))


async def check(session: AsyncSession, model: Model) -> None:
    """Every way to read a person must show what the model says."""
    groups = model.groups()
    for whole in groups:
        oldest_first = tuple(IDS[number] for number in sorted(whole, reverse=True))
        for number in whole:
            profile = await customer.read(session, IDS[number])
            assert profile is not None
            assert profile.person.ids == oldest_first
            assert {each.value for each in profile.identities} == {phone(each) for each in whole}
            assert {each.id for each in profile.cases} == set(oldest_first)
            assert set(await session.scalars(person.together(IDS[number]))) == set(oldest_first)
            found = await customer.find(session, [("phone", phone(number))], limit=9)
            assert [each.person.ids for each in found] == [oldest_first]
            seen = await page(session, oldest_first, limit=99)
            expected = [(entry * 10.0 + each % 2, f"{each}-{entry}") for each in whole for entry in range(3)]
            assert [(row.occurred_at, row.id) for row in seen] == sorted(expected, reverse=True)
            assert [row.id for row in await page(session, oldest_first, limit=4)] == [row.id for row in seen[:4]]
    listed = await customer.find(session, [], limit=99)
    assert {each.person.ids for each in listed} == {
        tuple(IDS[number] for number in sorted(whole, reverse=True)) for whole in groups
    }
    assert len(listed) == len(groups)


@pytest.mark.timeout(120)  # many databases, on a machine that may be busy
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_random_histories_show_what_the_model_says_and_leave_no_trace(
    sessions: Sessions, history: list[Step]
) -> None:
    async with sessions() as session:  # rolled back at the end, so that every example starts from nothing
        await make_people(session)
        at_first = await everything(session)
        model, undone = Model(), Undone()
        for step in history:
            await take(session, model, undone, step)
            await check(session, model)
        while model.events:
            await take(session, model, undone, ("undo", len(history), 0))
        await check(session, model)
        assert await everything(session) == at_first


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([(0, 1), (1, 2), (3, 4)]))
async def test_merges_in_any_order_write_the_same(sessions: Sessions, order: list[tuple[int, int]]) -> None:
    async with sessions() as session:
        await make_people(session)
        for one, other in order:
            await person.merge(session, IDS[one], IDS[other], GROUNDS, NOW)
        found = await session.execute(select(Customer.id, Customer.person_id))
        heads = dict(found.all())
        assert heads == {IDS[0]: IDS[2], IDS[1]: IDS[2], IDS[2]: IDS[2], IDS[3]: IDS[4], IDS[4]: IDS[4]}


# --------------------------------------------------------------------------------------------------- what follows


@pytest.mark.usefixtures("people")
async def test_what_one_profile_lacks_the_next_one_has(session: AsyncSession) -> None:
    await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    await person.merge(session, IDS[0], IDS[3], GROUNDS, NOW)
    who = await person.read(session, IDS[0])
    assert who is not None
    assert (who.id, who.name, who.language) == (IDS[3], "Chi", "")
    assert who.tags == ["all", "3", "1", "0"]
    found = await customer.find(session, [], "an", limit=9)
    assert [each.person.ids for each in found] == [who.ids]  # by the name of a younger profile


@pytest.mark.usefixtures("people")
async def test_a_caller_is_greeted_with_what_the_whole_person_has(session: AsyncSession) -> None:
    await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    ani, found = await context.find_caller(session, phone(0), False, "", "VN", NOW)
    assert (ani, found.customer, found.name, found.assurance) == (phone(0), IDS[0], "An", 1)
    assert [each.id for each in found.open_cases] == [IDS[1], IDS[0]]
    assert [each.id for each in found.last_interactions] == ["1-2", "0-2", "1-1", "0-1", "1-0", "0-0"]


@pytest.mark.usefixtures("people")
async def test_identities_of_one_person_contradict_each_other_no_more(session: AsyncSession) -> None:
    claims = [claim("call", "phone", phone(0)), claim("call", "phone", phone(1))]
    apart = await find_or_create(session, claims, source="call", evidence="", now=NOW)
    assert [(each.value, each.customer) for each in apart.conflicts] == [(phone(1), IDS[1])]
    await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    merged = await find_or_create(session, claims, source="call", evidence="", now=NOW)
    assert (merged.customer, merged.conflicts) == (IDS[0], ())
    third = await find_or_create(
        session, [claims[0], claim("call", "phone", phone(2))], source="", evidence="", now=NOW
    )
    assert [each.customer for each in third.conflicts] == [IDS[2]]


@pytest.mark.usefixtures("people")
async def test_the_look_up_of_a_caller_is_one_read_and_five_for_merged_ones(
    session: AsyncSession, engine: AsyncEngine
) -> None:
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counted.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    await context.find_caller(session, phone(0), False, "", "VN", NOW)
    alone = len(counted)
    await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    counted.clear()
    await context.find_caller(session, phone(0), False, "", "VN", NOW)
    assert (alone, len(counted)) == (1, 5)


@pytest.mark.usefixtures("people")
async def test_a_call_stays_with_its_profile_and_joins_a_case_of_the_whole_person(session: AsyncSession) -> None:
    merged = await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    await record_call(session, snapshot(IDS[0], case=IDS[1]), now=NOW)
    call = (await session.scalars(select(Interaction).where(Interaction.channel == "call"))).one()
    assert (call.customer_id, call.case_id) == (IDS[0], IDS[1])
    assert call.id in {row.id for row in await page(session, (IDS[1], IDS[0]), limit=9)}
    await person.undo(session, merged.row.id, GROUNDS, NOW)
    apart = await person.read(session, IDS[1])
    assert apart is not None
    assert call.id not in {row.id for row in await page(session, apart.ids, limit=9)}


async def plan(session: AsyncSession, query: Any) -> str:
    """Return how SQLite reads what a query asks for."""
    compiled = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    return "\n".join(row[3] for row in await session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))


@pytest.mark.usefixtures("people")
async def test_the_profiles_of_a_person_are_found_by_indexes(session: AsyncSession) -> None:
    how = await plan(session, person.together(IDS[0]))
    assert "SCAN customers" not in how
    assert "ix_customers_person_id" in how


# --------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.usefixtures("people")
async def test_what_says_nothing_is_refused_with_the_reason(session: AsyncSession) -> None:
    with pytest.raises(LinkRefused, match="with itself"):
        await person.merge(session, IDS[0], IDS[0], GROUNDS, NOW)
    with pytest.raises(NoProfile):
        await person.merge(session, IDS[0], "nobody", GROUNDS, NOW)
    with pytest.raises(LinkRefused, match="one profile only"):
        await person.split(session, IDS[0], IDS[0], GROUNDS, NOW)
    with pytest.raises(LinkRefused, match="not one of this person"):
        await person.split(session, IDS[0], IDS[1], GROUNDS, NOW)
    with pytest.raises(NoLink):
        await person.undo(session, "nothing", GROUNDS, NOW)


@pytest.mark.usefixtures("people")
async def test_an_event_is_undone_once(session: AsyncSession) -> None:
    merged = await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    undone = await person.undo(session, merged.row.id, GROUNDS, NOW)
    assert (merged.effect, undone.effect) == ("merged", "split")
    assert undone.persons == ((IDS[0],), (IDS[1],))
    with pytest.raises(LinkRefused, match="undone already"):
        await person.undo(session, merged.row.id, GROUNDS, NOW)
    assert (await person.undo(session, undone.row.id, GROUNDS, NOW)).persons == ((IDS[1], IDS[0]),)


@pytest.mark.usefixtures("people")
async def test_the_same_merge_again_writes_nothing(session: AsyncSession) -> None:
    first = await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    again = await person.merge(session, IDS[1], IDS[0], GROUNDS, NOW)
    assert (again.row.id, again.repeated, again.effect) == (first.row.id, True, "none")
    assert again.persons == first.persons == ((IDS[1], IDS[0]),)
    assert len(await person.history(session, [IDS[0]])) == 1


@pytest.mark.usefixtures("people")
async def test_events_keep_their_order_when_the_clock_is_set_back(session: AsyncSession) -> None:
    merged = await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    taken_out = await person.split(session, IDS[0], IDS[0], GROUNDS, NOW - 500.0)
    again = await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW - 900.0)
    rows = await person.history(session, [IDS[1]])
    assert [row.id for row in rows] == [merged.row.id, taken_out.row.id, again.row.id]
    assert (await person.undo(session, again.row.id, GROUNDS, NOW)).effect == "split"


@pytest.mark.usefixtures("people")
async def test_a_person_has_no_more_profiles_than_a_look_up_should_read(
    session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person, "MAX_PROFILES", 2)
    await person.merge(session, IDS[0], IDS[1], GROUNDS, NOW)
    with pytest.raises(LinkRefused, match="more than 2 profiles"):
        await person.merge(session, IDS[1], IDS[2], GROUNDS, NOW)
    assert len(await person.history(session, IDS)) == 1
