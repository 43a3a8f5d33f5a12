"""`hotline omnitest` as it is called: what its options leave open is taken from the settings."""

import asyncio
import importlib.util
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from rich.console import Console
from rich.markup import escape

from hotline import auth, database
from hotline.checks import show
from hotline.config import Settings
from hotline.config_values import host_port, is_wildcard
from hotline.omnitest.story import Aim, OmnitestFailed, Outcome, run
from hotline.tls import CERTIFICATE_FILE

REQUEST_S: Final = 20.0
TOKEN_S: Final = 900.0
ANY_NUMBER: Final = "19001234"
"""What is dialled where the settings have no number but `*`."""


def test(
    settings: Settings, *, server: str, token: str, sip: str, dialled: str, number: str, press: str, as_json: bool
) -> bool:
    """Run the test and print the verdict; return whether all is well. Raises `OmnitestFailed`."""
    if importlib.util.find_spec("pyVoIP") is None:
        raise OmnitestFailed("the phone that calls is not installed: pip install 'hotline[phone]'")
    web = server.rstrip("/") or settings.web.url
    aim = Aim(web, token, sip or _sip(settings), dialled or _dialled(settings), number, press)
    outcome = asyncio.run(_run(aim, settings, Console(stderr=True)))
    if as_json:
        print(json.dumps(outcome.body(), ensure_ascii=False, indent=1))  # noqa: T201
    else:
        show(Console(), outcome.checks)
    return outcome.passed


def _sip(settings: Settings) -> str:
    listen = next((each for each in settings.sip.listen if each.transport == "udp"), None)
    if listen is None:
        raise OmnitestFailed("the phone speaks UDP only, and no `udp:` stands in sip.listen; add one, or give --sip")
    return host_port("127.0.0.1" if is_wildcard(listen.host) else listen.host, listen.port)


def _dialled(settings: Settings) -> str:
    return next((number for number in settings.numbers if number != "*"), ANY_NUMBER)


async def _run(aim: Aim, settings: Settings, console: Console) -> Outcome:
    def tell(what: str) -> None:
        console.print(f"[dim]{escape(what)} ...[/dim]", highlight=False)

    async with _token(aim.token, settings) as token:
        headers = {"Authorization": f"Bearer {token}"}
        trust = _trust(settings) if aim.web.startswith("https:") else False
        async with httpx.AsyncClient(base_url=aim.web, headers=headers, timeout=REQUEST_S, verify=trust) as http:
            try:
                (await http.get("/readyz")).raise_for_status()
                return await run(aim, settings, tell, http)
            except (httpx.HTTPError, ssl.SSLError) as error:
                raise OmnitestFailed(
                    f"no hotline answers at {aim.web} ({str(error) or type(error).__name__}); "
                    "start it with `hotline serve`, or give its address with --server"
                ) from None


@asynccontextmanager
async def _token(given: str, settings: Settings) -> AsyncIterator[str]:
    """The token that was given, or one of our own for as long as the test takes."""
    if given:
        yield given
        return
    current, _ = await database.revisions(settings.database_url)
    if current is None:
        raise OmnitestFailed(
            f"there is no database for {settings.data}: give the server's settings with --config, or a --token"
        )
    engine = database.open_engine(settings.database_url)
    sessions = database.session_factory(engine)
    try:
        async with sessions.begin() as session:
            token = await auth.add_token(session, "omnitest", ["admin"], time.time(), time.time() + TOKEN_S)
        try:
            yield token
        finally:
            async with sessions.begin() as session:
                if (principal := await auth.check_token(session, token, time.time())) is not None:
                    await auth.remove_token(session, principal.token)
    finally:
        await engine.dispose()


def _trust(settings: Settings) -> ssl.SSLContext:
    """Believe whom the system believes, and the hotline's own certificate."""
    context = ssl.create_default_context()
    own = settings.data / CERTIFICATE_FILE
    if own.is_file():
        context.load_verify_locations(own)
    return context
