"""Digest authentication (RFC 7616, RFC 8760; RFC 3261 section 22), both sides.

Rule 1: the server keeps no state for those who are merely challenged. A nonce carries its own expiry, sealed with a
key that is drawn once; only a nonce that has been used with the right password takes memory, for its count.

Rule 2: whoever is refused learns nothing: an unknown user costs and gets the same as a wrong password, and the password
is not looked at before the nonce is found good, so an old nonce, or a made-up one, is no way to try passwords for free.

Rule 3: a nonce says whom it was given to, in a form that means nothing to others.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

import msgspec

from telephony.sip.headers import quote, split_commas, unquote
from telephony.sip.settings import Algorithm

_HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "MD5": lambda octets: hashlib.md5(octets, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}
_FIELD: Final = re.compile(r"([A-Za-z0-9\-]+)\s*=\s*(.*)", re.DOTALL)
_COUNT: Final = re.compile(r"[0-9a-fA-F]{1,8}")
_SALT_OCTETS: Final = 8
_SEAL_DIGITS: Final = 24
_ASKER_DIGITS: Final = 12


class Ha1(msgspec.Struct, frozen=True):
    """What is stored of a password, both as hex: H(user:realm:password) by each algorithm."""

    md5: str
    sha256: str

    def by(self, algorithm: str) -> str:
        """Return the one that an algorithm needs."""
        return self.md5 if algorithm == "MD5" else self.sha256


class DigestError(ValueError):
    """An Authorization or a challenge that cannot be read."""


class Refusal(msgspec.Struct, frozen=True):
    """Why credentials did not do. `stale`: the nonce is old, is none of ours, or its count was seen before; whether the
    password is right has not been looked at."""

    stale: bool


NOBODY: Final = Ha1("", "")


def hash_password(user: str, realm: str, password: str) -> Ha1:
    """Return what to store for a user; it holds for this realm alone."""
    text = f"{user}:{realm}:{password}"
    return Ha1(_hash("MD5", text), _hash("SHA-256", text))


def is_digest(value: str) -> bool:
    """Whether credentials or a challenge are of the scheme that we know."""
    return value.strip().partition(" ")[0].lower() == "digest"


def parse_digest(value: str) -> dict[str, str]:
    """Read `Digest name=value, ...` into a dict with lower-case names. Raises `DigestError`."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise DigestError("not Digest")
    fields: dict[str, str] = {}
    for part in split_commas(rest):
        found = _FIELD.fullmatch(part)
        if found is None or found.group(1).lower() in fields:
            raise DigestError("a field that is none, or comes twice")
        fields[found.group(1).lower()] = unquote(found.group(2).strip())
    return fields


def respond_to(ha1: Ha1, fields: dict[str, str], method: str) -> str:
    """Return the response digest that `fields` of an Authorization call for (RFC 7616 section 3.4.1).

    Without `qop` it is the one of RFC 2069, which phones at large still send. Raises `DigestError`.
    """
    algorithm = _algorithm(fields)
    a1 = ha1.by(algorithm)
    a2 = _hash(algorithm, f"{method}:{fields.get('uri', '')}")
    nonce = fields.get("nonce", "")
    if "qop" not in fields:
        return _hash(algorithm, f"{a1}:{nonce}:{a2}")
    if fields["qop"].lower() != "auth":
        raise DigestError("a qop that was not offered")
    return _hash(algorithm, f"{a1}:{nonce}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:auth:{a2}")


class DigestServer:
    """Challenges, and checks what comes back. `key` seals the nonces; `token(n)` gives n octets in hex."""

    def __init__(
        self,
        realm: str,
        algorithms: tuple[Algorithm, ...],
        token: Callable[[int], str],
        lifetime_s: float = 300.0,
        max_nonces: int = 20_000,
    ) -> None:
        self._realm = realm
        self._algorithms = algorithms
        self._token = token
        self._key = token(32).encode()
        self._lifetime_s = lifetime_s
        self._max_nonces = max_nonces
        self._counts: dict[str, tuple[float, int]] = {}
        self._floor = 0.0

    def challenges(self, now: float, *, stale: bool = False, asker: str = "") -> list[str]:
        """Return the WWW-Authenticate values, one per algorithm, of one new nonce, which is given to `asker`."""
        expiry = f"{int((now + self._lifetime_s) * 1000):x}"
        salted = f"{expiry}-{self._token(_SALT_OCTETS)}{self.mark(asker)}"
        nonce = f"{salted}-{self._seal(salted)}"
        staleness = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{staleness}'
            for algorithm in self._algorithms
        ]

    def mark(self, asker: str) -> str:
        """Return what stands in a nonce for whoever it was given to."""
        return self._seal(f"for {asker}")[:_ASKER_DIGITS]

    @staticmethod
    def asker_of(fields: dict[str, str]) -> str:
        """Return the mark in the nonce of credentials that `check` did not find stale."""
        return fields.get("nonce", "").rpartition("-")[0][-_ASKER_DIGITS:]

    def check(self, fields: dict[str, str], ha1: Ha1 | None, method: str, now: float) -> Refusal | None:
        """Return None for right credentials, or why not. Raises `DigestError` for fields that make no sense."""
        if _algorithm(fields) not in self._algorithms:
            raise DigestError("an algorithm that was not offered")
        count = self._count(fields)
        nonce = fields.get("nonce", "")
        expiry = self._expiry(nonce)
        seen = self._counts.get(nonce, (expiry, 0 if expiry > self._floor else count))[1]
        if expiry < now or count <= seen:
            return Refusal(stale=True)
        expected = respond_to(ha1 or NOBODY, fields, method)
        given = fields.get("response", "").lower()
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogateescape")) or ha1 is None:
            return Refusal(stale=False)
        self._counts.pop(nonce, None)
        self._forget(now)
        self._counts[nonce] = (expiry, count)
        return None

    def _count(self, fields: dict[str, str]) -> int:
        """The nonce count; without qop there is none, and the nonce is good once."""
        if "qop" not in fields:
            return 1
        if not _COUNT.fullmatch(fields.get("nc", "")) or not fields.get("cnonce"):
            raise DigestError("qop without nc and cnonce")
        return int(fields["nc"], 16)

    def _expiry(self, nonce: str) -> float:
        """When one of our nonces ends; 0 for a nonce that is not ours (of an earlier run, say)."""
        salted, _, seal = nonce.rpartition("-")
        if not hmac.compare_digest(self._seal(salted).encode(), seal.encode("utf-8", "surrogateescape")):
            return 0.0
        return int(salted.partition("-")[0], 16) / 1000

    def _seal(self, salted: str) -> str:
        octets = salted.encode("utf-8", "surrogateescape")
        return hmac.new(self._key, octets, hashlib.sha256).hexdigest()[:_SEAL_DIGITS]

    def _forget(self, now: float) -> None:
        """Drop the counts of nonces that are over, and at the limit the one unused for longest.

        What is dropped early must not become good again: a nonce no younger than it and without a count is stale.
        """
        for nonce, (expiry, _) in list(self._counts.items())[:2]:
            if expiry < now:
                del self._counts[nonce]
        while len(self._counts) >= self._max_nonces:
            oldest = next(iter(self._counts))
            self._floor = max(self._floor, self._counts.pop(oldest)[0])


def authorize(challenge: str, user: str, password: str, method: str, uri: str, cnonce: str, count: int = 1) -> str:
    """Return the Authorization value that answers a challenge, for requests of our own. Raises `DigestError`."""
    offered = parse_digest(challenge)
    fields = {
        "username": user,
        "realm": offered.get("realm", ""),
        "nonce": offered.get("nonce", ""),
        "uri": uri,
        "algorithm": offered.get("algorithm", "MD5"),
    }
    if "auth" in {quality.strip().lower() for quality in offered.get("qop", "").split(",")}:
        fields |= {"qop": "auth", "nc": f"{count:08x}", "cnonce": cnonce}
    fields["response"] = respond_to(hash_password(user, fields["realm"], password), fields, method)
    if "opaque" in offered:
        fields["opaque"] = offered["opaque"]
    bare = {"algorithm", "qop", "nc"}
    return "Digest " + ", ".join(f"{name}={value if name in bare else quote(value)}" for name, value in fields.items())


def _algorithm(fields: dict[str, str]) -> str:
    algorithm = fields.get("algorithm", "MD5").upper()
    if algorithm not in _HASHES:
        raise DigestError("an algorithm that was not offered")
    return algorithm


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](text.encode("utf-8", "surrogateescape")).hexdigest()
