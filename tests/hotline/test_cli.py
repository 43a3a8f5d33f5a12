"""The command line as people and scripts meet it: what stands on which stream, and the exit codes 0, 1 and 2."""

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import hotline
from hotline.cli import app
from recordings.tables import Recording
from tests.databases import migrate
from tests.hotline.conftest import NOW

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, with nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return invoke


def lines_of(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_a_user_is_added_listed_and_given_new_secrets(run: Run) -> None:
    added = run("users", "add", "lan", "--role", "agent", "--password", "mật khẩu dài")
    first = lines_of(added.stdout)
    assert list(first) == ["name", "role", "password", "sip_user", "sip_password", "sip_domain"]
    assert (first["password"], first["sip_user"], first["sip_domain"]) == ("mật khẩu dài", "lan", "localhost")
    assert "write them down" in added.stderr
    second = lines_of(run("users", "reset", "lan").stdout)
    assert second["sip_password"] != first["sip_password"]
    assert second["password"] != first["password"]
    assert [line.split()[:3] for line in run("users", "list").stdout.splitlines()[1:]] == [
        ["lan", "agent", "localhost"]
    ]


def test_a_phones_password_may_be_given(run: Run) -> None:
    arguments = ("users", "add", "x", "--role", "agent", "--sip-password")
    refused = run(*arguments, "12345678901")
    assert (refused.exit_code, "12 characters or more" in refused.stderr) == (1, True)
    assert lines_of(run(*arguments, "123456789012").stdout)["sip_password"] == "123456789012"


def test_passwords_may_come_by_standard_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hotline", "users", "add", "lan", "--role", "agent", "--data", str(tmp_path)]
    typed = "correct horse\nbattery staple\n"
    done = subprocess.run(
        [*command, "--password", "-", "--sip-password", "-"],
        input=typed, text=True, capture_output=True, check=True, timeout=30, cwd=tmp_path,
    )  # fmt: skip
    secrets = lines_of(done.stdout)
    assert (secrets["password"], secrets["sip_password"]) == ("correct horse", "battery staple")


def test_what_is_written_is_nobody_elses_whatever_the_folder_allows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    command = [sys.executable, "-m", "hotline", "users", "list", "--data", str(data)]
    subprocess.run(command, check=True, timeout=30, cwd=tmp_path, capture_output=True, umask=0o022)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in data.iterdir()} == {"hotline.db": "0o600"}


def test_a_database_made_by_the_way_is_not_taken_for_a_servers(run: Run, tmp_path: Path) -> None:
    made = f"There was no database for {tmp_path / 'elsewhere'}"
    assert made in run("tokens", "add", "crm", "--scope", "read", "--data", "elsewhere").stderr
    assert made not in run("tokens", "add", "crm", "--scope", "read", "--data", "elsewhere").stderr


def test_a_token_stands_alone_on_standard_output(run: Run) -> None:
    added = run("tokens", "add", "crm", "--scope", "read", "--scope", "live", "--days", "30")
    assert added.stdout.startswith("hotline_")
    assert len(added.stdout.split()) == 1
    assert "It opens live, read." in added.stderr


def test_a_token_is_listed_and_removed(run: Run) -> None:
    token = run("tokens", "add", "crm", "--scope", "read", "--scope", "live").stdout.strip()
    listed = run("tokens", "list").stdout
    id_, name, scopes, *_ = listed.splitlines()[1].split()
    assert (name, scopes) == ("crm", "live,read")
    assert token not in listed
    assert run("tokens", "remove", id_).exit_code == 0
    assert run("tokens", "list").stdout == ""
    assert run("tokens", "remove", id_).exit_code == 1


def test_a_person_is_disabled_until_a_reset(run: Run) -> None:
    run("users", "add", "lan", "--role", "agent")
    assert run("users", "disable", "lan").exit_code == 0
    assert len(run("users", "list").stdout.splitlines()[1].split()) == 5
    run("users", "reset", "lan")
    assert len(run("users", "list").stdout.splitlines()[1].split()) == 4
    assert run("users", "disable", "gone").exit_code == 1


def test_the_data_folder_may_be_given_instead_of_set(run: Run, tmp_path: Path) -> None:
    assert run("users", "add", "lan", "--role", "agent", "--data", "elsewhere").exit_code == 0
    assert (tmp_path / "elsewhere/hotline.db").exists()
    assert run("users", "list", "--data", "other").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("users", "add", "Lan", "--role", "agent"), "cannot be a user's name"),
        (("users", "reset", "nobody"), "there is no user `nobody`"),
        (("tokens", "add", "crm", "--scope", "write"), "`write` is no scope: choose from admin"),
        (("users", "list", "--config", "gone.yaml"), "gone.yaml: cannot be read"),
        (("flow", "check", "gone.yaml"), "gone.yaml:"),
    ],
)
def test_what_cannot_be_done_says_why_and_exits_with_1(run: Run, arguments: tuple[str, ...], cause: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert cause in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("users", "add", "lan", "--role", "king"), ("users", "add"), ("tokens", "add", "x"), ("nothing",), ("--nothing",)],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_wrong_settings_are_all_named_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hotline.yaml").write_text("spi: {}\nlimits: {max_calls: x}\n")
    result = run("doctor")
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == ["hotline.yaml:1", "hotline.yaml:2"]


def test_the_database_is_upgraded(run: Run) -> None:
    assert "at revision" in run("db", "upgrade").stderr


def test_a_broken_database_is_no_stack_trace(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hotline-data").mkdir()
    (tmp_path / "hotline-data/hotline.db").write_bytes(b"no database at all " * 50)
    result = run("users", "list")
    assert result.exit_code == 1
    assert "the database does not answer: file is not a database" in result.stderr


def test_flows_are_proved_sound(run: Run, tmp_path: Path) -> None:
    shipped = Path(hotline.__file__).parent.parent / "ivr_flows/examples/main.yaml"
    assert run("flow", "check", str(shipped)).exit_code == 0
    (tmp_path / "broken.yaml").write_text("flow: broken\nlanguages: [en]\nstart: nowhere\nsteps: {}\n")
    result = run("flow", "check", str(shipped), "broken.yaml")
    assert result.exit_code == 1
    file, line, column, code, _text = result.stdout.splitlines()[0].split(":", 4)
    assert (file, line.isdigit(), column.isdigit(), bool(code.strip())) == ("broken.yaml", True, True, True)


def test_a_folder_means_its_flows_alone(run: Run, tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    assert "there is no flow in flows" in run("flow", "check", "flows").stderr
    (flows / "bye.yaml").write_text("flow: bye\nlanguages: [en]\nstart: bye\nsteps: {bye: {hangup: Goodbye.}}\n")
    for beside in ("bye.test.yaml", "bye.sim.yaml", "prompts.yaml"):
        (flows / beside).write_text("{}")
    assert run("flow", "check", "flows").stderr.endswith("Sound.\n")
    assert run("flow", "check", "flows/bye.yaml", "flows/bye.test.yaml", "flows/bye.sim.yaml").exit_code == 0


async def _one_recording(data: Path) -> None:
    from hotline import database  # noqa: PLC0415

    url = f"sqlite:///{data / 'hotline.db'}"
    migrate(url)
    engine = database.open_engine(url)
    async with database.session_factory(engine).begin() as session:
        session.add(
            Recording(id="a" * 32, call_id="b" * 32, path="x/y.wav", state="closed", started_at=NOW, seconds=12.34)
        )
    await engine.dispose()


async def test_recordings_are_listed(run: Run, tmp_path: Path) -> None:
    await _one_recording(tmp_path / "hotline-data")
    done = await _elsewhere(tmp_path, "recordings", "list")
    assert done.splitlines()[1].split() == ["a" * 32, "2026-11-18T11:06:40Z", "12.3", "closed", "none", "x/y.wav"]


async def _elsewhere(folder: Path, *arguments: str) -> str:
    """Run a command in a process of its own, as people do."""
    import asyncio  # noqa: PLC0415

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hotline", *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode()


def test_whoever_adds_a_token_does_not_wait_for_what_the_server_needs() -> None:
    heavy = {"aioice", "alembic", "dns", "fastapi", "numpy", "rich", "uvicorn"}
    script = f"import sys, hotline.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_models_are_listed(run: Run) -> None:
    rows = [line.split()[:2] for line in run("models", "list").stdout.splitlines()[1:]]
    assert rows == [["vi", "recogniser"], ["vi", "voice"], ["en", "recogniser"], ["en", "voice"]]


def test_the_doctor_says_what_mends(run: Run, tmp_path: Path) -> None:
    well = run("doctor")
    assert "hotline db upgrade" in well.stdout
    (tmp_path / "hotline.yaml").write_text("numbers: {1900: gone}")
    ill = run("doctor")
    assert ill.exit_code == 1
    assert "1900 leads to `gone`" in ill.stdout


# ----------------------------------------------------------------- commands whose work is done by modules of their own


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, **names: Any) -> None:
    """Put a module in the place of one that a command imports when it runs."""
    module = types.ModuleType(f"hotline.{name}")
    for key, value in names.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, f"hotline.{name}", module)
    monkeypatch.setattr(hotline, name, module, raising=False)


class CannotStart(RuntimeError):
    """As `hotline.app` has one."""


def test_serve_runs_with_the_settings_that_count(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[Any] = []
    pretend(monkeypatch, "app", serve=lambda settings, _announce: served.append(settings), CannotStart=CannotStart)
    assert run("serve", "--data", "here").exit_code == 0
    assert served[0].data == tmp_path / "here"


def test_a_server_that_cannot_start_says_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_settings: object, _announce: object) -> None:
        raise CannotStart("the web cannot listen on tcp:127.0.0.1:8080: Address already in use; change web.listen")

    pretend(monkeypatch, "app", serve=refuse, CannotStart=CannotStart)
    result = run("serve")
    assert (result.exit_code, result.stderr.startswith("the web cannot listen")) == (1, True)


def test_a_demo_without_its_packages_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotline.cli.EXTRAS", {"pyVoIP": "phone", "no_such_voice": "demo"})
    refused = run("demo")
    assert refused.exit_code == 1
    assert "the demo needs no_such_voice" in refused.stderr
    assert "pip install 'hotline[demo]'" in refused.stderr


@pytest.mark.parametrize("status", [0, 1])
def test_the_demos_status_is_the_commands(run: Run, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    asked: list[bool] = []

    def story(*, as_json: bool) -> int:
        asked.append(as_json)
        return status

    pretend(monkeypatch, "demo", run=story)
    assert run("demo", "--json").exit_code == status
    assert asked == [True]


def test_a_call_is_made_by_a_phone_in_a_process_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[str] = []
    monkeypatch.setattr("hotline.cli.os.execv", lambda _program, command: became.extend(command))
    assert run("call", "19001234", "--from", "0912345678", "--press", "1 # 2", "--seconds", "5").exit_code == 0
    assert became[1:6] == ["-m", "hotline.phone", "call", "19001234", "--server"]
    assert became[6:] == ["127.0.0.1:5060", "--from", "0912345678", "--press", "1 # 2", "--seconds", "5.0"]
    monkeypatch.setattr("hotline.cli.importlib.util.find_spec", lambda _name: None)
    missing = run("call", "19001234")
    assert missing.exit_code == 1
    assert "pip install 'hotline[phone]'" in missing.stderr


def test_the_phone_needs_udp_to_call(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE__SIP__LISTEN", "tcp:127.0.0.1:5060, udp:127.0.0.1:5070")
    became: list[str] = []
    monkeypatch.setattr("hotline.cli.os.execv", lambda _program, command: became.extend(command))
    assert run("call", "19001234").exit_code == 0
    assert became[6] == "127.0.0.1:5070"
    monkeypatch.setenv("HOTLINE__SIP__LISTEN", "tcp:127.0.0.1:5060")
    refused = run("call", "19001234")
    assert refused.exit_code == 1
    assert "speaks UDP only" in refused.stderr
    assert run("call", "19001234", "--server", "192.0.2.1:5060").exit_code == 0


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def story(**_: object) -> int:
        raise ModuleNotFoundError("No module named 'pyVoIP.VoIP'", name="pyVoIP.VoIP")

    pretend(monkeypatch, "demo", run=story)
    result = run("demo")
    assert result.exit_code == 1
    assert "pip install 'hotline[phone]'" in result.stderr


def test_a_benchmark_prints_a_table_or_an_array(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(**narrowed: object) -> list[dict[str, object]]:
        assert narrowed == {"case": "echo", "n": 10, "seconds": 2.0}
        return [{"case": "echo", "n": 10, "delivery": 1.0}]

    monkeypatch.setattr(
        "hotline.cli._benchmark",
        lambda _name: types.SimpleNamespace(run=measured, verdicts=lambda _rows: ["echo: met"]),
    )
    options = ("bench", "media", "--case", "echo", "--n", "10", "--seconds", "2")
    assert json.loads(run(*options, "--json").stdout) == [{"case": "echo", "n": 10, "delivery": 1.0}]
    assert run(*options).stdout.split() == ["case", "n", "delivery", "echo", "10", "1.0", "echo:", "met"]


def test_benchmarks_are_in_the_source_tree_alone(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hotline.cli.__file__", str(tmp_path / "site-packages/hotline/cli.py"))
    result = run("bench", "media")
    assert result.exit_code == 1
    assert "benchmarks run from the source tree" in result.stderr
