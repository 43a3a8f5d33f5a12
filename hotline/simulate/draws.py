"""Numbers by chance that are the same whenever the seed is: no clock, no order of hashes, a stream for each caller."""

import math
import random
from typing import Final

from hotline.simulate.behaviour import Shares, Time

LEAST_S: Final = 0.001


class Draws:
    """One stream of chance, told from others by its name. What one caller draws changes nothing for the next."""

    def __init__(self, seed: int, name: str) -> None:
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311  (a simulation, not a secret)

    def time_s(self, time: Time) -> float:
        """Return how long something takes this time."""
        match time.shape:
            case "fixed":
                return time.mean_s
            case "lognormal":
                sigma2 = math.log(1 + (time.deviation_s / time.mean_s) ** 2)
                drawn = self._random.lognormvariate(math.log(time.mean_s) - sigma2 / 2, math.sqrt(sigma2))
            case _:
                drawn = self._random.expovariate(1 / time.mean_s)
        return max(LEAST_S, drawn)

    def exponential_s(self, mean_s: float) -> float:
        """Return the time to the next of things that happen independently of each other."""
        return self._random.expovariate(1 / mean_s)

    def one_of(self, shares: Shares) -> str:
        """Return one of what may happen, as often as its share says."""
        drawn, passed = self._random.random(), 0.0
        for name, share in shares.items():
            passed += share
            if drawn < passed:
                return name
        return next(reversed(list(shares)))

    def digits(self, count: int) -> str:
        """Return so many digits."""
        return "".join(str(self._random.randrange(10)) for _ in range(count))
