"""What flows ask about customers, of a real database."""

import asyncio

import pytest

from crm_bridge.verification import PER_CALLER
from telephony.edge.customer_requests import CustomerRequests
from telephony.edge.flow_requests import FlowRequests, Outcome
from telephony.edge.redaction import without_keys
from telephony.events import CallerVerified, CandidatesFound, FlowRequest
from telephony.requests import FindCustomer, VerifyCaller
from tests.crm_bridge.conftest import Sessions, engine, sessions
from tests.crm_bridge.family import PHONE, Family, family

__all__ = ["engine", "sessions"]


class Desk:
    """The performer, its people, and its audit log."""

    def __init__(self, sessions: Sessions) -> None:
        self.audit: list[tuple[object, ...]] = []
        self.customers = CustomerRequests(sessions, asyncio.Lock(), "VN", lambda: 1000.0, self._note)
        self.people: Family

    async def _note(self, *entry: object) -> None:
        self.audit.append(entry)

    async def find(self, by: str, value: str) -> Outcome:
        return await self.customers.find(FlowRequest(call="c", number=1, request=FindCustomer(by, value)))

    async def verify(self, field: str, value: str, *candidates: str) -> Outcome:
        request = VerifyCaller(field, value)
        who = candidates or (self.people.lan, self.people.minh)
        return await self.customers.verify(FlowRequest(call="c", number=2, request=request, ani=PHONE, candidates=who))


@pytest.fixture
async def desk(sessions: Sessions) -> Desk:
    desk = Desk(sessions)
    async with sessions.begin() as session:
        desk.people = await family(session)
    return desk


async def test_who_has_an_identity_is_found_in_any_spelling_and_nothing_personal_is_told(desk: Desk) -> None:
    found = await desk.find("phone", "0987 654 321")
    assert (found.name, found.events) == ("found", (CandidatesFound("c", (desk.people.minh,)),))
    assert found.values == {"id": desk.people.minh, "language": "", "open_cases": 0}


async def test_several_users_of_a_number_are_several(desk: Desk) -> None:
    found = await desk.find("phone", PHONE)
    assert (found.name, found.values) == ("several", {"count": 2})
    assert found.events == (CandidatesFound("c", (desk.people.lan, desk.people.minh)),)


@pytest.mark.parametrize(("by", "value"), [("email", "x@example.vn"), ("phone", "113"), ("fax", "1"), ("zalo", "")])
async def test_who_is_nobody_is_not_found(desk: Desk, by: str, value: str) -> None:
    assert await desk.find(by, value) == Outcome("not_found")


async def test_the_one_whom_an_answer_fits_is_the_caller_at_assurance_two(desk: Desk) -> None:
    outcome = await desk.verify("birthday", "02111988")
    assert outcome.name == "verified"
    event = outcome.events[0]
    assert isinstance(event, CallerVerified)
    assert event.proven
    who = event.context
    assert (who.customer, who.name, who.assurance, who.verified_by) == (
        desk.people.minh,
        "Trần Văn Minh",
        2,
        "birthday",
    )
    assert desk.audit == [(1000.0, "caller", "caller.verify.birthday.verified", "c", "phone")]


async def test_each_attempt_is_in_the_audit_log_without_its_answer(desk: Desk) -> None:
    for _ in range(PER_CALLER):
        assert await desk.verify("birthday", "0101") == Outcome("refused")
    assert await desk.verify("birthday", "1705") == Outcome("refused")
    assert [entry[2] for entry in desk.audit] == [
        *["caller.verify.birthday.not_verified"] * PER_CALLER,
        "caller.verify.birthday.exhausted",
    ]
    assert "0101" not in str(desk.audit)


async def test_what_is_not_known_of_anybody_cannot_be_asked(desk: Desk) -> None:
    assert await desk.verify("postcode", "70000") == Outcome("failed")


async def test_a_slow_database_fails_in_time(desk: Desk) -> None:
    told: list[object] = []
    tasks: list[asyncio.Task[None]] = []
    requests = FlowRequests(told.append, lambda _call: True, lambda work: tasks.append(asyncio.create_task(work)))
    desk.customers.register(requests)
    async with desk.customers.turn:  # another writer takes its time
        requests.perform(FlowRequest(call="c", number=3, request=VerifyCaller("birthday", "1705"), timeout_s=0.05))
        await asyncio.gather(*tasks)
    assert [event.outcome for event in told] == ["failed"]  # type: ignore[attr-defined]


def test_the_answer_stays_out_of_the_journal() -> None:
    asked = FlowRequest(call="c", number=1, request=VerifyCaller("birthday", "1705"))
    assert without_keys(asked).request == VerifyCaller("birthday", "••••")
    found = FlowRequest(call="c", number=1, request=FindCustomer("phone", PHONE))
    assert without_keys(found) is found
