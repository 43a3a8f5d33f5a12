import numpy as np
import pytest

from telephony.media.echo import LATEST_TICKS, LEARNED_TICKS, Echo, Floats
from telephony.media.g711 import Samples

ROW = np.array([2])
LOUD = (np.ones((1, 160)) * 3000).astype(np.int16)
SILENT = np.zeros((1, 160), np.int16)


def power(samples: Samples, db: float = 0.0) -> Floats:
    powers: Floats = ((samples.astype(np.float32) ** 2).mean(axis=1) * 10 ** (db / 10)).astype(np.float32)
    return powers


def below_db(echo: Echo) -> float:
    """How far below what was sent an echo may be, as far as is known."""
    return float(10 * np.log10(echo.loudest(ROW)[0] / power(LOUD)[0]))


def told(
    echo: Echo,
    ticks: int,
    returned_db: float,
    *,
    sent: Samples = LOUD,
    quiet: bool = True,
    begin: int = 0,
    noise_db: float = -70.0,
) -> None:
    for tick in range(begin, begin + ticks):
        echo.learn(ROW, power(LOUD, returned_db), power(LOUD, noise_db), np.array([quiet]))
        echo.send(ROW, sent, tick)


def test_at_first_it_may_be_nine_decibels_below_what_was_sent() -> None:
    echo = Echo(3)
    assert echo.loudest(ROW)[0] == 0
    echo.send(ROW, LOUD, 0)
    assert below_db(echo) == pytest.approx(-9, abs=0.01)


def test_what_was_sent_counts_for_half_a_second_to_a_second() -> None:
    echo = Echo(3)
    echo.send(ROW, LOUD, 10)
    for tick in range(11, 10 + LATEST_TICKS + 1):
        echo.send(ROW, SILENT, tick)
        assert below_db(echo) == pytest.approx(-9, abs=0.01)
    for tick in range(10 + LATEST_TICKS + 1, 10 + 2 * LATEST_TICKS + 1):
        echo.send(ROW, SILENT, tick)
    assert echo.loudest(ROW)[0] == 0


def test_it_is_forgotten_while_nobody_listens() -> None:
    echo = Echo(3)
    echo.send(ROW, LOUD, 10)
    echo.send(ROW, SILENT, 1000)
    assert echo.loudest(ROW)[0] == 0


@pytest.mark.parametrize(("returned", "known"), [(-12, -9), (-14, -9), (-25, -19), (-60, -54)])
def test_a_second_of_sound_shows_what_comes_back_of_it(returned: float, known: float) -> None:
    echo = Echo(3)
    told(echo, LEARNED_TICKS, returned)
    assert below_db(echo) == pytest.approx(-9, abs=0.01)
    told(echo, 1, returned, begin=LEARNED_TICKS)
    assert below_db(echo) == pytest.approx(known, abs=0.01)


def test_what_comes_back_later_is_learned_at_once_and_forgotten_in_two_seconds() -> None:
    echo = Echo(3)
    told(echo, LEARNED_TICKS + 1, -40)
    told(echo, 1, -20, begin=60)
    assert below_db(echo) == pytest.approx(-14, abs=0.01)
    told(echo, 2 * LEARNED_TICKS, -40, begin=61)
    assert below_db(echo) == pytest.approx(-34, abs=0.01)


def test_what_hides_in_the_noise_of_the_line_may_be_there() -> None:
    echo = Echo(3)
    told(echo, LEARNED_TICKS // 2, -90, noise_db=-40)
    told(echo, LEARNED_TICKS // 2, -50, noise_db=-30, begin=LEARNED_TICKS // 2)
    told(echo, 1, -90, noise_db=-40, begin=LEARNED_TICKS)
    assert below_db(echo) == pytest.approx(-34, abs=0.01)


def test_nothing_is_learned_of_voices_nor_of_what_is_hardly_there() -> None:
    echo = Echo(3)
    told(echo, 2 * LEARNED_TICKS, -40, quiet=False)
    told(echo, 2 * LEARNED_TICKS, -40, sent=(LOUD / 100).astype(np.int16), begin=1000)
    echo.send(ROW, LOUD, 2000)
    assert below_db(echo) == pytest.approx(-9, abs=0.01)


def test_rows_are_their_own_and_reset_forgets() -> None:
    echo = Echo(3)
    told(echo, LEARNED_TICKS + 1, -40)
    other = np.array([0])
    echo.send(other, LOUD, 51)
    assert 10 * np.log10(echo.loudest(other)[0] / power(LOUD)[0]) == pytest.approx(-9, abs=0.01)
    echo.reset(2)
    assert echo.loudest(ROW)[0] == 0
    echo.send(ROW, LOUD, 52)
    assert below_db(echo) == pytest.approx(-9, abs=0.01)
