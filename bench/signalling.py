"""The SIP side under load: `hotline bench signalling`.

The measured process (`signalling_server.py`) has one core, what loads it another (where there is one). Load is SIPp
over UDP and TCP, with the scenarios of `tests/sipp`, and `signalling_client.py` over TLS. Calls begin at a steady rate,
whether those before are answered or not, and are INVITE, 100, 200, ACK, BYE and 200. SIPp's clock steps by 4 ms, so its
latencies are multiples of that.

Cases: `udp`, `tcp` and `tls` (n calls a second), `overload` (n calls a second, by default twice 600 and twice what one
core takes), `memory` (n calls in all, 600 a second) and `server` (the whole `hotline serve` on one core, n calls a
second, each with its rows, its flow and 2 s of a media leg).
"""

import contextlib
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Row = dict[str, object]

CASES: Final = ("udp", "tcp", "tls", "overload", "memory", "server")
RATE: Final = 600
SECONDS: Final = 60.0
MEMORY_CALLS: Final = 100_000
STEADY_S: Final = 40.0
"""After this time as many finished transactions are forgotten (timers J and L, 32 s) as begin."""
SERVER_RATES: Final = (20, 40, 80)
HOST: Final = "127.0.0.1"
BENCH: Final = Path(__file__).parent
SCENARIOS: Final = BENCH.parent / "tests" / "sipp"
CALL: Final = "uac-calls-and-hangs-up-expect-200.xml"
OVERLOAD: Final = "uac-calls-into-an-overload-expect-200-or-503.xml"
TALK: Final = "uac-talks-two-seconds-and-hangs-up-expect-200.xml"

MOST_CPU_MS: Final = 1.2
MOST_FAILED: Final = 0.001
QUICK: Final = 2.0
"""Under overload, p99 may be this many times what it is at 600 calls a second, or `QUICK_MS`, which nobody hears."""
QUICK_MS: Final = 50.0
FLAT: Final = 0.05


def run(case: str | None = None, n: int | None = None, seconds: float | None = None) -> list[Row]:
    """Measure every case, or one. Raises `ValueError` for an unknown case, `RuntimeError` where SIPp is missing."""
    if case is not None and case not in CASES:
        raise ValueError(f"there is no case {case!r}; there are {', '.join(CASES)}")
    if shutil.which("sipp") is None:
        raise RuntimeError("the load comes from SIPp: sudo apt-get install sip-tester")
    rows: list[Row] = []
    for one in [case] if case else CASES:
        rows += _CASES[one](one, n, seconds or SECONDS, seconds is not None)
    return rows


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line per row that has a target: whether it is met, and what it is."""
    lines = []
    for row in rows:
        if "met" in row:
            told = {True: "met", False: "NOT MET", None: "not told by so short a run"}[row["met"]]
            lines.append(f"{row['case']} {row['n']}: {told}: {row['target']}")
    return lines


# ----------------------------------------------------------------------------------------------------------- cases


def _steady(case: str, n: int | None, seconds: float, _: bool) -> list[Row]:
    rate = n or RATE
    with tempfile.TemporaryDirectory() as folder, _server(case, Path(folder)) as server:
        before = server.figures()
        load = _load(case, server.port, rate, round(rate * seconds), Path(folder))
        row = _row(case, rate, load, before, server.figures())
    met = load.failed_share < MOST_FAILED and _cost_ms(load, before, server.last) <= MOST_CPU_MS
    target = f"under {MOST_FAILED:.1%} failed and at most {MOST_CPU_MS} ms of CPU a call at {RATE} calls/s"
    return [row | ({"met": met, "target": target} if rate == RATE else {})]


def _overload(case: str, n: int | None, seconds: float, _: bool) -> list[Row]:
    """What is told is told against the same process under 600 calls a second, just before."""
    rows: list[Row] = []
    rates = [n] if n else [2 * RATE, 0]
    for asked in rates:
        with tempfile.TemporaryDirectory() as folder, _server("udp", Path(folder)) as server:
            before = server.figures()
            base = _load("udp", server.port, RATE, round(RATE * min(seconds, 10.0)), Path(folder))
            cost_ms = _cost_ms(base, before, server.figures())
            rate = asked or round(2 * 1000 / cost_ms)
            before = server.figures()
            load = _load("udp", server.port, rate, round(rate * seconds), Path(folder), OVERLOAD)
            row = _row(case, rate, load, before, server.figures())
        base_ms, ms = _percentile(base.answers_ms, 0.99), _percentile(load.answers_ms, 0.99)
        row |= {
            "refused": round(load.refused / max(1, load.calls), 5),
            "invite_to_200_p99_ms_at_600": round(base_ms, 1),
        }
        met = load.failed_share < MOST_FAILED and ms <= max(QUICK * base_ms, QUICK_MS)
        target = f"who is let in is answered as quickly (p99 {QUICK:g} times that at {RATE}/s, or {QUICK_MS:g} ms)"
        rows.append(row | {"met": met, "target": f"{target}, the rest get 503, under {MOST_FAILED:.1%} neither"})
    return rows


def _memory(case: str, n: int | None, seconds: float, bounded: bool) -> list[Row]:
    calls = n or (round(RATE * seconds) if bounded else MEMORY_CALLS)
    seen: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder, _server("udp", Path(folder)) as server:
        before = server.figures()
        begin = time.monotonic()

        def look() -> None:
            seen.append((time.monotonic() - begin, server.figures()["memory_kb"]))

        load = _load("udp", server.port, RATE, calls, Path(folder), look=look)
        row = _row(case, calls, load, before, server.figures())
    steady = [kb for at, kb in seen if STEADY_S <= at < calls / RATE]
    growth = steady[-1] - steady[0] if len(steady) > 1 else None
    row["memory_growth_kb"] = growth
    met = None if growth is None else growth <= FLAT * steady[0]
    return [row | {"met": met, "target": f"memory grows by less than {FLAT:.0%} from {STEADY_S:g} s on"}]


def _whole(case: str, n: int | None, seconds: float, _: bool) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, _hotline(Path(folder)) as server:
        _load("udp", server.port, 5, 25, Path(folder), TALK)  # prompts are rendered, pools filled
        for rate in [n] if n else SERVER_RATES:
            before = server.figures()
            load = _load("udp", server.port, rate, round(rate * seconds), Path(folder), TALK)
            rows.append(_row(case, rate, load, before, server.figures()))
    return rows


_CASES: Final[dict[str, Callable[[str, int | None, float, bool], list[Row]]]] = {
    "udp": _steady,
    "tcp": _steady,
    "tls": _steady,
    "overload": _overload,
    "memory": _memory,
    "server": _whole,
}


# -------------------------------------------------------------------------------------------------------- figures


@dataclass
class Load:
    """What became of the calls of one run."""

    calls: int
    lasted_s: float
    answered: int
    refused: int
    failed: int
    retransmissions: int
    answers_ms: list[float]

    @property
    def failed_share(self) -> float:
        """Failed calls, 0 to 1."""
        return self.failed / max(1, self.calls)


def _row(case: str, n: int, load: Load, before: Mapping[str, Any], after: Mapping[str, Any]) -> Row:
    return {
        "case": case,
        "n": n,
        "calls_per_s": round(load.answered / load.lasted_s, 1),
        "cpu_ms_per_call": round(_cost_ms(load, before, after), 3),
        "failed": round(load.failed_share, 5),
        "invite_to_200_p50_ms": round(_percentile(load.answers_ms, 0.5), 1),
        "invite_to_200_p99_ms": round(_percentile(load.answers_ms, 0.99), 1),
        "retransmissions": load.retransmissions,
        "memory_kb": after["memory_kb"],
    }


def _cost_ms(load: Load, before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """CPU of all that was done, those who were refused included, for each call that was answered."""
    cost_ms: float = 1000 * (after["cpu_s"] - before["cpu_s"]) / max(1, load.answered)
    return cost_ms


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


# ------------------------------------------------------------------------------------------------ the measured side


@dataclass
class _Server:
    process: subprocess.Popen[str]
    port: int
    last: dict[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """Return what it has used, by its own account."""
        told, heard = self.process.stdin, self.process.stdout
        if told is None or heard is None:
            raise RuntimeError("the measured process has no pipes")
        told.write("figures\n")
        told.flush()
        self.last = json.loads(heard.readline())
        return self.last


@contextlib.contextmanager
def _server(transport: str, folder: Path) -> Iterator[_Server]:
    command = [sys.executable, str(BENCH / "signalling_server.py"), transport, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(_pinned(0, command), text=True, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the measured process is gone; its messages are above")
            yield _Server(process, json.loads(line)[1])
        finally:
            process.stdin.close()
            process.wait(10)


@dataclass
class _Hotline:
    process: subprocess.Popen[str]
    port: int

    def figures(self) -> dict[str, Any]:
        """Return the CPU of the control process, which does the signalling, and its memory."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {
            "cpu_s": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            "memory_kb": next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")),
        }


@contextlib.contextmanager
def _hotline(folder: Path) -> Iterator[_Hotline]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    config = folder / "hotline.yaml"
    config.write_text(
        f"data: {folder / 'data'}\nweb: {{listen: '{HOST}:0'}}\nlimits: {{max_calls: 1000}}\n"
        # As a trunk's, whose calls are not counted as a stranger's are.
        f"sip:\n  listen: ['udp:{HOST}:{port}']\n"
        f"  trunks: [{{name: load, targets: ['{HOST}:9'], sources: ['{HOST}'], probe: 0s, max_calls: 1000}}]\n",
        encoding="utf-8",
    )
    command = _pinned(0, [sys.executable, "-m", "hotline", "serve", "--config", str(config)])
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, text=True) as process:  # noqa: S603
        try:
            until = time.monotonic() + 60
            while "ready" not in log.read_text().split():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"hotline serve did not become ready:\n{log.read_text()}")
                time.sleep(0.1)
            yield _Hotline(process, port)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.terminate()  # the second one hangs up what still runs
            process.wait(30)


def _pinned(core: int, command: list[str]) -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core]), *command] if len(cores) > core else command


# -------------------------------------------------------------------------------------------------------- the load


def _load(
    transport: str,
    port: int,
    rate: int,
    calls: int,
    folder: Path,
    scenario: str = CALL,
    look: Callable[[], None] = lambda: None,
) -> Load:
    """Make so many calls; `look` is called every 5 s meanwhile."""
    if transport == "tls":
        client = [sys.executable, str(BENCH / "signalling_client.py"), HOST, str(port), str(rate), str(calls)]
        return Load(**json.loads(_watched(_pinned(1, client), folder, calls / rate + 120, look)))
    for old in folder.glob("*.csv"):
        old.unlink()
    statistics = folder / "statistics.csv"
    command = [
        "sipp", f"{HOST}:{port}", "-sf", str(_copied(scenario, folder)), "-i", HOST, "-s", "19001234",
        "-t", "t1" if transport == "tcp" else "u1", "-r", str(rate), "-m", str(calls), "-l", str(40 * rate),
        "-nostdin", "-trace_stat", "-stf", str(statistics), "-fd", "1", "-trace_rtt", "-rtt_freq", "1",
    ]  # fmt: skip
    _watched(_pinned(1, command), folder, calls / rate + 120, look)
    return _told_by_sipp(statistics, folder, calls / rate)


def _copied(scenario: str, folder: Path) -> Path:
    """SIPp writes beside the scenario."""
    return Path(shutil.copy(SCENARIOS / scenario, folder))


def _watched(command: list[str], folder: Path, timeout_s: float, look: Callable[[], None]) -> str:
    """Run a command to its end, and return what it prints. SIPp ends with 1 where a call has failed."""
    printed = folder / "printed"
    until = time.monotonic() + timeout_s
    with printed.open("w") as out, subprocess.Popen(command, cwd=folder, stdout=out, stderr=out) as process:  # noqa: S603
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
                break
            if time.monotonic() > until:
                process.kill()
            look()
    if process.returncode not in {0, 1}:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{printed.read_text()[-2000:]}")
    return printed.read_text()


def _told_by_sipp(statistics: Path, folder: Path, planned_s: float) -> Load:
    """Read SIPp's files. Calls begin for `planned_s`, or longer where SIPp did not keep up; the last of them end later,
    which is not counted."""
    with statistics.open() as file:
        seconds = list(csv.DictReader(file, delimiter=";"))
    last = seconds[-1]
    answers_ms: list[float] = []
    refused = 0
    for path in folder.glob("*_rtt.csv"):
        with path.open() as file:
            for row in csv.DictReader(file, delimiter=";"):
                if row["rtd_no"] == "answered":
                    answers_ms.append(float(row["response_time_ms"]))
                else:
                    refused += 1
    calls, succeeded = int(last["TotalCallCreated"]), int(last["SuccessfulCall(C)"])
    if len(answers_ms) + refused < succeeded:
        raise RuntimeError(f"SIPp tells of {succeeded} calls, and of {len(answers_ms) + refused} how long they took")
    return Load(
        calls=calls,
        # A row each second, the first of them at the beginning.
        lasted_s=max(planned_s, sum(int(each["TotalCallCreated"]) < calls for each in seconds) - 1),
        answered=succeeded - refused,
        refused=refused,
        failed=calls - succeeded,
        retransmissions=int(last["Retransmissions(C)"]),
        answers_ms=answers_ms,
    )
