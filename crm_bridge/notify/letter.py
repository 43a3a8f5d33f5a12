"""A message as an e-mail: the bytes that are submitted. Pure.

Rule 1: the same parcel gives the same letter, its Message-ID and Date too, so that one which was sent twice is known
for one (RFC 5322 section 3.6.4).
Rule 2: nothing of a parcel can become a field: what holds a line break in a field is refused.
Rule 3: what a flow sends says so (RFC 3834 section 5), so that no machine answers it.
"""

from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate
from typing import Final

from crm_bridge.notify.parcel import Parcel

_THREAD: Final = frozenset({"in-reply-to", "references"})


class _Policy(EmailPolicy):
    """Folds fields of the thread between ids and nowhere else: the library writes long ones as encoded words, in which
    nobody finds them (RFC 2047 section 5)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _THREAD:
            return f"{name}: {f'{self.linesep} '.join(value.split())}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY: Final = _Policy(linesep="\r\n", cte_type="7bit", raise_on_defect=True)


def compose(parcel: Parcel, sender: str, sender_name: str, written_at: float) -> bytes:
    """Return a letter from `sender`, written at an instant in seconds since the epoch.

    Raises `ValueError` for what cannot stand in a field.
    """
    if len(f"{parcel.subject}.".splitlines()) > 1:  # the library overlooks a break at the end, and writes it
        raise ValueError("the subject holds a line break; write it on one line")
    letter = EmailMessage(_POLICY)
    letter["From"] = Address(sender_name, addr_spec=sender)
    letter["To"] = Address(addr_spec=parcel.to)
    letter["Subject"] = parcel.subject
    letter["Date"] = formatdate(written_at)
    letter["Message-ID"] = parcel.message_id
    for name, value in _fields(parcel).items():
        letter[name] = value
    letter.set_content(parcel.text.replace("\r\n", "\n").replace("\r", "\n"), charset="utf-8")
    if parcel.language:
        letter["Content-Language"] = parcel.language
    return letter.as_bytes()


def _fields(parcel: Parcel) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    if parcel.references:
        fields |= {"In-Reply-To": parcel.references[-1], "References": " ".join(parcel.references)}
    if parcel.automatic:
        fields["Auto-Submitted"] = "auto-generated"
    return fields
