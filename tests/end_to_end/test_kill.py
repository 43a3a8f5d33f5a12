"""`kill -9` of the control process in mid-call: nothing that was said is lost, and the timeline says how it ended."""

import subprocess
import wave
from pathlib import Path

import pytest

from tests.end_to_end.conftest import SETTINGS
from tests.end_to_end.running import HOST, SCENARIOS, Baresip, Server, free_port, running_server, wait_for
from tests.end_to_end.test_foreign_phones import tone

pytestmark = pytest.mark.timeout(120)

SCENARIO = SCENARIOS / "uac-talks-to-an-agent-and-hangs-up-expect-200.xml"


def agent_phone(server: Server, folder: Path) -> Baresip:
    """Register the first agent's desk phone."""
    added = server.hotline("users", "add", "desk", "--role", "agent")
    secrets = dict(line.split(": ", 1) for line in added.splitlines() if ": " in line)
    wait_for("the server knows the agent", lambda: any(a["name"] == "desk" for a in server.get("/agents")))
    phone = Baresip(folder, server, "desk", secrets["sip_password"], tone(folder.parent / "tone.wav"))
    phone.start()
    wait_for(
        "the agent is ready",
        lambda: any(a["name"] == "desk" and a["state"] == "ready" for a in server.get("/agents")),
    )
    return phone


def test_kill_9_in_mid_call_loses_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path, SETTINGS) as server:
        # An English-speaking customer, so that the model that is installed can transcribe the talk after the restart.
        server.post(
            "/interactions",
            {
                "channel": "chat",
                "direction": "inbound",
                "occurred_at": "2026-03-02T03:00:00Z",
                "identities": [{"kind": "phone", "value": "0912 345 678"}],
                "text": "hello",
                "external_id": "1",
                "attributes": {"language": "en"},
            },
        )
        phone = agent_phone(server, tmp_path / "desk")
        caller = subprocess.Popen(
            [
                "sipp", f"{HOST}:{server.sip_port}", "-sf", str(SCENARIO), "-m", "1", "-i", HOST,
                "-p", str(free_port()), "-mi", HOST, "-mp", str(free_port()), "-nostdin", "-s", "19001234",
            ],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            call = wait_for(
                "both talk",
                lambda: next((c for c in server.get("/calls")["items"] if c["state"] == "talking"), None),
                30,
            )
            spool = wait_for(
                "two seconds are on the spool",
                lambda: next(
                    (s for s in server.data.glob("recordings/**/*.spool") if s.stat().st_size > 2 * 32000), None
                ),
            )
            server.kill()
            recorded = spool.stat().st_size
        finally:
            caller.kill()
            caller.wait(10)
            phone.stop()
        server.start()
        recording = server.get(f"/recordings?call={call['id']}")["items"][0]
        assert recording["state"] == "closed"
        assert recording["customer"] == call["customer"]
        path = next(server.data.glob(f"recordings/**/{recording['id']}.wav"))
        with wave.open(str(path), "rb") as file:
            assert file.getnchannels() == 2
            assert file.getnframes() * 4 >= recorded - 1000
        after = server.get(f"/calls/{call['id']}")
        assert after["ended_by"] == "interrupted: the server stopped"
        assert after["ended_at"] > after["started_at"]
        item = server.get(f"/customers/{call['customer']}/timeline")["items"][0]
        assert item["call"]["ended_by"] == "interrupted: the server stopped"
        assert item["call"]["recording"] == f"/api/v1/recordings/{recording['id']}"
        assert server.get("/calls?state=running")["items"] == []
        # What was said up to then is transcribed after all.
        transcript = wait_for(
            "the transcript",
            lambda: next(
                (t for t in [server.get(f"/recordings/{recording['id']}/transcript")] if t["state"] != "pending"), None
            ),
            60,
        )
        assert transcript["state"] == "done", transcript
        # And the hotline takes calls as before.
        assert server.request("GET", "/readyz")[0] == 200
