"""Letters posted over HTTP: who is let in, and that they are the same letters by whatever way they come."""

import asyncio
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from crm_bridge.channels import routes
from crm_bridge.channels.door import Door
from crm_bridge.channels.routes import router
from crm_bridge.keep import KeepContended
from crm_bridge.mail.hook import AT_ONCE, MailHook
from crm_bridge.mail.keep import Keeper
from crm_bridge.mail.message import Mail
from crm_bridge.tables import Interaction
from crm_bridge.webhooks.outbox import NOBODY
from crm_bridge.webhooks.signature import headers, key_of
from tests.crm_bridge.conftest import Api, Sessions
from tests.crm_bridge.mail.letters import NOON, letter
from tests.crm_bridge.webhooks.receiver import SECRET

KEY = key_of(SECRET)
MAX = 4096


@pytest.fixture
def door(api: Api, sessions: Sessions) -> Door:
    keeper = Keeper(
        sessions, lambda: api.now, lambda type_, body: api.published.append((type_, dict(body))), NOBODY, frozenset()
    )

    async def keep(raw: bytes) -> Mail:
        return await keeper.keep(raw, None)

    api.now = NOON
    api.app.include_router(router, prefix="/api/v1")
    door = api.app.state.channels = Door()
    door.letters = {"email": MailHook((KEY,), keep, MAX)}
    return door


async def post(
    api: Api, body: bytes, status: int, *, at: float | None = None, change: Mapping[str, str] | None = None
) -> Any:
    signed = headers((KEY,), "msg_1", api.now if at is None else at, body)
    answer = await api.client.post("/hooks/email", content=body, headers=signed | dict(change or {}))
    assert answer.status_code == status, answer.text
    return answer.json()


async def entries(sessions: Sessions) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(Interaction)) or 0


async def test_a_letter_is_recorded_once(api: Api, door: Door, sessions: Sessions) -> None:
    assert [await post(api, letter(), 200) for _ in range(2)] == [{"events": 1}] * 2
    ((type_, body),) = api.published
    assert (type_, body["channel"], body["external_id"]) == ("interaction.created", "email", "<1@example.vn>")
    assert await entries(sessions) == 1


async def test_what_concerns_nobody_is_taken_and_not_kept(api: Api, door: Door, sessions: Sessions) -> None:
    assert await post(api, letter(List_Id="<all.example.vn>"), 200) == {"events": 0}
    assert await post(api, b"", 200) == {"events": 0}
    assert await entries(sessions) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1"},
    ],
)
async def test_without_the_secret_nothing_is_believed(api: Api, door: Door, change: dict[str, str]) -> None:
    await post(api, letter(), 403, change=change)
    assert api.published == []
    assert door.refused == {("email", "signature"): 1}


@pytest.mark.parametrize("off_s", [-301, 301])
async def test_what_was_signed_long_ago_or_is_not_signed_yet_is_refused(api: Api, door: Door, off_s: float) -> None:
    await post(api, letter(), 403, at=NOON + off_s)
    await post(api, letter(), 200, at=NOON + off_s - off_s / 300)


async def test_another_body_than_the_signed_one_is_refused(api: Api, door: Door) -> None:
    signed = headers((KEY,), "msg_1", api.now, letter())
    answer = await api.client.post("/hooks/email", content=letter("Other"), headers=signed)
    assert answer.status_code == 403


async def test_what_is_too_long_is_refused(api: Api, door: Door) -> None:
    await post(api, b"x" * (MAX + 1), 413)


async def test_too_much_at_once_and_others_who_are_first_come_again(api: Api, door: Door) -> None:
    turn = door.letters["email"].turn
    for _ in range(AT_ONCE):
        await turn.acquire()
    assert "send this again" in (await post(api, letter(), 503))["detail"]
    for _ in range(AT_ONCE):
        turn.release()

    async def contended(_raw: bytes) -> Mail:
        raise KeepContended("others")

    door.letters = {"email": MailHook((KEY,), contended, MAX)}
    await post(api, letter(), 503)
    assert not door.letters["email"].turn.locked()


async def test_a_body_that_does_not_come_gives_its_place_back(
    api: Api, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(routes, "BODY_S", 0.05)
    monkeypatch.setattr(routes, "_body", never)
    await post(api, letter(), 408)
    assert not door.letters["email"].turn.locked()


async def test_the_documented_command_signs_as_it_is_due(api: Api, door: Door, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "mail.md").read_text("utf-8")
    found = re.search(r"```sh\n(secret=.*?)curl", page, re.DOTALL)
    assert found is not None
    script = f'{found[1]}printf "%s\\n%s\\nv1,%s" "$id" "$now" "$signature"'
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-ec", script],
        input=letter(),
        capture_output=True,
        cwd=tmp_path,
        env={"MAIL_HOOK_SECRET": SECRET, "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    id_, now, signature = done.stdout.decode().split("\n")
    api.now = float(now)
    change = {"webhook-id": id_, "webhook-timestamp": now, "webhook-signature": signature}
    assert await post(api, letter(), 200, change=change) == {"events": 1}
