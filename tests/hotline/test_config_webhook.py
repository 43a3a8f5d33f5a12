"""`webhooks` in the settings: what they become, and what is said of those that make no sense."""

from pathlib import Path

import pytest

from hotline import doctor
from hotline.config import ConfigErrors, Settings, load
from tests.crm_bridge.webhooks.receiver import SECRET

OTHER = "whsec_" + "b2xk" * 8


def read(text: str, folder: Path, **environ: str) -> Settings:
    file = folder / "hotline.yaml"
    file.write_text(f"webhooks:\n{text}")
    return load(file, {"CRM": SECRET, **environ}, data=folder / "data")


def test_an_endpoint_is_read_and_its_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = read(
        "  - name: crm\n    url: https://crm.example.com/h?token=north\n    secret: env:CRM\n"
        f"    old_secret: {OTHER}\n    events: call.ended, interaction.created\n    retries: [1s, 1m]\n",
        tmp_path,
    )
    endpoint = settings.webhooks[0].endpoint
    assert len(endpoint.keys) == 2
    assert (endpoint.retries_s, endpoint.timeout_s, endpoint.private) == ((1.0, 60.0), 5.0, False)
    assert endpoint.events == {"call.ended", "interaction.created"}
    for shown in (repr(settings), repr(endpoint)):
        assert SECRET not in shown
        assert OTHER not in shown
        assert "north" not in shown
    assert SECRET not in settings.model_dump_json()


SOUND = "  - {name: crm, url: 'https://a', secret: 'env:CRM', events: [call.ended]}\n"


def test_without_any_nobody_is_told(tmp_path: Path) -> None:
    assert load(None, {}, data=tmp_path).webhooks == []
    (webhook,) = read(SOUND, tmp_path).webhooks
    assert webhook.endpoint.retries_s[:3] == (5.0, 300.0, 1800.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOUND.replace("https://a", "http://a"), "webhooks[0]: url: http: shows what is sent to everybody"),
        (SOUND.replace("https://a", "ftp://a"), "webhooks[0].url: is no address of the web"),
        (SOUND.replace("https://a", "https://a:99999"), "webhooks[0].url: is no address of the web"),
        (SOUND.replace("https://a", "https://u:p@a"), "webhooks[0].url: has a user or a #fragment"),
        (SOUND.replace("env:CRM", "env:NONE"), "webhooks[0].secret: the environment has no NONE"),
        (SOUND.replace("env:CRM", "hunter2"), "webhooks[0].secret: is no secret of webhooks: write whsec_"),
        (SOUND.replace("call.ended", "call.begun"), "webhooks[0].events[0]: `call.begun` is not known; write 'call."),
        (SOUND + SOUND, "webhooks: two webhooks are called `crm`"),
        (SOUND.replace("name: crm, ", ""), "webhooks[0].name: is missing"),
    ],
)
def test_what_makes_no_sense_is_said(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as failed:
        read(text, tmp_path)
    assert said in str(failed.value)
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "private", "state", "said"),
    [
        ("https://127.0.0.1/h", "no", "wrong", "`crm`: 127.0.0.1 leads to 127.0.0.1, which is not of the public"),
        ("http://127.0.0.1:8000/h", "yes", "ok", "`crm`: 127.0.0.1 is 127.0.0.1:8000"),
        ("https://1.1.1.1/h", "no", "ok", "`crm`: 1.1.1.1 is 1.1.1.1:443"),
    ],
)
async def test_the_doctor_looks_where_an_endpoint_leads(
    url: str, private: str, state: str, said: str, tmp_path: Path
) -> None:
    settings = read(SOUND.replace("https://a", url).replace("name: crm", f"name: crm, private: {private}"), tmp_path)
    (found,) = [each for each in await doctor.examine(settings, None) if each.what == "webhooks"]
    assert (found.state, found.detail[: len(said)]) == (state, said)
