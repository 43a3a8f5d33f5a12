"""Where SIP is listened for, and the certificates that its connections over TLS show and believe."""

import functools
import ssl
from typing import Final

from hotline import tls
from hotline.cannot_start import CannotStart, cause
from hotline.config import Settings
from hotline.config_values import Listen, host_port, is_wildcard
from hotline.handshake import over_tls
from telephony.edge.process_clock import ProcessClock
from telephony.edge.sip import SipEdge
from telephony.edge.stream import Secured, SipStreams

SETTING: Final = "sip.tls"


class SipListeners:
    """The sockets of `sip.listen`. `addresses` are those that were bound, in the order of the setting. Raises
    `CannotStart` for certificates that cannot be used."""

    def __init__(self, settings: Settings, edge: SipEdge, clock: ProcessClock) -> None:
        self._settings = settings
        self._edge = edge
        self._now = clock.now
        self.addresses: tuple[Listen, ...] = ()
        self.certificate = self._certificate()
        self.streams = SipStreams(edge, clock, trusted(settings, self.certificate if settings.sip.tls.files else None))

    @property
    def address(self) -> Listen:
        """Where to dial: over UDP, where that is listened for."""
        return self._dialled(self._first)

    @property
    def _first(self) -> Listen:
        return next((each for each in self.addresses if each.transport == "udp"), self.addresses[0])

    def _dialled(self, bound: Listen) -> Listen:
        """Return an address that phones can reach, where it is every address of the machine that was bound."""
        told = told_address(self._settings)
        if not is_wildcard(bound.host) or (bound.transport != "udp" and (":" in told) != (":" in bound.host)):
            return bound
        return Listen(bound.transport, told, bound.port)

    @property
    def told(self) -> list[str]:
        """What the operator is told besides `address`: every other address, and whom one over TLS must trust."""
        others = [self._dialled(each) for each in self.addresses if each != self._first]
        lines = [f"sip:{host_port(each.host, each.port)};transport={each.transport}" for each in others]
        if self.certificate is None or all(each.transport != "tls" for each in self.addresses):
            return lines
        return [*lines, f"its certificate is SHA-256 {self.certificate.fingerprint}"]

    async def start(self) -> None:
        """Listen. Raises `CannotStart`."""
        secured = None
        if self.certificate is not None:
            secured = functools.partial(over_tls, context=tls.server_context(self.certificate))
        bound = []
        for listen in self._settings.sip.listen:
            try:
                host, port = await self._listen(listen, secured)
            except OSError as error:
                raise CannotStart(f"SIP cannot listen on {listen}: {cause(error)}; change sip.listen") from None
            bound.append(Listen(listen.transport, host, port))
        self.addresses = tuple(bound)
        self._edge.begin()

    async def _listen(self, listen: Listen, secured: Secured | None) -> tuple[str, int]:
        match listen.transport:
            case "udp":
                return await self._edge.start(listen.host, listen.port)
            case "tcp":
                return await self.streams.listen("TCP", listen.host, listen.port)
            case _:
                return await self.streams.listen("TLS", listen.host, listen.port, secured)

    def _certificate(self) -> tls.Certificate | None:
        """Return what is shown over TLS: somebody's, or one of our own where TLS is listened for; else None."""
        settings, files = self._settings, self._settings.sip.tls.files
        try:
            if files is not None:
                return tls.given(files.certificate, files.key, self._now(), SETTING)
            if all(each.transport != "tls" for each in settings.sip.listen):
                return None
            return tls.ensure(settings.data / "sip-tls", names(settings), self._now(), SETTING)
        except tls.TlsError as error:
            raise CannotStart(f"SIP cannot be private: {error}") from None


def told_address(settings: Settings) -> str:
    """Return what far ends are told as our host, `""` for the address that each socket is bound to. Where that is every
    address of the machine, it is the one that voice comes in at: `0.0.0.0` in a Contact leads nowhere."""
    is_anywhere = any(is_wildcard(each.host) for each in settings.sip.listen)
    return settings.sip.external_address or (settings.media.address if is_anywhere else "")


def names(settings: Settings) -> list[str]:
    """Return what a phone may call us that connects by TLS, for a certificate of our own."""
    found = [settings.sip.domain, settings.sip.external_address or ""]
    for listen in settings.sip.listen:
        if listen.transport == "tls":
            found += tls.names_of(listen.host)
    return list(dict.fromkeys(filter(None, found)))


def trusted(settings: Settings, own: tls.Certificate | None = None) -> ssl.SSLContext:
    """Return what far ends that we connect to by TLS are verified with; `own` is shown to those who want to know us,
    too. Raises `CannotStart`."""
    authorities = settings.sip.tls.authorities
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:  # ssl.SSLError is one
        said = "it holds none in PEM" if isinstance(error, ssl.SSLError) else cause(error)
        raise CannotStart(
            f"the authorities of {authorities} cannot be used: {said}; correct sip.tls.authorities"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context
