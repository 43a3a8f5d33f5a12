"""The command line. What only one command needs is imported by it alone, if it is more than a few milliseconds: a
person who adds a token does not wait for what the server needs."""

import asyncio
import getpass
import importlib
import importlib.util
import json as json_text
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from sqlalchemy import select

from hotline import auth, customers_cli, database, flow_commands, flow_draw, hours_cli, privacy_cli
from hotline.auth import NewUser, Role
from hotline.config import chosen_file
from hotline.config_values import host_port
from hotline.terminal import (
    EXTRAS,
    FAILED,
    Config,
    Data,
    Failed,
    FriendlyGroup,
    in_session,
    pasteable,
    print_rows,
    say,
    settings_of,
)
from recordings.tables import Recording
from telephony.clock import datetime_of
from telephony.edge import collector

app = typer.Typer(
    cls=FriendlyGroup,
    help="A voice contact center: one customer, one profile, one timeline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _group(name: str, about: str) -> typer.Typer:
    group = typer.Typer(help=about, no_args_is_help=True)
    app.add_typer(group, name=name)
    return group


flow = _group("flow", "IVR flows.")
flow_commands.add_to(flow)
flow_draw.add_to(flow)
users = _group("users", "People.")
tokens = _group("tokens", "API tokens.")
db = _group("db", "The database.")
customers = _group("customers", "Customers.")
customers_cli.add_to(customers)
privacy_cli.add_to(customers)
hours_cli.add_to(_group("hours", "Opening hours."))
connectors = _group("connectors", "The CRM that you have already.")
recordings = _group("recordings", "Recordings.")
models_group = _group("models", "Speech models.")
bench = _group("bench", "Benchmarks.")
recordings.command("purge")(privacy_cli.purge)


def main() -> None:
    """Run the command line; the program's entry point."""
    os.umask(0o077)  # profiles and voices are nobody else's on this machine, in whatever folder they are kept
    app(prog_name="hotline")


# ---------------------------------------------------------------------------------------------- server, demo, phone


@app.command()
def serve(config: Config = None, data: Data = None) -> None:
    """Run the server; SIGTERM drains it: no new calls, running calls go on."""
    with collector.resting():
        from hotline import app as server  # noqa: PLC0415
        from hotline.welcome import welcome  # noqa: PLC0415

        settings = settings_of(config, data)
        options = "".join(f" {name} {value}" for name, value in (("--config", config), ("--data", data)) if value)

        def announce(started: "server.Hotline") -> None:
            fingerprint = started.certificate.fingerprint if started.certificate else ""
            text = welcome(settings, started.sip.address, started.new_users, options, fingerprint, started.sip.told)
            typer.echo(pasteable(text))

        try:
            server.serve(settings, announce)
        except server.CannotStart as error:
            raise Failed(str(error)) from error


@app.command()
def demo(
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make one whole call on loopback, and check it."""
    absent = [module for module in EXTRAS if importlib.util.find_spec(module) is None]
    if absent:
        raise Failed(f"the demo needs {', '.join(absent)}, not installed yet: pip install 'hotline[demo]'")
    from hotline import demo as story  # noqa: PLC0415

    settings_of(config)
    raise typer.Exit(story.run(as_json=json))


@app.command()
def call(  # noqa: PLR0913, PLR0917  (each is an option that people type)
    number: Annotated[str, typer.Argument(help="The number to dial.")],
    config: Config = None,
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to call; else sip.listen.")] = "",
    from_: Annotated[
        str, typer.Option("--from", metavar="N", help="The caller's number; `anonymous`, or none, hides it.")
    ] = "",
    user: Annotated[str, typer.Option(metavar="U", help="User, for a server that asks.")] = "",
    password: Annotated[str, typer.Option(metavar="P", help="Password, for a server that asks.")] = "",
    press: Annotated[str, typer.Option(metavar='"1 # 2"', help="Keys to press, as tones in the audio.")] = "",
    text: Annotated[str, typer.Option("--say", metavar="TEXT", help="Text to speak.")] = "",
    play: Annotated[Path | None, typer.Option(metavar="F", help="A .wav file to play.")] = None,
    record: Annotated[Path | None, typer.Option(metavar="F", help="Write what is heard to this .wav file.")] = None,
    seconds: Annotated[float | None, typer.Option(metavar="N", min=0.1, help="Hang up after N seconds.")] = None,
) -> None:
    """Call a number with a command-line phone."""
    if importlib.util.find_spec("pyVoIP") is None:
        raise Failed("the command-line phone is not installed: pip install 'hotline[phone]'")
    listen = next((each for each in settings_of(config).sip.listen if each.transport == "udp"), None)
    if not server and listen is None:
        raise Failed("the command-line phone speaks UDP only, and no `udp:` stands in sip.listen; add one, or --server")
    given = {
        "--server": server or (host_port(listen.host, listen.port) if listen else ""),
        "--from": from_,
        "--user": user,
        "--password": password,
        "--press": press,
        "--say": text,
        "--play": play,
        "--record": record,
        "--seconds": seconds,
    }
    options = [word for option, value in given.items() if value for word in (option, str(value))]
    # The phone is a program of its own (docs/decisions/0002): this process becomes it.
    command = [sys.executable, "-m", "hotline.phone", "call", number, *options]
    os.execv(sys.executable, command)  # noqa: S606  (no shell is wanted)


@app.command()
def omnitest(  # noqa: PLR0913, PLR0917  (each is an option that people type)
    server: Annotated[str, typer.Option(metavar="URL", help="The server; else web.public_url or web.listen.")] = "",
    token: Annotated[
        str, typer.Option(metavar="T", envvar="HOTLINE_TOKEN", help="Of scope admin; else one is made for the test.")
    ] = "",
    sip: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to call; else sip.listen.")] = "",
    number: Annotated[str, typer.Option(metavar="N", help="The number to dial; else the first of `numbers`.")] = "",
    from_: Annotated[str, typer.Option("--from", metavar="N", help="The caller's number; else one is made up.")] = "",
    press: Annotated[str, typer.Option(metavar='"2s 1"', help="Keys that go on with the open case.")] = "2s 1",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write to a running server on every channel, call it, and see whether that is one person with one history."""
    from hotline.omnitest import command  # noqa: PLC0415
    from hotline.omnitest.story import OmnitestFailed  # noqa: PLC0415

    settings = settings_of(config, data)
    try:
        passed = command.test(
            settings, server=server, token=token, sip=sip, dialled=number, number=from_, press=press, as_json=json
        )
    except OmnitestFailed as error:
        raise Failed(str(error)) from error
    raise typer.Exit(0 if passed else FAILED)


# --------------------------------------------------------------------------------------------------- people, tokens


def _given(written: str | None) -> str | None:
    """Return the password itself: `-` stands for one that is typed, or comes as a line of standard input."""
    if written != "-":
        return written
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


# The words of a command line are seen by everybody on the machine.
Password = Annotated[
    str | None,
    typer.Option(metavar="P", callback=_given, help="Sign-in password, - to be asked; made up when not given."),
]
SipPassword = Annotated[
    str | None,
    typer.Option(metavar="P", callback=_given, help="The phone's password, - to be asked; made up when not given."),
]


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument(help="Small letters and digits; also the user of the SIP address.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    password: Password = None,
    sip_password: SipPassword = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Add a person; the secrets are shown this once."""
    settings = settings_of(config, data)
    realm, now = settings.sip.domain, time.time()
    _show(in_session(settings, lambda inner: auth.add_user(inner, name, role, realm, now, password, sip_password)))


@users.command("reset")
def users_reset(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    password: Password = None,
    sip_password: SipPassword = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Give a person new secrets; they are shown this once."""
    settings = settings_of(config, data)
    realm = settings.sip.domain
    _show(in_session(settings, lambda inner: auth.reset_user(inner, name, realm, password, sip_password)))


def _show(new: NewUser) -> None:
    for key in ("name", "role", "password", "sip_user", "sip_password", "sip_domain"):
        typer.echo(f"{key}: {getattr(new, key)}")
    say("The passwords are kept nowhere in the clear: write them down now.")


@users.command("disable")
def users_disable(
    name: Annotated[str, typer.Argument(help="The person's name.")], config: Config = None, data: Data = None
) -> None:
    """Let a person and their phone sign in no more; `users reset` lets them again."""
    now = time.time()
    in_session(settings_of(config, data), lambda inner: auth.disable_user(inner, name, now))
    say(f"`{name}` is disabled; a registration that stands runs out by itself.")


@users.command("list")
def users_list(config: Config = None, data: Data = None) -> None:
    """List people."""
    found = in_session(settings_of(config, data), auth.users)
    rows = [[row.name, row.role, row.realm, _instant(row.created_at), _instant(row.disabled_at)] for row in found]
    print_rows(["name", "role", "sip_domain", "created_at", "disabled_at"], rows)


@tokens.command("add")
def tokens_add(
    name: Annotated[str, typer.Argument(help="Who uses it, such as `crm`.")],
    scope: Annotated[list[str], typer.Option(help=f"What it opens, may be repeated: {', '.join(auth.SCOPES)}.")],
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; never when not given.")] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Make an API token and print it, alone, this once."""
    now = time.time()
    expires_at = now + days * 86400 if days else None
    typer.echo(in_session(settings_of(config, data), lambda inner: auth.add_token(inner, name, scope, now, expires_at)))
    say(f"The token is kept nowhere in the clear: write it down now. It opens {', '.join(sorted(set(scope)))}.")


@tokens.command("list")
def tokens_list(config: Config = None, data: Data = None) -> None:
    """List API tokens; the tokens themselves are kept nowhere."""
    found = in_session(settings_of(config, data), auth.tokens)
    rows = [
        [row.id, row.name, ",".join(row.scopes), *map(_instant, (row.created_at, row.last_used_at, row.expires_at))]
        for row in found
    ]
    print_rows(["id", "name", "scopes", "created_at", "last_used_at", "expires_at"], rows)


@tokens.command("remove")
def tokens_remove(
    id_: Annotated[str, typer.Argument(metavar="ID", help="From `tokens list`.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Make a token void, at once."""
    in_session(settings_of(config, data), lambda inner: auth.remove_token(inner, id_))
    say("The token opens nothing any more.")


# ------------------------------------------------------------------------------------------- database, flows, models


@db.command("upgrade")
def db_upgrade(config: Config = None, data: Data = None) -> None:
    """Bring the database to this version's tables."""
    url = settings_of(config, data).database_url
    asyncio.run(database.upgrade(url))
    current, _ = asyncio.run(database.revisions(url))
    say(f"The database is at revision {current}.")


@db.command("compact")
def db_compact(config: Config = None, data: Data = None) -> None:
    """Write the database's file anew, so that nothing of deleted rows is left in it; best while nobody works."""
    url = settings_of(config, data).database_url
    asyncio.run(database.upgrade(url))
    say(asyncio.run(database.scrub(url, None)) + ".")


@flow.command("check")
def flow_check(
    files: Annotated[list[Path], typer.Argument(metavar="F…", help="Flows, or folders of flows.")],
    config: Config = None,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
) -> None:
    """Prove flows sound; every error as `file:line:column: code: text`, with a call that shows it.

    With `--config`, queues and values of the settings that flows name must be there."""
    from hotline.flows import check  # noqa: PLC0415
    from ivr_flows.trials.examining import files_of  # noqa: PLC0415

    settings = settings_of(config)
    flows = files_of(files)
    if not flows:
        raise Failed(f"there is no flow in {', '.join(map(str, files))}; name a file or a folder of flows")
    found = check(flows, None if config is None else settings)
    for error in found:
        typer.echo(str(error))
    if any(strict or not error.warning for error in found):
        raise typer.Exit(FAILED)
    say(f"{len(flows)} sound." if len(flows) > 1 else "Sound.")


@flow.command("schema")
def flow_schema(config: Config = None) -> None:
    """Print the JSON Schema of flows, for editors: they complete verbs and mark what is misspelt."""
    settings_of(config)
    from ivr_flows.schema import schema  # noqa: PLC0415

    typer.echo(json_text.dumps(schema(), indent=2, ensure_ascii=False))


@connectors.command("check")
def connectors_check(
    what: Annotated[str, typer.Argument(metavar="C", help="A connector of the settings, or a file.")],
    config: Config = None,
) -> None:
    """Prove a connector's file, errors as `file:line:column: text`; sign in, if it is one of the settings."""
    from crm_bridge.connectors import load  # noqa: PLC0415
    from crm_bridge.connectors.errors import CrmError  # noqa: PLC0415
    from hotline.connectors import try_out  # noqa: PLC0415

    source = settings_of(config).connectors.get(what)
    if source is None:
        try:
            say(f"{load.load(load.shipped().get(what) or Path(what)).title}: sound.")
        except load.ConnectorErrors as error:
            typer.echo(str(error))
            raise typer.Exit(FAILED) from None
        return
    try:
        say(asyncio.run(try_out(source.place(what, source.connector()), time.time)) + ".")
    except CrmError as error:
        raise Failed(f"the connector `{what}`: {error}; correct connectors.{what}, or see to that CRM") from None


@recordings.command("list")
def recordings_list(
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 50, config: Config = None, data: Data = None
) -> None:
    """List recordings, newest first."""
    query = select(Recording).order_by(Recording.started_at.desc(), Recording.id).limit(limit)
    found = in_session(settings_of(config, data), lambda inner: inner.scalars(query))
    rows = [
        [
            row.id,
            _instant(row.started_at),
            f"{row.seconds:.1f}",
            row.state,
            row.language,
            row.transcript_state,
            row.path,
        ]
        for row in found
    ]
    print_rows(["id", "started_at", "seconds", "state", "language", "transcript", "path"], rows)


@models_group.command("list")
def models_list(config: Config = None) -> None:
    """List how each language is heard and spoken."""
    from hotline import models  # noqa: PLC0415

    rows = [
        [state.language, state.role, state.engine or "-", state.model or "-", state.cause or "ready"]
        for state in models.model_states(settings_of(config))
    ]
    print_rows(["language", "role", "engine", "model", "state"], rows)


@app.command("doctor")
def doctor_(config: Config = None, data: Data = None) -> None:
    """Say what is missing or wrong, and the command that mends it."""
    from rich.console import Console  # noqa: PLC0415

    from hotline import doctor  # noqa: PLC0415

    settings = settings_of(config, data)
    findings = asyncio.run(doctor.examine(settings, chosen_file(config, os.environ)))
    console = Console(highlight=False, soft_wrap=True)
    colours = {"ok": "green", "note": "yellow", "wrong": "red"}
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        console.print(f"{finding.state:5}", style=colours[finding.state], end="  ", markup=False)
        console.print(f"{finding.what:{width}}  {finding.detail}", markup=False)
        if finding.mend:
            console.print(f"{'':5}  {'':{width}}  mend: {pasteable(finding.mend)}", style="bold", markup=False)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(FAILED)


# -------------------------------------------------------------------------------------------------------- benchmarks


Case = Annotated[str | None, typer.Option("--case", metavar="NAME", help="Only this case.")]
Seconds = Annotated[float | None, typer.Option("--seconds", min=1, help="How long each row is measured.")]
Rows = Annotated[bool, typer.Option("--json", help="Print an array of rows.")]


@bench.command("media")
def bench_media(
    case: Case = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Only this many calls.")] = None,
    seconds: Seconds = None,
    json: Rows = False,
    config: Config = None,
) -> None:
    """Measure the media worker: CPU, delivery and spacing with many calls."""
    _measure("media", config, case, n, seconds, as_json=json)


@bench.command("webrtc")
def bench_webrtc(
    case: Case = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Only this many legs.")] = None,
    seconds: Seconds = None,
    json: Rows = False,
    config: Config = None,
) -> None:
    """Measure browsers' legs: CPU, set-up, delivery and memory."""
    _measure("webrtc", config, case, n, seconds, as_json=json)


@bench.command("signalling")
def bench_signalling(
    case: Case = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Calls a second; of `memory`, calls in all.")] = None,
    seconds: Seconds = None,
    json: Rows = False,
    config: Config = None,
) -> None:
    """Measure the SIP side: calls a second on one core, CPU of each, what an overload does, memory."""
    _measure("signalling", config, case, n, seconds, as_json=json)


@bench.command("lookup")
def bench_lookup(
    case: Case = None,
    n: Annotated[
        int | None, typer.Option("--n", min=10, help="So many interactions, of a tenth as many customers.")
    ] = None,
    seconds: Seconds = None,
    json: Rows = False,
    config: Config = None,
) -> None:
    """Measure how long it takes to know who calls, among a million customers."""
    _measure("lookup", config, case, n, seconds, as_json=json)


@bench.command("flows")
def bench_flows(
    case: Case = None,
    n: Annotated[int | None, typer.Option("--n", min=10, help="So many simulated callers.")] = None,
    seconds: Seconds = None,
    json: Rows = False,
    config: Config = None,
) -> None:
    """Measure flows alone: calls a second on one core, in virtual time."""
    _measure("flows", config, case, n, seconds, as_json=json)


def _measure(
    name: str, config: Path | None, case: str | None, n: int | None, seconds: float | None, *, as_json: bool
) -> None:
    """Run a benchmark and print its rows, and to people, how they stand to their targets."""
    settings_of(config)
    measured = _benchmark(name)
    try:
        rows: list[Mapping[str, Any]] = list(measured.run(case=case, n=n, seconds=seconds))
    except (RuntimeError, ValueError) as error:
        raise Failed(str(error)) from error
    if as_json:
        typer.echo(json_text.dumps(rows))
        return
    _table([{key: value for key, value in row.items() if key != "target"} for row in rows])
    for line in measured.verdicts(rows):
        typer.echo(line)


def _benchmark(name: str) -> ModuleType:
    """Load a benchmark from the source tree: they are no part of the installed program."""
    root = Path(__file__).parent.parent
    if not (root / "bench" / f"{name}.py").is_file():
        raise Failed(
            f"there is no {root / 'bench' / name}.py: benchmarks run from the source tree (git clone, make bench)"
        )
    sys.path.insert(0, str(root))
    return importlib.import_module(f"bench.{name}")


def _table(rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    heads = list(dict.fromkeys(key for row in rows for key in row))
    print_rows(heads, [[str(row.get(head, "")) for head in heads] for row in rows])


def _instant(at: float | None) -> str:
    return datetime_of(at).isoformat(timespec="seconds").replace("+00:00", "Z") if at else ""
