"""Files become people: found or made, each once, nobody merged."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from crm_bridge import customer, suggestion
from crm_bridge.importing.report import Report
from crm_bridge.importing.run import ImportContended, Job, Watch, rehearse, run
from crm_bridge.importing.tables import Import
from crm_bridge.importing.words import lines
from crm_bridge.match import claim, find_or_create
from crm_bridge.tables import Customer
from hotline.database import reading
from tests.crm_bridge.conftest import Sessions
from tests.crm_bridge.importing.conftest import NOW, count, everybody, profile_of

Imported = Callable[..., Awaitable[Report]]

FILE = """Mã khách hàng,Họ tên,Số điện thoại,Email,Thẻ,Nghề nghiệp
1,Nguyễn Văn An,0912 345 678,an@example.vn,vip,1990
2,Trần Bình,0168 123 4567,,,
,Bình,+84 38 123 4567,binh@example.vn,mới,
3,Lê Chi,113,,,
4,Không Ai,,,,
,,113,,,
,,,,,
"""


async def test_a_file_makes_each_person_once(imported: Imported, sessions: Sessions) -> None:
    report = await imported(FILE)
    counts = report.counts
    assert (counts.read, counts.created, counts.repeated, counts.refused, counts.blank) == (7, 4, 1, 1, 1)
    assert (counts.ignored, counts.matched, counts.identities, counts.filled) == (2, 0, 8, 6)
    assert [each.as_json() for each in report.of("repeated")] == [{"row": 4, "column": "phone", "same_as_row": 3}]
    assert [each.row for each in report.of("refused")] == [7]
    assert [(each.row, each.column) for each in report.of("ignored")] == [(5, "Số điện thoại"), (7, "Số điện thoại")]
    assert report.remarks == ('columns that were not taken: Nghề nghiệp; --map "COLUMN=FIELD" takes one',)
    binh = await profile_of(sessions, "phone", "+84381234567")
    assert (binh.person.name, binh.person.tags) == ("Trần Bình", ["mới"])
    assert {(each.kind, each.value, each.assurance, each.source) for each in binh.identities} == {
        ("external", "pos:2", 1, "pos"),
        ("phone", "+84381234567", 0, "pos"),
        ("email", "binh@example.vn", 0, "pos"),
    }
    assert {each.evidence for each in binh.identities} == {f"import {report.id} row 3", f"import {report.id} row 4"}
    assert sorted(each.confidence for each in binh.identities) == pytest.approx(
        [0.64, 0.8, 1.0]
    )  # one leans on the other


async def test_the_same_file_again_changes_nobody(imported: Imported, sessions: Sessions) -> None:
    await imported(FILE)
    before = await everybody(sessions)
    again = await imported(FILE, now=NOW + 60.0)
    assert await everybody(sessions) == before
    assert (again.counts.created, again.counts.matched, again.counts.identities, again.counts.filled) == (0, 4, 0, 0)


async def test_whoever_is_known_is_found_and_only_what_is_empty_is_filled(
    imported: Imported, sessions: Sessions
) -> None:
    async with sessions.begin() as writer:
        match = await find_or_create(
            writer, [claim("call", "phone", "+84912345678")], source="call", evidence="x", now=NOW - 9
        )
        await customer.fill(writer, match.customer, name="Anh An", language="", tags=["nợ"], now=NOW - 9)
    report = await imported(FILE)
    found = await profile_of(sessions, "email", "an@example.vn")
    assert found.person.id == match.customer
    assert (found.person.name, found.person.tags, found.person.updated_at) == ("Anh An", ["nợ", "vip"], NOW)
    assert [each.as_json() for each in report.of("matched")] == [
        {"row": 2, "column": "phone", "customer": match.customer}
    ]
    assert {each.value: each.assurance for each in found.identities} == {
        "+84912345678": 1,
        "an@example.vn": 0,
        "pos:1": 0,  # it leans on a claim
    }


async def test_a_row_that_names_two_people_merges_nobody(imported: Imported, sessions: Sessions) -> None:
    await imported("phone,email\n0912345678,\n,binh@example.vn\n")
    before = await everybody(sessions)
    report = await imported("phone,email,name\n0912345678,binh@example.vn,An\n")
    assert (report.counts.matched, report.counts.contradictions) == (1, 1)
    assert len((await everybody(sessions))["identities"]) == len(before["identities"])
    (note,) = report.of("contradiction")
    binh = await profile_of(sessions, "email", "binh@example.vn")
    assert note.as_json() == {"row": 2, "column": "email", "customer": binh.person.id}
    an = await profile_of(sessions, "phone", "+84912345678")
    assert an.person.id == note.customer_id
    async with reading(sessions)() as session:
        (found,) = await suggestion.read(session, an.person)
    assert (found.person.id, found.grounds) == (binh.person.id, ("contradicting_claim",))
    claimed = suggestion.ContradictingClaim("email", "binh@example.vn", None, report.id, 2)
    assert found.claims == (claimed,)


async def test_tags_that_a_profile_has_no_room_for_are_told(imported: Imported) -> None:
    await imported("phone,tags\n0912345678," + ";".join(f"t{number}" for number in range(40)) + "\n")
    report = await imported("phone,tags\n0912345678," + ";".join(f"u{number}" for number in range(11)) + "\n")
    (note,) = report.of("ignored")
    assert (note.row, note.column, report.counts.ignored) == (2, "tags", 1)
    assert [line for line in lines(report) if "beyond the 50" in line] == [
        f"{report.file}:2: tags: {note.cause}; {note.mend}"
    ]


async def test_namesakes_with_much_the_same_address_are_shown_and_not_merged(imported: Imported) -> None:
    report = await imported(
        "name,email\nNguyễn Văn An,an.nguyen@example.vn\nnguyen van an,annguyen@example.com\nNguyễn Văn An,x@y.vn\n"
    )
    assert report.counts.created == 3
    assert [each.as_json() for each in report.of("similar")] == [{"row": 3, "column": "email", "other_row": 2}]


async def test_a_rehearsal_says_what_the_real_run_says_and_writes_nothing(
    sessions: Sessions, job: Callable[..., Job], imported: Imported
) -> None:
    await imported("phone,name\n0912345678,\n0381234567,Bình\n")
    before = await everybody(sessions)
    told: list[str] = []
    watch = Watch(trouble=lambda trouble: told.append(str(trouble)))
    rehearsed = await rehearse(sessions, job(FILE, rows=2), lambda: NOW, watch)
    assert await everybody(sessions) == before
    assert await count(sessions, Import) == 1
    assert (rehearsed.id, rehearsed.state) == ("", "dry run")
    assert len(told) == rehearsed.counts.refused + rehearsed.counts.ignored
    real = await imported(FILE)
    assert rehearsed.counts == real.counts
    assert [(each.kind, each.as_json()) for each in rehearsed.notes] == [
        (each.kind, each.as_json()) for each in real.notes
    ]


async def test_batches_of_any_size_give_the_same(imported: Imported, sessions: Sessions) -> None:
    report = await imported(FILE, rows=1)
    assert (report.counts.read, report.counts.created, report.counts.repeated) == (7, 4, 1)
    assert report.of("repeated")[0].other_row == 3


async def test_an_import_that_died_goes_on_where_it_was(sessions: Sessions, job: Callable[..., Job]) -> None:
    class Died(Exception):
        pass

    def die(rows: int) -> None:
        if rows == 5:
            raise Died

    with pytest.raises(Died):
        await run(sessions, job(FILE, rows=2), lambda: NOW, Watch(rows=die))
    async with reading(sessions)() as session:
        died = (await session.scalars(select(Import))).one()
    assert (died.state, died.rows_read) == ("running", 5)
    report = await run(sessions, job(FILE), lambda: NOW + 5.0)
    assert (report.id, report.state) == (died.id, "done")
    counts = report.counts
    assert (counts.read, counts.created, counts.repeated, counts.refused, counts.blank) == (7, 4, 1, 1, 1)
    assert await count(sessions, Customer) == 4


async def test_a_run_that_another_has_overtaken_ends(
    sessions: Sessions, job: Callable[..., Job], tmp_path: Path
) -> None:
    def overtake(_rows: int) -> None:
        with sqlite3.connect(tmp_path / "bridge.db") as other:
            other.execute("UPDATE imports SET rows_read = 8")
        other.close()

    with pytest.raises(ImportContended, match="another run"):
        await run(sessions, job(FILE, rows=2), lambda: NOW, Watch(rows=overtake))


async def test_ids_without_a_system_are_not_taken_and_that_is_said(imported: Imported) -> None:
    report = await imported("id,phone\n1,0912345678\n", source="")
    assert report.counts.identities == 1
    assert report.remarks == ("ids in id were not taken: say with --source whose ids they are",)
