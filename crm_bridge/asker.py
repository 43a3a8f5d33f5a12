"""Who asks over HTTP, and that it is written down what they did."""

from typing import Literal, Protocol

from fastapi import Request


class Audit(Protocol):
    """Who writes down who did what."""

    async def __call__(self, request: Request, what: str, about: str) -> None:
        """Write what the request's principal does."""
        ...


def name_of(request: Request) -> str:
    """Return the name of whoever asks, as rows have room for it; empty where nobody is signed in."""
    return str(getattr(getattr(request.state, "principal", None), "name", ""))[:64]


def source_of(request: Request) -> Literal["page", "api"]:
    """Return whence somebody asks: only people, who use pages, have a role."""
    return "page" if getattr(getattr(request.state, "principal", None), "role", "") else "api"


async def audited(request: Request, what: str, about: str) -> None:
    """Have it written what whoever asks does, where there is an audit log (`app.state.audit`)."""
    audit: Audit | None = getattr(request.app.state, "audit", None)
    if audit is not None:
        await audit(request, what, about)
