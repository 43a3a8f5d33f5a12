"""How much one sender may send, in constant memory."""


class Allowance:
    """Lets `per_minute` through per sender, as many at once, and no more until a part of the minute is over.

    At most `size` senders are told apart; of more than that, the one not heard of for longest is forgotten.
    """

    def __init__(self, per_minute: int, size: int) -> None:
        self._per_minute = per_minute
        self._size = size
        self._levels: dict[str, tuple[float, float]] = {}  # sender -> level, and when; in the order of the latter

    def takes(self, sender: str, now: float) -> bool:
        """Whether one more is taken from a sender; one that is not taken does not count."""
        level, at = self._levels.pop(sender, (0.0, now))
        level = max(0.0, level - (now - at) * self._per_minute / 60)
        taken = level + 1 <= self._per_minute
        if len(self._levels) >= self._size:
            del self._levels[next(iter(self._levels))]
        self._levels[sender] = (level + taken, now)
        return taken
