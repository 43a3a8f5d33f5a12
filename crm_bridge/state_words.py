"""What other systems call the states of orders and payments, in English and Vietnamese, and what they mean; pure."""

import re
from collections.abc import Mapping
from typing import Final, get_args

from crm_bridge.facts import OrderState, PaymentState
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


_PAYMENTS: Final[Mapping[PaymentState, str]] = {
    "paid": "paid, success, successful, succeeded, completed, complete, settled, captured, received, da thanh toan, "
    "thanh cong, hoan tat, hoan thanh, da tra, da thu, da thu tien, da nhan, da nhan tien",
    "failed": "failed, failure, declined, rejected, error, expired, cancelled, canceled, unsuccessful, that bai, khong "
    "thanh cong, bi tu choi, tu choi, loi, da huy, bi huy, het han",
    "refunded": "refunded, refund, returned, reversed, chargeback, charged back, hoan tien, da hoan tien, da hoan, tra "
    "lai tien, da tra lai tien",
}
_STATES_OF_PAYMENTS: Final[Mapping[str, PaymentState]] = {
    name.strip(): state for state in get_args(PaymentState) for name in _PAYMENTS[state].split(",")
}


def order_state(written: str) -> OrderState | None:
    """Return the state of an order that a word means, None for one that is not known."""
    return _STATES.get(_key(written))


def payment_state(written: str) -> PaymentState | None:
    """Return the state of a payment that a word means, None for one that is not known."""
    return _STATES_OF_PAYMENTS.get(_key(written))


def _key(written: str) -> str:
    return _NO_WORD.sub(" ", fold(written)).strip()
