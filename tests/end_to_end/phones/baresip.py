"""baresip 1.0, told what to do over its TCP socket for commands in JSON."""

import json
import re
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.end_to_end.phones.phone import Phone
from tests.end_to_end.phones.wire import Wire
from tests.end_to_end.running import free_quiet_port, wait_for

MODULES: Final = ("g711", "aufile", "sndfile")
OVER: Final = "CALL_CLOSED"
BEGUN: Final = ("CALL_INCOMING", "CALL_OUTGOING", "CALL_RINGING", "CALL_PROGRESS", "CALL_ESTABLISHED")


@dataclass
class Baresip(Phone):
    """Its menu has no attended transfer; its `transfer` takes any address, so one with Replaces serves."""

    control: socket.socket | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    _answers: list[dict[str, Any]] = field(default_factory=list)
    settings: str = ""
    codec: str = ""
    """The only one that it speaks, as its module and the account have it (`g722/16000/1`); else those of G.711."""
    encryption: str = ""
    """How voice is encrypted: `srtp` where the other side can, `srtp-mand` always."""
    _wires: list[Wire] = field(default_factory=list)
    _recorded: int = 0
    """So many recordings there were when a call was held."""

    def start(self) -> None:
        """Write its configuration, start it and connect to it."""
        control_port = free_quiet_port()
        plays = self.plays()
        (self.folder / "config").write_text(
            f"sip_listen {self.address}:{self.port}\n"
            f"net_interface {self.address}\nmodule_path /usr/lib/baresip/modules\n"
            + "".join(f"module {name}.so\n" for name in (*MODULES, *filter(None, [self.codec.split("/")[0]]), "srtp"))
            + "module_tmp account.so\n"
            "module_app menu.so\n"
            "module_app ctrl_tcp.so\n"
            f"ctrl_tcp_listen {self.address}:{control_port}\n"
            f"audio_source aufile,{plays}\n"
            f"audio_alert aufile,{self.folder / 'alert.wav'}\n"
            "ausrc_srate 8000\nausrc_channels 1\nauplay_srate 8000\nauplay_channels 1\n"
            f"rtp_ports {self.port + 1}-{self.port + 20}\n"
            f"snd_path {self.folder}\n" + self.settings,
            encoding="utf-8",
        )
        account = self.account
        registers = (
            f"auth_user={account.user};auth_pass={account.password};regint=60" if account.password else "regint=0"
        )
        (self.folder / "accounts").write_text(
            f"<{account.own};transport={account.transport}>;{registers};answermode=manual;ptime=20"
            + (f";audio_codecs={self.codec}" if self.codec else "")
            + (f";mediaenc={self.encryption}\n" if self.encryption else "\n"),
            encoding="utf-8",
        )
        (self.folder / "contacts").write_text("", encoding="utf-8")
        self.launch(["baresip", "-4", "-s", "-f", str(self.folder), "-t", "300"])
        try:
            self.control = wait_for("baresip's control socket", lambda: self._connect(control_port))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error
        threading.Thread(target=self._listen, args=(self.control,), daemon=True).start()

    def _connect(self, port: int) -> socket.socket | None:
        try:
            return socket.create_connection((self.address, port), 2)
        except OSError:
            return None

    def _listen(self, control: socket.socket) -> None:
        """Read netstrings (`LENGTH:TEXT,`), each a JSON object."""
        control.settimeout(None)
        with control, control.makefile("rb") as stream:
            while True:
                digits = b""
                while (octet := stream.read(1)) not in (b":", b""):
                    digits += octet
                if not digits:
                    return
                message = json.loads(stream.read(int(digits)))
                stream.read(1)
                (self._answers if message.get("response") else self.events).append(message)

    def command(self, name: str, params: str = "") -> str:
        """Give a command and return what it prints."""
        assert self.control is not None
        before = len(self._answers)
        text = json.dumps({"command": name, "params": params}).encode()
        self.control.sendall(b"%d:%s," % (len(text), text))
        answer = wait_for(f"baresip answers {name}", lambda: self._answers[before:] or None)[0]
        assert answer["ok"], (answer, self.log())
        return str(answer.get("data", ""))

    def _uri(self, number: str) -> str:
        """It adds the transport of its account by itself."""
        return f"sip:{number}@{self.account.domain}"

    def dial(self, number: str) -> None:
        self.command("dial", self._uri(number))

    def rings(self) -> bool:
        incoming = [i for i, event in enumerate(self.events) if event["type"] == "CALL_INCOMING"]
        return bool(incoming) and not any(
            event["type"] in ("CALL_ESTABLISHED", "CALL_CLOSED") for event in self.events[incoming[-1] :]
        )

    def answer(self) -> None:
        self.command("accept")

    def talks(self) -> bool:
        last = [event["type"] for event in self.events if event["type"] in ("CALL_ESTABLISHED", "CALL_CLOSED")]
        return last[-1:] == ["CALL_ESTABLISHED"]

    def calls_there_are(self) -> int:
        begun = {event.get("id") for event in self.events if event["type"] in BEGUN}
        return len(begun - {event.get("id") for event in self.events if event["type"] == OVER})

    def hang_up(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        """Its recording ends here, though not its hearing (baresip issue 1496: the filters of what is heard are
        emptied, and filled again in the next call alone); what comes to it is taken from the wire from now on."""
        own = self.log().rpartition("a=tool:baresip")[2]
        port = int(own.partition("m=audio ")[2].split()[0])
        self._wires.append(Wire(port, self.folder / f"wire-{len(self._wires)}.wav"))
        self._recorded = len(self._dumps())
        self.command("hold")

    def resume(self) -> None:
        """Whatever other call was recorded meanwhile, this one is heard on the wire."""
        self._recorded = len(self._dumps())
        self.command("resume")

    def transfer(self, number: str) -> None:
        self.command("transfer", self._uri(number))

    def attended_transfer(self) -> None:
        """Give the first call the address of the second's far end, with the Replaces that names its dialog."""
        call_id, to, to_tag, from_tag = self._newest_dialog()
        replaces = quote(f"{call_id};to-tag={to_tag};from-tag={from_tag}", safe="")
        self.command("line", "1")
        self.command("transfer", f"{to}?Replaces={replaces}")

    def _newest_dialog(self) -> tuple[str, str, str, str]:
        """Read Call-ID, To and both tags of the newest INVITE of ours out of its answer among what was printed."""
        for message in reversed(re.split(r"\n\S+#\n", self.log())):
            fields = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
            ours = f"sip:{self.account.user}@" in fields.get("From", "")
            if "SIP/2.0 200" in message and ours and fields.get("CSeq", "").endswith("INVITE"):
                to, _, to_tag = fields["To"].partition(";tag=")
                return fields["Call-ID"], to.strip("<>"), to_tag, fields["From"].partition(";tag=")[2]
        raise AssertionError("no answered INVITE was printed:\n" + self.log())

    def _dumps(self) -> list[Path]:
        return sorted(self.folder.glob("dump-*-dec.wav"))

    def recordings(self) -> list[Path]:
        dumps = self._dumps()
        return dumps if len(dumps) > self._recorded else [wire.path for wire in self._wires]

    def stop(self) -> None:
        """End it, and what listens at its port."""
        super().stop()
        for wire in self._wires:
            wire.close()
