"""People with a history on every channel, for the tests of the pages: told to a server as its channels would."""

from dataclasses import dataclass
from typing import Any, Final

from tests.end_to_end.running import Server

LAN: Final = "0912345678"
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
