"""Debian's Dovecot on loopback, with one maildir, as a user who may do nothing."""

import contextlib
import getpass
import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = shutil.which("dovecot") or "/usr/sbin/dovecot"
USER, PASSWORD = "help@shop.vn", 'sécret "\\'
STARTS_WITHIN_S = 10.0
GONE_WITHIN_S = 1.0

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
ssl = {ssl}
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login{token_mechanisms}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
{token_passdb}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""


TOKENS = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf.ext
}}
"""
ASKS = """
introspection_mode = get
introspection_url = {url}
force_introspection = yes
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass
class Dovecot:
    """A running server. `port` speaks in the clear (and STARTTLS), `tls_port` TLS."""

    folder: Path
    port: int
    tls_port: int
    user: str
    group: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until somebody answers."""
        command = [PROGRAM, "-F", "-c", str(self.folder / "dovecot.conf")]
        as_another = {"user": self.user, "group": self.group, "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(command, start_new_session=True, **as_another)  # type: ignore[call-overload]
        until = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until and self.process.poll() is None:
            # The system takes connections before there is a process that greets them.
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as greeted:
                if greeted.recv(100).startswith(b"* OK"):
                    return
            time.sleep(0.02)
        said = (self.folder / "log").read_text() if (self.folder / "log").exists() else ""
        pytest.fail(f"Dovecot does not start: {said}")

    def stop(self) -> None:
        """Die at once, with every connection. Asked kindly it lets those who wait go on for ten seconds."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            # What the master started has the same sockets, and dies by itself: the next one is to find none of it.
            until = time.monotonic() + GONE_WITHIN_S
            with contextlib.suppress(ProcessLookupError):
                while time.monotonic() < until:
                    os.killpg(self.process.pid, 0)
                    time.sleep(0.01)
            self.process = None

    @contextlib.contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        """Another program that uses the same folder."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            client.select("INBOX")
            yield client

    def deliver(self, *letters: bytes, flags: str = "") -> None:
        """Put letters into the folder."""
        with self.client() as client:
            for letter in letters:
                assert client.append("INBOX", flags, "", letter)[0] == "OK"

    def empty(self) -> None:
        """Throw everything away; the numbers go on."""
        with self.client() as client:
            for uid in client.uid("SEARCH", "ALL")[1][0].split():
                client.uid("STORE", uid.decode(), "+FLAGS", "\\Deleted")
            client.expunge()

    def seen(self) -> list[int]:
        """Return the UIDs of what is marked as read."""
        with self.client() as client:
            return [int(each) for each in client.uid("SEARCH", "SEEN")[1][0].split()]

    def renumber(self) -> None:
        """Make the folder anew: its UIDs begin again, under another UIDVALIDITY."""
        self.stop()
        for path in (self.folder / "mail").glob("dovecot*"):
            path.unlink()
        self.start()


@contextlib.contextmanager
def running(
    certificate: bytes = b"", key: bytes = b"", asks: str = "", mechanisms: str = "xoauth2 oauthbearer"
) -> Iterator[Dovecot]:
    """Run a server in a folder of its own; with TLS where a certificate is given (PEM). Where it `asks` an address
    (which ends where the token begins) it takes access tokens, too."""
    if not Path(PROGRAM).exists():
        pytest.skip("Dovecot is not installed: apt-get install dovecot-imapd")
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()  # no mail of root's is served
    person = pwd.getpwnam(user)
    # Not in tmp_path: that is its owner's alone, and too long for the name of a socket.
    with tempfile.TemporaryDirectory(prefix="dovecot") as name:
        folder = Path(name)
        port, tls_port = _free_ports(2)
        server = Dovecot(folder, port, tls_port, user, grp.getgrgid(person.pw_gid).gr_name)
        (folder / "certificate.pem").write_bytes(certificate)
        (folder / "key.pem").write_bytes(key)
        (folder / "oauth2.conf.ext").write_text(ASKS.format(url=asks))
        (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
        text = CONFIG.format(
            folder=folder,
            user=user,
            group=server.group,
            uid=person.pw_uid,
            gid=person.pw_gid,
            port=server.port,
            tls_port=server.tls_port,
            ssl="yes" if certificate else "no",
            token_mechanisms=f" {mechanisms}" if asks else "",
            token_passdb=TOKENS.format(folder=folder) if asks else "",
        )
        if not certificate:
            text = "\n".join(line for line in text.splitlines() if not line.startswith(("ssl_cert", "ssl_key")))
        (folder / "dovecot.conf").write_text(text)
        for path in (folder, *folder.iterdir()):
            os.chown(path, person.pw_uid, person.pw_gid)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]
