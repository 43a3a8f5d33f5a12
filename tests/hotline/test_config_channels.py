"""Channels in the settings: what they become, what is said of those that make no sense, and no secret shown."""

from pathlib import Path

import pytest

from crm_bridge.channels.form import Form
from crm_bridge.channels.messenger import Messenger
from crm_bridge.channels.zalo import Zalo
from hotline import channels, doctor
from hotline.config import ConfigErrors, Settings, load

WHOLE = """
channels:
  zalo: {kind: zalo, app_id: 0360846524940903967, oa_secret: "env:OA"}
  facebook: {kind: messenger, app_secret: north, verify_token: south}
  website: {kind: form, origins: "https://WWW.example.com:443/, http://localhost:3000", per_minute: 2}
"""


def read(text: str, folder: Path, **environ: str) -> Settings:
    (folder / "hotline.yaml").write_text(f"data: data\n{text}", "utf-8")
    return load(folder / "hotline.yaml", environ)


def test_there_is_none_by_default(tmp_path: Path) -> None:
    door = channels.door(read("", tmp_path))
    assert not door.signed
    assert not door.forms


def test_each_block_is_a_channel_at_the_door(tmp_path: Path) -> None:
    door = channels.door(read(WHOLE, tmp_path, OA="west"))
    assert door.signed == {"zalo": Zalo("0360846524940903967", "west"), "facebook": Messenger("north", "south")}
    assert door.forms == {
        "website": Form(frozenset({"https://www.example.com", "http://localhost:3000"}), "website_url")
    }
    throttle = door.throttles["website"]
    for _ in range(2):
        assert throttle.wait_s("192.0.2.1", 0.0) == 0
        throttle.failed("192.0.2.1", 0.0)
    assert throttle.wait_s("192.0.2.1", 0.0) == 30


async def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    settings = read(WHOLE, tmp_path, OA="west")
    door = channels.door(settings)
    found = [each for each in await doctor.examine(settings, None) if each.what.startswith("channels.")]
    shown = (repr(settings), settings.model_dump_json(), repr(door.signed), repr(found))
    assert not any(secret in each for secret in ("west", "north", "south") for each in shown)
    assert [(each.what, each.state) for each in found] == [
        ("channels.zalo", "note"),
        ("channels.facebook", "note"),
        ("channels.website", "note"),
    ]
    assert "/hooks/zalo" in found[0].detail
    assert "web.public_url" in found[0].mend


async def test_the_doctor_is_content_with_an_address_that_the_world_believes(tmp_path: Path) -> None:
    settings = read(WHOLE + "web: {public_url: 'https://hotline.example.com'}", tmp_path, OA="west")
    found = [each for each in await doctor.examine(settings, None) if each.what == "channels.website"]
    assert [(each.state, each.detail) for each in found] == [("ok", "form: https://hotline.example.com/hooks/website")]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("zalo: {kind: fax}", "channels.zalo.kind: `fax` is not known"),
        ("zalo: {kind: zalo, oa_secret: x}", "channels.zalo: app_id: is missing"),
        ("zalo: {kind: zalo, app_id: 1}", "channels.zalo: oa_secret: is missing"),
        (
            "zalo: {kind: zalo, app_id: 1, oa_secret: 'env:NONE'}",
            "zalo.oa_secret: the environment has no NONE",
        ),
        ("fb: {kind: messenger, app_secret: x}", "channels.fb: verify_token: is missing"),
        ("www: {kind: form}", "channels.www: origins: is missing"),
        ("www: {kind: form, origins: '*'}", "channels.www.origins[0]: `*` is not the origin of a page"),
        ("www: {kind: form, origins: 'https://a/b'}", "channels.www.origins[0]: `https://a/b` is not the origin"),
        ("www: {kind: form, origins: 'https://a', app_id: 1}", "channels.www: app_id: is nothing for kind form"),
        ("www: {kind: form, origins: 'https://a', honeypot: 'a b'}", "channels.www.honeypot: `a b` is not the name"),
        ("www: {kind: form, origin: 'https://a'}", "channels.www.origin: is not a setting; did you mean `origins`?"),
        (
            "call: {kind: form, origins: 'https://a'}",
            "channels: `call` is what the timeline calls",
        ),
        ("Zalo: {kind: form, origins: 'https://a'}", "`Zalo` is not a name"),
    ],
)
def test_what_makes_no_sense_is_said_with_its_line(block: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as failed:
        read(f"channels:\n  {block}\n", tmp_path)
    assert said in str(failed.value)
    assert ":3: " in str(failed.value) or ":2: " in str(failed.value)
