"""Messages by Zalo's Open API, as its documentation shows it."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.notify.parcel import Parcel
from crm_bridge.notify.zalo import OF_OUR_ACCOUNT, OF_THIS_PERSON, ZaloAccount, judged, read
from crm_bridge.oauth import Grant, Tokens
from crm_bridge.outgoing.schedule import Answer
from tests.crm_bridge.notify.conftest import NOW
from tests.crm_bridge.notify.far_ends import APP_ID, APP_SECRET, FIRST_TOKEN, ZaloServer, zalo

PARCEL = Parcel("246845883529197922", "Xin chào")


@pytest.fixture
def far_end() -> Iterator[ZaloServer]:
    with zalo() as server:
        yield server


def tokens(far_end: ZaloServer, folder: Path, client: httpx.AsyncClient, seed: str = FIRST_TOKEN) -> Tokens:
    grant = Grant(
        f"{far_end.url}/v4/oa/access_token", {"app_id": APP_ID}, seed, {"secret_key": APP_SECRET}, folder / "zalo.json"
    )
    return Tokens(grant, client)


@pytest.fixture
async def account(far_end: ZaloServer, tmp_path: Path) -> AsyncIterator[ZaloAccount]:
    client = httpx.AsyncClient(trust_env=False)
    account = ZaloAccount("zalo", far_end.url, tokens(far_end, tmp_path, client), client)
    yield account
    await account.close()


async def test_a_message_is_sent_with_a_token_that_was_got_for_it(far_end: ZaloServer, account: ZaloAccount) -> None:
    assert await account.send(PARCEL, NOW, NOW) == Answer(200, reference="id-1")
    assert await account.send(PARCEL, NOW, NOW + 80_000) == Answer(200, reference="id-2")
    assert far_end.sent[0] == {"recipient": {"user_id": "246845883529197922"}, "message": {"text": "Xin chào"}}
    assert len(far_end.renewals) == 1


async def test_a_token_that_is_not_taken_is_renewed_and_the_message_sent_once(
    far_end: ZaloServer, account: ZaloAccount
) -> None:
    await account.send(PARCEL, NOW, NOW)
    far_end.access_token = "another"  # somebody renewed it elsewhere, and it is spent here
    assert await account.send(PARCEL, NOW, NOW + 1) == Answer(200, reference="id-2")
    assert (len(far_end.renewals), len(far_end.sent)) == (2, 2)


async def test_an_account_that_gives_no_token_is_a_fault(far_end: ZaloServer, account: ZaloAccount) -> None:
    far_end.refresh_token = "spent long ago"
    answer = await account.send(PARCEL, NOW, NOW)
    assert (answer.status, answer.is_final) == (0, False)
    assert "grants no token: -14014: Invalid refresh token" in answer.cause
    assert account.fault is not None
    assert "channels.zalo.refresh_token" in account.fault.mend
    assert FIRST_TOKEN not in str(account.fault)


async def test_zalo_out_of_reach_is_a_fault_that_passes(far_end: ZaloServer, account: ZaloAccount) -> None:
    far_end.answers += [b"<html>502 Bad Gateway</html>"]
    assert await account.send(PARCEL, NOW, NOW) == Answer(0, "Zalo answers HTTP 200")
    assert account.fault is not None
    assert (await account.send(PARCEL, NOW, NOW)).status == 200
    assert account.fault is None


@pytest.mark.parametrize("code", OF_THIS_PERSON)
async def test_a_person_who_cannot_be_written_to_is_final_with_what_to_do(
    far_end: ZaloServer, account: ZaloAccount, code: int
) -> None:
    far_end.answers.append(code)
    answer = await account.send(PARCEL, NOW, NOW)
    assert answer.is_final
    assert answer.cause == f"Zalo says {code} says {code}: {OF_THIS_PERSON[code]}"
    assert account.fault is None


@pytest.mark.parametrize("code", OF_OUR_ACCOUNT)
async def test_what_is_wrong_with_our_account_is_a_fault_and_tried_again(
    far_end: ZaloServer, account: ZaloAccount, code: int
) -> None:
    far_end.answers.append(code)
    assert not (await account.send(PARCEL, NOW, NOW)).is_final
    assert account.fault is not None
    assert account.fault.mend == OF_OUR_ACCOUNT[code]


def test_too_fast_waits_a_minute_and_an_unknown_code_is_tried_again() -> None:
    too_fast = read(200, b'{"error": -32, "message": "Your OA reached limit call api"}')
    assert judged(too_fast) == (Answer(0, "Zalo says -32 Your OA reached limit call api", retry_after_s=60.0), None)
    unknown = read(200, b'{"error": -9999}')
    assert judged(unknown) == (Answer(0, "Zalo says -9999"), None)


JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.just({"message_id": 7}))
BODIES = st.binary() | st.dictionaries(st.sampled_from(["error", "message", "data", "message_id"]), JSON).map(
    lambda document: json.dumps(document).encode()
)


@given(st.integers(100, 599), BODIES)
def test_any_answer_is_read(status: int, body: bytes) -> None:
    answer, _ = judged(read(status, body))
    assert (answer.status == 200) == (read(status, body).code == 0)
    assert answer.cause.isprintable()


async def test_after_a_restart_the_newest_token_is_used_and_not_the_one_of_the_settings(
    far_end: ZaloServer, account: ZaloAccount, tmp_path: Path
) -> None:
    await account.send(PARCEL, NOW, NOW)
    async with httpx.AsyncClient(trust_env=False) as client:
        again = tokens(far_end, tmp_path, client)
        assert await again.get(NOW + 1) == far_end.access_token
        assert await again.get(NOW + 90_000) == far_end.access_token
    assert [form["refresh_token"] == FIRST_TOKEN for form in far_end.renewals] == [True, False]
