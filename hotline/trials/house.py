"""Where a scenario is played: `hotline serve` in a process of its own, with the scenario's world about it."""

import json
import random
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from crm_bridge.identity import phone
from crm_bridge.tables import Case, Customer, Identity
from hotline import auth, database
from hotline.config import Settings
from hotline.programs import Process, spawn
from hotline.trials.opening import hours
from hotline.trials.web_answers import HOST, WebAnswers
from ivr_flows.facts import Facts
from ivr_flows.load import Files, flow_files
from ivr_flows.trials.examining import Beside
from ivr_flows.trials.reading_world import DAY_S
from ivr_flows.trials.scenario import Scenario, Visit
from recordings.journal import Journal

DOMAIN: Final = "hotline.trial"
AGENT: Final = "agent"
NOBODY: Final = "nobody"
"""Serves the queues that no agent is to answer."""
RINGS_S: Final = 60.0
"""So long the agent's phone rings beyond the time after which it answers."""
READY_S: Final = 120.0
MEDIA_PORTS: Final = 20
PORTS: Final = range(10_000, 32_000)
"""Below those that the system gives out itself."""


@dataclass(frozen=True, slots=True)
class Base:
    """A database to begin with, and the agent in it."""

    database: bytes
    agent: auth.NewUser


@dataclass(slots=True)
class House:
    """One scenario's server, and the phones and services beside it."""

    folder: Path
    settings: Settings
    beside: Beside
    scenario: Scenario
    base: Base
    sip_port: int = 0
    running: list[Process] = field(default_factory=list)
    web: WebAnswers = field(init=False)

    def __post_init__(self) -> None:
        self.web = WebAnswers(self.scenario.world)

    @property
    def server(self) -> str:
        """Where it is called."""
        return f"{HOST}:{self.sip_port}"

    @property
    def journals(self) -> Path:
        """The folder of its journals."""
        return self.folder / "data" / "journals"

    @property
    def journal(self) -> Journal:
        """Its journals, to be read."""
        return Journal(self.journals)

    @property
    def visits(self) -> list[Visit]:
        """What comes of the queues."""
        return [visit for each in self.scenario.world.visits.values() for visit in each]

    async def open(self, flow_settings: Mapping[str, str]) -> None:
        """Set the world up and start the server; `flow_settings` are what the flow names. Raises `ProgramFailed`."""
        config = self.folder / "hotline.yaml"
        config.write_text(json.dumps(self._settings(flow_settings)), encoding="utf-8")
        await self._furnish()
        server = await self.start("the server", "hotline", "serve", "--config", str(config))
        await server.until("ready", READY_S)

    async def start(self, name: str, *command: str) -> Process:
        """Start a program that ends with the house."""
        process = await spawn(name, *command, told=True)
        self.running.append(process)
        return process

    async def close(self) -> None:
        """End what was started, the last first. A server that calls keep is asked twice."""
        for process in reversed(self.running):
            await process.stop()
        await self.web.stop()

    # ------------------------------------------------------------------------------------------------- the settings

    def _settings(self, flow_settings: Mapping[str, str]) -> dict[str, Any]:
        facts = self.scenario.world.facts
        self.sip_port, web_port, media_port = _free(1, 1, MEDIA_PORTS)
        given = self.settings
        queues = {name: self._queue(name) for name in {*given.queues, *facts.queues}}
        return {
            "data": str(self.folder / "data"),
            "sip": {"listen": [f"udp:{HOST}:{self.sip_port}"], "domain": DOMAIN},
            "web": {"listen": f"{HOST}:{web_port}"},
            "media": {"address": HOST, "ports": f"{media_port}-{media_port + MEDIA_PORTS - 1}"},
            "flows": str(self._flows()),
            "numbers": {"*": self.beside.flow.name},
            "flow_settings": {**dict.fromkeys(given.flow_settings, ""), **flow_settings},
            "queues": queues,
            "hours": {name: hours(facts, name, time.time()) for name in {*given.hours, *facts.hours}},
            "speech": {"recognisers": {}, "voices": _plain(given.speech.voices)},
            "languages": list(given.languages),
            "region": facts.region,
        }

    def _flows(self) -> Path:
        """Make a folder of the flow and those that it may come to, with all that stands beside them: no prompts of
        others need be rendered, and what is wrong with those keeps nobody from calling this one."""
        folder = self.folder / "flows"
        folder.mkdir()
        source = self.beside.file.parent.resolve()
        needed = {self.beside.flow.name, *self.beside.flow.flows}
        files, read = set(flow_files(source)), Files()
        for each in source.iterdir():
            flow = read.by_itself(each).flow if each in files else None
            if each not in files or (flow is not None and flow.name in needed):
                (folder / each.name).symlink_to(each)
        return folder

    def _queue(self, name: str) -> dict[str, Any]:
        visits = self.scenario.world.visits.get(name, ())
        is_full = any(visit.outcome == "full" for visit in visits)
        answered = [visit.after_s for visit in visits if visit.outcome == "answered"]
        return {
            "wrap_up": "1s",
            "max_waiting": 0 if is_full else 50,
            "ring_timeout": f"{max((RINGS_S, *(after_s + RINGS_S for after_s in answered))):g}s",
            "agents": [] if answered else [NOBODY],  # none named: all there are
        }

    # ------------------------------------------------------------------------------------------------- the database

    async def _furnish(self) -> None:
        """Give it a database in which the caller is known as the scenario has it."""
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        file = data / "hotline.db"
        file.write_bytes(self.base.database)
        engine = database.open_engine(f"sqlite:///{file}")
        try:
            async with database.session_factory(engine).begin() as session:
                await _know(session, self.scenario.world.facts, self.settings.region, time.time())
        finally:
            await engine.dispose()


async def base() -> Base:
    """Make the database that every house begins with, once: all its tables, and an agent."""
    with tempfile.TemporaryDirectory(prefix="hotline-trial-") as folder:
        file = Path(folder) / "hotline.db"
        url = f"sqlite:///{file}"
        await database.upgrade(url)
        engine = database.open_engine(url)
        try:
            async with database.session_factory(engine).begin() as session:
                agent = await auth.add_user(session, AGENT, "agent", DOMAIN, time.time())
        finally:
            await engine.dispose()
        return Base(file.read_bytes(), agent)


async def _know(session: AsyncSession, facts: Facts, region: str, now: float) -> None:
    caller = facts.caller
    number = phone(facts.ani, region)
    if not caller.known or not number:
        return
    customer = Customer(
        id=uuid4().hex, name=caller.name, name_folded=caller.name.casefold(), language=caller.language,
        tags=list(caller.tags), created_at=now - DAY_S, updated_at=now - DAY_S,
    )  # fmt: skip
    session.add(customer)
    await session.flush()
    session.add(
        Identity(
            id=uuid4().hex, customer_id=customer.id, kind="phone", value=number, assurance=1, source="call",
            created_at=now - DAY_S,
        )
    )  # fmt: skip
    session.add_all(
        Case(
            id=case.id, customer_id=customer.id, subject=case.subject, topic=case.topic, state="open",
            channel=case.channel, opened_at=now - DAY_S - index,
        )
        for index, case in enumerate(caller.open_cases)
    )  # fmt: skip


def _plain(voices: Mapping[str, Any]) -> dict[str, Any]:
    return {name: voice.model_dump(mode="json", exclude_none=True) for name, voice in voices.items()}


def _free(*counts: int) -> list[int]:
    """Return, for each count, the first of so many ports that are free now, one beside the other."""
    wanted = sum(counts)
    while True:
        first = random.randrange(PORTS.start, PORTS.stop - wanted, 2)  # noqa: S311 - not against attackers
        if all(map(_is_free, range(first, first + wanted))):
            return [first + sum(counts[:index]) for index in range(len(counts))]


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
