"""STUN and TURN servers in the settings: what they become, and what is said of those that make no sense."""

from pathlib import Path

import pytest

from hotline.config import ConfigErrors, Settings, load


def read(text: str, folder: Path, **environ: str) -> Settings:
    file = folder / "hotline.yaml"
    file.write_text(text)
    return load(file, environ)


def test_servers_are_told_with_what_lets_us_in(tmp_path: Path) -> None:
    settings = read(
        "media:\n  ice_servers:\n"
        "    - stun:stun.example.com\n"
        "    - url: turn:turn.example.com\n"
        "    - {url: 'turns:other.example.com', username: us, credential: 'env:OTHER'}\n"
        "  turn_secret: env:SHARED\n",
        tmp_path,
        SHARED="north",
        OTHER="south",
    )
    stun, turn, other = settings.media.servers
    assert (stun.url, stun.secret, stun.credential) == ("stun:stun.example.com", "", "")
    assert (turn.secret, turn.username) == ("north", "")
    assert (other.username, other.credential, other.secret) == ("us", "south", "")
    # Wherever settings are shown, the secrets are not.
    for shown in (repr(settings), str(settings.model_dump()), repr(settings.media.servers), settings.model_dump_json()):
        assert "north" not in shown
        assert "south" not in shown


def test_one_line_in_the_environment_is_enough(tmp_path: Path) -> None:
    environ = {"HOTLINE__MEDIA__ICE_SERVERS": "stun:a, turn:b?transport=tcp", "HOTLINE__MEDIA__TURN_SECRET": "s"}
    assert [each.url for each in read("{}", tmp_path, **environ).media.servers] == ["stun:a", "turn:b?transport=tcp"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["- http://a"], ":3: media.ice_servers[0].url: `http://a` is no STUN or TURN server"),
        (["- {url: 'stun:a', username: u, credential: p}"], ":3: media.ice_servers[0]: a stun: server asks for no"),
        (
            ["- stun:a", "- {url: 'turn:a', username: u}"],
            ":4: media.ice_servers[1]: `username` and `credential` belong",
        ),
        (["- {url: 'turn:a', credential: env:NONE, username: u}"], "the environment has no NONE"),
        (["- turn:a"], "media.turn_secret: turn:a lets nobody in without credentials"),
        (["- {url: 'stun:a', user: u}"], "media.ice_servers[0].user: is not a setting; did you mean `username`?"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line(lines: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as failed:
        read("media:\n  ice_servers:\n" + "".join(f"    {line}\n" for line in lines), tmp_path)
    assert said in str(failed.value)
