"""The benchmark of media in its short form: it fails on lost or wrong audio, never on time."""

import math

import pytest

from bench.media import CASES, run, verdicts

LATE_MS = 15.0
FEW = {"conference": 10, "g711_opus": 4}


@pytest.mark.parametrize("case", CASES)
def test_every_call_hears_what_it_should(case: str) -> None:
    (row,) = run(case, FEW.get(case, 4), 1.0, warm_up_s=1.0)
    assert row["lost"] == 0
    assert row["foreign"] == 0
    # On a machine that holds up either side, playout conceals and moves: that is time's doing, and no fault here.
    late_ms = max(float(str(row["load_late_ms"])), float(str(row["spacing_p999_ms"])) - 20)
    in_time = row["late"] == 0 and late_ms < LATE_MS
    assert row["wrong"] == 0 or not in_time
    assert all(math.isfinite(figure) and figure >= 0 for figure in row.values() if isinstance(figure, int | float))
    assert row.get("failed", 0) == 0
    if case == "inband_keys" and in_time:
        assert row["keys_right"] == row["keys"]
    assert isinstance(verdicts([row]), list)


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no case"):
        run("nonsense")
