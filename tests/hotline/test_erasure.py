"""A person is erased from every place, whatever happens in the middle, and nobody else is."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from crm_bridge import customer, person, timeline
from crm_bridge.match import claim
from crm_bridge.person import Grounds, NoProfile
from crm_bridge.privacy import certificate, hold, reach
from crm_bridge.privacy.erasure import Eraser, Held, ScrubDelayed, StillRunning, Unfinished
from crm_bridge.privacy.files import KeptFile
from crm_bridge.privacy.places import PLACES
from crm_bridge.privacy.tables import Erasure, PrivacyRequest
from crm_bridge.tables import Customer, CustomerLink, Identity, Interaction
from crm_bridge.webhooks.outbox import Webhooks
from crm_bridge.webhooks.tables import WebhookEvent
from hotline import database, person_files, privacy
from hotline.config import Settings
from hotline.database import Sessions
from recordings.tables import Recording
from telephony.edge import call_rows, rows
from telephony.tables import Call, WrapUp
from tests.crm_bridge.webhooks.receiver import endpoint
from tests.hotline.conftest import NOW
from tests.hotline.people import E164, EMAIL, MARKS, NUMBER, WEBHOOKS, someone

GROUNDS = Grounds("one card, of Zebra", "api", "huong")


@pytest.fixture
def eraser(settings: Settings, sessions: Sessions) -> Eraser:
    return privacy.eraser(settings, sessions)


def now() -> float:
    return NOW + 100.0


def found_in(folder: Path, marks: Iterable[bytes] = MARKS) -> list[tuple[str, bytes]]:
    """Return where any of the marks stands, in the octets of every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(str(path.relative_to(folder)), mark) for path in files for mark in marks if mark in path.read_bytes()]


async def test_no_file_holds_an_octet_of_the_person_afterwards(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    assert {mark for _, mark in found_in(settings.data)} == set(MARKS)
    erasure, is_new = await eraser.erase(one.customer, "huong", now)
    assert (is_new, erasure.state) == (True, "done")
    assert found_in(settings.data) == []
    assert not list(settings.recordings_folder.rglob("*.wav"))
    assert not list((settings.data / "journals").rglob("*.jsonl"))


async def test_figures_stay_without_the_person(settings: Settings, sessions: Sessions, eraser: Eraser) -> None:
    one = await someone(settings, sessions, NOW)
    await eraser.erase(one.customer, "huong", now)
    async with sessions() as session:
        call = await session.get_one(Call, one.call)
        assert (call.queue, call.agent, call.ended_at, call.dnis) == ("care", "lan", NOW + 60, "19001234")
        assert (call.ani, call.number, call.customer_id, call.recording_id, call.context) == ("", "", None, None, {})
        assert rows.snapshot_of(call).context.known is False
        wrap_up = await session.get_one(WrapUp, (one.call, "lan"))
        assert (wrap_up.disposition, wrap_up.note) == ("resolved", "")
        request = await session.get_one(PrivacyRequest, "a" * 32)
        assert (request.customer_id, request.note, request.outcome, request.done_at) == (None, "", "done", now())


async def test_of_everybody_else_nothing_is_changed(settings: Settings, sessions: Sessions, eraser: Eraser) -> None:
    one = await someone(settings, sessions, NOW)
    other = await someone(settings, sessions, NOW, mark="x", number="0987654321", e164="+84987654321")
    before = await everything(sessions, other.customer)
    assert before.keys() == {place.table for place in PLACES} - {"legal_holds", "customer_links"}
    await eraser.erase(one.customer, "huong", now)
    assert await everything(sessions, other.customer) == before
    assert found_in(settings.data, [b"912345678"]) == []
    assert found_in(settings.data, [b"987654321"])


async def everything(sessions: Sessions, customer_id: str) -> dict[str, list[tuple[object, ...]]]:
    tables = database.tables()
    async with sessions() as session:
        whose = await reach.of_person(session, tables, customer_id)
        assert whose is not None
        return {
            place.table: [tuple(row) for row in found]
            async for place, found in reach.rows(session, tables, whose)
            if found
        }


async def test_the_certificate_says_what_was_erased_and_not_of_whom(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    erasure, _ = await eraser.erase(one.customer, "huong", now)
    statement = certificate.verify(json.loads(json.dumps(erasure.certificate)), eraser.key().public_key())
    assert statement["profiles"] == [certificate.mark(one.customer)]
    assert (statement["by"], statement["erasure"]) == ("huong", erasure.id)
    kinds = "transcripts recordings interactions cases identities consents customers calls wrap_ups privacy_requests"
    kinds += " customer_fields outgoing_messages import_profiles import_identities import_notes"
    kinds += " connector_cache customer_facts fact_statements identity_users voicemails callbacks"
    files = {"recording_files": 1, "journals": 1, "prompts": 1}
    assert statement["erased"] == dict.fromkeys(kinds.split(), 1) | files | {
        "identities": 2,
        "interactions": 2,
        "webhook_events": 3,
    }
    assert not any(mark.decode() in json.dumps(statement, ensure_ascii=False) for mark in MARKS)


async def test_events_of_others_that_only_look_alike_stay(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    of_others: list[dict[str, Any]] = [
        {"dnis": "19001237", "duration_s": 7.0, "asked_again": ["17"]},
        {"summary": f"Call from an to {E164}9: ended by agent"},
        {"ani": f"x{EMAIL}"},
    ]
    of_theirs: list[dict[str, Any]] = [
        {"ani": "7"},
        {"summary": f"Call from an to {E164}: ended by agent"},
        {"ani": f"a{EMAIL}"},
    ]
    async with sessions.begin() as session:
        session.add(
            Identity(id="7" * 32, customer_id=one.customer, kind="zalo", value="7", source="zalo", created_at=NOW)
        )
        for data in (*of_others, *of_theirs):
            await WEBHOOKS.tell(session, "call.ended", data, customer=None, now=NOW)
    await eraser.erase(one.customer, "huong", now)
    async with sessions() as session:
        left = await session.scalars(select(WebhookEvent.body).order_by(WebhookEvent.id))
        assert [json.loads(body)["data"] for body in left] == of_others


async def test_a_key_that_cannot_be_had_does_not_rewrite_the_database_again_and_again(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    scrubbed: list[None] = []

    async def scrub() -> str:
        scrubbed.append(None)
        raise ScrubDelayed("in use")

    def no_key() -> Any:
        raise certificate.KeyUnusable("no key")

    with pytest.raises(Unfinished, match="in use"):
        await dataclasses.replace(eraser, scrub=scrub).erase(one.customer, "huong", now)
    for _ in range(2):
        with pytest.raises(certificate.KeyUnusable):
            await dataclasses.replace(eraser, scrub=scrub, key=no_key).finish_all(now)
    assert len(scrubbed) == 1
    assert await eraser.finish_all(now) == 1


@pytest.mark.parametrize("change", [{"by": "somebody"}, {"profiles": []}, {"erased": {}}])
async def test_a_certificate_that_was_changed_proves_nothing(
    settings: Settings, sessions: Sessions, eraser: Eraser, change: dict[str, object]
) -> None:
    one = await someone(settings, sessions, NOW)
    erasure, _ = await eraser.erase(one.customer, "huong", now)
    forged = erasure.certificate | {"statement": erasure.certificate["statement"] | change}
    with pytest.raises(certificate.CertificateWrong, match="signature"):
        certificate.verify(forged, eraser.key().public_key())


@pytest.mark.parametrize(
    "wrong", [None, [], "x", {}, {"statement": {}, "signature": "*"}, {"statement": 7, "signature": ""}]
)
def test_what_is_no_certificate_is_said_to_be_none(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(certificate.CertificateWrong):
        certificate.verify(wrong, certificate.signing_key(tmp_path).public_key())


async def test_the_second_click_finds_what_the_first_did(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    (first, is_first), (second, is_second) = await asyncio.gather(
        eraser.erase(one.customer, "huong", now), eraser.erase(one.customer, "lan", now)
    )
    assert sorted([is_first, is_second]) == [False, True]
    assert first.certificate == second.certificate
    again, is_new = await eraser.erase(one.customer, "lan", lambda: NOW + 1000)
    assert (is_new, again.certificate) == (False, first.certificate)


@pytest.mark.parametrize("step", ["files", "scrub", "sign"])
async def test_what_a_crash_left_is_finished(
    settings: Settings, sessions: Sessions, eraser: Eraser, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    one = await someone(settings, sessions, NOW)

    class Crash(Exception):
        pass

    class Torn(person_files.PersonFiles):
        def remove(self, files: Iterable[KeptFile]) -> None:
            super().remove(list(files)[:1])
            raise Crash

    async def crash() -> str:
        raise Crash

    keys: list[object] = []

    def key_once() -> object:
        keys.append(None)
        if len(keys) > 1:
            raise Crash
        return eraser.key()

    whole = eraser.files
    assert isinstance(whole, person_files.PersonFiles)
    broken = {
        "files": {"files": Torn(whole.folders, whole.prompt_path)},
        "scrub": {"scrub": crash},
        "sign": {"key": key_once},
    }[step]
    with pytest.raises(Crash):
        await dataclasses.replace(eraser, **broken).erase(one.customer, "huong", now)  # type: ignore[arg-type]
    async with sessions() as session:
        assert await customer.read(session, one.customer) is None  # the rows went first, all or none
    assert await eraser.finish_all(now) == 1
    assert found_in(settings.data) == []
    erasure, is_new = await eraser.erase(one.customer, "huong", now)
    assert (is_new, erasure.state, erasure.certificate["statement"]["erased"]["journals"]) == (False, "done", 1)
    assert await eraser.finish_all(now) == 0


async def test_a_person_who_comes_again_is_new(settings: Settings, sessions: Sessions, eraser: Eraser) -> None:
    one = await someone(settings, sessions, NOW)
    await eraser.erase(one.customer, "huong", now)
    again = await someone(settings, sessions, NOW, mark="c")
    assert again.customer != one.customer
    async with sessions() as session:
        found = await timeline.page(session, (again.customer,), limit=10)
        assert all(entry.created_at == NOW for entry in found)
        assert len(found) == 2
    with pytest.raises(NoProfile):
        await eraser.erase("0" * 32, "huong", now)


async def test_all_profiles_of_a_person_go_and_a_hold_on_any_keeps_them(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    two = await someone(settings, sessions, NOW, mark="x", number="0987654321", e164="+84987654321")
    async with sessions.begin() as session:
        await person.merge(session, one.customer, two.customer, GROUNDS, NOW)
        await hold.place(session, two.customer, "court 7/2026", "huong", None, NOW)
    with pytest.raises(Held, match=r"by huong since 2026-.*court 7/2026") as refused:
        await eraser.erase(one.customer, "huong", now)
    assert refused.value.holds[0].reason == "court 7/2026"
    assert found_in(settings.data)
    async with sessions.begin() as session:
        await hold.release(session, one.customer, "huong", NOW + 1)
    erasure, _ = await eraser.erase(one.customer, "huong", now)
    assert set(erasure.profiles) == {one.customer, two.customer}
    assert found_in(settings.data, [*MARKS, b"987654321", b"court 7"]) == []
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CustomerLink)) == 0


async def test_a_hold_ends_by_itself_when_it_was_to(settings: Settings, sessions: Sessions, eraser: Eraser) -> None:
    one = await someone(settings, sessions, NOW)
    async with sessions.begin() as session:
        await hold.place(session, one.customer, "court", "huong", now(), NOW)
    with pytest.raises(Held):
        await eraser.erase(one.customer, "huong", lambda: now() - 1)
    await eraser.erase(one.customer, "huong", now)


async def test_whoever_hangs_together_by_the_erased_stays_together(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    people = [
        await someone(settings, sessions, NOW + n, mark=mark, number=f"098765432{n}", e164=f"+8498765432{n}")
        for n, mark in enumerate("adg")
    ]
    middle, left, right = (each.customer for each in people)
    async with sessions.begin() as session:
        await person.merge(session, middle, left, GROUNDS, NOW)
        second = await person.merge(session, middle, right, GROUNDS, NOW + 1)
        await person.split(session, middle, middle, GROUNDS, NOW + 2)
    await eraser.erase(middle, "huong", now)
    async with sessions.begin() as session:
        await person.undo(session, second.row.id, Grounds("no", "api", "huong"), NOW + 3)
        found = await person.read(session, left)
        assert found is not None
        assert found.ids == (left,)
        again = await person.merge(session, left, right, GROUNDS, NOW + 4)
        assert again.persons == ((left, right),)
        links = (await session.scalars(select(CustomerLink).where(CustomerLink.customer_id == middle))).all()
        assert {link.evidence for link in links} <= {"", "no"}
        with pytest.raises(NoProfile):
            await person.merge(session, left, middle, GROUNDS, NOW + 5)


async def test_that_somebody_was_held_apart_from_the_erased_goes_with_them(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one, other, third = [
        (await someone(settings, sessions, NOW + n, mark=mark, number=f"098765432{n}", e164=f"+8498765432{n}")).customer
        for n, mark in enumerate("adg")
    ]
    async with sessions.begin() as session:
        judged = await person.hold_apart(session, one, other, GROUNDS, NOW)
        await person.undo(session, judged.row.id, GROUNDS, NOW + 1)
        await person.hold_apart(session, other, one, GROUNDS, NOW + 2)
        await person.merge(session, other, third, GROUNDS, NOW + 3)
    await eraser.erase(one, "huong", now)
    async with sessions() as session:
        assert [row.kind for row in await session.scalars(select(CustomerLink))] == ["merge"]
        assert (await session.scalars(select(CustomerLink.evidence))).one() == GROUNDS.evidence


@pytest.mark.parametrize("running", ["call", "recording"])
async def test_what_is_under_way_is_not_erased(
    settings: Settings, sessions: Sessions, eraser: Eraser, running: str
) -> None:
    one = await someone(settings, sessions, NOW)
    async with sessions.begin() as session:
        if running == "call":  # of a caller who is not known yet
            await session.execute(update(Call).values(ended_at=None, customer_id=None))
        else:
            await session.execute(update(Recording).values(state="spooling"))
    with pytest.raises(StillRunning, match=running):
        await eraser.erase(one.customer, "huong", now)


async def test_a_call_whose_caller_was_never_looked_up_is_reached(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    async with sessions.begin() as session:
        await session.execute(update(Call).values(customer_id=None))
        await session.execute(update(Recording).values(customer_id=None))
        await session.execute(Interaction.__table__.delete().where(Interaction.channel == "call"))  # type: ignore[attr-defined]
    await eraser.erase(one.customer, "huong", now)
    assert found_in(settings.data) == []


async def test_what_others_said_of_the_person_says_it_no_more(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    own, other = claim("facebook", "facebook", "f1"), claim("facebook", "phone", "+84987654321")
    hers = claim("facebook", "phone", E164)
    event = timeline.NewInteraction(channel="facebook", direction="inbound", occurred_at=NOW, claims=(own, hers))
    first = timeline.NewInteraction(channel="facebook", direction="inbound", occurred_at=NOW, claims=(own, other))
    async with sessions.begin() as session:
        await timeline.record(session, first, NOW)
        said = await timeline.record(session, event, NOW)
        assert said.interaction.outcome["conflicts"]
    await eraser.erase(one.customer, "huong", now)
    async with sessions() as session:
        row = await session.get_one(Interaction, said.interaction.id)
        assert (row.customer_id, row.outcome["conflicts"]) == (said.person, [])
    assert found_in(settings.data) == []


async def test_the_state_of_an_erasure_names_nobody(settings: Settings, sessions: Sessions, eraser: Eraser) -> None:
    one = await someone(settings, sessions, NOW)
    await eraser.erase(one.customer, "huong", now)
    async with sessions() as session:
        (row,) = (await session.scalars(select(Erasure))).all()
        written = json.dumps([row.files, row.counts, row.certificate], ensure_ascii=False)
        assert not any(mark.decode() in written for mark in (*MARKS, EMAIL.encode(), NUMBER.encode()))
        assert await session.scalar(select(func.count()).select_from(Customer)) == 0


def test_two_who_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def make() -> bytes:
        start.wait()
        return certificate.signing_key(tmp_path / "privacy").public_key().public_bytes_raw()

    with ThreadPoolExecutor(8) as pool:
        made = {each.result() for each in [pool.submit(make) for _ in range(8)]}
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "privacy").iterdir()] == [certificate.KEY_FILE]
    assert (tmp_path / "privacy" / certificate.KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / certificate.KEY_FILE).write_text("no key")
    with pytest.raises(certificate.KeyUnusable, match="backup"):
        certificate.signing_key(tmp_path)


async def test_a_call_that_comes_to_its_row_too_late_is_somebody_new(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    async with sessions() as session:
        late = rows.snapshot_of(await session.get_one(Call, one.call))
    await eraser.erase(one.customer, "huong", now)
    async with sessions.begin() as session:
        await call_rows.save(session, late, "VN", NOW)
    async with sessions() as session:
        call = await session.get_one(Call, one.call)
        assert call.customer_id not in (None, one.customer)
        again = await customer.read(session, str(call.customer_id))
        assert again is not None
        assert (again.person.name, [each.value for each in again.identities]) == ("", [E164])


async def test_others_are_told_to_erase_too_by_ids_alone(
    settings: Settings, sessions: Sessions, eraser: Eraser
) -> None:
    one = await someone(settings, sessions, NOW)
    told = dataclasses.replace(eraser, webhooks=Webhooks([endpoint()]))
    erasure, _ = await told.erase(one.customer, "huong", now)
    await told.erase(one.customer, "huong", now)
    async with sessions() as session:
        rows = (await session.scalars(select(WebhookEvent).where(WebhookEvent.type == "customer.erased"))).all()
    assert [(row.customer_id, row.state) for row in rows] == [(erasure.profiles[0], "pending")]
    data = json.loads(rows[0].body)["data"]
    assert {key: data[key] for key in ("customer", "profiles", "erasure")} == {
        "customer": erasure.profiles[0],
        "profiles": erasure.profiles,
        "erasure": erasure.id,
    }
    assert set(data) == {"customer", "profiles", "erasure", "erased_at"}
    assert found_in(settings.data) == []
