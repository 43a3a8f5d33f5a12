"""A request of ours inside a dialog, and what it is for: whoever gets its response knows what to do with it."""

from enum import StrEnum

from telephony.sip.dialog import Dialog
from telephony.sip.transaction_layer import Transaction


class Purpose(StrEnum):
    """What a request is for."""

    BYE = "BYE"
    OFFER = "offer"  # re-INVITE or UPDATE with a description
    REFRESH = "refresh"  # UPDATE without one
    PRACK = "PRACK"
    INFO = "INFO"
    CANDIDATES = "candidates"  # an INFO that is not vital: the call goes on without
    REFER = "REFER"
    NOTIFY = "NOTIFY"


class Errand:
    """One of them. `body` is (content type, octets) and `fields` are further header fields: with them it can be made
    anew with credentials, which happens once. `transaction` is the one that it is under way in, and `cancelled` says
    that we gave it up."""

    __slots__ = ("authorization", "body", "cancelled", "dialog", "fields", "method", "purpose", "transaction")

    def __init__(
        self,
        dialog: Dialog,
        purpose: Purpose,
        method: str,
        fields: tuple[tuple[str, str], ...] = (),
        body: tuple[str, bytes] = ("", b""),
    ) -> None:
        self.dialog = dialog
        self.purpose = purpose
        self.method = method
        self.fields = fields
        self.body = body
        self.authorization: tuple[str, str] | None = None
        self.transaction: Transaction | None = None
        self.cancelled = False
