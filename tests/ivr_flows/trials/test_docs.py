"""The scenarios and the simulation that `docs/flows.md` shows are good, and every word of both is there."""

import re
from pathlib import Path

from hotline.simulate import reading as simulation
from hotline.simulate.center import simulate
from ivr_flows.load import load
from ivr_flows.trials import reading_world, telling
from ivr_flows.trials.examining import examine, read_beside
from ivr_flows.trials.reading import EXPECTED, FILE, SCENARIO
from ivr_flows.trials.scenario import NAMES

PAGE = (Path(__file__).parents[3] / "docs" / "flows.md").read_text(encoding="utf-8")
FLOW = """\
flow: main
languages: [vi]
variables:
  order: {type: digits, length: 6..10}
  delivery: {type: record, fields: {day: date}}
start: welcome
steps:
  welcome: {say: "Xin chào {{ caller.name }}", next: menu}
  menu:
    menu: {prompt: "Bấm 1 hoặc 0", choices: {1: ask_order, 0: agent}}
    no_input: agent
    no_match: agent
  ask_order:
    gather: {into: order, prompt: "Mã đơn?"}
    next: find_order
    no_input: agent
    no_match: agent
  find_order:
    http: {get: "https://orders.example/{{ order }}", into: delivery, map: {day: order.day}}
    next: tell
    failed: agent
    timed_out: agent
  tell: {say: "Đơn sẽ giao ngày mai", next: over}
  agent: {queue: care, answered: end, timeout: over, full: over, closed: over}
  over: {hangup: Tạm biệt}
"""


def _example(word: str) -> str:
    examples: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return next(text for text in examples if f"\n{word}:" in text)


def _folder(folder: Path) -> Path:
    (folder / "main.yaml").write_text(FLOW, encoding="utf-8")
    (folder / "main.test.yaml").write_text(_example("scenarios"), encoding="utf-8")
    (folder / "main.sim.yaml").write_text(_example("arrivals"), encoding="utf-8")
    return folder


def test_the_scenario_passes(tmp_path: Path) -> None:
    (examined,) = examine([read_beside(_folder(tmp_path) / "main.yaml")])
    assert examined.passed, "\n".join(telling.lines_of(examined))


def test_the_simulation_runs(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    flow = load(folder / "main.yaml")
    center = simulate(flow, simulation.read_behaviour(folder / "main.sim.yaml", flow), 50, seed=1)
    assert len(center.ended) == 50


def test_every_word_is_there() -> None:
    kept = PAGE[PAGE.index("## Tests beside flows") : PAGE.index("## Pictures")]
    words = [
        *(*FILE, *SCENARIO, *EXPECTED, *NAMES),
        *(*reading_world.WORLD, *reading_world.CALLER, *reading_world.KNOWN_AS, *reading_world.CASE),
        *(*reading_world.QUEUE, *reading_world.REPLY, *reading_world.HTTP_REPLY, *reading_world.HOURS),
        *(*reading_world.QUEUE_OUTCOMES, *reading_world.INTERACTION),
        *(*simulation.KEYS, *simulation.QUEUE, *simulation.TIME, simulation.AWAY),
    ]
    missing = [word for word in words if not re.search(rf"\b{word}\b", kept) and word != "about"]
    assert missing == []
