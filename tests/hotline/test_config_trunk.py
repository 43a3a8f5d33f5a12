"""Settings of trunks: what they become, and what is said of those that make no sense."""

from pathlib import Path

import pytest

from hotline import trunks
from hotline.config import ConfigErrors, Settings, load
from telephony.sip.invitation import Credentials
from telephony.sip.uri import parse_uri

WHOLE = """
sip:
  dns: [192.0.2.53, "127.0.0.1:5353", "[2001:db8::53]:53"]
  trunks:
    - name: provider
      targets: [sip.provider.vn, "sip:203.0.113.5:5070;transport=tcp", "sips:backup.provider.vn"]
      user: hotline
      password: env:SECRET
      realm: provider.vn
      from_domain: sip.provider.vn
      register: yes
      register_every: 5m
      sources: 203.0.113.0/24, 198.51.100.7:5070, 2001:db8::/32
      probe: 20s
      no_answer: 3s
      number_from: to
      called_format: national
      caller_format: "00"
      prefix: 9
      caller_number: +842873001234
      caller_numbers: {an: +842873001235}
      show_account: yes
      pass_on_caller: yes
      withhold: no
      countries: [vn, GB]
      allow: ["+841800", 2]
      deny: 1900
      max_calls: 10
    - name: pbx
      targets: sip:192.0.2.9
"""


def read(text: str, folder: Path, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(text, "utf-8")
    return load(path, {"SECRET": "open sesame"} if environ is None else environ)


def problems(trunk: str, folder: Path, more: str = "") -> list[str]:
    """Return what is said of a trunk, without the file's path."""
    with pytest.raises(ConfigErrors) as raised:
        read(f"sip:\n  trunks:\n    - {{{trunk}}}\n{more}", folder)
    return [problem.partition("hotline.yaml:")[2] for problem in raised.value.problems]


def test_a_whole_trunk_is_what_the_core_and_the_switchboard_are_told(tmp_path: Path) -> None:
    settings = read(WHOLE, tmp_path)
    provider, pbx = trunks.sip_settings(settings)
    assert provider.credentials == Credentials("hotline", "open sesame", "provider.vn")
    assert provider.targets == (
        parse_uri("sip:sip.provider.vn"),
        parse_uri("sip:203.0.113.5:5070;transport=tcp"),
        parse_uri("sips:backup.provider.vn"),
    )
    assert (provider.register, provider.expires_s, provider.probe_s, provider.patience_s) == (True, 300, 20.0, 3.0)
    assert (provider.number_from, provider.called, provider.caller, provider.prefix) == ("to", "national", "00", "9")
    assert provider.sources == ("203.0.113.0/24", "198.51.100.7:5070", "2001:db8::/32")
    assert provider.shows_account
    assert (pbx.credentials, pbx.register, pbx.domain) == (None, False, "")
    rules, default = trunks.rules(settings)
    assert (rules.countries, rules.allow, rules.deny) == (frozenset({"VN", "GB"}), ("+841800", "2"), ("1900",))
    assert (rules.shown("an"), rules.shown("binh")) == ("+842873001235", "+842873001234")
    assert (rules.max_calls, rules.passes_on, rules.withholds) == (10, True, False)
    assert default.countries == {"VN"}
    assert [str(each) for each in settings.sip.dns] == [
        "udp:192.0.2.53:53", "udp:127.0.0.1:5353", "udp:[2001:db8::53]:53",
    ]  # fmt: skip


def test_the_password_is_never_shown(tmp_path: Path) -> None:
    settings = read(WHOLE, tmp_path)
    assert "open sesame" not in repr(settings)
    assert "open sesame" not in str(settings.model_dump())
    assert "open sesame" not in repr(trunks.sip_settings(settings))
    said = "\n".join(problems("name: a, targets: 'sip:x', password: open sesame, probe: often", tmp_path))
    assert "open sesame" not in said


def test_a_password_that_the_environment_does_not_have_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as raised:
        read(WHOLE, tmp_path, {})
    assert "sip.trunks[0].password: the environment has no SECRET" in raised.value.problems[0]


def test_trunks_may_stand_in_the_environment(tmp_path: Path) -> None:
    value = '[{name: pbx, targets: "sip:192.0.2.9", max_calls: 3}]'
    settings = read("", tmp_path, {"HOTLINE__SIP__TRUNKS": value})
    assert [(trunk.name, trunk.max_calls) for trunk in settings.sip.trunks] == [("pbx", 3)]


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        ("targets: sip:x", "3: sip.trunks[0].name: is missing"),
        ("name: a", "3: sip.trunks[0].targets: is missing"),
        ("name: a, targets: []", "3: sip.trunks[0].targets: needs at least one entry"),
        ("name: a, targets: 'sip:x y'", "3: sip.trunks[0].targets[0]: `sip:x y` leads nowhere"),
        ("name: a, targets: 'sip:me@x'", "3: sip.trunks[0].targets[0]: `sip:me@x`: the user and the password stand"),
        (
            "name: a, targets: 'sips:x;transport=udp'",
            "3: sip.trunks[0].targets[0]: `sips:x;transport=udp`: sips: goes over TLS",
        ),
        ("name: a, targets: 'sip:x;transport=ws'", "3: sip.trunks[0].targets[0]: `sip:x;transport=ws`: beside"),
        (
            "name: a, targets: 'sip:x', registr: yes",
            "3: sip.trunks[0].registr: is not a setting; did you mean",
        ),
        ("name: a, targets: 'sip:x', register: maybe", "3: sip.trunks[0].register: `maybe` is neither yes nor no"),
        ("name: a, targets: 'sip:x', register: yes", "3: sip.trunks[0]: user: registering needs the account's `user`"),
        ("name: a, targets: 'sip:x', password: y", "3: sip.trunks[0]: user: a password alone lets nobody in"),
        ("name: a, targets: 'sip:x', sources: 0.0.0.0/0", "3: sip.trunks[0].sources[0]: `0.0.0.0/0` is everybody"),
        ("name: a, targets: 'sip:x', sources: pbx", "3: sip.trunks[0].sources[0]: `pbx` is no source"),
        (
            "name: a, targets: 'sip:x', sources: '192.0.2.0/24:5060'",
            "3: sip.trunks[0].sources[0]: `192.0.2.0/24",
        ),
        ("name: a, targets: 'sip:x', probe: 2s", "3: sip.trunks[0]: probe: asking more often than every 5s"),
        ("name: a, targets: 'sip:x', register_every: 5s", "3: sip.trunks[0].register_every: must be at least 60"),
        ("name: a, targets: 'sip:x', caller_number: an", "3: sip.trunks[0].caller_number: `an` is not a number that"),
        ("name: a, targets: 'sip:x', countries: XX", "3: sip.trunks[0].countries[0]: `XX` is not a region"),
        ("name: a, targets: 'sip:x', called_format: e.164", "3: sip.trunks[0].called_format: `e.164` is not known"),
        ("name: a, targets: 'sip:x', allow: ['abc']", "3: sip.trunks[0].allow[0]: `abc` is not the beginning"),
        ("name: a, targets: 'sip:x', max_calls: 0", "3: sip.trunks[0].max_calls: must be at least 1"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line_and_its_mend(trunk: str, said: str, tmp_path: Path) -> None:
    found = problems(trunk, tmp_path)
    assert any(problem.startswith(said) for problem in found), found


def test_two_trunks_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    found = problems("name: a, targets: 'sip:x'", tmp_path, "    - {name: a, targets: 'sip:y'}\n")
    assert found == ["2: sip.trunks: two trunks are called `a`; give each a name of its own"]


@pytest.mark.parametrize("server", ["dns.example.com", "192.0.2.53:70000", "192.0.2.53:x"])
def test_a_name_server_is_an_address(server: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as raised:
        read(f"sip: {{dns: ['{server}']}}", tmp_path)
    assert f"sip.dns[0]: `{server}` is no name server" in raised.value.problems[0]
