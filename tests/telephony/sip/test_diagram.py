"""docs/sip.md shows the tables as they are, and names what there is."""

import msgspec
import pytest

from telephony.sip import settings
from telephony.sip.message import MessageLimits
from telephony.sip.uas import ALLOW
from tests.telephony.sip.diagram import PAGE, diagrams, redraw


class TestPage:
    def test_diagrams_are_those_of_the_tables(self) -> None:
        page = PAGE.read_text()
        assert redraw(page) == page, "run: python -m tests.telephony.sip.diagram"

    @pytest.mark.parametrize("title", diagrams())
    def test_every_diagram_is_there(self, title: str) -> None:
        assert f"<!-- diagram: {title} -->\n```mermaid" in PAGE.read_text()

    @pytest.mark.parametrize(
        "struct",
        [settings.EndpointSettings, settings.RegistrarSettings, settings.EndpointLimits, MessageLimits],
    )
    def test_every_setting_is_told(self, struct: type[msgspec.Struct]) -> None:
        page = PAGE.read_text()
        for field in msgspec.structs.fields(struct):
            assert f"`{field.name}`" in page

    def test_every_method_is_told(self) -> None:
        page = PAGE.read_text()
        assert all(method in page for method in ALLOW.split(", "))
