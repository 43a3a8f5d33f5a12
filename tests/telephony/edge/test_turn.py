"""STUN and TURN: a real coturn, asked by real workers; what lies beyond it is not reachable otherwise."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from telephony.edge.ice import try_server
from telephony.edge.ice_servers import CREDENTIAL_S, IceServer, check_url, credentials
from telephony.events import CandidatesGathered, LegOpened, OpenLeg, WebRtc
from tests.telephony.edge.test_ice_restart import End, key
from tests.telephony.edge.test_media_worker import Worker, worker

pytestmark = pytest.mark.timeout(60)
SECRET = "north"
TURNSERVER = shutil.which("turnserver")


@contextmanager
def coturn(folder: Path) -> Iterator[int]:
    """Run a TURN server on a port of its own, which it returns."""
    if TURNSERVER is None:
        pytest.skip("needs Debian's coturn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [TURNSERVER, "-n", "--listening-ip=127.0.0.1", f"--listening-port={port}", "--relay-ip=127.0.0.1"]
    command += ["--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=hotline.test", "--no-cli", "--no-tls"]
    command += ["--no-dtls", "--allow-loopback-peers", "--min-port=43000", "--max-port=43400", "--log-file=stdout"]
    command += [f"--pidfile={folder / 'turn.pid'}", f"--userdb={folder / 'turn.db'}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    probe.settimeout(0.05)
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
            yield port
        finally:
            process.terminate()


def gathered(running: Worker, kind: str) -> tuple[WebRtc, str]:
    """Open a leg; return its side and the first candidate of a kind, told at once or late."""
    running.send(OpenLeg("a", "webrtc", True))
    ours = running.wait_for(LegOpened).webrtc
    assert ours is not None
    told = list(ours.candidates)
    while not any(f"typ {kind}" in each for each in told):
        late = running.wait_for(CandidatesGathered)
        assert late.ufrag == ours.ufrag
        told += late.candidates
    return ours, next(each for each in told if f"typ {kind}" in each)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_leg_that_can_be_reached_by_a_relay_alone_talks_by_it(tmp_path: Path, transport: str) -> None:
    with coturn(tmp_path) as port:
        server = IceServer(f"turn:127.0.0.1:{port}?transport={transport}", secret=SECRET)
        with worker(ports=(42000, 42399), ice_servers=(server,)) as one, worker(ports=(42400, 42799)) as two:
            near, far = End(one, key(tmp_path)), End(two, key(tmp_path))
            ours, relayed = gathered(one, "relay")
            theirs = far.open(offers=False)
            # The relay's candidate is the only one told. Of theirs just the address is known, to which a relay has to
            # be opened: its port is one at which nobody is.
            nowhere = "1 1 udp 2130706431 127.0.0.1 9 typ host"
            near.connect(msgspec.structs.replace(theirs, candidates=(nowhere,)), "active")
            far.connect(msgspec.structs.replace(ours, candidates=(relayed,)), "passive")
            for end in (near, far):
                end.sounds("1")
            near.hears()
            far.hears()
            near.hears()


def test_a_server_that_says_what_we_know_adds_nothing_and_one_that_is_not_there_costs_a_moment(tmp_path: Path) -> None:
    with coturn(tmp_path) as port:
        servers = (IceServer(f"stun:127.0.0.1:{port}"), IceServer("stun:127.0.0.1:9"))
        with worker(ice_servers=servers) as running:
            running.send(OpenLeg("a", "webrtc"))
            ours = running.wait_for(LegOpened).webrtc
            assert ours is not None
            assert all("typ host" in each for each in ours.candidates)  # there is no NAT between
            assert not ours.complete
            assert running.wait_for(CandidatesGathered) == CandidatesGathered("a", ours.ufrag, (), True)


def test_a_wrong_secret_gets_no_relay(tmp_path: Path) -> None:
    with coturn(tmp_path) as port:
        server = IceServer(f"turn:127.0.0.1:{port}", secret="south")
        with worker(ice_servers=(server,)) as running:
            running.send(OpenLeg("a", "webrtc"))
            ours = running.wait_for(LegOpened).webrtc
            assert ours is not None
            assert ours.complete
            assert len(ours.candidates) == 1


async def test_servers_are_tried_as_the_doctor_does(tmp_path: Path) -> None:
    with coturn(tmp_path) as port:
        at = f"127.0.0.1:{port}"
        assert (await try_server(IceServer(f"stun:{at}"), time.time())).startswith("127.0.0.1:")
        for way in ("udp", "tcp"):
            assert await try_server(IceServer(f"turn:{at}?transport={way}", secret=SECRET), time.time())
        with pytest.raises(OSError, match="401"):
            await try_server(IceServer(f"turn:{at}", secret="south"), time.time())
    for gone in (f"stun:{at}", f"turn:{at}?transport=tcp"):
        with pytest.raises(OSError, match=r"."):
            await try_server(IceServer(gone, secret=SECRET), time.time())


def test_credentials_are_those_of_the_turn_rest_api() -> None:
    # As coturn's own turnutils make them: base64(HMAC-SHA1(secret, "EXPIRY:NAME")).
    server = IceServer("turn:turn.example.com", secret="north")
    username, password = credentials(server, "anna", 1_000_000.5)
    assert username == f"{1_000_000 + CREDENTIAL_S}:anna"
    assert len(password) == 28
    assert credentials(server, "anna", 1_000_000.5) == (username, password)
    assert credentials(IceServer("turn:h", "u", "p"), "anna", 0) == ("u", "p")
    assert "north" not in repr(server)


@pytest.mark.parametrize(
    ("url", "host", "port", "transport"),
    [
        ("stun:stun.example.com", "stun.example.com", 3478, "udp"),
        ("turn:192.0.2.1:99?transport=tcp", "192.0.2.1", 99, "tcp"),
        ("turns:turn.example.com", "turn.example.com", 5349, "tcp"),
        ("turn:[2001:db8::1]:3478", "2001:db8::1", 3478, "udp"),
    ],
)
def test_a_url_says_where_a_server_is(url: str, host: str, port: int, transport: str) -> None:
    server = IceServer(check_url(url))
    assert (server.host, server.port, server.transport) == (host, port, transport)


@pytest.mark.parametrize(
    "url", ["", "turn:", "http://h", "stun:h?transport=tcp", "turns:h?transport=udp", "turn:h:70000", "turn:h h"]
)
def test_what_is_no_server_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="`"):
        check_url(url)
