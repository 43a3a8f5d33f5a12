"""People with a history on every channel, for the tests of the pages: told to a server as its channels would."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recordings.tables import Recording, Transcript
from telephony.tables import Callback, Voicemail
from tests.end_to_end.desks import LAN, tone
from tests.end_to_end.running import Server

FACTS: Final = {
    "orders": [
        {
            "number": "4561",
            "state": "delivered",
            "amount": "1250000",
            "currency": "VND",
            "items": 2,
            "products": ["Trà xanh"],
            "placed_at": "2026-11-16T10:00:00+07:00",
        },
        {"number": "4602", "state": "shipped", "amount": "310000", "currency": "VND", "items": 1},
    ],
    "payments": [
        {"id": "p-1", "state": "paid", "amount": "1250000", "currency": "VND", "method": "MoMo", "order": "4561"},
        {"id": "p-2", "state": "refunded", "amount": "310000", "currency": "VND", "order": "4602"},
    ],
    "needs": [{"what": "Máy lọc nước", "state": "open"}],
    "birthday": "1990-05-17",
    "preferred_channel": "zalo",
}
SETTINGS: Final = "queues: {care: {title: Customer care}, sales: {title: Sales, agents: [nobody]}}\n"
SAID: Final = "Chào shop, tôi là Lan. Đơn 4602 của tôi đến chưa? Gọi lại cho tôi nhé."
ADDRESS: Final = "12 Lê Lợi, Quận 1"


@dataclass(frozen=True, slots=True)
class Known:
    """Ids of people that a server was told of: Lan, and somebody who may be Lan."""

    lan: str
    other: str


def tell(server: Server, channel: str, at: str, identities: dict[str, str], text: str = "", **more: Any) -> str:
    """Let something happen; return whose it is."""
    body = {
        "channel": channel,
        "direction": "inbound",
        "occurred_at": at,
        "identities": [{"kind": kind, "value": value} for kind, value in identities.items()],
        "text": text,
    }
    return str(server.post("/interactions", body | more)["customer"])


def tell_of_people(server: Server) -> Known:
    """Let Lan write on several channels, buy and pay, and somebody of her name write from an address much like hers."""
    lan = tell(
        server,
        "zalo",
        "2026-11-20T02:02:00Z",
        {"zalo": "lan-zalo", "phone": LAN},
        "Đơn hàng của tôi đâu rồi?",
        attributes={"name": "Phạm Thị Lan", "language": "vi", "tags": ["vip"], "address": ADDRESS},
    )
    tell(
        server,
        "email",
        "2026-11-21T09:20:00Z",
        {"email": "lan.pham@example.com", "phone": LAN},
        "Tôi muốn biết khi nào nhận được tiền. " * 12,
        subject="Hoàn tiền đơn 4561",
        case={"subject": "Hoàn tiền đơn 4561", "topic": "your refund", "external_id": "4561"},
    )
    tell(server, "store", "2026-11-21T11:00:00Z", {"phone": LAN}, subject="Quận 1", attributes={"facts": FACTS})
    other = tell(
        server,
        "facebook",
        "2026-11-19T08:00:00Z",
        {"facebook": "lan-fb"},
        "Shop còn trà xanh không?",
        attributes={"name": "Phạm Thị Lan", "address": ADDRESS},
    )
    tell(server, "form", "2026-11-22T08:00:00Z", {"email": "lanpham@example.org", "facebook": "lan-fb"}, "Gọi lại tôi")
    tell(
        server,
        "zalo",
        "2026-11-18T08:00:00Z",
        {"zalo": "binh"},
        "Xin chào",
        attributes={"name": "Trần Văn Bình", "language": "vi"},
    )
    consent = {
        "purpose": "marketing",
        "state": "given",
        "at": "2026-11-20T03:00:00Z",
        "channel": "zalo",
        "notice": "Quý khách đồng ý nhận ưu đãi qua Zalo.",
        "notice_version": "2026-03",
    }
    server.post(f"/customers/{lan}/consents", consent)
    server.post(f"/customers/{lan}/consents", consent | {"purpose": "recording", "channel": "call"})
    return Known(lan, other)


@contextlib.contextmanager
def busy_house(folder: Path) -> Iterator[Server]:
    """A server with messages for a queue, and people who are to be called back by another one, in which nobody is."""
    server = Server(folder, SETTINGS)
    server.write_config()
    trunk = "domain: hotline.test, trunks: [{name: pbx, targets: 'sip:127.0.0.9:9', probe: 0s}]"
    config = server.config.read_text("utf-8").replace("domain: hotline.test", trunk)
    server.config.write_text(config, encoding="utf-8")
    server.furnish()
    now = time.time()
    server.write(
        [
            *(promise(number, now - 600.0 + 60 * number) for number in range(2)),
            promise(2, now - 7200.0, state="failed", attempts=3, ended_at=now - 3600.0, cause="no answer"),
            *left(server, 1, now - 1800.0, "+84903111222", ""),
            *left(server, 2, now - 900.0, f"+84{LAN[1:]}", SAID),
        ]
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def promise(number: int, since: float, state: str = "booked", **more: Any) -> Callback:
    """Somebody who was promised a call."""
    return Callback(
        id=f"{number:032x}",
        call_id=f"{number:032x}",
        request=1,
        number=f"+8490812345{number}",
        queue="sales",
        note="Muốn hỏi về máy lọc nước" if number else "",
        since=since,
        state=state,
        created_at=since,
        open_key=f"sales +8490812345{number}" if state == "booked" else None,
        **more,
    )


def recorded(server: Server, number: int, customer: str) -> Recording:
    """A talk with somebody that was recorded."""
    recording = f"{number:032x}"
    path = _sound(server, recording)
    return Recording(
        id=recording,
        call_id=recording,
        customer_id=customer,
        path=path.name,
        state="closed",
        started_at=1e9,
        seconds=3.0,
    )


def _sound(server: Server, recording: str) -> Path:
    path = server.data / "recordings" / f"{recording}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    return tone(path, 440.0, 3.0)


def left(server: Server, number: int, at: float, ani: str, words: str) -> list[object]:
    """A message with its sound, and with its words where there are any."""
    message = f"{number:032x}"
    path = _sound(server, message)
    common = {"id": message, "call_id": message, "queue": "care", "ani": ani, "language": "vi", "seconds": 3.0}
    state = "done" if words else "awaiting_model"
    found: list[object] = [
        Voicemail(left_at=at, **common),
        Recording(path=path.name, kind="voicemail", state="closed", started_at=at, transcript_state=state, **common),
    ]
    if words:
        said = {"engine": "whisper", "language": "vi", "text": words, "folded": "", "words": [], "created_at": at}
        found.append(Transcript(recording_id=message, **said))
    return found
