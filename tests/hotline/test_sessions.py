"""Sessions: how long they last, what ends them, and what stands of them in the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hotline import auth
from hotline.auth import ROLES, Role
from hotline.database import Sessions
from hotline.sessions import (
    IDLE_S,
    LONGEST_S,
    ROLE_SCOPES,
    Begun,
    begin,
    cookie_name,
    end,
    find,
    live,
    note_seen,
)
from hotline.tables import WebSession
from tests.hotline.conftest import NOW


@pytest.fixture
async def lan(sessions: Sessions) -> str:
    async with sessions.begin() as session:
        await auth.add_user(session, "lan", "agent", "localhost", NOW)
    return "lan"


async def begun_by(database: Sessions, user: str, now: float = NOW) -> Begun:
    async with database.begin() as session:
        return await begin(session, user, now)


async def found(database: Sessions, cookie: str, now: float = NOW) -> auth.Principal | None:
    async with database() as session:
        return await find(session, cookie, now)


async def test_a_cookie_stands_for_its_person(sessions: Sessions, lan: str) -> None:
    begun = await begun_by(sessions, lan)
    principal = await found(sessions, begun.cookie)
    assert principal is not None
    assert (principal.name, principal.role, principal.session) == ("lan", "agent", begun.id)
    assert (principal.csrf, principal.expires_at) == (begun.csrf, NOW + LONGEST_S)
    for wrong in ("", begun.csrf, begun.id, begun.cookie[:-1], begun.cookie + "=", "\udcff"):
        assert await found(sessions, wrong) is None


async def test_nothing_in_the_database_signs_anybody_in(sessions: Sessions, lan: str) -> None:
    begun = await begun_by(sessions, lan)
    async with sessions() as session:
        row = (await session.scalars(select(WebSession))).one()
    stored = [str(value) for name, value in vars(row).items() if not name.startswith("_")]
    assert begun.cookie not in stored
    for value in stored:
        assert await found(sessions, value) is None


async def test_every_sign_in_is_a_session_of_its_own(sessions: Sessions, lan: str) -> None:
    one, other = await begun_by(sessions, lan), await begun_by(sessions, lan)
    assert len({one.cookie, other.cookie, one.csrf, other.csrf, one.id, other.id}) == 6
    assert len(one.cookie) >= 43  # 256 bits
    async with sessions.begin() as session:
        await end(session, one.id)
    assert await found(sessions, one.cookie) is None
    assert await found(sessions, other.cookie) is not None


@pytest.mark.parametrize(
    ("after_s", "seen_after_s", "good"),
    [
        (IDLE_S - 1, None, True),
        (IDLE_S, None, False),
        (IDLE_S + 1, 60, True),
        (LONGEST_S - 1, LONGEST_S - 60, True),
        (LONGEST_S, LONGEST_S - 60, False),
    ],
)
async def test_it_ends_when_idle_and_when_it_is_old(
    sessions: Sessions, lan: str, after_s: float, seen_after_s: float | None, *, good: bool
) -> None:
    begun = await begun_by(sessions, lan)
    if seen_after_s is not None:
        async with sessions.begin() as session:
            await note_seen(session, begun.id, NOW + seen_after_s)
    assert (await found(sessions, begun.cookie, NOW + after_s) is not None) is good
    async with sessions() as session:
        assert (begun.id in await live(session, NOW + after_s)) is good


async def test_who_is_disabled_or_given_a_new_password_is_signed_out(sessions: Sessions, lan: str) -> None:
    for change in (
        lambda session: auth.disable_user(session, "lan", NOW),
        lambda session: auth.reset_user(session, "lan", "localhost"),
    ):
        begun = await begun_by(sessions, lan)
        async with sessions.begin() as session:
            await change(session)
        assert await found(sessions, begun.cookie) is None
        async with sessions() as session:
            assert await live(session, NOW) == frozenset()


async def test_sessions_that_are_over_leave_the_table(sessions: Sessions, lan: str) -> None:
    for day in range(3):
        await begun_by(sessions, lan, NOW + day * LONGEST_S)
    async with sessions() as session:
        assert len((await session.scalars(select(WebSession))).all()) == 1


def test_the_browser_itself_guards_the_cookie_over_tls() -> None:
    assert {scheme: cookie_name(scheme) for scheme in ("https", "wss", "http", "ws")} == {
        "https": "__Host-hotline",
        "wss": "__Host-hotline",
        "http": "hotline",
        "ws": "hotline",
    }


def test_every_role_has_its_scopes_and_an_agent_only_its_desk() -> None:
    assert set(ROLE_SCOPES) == set(ROLES)
    assert ROLE_SCOPES["agent"] == {"desk"}
    assert "admin" not in ROLE_SCOPES["supervisor"]


@given(st.sampled_from(ROLES), st.lists(st.text(), max_size=3))
def test_a_role_may_what_one_of_its_scopes_opens(role: Role, asked: list[str]) -> None:
    principal = auth.Principal("lan", ROLE_SCOPES[role], role=role)
    assert principal.may(*asked) is (role == "admin" or bool(set(asked) & ROLE_SCOPES[role]))
    assert "csrf" not in repr(principal)
