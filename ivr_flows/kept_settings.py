"""Settings in what a flow tells the world: one may be a key to the service, and the journal is to have its name alone.
What stands for it is filled in when it is sent (`telephony.requests.CallHttp`). Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from ivr_flows.expression import ExpressionError
from ivr_flows.facts import Named, Setting

STANDS_FOR: Final = "{{settings.{}}}"

T = TypeVar("T")


class KeptSettings(Named):
    """The settings, each by what stands for it. `named` are those that were asked for."""

    __slots__ = ("named",)

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__({name: Setting(STANDS_FOR.format(name)) for name in names})
        self.named: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """Return what stands for one."""
        self.named.add(name)
        return super().__getitem__(name)


class Telling:
    """Says what templates and expressions come to, with settings by what stands for them. `settings` are those that
    were said: no others are filled in, whatever a caller's own words are."""

    def __init__(self, scope: Mapping[str, object], names: Iterable[str]) -> None:
        self._scope, self._names = scope, tuple(names)
        self._said: set[str] = set()

    @property
    def settings(self) -> tuple[str, ...]:
        """Return the names of those that were said."""
        return tuple(sorted(self._said))

    def say(self, source: str, work: Callable[[str, Mapping[str, object]], T]) -> T:
        """Return what `work` makes of a source and a scope. Where more than the text of a setting matters (a filter, a
        comparison) it is itself. Raises `ExpressionError`."""
        kept = KeptSettings(self._names)
        try:
            said = work(source, {**self._scope, "settings": kept})
        except ExpressionError:
            return work(source, self._scope)
        if not all(STANDS_FOR.format(name) in str(said) for name in kept.named):
            return work(source, self._scope)
        self._said |= kept.named
        return said
