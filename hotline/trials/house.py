"""Where a scenario is played: `hotline serve` in a process of its own, with the scenario's world about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hotline.auth import AuthError, NewUser
from hotline.config import Settings
from hotline.programs import Process, ProgramFailed, spawn
from hotline.trials.fittings import number_of, places_of, settings_of, write_flows
from hotline.trials.known import Base, furnish
from hotline.trials.plan import Plan
from hotline.trials.ports import HOST, Ports, free
from hotline.trials.web_answers import WebAnswers
from ivr_flows.trials.examining import Beside
from recordings.journal import Journal

READY_S: Final = 120.0


@dataclass(slots=True)
class House:
    """One scenario's server, and the phones and services beside it."""

    folder: Path
    settings: Settings
    beside: Beside
    plan: Plan
    base: Base
    ports: Ports = field(default_factory=free)
    running: list[Process] = field(default_factory=list)
    agents: dict[str, NewUser] = field(default_factory=dict)
    web: WebAnswers = field(init=False)

    def __post_init__(self) -> None:
        self.web = WebAnswers(self.plan.scenario.world)

    @property
    def server(self) -> str:
        """Where it is called."""
        return f"{HOST}:{self.ports.sip}"

    @property
    def journals(self) -> Path:
        """The folder of its journals."""
        return self.folder / "data" / "journals"

    @property
    def journal(self) -> Journal:
        """Its journals, to be read."""
        return Journal(self.journals)

    def calls(self) -> set[str]:
        """Return the calls that have a journal."""
        return {path.stem for path in self.journals.rglob("*.jsonl")}

    async def open(self, flow_settings: Mapping[str, str]) -> None:
        """Set the world up and start the server; `flow_settings` are what the flow names. Raises `ProgramFailed`."""
        plan, config = self.plan, self.folder / "hotline.yaml"
        world = settings_of(self.settings, plan, self.beside.flow.name, flow_settings)
        config.write_text(json.dumps({**world, **places_of(self.folder, self.ports, plan)}), encoding="utf-8")
        write_flows(self.folder / "flows", self.beside, self.settings, plan)
        facts, region = plan.scenario.world.facts, self.settings.region
        try:
            known = await furnish(self.folder / "data", self.base, facts, region, plan.agents)
        except AuthError as error:
            raise ProgramFailed(f"an agent to whom the call is given cannot be there: {error}") from error
        self.agents = {user.name: user for user in known}
        server = await self.start("the server", "hotline", "serve", "--config", str(config))
        await server.until("ready", READY_S)

    async def start(self, name: str, *command: str) -> Process:
        """Start a program that ends with the house."""
        process = await spawn(name, *command, told=True)
        self.running.append(process)
        return process

    # ------------------------------------------------------------------------------------------------- its phones

    async def caller(self, number: str, ani: str, name: str = "the caller's phone") -> Process:
        """Let a phone call a number; `ani` is its own, empty for one that is hidden."""
        return await self._phone(name, "call", number, "--from", ani or "anonymous")

    async def waiter(self, queue: str) -> Process:
        """Let somebody else wait in a queue."""
        return await self.caller(number_of(self.plan, queue), "", "the phone of somebody who waits")

    async def agent(self, after_s: float, name: str = "") -> Process:
        """Let an agent's phone register, which picks up after so long: that of one by name, or of who serves queues."""
        user = self.agents.get(name, self.base.agent)
        return await self._phone(
            "the agent's phone", "agent", "--user", user.sip_user, "--password", user.sip_password,
            "--answer-after", f"{after_s:g}",
        )  # fmt: skip

    async def outside(self, *how: str) -> Process:
        """Let a phone be called where the trunk leads."""
        listen = f"{HOST}:{self.ports.outside}"
        return await self._phone("the phone that is called", "outside", "--listen", listen, *how)

    async def _phone(self, name: str, mode: str, *options: str) -> Process:
        return await self.start(name, "hotline.phone", mode, *options, "--server", self.server, "--live", "--json")

    async def close(self) -> None:
        """End what was started, the last first. A server that calls keep is asked twice."""
        for process in reversed(self.running):
            await process.stop()
        await self.web.stop()
