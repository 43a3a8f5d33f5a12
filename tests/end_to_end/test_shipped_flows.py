"""Shipped flows over real SIP: SIPp dials and types keys ahead of what is said, so no test waits for a prompt."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.end_to_end.running import HOST, Server, finish_sipp, free_port, go_on, running_server, start_sipp, wait_for

pytestmark = pytest.mark.timeout(180)

HANGS_UP: Final = "uac-presses-keys-and-hangs-up-when-told-expect-200.xml"
STAYS: Final = "uac-presses-keys-and-is-hung-up-on-expect-200.xml"
NUMBERS: Final = {"7001": "clinic", "7002": "delivery_status", "7003": "after_call"}
ORDER, BIRTHDAY, BIRTHDAY_KEYS = "1234567", "1990-03-02", "02031990"
IDENTIFIED: Final = ["identify/known", "identify/ask", "identify/compare", "identify/is_verified"]
PATIENCE_S: Final = 60.0
"""A prompt is spoken at the speed of speech, and rendered before that by whatever of the processor there is."""


@dataclass
class Shop:
    """The shop's service: knows where one order is."""

    port: int
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Answer meanwhile; nobody listens at its port before and after."""
        asked = self.asked

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                known = self.path == f"/orders/{ORDER}"
                body = json.dumps({"status": "đang giao", "day": "2026-03-03"}).encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        with ThreadingHTTPServer((HOST, self.port), Answers) as service:
            thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                service.shutdown()
                thread.join()


@dataclass
class Line:
    """A hotline whose numbers lead to shipped flows, and its callers."""

    server: Server
    shop: Shop
    folder: Path

    @contextmanager
    def caller(self, number: str, ani: str, keys: str, does: str = HANGS_UP) -> Iterator["Caller"]:
        """Let SIPp call and type these keys as soon as it is answered, and end as it does."""
        process = start_sipp(self.server, self.folder, does, "-s", number, "-key", "ani", ani, "-key", "keys", keys)
        try:
            yield Caller(self.server, "+84" + ani[1:], self.folder, process)
            finish_sipp(process, self.folder, PATIENCE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@dataclass
class Caller:
    """One caller in one call."""

    server: Server
    ani: str
    folder: Path
    process: "Popen[str]"

    def row(self) -> dict[str, Any] | None:
        """The row of the call, once there is one. No two tests have a caller in common."""
        calls = self.server.get("/calls")["items"]
        return next((call for call in calls if call["ani"] == self.ani), None)

    def comes_to(self, step: str) -> dict[str, Any]:
        """Wait until the call has come to a step; return its row."""

        def there() -> dict[str, Any] | None:
            call = self.row()
            return call if call and step in call["flow_path"] else None

        return wait_for(f"the call of {self.ani} comes to {step}: {self.row()}", there, PATIENCE_S)

    def ended(self) -> dict[str, Any]:
        """Wait until the call has ended; return its row."""

        def over() -> dict[str, Any] | None:
            call = self.row()
            return call if call and call["state"] == "ended" else None

        return wait_for(f"the call of {self.ani} ends: {self.row()}", over, PATIENCE_S)

    def hangs_up(self) -> None:
        """Let the caller hang up now."""
        go_on(self.process)

    def entries(self, call: dict[str, Any], kind: str) -> list[dict[str, Any]]:
        """Return the fields of the journal's entries of one type."""
        entries = self.server.get(f"/calls/{call['id']}/journal")
        return [entry["fields"] for entry in entries if entry["type"] == kind]

    def pressed(self, call: dict[str, Any]) -> str:
        """Return the keys that came by RFC 4733."""
        keys = self.entries(call, "DigitPressed")
        assert {key["source"] for key in keys} == {"rfc4733"}
        return "".join(key["digit"] for key in keys)

    def heard(self, call: dict[str, Any]) -> str:
        """Return the words that were played, as far as the caller listened."""
        played = self.entries(call, "Play")
        return " ".join(prompt["value"] for play in played for prompt in play["prompts"] if prompt["kind"] == "text")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Shop]]:
    """A server whose flows are the shipped ones, and the shop that they ask."""
    shop = Shop(free_port(socket.SOCK_STREAM))
    settings = (
        "queues: {care: {title: Care, wrap_up: 100ms}}\n"
        f"numbers: {json.dumps(NUMBERS)}\n"
        f"flow_settings: {{orders_url: 'http://{HOST}:{shop.port}'}}\n"
    )
    with running_server(tmp_path_factory.mktemp("server"), settings) as server:
        yield server, shop


@pytest.fixture
def line(house: tuple[Server, Shop], tmp_path: Path) -> Line:
    return Line(*house, tmp_path)


def known(server: Server, ani: str) -> None:
    """Let the shop's systems have told when the person of this number was born."""
    event = {
        "channel": "store",
        "occurred_at": "2026-01-05T10:00:00+07:00",
        "identities": [{"kind": "phone", "value": "+84" + ani[1:]}],
        "attributes": {"facts": {"birthday": BIRTHDAY}},
    }
    server.post("/interactions", event)


def test_a_day_at_the_clinic_is_booked_and_is_a_case(line: Line) -> None:
    day = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date() + timedelta(days=2)
    keys = f"2{day:%d%m%Y}1" + "09301"
    with line.caller("7001", "0912000001", keys, STAYS) as caller:
        call = caller.ended()
    assert call["flow_path"] == ["which", "children", "ask_day", "is_ahead", "ask_time", "book", "write", "done"]
    assert (call["flow"], call["ended_by"], caller.pressed(call)) == ("clinic", "flow: completed", keys)
    assert "lúc chín giờ rưỡi sáng" in caller.heard(call)
    customer = line.server.get(f"/customers/{call['customer']}")
    (case,) = [each for each in customer["cases"] if each["id"] == call["case"]]
    assert case["subject"] == f"Đặt lịch khám children: {day.isoformat()} 09:30"
    assert case["state"] == "open"


def test_whose_order_it_is_hears_the_day_that_the_shop_tells(line: Line) -> None:
    known(line.server, "0912000002")
    with line.shop.open(), line.caller("7002", "0912000002", f"{ORDER}#1{BIRTHDAY_KEYS}") as caller:
        caller.comes_to("anything_else")  # what came before was heard to its end
        caller.hangs_up()
    call = caller.ended()
    assert call["ended_by"] == "caller"
    assert call["flow_path"] == ["ask_order", "who", *IDENTIFIED, "fetch", "tell", "anything_else"]
    assert "đang giao. Dự kiến giao thứ ba ngày ba tháng ba" in caller.heard(call)
    assert line.shop.asked == [f"/orders/{ORDER}"]


def test_who_is_somebody_else_hears_nothing_of_it(line: Line) -> None:
    known(line.server, "0912000003")
    line.shop.asked.clear()
    with line.shop.open(), line.caller("7002", "0912000003", f"{ORDER}#1" + "01011991" * 2) as caller:
        caller.comes_to("agent")
        caller.hangs_up()
    assert "tell" not in caller.ended()["flow_path"]
    assert line.shop.asked == []


def test_while_the_shop_is_down_an_agent_is_asked_for(line: Line) -> None:
    known(line.server, "0912000004")
    with line.caller("7002", "0912000004", f"{ORDER}#1{BIRTHDAY_KEYS}") as caller:
        call = caller.comes_to("agent")
        waits = wait_for("the caller waits", lambda: next(iter(line.server.get("/calls?state=queued")["items"]), None))
        assert (waits["id"], waits["queue"]) == (call["id"], "care")
        caller.hangs_up()
    call = caller.ended()
    steps = ["ask_order", "who", *IDENTIFIED, "fetch", "sorry", "agent"]
    assert call["flow_path"][: len(steps)] == steps
    assert "Hiện chưa tra cứu được đơn hàng." in caller.heard(call)


def test_who_was_unhappy_is_a_case_and_both_answers_are_kept(line: Line) -> None:
    with line.caller("7003", "0912000005", "23", STAYS) as caller:
        call = caller.ended()
    assert call["flow_path"] == ["csat", "nps", "is_unhappy", "open_case", "sorry"]
    assert call["ended_by"] == "flow: completed"
    (case,) = line.server.get(f"/customers/{call['customer']}")["cases"]
    assert case["subject"] == "Khách hàng chưa hài lòng: 2/5, 3/10"
    timeline = line.server.get(f"/customers/{call['customer']}/timeline")["items"]
    assert [item["channel"] for item in timeline].count("survey") == 2
