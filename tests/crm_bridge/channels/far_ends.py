"""What Zalo and Meta send, as their documentation shows it, signed as they sign it."""

import hashlib
import hmac
import json
from typing import Any

from crm_bridge.channels.messenger import Messenger
from crm_bridge.channels.zalo import Zalo

ZALO = Zalo(app_id="360846524940903967", oa_secret="oa-secret")
MESSENGER = Messenger(app_secret="app-secret", verify_token="made-up")
OA, PAGE = "388613280878808645", "682498302938465"
NOW = 1_800_000_000.0
NOW_MS = 1_800_000_000_000


def zalo_event(event: str, user: str = "246845883529197922", at_ms: int = NOW_MS, **members: Any) -> dict[str, Any]:
    """Return an event of a user; `members` are those that this kind of event has of its own."""
    return {
        "app_id": ZALO.app_id,
        "sender": {"id": user},
        "user_id_by_app": "552177279717587730",
        "recipient": {"id": OA},
        "event_name": event,
        "timestamp": str(at_ms),
        **members,
    }


def zalo_text(text: str, msg_id: str = "96d3cdf3af150460909", **members: Any) -> dict[str, Any]:
    return zalo_event("user_send_text", message={"text": text, "msg_id": msg_id}, **members)


Signed = tuple[bytes, dict[str, str]]
"""A body and its headers."""


def signed_by_zalo(document: object, *, by_header: str = "", secret: str = ZALO.oa_secret) -> Signed:
    """Sign as Zalo does; `by_header` is a timestamp that stands in the header alone."""
    body = json.dumps(document, ensure_ascii=False).encode()
    stamp = by_header or (str(document.get("timestamp", "")) if isinstance(document, dict) else "")
    mac = hashlib.sha256(ZALO.app_id.encode() + body + stamp.encode() + secret.encode()).hexdigest()
    return body, {"x-zevent-signature": f"mac={mac}"} | ({"x-zevent-timestamp": by_header} if by_header else {})


def said_on_facebook(
    text: str, mid: str = "m_1", psid: str = "psid-1", at_ms: int = NOW_MS, **more: Any
) -> dict[str, Any]:
    """Return one element of `messaging`."""
    return {
        "sender": {"id": psid},
        "recipient": {"id": PAGE},
        "timestamp": at_ms,
        "message": {"mid": mid, "text": text, **more},
    }


def page(*messaging: dict[str, Any]) -> dict[str, Any]:
    return {"object": "page", "entry": [{"id": PAGE, "time": NOW_MS, "messaging": list(messaging)}]}


def signed_by_meta(document: object, *, secret: str = MESSENGER.app_secret) -> Signed:
    body = json.dumps(document).encode()
    return body, {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
