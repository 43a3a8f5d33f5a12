"""A flow becomes the octets of a picture."""

from typing import Literal

from ivr_flows.draw.compose import chart
from ivr_flows.draw.layout import layout
from ivr_flows.draw.mermaid import mermaid
from ivr_flows.draw.png import CannotDraw, png
from ivr_flows.draw.svg import svg
from ivr_flows.flow import Flow

__all__ = ["CannotDraw", "picture"]


def picture(flow: Flow, language: str, form: Literal["svg", "mermaid", "png"] = "svg") -> bytes:
    """Return the picture of a flow, with its words in one of its languages. Raises `CannotDraw`, for a PNG alone."""
    drawn = chart(flow, language)
    if form == "mermaid":
        return mermaid(drawn).encode()
    text = svg(drawn, layout(drawn))
    return png(text) if form == "png" else text.encode()
