"""The pictures in `docs/flows/` are those of the shipped flows."""

from pathlib import Path

import pytest

from ivr_flows.draw.pictures import picture
from ivr_flows.load import flow_files, load
from tests.ivr_flows.flows import EXAMPLES

DRAWINGS = Path(__file__).parents[3] / "docs" / "flows"


def test_every_shipped_flow_is_drawn_and_nothing_else() -> None:
    drawn = sorted(path.stem for path in DRAWINGS.glob("*.svg"))
    assert drawn == sorted(path.stem for path in flow_files(EXAMPLES)), "make drawings"


@pytest.mark.parametrize("path", flow_files(EXAMPLES), ids=lambda path: path.stem)
def test_pictures_are_up_to_date(path: Path) -> None:
    flow = load(path)
    assert (DRAWINGS / f"{path.stem}.svg").read_bytes() == picture(flow, flow.languages[0]), "make drawings"


def test_the_same_flow_gives_the_same_picture() -> None:
    assert picture(load(EXAMPLES / "main.yaml"), "en") == picture(load(EXAMPLES / "main.yaml"), "en")
