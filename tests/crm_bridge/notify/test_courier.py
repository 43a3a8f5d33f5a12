"""Messages carried: retries, order, what is dead, restarts, and what the timeline says of it all."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm_bridge import tables as bridge
from crm_bridge import timeline
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.place import Place, read_place
from crm_bridge.match import claim
from crm_bridge.notify import courier, tables
from crm_bridge.notify.courier import Courier, Couriers, Fault
from crm_bridge.notify.parcel import Parcel
from crm_bridge.notify.tables import OutgoingMessage
from crm_bridge.outgoing.schedule import Answer
from crm_bridge.webhooks.outbox import NOBODY
from crm_bridge.webhooks.tables import WebhookEvent
from hotline.database import open_engine, session_factory
from tests.crm_bridge.mail.test_report import report
from tests.crm_bridge.notify.conftest import DAY_S, EMAIL, NOW, House
from tests.crm_bridge.webhooks.receiver import endpoint

TAKEN, LATER, NEVER = Answer(200, reference="id-1"), Answer(0, "451 later"), Answer(0, "550 nobody", is_final=True)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Scripted:
    """A sender whose attempts meet what `fates` say, in order, and are taken once there are none."""

    fates: list[Answer | str] = field(default_factory=list)
    fault: Fault | None = None
    tried: list[Parcel] = field(default_factory=list)
    taken: list[Parcel] = field(default_factory=list)
    is_closed: bool = False

    async def send(self, parcel: Parcel, written_at: float, now: float) -> Answer:
        assert written_at <= now
        fate = self.fates.pop(0) if self.fates else TAKEN
        if fate == "killed before":
            raise Killed
        self.tried.append(parcel)
        if fate in ("killed after", TAKEN):
            self.taken.append(parcel)
        if isinstance(fate, str):
            raise Killed
        return fate

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Heard:
    """Alarms, as they were told."""

    told: list[str] = field(default_factory=list)
    standing: dict[str, str] = field(default_factory=dict)

    def tell(self, kind: str, text: str, _mend: str) -> None:
        self.told.append(f"{kind}: {text}")

    def stand(self, kind: str, text: str, _mend: str) -> None:
        self.standing[kind] = text

    def over(self, kind: str) -> None:
        self.standing.pop(kind, None)


@dataclass
class Post:
    """A house with An in it, and the courier of its e-mail."""

    house: House
    sender: Scripted = field(default_factory=Scripted)
    alarms: Heard = field(default_factory=Heard)
    people: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A process that knows nothing but the database."""
        self.courier = Courier(EMAIL, self.sender, self.house.notifier, self.alarms, lambda: 0)

    async def send(self, to: str = "an", text: str = "x", now: float = NOW) -> str:
        if to not in self.people:
            self.people[to] = (await self.house.wrote("email", f"{to}@example.vn")).person
        return (await self.house.send(self.people[to], text, now=now)).id

    async def delivery(self, entry: str) -> Any:
        return (await self.house.entry(entry)).attributes["delivery"]


@pytest.fixture
def post(house: House) -> Post:
    return Post(house)


async def test_a_message_that_is_taken_is_sent_and_the_timeline_says_so(post: Post) -> None:
    entry = await post.send(text="Xin chào")
    assert await post.courier.round(NOW + 1) == 1
    assert [parcel.text for parcel in post.sender.taken] == ["Xin chào"]
    sent = {"state": "sent", "attempts": 1, "at": "2027-01-15T08:00:01.000Z", "reference": "id-1"}
    assert await post.delivery(entry) == sent
    type_, body = post.house.told[-1]
    assert (type_, body["id"], body["customer"]) == ("interaction.updated", entry, post.people["an"])
    assert body["attributes"]["delivery"] == sent
    assert await post.courier.round(NOW + 2) == 0
    assert post.house.notifier.attempts == {("email", "sent"): 1}


async def test_webhooks_are_told_once_it_is_sent_has_failed_or_came_back(post: Post) -> None:
    post.house.notifier.webhooks.endpoints = [endpoint(events=frozenset({"interaction.updated"}))]
    post.sender.fates += [LATER, TAKEN, NEVER]
    sent, failed = await post.send(), await post.send()
    for now in (NOW, NOW + 5, NOW + 6):
        await post.courier.round(now)
    async with post.house.sessions() as session:
        events = (await session.scalars(select(WebhookEvent).order_by(WebhookEvent.id))).all()
    told = [json.loads(each.body)["data"] for each in events]
    assert [(each["id"], each["attributes"]["delivery"]["state"]) for each in told] == [
        (sent, "sent"),
        (failed, "failed"),
    ]
    assert {each.customer_id for each in events} == {post.people["an"]}


async def test_what_is_put_off_is_tried_again_and_fails_in_the_end_with_an_alarm(post: Post) -> None:
    post.sender.fates += [LATER] * 3
    entry = await post.send()
    now = NOW
    for wait_s in (5, 300):
        assert await post.courier.round(now) == 1
        assert (await post.delivery(entry))["state"] == "queued"
        assert await post.courier.round(now + wait_s - 1) == 0
        now += wait_s
    assert await post.courier.round(now) == 1
    assert await post.delivery(entry) == {"state": "failed", "attempts": 3, "error": "451 later"}
    assert post.alarms.told == ["message_dead: a message by `email` was not sent after 3 attempts: 451 later"]
    assert {parcel.message_id for parcel in post.sender.tried} == {post.sender.tried[0].message_id}
    async with post.house.sessions() as session:
        assert await post.house.notifier.replay(session, "email", now) == 1
        await session.commit()
    assert (await post.delivery(entry))["state"] == "queued"
    assert await post.courier.round(now) == 1
    assert (await post.delivery(entry))["state"] == "sent"


async def test_what_nobody_will_ever_take_fails_at_once_and_holds_nobody_up(post: Post) -> None:
    post.sender.fates.append(NEVER)
    one, other = await post.send(), await post.send()
    assert [await post.courier.round(NOW) for _ in range(3)] == [1, 1, 0]
    assert [(await post.delivery(each))["state"] for each in (one, other)] == ["failed", "sent"]
    assert post.courier.rests_s == 0.0


async def test_what_is_wrong_with_the_account_stands_as_an_alarm_until_it_is_over(post: Post) -> None:
    post.sender.fates.append(LATER)
    post.sender.fault = Fault("e-mail is not sent: 535", "correct it")
    await post.send()
    await post.courier.round(NOW)
    assert post.alarms.standing == {"notify_email": "e-mail is not sent: 535"}
    post.sender.fault = None
    await post.courier.round(NOW + 5)
    assert post.alarms.standing == {}


async def test_a_message_that_breaks_its_sender_holds_nobody_up_and_fails_in_the_end(post: Post) -> None:
    poison, other = await post.send("an", "poison"), await post.send("binh")
    send = post.sender.send

    async def broken(parcel: Parcel, written_at: float, now: float) -> Answer:
        if parcel.text == "poison":
            raise ZeroDivisionError
        return await send(parcel, written_at, now)

    post.sender.send = broken  # type: ignore[method-assign]
    now = NOW
    for _ in range(4):
        await post.courier.round(now)
        now += 400
    assert await post.delivery(poison) == {
        "state": "failed",
        "attempts": 3,
        "error": "our own fault: ZeroDivisionError; the log knows more",
    }
    assert (await post.delivery(other))["state"] == "sent"


async def test_a_process_that_is_killed_after_the_far_end_took_it_sends_the_very_same_again(post: Post) -> None:
    post.sender.fates.append("killed after")
    entry = await post.send()
    with pytest.raises(Killed):
        await post.courier.round(NOW)
    post.restart()
    assert await post.courier.round(NOW + 1) == 1
    first, second = post.sender.taken
    assert first == second
    assert first.message_id == (await post.house.entry(entry)).external_id


async def test_a_channel_that_the_settings_do_not_name_leaves_what_waited_failed(post: Post) -> None:
    entry = await post.send()
    post.house.notifier.routes = []
    couriers = Couriers(post.house.notifier, {"email": post.sender}, post.alarms, lambda: NOW + 9)
    await couriers.start()
    await couriers.stop()
    delivery = await post.delivery(entry)
    assert (delivery["state"], delivery["error"]) == ("failed", "the settings name no such channel that sends")
    assert post.sender.is_closed


async def test_a_letter_that_comes_back_has_failed_after_all_and_can_be_replayed(post: Post) -> None:
    entry = await post.send()
    await post.courier.round(NOW)
    message_id = (await post.house.entry(entry)).external_id or ""
    keeper = Keeper(post.house.sessions, lambda: NOW + 60, lambda *told: post.house.told.append(told), NOBODY)
    raw = report().replace(b"<1@shop.vn>", message_id.encode())
    for _ in range(2):
        assert (await keeper.keep(raw, None)).kind == "bounce"
    assert (await post.delivery(entry))["state"] == "failed"
    assert (await post.delivery(entry))["error"].startswith("returned: 550 5.1.1")
    assert [type_ for type_, _ in post.house.told].count("interaction.updated") == 2  # sent, and returned once
    (row,) = await post.house.rows()
    assert (row.state, row.finished_at) == ("dead", NOW + 60)
    async with post.house.sessions() as session:
        assert await post.house.notifier.replay(session, "email", NOW + 61) == 1
        await session.commit()
    await post.courier.round(NOW + 61)
    assert (await post.delivery(entry))["state"] == "sent"


@pytest.mark.parametrize("delivery", ["by hand", ["sent"], {"at": "noon"}, {"state": ["sent"]}, 7])
async def test_a_report_of_a_letter_that_another_system_posted_moves_its_folder_on(post: Post, delivery: Any) -> None:
    posted = timeline.NewInteraction(
        "email",
        "outbound",
        NOW,
        (claim("crm", "email", "an@example.vn"),),
        external_id="<1@shop.vn>",
        attributes={"delivery": delivery},
    )
    async with post.house.sessions() as session:
        entry = (await timeline.record(session, posted, NOW)).interaction
        await session.commit()
    keeper = Keeper(post.house.sessions, lambda: NOW, lambda *told: post.house.told.append(told), NOBODY)
    await keeper.keep(report(), None, place=Place("support", 1, 7))
    async with post.house.sessions() as session:
        assert await read_place(session, "support") == Place("support", 1, 7)
    assert await post.delivery(entry.id) == delivery
    assert post.house.told == []


async def test_a_letter_that_comes_back_after_days_can_be_replayed(post: Post) -> None:
    entry = await post.send()
    await post.courier.round(NOW)
    await forget(post, NOW + 6.9 * DAY_S)
    message_id = (await post.house.entry(entry)).external_id or ""
    keeper = Keeper(post.house.sessions, lambda: NOW + 6.9 * DAY_S, lambda *told: post.house.told.append(told), NOBODY)
    await keeper.keep(report().replace(b"<1@shop.vn>", message_id.encode()), None)
    async with post.house.sessions() as session:
        assert await post.house.notifier.replay(session, "email", NOW + 7 * DAY_S) == 1
        await session.commit()
    await post.courier.round(NOW + 7 * DAY_S)
    assert (await post.delivery(entry))["state"] == "sent"
    await forget(post, NOW + 14.1 * DAY_S)
    assert await post.house.rows() == []


async def forget(post: Post, now: float) -> None:
    async with post.house.sessions() as session:
        await courier._forget(session, now)
        await session.commit()


async def test_a_report_of_somebody_elses_letter_changes_nothing(post: Post) -> None:
    await post.send()
    keeper = Keeper(post.house.sessions, lambda: NOW, lambda *told: post.house.told.append(told), NOBODY)
    await keeper.keep(report(), None)
    assert [type_ for type_, _ in post.house.told] == ["interaction.created"]


STEPS = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["an", "binh"])),
    st.tuples(
        st.just("round"), st.lists(st.sampled_from([TAKEN, LATER, NEVER, "killed before", "killed after"]), max_size=3)
    ),
    st.tuples(st.just("later"), st.sampled_from([1.0, 6.0, 400.0])),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=20))
def test_each_persons_messages_arrive_in_order_none_is_lost_and_the_timeline_is_right(
    steps: list[tuple[str, Any]],
) -> None:
    asyncio.run(story(steps))


async def story(steps: Sequence[tuple[str, Any]]) -> None:
    engine = open_engine("sqlite://")
    try:
        async with engine.begin() as connection:
            await connection.run_sync(bridge.Base.metadata.create_all)
            await connection.run_sync(tables.Base.metadata.create_all)
        await told(Post(House(session_factory(engine))), steps)
    finally:
        await engine.dispose()


async def told(post: Post, steps: Sequence[tuple[str, Any]]) -> None:
    now, written = NOW, dict[str, list[str]]()
    entries = list[str]()

    async def go() -> int:
        try:
            return await post.courier.round(now)
        except Killed:
            post.restart()
            return 1

    for what, value in steps:
        match what:
            case "send":
                text = str(len(entries))
                entries.append(await post.send(value, text, now))
                written.setdefault(f"{value}@example.vn", []).append(text)
            case "round":
                post.sender.fates = list(value)
                await go()
                post.sender.fates.clear()
            case "later":
                now += value
    while True:
        now += 400
        if not await go():
            break
    states = [(await post.delivery(entry))["state"] for entry in entries]
    assert set(states) <= {"sent", "failed"}
    failed = {str(number) for number, state in enumerate(states) if state == "failed"}
    for to, texts in written.items():
        arrived = list(dict.fromkeys(parcel.text for parcel in post.sender.taken if parcel.to == to))
        assert [text for text in arrived if text not in failed] == [text for text in texts if text not in failed]
    async with post.house.sessions() as session:
        rows = (await session.scalars(select(OutgoingMessage).order_by(OutgoingMessage.id))).all()
    assert [{"delivered": "sent", "dead": "failed"}[row.state] for row in rows] == states
