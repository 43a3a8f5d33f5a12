"""The pages: a policy that lets nothing else in, files by a table, and plain words when nothing is built."""

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hotline import pages as pages_module
from hotline.config import Settings
from hotline.database import Sessions
from hotline.pages import NONCE, PATHS, Pages
from hotline.web import SECURITY_HEADERS, create_app
from tests.hotline.conftest import StandingClock

SCRIPT = "console.log('hello');\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `make ui` leaves, with things beside it that are nobody's business."""
    made = tmp_path / "pages"
    (made / "assets").mkdir(parents=True)
    (made / "index.html").write_text(f'<meta property="csp-nonce" content="{NONCE}"><style nonce="{NONCE}">', "utf-8")
    (made / "assets" / "index-1a2b.js").write_text(SCRIPT, "utf-8")
    (made / "assets" / "index-1a2b.js.map").write_text("the source", "utf-8")
    (made / "assets" / "small-1.css").write_text("a{}", "utf-8")
    (made / "assets" / "ring-1.wav").write_bytes(b"RIFF" * 1000)
    (made / "icon.svg").write_text("<svg/>", "utf-8")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    return made


@pytest.fixture
def app(
    folder: Path, settings: Settings, sessions: Sessions, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> FastAPI:
    monkeypatch.setattr("hotline.web.Pages", lambda: Pages(folder))
    return create_app(settings, sessions, clock)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost:8080")


def directives(policy: str) -> dict[str, list[str]]:
    parts = [part.split() for part in policy.split(";")]
    assert len({part[0] for part in parts}) == len(parts), "a directive that comes twice counts once"
    return {part[0]: part[1:] for part in parts}


@pytest.mark.parametrize(
    "path", [*(path for path in PATHS if "{" not in path), "/supervise/recordings/1", "/customers/1"]
)
async def test_every_page_comes_with_its_policy(app: FastAPI, path: str) -> None:
    async with client_of(app) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = directives(answer.headers["content-security-policy"])
    nonce = policy["style-src"][1].removeprefix("'nonce-").removesuffix("'")
    assert policy == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", f"'nonce-{nonce}'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "media-src": ["'self'", "blob:"],
        "worker-src": ["'self'"],
        "manifest-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    assert len(nonce) >= 22  # 128 bits (CSP level 3 section 7.1)
    assert answer.text.count(nonce) == 2
    assert NONCE not in answer.text
    for name in set(SECURITY_HEADERS) - {"Content-Security-Policy"}:
        assert answer.headers[name] == SECURITY_HEADERS[name]
    assert answer.headers["permissions-policy"].startswith("microphone=(self)")
    assert "camera=()" in answer.headers["permissions-policy"]


async def test_no_nonce_comes_twice(app: FastAPI) -> None:
    async with client_of(app) as client:
        policies = [(await client.get("/desk")).headers["content-security-policy"] for _ in range(20)]
    assert len(set(policies)) == 20


async def test_files_are_served_with_their_types_and_kept_for_a_year(app: FastAPI) -> None:
    async with client_of(app) as client:
        script = await client.get("/assets/index-1a2b.js", headers={"Accept-Encoding": "identity"})
        assert script.text == SCRIPT
        assert "javascript" in script.headers["content-type"]
        assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert script.headers["x-content-type-options"] == "nosniff"
        assert "content-encoding" not in script.headers
        style = await client.get("/assets/small-1.css")
        assert (style.text, style.headers["content-type"]) == ("a{}", "text/css; charset=utf-8")
        icon = await client.get("/icon.svg")
        assert (icon.headers["content-type"], icon.headers["cache-control"]) == (
            "image/svg+xml",
            "public, max-age=3600",
        )


async def test_text_is_packed_for_whoever_takes_it_packed(app: FastAPI) -> None:
    async with client_of(app) as client:
        answer = await client.get("/assets/index-1a2b.js", headers={"Accept-Encoding": "br, gzip"})
        assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert int(answer.headers["content-length"]) < len(SCRIPT) / 5
        assert answer.text == SCRIPT
        sound = await client.get("/assets/ring-1.wav")
        assert "content-encoding" not in sound.headers


def test_what_is_packed_comes_out_as_it_was() -> None:
    this = Path(__file__)
    assert gzip.decompress(pages_module._asset(this).packed) == this.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/assets/index-1a2b.js.map",
        "/assets/",
        "/assets",
        "/index.html",
        "/assets/../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets//index-1a2b.js",
        "/secret.txt",
        "//icon.svg",
        "/icon.svg/",
        "/ICON.svg",
        "/icon.svg%00",
        "/desk/../secret.txt",
    ],
)
async def test_nothing_else_is_reached_by_any_address(app: FastAPI, path: str) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    for as_sent in {path, path.replace("%2e", ".").replace("%2f", "/").replace("%00", "\0")}:
        scope = {"type": "http", "method": "GET", "path": as_sent, "raw_path": path.encode(), "root_path": ""}
        rest = {"scheme": "http", "query_string": b"", "headers": [], "client": ("::1", 1), "server": ("::1", 80)}
        sent.clear()
        await app(scope | rest, receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 401
        assert b"secret" not in bytes(sent[1]["body"])  # type: ignore[call-overload]


async def test_nothing_is_written_to_a_page(app: FastAPI) -> None:
    async with client_of(app) as client:
        for path in ("/desk", "/assets/index-1a2b.js"):
            assert (await client.post(path)).status_code == 401
            assert (await client.head(path)).content == b""


async def test_pages_that_are_not_built_say_so(
    tmp_path: Path, settings: Settings, sessions: Sessions, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotline.web.Pages", lambda: Pages(tmp_path / "nothing"))
    async with client_of(create_app(settings, sessions, clock)) as client:
        answer = await client.get("/desk")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
        assert "make ui" in answer.text
        assert (await client.get("/healthz")).status_code == 200
