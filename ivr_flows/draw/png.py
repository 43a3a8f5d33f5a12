"""SVG becomes PNG, by resvg and the fonts of the machine. See docs/decisions/0016."""

import re
from importlib import import_module
from typing import Any, Final

from ivr_flows.draw.svg import FONTS

SCALE: Final = 2.0
"""Pixels of the PNG to one of the picture: sharp on a fine screen, and in print."""
MAX_SIDE: Final = 16_000
SIDES: Final = re.compile(r'(?:width|height)="(\d+)"')
HARD: Final = "Ễ"
UNKNOWN: Final = "\ue000"


class CannotDraw(Exception):
    """There can be no PNG; the text says why and what mends it."""


def png(svg: str) -> bytes:
    """Return a picture as PNG. Raises `CannotDraw`."""
    try:
        resvg = import_module("resvg_py")
    except ModuleNotFoundError as error:
        raise CannotDraw("PNG needs resvg, not installed yet: pip install 'hotline[draw]'") from error
    if _drawn(resvg, HARD) in (_drawn(resvg, ""), _drawn(resvg, UNKNOWN)):
        raise CannotDraw(
            "no font of this machine has Vietnamese letters: apt-get install fonts-dejavu-core; or use svg"
        )
    sides = [int(side) for side in SIDES.findall(svg)[:2]]
    scale = min(SCALE, MAX_SIDE / max(sides))
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=scale))


def _drawn(resvg: Any, letter: str) -> bytes:
    text = f'<text y="24" font-size="24" font-family="{FONTS}">{letter}</text>'
    probe = f'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32">{text}</svg>'
    return bytes(resvg.svg_to_bytes(svg_string=probe))
