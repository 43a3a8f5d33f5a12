"""The certificate of an erasure: what was erased, when and by whom, signed, and nothing of whom it was.

The signature is Ed25519 (RFC 8032) over `statement` as JSON with sorted keys, no spaces, in UTF-8. Profiles stand in it
as SHA-256 of their ids, which are random: whoever has the id can look for it, nobody finds a person by it.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from crm_bridge.rows import new_id

KEY_FILE: Final = "erasures.pem"
VERSION: Final = 1


class KeyUnusable(Exception):
    """The key that signs certificates cannot be had; the text says why and what mends it."""


class CertificateWrong(ValueError):
    """A certificate that proves nothing; the text says why."""


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key of `folder`, made when there is none. Raises `KeyUnusable`.

    Two who make it at once both get the one that was there first.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        found = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise KeyUnusable(
            f"the key that signs certificates of erasure cannot be kept in {path}: {error.strerror}; "
            "make that folder writable for this user"
        ) from None
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise KeyUnusable(
            f"{path} holds no Ed25519 key in PEM: restore it from a backup, or move it away for a new one"
        )
    return found


def _make(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{new_id()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as whole:
            whole.write(written)
            whole.flush()
            os.fsync(whole.fileno())
        try:
            os.link(draft, path)  # fails where somebody else was first
        except FileExistsError:
            return
    finally:
        draft.unlink()


def mark(profile: str) -> str:
    """Return what a profile's id is in a certificate."""
    return hashlib.sha256(profile.encode()).hexdigest()


def marks(profiles: Iterable[str]) -> list[str]:
    """Return the ids of profiles as they stand in a certificate."""
    return sorted(map(mark, profiles))


def sign(statement: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return a statement with its signature and the public key that proves it."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "statement": dict(statement),
        "key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(key.sign(_signed(statement))).decode(),
    }


def verify(certificate: Any, key: Ed25519PublicKey) -> dict[str, Any]:
    """Return the statement of a certificate that `key` signed. Raises `CertificateWrong`."""
    try:
        statement, signature = certificate["statement"], base64.b64decode(certificate["signature"], validate=True)
        key.verify(signature, _signed(statement))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise CertificateWrong("it is no certificate of an erasure: send the JSON as the erasure gave it") from error
    except InvalidSignature as error:
        raise CertificateWrong("its signature is not this hotline's, or it was changed") from error
    if not isinstance(statement, dict):
        raise CertificateWrong("it is no certificate of an erasure: send the JSON as the erasure gave it")
    return statement


def _signed(statement: Mapping[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
