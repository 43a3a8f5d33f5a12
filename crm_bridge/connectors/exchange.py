"""From an operation and its values to a request, and from an answer to rows. Pure: nothing is sent here.

Rule 1: a gap that is empty leaves out the parameter or the part of a body that it is the whole of, and a text of a body
that needs it.
Rule 2: of what a CRM says about an error only its status and its code are passed on: the rest may name people.
Rule 3: the address of a next page must be at the CRM's own: our key goes nowhere else.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from crm_bridge.connectors import found, template
from crm_bridge.connectors.language import IF, NEEDED, READING, Body, Connector, Field, Operation, Paging
from crm_bridge.connectors.template import Template, Values
from crm_bridge.outgoing.schedule import retry_after_s

MAX_TEXT_LENGTH: Final = 1000
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

Row = dict[str, str]
"""Our fields by their names; one that the CRM has nothing for is not there."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `target` is the path under the CRM's address; `body` is JSON, None for none."""

    method: str
    target: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def address(self) -> str:
        """Path and query as they stand in the request line."""
        return self.target + (f"?{urlencode(self.query)}" if self.query else "")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def parsed(self) -> Any:
        """The body as JSON, None for none and for what is no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Good:
    """It was done; `nothing`: there is none of what was asked for."""

    nothing: bool = False


@dataclass(frozen=True, slots=True)
class AskedTooMuch:
    """It is to be asked again no sooner than in `wait_s`."""

    wait_s: float
    cause: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    """It does not know us, or no longer."""

    cause: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something is wrong at its end; asked again later it may be right."""

    cause: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It will not do this, however often it is asked."""

    cause: str
    status: int


Verdict = Good | AskedTooMuch | SignedOut | Broken | Refused


# ---------------------------------------------------------------------------------------------------------- requests


def request_of(connector: Connector, operation: Operation, values: Values) -> Request:
    """Return the request of an operation. Raises `template.Unfit`; also where what it is about is missing: a search
    for nothing would find everybody."""
    missing = next((name for name in NEEDED[operation.name] if not values.get(name)), None)
    if missing is not None:
        raise template.Unfit(f"`{missing}` is missing")
    said = {name: _in_its_words(operation, name, value) for name, value in values.items()}
    said |= {name: said.get(name) or default for name, default in connector.options.items()}
    query = ((name, _query_value(template.value_of(each, said))) for name, each in operation.query.items())
    headers = {**connector.headers, **operation.headers}
    pages = operation.pages
    request = Request(
        operation.method,
        template.path_of(operation.path, said),
        tuple((name, value) for name, value in query if value is not None),
        {name: template.header_of(each, said) for name, each in headers.items()},
        None if operation.body is None else _body_of(operation.body, said),
    )
    return request if pages is None or pages.kind in ("next", "cursor") else _placed(request, pages, pages.first)


def _in_its_words(operation: Operation, name: str, value: Any) -> Any:
    words = operation.words.get(name)
    if not words or not isinstance(value, str):
        return value
    return words.get(value, words.get("*", value))


def _query_value(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return found.as_text(value) or None


_LEFT_OUT: Final = object()


def _body_of(body: Body, values: Values) -> Any:
    made = _made(body, values)
    return {} if made is _LEFT_OUT else made


def _made(body: Body, values: Values) -> Any:
    if isinstance(body, Template):
        if template.lacks(body, values):
            return _LEFT_OUT
        value = template.value_of(body, values)
        return _LEFT_OUT if value is None or value == "" else _within_json(value)
    if isinstance(body, Mapping):
        needed = body.get(IF)
        if isinstance(needed, Template) and template.value_of(needed, values) is None:
            return _LEFT_OUT
        whole = {
            key: made for key, part in body.items() if key != IF and (made := _made(part, values)) is not _LEFT_OUT
        }
        return whole or (_LEFT_OUT if body else {})
    if isinstance(body, tuple):
        elements = [made for part in body if (made := _made(part, values)) is not _LEFT_OUT]
        return elements or (_LEFT_OUT if body else [])
    return body


def _within_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_within_json(each) for each in value]
    if isinstance(value, str):
        return found.sound(value)
    return value


# ----------------------------------------------------------------------------------------------------------- answers


def judge(connector: Connector, operation: Operation | None, answer: Answer) -> Verdict:
    """Say what an answer means; `operation` is None where somebody signs in."""
    status, said = answer.status, _said(connector, answer)
    for busy in connector.busy:
        if status == busy.status and (not busy.at or found.as_text(found.at(answer.parsed, busy.at)) == busy.word):
            return AskedTooMuch(retry_after_s(answer.headers.get("retry-after", ""), busy.wait_s), said)
    if operation is not None and status in operation.nothing:
        return Good(nothing=True)
    if 200 <= status <= 299:
        is_read = status == 204 or operation is None or _is_whole(operation, answer)
        return Good(nothing=status == 204) if is_read else Broken(f"{said}, unread")
    if status in connector.signed_out:
        return SignedOut(said)
    if status >= 500 or status in (408, 425) or status <= 399:
        return Broken(said)
    return Refused(said, status)


def _is_whole(operation: Operation, answer: Answer) -> bool:
    """Whether an answer has what it should have: a page to sign in at, or an error that says 200, is not nobody. What
    was written is written, whatever is said of it."""
    if operation.name not in READING or not operation.fields:
        return True
    whole = answer.parsed
    rows = whole if operation.rows is None else found.at(whole, operation.rows)
    return isinstance(rows, dict | list)


def _said(connector: Connector, answer: Answer) -> str:
    codes = (found.as_text(found.at(answer.parsed, place)) for place in connector.code)
    code = next((code for code in codes if _CODE.fullmatch(code)), "")
    return f"HTTP {answer.status} {code}".rstrip()


def rows_of(operation: Operation, answer: Answer) -> list[Row]:
    """Return the rows of an answer in our words; of an operation that has no `rows` the answer is the only one."""
    whole = answer.parsed
    rows = [whole] if operation.rows is None else found.at(whole, operation.rows)
    if isinstance(rows, dict):
        rows = [rows]
    return (
        [_row(operation.fields, row) for row in rows if isinstance(row, dict | list)] if isinstance(rows, list) else []
    )


def _row(fields: Mapping[str, Field], row: Any) -> Row:
    return {name: text for name, field in fields.items() if (text := _field(field, row))}


def _field(field: Field, row: Any) -> str:
    texts = [template.CONTROLS.sub(" ", text) for text in found.texts(row, field.paths)]
    text = (" ".join(texts) if field.join else next(iter(texts), ""))[:MAX_TEXT_LENGTH]
    return field.words.get(text, field.words.get("*", text)) if field.words and text else text


# ------------------------------------------------------------------------------------------------------------- pages


def next_request(operation: Operation, asked: Request, answer: Answer, origin: str) -> Request | None:
    """Return the request for the page behind an answer, None behind the last. `origin` is the CRM's address."""
    pages = operation.pages
    if pages is None:
        return None
    whole = answer.parsed
    match pages.kind:
        case "next":
            return _led_to(asked, found.as_text(found.at(whole, pages.at)), origin)
        case "cursor":
            word = found.at(whole, pages.at)
            return (
                _placed(asked, pages, word)
                if isinstance(word, str | int) and word not in ("", _asked(asked, pages))
                else None
            )
    rows = found.at(whole, operation.rows or ())
    count = len(rows) if isinstance(rows, list) else 0
    says_more = found.at(whole, pages.more) is True if pages.more else count >= pages.size
    if not says_more or not count:
        return None
    before = _asked(asked, pages)
    at = before if isinstance(before, int) else pages.first
    return _placed(asked, pages, at + (1 if pages.kind == "page" else count))


def _asked(asked: Request, pages: Paging) -> str | int | None:
    """What the parameter of the page was."""
    if pages.within == "body":
        value = asked.body.get(pages.parameter) if isinstance(asked.body, dict) else None
        return value if isinstance(value, str | int) else None
    text = dict(asked.query).get(pages.parameter)
    return int(text) if text is not None and pages.kind in ("page", "offset") else text


def _placed(request: Request, pages: Paging, value: str | int) -> Request:
    if pages.within == "body":
        body = request.body if isinstance(request.body, dict) else {}
        return replace(request, body={**body, pages.parameter: value})
    others = tuple(pair for pair in request.query if pair[0] != pages.parameter)
    return replace(request, query=(*others, (pages.parameter, str(value))))


def _led_to(asked: Request, address: str, origin: str) -> Request | None:
    """The page that an answer leads to, where that is under the CRM's own address."""
    if not address:
        return None
    try:
        parts, own = urlsplit(address), urlsplit(origin)
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        if (parts.scheme, parts.netloc.lower()) != (own.scheme, own.netloc.lower()):
            return None
        if not parts.path.startswith(own.path):
            return None
        target = parts.path[len(own.path) :]
    else:
        target = parts.path
    if not target.startswith("/") or target.startswith("//"):
        return None
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    following = replace(asked, target=target, query=query)
    return None if following == asked else following
