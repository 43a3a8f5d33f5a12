"""How we say who we are: what goes with each request, and the request for a token (RFC 6749). Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from crm_bridge.connectors import found, template
from crm_bridge.connectors.exchange import Answer
from crm_bridge.connectors.place import Place

EARLY_S = 30.0
"""So long before its end a token is not used any more."""


class NoToken(Exception):
    """No token came; the text says why, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Token:
    """What lets us in until `until`."""

    value: str
    until: float


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A POST of a form to the whole address `url`."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def header_of(place: Place, token: Token | None) -> dict[str, str]:
    """Return the header that goes with each request. Raises `template.Unfit`."""
    sign_in, given = place.connector.sign_in, _given(place)
    match sign_in.kind:
        case "header":
            return {sign_in.header: template.header_of(sign_in.value, given)}
        case "basic":
            user = str(template.value_of(sign_in.user, given) or "")
            return {"Authorization": _basic(user, str(template.value_of(sign_in.password, given) or ""))}
        case "oauth2" if token is not None:
            return {sign_in.header: f"{sign_in.scheme} {token.value}"}
    return {}


def token_request(place: Place) -> TokenRequest:
    """Return what asks for a token. Raises `template.Unfit`."""
    sign_in, given = place.connector.sign_in, _given(place)
    client_id, secret = place.credentials.get("client_id", ""), place.credentials.get("client_secret", "")
    form: dict[str, str] = {"grant_type": sign_in.grant}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if sign_in.client == "basic":
        headers["Authorization"] = _basic(client_id, secret)
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    if sign_in.grant == "refresh_token":
        form["refresh_token"] = place.credentials.get("refresh_token", "")
    scope = template.value_of(sign_in.scope, given | {"base": place.base})
    if scope:
        form["scope"] = str(scope)
    url = (place.login or place.base) + template.path_of(sign_in.token, given)
    return TokenRequest(url, headers, urlencode(form).encode())


def token_of(place: Place, answer: Answer, now: float) -> Token:
    """Read the answer to `token_request`. Raises `NoToken`. Some say in a 200 that there is none."""
    whole = answer.parsed
    value = found.as_text(found.at(whole, ("access_token",)))
    if not 200 <= answer.status <= 299 or not value:
        error = found.as_text(found.at(whole, ("error",)))
        raise NoToken(f"no token: HTTP {answer.status} {error if error.isidentifier() else ''}".rstrip())
    if not value.isascii() or not value.isprintable():
        raise NoToken("no token: what came is none")
    try:
        lasts_s = float(found.as_text(found.at(whole, ("expires_in",))) or place.connector.sign_in.lasts_s)
    except ValueError:
        lasts_s = place.connector.sign_in.lasts_s
    return Token(value, now + max(0.0, lasts_s - EARLY_S))


def _given(place: Place) -> dict[str, str | None]:
    return {**place.connector.options, **place.options, **place.credentials}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
