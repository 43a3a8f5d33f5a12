"""The six CRMs, each playing as much of its documented API as the shipped connectors use."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.crm_bridge.connectors.playing import Crm, Handler

_SOQL_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'")
_ODATA_STRING = re.compile(r"'((?:[^']|'')*)'")


def _form(body: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body).items()}


class Rest(Crm):
    """The interface that `rest.yaml` describes."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/v1/contacts", self.find),
            ("POST", "/v1/contacts", self.create),
            ("PATCH", "/v1/contacts/{id}", self.update),
            ("PUT", "/v1/calls/{call}", self.log),
            ("GET", "/v1/contacts/{id}/cases", self.list_cases),
            ("GET", "/v1/contacts/{id}/orders", self.list_orders),
        ]

    def stranger(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != "Bearer k3y":
            return JSONResponse({"error": {"code": "unauthorized"}}, 401)
        return None

    async def find(self, request: Request, _: Any) -> Response:
        if (refusal := self.stranger(request)) is not None:
            return refusal
        asked = request.query_params
        if "limit" in asked:
            return JSONResponse({"items": []})
        found = self.by("phone", asked["phone"]) if "phone" in asked else self.by("email", asked["email"])
        return JSONResponse({"items": found}) if found else JSONResponse({"code": "none"}, 404)

    async def create(self, _: Request, body: Any) -> Response:
        self.people.append({"id": str(len(self.people) + 1), **body})
        return JSONResponse({"id": len(self.people)}, 201)

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return JSONResponse({"code": "not_found"}, 404)
        found[0].update(body)
        return Response(status_code=204)

    async def log(self, request: Request, body: Any) -> Response:
        call = request.path_params["call"]
        self.logged = [each for each in self.logged if each["call"] != call] + [{"call": call, **body}]
        return JSONResponse({"id": call})

    async def list_cases(self, request: Request, _: Any) -> Response:
        return self.page(request, self.cases)

    async def list_orders(self, request: Request, _: Any) -> Response:
        return self.page(request, self.orders)

    def page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        at = int(request.query_params.get("cursor", "0"))
        following = at + 2 if at + 2 < len(rows) else None
        return JSONResponse({"items": rows[at : at + 2], "next": following and str(following)})


class Salesforce(Crm):
    """REST API Developer Guide: Query, sObject Rows, Status Codes and Error Responses."""

    QUERIES: ClassVar = {
        "SELECT Id, Name, Phone, MobilePhone, Email FROM Contact WHERE Phone IN (?,?,?) OR MobilePhone IN (?,?,?)"
        " ORDER BY LastModifiedDate DESC LIMIT 5": "phone",
        "SELECT Id, Name, Phone, MobilePhone, Email FROM Contact WHERE Email = ?"
        " ORDER BY LastModifiedDate DESC LIMIT 5": "email",
        "SELECT Id FROM Task WHERE CallObject = ? LIMIT 1": "call",
        "SELECT Id, CaseNumber, Subject, IsClosed, CreatedDate FROM Case WHERE ContactId = ?"
        " ORDER BY CreatedDate DESC": "cases",
        "SELECT Id, OrderNumber, Status, TotalAmount, EffectiveDate FROM Order WHERE AccountId IN"
        " (SELECT AccountId FROM Contact WHERE Id = ?) ORDER BY EffectiveDate DESC": "orders",
    }

    cursor: Sequence[dict[str, Any]] = ()

    def routes(self) -> list[tuple[str, str, Handler]]:
        root = "/services/data/v62.0"
        return [
            ("POST", "/services/oauth2/token", self.sign_in),
            ("GET", f"{root}/limits", self.limits),
            ("GET", f"{root}/query", self.query),
            ("GET", f"{root}/query/{{locator}}", self.more),
            ("POST", f"{root}/sobjects/Contact", self.create),
            ("PATCH", f"{root}/sobjects/Contact/{{id}}", self.update),
            ("POST", f"{root}/sobjects/Task", self.log),
        ]

    async def sign_in(self, _: Request, body: str) -> Response:
        form = _form(body)
        if form != {"grant_type": "client_credentials", "client_id": "id", "client_secret": "s3cret"}:
            return JSONResponse({"error": "invalid_client", "error_description": "invalid client credentials"}, 401)
        self.tokens += 1
        return JSONResponse({"access_token": self.token, "instance_url": self.base, "token_type": "Bearer"})

    def refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        return self.error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def error(self, status: int, code: str, message: str) -> Response:
        return JSONResponse([{"message": message, "errorCode": code}], status)

    async def limits(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or JSONResponse({"DailyApiRequests": {"Max": 15000, "Remaining": 14998}})

    async def query(self, request: Request, _: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        soql = request.query_params["q"]
        values = [re.sub(r"\\(.)", r"\1", each) for each in _SOQL_STRING.findall(soql)]
        kind = self.QUERIES.get(_SOQL_STRING.sub("?", soql))
        if kind is None:
            return self.error(400, "MALFORMED_QUERY", "unexpected token")
        match kind:
            case "phone" | "email":
                found = [each for value in dict.fromkeys(values) for each in self.by(kind, value)]
                rows = [
                    {"Id": p["id"], "Name": p["name"], "Phone": p.get("phone"), "Email": p.get("email")} for p in found
                ]
            case "call":
                rows = [{"Id": "00T1"} for each in self.logged if each["CallObject"] == values[0]]
            case "cases":
                rows = self.cases if self.by("id", values[0]) else []
            case _:
                rows = self.orders if self.by("id", values[0]) else []
        self.cursor = rows
        return self.batch(rows, 0)

    def batch(self, rows: Sequence[dict[str, Any]], at: int) -> Response:
        whole = {"totalSize": len(rows), "done": at + 2 >= len(rows), "records": rows[at : at + 2]}
        if not whole["done"]:
            whole["nextRecordsUrl"] = f"/services/data/v62.0/query/01gD0000002HU6KIAW-{at + 2}"
        return JSONResponse(whole)

    async def more(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or self.batch(self.cursor, int(request.path_params["locator"].partition("-")[2]))

    async def create(self, _: Request, body: Any) -> Response:
        if "LastName" not in body:
            return self.error(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]")
        name = f"{body.get('FirstName', '')} {body['LastName']}".strip()
        person = {"id": f"003{len(self.people)}", "name": name, "phone": body.get("Phone", "")}
        self.people.append(person)
        return JSONResponse({"id": person["id"], "success": True, "errors": []}, 201)

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return self.error(404, "NOT_FOUND", "The requested resource does not exist")
        found[0].update({"email": body.get("Email", "")})
        return Response(status_code=204)

    async def log(self, _: Request, body: Any) -> Response:
        known = {"WhoId", "Subject", "Description", "TaskSubtype", "Status", "CallType", "CallDurationInSeconds"}
        strange = set(body) - known - {"CallObject", "ActivityDate"}
        if strange:
            return self.error(400, "INVALID_FIELD", f"No such column {strange}")
        self.logged.append(body)
        return JSONResponse({"id": f"00T{len(self.logged)}", "success": True, "errors": []}, 201)


PERSON_GUID = "11111111-2222-3333-4444-555555555555"


class Dynamics(Crm):
    """Dataverse Web API: query data, upsert, service protection limits."""

    FILTERS: ClassVar = {
        "telephone1 eq ? or mobilephone eq ? or telephone1 eq ? or mobilephone eq ? or telephone1 eq ? "
        "or mobilephone eq ?": "phone",
        "emailaddress1 eq ?": "email",
    }

    def routes(self) -> list[tuple[str, str, Handler]]:
        root = "/api/data/v9.2"
        return [
            ("POST", "/contoso/oauth2/v2.0/token", self.sign_in),
            ("GET", f"{root}/WhoAmI", self.who_am_i),
            ("GET", f"{root}/contacts", self.contacts),
            ("POST", f"{root}/contacts", self.create),
            ("PATCH", f"{root}/contacts({{id}})", self.update),
            ("PATCH", f"{root}/phonecalls({{id}})", self.log),
            ("GET", f"{root}/incidents", self.incidents),
            ("GET", f"{root}/salesorders", self.salesorders),
        ]

    async def sign_in(self, _: Request, body: str) -> Response:
        form = _form(body)
        if form.get("scope") != f"{self.base}/.default" or form.get("client_secret") != "s3cret":
            return JSONResponse({"error": "invalid_client", "error_description": "AADSTS7000215"}, 401)
        self.tokens += 1
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": self.token})

    def refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})

    def error(self, status: int, code: str, message: str) -> Response:
        return JSONResponse({"error": {"code": code, "message": message}}, status)

    async def who_am_i(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or JSONResponse({"UserId": PERSON_GUID})

    def out(self, person: dict[str, str]) -> dict[str, Any]:
        return {
            "contactid": person["id"],
            "fullname": person["name"],
            "telephone1": person.get("phone"),
            "mobilephone": None,
            "emailaddress1": person.get("email"),
        }

    async def contacts(self, request: Request, _: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        asked = request.query_params["$filter"]
        kind = self.FILTERS.get(_ODATA_STRING.sub("?", asked))
        if kind is None:
            return self.error(400, "0x80060888", "Syntax error in $filter")
        values = dict.fromkeys(each.replace("''", "'") for each in _ODATA_STRING.findall(asked))
        return JSONResponse({"value": [self.out(each) for value in values for each in self.by(kind, value)]})

    async def create(self, request: Request, body: Any) -> Response:
        person = {"id": PERSON_GUID, "name": body["lastname"], "phone": body.get("telephone1", "")}
        self.people.append(person)
        wants = request.headers.get("prefer") == "return=representation"
        return JSONResponse(self.out(person), 201) if wants else Response(status_code=204)

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return self.error(404, "0x80040217", "contact With Id Does Not Exist")
        found[0]["email"] = body.get("emailaddress1", "")
        return Response(status_code=204)

    async def log(self, request: Request, body: Any) -> Response:
        call = request.path_params["id"]
        is_new = all(each["id"] != call for each in self.logged)
        self.logged = [each for each in self.logged if each["id"] != call] + [{"id": call, **body}]
        return JSONResponse({"activityid": call}, 201 if is_new else 200)

    async def incidents(self, request: Request, _: Any) -> Response:
        return self.owned(request, self.cases)

    async def salesorders(self, request: Request, _: Any) -> Response:
        return self.owned(request, self.orders)

    def owned(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        asked = request.query_params
        at = int(asked.get("$skiptoken", "0"))
        if not re.fullmatch(r"_customerid_value eq [0-9a-f-]{36}", asked["$filter"]):
            return self.error(400, "0x80060888", "Syntax error in $filter")
        whole: dict[str, Any] = {"value": rows[at : at + 2]}
        if at + 2 < len(rows):
            address = request.url.include_query_params(**{"$skiptoken": at + 2})
            whole["@odata.nextLink"] = str(address)
        return JSONResponse(whole)


class Zendesk(Crm):
    """Support API: users, tickets, cursor pagination, idempotency, rate limits."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [
            ("GET", "/api/v2/users/me.json", self.me),
            ("GET", "/api/v2/users/search.json", self.search),
            ("POST", "/api/v2/users", self.create),
            ("PUT", "/api/v2/users/{id}", self.update),
            ("GET", "/api/v2/tickets", self.tickets),
            ("POST", "/api/v2/tickets", self.log),
            ("GET", "/api/v2/users/{id}/tickets/requested", self.requested),
        ]

    def refusal(self, request: Request) -> Response | None:
        due = "Basic " + base64.b64encode(b"agent@example.com/token:k3y").decode()
        if request.headers.get("authorization") == due:
            return None
        return JSONResponse({"error": "Couldn't authenticate you"}, 401)

    async def me(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or JSONResponse({"user": {"id": 1}})

    async def search(self, request: Request, _: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        asked = re.fullmatch(r'role:end-user (phone|email):"([^"]*)"', request.query_params["query"])
        found = self.by(asked[1], asked[2]) if asked else self.people
        return JSONResponse({"users": [{**each, "id": int(each["id"])} for each in found], "count": len(found)})

    async def create(self, _: Request, body: Any) -> Response:
        if "name" not in body["user"]:
            return JSONResponse({"error": "RecordInvalid", "description": "Record validation errors"}, 422)
        person = {"id": str(len(self.people) + 1), **{k: str(v) for k, v in body["user"].items()}}
        self.people.append(person)
        return JSONResponse({"user": {**person, "id": int(person["id"])}}, 201)

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return JSONResponse({"error": "RecordNotFound", "description": "Not found"}, 404)
        found[0].update(body["user"])
        return JSONResponse({"user": found[0]})

    async def tickets(self, request: Request, _: Any) -> Response:
        wanted = request.query_params["external_id"]
        return JSONResponse({"tickets": [each for each in self.logged if each["external_id"] == wanted]})

    async def log(self, request: Request, body: Any) -> Response:
        ticket = body["ticket"]
        if "requester_id" in ticket and not isinstance(ticket["requester_id"], int):
            return JSONResponse({"error": "RecordInvalid"}, 422)
        key = request.headers["idempotency-key"]
        before = next((each for each in self.logged if each["key"] == key), None)
        if before is None:
            before = {**ticket, "id": len(self.logged) + 35436, "key": key}
            self.logged.append(before)
            return JSONResponse({"ticket": before}, 201, {"X-Idempotency-Lookup": "miss"})
        return JSONResponse({"ticket": before}, 201, {"X-Idempotency-Lookup": "hit"})

    async def requested(self, request: Request, _: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        at = int(request.query_params.get("page[after]", "0"))
        has_more = at + 2 < len(self.cases)
        following = str(request.url.include_query_params(**{"page[after]": at + 2}))
        return JSONResponse(
            {
                "tickets": self.cases[at : at + 2],
                "meta": {"has_more": has_more, "after_cursor": str(at + 2), "before_cursor": None},
                "links": {"next": following if has_more else None, "prev": None},
            }
        )


class HubSpot(Crm):
    """CRM API v3: contacts, search, calls, tickets, orders."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        root = "/crm/v3/objects"
        return [
            ("GET", f"{root}/contacts", self.contacts),
            ("POST", f"{root}/contacts", self.create),
            ("PATCH", f"{root}/contacts/{{id}}", self.update),
            ("POST", f"{root}/contacts/search", self.search),
            ("POST", f"{root}/calls", self.log),
            ("POST", f"{root}/calls/search", self.search_calls),
            ("POST", f"{root}/tickets/search", self.tickets),
            ("POST", f"{root}/orders/search", self.search_orders),
        ]

    def refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == "Bearer k3y":
            return None
        return self.error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")

    def error(self, status: int, category: str, message: str) -> Response:
        return JSONResponse(
            {"status": "error", "message": message, "correlationId": "aeb5f871", "category": category}, status
        )

    async def contacts(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or JSONResponse({"results": []})

    async def search(self, request: Request, body: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        found: list[dict[str, str]] = []
        for group in body["filterGroups"]:
            for each in group["filters"]:
                if each["propertyName"] in ("phone", "email"):
                    wanted = each["values"] if each["operator"] == "IN" else [each["value"]]
                    found += [person for value in wanted for person in self.by(each["propertyName"], value)]
        return JSONResponse({"total": len(found), "results": [self.out(each) for each in found]})

    def out(self, person: dict[str, str]) -> dict[str, Any]:
        first, _, last = person["name"].rpartition(" ")
        properties = {"firstname": first or None, "lastname": last}
        return {"id": person["id"], "properties": properties | {k: person.get(k) for k in ("phone", "email")}}

    async def create(self, _: Request, body: Any) -> Response:
        given = body["properties"]
        if self.by("email", given.get("email", "-")):
            return self.error(409, "CONFLICT", "Contact already exists. Existing ID: 101")
        name = f"{given.get('firstname', '')} {given.get('lastname', '')}".strip()
        person = {"id": str(100 + len(self.people)), "name": name, "phone": given.get("phone", "")}
        self.people.append(person)
        return JSONResponse(self.out(person), 201)

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return self.error(404, "OBJECT_NOT_FOUND", "resource not found")
        found[0].update({"email": body["properties"].get("email", "")})
        return JSONResponse(self.out(found[0]))

    async def log(self, _: Request, body: Any) -> Response:
        if "hs_timestamp" not in body["properties"]:
            return self.error(400, "VALIDATION_ERROR", "hs_timestamp is required")
        for each in body.get("associations", ()):
            if each["types"] != [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]:
                return self.error(400, "VALIDATION_ERROR", "no such association")
        self.logged.append(body)
        return JSONResponse({"id": str(900 + len(self.logged)), "properties": {}}, 201)

    async def search_calls(self, _: Request, body: Any) -> Response:
        wanted = body["filterGroups"][0]["filters"][0]["value"]
        found = [{"id": "901"} for each in self.logged if each["properties"]["hs_call_external_id"] == wanted]
        return JSONResponse({"total": len(found), "results": found})

    async def tickets(self, request: Request, body: Any) -> Response:
        return self.refusal(request) or self.page(body, self.cases)

    async def search_orders(self, request: Request, body: Any) -> Response:
        return self.refusal(request) or self.page(body, self.orders)

    def page(self, body: Any, rows: list[dict[str, Any]]) -> Response:
        assert body["filterGroups"][0]["filters"][0]["propertyName"] == "associations.contact"
        at = int(body.get("after", "0"))
        whole: dict[str, Any] = {"total": len(rows), "results": rows[at : at + 2]}
        if at + 2 < len(rows):
            whole["paging"] = {"next": {"after": str(at + 2)}}
        return JSONResponse(whole)


@dataclass
class Zoho(Crm):
    """CRM API v8: search, insert, update, related records; OAuth with a refresh token."""

    def routes(self) -> list[tuple[str, str, Handler]]:
        root = "/crm/v8"
        return [
            ("POST", "/oauth/v2/token", self.sign_in),
            ("GET", f"{root}/Contacts", self.contacts),
            ("POST", f"{root}/Contacts", self.create),
            ("GET", f"{root}/Contacts/search", self.search),
            ("PUT", f"{root}/Contacts/{{id}}", self.update),
            ("GET", f"{root}/Contacts/{{id}}/Cases", self.list_cases),
            ("GET", f"{root}/Contacts/{{id}}/Sales_Orders", self.list_orders),
            ("POST", f"{root}/Calls", self.log),
            ("GET", f"{root}/Calls/search", self.search_calls),
        ]

    async def sign_in(self, _: Request, body: str) -> Response:
        form = _form(body)
        if form.get("refresh_token") != "1000.refresh" or form.get("grant_type") != "refresh_token":
            return JSONResponse({"error": "invalid_code"})  # with 200, as Zoho does
        self.tokens += 1
        return JSONResponse({"access_token": self.token, "api_domain": self.base, "expires_in": 3600})

    def refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Zoho-oauthtoken {self.token}":
            return None
        return self.error(401, "INVALID_TOKEN", "invalid oauth token")

    def error(self, status: int, code: str, message: str) -> Response:
        return JSONResponse({"code": code, "details": {}, "message": message, "status": "error"}, status)

    def done(self, id_: str, status: int = 201) -> Response:
        return JSONResponse({"data": [{"code": "SUCCESS", "details": {"id": id_}, "status": "success"}]}, status)

    async def contacts(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or Response(status_code=204)

    async def search(self, request: Request, _: Any) -> Response:
        if (refusal := self.refusal(request)) is not None:
            return refusal
        asked = request.query_params
        found = self.by("phone", asked["phone"]) if "phone" in asked else self.by("email", asked["email"])
        if not found:
            return Response(status_code=204)
        rows = [
            {"id": each["id"], "Full_Name": each["name"], "Phone": each.get("phone"), "Email": each.get("email")}
            for each in found
        ]
        return JSONResponse({"data": rows, "info": {"per_page": 200, "count": len(rows), "more_records": False}})

    async def create(self, _: Request, body: Any) -> Response:
        given = body["data"][0]
        if "Last_Name" not in given:
            return JSONResponse({"data": [{"code": "MANDATORY_NOT_FOUND", "status": "error"}]}, 400)
        person = {"id": f"4876{len(self.people)}", "name": given["Last_Name"], "phone": given.get("Phone", "")}
        self.people.append(person)
        return self.done(person["id"])

    async def update(self, request: Request, body: Any) -> Response:
        found = self.by("id", request.path_params["id"])
        if not found:
            return self.error(400, "INVALID_DATA", "the id given seems to be invalid")
        found[0].update({"email": body["data"][0].get("Email", "")})
        return self.done(found[0]["id"], 200)

    async def log(self, _: Request, body: Any) -> Response:
        given = body["data"][0]
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", given["Call_Start_Time"]):
            return JSONResponse({"data": [{"code": "INVALID_DATA", "status": "error"}]}, 400)
        self.logged.append(given)
        return self.done(f"555{len(self.logged)}")

    async def search_calls(self, request: Request, _: Any) -> Response:
        asked = re.fullmatch(r"\(Description:starts_with:([0-9a-f]{32})\)", request.query_params["criteria"])
        found = [{"id": "5551"} for each in self.logged if asked and each["Description"].startswith(asked[1])]
        return JSONResponse({"data": found}) if found else Response(status_code=204)

    async def list_cases(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or self.page(request, self.cases)

    async def list_orders(self, request: Request, _: Any) -> Response:
        return self.refusal(request) or self.page(request, self.orders)

    def page(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        page = int(request.query_params["page"])
        found = rows[2 * page - 2 : 2 * page]
        if not found:
            return Response(status_code=204)
        return JSONResponse({"data": found, "info": {"page": page, "more_records": 2 * page < len(rows)}})
