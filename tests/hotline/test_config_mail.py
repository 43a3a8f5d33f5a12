"""Settings of mail: what they become, and what is said of those that make no sense."""

from pathlib import Path

import pytest

from hotline.config import ConfigErrors, Settings, load

WHOLE = """
mail:
  support:
    kind: imap
    host: mail.example.vn
    user: Support@example.vn
    password: env:SECRET
    folder: INBOX/Support
    tls: starttls
    addresses: sales@example.vn, HELP@example.vn
    trusted: [MX.example.vn]
  inbound: {kind: smtp, listen: "0.0.0.0:25", recipients: "@Inbox.example.vn, x@b.vn", max_size: 1}
  other: {kind: imap, host: localhost, user: other, password: x, tls: off, port: 1143}
"""


def read(text: str, folder: Path) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(text, "utf-8")
    return load(path, {"SECRET": "open sesame"})


def test_folders_are_read(tmp_path: Path) -> None:
    mail = read(WHOLE, tmp_path).mail
    assert mail["support"].password.get_secret_value() == "open sesame"
    assert (mail["support"].served_at, mail["support"].folder) == (143, "INBOX/Support")
    assert mail["support"].own == {"support@example.vn", "sales@example.vn", "help@example.vn"}
    assert (mail["other"].served_at, mail["other"].own) == (1143, frozenset())
    assert mail["inbound"].recipients == ["@inbox.example.vn", "x@b.vn"]
    assert mail["inbound"].own == {"x@b.vn"}
    assert "sesame" not in repr(mail)
    assert load(None, {}).mail == {}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{kind: pop, host: a, user: b, password: c}", "mail.x.kind: `pop` is not known"),
        ("{kind: imap, user: b, password: c}", "host: is missing; kind imap needs host and user"),
        ("{kind: smtp, listen: 127.0.0.1:2525}", "recipients: is missing"),
        ("{kind: smtp, listen: 127.0.0.1:2525, recipients: '*'}", "`*` takes no mail"),
        ("{kind: smtp, listen: 127.0.0.1:2525, recipients: '@b.vn', host: a}", "host: is nothing for kind smtp"),
        ("{kind: smtp, listen: 127.0.0.1:2525, recipients: '@b.vn', key: a}", "belong together"),
        ("{kind: imap, host: a, user: '', password: c}", "user: is missing"),
        ("{kind: imap, host: a, user: b, oauth: {client_id: c}}", "token_url: is missing"),
        ("{kind: imap, host: a, user: b, oauth: {token_url: 'https://a.vn'}}", "client_id: is missing"),
        ("{kind: imap, host: a, user: b, oauth: {token_url: 'https://a.vn', client_id: c}}", "name a `refresh_token`"),
        ("{kind: imap, host: a, user: b, oauth: {token_url: 'http://a.vn', client_id: c}}", "is no https: address"),
        (
            "{kind: imap, host: a, user: b, password: p, "
            "oauth: {token_url: 'https://a.vn', client_id: c, client_secret: s}}",
            "`oauth`, not both",
        ),
        ("{kind: http}", "secret: is missing"),
        ("{kind: http, secret: x}", "is no secret of webhooks"),
        ("{kind: http, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', host: a}", "host: is nothing for kind http"),
        ("{kind: imap, host: a, user: b}", "password: is missing"),
        ("{kind: imap, host: a, user: b, password: env:NONE}", "the environment has no NONE"),
        ("{kind: imap, host: a, user: b, password: c, tls: off}", "would go to a in the clear"),
        ("{kind: imap, host: a, user: b, password: c, folder: Hộp}", "is not the name of a folder"),
        ("{kind: imap, host: a, user: b, password: c, addresses: d}", "`d` is no e-mail address"),
        ("{kind: imap, host: a, user: b, password: c, hots: d}", "mail.x.hots: is not a setting; did you mean `host`?"),
    ],
)
def test_what_makes_no_sense_is_said(block: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(f"mail:\n  x: {block}\n", tmp_path)
    assert said in str(caught.value)
    assert "hotline.yaml:2" in str(caught.value)


def test_an_address_that_mail_is_posted_to_is_no_channels(tmp_path: Path) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    mail = f"mail: {{email: {{kind: http, secret: {secret}, addresses: help@shop.vn}}}}\n"
    source = read(mail, tmp_path).mail["email"]
    assert (len(source.keys), set(source.own)) == (1, {"help@shop.vn"})
    with pytest.raises(ConfigErrors, match="/hooks/site is the address of the channel `site`"):
        read(mail.replace("email", "site") + "channels: {site: {kind: form, origins: 'https://a.vn'}}\n", tmp_path)
