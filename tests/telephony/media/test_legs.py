import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.legs import ALONE, LegTable, Origin, UnknownLeg

ORIGIN = Origin(1, 2, 3)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["open", "close", "x", "y", ""])), max_size=60))
def test_rows_and_bridges_of_open_legs(steps: list[tuple[str, str]]) -> None:
    table, bridges = LegTable(4), dict[str, str]()
    for name, step in steps:
        if step == "open" and name not in table and not table.full:
            table.open(name, ORIGIN)
            bridges[name] = ""
        elif step == "close" and name in table:
            table.close(table.named(name))
            del bridges[name]
        elif step in ("x", "y", "") and name in table:
            table.join(table.named(name), step)
            bridges[name] = step
        rows = [leg.row for leg in table.legs()]
        assert table.open_rows.tolist() == sorted(rows)
        assert [table.place[row] for row in rows] == list(range(len(rows)))
        assert {leg.name for leg in table.legs()} == set(bridges)
        for one, in_one in bridges.items():
            number = table.bridge[table.named(one).row]
            assert (number == ALONE) == (in_one == "")
            for two, in_two in bridges.items():
                same = number == table.bridge[table.named(two).row]
                assert same == (in_one == in_two)


def test_a_leg_that_is_not_there() -> None:
    table = LegTable(1)
    with pytest.raises(UnknownLeg, match="leg a is not open"):
        table.named("a")
    with pytest.raises(UnknownLeg, match="row 0"):
        table.at(0)
