"""sipvicious at a running server, as it is and in disguise: it finds no user and no password, costs one line of the
log, and holds up nobody.

It is GPL-2.0-or-later and runs as programs of its own, each through a relay with an address of its own. It always says
who it is (`friendly-scanner`); in disguise the relay says `Linphone` in its place, so that the server has to tell it by
what it does.
"""

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import HOST, Baresip, Server, running_server, sipp, wait_for

pytestmark = pytest.mark.timeout(240)

AS_IT_IS, CRACKER = "127.0.0.66", "127.0.0.67"
DISGUISED = {"REGISTER": "127.0.0.68", "INVITE": "127.0.0.69", "OPTIONS": "127.0.0.70"}
USERS = ("101", "104")
ASKED = "100-110"
PASSWORD = "trustno1trustno1"  # a bad one: the tools try it
DISGUISE = {b"friendly-scanner": b"Linphone-Desktop", b"sipvicious": b"Lan Nguyen"}


def tool(name: str, *arguments: str, timeout_s: float = 60.0) -> str:
    """Run one of the programs to its end; return what it said."""
    program = shutil.which(f"sipvicious_{name}", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("sipvicious is not installed: pip install 'hotline[dev]'")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return said


@contextlib.contextmanager
def relay(server: Server, address: str, words: dict[bytes, bytes]) -> Iterator[int]:
    """Let datagrams through to the server and back, from an address of its own and with other words; yields the port to
    send them to."""
    inner, outer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    inner.bind((HOST, 0))
    outer.bind((address, 0))
    outer.connect((HOST, server.sip_port))
    client: list[tuple[str, int]] = []
    over = threading.Event()

    def there() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                data, sender = inner.recvfrom(65535)
                client[:] = [sender]
                for word, other in words.items():
                    data = data.replace(word, other)
                outer.send(data)

    def back() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                data = outer.recv(65535)
                if client:
                    inner.sendto(data, client[0])

    threads = [threading.Thread(target=way) for way in (there, back)]
    for each in (inner, outer):
        each.settimeout(0.2)
    for thread in threads:
        thread.start()
    try:
        yield inner.getsockname()[1]
    finally:
        over.set()
        for thread in threads:
            thread.join()
        inner.close()
        outer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose users have names as extensions have."""
    with running_server(tmp_path_factory.mktemp("scanned")) as running:
        for user in USERS:
            running.add_user(user, sip_password=PASSWORD)
        wait_for("the users are known", lambda: set(USERS) <= {agent["name"] for agent in running.get("/agents")})
        yield running


def told(server: Server, source: str) -> list[str]:
    """Return what the log says of a source."""
    return [line for line in server.errors if f"'{source}:" in line]


def found(said: str) -> set[str]:
    """Return the first column of the table that a program ends with: devices, extensions, extensions with passwords."""
    return set(re.findall(r"^\|\s*(\S+)\s*\|.*\|$", said, re.MULTILINE)) - {"Extension", "SIP"}


@pytest.fixture(scope="module")
def passwords(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dictionary that has the right one, after some others."""
    path = tmp_path_factory.mktemp("passwords") / "words"
    path.write_text("".join(f"password{number}\n" for number in range(30)) + f"{PASSWORD}\n", encoding="utf-8")
    return str(path)


def test_as_it_is_it_sees_nobody_there(server: Server, passwords: str) -> None:
    with relay(server, AS_IT_IS, {}) as port:
        target = ("-p", str(port), "--maximumtime", "3")
        assert not found(tool("svmap", "-p", str(port), HOST))
        for method in ("REGISTER", "INVITE", "OPTIONS"):
            said = tool("svwar", "-m", method, "-e", ASKED, *target, HOST)
            assert not found(said), said
        said = tool("svcrack", "-u", "101", "-d", passwords, *target, HOST)
        assert not found(said), said
    assert len(told(server, AS_IT_IS)) == 1, told(server, AS_IT_IS)


@pytest.mark.parametrize("method", list(DISGUISED))
def test_in_disguise_it_finds_no_user(server: Server, method: str) -> None:
    for force in ([], ["--force"]):
        with relay(server, DISGUISED[method], DISGUISE) as port:
            said = tool("svwar", "-m", method, "-e", ASKED, "-p", str(port), "--maximumtime", "3", *force, HOST)
        assert "found nothing" in said, said
        assert not found(said), said
    assert len(told(server, DISGUISED[method])) <= 1, told(server, DISGUISED[method])


def test_in_disguise_it_cracks_no_password(server: Server, passwords: str) -> None:
    with relay(server, CRACKER, DISGUISE) as port:
        said = tool("svcrack", "-u", "101", "-d", passwords, "-p", str(port), "--maximumtime", "3", HOST)
    assert not found(said), said
    assert len(told(server, CRACKER)) == 1, told(server, CRACKER)
    assert "wrong SIP credentials" in told(server, CRACKER)[0]


def test_meanwhile_a_phone_and_a_caller_get_through(server: Server, passwords: str, tmp_path: Path) -> None:
    """The user whose password is guessed registers and is ready; somebody calls and presses a key."""
    over = threading.Event()

    def attack(number: int, *arguments: str) -> None:
        with relay(server, f"127.0.0.{80 + number}", DISGUISE if number % 2 else {}) as port:
            while not over.is_set():
                tool(*arguments, "-p", str(port), "--maximumtime", "2", HOST)

    attacks = [
        ("svcrack", "-u", "101", "-d", passwords),
        ("svcrack", "-u", "101", "-d", passwords),
        ("svwar", "-m", "REGISTER", "-e", "100-999", "--force"),
        ("svwar", "-m", "OPTIONS", "-e", "100-999", "--force"),
    ]
    threads = [threading.Thread(target=attack, args=(number, *arguments)) for number, arguments in enumerate(attacks)]
    for thread in threads:
        thread.start()
    phone = Baresip(tmp_path / "desk", server, "101", PASSWORD, tmp_path / "none.wav")
    try:
        phone.start()
        wait_for(
            "the phone is registered",
            lambda: any(agent["name"] == "101" and agent["state"] == "ready" for agent in server.get("/agents")),
        )
        messages = sipp(server, tmp_path, "uac-presses-a-key-and-hangs-up-expect-200.xml", "-s", "19001234")
        assert "SIP/2.0 200 OK" in messages
    finally:
        over.set()
        phone.stop()
        for thread in threads:
            thread.join()
    for number in range(len(attacks)):
        assert len(told(server, f"127.0.0.{80 + number}")) <= 1, server.errors
