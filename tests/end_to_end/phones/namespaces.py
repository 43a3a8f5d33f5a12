"""Networks of our own: namespaces of the kernel, a wire between them, and a router that hides what is behind it.

    server 203.0.113.1 ---- 203.0.113.2 router 192.168.77.1 ---- 192.168.77.2 phone

Everything is gone at the end. Needs root, `ip` (iproute2) and `nft` (nftables).
"""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
PUBLIC: Final = "203.0.113.1"
PRIVATE: Final = "192.168.77.2"
OUTSIDE: Final = "203.0.113.2/24"
CLONE_NEWNET: Final = 0x40000000
RULES: Final = """
table ip nat {
  chain out {
    type nat hook postrouting priority 100
    oifname "outside" masquerade fully-random
  }
}
"""


def run(*command: str, given: str = "") -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, (command, done.stderr)


@dataclass
class Nat:
    """The three namespaces."""

    server: str
    router: str
    phone: str

    def forget(self) -> None:
        """Have the router lose its mappings, as when it starts anew: all get other ports afterwards."""
        run("ip", "-n", self.router, "address", "del", OUTSIDE, "dev", "outside")
        run("ip", "-n", self.router, "address", "add", OUTSIDE, "dev", "outside")


@contextlib.contextmanager
def nat() -> Iterator[Nat]:
    """Make the networks."""
    made = Nat(*(f"hotline-{os.getpid()}-{name}" for name in ("server", "router", "phone")))
    with contextlib.ExitStack() as stack:
        for name in (made.server, made.router, made.phone):
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        _join(made.server, "public", f"{PUBLIC}/24", made.router, "outside", OUTSIDE)
        _join(made.phone, "private", f"{PRIVATE}/24", made.router, "inside", "192.168.77.1/24")
        run("ip", "-n", made.phone, "route", "add", "default", "via", "192.168.77.1")
        inside(made.router, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii"))
        run("ip", "netns", "exec", made.router, "nft", "-f", "-", given=RULES)
        yield made


def _join(one: str, end: str, address: str, other: str, other_end: str, other_address: str) -> None:
    run("ip", "link", "add", end, "netns", one, "type", "veth", "peer", "name", other_end, "netns", other)
    for name, device, own in ((one, end, address), (other, other_end, other_address)):
        run("ip", "-n", name, "address", "add", own, "dev", device)
        run("ip", "-n", name, "link", "set", device, "up")


def inside(namespace: str, do: Callable[[], T]) -> T:
    """Do something in a namespace: sockets, processes and threads that it begins stay there."""

    def enter_and_do() -> T:
        with Path(f"/run/netns/{namespace}").open("rb") as handle:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
        return do()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_do).result()
