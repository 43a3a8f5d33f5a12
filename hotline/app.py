"""The running program: rooms, processes and sockets put together, started in order and stopped in the reverse of it.

Processes take as long to come up as everything else: they are started first, and what can be done meanwhile is. The
web side is imported by then, not above.
"""

import asyncio
import contextlib
import fcntl
import importlib
import os
import resource
import secrets
import signal
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
import uvloop

from crm_bridge.channels.door import Door
from crm_bridge.codes.book import Codes
from crm_bridge.codes.code import DIGITS
from crm_bridge.connectors.lookup import Connectors
from crm_bridge.notify.outbox import Notifier
from crm_bridge.webhooks import endpoint as webhook_endpoint
from crm_bridge.webhooks.outbox import Webhooks
from hotline import auth, database, logs, models, notify, person_files, privacy, sessions, tls, trunks
from hotline.advice import load_advice
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings, TlsFiles
from hotline.flow_watch import FlowWatch, stamp_of
from hotline.metrics import Metrics
from hotline.metrics_state import WorkerProcess
from hotline.sip_listeners import SipListeners, told_address
from ivr_flows import prompts as prompt_cache
from ivr_flows.flow import Flow, Http
from ivr_flows.hearing import languages_heard
from ivr_flows.linking import why_not_dialled
from ivr_flows.prove import load_proved
from recordings import store
from recordings.journal import Journal
from telephony import acd, sdp
from telephony.edge import callbacks, collector, hours, number_tables, recovery, rows
from telephony.edge.alarms import watch_disk
from telephony.edge.callbacks import CallbackRequests
from telephony.edge.case_requests import CaseRequests
from telephony.edge.code_requests import CodeRequests
from telephony.edge.funnel import Funnel
from telephony.edge.media_settings import ICE_SERVERS, MediaSettings
from telephony.edge.media_workers import MediaWorkers
from telephony.edge.messages import MessageRequests
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.edge.speech_worker import SpeechSettings
from telephony.edge.websocket import SipWebSockets
from telephony.edge.wire import FromMedia, FromSpeech
from telephony.edge.workers import Worker
from telephony.events import (
    BindingChanged,
    CallbackBooked,
    CallbackCancelled,
    HangupRequested,
    Prompt,
    SaveAgent,
    WorkerDied,
    WorkerKind,
)
from telephony.requests import BookCallback, CallHttp, ChangeCase, SendMessage
from telephony.sip.digest import Ha1
from telephony.sip.endpoint import Endpoint, EndpointSettings
from telephony.sip.settings import SubscriptionSettings, TextSettings
from telephony.switchboard import Switchboard, SwitchboardSettings

if TYPE_CHECKING:
    from crm_bridge.mail.hook import MailHook
    from hotline.guard import SessionSockets
    from hotline.mail import Mail

__all__ = ["CannotStart", "Hotline", "load_flows", "serve"]

NEEDED: Final = ("media", "render")
"""The workers without which calls cannot come in. Transcripts and the words of running talks are waited for by nobody:
those workers come up behind the first calls, and what is to be heard waits for them."""
USERS_EVERY_S: Final = 2.0
HANG_UP_S: Final = 10.0
CODE_KEY_OCTETS: Final = 32

log = structlog.get_logger("hotline")


class Hotline:
    """The server. `start` returns when calls can come in; `drain` and `stop` end it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = ProcessClock()
        self._voices = models.voices(settings)
        self.new_users: list[auth.NewUser] = []
        self._secrets: dict[str, auth.SipSecret] = {}
        self.page_secrets: dict[str, dict[str, Ha1]] = {}
        """User, session: what the phone of that session's page registers with."""
        self._exit = contextlib.AsyncExitStack()
        self._users_task: asyncio.Task[None] | None = None
        self._hears = False
        self.certificate: tls.Certificate | None = None
        self.funnel: Funnel
        self.edge: SipEdge

    # --------------------------------------------------------------------------------------------------- starting

    async def start(self) -> None:
        """Start everything. Raises `CannotStart`, and whatever the parts raise, with nothing left running."""
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise

    async def _start(self) -> None:
        settings = self.settings
        _make_folder("data", settings.data)
        _make_folder("recordings.store", settings.recordings_folder)
        self._exit.callback(_lock(settings.data))
        flows_seen = stamp_of(settings.flows_folder)
        flows = load_flows(settings)
        engine = database.open_engine(settings.database_url)
        self._exit.push_async_callback(engine.dispose)
        self.sessions = database.session_factory(engine)
        self.funnel = Funnel(
            clock=self.clock,
            switchboard=self._switchboard(flows),
            sessions=self.sessions,
            journal=Journal(settings.data / person_files.JOURNALS),
            recordings_folder=settings.recordings_folder,
            region=settings.region,
            prompt_path=self._prompt_path,
            webhooks=Webhooks([*(each.endpoint for each in settings.webhooks), *self._make_connectors()]),
        )
        self.notifier = Notifier(
            self.sessions, settings.region, notify.routes(settings), self.funnel.webhooks, self.funnel.publish
        )
        self._serve_codes()
        self._serve_flows(flows)
        self.funnel.advice = self.funnel.customers.advice = self.codes.advice = load_advice(settings)
        if self.connectors.clients:
            self.funnel.name_of = self.connectors.name_of
        # What a caller hears in the middle of a talk is to be there at once.
        self._prepared = (Prompt("music", "hold"), Prompt("music", "comfort"))
        self.funnel.lane.start()
        self._exit.push_async_callback(self.funnel.close)
        await self.funnel.audio.start()
        self._exit.push_async_callback(self.funnel.audio.stop)
        await _at_once(self._start_workers(), self._open_database())
        self._watched: list[WorkerProcess] = [
            *self.media.processes,
            *(each for each in self.speech if each is not self.hear),
        ]
        self.metrics = Metrics(self.funnel, self._registrations, self._watched)
        await self._restore_agents()
        await self._follow_switches()
        await self._start_sip()
        await self._restore_callbacks()
        mail = self._make_mail()
        await self._start_web({} if mail is None else mail.hooks())
        await self._start_webhooks()
        await self._start_messages()
        if mail is not None:
            self._exit.push_async_callback(mail.stop)
            await mail.start()
        self.funnel.prompts.prepare(self._prepared)
        await self._transcribe_what_waits()
        self._users_task = asyncio.create_task(self._watch_users(), name="users")
        self._exit.callback(self._users_task.cancel)
        low = settings.recordings.low_space << 20
        watch = watch_disk(self.funnel.alarms, settings.recordings_folder, low)
        self._exit.callback(asyncio.create_task(watch, name="disk").cancel)
        flow_watch = FlowWatch(
            settings.flows_folder, lambda: load_flows(settings), self._publish, self.funnel.alarms, flows_seen
        )
        self._exit.callback(asyncio.create_task(flow_watch.watch(), name="flows").cancel)
        self._start_privacy()
        for worker in self.speech:
            if worker.kind not in (*NEEDED, "hear"):
                worker.come_up()
        self._hear(flows)

    def _serve_codes(self) -> None:
        """Have codes sent and checked, for flows and for agents."""
        book = Codes(
            self.notifier,
            self.funnel.customers.turn,
            self.clock.now,
            key=secrets.token_bytes(CODE_KEY_OCTETS),
            draw=lambda: f"{secrets.randbelow(10**DIGITS):0{DIGITS}}",
        )
        self.codes = CodeRequests(book)
        self.codes.register(self.funnel.requests)

    def _serve_flows(self, flows: Mapping[str, Flow]) -> None:
        """Have what flows ask of the world performed."""
        requests = self.funnel.requests
        messages = MessageRequests(self.notifier, self.funnel.customers.turn, self.clock.now)
        requests.register(SendMessage, messages.perform)
        requests.register(ChangeCase, CaseRequests(self.sessions, self.clock.now).perform)
        board = self.funnel.switchboard.board
        bookings = CallbackRequests(self.sessions, self.clock.now, self.funnel.happened, board)
        requests.register(BookCallback, bookings.perform)
        self._serve_services(flows)

    def _publish(self, flows: Mapping[str, Flow]) -> None:
        """Let calls that come from now on have these flows."""
        self._serve_services(flows)
        self.funnel.switchboard.publish(flows)
        self._hear(flows)

    def _hear(self, flows: Mapping[str, Flow]) -> None:
        """Have the hearing worker come up once a flow asks for speech in a language that it can recognise."""
        if not self._hears and self._heard(flows):
            self._hears = True
            self._watched.append(self.hear)
            self.hear.come_up()

    def _heard(self, flows: Mapping[str, Flow]) -> tuple[str, ...]:
        languages = {language for flow in flows.values() for language in languages_heard(flow)}
        return models.heard(self.settings, languages)

    def _serve_services(self, flows: Mapping[str, Flow]) -> None:
        requests = self.funnel.requests
        if requests.performs(CallHttp):
            return
        if any(isinstance(step, Http) for flow in flows.values() for step in flow.steps.values()):
            from telephony.edge.web_service import WebServices  # noqa: PLC0415 - brings an HTTP client along

            services = WebServices(self.settings.flow_settings, self.funnel.switchboard.secret)
            self._exit.push_async_callback(services.close)
            requests.register(CallHttp, services.perform, late="timed_out")

    def _make_connectors(self) -> list[webhook_endpoint.Endpoint]:
        """Make the CRMs of the settings; return the endpoints of those that are to have finished calls."""
        settings = self.settings
        endpoints = []
        self.connectors = Connectors((), self.sessions, self.clock.now, settings.region)
        if settings.connectors:
            from hotline import connectors  # noqa: PLC0415 - brings an HTTP client along

            self.connectors = connectors.connectors_of(settings, self.sessions, self.clock.now)
            endpoints = connectors.endpoints(self.connectors)
        self._exit.push_async_callback(self.connectors.stop)
        return endpoints

    async def _open_database(self) -> None:
        """Bring the tables up to date, meet the people, and close what the last run left open."""
        settings, now = self.settings, self.clock.now()
        await database.upgrade(settings.database_url)
        # Passwords are hashed by threads, and so one more may import meanwhile.
        await _at_once(self._meet_people(now), asyncio.to_thread(_import_what_comes_later))
        await recovery.recover(
            self.sessions, self.funnel.journal, settings.recordings_folder, now, settings.region, self.funnel.webhooks
        )

    async def _meet_people(self, now: float) -> None:
        async with self.sessions() as session:
            self.new_users = await auth.first_run(session, self.settings.sip.domain, now)
            await session.commit()
            self._secrets = await auth.sip_secrets(session)
        for name in self._agents():
            self.funnel.switchboard.know(name)

    def _switchboard(self, flows: Mapping[str, Flow]) -> Switchboard:
        settings = self.settings
        queues = {
            name: acd.QueueSettings(
                name=name,
                ring_timeout_s=queue.ring_timeout,
                wrap_up_s=queue.wrap_up,
                max_waiting=queue.max_waiting,
                agents=tuple(queue.agents) or None,
            )
            for name, queue in settings.queues.items()
        }
        return Switchboard(
            SwitchboardSettings(
                numbers=settings.numbers,
                codecs=tuple(sdp.NUMBERS[name] for name in settings.media.codecs),
                srtp=settings.media.srtp,
                media_address=settings.sip.external_address or "",
                max_call_s=settings.limits.max_call,
                max_calls=settings.limits.max_calls,
                away_s=settings.desk.away,
                trunks=trunks.rules(settings),
                region=settings.region,
                language=settings.languages[0],
                record_channels=settings.recordings.channels,
                max_room=settings.limits.conference,
                flow_settings=settings.flow_settings,
                hours={name: each.calendar for name, each in settings.hours.items()},
                queue_hours={name: queue.hours for name, queue in settings.queues.items() if queue.hours},
                callbacks=settings.callbacks.rules,
            ),
            flows,
            acd.Acd(queues, {}),  # agents are known once the database is open
            lambda: uuid.uuid4().hex,
        )

    def _prompt_path(self, prompt: Prompt) -> Path:
        return prompt_cache.prompt_path(self.settings.data / person_files.PROMPTS, prompt, self._voices)

    def _speech_settings(self, heard: tuple[str, ...]) -> str:
        speech = SpeechSettings(voices=self._voices, recognisers=models.recognisers(self.settings), heard=heard)
        return msgspec.json.encode(speech).decode()

    def _media_worker(
        self, number: int, tell: Callable[[Any], None], died: Callable[[WorkerDied], None]
    ) -> Worker[Any]:
        media, limits = self.settings.media, self.settings.limits
        ports, cores = media.ports, tuple(media.cores)
        chosen = MediaSettings(
            address=media.address,
            ports=(ports.first, ports.last),
            # The spare stands in for any of them, and takes what is free where the ports come round.
            ports_from=ports.first + number * (ports.last - ports.first) // (media.workers + 1),
            anchor=self.clock.anchor,
            media_timeout_s=limits.media_timeout,
            max_legs=2 * limits.max_calls,
            ice_addresses=tuple(media.ice_addresses),
            automatic_gain=media.automatic_gain,
            tones=media.tones,
            barge_in_ms=round(media.barge_in_after * 1000),
            voice_detector=media.voice_detector,
            cores=cores[number % len(cores) :][:1] if cores else (),
            nice=media.nice,
        )
        return Worker[Any](
            "media",
            "telephony.edge.media_worker",
            ["--settings", msgspec.json.encode(chosen).decode()],
            FromMedia,
            tell,
            died,
            {ICE_SERVERS: msgspec.json.encode(media.servers).decode()},
        )

    async def _start_workers(self) -> None:
        funnel = self.funnel
        speech = self._speech_settings(())
        to_hear = self._speech_settings(self._heard(funnel.switchboard.board.flows))
        self.media = MediaWorkers(
            self.settings.media.workers, self._media_worker, funnel.media_event, funnel.worker_died
        )
        funnel.hearing.path = str(funnel.audio.folder / "hear")
        funnel.hearing.languages = models.recognisers(self.settings).keys()
        roles: tuple[tuple[WorkerKind, tuple[str, ...]], ...] = (
            ("render", (speech,)),
            ("transcribe", (speech,)),
            ("live", (speech,)),
            ("hear", (to_hear, "--audio", funnel.hearing.path)),
        )
        self.speech = render, transcribe, listen, self.hear = (
            *(
                Worker[Any](
                    role,
                    "telephony.edge.speech_worker",
                    ["--role", role, "--settings", *more],
                    FromSpeech,
                    funnel.speech_event,
                    funnel.worker_died,
                )
                for role, more in roles
            ),
        )
        self._exit.push_async_callback(self.media.stop)
        for worker in self.speech:
            self._exit.push_async_callback(worker.stop)
        needed = (worker.start() for worker in self.speech if worker.kind in NEEDED)
        await asyncio.gather(self.media.start(), *needed)
        funnel.media, funnel.render, funnel.transcribe, funnel.listen = self.media, render, transcribe, listen
        funnel.hear = self.hear

    async def _restore_agents(self) -> None:
        async with self.sessions() as session:
            known = await rows.agents(session)
        restored = [
            msgspec.convert(
                {"agent": row.name, "state": row.state, "reason": row.reason, "since": row.since}, acd.AgentSnapshot
            )
            for row in known
        ]
        for changed in self.funnel.switchboard.queues.restore(restored, self.clock.now()):
            if isinstance(changed, acd.AgentChanged):
                await self._save_agent(changed)

    async def _follow_switches(self) -> None:
        """Tell the switchboard how the emergency switches of opening hours stand, where it is not how it knows them."""
        board = self.funnel.switchboard.board
        if not board.settings.hours:
            return
        async with self.sessions() as session:
            changes = [hours.change_of(row) for row in await hours.switches(session)]
        for change in changes:
            if change.hours in board.settings.hours and board.emergencies.get(change.hours) != change:
                self.funnel.happened(change)

    async def _restore_callbacks(self) -> None:
        """Keep what callers were promised before: each has its old place."""
        async with self.sessions() as session:
            promised = [callbacks.snapshot_of(row) for row in await callbacks.open_ones(session)]
        for callback in promised:
            self.funnel.happened(CallbackBooked(callback, restored=True))

    async def _follow_callbacks(self) -> None:
        """Take back the promises to people who were erased: their rows are gone."""
        bookings = list(self.funnel.switchboard.board.bookings)
        if not bookings:
            return
        async with self.sessions() as session:
            gone = await callbacks.missing(session, bookings)
        for identity in gone:
            self.funnel.happened(CallbackCancelled(identity, "erasure"))

    async def _save_agent(self, changed: acd.AgentChanged) -> None:
        async with self.sessions() as session:
            await rows.save_agent(
                session, SaveAgent(changed.agent, changed.state, changed.reason, changed.since, changed.call)
            )
            await session.commit()

    async def _start_sip(self) -> None:
        settings = self.settings
        endpoint = Endpoint(
            # What is left open is what `SipListeners` binds.
            EndpointSettings(
                address=(told_address(settings), 0),
                domain=settings.sip.domain,
                limits=settings.limits.endpoint,
                admission=settings.limits.admission,
                subscriptions=SubscriptionSettings(total=settings.limits.subscriptions),
                texts=TextSettings(per_minute_of_strangers=settings.limits.texts),
                trunks=trunks.sip_settings(settings),
                numbers=tuple(settings.numbers),
                region=settings.region,
            ),
            self._credentials,
            secrets.token_hex,
            lambda: uuid.uuid4().hex,
        )
        async with self.sessions() as session:
            bound = await rows.bindings(session, self.clock.now())
        known = {user: bindings for user, bindings in bound.items() if user in self._secrets}
        self.edge = SipEdge(endpoint, self.clock, self.funnel.sip_events)
        self.funnel.sip = self.edge
        self.sip_sockets = SipWebSockets(self.edge)
        self.sip = SipListeners(settings, self.edge, self.clock)
        self._exit.push_async_callback(self.sip.streams.close)
        self._exit.callback(self.edge.close)
        self.edge.restore(known)
        for lamp in self.funnel.switchboard.lamps():
            self.edge.perform(lamp)
        for user, bindings in known.items():
            self.funnel.happened(BindingChanged(user, len(bindings), tuple(bindings)))
        await self.sip.start()
        self._exit.push_async_callback(trunks.start(settings, self.edge, self.funnel).stop)

    def _registrations(self) -> Mapping[str, int]:
        """How many phones are registered over each transport."""
        return self.edge.endpoint.registrations()

    def _certificate(self) -> tls.Certificate | None:
        """The certificate of the web side, None where it speaks in the clear. Raises `CannotStart`."""
        web = self.settings.web
        if not web.is_private:
            return None
        try:
            if isinstance(web.tls, TlsFiles):
                return tls.given(web.tls.certificate, web.tls.key, self.clock.now())
            names = tls.names_of(web.listen.host, web.public_url)
            return tls.ensure(self.settings.data / "tls", names, self.clock.now())
        except tls.TlsError as error:
            raise CannotStart(f"the web cannot be private: {error}") from None

    async def _start_web(self, letters: "Mapping[str, MailHook]") -> None:
        """Answer, with the addresses that mail is posted to: whoever is refused there may not come again."""
        from hotline.web import create_app  # noqa: PLC0415 - see `_import_what_comes_later`
        from hotline.web_server import WebServer  # noqa: PLC0415

        self.certificate = self._certificate()
        app = create_app(
            self.settings,
            self.sessions,
            self.clock,
            publish=self.funnel.publish,
            ready=lambda: {
                "media": self.media.ready,
                **{worker.kind: worker.ready for worker in self.speech if worker.kind in NEEDED},
            },
        )
        app.state.funnel = self.funnel
        self.funnel.customers.note = self.codes.note = app.state.audit.note
        app.state.codes = self.codes
        app.state.webhooks = self.funnel.webhooks
        app.state.notifier = self.notifier
        app.state.connectors = self.connectors
        app.state.advice = self.funnel.advice
        app.state.metrics = self.metrics
        door: Door = app.state.channels
        door.letters = letters
        self.metrics.watch_channels(door.refused)
        self.metrics.watch_messages([each.name for each in self.notifier.routes], self.notifier.attempts)
        self.metrics.watch_connectors(self.connectors)
        app.state.sip = self.sip_sockets
        app.state.page_secrets = self.page_secrets
        app.state.end_session = self._end_session
        self._session_sockets: SessionSockets = app.state.session_sockets
        listen = self.settings.web.listen
        try:
            family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
            listener = socket.create_server((listen.host, listen.port), family=family, reuse_port=False, backlog=256)
        except OSError as error:
            raise CannotStart(f"the web cannot listen on {listen}: {cause(error)}; change web.listen") from None
        self.web_address: tuple[str, int] = listener.getsockname()[:2]
        server = WebServer(app, self.certificate)
        task = asyncio.create_task(server.serve(sockets=[listener]), name="web")
        self._exit.push_async_callback(server.end, task)
        await server.listening.wait()

    async def _start_webhooks(self) -> None:
        """Begin to carry events out, where anybody is to be told, and to forget what CRMs said."""
        funnel = self.funnel
        self.connectors.start()
        if not funnel.webhooks.endpoints and not self.connectors.clients:
            return
        from crm_bridge.webhooks.courier import Couriers  # noqa: PLC0415 - brings an HTTP client along

        sends = {}
        if self.connectors.clients:
            from hotline import connectors  # noqa: PLC0415

            sends = connectors.sends(self.settings, self.connectors, funnel.alarms)
        couriers = Couriers(funnel.webhooks, self.sessions, funnel.alarms, self.clock.now, sends)
        self._exit.push_async_callback(couriers.stop)
        await couriers.start()

    async def _start_messages(self) -> None:
        """Begin to carry messages out, and put away what waits for a channel that is there no more."""
        from crm_bridge.notify.courier import Couriers  # noqa: PLC0415

        self.codes.codes.senders = senders = notify.senders(self.settings)
        couriers = Couriers(self.notifier, senders, self.funnel.alarms, self.clock.now)
        self._exit.push_async_callback(couriers.stop)
        await couriers.start()

    def _start_privacy(self) -> None:
        """Go on with erasures that were begun, and keep the times that data is kept."""
        watch = privacy.Watch(self.settings, self.sessions, self.funnel.alarms, self.clock.now)
        self.metrics.watch_requests(lambda: watch.overdue)
        self._exit.callback(asyncio.create_task(watch.run(), name="privacy").cancel)

    def _make_mail(self) -> "Mail | None":
        if not self.settings.mail:
            return None
        from hotline.mail import Mail  # noqa: PLC0415 - most have none

        return Mail(self.settings, self.sessions, self.clock.now, self.funnel.publish, self.funnel.webhooks)

    async def _transcribe_what_waits(self) -> None:
        async with self.sessions() as session:
            waiting = await store.pending(session)
        for row in waiting:
            path = store.wav_path(self.settings.recordings_folder, row)
            self.funnel.recordings.transcribe(row.id, path, row.language)

    # ------------------------------------------------------------------------------------------------- people

    def _agents(self) -> list[str]:
        """Who takes calls; supervisors and admins look after those who do."""
        return [name for name, secret in self._secrets.items() if secret.role == "agent"]

    def _credentials(self, user: str) -> tuple[Ha1, ...]:
        """The secret of the user's desk phone, and of every page that the user has open."""
        secret = self._secrets.get(user)
        if secret is None:
            return ()
        return Ha1(md5=secret.ha1_md5, sha256=secret.ha1_sha256), *self.page_secrets.get(user, {}).values()

    def _end_session(self, session: str) -> None:
        """Somebody signed out, or is signed out: their page's connections close, and its phone is none any more."""
        for of_user in self.page_secrets.values():
            of_user.pop(session, None)
        self._session_sockets.end(session)
        self.sip_sockets.close_session(session)

    async def _watch_users(self) -> None:
        """See what `hotline users` does to people in the database while the server runs, and `hotline hours` to the
        emergency switches."""
        while True:
            await asyncio.sleep(USERS_EVERY_S)
            try:
                async with self.sessions() as session:
                    known_secrets = await auth.sip_secrets(session)
                    live = await sessions.live(session, self.clock.now())
                await self._follow_switches()
                await self._follow_callbacks()
            except Exception:
                log.exception("users, switches and callbacks could not be read; those known before stay known")
                continue
            revoked = auth.revoked(self._secrets, known_secrets)
            self._secrets = known_secrets
            for name in revoked:
                self.edge.forget(name)
            for name in self._agents():
                for lamp in self.funnel.switchboard.know(name):
                    self.edge.perform(lamp)
            known = {each for of_user in self.page_secrets.values() for each in of_user}
            for session_id in (known | self._session_sockets.sessions()) - live:
                self._end_session(session_id)

    # -------------------------------------------------------------------------------------------------- ending

    async def drain(self) -> None:
        """Take no new calls, and wait for the running ones."""
        log.info("draining: no new calls; a second signal hangs up", running=len(self.funnel.switchboard.running()))
        await self.funnel.drain()

    def hang_up_all(self) -> None:
        """End every running call."""
        for call in self.funnel.switchboard.running():
            self.funnel.happened(HangupRequested(call, "the server stops"))

    async def stop(self) -> None:
        """Stop everything, last started first."""
        await self._exit.aclose()


def load_flows(settings: Settings) -> dict[str, Flow]:
    """Return the flows of the settings' folder by name, all of them proved; warnings go to the log. Raises
    `FlowErrors`, or `CannotStart`."""
    folder = settings.flows_folder
    flows, warnings = load_proved(folder)
    for warning in warnings:
        log.warning(
            "a flow has a warning", place=f"{warning.file}:{warning.line}", code=warning.code, detail=warning.text
        )
    missing = sorted({name for name in settings.numbers.values() if name not in flows})
    if missing:
        raise CannotStart(
            f"`numbers` leads to {', '.join(missing)}, but {folder} has only: {', '.join(flows) or 'nothing'}; "
            "put the flow there, or correct `numbers` or `flows` in the settings"
        )
    for name in sorted(set(settings.numbers.values())):
        if why := why_not_dialled(flows[name]):
            raise CannotStart(f"`numbers` leads to {name}, which {why}; let it lead to another flow")
    return flows


def _make_folder(what: str, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"the folder {folder} cannot be made: {cause(error)}; change `{what}`") from None


def _lock(data: Path) -> Callable[[], None]:
    """Make sure that no other server uses this folder. Raises `CannotStart`."""
    file = os.open(data / "hotline.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise CannotStart(f"another hotline uses {data}; stop it, or give this one its own --data folder") from None
    return lambda: os.close(file)


def _import_what_comes_later() -> None:
    """For a thread, while processes come up: a quarter of a second of the processor."""
    number_tables.load()
    for module in ("hotline.web", "hotline.web_server"):
        importlib.import_module(module)


async def _at_once(*work: Awaitable[None]) -> None:
    """Wait for all of it. If any fails nothing of it goes on, and the first failure is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _serve(settings: Settings, announce: Callable[[Hotline], None]) -> None:
    asked = asyncio.Queue[signal.Signals]()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.put_nowait, number)
    hotline = Hotline(settings)
    await hotline.start()
    collector.look_rarely()
    try:
        announce(hotline)
        print("ready", file=sys.stderr, flush=True)  # noqa: T201 - what starts this program waits for the line
        await asked.get()
        draining = asyncio.create_task(hotline.drain())
        again = asyncio.create_task(asked.get())
        await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            hotline.hang_up_all()
            await asyncio.wait({draining}, timeout=HANG_UP_S)  # a worker that hangs keeps nobody from stopping
        again.cancel()
    finally:
        await hotline.stop()


def serve(settings: Settings, announce: Callable[[Hotline], None]) -> None:
    """Run the server until SIGTERM or SIGINT; the first drains, a second hangs up. Raises `CannotStart`."""
    logs.configure()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection is an open file
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, announce))
