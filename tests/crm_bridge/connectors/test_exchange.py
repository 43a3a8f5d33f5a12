"""Whatever a CRM answers, it is read or said to be unreadable."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_bridge.connectors import exchange, found, load
from crm_bridge.connectors.exchange import Answer, AskedTooMuch, Broken, Good, Refused, SignedOut
from crm_bridge.connectors.language import Operation
from crm_bridge.connectors.template import Unfit
from tests.crm_bridge.connectors.playing import call_values, phone_values

CONNECTORS = {name: load.load(path) for name, path in load.shipped().items()}
GIVEN = {
    **call_values(),
    **phone_values(),
    "email": "an@example.vn",
    "name": "An",
    "person": "11111111-2222-3333-4444-555555555555",
    "tenant": "t",
}
ORIGIN = "https://crm.example.com/base"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
KEYS = (
    "records value data items results users tickets info links next paging after nextRecordsUrl @odata.nextLink id Id "
    "more_records properties user ticket"
)
words = st.sampled_from(KEYS.split())
answers = st.recursive(
    scalars | st.sampled_from(["http://[", "//evil.example.com/x", "https://crm.example.com/base/x?y=1", "/z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


def operation_of(kind: str, name: str) -> Operation:
    return next(each for each in CONNECTORS[kind].operations.values() if each.name == name)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(CONNECTORS)), st.data(), answers, st.sampled_from([200, 201, 204, 400, 403, 404, 429, 500])
)
def test_any_answer_is_read(kind: str, data: st.DataObject, said: Any, status: int) -> None:
    connector = CONNECTORS[kind]
    operation = data.draw(st.sampled_from(list(connector.operations.values())))
    answer = Answer(status, {}, json.dumps(said).encode())
    assert exchange.judge(connector, operation, answer) is not None
    for row in exchange.rows_of(operation, answer):
        assert set(row) <= set(operation.fields)
        assert not any("\n" in value or "\0" in value for value in row.values())
        "".join(row.values()).encode("utf-8")
    asked = exchange.request_of(connector, operation, GIVEN | ({} if kind == "dynamics" else {"person": "35436"}))
    following = exchange.next_request(operation, asked, answer, ORIGIN)
    if following is not None:
        assert following != asked
        assert following.target.startswith("/")
        assert not following.target.startswith("//")


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_what_is_no_json_is_not_nobody(body: bytes) -> None:
    operation = operation_of("rest", "find_by_phone")
    verdict = exchange.judge(CONNECTORS["rest"], operation, Answer(200, {}, b"<html>" + body))
    assert isinstance(verdict, Broken)


@pytest.mark.parametrize(
    ("status", "body", "headers", "verdict"),
    [
        (200, {"items": []}, {}, Good()),
        (200, {"error": "no"}, {}, Broken("HTTP 200, unread")),
        (204, None, {}, Good(nothing=True)),
        (404, None, {}, Good(nothing=True)),
        (401, {"code": "unauthorized"}, {}, SignedOut("HTTP 401 unauthorized")),
        (422, {"code": "an@example.vn exists"}, {}, Refused("HTTP 422", 422)),
        (302, None, {}, Broken("HTTP 302")),
        (503, None, {}, AskedTooMuch(30, "HTTP 503")),
        (500, None, {}, Broken("HTTP 500")),
        (429, None, {"retry-after": "9"}, AskedTooMuch(9, "HTTP 429")),
        (429, None, {"retry-after": "-1"}, AskedTooMuch(10, "HTTP 429")),
        (429, None, {"retry-after": "nan"}, AskedTooMuch(10, "HTTP 429")),
        (429, None, {"retry-after": "1e30"}, AskedTooMuch(86_400, "HTTP 429")),
        (429, None, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, AskedTooMuch(10, "HTTP 429")),
    ],
)
def test_what_an_answer_means(status: int, body: Any, headers: dict[str, str], verdict: exchange.Verdict) -> None:
    answer = Answer(status, headers, b"" if body is None else json.dumps(body).encode())
    assert exchange.judge(CONNECTORS["rest"], operation_of("rest", "find_by_phone"), answer) == verdict


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("/x?y=1", "/x"),
        ("https://crm.example.com/base/x?y=1", "/x"),
        ("https://CRM.example.com/base/x", "/x"),
        ("https://crm.example.com/other/x", None),
        ("http://crm.example.com/base/x", None),
        ("https://crm.example.com:8443/base/x", None),
        ("https://crm.example.com@evil.example.com/base/x", None),
        ("https://evil.example.com/base/x", None),
        ("//evil.example.com/x", None),
        ("https://crm.example.com/base//evil.example.com", None),
        ("javascript:alert(1)", None),
        ("x", None),
        ("", None),
        ("http://[", None),
    ],
)
def test_only_pages_of_the_crm_itself_are_followed(address: str, target: str | None) -> None:
    operation = operation_of("salesforce", "cases")
    asked = exchange.request_of(CONNECTORS["salesforce"], operation, GIVEN)
    answer = Answer(200, {}, json.dumps({"records": [], "nextRecordsUrl": address}).encode())
    following = exchange.next_request(operation, asked, answer, ORIGIN)
    assert (following and following.target) == target


@pytest.mark.parametrize("name", ["find_by_phone", "find_by_email", "find_call", "log_call", "update_person", "cases"])
@pytest.mark.parametrize("kind", sorted(CONNECTORS))
def test_a_question_about_nobody_is_not_asked(kind: str, name: str) -> None:
    if name not in CONNECTORS[kind].operations:
        return
    with pytest.raises(Unfit, match="is missing"):
        exchange.request_of(CONNECTORS[kind], operation_of(kind, name), {"tenant": "t", "name": "An"})


def test_an_answer_is_parsed_once() -> None:
    answer = Answer(200, {}, b'{"items": []}')
    assert answer.parsed is answer.parsed


def test_places() -> None:
    answer = {"a": [{"b.c": 7}], "d": None}
    assert found.at(answer, found.parse("a[0]")) == {"b.c": 7}
    assert found.at(answer, ("a", 0, "b.c")) == 7
    assert found.at(answer, found.parse("a[3].x")) is None
    assert found.at(answer, found.parse("d.e")) is None
    assert found.texts(answer, [("d",), ("a", 0, "b.c"), ("a",)]) == ["7"]
