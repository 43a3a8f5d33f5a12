"""How often one source may be reported, in constant memory."""


class Limiter:
    """Lets one report through per source and interval, and counts the rest.

    At most `size` sources are told apart; the one heard of first gives way.
    """

    def __init__(self, every_s: float, size: int) -> None:
        self._every_s = every_s
        self._size = size
        self._sources: dict[str, tuple[float, int]] = {}

    def allows(self, source: str, now: float) -> int | None:
        """Return None when it is too early, else how many reports of this source were held back since the last."""
        last, held = self._sources.get(source, (None, 0))
        if last is not None and now - last < self._every_s:
            self._sources[source] = (last, held + 1)
            return None
        self._sources.pop(source, None)
        while len(self._sources) >= self._size:
            del self._sources[next(iter(self._sources))]
        self._sources[source] = (now, 0)
        return held
