"""What is out of its time goes, kind by kind; holds and proofs keep it; and somebody looks again and again."""

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from sqlalchemy import delete, func, select, update

from crm_bridge.privacy import hold
from crm_bridge.privacy.files import KeptFile
from crm_bridge.privacy.retention import KINDS, Kind, Purger
from crm_bridge.privacy.tables import Consent, Erasure
from crm_bridge.tables import Interaction
from crm_bridge.webhooks.tables import WebhookEvent
from hotline import database, person_files, privacy
from hotline.config import Settings, load
from hotline.database import Sessions
from recordings.tables import Recording, Transcript
from telephony.edge.alarms import Alarms
from telephony.tables import Call, Callback, WrapUp
from tests.hotline.conftest import NOW, StandingClock
from tests.hotline.people import E164, SAID, Someone, someone
from tests.hotline.test_erasure import found_in

DAY = 86_400.0


@pytest.fixture
async def one(settings: Settings, sessions: Sessions) -> Someone:
    """Somebody of whom nothing has to be proved."""
    made = await someone(settings, sessions, NOW)
    async with sessions.begin() as session:
        await session.execute(delete(Consent))
        await session.execute(update(WebhookEvent).values(state="delivered", finished_at=NOW))
    return made


def purger(settings: Settings, sessions: Sessions, keep_s: Mapping[Kind, float]) -> Purger:
    return Purger(sessions, database.tables(), person_files.of(settings), keep_s)


async def left(sessions: Sessions) -> dict[str, int]:
    async with sessions() as session:
        tables = (Recording, Transcript, Interaction, WebhookEvent)
        return {
            each.__tablename__: await session.scalar(select(func.count()).select_from(each)) or 0 for each in tables
        }


AT_FIRST = {"recordings": 1, "transcripts": 1, "interactions": 2, "webhook_events": 3}


@pytest.mark.parametrize(
    ("kind", "gone", "after"),
    [
        ("recordings", 1, {"recordings": 0, "transcripts": 0}),
        ("transcripts", 1, {"transcripts": 0}),
        ("interactions", 2, {"interactions": 0}),
        ("webhook_events", 3, {"webhook_events": 0}),
        ("facts", 1, {}),
        ("calls", 1, {}),
        ("journals", 1, {}),
    ],
)
async def test_each_kind_has_its_time(
    settings: Settings, sessions: Sessions, one: Someone, kind: Kind, gone: int, after: dict[str, int]
) -> None:
    purge = purger(settings, sessions, {kind: DAY})
    assert await purge.purge(NOW + DAY - 1) == {kind: 0}
    assert await purge.purge(NOW + DAY + DAY) == {kind: gone}
    assert await left(sessions) == AT_FIRST | after
    assert await purge.purge(NOW + DAY + DAY) == {kind: 0}
    assert await purger(settings, sessions, {}).purge(NOW + 10_000 * DAY) == {}


async def test_a_recording_goes_with_its_file_and_its_words(
    settings: Settings, sessions: Sessions, one: Someone
) -> None:
    await purger(settings, sessions, {"recordings": DAY}).purge(NOW + 2 * DAY)
    assert not list(settings.recordings_folder.rglob("*.wav"))
    async with sessions() as session:
        (entry,) = await session.scalars(select(Interaction).where(Interaction.channel == "call"))
        assert (entry.recording_id, entry.transcript, entry.text) == (None, "", "")
        assert (await session.get_one(Call, one.call)).recording_id is None
        (message,) = await session.scalars(select(Interaction).where(Interaction.channel == "zalo"))
        assert SAID in message.text


async def test_words_go_and_the_recording_says_why(settings: Settings, sessions: Sessions, one: Someone) -> None:
    await purger(settings, sessions, {"transcripts": DAY}).purge(NOW + 2 * DAY)
    async with sessions() as session:
        row = await session.get_one(Recording, one.recording)
        assert (row.transcript_state, "privacy.retention.transcripts" in row.transcript_cause) == ("failed", True)


async def test_a_call_keeps_its_figures(settings: Settings, sessions: Sessions, one: Someone) -> None:
    await purger(settings, sessions, {"calls": DAY}).purge(NOW + 2 * DAY)
    async with sessions() as session:
        call = await session.get_one(Call, one.call)
        assert (call.customer_id, call.ani, call.queue, call.ended_at) == (None, "", "care", NOW + 60)
        assert (await session.get_one(WrapUp, (one.call, "lan"))).note == ""


async def test_who_was_called_back_goes_with_the_calls(settings: Settings, sessions: Sessions) -> None:
    told = {"queue": "care", "number": E164, "note": "", "since": NOW, "created_at": NOW, "attempts": 0, "cause": ""}
    async with sessions.begin() as session:
        for number, (state, ended_at) in enumerate((("done", NOW), ("failed", NOW + DAY), ("booked", None))):
            identity = f"{number:032x}"
            row = Callback(id=identity, call_id=identity, request=1, state=state, ended_at=ended_at, **told)
            session.add(row)
    await purger(settings, sessions, {"calls": DAY}).purge(NOW + DAY + 1)
    async with sessions() as session:
        assert sorted(await session.scalars(select(Callback.state))) == ["booked", "failed"]


async def test_a_hold_keeps_everything(settings: Settings, sessions: Sessions, one: Someone) -> None:
    async with sessions.begin() as session:
        await hold.place(session, one.customer, "court", "huong", None, NOW)
    purge = purger(settings, sessions, dict.fromkeys(KINDS, DAY))
    # The event that names no customer is nobody's whom a hold could keep.
    assert await purge.purge(NOW + 9 * DAY) == dict.fromkeys(KINDS, 0) | {"webhook_events": 1}
    async with sessions.begin() as session:
        await hold.release(session, one.customer, "huong", NOW)
    gone = await purge.purge(NOW + 9 * DAY)  # the transcript goes with its recording
    assert gone == dict.fromkeys(KINDS, 1) | {"transcripts": 0, "interactions": 2, "webhook_events": 2}


async def test_a_hold_keeps_a_call_that_is_the_persons_by_its_number_alone(
    settings: Settings, sessions: Sessions, one: Someone
) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Call).values(customer_id=None))
        await session.execute(update(Recording).values(customer_id=None))
        await hold.place(session, one.customer, "court", "huong", None, NOW)
    keep: dict[Kind, float] = {"recordings": DAY, "transcripts": DAY, "calls": DAY, "journals": DAY}
    purge = purger(settings, sessions, keep)
    assert await purge.purge(NOW + 9 * DAY) == dict.fromkeys(keep, 0)
    async with sessions.begin() as session:
        await session.execute(update(Call).values(direction="outbound", dnis=E164, ani="19001234"))
    assert await purge.purge(NOW + 9 * DAY) == dict.fromkeys(keep, 0)
    async with sessions.begin() as session:
        await hold.release(session, one.customer, "huong", NOW)
    assert await purge.purge(NOW + 9 * DAY) == dict.fromkeys(keep, 1) | {"transcripts": 0}


async def test_a_file_that_cannot_be_deleted_keeps_nothing_else_from_being(
    settings: Settings, sessions: Sessions, one: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await someone(settings, sessions, NOW, mark="x", number="0987654321", e164="+84987654321")
    async with sessions.begin() as session:
        await session.execute(delete(Consent))
        await session.execute(update(WebhookEvent).values(state="delivered", finished_at=NOW))
    purge = purger(settings, sessions, dict.fromkeys(KINDS, DAY))
    remove = person_files.PersonFiles.remove

    def fail(files: person_files.PersonFiles, some: Iterable[KeptFile]) -> None:
        listed = list(some)
        if any(one.recording in each.path or one.call in each.path for each in listed):
            raise OSError("not permitted")
        remove(files, listed)

    with monkeypatch.context() as broken:
        broken.setattr(person_files.PersonFiles, "remove", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="not permitted"):
                await purge.purge(NOW + 9 * DAY)
            # Of the kinds with files that one alone stays, with its words; of the others nothing does.
            async with sessions() as session:
                assert (await session.scalars(select(Recording.id))).all() == [one.recording]
            assert await left(sessions) == {"recordings": 1, "transcripts": 0, "interactions": 0, "webhook_events": 0}
            assert [path.stem for path in (settings.data / "journals").rglob("*.jsonl")] == [one.call]
    assert await purge.purge(NOW + 9 * DAY) == dict.fromkeys(KINDS, 0) | {"recordings": 1, "journals": 1}


async def test_a_proof_stays(settings: Settings, sessions: Sessions) -> None:
    await someone(settings, sessions, NOW)
    assert await purger(settings, sessions, {"recordings": DAY}).purge(NOW + 9 * DAY) == {"recordings": 0}


async def test_a_call_under_way_is_left_alone(settings: Settings, sessions: Sessions, one: Someone) -> None:
    async with sessions.begin() as session:
        await session.execute(update(Call).values(ended_at=None))
        await session.execute(update(Recording).values(state="spooling"))
    keep: dict[Kind, float] = {"calls": DAY, "recordings": DAY}
    assert await purger(settings, sessions, keep).purge(NOW + 9 * DAY) == {"calls": 0, "recordings": 0}


async def test_the_watch_finishes_purges_and_raises_an_alarm(
    settings: Settings, sessions: Sessions, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = load(None, {"HOTLINE__PRIVACY__RETENTION__JOURNALS": "1d"}, data=settings.data)
    one = await someone(settings, sessions, NOW)
    other = await someone(settings, sessions, NOW, mark="x", number="0987654321", e164="+84987654321")
    alarms = Alarms(lambda _type, _body: None, clock.now)
    watch = privacy.Watch(configured, sessions, alarms, clock.now)
    eraser = privacy.eraser(configured, sessions)

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(person_files.PersonFiles, "remove", fail)
        with pytest.raises(Exception, match="disk"):
            await eraser.erase(one.customer, "huong", clock.now)
        clock.at = NOW + 3 * DAY
        await watch.look()  # the disk is still gone
    assert watch.overdue == {"export": 0, "erase": 1, "correct": 0, "object": 0}  # the other's
    assert [alarm.kind for alarm in alarms.present()] == ["requests_overdue"]
    assert list((settings.data / "journals").rglob("*.jsonl"))
    await watch.look()
    assert found_in(settings.data, [b"912345678"]) == []
    assert not list((settings.data / "journals").rglob("*.jsonl"))
    await eraser.erase(other.customer, "huong", clock.now)
    await watch.look()
    assert (sum(watch.overdue.values()), alarms.present()) == (0, [])
    async with sessions() as session:
        assert set(await session.scalars(select(Erasure.state))) == {"done"}


async def test_the_watch_goes_on_until_it_is_cancelled(
    settings: Settings, sessions: Sessions, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "LOOK_EVERY_S", 0.0)
    looked = asyncio.Event()

    async def look(_watch: privacy.Watch) -> None:
        looked.set()

    monkeypatch.setattr(privacy.Watch, "look", look)
    watch = privacy.Watch(settings, sessions, Alarms(lambda _type, _body: None, clock.now), clock.now)
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(looked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
