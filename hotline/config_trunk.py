"""`sip.trunks` and `sip.dns`: who carries calls to and from the world outside, and by which rules."""

import ipaddress
import re
from typing import Annotated, Any, Final, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, model_validator

from hotline.config_section import Section
from hotline.config_values import CommaList, Domain, Duration, Listen, Name
from telephony.sip.numbering import NumberFormat
from telephony.sip.uri import Uri, UriError, parse_uri

ENVIRONMENT: Final = "env:"
DNS_PORT: Final = 53
_TRANSPORTS: Final = frozenset({"udp", "tcp", "tls"})
_CALLER: Final = re.compile(r"\+?[0-9]{2,20}")
_BEGINNING: Final = re.compile(r"\+?[0-9*#]{1,20}")
_USER: Final = re.compile(r"[!-9;-?A-~]{1,128}")


def _target(value: Any) -> str:
    text = str(value)
    written = text if text.partition(":")[0] in ("sip", "sips") else f"sip:{text}"
    try:
        uri = parse_uri(written)
    except UriError as error:
        raise ValueError(f"`{text}` leads nowhere ({error}); write for example sip:pbx.example.com") from None
    if uri.user or uri.password:
        raise ValueError(f"`{text}`: the user and the password stand in `user` and `password`; write sip:{uri.host}")
    unknown = [name for name, _ in uri.params if name != "transport"]
    default = "tls" if uri.scheme == "sips" else "udp"
    transport = dict(uri.params).get("transport", default) or ""
    if unknown or uri.headers or transport.lower() not in _TRANSPORTS:
        raise ValueError(f"`{text}`: beside the host may stand a port and ;transport=udp, tcp or tls, nothing else")
    if uri.scheme == "sips" and transport.lower() == "udp":
        raise ValueError(f"`{text}`: sips: goes over TLS; write sips:{uri.host}, or sip: for what goes in the clear")
    return uri.write()


def _source(value: Any) -> str:
    text = str(value)
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdecimal() and (":" not in host or host.startswith("[")):
        address, has_port = host.strip("[]"), 0 < int(port) < 65536
    else:
        address, has_port = text, True
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        network = None
    if network is None or not has_port or (address != text and network.num_addresses > 1):
        raise ValueError(f"`{text}` is no source; write an address, ADDRESS:PORT or a network such as 192.0.2.0/24")
    if network.prefixlen == 0:
        raise ValueError(f"`{text}` is everybody: whoever calls from there is believed; name the trunk's own addresses")
    return text


def _password(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, SecretStr) or not str(value).startswith(ENVIRONMENT):
        return value
    name = str(value).removeprefix(ENVIRONMENT)
    found = ((info.context or {}).get("environ") or {}).get(name)
    if not found:
        raise ValueError(f"the environment has no {name}; set it, or write the password here")
    return found


Password = Annotated[SecretStr, BeforeValidator(_password)]
"""Written as it is, or as `env:NAME`; never shown again."""


def _countries(value: str) -> str:
    if value.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"`{value}` is not a region of the telephone world; write two letters such as VN")
    return value.upper()


def _matching(pattern: re.Pattern[str], due: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and not pattern.fullmatch(value):
            raise ValueError(f"`{value}` is not {due}")
        return value

    return AfterValidator(check)


def _name_server(value: Any) -> Listen:
    if isinstance(value, Listen):
        return value
    text = str(value)
    host, colon, port = text.rpartition(":")
    bare = not colon or (":" in host and not host.startswith("["))
    host, port = (text, str(DNS_PORT)) if bare else (host, port)
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        address = ""
    if not address or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"`{text}` is no name server; write its address, such as 192.0.2.53 or 127.0.0.1:5353")
    return Listen("udp", address, int(port))


Target = Annotated[str, BeforeValidator(_target)]
Source = Annotated[str, BeforeValidator(_source)]
Country = Annotated[str, AfterValidator(_countries)]
CallerNumber = Annotated[str, _matching(_CALLER, "a number that calls can show; write for example +842873001234")]
Beginning = Annotated[str, _matching(_BEGINNING, "the beginning of a number; write for example +8419 or 2")]
Account = Annotated[str, _matching(_USER, "a SIP user; write it without spaces, @ and :")]
NameServer = Annotated[Listen, BeforeValidator(_name_server)]


class Trunk(Section):
    """A provider, or a PBX that we are behind. Durations are seconds."""

    name: Name
    targets: Annotated[list[Target], CommaList] = Field(min_length=1)
    user: Account = ""
    password: Password = SecretStr("")
    realm: str = ""
    from_domain: Domain | None = None
    register_: bool = Field(False, alias="register")
    register_every: Duration = Field(600.0, ge=60, le=86_400)
    sources: Annotated[list[Source], CommaList] = Field([])
    probe: Duration = Field(30.0, ge=0)
    no_answer: Duration = Field(4.0, ge=0.5, le=32)
    number_from: Literal["uri", "to"] = "uri"
    called_format: NumberFormat = "e164"
    caller_format: NumberFormat = "e164"
    prefix: Annotated[str, _matching(_BEGINNING, "something to dial first; write digits, such as 9")] = ""
    caller_number: CallerNumber = ""
    caller_numbers: dict[Name, CallerNumber] = Field({})
    show_account: bool = False
    pass_on_caller: bool = False
    withhold: bool = False
    refer: bool = False
    countries: Annotated[list[Country], CommaList] | None = None
    allow: Annotated[list[Beginning], CommaList] = Field([])
    deny: Annotated[list[Beginning], CommaList] = Field([])
    max_calls: int = Field(30, ge=1)

    @model_validator(mode="after")
    def _can_be_let_in(self) -> "Trunk":
        if self.register_ and not self.user:
            raise ValueError("user: registering needs the account's `user` (and its `password`)")
        if bool(self.password.get_secret_value()) and not self.user:
            raise ValueError("user: a password alone lets nobody in; name the account's `user`")
        if self.show_account and not self.user:
            raise ValueError("user: there is no account to show; name its `user`")
        if 0 < self.probe < 5:
            raise ValueError("probe: asking more often than every 5s is a burden; write 0 for never")
        return self

    @property
    def uris(self) -> tuple[Uri, ...]:
        """The targets, read."""
        return tuple(parse_uri(target) for target in self.targets)


def named_once(trunks: list[Trunk]) -> list[Trunk]:
    """Return the trunks, whose names must differ. Raises `ValueError`."""
    names = [trunk.name for trunk in trunks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two trunks are called `{twice}`; give each a name of its own")
    return trunks


Trunks = Annotated[list[Trunk], AfterValidator(named_once)]
