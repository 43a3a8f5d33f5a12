"""`hotline omnitest`: somebody on Zalo, on Facebook, in a form, by e-mail and on the phone is one person."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crm_bridge.mail import dovecot
from tests.end_to_end.running import Server, running_server

pytestmark = pytest.mark.timeout(180)

SETTINGS = """
numbers: {"19001234": main}
channels:
  zalo: {kind: zalo, app_id: "360846524940903967", oa_secret: oa-secret}
  messenger: {kind: messenger, app_secret: app-secret, verify_token: made-up}
  website: {kind: form, origins: ["https://www.example.com"]}
"""
NAMES = [
    "Zalo", "Facebook", "form", "e-mail", "call", "one profile", "one timeline", "the case goes on",
    "the agent's view", "nothing asked twice", "cleaned up",
]  # fmt: skip


@pytest.fixture
def postbox() -> Iterator[dovecot.Dovecot]:
    with dovecot.running() as server:
        yield server


def omnitest(server: Server, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hotline", "omnitest", "--config", str(server.config), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def test_one_person_on_five_channels_is_one_profile(tmp_path: Path, postbox: dovecot.Dovecot) -> None:
    mail = (
        f"mail: {{support: {{kind: imap, host: localhost, port: {postbox.port}, tls: off, user: {dovecot.USER}, "
        f"password: {json.dumps(dovecot.PASSWORD)}}}}}\n"
    )
    with running_server(tmp_path, SETTINGS + mail) as server:
        done = omnitest(server, "--json")
        told = json.loads(done.stdout)
        assert [check["name"] for check in told["checks"]] == NAMES
        assert [check for check in told["checks"] if not check["passed"]] == []
        assert (done.returncode, told["passed"]) == (0, True)
        channels = ["zalo", "zalo", "messenger", "messenger", "website", "email", "call"]
        assert [item["channel"] for item in told["timeline"]] == channels
        assert told["checks"][3]["detail"] == "mail.support, imap"
        assert server.get("/customers")["items"] == []
        with postbox.client() as client:
            assert client.uid("SEARCH", "ALL")[1] == [b""]
