import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telephony.media.mix import ALONE, LOUDEST, SOFTEST, total_minus_own

legs = st.lists(st.tuples(st.integers(ALONE, 3), st.integers(SOFTEST, LOUDEST)), max_size=12)


@given(legs, st.integers(0, 100))
def test_total_minus_own_is_the_sum_of_the_others(members: list[tuple[int, int]], seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-200, 200, (len(members), 160))
    levels = np.array([level for _, level in members], np.int64).reshape(-1, 1)
    heard = np.clip(levels + noise, SOFTEST, LOUDEST).astype(np.int16)
    bridge = np.array([number for number, _ in members], np.int64)
    mixed = total_minus_own(heard, bridge)
    for me, (number, _) in enumerate(members):
        others = [i for i in range(len(members)) if i != me and number != ALONE and bridge[i] == number]
        pairwise = heard[others].astype(np.int64).sum(axis=0)
        assert (mixed[me] == np.clip(pairwise, SOFTEST, LOUDEST)).all()
