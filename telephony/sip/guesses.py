"""Wrong passwords, told from attacks, and what they cost whoever makes them.

Rule 1: a wrong password counts against whoever asked for the challenge that it answers, not against the address that it
seems to come from. A challenge goes to the address that asked; who forges addresses never sees one. So nobody is shut
out by what somebody else sends, from elsewhere or in his name.

Rule 2: neither a first request without credentials counts, nor an old challenge, whatever the password with it.

Rule 3: memory is constant. Entries are made by those alone who have answered a challenge wrongly, and the one that has
not been used for longest gives way.
"""

from typing import Final

ADDRESS: Final = 3
"""So many times the free guesses of one user are free for all users of an address together: several phones behind it
may be set up wrongly."""
LONGEST_S: Final = 300.0
GENTLE_S: Final = 5.0
"""The longest wait where a phone of that user is registered from that address: it may have been started anew."""
FORGIVEN_S: Final = 3600.0
ANY_USER: Final = ""


class Guesses:
    """How often which users' passwords have been guessed wrongly, by who asked for the challenge (`asker`). `free`
    wrong ones of a user from one address cost nothing: people mistype."""

    def __init__(self, free: int, size: int) -> None:
        self._free = free
        self._size = size
        self._wrong: dict[tuple[str, str], tuple[int, float]] = {}  # in the order of their last use

    def __len__(self) -> int:
        return len(self._wrong)

    def wait(self, asker: str, user: str, now: float, *, gentle: bool = False) -> float:
        """Return how many seconds it takes until an attempt is looked at, 0 for at once. `gentle`: the user is
        registered from there."""
        longest = GENTLE_S if gentle else LONGEST_S
        until = 0.0
        for key, free in (((asker, user), self._free), ((asker, ANY_USER), ADDRESS * self._free)):
            count, last = self._wrong.get(key, (0, 0.0))
            if count >= free:
                until = max(until, last + min(2.0 ** min(count - free, 30), longest))
        return max(0.0, until - now)

    def failed(self, asker: str, user: str, now: float) -> None:
        """Count a wrong password."""
        for key in {(asker, user), (asker, ANY_USER)}:
            count, last = self._wrong.pop(key, (0, now))
            self._wrong[key] = (1 if now - last > FORGIVEN_S else count + 1, now)
        while len(self._wrong) > self._size:
            del self._wrong[next(iter(self._wrong))]

    def succeeded(self, asker: str, user: str) -> None:
        """Forget what was mistyped before. What the same address did in other names stays: one good password is no
        licence to guess others."""
        self._wrong.pop((asker, user), None)
