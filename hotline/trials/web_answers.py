"""The web services of a scenario: a server on loopback that says what the scenario has them say."""

import asyncio
import json
from http import HTTPStatus
from typing import Final

from ivr_flows.facts import Facts
from ivr_flows.trials.scenario import Reply, World
from ivr_flows.trials.world import Answers

HOST: Final = "127.0.0.1"
STATUS: Final = {"next": HTTPStatus.OK, "not_found": HTTPStatus.NOT_FOUND}
NEVER_S: Final = 3600.0
HEAD_LIMIT: Final = 65536


class WebAnswers:
    """One scenario's web services: the setting `orders_url` is the address `…/orders_url` here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._answers = Answers(world)
        self._server: asyncio.Server | None = None

    async def start(self) -> dict[str, str]:
        """Listen; return the flow's settings, with the addresses that are answered here."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=HEAD_LIMIT)
        port = self._server.sockets[0].getsockname()[1]
        return {name: f"http://{HOST}:{port}/{name}" for name in self._world.facts.settings}

    async def stop(self) -> None:
        """Listen no more. Whoever waits is left waiting."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            reply = self._answers.web(method, meant_by(self._world.facts, target)) or Reply("failed")
            await asyncio.sleep(NEVER_S if reply.outcome == "timed_out" else reply.after_s)
            body = json.dumps(reply.values if reply.values is not None else {}, ensure_ascii=False).encode()
            status = STATUS.get(reply.outcome, HTTPStatus.INTERNAL_SERVER_ERROR)
            line = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
            writer.write(f"{line}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or spoke no HTTP
        finally:
            writer.close()


def meant_by(facts: Facts, target: str) -> str:
    """Return the address that a scenario knows a request's target by: `/orders_url/orders/1` is the setting's value and
    the rest."""
    name, slash, rest = target.removeprefix("/").partition("/")
    return f"{facts.settings.get(name, name)}{slash}{rest}"
