"""A server where each agent has a queue and a number of its own, and sets of phones of one make by one transport."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.end_to_end.desks import Person, state_of
from tests.end_to_end.phones.phone import TONES_HZ, Account, Phone, Transport
from tests.end_to_end.running import HOST, Server, running_server, wait_for

CALLER: Final = "0912345678"
CALLER_HZ, FIRST_HZ, SECOND_HZ = TONES_HZ
NUMBERS: Final = {"7001": "anna", "7002": "bao", "7003": "keys", "7004": "goodbye"}
IN_QUEUES: Final = ("anna", "bao")

FLOW: Final = """
flow: {name}
languages: [en]
start: wait
steps:
  wait:
    queue: {{to: {name}, limit: 2m, wait: {{music: waiting}}}}
    answered: over
    timeout: over
    full: over
    closed: over
  over:
    hangup:
"""

KEYS: Final = """
flow: keys
languages: [en]
start: pick
steps:
  pick:
    menu:
      prompt: {music: waiting}
      choices: {1: wait}
      no_input: over
      no_match: over
  wait:
    queue: {to: anna, limit: 2m, wait: {music: waiting}}
    answered: over
    timeout: over
    full: over
    closed: over
  over:
    hangup:
"""
GOODBYE: Final = """
flow: goodbye
languages: [en]
start: over
steps:
  over:
    hangup:
"""

MakePhone = Callable[[Path, Account, float], Phone]


@dataclass
class Agents:
    """A server and its agents. Whoever dials 7001 comes to `anna`, 7002 to `bao`; `chi` takes no calls of a queue. 7003
    waits for the key 1 and then leads to `anna`, 7004 hangs up at once."""

    server: Server
    people: dict[str, Person]

    def account(self, name: str, transport: Transport) -> Account:
        """Return the account of an agent, or of a caller who does not register."""
        person = self.people.get(name)
        ports = {"udp": self.server.sip_port, "tcp": self.server.tcp_port, "tls": self.server.tls_port}
        return Account(name, person.sip_password if person else "", ports[transport], transport)

    def call(self) -> dict[str, Any] | None:
        """Return the running call of a caller."""
        calls: list[dict[str, Any]] = self.server.get("/calls?state=running")["items"]
        return calls[0] if calls else None

    def wait_until(self, state: str, agent: str = "") -> dict[str, Any]:
        """Wait until the call is in this state, with this agent where one is given."""

        def look() -> dict[str, Any] | None:
            call = self.call()
            return call if call and call["state"] == state and agent in ("", call["agent"]) else None

        return wait_for(f"the call is {state} {agent}", look)

    def wait_until_over(self) -> None:
        """Wait until no call runs and both agents are ready again."""
        wait_for("the call is over", lambda: self.call() is None)

    def wait_until_ready(self, *names: str) -> None:
        """Wait until agents are registered and free."""
        wait_for(f"{names} are ready", lambda: all(state_of(self.server, name) == "ready" for name in names))


@contextlib.contextmanager
def agents(folder: Path, settings: str = "", address: str = HOST) -> Iterator[Agents]:
    """A running server with two agents."""
    flows = folder / "flows"
    flows.mkdir()
    texts = {"keys": KEYS, "goodbye": GOODBYE} | {agent: FLOW.format(name=agent) for agent in IN_QUEUES}
    for name, flow in texts.items():
        (flows / f"{name}.yaml").write_text(flow, encoding="utf-8")
    queues = ", ".join(f"{agent}: {{agents: [{agent}], wrap_up: 50ms}}" for agent in IN_QUEUES)
    led = ", ".join(f"'{number}': {flow}" for number, flow in NUMBERS.items())
    text = f"flows: {flows}\nqueues: {{{queues}}}\nnumbers: {{{led}}}\n{settings}"
    names = (*IN_QUEUES, "chi")
    with running_server(folder, text, streams=True, media_ports=400, address=address, agents=names) as server:
        yield Agents(server, {name: Person(name, it.password, it.sip_password) for name, it in server.agents.items()})


@dataclass
class Three:
    """A caller and two agents, at phones of one make."""

    agents: Agents
    caller: Phone
    anna: Phone
    bao: Phone

    @property
    def phones(self) -> tuple[Phone, Phone, Phone]:
        """All of them."""
        return self.caller, self.anna, self.bao

    def talk_begins(self) -> dict[str, Any]:
        """The caller dials, anna answers, and both hear each other."""
        self.agents.wait_until_ready("anna", "bao")
        self.caller.dial("7001")
        wait_for("anna's phone rings", self.anna.rings)
        self.anna.answer()
        call = self.agents.wait_until("talking", "anna")
        self.anna.hears(CALLER_HZ)
        self.caller.hears(FIRST_HZ)
        return call

    def is_over(self) -> None:
        """Wait until nobody has a call."""
        self.agents.wait_until_over()
        for phone in self.phones:
            wait_for(f"{phone.account.user}'s phone is free", phone.is_free)

    def logs(self) -> str:
        """What the phones and the server printed, to understand a failure."""
        parts = [f"==== {phone.account.user}\n{phone.log()[-4000:]}" for phone in self.phones]
        return "\n".join([*parts, "==== server", *self.agents.server.errors[-20:]])


@contextlib.contextmanager
def three(
    agents_: Agents, make: MakePhone, folder: Path, transport: Transport, calls_from: str = CALLER
) -> Iterator[Three]:
    """Three phones of one make, those of the agents registered; at the end they take their registrations back."""
    caller = make(folder / "caller", agents_.account(calls_from, transport), CALLER_HZ)
    anna = make(folder / "anna", agents_.account("anna", transport), FIRST_HZ)
    bao = make(folder / "bao", agents_.account("bao", transport), SECOND_HZ)
    with contextlib.ExitStack() as started:
        for phone in (caller, anna, bao):
            phone.start()
            started.callback(phone.stop)
        agents_.wait_until_ready("anna", "bao")
        yield Three(agents_, caller, anna, bao)
    wait_for("all are gone", lambda: {state_of(agents_.server, name) for name in agents_.people} == {"offline"})
