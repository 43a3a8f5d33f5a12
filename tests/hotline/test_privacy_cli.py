"""`hotline customers …`: what stands on which stream, what is never overwritten, and who is erased."""

import asyncio
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute
from typer.testing import CliRunner, Result

from hotline import database
from hotline.cli import app
from hotline.config import load
from hotline.tables import AuditEntry
from tests.databases import migrate
from tests.hotline.conftest import NOW
from tests.hotline.people import Someone, someone
from tests.hotline.test_erasure import found_in

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, ("customers", *arguments, "--data", "data"), catch_exceptions=False)

    return invoke


@pytest.fixture
def one(tmp_path: Path) -> Someone:
    settings = load(None, {}, data=tmp_path / "data")

    async def make() -> Someone:
        migrate(settings.database_url)
        engine = database.open_engine(settings.database_url)
        made = await someone(settings, database.session_factory(engine), NOW)
        await engine.dispose()
        return made

    return asyncio.run(make())


def audited(folder: Path, column: InstrumentedAttribute[str] = AuditEntry.what) -> list[str]:
    async def read() -> list[str]:
        engine = database.open_engine(f"sqlite:///{folder / 'data' / 'hotline.db'}")
        async with database.session_factory(engine)() as session:
            found = list(await session.scalars(select(column).order_by(AuditEntry.at)))
        await engine.dispose()
        return found

    return asyncio.run(read())


def test_an_export_is_a_file_that_was_not_there(run: Run, tmp_path: Path, one: Someone) -> None:
    done = run("export", one.customer)
    path = tmp_path / f"customer-{one.customer}.zip"
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(zipfile.ZipFile(path).read("data.json"))["profiles"] == [one.customer]
    before = path.read_bytes()
    again = run("export", one.customer)
    assert (again.exit_code, path.read_bytes()) == (1, before)
    assert "is there already" in again.stderr
    assert run("export", one.customer, "other.zip").exit_code == 0
    assert run("export", "0" * 32).exit_code == 1
    assert audited(tmp_path) == ["customer.export", "customer.export"]


def test_erasing_prints_a_certificate_that_can_be_checked(run: Run, tmp_path: Path, one: Someone) -> None:
    shutil.copytree(tmp_path / "data", tmp_path / "backup")
    unsure = run("erase", one.customer)
    assert (unsure.exit_code, "--yes" in unsure.stderr) == (1, True)
    assert found_in(tmp_path / "data")
    erased = run("erase", one.customer, "--yes")
    assert erased.exit_code == 0, erased.stderr
    assert found_in(tmp_path / "data") == []
    certificate = tmp_path / "certificate.json"
    certificate.write_text(erased.stdout)
    checked = run("certificate", str(certificate))
    assert (checked.exit_code, "Genuine" in checked.stderr) == (0, True)
    assert run("erase", one.customer, "--yes").stdout == erased.stdout
    assert audited(tmp_path)[0] == "customer.erase"
    # A backup is restored, and the person is there again.
    shutil.copy(tmp_path / "backup" / "hotline.db", tmp_path / "data" / "hotline.db")
    back = run("certificate", str(certificate))
    assert (back.exit_code, f"customers erase {one.customer}" in back.stderr) == (1, True)
    forged = certificate.read_text().replace('"by": "', '"by": "x')
    certificate.write_text(forged)
    assert "proves nothing" in run("certificate", str(certificate)).stderr
    assert run("certificate", "nowhere.json").exit_code == 1
    certificate.write_text("{")
    assert run("certificate", str(certificate)).exit_code == 1


def test_a_hold_keeps_until_it_is_released(run: Run, tmp_path: Path, one: Someone) -> None:
    assert run("hold", one.customer, "--reason", "court 7").exit_code == 0
    refused = run("erase", one.customer, "--yes")
    assert (refused.exit_code, "court 7" in refused.stderr) == (1, True)
    assert found_in(tmp_path / "data")
    assert run("release", one.customer).exit_code == 0
    assert run("release", one.customer).exit_code == 1
    assert run("erase", one.customer, "--yes").exit_code == 0
    for command in (("hold", "--reason", "x"), ("release",), ("consents",), ("erase", "--yes")):
        assert run(command[0], "0" * 32, *command[1:]).exit_code == 1, command
    assert audited(tmp_path) == ["customer.hold", "customer.release", "customer.erase"]
    assert set(audited(tmp_path, AuditEntry.source)) == {"cli"}


def test_who_is_shown_has_their_holds_and_consents(run: Run, one: Someone) -> None:
    run("hold", one.customer, "--reason", "court 7")
    shown = json.loads(run("show", one.customer, "--json").stdout)
    assert [each["reason"] for each in shown["holds"]] == ["court 7"]
    assert [(each["purpose"], each["state"]) for each in shown["consents"]] == [("recording", "given")]


def test_a_hold_of_days_that_are_over_is_refused(run: Run, tmp_path: Path, one: Someone) -> None:
    over = run("hold", one.customer, "--reason", "court 7", "--until", "2026-01-01")
    assert (over.exit_code, "over already" in over.stderr) == (1, True)
    assert run("hold", one.customer, "--reason", "court 7", "--until", "2199-01-01").exit_code == 0
    assert audited(tmp_path) == ["customer.hold"]


def test_an_erasure_that_is_held_up_is_noted_once(
    run: Run, tmp_path: Path, one: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr("hotline.person_files.PersonFiles.remove", fail)
        for _ in range(2):
            assert "the disk is gone" in run("erase", one.customer, "--yes").stderr
    assert run("erase", one.customer, "--yes").exit_code == 0
    assert audited(tmp_path) == ["customer.erase"]


def test_consents_are_listed(run: Run, one: Someone) -> None:
    (line,) = run("consents", one.customer).stdout.splitlines()[1:]
    assert line.split()[2:6] == ["recording", "given", "call", "1"]


def test_recordings_out_of_their_time_are_purged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: Someone) -> None:
    monkeypatch.chdir(tmp_path)

    def purge() -> Result:
        return CliRunner().invoke(app, ["recordings", "purge", "--data", "data"], catch_exceptions=False)

    unset = purge()
    assert (unset.exit_code, unset.stdout, "not set" in unset.stderr) == (0, "", True)
    (tmp_path / "hotline.yaml").write_text("privacy: {retention: {recordings: 1d, transcripts: 1d}}")
    rows = [line.split() for line in purge().stdout.splitlines()]
    # The recording proves a consent, and stays as long as that; its words do not.
    assert rows == [["kind", "deleted"], ["recordings", "0"], ["transcripts", "1"]]
    assert list((tmp_path / "data").rglob("*.wav"))


def test_a_file_that_cannot_be_purged_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: Someone) -> None:
    def fail(*_: object) -> None:
        raise OSError("not permitted")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hotline.person_files.PersonFiles.remove", fail)
    (tmp_path / "hotline.yaml").write_text("privacy: {retention: {recordings: 1d}}")
    with sqlite3.connect(tmp_path / "data" / "hotline.db") as database_:
        database_.execute("DELETE FROM consents")
    result = CliRunner().invoke(app, ["recordings", "purge", "--data", "data"], catch_exceptions=False)
    assert (result.exit_code, "not permitted" in result.stderr) == (1, True)
