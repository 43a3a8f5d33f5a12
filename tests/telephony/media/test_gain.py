import numpy as np
import pytest

from telephony.events import GainMode, Join
from telephony.media.g711 import Samples
from telephony.media.gain import AutomaticGain, wanted_db
from tests.telephony.media.room import Room, joined

TALKS, PAUSES = 40, 20


def dbfs(samples: Samples) -> float:
    return float(10 * np.log10(max(np.mean(samples.astype(float) ** 2), 1e-9) / 32768**2))


def talk(level_db: float, seconds: float, noise_db: float = -70.0, seed: int = 1) -> Samples:
    """Noise that is shaped like talk: 0.8 s of it, 0.4 s without."""
    random = np.random.default_rng(seed)
    ticks = round(seconds * 50)
    voiced = (np.arange(ticks) % (TALKS + PAUSES) < TALKS).repeat(160)
    talked = random.normal(0, 32768 * 10 ** (level_db / 20), ticks * 160) * voiced
    return np.clip(talked + random.normal(0, 32768 * 10 ** (noise_db / 20), ticks * 160), -32768, 32767).astype(
        np.int16
    )


def raised(gain: AutomaticGain, said: Samples) -> Samples:
    place = np.array([0])
    parts = [gain.raise_quiet(part[None], place, place, tick) for tick, part in enumerate(said.reshape(-1, 160))]
    return joined([part[0] for part in parts])


@pytest.mark.parametrize(("level", "heard"), [(-38, -26), (-32, -20), (-28, -22), (-24, -24), (-12, -12)])
def test_quiet_talkers_are_raised_slowly(level: float, heard: float) -> None:
    gain = AutomaticGain(1)
    louder = raised(gain, talk(level, 24))
    end = len(louder) - 60 * 160
    assert dbfs(louder[end : end + TALKS * 160]) == pytest.approx(heard, abs=1.5)
    assert dbfs(louder[:6400]) == pytest.approx(level, abs=0.5), "nothing happens at once"


def test_noise_is_not_pumped_up() -> None:
    gain = AutomaticGain(1)
    raised(gain, talk(-90, 20, noise_db=-45))
    assert gain.gain_db(0) == 0
    raised(gain, talk(-34, 12))
    before = gain.gain_db(0)
    assert before > 9
    raised(gain, talk(-90, 10))
    assert gain.gain_db(0) == before


def test_it_comes_down_when_somebody_speaks_up_and_never_wraps_around() -> None:
    gain = AutomaticGain(1)
    raised(gain, talk(-38, 12))
    loud = raised(gain, talk(-6, 12, seed=2))
    assert gain.gain_db(0) == 0
    said = talk(-6, 12, seed=2)
    assert (np.sign(loud[said != 0]) == np.sign(said[said != 0])).all()
    gain.reset(0)
    assert raised(gain, talk(-38, 0.4)).tolist() == talk(-38, 0.4).tolist()


def test_the_rule_has_no_step_and_no_more_than_its_most() -> None:
    levels = np.arange(-60, 0, 0.01).astype(np.float32)
    wanted = wanted_db(levels)
    assert np.abs(np.diff(wanted)).max() < 0.03
    assert (wanted.min(), wanted.max()) == (0, 12)
    assert (np.diff(levels + wanted) > -0.011).all()


@pytest.mark.parametrize(
    ("mode", "legs", "does"),
    [("off", 3, False), ("conference", 2, False), ("conference", 3, True), ("always", 2, True)],
)
def test_whom_it_looks_after(mode: GainMode, legs: int, does: bool) -> None:
    room = Room(automatic_gain=mode)
    for leg in "abc"[:legs]:
        room.add(leg)
        room.do(Join(leg, "b"))
    room.talk({"a": talk(-34, 10)})
    quiet, heard = dbfs(talk(-34, 10)[-9600:]), dbfs(joined(room.phones["b"].heard)[-9600:])
    assert (heard > quiet + 6) == does
