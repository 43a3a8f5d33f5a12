"""What a connector's file says, once it is proved: `docs/connectors.md` has the words. Light: nothing is done here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from crm_bridge.connectors.found import Path
from crm_bridge.connectors.template import EMPTY, Template

OperationName = Literal[
    "check",
    "find_by_phone",
    "find_by_email",
    "create_person",
    "update_person",
    "find_call",
    "log_call",
    "cases",
    "orders",
]
OPERATIONS: Final[tuple[OperationName, ...]] = get_args(OperationName)
READING: Final[frozenset[OperationName]] = frozenset(
    {"check", "find_by_phone", "find_by_email", "find_call", "cases", "orders"}
)
"""What may be asked again without harm."""

PERSON: Final = ("name", "phone", "email")
INPUTS: Final[Mapping[OperationName, frozenset[str]]] = {
    "check": frozenset(),
    "find_by_phone": frozenset({"phone", "numbers", "digits", "national"}),
    "find_by_email": frozenset({"email"}),
    "create_person": frozenset({*PERSON, "national"}),
    "update_person": frozenset({"person", *PERSON, "national"}),
    "find_call": frozenset({"call"}),
    "log_call": frozenset(
        {"call", "person", "number", "direction", "subject", "text", "started_at", "ended_at", "duration_s"}
        | {"recording", "agent", "queue", "from_number", "to_number"}
    ),
    "cases": frozenset({"person"}),
    "orders": frozenset({"person"}),
}
NEEDED: Final[Mapping[OperationName, tuple[str, ...]]] = {
    "check": (),
    "find_by_phone": ("phone",),
    "find_by_email": ("email",),
    "create_person": (),
    "update_person": ("person",),
    "find_call": ("call",),
    "log_call": ("call",),
    "cases": ("person",),
    "orders": ("person",),
}
FIELDS: Final[Mapping[OperationName, tuple[str, ...]]] = {
    "check": (),
    "find_by_phone": ("id", *PERSON, "link"),
    "find_by_email": ("id", *PERSON, "link"),
    "create_person": ("id",),
    "update_person": (),
    "find_call": ("id",),
    "log_call": ("id",),
    "cases": ("id", "number", "subject", "state", "opened_at", "link"),
    "orders": ("id", "number", "state", "total", "currency", "placed_at", "link"),
}
CREDENTIALS: Final = ("user", "key", "client_id", "client_secret", "refresh_token")

Body = Mapping[str, "Body"] | tuple["Body", ...] | Template | int | float | bool | None
IF: Final = "if"
"""In a mapping of a body: the gap without which the mapping is left out."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where one of our fields is in a row: the first of `paths` that is there, or all of them with a space between.
    `words` turns the CRM's words into ours, `*` any other."""

    paths: tuple[Path, ...]
    join: bool = False
    words: Mapping[str, str] = field(default_factory=dict)


PagingKind = Literal["next", "cursor", "page", "offset"]


@dataclass(frozen=True, slots=True)
class Paging:
    """How to ask for more rows. `next`: the answer holds the address of the next page. `cursor`: it holds a word that
    is given back as `parameter`. `page` and `offset` count from `first`, as long as `more` says so, or a page was full
    (`size`). `within` is where the parameter goes."""

    kind: PagingKind
    at: Path = ()
    parameter: str = ""
    within: Literal["query", "body"] = "query"
    first: int = 1
    size: int = 0
    more: Path = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a CRM is asked to do. `words` turns our words into the CRM's, by the name of the gap; `nothing`
    are the statuses that say that there is none."""

    name: OperationName
    method: Literal["GET", "POST", "PUT", "PATCH"]
    path: Template
    query: Mapping[str, Template] = field(default_factory=dict)
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Body = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: Path | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    pages: Paging | None = None
    nothing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Busy:
    """An answer that says that we ask too much: its status, and where more than that is needed, the word at a place.
    `wait_s` counts where no Retry-After says how long."""

    status: int
    at: Path = ()
    word: str = ""
    wait_s: float = 10.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the CRM knows us. `header`: a header with the key. `basic`: user and password (RFC 7617). `oauth2`: a token
    from `token`, at `login` or, without one, at the CRM's own address (RFC 6749 sections 4.4 and 6)."""

    kind: Literal["none", "header", "basic", "oauth2"]
    header: str = "Authorization"
    value: Template = EMPTY
    user: Template = EMPTY
    password: Template = EMPTY
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    login: str = ""
    token: Template = EMPTY
    client: Literal["body", "basic"] = "body"
    scope: Template = EMPTY
    scheme: str = "Bearer"
    lasts_s: float = 3600.0

    @property
    def needs(self) -> tuple[str, ...]:
        """The credentials that the settings must give."""
        match self.kind:
            case "oauth2" if self.grant == "refresh_token":
                return "client_id", "client_secret", "refresh_token"
            case "oauth2":
                return "client_id", "client_secret"
        named = self.value.names | self.user.names | self.password.names
        return tuple(name for name in CREDENTIALS if name in named)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much we ask at most, whatever the CRM says: `per_s` requests a second over time, `burst` at once, `pages` of
    one list."""

    per_s: float = 5.0
    burst: int = 10
    pages: int = 5


@dataclass(frozen=True, slots=True)
class Connector:
    """A CRM, as its file has it. `base` is its address where all customers share one; `options` are words with their
    defaults, None for those that the settings must give; `code` is where an error's code is."""

    title: str
    sign_in: SignIn
    operations: Mapping[OperationName, Operation]
    base: str = ""
    options: Mapping[str, str | None] = field(default_factory=dict)
    headers: Mapping[str, Template] = field(default_factory=dict)
    busy: tuple[Busy, ...] = (Busy(429),)
    signed_out: tuple[int, ...] = (401,)
    code: tuple[Path, ...] = ()
    limits: Limits = Limits()
