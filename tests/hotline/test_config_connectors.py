"""The settings of connectors say what is missing, and show no secret."""

from pathlib import Path

import pytest

from crm_bridge.connectors import load as connector_files
from hotline.config import ConfigErrors, Settings, load

SALESFORCE = "kind: salesforce, base: 'https://x.my.salesforce.com', client_id: a, client_secret: env:SECRET"


def settings(folder: Path, block: str) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(f"connectors:\n  crm: {{{block}}}\n", "utf-8")
    return load(path, {"SECRET": "s3cret"}, folder / "data")


def test_a_shipped_connector_takes_its_address_and_its_credentials(tmp_path: Path) -> None:
    source = settings(tmp_path, SALESFORCE + ", patience: 0s, unknown: create").connectors["crm"]
    place = source.place("crm", source.connector())
    assert place.base == "https://x.my.salesforce.com"
    assert place.credentials["client_secret"] == "s3cret"
    assert (place.patience_s, place.unknown, place.missing()) == (0, "create", [])
    assert "s3cret" not in repr(source) + repr(place)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("base: 'https://x.example.com'", "`kind` names a connector that is shipped, `file` one of your own"),
        ("kind: sap", "`sap` is not known; write 'salesforce'"),
        ("kind: hubspot", "key: is missing; HubSpot needs key"),
        ("kind: zendesk, user: a, key: b", "base: is missing; Zendesk needs base"),
        (SALESFORCE.replace("kind: salesforce", "kind: dynamics"), "options.tenant: is missing"),
        (SALESFORCE + ", options: {versoin: v1}", "options.versoin: is no option of Salesforce, which knows version"),
        (SALESFORCE.replace("https", "http"), "base: http: shows keys to everybody on the way"),
        (SALESFORCE.replace("https://x.my.salesforce.com", "x.my.salesforce.com"), "is no address of a CRM"),
        ("file: none.yaml", "none.yaml:1:1: cannot be read"),
        ("kind: hubspot, key: env:NONE", "the environment has no NONE"),
        (SALESFORCE + ", patience: 10s", "must be at most 3"),
    ],
)
def test_what_is_wrong_is_said(block: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as told:
        settings(tmp_path, block)
    assert said in str(told.value)
    assert "s3cret" not in str(told.value)


@pytest.mark.parametrize(("base", "login"), [("http", "https"), ("https", "http")])
def test_http_is_refused_where_the_file_says_it_too(base: str, login: str, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        f"title: Ours\nbase: {base}://crm.example.com\n"
        f"sign_in: {{kind: oauth2, login: '{login}://login.example.com', token: /token}}\noperations:\n"
        "  check: {method: GET, path: /}\n"
        "  find_by_email: {method: GET, path: /p, query: {e: '{email}'}, rows: r, fields: {id: id}}\n"
    )
    block = "file: ours.yaml, client_id: a, client_secret: b"
    key = "base" if base == "http" else "login"
    with pytest.raises(ConfigErrors, match=f"{key}: http: shows keys to everybody on the way"):
        settings(tmp_path, block)
    assert settings(tmp_path, block + ", private: yes").connectors["crm"].private


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = settings(tmp_path, SALESFORCE).connectors["crm"]
    monkeypatch.delattr(connector_files, "load")
    assert source.connector().title == "Salesforce"


def test_a_file_of_ones_own_lies_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "title: Ours\nbase: https://crm.example.com\nsign_in: {kind: none}\noperations:\n"
        "  check: {method: GET, path: /}\n"
        "  find_by_email: {method: GET, path: /p, query: {e: '{email}'}, rows: r, fields: {id: id}}\n"
    )
    source = settings(tmp_path, "file: ours.yaml").connectors["crm"]
    assert source.connector().title == "Ours"
    (tmp_path / "ours.yaml").write_text("title: Ours\nsign_in: {kind: none}\noperations: {}\n")
    with pytest.raises(ConfigErrors, match=r"ours.yaml:3:13: .*\(and 1 more\)"):
        settings(tmp_path, "file: ours.yaml")


def test_a_name_is_short(tmp_path: Path) -> None:
    path = tmp_path / "hotline.yaml"
    path.write_text(f"connectors:\n  {'a' * 33}: {{{SALESFORCE}}}\n", "utf-8")
    with pytest.raises(ConfigErrors, match="longer than 32"):
        load(path, {"SECRET": "x"}, tmp_path)
