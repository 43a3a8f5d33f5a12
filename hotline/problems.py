"""Errors over HTTP as RFC 9457 says: `application/problem+json` with title, status, detail, a pointer to each fault.

Rule 1: a body never shows the inside of the program: an unforeseen failure is logged under an id, and the body names
the id. Rule 2: a body never repeats what was sent: it may be personal.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

log = structlog.get_logger("hotline.web")

MEDIA_TYPE: Final = "application/problem+json"
INTERNAL_ERROR: Final = 1011  # RFC 6455 section 7.4.1


class Problem(Response):
    """An error's response. `members` are further members of the object (RFC 9457 section 3.2)."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status: int,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        body: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
        body |= members or {}
        super().__init__(json.dumps(body, ensure_ascii=False).encode(), status, headers)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def answer_with_problems(app: FastAPI) -> None:
    """Have every error of the routes answered as a problem."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for it alone)
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    said: object = error.detail  # FastAPI's own lets a route say an object
    detail = said if isinstance(said, str) else ""
    members: dict[str, Any] = said if isinstance(said, dict) else {}
    if detail == _title(error.status_code):
        detail = {404: "There is nothing at this address.", 405: "This address does not know this method."}.get(
            error.status_code, ""
        )
    return Problem(error.status_code, detail, error.headers, members)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for it alone)
    faults = error.errors()
    for fault in faults:
        if fault["type"] == "json_invalid":
            # The parser's sentences are fixed: they say nothing of what was sent.
            return Problem(400, f"The body is not JSON: {fault['ctx']['error']}, at character {fault['loc'][-1]}.")
    content_type = request.headers.get("content-type", "")
    if content_type and "json" not in content_type and any(tuple(fault["loc"]) == ("body",) for fault in faults):
        return Problem(415, "Send JSON, with `Content-Type: application/json`.")
    members = {"errors": [_fault(each) for each in faults]}
    return Problem(422, "What was sent is not what is due here; see `errors`.", members=members)


# What pydantic says too briefly to be mended.
SENTENCES: Final = {
    "missing": "is missing: it must be there",
    "extra_forbidden": "is not known here: leave it out, or look up its name in /api/v1/openapi.json",
    "timezone_aware": "has no zone: write it as 2026-11-22T10:41:00+07:00",
}


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    place, *inside = fault["loc"]
    detail = SENTENCES.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")
    if place == "body":
        return {"pointer": _pointer(inside), "detail": detail}
    name = "header" if place == "header" else "parameter"
    return {name: ".".join(str(part) for part in inside), "detail": detail}


def _pointer(path: Sequence[object]) -> str:
    """Return a JSON pointer as a URI fragment (RFC 6901 section 6)."""
    return "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


class BodyLimit:
    """ASGI middleware: a body longer than `octets` is refused, whether its length was said or not. `files` are the
    addresses that take more, each with its own limit."""

    def __init__(self, app: ASGIApp, octets: int, files: Mapping[str, int] | None = None) -> None:
        self._app, self._octets, self._files = app, octets, files or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        octets = self._files.get(scope.get("path", ""), self._octets)
        too_long = HTTPException(413, f"The body is longer than {octets} octets.")

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > octets:
                raise too_long
            return message

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif any(name == b"content-length" and int(value) > octets for name, value in scope["headers"]):
            await Problem(413, too_long.detail)(scope, receive, send)
        else:
            await self._app(scope, counted, send)


class Failures:
    """Whatever the application did not foresee: logged under an id, answered with it, the server goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in ("http.response.start", "websocket.accept", "websocket.close")
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (ClientDisconnect, WebSocketDisconnect):
            return  # the other side is gone, and there is nobody to tell
        except Exception as error:
            if scope["type"] not in ("http", "websocket"):
                raise
            id_ = uuid4().hex
            log.exception("a request failed", id=id_, method=scope.get("method", "WEBSOCKET"), path=scope["path"])
            await _tell(_failure(id_, error), f"failure {id_}", started, scope, receive, send)


def _failure(id_: str, error: Exception) -> Problem:
    members = {"instance": f"urn:uuid:{id_}"}
    if isinstance(error, OperationalError | InterfaceError):
        return Problem(503, f"The database does not answer; the log knows why as {id_}.", {"Retry-After": "2"}, members)
    return Problem(500, f"Something failed here; the log knows it as {id_}.", members=members)


async def _tell(problem: Problem, reason: str, started: bool, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": reason})
    elif not started:
        await problem(scope, receive, send)
    # A response that has begun cannot be taken back: it ends short, which the client sees.


def describe_problems(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document what errors look like, and that every operation needs a token."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            responses = operation["responses"]
            for status in [known for known in responses if known.startswith(("4", "5"))]:
                responses[status]["content"] = content
            responses.setdefault("401", {"description": "No valid token came with the request.", "content": content})
            responses.setdefault("403", {"description": "The token lacks the scope.", "content": content})


PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "An error as RFC 9457 describes it.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the body"},
                    "parameter": {"type": "string", "description": "name of a query or path parameter"},
                    "header": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
