"""Access tokens: renewed once, however many want one; the newest refresh token on the disk before anything else."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from crm_bridge.oauth import EARLY_S, Grant, NoToken, Tokens

NOW = 1_800_000_000.0
URL = "https://oauth.example.com/token"
Answer = Callable[[dict[str, str]], httpx.Response]


def granting(**more: Any) -> tuple[Answer, list[dict[str, str]]]:
    """An authority that gives a new pair each time, and what it was asked."""
    asked: list[dict[str, str]] = []

    def answer(form: dict[str, str]) -> httpx.Response:
        asked.append(form)
        number = len(asked)
        pair = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": 3600}
        return httpx.Response(200, json=pair | more)

    return answer, asked


def tokens(answer: Answer, file: Path | None, seed: str = "seed") -> Tokens:
    def respond(request: httpx.Request) -> httpx.Response:
        return answer(dict(httpx.QueryParams(request.content.decode())))

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    return Tokens(Grant(URL, {"client_id": "c"}, seed, {"secret_key": "s"}, file), client)


async def test_a_token_holds_until_shortly_before_its_end(tmp_path: Path) -> None:
    answer, asked = granting()
    got = tokens(answer, tmp_path / "t.json")
    assert await got.get(NOW) == await got.get(NOW + 3600 - EARLY_S - 1) == "access-1"
    assert await got.get(NOW + 3600 - EARLY_S) == "access-2"
    assert [form["refresh_token"] for form in asked] == ["seed", "refresh-1"]
    assert asked[0] == {"client_id": "c", "grant_type": "refresh_token", "refresh_token": "seed"}


async def test_many_who_want_one_at_once_renew_it_once(tmp_path: Path) -> None:
    answer, asked = granting()
    got = tokens(answer, tmp_path / "t.json")
    assert set(await asyncio.gather(*(got.get(NOW) for _ in range(9)))) == {"access-1"}
    assert set(await asyncio.gather(*(got.get(NOW, spent="access-1") for _ in range(9)))) == {"access-2"}
    assert len(asked) == 2


async def test_the_newest_refresh_token_is_on_the_disk_and_readable_by_us_alone(tmp_path: Path) -> None:
    answer, asked = granting()
    file = tmp_path / "tokens" / "t.json"
    await tokens(answer, file).get(NOW)
    assert json.loads(file.read_bytes())["refresh_token"] == "refresh-1"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["t.json"]
    again = tokens(answer, file)  # a restart
    assert await again.get(NOW + 1) == "access-1"
    assert await again.get(NOW + 4000) == "access-2"
    assert asked[1]["refresh_token"] == "refresh-1"


async def test_what_a_renewal_left_that_was_ended_gives_its_mode_to_nothing(tmp_path: Path) -> None:
    left, file, modes = tmp_path / "t.json.new", tmp_path / "t.json", list[int]()
    left.write_text("{")
    left.chmod(0o644)
    answer, _ = granting()

    def looked_at(form: dict[str, str]) -> httpx.Response:
        modes.append(file.stat().st_mode & 0o777)
        return answer(form)

    await tokens(looked_at, file).get(NOW)
    assert [*modes, file.stat().st_mode & 0o777] == [0o600, 0o600]


@pytest.mark.parametrize(("user", "given"), [(0, True), (1000, False)])
async def test_what_root_writes_belongs_to_whom_the_data_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, *, given: bool
) -> None:
    folder, owned = tmp_path / "tokens", list[object]()
    around = os.stat(tmp_path)

    def own(of: Path | int, *owner: int, **how: object) -> None:
        is_file = isinstance(of, int) and os.path.samestat(os.fstat(of), (folder / "t.json.new").stat())
        owned.append(("t.json" if is_file else of, *owner, how))

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "chown", own)
    monkeypatch.setattr(os, "fchown", own)
    await tokens(granting()[0], folder / "t.json").get(NOW)
    whose = around.st_uid, around.st_gid
    once = [(folder, *whose, {"follow_symlinks": False}), ("t.json", *whose, {})]
    assert owned == (once * 2 if given else [])  # the first token is kept before it is asked with


async def test_another_token_in_the_settings_begins_anew(tmp_path: Path) -> None:
    answer, asked = granting()
    await tokens(answer, tmp_path / "t.json").get(NOW)
    assert await tokens(answer, tmp_path / "t.json", "another").get(NOW + 1) == "access-2"
    assert asked[1]["refresh_token"] == "another"


async def test_a_token_that_cannot_be_kept_is_not_used_and_kept_as_soon_as_it_can_be(tmp_path: Path) -> None:
    answer, asked = granting()
    in_the_way = tmp_path / "t.json.new"
    in_the_way.mkdir()
    got = tokens(answer, tmp_path / "t.json")
    with pytest.raises(NoToken, match="cannot be written"):
        await got.get(NOW)
    assert asked == []  # nothing is spent where nothing can be kept
    in_the_way.rmdir()

    def full(form: dict[str, str]) -> httpx.Response:
        in_the_way.mkdir()
        return answer(form)

    got = tokens(full, tmp_path / "t.json")
    with pytest.raises(NoToken, match="cannot be written"):
        await got.get(NOW)
    in_the_way.rmdir()
    assert await got.get(NOW) == "access-1"
    assert json.loads((tmp_path / "t.json").read_bytes())["refresh_token"] == "refresh-1"
    assert len(asked) == 1


async def test_a_file_that_cannot_be_read_is_no_reason_to_spend_the_first_token_again(tmp_path: Path) -> None:
    answer, asked = granting()
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(NoToken, match="cannot be read"):
        await tokens(answer, tmp_path / "t.json").get(NOW)
    assert asked == []


async def test_clients_may_have_credentials_of_their_own_and_keep_nothing() -> None:
    answer, asked = granting(refresh_token=None)
    assert await tokens(answer, None, "").get(NOW) == "access-1"
    assert asked == [{"client_id": "c", "grant_type": "client_credentials"}]


async def test_a_refresh_token_that_does_not_change_is_used_again(tmp_path: Path) -> None:
    answer, asked = granting(refresh_token=None)
    got = tokens(answer, tmp_path / "t.json")
    await got.get(NOW)
    await got.get(NOW + 4000)
    assert [form["refresh_token"] for form in asked] == ["seed", "seed"]


@pytest.mark.parametrize(
    ("response", "said", "is_lasting"),
    [
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "revoked"}),
            "invalid_grant: revoked",
            True,
        ),
        (httpx.Response(200, json={"error": -14014, "error_name": "Invalid refresh token"}), "-14014: Invalid", True),
        (httpx.Response(503, json={}), "HTTP 503", False),
        (httpx.Response(200, json=[]), "no JSON object", False),
        (httpx.Response(200, content=b"<html>"), "no JSON object", False),
    ],
)
async def test_no_is_said_with_its_cause_and_without_secrets(
    response: httpx.Response, said: str, is_lasting: bool
) -> None:
    with pytest.raises(NoToken, match=said) as refused:
        await tokens(lambda _: response, None).get(NOW)
    assert refused.value.is_lasting == is_lasting
    assert "seed" not in str(refused.value)


async def test_an_authority_out_of_reach_is_no_token_for_now() -> None:
    def fails(_form: dict[str, str]) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(NoToken, match=r"no token from oauth\.example\.com: refused"):
        await tokens(fails, None).get(NOW)
