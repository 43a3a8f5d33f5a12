"""Behind a PBX that is not ours: the hotline registers with Kamailio as an extension, or is its peer; SIPp is the world
outside, and an agent's desk phone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.pbx import EXTENSION, PASSWORD, Dnsmasq, Kamailio, finish, sipp
from tests.end_to_end.running import HOST, Server, free_port, wait_for

pytestmark = pytest.mark.timeout(180)

CUSTOMER = "+84912345678"


@dataclass
class Site:
    """A hotline, two PBXs at addresses of their own, and a name server that knows them."""

    server: Server
    pbxs: list[Kamailio]
    outside_port: int
    folder: Path
    agent: str = ""
    password: str = ""

    def trunk(self) -> dict[str, Any]:
        """The trunk as the API shows it."""
        found: dict[str, Any] = self.server.get("/trunks")[0]
        return found

    def targets(self) -> dict[str, str]:
        """Its addresses and how they do."""
        return {each["address"].rpartition(":")[0]: each["state"] for each in self.trunk()["targets"]}

    def add_agent(self) -> None:
        """Make an agent whose phone SIPp is."""
        self.agent = "an"
        added = self.server.hotline("users", "add", self.agent, "--role", "agent")
        self.password = dict(line.split(": ", 1) for line in added.splitlines() if ": " in line)["sip_password"]
        wait_for("the server knows the agent", lambda: any(a["name"] == "an" for a in self.server.get("/agents")))

    def somebody_calls(self, name: str, pbx: Kamailio) -> None:
        """Let somebody call a number of the PBX, and listen to the flow."""
        folder = self.folder / name
        scenario = "uac-calls-through-a-proxy-expect-200.xml"
        finish(sipp(folder, scenario, (pbx.host, pbx.port), "-s", "19001234"), folder)

    def dial(self, name: str, scenario: str, number: str) -> str:
        """Let the agent dial; return the messages of the phone."""
        folder = self.folder / name
        to = (HOST, self.server.sip_port)
        keys = ("-s", number, "-key", "user", self.agent, "-au", self.agent, "-ap", self.password)
        return finish(sipp(folder, scenario, to, *keys), folder)

    def dial_somebody(self, name: str, number: str) -> tuple[str, str]:
        """Let the agent dial somebody who answers; return the messages of the phone, and of who was called."""
        folder = self.folder / f"{name}-outside"
        called = sipp(folder, "uas-sends-early-media-and-answers.xml", None, port=self.outside_port)
        try:
            phone = self.dial(name, "uac-dials-by-digest-expect-200.xml", number)
            return phone, finish(called, folder)
        finally:
            if called.poll() is None:
                called.kill()
                called.communicate()

    def ended(self, direction: str) -> dict[str, Any]:
        """The newest call of a direction, once its row says that it ended."""

        def look() -> dict[str, Any] | None:
            calls = [each for each in self.server.get("/calls")["items"] if each["direction"] == direction]
            return calls[0] if calls and calls[0]["state"] == "ended" else None

        return wait_for("the call's row says that it ended", look)


def start(folder: Path, trunk: str, *, registered: bool, streams: bool = False) -> Iterator[Site]:
    server = Server(folder / "server", "queues: {care: {wrap_up: 100ms}}\n", streams)
    server.folder.mkdir()
    pbx_port, outside_port = free_port(), free_port()
    pbxs = [
        Kamailio(folder / host, host, pbx_port, server.sip_port, outside_port, registered)
        for host in ("127.0.0.2", "127.0.0.3")
    ]
    dns = Dnsmasq(
        folder / "dns",
        (
            "--naptr-record=trunk.test,10,10,s,SIP+D2U,,_sip._udp.trunk.test",
            f"--srv-host=_sip._udp.trunk.test,one.trunk.test,{pbx_port},10,10",
            f"--srv-host=_sip._udp.trunk.test,two.trunk.test,{pbx_port},20,10",
            f"--srv-host=_sip._tcp.trunk.test,one.trunk.test,{pbx_port},10,10",
            f"--srv-host=_sip._tcp.trunk.test,two.trunk.test,{pbx_port},20,10",
            "--host-record=one.trunk.test,127.0.0.2",
            "--host-record=two.trunk.test,127.0.0.3",
        ),
    )
    server.write_config()
    settings = f"domain: hotline.test, dns: ['{HOST}:{dns.port}'], trunks: [{{{trunk}}}]"
    config = server.config.read_text("utf-8")
    server.config.write_text(config.replace("domain: hotline.test", settings), encoding="utf-8")
    server.furnish()
    try:
        dns.start()
        for pbx in pbxs:
            pbx.start()
        server.start()
        yield Site(server, pbxs, outside_port, folder)
    finally:
        server.stop()
        dns.stop()
        for pbx in pbxs:
            pbx.kill()


@pytest.fixture
def extension(tmp_path: Path) -> Iterator[Site]:
    """The hotline is extension 217 of the PBX."""
    trunk = (
        f"name: pbx, targets: 'sip:trunk.test', user: '{EXTENSION}', password: '{PASSWORD}', register: yes, probe: 5s, "
        "no_answer: 2s, called_format: national, caller_number: '+842873001234', caller_format: national"
    )
    yield from start(tmp_path, trunk, registered=True)


@pytest.fixture
def over_tcp(tmp_path: Path) -> Iterator[Site]:
    """As `extension`, and everything goes over connections that we open."""
    trunk = (
        f"name: pbx, targets: 'sip:trunk.test;transport=tcp', user: '{EXTENSION}', password: '{PASSWORD}', "
        "register: yes, probe: 5s, caller_number: '+842873001234', sources: '127.0.0.2, 127.0.0.3'"
    )
    yield from start(tmp_path, trunk, registered=True, streams=True)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Site]:
    """The hotline and the PBX trust each other by address."""
    yield from start(tmp_path, "name: pbx, targets: 'sip:trunk.test', probe: 5s, sources: 127.0.0.4", registered=False)


def test_an_extension_is_called_calls_and_outlives_its_pbx(extension: Site) -> None:
    site, (first, second) = extension, extension.pbxs
    wait_for("the trunk is registered", lambda: site.trunk()["state"] == "registered" or None)
    wait_for("both PBXs answer", lambda: site.targets() == {"127.0.0.2": "up", "127.0.0.3": "up"} or None)
    assert "REGISTER sip:trunk.test" in first.log()
    assert "REGISTER" not in second.log()

    # In: somebody calls a number of the PBX, which calls the Contact that we registered.
    site.somebody_calls("in", first)
    inbound = site.ended("inbound")
    assert (inbound["trunk"], inbound["ani"], inbound["dnis"]) == ("pbx", CUSTOMER, "+8419001234")

    # Out: the PBX asks for the password, and the world outside sees a number and hears nothing of the agent's name.
    site.add_agent()
    phone, called = site.dial_somebody("out", "0912345678")
    assert phone.count("SIP/2.0 183 Session Progress") >= 1
    assert "INVITE sip:0912345678@trunk.test" in called
    assert "<sip:02873001234@trunk.test>" in called
    assert "Proxy-Authorization" not in called
    outbound = site.ended("outbound")
    assert (outbound["trunk"], outbound["agent"], outbound["dnis"]) == ("pbx", "an", CUSTOMER)
    assert outbound["customer"] == inbound["customer"]
    assert outbound["talk_s"] > 1
    assert outbound["recording"]
    timeline = site.server.get(f"/customers/{outbound['customer']}/timeline")["items"]
    assert [(each["channel"], each["direction"]) for each in timeline] == [("call", "outbound"), ("call", "inbound")]

    # What may not be dialled is not.
    site.dial("premium", "uac-dials-what-may-not-be-expect-403.xml", "19001234")
    wait_for("the log tells of it", lambda: "a number was not dialled" in "".join(site.server.errors) or None)
    assert "INVITE sip:19001234@trunk.test" not in first.log()

    # The PBX dies: the second takes over, for the registration and for calls.
    first.kill()
    wait_for("the first PBX is found dead", lambda: site.targets().get("127.0.0.2") == "down" or None, 30)
    wait_for("the second has our registration", lambda: "REGISTER sip:trunk.test" in second.log() or None, 30)
    wait_for(
        "the trunk is registered again",
        lambda: (site.trunk()["state"], site.trunk()["up"]) == ("registered", True) or None,
    )
    site.dial_somebody("again", "0912345678")
    site.somebody_calls("in2", second)
    site.server.stop()
    wait_for("the second PBX was told that we leave", lambda: "expires 0" in second.log() or None)


def test_a_peer_needs_no_registration_and_a_dead_one_costs_seconds(peer: Site) -> None:
    site, (first, second) = peer, peer.pbxs
    wait_for("both PBXs answer", lambda: site.targets() == {"127.0.0.2": "up", "127.0.0.3": "up"} or None)
    assert site.trunk()["state"] == "idle"
    site.somebody_calls("in", first)
    assert site.ended("inbound")["trunk"] == "pbx"
    site.add_agent()
    # Nobody has noticed yet that the first is dead: the call itself goes on to the second.
    first.kill()
    _, called = site.dial_somebody("out", "0912345678")
    assert "INVITE sip:+84912345678@trunk.test" in called
    assert site.ended("outbound")["talk_s"] > 1
    assert second.log().count("INVITE") >= 1


def test_over_tcp_a_lost_connection_is_a_lost_registration(over_tcp: Site) -> None:
    site, (first, second) = over_tcp, over_tcp.pbxs
    wait_for("the trunk is registered", lambda: site.trunk()["state"] == "registered" or None)
    assert "REGISTER sip:trunk.test" in first.log()
    site.somebody_calls("in", first)
    assert site.ended("inbound")["trunk"] == "pbx"
    site.add_agent()
    _, called = site.dial_somebody("out", "0912345678")
    assert "INVITE sip:+84912345678@trunk.test;transport=tcp" in called
    assert site.ended("outbound")["talk_s"] > 1
    first.kill()  # the connection is gone with it, and that is known at once
    wait_for("the second has our registration", lambda: "REGISTER sip:trunk.test" in second.log() or None, 10)
    wait_for("the trunk is registered again", lambda: site.trunk()["state"] == "registered" or None)
    site.somebody_calls("in again", second)
