"""The pages: what `make ui` built, served with a policy that lets nothing of another origin in.

Every file is read at the start, so that no address can lead out of the folder. The page itself carries a fresh nonce
each time, which is what its own style elements are known by; scripts come from files alone.
"""

import gzip
import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

FOLDER: Final = Path(__file__).parent / "pages"
NONCE: Final = "__NONCE__"
PATHS: Final = (
    "/",
    "/sign-in",
    "/desk",
    "/customers",
    "/customers/{rest:path}",
    "/tasks",
    "/supervise",
    "/supervise/{rest:path}",
    "/call",
)
UNBUILT: Final = "The pages are not built yet: run `make ui` where the hotline was installed from, then start it again."
SMALL: Final = 1024
PERMISSIONS: Final = "microphone=(self), speaker-selection=(self), camera=(), geolocation=(), payment=(), usb=()"


def policy(nonce: str) -> str:
    """Return the Content-Security-Policy of a page (CSP level 3: 'self' of connect-src covers WebSockets)."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "media-src 'self' blob:",
            "worker-src 'self'",
            "manifest-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        )
    )


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    packed: bytes
    kind: str


class Pages:
    """The routes of the pages in `folder`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        page = folder / "index.html"
        self._page = page.read_text("utf-8") if page.is_file() else ""
        self._assets = {
            f"/{file.relative_to(folder).as_posix()}": _asset(file)
            for file in (sorted(folder.rglob("*")) if self._page else ())
            if file.is_file() and file != page and file.suffix != ".map"
        }

    def routes(self) -> list[Route]:
        """Return the routes: the pages, and every file they need."""
        pages = [Route(path, self._show) for path in PATHS]
        return [*pages, *(Route(path, self._send) for path in self._assets)]

    def paths(self) -> frozenset[str]:
        """Return the addresses of the files."""
        return frozenset(self._assets)

    async def _show(self, _request: Request) -> Response:
        if not self._page:
            return PlainTextResponse(UNBUILT, 503)
        nonce = secrets.token_urlsafe(18)
        headers = {"Content-Security-Policy": policy(nonce), "Permissions-Policy": PERMISSIONS}
        return HTMLResponse(self._page.replace(NONCE, nonce), headers=headers)

    async def _send(self, request: Request) -> Response:
        asset = self._assets[request.url.path]
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if not request.url.path.startswith("/assets/"):
            headers["Cache-Control"] = "public, max-age=3600"
        if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.kind)
        return Response(asset.body, headers=headers, media_type=asset.kind)


def _asset(file: Path) -> _Asset:
    body = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    text = kind.startswith(("text/", "image/svg")) or kind in ("application/javascript", "application/json")
    packed = gzip.compress(body, 9, mtime=0) if text and len(body) > SMALL else b""
    return _Asset(body, packed, kind)
