"""docs/sip.md shows the tables as they are, and names what there is."""

import importlib
import pkgutil
from enum import StrEnum
from typing import Any

import msgspec
import pytest

import telephony.sip
from telephony.sip import settings
from telephony.sip.message import MessageLimits
from telephony.sip.uas import ALLOW
from tests.telephony.sip.diagram import PAGE, diagrams, draw, redraw


def tables() -> dict[str, dict[tuple[StrEnum, StrEnum], Any]]:
    """Return the state tables of the SIP core by module and name: whatever maps (state, input) to a row."""
    found = {}
    for module in pkgutil.iter_modules(telephony.sip.__path__, "telephony.sip."):
        for name, value in vars(importlib.import_module(module.name)).items():
            key = next(iter(value), None) if isinstance(value, dict) and not name.startswith("_") else None
            if isinstance(key, tuple) and len(key) == 2 and all(isinstance(each, StrEnum) for each in key):
                found[f"{module.name.rpartition('.')[2]}.{name}"] = value
    return found


def without_start(drawn: str) -> str:
    """Return a diagram without the arrow that says where it begins."""
    return "\n".join(line for line in drawn.splitlines() if "[*]" not in line)


class TestPage:
    def test_every_table_of_the_core_is_drawn(self) -> None:
        drawn = {without_start(diagram) for diagram in diagrams().values()}
        assert {"transaction.INVITE_SERVER", "dialog.INCOMING", "session.SESSION"} <= tables().keys()
        for name, table in tables().items():
            rows = {row: after if isinstance(after, tuple) else (after, ()) for row, after in table.items()}
            assert without_start(draw(rows, next(iter(rows))[0])) in drawn, name

    def test_diagrams_are_those_of_the_tables(self) -> None:
        page = PAGE.read_text()
        assert redraw(page) == page, "run: python -m tests.telephony.sip.diagram"

    @pytest.mark.parametrize("title", diagrams())
    def test_every_diagram_is_there(self, title: str) -> None:
        assert f"<!-- diagram: {title} -->\n```mermaid" in PAGE.read_text()

    @pytest.mark.parametrize(
        "struct",
        [
            settings.EndpointSettings,
            settings.RegistrarSettings,
            settings.SubscriptionSettings,
            settings.TextSettings,
            settings.EndpointLimits,
            MessageLimits,
        ],
    )
    def test_every_setting_is_told(self, struct: type[msgspec.Struct]) -> None:
        page = PAGE.read_text()
        for field in msgspec.structs.fields(struct):
            assert f"`{field.name}`" in page

    def test_every_method_is_told(self) -> None:
        page = PAGE.read_text()
        assert all(method in page for method in ALLOW.split(", "))
