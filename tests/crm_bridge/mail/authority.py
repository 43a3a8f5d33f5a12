"""Whoever grants access tokens (RFC 6749) and says which are good (RFC 7662), over real HTTP on loopback."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.crm_bridge.mail.dovecot import USER
from tests.crm_bridge.serving import Quiet, serving


@dataclass
class Authority:
    """`good` are the access tokens that hold; `asked` the forms of those who wanted one."""

    url: str = ""
    good: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def introspection(self) -> str:
        """What a token is put behind."""
        return f"{self.url}/introspect?token="

    def grant(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.asked.append(form)
        if form.get("refresh_token") not in (None, "first"):
            return 400, {"error": "invalid_grant", "error_description": "The token is revoked."}
        token = f"access-{len(self.asked)}"
        self.good = {token}
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600}


@contextlib.contextmanager
def granting() -> Iterator[Authority]:
    """Run one."""
    authority = Authority()

    class Handler(Quiet):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            asked = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
            status, document = authority.grant(asked)
            self.answer(json.dumps(document).encode(), status)

        def do_GET(self) -> None:  # noqa: N802 - the library's name
            token = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
            active = token in authority.good
            self.answer(json.dumps({"active": active, "username": USER} if active else {"active": False}).encode())

    with serving(Handler) as port:
        authority.url = f"http://127.0.0.1:{port}"
        yield authority
