"""GRUUs: addresses that reach one device of a user from anywhere (RFC 5627).

The public one names the user and the device. A temporary one names neither: it is a number drawn for it and a seal over
that number, by the secret of the binding; so none is kept, and all of them end with the registration.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from telephony.sip.headers import param, quote
from telephony.sip.registration import Binding
from telephony.sip.uri import Uri

_PREFIX: Final = "tgruu."
_OCTETS: Final = 8
_SEAL_DIGITS: Final = 24


def is_gruu(uri: Uri) -> bool:
    """Whether an address says that it is one."""
    return param(uri.params, "gr") is not None


def params(user: str, domain: str, binding: Binding, token: Callable[[int], str]) -> str:
    """Return the parameters that tell a device its two GRUUs (section 5.3)."""
    public = Uri(user=user, host=domain, params=(("gr", binding.instance),))
    number = token(_OCTETS)
    temporary = Uri(user=f"{_PREFIX}{number}.{_seal(binding, number)}", host=domain, params=(("gr", None),))
    return f";pub-gruu={quote(public.write())};temp-gruu={quote(temporary.write())}"


def means(uri: Uri, user: str, binding: Binding) -> bool:
    """Whether a GRUU is one of this binding's device."""
    if not binding.instance:
        return False
    instance = param(uri.params, "gr")
    if instance:
        return uri.user == user and instance == binding.instance
    number, _, seal = uri.user.removeprefix(_PREFIX).partition(".")
    return uri.user.startswith(_PREFIX) and hmac.compare_digest(
        _seal(binding, number).encode(), seal.encode("utf-8", "surrogateescape")
    )


def _seal(binding: Binding, number: str) -> str:
    octets = number.encode("utf-8", "surrogateescape")
    return hmac.new(binding.secret.encode(), octets, hashlib.sha256).hexdigest()[:_SEAL_DIGITS]
