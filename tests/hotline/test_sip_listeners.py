"""Where SIP listens, as the settings say it, and what it says where it cannot."""

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hotline import tls
from hotline.cannot_start import CannotStart
from hotline.config import Settings, load
from hotline.config_values import Listen
from hotline.sip_listeners import SipListeners, names, told_address, trusted
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.sip.endpoint import Endpoint, EndpointSettings

LOOPBACK = "127.0.0.1"
PING, PONG = b"\r\n\r\n", b"\r\n"


def settings_with(sip: str, folder: Path) -> Settings:
    (folder / "hotline.yaml").write_text(f"data: data\nsip: {{{sip}}}\n", "utf-8")
    return load(folder / "hotline.yaml", {})


def made_by(settings: Settings) -> SipListeners:
    clock = ProcessClock()
    endpoint = Endpoint(EndpointSettings(("", 0)), lambda _: (), secrets.token_hex, lambda: secrets.token_hex(8))
    return SipListeners(settings, SipEdge(endpoint, clock, lambda _: None), clock)


@contextlib.asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[SipListeners]:
    listeners = made_by(settings)
    try:
        await listeners.start()
        yield listeners
    finally:
        await listeners.streams.close()
        listeners._edge.close()


async def pong(port: int, host: str = LOOPBACK, context: ssl.SSLContext | None = None, name: str = "") -> bytes:
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name or None)
    writer.write(PING)
    answer = await asyncio.wait_for(reader.read(10), 5.0)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return answer


async def test_every_address_of_the_setting_is_listened_at(tmp_path: Path) -> None:
    settings = settings_with(
        "listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0', 'tcp:[::1]:0', 'tls:localhost:0']", tmp_path
    )
    async with listening(settings) as listeners:
        udp, tcp, tcp6, private = listeners.addresses
        assert [each.transport for each in listeners.addresses] == ["udp", "tcp", "tcp", "tls"]
        assert listeners.address == udp
        assert await pong(tcp.port) == PONG
        assert await pong(tcp6.port, "::1") == PONG
        assert listeners.certificate is not None
        own = ssl.create_default_context(cafile=listeners.certificate.certificate)
        assert await pong(private.port, context=own, name="localhost") == PONG
        assert listeners.told == [
            f"sip:127.0.0.1:{tcp.port};transport=tcp",
            f"sip:[::1]:{tcp6.port};transport=tcp",
            f"sip:127.0.0.1:{private.port};transport=tls",
            f"its certificate is SHA-256 {listeners.certificate.fingerprint}",
        ]
        assert not (tmp_path / "data" / "tls").exists()  # that is the web side's


async def test_without_udp_the_first_is_where_to_dial(tmp_path: Path) -> None:
    async with listening(settings_with("listen: ['tcp:127.0.0.1:0']", tmp_path)) as listeners:
        assert listeners.address == Listen("tcp", LOOPBACK, listeners.addresses[0].port)
        assert not listeners.told
        assert listeners.certificate is None


async def test_a_certificate_of_your_own_is_shown_and_believed(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path / "own", ["pbx.example.com"], time.time())
    files = f"tls: {{certificate: {made.certificate}, key: {made.key}, authorities: {made.certificate}}}"
    async with listening(settings_with(f"listen: ['tls:127.0.0.1:0'], {files}", tmp_path)) as listeners:
        own = trusted(listeners._settings)
        assert await pong(listeners.addresses[0].port, context=own, name="pbx.example.com") == PONG
        assert listeners.certificate is not None
        assert listeners.certificate.fingerprint == made.fingerprint


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_an_address_that_is_taken_is_named_with_its_setting(tmp_path: Path, transport: str) -> None:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((LOOPBACK, 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        place = f"{transport}:127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CannotStart) as raised:
            async with listening(settings_with(f"listen: ['{place}']", tmp_path)):
                raise AssertionError("it listens")
    assert str(raised.value) == f"SIP cannot listen on {place}: Address already in use; change sip.listen"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("certificate: absent.pem, key: absent.pem", "absent.pem cannot be read: No such file or directory"),
        ("certificate: key.pem, key: certificate.pem", "holds no certificate in PEM; correct sip.tls"),
    ],
)
async def test_a_certificate_that_cannot_be_used_keeps_it_from_starting(tmp_path: Path, files: str, said: str) -> None:
    tls.ensure(tmp_path, ["localhost"], time.time())
    with pytest.raises(CannotStart, match=said):
        await made_by(settings_with(f"listen: ['tls:127.0.0.1:0'], tls: {{{files}}}", tmp_path)).start()


@pytest.mark.parametrize(
    ("text", "said"), [(None, "No such file or directory"), ("no certificate", "it holds none in PEM")]
)
async def test_authorities_that_cannot_be_read_keep_it_from_starting(
    tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "authorities.pem").write_text(text)
    settings = settings_with("listen: ['udp:127.0.0.1:0'], tls: {authorities: authorities.pem}", tmp_path)
    with pytest.raises(CannotStart) as raised:
        made_by(settings)
    assert said in str(raised.value)
    assert str(raised.value).endswith("; correct sip.tls.authorities")


def test_our_own_certificate_names_what_phones_call_us(tmp_path: Path) -> None:
    settings = settings_with(
        "listen: ['udp:127.0.0.1:5060', 'tls:192.0.2.7:5061'], domain: pbx.example.com, external_address: 203.0.113.9",
        tmp_path,
    )
    assert names(settings) == ["pbx.example.com", "203.0.113.9", "192.0.2.7"]
    assert settings.sip.listen[1] == Listen("tls", "192.0.2.7", 5061)


@pytest.mark.parametrize(
    ("sip", "told"),
    [
        ("listen: ['udp:192.0.2.7:5060', 'tcp:[2001:db8::7]:5060']", ""),
        ("listen: ['udp:0.0.0.0:5060']", "198.51.100.1"),
        ("listen: ['udp:192.0.2.7:5060', 'tls:[::]:5061']", "198.51.100.1"),
        ("listen: ['udp:0.0.0.0:5060'], external_address: 203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_contact_never_names_every_address_of_the_machine(tmp_path: Path, sip: str, told: str) -> None:
    (tmp_path / "hotline.yaml").write_text(f"sip: {{{sip}}}\nmedia: {{address: 198.51.100.1}}\n", "utf-8")
    assert told_address(load(tmp_path / "hotline.yaml", {})) == told


async def test_where_every_address_is_listened_at_the_operator_is_told_one_that_can_be_dialled(tmp_path: Path) -> None:
    settings = settings_with("listen: ['udp:[::]:0', 'tcp:0.0.0.0:0', 'tcp:[::]:0']", tmp_path)
    async with listening(settings) as listeners:
        udp, tcp, tcp6 = listeners.addresses
        assert listeners.address == Listen("udp", LOOPBACK, udp.port)
        assert listeners.told == [f"sip:127.0.0.1:{tcp.port};transport=tcp", f"sip:[::]:{tcp6.port};transport=tcp"]
