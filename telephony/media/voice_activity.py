"""Voice activity: on which legs somebody speaks, for all that are watched at once.

A tick is `loud` when its power from 250 to 3400 Hz stands above the leg's noise floor and above whatever of the sent
audio may come back as echo (`telephony.media.echo`). It is `voiced` when, besides, it repeats itself as often as a
larynx moves, holds more than two tones, and is not the same sound as the tick before. A spurt of loud ticks is voice
once it has lasted long enough and was voiced of late.

What keeps what out:
- noise that goes on: the floor is the least power of the last two seconds (minimum statistics: R. Martin, Noise power
  spectral density estimation, IEEE Transactions on Speech and Audio Processing 9, 2001);
- noise that begins or grows: it does not repeat itself;
- keys, ringing and other tones: two of them hold nearly all of the power;
- hum: its spectrum stays the same from tick to tick, which no voice's does.

Only loud ticks are looked at closely, so that a leg which is watched and silent costs one short spectrum.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from telephony.clock import SAMPLE_RATE_HZ, SAMPLES_PER_TICK
from telephony.media.echo import Echo
from telephony.media.g711 import Samples
from telephony.media.legs import LONG_AGO
from telephony.rtp.packet import Flags, Integers

Floats = npt.NDArray[np.float32]

LOWEST_BIN, HIGHEST_BIN = 5, 68
"""Of a tick's spectrum, 50 Hz apart: 250 to 3400 Hz. Hum of 50 Hz falls into bins of its own."""
PARTS: Final = 4
PART_TICKS: Final = 25
"""The least of four parts of half a second: the floor looks back 1.5 to 2 s."""
SMOOTHING: Final = np.float32(0.4)
QUIETEST_FLOOR: Final = np.float32(32768.0**2 * 10**-6.5)
"""-65 dBFS: a line that sends digital silence has no floor of its own."""
ABOVE_FLOOR: Final = np.float32(10**0.6)
"""6 dB."""
FAINTEST: Final = np.float32(32768.0**2 * 10**-5.0)
"""-50 dBFS: nothing below is voice."""

FRAME: Final = 2 * SAMPLES_PER_TICK
"""40 ms: three periods of the deepest voice."""
HEARD: Final = FRAME + SAMPLES_PER_TICK
"""The present frame, and the one that ended a tick before."""
TRANSFORM: Final = 432
"""Room for the lags beyond the frame's end."""
SHORTEST_LAG, LONGEST_LAG = 20, 100
"""400 to 80 Hz."""
PERIODIC: Final = np.float32(0.62)
"""Of a thousand frames of noise between white and a car's one or two are so much alike to themselves."""
TONE_REACH: Final = 3
MORE_THAN_TONES: Final = np.float32(0.06)
"""Of the power, what two tones must leave to others."""
STEADY: Final = np.float32(0.12)
"""Of the power, what must change from tick to tick."""

GAP_TICKS: Final = 4
"""80 ms without being loud are within a spurt: the closure of a `p`."""
ENDED_TICKS: Final = 20
"""400 ms of them end what was voice."""
LATELY: Final = np.float32(0.85)
"""How much of what was voiced still counts a tick later."""
VOICED_LATELY: Final = np.float32(2.0)
"""About three ticks in short succession."""
LIKELY, STILL_LIKELY = 0.5, 0.35
"""What a trained detector finds as likely as that is voice; less will do for what was voice before."""
VERDICT_TICKS: Final = 2
"""So much voice is over by the time that a trained detector has found it: a window of it, and a tick to say so."""
STALE_TICKS: Final = 8
"""A trained detector that has not been heard of for so long has no time; the plain one has the word until it has."""

_WINDOW: Final = np.hanning(FRAME).astype(np.float32)


def _weight(highest: float, slope: int) -> Floats:
    """Return weights of a spectrum's powers between 150 Hz and a highest frequency, rising up to 1 kHz."""
    hertz = np.fft.rfftfreq(TRANSFORM, 1 / SAMPLE_RATE_HZ)
    band = np.clip((hertz - 150) / 150, 0, 1) * np.clip((highest - hertz) / 400, 0, 1)
    weights: Floats = (band * np.clip(hertz / 1000, 0, 1) ** slope).astype(np.float32)
    return weights


def _overlap() -> Floats:
    """How much of the window lies upon itself at each lag, 1 at none."""
    alike = np.fft.irfft(np.abs(np.fft.rfft(_WINDOW, TRANSFORM)) ** 2)[: LONGEST_LAG + 2]
    shares: Floats = (alike / alike[0]).astype(np.float32)
    return shares


_PITCH_WEIGHT: Final = _weight(1500.0, 2)
"""Of powers: no hum, no hiss, and so much of the slope taken off that noise of any usual colour is white."""
_TONE_WEIGHT: Final = _weight(3400.0, 1)
_OVERLAP: Final = _overlap()


def voice_power(heard: Samples) -> Floats:
    """Return the mean square of each of int16[n, 160] between 250 and 3400 Hz."""
    spectrum = np.fft.rfft(heard.astype(np.float32))[:, LOWEST_BIN : HIGHEST_BIN + 1]
    power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1) * (2 / SAMPLES_PER_TICK**2)
    return np.asarray(power, np.float32)


class NoiseFloor:
    """The power of a row's noise."""

    def __init__(self, rows: int) -> None:
        self._smooth = np.zeros(rows, np.float32)
        self._least = np.full((rows, PARTS), np.inf, np.float32)
        self._part = np.full(rows, LONG_AGO, np.int64)

    def reset(self, row: int) -> None:
        """Forget a row."""
        self._least[row], self._part[row] = np.inf, LONG_AGO

    def follow(self, rows: Integers, power: Floats, tick: int) -> Floats:
        """Take the power of a tick; return the floor."""
        now = tick // PART_TICKS
        before = self._part[rows]
        if (before != now).any():
            turned = rows[before != now]
            self._least[turned, now % PARTS] = np.inf
            self._part[turned] = now
        smooth = np.where(before < now - 1, power, self._smooth[rows] + SMOOTHING * (power - self._smooth[rows]))
        self._smooth[rows] = smooth
        part = self._least[rows, now % PARTS]
        self._least[rows, now % PARTS] = np.minimum(part, smooth)
        floor: Floats = np.maximum(self._least[rows].min(axis=1), QUIETEST_FLOOR)
        return floor


def is_voiced(sound: Floats, known: Flags) -> Flags:
    """Say of float32[n, HEARD] in which the last tick is of a larynx. Of the `known` ones somebody else said so: they
    need only not be of a machine."""
    count = len(sound)
    frames = np.concatenate((sound[:, SAMPLES_PER_TICK:], sound[:, :FRAME]))
    spectrum = np.fft.rfft(frames * _WINDOW, TRANSFORM)
    powers: Floats = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    now, before = powers[:count] * _TONE_WEIGHT, powers[count:] * _TONE_WEIGHT
    lively = (beside_tones(now) > MORE_THAN_TONES) & (change(before, now) > STEADY)
    voiced: Flags = lively & (known | (periodicity(powers[:count] * _PITCH_WEIGHT) > PERIODIC))
    return voiced


def periodicity(power: Floats) -> Floats:
    """Return how alike each of n power spectra's sounds is to itself a period of a voice later: 1 for the very same."""
    alike = np.fft.irfft(power, TRANSFORM)[:, : LONGEST_LAG + 2] / _OVERLAP
    inner = alike[:, SHORTEST_LAG : LONGEST_LAG + 1]
    peak = (inner >= alike[:, SHORTEST_LAG - 1 : LONGEST_LAG]) & (inner >= alike[:, SHORTEST_LAG + 1 : LONGEST_LAG + 2])
    best: Floats = np.where(peak, inner, 0).max(axis=1) / (alike[:, 0] + 1)
    return best


def beside_tones(power: Floats) -> Floats:
    """Return which share of each of n power spectra is not in its two strongest tones."""
    rest, each = power.copy(), np.arange(len(power))[:, None]
    for _ in range(2):
        strongest = rest.argmax(axis=1)[:, None] + np.arange(-TONE_REACH, TONE_REACH + 1)
        rest[each, np.clip(strongest, 0, power.shape[1] - 1)] = 0
    share: Floats = rest.sum(axis=1) / (power.sum(axis=1) + 1)
    return share


def change(before: Floats, now: Floats) -> Floats:
    """Return which share of the power of n pairs of spectra is not the same in both."""
    pairs = np.stack((before, now))[:, :, : TRANSFORM // 2].reshape(2, len(now), -1, 2).sum(axis=3)
    share: Floats = np.abs(pairs[1] - pairs[0]).sum(axis=1) / (pairs.sum(axis=(0, 2)) + 1)
    return share


class Spurts:
    """How long each row has been heard, and whether that is voice."""

    def __init__(self, rows: int) -> None:
        self._loud = np.zeros(rows, np.int64)
        self._gap = np.zeros(rows, np.int64)
        self._voiced = np.zeros(rows, np.float32)

    def reset(self, row: int) -> None:
        """Begin anew: what was said before does not count."""
        self._loud[row] = self._gap[row] = 0
        self._voiced[row] = 0.0

    def follow(self, rows: Integers, loud: Flags, voiced: Flags, shortest: Integers) -> Flags:
        """Take a tick; return whose spurt is voice: one of so many loud ticks, voiced of late."""
        gap = np.where(loud, 0, self._gap[rows] + 1)
        goes_on = gap <= GAP_TICKS
        count = np.where(goes_on, self._loud[rows] + loud, 0)
        lately = np.where(goes_on, self._voiced[rows] * LATELY + voiced, 0)
        self._gap[rows], self._loud[rows], self._voiced[rows] = gap, count, lately
        found: Flags = (count >= shortest) & (lately >= VOICED_LATELY)
        return found


class Heard(NamedTuple):
    """Of each row that was listened to: whether its spurt is voice by now, and whether voice began or ended in this
    tick."""

    voice: Flags
    began: Flags
    ended: Flags


class VoiceActivity:
    """Listens to table rows, and keeps what it knows of each."""

    def __init__(self, rows: int, shortest_ticks: int) -> None:
        """`shortest_ticks` are how many loud ticks are voice."""
        self._shortest = shortest_ticks
        self._past = np.zeros((rows, HEARD - SAMPLES_PER_TICK), np.int16)
        self._floor = NoiseFloor(rows)
        self._echo = Echo(rows)
        self._spurts = Spurts(rows)
        self._speaking = np.zeros(rows, np.bool_)
        self._quiet = np.zeros(rows, np.int64)
        self._judged = np.zeros(rows, np.bool_)
        """What a trained detector said last."""
        self._judged_at = np.full(rows, LONG_AGO, np.int64)

    def reset(self, row: int) -> None:
        """Forget a row: it is another leg's."""
        self._past[row] = 0
        self._floor.reset(row)
        self._echo.reset(row)
        self._speaking[row] = False
        self.begin(row)

    def begin(self, row: int) -> None:
        """Begin anew on a row: what was said before does not count, what is known of its line does."""
        self._spurts.reset(row)
        self._judged[row], self._judged_at[row] = False, LONG_AGO

    def fall_silent(self, row: int) -> None:
        """Take it that nobody speaks on a row, without a word about the end."""
        self._speaking[row] = False

    def send(self, rows: Integers, sent: Samples, tick: int) -> None:
        """Take what rows are sent in a tick, int16[n, 160], for it may come back."""
        self._echo.send(rows, sent, tick)

    def judge(self, rows: Integers, likely: Floats, tick: int) -> None:
        """Take how likely a trained detector finds voice on rows, 0 to 1."""
        self._judged_at[rows] = tick
        self._judged[rows] = likely >= np.where(self._judged[rows], STILL_LIKELY, LIKELY)

    def listen(self, rows: Integers, heard: Samples, tick: int) -> Heard:
        """Take a tick of n distinct rows, int16[n, 160]. Of those that are judged by a trained detector it knows better
        what sounds like a voice."""
        power = voice_power(heard)
        judged = tick - self._judged_at[rows] <= STALE_TICKS
        beyond = power > np.maximum(self._echo.loudest(rows), FAINTEST)
        noise = ABOVE_FLOOR * self._floor.follow(rows, power, tick)
        loud = beyond & (power > noise)
        self._echo.learn(rows, power, noise, ~loud)
        loud = np.where(judged, beyond & self._judged[rows], loud)
        sound = np.concatenate((self._past[rows], heard), axis=1)
        voiced = np.zeros(len(rows), np.bool_)
        if loud.any():
            voiced[loud] = is_voiced(sound[loud].astype(np.float32), judged[loud])
        self._past[rows] = sound[:, SAMPLES_PER_TICK:]
        shortest = np.where(judged, max(1, self._shortest - VERDICT_TICKS), self._shortest)
        return self._follow(rows, loud, voiced, shortest)

    def _follow(self, rows: Integers, loud: Flags, voiced: Flags, shortest: Integers) -> Heard:
        voice = self._spurts.follow(rows, loud, voiced, shortest)
        quiet = np.where(loud, 0, self._quiet[rows] + 1)
        began = voice & ~self._speaking[rows]
        ended = self._speaking[rows] & (quiet >= ENDED_TICKS)
        self._quiet[rows] = quiet
        self._speaking[rows] = (self._speaking[rows] | began) & ~ended
        return Heard(voice, began, ended)
