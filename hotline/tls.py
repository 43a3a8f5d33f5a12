"""The certificate of the web side, or of SIP, when nobody gave one: made here, kept in a folder, renewed near its end.

Rule 1: it stays as long as it can. Whoever told a browser to trust it should not have to again: a name that went away
makes no new one, and addresses that the system changes by itself are not in it.

Rule 2: it vouches for itself alone. It is no authority (RFC 5280 section 4.2.1.9): to those who trust it, whoever
steals the key can pretend to be this hotline, and nobody else.

Rule 3: key and certificate are two files and may be torn apart by a crash between the two. Each is replaced as a whole,
and a pair that does not fit is no pair.
"""

import contextlib
import ipaddress
import os
import re
import socket
import ssl
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hotline.cannot_start import cause

CERTIFICATE_FILE: Final = "certificate.pem"
KEY_FILE: Final = "key.pem"
# The longest that Apple's systems take (support.apple.com/103769), with a day of it for clocks that are behind ours.
VALID: Final = timedelta(days=825)
CLOCKS_DIFFER: Final = timedelta(days=1)
RENEW_BEFORE: Final = timedelta(days=30)
IFA_F_TEMPORARY: Final = 0x01  # linux/if_addr.h
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")  # RFC 1123 section 2.1


class TlsError(Exception):
    """A certificate that cannot be had; the text says why and what mends it."""


class Certificate(NamedTuple):
    """Two PEM files that belong together. `fingerprint` is the SHA-256 of the certificate as browsers show it."""

    certificate: Path
    key: Path
    fingerprint: str


def ensure(folder: Path, names: Iterable[str], now: float, setting: str = "web.tls") -> Certificate:
    """Return the certificate of `folder`, made when there is none that is good for `names`, at `now` and for a while.

    `names` are DNS names and IP addresses; what is neither is left out. `setting` is what errors tell to change. Raises
    `TlsError`.
    """
    wanted = frozenset(filter(None, map(_general_name, names)))
    at = datetime.fromtimestamp(now, UTC)
    paths = folder / CERTIFICATE_FILE, folder / KEY_FILE
    if not wanted:
        raise TlsError(f"a certificate needs a name or an address; set {setting} to files of your own")
    try:
        kept = _kept(*paths)
        if kept is None or not _serves(kept, wanted, at):
            kept = _make(folder, wanted, at)
    except OSError as error:
        raise TlsError(
            f"the certificate cannot be kept in {folder}: {error.strerror}; make that folder writable for this user, "
            f"or set {setting} to files of your own"
        ) from None
    return Certificate(*paths, fingerprint(kept))


def given(certificate: Path, key: Path, now: float, setting: str = "web.tls") -> Certificate:
    """Return a certificate that somebody else made, after a look at it. The file may hold its chain too.

    Raises `TlsError` when it cannot be read, does not fit its key, or is not good at `now`.
    """
    mend = f"; correct {setting}"
    found = _certificate(_read(certificate, mend))
    if found is None:
        raise TlsError(f"{certificate} holds no certificate in PEM{mend}")
    if not _fits(found, _read(key, mend)):
        raise TlsError(f"{key} is not the key of {certificate}, or asks for a passphrase{mend}")
    at = datetime.fromtimestamp(now, UTC)
    if at >= found.not_valid_after_utc:
        raise TlsError(f"{certificate} was good until {found.not_valid_after_utc:%Y-%m-%d}; renew it")
    if at < found.not_valid_before_utc:
        raise TlsError(f"{certificate} is good from {found.not_valid_before_utc:%Y-%m-%d} on; look at the clock")
    whole = Certificate(certificate, key, fingerprint(found))
    try:
        server_context(whole)
    except OSError as error:  # ssl.SSLError is one: a key too short, a signature by MD5, a chain that is broken
        raise TlsError(
            f"OpenSSL does not take {certificate} with its chain and its key: {cause(error)}{mend}"
        ) from None
    return whole


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, as `AB:CD:...`."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """Return what a server shows a certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def names_of(listen: str, public_url: str = "") -> list[str]:
    """Return what a browser may call a web side that listens on the IP address `listen`, most public first.

    Asks the machine, never the network: a start does not wait for a name server.
    """
    address = ipaddress.ip_address(listen)
    names = [urlsplit(public_url).hostname or ""]
    if address.is_unspecified:
        host = socket.gethostname().lower()
        names += [host, f"{host.partition('.')[0]}.local", *_addresses(), *LOOPBACK]
    else:
        names += [str(address), *(LOOPBACK if address.is_loopback else ())]
    return list(dict.fromkeys(filter(None, names)))


def _addresses() -> Iterator[str]:
    """Yield this machine's addresses that last, but those that take a zone to be reached (browsers know none)."""
    temporary = _temporary_addresses()
    for adapter in ifaddr.get_adapters():
        for found in adapter.ips:
            address = ipaddress.ip_address(found.ip if isinstance(found.ip, str) else found.ip[0])
            if not address.is_link_local and address not in temporary:
                yield str(address)


def _temporary_addresses(table: Path = Path("/proc/net/if_inet6")) -> set[ipaddress.IPv6Address]:
    """Return the addresses that are another every day (RFC 8981), where the system says so: Linux does."""
    try:
        rows = [line.split() for line in table.read_text("ascii").splitlines()]
    except OSError:
        return set()
    return {ipaddress.IPv6Address(int(row[0], 16)) for row in rows if int(row[4], 16) & IFA_F_TEMPORARY}


# ------------------------------------------------------------------------------------------------------ what is there


def _kept(certificate: Path, key: Path) -> x509.Certificate | None:
    """Return the certificate of an earlier start; None when there is none, or no key that fits and is nobody else's."""
    try:
        found = _certificate(certificate.read_bytes())
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            return None  # whoever else could read it may have done so
        return found if found is not None and _fits(found, key.read_bytes()) else None
    except FileNotFoundError:
        return None


def _certificate(pem: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def _fits(certificate: x509.Certificate, pem: bytes) -> bool:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # no key at all; one behind a passphrase
        return False
    return key.public_key() == certificate.public_key()


def _serves(certificate: x509.Certificate, wanted: frozenset[x509.GeneralName], at: datetime) -> bool:
    try:
        named = frozenset(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return False
    return wanted <= named and certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc - RENEW_BEFORE


def _read(path: Path, mend: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path} cannot be read: {error.strerror}{mend}") from None


# -------------------------------------------------------------------------------------------------------- a new one


def _make(folder: Path, names: frozenset[x509.GeneralName], at: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    made = _signed(key, sorted(names, key=repr), at)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _replace(folder / KEY_FILE, pem)
    _replace(folder / CERTIFICATE_FILE, made.public_bytes(serialization.Encoding.PEM))
    return made


def _signed(key: ec.EllipticCurvePrivateKey, names: list[x509.GeneralName], at: datetime) -> x509.Certificate:
    """Sign a key with itself, for `names`; its use is a server's alone (RFC 5280 section 4.2.1)."""
    # Number and subject set it apart: browsers refuse two certificates of one issuer and number, and are slow to look
    # through many of one subject.
    number = x509.random_serial_number()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hotline {number:040x}"[:24])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    begin = at - CLOCKS_DIFFER
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(begin)
        .not_valid_after(begin + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place as a whole, for this user alone; after a crash there is the old one or the new one."""
    new = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()  # of a start that was ended here; its mode need not be ours
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _general_name(name: str) -> x509.GeneralName | None:
    """Return a name as a certificate holds it; None for what no browser could ask for."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        ascii_name = name.encode("idna").decode().lower()
    except UnicodeError:
        return None
    return x509.DNSName(ascii_name) if _DNS_NAME.fullmatch(ascii_name) else None
