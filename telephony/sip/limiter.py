"""How often one source may be reported, in constant memory."""


class Limiter:
    """Lets one report through per source and interval, and counts the rest.

    At most `size` sources are told apart. Where that many have been reported within the interval, those that are new
    are not: whoever forges sources must not have as many reports as packets.
    """

    def __init__(self, every_s: float, size: int) -> None:
        self._every_s = every_s
        self._size = size
        self._sources: dict[str, tuple[float, int]] = {}  # in the order of their last report

    def allows(self, source: str, now: float) -> int | None:
        """Return None when it is too early, else how many reports of this source were held back since the last."""
        last, held = self._sources.get(source, (None, 0))
        if last is not None and now - last < self._every_s:
            self._sources[source] = (last, held + 1)
            return None
        self._sources.pop(source, None)
        if len(self._sources) >= self._size:
            first = next(iter(self._sources))
            if now - self._sources[first][0] < self._every_s:
                return None
            del self._sources[first]
        self._sources[source] = (now, 0)
        return held
