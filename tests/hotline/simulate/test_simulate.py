"""`hotline.simulate`: the same seed gives the same, queues behave as theory says, behaviour does what it says."""

import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from hotline.simulate.behaviour import Behaviour, Time
from hotline.simulate.center import Center, simulate
from hotline.simulate.draws import Draws
from hotline.simulate.erlang import erlang_c
from hotline.simulate.figures import Figures, figures, spread
from hotline.simulate.reading import changed, read_behaviour, read_rate
from ivr_flows.flow import Flow
from ivr_flows.load import load
from ivr_flows.source import FlowErrors
from tests.ivr_flows.flows import EXAMPLES, flow_of
from tests.ivr_flows.trials.test_everything import FLOWS

QUEUE_ALONE = """\
flow: alone
languages: [vi]
start: wait
steps:
  wait:
    queue: {to: care, limit: 10h}
    answered: end
    timeout: sorry
    full: sorry
    closed: sorry
  sorry: {hangup: Xin lỗi}
"""


@pytest.fixture
def alone(tmp_path: Path) -> Flow:
    return flow_of(tmp_path, QUEUE_ALONE)


def behaviour(folder: Path, flow: Flow, text: str) -> Behaviour:
    path = folder / "flow.sim.yaml"
    path.write_text(text, encoding="utf-8")
    return read_behaviour(path, flow)


def outcome(flow: Flow, known: Behaviour, calls: int = 300, seed: int = 1) -> Figures:
    center = simulate(flow, known, calls, seed)
    assert len(center.ended) == calls
    return figures(center)


class TestTheory:
    def test_erlang_c_is_that_of_the_books(self) -> None:
        load, agents = 20.0, 24
        found = erlang_c(load / 180, 180.0, agents)
        assert found is not None
        waiting = load**agents / math.factorial(agents) * agents / (agents - load)
        others = sum(load**servers / math.factorial(servers) for servers in range(agents))
        assert found.waits == pytest.approx(waiting / (waiting + others))
        assert found.mean_wait_s == pytest.approx(found.waits * 180 / (agents - load))
        assert found.within(15.0, agents, 180.0) == pytest.approx(1 - found.waits * math.exp(-4 * 15 / 180))

    def test_a_queue_that_grows_for_ever_has_no_figures(self) -> None:
        assert erlang_c(1.0, 10.0, 10) is None
        assert erlang_c(1.0, 10.0, 0) is None

    def test_patient_callers_wait_as_erlang_says(self, alone: Flow, tmp_path: Path) -> None:
        known = behaviour(
            tmp_path,
            alone,
            "arrivals: 120/h\npatience: {fixed: 9h}\nringing: {fixed: 1ms}\nagents: 2\nhandling: 30s\n"
            "queues: {care: {wrap_up: 0s, max_waiting: 100000}}\n",
        )
        theory = erlang_c(120 / 3600, 30.0, 2)
        assert theory is not None
        (queue,) = outcome(alone, known, 5000).queues
        assert queue.answered == queue.offered == 5000
        assert queue.occupancy == pytest.approx(theory.occupancy, rel=0.05)
        assert queue.wait.mean_s == pytest.approx(theory.mean_wait_s, rel=0.12)
        assert queue.service_level == pytest.approx(theory.within(20.0, 2, 30.0), abs=0.03)


class TestSameSeed:
    def test_the_same_seed_gives_the_same_and_another_does_not(self) -> None:
        flow = load(EXAMPLES / "main.yaml")
        known = read_behaviour(EXAMPLES / "main.sim.yaml", flow)
        first, again, other = (outcome(flow, known, 200, seed) for seed in (7, 7, 8))
        assert msgspec.json.encode(first) == msgspec.json.encode(again)
        assert msgspec.json.encode(first) != msgspec.json.encode(other)

    def test_in_every_process(self) -> None:
        command = [
            *(sys.executable, "-m", "hotline", "flow", "simulate", str(EXAMPLES / "main.yaml")),
            *("--calls", "60", "--seed", "5", "--json"),
        ]
        printed = {
            subprocess.run(
                command, capture_output=True, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": seed}
            ).stdout
            for seed in ("1", "2")
        }
        assert len(printed) == 1

    def test_one_callers_chance_changes_nothing_for_the_next(self) -> None:
        first, second = Draws(1, "caller/1"), Draws(1, "caller/2")
        alone = second.digits(8)
        for _ in range(100):
            first.digits(3)
        assert Draws(1, "caller/2").digits(8) == alone


class TestCallers:
    def test_shares_are_kept(self, tmp_path: Path) -> None:
        flow = load(EXAMPLES / "main.yaml")
        known = behaviour(tmp_path, flow, "steps: {menu: {0: 50%, hangs_up: 50%}}\nagents: 50\n")
        told = outcome(flow, known, 1000)
        by_step: Counter[str] = Counter()
        for end in told.ends:
            by_step[end.step] += end.calls
        assert by_step["menu"] == pytest.approx(500, abs=60)
        assert by_step["menu"] + by_step["agent"] == 1000

    def test_silence_and_wrong_keys_end_where_the_flow_says(self, tmp_path: Path) -> None:
        flow = load(EXAMPLES / "main.yaml")
        for share in ("silent", "wrong"):
            known = behaviour(tmp_path, flow, f"steps: {{menu: {{{share}: 100%}}}}\nagents: 50\n")
            told = outcome(flow, known, 50)
            assert {end.step for end in told.ends} == {"agent"}
            menu = next(step for step in told.steps if step.step == "menu")
            assert (menu.time.count, menu.time.mean_s > 15) == (50, True)

    def test_everybody_gives_up_where_nobody_answers(self, alone: Flow, tmp_path: Path) -> None:
        known = behaviour(tmp_path, alone, "patience: 30s\nringing: {fixed: 1h}\nagents: 1\n")
        told = outcome(alone, known, 500)
        (queue,) = told.queues
        assert (queue.answered, queue.abandoned, queue.service_level) == (0, 500, 0.0)
        assert queue.abandoned_wait.mean_s == pytest.approx(30.0, rel=0.15)

    def test_a_full_queue_refuses(self, alone: Flow, tmp_path: Path) -> None:
        known = behaviour(
            tmp_path, alone, "arrivals: 2000/h\npatience: {fixed: 5h}\nagents: 1\nqueues: {care: {max_waiting: 2}}\n"
        )
        told = outcome(alone, known, 200)
        (queue,) = told.queues
        assert queue.refused > 100
        assert queue.refused + queue.answered == 200
        assert any(end.step == "sorry" for end in told.ends)

    def test_kinds_of_callers(self, tmp_path: Path) -> None:
        flow = load(EXAMPLES / "main.yaml")
        known = behaviour(
            tmp_path,
            flow,
            "callers:\n  new: {share: 75%}\n  lan: {share: 25%, caller: {known_as: {open_cases: [refund]}}}\n",
        )
        told = outcome(flow, known, 400)
        visits = {step.step: step.time.count for step in told.steps}
        assert told.kinds["lan"] == pytest.approx(100, abs=35)
        assert visits["about_case"] >= told.kinds["lan"]

    def test_every_verb_can_be_simulated(self) -> None:
        flow = load(FLOWS / "main.yaml")
        told = outcome(flow, changed(read_behaviour(None, flow), 10, 300.0), 400)
        seen = {step.step for step in told.steps}
        assert {"identify/ask", "find", "survey", "waiting_room/place", "conf", "message"} <= seen
        (queue,) = told.queues
        assert queue.left > 0
        assert queue.offered == queue.answered + queue.abandoned + queue.timed_out + queue.refused + queue.left

    def test_codes_are_not_sent_and_keyed_as_the_shares_say(self, tmp_path: Path) -> None:
        flow = load(EXAMPLES / "prove.yaml")
        shares = "{right: 45%, silent: 5%, hangs_up: 10%, not_sent: 40%}"
        told = outcome(flow, behaviour(tmp_path, flow, f"steps: {{code: {shares}}}\n"), 400)
        ends = {end.step: end.calls for end in told.ends}
        # Of those who are sent one, 45 of 60 key it; who was silent once is asked once more.
        assert ends["is_verified"] == pytest.approx(400 * 0.6 * (45 / 60) * (1 + 5 / 60), abs=35)
        assert ends["is_refused"] == pytest.approx(400 * 0.4, abs=35)
        assert ends["code"] == pytest.approx(400 * 0.6 * (10 / 60) * (1 + 5 / 60), abs=25)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("arivals: 120/h", "unknown-key: a simulation has no 'arivals'; did you mean 'arrivals'?"),
            ("arrivals: often", "'often' is not a rate such as 120/h or 2/min"),
            ("patience: {mean: 3}", "'3' is not a duration"),
            ("patience: {deviation: 3s}", "a time needs 'mean:' or 'fixed:'"),
            ("queues: {car: {agents: 1}}", "the flow has no queue 'car'; did you mean 'care'?"),
            ("steps: {mnu: {1: 100%}}", "'mnu' is no question and no request of this flow; did you mean 'menu'?"),
            ("steps: {menu: {7: 100%}}", "'7' does not happen at 'menu'"),
            ("steps: {menu: {1: 60%, silent: 30%}}", "1:15: bad-share: the shares of 'menu' make 90 %, not 100 %"),
            ("steps: {menu: {1: 60}}", "'60' is not a share from 0% to 100%"),
            ("callers: {a: {share: 50%}}", "the shares of the callers make 50 %"),
            ("callers: {a: {caller: withheld}}", "a kind of callers needs 'share:'"),
            ("flow: other", "the flow beside this file is 'main', not 'other'"),
        ],
    )
    def test_faults_have_their_place(self, text: str, fault: str, tmp_path: Path) -> None:
        with pytest.raises(FlowErrors) as raised:
            behaviour(tmp_path, load(EXAMPLES / "main.yaml"), text)
        assert fault in str(raised.value)

    @pytest.mark.parametrize(
        ("text", "rate"), [("120/h", 120), ("2/min", 120), ("120", 120), ("48/d", 2), ("0/h", None), ("x", None)]
    )
    def test_rates(self, text: str, rate: float | None) -> None:
        assert read_rate(text) == rate

    def test_times(self, tmp_path: Path, alone: Flow) -> None:
        known = behaviour(tmp_path, alone, "patience: 2m\nringing: 4s\nhandling: {mean: 3m, deviation: 1m}\n")
        assert (known.patience, known.ringing) == (Time(120.0), Time(4.0, "fixed"))
        assert known.handling == Time(180.0, "lognormal", 60.0)
        draws = Draws(1, "x")
        drawn = [draws.time_s(known.handling) for _ in range(4000)]
        assert sum(drawn) / len(drawn) == pytest.approx(180.0, rel=0.05)


def test_spreads() -> None:
    assert spread([]).count == 0
    assert spread([3.0, 1.0, 2.0]).p50_s == 2.0
    assert spread(map(float, range(1, 101))).p95_s == 95.0


def test_nobody_is_lost(alone: Flow, tmp_path: Path) -> None:
    center: Center = simulate(alone, behaviour(tmp_path, alone, "agents: 2\npatience: 20s\n"), 300, 3)
    assert (len(center.ended), len(center.visits), center.calls) == (300, 300, {})
    assert {agent.state for agent in center.acd.agents()} <= {"ready", "after_call_work"}
