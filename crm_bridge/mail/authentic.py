"""Whether a server that we trust vouches for the sender of an e-mail (RFC 8601: Authentication-Results)."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from crm_bridge.mail.mime import unquoted, without_comments

_RESULT = re.compile(r"\s*(?P<method>[a-z0-9-]+)\s*(?:/\s*\d+\s*)?=\s*(?P<result>[a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r'(?P<name>[a-z]+\s*\.\s*[a-z0-9-]+)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s;]+)', re.IGNORECASE)
_OUTSIDE_QUOTES = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^";])+')

_SIGNED_BY: Final = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",), "dmarc": ("header.from",)}
"""Which property names the domain that passed. DMARC passes for the domain of From itself (RFC 7489)."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A method that passed, and the domain that it passed for, in lower case."""

    method: str
    domain: str


def is_vouched_for(results: Iterable[str], trusted: Collection[str], domain: str) -> bool:
    """Tell whether the topmost field of a trusted server says that the domain of From sent the message.

    `results` are the Authentication-Results fields from the top. What stands below the topmost may have come with the
    message: a server adds its own above, and need not remove others' (RFC 8601 section 5).
    SPF and DKIM speak of domains of their own; they count where theirs is that of From, or one that it is part of.
    """
    ours = next((each for each in results if server(each) in trusted), None)
    if ours is None or not domain:
        return False
    return any(
        each.domain == domain or (each.method != "dmarc" and _is_part_of(domain, each.domain)) for each in passed(ours)
    )


def server(results: str) -> str:
    """Return the authserv-id of a field, in lower case, "" if there is none."""
    words = without_comments(results).partition(";")[0].split()  # a version may follow it
    return unquoted(words[0]).lower() if words else ""


def passed(results: str) -> Iterator[Passed]:
    """Return the methods that passed, each with its domain."""
    for statement in _OUTSIDE_QUOTES.findall(without_comments(results))[1:]:
        found = _RESULT.match(statement)
        if found is None or found["result"].lower() != "pass":
            continue
        method = found["method"].lower()
        named = {
            "".join(each["name"].lower().split()): unquoted(each["value"]) for each in _PROPERTY.finditer(statement)
        }
        for name in _SIGNED_BY.get(method, ()):
            if name in named:
                yield Passed(method, named[name].rpartition("@")[2].lower().rstrip("."))
                break


def _is_part_of(domain: str, larger: str) -> bool:
    return "." in larger and domain.endswith("." + larger)
