"""A caller keeps the place in the queue and hangs up; an agent's phone rings first, then the customer's, by a trunk."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.pbx import finish, sipp
from tests.end_to_end.running import HOST, Baresip, Server, free_port, wait_for
from tests.end_to_end.test_foreign_phones import tone

pytestmark = pytest.mark.timeout(120)

CUSTOMER = "+84912345678"
MAIN = """
flow: main
title: {en: Care}
languages: [en]
start: care
steps:
  care:
    queue: {to: care, wait: waiting}
    answered: end
    timeout: bye
    full: bye
    closed: bye
    call_me_back: bye
  bye:
    hangup: {en: Goodbye.}
"""
WAITING = """
flow: waiting
for: waiting
title: {en: Waiting}
languages: [en]
exits: [call_me_back]
start: book
steps:
  book:
    callback: {note: From the queue}
    next: leave
    failed: music
  leave:
    return: call_me_back
  music:
    play: {music: waiting}
    next: music
"""


def start(folder: Path, outside_port: int) -> Server:
    """A server with those flows, and a trunk that leads to somebody outside."""
    flows = folder / "flows"
    flows.mkdir(parents=True)
    (flows / "main.yaml").write_text(MAIN, encoding="utf-8")
    (flows / "waiting.yaml").write_text(WAITING, encoding="utf-8")
    server = Server(folder, f"queues: {{care: {{wrap_up: 100ms}}}}\nflows: {flows}\n")
    server.write_config()
    trunk = f"domain: hotline.test, trunks: [{{name: pbx, targets: 'sip:{HOST}:{outside_port}', probe: 0s}}]"
    config = server.config.read_text("utf-8").replace("domain: hotline.test", trunk)
    server.config.write_text(config, encoding="utf-8")
    server.furnish()
    server.start()
    return server


def desk_phone(server: Server, folder: Path) -> Baresip:
    """An agent's phone, which answers by itself."""
    added = server.hotline("users", "add", "desk", "--role", "agent")
    secrets = dict(line.split(": ", 1) for line in added.splitlines() if ": " in line)
    wait_for("the server knows the agent", lambda: any(a["name"] == "desk" for a in server.get("/agents")))
    return Baresip(folder / "desk", server, "desk", secrets["sip_password"], tone(folder / "tone.wav"))


def callback(server: Server) -> dict[str, Any]:
    """The one callback that there is."""
    (found,) = server.get("/callbacks")["items"]
    return dict(found)


def newest(server: Server, direction: str, state: str) -> dict[str, Any] | None:
    """The newest call of a direction, where it is in a state."""
    calls = [each for each in server.get("/calls")["items"] if each["direction"] == direction]
    return calls[0] if calls and calls[0]["state"] == state else None


def test_a_caller_who_keeps_the_place_is_called_back_even_after_a_restart(tmp_path: Path) -> None:
    outside_port = free_port()
    server = start(tmp_path / "server", outside_port)
    try:
        to = f"{HOST}:{server.sip_port}"
        caller = [sys.executable, "-m", "hotline.phone", "call", "19001234", "--server", to, "--from", "0912345678"]
        assert subprocess.run(caller, timeout=40, check=False).returncode == 0
        called_in = wait_for("the caller has left", lambda: newest(server, "inbound", "ended"))
        booked = callback(server)
        assert (booked["state"], booked["number"], booked["queue"]) == ("booked", CUSTOMER, "care")
        assert (booked["call"], booked["note"]) == (called_in["id"], "From the queue")
        assert server.get("/queues")[0]["waiting"] == 1

        server.stop()
        server.start()
        assert (callback(server), server.get("/queues")[0]["waiting"]) == (booked, 1)

        phone = desk_phone(server, tmp_path)
        answering = sipp(tmp_path / "outside", "uas-sends-early-media-and-answers.xml", None, port=outside_port)
        try:
            phone.start()
            talk = wait_for("both talk", lambda: newest(server, "outbound", "talking"))
            assert (talk["agent"], talk["queue"], talk["dnis"], talk["trunk"]) == ("desk", "care", CUSTOMER, "pbx")
            assert talk["customer"] == called_in["customer"]
            wait_for(
                "something was said", lambda: (newest(server, "outbound", "talking") or talk)["talk_s"] > 1 or None
            )
            server.post(f"/calls/{talk['id']}/hangup", {})
            messages = finish(answering, tmp_path / "outside")
        finally:
            phone.stop()
            if answering.poll() is None:
                answering.kill()
                answering.communicate()
        assert f"INVITE sip:{CUSTOMER}@" in messages
        ended = wait_for("the call is over", lambda: newest(server, "outbound", "ended"))
        assert ended["recording"]
        done = callback(server)
        assert (done["state"], done["attempts"], done["last_call"]) == ("done", 1, talk["id"])
        timeline = server.get(f"/customers/{talk['customer']}/timeline")["items"]
        assert [(each["channel"], each["direction"]) for each in timeline] == [
            ("call", "outbound"),
            ("call", "inbound"),
        ]
    finally:
        server.stop()
