"""An import that is taken back: nothing of it is left that nobody has used."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from crm_bridge import customer, person
from crm_bridge.context import find_caller
from crm_bridge.importing.report import Report
from crm_bridge.importing.run import Job, Watch, rehearse, run
from crm_bridge.importing.source_file import look
from crm_bridge.importing.tables import Import, ImportIdentity, ImportProfile
from crm_bridge.importing.undo import NoImport, UndoRefused, undo
from crm_bridge.match import claim, find_or_create
from crm_bridge.person import Grounds
from crm_bridge.privacy import hold
from crm_bridge.privacy.tables import Consent, PrivacyRequest
from crm_bridge.rows import new_id
from crm_bridge.tables import Customer, CustomerField, Identity, IdentityUser
from crm_bridge.timeline import NewInteraction, record, record_call
from hotline.database import open_engine, reading, session_factory
from tests.crm_bridge.calls import snapshot
from tests.crm_bridge.conftest import Sessions
from tests.crm_bridge.importing.conftest import NOW, count, everybody, profile_of
from tests.databases import migrate

Imported = Callable[..., Awaitable[Report]]

AN = "Mã KH,phone,email,name,tags\n1,0912345678,an@example.vn,An,vip\n"


async def undone(sessions: Sessions, report: Report) -> Report:
    return await undo(sessions, report.id, lambda: NOW + 100.0)


async def event(sessions: Sessions, channel: str, *claims: tuple[Any, str], now: float = NOW + 10.0) -> str:
    async with sessions.begin() as session:
        made = tuple(claim(channel, kind, value) for kind, value in claims)
        recorded = await record(session, NewInteraction(channel, "inbound", now, made), now)
        return recorded.interaction.customer_id


async def test_what_nobody_has_used_is_gone(imported: Imported, sessions: Sessions) -> None:
    await event(sessions, "email", ("email", "an@example.vn"), now=NOW - 10.0)
    before = await everybody(sessions)
    report = await imported(AN + "2,0381234567,,Bình,\n")
    after = await undone(sessions, report)
    assert await everybody(sessions) == before
    assert (after.state, after.counts.removed, after.counts.kept) == ("undone", 1, 0)
    assert [await count(sessions, table) for table in (ImportProfile, ImportIdentity)] == [0, 0]


async def test_what_an_entry_was_matched_by_stays_and_is_told(imported: Imported, sessions: Sessions) -> None:
    report = await imported(AN)
    caller = await event(sessions, "sms", ("phone", "+84912345678"))
    after = await undone(sessions, report)
    found = await profile_of(sessions, "phone", "+84912345678")
    assert found.person.id == caller
    assert [each.value for each in found.identities] == ["+84912345678"]
    assert (found.person.name, found.person.tags) == ("", [])
    assert [each.as_json() for each in after.of("kept")] == [
        {"row": 2, "cause": "the profile is in use", "mend": "look at it", "customer": caller}
    ]


async def test_a_call_that_has_just_begun_is_kept_whoever_takes_its_profile_away(
    imported: Imported, sessions: Sessions
) -> None:
    report = await imported(AN)
    async with sessions.begin() as session:
        ani, found = await find_caller(session, "0912345678", False, "", "VN", NOW + 5.0)
    await undone(sessions, report)
    for number in range(2):
        async with sessions.begin() as session:
            call = snapshot(found.customer, ani=ani, context=found, started_at=NOW + 5.0)
            await record_call(session, call, NOW + 6.0 + number)
    (entry,) = (await everybody(sessions))["interactions"]
    assert entry[1] == (await profile_of(sessions, "phone", "+84912345678")).person.id != found.customer


async def test_a_field_that_somebody_changed_stays(imported: Imported, sessions: Sessions) -> None:
    report = await imported(AN)
    async with sessions.begin() as session:
        row = (await session.scalars(select(Customer))).one()
        row.name, row.tags = "Anh An", ["vip", "nợ"]
    after = await undone(sessions, report)
    async with reading(sessions)() as session:
        left = (await session.scalars(select(Customer))).one()
    assert (left.name, left.tags, after.counts.kept) == ("Anh An", ["nợ"], 1)
    assert await count(sessions, Identity) == 0


async def test_a_profile_that_somebody_merged_stays_whole(imported: Imported, sessions: Sessions) -> None:
    report = await imported(AN)
    other = await event(sessions, "zalo", ("zalo", "z1"))
    mine = (await profile_of(sessions, "email", "an@example.vn")).person.id
    async with sessions.begin() as session:
        await person.merge(session, mine, other, Grounds("one person", "page", "lan"), NOW + 20.0)
    await undone(sessions, report)
    assert (await profile_of(sessions, "email", "an@example.vn")).person.id == mine


async def test_what_a_later_import_leaned_on_stays(imported: Imported, sessions: Sessions) -> None:
    first = await imported("phone\n0912345678\n", source="pos")
    await imported("phone,email\n0912345678,an@example.vn\n", source="crm")
    await undone(sessions, first)
    found = await profile_of(sessions, "phone", "+84912345678")
    assert {each.value for each in found.identities} == {"+84912345678", "an@example.vn"}


async def test_imports_are_taken_back_one_over_the_other(imported: Imported, sessions: Sessions) -> None:
    first = await imported("phone\n0912345678\n", source="pos")
    between = await everybody(sessions)
    second = await imported("phone,email,name\n0912345678,an@example.vn,An\n", source="crm", now=NOW + 1.0)
    await undone(sessions, second)
    assert await everybody(sessions) == between
    await undone(sessions, first)
    assert await count(sessions, Customer) == 0


async def test_an_import_that_died_is_taken_back_as_far_as_it_came(sessions: Sessions, job: Callable[..., Job]) -> None:
    class Died(Exception):
        pass

    def die(_rows: int) -> None:
        raise Died

    with pytest.raises(Died):
        await run(sessions, job(AN + "2,0381234567,,Bình,\n", rows=1), lambda: NOW, Watch(rows=die))
    async with reading(sessions)() as session:
        (died,) = (await session.scalars(select(Import.id))).all()
    await undo(sessions, died, lambda: NOW)
    assert await count(sessions, Customer) == 0
    again = await run(sessions, job(AN), lambda: NOW)
    assert (again.id != died, again.counts.created) == (True, 1)


async def test_whom_a_legal_hold_keeps_stays_as_they_are(imported: Imported, sessions: Sessions) -> None:
    report = await imported(AN + "2,0381234567,,Bình,\n")
    mine = (await profile_of(sessions, "email", "an@example.vn")).person.id
    async with sessions.begin() as session:
        await hold.place(session, mine, "court", "lan", None, NOW)
    after = await undone(sessions, report)
    found = await profile_of(sessions, "phone", "+84912345678")
    assert (found.person.id, found.person.name, found.person.tags, len(found.identities)) == (mine, "An", ["vip"], 3)
    assert (after.state, after.counts.removed, after.counts.kept) == ("undone", 1, 1)
    assert [each.as_json() for each in after.of("kept")] == [
        {"row": 2, "cause": "a legal hold keeps it", "mend": "look at it", "customer": mine}
    ]


async def test_a_hold_keeps_what_an_import_brought_to_a_profile_that_was_there(
    imported: Imported, sessions: Sessions
) -> None:
    there = await event(sessions, "email", ("email", "an@example.vn"), now=NOW - 10.0)
    report = await imported(AN)
    before = await everybody(sessions)
    async with sessions.begin() as session:
        await hold.place(session, there, "court", "lan", None, NOW)
    after = await undone(sessions, report)
    assert await everybody(sessions) == before
    assert [each.cause for each in after.of("kept")] == ["a legal hold keeps it"]


async def test_a_hold_that_is_over_keeps_nobody_and_its_row_keeps_the_profile(
    imported: Imported, sessions: Sessions
) -> None:
    report = await imported(AN)
    mine = (await profile_of(sessions, "email", "an@example.vn")).person.id
    async with sessions.begin() as session:
        await hold.place(session, mine, "court", "lan", NOW + 1.0, NOW)
    after = await undone(sessions, report)
    assert [each.cause for each in after.of("kept")] == ["the profile is in use"]
    assert (await count(sessions, Customer), await count(sessions, Identity)) == (1, 0)


def _field(customer_id: str) -> CustomerField:
    return CustomerField(id=new_id(), customer_id=customer_id, name="order", value="7", channel="call", at=NOW)


def _consent(customer_id: str) -> Consent:
    return Consent(
        id=new_id(), customer_id=customer_id, purpose="marketing", state="given", at=NOW, channel="zalo", notice="?",
        notice_version="1", by="lan", created_at=NOW,
    )  # fmt: skip


def _request(customer_id: str) -> PrivacyRequest:
    return PrivacyRequest(
        id=new_id(), kind="export", customer_id=customer_id, received_at=NOW, answer_due_at=NOW, due_at=NOW, outcome="",
        note="", by="lan", done_by="",
    )  # fmt: skip


@pytest.mark.parametrize("row", [_field, _consent, _request])
async def test_a_profile_of_which_anything_was_kept_stays(
    imported: Imported, sessions: Sessions, row: Callable[[str], Any]
) -> None:
    report = await imported(AN)
    mine = (await profile_of(sessions, "email", "an@example.vn")).person.id
    async with sessions.begin() as session:
        session.add(row(mine))
    after = await undone(sessions, report)
    assert (after.state, after.counts.removed, after.counts.kept) == ("undone", 0, 1)
    async with reading(sessions)() as session:
        assert (await session.scalars(select(Customer.id))).all() == [mine]


async def test_what_cannot_be_taken_back_says_why(imported: Imported, sessions: Sessions) -> None:
    report = await imported(AN)
    await undone(sessions, report)
    with pytest.raises(UndoRefused, match="undone already"):
        await undone(sessions, report)
    with pytest.raises(NoImport, match="no such import"):
        await undo(sessions, "f" * 32, lambda: NOW)


# ------------------------------------------------------------------------------------------------------------ laws

PHONES = ["0912345678", "84912345678", "01681234567", "0381234567", "113", "028 3823 4567"]
EMAILS = ["an@example.vn", "An@Example.vn", "an.b@example.vn", "x"]
NAMES = ["", "An Bình", "Nguyễn Văn An"]
ROW = st.tuples(
    st.sampled_from(["", "1", "2", "3"]),
    st.sampled_from(["", *PHONES]),
    st.sampled_from(["", *EMAILS]),
    st.sampled_from(NAMES),
    st.sampled_from(["", "vip", "vip;nợ"]),
)
EVENT = st.lists(
    st.one_of(
        st.tuples(st.just("phone"), st.sampled_from(["+84912345678", "+84381234567", "+842838234567"])),
        st.tuples(st.just("email"), st.sampled_from(["an@example.vn", "an.b@example.vn"])),
        st.tuples(st.just("external"), st.sampled_from(["pos:1", "pos:2"])),
    ),
    min_size=1,
    max_size=3,
)


@given(
    events=st.lists(st.tuples(EVENT, st.sampled_from(NAMES)), max_size=4),
    rows=st.lists(ROW, min_size=1, max_size=8),
    size=st.integers(1, 4),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_importing_and_taking_back_is_the_identity_and_a_rehearsal_tells_the_truth(
    events: list[tuple[list[tuple[Any, str]], str]], rows: list[tuple[str, ...]], size: int
) -> None:
    asyncio.run(_law(events, rows, size))


async def _law(events: list[tuple[list[tuple[Any, str]], str]], rows: list[tuple[str, ...]], size: int) -> None:
    with TemporaryDirectory() as folder:
        migrate(f"sqlite:///{folder}/bridge.db")
        engine = open_engine(f"sqlite:///{folder}/bridge.db")
        sessions = session_factory(engine)
        for claims, name in events:
            made = [claim("call", kind, value) for kind, value in claims]
            async with sessions.begin() as session:
                match = await find_or_create(session, made, source="call", evidence="x", now=NOW - 9)
                await customer.fill(session, match.customer, name=name, language="", tags=[], now=NOW - 9)
        path = Path(folder) / "file.csv"
        path.write_text("Mã KH,phone,email,name,tags\n" + "".join(",".join(row) + "\n" for row in rows), "utf-8")
        job = Job(look(path), "pos", "VN", rows=size)
        before = await everybody(sessions)
        rehearsed = await rehearse(sessions, job, lambda: NOW)
        assert await everybody(sessions) == before
        real = await run(sessions, job, lambda: NOW)
        assert rehearsed.counts == real.counts
        assert [each.as_json() for each in rehearsed.notes] == [each.as_json() for each in real.notes]
        between = await everybody(sessions)
        again = await run(sessions, job, lambda: NOW + 1.0)
        assert await everybody(sessions) == between
        assert again.counts.created == again.counts.identities == again.counts.filled == 0
        for each in (again, real):
            await undo(sessions, each.id, lambda: NOW + 2.0)
        assert await everybody(sessions) == before
        await engine.dispose()


async def test_who_uses_a_number_of_another_row_is_a_candidate_as_long_as_the_import_holds(
    imported: Imported, sessions: Sessions
) -> None:
    report = await imported("Mã KH,phone,name\n1,0912345678,Lan\n2,,Minh\n2,0912345678,\n")
    async with sessions() as session:
        lan, minh = [(await profile_of(sessions, "external", f"pos:{each}")).person.id for each in "12"]
        _, found = await find_caller(session, "0912345678", False, "", "VN", NOW)
        assert (found.customer, found.candidates) == (lan, (lan, minh))
    await undone(sessions, report)
    assert await count(sessions, IdentityUser) == 0


async def test_a_shared_number_puts_no_rows_together(imported: Imported, sessions: Sessions) -> None:
    await event(sessions, "zalo", ("zalo", "z1"), ("phone", "+84912345678"), now=NOW - 10.0)
    async with sessions.begin() as session:
        await session.execute(update(Identity).where(Identity.kind == "phone").values(shared_at=NOW))
    report = await imported("Mã KH,phone,name\n1,0912345678,Lan\n2,0912345678,Minh\n,0912345678,Hoa\n")
    assert (report.counts.created, report.counts.matched, report.counts.contradictions) == (2, 1, 0)
    async with sessions() as session:
        _, found = await find_caller(session, "0912345678", False, "", "VN", NOW)
        owner = await session.scalar(select(Customer.name).where(Customer.id == found.candidates[0]))
    assert len(found.candidates) == 3
    assert owner == ""  # a row that has nothing else says nothing of whose number it is
