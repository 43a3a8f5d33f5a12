"""Malformed SIP and RTP garbage: the server stays up, answers 400 where an answer is due, and says so once."""

import random
import socket
from pathlib import Path

import pytest

from tests.end_to_end.running import HOST, Server, free_port, sipp, wait_for

pytestmark = pytest.mark.timeout(120)

BROKEN = (
    b"INVITE sip:19001234@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKbroken%d\r\n"
    b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: broken%d\r\nCSeq: nonsense INVITE\r\nContent-Length: 0\r\n\r\n"
)


def test_broken_requests_get_400_and_the_log_gets_one_line(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        phone.settimeout(5)
        port = phone.getsockname()[1]
        for number in range(20):
            phone.sendto(BROKEN % (port, number, number), (HOST, server.sip_port))
            answer = phone.recv(4096)
            assert answer.startswith(b"SIP/2.0 400 "), answer

    def lines() -> list[str]:
        return [line for line in server.errors if "bad SIP message" in line and f"{HOST}:{port}" in line]

    wait_for("the log says so", lambda: lines() or None)  # which is read beside the answers
    assert len(lines()) == 1, lines()
    assert server.request("GET", "/healthz")[0] == 200


def test_bytes_that_are_not_sip_are_dropped(server: Server) -> None:
    generator = random.Random(4711)  # noqa: S311 - the same bytes each time
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(500):
            stranger.sendto(generator.randbytes(generator.randrange(0, 1400)), (HOST, server.sip_port))
    status, body = server.request("GET", "/readyz")
    assert (status, body["ready"]) == (200, True)


def test_rtp_garbage_on_every_port_disturbs_no_call(server: Server, tmp_path: Path) -> None:
    generator = random.Random(4712)  # noqa: S311
    first = int(server.config.read_text("utf-8").partition("ports: ")[2].partition("-")[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HOST, free_port()))
        for _ in range(20):
            for port in range(first, first + 100, 2):
                stranger.sendto(generator.randbytes(generator.randrange(0, 300)), (HOST, port))
    sipp(server, tmp_path, "uac-presses-a-key-and-hangs-up-expect-200.xml", "-s", "19001234")
    wait_for("the call has ended", lambda: server.get("/calls")["items"][0]["state"] == "ended")
    assert server.request("GET", "/readyz")[0] == 200
