"""Flows and the settings: what flows may name, and what is wrong with them beside these settings."""

from collections.abc import Iterable
from pathlib import Path

from hotline.config import Settings
from ivr_flows.load import Files
from ivr_flows.prove import Outside, check_file
from ivr_flows.source import FlowError


def outside_of(settings: Settings) -> Outside:
    """Return the names that flows may use of the settings."""
    return Outside(
        queues=frozenset(settings.queues),
        hours=frozenset(settings.hours),
        settings=frozenset(settings.flow_settings),
    )


def check(files: Iterable[Path], settings: Settings | None) -> list[FlowError]:
    """Return everything that is wrong with files, in their order; names of the settings where those are given."""
    outside = Outside() if settings is None else outside_of(settings)
    read = Files()
    return [error for file in files for error in check_file(file, outside, read)]
