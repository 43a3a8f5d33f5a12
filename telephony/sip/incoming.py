"""An INVITE that begins something: who sends it, by which trunk, for whom, and in whose place."""

from collections.abc import Callable

from telephony.events import InviteReceived
from telephony.sip.address import is_page
from telephony.sip.authentication import Authenticator
from telephony.sip.dialog import State, sdp_of
from telephony.sip.dialog_layer import DialogLayer
from telephony.sip.errors import RemoteError
from telephony.sip.headers import one_line
from telephony.sip.identity import MAX_LENGTH, Identity, identify
from telephony.sip.message import Request
from telephony.sip.outbox import Address
from telephony.sip.refer import parse_replaces
from telephony.sip.registrar import Registrar
from telephony.sip.trunk import Trunk
from telephony.sip.trunk_calls import TrunkCalls
from telephony.sip.uri import bracketed


class Incoming:
    """Reads them; `new_dialog()` names the dialog of each."""

    def __init__(
        self,
        new_dialog: Callable[[], str],
        registrar: Registrar,
        authenticator: Authenticator,
        trunk_calls: TrunkCalls,
        dialogs: DialogLayer,
    ) -> None:
        self._new_dialog = new_dialog
        self._registrar = registrar
        self._authenticator = authenticator
        self._trunk_calls = trunk_calls
        self._dialogs = dialogs

    def sender(self, request: Request, source: Address, now: float) -> tuple[Trunk | None, str]:
        """Return the trunk that an INVITE came by, which is asked for no password, or else the user whose phone sent
        it; neither for a caller. Raises `RemoteError`."""
        trunk = self._trunk_of(request, source)
        return trunk, self._authenticator.user_of(request, source, now) if trunk is None else ""

    def received(self, request: Request, source: Address, sender: tuple[Trunk | None, str]) -> InviteReceived:
        """Return what is told of an INVITE from this sender. Raises `RemoteError`."""
        trunk, user = sender
        device = ""
        if trunk is None:
            identity = identify(request, trusted=False)
            dialled, device = self._registrar.dialled(request.uri)
        else:
            identity, dialled = self._trunk_calls.read(trunk, request)
        return InviteReceived(
            dialog=self._new_dialog(),
            number=identity.number,
            display_name=identity.display_name,
            withheld=identity.withheld,
            dnis=one_line(dialled)[:MAX_LENGTH],
            sdp=sdp_of(request),
            source=f"{bracketed(source[0])}:{source[1]}",
            claimed=is_page(source) and not user,
            user=user,
            diverted=identity.diverted,
            replaces=self._replaced(request),
            trunk=trunk.name if trunk is not None else "",
            device=device,
        )

    def by_trunk(self, request: Request, source: Address) -> tuple[Identity, str] | None:
        """Return who sends a request by a trunk, and to which number; None where it came by none."""
        trunk = self._trunk_of(request, source)
        return None if trunk is None else self._trunk_calls.read(trunk, request)

    def _trunk_of(self, request: Request, source: Address) -> Trunk | None:
        is_phone = self._registrar.is_bound(request.from_.uri.user, source)
        return self._trunk_calls.of(request, source, from_phone=is_phone)

    def _replaced(self, request: Request) -> str:
        """Return the dialog whose place a new INVITE is to take (RFC 3891 section 3). Raises `RemoteError`."""
        values = request.headers.lines("replaces")
        if not values:
            return ""
        try:
            replaces = parse_replaces(values[0]) if len(values) == 1 else None
        except ValueError:
            replaces = None
        if replaces is None:
            raise RemoteError(400, "Malformed Replaces")
        dialog = self._dialogs.by_key(replaces.call_id, replaces.to_tag, replaces.from_tag)
        dialog = dialog or self._dialogs.ringing(replaces)
        if dialog is None or (dialog.state is not State.CONFIRMED and not dialog.is_ours):
            raise RemoteError(481, "No Dialog To Replace")
        if replaces.early_only and dialog.state is State.CONFIRMED:
            raise RemoteError(486, "Answered Already")
        return dialog.id
