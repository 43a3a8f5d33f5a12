"""Callbacks as rows: booked once, told, written as they change, and followed up where nobody was reached."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from crm_bridge import context
from crm_bridge.tables import Case
from hotline import database
from telephony import acd
from telephony.edge import callbacks
from telephony.edge.callbacks import CallbackRequests, open_ones, snapshot_of
from telephony.edge.flow_requests import Outcome
from telephony.events import CallbackBooked, FlowRequest
from telephony.requests import BookCallback, TakeMessage
from telephony.switchboard import Switchboard, SwitchboardSettings
from telephony.switchboard.dialling import TrunkRules
from telephony.tables import Callback
from tests.databases import migrate

NUMBER = "+84912345678"
CALL = "c" * 32


@dataclass
class Desk:
    sessions: database.Sessions
    told: list[CallbackBooked] = field(default_factory=list)
    now: float = 1000.0
    trunks: tuple[TrunkRules, ...] = (TrunkRules("first"),)

    def __post_init__(self) -> None:
        queues = {name: acd.QueueSettings(name) for name in ("care", "sales")}
        settings = SwitchboardSettings({}, trunks=self.trunks)
        board = Switchboard(settings, {}, acd.Acd(queues, {}), lambda: "x").board
        self.requests = CallbackRequests(self.sessions, lambda: self.now, self.told.append, board)

    async def ask(
        self,
        to: str = "",
        queue: str = "",
        *,
        number: int = 1,
        call: str = CALL,
        ani: str = NUMBER,
        since: float = 700.0,
    ) -> Outcome:
        request = BookCallback(to, queue, "Refund")
        return await self.requests.perform(
            FlowRequest(call=call, number=number, request=request, ani=ani, queue="care", since=since)
        )

    async def rows(self) -> list[Callback]:
        async with self.sessions() as session:
            return list(await session.scalars(select(Callback).order_by(Callback.created_at)))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    url = f"sqlite:///{tmp_path / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    yield Desk(database.session_factory(engine))
    await engine.dispose()


async def test_a_booking_is_a_row_and_then_told(desk: Desk) -> None:
    assert await desk.ask() == Outcome("next")
    (row,) = await desk.rows()
    assert (row.number, row.queue, row.since, row.created_at, row.state, row.note) == (
        NUMBER, "care", 700.0, 1000.0, "booked", "Refund",
    )  # fmt: skip
    assert desk.told == [CallbackBooked(snapshot_of(row))]


@pytest.mark.parametrize(
    ("to", "queue", "ani"),
    [
        ("", "care", ""),  # withheld, and none typed
        ("nonsense", "care", NUMBER),
        ("113", "care", NUMBER),  # nobody calls the police back
        ("19001234", "care", NUMBER),
        ("+4420794601234", "care", NUMBER),
        ("", "nowhere", NUMBER),
    ],
)
async def test_who_cannot_be_called_back_is_not_promised_it(desk: Desk, to: str, queue: str, ani: str) -> None:
    assert await desk.ask(to, queue, ani=ani) == Outcome("failed")
    assert not await desk.rows()
    assert not desk.told


async def test_a_number_that_was_typed_stands_for_the_callers(desk: Desk) -> None:
    assert await desk.ask("0987 654 321", "sales", ani="") == Outcome("next")
    (row,) = await desk.rows()
    assert (row.number, row.queue) == ("+84987654321", "sales")


async def test_without_a_trunk_nobody_is_called_back(desk: Desk) -> None:
    assert await Desk(desk.sessions, trunks=()).ask() == Outcome("failed")


async def test_trunks_that_are_full_now_will_not_be(desk: Desk) -> None:
    full = Desk(desk.sessions, trunks=(TrunkRules("first", max_calls=0),))
    assert await full.ask() == Outcome("next")


async def test_who_is_booked_already_keeps_the_first_place(desk: Desk) -> None:
    await desk.ask()
    assert await desk.ask(call="d" * 32, since=900.0) == Outcome("next")
    assert await desk.ask(call="e" * 32, queue="sales") == Outcome("next")
    assert [(row.call_id, row.queue, row.since) for row in await desk.rows()] == [
        (CALL, "care", 700.0),
        ("e" * 32, "sales", 700.0),
    ]
    assert len(desk.told) == 2


async def test_the_same_request_again_books_nothing_even_when_the_first_is_over(desk: Desk) -> None:
    await desk.ask()
    over = replace(desk.told[0].callback, state="done", ended_at=1100.0)
    async with desk.sessions.begin() as session:
        await callbacks.save(session, over)
    assert await desk.ask() == Outcome("next")
    assert len(await desk.rows()) == 1
    await desk.ask(number=2)
    assert [row.state for row in await desk.rows()] == ["done", "booked"]


async def test_many_at_once_are_one(desk: Desk) -> None:
    done = await asyncio.gather(*(desk.ask(call=f"{each:032x}") for each in range(8)))
    assert done == [Outcome("next")] * 8
    assert len(await desk.rows()) == 1


async def test_what_changes_is_written_and_what_is_over_is_not_open(desk: Desk) -> None:
    await desk.ask()
    calling = replace(desk.told[0].callback, state="calling", attempts=1, last_call="d" * 32)
    async with desk.sessions.begin() as session:
        await callbacks.save(session, calling)
    async with desk.sessions() as session:
        assert [snapshot_of(row) for row in await open_ones(session)] == [calling]
    over = replace(calling, state="failed", cause="not reached: 486", ended_at=2000.0)
    async with desk.sessions.begin() as session:
        await callbacks.save(session, over)
        await callbacks.save(session, replace(over, id="f" * 32))  # erased
    async with desk.sessions() as session:
        assert not await open_ones(session)
        assert await callbacks.missing(session, [over.id]) == [over.id]
    assert [snapshot_of(row) for row in await desk.rows()] == [over]


async def test_whom_nobody_reached_has_a_case_once(desk: Desk) -> None:
    async with desk.sessions.begin() as session:
        _, found = await context.find_caller(session, NUMBER, False, "", "VN", 1.0)
    await desk.ask()
    failed = replace(desk.told[0].callback, state="failed", customer=found.customer, ended_at=2000.0, cause="expired")
    for _ in range(2):
        async with desk.sessions.begin() as session:
            await callbacks.save(session, failed)
    async with desk.sessions() as session:
        cases = list(await session.scalars(select(Case)))
    assert [(case.customer_id, case.subject, case.topic, case.state) for case in cases] == [
        (found.customer, "Not reached by callback", "callback", "open")
    ]


async def test_another_request_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(TypeError, match="TakeMessage"):
        await desk.requests.perform(FlowRequest(call=CALL, number=1, request=TakeMessage("care", 5.0)))
