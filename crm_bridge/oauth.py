"""Access tokens of other systems, renewed with a refresh token (RFC 6749 section 6) or the client's own credentials
(section 4.4).

Rule 1: a refresh token may be good for one time only, and the new one is then all that we have: it is in the file, and
the file on the disk, before anybody uses what came with it. What no client can help: an answer that is lost on its way
here took the old one with it.
Rule 2: the settings hold the first refresh token, the file the newest. Another one in the settings begins anew.
Rule 3: one renewal at a time, however many find a token spent.
"""

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec

EARLY_S: Final = 120.0
"""So long before it expires a token is not used any more."""
TIMEOUT_S: Final = 15.0
USUAL_LIFE_S: Final = 3600.0
MAX_ANSWER_OCTETS: Final = 65_536
MAX_SAID: Final = 160


class NoToken(Exception):
    """There is no access token to be had; the text says why. `is_lasting`: until somebody gives us another start."""

    def __init__(self, cause: str, *, is_lasting: bool = False) -> None:
        super().__init__(cause)
        self.is_lasting = is_lasting


class Kept(msgspec.Struct, frozen=True):
    """What is in the file. `seed` is the hash of the refresh token of the settings that it began with."""

    seed: str
    refresh_token: str
    access_token: str = ""
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Grant:
    """How tokens are got. `form` and `headers` go with every request; `refresh_token` is the first one, empty for the
    client's own credentials. `file` is where the newest are kept, None where nothing has to be."""

    url: str
    form: Mapping[str, str] = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: Path | None = None

    @property
    def seed(self) -> str:
        return hashlib.sha256(f"{self.url} {self.refresh_token}".encode()).hexdigest()


class Tokens:
    """The access token of one account. `client` makes the requests."""

    def __init__(self, grant: Grant, client: httpx.AsyncClient) -> None:
        self._grant = grant
        self._client = client
        self._kept: Kept | None = None
        self._is_saved = True
        self._one_by_one = asyncio.Lock()

    async def get(self, now: float, spent: str = "") -> str:
        """Return a token that holds for a while. `spent` is one that the far end does not take any more. Raises
        `NoToken`."""
        async with self._one_by_one:
            kept = self._kept = self._kept or await self._begin()
            if not kept.access_token or kept.access_token == spent or now >= kept.expires_at - EARLY_S:
                await self._save(kept)  # where the next one could not be kept, this one is not spent
                self._kept = await self._renewed(kept, now)
                self._is_saved = False
            if not self._is_saved:
                await self._save(self._kept)
            return self._kept.access_token

    async def _begin(self) -> Kept:
        first = Kept(self._grant.seed, self._grant.refresh_token)
        if self._grant.file is None:
            return first
        try:
            kept = await asyncio.to_thread(_read, self._grant.file)
        except (OSError, msgspec.MsgspecError) as error:
            # Never begin anew by mistake: the token of the settings is spent, and asking with it may spoil the newest.
            raise NoToken(f"{self._grant.file} cannot be read: {error}", is_lasting=True) from None
        return kept if kept is not None and kept.seed == first.seed else first

    async def _renewed(self, kept: Kept, now: float) -> Kept:
        answer = await self._ask(kept)
        return Kept(
            kept.seed,
            str(answer.get("refresh_token") or kept.refresh_token),
            str(answer["access_token"]),
            now + _seconds(answer.get("expires_in")),
        )

    async def _save(self, kept: Kept) -> None:
        """Write what came. Where it cannot be written nobody uses it, and it is tried again with the next use."""
        if self._grant.file is not None:
            try:
                await asyncio.to_thread(_write, self._grant.file, kept)
            except OSError as error:
                raise NoToken(f"{self._grant.file} cannot be written: {error.strerror}") from None
        self._is_saved = True

    async def _ask(self, kept: Kept) -> Mapping[str, Any]:
        form = dict(self._grant.form)
        if kept.refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
        else:
            form |= {"grant_type": "client_credentials"}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._client.post(self._grant.url, data=form, headers=dict(self._grant.headers))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise NoToken(f"no token from {_host(self._grant.url)}: {str(error) or type(error).__name__}") from None
        return _granted(response, _host(self._grant.url))


def _granted(response: httpx.Response, host: str) -> Mapping[str, Any]:
    """Return an answer that grants a token. RFC 6749 section 5.2 says no with 400 and `error`, Zalo with 200 and it."""
    try:
        answer = json.loads(response.content[:MAX_ANSWER_OCTETS])
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoToken(f"{host} answers HTTP {response.status_code} with what is no JSON object")
    if answer.get("access_token") and response.status_code < 300:
        return answer
    said = [str(answer[key]) for key in ("error", "error_name", "error_description", "error_reason") if answer.get(key)]
    cause = "".join(sign for sign in ": ".join(said) if sign.isprintable())[:MAX_SAID]
    is_down = response.status_code >= 500 or response.status_code == 429
    raise NoToken(f"{host} grants no token: {cause or f'HTTP {response.status_code}'}", is_lasting=not is_down)


def _seconds(value: object) -> float:
    text = str(value)
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else USUAL_LIFE_S


def _host(url: str) -> str:
    return httpx.URL(url).host


def _read(file: Path) -> Kept | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except FileNotFoundError:
        return None


def _write(file: Path, kept: Kept) -> None:
    """Replace a file so that, whenever the power goes, the old one or the new one is there, whole.

    What root writes belongs to whoever the folder around belongs to: `hotline doctor` may be root's.
    """
    fresh = file.with_name(f"{file.name}.new")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    around = file.parent.parent.stat()
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()  # of a renewal that was ended here; its mode need not be ours
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if os.geteuid() == 0:
            os.chown(file.parent, around.st_uid, around.st_gid, follow_symlinks=False)
            os.fchown(descriptor, around.st_uid, around.st_gid)
        stream.write(msgspec.json.encode(kept))
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
