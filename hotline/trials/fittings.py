"""The settings and the flows of a scenario's server: such that the world about it is the scenario's."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hotline.config import Settings
from hotline.trials.known import AGENT, DOMAIN
from hotline.trials.opening import hours
from hotline.trials.plan import Plan
from hotline.trials.ports import HOST, MEDIA, Ports
from ivr_flows.load import Files, flow_files
from ivr_flows.trials.examining import Beside

NOBODY: Final = "nobody"
"""Serves the queues that no agent is to answer."""
RINGS_S: Final = 60.0
"""So long the agent's phone rings beyond the time after which it answers."""
ANY_NUMBER: Final = [*"0123456789*#", *(f"+{digit}" for digit in range(1, 10))]
CROWD: Final = """\
flow: {name}
title: {{{language}: {name}}}
languages: [{language}]
start: wait
steps:
  wait: {{queue: {{to: {queue}, priority: 1, limit: 2h}}, answered: end, timeout: over, full: over, closed: over}}
  over: {{hangup: {{{language}: {name}}}}}
"""
"""What those call who wait in a queue before the caller: whatever its priority, they came before."""


def settings_of(given: Settings, plan: Plan, flow: str, flow_settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the world; `flow_settings` are what the flow names."""
    facts = plan.scenario.world.facts
    queues = sorted(name for name in {*given.queues, *facts.queues} if not plan.is_missing(name))
    speaks = plan.scenario.speaks
    return {
        "numbers": {"*": flow, **{number_of(plan, name): flow_of(name) for name in plan.crowds}},
        "flow_settings": {**dict.fromkeys(given.flow_settings, ""), **flow_settings},
        "queues": {name: _queue(name, plan) for name in queues},
        "hours": {name: hours(facts, name, time.time()) for name in {*given.hours, *facts.hours}},
        "speech": {
            "recognisers": _plain(given.speech.recognisers) if speaks else {},
            "voices": _plain(given.speech.voices),
        },
        "languages": list(given.languages),
        "region": facts.region,
    }


def places_of(folder: Path, ports: Ports, plan: Plan) -> dict[str, Any]:
    """Return the settings that say where the server is, and where the trunk leads, if there is one: every number to
    one phone."""
    trunk = {"name": "outside", "targets": [f"sip:{HOST}:{ports.outside}"], "probe": "0s", "allow": ANY_NUMBER}
    sip = {"listen": [f"udp:{HOST}:{ports.sip}"], "domain": DOMAIN, "trunks": [trunk] if plan.called else []}
    return {
        "data": str(folder / "data"),
        "sip": sip,
        "web": {"listen": f"{HOST}:{ports.web}"},
        "media": {"address": HOST, "ports": f"{ports.media}-{ports.media + MEDIA - 1}"},
        "flows": str(folder / "flows"),
    }


def number_of(plan: Plan, queue: str) -> str:
    """Return the number by which others come into a queue."""
    return f"0000{sorted(plan.crowds).index(queue)}"


def flow_of(queue: str) -> str:
    """Return the name of the flow that leads others into a queue."""
    return f"crowd_of_{queue}".replace("-", "_")


def write_flows(folder: Path, beside: Beside, given: Settings, plan: Plan) -> None:
    """Make a folder of the flow and those that it may come to, with all that stands beside them, and of what others
    call: no other prompts need be rendered, and what is wrong with other flows keeps nobody from calling this one."""
    folder.mkdir()
    source = beside.file.parent.resolve()
    needed = {beside.flow.name, *beside.flow.flows}
    files, read = set(flow_files(source)), Files()
    for each in source.iterdir():
        flow = read.by_itself(each).flow if each in files else None
        if each not in files or (flow is not None and flow.name in needed):
            (folder / each.name).symlink_to(each)
    for queue in plan.crowds:
        text = CROWD.format(name=flow_of(queue), queue=queue, language=given.languages[0])
        (folder / f"{flow_of(queue)}.yaml").write_text(text, "utf-8")


def _queue(name: str, plan: Plan) -> dict[str, Any]:
    answered = [stay.visit.after_s for stay in plan.stays if stay.queue == name and stay.visit.outcome == "answered"]
    return {
        "wrap_up": "1s",
        "max_waiting": plan.room_in(name),
        "ring_timeout": f"{max((RINGS_S, *(after_s + RINGS_S for after_s in answered))):g}s",
        "agents": [AGENT if answered else NOBODY],
    }


def _plain(chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each.model_dump(mode="json", exclude_none=True) for name, each in chosen.items()}
