"""Settings of what sends messages: what they become, and what is said of those that make no sense."""

from pathlib import Path

import pytest

from crm_bridge.notify.parcel import Route
from hotline import notify
from hotline.config import ConfigErrors, Settings, load

WHOLE = """
channels:
  zalo: {kind: zalo, app_id: "1", oa_secret: a, app_secret: b, refresh_token: env:SECRET, api_url: "http://127.0.0.1:9"}
  other: {kind: zalo, app_id: "1", oa_secret: a}
notify:
  email: {host: smtp.example.vn, tls: starttls, user: care, password: env:SECRET, from: "Cửa hàng <Care@Shop.vn>"}
"""


def read(text: str, folder: Path) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(text, "utf-8")
    return load(path, {"SECRET": "open sesame"})


async def test_what_sends_is_read(tmp_path: Path) -> None:
    settings = read(WHOLE, tmp_path)
    email = settings.notify.email
    assert (email.served_at, email.address, email.name) == (587, "care@shop.vn", "Cửa hàng")
    assert notify.routes(settings) == [Route("zalo", "zalo"), Route("email", "email", domain="shop.vn")]
    assert "sesame" not in repr(settings)
    senders = notify.senders(settings)
    assert list(senders) == ["zalo", "email"]
    for sender in senders.values():
        await sender.close()


def test_without_settings_nothing_is_sent() -> None:
    settings = load(None, {})
    assert (notify.routes(settings), notify.senders(settings)) == ([], {})


EMAIL = "notify: {email: {%s}}"
ZALO = 'channels: {x: {kind: zalo, app_id: "1", oa_secret: a, %s}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (EMAIL % "host: a", "from: is missing"),
        (EMAIL % "host: a, from: care", "`care` is no sender"),
        (EMAIL % 'host: a, from: "ă@shop.vn"', "is no sender"),
        (EMAIL % 'host: a, from: "a@shop.vn", user: b', "`user` and `password` belong together"),
        (
            EMAIL % "host: a, from: a@shop.vn, user: b, password: c, oauth: "
            "{token_url: 'https://a.vn', client_id: c, client_secret: s}",
            "stands beside `oauth`",
        ),
        (EMAIL % 'host: a, from: "a@shop.vn", user: b, password: c, tls: off', "would go to a in the clear"),
        (EMAIL % 'host: a, from: "a@shop.vn", hots: b', "notify.email.hots: is not a setting; did you mean `host`?"),
        (ZALO % "refresh_token: b", "app_secret: is missing; a `refresh_token` is renewed"),
        (ZALO % 'app_secret: b, refresh_token: c, api_url: "http://zalo.example.com"', "is no https: address"),
        (
            "channels: {x: {kind: form, origins: 'https://a.vn', refresh_token: b}}",
            "refresh_token: is nothing for kind form",
        ),
    ],
)
def test_what_makes_no_sense_is_said_with_what_would(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as errors:
        read(text, tmp_path)
    assert said in str(errors.value)
