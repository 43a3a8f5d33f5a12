"""Points that must have come true, each a list of facts looked for in what a story brought back: of `hotline demo` and
`hotline omnitest`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

Facts = Iterable[tuple[str, bool]]
"""What is looked for, in words, and whether it is so."""


@dataclass(frozen=True, slots=True)
class Check:
    """One point and whether it is so."""

    name: str
    passed: bool
    detail: str


def judge(name: str, look: Callable[[], Facts]) -> Check:
    """Look for the facts of a point; where what they would stand in is not there, the point is not so."""
    try:
        facts = list(look())
    except (LookupError, TypeError, AttributeError, ValueError, OSError, StopIteration) as error:
        return Check(name, passed=False, detail=f"there is nothing to look at ({type(error).__name__}: {error})")
    missing = [what for what, is_so in facts if not is_so]
    if missing:
        return Check(name, passed=False, detail="not: " + "; ".join(missing))
    return Check(name, passed=True, detail="; ".join(what for what, _ in facts))


def body(checks: Sequence[Check]) -> dict[str, Any]:
    """Return a verdict for programs."""
    return {"passed": all(check.passed for check in checks), "checks": [asdict(check) for check in checks]}


def show(console: Console, checks: Iterable[Check]) -> None:
    """Print a line for each point."""
    for check in checks:
        mark = "[green]PASS[/green]" if check.passed else "[red]FAIL[/red]"
        console.print(f"{mark}  {check.name}: {escape(check.detail)}", highlight=False, soft_wrap=True)
