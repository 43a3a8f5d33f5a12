"""The documentation names every command, option, setting, scope and open address."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import pytest
import typer.main

from hotline import auth, guard
from hotline.cli import app
from hotline.config import Section, Settings

DOCS = Path(__file__).parent.parent.parent / "docs"
OPERATIONS = (DOCS / "operations.md").read_text("utf-8")
SETTINGS = (DOCS / "settings.md").read_text("utf-8")
SHARED_OPTIONS = {"--config", "--data", "--help", "-h"}


def commands(group: Any, above: str = "hotline") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def settings_names(section: type[Section] = Settings, above: str = "") -> Iterator[str]:
    for attribute, field in section.model_fields.items():
        name, annotation = field.alias or attribute, cast("Any", field.annotation)
        if get_origin(annotation) is dict:
            yield above + name
            inner = get_args(annotation)[1]
            if _is_section(inner):
                key = "<lang>" if above == "speech." else "<name>"
                yield from settings_names(inner, f"{above}{name}.{key}.")
        elif get_origin(annotation) is list and _is_section(get_args(annotation)[0]):
            yield above + name
            yield from settings_names(get_args(annotation)[0], f"{above}{name}[].")
        elif _is_section(annotation):
            yield from settings_names(annotation, f"{above}{name}.")
        else:
            yield above + name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    lines = [line for line in OPERATIONS.splitlines() if line.startswith((f"| `{command} ", f"| `{command}`"))]
    assert len(lines) == 1, f"docs/operations.md needs one row for `{command}`"
    options = {option for each in COMMANDS[command].params for option in each.opts if option.startswith("-")}
    assert all(option in lines[0] for option in options - SHARED_OPTIONS), options


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_settings_file_and_explains_itself(command: str) -> None:
    assert any("--config" in each.opts for each in COMMANDS[command].params)
    assert COMMANDS[command].help


@pytest.mark.parametrize("name", list(settings_names()))
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in SETTINGS


@pytest.mark.parametrize("scope", auth.SCOPES)
def test_every_scope_is_documented(scope: str) -> None:
    assert f"| `{scope}` |" in OPERATIONS


@pytest.mark.parametrize("path", sorted(guard.OPEN))
def test_every_open_address_is_documented(path: str) -> None:
    assert f"- `{path}`:" in OPERATIONS
