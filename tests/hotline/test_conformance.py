"""Whatever the OpenAPI document allows is answered as it says, and no request whatsoever makes the server fail.

schemathesis makes the requests (docs/decisions/0013); they go to the application in this process. What only a running
telephone side answers is not asked here.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hotline import auth, database
from hotline.config import load
from hotline.web import create_app
from tests.databases import migrate

EXAMPLES: Final = 20
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
ROOMS: Final = (
    "audit",
    "connectors",
    "consents",
    "customers",
    "erasures",
    "imports",
    "interactions",
    "merges",
    "messages",
    "privacy",
    "recordings",
    "webhooks",
)
OF_A_CALL: Final = r"/codes(/|$)"
"""What of the rooms is of a call that is running."""
NOW: Final = 1_800_000_000.0


class Clock:
    """Time stands still."""

    def now(self) -> float:
        return NOW


class Server:
    """The application, its document and a client that may do everything, in a loop of their own."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self.document, self._client = self._runner.run(self._start(folder))

    async def _start(self, folder: Path) -> tuple[dict[str, Any], httpx.AsyncClient]:
        settings = load(None, {}, data=folder)
        migrate(settings.database_url)
        self._engine = database.open_engine(settings.database_url)
        sessions = database.session_factory(self._engine)
        async with sessions.begin() as session:
            token = await auth.add_token(session, "fuzz", ["admin"], NOW, None)
        app = create_app(settings, sessions, Clock())
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://localhost:8080",
            headers={"Authorization": f"Bearer {token}"},
        )
        return app.openapi(), client

    def ask(self, case: schemathesis.Case[Any]) -> httpx.Response:
        """Send a request, octet for octet as it was made."""
        made = requests.Request(**case.as_transport_kwargs(base_url="http://localhost:8080")).prepare()
        headers = {name: str(value) for name, value in made.headers.items() if name.lower() != "authorization"}
        body: Any = made.body
        answer = self._client.request(made.method or "", made.url or "", headers=headers, content=body)
        return self._runner.run(answer)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self._engine.dispose())
        self._runner.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("conformance"))
    yield server
    server.close()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_answers_as_its_document_says(server: Server, room: str) -> None:
    schema = schemathesis.openapi.from_dict(server.document).include(path_regex=rf"^/api/v1/{room}(/|$)")
    schema = schema.exclude(path_regex=OF_A_CALL)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert operations
    for operation in operations:

        @seed(9457)
        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def answers(case: schemathesis.Case[Any]) -> None:
            case.validate_response(server.ask(case), checks=CHECKS)

        answers()
