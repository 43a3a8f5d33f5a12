"""Kamailio as a PBX that the hotline is behind, and dnsmasq as the name server that leads there."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.running import HOST, SCENARIOS, free_port, wait_for

DOMAIN = "pbx.test"
EXTENSION, PASSWORD = "217", "open sesame"
MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
alias="{domain}"
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "xlog.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 60)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    xlog("L_NOTICE", "$rm $ru from $si:$sp expires $hdr(Expires)\\n");
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (has_totag()) {{
        if (loose_route() || (is_method("ACK") && t_check_trans())) {{ t_relay(); exit; }}
        if (!is_method("ACK")) {{ sl_send_reply("404", "Not Here"); }}
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{domain}", "{password}", "0")) {{ www_challenge("{domain}", "1"); exit; }}
        if ($au != "{extension}") {{ sl_send_reply("403", "Not Yours"); exit; }}
        save("location");
        exit;
    }}
    record_route();
    if ($ct =~ "trunk-") {{
        # The extension calls somebody: who that is, is behind us.
        if ({challenge}) {{
            if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{ proxy_challenge("{domain}", "1"); exit; }}
            consume_credentials();
        }}
        $du = "sip:{outside_host}:{outside_port}";
        t_relay();
        exit;
    }}
    # Somebody calls a number of the extension.
    if ({registered}) {{
        $rU = "{extension}";
        if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
    }} else {{
        $du = "sip:{hotline_host}:{hotline_port}";
    }}
    t_relay();
}}
"""


@dataclass
class Kamailio:
    """One of them. `registered`: the hotline is an extension of it, with a password; else a peer that it trusts."""

    folder: Path
    host: str
    port: int
    hotline_port: int
    outside_port: int
    registered: bool = True
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Write its configuration, start it, and wait until it takes messages."""
        if shutil.which("kamailio") is None:
            pytest.skip("kamailio is not installed: apt-get install kamailio")
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "kamailio.cfg"
        config.write_text(
            CONFIG.format(
                domain=DOMAIN, host=self.host, port=self.port, modules=MODULES, password=PASSWORD,
                extension=EXTENSION, hotline_host=HOST, hotline_port=self.hotline_port, outside_host=HOST,
                outside_port=self.outside_port, registered=str(self.registered).lower(),
                challenge=str(self.registered).lower(),
            ),
            encoding="utf-8",
        )  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["kamailio", "-DD", "-E", "-f", str(config), "-m", "32", "-M", "4", "-Y", str(self.folder),
                 "-P", str(self.folder / "pid"), "-w", str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        # It prints nothing when it is ready; its pid file comes after its sockets.
        wait_for("kamailio runs", lambda: (self.folder / "pid").exists() or self._ended(), 15)

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return False

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def kill(self) -> None:
        """End it and its children, as a crash would."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait(5)


@dataclass
class Dnsmasq:
    """A name server for the domain `trunk.test`: NAPTR, SRV and addresses, as `records` say in its own options."""

    folder: Path
    records: Sequence[str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        if shutil.which("dnsmasq") is None:
            pytest.skip("dnsmasq is not installed: apt-get install dnsmasq-base")
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-daemon",
                 f"--port={self.port}", f"--listen-address={HOST}", "--bind-interfaces", "--local-ttl=5",
                 f"--pid-file={self.folder / 'pid'}", "--log-queries", "--local=/test/", *self.records],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_for("dnsmasq runs", lambda: "started" in self.log() or self._ended())

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return False

    def log(self) -> str:
        """What it wrote, each question among it."""
        return (self.folder / "log").read_text("utf-8", errors="replace")

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(5)


def sipp(
    folder: Path, scenario: str, to: tuple[str, int] | None, *arguments: str, port: int = 0
) -> "subprocess.Popen[str]":
    """Start one SIPp scenario for one call: towards `to`, or waiting for somebody at `port`."""
    if os.geteuid() != 0:
        pytest.skip("SIPp plays keys and speech through a raw socket, which needs root")
    folder.mkdir(parents=True, exist_ok=True)
    remote = [f"{to[0]}:{to[1]}"] if to is not None else []
    return subprocess.Popen(
        ["sipp", *remote, "-sf", str(SCENARIOS / scenario), "-m", "1", "-i", HOST, "-p", str(port or free_port()),
         "-mi", HOST, "-mp", str(free_port()), "-nostdin", "-timeout", "40s", "-timeout_error", "-trace_err",
         "-trace_msg", *arguments],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", folder: Path) -> str:
    """Wait for a scenario to end well; return its messages."""
    out, _ = process.communicate(timeout=50)
    messages = "\n".join(path.read_text("utf-8", errors="replace") for path in folder.glob("*_messages.log"))
    errors = "\n".join(path.read_text("utf-8", errors="replace") for path in folder.glob("*_errors.log"))
    assert process.returncode == 0, f"sipp: {process.returncode}\n{out[-1500:]}\n{errors}\n{messages[-6000:]}"
    return messages
