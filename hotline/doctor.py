"""What is missing or wrong on this machine, and the command that mends it. Nothing is changed by looking, but access
tokens: what signs in with one (`oauth`) is renewed where it is due, and what came is kept as the server does.

`wrong` keeps the hotline from doing what the settings say; `note` is something that works without, or mends itself.
"""

import asyncio
import fcntl
import os
import resource
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from crm_bridge import offers
from crm_bridge.codes.book import routes_by
from crm_bridge.connectors.errors import CrmError
from crm_bridge.connectors.errors import NotLetIn as CrmKeepsUsOut
from crm_bridge.mail.follow import opened
from crm_bridge.mail.imap import ImapError
from crm_bridge.notify.choice import AUTO
from crm_bridge.notify.submission import NotLetIn
from crm_bridge.notify.submission import Submission as SubmissionClient
from crm_bridge.privacy import certificate
from crm_bridge.webhooks.addresses import AddressRefused, locate
from hotline import auth, database, notify, privacy, sip_listeners, tls
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings, TlsFiles
from hotline.config_connectors import ConnectorSource
from hotline.config_mail import MailSource
from hotline.config_values import Listen, host_port
from hotline.config_webhook import Webhook
from hotline.connectors import try_out
from hotline.mail import door_settings, mailbox, token_of
from hotline.models import heard, model_states
from hotline.notify import client_for
from ivr_flows import flow as flows
from ivr_flows.calendar import opens_next
from ivr_flows.hearing import languages_heard
from ivr_flows.linking import why_not_dialled
from ivr_flows.load import FlowError, read_folder
from ivr_flows.prove import Outside, prove
from telephony.clock import iso
from telephony.edge import silero
from telephony.edge.dns import Dns, Unanswered
from telephony.edge.ice import try_server
from telephony.edge.ice_servers import IceServer
from telephony.sip.uri import Uri

OPEN_FILES: Final = 8192
"""Connections of phones, far ends, pages and the API within their bounds (docs/security.md), and as much again."""
LOCK_FILE: Final = "hotline.lock"

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` is a command, or what to change; empty when there is nothing to do."""

    what: str
    state: State
    detail: str
    mend: str = ""


async def examine(settings: Settings, file: Path | None) -> list[Finding]:
    """Look at everything that the settings name. `file` is where they came from, None for the embedded default."""
    findings = [Finding("settings", "ok", str(file or "the embedded default"))]
    findings += await asyncio.to_thread(lambda: _of_this_machine(settings))
    findings += await _trunks(settings)
    findings += await asyncio.gather(*(_ice_server(server) for server in settings.media.servers))
    findings += await asyncio.gather(*(_webhook(webhook) for webhook in settings.webhooks))
    findings += await asyncio.gather(*(_mail(settings, name, source) for name, source in settings.mail.items()))
    findings += await _submission(settings)
    findings += await asyncio.gather(*(_connector(name, source) for name, source in settings.connectors.items()))
    findings += await _database(settings)
    findings += await asyncio.to_thread(lambda: [*_models(settings), *_voice_detector(settings), *_extras()])
    return findings


def _of_this_machine(settings: Settings) -> list[Finding]:
    return [
        *_folders(settings),
        *_open_files(),
        *_addresses(settings),
        *_voice(settings),
        *_certificates(settings),
        *_erasures_key(settings),
        *_flows(settings),
        *_hours(settings),
        *_offers(settings),
        *_channels(settings),
    ]


# ---------------------------------------------------------------------------------------------------------- folders


def _folders(settings: Settings) -> Iterator[Finding]:
    low = settings.recordings.low_space << 20
    yield from _folder("data", settings.data, low)
    if not settings.recordings_folder.is_relative_to(settings.data):
        yield from _folder("recordings.store", settings.recordings_folder, low)


def _folder(what: str, folder: Path, low_octets: int) -> Iterator[Finding]:
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(what, "wrong", f"{nearest} cannot be written", f"chown it, or set `{what}` to another folder")
        return
    made = "" if nearest == folder else ", made at the first start"
    free = shutil.disk_usage(nearest).free
    if free < low_octets:
        yield Finding(what, "wrong", f"{folder}: {free >> 20} MiB free", f"make room, or set `{what}` to another disk")
    elif not made and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield Finding(what, "note", f"{folder} can be read by others on this machine", f"chmod 700 {folder}")
    else:
        yield Finding(what, "ok", f"{folder} ({free >> 30} GiB free{made})")


# -------------------------------------------------------------------------------------------------------- addresses


def _addresses(settings: Settings) -> Iterator[Finding]:
    if _runs(settings.data):
        yield Finding("addresses", "ok", "the hotline of this data folder is running, and has them")
        return
    for listen in settings.sip.listen:
        yield _address("sip.listen", listen)
    yield _address("web.listen", settings.web.listen)
    for name, source in settings.mail.items():
        if source.listen is not None:
            yield _address(f"mail.{name}.listen", source.listen)
    yield _address("media.address", Listen("udp", settings.media.address, 0))


def _voice(settings: Settings) -> Iterator[Finding]:
    """Whether the phones that reach us can send their voice, too."""
    media = Listen("udp", settings.media.address, 0)
    if media.is_loopback and not all(each.is_loopback for each in settings.sip.listen):
        detail = f"phones on the network reach sip.listen, and their voice would have to come to {media.host}"
        mend = "set `media.address` to the address of this machine that they reach"
        yield Finding("media.address", "wrong", detail, mend)


def _open_files() -> Iterator[Finding]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < OPEN_FILES:
        detail = f"{most} at most: as many connections as are let in take up to {OPEN_FILES}"
        mend = f"LimitNOFILE={OPEN_FILES} in the unit of systemd, or ulimit -n {OPEN_FILES} before the start"
        yield Finding("open files", "note", detail, mend)


def _certificates(settings: Settings) -> Iterator[Finding]:
    if settings.sip.tls.files is not None:
        yield _certificate("sip.tls", settings.sip.tls.files)
    if settings.sip.tls.authorities is not None:
        yield _authorities(settings)
    if isinstance(settings.web.tls, TlsFiles):
        yield _certificate("web.tls", settings.web.tls)


def _erasures_key(settings: Settings) -> Iterator[Finding]:
    """The key that signs certificates of erasure, once there is one."""
    path = settings.data / privacy.KEY_FOLDER / certificate.KEY_FILE
    if path.exists():
        try:
            privacy.key(settings)
        except certificate.KeyUnusable as error:
            yield Finding("key of erasures", "wrong", str(error), f"restore {path} from a backup")
        else:
            yield Finding("key of erasures", "ok", str(path))


def _certificate(setting: str, files: TlsFiles) -> Finding:
    try:
        found = tls.given(files.certificate, files.key, time.time(), setting)
    except tls.TlsError as error:
        return Finding(setting, "wrong", str(error), f"set `{setting}` to a certificate and its key, or leave it out")
    return Finding(setting, "ok", f"{files.certificate}, SHA-256 {found.fingerprint}")


def _authorities(settings: Settings) -> Finding:
    try:
        sip_listeners.trusted(settings)
    except CannotStart as error:
        mend = "set `sip.tls.authorities` to a file of certificates in PEM, or leave it out"
        return Finding("sip.tls.authorities", "wrong", str(error), mend)
    return Finding("sip.tls.authorities", "ok", str(settings.sip.tls.authorities))


def _runs(data: Path) -> bool:
    """Tell whether a server holds the lock of this folder."""
    try:
        file = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _address(what: str, listen: Listen) -> Finding:
    kind = socket.SOCK_DGRAM if listen.transport == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((listen.host, listen.port))
    except OSError as error:
        place = f"{listen.transport} {host_port(listen.host, listen.port)}"
        return Finding(what, "wrong", f"{place}: {error.strerror}", f"set `{what}` to an address that is free here")
    return Finding(what, "ok", host_port(listen.host, listen.port) if listen.port else listen.host)


# ----------------------------------------------------------------------------------------------------------- trunks


def _channels(settings: Settings) -> Iterator[Finding]:
    """Where each channel is to deliver; its secrets are not shown."""
    for name, channel in settings.channels.items():
        yield _delivered_at(settings, f"channels.{name}", channel.kind, name)


def _delivered_at(settings: Settings, what: str, kind: str, name: str) -> Finding:
    """Whether a far end can deliver: they speak to https: addresses alone."""
    address = f"{kind}: {settings.web.url}/hooks/{name}"
    if settings.web.public_url.startswith("https:") or isinstance(settings.web.tls, TlsFiles):
        return Finding(what, "ok", address)
    mend = "set `web.public_url` to the https: address under which others reach us, or `web.tls` to a certificate"
    return Finding(what, "note", f"{address} is not what the world outside can reach and believe", mend)


async def _trunks(settings: Settings) -> list[Finding]:
    dns = Dns([(each.host, each.port) for each in settings.sip.dns], time.time, secrets.token_hex)
    findings: list[Finding] = []
    for trunk in settings.sip.trunks:
        findings += [await _target(trunk.name, uri, dns) for uri in trunk.uris]
        if trunk.user and not trunk.password.get_secret_value():
            detail = f"`{trunk.name}`: the account `{trunk.user}` has no password"
            findings.append(Finding("sip.trunks", "note", detail, "set its `password`, unless it needs none"))
        if not (trunk.user or trunk.caller_number or trunk.withhold):
            detail = f"`{trunk.name}`: calls that go out show no number, which most far ends refuse"
            findings.append(Finding("sip.trunks", "note", detail, "set its `caller_number`"))
    return findings


async def _target(trunk: str, uri: Uri, dns: Dns) -> Finding:
    mend = "correct the trunk's `targets`, or `sip.dns`"
    try:
        places, _ = await dns.locate(uri)
    except Unanswered as error:
        return Finding("sip.trunks", "wrong", f"`{trunk}`: {uri.host} cannot be looked up: {error}", mend)
    if not places:
        return Finding("sip.trunks", "wrong", f"`{trunk}`: {uri.host} leads nowhere", mend)
    leads = ", ".join(f"{place.transport.lower()}:{host_port(place.host, place.port)}" for place in places)
    return Finding("sip.trunks", "ok", f"`{trunk}`: {uri.write()} is {leads}")


# ------------------------------------------------------------------------------------------------- STUN and TURN


async def _ice_server(server: IceServer) -> Finding:
    try:
        told = await try_server(server, time.time())
    except OSError as error:
        mend = "correct `media.ice_servers`, or start that server"
        if server.is_turn:
            mend += "; and see that `media.turn_secret`, or the server's `credential`, is what it knows"
        return Finding("media.ice_servers", "wrong", f"{server.url}: {error}", mend)
    does = "relays by" if server.is_turn else "sees us at"
    return Finding("media.ice_servers", "ok", f"{server.url} {does} {told}")


# --------------------------------------------------------------------------------------------------------- webhooks


async def _webhook(webhook: Webhook) -> Finding:
    """Where its name leads. Nothing is sent."""
    parts = urlsplit(webhook.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(webhook.timeout):
            addresses = await locate(parts.hostname or "", port, private=webhook.private)
    except (AddressRefused, TimeoutError) as error:
        mend = "correct its `url`, or write private: yes where it is to be in a network of yours"
        cause = str(error) or f"{parts.hostname} is not looked up within {webhook.timeout:g} s"
        return Finding("webhooks", "wrong", f"`{webhook.name}`: {cause}", mend)
    return Finding("webhooks", "ok", f"`{webhook.name}`: {parts.hostname} is {host_port(addresses[0], port)}")


# ------------------------------------------------------------------------------------------------------------- mail


async def _mail(settings: Settings, name: str, source: MailSource) -> Finding:
    """Whether its folder can be opened, or its door. No message is read."""
    what = f"mail.{name}"
    try:
        if source.kind == "http":
            return _delivered_at(settings, what, "letters", name)
        if source.kind == "smtp":
            door_settings(name, source)
            return Finding(what, "ok", f"a door for {', '.join(source.recipients)}")
        if source.oauth.is_set and _runs(settings.data):
            return Finding(what, "ok", "the hotline of this data folder is running, and has its tokens")
        async with client_for(source.oauth) as client:
            token = None if client is None else token_of(settings, name, source.oauth, client, time.time)
            box = mailbox(name, source, token)
            async with opened(box) as imap:
                await imap.select(box.folder)
    except CannotStart as error:
        return Finding(what, "wrong", str(error), f"correct the files of `{what}`")
    except (ImapError, OSError) as error:
        place = host_port(source.host or "", source.served_at)
        said = cause(error) if isinstance(error, OSError) else error
        mend = f"correct `{what}`, or start that server"
        return Finding(what, "wrong", f"the folder {source.folder} at {place} cannot be read: {said}", mend)
    return Finding(what, "ok", f"the folder {box.folder} at {host_port(box.host, box.port)}")


async def _submission(settings: Settings) -> list[Finding]:
    """Whether the server that sends our e-mail lets us in. Nothing is sent."""
    submission = settings.notify.email
    if submission.host is None:
        return []
    what, place = "notify.email", host_port(submission.host, submission.served_at)
    try:
        if submission.oauth.is_set and _runs(settings.data):
            return [Finding(what, "ok", "the hotline of this data folder is running, and has its tokens")]
        async with client_for(submission.oauth) as client:
            account = notify.account(settings, client)
            await SubmissionClient(account).check(time.time())
    except CannotStart as error:
        return [Finding(what, "wrong", str(error), f"correct the files of `{what}`")]
    except NotLetIn as error:
        return [Finding(what, "wrong", f"{place}: {error}", f"correct `{what}`, or mend that server")]
    return [Finding(what, "ok", f"{account.sender} at {place}")]


# ------------------------------------------------------------------------------------------------------- connectors


async def _connector(name: str, source: ConnectorSource) -> Finding:
    """Whether it lets us in. Nobody's data is asked for."""
    what = f"connectors.{name}"
    try:
        return Finding(what, "ok", await try_out(source.place(name, source.connector()), time.time))
    except CrmKeepsUsOut as error:
        return Finding(what, "wrong", f"it does not let us in: {error}", f"correct the credentials of `{what}`")
    except CrmError as error:
        mend = f"correct `{what}`, or see to that CRM: calls go on without it"
        return Finding(what, "wrong", f"{error}", mend)


# ------------------------------------------------------------------------------------------------------------ flows


def _offers(settings: Settings) -> Iterator[Finding]:
    file = settings.offers.file
    if file is None:
        return
    try:
        found = offers.load(file)
    except offers.OfferErrors as error:
        yield from (Finding("offers", "wrong", each, f"mend {file}") for each in error.errors)
        return
    yield Finding("offers", "ok", f"{', '.join(each.name for each in found) or 'none'} ({file.name})")


def _flows(settings: Settings) -> Iterator[Finding]:
    folder = settings.flows_folder
    sound: dict[str, flows.Flow] = {}
    outside = Outside(settings=frozenset(settings.flow_settings))
    every = {checked.path: checked for checked in read_folder(folder)}
    # Of a flow that no number leads to nothing is asked but that it is sound: nobody has set anything for it.
    dialled = _dialled(settings, (checked.flow for checked in every.values()))
    for path, checked in every.items():
        named = checked.flow is not None and checked.flow.name in dialled
        found = checked.errors or prove(checked, outside if named else Outside())
        errors = [error for error in found if not error.warning]
        if errors or checked.flow is None:
            yield Finding("flows", "wrong", _first_line(errors[0]), f"hotline flow check {path}")
            continue
        sound[checked.flow.name] = checked.flow
        yield Finding("flows", "ok", f"{checked.flow.name} ({path.name})")
        yield from (Finding("flows", "note", _first_line(warning), f"hotline flow check {path}") for warning in found)
    yield from _references(settings, folder, sound)
    yield from _speech_input(settings, sound)


def _dialled(settings: Settings, known: Iterable[flows.Flow | None]) -> set[str]:
    """Return the names of the flows that a call may come to."""
    numbers = set(settings.numbers.values())
    return numbers | {name for flow in known if flow is not None and flow.name in numbers for name in flow.flows}


def _speech_input(settings: Settings, sound: Mapping[str, flows.Flow]) -> Iterator[Finding]:
    """Whether somebody understands what callers may say to the questions of the flows."""
    asked = {name: languages_heard(flow) for name, flow in sound.items()}
    languages = {language for each in asked.values() for language in each}
    for language in sorted(languages - set(heard(settings, languages))):
        names = ", ".join(sorted(name for name, each in asked.items() if language in each))
        detail = f"{names}: questions may be answered by voice in {language}, which nobody recognises: only keys do"
        yield Finding("flows", "note", detail, f"see `recogniser {language}` below")


def _first_line(error: FlowError) -> str:
    return str(error).partition("\n")[0]


def _hours(settings: Settings) -> Iterator[Finding]:
    now = time.time()
    for name, hours in settings.hours.items():
        opens = opens_next(hours.calendar, now)
        if opens is None:
            mend = f"correct hours.{name}.open and hours.{name}.holidays"
            yield Finding(f"hours.{name}", "wrong", "does not open within a year", mend)
        else:
            detail = "open now" if opens == now else f"opens {iso(opens)}"
            yield Finding(f"hours.{name}", "ok", detail)


def _references(settings: Settings, folder: Path, sound: Mapping[str, flows.Flow]) -> Iterator[Finding]:
    for number, name in settings.numbers.items():
        if name not in sound:
            known = ", ".join(sound) or "no sound flow"
            mend = f"set `numbers` to a flow of {folder}: {known}"
            yield Finding("numbers", "wrong", f"{number} leads to `{name}`, which is not there", mend)
        elif why := why_not_dialled(sound[name]):
            yield Finding("numbers", "wrong", f"{number} leads to `{name}`, which {why}", "let it lead to another flow")
    routes = notify.routes(settings)
    for name in sorted(set(settings.numbers.values()) & set(sound)):
        for queue in sorted(_queues_of(sound[name]) - set(settings.queues)):
            mend = f"add `queues: {{{queue}: {{}}}}`, or change the flow"
            yield Finding("queues", "wrong", f"the flow `{name}` sends callers to `{queue}`, which is not set", mend)
        for hours in sorted(_hours_of(sound[name]) - set(settings.hours)):
            mend = f"add `hours.{hours}` (docs/settings.md), or change the flow"
            yield Finding("hours", "wrong", f"the flow `{name}` asks for the hours `{hours}`, which are not set", mend)
        for channel in sorted(_channels_of(sound[name]) - {AUTO, *(route.name for route in routes)}):
            mend = f"set what sends by `{channel}` (docs/notify.md), or change the flow"
            detail = f"the flow `{name}` sends messages by `{channel}`, which does not send"
            yield Finding("notify", "wrong", detail, mend)
        for step in (each for each in _steps_of(sound[name]) if isinstance(each, flows.VerifyByCode)):
            # Nobody comes to harm: callers take `not_sent`.
            if not any(routes_by(routes, step.by)):
                ways = " or ".join(step.by) or "any channel"
                mend = "set `notify.email`, or `refresh_token` of a Zalo channel (docs/notify.md), or change the flow"
                yield Finding("notify", "note", f"the flow `{name}` sends codes by {ways}, which does not send", mend)
    if not settings.numbers:
        yield Finding("numbers", "wrong", "no number leads to a flow", 'set `numbers`, for example {"*": main}')


def _hours_of(flow: flows.Flow) -> set[str]:
    return {step.of for step in _steps_of(flow) if isinstance(step, flows.Hours)}


def _channels_of(flow: flows.Flow) -> set[str]:
    return {step.channel for step in _steps_of(flow) if isinstance(step, flows.Notify)}


def _queues_of(flow: flows.Flow) -> set[str]:
    return {step.to for step in _steps_of(flow) if isinstance(step, flows.Queue)}


def _steps_of(flow: flows.Flow) -> Iterator[flows.Step]:
    """Yield the steps that a call of a flow may come to, those of other flows too."""
    return (step for each in (flow, *flow.flows.values()) for step in each.steps.values())


# --------------------------------------------------------------------------------------------------------- database


async def _database(settings: Settings) -> list[Finding]:
    try:
        current, head = await database.revisions(settings.database_url)
    except database.DatabaseError as error:
        return [Finding("database", "wrong", str(error), "correct `database` in the settings, then hotline db upgrade")]
    if current is None:
        return [Finding("database", "note", "not made yet: the first start makes it", "hotline db upgrade")]
    if current != head:
        return [Finding("database", "note", f"at revision {current}, due is {head}", "hotline db upgrade")]
    return [Finding("database", "ok", f"at revision {current}"), *await _people(settings)]


async def _people(settings: Settings) -> list[Finding]:
    engine = database.open_engine(settings.database_url)
    try:
        async with database.reading(database.session_factory(engine))() as session:
            people = [user for user in await auth.users(session) if user.disabled_at is None]
    except DBAPIError as error:
        return [Finding("users", "wrong", str(error.orig), "hotline db upgrade")]
    finally:
        await engine.dispose()
    findings = [_realm(user.name, user.realm, settings) for user in people if user.realm != settings.sip.domain]
    agents = {user.name for user in people if user.role == "agent"}
    if not agents:
        findings.append(Finding("users", "note", "nobody can take a call", "hotline users add NAME --role agent"))
    for name, queue in settings.queues.items():
        for agent in sorted(set(queue.agents) - {user.name for user in people}):
            detail = f"`{agent}` of the queue `{name}` is no user"
            findings.append(Finding("users", "wrong", detail, f"hotline users add {agent} --role agent"))
    return findings or [Finding("users", "ok", f"{len(people)} in all, {len(agents)} of them agents")]


def _realm(name: str, realm: str, settings: Settings) -> Finding:
    detail = f"the phone password of `{name}` holds for the domain {realm}, and sip.domain is {settings.sip.domain}"
    return Finding("users", "wrong", detail, f"set sip.domain to {realm}, or hotline users reset {name}")


# ----------------------------------------------------------------------------------------------------------- speech


def _models(settings: Settings) -> Iterator[Finding]:
    for model in model_states(settings):
        name = " ".join(part for part in (model.engine, model.model) if part)
        what = f"{model.role} {model.language}"
        if not model.cause:
            yield Finding(what, "ok", name)
        elif not model.engine:
            yield Finding(what, "note", model.cause, model.mend)
        else:
            yield Finding(what, "wrong", f"{name}: {model.cause}", model.mend)


def _voice_detector(settings: Settings) -> Iterator[Finding]:
    if settings.media.voice_detector != "trained":
        return
    mend = "pip install 'hotline[whisper]', or set media.voice_detector to plain, which is used until then"
    try:
        yield Finding("media.voice_detector", "ok", f"trained: {silero.installed().name}")
    except silero.NoModel as error:
        yield Finding("media.voice_detector", "wrong", str(error), mend)


def _extras() -> Iterator[Finding]:
    if find_spec("pyVoIP") is None:
        yield Finding("phone", "note", "`hotline call` and `hotline demo` need it", "pip install 'hotline[phone]'")
    else:
        yield Finding("phone", "ok", "pyVoIP")
