"""The self-made certificate: browsers can take it, it stays as long as it can, and its key is nobody else's."""

import ipaddress
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ifaddr
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from hotline import tls
from hotline.tls import Certificate, TlsError, ensure, given, names_of
from tests.hotline.conftest import NOW

NAMES = ["pbx.example.com", "192.0.2.7", "2001:db8::7", "localhost"]
DAY_S = 86400.0


def parsed(made: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.certificate.read_bytes())


def extension(made: Certificate, kind: Any) -> Any:
    return parsed(made).extensions.get_extension_for_class(kind).value


def test_it_names_the_machine_as_browsers_check_it(tmp_path: Path) -> None:
    made = ensure(tmp_path / "tls", NAMES, NOW)
    named = extension(made, x509.SubjectAlternativeName)
    assert set(named.get_values_for_type(x509.DNSName)) == {"pbx.example.com", "localhost"}
    assert set(named.get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address("192.0.2.7"),
        ipaddress.ip_address("2001:db8::7"),
    }
    assert list(extension(made, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]
    public = parsed(made).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"


def test_it_can_vouch_for_nobody_else(tmp_path: Path) -> None:
    made = ensure(tmp_path, NAMES, NOW)
    assert extension(made, x509.BasicConstraints).ca is False
    assert extension(made, x509.KeyUsage).key_cert_sign is False


def test_it_is_good_for_825_days_and_for_clocks_that_are_behind(tmp_path: Path) -> None:
    made, now = parsed(ensure(tmp_path, NAMES, NOW)), datetime.fromtimestamp(NOW, UTC)
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=825)
    assert now - made.not_valid_before_utc == timedelta(days=1)


def test_key_and_certificate_are_for_our_user_alone(tmp_path: Path) -> None:
    made = ensure(tmp_path / "data" / "tls", NAMES, NOW)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made.certificate, made.key)] == [0o600, 0o600]
    assert stat.S_IMODE(made.key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in made.key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_the_fingerprint_is_the_one_that_browsers_show(tmp_path: Path) -> None:
    made = ensure(tmp_path, NAMES, NOW)
    assert made.fingerprint == parsed(made).fingerprint(hashes.SHA256()).hex(":").upper()
    assert len(made.fingerprint) == 32 * 3 - 1


@pytest.mark.parametrize(
    ("names", "after_days", "stays"),
    [
        (NAMES, 0, True),
        (NAMES[::-1], 793, True),
        (NAMES, 794, False),  # 30 days before its end, which is 824 days after the making
        (NAMES, 2000, False),
        (NAMES, -2, False),  # the clock was wrong when it was made
        (NAMES[:1], 1, True),  # a name that went away
        ([*NAMES, "192.0.2.8"], 1, False),
        (["PBX.example.com"], 1, True),
        (["2001:db8:0:0::7"], 1, True),
    ],
)
def test_it_stays_while_it_serves(tmp_path: Path, names: list[str], after_days: float, *, stays: bool) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    again = ensure(tmp_path, names, NOW + after_days * DAY_S)
    assert (again == first) is stays
    assert again == ensure(tmp_path, names, NOW + after_days * DAY_S)
    assert again == given(again.certificate, again.key, NOW + after_days * DAY_S)


def test_a_new_one_is_told_apart_from_the_old_one(tmp_path: Path) -> None:
    old = parsed(ensure(tmp_path, NAMES, NOW))
    new = parsed(ensure(tmp_path, [*NAMES, "elsewhere"], NOW))
    assert (old.serial_number, old.subject) != (new.serial_number, new.subject)
    assert old.subject != new.subject
    assert old.public_key() != new.public_key()


def tear_apart(folder: Path) -> None:
    """What a crash leaves between the new key and the new certificate."""
    old = (folder / tls.CERTIFICATE_FILE).read_bytes()
    ensure(folder, ["another"], NOW)
    (folder / tls.CERTIFICATE_FILE).write_bytes(old)


def end_in_the_middle(folder: Path) -> None:
    (folder / tls.KEY_FILE).unlink()
    half = folder / "key.new"
    half.write_bytes(b"-----BEGIN PRIV")
    half.chmod(0o444)


@pytest.mark.parametrize(
    "spoil",
    [
        tear_apart,
        end_in_the_middle,
        lambda folder: (folder / tls.KEY_FILE).chmod(0o640),
        lambda folder: (folder / tls.KEY_FILE).write_bytes(b""),
        lambda folder: (folder / tls.CERTIFICATE_FILE).write_bytes(b"\xff\x00 no certificate"),
        lambda folder: (folder / tls.CERTIFICATE_FILE).unlink(),
    ],
)
def test_what_is_broken_or_was_open_to_others_is_made_anew(tmp_path: Path, spoil: Any) -> None:
    first = ensure(tmp_path, NAMES, NOW)
    spoil(tmp_path)
    again = ensure(tmp_path, NAMES, NOW)
    assert again.fingerprint != first.fingerprint
    assert again == given(again.certificate, again.key, NOW) == ensure(tmp_path, NAMES, NOW)
    assert stat.S_IMODE(again.key.stat().st_mode) == 0o600


def test_somebody_elses_certificate_in_its_place_is_not_served_without_its_names(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    begin = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=90))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    first = ensure(tmp_path, NAMES, NOW)
    first.certificate.write_bytes(pem)
    first.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    assert set(extension(ensure(tmp_path, NAMES, NOW), x509.SubjectAlternativeName)) >= {x509.DNSName("localhost")}


def test_a_folder_that_cannot_be_written_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(TlsError, match=r"cannot be kept in .*/tls: .*; make that folder writable .* web\.tls"):
        ensure(tmp_path / "tls", NAMES, NOW)


def test_what_is_no_name_is_left_out(tmp_path: Path) -> None:
    made = ensure(tmp_path, ["", "a_b", "-a", "a" * 64, "x..y", "*", "tổng-đài.vn", "192.0.2.300."], NOW)
    (name,) = extension(made, x509.SubjectAlternativeName)
    assert name.value == "tổng-đài.vn".encode("idna").decode()
    with pytest.raises(TlsError, match=r"needs a name or an address; set web\.tls to files"):
        ensure(tmp_path / "none", ["a_b"], NOW)


# ------------------------------------------------------------------------------------------------ somebody else's


def test_a_given_certificate_is_looked_at(tmp_path: Path) -> None:
    one, other = ensure(tmp_path / "one", NAMES, NOW), ensure(tmp_path / "other", NAMES, NOW)
    assert given(one.certificate, one.key, NOW) == one
    with pytest.raises(TlsError, match="is not the key of"):
        given(one.certificate, other.key, NOW)
    with pytest.raises(TlsError, match=r"nowhere\.pem cannot be read: No such file or directory; correct web\.tls"):
        given(tmp_path / "nowhere.pem", one.key, NOW)
    with pytest.raises(TlsError, match="holds no certificate in PEM"):
        given(one.key, one.key, NOW)
    with pytest.raises(TlsError, match=r"was good until 2029-.*; renew it"):
        given(one.certificate, one.key, NOW + 824 * DAY_S)
    with pytest.raises(TlsError, match="look at the clock"):
        given(one.certificate, one.key, NOW - 2 * DAY_S)


def test_a_key_behind_a_passphrase_is_refused_rather_than_asked_for(tmp_path: Path) -> None:
    made = ensure(tmp_path, NAMES, NOW)
    key = serialization.load_pem_private_key(made.key.read_bytes(), None)
    sealed = serialization.BestAvailableEncryption(b"secret")
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    with pytest.raises(TlsError, match="asks for a passphrase"):
        given(made.certificate, made.key, NOW)


def test_a_certificate_that_openssl_does_not_take_is_told_at_once(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - this is what is refused
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "short")])
    at = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(at).not_valid_after(at + timedelta(days=1))
    made = builder.sign(key, hashes.SHA256())
    (tmp_path / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(TlsError, match=r"OpenSSL does not take .*c\.pem.*: EE_KEY_TOO_SMALL; correct sip\.tls"):
        given(tmp_path / "c.pem", tmp_path / "k.pem", NOW, "sip.tls")


# ---------------------------------------------------------------------------------------------------------- names


def test_an_address_of_the_network_goes_by_itself_and_the_public_name() -> None:
    assert names_of("192.0.2.7", "https://pbx.example.com:8443/") == ["pbx.example.com", "192.0.2.7"]
    assert names_of("2001:db8::7") == ["2001:db8::7"]


def test_loopback_goes_by_its_names() -> None:
    assert names_of("127.0.0.1") == ["127.0.0.1", "localhost", "::1"]


def test_every_address_goes_by_all_the_names_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def adapter(*addresses: str | tuple[str, int, int]) -> ifaddr.Adapter:
        return ifaddr.Adapter("eth0", "eth0", [ifaddr.IP(each, 24, "eth0") for each in addresses])

    lasting, temporary = "2001:db8::7", "2001:db8::dead"
    found = adapter("127.0.0.1", "192.0.2.7", (lasting, 0, 0), (temporary, 0, 0), ("fe80::1", 0, 4))
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [found])
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk.example.com")
    monkeypatch.setattr(tls, "_temporary_addresses", lambda: {ipaddress.IPv6Address(temporary)})
    expected = ["desk.example.com", "desk.local", "127.0.0.1", "192.0.2.7", lasting, "localhost", "::1"]
    assert names_of("0.0.0.0") == expected
    assert names_of("::", "https://pbx") == ["pbx", *expected]


def test_the_systems_table_says_which_addresses_are_temporary(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "20010db800000000000000000000dead 02 40 00 01     eth0\n"
        "20010db8000000000000000000000007 02 40 00 00     eth0\n"
    )
    assert tls._temporary_addresses(table) == {ipaddress.IPv6Address("2001:db8::dead")}
    assert tls._temporary_addresses(tmp_path / "nothing") == set()


def test_python_and_openssl_load_the_pair(tmp_path: Path) -> None:
    made = ensure(tmp_path, NAMES, NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made.certificate, made.key)
