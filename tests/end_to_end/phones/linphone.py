"""linphonec of Debian's linphone-cli, told what to do by its standard input."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.end_to_end.phones.phone import Phone, Transport
from tests.end_to_end.running import wait_for

_BEGUN: Final = re.compile(r"(Receiving new incoming call from|Establishing call id to) .*, assigned id (\d+)")
_CHANGED: Final = re.compile(r"Call (\d+) with .* (connected|ended|error|now paused)")
_PORTS: Final[dict[Transport, str]] = {"udp": "sip_port", "tcp": "sip_tcp_port", "tls": "sip_tls_port"}
_CODECS: Final = (("PCMU", 8000), ("PCMA", 8000))
_OTHERS: Final = (("opus", 48_000, 2), ("G722", 8000, 1), ("L16", 16_000, 1))


@dataclass
class Linphone(Phone):
    """It has a command for each deed. Calls are known by numbers, which it counts from 1."""

    calls: dict[int, str] = field(default_factory=dict)
    """The state of each call that there is: `incoming`, `outgoing`, `connected`, `paused`."""

    encryption: str = "none"
    """How voice is encrypted: `srtp`, or not at all."""
    must: bool = False
    """Whether there is no call without."""
    codec: str = ""
    """The only one that it speaks; else those of G.711."""

    @property
    def heard_hz(self) -> int:
        """That of its codec, G.722's true one."""
        return {"opus": 48_000, "G722": 16_000, "L16": 16_000}.get(self.codec, 8000)

    def start(self) -> None:
        """Write its configuration and start it, with files in the place of a sound card."""
        plays = self.plays()
        (self.folder / ".local/share/linphone").mkdir(parents=True, exist_ok=True)
        (self.folder / "linphonerc").write_text(self._settings(), encoding="utf-8")
        self.launch(
            ["linphonec", "-c", str(self.folder / "linphonerc"), "-d", "6", "-l", str(self.folder / "messages.log")],
            self._follow,
        )
        for text in ("soundcard use files", f"play {plays}", f"record {self.folder / 'heard.wav'}"):
            self.command(text)

    def _settings(self) -> str:
        account = self.account
        registrar = account.uri("").replace("sip:@", "sip:")
        ports = [f"{name}={self.port if kind == account.transport else 0}" for kind, name in _PORTS.items()]
        lines = [
            "[sip]", *ports, "default_proxy=0", "use_ipv6=0", "ipv6_migration_done=1", f"bind_address={self.address}",
            "verify_server_certs=0", "verify_server_cn=0", f"media_encryption={self.encryption}",
            f"media_encryption_mandatory={int(self.must)}",
            "[rtp]", f"audio_rtp_port={self.port + 1}",
            "[net]", "firewall_policy=0",
            "[sound]", "ec=0", "remote_ring=",
            "[proxy_0]", f"reg_proxy=<{registrar}>", f"reg_identity={account.own}",
            "reg_expires=60", f"reg_sendregister={1 if account.password else 0}",
            "[auth_info_0]", f"username={account.user}", f"passwd={account.password}",
        ]  # fmt: skip
        for number, (name, hertz, channels) in enumerate([*((name, hertz, 1) for name, hertz in _CODECS), *_OTHERS]):
            spoken = name == self.codec if self.codec else hertz == 8000 and name.startswith("PCM")
            lines += [f"[audio_codec_{number}]", f"mime={name}", f"rate={hertz}", f"channels={channels}"]
            lines.append(f"enabled={int(spoken)}")
        return "\n".join(lines) + "\n"

    def _follow(self, line: str) -> None:
        """Keep the states of calls, as it tells them."""
        if begun := _BEGUN.search(line):
            self.calls[int(begun[2])] = "incoming" if begun[1].startswith("Receiving") else "outgoing"
        elif changed := _CHANGED.search(line):
            number, state = int(changed[1]), changed[2]
            if state in ("ended", "error"):
                self.calls.pop(number, None)
            else:
                self.calls[number] = state.removeprefix("now ")
        elif resumed := re.search(r"Media streams established with .* for call (\d+)", line):
            self.calls[int(resumed[1])] = "connected"

    def command(self, text: str) -> None:
        """Give a command."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def leave(self, process: subprocess.Popen[bytes]) -> None:
        """It unregisters when it is told to quit, not at SIGTERM."""
        if process.poll() is None:
            self.command("quit")

    def _newest(self, *states: str) -> int:
        return max((number for number, state in self.calls.items() if state in states), default=0)

    def dial(self, number: str) -> None:
        self.command(f"call {self.account.uri(number)}")

    def rings(self) -> bool:
        return self._newest("incoming") > 0

    def answer(self) -> None:
        self.command(f"answer {self._newest('incoming')}")

    def talks(self) -> bool:
        calls = dict(self.calls)
        return bool(calls) and calls[max(calls)] == "connected"

    def calls_there_are(self) -> int:
        return len(self.calls)

    def hang_up(self) -> None:
        self.command(f"terminate {max(self.calls)}")

    def hold(self) -> None:
        """Not done before it says so: until then it takes no `resume`."""
        number = self._newest("connected")
        self.command("pause")
        wait_for("linphone has paused the call", lambda: self.calls.get(number) == "paused")

    def resume(self) -> None:
        self.command(f"resume {self._newest('paused')}")

    def transfer(self, number: str) -> None:
        self.command(f"transfer {max(self.calls)} {self.account.uri(number)}")

    def attended_transfer(self) -> None:
        """Its first call is given to the other end of its second."""
        first, second = sorted(self.calls)
        self.command(f"transfer {first} --to-call {second}")

    def recordings(self) -> list[Path]:
        path = self.folder / "heard.wav"
        return [path] if path.exists() else []
