"""The registration of the command-line phone: pyVoIP's REGISTER and digest, kept up without a thread of its own."""

import time
from typing import TYPE_CHECKING, Final

from hotline.phone.dialog import Told
from hotline.phone.pyvoip import SIP

if TYPE_CHECKING:
    from hotline.phone.sip import Signalling

CHALLENGES: Final = frozenset({401, 407})
REFRESH_S: Final = 55.0
"""Less than half of the 120 s that pyVoIP asks for, and less than the shortest that servers grant."""


class Registration:
    """One account's registration, kept up until it is left."""

    def __init__(self, client: "Signalling") -> None:
        self._client = client
        self._challenged = False
        self._refresh_at = float("inf")
        self.leaving = False

    def begin(self) -> None:
        """Send a REGISTER without credentials: pyVoIP's digest has no count, so a nonce is good once."""
        self._challenged, self._refresh_at = False, float("inf")
        self._client.request(self._client.gen_first_response(deregister=self.leaving))

    def refresh(self, now: float) -> None:
        """Register again when it is time (`now` is monotonic)."""
        if self._refresh_at <= now:
            self.begin()

    def answered(self, message: SIP.SIPMessage, status: int) -> None:
        """Take a final answer to a REGISTER."""
        client = self._client
        if status in CHALLENGES and not self._challenged:
            self._challenged = True
            name = take_challenge(message)
            text = client.gen_register(message, deregister=self.leaving)
            client.request(text.replace("\r\nAuthorization:", f"\r\n{name}:", 1))
        elif status == 200 and self.leaving:
            client.tell(Told("unregistered"))
        elif status == 200:
            self._refresh_at = time.monotonic() + REFRESH_S
            client.tell(Told("registered"))
        elif status in CHALLENGES:
            client.tell(Told("not_registered", f"wrong password for {client.username}, or no such user", status))
        else:
            client.tell(Told("not_registered", str(message.status), status))


def take_challenge(message: SIP.SIPMessage) -> str:
    """Let pyVoIP see a proxy's challenge too; return the name of the header that answers it."""
    if int(message.status) == 407:
        message.parse_header("WWW-Authenticate", message.headers["Proxy-Authenticate"])
        return "Proxy-Authorization"
    return "Authorization"
