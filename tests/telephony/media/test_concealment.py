import numpy as np

from telephony.media.concealment import REPEATS, Concealment

LEGS = np.array([0, 2])


def test_the_last_audio_fades_out_and_audio_starts_it_anew() -> None:
    concealment = Concealment(3)
    heard = np.full((2, 160), 10_000, np.int16)
    heard[1] = -10_000
    for _ in range(2):
        concealment.remember(LEGS, heard)
        levels: list[int] = []
        for _ in range(REPEATS):
            filled, concealed = concealment.fill(LEGS)
            assert concealed.all()
            assert (filled[0] == -filled[1]).all()
            assert (np.diff(filled[0]) <= 0).all()
            levels += [int(filled[0, 0]), int(filled[0, -1])]
        assert levels[0] == 10_000
        assert levels == sorted(levels, reverse=True)
        assert levels[-1] < 100
        filled, concealed = concealment.fill(LEGS)
        assert not filled.any()
        assert not concealed.any()


def test_what_was_hushed_or_reset_is_not_repeated() -> None:
    concealment = Concealment(3)
    concealment.remember(np.arange(3), np.full((3, 160), 1000, np.int16))
    concealment.hush(np.array([0]))
    concealment.reset(1)
    filled, concealed = concealment.fill(np.arange(3))
    assert concealed.tolist() == [False, False, True]
    assert not filled[:2].any()
