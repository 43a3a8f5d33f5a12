"""The web side over TLS: by itself where others can reach it, and not on loopback."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest

from hotline import tls
from hotline.app import CannotStart, Hotline
from hotline.config import ConfigErrors, load
from tests.end_to_end.running import free_media_ports, free_port

pytestmark = pytest.mark.timeout(60)


def settings_file(folder: Path, web: str) -> Path:
    path, media = folder / "hotline.yaml", free_media_ports()
    path.write_text(
        f"data: {folder / 'data'}\n"
        f"sip: {{listen: ['udp:127.0.0.1:{free_port(socket.SOCK_DGRAM)}']}}\n"
        f"web: {{{web}}}\n"
        f"media: {{ports: {media}-{media + 99}}}\n",
        encoding="utf-8",
    )
    return path


async def test_beyond_loopback_pages_are_secure_by_a_certificate_of_our_own(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_STREAM)
    settings = load(settings_file(tmp_path, f"listen: '0.0.0.0:{port}'"), {})
    assert settings.web.url == f"https://127.0.0.1:{port}"
    hotline = Hotline(settings)
    await hotline.start()
    try:
        assert hotline.certificate is not None
        context = ssl.create_default_context(cafile=str(hotline.certificate.certificate))
        async with httpx.AsyncClient(verify=context, base_url=settings.web.url) as client:
            assert (await client.get("/healthz")).json() == {"status": "up"}
            refused = await client.post("/api/v1/session", json={"name": "nobody", "password": "wrong"})
            assert refused.status_code == 401
            person = hotline.new_users[0]
            signed_in = await client.post("/api/v1/session", json={"name": person.name, "password": person.password})
            cookie = signed_in.headers["set-cookie"]
            assert cookie.startswith("__Host-hotline=")
            assert "Secure" in cookie
        with pytest.raises(httpx.TransportError):
            await httpx.AsyncClient().get(f"http://127.0.0.1:{port}/healthz")
    finally:
        await hotline.stop()


async def test_a_certificate_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_STREAM)
    files = f"tls: {{certificate: {tmp_path / 'no.pem'}, key: {tmp_path / 'no.key'}}}"
    hotline = Hotline(load(settings_file(tmp_path, f"listen: '127.0.0.1:{port}', {files}"), {}))
    with pytest.raises(CannotStart, match=r"correct web\.tls"):
        await hotline.start()


async def test_a_certificate_of_somebodys_own_is_used_on_loopback_too(tmp_path: Path) -> None:
    own = tls.ensure(tmp_path / "own", ["localhost", "127.0.0.1"], Hotline(load(None, {})).clock.now())
    port = free_port(socket.SOCK_STREAM)
    files = f"tls: {{certificate: {own.certificate}, key: {own.key}}}"
    settings = load(settings_file(tmp_path, f"listen: '127.0.0.1:{port}', {files}"), {})
    hotline = Hotline(settings)
    await hotline.start()
    try:
        context = ssl.create_default_context(cafile=str(own.certificate))
        async with httpx.AsyncClient(verify=context) as client:
            assert (await client.get(f"https://localhost:{port}/healthz")).status_code == 200
    finally:
        await hotline.stop()


@pytest.mark.parametrize(
    ("web", "private"),
    [
        ("listen: '127.0.0.1:8080'", False),
        ("listen: '[::1]:8080'", False),
        ("listen: '0.0.0.0:8080'", True),
        ("listen: '192.0.2.1:8080'", True),
        ("listen: '0.0.0.0:8080', tls: off, public_url: 'https://hotline.example.com'", False),
        ("listen: '127.0.0.1:8080', tls: off", False),
    ],
)
def test_who_can_reach_the_pages_decides(tmp_path: Path, web: str, private: bool) -> None:
    assert load(settings_file(tmp_path, web), {}).web.is_private is private


@pytest.mark.parametrize(
    ("web", "cause"),
    [
        ("listen: '0.0.0.0:8080', tls: off", "browsers give the microphone to secure pages only"),
        ("listen: '0.0.0.0:8080', tls: maybe", "none of auto, off"),
        ("tls: [auto]", "none of auto, off"),
        ("tls: {certificate: c.pem}", "web.tls: a certificate of your own takes `certificate: FILE` and `key: FILE`"),
        ("tls: {certificate: c.pem, keys: k.pem}", "and nothing else"),
    ],
)
def test_pages_without_a_microphone_are_refused_in_words(tmp_path: Path, web: str, cause: str) -> None:
    with pytest.raises(ConfigErrors, match=cause) as caught:
        load(settings_file(tmp_path, web), {})
    assert len(caught.value.problems) == 1
