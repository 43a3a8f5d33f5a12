"""People, passwords, phones' secrets and tokens."""

import hashlib
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from hotline import auth
from hotline.database import Sessions
from hotline.tables import Token, User

NOW = 1_795_000_000.0


async def test_a_user_gets_secrets_that_are_stored_as_hashes_alone(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        new = await auth.add_user(session, "lan", "agent", "pbx.example", NOW)
        row = (await session.scalars(select(User))).one()
    assert new.password != new.sip_password
    assert (new.sip_user, new.sip_domain) == ("lan", "pbx.example")
    assert row.password_hash.startswith("$argon2id$")
    expected = f"lan:pbx.example:{new.sip_password}".encode()
    assert row.ha1_md5 == hashlib.md5(expected, usedforsecurity=False).hexdigest()
    assert row.ha1_sha256 == hashlib.sha256(expected).hexdigest()
    stored = " ".join(str(value) for value in vars(row).values())
    assert new.password not in stored
    assert new.sip_password not in stored
    assert new.password not in repr(new)
    assert new.sip_password not in repr(new)


async def test_a_password_proves_a_person_until_they_are_disabled(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await auth.add_user(session, "lan", "supervisor", "r", NOW, password="đúng mật khẩu")
        found = await auth.check_password(session, "lan", "đúng mật khẩu")
        assert found is not None
        assert found.role == "supervisor"
        assert await auth.check_password(session, "lan", "sai mật khẩu") is None
        assert await auth.check_password(session, "nobody", "đúng mật khẩu") is None
        assert set(await auth.sip_secrets(session)) == {"lan"}
        found.disabled_at = NOW
        assert await auth.check_password(session, "lan", "đúng mật khẩu") is None
        assert await auth.sip_secrets(session) == {}


async def test_a_phone_secret_is_revoked_by_a_new_one_and_by_none(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        for name in ("lan", "minh", "an"):
            await auth.add_user(session, name, "agent", "r", NOW)
        before = await auth.sip_secrets(session)
        assert auth.revoked(before, before) == []
        await auth.reset_user(session, "lan", "r")
        await auth.disable_user(session, "minh", NOW)
        assert auth.revoked(before, await auth.sip_secrets(session)) == ["lan", "minh"]


def test_nobody_has_a_hash_that_takes_as_long_and_never_matches() -> None:
    assert auth._hasher.check_needs_rehash(auth._NOBODY) is False
    assert auth._matches(auth._NOBODY, "") is False
    assert auth._matches("no hash at all", "x") is False


@pytest.mark.parametrize(
    ("name", "role", "password", "cause"),
    [
        ("Lan", "agent", None, "cannot be a user's name"),
        ("a b", "agent", None, "cannot be a user's name"),
        ("", "agent", None, "cannot be a user's name"),
        ("lan@x", "agent", None, "cannot be a user's name"),
        ("lan", "king", None, "is no role: choose one of agent, supervisor, admin"),
        ("lan", "agent", "short", "too short"),
        ("taken", "agent", None, "already: choose another name"),
    ],
)
async def test_what_cannot_be_added_says_why(
    sessions: Sessions, name: str, role: auth.Role, password: str | None, cause: str
) -> None:
    async with sessions.begin() as session:
        await auth.add_user(session, "taken", "agent", "r", NOW)
        with pytest.raises(auth.AuthError, match=re.escape(cause)):
            await auth.add_user(session, name, role, "r", NOW, password)


async def test_the_first_run_adds_two_agents_and_a_supervisor_once(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        first = await auth.first_run(session, "r", NOW)
    assert [(user.name, user.role) for user in first] == [
        ("agent1", "agent"),
        ("agent2", "agent"),
        ("supervisor1", "supervisor"),
    ]
    assert len({user.password for user in first} | {user.sip_password for user in first}) == 6
    async with sessions.begin() as session:
        assert await auth.first_run(session, "r", NOW) == []
        assert all([await auth.check_password(session, user.name, user.password) for user in first])
        assert [user.name for user in await auth.users(session)] == ["agent1", "agent2", "supervisor1"]


async def test_a_token_stands_for_its_scopes_until_it_expires(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        token = await auth.add_token(session, "crm", ["read", "interactions", "read"], NOW, expires_at=NOW + 10)
    assert re.fullmatch(r"hotline_[A-Za-z0-9_-]{43}", token)
    async with sessions.begin() as session:
        principal = await auth.check_token(session, token, NOW)
        assert principal is not None
        assert (principal.name, set(principal.scopes)) == ("crm", {"read", "interactions"})
        assert principal.may("read")
        assert not principal.may("live")
        assert await auth.check_token(session, token, NOW + 10) is None
        row = (await session.scalars(select(Token))).one()
        assert token not in " ".join(str(value) for value in vars(row).values())


async def test_admin_may_everything_also_what_comes_later(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        token = await auth.add_token(session, "me", ["admin"], NOW)
        principal = await auth.check_token(session, token, NOW)
    assert principal is not None
    assert principal.may("something of next year")


async def test_last_use_is_written_at_most_once_a_minute(sessions: Sessions) -> None:
    due = []
    async with sessions.begin() as session:
        token = await auth.add_token(session, "crm", ["read"], NOW)
        for now in (NOW, NOW + 59, NOW + 60):
            session.expire_all()
            principal = await auth.check_token(session, token, now)
            assert principal is not None
            due.append(auth.use_is_due(principal, now))
            if due[-1]:
                await auth.note_use(session, principal, now)
    assert due == [True, False, True]


async def test_a_token_that_cannot_be_added_says_why(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        with pytest.raises(auth.AuthError, match="`write` is no scope: choose from admin, read"):
            await auth.add_token(session, "x", ["read", "write"], NOW)
        with pytest.raises(auth.AuthError, match="is no scope"):
            await auth.add_token(session, "x", [], NOW)
        with pytest.raises(auth.AuthError, match="needs a name"):
            await auth.add_token(session, " ", ["read"], NOW)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, int, str]:
    return (
        draw(st.sampled_from(["replace", "insert", "delete", "cut", "whole"])),
        draw(st.integers(0, 51)),
        draw(st.text()),
    )


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(mutation=mutations())
async def test_no_mutated_token_is_accepted(sessions: Sessions, mutation: tuple[str, int, str]) -> None:
    kind, at, text = mutation
    async with sessions() as session:
        token = await auth.add_token(session, "crm", ["admin"], NOW)
        mutated = {
            "replace": token[:at] + (text[:1] or "A") + token[at + 1 :],
            "insert": token[:at] + text + token[at:],
            "delete": token[:at] + token[at + 1 :],
            "cut": token[:at],
            "whole": text,
        }[kind]
        principal = await auth.check_token(session, mutated, NOW)
        assert (principal is not None) == (mutated == token)
        await session.rollback()
