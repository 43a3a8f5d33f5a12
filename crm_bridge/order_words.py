"""What other systems call the states of an order, in English and Vietnamese, and what they mean here; pure."""

import re
from collections.abc import Mapping
from typing import Final, get_args

from crm_bridge.facts import OrderState
from crm_bridge.identity import fold

_NO_WORD: Final = re.compile(r"[\W_]+")
_NAMES: Final[Mapping[OrderState, str]] = {
    "placed": "placed, new, open, active, pending, created, submitted, draft, received, unpaid, awaiting payment, moi, "
    "da dat, don moi, cho xac nhan, cho xu ly, cho thanh toan, dat hang",
    "confirmed": "confirmed, accepted, approved, processing, in progress, paid, packed, invoiced, on hold, da "
    "xac nhan, dang xu ly, dang chuan bi, da thanh toan, da dong goi, cho lay hang",
    "shipped": "shipped, in transit, shipping, sent, dispatched, out for delivery, partially shipped, dang giao, "
    "dang giao hang, dang van chuyen, da gui, da gui hang",
    "delivered": "delivered, completed, complete, fulfilled, done, closed, picked up, da giao, da giao hang, hoan "
    "thanh, hoan tat, thanh cong, da nhan hang",
    "cancelled": "cancelled, canceled, void, voided, rejected, failed, expired, da huy, huy, bi huy, that bai",
    "returned": "returned, refunded, return, tra hang, da tra hang, da tra lai, hoan tien, da hoan tien",
}
_STATES: Final[Mapping[str, OrderState]] = {
    name.strip(): state for state in get_args(OrderState) for name in _NAMES[state].split(",")
}


def order_state(written: str) -> OrderState | None:
    """Return the state that a word means, None for one that is not known."""
    return _STATES.get(_NO_WORD.sub(" ", fold(written)).strip())
