"""By which way a message goes, and what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_bridge.notify.choice import ZALO_WINDOW_S, Choice, Known, NotReachable, choose
from tests.crm_bridge.notify.conftest import DAY_S, EMAIL, NOW, ZALO

ON_ZALO = Known("zalo", "246845883529197922", 2, 1.0, "zalo", NOW)
BY_MAIL = Known("email", "an@example.vn", 2, 1.0, "email", NOW)
HEARD = {"zalo": NOW - 100, "email": NOW - 50}


def chosen(*identities: Known, heard: dict[str, float] | None = None, length: int = 5, **more: object) -> Choice:
    wanted = {"channel": "auto", "to": ""} | more
    return choose([ZALO, EMAIL], identities, HEARD if heard is None else heard, length=length, now=NOW, **wanted)  # type: ignore[arg-type]


def test_left_open_it_is_the_channel_that_the_person_wrote_by_last() -> None:
    assert chosen(ON_ZALO, BY_MAIL) == Choice(EMAIL, BY_MAIL)
    assert chosen(ON_ZALO, BY_MAIL, heard={"zalo": NOW, "email": NOW - 9}) == Choice(ZALO, ON_ZALO)
    assert chosen(BY_MAIL, heard={}) == Choice(EMAIL, BY_MAIL)


def test_left_open_what_cannot_be_sent_by_one_way_goes_by_another() -> None:
    late = {"zalo": NOW - ZALO_WINDOW_S - 1}
    assert chosen(ON_ZALO, BY_MAIL, heard=late) == Choice(EMAIL, BY_MAIL)
    assert chosen(ON_ZALO, BY_MAIL, heard={"zalo": NOW}, length=2001) == Choice(EMAIL, BY_MAIL)


@pytest.mark.parametrize(
    ("identities", "more", "said"),
    [
        ((), {}, "zalo: the person has no Zalo user id; send by another channel"),
        ((ON_ZALO,), {"channel": "email"}, "^email: the person has no e-mail address; send by another channel$"),
        ((ON_ZALO,), {"channel": "fax"}, "no messages are sent by `fax`: name one of zalo, email, or auto"),
        ((replace(ON_ZALO, assurance=0),), {"channel": "zalo"}, "is only a claim.*`claimed: true`"),
        ((ON_ZALO,), {"channel": "zalo", "heard": {}}, "people who wrote to it within the last 7 days"),
        ((ON_ZALO,), {"channel": "zalo", "heard": {"zalo": NOW - 8 * DAY_S}}, "within the last 7 days"),
        ((ON_ZALO,), {"channel": "zalo", "length": 2001}, "longer than 2000 characters"),
        ((BY_MAIL,), {"channel": "email", "to": "b@example.vn"}, "is not known to have this e-mail address"),
        ((replace(BY_MAIL, value="ân@example.vn"),), {"channel": "email"}, "not of ASCII"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_cause_and_mend(
    identities: tuple[Known, ...], more: dict[str, object], said: str
) -> None:
    with pytest.raises(NotReachable, match=said):
        chosen(*identities, **more)  # type: ignore[arg-type]


def test_without_a_way_it_is_said_what_to_set() -> None:
    with pytest.raises(NotReachable, match=r"see `notify\.email`"):
        choose([], [BY_MAIL], HEARD, channel="auto", length=1, now=NOW)


def test_the_best_identity_is_taken_unless_one_is_named() -> None:
    claimed, other = replace(BY_MAIL, value="c@example.vn", assurance=0), replace(BY_MAIL, value="d@example.vn")
    assert chosen(claimed, BY_MAIL, channel="email").identity == BY_MAIL
    assert chosen(BY_MAIL, other, channel="email", to="d@example.vn").identity == other
    assert chosen(claimed, channel="email", least=0).identity == claimed


IDENTITIES = st.builds(
    Known,
    st.sampled_from(["zalo", "email", "phone"]),
    st.sampled_from(["a@b.vn", "c@d.vn", "123"]),
    st.integers(0, 3),
    st.floats(0, 1),
    st.sampled_from(["zalo", "email", "form"]),
    st.just(NOW),
)


@given(st.lists(IDENTITIES, max_size=5), st.sampled_from(["auto", "zalo", "email"]))
def test_nobody_who_only_claims_an_identity_is_ever_written_to(identities: list[Known], channel: str) -> None:
    try:
        choice = chosen(*identities, channel=channel)
    except NotReachable:
        return
    assert choice.identity.assurance > 0
    assert choice.identity.kind == choice.route.kind
