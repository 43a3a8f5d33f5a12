"""Who hears whom: by definition, and by a tone of each leg's own that is or is not in what another one hears."""

from typing import cast, get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telephony.events import Join, Role
from telephony.media.gain import KNOWN, MEASURED_EVERY
from telephony.media.legs import ALONE, LegTable, Origin
from telephony.media.limiter import LOUDEST, SOFTEST, Limiter
from telephony.media.mix import Mixing, mix_by_matrix
from tests.telephony.media.room import Room, joined, noise
from tests.telephony.media.signals import loudest, sine

legs = st.lists(st.tuples(st.integers(ALONE, 3), st.integers(SOFTEST, LOUDEST)), max_size=12)


def conference(bridges: list[int]) -> Mixing:
    """Legs in the bridges of those numbers, from table row 1 on. Row 0 is alone and has been raised, for it speaks
    quietly: so what is recorded is not what is heard, and is summed by itself."""
    table = LegTable(1 + len(bridges))
    table.join(table.open("quiet", Origin(0, 0, 0)), "q")
    for i, number in enumerate(bridges):
        leg = table.open(f"l{i}", Origin(0, 0, 0))
        if number != ALONE:
            table.join(leg, f"b{number}")
    mixing = Mixing(table, 1 + len(bridges), "always")
    said = np.zeros((1 + len(bridges), 160), np.int16)
    for measured in range(2 * KNOWN):
        mixing.mix(said, measured * MEASURED_EVERY)
        said[0] = sine(400, 0.02, level=600)
    return mixing


@given(legs, st.integers(0, 100))
def test_total_minus_own_is_the_sum_of_the_others(members: list[tuple[int, int]], seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-200, 200, (len(members), 160))
    levels = np.array([level for _, level in members], np.int64).reshape(-1, 1)
    heard = np.clip(levels + noise, SOFTEST, LOUDEST).astype(np.int16)
    bridge = [number for number, _ in members]
    hears, said = conference(bridge).mix(np.concatenate((np.zeros((1, 160), np.int16), heard)), 1000)
    for me, (number, _) in enumerate(members):
        others = [i for i in range(len(members)) if i != me and number != ALONE and bridge[i] == number]
        pairwise = heard[others].astype(np.int64).sum(axis=0)
        assert (said[1 + me] == np.clip(pairwise, SOFTEST, LOUDEST)).all()
        limited = Limiter(1).limit(np.array([0]), pairwise[None].astype(np.int32))[0] if len(others) > 1 else pairwise
        assert (hears[1 + me] == limited).all()


# ------------------------------------------------------------------------------------------- roles, by definition


@given(st.integers(1, 9).flatmap(lambda n: st.lists(st.booleans(), min_size=n * n, max_size=n * n)), st.integers(0, 99))
def test_any_matrix_is_what_it_says(cells: list[bool], seed: int) -> None:
    n = round(len(cells) ** 0.5)
    hears = np.array(cells, np.bool_).reshape(n, n)
    said = np.random.default_rng(seed).integers(SOFTEST, LOUDEST + 1, (n, 160)).astype(np.int16)
    naive = [
        [sum(int(said[j, sample]) for j in range(n) if hears[i, j]) for sample in range(0, 160, 53)] for i in range(n)
    ]
    assert mix_by_matrix(hears, said)[:, ::53].tolist() == naive


members = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(get_args(Role)), st.integers(0, 9)),
    min_size=1,
    max_size=10,
)


@given(members, st.integers(0, 99))
def test_bridges_with_roles_are_their_naive_definition(joins: list[tuple[int, Role, int]], seed: int) -> None:
    table = LegTable(10)
    legs = [table.open(f"l{i}", Origin(0, 0, 0)) for i in range(len(joins))]
    for leg, (bridge, role, to) in zip(legs, joins, strict=True):
        table.join(leg, f"b{bridge}", role, f"l{to}")
    heard = np.random.default_rng(seed).integers(-3000, 3000, (len(legs), 160)).astype(np.int16)
    by_row = {leg.row: place for place, leg in enumerate(table.legs())}
    hears, said = Mixing(table, 10, "off").mix(heard, 0)
    for me, (bridge, mine, _) in enumerate(joins):
        if mine == "echo":
            assert (hears[by_row[legs[me].row]] == heard[by_row[legs[me].row]]).all()
            assert not said[by_row[legs[me].row]].any()
            continue
        others = [(j, each) for j, each in enumerate(joins) if j != me and each[0] == bridge]
        parties = [by_row[legs[j].row] for j, (_, role, _) in others if role == "party"]
        whispers = [by_row[legs[j].row] for j, (_, role, to) in others if role == "whisper" and to == me]
        place = by_row[legs[me].row]
        assert hears[place].tolist() == heard[parties + whispers].sum(axis=0, dtype=np.int64).tolist()
        assert said[place].tolist() == heard[parties].sum(axis=0, dtype=np.int64).tolist()


# ------------------------------------------------------------------------------------------------- one tone per leg

TONES = {"customer": 400.0, "agent": 700.0, "third": 1100.0, "boss": 1600.0, "elsewhere": 2300.0, "lost": 2900.0}


def heard_by(joins: dict[str, Join]) -> dict[str, set[str]]:
    """Let each leg send its own tone; return whose each one hears, read off the spectrum."""
    room = Room()
    for leg in joins:
        room.add(leg)
    for join in joins.values():
        room.do(join)
    room.talk({leg: sine(TONES[leg], 0.6, level=4000) for leg in joins})
    found = {}
    for leg, phone in room.phones.items():
        spectrum = np.abs(np.fft.rfft(joined(phone.heard[-10:]) * np.hanning(1600))) / 400
        found[leg] = {other for other, hertz in TONES.items() if spectrum[round(hertz / 5)] > 1000}
    return found


def party(leg: str, bridge: str = "b") -> Join:
    return Join(leg, bridge)


def test_conference_each_hears_all_but_itself() -> None:
    legs = ("customer", "agent", "third")
    heard = heard_by({**{leg: party(leg) for leg in legs}, "elsewhere": party("elsewhere", "c"), "lost": out("lost")})
    assert heard == {**{leg: set(legs) - {leg} for leg in legs}, "elsewhere": set(), "lost": set()}


def out(leg: str) -> Join:
    return Join(leg, "")


def test_an_echo_hears_itself_and_is_heard_by_nobody() -> None:
    legs = {leg: party(leg) for leg in ("customer", "agent")}
    heard = heard_by({**legs, "third": Join("third", "b", "echo"), "boss": Join("boss", "c", "echo")})
    assert heard == {"customer": {"agent"}, "agent": {"customer"}, "third": {"third"}, "boss": {"boss"}}


def test_a_talk_is_the_two_alone() -> None:
    pairs = {leg: party(leg, "b" if leg in ("customer", "agent") else "c") for leg in list(TONES)[:4]}
    assert heard_by(pairs) == {
        "customer": {"agent"},
        "agent": {"customer"},
        "third": {"boss"},
        "boss": {"third"},
    }


def test_monitor_hears_all_and_is_heard_by_nobody() -> None:
    heard = heard_by({"customer": party("customer"), "agent": party("agent"), "boss": Join("boss", "b", "monitor")})
    assert heard == {"customer": {"agent"}, "agent": {"customer"}, "boss": {"customer", "agent"}}


def test_whisper_is_heard_by_one_alone() -> None:
    whispering = Join("boss", "b", "whisper", "agent")
    heard = heard_by({"customer": party("customer"), "agent": party("agent"), "boss": whispering})
    assert heard == {"customer": {"agent"}, "agent": {"customer", "boss"}, "boss": {"customer", "agent"}}


def test_whisper_to_somebody_who_is_not_there_is_heard_by_nobody() -> None:
    whispering = Join("boss", "b", "whisper", "gone")
    heard = heard_by({"customer": party("customer"), "agent": party("agent"), "boss": whispering})
    assert heard == {"customer": {"agent"}, "agent": {"customer"}, "boss": {"customer", "agent"}}


def test_barge_is_being_a_party() -> None:
    room = Room()
    for leg in ("customer", "agent", "boss"):
        room.add(leg)
    for leg, role in (("customer", "party"), ("agent", "party"), ("boss", "monitor"), ("boss", "party")):
        room.do(Join(leg, "b", cast(Role, role)))
    room.talk({"boss": sine(1600, 0.4, level=4000)})
    assert {leg: round(loudest(joined(room.phones[leg].heard[-10:]))) for leg in ("customer", "agent")} == {
        "customer": 1600,
        "agent": 1600,
    }


def test_being_monitored_changes_not_a_sample() -> None:
    heard = []
    for monitored in (False, True):
        room = Room(automatic_gain="conference")
        for leg in ("customer", "agent", "boss"):
            room.add(leg)
        room.do(Join("customer", "b"))
        room.do(Join("agent", "b"))
        if monitored:
            room.do(Join("boss", "b", "monitor"))
        room.talk({"customer": noise(90, 1, peak=300), "agent": noise(90, 2), "boss": noise(90, 3)})
        heard.append([joined(room.phones[leg].heard).tolist() for leg in ("customer", "agent")])
    assert heard[0] == heard[1]


def test_a_row_that_was_whispered_to_is_nobodys_ear_once_it_is_anothers() -> None:
    table = LegTable(3)
    customer, agent, boss = (table.open(name, Origin(0, 0, 0)) for name in ("customer", "agent", "boss"))
    table.join(boss, "b", "whisper", "agent")
    row = agent.row
    table.close(agent)
    stranger = table.open("stranger", Origin(0, 0, 0))
    assert stranger.row == row
    table.join(stranger, "b")
    table.join(customer, "b")
    said = np.zeros((3, 160), np.int16)
    said[table.place[boss.row]] = 1000
    hears, _ = Mixing(table, 3, "off").mix(said, 0)
    assert not hears[table.place[stranger.row]].any()


def test_who_hears_one_party_alone_is_its_partner() -> None:
    table = LegTable(4)
    customer, agent, boss, third = (
        table.open(name, Origin(0, 0, 0)) for name in ("customer", "agent", "boss", "third")
    )

    def partners() -> list[int]:
        return [int(table.partner[leg.row]) for leg in (customer, agent, boss, third)]

    table.join(customer, "b")
    table.join(boss, "b", "monitor")
    assert partners() == [-1, -1, -1, -1]
    table.join(agent, "b")
    assert partners() == [agent.row, customer.row, -1, -1], "being monitored takes no codec from anybody"
    table.join(boss, "b", "whisper", "agent")
    assert partners() == [agent.row, -1, -1, -1]
    table.close(boss)
    assert partners() == [agent.row, customer.row, -1, -1]
    table.join(third, "b")
    assert partners() == [-1, -1, -1, -1]
