"""A connector's file, proved: everything wrong with it at once, each with its place (docs/connectors.md)."""

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from crm_bridge.connectors import found, source, template
from crm_bridge.connectors.language import (
    CREDENTIALS,
    FIELDS,
    IF,
    INPUTS,
    OPERATIONS,
    Body,
    Busy,
    Connector,
    Field,
    Limits,
    Operation,
    OperationName,
    Paging,
    PagingKind,
    SignIn,
)
from crm_bridge.connectors.source import ConnectorErrors, Faults, ListNode, MapNode, Node, Scalar
from crm_bridge.connectors.template import ANYWHERE, EMPTY, SAFE_IN_QUERY, SAFE_IN_TEXT, Template, TemplateFault

__all__ = ["ConnectorErrors", "load", "parse", "shipped"]

_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/-]*)?")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME: Final = re.compile(r"[a-z][a-z_]{0,31}")
KINDS: Final = {
    "none": (),
    "header": ("header", "value"),
    "basic": ("user", "password"),
    "oauth2": ("grant", "login", "token", "client", "scope", "scheme", "lasts"),
}
T = TypeVar("T")


def shipped() -> dict[str, Path]:
    """Return the files that come with the hotline, by the name of the CRM."""
    folder = Path(str(files("crm_bridge.connectors") / "shipped"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(path: Path) -> Connector:
    """Return the connector of a file. Raises `ConnectorErrors`."""
    return _proved(source.read(path), str(path))


def parse(text: str, file: str) -> Connector:
    """Return the connector that a text is. Raises `ConnectorErrors`."""
    return _proved(source.parse(text, file), file)


def _proved(root: MapNode, file: str) -> Connector:
    faults = Faults(file)
    connector = _Reader(faults).connector(root)
    faults.raise_any()
    return connector


class _Reader:
    """Reads one file; what is wrong goes among the faults, and something harmless takes its place."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._options: frozenset[str] = frozenset()

    def connector(self, root: MapNode) -> Connector:
        """Read the whole of it."""
        keys = ("title", "base", "options", "sign_in", "headers", "limits", "busy", "signed_out", "code", "operations")
        part = self._section(root, keys, needed=("title", "sign_in", "operations"))
        options = {
            name: None if isinstance(value, Scalar) and value.value is None else self._text(value)
            for name, value in self._named(part.get("options"))
        }
        self._options = frozenset(options)
        return Connector(
            title=self._text(part.get("title")),
            base=self._origin(part.get("base")),
            options=options,
            sign_in=self._sign_in(part.get("sign_in")),
            headers=self._headers(part.get("headers"), self._options),
            limits=self._limits(part.get("limits")),
            busy=tuple(self._busy(each) for each in self._list(part.get("busy"))) or (Busy(429),),
            signed_out=tuple(self._status(each) for each in self._list(part.get("signed_out"))) or (401,),
            code=tuple(self._place(each) for each in self._list(part.get("code"))),
            operations=self._operations(part.get("operations")),
        )

    # ------------------------------------------------------------------------------------------------- operations

    def _operations(self, node: Node | None) -> dict[OperationName, Operation]:
        part = self._section(node, OPERATIONS, needed=("check",))
        read = {name: self._operation(name, part[name]) for name in OPERATIONS if name in part}
        if node is not None and not {"find_by_phone", "find_by_email"} & set(read):
            self._faults.add(node, "a connector finds people: write `find_by_phone`, `find_by_email`, or both")
        return read

    def _operation(self, name: OperationName, node: Node) -> Operation:
        keys = ("method", "path", "query", "headers", "body", "words", "rows", "fields", "pages", "nothing")
        part = self._section(node, keys, needed=("method", "path"))
        names = INPUTS[name] | self._options
        fields = self._fields(name, part.get("fields"))
        needs_id = bool(FIELDS[name]) and name not in ("log_call", "cases", "orders")
        if needs_id and isinstance(node, MapNode) and "id" not in fields:
            self._faults.add(part.get("fields", node), f"`{name}` must say where the `id` is: fields: {{id: PLACE}}")
        pages = self._paging(part["pages"]) if "pages" in part else None
        rows = self._place(part["rows"]) if "rows" in part else None
        if pages is not None and rows is None:
            self._faults.add(part["pages"], "pages are of rows: say with `rows:` where those are")
        return Operation(
            name=name,
            method=self._one_of(part.get("method"), ("GET", "POST", "PUT", "PATCH")),
            path=self._path(part.get("path"), names),
            query={key: self._template(value, names, SAFE_IN_QUERY) for key, value in self._pairs(part.get("query"))},
            headers=self._headers(part.get("headers"), names),
            body=self._body(part["body"], names) if "body" in part else None,
            words={gap: self._words(value) for gap, value in self._pairs(part.get("words"), names)},
            rows=rows,
            fields=fields,
            pages=pages,
            nothing=frozenset(self._status(each) for each in self._list(part.get("nothing"))),
        )

    def _fields(self, name: OperationName, node: Node | None) -> dict[str, Field]:
        return {key: self._field(value) for key, value in self._section(node, FIELDS[name]).items()}

    def _field(self, node: Node) -> Field:
        if not isinstance(node, MapNode):
            return Field((self._place(node),))
        part = self._section(node, ("at", "first", "join", "words"))
        ways = [way for way in ("at", "first", "join") if way in part]
        if len(ways) != 1:
            self._faults.add(node, "a field is `at:` one place, the `first:` of several, or several that `join:`")
            return Field(())
        value = part[ways[0]]
        places = (value,) if ways[0] == "at" else self._list(value)
        return Field(tuple(map(self._place, places)), ways[0] == "join", self._words(part.get("words")))

    def _paging(self, node: Node) -> Paging:
        every: tuple[PagingKind, ...] = get_args(PagingKind)
        part = self._section(node, (*every, "from", "in", "first", "size", "more"))
        kinds = [kind for kind in every if kind in part]
        if len(kinds) != 1:
            self._faults.add(node, "pages go by one of `next`, `cursor`, `page` and `offset`")
            return Paging("next")
        kind = kinds[0]
        given = {
            "within": self._one_of(part.get("in"), ("query", "body"), "query"),
            "first": int(self._number(part.get("first"), 0 if kind == "offset" else 1)),
            "size": int(self._number(part.get("size"), 0)),
            "more": self._place(part["more"]) if "more" in part else (),
        }
        if kind == "next":
            return Paging("next", self._place(part["next"]))
        parameter = self._text(part[kind])
        if kind == "cursor":
            if "from" not in part:
                self._faults.add(node, "say with `from:` where the answer has the cursor of the next page")
            return Paging("cursor", self._place(part["from"]) if "from" in part else (), parameter, given["within"])
        if not given["more"] and given["size"] < 1:
            self._faults.add(node, "say with `size:` how many rows a full page has, or with `more:` what says so")
        return Paging(kind, (), parameter, **given)

    def _body(self, node: Node, names: frozenset[str]) -> Body:
        if isinstance(node, MapNode):
            read: dict[str, Body] = {}
            for key, (word, value) in node.items.items():
                if key == IF:
                    gap = self._text(value)
                    if gap not in names:
                        self._faults.add(value, f"`{gap}` is not known here; known are {', '.join(sorted(names))}")
                    read[IF] = Template((template.Slot(gap),))
                else:
                    read[key] = self._body(value, names)
                if not key:
                    self._faults.add(word, "a name is due here")
            return read
        if isinstance(node, ListNode):
            return tuple(self._body(each, names) for each in node.elements)
        assert isinstance(node, Scalar)  # noqa: S101 - YAML has three kinds of node
        return self._template(node, names, SAFE_IN_TEXT) if isinstance(node.value, str) else node.value

    # ------------------------------------------------------------------------------------------ the other sections

    def _sign_in(self, node: Node | None) -> SignIn:
        every = ("kind", *(key for keys in KINDS.values() for key in keys))
        part = self._section(node, every, needed=("kind",))
        kind = self._one_of(part.get("kind"), tuple(KINDS))
        for key in set(part) - {"kind", *KINDS[kind]}:
            self._faults.add(part[key], f"`{key}` is nothing for kind {kind}, which takes {', '.join(KINDS[kind])}")
        for key in {"header": ("value",), "basic": KINDS["basic"], "oauth2": ("token",)}.get(kind, ()):
            if key not in part and node is not None:
                self._faults.add(node, f"`{key}` is missing: kind {kind} needs it")
        names = self._options | frozenset(CREDENTIALS)
        header = self._text(part.get("header"), "Authorization")
        if not _HEADER.fullmatch(header):
            self._faults.add(part["header"], f"`{header}` is no name of a header")
        return SignIn(
            kind=kind,
            header=header,
            value=self._template(part.get("value"), names, ANYWHERE),
            user=self._template(part.get("user"), names, ANYWHERE),
            password=self._template(part.get("password"), names, ANYWHERE),
            grant=self._one_of(part.get("grant"), ("client_credentials", "refresh_token"), "client_credentials"),
            login=self._origin(part.get("login")),
            token=self._path(part.get("token"), self._options) if "token" in part else EMPTY,
            client=self._one_of(part.get("client"), ("body", "basic"), "body"),
            scope=self._template(part.get("scope"), self._options | {"base"}, ANYWHERE),
            scheme=self._text(part.get("scheme"), "Bearer"),
            lasts_s=self._number(part.get("lasts"), 3600.0),
        )

    def _limits(self, node: Node | None) -> Limits:
        part = self._section(node, ("per_second", "burst", "pages"))
        given = Limits()
        per_s = self._number(part.get("per_second"), given.per_s, least=0.01)
        burst = self._number(part.get("burst"), given.burst, least=1)
        return Limits(per_s, int(burst), int(self._number(part.get("pages"), given.pages, least=1)))

    def _busy(self, node: Node) -> Busy:
        if isinstance(node, Scalar):
            return Busy(self._status(node))
        part = self._section(node, ("status", "at", "word", "wait"), needed=("status",))
        if ("at" in part) != ("word" in part):
            self._faults.add(node, "`at` and `word` belong together: the place, and what stands there")
        return Busy(
            self._status(part["status"]) if "status" in part else 429,
            self._place(part["at"]) if "at" in part else (),
            self._text(part.get("word")),
            self._number(part.get("wait"), 10.0),
        )

    def _headers(self, node: Node | None, names: frozenset[str]) -> dict[str, Template]:
        read = {}
        for key, value in self._pairs(node):
            if not _HEADER.fullmatch(key):
                self._faults.add(value, f"`{key}` is no name of a header")
            read[key] = self._template(value, names, ANYWHERE)
        return read

    # ------------------------------------------------------------------------------------------------ single values

    def _section(self, node: Node | None, known: tuple[str, ...], needed: tuple[str, ...] = ()) -> dict[str, Node]:
        if node is None:
            return {}
        if not isinstance(node, MapNode):
            self._faults.add(node, f"`key: value` lines are due here, of {', '.join(known)}")
            return {}
        for key, (word, _) in node.items.items():
            if key not in known:
                self._faults.unknown(word, known)
        for key in needed:
            if key not in node.items:
                self._faults.add(node, f"`{key}` is missing")
        return {key: value for key, (_, value) in node.items.items() if key in known}

    def _pairs(self, node: Node | None, known: frozenset[str] | None = None) -> list[tuple[str, Node]]:
        if node is None:
            return []
        if not isinstance(node, MapNode):
            self._faults.add(node, "`key: value` lines are due here")
            return []
        for key, (word, _) in node.items.items():
            if known is not None and key not in known:
                self._faults.unknown(word, known)
        return [(key, value) for key, (_, value) in node.items.items()]

    def _named(self, node: Node | None) -> list[tuple[str, Node]]:
        pairs = self._pairs(node)
        for key, value in pairs:
            if not _NAME.fullmatch(key) or key in CREDENTIALS or any(key in names for names in INPUTS.values()):
                self._faults.add(value, f"`{key}` is no name of an option; write small letters and _, and no input's")
        return pairs

    def _list(self, node: Node | None) -> tuple[Node, ...]:
        if node is None:
            return ()
        return node.elements if isinstance(node, ListNode) else (node,)

    def _text(self, node: Node | None, default: str = "") -> str:
        if node is None:
            return default
        if not isinstance(node, Scalar) or node.value is None:
            self._faults.add(node, "one value is due here")
            return default
        return node.text

    def _number(self, node: Node | None, default: float, least: float = 0) -> float:
        if node is None:
            return default
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= 1e6:
            self._faults.add(node, f"a number of at least {least:g} is due here")
            return default
        return value

    def _status(self, node: Node) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
            self._faults.add(node, "a status of HTTP is due here, such as 404")
            return 599
        return value

    def _one_of(self, node: Node | None, words: tuple[Any, ...], default: Any = None) -> Any:
        text = self._text(node, default or words[0])
        if text not in words:
            assert node is not None  # noqa: S101 - the default is one of the words
            self._faults.add(node, f"`{text}` is not known; write {', '.join(words)}")
            return words[0]
        return text

    def _words(self, node: Node | None) -> Mapping[str, str]:
        return {key: self._text(value) for key, value in self._pairs(node)}

    def _place(self, node: Node) -> found.Path:
        if isinstance(node, ListNode):
            steps = [each.value if isinstance(each, Scalar) else None for each in node.elements]
            if all(isinstance(step, str | int) and not isinstance(step, bool) for step in steps):
                return tuple(step for step in steps if isinstance(step, str | int))
        elif isinstance(node, Scalar):
            return self._tried(node, found.parse, ())
        self._faults.add(node, "a place in the answer is due here: a.b[0].c, or a list of names")
        return ()

    def _origin(self, node: Node | None) -> str:
        text = self._text(node)
        if node is not None and not _ORIGIN.fullmatch(text):
            self._faults.add(node, f"`{text}` is no address; write for example https://api.example.com")
        return text.rstrip("/")

    def _path(self, node: Node | None, names: frozenset[str]) -> Template:
        read = self._template(node, names, ANYWHERE)
        first = read.parts[0] if read.parts else ""
        if node is not None and not (isinstance(first, str) and first.startswith("/") and not first.startswith("//")):
            self._faults.add(node, "a path begins with one /; the address before it is the settings' `base`")
        if node is not None and any(isinstance(part, str) and re.search(r"[?#\s\\]", part) for part in read.parts):
            self._faults.add(node, "a path has no ?, #, \\ or space in it; parameters go into `query:`")
        return read

    def _template(self, node: Node | None, names: frozenset[str], safe: frozenset[str]) -> Template:
        def read(text: str) -> Template:
            parsed = template.parse(text)
            template.check(parsed, names, safe)
            return parsed

        if node is None:
            return EMPTY
        if not isinstance(node, Scalar):
            self._faults.add(node, "one text is due here")
            return EMPTY
        return self._tried(node, read, EMPTY)

    def _tried(self, node: Scalar, read: Callable[[str], T], instead: T) -> T:
        try:
            return read(node.text)
        except (TemplateFault, ValueError) as error:
            self._faults.add(node, str(error))
            return instead
