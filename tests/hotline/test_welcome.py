"""What the operator reads when the server is up."""

from pathlib import Path

import pytest

from hotline import models
from hotline.auth import NewUser
from hotline.config import Settings, load
from hotline.config_values import Listen
from hotline.models import ModelState
from hotline.welcome import welcome

SIP = Listen("udp", "127.0.0.1", 5060)


def settings_in(folder: Path, text: str = "") -> Settings:
    config = folder / "hotline.yaml"
    config.write_text(text, encoding="utf-8")
    return load(config, {})


def test_it_says_how_to_dial_and_where_the_token_comes_from(tmp_path: Path) -> None:
    told = welcome(settings_in(tmp_path), SIP, options=" --data here")
    assert "The hotline serves every number -> main" in told
    assert "hotline call 19001234 --server 127.0.0.1:5060 --from 0912345678" in told
    assert "hotline tokens add NAME --scope admin --data here" in told
    assert "password" not in told


def test_a_number_of_ones_own_is_the_one_to_dial(tmp_path: Path) -> None:
    told = welcome(settings_in(tmp_path, "numbers: {'18009999': main}"), SIP)
    assert "serves 18009999 -> main" in told
    assert "sip:18009999@127.0.0.1:5060" in told


def test_it_says_every_other_way_in(tmp_path: Path) -> None:
    told = welcome(settings_in(tmp_path), SIP, sip_told=["sip:127.0.0.1:5061;transport=tls", "its certificate is ..."])
    assert "  phones    sip:127.0.0.1:5061;transport=tls\n  phones    its certificate is ..." in told


def test_without_udp_it_says_how_to_dial_all_the_same(tmp_path: Path) -> None:
    agent = NewUser("agent1", "agent", "the sign-in's", "agent1", "the phone's", "localhost")
    told = welcome(settings_in(tmp_path), Listen("tls", "::1", 5061), [agent])
    assert "  dial      sip:19001234@[::1]:5061;transport=tls\n" in told
    assert "sip:agent1@[::1]:5061;transport=tls  user agent1" in told
    assert "hotline call" not in told  # it speaks UDP alone


def test_the_first_agents_secrets_are_shown(tmp_path: Path) -> None:
    agent = NewUser("agent1", "agent", "the sign-in's", "agent1", "the phone's", "localhost")
    told = welcome(settings_in(tmp_path), SIP, [agent])
    assert "user agent1  password the phone's" in told
    assert "agent1  password the sign-in's" in told


def test_a_voice_that_is_missing_is_said_before_a_caller_hears_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [
        ModelState("vi", "recogniser", cause="none: recordings are kept"),  # not set: nothing is amiss
        ModelState("vi", "voice", "espeak", "vi", "espeakng-loader is not installed", "pip install 'hotline[voice]'"),
        ModelState("en", "recogniser", "vosk", "m", "There is no folder m."),
        ModelState("en", "voice", "espeak", "en"),
    ]
    monkeypatch.setattr(models, "model_states", lambda _settings: states)
    assert [line for line in welcome(settings_in(tmp_path), SIP).splitlines() if line.startswith("  missing")] == [
        "  missing   the voice for vi: espeakng-loader is not installed; pip install 'hotline[voice]'",
        "  missing   the recogniser for en: There is no folder m.",
    ]
