"""Expressions of flows: Jinja2's, in its immutable sandbox, without statements, methods or calls.

A text may hold `{{ expression }}`; a condition is a bare expression. Nothing else of Jinja2 is there: no blocks, no
loops, no assignments, and of callables `queue("name")` and `hours("name")` alone. So an expression always ends, soon,
and reads nothing but the facts and variables it names. Undefined is an error.

Whatever a `{{ }}` gives is data and is cleaned before it is spoken (`spoken`): customers write their own names and
subjects. It is never compiled.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ivr_flows.facts import VIEWS, Setting
from ivr_flows.speaking import filters as speaking
from ivr_flows.speaking.reading import Unreadable

MAX_FACT_CHARS: Final = 120
MAX_TEXT_CHARS: Final = 2000

_SPELT: Final = "0123456789+*#"
DIGIT_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "vi": ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín", "cộng", "sao", "thăng"),
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "plus", "star", "hash"),
}
CHANNEL_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "vi": {
        "email": "thư điện tử",
        "chat": "trò chuyện trực tuyến",
        "zalo": "Zalo",
        "facebook": "Facebook",
        "messenger": "Messenger",
        "form": "biểu mẫu trên trang web",
        "sms": "tin nhắn",
        "call": "điện thoại",
        "voice": "điện thoại",
        "phone": "điện thoại",
    },
    "en": {
        "email": "e-mail",
        "chat": "chat",
        "zalo": "Zalo",
        "facebook": "Facebook",
        "messenger": "Messenger",
        "form": "the form on our website",
        "sms": "text message",
        "call": "phone",
        "voice": "phone",
        "phone": "phone",
    },
}

_TAG = re.compile(r"<[^<>]*>")
_MARKUP = re.compile(r"[<>\[\]{}|\\^~_*#`$]")
_SPACES = re.compile(r"\s+")


class ExpressionError(Exception):
    """An expression failed in a call. The text names the cause and holds no fact about a caller."""


class Fault(NamedTuple):
    """What is wrong with an expression, found at load."""

    code: str
    text: str


def spoken(value: object) -> str:
    """Return a value as words to be spoken: no markup, no control characters, at most `MAX_FACT_CHARS`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)[: 10 * MAX_FACT_CHARS]
    if len(text) <= MAX_FACT_CHARS and unicodedata.is_normalized("NFC", text) and all(map(_is_word, text.split(" "))):
        return text  # as most names and numbers are: there is nothing to take away
    return cleaned(text)


def _is_word(text: str) -> bool:
    return text.isalnum()


def cleaned(text: str) -> str:
    """Return words without what cannot be spoken."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in text)
    text = "".join(sign for sign in text if not unicodedata.category(sign).startswith("C"))
    text = _SPACES.sub(" ", _MARKUP.sub(" ", _TAG.sub(" ", text)))
    if len(text) <= MAX_FACT_CHARS:
        return text
    return text[:MAX_FACT_CHARS].rpartition(" ")[0] or text[:MAX_FACT_CHARS]


def _finalize(value: object) -> str:
    # What the settings say stands as it is: nobody but who runs the hotline writes that.
    if isinstance(value, Setting):
        return str(value)
    # An `if` without `else` gives Jinja2's plain Undefined, which is nothing to say; any other undefined is strict
    # and raises here.
    if isinstance(value, speaking.Said):
        return value
    return "" if type(value) is Undefined else spoken(value)


def _language(context: Context) -> str:
    return str(context["call"].language).partition("-")[0]


@pass_context
def _digits(context: Context, value: object) -> str:
    """Spell digits one by one."""
    words = dict(zip(_SPELT, DIGIT_WORDS.get(_language(context), _SPELT), strict=True))
    return ", ".join(words.get(sign, sign) for sign in str(value) if sign.isalnum() or sign in _SPELT)


@pass_context
def _channel(context: Context, value: object) -> str:
    """Name a channel in the call's language."""
    return CHANNEL_NAMES.get(_language(context), {}).get(str(value), str(value))


class _Sandbox(ImmutableSandboxedEnvironment):
    # A text times a number, or formatted to a width, could grow without bound.
    intercepted_binops = frozenset({"*", "%"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        # The fields of facts are what they are for; for anything else Jinja2 looks long at what may be reached.
        if isinstance(obj, msgspec.Struct) and attr in obj.__struct_fields__:
            return True
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise TypeError(f"{operator} needs two numbers")
        return super().call_binop(context, operator, left, right)


def _quoted(value: object) -> str:
    """Return a value as one part of an address; what the settings say stands as it is."""
    return _finalize(value) if isinstance(value, Setting) else quote(_finalize(value), safe="")


def _sandbox(finalize: Callable[[object], str] = _finalize) -> _Sandbox:
    sandbox = _Sandbox(undefined=StrictUndefined, finalize=finalize, autoescape=False, keep_trailing_newline=False)
    kept = ("abs", "default", "first", "int", "join", "last", "length", "lower", "max", "min", "round", "trim", "upper")
    known: dict[str, Callable[..., Any]] = {name: sandbox.filters[name] for name in kept}
    sandbox.filters = {**known, "digits": _digits, "channel": _channel, **speaking.FILTERS}
    sandbox.tests = {
        name: sandbox.tests[name] for name in ("defined", "undefined", "none", "even", "odd", "divisibleby")
    }
    sandbox.globals = {}
    return sandbox


_SANDBOX: Final = _sandbox()
_ADDRESSES: Final = _sandbox(_quoted)
FILTERS: Final = tuple(sorted(_SANDBOX.filters))

_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr,
    nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos,
    nodes.Concat, nodes.Call,
)  # fmt: skip


def check_text(source: str, variables: Iterable[str]) -> list[Fault]:
    """Return what is wrong with a text that may hold `{{ }}`."""
    return _check(lambda: _SANDBOX.parse(source), lambda: _text(source), variables)


def check_condition(source: str, variables: Iterable[str]) -> list[Fault]:
    """Return what is wrong with a bare expression."""
    return _check(lambda: _parse_bare(source), lambda: _bare(source), variables)


def names_in_text(source: str) -> frozenset[str]:
    """Return the names that a text speaks of; none for one that is wrong."""
    return _names(lambda: _SANDBOX.parse(source))


def names_in_condition(source: str) -> frozenset[str]:
    """Return the names in a bare expression; none for one that is wrong."""
    return _names(lambda: _parse_bare(source))


@lru_cache(maxsize=8192)
def tree_of_text(source: str) -> nodes.Template:
    """Return a sound text as Jinja2's tree, for those who prove something about it."""
    return _SANDBOX.parse(source)


@lru_cache(maxsize=8192)
def tree_of_condition(source: str) -> nodes.Node:
    """Return a sound bare expression as Jinja2's tree."""
    return _parse_bare(source)


def _names(parse: Callable[[], nodes.Node]) -> frozenset[str]:
    try:
        tree = parse()
    except TemplateSyntaxError:
        return frozenset()
    found = {node.name for node in tree.find_all(nodes.Name)}
    return frozenset(found | {tree.name} if isinstance(tree, nodes.Name) else found)


def _parse_bare(source: str) -> nodes.Node:
    parser = Parser(_SANDBOX, source, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail(f"'{parser.stream.current.value}' is more than one expression")
    return tree


def _check(parse: Callable[[], nodes.Node], build: Callable[[], object], variables: Iterable[str]) -> list[Fault]:
    try:
        tree = parse()
    except TemplateSyntaxError as error:
        return [Fault("bad-expression", str(error.message))]
    faults = _faults(tree, frozenset(variables))
    if not faults:
        try:
            build()
        except TemplateError as error:
            faults.append(Fault("bad-expression", str(error.message)))
    return faults


def _faults(tree: nodes.Node, variables: frozenset[str]) -> list[Fault]:
    faults = []
    for node in (tree, *tree.find_all(nodes.Node)):
        fault = _fault(node, variables)
        if fault is not None and fault not in faults:
            faults.append(fault)
    return faults


def _fault(node: nodes.Node, variables: frozenset[str]) -> Fault | None:
    match node:
        case nodes.Call(node=nodes.Name(name="queue" | "hours"), args=[_], kwargs=[], dyn_args=None, dyn_kwargs=None):
            return None
        case nodes.Call():
            text = 'nothing can be called here but queue("name") and hours("name"); use a filter: x | filter'
            return Fault("bad-expression", text)
        case nodes.Name(name=name) if name not in variables and name not in VIEWS:
            return Fault("undefined-variable", name)
        case nodes.Getattr(node=nodes.Name(name=group), attr=attribute) if group not in variables:
            return _unknown_fact(group, attribute)
        case nodes.Getattr(node=nodes.Call(node=nodes.Name(name="queue")), attr=attribute):
            return _unknown_fact("queue", attribute)
        case nodes.Filter(name=name) if name not in _SANDBOX.filters:
            return Fault("unknown-filter", name)
        case nodes.Filter() if speaking.wrong_argument(node):
            return Fault("bad-expression", speaking.wrong_argument(node))
        case nodes.Test(name=name) if name not in _SANDBOX.tests:
            return Fault("bad-expression", f"there is no test 'is {name}'")
        case _ if not isinstance(node, _ALLOWED):
            what = type(node).__name__.lower()
            return Fault(
                "bad-expression", f"'{what}' does not belong in a flow: only facts, variables, filters and tests"
            )
    return None


def _unknown_fact(group: str, attribute: str) -> Fault | None:
    view = VIEWS.get(group)
    if group == "hours":
        return Fault("bad-expression", 'ask for opening hours by name: hours("office")')
    if view is None or attribute in view.__struct_fields__:
        return None
    return Fault("unknown-fact", f"{group}.{attribute}")


@lru_cache(maxsize=8192)
def _text(source: str) -> Template:
    return _SANDBOX.from_string(source)


@lru_cache(maxsize=8192)
def _address(source: str) -> Template:
    return _ADDRESSES.from_string(source)


@lru_cache(maxsize=8192)
def _bare(source: str) -> TemplateExpression:
    return _SANDBOX.compile_expression(source, undefined_to_none=False)


def render(source: str, scope: Mapping[str, object]) -> str:
    """Return a text with its expressions filled in, spaces folded, bounded. Raises `ExpressionError`."""
    text: str = _guarded(lambda: _filled(_text(source), scope))
    return _SPACES.sub(" ", text).strip()[:MAX_TEXT_CHARS]


def address(source: str, scope: Mapping[str, object]) -> str:
    """Return an address with its expressions filled in, each as one part of it. Raises `ExpressionError`."""
    text: str = _guarded(lambda: _filled(_address(source), scope))
    return text.strip()[:MAX_TEXT_CHARS]


def _filled(template: Template, scope: Mapping[str, object]) -> str:
    """Fill in a template as `Template.render` does, without a copy of the scope: nothing here could change it."""
    return "".join(template.root_render_func(template.new_context(scope, shared=True)))  # type: ignore[arg-type]


def evaluate(source: str, scope: Mapping[str, object]) -> object:
    """Return the value of a bare expression. Raises `ExpressionError`."""
    value = _guarded(lambda: _bare(source)(scope))
    if isinstance(value, Undefined):
        raise ExpressionError(f"{source}: undefined")
    return str(value) if isinstance(value, speaking.Said) else value


def holds(source: str, scope: Mapping[str, object]) -> bool:
    """Return whether a condition is true. Raises `ExpressionError`."""
    return bool(evaluate(source, scope))


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except TemplateError as error:
        # Jinja2 names the missing name or the sandbox's rule here, never a value.
        raise ExpressionError(str(error.message or type(error).__name__)) from error
    except LookupError as error:
        raise ExpressionError(str(error.args[0]) if error.args else "not found") from error
    except Unreadable as error:
        raise ExpressionError(str(error)) from error
    except (ArithmeticError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # Python's words for these may quote the value, which may be personal.
        raise ExpressionError(f"the expression fails with {type(error).__name__}") from error
