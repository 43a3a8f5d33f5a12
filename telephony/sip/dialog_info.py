"""Calls of an agent as a document of the dialog event package (RFC 4235): application/dialog-info+xml, full state.

Rule 1: what is written is text that we escape ourselves; no document is ever read.
Rule 2: a watcher learns of a customer no more than that there is one, unless it is the agent's own phone.
"""

from collections.abc import Callable, Iterable
from html import escape
from typing import Final

from telephony.events import LampCall, TellLamp
from telephony.sip.headers import one_line
from telephony.sip.refer import Replaces
from telephony.sip.uri import Uri

CONTENT_TYPE: Final = "application/dialog-info+xml"
_ANONYMOUS: Final = Uri(user="anonymous", host="anonymous.invalid")

Named = Callable[[str], Replaces | None]
"""Gives a dialog of ours as its far end, an agent's phone, would be named in Replaces; None where it cannot be."""


def write_dialog_info(
    lamp: TellLamp, ended: Iterable[LampCall], *, host: str, version: int, named: Named, own: bool
) -> bytes:
    """Return the document. `ended` are calls that the last one showed and this one has no more: they are shown as
    terminated, once. `host` is that of the watched URI; `own`: the watcher is the agent."""
    entity = Uri(user=lamp.agent, host=host)
    over = {call.id: call for call in ended}
    parts = [_dialog(call, call.state, entity, named, own=own) for call in lamp.calls]
    parts += [_dialog(call, "terminated", entity, named, own=own) for call in over.values()]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" '
        f'entity="{_text(entity.write())}">\n{"".join(parts)}</dialog-info>\n'
    ).encode()


def _dialog(call: LampCall, state: str, entity: Uri, named: Named, *, own: bool) -> str:
    known = named(call.dialog) if call.dialog and state == "early" else None
    # Seen from the agent's phone: its own tag is the local one (section 4.1.1).
    names = (
        ""
        if known is None
        else (
            f' call-id="{_text(known.call_id)}" local-tag="{_text(known.from_tag)}" remote-tag="{_text(known.to_tag)}"'
        )
    )
    direction = "recipient" if call.incoming else "initiator"
    remote = _ANONYMOUS
    display_name = ""
    if (own or call.colleague) and call.number:
        remote, display_name = Uri(user=call.number, host=entity.host), call.display_name
    return (
        f'<dialog id="{_text(call.id)}"{names} direction="{direction}">\n'
        f"<state>{state}</state>\n"
        f"<local>{_party(entity, '')}</local>\n"
        f"<remote>{_party(remote, display_name)}</remote>\n"
        "</dialog>\n"
    )


def _party(uri: Uri, display_name: str) -> str:
    text = _text(uri.write())
    display = f' display="{_text(display_name)}"' if display_name else ""
    return f'<identity{display}>{text}</identity><target uri="{text}"/>'


def _text(text: str) -> str:
    return escape(one_line(text))
