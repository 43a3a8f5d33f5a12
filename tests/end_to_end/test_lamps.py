"""Lamps of desk phones that are not ours: SIPp and linphone watch an agent's calls and state."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.conftest import SETTINGS
from tests.end_to_end.desks import Person, add_person, state_of
from tests.end_to_end.phones.baresip import Baresip
from tests.end_to_end.phones.linphone import Linphone
from tests.end_to_end.phones.phone import Account
from tests.end_to_end.running import Server, running_server, sipp, wait_for

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that speaks SIP over TCP, too."""
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS, streams=True) as started:
        yield started


@pytest.fixture(scope="module")
def people(server: Server) -> tuple[Person, Person]:
    """An agent, and a colleague who watches."""
    return add_person(server, "an"), add_person(server, "binh")


@pytest.fixture
def phone(server: Server, people: tuple[Person, Person], tmp_path: Path) -> Iterator[Baresip]:
    """The agent's phone, which is registered and waits to be told to answer."""
    agent, _ = people
    started = Baresip(tmp_path / "phone", Account(agent.name, agent.sip_password, server.sip_port), 800.0)
    started.start()
    server.post(f"/agents/{agent.name}/state", {"state": "ready"})
    wait_for("the agent is ready", lambda: state_of(server, agent.name) == "ready")
    yield started
    started.stop()


def watch(
    server: Server,
    folder: Path,
    scenario: str,
    watcher: Person,
    agent: str,
    password: str = "",
    transport: str = "udp",
) -> str:
    """Run a scenario as a watcher of an agent; return its messages."""
    folder.mkdir(exist_ok=True)
    secret = password or watcher.sip_password
    who = ("-s", agent, "-au", watcher.name, "-ap", secret)
    return sipp(server, folder, scenario, *who, transport=transport, timeout_s=60)


def test_an_agents_calls(server: Server, people: tuple[Person, Person], phone: Baresip, tmp_path: Path) -> None:
    agent, watcher = people
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(
            watch, server, tmp_path / "watcher", "uac-watches-an-agents-calls-expect-200.xml", watcher, agent.name
        )
        (tmp_path / "caller").mkdir()
        scenario = "uac-talks-to-an-agent-and-hangs-up-expect-200.xml"
        talk = pool.submit(sipp, server, tmp_path / "caller", scenario, "-s", "19001234")
        wait_for("the agent's phone rings", phone.rings)
        wait_for("the agent rings", lambda: state_of(server, agent.name) == "ringing")
        # The watcher is to see it ring: NOTIFYs are a second apart.
        wait_for("the lamp blinks", lambda: "<state>early</state>" in _messages(tmp_path / "watcher"))
        phone.answer()
        talk.result(60)
        messages = seen.result(60)
    assert messages.count("NOTIFY sip:") >= 6
    assert "912345678" not in messages, "a customer's number is not for colleagues"


def test_a_call_is_picked_up(server: Server, people: tuple[Person, Person], phone: Baresip, tmp_path: Path) -> None:
    """The colleague's phone reads in the lamp's document what rings, and takes it by INVITE with Replaces."""
    agent, watcher = people
    own = Baresip(tmp_path / "own", Account(watcher.name, watcher.sip_password, server.sip_port), 600.0)
    own.start()
    server.post(f"/agents/{watcher.name}/state", {"state": "not_ready", "reason": "break"})
    wait_for("the colleague is there", lambda: state_of(server, watcher.name) == "not_ready")
    with contextlib.ExitStack() as phones, ThreadPoolExecutor() as pool:
        phones.callback(own.stop)
        taken = pool.submit(
            watch, server, tmp_path / "watcher", "uac-picks-a-call-up-expect-200.xml", watcher, agent.name
        )
        wait_for("the watcher is there", lambda: "NOTIFY sip:" in _messages(tmp_path / "watcher"))
        (tmp_path / "caller").mkdir()
        scenario = "uac-talks-to-an-agent-and-hangs-up-expect-200.xml"
        talk = pool.submit(sipp, server, tmp_path / "caller", scenario, "-s", "19001234")
        wait_for("the agent's phone rings", phone.rings)
        wait_for("the agent's phone is still", lambda: not phone.rings())
        talk.result(60)
        taken.result(60)
    call = server.get("/calls")["items"][0]
    assert (call["agent"], call["talk_s"] > 1) == (watcher.name, True)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_agents_state(
    server: Server, people: tuple[Person, Person], phone: Baresip, tmp_path: Path, transport: str
) -> None:
    agent, watcher = people
    assert phone.process is not None
    with ThreadPoolExecutor() as pool:
        scenario = "uac-watches-an-agents-presence-expect-200.xml"
        seen = pool.submit(watch, server, tmp_path / "watcher", scenario, watcher, agent.name, transport=transport)
        wait_for("the watcher knows that the agent is ready", lambda: "Ready" in _messages(tmp_path / "watcher"))
        server.post(f"/agents/{agent.name}/state", {"state": "not_ready", "reason": "lunch"})
        seen.result(60)
    server.post(f"/agents/{agent.name}/state", {"state": "ready"})


def test_the_state_outlives_a_crash(tmp_path: Path) -> None:
    """Whoever asks after a restart is told what the agent's row says."""
    (tmp_path / "server").mkdir()
    with running_server(tmp_path / "server") as server:
        agent, watcher = add_person(server, "an"), add_person(server, "binh")
        phone = Baresip(tmp_path / "phone", Account(agent.name, agent.sip_password, server.sip_port), 800.0)
        phone.start()
        try:
            wait_for("the agent is ready", lambda: state_of(server, agent.name) == "ready")
            server.post(f"/agents/{agent.name}/state", {"state": "not_ready", "reason": "lunch"})
            wait_for("the agent's row is written", lambda: state_of(server, agent.name) == "not_ready")
            server.kill()
            server.start()
            watch(server, tmp_path / "w", "uac-asks-once-for-an-agents-presence-expect-200.xml", watcher, agent.name)
        finally:
            phone.stop()


@pytest.mark.parametrize(
    ("scenario", "agent", "password"),
    [
        ("uac-watches-without-a-password-expect-401.xml", "an", "guess"),
        ("uac-watches-without-a-password-expect-401.xml", "nobody", "guess"),
        ("uac-watches-nobody-expect-404.xml", "nobody", ""),
        ("uac-watches-its-voicemail-expect-489.xml", "an", ""),
    ],
)
def test_who_sees_nothing(
    server: Server, people: tuple[Person, Person], tmp_path: Path, scenario: str, agent: str, password: str
) -> None:
    watch(server, tmp_path / "watcher", scenario, people[1], agent, password)


def _messages(folder: Path) -> str:
    return "\n".join(path.read_text("utf-8", errors="replace") for path in folder.glob("*_messages.log"))


class WatchingLinphone(Linphone):
    """A linphone with a friend, whose presence it shows."""

    friend: str = ""

    def _settings(self) -> str:
        friend = f'url="{self.friend}" <sip:{self.friend}@{self.account.domain}>'
        return super()._settings() + f"[friend_0]\n{friend}\npol=accept\nsubscribe=1\n"


def test_linphone_shows_a_friend(server: Server, people: tuple[Person, Person], phone: Baresip, tmp_path: Path) -> None:
    agent, watcher = people
    account = Account(watcher.name, watcher.sip_password, server.sip_port)
    linphone = WatchingLinphone(tmp_path / "linphone", account, 600.0)
    linphone.friend = agent.name
    linphone.start()
    try:
        wait_for("linphone shows the agent", lambda: "is Online" in linphone.log())
        server.post(f"/agents/{agent.name}/state", {"state": "not_ready", "reason": "lunch"})
        wait_for("linphone shows why the agent is away", lambda: "is Out to lunch" in linphone.log())
    finally:
        server.post(f"/agents/{agent.name}/state", {"state": "ready"})
        linphone.stop()
