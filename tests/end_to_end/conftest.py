"""One running server for the tests that only talk to it; those that kill theirs start their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.end_to_end.phones.switchboard import Agents, agents
from tests.end_to_end.running import Server, running_server

# Every module starts a server of several processes; compiling the same modules for each takes half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No waiting for after-call work between the calls of different tests, and Vietnamese first, as shipped.
SETTINGS = "queues: {care: {title: Care, wrap_up: 100ms}}\n"


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, which drives the browsers of a module."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of pages go."""
    chosen = os.environ.get("HOTLINE_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module."""
    with running_server(tmp_path_factory.mktemp("server"), SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def switchboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """A server of this module, whose agents are at phones of other makes. (One for all modules would cost more: its
    workers tick every 20 ms until the end of the run, whether there are calls or not.)"""
    with agents(tmp_path_factory.mktemp("switchboard"), "limits: {max_calls: 300, sip_requests: 200}\n") as started:
        yield started
