"""Every shipped connector against a server that plays its CRM: what it finds, writes and reads, and how it takes
trouble."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from crm_bridge.connectors import load
from crm_bridge.connectors.errors import NotLetIn, NotOffered, Rejected, Unavailable
from tests.crm_bridge.connectors import crms
from tests.crm_bridge.connectors.crms import PERSON_GUID
from tests.crm_bridge.connectors.playing import CALL, Crm, asking, call_values, phone_values


@dataclass(frozen=True)
class Kind:
    """A CRM, the id of its person, its rows of cases and orders, and the answer with which it asks for peace."""

    name: str
    crm: Callable[[], Crm]
    person: str
    case: Callable[[int], dict[str, Any]]
    order: Callable[[int], dict[str, Any]] | None
    busy: tuple[int, Any, dict[str, str]]
    busy_for_s: float


KINDS = (
    Kind(
        "rest",
        crms.Rest,
        "7",
        lambda n: {"id": n, "number": f"C-{n}", "subject": "Where is it?", "state": "new", "opened_at": "2026-01-01"},
        lambda n: {"id": n, "number": f"O-{n}", "state": "sent", "total": 12.5, "currency": "VND"},
        (429, {"code": "slow_down"}, {"Retry-After": "7"}),
        7,
    ),
    Kind(
        "salesforce",
        crms.Salesforce,
        "0035e00000AbCdEAAV",
        lambda n: {"Id": f"500{n}", "CaseNumber": f"C-{n}", "Subject": "Where is it?", "IsClosed": False},
        lambda n: {"Id": f"801{n}", "OrderNumber": f"O-{n}", "Status": "Activated", "TotalAmount": 12.5},
        (403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}], {}),
        300,
    ),
    Kind(
        "dynamics",
        crms.Dynamics,
        PERSON_GUID,
        lambda n: {"incidentid": f"i{n}", "ticketnumber": f"C-{n}", "title": "Where is it?", "statecode": 0},
        lambda n: {"salesorderid": f"s{n}", "ordernumber": f"O-{n}", "statecode": 3, "totalamount": 12.5},
        (429, {"error": {"code": "0x80072322", "message": "Number of requests exceeded"}}, {"Retry-After": "22"}),
        22,
    ),
    Kind(
        "zendesk",
        crms.Zendesk,
        "35436",
        lambda n: {"id": n, "subject": "Where is it?", "status": "pending", "created_at": "2026-01-01T00:00:00Z"},
        None,
        (429, {"error": "APIRateLimitExceeded", "description": "Number of allowed requests"}, {"Retry-After": "93"}),
        93,
    ),
    Kind(
        "hubspot",
        crms.HubSpot,
        "101",
        lambda n: {"id": str(n), "properties": {"subject": "Where is it?", "hs_is_closed": "false"}},
        lambda n: {"id": str(n), "properties": {"hs_order_name": f"O-{n}", "hs_total_price": "12.5"}},
        (
            429,
            {
                "status": "error",
                "errorType": "RATE_LIMIT",
                "policyName": "TEN_SECONDLY_ROLLING",
                "category": "RATE_LIMITS",
            },
            {},
        ),
        10,
    ),
    Kind(
        "zoho",
        crms.Zoho,
        "4876876000001036016",
        lambda n: {"id": str(n), "Case_Number": f"C-{n}", "Subject": "Where is it?", "Status": "New"},
        lambda n: {"id": str(n), "SO_Number": f"O-{n}", "Status": "Delivered", "Grand_Total": 12.5},
        (429, {"code": "TOO_MANY_REQUESTS", "message": "You crossed the limit", "status": "error"}, {}),
        60,
    ),
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def crm_of(kind: Kind) -> Crm:
    """Return one that knows An."""
    crm = kind.crm()
    crm.people = [
        {"id": "1", "name": "Another", "phone": "+84900000000", "email": "other@example.vn"},
        {"id": kind.person, "name": "Nguyễn Văn An", "phone": "+84912345678", "email": "o'an@example.vn"},
    ]
    return crm


def test_every_shipped_file_is_played_here() -> None:
    assert set(load.shipped()) == {kind.name for kind in KINDS}


@every_kind
async def test_finds_a_person_by_phone_and_by_email(kind: Kind) -> None:
    async with asking(crm_of(kind), kind.name) as client:
        by_phone = await client.ask("find_by_phone", phone_values())
        assert [(row["id"], row["name"], row["email"]) for row in by_phone] == [
            (kind.person, "Nguyễn Văn An", "o'an@example.vn")
        ]
        assert [row["id"] for row in await client.ask("find_by_email", {"email": "o'an@example.vn"})] == [kind.person]
        assert await client.ask("find_by_phone", phone_values("+84977777777")) == []
        assert await client.ask("find_by_email", {"email": "nobody@example.vn"}) == []
        await client.ask("check", {})


@every_kind
async def test_no_value_changes_what_is_asked(kind: Kind) -> None:
    """Whoever may choose his address finds himself, and neither everybody nor an error."""
    crm = crm_of(kind)
    hostile = "x' OR Name LIKE '%\\' ) or 1 eq 1 or ('a"
    crm.people.append({"id": "99", "name": "Mallory", "phone": "", "email": hostile})
    async with asking(crm, kind.name) as client:
        assert [row["id"] for row in await client.ask("find_by_email", {"email": hostile})] in (["99"], [])


@every_kind
async def test_makes_and_changes_a_person(kind: Kind) -> None:
    crm = crm_of(kind)
    crm.people.pop()
    async with asking(crm, kind.name) as client:
        [made] = await client.ask("create_person", {"name": "Trần Thị Bình", "phone": "+84933333333", "email": ""})
        assert made["id"] == crm.people[-1]["id"]
        await client.ask("update_person", {"person": made["id"], "email": "binh@example.vn"})
    assert crm.people[-1]["email"] == "binh@example.vn"
    assert "Bình" in crm.people[-1]["name"]


@every_kind
async def test_a_person_who_is_gone_cannot_be_changed(kind: Kind) -> None:
    gone = PERSON_GUID.replace("1", "9") if kind.name == "dynamics" else "4242"
    async with asking(crm_of(kind), kind.name) as client:
        with pytest.raises(Rejected, match=r"HTTP 40[04]"):
            await client.ask("update_person", {"person": gone, "email": "a@b.vn"})


@every_kind
async def test_logs_a_call_with_the_link_of_its_recording(kind: Kind) -> None:
    crm = crm_of(kind)
    link = "https://hotline.example.com/supervise/recordings/7"
    text = f"talked 45 s with an\n{link}"
    async with asking(crm, kind.name) as client:
        await client.ask("log_call", call_values(person=kind.person, text=text))
        if client.offers("find_call"):
            assert len(await client.ask("find_call", {"call": CALL, "person": kind.person})) == 1
            assert await client.ask("find_call", {"call": CALL[::-1], "person": kind.person}) == []
        else:
            await client.ask("log_call", call_values(person=kind.person, text=text))
    [logged] = crm.logged
    assert link in str(logged)
    assert kind.person in str(logged)


@every_kind
async def test_logs_a_call_of_nobody(kind: Kind) -> None:
    crm = crm_of(kind)
    async with asking(crm, kind.name) as client:
        await client.ask("log_call", call_values(person="", recording="", direction="outbound"))
    assert len(crm.logged) == 1


@every_kind
async def test_reads_every_page_of_cases_and_orders(kind: Kind) -> None:
    crm = crm_of(kind)
    crm.cases = [kind.case(n) for n in range(1, 6)]
    crm.orders = [kind.order(n) for n in range(1, 4)] if kind.order else []
    async with asking(crm, kind.name) as client:
        cases = await client.ask("cases", {"person": kind.person})
        assert len({row["id"] for row in cases}) == 5
        assert {(row["subject"], row["state"]) for row in cases} == {("Where is it?", "open")}
        if kind.order is None:
            with pytest.raises(NotOffered):
                await client.ask("orders", {"person": kind.person})
            return
        orders = await client.ask("orders", {"person": kind.person})
        assert [row["number"] for row in orders] == ["O-1", "O-2", "O-3"]
        assert {row["total"] for row in orders} == {"12.5"}


@every_kind
async def test_a_crm_that_asks_for_peace_gets_it(kind: Kind) -> None:
    crm = crm_of(kind)
    async with asking(crm, kind.name) as client:
        await client.ask("check", {})
        crm.trouble.append(kind.busy)
        asked = len(crm.seen)
        with pytest.raises(Unavailable, match="asks for peace") as told:
            await client.ask("find_by_phone", phone_values())
        assert told.value.wait_s == pytest.approx(kind.busy_for_s, abs=1)
        with pytest.raises(Unavailable, match="as much as it may"):
            await client.ask("find_by_phone", phone_values())
        assert len(crm.seen) == asked + 1, "nobody is asked in the meantime"
        await client.sleep(kind.busy_for_s)
        assert await client.ask("find_by_phone", phone_values())


@every_kind
async def test_what_is_broken_for_a_moment_is_asked_again(kind: Kind) -> None:
    crm = crm_of(kind)
    async with asking(crm, kind.name) as client:
        await client.ask("check", {})
        crm.trouble.append((502, "Bad gateway", {}))
        assert await client.ask("find_by_phone", phone_values())
        crm.trouble.append((502, "Bad gateway", {}))
        with pytest.raises(Unavailable, match="HTTP 502"):
            await client.ask("log_call", call_values())
        assert crm.logged == [], "what writes is not sent twice"


@every_kind
async def test_who_is_not_known_is_told_so(kind: Kind) -> None:
    crm = crm_of(kind)
    wrong = dict.fromkeys(("user", "key", "client_id", "client_secret", "refresh_token"), "wrong")
    async with asking(crm, kind.name, credentials=wrong) as client:
        with pytest.raises(NotLetIn) as told:
            await client.ask("find_by_phone", phone_values())
    assert "wrong" not in str(told.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in ("salesforce", "dynamics", "zoho")])
async def test_a_token_is_kept_and_fetched_anew_when_it_is_good_no_more(kind: Kind) -> None:
    crm = crm_of(kind)
    async with asking(crm, kind.name) as client:
        await client.ask("check", {})
        await client.ask("check", {})
        assert crm.tokens == 1
        crm.tokens = 7  # another one is good now
        await client.ask("check", {})
        assert crm.tokens == 8
        await client.sleep(4000)
        await client.ask("check", {})
        assert crm.tokens == 9


async def test_salesforce_gets_the_call_in_its_own_words() -> None:
    crm = crms.Salesforce()
    async with asking(crm, "salesforce") as client:
        await client.ask("log_call", call_values())
    assert crm.logged == [
        {
            "Subject": "Call to 19001234",
            "Description": "Call to 19001234: talked 45 s with an",
            "TaskSubtype": "Call",
            "Status": "Completed",
            "CallType": "Inbound",
            "CallDurationInSeconds": 75,
            "CallObject": CALL,
            "ActivityDate": "2027-01-15",
        }
    ]


async def test_dynamics_gets_booleans_minutes_and_a_bound_contact() -> None:
    crm = crms.Dynamics()
    async with asking(crm, "dynamics") as client:
        await client.ask("log_call", call_values(person=PERSON_GUID, direction="outbound"))
    [call] = crm.logged
    assert call["directioncode"] is True
    assert call["actualdurationminutes"] == 2
    assert call["regardingobjectid_contact_phonecall@odata.bind"] == f"/contacts({PERSON_GUID})"
    assert call["id"].replace("-", "") == CALL


async def test_hubspot_gets_html_that_is_none_of_the_callers() -> None:
    crm = crms.HubSpot()
    async with asking(crm, "hubspot") as client:
        await client.ask("log_call", call_values(text="<img src=x onerror=alert(1)>"))
    properties = crm.logged[0]["properties"]
    assert properties["hs_call_body"] == "&lt;img src=x onerror=alert(1)&gt;"
    assert properties["hs_call_duration"] == 75_000
    assert "associations" not in crm.logged[0]


async def test_a_next_page_elsewhere_is_not_followed() -> None:
    """Our token would go there."""
    crm = crms.Dynamics()
    crm.people = [{"id": PERSON_GUID, "name": "An"}]
    async with asking(crm, "dynamics") as client:
        await client.ask("check", {})
        page = {"value": [{"incidentid": "1"}], "@odata.nextLink": "https://evil.example.com/api/data/v9.2/incidents"}
        crm.trouble.append((200, page, {}))
        assert await client.ask("cases", {"person": PERSON_GUID}) == [{"id": "1"}]
